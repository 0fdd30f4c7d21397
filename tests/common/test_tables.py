"""Tables as text, Markdown, LaTeX and HTML."""

import pytest
from tabulate import tabulate

from resnet_builder import compare, profile, verify
from resnet_builder.common.tables import Table, Tabular

RESULTS = [profile("resnet18"), compare("resnet18", "resnet34"), verify("resnet18")]


@pytest.mark.parametrize("result", RESULTS, ids=lambda result: type(result).__name__)
def test_every_result_has_every_form(result: Tabular) -> None:
    markdown, latex, html = result.to_markdown(), result.to_latex(), result._repr_html_()
    for form in (str(result), markdown, latex, html):
        assert "11,689,512" in form
    assert "-:|" in markdown
    assert r"\begin{tabular}" in latex
    assert "<table>" in html
    assert html.count("<tr>") == len(result.table().rows) + 1


def test_a_table_in_a_notebook_has_texts_on_the_left_and_headers() -> None:
    table = Table(header=("a<", "n"), rows=(("x", 1), ("y", None)), title="t & u", note="1\n2")
    assert table.to_html().splitlines() == [
        "<table>",
        '<caption style="text-align: left">t &amp; u</caption>',
        '<thead><tr><th scope="col" style="text-align: left">a&lt;</th>'
        '<th scope="col" style="text-align: right">n</th></tr></thead>',
        "<tbody>",
        '<tr><th scope="row" style="text-align: left">x</th>'
        '<td style="text-align: right">1</td></tr>',
        '<tr><th scope="row" style="text-align: left">y</th>'
        '<td style="text-align: right">?</td></tr>',
        "</tbody>",
        "</table>",
        "<small>1<br>2</small>",
    ]


LONG = Table(
    header=("name", "words", "number"),
    rows=(("a-long-name-of-one-word", "words that may be on other lines", 1_234_567),),
)


def test_a_table_in_a_narrow_terminal() -> None:
    assert LONG.blocks(100) == LONG.blocks()
    wrapped = [text for text, _ in LONG.blocks(55)]
    assert wrapped[1].splitlines() == [
        "a-long-name-of-one-word  words that may be  1,234,567",
        "                         on other lines",
    ]
    assert [text for text, _ in LONG.blocks(20)] == [
        "a-long-name-of-one-word\n"
        "  words words that\n    may be on other\n    lines\n  number 1,234,567"
    ]


def test_every_line_of_a_note_is_a_comment_in_latex() -> None:
    table = Table(header=("a",), rows=((1,),), title="title", note="first\nsecond")
    lines = table.to_latex().splitlines()
    assert [lines[0], *lines[-2:]] == ["% title", "% first", "% second"]


def test_every_line_of_a_note_is_a_line_in_markdown() -> None:
    table = Table(header=("a",), rows=((1,),), note="first\nsecond\n\nlast")
    assert table.to_markdown().endswith("\n\nfirst<br>\nsecond\n\nlast")


def test_columns_are_aligned_as_by_tabulate() -> None:
    table = Table(header=("name", "n|"), rows=(("a_b & c", 1_234), ("d", None)))

    def formatted(style: str, first: str) -> str:
        rows, sides = [[first, "1,234"], ["d", "?"]], ["left", "right"]
        return tabulate(rows, table.header, style, colalign=sides, disable_numparse=True)

    assert table.to_text() == formatted("simple", "a_b & c")
    assert table.to_markdown() == formatted("pipe", "a_b & c")
    assert table.to_latex() == formatted("latex_raw", r"a\_b \& c")


def test_a_table_without_rows() -> None:
    table = Table(header=("name", "n"))
    assert table.to_text() == tabulate([], table.header, "simple")
    assert table.to_markdown().splitlines() == ["| name   | n   |", "|:-------|:----|"]
    latex = tabulate([], table.header, "latex_raw")
    assert table.to_latex() == latex.replace("{tabular}{}", "{tabular}{ll}")


def test_a_title_alone() -> None:
    table = Table(title="wrote net.png")
    assert table.to_text() == "wrote net.png"
    assert table.to_markdown() == "**wrote net.png**"
