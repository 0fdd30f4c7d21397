"""The pages of the documentation: their code runs and prints what they show, in both languages."""

import ast
import builtins
import contextlib
import doctest
import io
import re
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple
from xml.etree import ElementTree

import matplotlib as mpl
import pytest
from markdown_it import MarkdownIt

from resnet_builder import feature_info, unet
from resnet_builder.cli.main import main
from website.howto_drawings import DRAWINGS, MAPS, PICTURE, drawing
from website.see_also import see_also

from .files import replace_network, write_files

DOCS = Path(__file__).parents[2] / "docs"
# Page of docs/, without ending.
PAGES = sorted(
    str(page.relative_to(DOCS).with_suffix(""))
    for page in [*DOCS.glob("howto/*.md"), *DOCS.glob("*.md")]
    if not page.name.endswith(".zh.md")
)
ENGLISH = {"changelog", "design", "parity"}
# The code of some pages is for TensorFlow: those that import it.
CODE = [
    pytest.param(
        page,
        marks=[pytest.mark.tensorflow]
        * ("import tensorflow" in (DOCS / f"{page}.md").read_text(encoding="utf-8")),
    )
    for page in PAGES
]
HOWTOS = [page for page in PAGES if page.startswith("howto/") and page != "howto/index"]
# Pages in Chinese as well.
TRANSLATED = [page for page in PAGES if page not in ENGLISH]


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


@pytest.mark.parametrize("page", CODE)
def test_code_runs_and_prints_what_the_page_shows(
    page: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    mpl.use("Agg")
    write_files(page, tmp_path)
    replace_network(tmp_path, monkeypatch)
    run_page(page)


def _names(code: str) -> tuple[set[str], set[str]]:
    """The names that code uses, and those that it defines."""
    used: set[str] = set()
    defined = set(dir(builtins))
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.Name):
            (used if isinstance(node.ctx, ast.Load) else defined).add(node.id)
        elif isinstance(node, ast.Import | ast.ImportFrom):
            defined.update((name.asname or name.name).partition(".")[0] for name in node.names)
    return used, defined


def test_code_that_is_not_run_needs_another_framework_and_knows_its_names() -> None:
    """Not even a name that a later block imports is missing in what no test can run."""
    not_run = 0
    for page in PAGES:
        known: set[str] = set()
        for block in blocks(page):
            if block.language not in ("python", "py"):
                continue
            used, defined = _names(block.content)
            known |= defined
            if block.language == "py":
                where = f"{page}.md, line {block.line}"
                assert used - known == set(), where
                is_foreign = defined & {"timm", "torch", "torchvision"}
                assert is_foreign or "KERAS_BACKEND" in block.content, f"{where}: can run"
                not_run += 1
    assert not_run == 4


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


def test_every_howto_has_a_picture_and_pages_to_see() -> None:
    drawn = set()
    for page in HOWTOS:
        for name in (page, f"{page}.zh"):
            text = (DOCS / f"{name}.md").read_text(encoding="utf-8")
            assert any(mark in text for mark in ("![", "<img ", "<!-- networks -->", PICTURE)), name
            if PICTURE in text:
                drawn.add(page.removeprefix("howto/"))
        links = re.findall(r"\]\(([\w./]+)\)", see_also(f"{page}.md", Titles(), "en"))
        assert len(links) >= 3, page
        assert all((DOCS / "howto" / link).exists() for link in links if "gallery" not in link)
    assert drawn == set(DRAWINGS)


class Titles(dict[str, str]):
    """Any page has its path as its title."""

    def __missing__(self, key: str) -> str:
        return key


def test_titles_are_short_and_no_questions_how() -> None:
    """A title that begins as all others do cannot be found in a list."""
    for page in HOWTOS:
        for name, most in ((page, 40), (f"{page}.zh", 20)):
            title = (DOCS / f"{name}.md").read_text(encoding="utf-8").partition("\n")[0][2:]
            assert len(title) <= most, title
            assert not title.startswith(("How ", "如何", "怎样")), title


@pytest.mark.parametrize("page", DRAWINGS)
def test_a_drawing_is_small_and_well_formed(page: str) -> None:
    svg = drawing(page)
    assert len(svg) < 15_000
    assert "\n" not in svg  # or Markdown would see more than one block
    ElementTree.fromstring(svg.replace(" data-search-exclude", ""))


def test_the_maps_of_the_drawing_of_a_unet_are_those_of_the_model() -> None:
    model = unet("resnet18", (256, 256, 3), classes=2)
    encoder = [
        (name, *model.get_layer(level.layer).output.shape[2:])
        for name, level in feature_info("resnet18").items()
    ]
    decoder = [
        layer.output.shape[2:]
        for layer in model.layers
        if re.fullmatch(r"decoder_block\d_act2", layer.name)
    ]
    assert [row[:3] for row in MAPS[1:]] == encoder
    assert [(size, filters) for _, size, _, filters in MAPS[:-1]] == decoder[::-1]


@pytest.mark.sources
def test_links_into_the_repository_lead_somewhere() -> None:
    link = re.compile(r"github\.com/resnet-builder/resnet-builder/(?:blob|tree)/main/([^)#\s]+)")
    named = {path for page in DOCS.rglob("*.md") for path in link.findall(page.read_text("utf-8"))}
    assert "examples/train.py" in named
    assert sorted(path for path in named if not (DOCS.parent / path).exists()) == []
