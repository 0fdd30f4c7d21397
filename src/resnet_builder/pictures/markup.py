"""Text for Graphviz's labels, which are XML."""

import html
import re
from collections.abc import Iterable

# Characters that XML 1.0 does not allow: https://www.w3.org/TR/xml/#charsets
_UNWRITABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")


def escape(text: str) -> str:
    """Escape a text, with � for characters that XML does not allow."""
    return html.escape(_UNWRITABLE.sub("\N{REPLACEMENT CHARACTER}", text))


def one_column(lines: Iterable[str], height: int | None = None) -> str:
    """A label of several lines; rows of a table keep their distance in any font.

    `height` is that of a line, in points; by default that of its text.
    """
    cell = "<TD>" if height is None else f'<TD HEIGHT="{height}">'
    rows = "".join(f"<TR>{cell}{line}</TD></TR>" for line in lines)
    table = f'<TABLE BORDER="0" CELLBORDER="0" CELLSPACING="0" CELLPADDING="1">{rows}</TABLE>'
    return f"<{table}>"
