"""Published numbers of the presets."""

import re
from pathlib import Path

import pytest

from resnet_builder import verify
from resnet_builder.cli.main import main
from resnet_builder.costs import published


def test_every_difference_from_a_published_number_is_explained() -> None:
    report = verify()
    assert report.unexplained == ()
    for row in report.rows:
        assert row.equal != bool(row.note), row


ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("page", ["README.md", "README.zh.md", "docs/index.md", "docs/index.zh.md"])
def test_the_documentation_states_how_many_are_equal(page: str) -> None:
    rows = verify().rows
    equal = sum(row.equal for row in rows)
    text = (ROOT / page).read_text(encoding="utf-8")
    assert re.search(rf"{equal} of {len(rows)} |{len(rows)} 个.*{equal} 个", text)
    assert len(rows) - equal == 10  # the number that the pages write as a word


def test_a_number_is_equal_at_the_published_digits() -> None:
    rows = {(row.quantity, row.theirs): row.equal for row in verify("resnet50").rows}
    assert rows[("parameters", "25,557,032")]
    assert rows[("macs", "4.089 G")]
    assert not rows[("macs", "4.11 G")]


def test_the_table_has_verdicts_and_reasons() -> None:
    text = str(verify("resnetv2_*"))
    row = r"resnetv2_18 +parameters +11,687,720 +11,687,848 +differs \[1\]"
    assert re.search(row, text)
    assert "[1] has one more batch norm of 64 channels" in text
    assert "published numbers are equal to ours" in text
    assert "<table>" in verify("resnet50")._repr_html_()


def test_an_unknown_preset_is_rejected() -> None:
    with pytest.raises(ValueError, match="unknown preset 'vgg"):
        verify("vgg*")


def test_a_reason_does_not_explain_another_difference(monkeypatch: pytest.MonkeyPatch) -> None:
    wrong = published._compared("HE", "HE: 1", "macs", "resnet34", "9.9 G", "3.5 G", "truncated")
    monkeypatch.setattr(published, "_compared_numbers", lambda: [wrong])
    [row] = verify().unexplained
    assert (row.theirs, row.note) == ("9.9 G", "")
    assert "differs" in str(verify())
    assert main(["verify"]) == 1


def test_a_preset_without_published_numbers_has_no_rows() -> None:
    assert "no published number is known" in str(verify("plain18"))
