"""The elements of a page with their positions, and their sizes.

Lengths are in points (72 to an inch); heights grow downwards from the top of the page.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from math import dist
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

Point = tuple[float, float]


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


def corners(points: Iterable[Point]) -> list[Point]:
    """The points of a line without repeats and without those between their neighbours."""
    kept: list[Point] = []
    for point in points:
        if kept and dist(kept[-1], point) < 0.01:
            continue
        if len(kept) > 1 and any(kept[-2][i] == kept[-1][i] == point[i] for i in (0, 1)):
            kept.pop()
        kept.append(point)
    return kept


@dataclass(frozen=True)
class Frame:
    """A rounded rectangle: a `"lane"`, a `"panel"`, or a `"card"` below a repeated panel."""

    kind: str
    x: float
    y: float
    width: float
    height: float

    @property
    def right(self) -> float:
        """The x of the right edge."""
        return self.x + self.width

    @property
    def bottom(self) -> float:
        """The y of the bottom edge."""
        return self.y + self.height


@dataclass(frozen=True)
class Span:
    """Words in one style, in the colour of a shortcut's role; marked words are underlined."""

    words: str
    size: float = FONT_SIZE
    bold: bool = False
    role: str = ""
    marked: bool = False


@dataclass(frozen=True)
class Text:
    """Lines of spans; `x` and `y` are the top left corner."""

    x: float
    y: float
    lines: tuple[tuple[Span, ...], ...]


@dataclass(frozen=True)
class PlacedBox:
    """A box; `x` and `y` are the middle of its left side."""

    x: float
    y: float
    box: Box


@dataclass(frozen=True)
class Line:
    """A line from one box or fork to another through points; a shortcut has a role."""

    source: str
    target: str
    points: tuple[Point, ...]
    role: str = ""
    arrow: bool = True


@dataclass
class Page:
    """All elements of a picture.

    Lines refer to boxes and forks, the points at which lines part, by name: `b7` is the box at
    index 7; the fork `x7` is before the panel that begins with it, the fork `y7` after it, and
    `z7` the one at which skips leave it.
    """

    width: float = 0
    height: float = 0
    frames: list[Frame] = field(default_factory=list)
    texts: list[Text] = field(default_factory=list)
    boxes: list[PlacedBox] = field(default_factory=list)
    forks: dict[str, Point] = field(default_factory=dict)
    lines: list[Line] = field(default_factory=list)

    @property
    def lanes(self) -> list[Frame]:
        """The frames of the sections."""
        return [frame for frame in self.frames if frame.kind == "lane"]
