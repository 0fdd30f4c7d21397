"""The built site: its links, its pages, their sizes, and that nothing is asked for elsewhere."""

from collections import defaultdict
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urldefrag, urlsplit

import pytest

import resnet_builder
from resnet_builder import PRESETS

pytestmark = pytest.mark.slow

DOCS = Path(__file__).parents[2] / "docs"
LARGEST = 500_000
LOADING = {("script", "src"), ("img", "src"), ("iframe", "src"), ("source", "srcset")}


class Links(HTMLParser):
    """Collects the anchors of a page, its links, and what it loads."""

    def __init__(self, page: Path) -> None:
        super().__init__()
        self.anchors: set[str] = set()
        self.links: list[str] = []
        self.loaded: list[str] = []
        self.feed(page.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        self.anchors.update(filter(None, (found.get("id"), found.get("name"))))
        if tag == "a" and found.get("href"):
            self.links.append(str(found["href"]))
        if tag == "link" and found.get("rel") in ("stylesheet", "icon", "preload"):
            self.loaded.append(str(found["href"]))
        self.loaded += [str(found[name]) for kind, name in LOADING if kind == tag and name in found]


def pages(site: Path) -> Iterator[Path]:
    """The pages with the site's navigation."""
    yield from (page for page in site.rglob("*.html") if page.parent.name != "architecture")


@pytest.fixture(scope="module")
def found(site: Path) -> dict[Path, Links]:
    return {page: Links(page) for page in pages(site)}


def test_every_link_leads_somewhere(site: Path, found: dict[Path, Links]) -> None:
    anchors = defaultdict(set, {page: links.anchors for page, links in found.items()})
    broken = set()
    for page, links in found.items():
        for link in [*links.links, *links.loaded]:
            if urlsplit(link).scheme:
                continue
            path, anchor = urldefrag(link)
            target = (page.parent / unquote(path)).resolve() if path else page
            if not target.is_file() or (anchor and unquote(anchor) not in anchors[target]):
                broken.add((str(page.relative_to(site)), link))
    assert sorted(broken) == []


def test_nothing_is_loaded_from_elsewhere(found: dict[Path, Links]) -> None:
    loaded = {link for links in found.values() for link in links.loaded}
    assert any(link.endswith("assets/site.css") for link in loaded)
    assert sorted(link for link in loaded if urlsplit(link).netloc) == []


@pytest.mark.parametrize("language", ["", "zh"])
def test_every_preset_has_a_page(site: Path, language: str) -> None:
    gallery = {page.stem for page in (site / language / "gallery").glob("*.html")}
    assert gallery == {"index", *PRESETS}


def test_every_preset_has_a_picture_and_an_interactive_page(site: Path) -> None:
    files = {file.name for file in (site / "gallery" / "architecture").iterdir()}
    assert files == {f"{name}.{ending}" for name in PRESETS for ending in ("svg", "html")}


def test_a_page_of_a_preset_is_complete(found: dict[Path, Links], site: Path) -> None:
    anchors = found[site / "gallery" / "resnet50.html"].anchors
    sections = {"architecture", "layers", "checkpoints", "relatives", "config", "parity"}
    assert sections | {"published-numbers"} <= anchors


def test_every_public_name_is_in_the_reference(site: Path, found: dict[Path, Links]) -> None:
    reference = [links.anchors for page, links in found.items() if page.parent.name == "reference"]
    anchors = set().union(*reference)
    assert {f"resnet_builder.{name}" for name in resnet_builder.__all__} <= anchors


def test_pages_are_small(site: Path) -> None:
    sizes = {str(page.relative_to(site)): page.stat().st_size for page in site.rglob("*.html")}
    assert len(sizes) > 3 * len(PRESETS)
    assert {page: size for page, size in sizes.items() if size >= LARGEST} == {}


def test_a_page_in_english_among_those_in_chinese_says_so(site: Path) -> None:
    chinese = site / "zh"
    untranslated = 0
    for page in pages(chinese):
        name = page.relative_to(chinese).with_suffix(".zh.md")
        translated = (DOCS / name).exists()
        assert ("本页只有英文" in page.read_text(encoding="utf-8")) != translated, name
        untranslated += not translated
    assert untranslated > len(PRESETS)
