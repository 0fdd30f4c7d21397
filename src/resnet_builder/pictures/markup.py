"""Text for Graphviz's labels, which are XML."""

import html
import re
from collections.abc import Iterable

# Characters that XML 1.0 does not allow: https://www.w3.org/TR/xml/#charsets
_UNWRITABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")


def escape(text: str) -> str:
    """Escape a text, with � for characters that XML does not allow."""
    return html.escape(_UNWRITABLE.sub("\N{REPLACEMENT CHARACTER}", text))


def one_column(lines: Iterable[str]) -> str:
    """A label of several lines; rows of a table keep their distance in any font."""
    rows = "".join(f"<TR><TD>{line}</TD></TR>" for line in lines)
    table = f'<TABLE BORDER="0" CELLBORDER="0" CELLSPACING="0" CELLPADDING="1">{rows}</TABLE>'
    return f"<{table}>"
