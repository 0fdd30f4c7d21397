"""The pages of the documentation: their code runs and prints what they show, in both languages."""

import contextlib
import doctest
import io
import re
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import matplotlib as mpl
import pytest
from markdown_it import MarkdownIt

from resnet_builder.cli.main import main

from .files import write_files

DOCS = Path(__file__).parents[2] / "docs"
# Page of docs/, without ending.
PAGES = sorted(
    str(page.relative_to(DOCS).with_suffix(""))
    for page in [*DOCS.glob("howto/*.md"), *DOCS.glob("*.md")]
    if not page.name.endswith(".zh.md")
)
# Pages in Chinese as well.
TRANSLATED = [
    *(page for page in PAGES if page.startswith("howto/")),
    *("index", "installation", "understanding"),
]


class Block(NamedTuple):
    """A fenced block: its language, its content, and its first line in the page."""

    language: str
    content: str
    line: int


END = Block("", "", 0)


def blocks(page: str) -> list[Block]:
    tokens = MarkdownIt().parse((DOCS / f"{page}.md").read_text(encoding="utf-8"))
    return [
        Block(token.info, token.content, token.map[0] + 1)
        for token in tokens
        if token.type == "fence" and token.map
    ]


def assert_prints(expected: str, printed: str, where: str) -> None:
    """Compare as doctest does: `...` stands for any text."""
    example = doctest.Example("", expected)
    checker, options = doctest.OutputChecker(), doctest.ELLIPSIS
    if not checker.check_output(example.want, printed, options):
        pytest.fail(f"{where}\n{checker.output_difference(example, printed, options)}")


def run_page(page: str) -> None:
    """Run the blocks of a page as one script; a block that prints is followed by what it prints."""
    namespace: dict[str, Any] = {"__name__": page}
    for block, after in pairwise([*blocks(page), END]):
        where = f"{page}.md, line {block.line}"
        printed = io.StringIO()
        if block.language == "python":
            code = compile("\n" * block.line + block.content, f"{page}.md", "exec")
            with contextlib.redirect_stdout(printed):
                exec(code, namespace)
            expected = after.content if after.language == "text" else ""
            assert_prints(expected, printed.getvalue(), where)
        elif block.language == "console":
            command, _, expected = block.content.partition("\n")
            with contextlib.redirect_stdout(printed):
                main(command.removeprefix("$ resnet-builder ").split())
            assert_prints(expected, printed.getvalue(), where)


@pytest.mark.parametrize("page", PAGES)
def test_code_runs_and_prints_what_the_page_shows(
    page: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    mpl.use("Agg")
    write_files(page, tmp_path)
    run_page(page)


@pytest.mark.parametrize("page", TRANSLATED)
def test_code_is_the_same_in_both_languages(page: str) -> None:
    english, chinese = (
        [(block.language, block.content) for block in blocks(name)] for name in (page, f"{page}.zh")
    )
    assert chinese == english


@pytest.mark.parametrize("page", ["howto/index", "howto/index.zh"])
def test_the_index_lists_every_page(page: str) -> None:
    text = (DOCS / f"{page}.md").read_text(encoding="utf-8")
    named = {Path(other).name for other in PAGES if other.startswith("howto/")} - {"index"}
    assert sorted(name for name in named if f"({name}.md)" not in text) == []


def test_links_into_the_repository_lead_somewhere() -> None:
    link = re.compile(r"github\.com/resnet-builder/resnet-builder/(?:blob|tree)/main/([^)#\s]+)")
    named = {path for page in DOCS.rglob("*.md") for path in link.findall(page.read_text("utf-8"))}
    assert "examples/train.py" in named
    assert sorted(path for path in named if not (DOCS.parent / path).exists()) == []
