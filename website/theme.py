"""Corrections of what the theme, Material for MkDocs, writes."""

import re
from pathlib import Path

from mkdocs.exceptions import PluginError

# With these links, the theme would ask for a sitemap when the language is changed.
ALTERNATE = re.compile(r'<link rel="alternate"[^>]*>')

# On the link to the repository: the theme would ask GitHub for its number of stars.
ASKS_GITHUB = ' data-md-component="source"'

# A dialog has a name, which screen readers say; the theme gives this one none.
SEARCH = 'data-md-component="search" role="dialog"'

# Where the theme looks for the index of the search, and what the addresses in it are relative to.
BASE = re.compile(r'(?<="base": ")\.\.(?:/(?=\.\.)|(?="))')
ARTICLE = "<article "

# Its links begin at the root of a server, and pages open from a folder.
LEFT_OUT = "404.html"

# Faults of the script of the search, and their corrections.
CORRECTIONS = (
    # Of a Chinese word, its last letter was left out where the words of a query are told apart.
    ("for(let o=s+1;o<t.length;o++)", "for(let o=s+1;o<=t.length;o++)"),
    # lunr tells the nodes of its tree of words apart by letters and numbers side by side: "1" and
    # 23 are "12" and 3, and all searches for words with some letters fail (olivernn/lunr.js#503).
    ("e=e+s+o.id}return e", 'e=e+s+o.id+";"}return e'),
)


def corrected(output: str, *, is_chinese: bool, is_untranslated: bool) -> str:
    """A page that asks for no sitemap and not GitHub; a Chinese one has its own index."""
    output = ALTERNATE.sub("", output).replace(ASKS_GITHUB, "")
    output = output.replace(SEARCH, f'{SEARCH} aria-label="{"搜索" if is_chinese else "Search"}"')
    if is_untranslated:
        output = output.replace(ARTICLE, f'{ARTICLE}lang="en" ')
    if is_chinese:
        output = BASE.sub(lambda match: "" if match[0].endswith("/") else ".", output, count=1)
    return output


def correct_search(site: Path) -> None:
    """Correct the script of the search."""
    [script] = (site / "assets" / "javascripts" / "workers").glob("search.*.min.js")
    text = script.read_text(encoding="utf-8")
    for faulty, correct in CORRECTIONS:
        if faulty not in text and correct not in text:
            raise PluginError(f"{script.name} is not the one that website/theme.py corrects")
        text = text.replace(faulty, correct)
    script.write_text(text, encoding="utf-8")
