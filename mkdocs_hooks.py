"""What mkdocs.yml cannot say: generated pages, and the check that no public name is left out."""

import importlib.util
import json
import re
from pathlib import Path
from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.exceptions import PluginError
from mkdocs.plugins import CombinedEvent, event_priority
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

import resnet_builder
from website.annotated import with_source
from website.chinese import in_chinese
from website.citation import citation
from website.command_line import commands
from website.excerpts import with_excerpts
from website.exports import exports_table
from website.families import FAMILIES, families_table
from website.generated import generated
from website.howto_drawings import PICTURE, drawing
from website.ideas import family_path, ideas
from website.measured import measured_table
from website.name_links import with_links
from website.notebooks import with_button
from website.parity import parity_table
from website.see_also import see_also, titles
from website.speed import networks
from website.theme import LEFT_OUT, correct_search, corrected

# Comments in pages -> what stands in their place.
INSERTIONS = {
    "<!-- citation -->": citation,
    "<!-- commands -->": commands,
    "<!-- coverage -->": parity_table,
    "<!-- exports -->": exports_table,
    "<!-- families -->": families_table,
    "<!-- measured -->": measured_table,
    "<!-- networks -->": networks,
}

# A file of docs/ in an attribute of HTML: its address differs between the languages' pages.
ASSET = re.compile(r'"asset:([^"]+)"')

# A picture in a paragraph of its own: on a phone, its words are read when it is opened.
ALONE = re.compile(r'<p>(<img [^>]*?src="([^"]+)"[^>]*>)</p>')

CHINESE = "zh/"

# Of a page in English among those in Chinese: "This page is in English only." The changelog has its
# heading in the file that it includes.
HEADING = re.compile(r"\A\s*(# .*\n)?")
UNTRANSLATED = "本页只有英文。\n{ lang=zh }"

# Words that every page of the gallery has, such as "checkpoint", find these pages first; words of
# theory, such as "identity mapping", find the page on it.
BOOSTS = {"howto/": 4, "understanding.": 16}

# Anchors of the public names that were seen in the reference.
PUBLIC = re.compile(r'id="resnet_builder\.(\w+)"')
seen: set[str] = set()


def on_config(config: MkDocsConfig) -> None:
    """Add the gallery's families to the navigation, once: every language is a build of its own."""
    if importlib.util.find_spec("jieba") is None:
        # Without it the theme says nothing, and no Chinese word is found.
        raise PluginError("the search in Chinese needs jieba: pip install '.[docs]'")
    config.theme.static_templates.discard(LEFT_OUT)
    families = [
        {
            family.title: [
                family_path(family.title),
                *({name: f"gallery/{name}.md"} for name in family.presets),
            ]
        }
        for family in FAMILIES
    ]
    for language in config.plugins["i18n"].config.languages:
        if language.locale == "zh":
            chinese = {title: idea.chinese for title, idea in ideas().items() if idea.chinese}
            language.nav_translations = {**language.nav_translations, **chinese}
    for item in config.nav or []:
        if item.get("Gallery") == "gallery/index.md":
            item["Gallery"] = ["gallery/index.md", {"Compare": "gallery/compare.md"}, *families]


def add_files(files: Files, config: MkDocsConfig) -> None:
    """Add the generated files as if they were in docs/, so that they have every language."""
    for path in generated():
        files.append(File(path, config.docs_dir, config.site_dir, config.use_directory_urls))


@event_priority(-200)  # after the plugin of the languages, which makes the files anew
def fill_files(files: Files, config: MkDocsConfig) -> None:
    """Give the generated files their content."""
    content = generated()
    for file in files:
        if file.src_uri in content:
            found = content[file.src_uri]
            if isinstance(found, bytes):
                file.content_bytes = found
            else:
                file.content_string = found


on_files = CombinedEvent(add_files, fill_files)


def _see_also(page: Page, config: MkDocsConfig) -> str:
    """The links below a how-to, with the titles of the page's language."""
    title_of = dict(titles(config.nav))
    language = "zh" if page.file.dest_uri.startswith("zh/") else "en"
    [settings] = [
        each for each in config.plugins["i18n"].config.languages if each.locale == language
    ]
    words = settings.nav_translations or {}
    translated = {path: words.get(title, title) for path, title in title_of.items()}
    return see_also(page.file.src_uri.replace(".zh.md", ".md"), translated, language)


def on_page_markdown(
    markdown: str, page: Page, config: MkDocsConfig, files: Files, **_: Any
) -> str:
    """Write what is generated in place of its comment, and the addresses of assets in HTML."""
    for name, boost in BOOSTS.items():
        if page.file.src_uri.startswith(name):
            page.meta["search"] = {"boost": boost}
    if page.file.src_uri.startswith("howto/"):
        markdown = with_links(markdown, resnet_builder.__all__)
        markdown += _see_also(page, config)
        if PICTURE in markdown:
            drawn = drawing(page.file.src_uri.split("/")[1].split(".")[0])
            markdown = markdown.replace(PICTURE, _in_language(page, drawn))
    markdown = with_button(markdown, page.file.src_uri)
    if _is_untranslated(page):
        markdown = HEADING.sub(rf"\1\n{UNTRANSLATED}\n\n", markdown, count=1)
    for comment, write in INSERTIONS.items():
        if comment in markdown:
            markdown = markdown.replace(comment, _in_language(page, write()))
    markdown = with_source(markdown, lambda text: _in_language(page, text))
    markdown = with_excerpts(markdown)

    def address(match: re.Match[str]) -> str:
        found = files.get_file_from_path(match[1])
        if found is None:
            raise PluginError(f"{page.file.src_uri}: there is no {match[1]} in docs/")
        language = "zh" if page.file.dest_uri.startswith(CHINESE) else "en"
        asked = f"?{language}" if match[1].endswith(".html") else ""  # as browser_keys.js reads it
        return f'"{found.url_relative_to(page.file)}{asked}"'

    return ASSET.sub(address, markdown)


def _in_language(page: Page, markdown: str) -> str:
    """What is generated in English, in the language of the page."""
    return in_chinese(markdown) if page.file.src_uri.endswith(".zh.md") else markdown


def _is_untranslated(page: Page) -> bool:
    """Whether it is in English among the pages in Chinese."""
    return page.file.dest_uri.startswith(CHINESE) and not page.file.src_uri.endswith(".zh.md")


def on_page_content(html: str, page: Page, **_: Any) -> str:
    """Note the public names on a page of the reference; make a link of every picture."""
    if page.file.src_uri.startswith("reference/"):
        seen.update(PUBLIC.findall(html))
    return ALONE.sub(r'<p><a class="picture" href="\2">\1</a></p>', html)


def on_post_page(output: str, page: Page, **_: Any) -> str:
    """Correct what the theme wrote."""
    is_chinese = page.file.dest_uri.startswith(CHINESE)
    return corrected(output, is_chinese=is_chinese, is_untranslated=_is_untranslated(page))


@event_priority(-200)  # after the plugin of the languages, which joins the indexes
def on_post_build(config: MkDocsConfig) -> None:
    """Give each language its own index of the search; fail if a public name has no page."""
    site = Path(config.site_dir)
    separate_indexes(site)
    correct_search(site)
    missing = sorted(set(resnet_builder.__all__) - seen)
    if missing:
        raise PluginError(f"not in docs/reference: {', '.join(missing)}")


def separate_indexes(site: Path) -> None:
    """Take the Chinese pages out of the index of the search.

    The index of the Chinese build has these pages only. The joined one, which comes after it, lacks
    those that are in English in both languages.
    """
    index = site / "search" / "search_index.json"
    found = json.loads(index.read_text(encoding="utf-8"))
    for entry in found["docs"]:
        if re.search("gallery/.*#", entry["location"]):
            entry.pop("boost", None)  # the page is meant, not each of its sections
    chinese = [entry for entry in found["docs"] if entry["location"].startswith(CHINESE)]
    if len(chinese) == len(found["docs"]):
        # Names are found first there; the same Chinese words are in all pages of the gallery.
        for entry in chinese:
            if re.search("gallery/.*#", entry["location"]):
                entry["boost"] = 0.2
            elif "gallery/" in entry["location"] and "boost" in entry:
                entry["text"] = ""
        index = site / CHINESE / "search" / index.name
        index.parent.mkdir(parents=True, exist_ok=True)
        for entry in chinese:
            entry["location"] = entry["location"].removeprefix(CHINESE)
    else:
        found["docs"] = [entry for entry in found["docs"] if entry not in chinese]
    index.write_text(json.dumps(found, ensure_ascii=False), encoding="utf-8")
