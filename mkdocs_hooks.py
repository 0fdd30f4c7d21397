"""What mkdocs.yml cannot say: generated pages, and the check that no public name is left out."""

import re
from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.exceptions import PluginError
from mkdocs.plugins import CombinedEvent, event_priority
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

import resnet_builder
from website.command_line import commands
from website.exports import exports_table
from website.families import FAMILIES
from website.generated import generated
from website.measured import measured_table
from website.parity import parity_table

# Comments in pages -> what stands in their place.
INSERTIONS = {
    "<!-- commands -->": commands,
    "<!-- coverage -->": parity_table,
    "<!-- exports -->": exports_table,
    "<!-- measured -->": measured_table,
}

# A file of docs/ in an attribute of HTML: its address differs between the languages' pages.
ASSET = re.compile(r'"asset:([^"]+)"')

ALTERNATE = re.compile(r'<link rel="alternate"[^>]*>')

# Of a page in English among those in Chinese: "This page is in English only." The changelog has its
# heading in the file that it includes.
HEADING = re.compile(r"\A\s*(# .*\n)?")
UNTRANSLATED = "*本页只有英文。*"

# Anchors of the public names that were seen in the reference.
PUBLIC = re.compile(r'id="resnet_builder\.(\w+)"')
seen: set[str] = set()


def on_config(config: MkDocsConfig) -> None:
    """Add the gallery's families to the navigation, once: every language is a build of its own."""
    # Its links begin at the root of a server, and pages open from a folder.
    config.theme.static_templates.discard("404.html")
    families = [
        {family.title: [{name: f"gallery/{name}.md"} for name in family.presets]}
        for family in FAMILIES
    ]
    for item in config.nav or []:
        if item.get("Gallery") == "gallery/index.md":
            item["Gallery"] = ["gallery/index.md", *families]


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
            file.content_string = content[file.src_uri]


on_files = CombinedEvent(add_files, fill_files)


def on_page_markdown(markdown: str, page: Page, files: Files, **_: Any) -> str:
    """Write what is generated in place of its comment, and the addresses of assets in HTML."""
    if page.file.src_uri.startswith("howto/"):
        # Words that every page of the gallery has, such as "checkpoint", find the how-tos first.
        page.meta["search"] = {"boost": 4}
    if page.file.dest_uri.startswith("zh/") and not page.file.src_uri.endswith(".zh.md"):
        markdown = HEADING.sub(rf"\1\n{UNTRANSLATED}\n\n", markdown, count=1)
    for comment, write in INSERTIONS.items():
        if comment in markdown:
            markdown = markdown.replace(comment, write())

    def address(match: re.Match[str]) -> str:
        found = files.get_file_from_path(match[1])
        if found is None:
            raise PluginError(f"{page.file.src_uri}: there is no {match[1]} in docs/")
        return f'"{found.url_relative_to(page.file)}"'

    return ASSET.sub(address, markdown)


def on_page_content(html: str, page: Page, **_: Any) -> None:
    """Note the public names on a page of the reference."""
    if page.file.src_uri.startswith("reference/"):
        seen.update(PUBLIC.findall(html))


def on_post_page(output: str, **_: Any) -> str:
    """Take out the links to other languages that the theme would look for a sitemap beside."""
    return ALTERNATE.sub("", output)


def on_post_build(**_: Any) -> None:
    """Fail if a public name has no page."""
    missing = sorted(set(resnet_builder.__all__) - seen)
    if missing:
        raise PluginError(f"not in docs/reference: {', '.join(missing)}")
