"""The font, the colours and the distances of all pictures, and Graphviz's markup."""

import html
import re
from collections.abc import Iterable
from typing import Any

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

# Distances in points, of which an inch has 72. Text, and the roles of shortcuts:
FONT_SIZE, ROLE_SIZE = 11, 9

# A panel: the height of a box, the distance to the next one, and the room for a title.
ROW, GAP, TITLE = 20, 14, 14
BETWEEN_COLUMNS = 16
BETWEEN_LINES = 4  # that turn between two rows
ARROW = 6  # length
CORNER = 6  # radius
TIMES = 46  # the room for × 1000
BEHIND = 2.5  # the offset of the frames behind a repeated panel

# A page.
MARGIN = 14  # inside a lane
PANEL_GAP, ROW_GAP, LANE_GAP = 22, 36, 18
BETWEEN_SKIPS = 3  # that come from above into a lane
TRACK_GAP = 10  # between the lines of skips beside the lanes
HEADING_WIDTH, HEADING_HEIGHT = 122, 66  # of a lane
TITLE_HEIGHT = 30

# Characters that XML 1.0 does not allow: https://www.w3.org/TR/xml/#charsets
_UNWRITABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")


def escape(text: str) -> str:
    """Escape a text, with � for characters that XML does not allow."""
    return html.escape(_UNWRITABLE.sub("\N{REPLACEMENT CHARACTER}", text))


def table(rows: Iterable[str], *, border: int = 0, padding: int = 0) -> str:
    """A label of rows of cells, `<TD>…</TD>`, which keep their distance in any font."""
    lines = "".join(f"<TR>{row}</TR>" for row in rows)
    look = f'BORDER="0" CELLBORDER="{border}" CELLSPACING="0" CELLPADDING="{padding}"'
    return f"<<TABLE {look}>{lines}</TABLE>>"
