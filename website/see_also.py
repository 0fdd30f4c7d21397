"""The last line of a how-to: other pages, which see_also.csv names, by their titles in the site."""

import os
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import PurePosixPath
from typing import Any

from . import table_of

WORDS = {"en": ("See also: ", ", ", "."), "zh": ("另见：", "、", "。")}


@cache
def _related() -> dict[str, list[str]]:
    return {row["page"]: row["related"].split() for row in table_of("see_also.csv")}


def titles(nav: Any) -> Iterator[tuple[str, str]]:
    """Yield the pages of a navigation with their titles."""
    for item in nav if isinstance(nav, list) else []:
        for title, inside in item.items() if isinstance(item, dict) else []:
            if isinstance(inside, str):
                yield inside, title
            yield from titles(inside)
            # A section whose first page has no title of its own.
            if isinstance(inside, list) and isinstance(inside[0], str):
                yield inside[0], title


def see_also(page: str, title_of: Mapping[str, str], language: str) -> str:
    """The line, in Markdown; empty if the table does not have the page.

    Args:
        page: path in docs/, of the page in English.
        title_of: the pages' titles in the language.
        language: `"en"` or `"zh"`.
    """
    if page not in _related():
        return ""
    folder = PurePosixPath(page).parent
    links = (f"[{title_of[path]}]({os.path.relpath(path, folder)})" for path in _related()[page])
    begin, between, end = WORDS[language]
    return f"\n\n{begin}{between.join(links)}{end}\n"
