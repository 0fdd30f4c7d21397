"""The sizes of texts and boxes, and the distances between them, in points (72 to an inch)."""

from collections.abc import Iterable
from typing import NamedTuple

from ..sketch.sketch import Box, Cell

FONT_SIZE, ROLE_SIZE = 11, 9  # of text, and of the roles of shortcuts
NARROW, WIDE = set("iljtfrI.,:;|!'()[] –-×"), set("mwMW%@")

# A panel: the height of a box, the distance to the next one, and the room for a title.
ROW, GAP, TITLE = 20, 14, 14
BETWEEN_COLUMNS = 16
BETWEEN_LINES = 4  # that turn between two rows
ARROW = 6  # length
CORNER = 6  # radius
TIMES = 46  # the room for × 1000
CARD = 2.5  # the offset of the cards of a repeated panel

# A page.
MARGIN = 14  # inside a lane
PANEL_GAP, ROW_GAP, LANE_GAP = 22, 36, 18
BETWEEN_SKIPS = 3  # that come from above into a lane
TRACK_GAP = 10  # between the lines of skips beside the lanes
HEADING_WIDTH, HEADING_HEIGHT = 122, 66  # of a lane
TITLE_HEIGHT = 30


class Extent(NamedTuple):
    """The distances from an axis to the left and to the right edge."""

    left: float
    right: float


def text_width(text: str, size: float = FONT_SIZE) -> float:
    """The approximate width of a text in a sans serif font."""
    ems = (0.33 if c in NARROW else 0.87 if c in WIDE else 0.6 for c in text)
    return size * sum(ems)


def cell_width(cell: Cell) -> int:
    """The width of a cell with its margins."""
    return round(text_width(cell.words)) + 10


def extent(box: Box) -> Extent:
    """The extent of a box around its column's axis, on which the sign of a sum is centred."""
    widths = [cell_width(cell) for cell in box]
    left = (widths[0] if box[0].kind == "merge" else sum(widths)) / 2
    return Extent(left, sum(widths) - left)


def widest(extents: Iterable[Extent]) -> Extent:
    """The extent that contains all."""
    lefts, rights = zip(*extents, strict=True)
    return Extent(max(lefts), max(rights))
