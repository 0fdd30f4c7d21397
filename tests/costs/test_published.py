"""Published numbers of the presets."""

import pytest

from resnet_builder import verify
from resnet_builder.cli.main import main
from resnet_builder.costs import published

pytestmark = pytest.mark.once


def test_every_number_is_ours_or_says_why_not() -> None:
    report = verify()
    assert report.unexplained == ()
    for row in report.rows:
        assert row.equal != bool(row.note), row


def test_verdicts() -> None:
    rows = {(row.quantity, row.theirs): row.equal for row in verify("resnet50").rows}
    assert rows[("parameters", "25,557,032")]
    assert rows[("macs", "4.089 G")]
    assert not rows[("macs", "4.11 G")]


def test_the_report() -> None:
    text = str(verify("resnetv2_*"))
    assert "resnetv2_18          parameters  11,687,720  11,687,848   differs [1]" in text
    assert "[1] has one more batch norm of 64 channels" in text
    assert "published numbers are equal to ours" in text
    assert "<table>" in verify("resnet50")._repr_html_()


def test_no_such_preset() -> None:
    with pytest.raises(ValueError, match="unknown preset 'vgg"):
        verify("vgg*")


def test_a_reason_explains_no_other_gap(monkeypatch: pytest.MonkeyPatch) -> None:
    wrong = {(published.HE_2015, "macs"): {"resnet34": ("9.9 G", "3.5 G", published.OPTION_A)}}
    monkeypatch.setattr(published, "_NUMBERS", wrong)
    [row] = verify().unexplained
    assert (row.theirs, row.note) == ("9.9 G", "")
    assert "differs" in str(verify())
    assert main(["verify"]) == 1


def test_presets_without_published_numbers() -> None:
    assert "no published number is known" in str(verify("plain18"))
