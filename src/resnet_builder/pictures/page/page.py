"""The elements of a page and their positions.

Lengths are in points (72 to an inch); heights grow downwards from the top of the page.
"""

from dataclasses import dataclass, field, replace
from typing import NamedTuple

from ..sketch.sketch import Box
from .measures import FONT_SIZE, Point


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


class NodeName(NamedTuple):
    """The name of a box, `b`, or of a fork: a point at which lines part.

    `b7` is the box at index 7 of the page's boxes; the fork `x7` is before the panel that begins
    with it, the fork `y7` after it, and `z7` the one at which skips leave it.
    """

    kind: str
    number: int

    def __str__(self) -> str:
        return f"{self.kind}{self.number}"


@dataclass(frozen=True)
class PlacedBox:
    """A box; `x` and `y` are the middle of its left side."""

    name: NodeName
    x: float
    y: float
    box: Box


@dataclass(frozen=True)
class Line:
    """A line from one box to another through points; a shortcut has a role."""

    source: NodeName
    target: NodeName
    points: tuple[Point, ...]
    role: str = ""
    arrow: bool = True


@dataclass
class Page:
    """All elements of a picture; lines refer to boxes and forks by name."""

    width: float = 0
    height: float = 0
    frames: list[Frame] = field(default_factory=list)
    texts: list[Text] = field(default_factory=list)
    boxes: list[PlacedBox] = field(default_factory=list)
    forks: dict[NodeName, Point] = field(default_factory=dict)
    lines: list[Line] = field(default_factory=list)

    @property
    def lanes(self) -> list[Frame]:
        """The frames of the sections."""
        return [frame for frame in self.frames if frame.kind == "lane"]

    def add(self, other: "Page", x: float) -> None:
        """Add the elements of another page, moved to the right by `x`."""
        first = len(self.boxes)

        def renamed(name: NodeName) -> NodeName:
            return name._replace(number=name.number + first)

        def moved(point: Point) -> Point:
            return point[0] + x, point[1]

        self.frames += [replace(frame, x=frame.x + x) for frame in other.frames]
        self.texts += [replace(text, x=text.x + x) for text in other.texts]
        self.boxes += [replace(box, name=renamed(box.name), x=box.x + x) for box in other.boxes]
        self.forks |= {renamed(name): moved(point) for name, point in other.forks.items()}
        self.lines += [
            replace(
                line,
                source=renamed(line.source),
                target=renamed(line.target),
                points=tuple(map(moved, line.points)),
            )
            for line in other.lines
        ]
        self.width = max(self.width, other.width + x)
        self.height = max(self.height, other.height)
