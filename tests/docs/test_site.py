"""The built site: its links, its pages, their sizes, and that nothing is asked for elsewhere."""

import json
import re
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import fields
from html import unescape
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urldefrag, urlsplit

import pytest

import resnet_builder
from resnet_builder import PRESETS, ResnetConfig

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
            path = path.partition("?")[0]
            if path.endswith("compare.html") and {*anchor.split(",")} <= {"", *PRESETS}:
                anchor = ""  # the two networks
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
    assert gallery == {"index", "compare", *PRESETS}


def test_every_preset_has_a_picture_and_an_interactive_page(site: Path) -> None:
    files = {file.name for file in (site / "gallery" / "architecture").iterdir()}
    endings = ("svg", "html", "js")
    assert files == {"frame.js", *(f"{name}.{end}" for name in PRESETS for end in endings)}


def test_a_page_of_a_preset_is_complete(found: dict[Path, Links], site: Path) -> None:
    anchors = found[site / "gallery" / "resnet50.html"].anchors
    sections = {"architecture", "layers", "checkpoints", "relatives", "config", "parity"}
    assert sections | {"published-numbers"} <= anchors


def test_every_public_name_is_in_the_reference(site: Path, found: dict[Path, Links]) -> None:
    reference = [links.anchors for page, links in found.items() if page.parent.name == "reference"]
    anchors = set().union(*reference)
    assert {f"resnet_builder.{name}" for name in resnet_builder.__all__} <= anchors


def test_every_field_of_a_config_shows_its_default(site: Path) -> None:
    page = (site / "reference" / "config.html").read_text(encoding="utf-8")
    attributes = page.partition("Attributes:</span>")[2].partition("</ul>")[0]
    shown = {
        name: "Default:" in words
        for name, words in re.findall(r"<b><code><[^>]*>(\w+)<(.*?)</li>", attributes, re.DOTALL)
    }
    required = {"repetitions", "block"}
    assert shown == {field.name: field.name not in required for field in fields(ResnetConfig)}
    assert 'Default: <code>"imagenet"</code>' in unescape(attributes)


@pytest.mark.parametrize("language", ["", "zh"])
def test_every_preset_is_in_the_index_of_the_search_once(site: Path, language: str) -> None:
    index = site / language / "search" / "search_index.json"
    locations = [entry["location"] for entry in json.loads(index.read_text("utf-8"))["docs"]]
    assert len(set(locations)) == len(locations)
    assert {f"gallery/{name}.html" for name in PRESETS} <= set(locations)
    pages = {location.partition("#")[0] for location in locations}
    assert sorted(page for page in pages if not (site / language / page).exists()) == []


def test_pages_are_small(site: Path) -> None:
    sizes = {str(page.relative_to(site)): page.stat().st_size for page in site.rglob("*.html")}
    assert len(sizes) > 3 * len(PRESETS)
    assert {page: size for page, size in sizes.items() if size >= LARGEST} == {}


def test_a_figure_is_a_small_script(site: Path) -> None:
    sizes = {file.name: file.stat().st_size for file in (site / "assets/figures").glob("*.js")}
    assert len(sizes) > 6
    assert {name: size for name, size in sizes.items() if size >= 10_000} == {}


def test_a_page_in_english_among_those_in_chinese_says_so(site: Path) -> None:
    chinese = site / "zh"
    untranslated = 0
    for page in pages(chinese):
        name = page.relative_to(chinese).with_suffix(".zh.md")
        made = page.parent.name in ("families", "gallery")  # in both languages
        translated = made or (DOCS / name).exists()
        assert ("本页只有英文" in page.read_text(encoding="utf-8")) != translated, name
        untranslated += not translated
    assert untranslated > 0
