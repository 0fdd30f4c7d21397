"""The elements of a page and their positions.

Lengths are in points (72 to an inch); heights grow downwards from the top of the page.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from math import dist

from ..sketch.sketch import Box
from .sizes import FONT_SIZE

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
