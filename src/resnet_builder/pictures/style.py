"""The font and the colours of all pictures."""

import html
import re
from collections.abc import Iterable
from typing import Any

import pydot

FONT = "Arial"

# Paul Tol's pale, light and vibrant qualitative colours, which colour-blind readers can tell apart;
# lightness and words tell apart what grey does not. https://personal.sron.nl/~pault/
COLOURS = {
    "conv": "#BBCCEE",
    "norm": "#EEEEBB",
    "activation": "#FFCCCC",
    "pool": "#CCEEFF",
    "merge": "#CCDDAA",
    "scale": "#E0D0EC",
    "dense": "#DDDDDD",
    "other": "#FFFFFF",
    "output": "#FFFFFF",
}

# The lines: of the main path, of shortcuts by role, and of skips from one section to another.
SKIP = "skip"
ROLES: dict[str, dict[str, Any]] = {
    "": {"color": "#444444"},
    "identity": {"color": "#0077BB", "penwidth": "1.8"},
    "resized identity": {"color": "#0077BB", "penwidth": "1.4", "style": "dashed"},
    "projection": {"color": "#CC3311", "penwidth": "1.4", "style": "dashed"},
    SKIP: {"color": "#009988", "penwidth": "1.4"},
}


DPI = 96  # pixels in an inch, which has 72 points

# The largest texture of common graphics processors, which limits many viewers of images; and a
# number of pixels that is drawn in 1 GB of memory.
MOST_PIXELS = 16_384
MOST_PIXELS_IN_ALL = MOST_PIXELS * MOST_PIXELS // 2


def fit_to_size(graph: pydot.Dot, size: tuple[int, int]) -> pydot.Dot:
    """Scale a graph, and centre it in a picture of (width, height) pixels."""
    width, height = (side * 72 / DPI for side in size)
    graph.set("dpi", str(DPI))
    graph.set("size", f"{width / 72},{height / 72}!")
    graph.set("viewport", f"{width},{height}")
    return graph


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
