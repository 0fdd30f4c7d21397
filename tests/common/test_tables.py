"""Tables as text, Markdown, LaTeX and HTML."""

import sys

import pytest

from resnet_builder import compare, profile, verify
from resnet_builder.common.tables import Table, Tabular

pytestmark = pytest.mark.once


RESULTS = [profile("resnet18"), compare("resnet18", "resnet34"), verify("resnet18")]


@pytest.mark.parametrize("result", RESULTS, ids=lambda result: type(result).__name__)
def test_every_result_has_every_form(result: Tabular) -> None:
    markdown, latex, html = result.to_markdown(), result.to_latex(), result._repr_html_()
    for form in (str(result), markdown, latex, html):
        assert "11,689,512" in form
    assert "-:|" in markdown
    assert r"\begin{tabular}" in latex
    assert "<table>" in html


def test_every_line_of_a_note_is_a_comment_in_latex() -> None:
    table = Table(header=("a",), rows=((1,),), title="title", note="first\nsecond")
    lines = table.to_latex().splitlines()
    assert [lines[0], *lines[-2:]] == ["% title", "% first", "% second"]


def test_every_line_of_a_note_is_a_line_in_markdown() -> None:
    table = Table(header=("a",), rows=((1,),), note="first\nsecond\n\nlast")
    assert table.to_markdown().endswith("\n\nfirst<br>\nsecond\n\nlast")


def test_a_title_alone_does_not_load_tabulate(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "tabulate", None)  # importing it raises ImportError
    assert Table(title="wrote net.png").to_text() == "wrote net.png"
