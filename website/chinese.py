"""The generated pages in Chinese, line by line, by the dictionary chinese.toml and ideas.toml.

What is not in the dictionary, such as names, stays; so does code.
"""

import re
import tomllib
from collections.abc import Iterator
from functools import cache
from html import escape, unescape
from pathlib import Path
from typing import NamedTuple

from .ideas import ideas

DICTIONARY = Path(__file__).with_name("chinese.toml")
SLOT = re.compile(r"\{(\w+)\}")
NUMBERS = r"[\d.,x]+[BM]?"
LINK = re.compile(r"\[([^\]]+)\]\(([^)]+)\)")
# The lines that a note of a table is wrapped to.
WRAPPED = re.compile(r"<br>\n  (?=\S)")
FENCE = re.compile(r"^ *```")
# A heading, its words, and its attributes in braces.
HEADING = re.compile(r"(#+ )([^{]+?)(?: \{ (.+) \})?")
# What stands before the words of a line: the mark of an item, an indent, a tab's title.
BEFORE = re.compile(r'(\* |-   (?=\S)|    |=== ")?(.+?)("|<br>)?')
# Words of HTML: between tags, or in an attribute that is read.
HTML = re.compile(r'(>| (?:alt|aria-label|placeholder|title)=")([^<>"]+)(?=[<"])')


class Phrase(NamedTuple):
    """A phrase with slots, as a pattern, and its translation."""

    pattern: re.Pattern[str]
    chinese: str


@cache
def _dictionary() -> tuple[dict[str, str], tuple[Phrase, ...]]:
    """The phrases without slots, and those with slots."""
    tables = tomllib.loads(DICTIONARY.read_text(encoding="utf-8"))
    phrases = {text: chinese for table in tables.values() for text, chinese in table.items()}
    phrases |= {title: idea.chinese for title, idea in ideas().items() if idea.chinese}
    plain = {text: chinese for text, chinese in phrases.items() if not SLOT.search(text)}
    slotted = (Phrase(_pattern(text), phrases[text]) for text in phrases if text not in plain)
    return plain, tuple(slotted)


def _pattern(text: str) -> re.Pattern[str]:
    parts = SLOT.split(text)
    slots = (
        f"(?P<{name}>{NUMBERS if name in ('n', 'm', 'size') else '.+?'})" for name in parts[1::2]
    )
    literals = map(re.escape, parts[2::2])
    joined = (slot + literal for slot, literal in zip(slots, literals, strict=True))
    return re.compile(re.escape(parts[0]) + "".join(joined))


@cache
def translated(text: str) -> str:
    """A phrase in Chinese; itself, or its parts between commas, if it is not in the dictionary."""
    if (found := _known(text)) is not None:
        return found
    if link := LINK.fullmatch(text):
        return f"[{translated(link[1])}]({link[2]})"
    for separator, chinese in {"; ": "；", ", ": ", "}.items():
        if separator in text:
            return chinese.join(map(translated, text.split(separator)))
    return text


def _known(text: str) -> str | None:
    plain, slotted = _dictionary()
    if text in plain:
        return plain[text]
    for pattern, chinese in slotted:
        found = pattern.fullmatch(text)
        if found and all(
            _known(part) for name, part in found.groupdict().items() if name.isupper()
        ):
            return chinese.format_map(dict(_filled(found.groupdict())))
    return None


def _filled(slots: dict[str, str]) -> Iterator[tuple[str, str]]:
    """The slots of a phrase with their texts in Chinese."""
    for name, text in slots.items():
        if name == "list":
            yield name, "、".join(map(translated, text.split(", ")))
        else:
            yield name, text if name == "field" else translated(text)


def in_chinese(markdown: str) -> str:
    """A page, or a part of one, in Chinese."""
    return "\n".join(_lines(WRAPPED.sub(" ", markdown)))


def _lines(markdown: str) -> Iterator[str]:
    is_code = is_settings = False
    for number, line in enumerate(markdown.split("\n")):
        is_code ^= bool(FENCE.match(line))
        is_settings ^= line == "---" and (number == 0 or is_settings)
        if is_code or is_settings or not line or line == "---":
            yield line
        elif line.startswith("|"):
            cells = (_cell(cell) for cell in line.strip("|").split("|"))
            yield f"|{'|'.join(cells)}|"
        elif line.startswith("<"):
            yield HTML.sub(_of_html, line)
        elif heading := HEADING.fullmatch(line):
            yield _heading(*heading.groups())
        elif parts := BEFORE.fullmatch(line):
            before, text, after = parts.groups("")
            yield before + translated(text) + after


def _heading(level: str, text: str, attributes: str | None) -> str:
    """A heading with the anchor of the English one."""
    if (chinese := translated(text)) == text or level == "# ":
        return f"{level}{chinese}" + (f" {{ {attributes} }}" if attributes else "")
    anchor = "#" + re.sub(r"\W+", "-", text.lower())
    return f"{level}{chinese} {{ {' '.join(filter(None, [anchor, attributes]))} }}"


def _cell(cell: str) -> str:
    text = cell.strip()
    return cell.replace(text, "<br>".join(map(translated, text.split("<br>"))))


def _of_html(match: re.Match[str]) -> str:
    text = unescape(match[2]).strip()
    return match[1] + match[2].replace(escape(text), escape(translated(text)))
