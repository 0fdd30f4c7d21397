"""The elements of a page: their positions and sizes.

Lengths are in points (72 to an inch); heights grow downwards from the top of the page.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import count
from math import dist
from typing import NamedTuple

from ..sketch.sketch import Box, Cell
from ..style import FONT_SIZE

NARROW, WIDE = set("iljtfrI.,:;|!'()[] –-×"), set("mwMW%@")

Point = tuple[float, float]


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


def first_free(intervals: Iterable[tuple[float, float]]) -> list[int]:
    """For each interval, the first of 0, 1, 2, ... that no overlapping one before it has."""
    placed: list[tuple[int, float, float]] = []
    for start, end in intervals:
        taken = {number for number, first, last in placed if first < end and start < last}
        placed.append((next(n for n in count() if n not in taken), start, end))
    return [number for number, *_ in placed]


@dataclass(frozen=True)
class Frame:
    """A rounded rectangle around a `"lane"` or a `"panel"`, or `"behind"` a repeated panel."""

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
class TextPart:
    """Words in one style, in the colour of a shortcut's role; marked words are underlined."""

    words: str
    size: float = FONT_SIZE
    bold: bool = False
    role: str = ""
    marked: bool = False

    @property
    def width(self) -> float:
        """The approximate width."""
        return text_width(self.words, self.size)


@dataclass(frozen=True)
class Text:
    """Lines of words; `x` and `y` are the top left corner."""

    x: float
    y: float
    lines: tuple[tuple[TextPart, ...], ...]


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

    def write(self, x: float, y: float, *parts: TextPart) -> None:
        """Add a text of one line."""
        self.texts.append(Text(x, y, (parts,)))


# Sizes ------------------------------------------------------------------------------------------


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
