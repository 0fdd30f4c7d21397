"""The page on the article's code: it shows the source, and stops the build when that moves."""

import re

import pytest

from website.annotated import PAGE, drawings_of_blocks, with_source
from website.excerpts import ROOT, SOURCE

pytestmark = pytest.mark.sources

CHINESE = PAGE.with_suffix(".zh.md").read_text(encoding="utf-8")
ENGLISH = PAGE.read_text(encoding="utf-8")
LINK = re.compile(rf"{re.escape(SOURCE)}(\S+)#L(\d+)(?:-L(\d+))?\)\n.*\n\n```python\n([^`]+)\n```")


def test_the_code_is_that_of_the_linked_lines() -> None:
    found = LINK.findall(with_source(ENGLISH))
    assert len(found) == ENGLISH.count("<!-- code: ") > 20
    for file, first, last, code in found:
        lines = (ROOT / file).read_text(encoding="utf-8").splitlines()
        shown = [line.strip() for line in code.splitlines()]
        source = [line.strip() for line in lines[int(first) - 1 : int(last or first)]]
        assert (shown[0], shown[-1]) == (source[0], source[-1])
        assert set(shown) <= set(source)  # a docstring is left out


def test_every_comment_is_replaced_and_the_same_in_chinese() -> None:
    comments = re.findall("<!-- .*", ENGLISH)
    assert re.findall("<!-- .*", CHINESE) == comments
    for page in (ENGLISH, CHINESE):
        assert "<!--" not in with_source(page)
        assert sorted(drawings_of_blocks()) == sorted(re.findall(r"\((annotated/.+\.svg)\)", page))


@pytest.mark.parametrize(
    ("comment", "message"),
    [
        ("code: plan/blocks.py no_block", "plan/blocks.py has no no_block"),
        ("code: plan/blocks.py basic_block: no such ... return", "'no such' is in 0 lines"),
        ("code: plan/blocks.py add_block: config ... draft", "'config' is in"),
        ("code: plan/blocks.py basic_block: filters = ... no such", "has 'no such'"),
        ("row: keras_resnet34 stage5", "not all of stage5"),
    ],
)
def test_what_has_moved_stops_the_build(comment: str, message: str) -> None:
    with pytest.raises(LookupError, match=message):
        with_source(f"<!-- {comment} -->")


def test_rows_and_depths() -> None:
    row = with_source("<!-- row: keras_resnet34 stage2 -->").splitlines()[-1]
    assert [cell.strip() for cell in row.split("|")][1:5] == [
        *("stage2", "28x28", "[3x3, 128<br>3x3, 128] x 4", "1,117,184")
    ]
    depths = with_source("<!-- depths: keras_resnet18 keras_resnet152 -->").splitlines()[-2:]
    assert "1 + 2 × (2 + 2 + 2 + 2) + 1 = 18" in depths[0]
    assert "1 + 3 × (3 + 8 + 36 + 3) + 1 = 152" in depths[1]


def test_the_pictures_show_one_block() -> None:
    found = drawings_of_blocks()
    assert found["annotated/keras_resnet34.stage2.1.svg"].count("projection") == 1
    assert "projection" not in found["annotated/keras_resnet34.stage3.2.svg"]
