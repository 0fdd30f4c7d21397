"""What a picture shows, before it is laid out: sections of units of boxes. No Keras here.

A section is a stage, the stem or the head; a unit is what may be repeated, such as a block; a box
is a convolution with the batch norm and the activation that go with it.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from itertools import groupby

from .. import words

ENTRY = -1  # where a unit begins: the box that the unit before it ends in


@dataclass(frozen=True)
class Cell:
    """A part of a box; `kind` gives its colour. A marked one is not in the other network."""

    kind: str
    words: str
    marked: bool = False


@dataclass(frozen=True)
class Edge:
    """From a box of a unit, or its entry, to a box.

    `role` is a shortcut's: `"identity"`, `"resized identity"` (strided or padded, without weights)
    or `"projection"`; or empty.
    """

    source: int
    target: int
    role: str = ""


@dataclass(frozen=True)
class Unit:
    """Boxes, each behind those that feed it; the last is the one that the next unit begins at.

    `names` are the first and the last of the units that are folded into this one; it is marked
    where another network has another number of them.
    """

    names: tuple[str, str]
    boxes: tuple[tuple[Cell, ...], ...]
    edges: tuple[Edge, ...]
    repeats: int = 1
    marked: bool = False

    @property
    def forks(self) -> bool:
        """Whether several boxes begin at its entry."""
        return sum(edge.source == ENTRY for edge in self.edges) > 1

    @property
    def title(self) -> str:
        """Such as block2 – block6."""
        return " – ".join(dict.fromkeys(filter(None, self.names)))


@dataclass(frozen=True)
class Section:
    """Units of one size, with what they cost; `size` is in words.

    `marks` are the lines in which another network differs.
    """

    name: str
    size: str
    parameters: int
    macs: int | None
    units: tuple[Unit, ...]
    marks: frozenset[str] = frozenset()

    @property
    def lines(self) -> dict[str, str]:
        """What is said of it, by field; the first is its title."""
        lines = {
            "name": self.name,
            "size": self.size,
            "parameters": f"{words.short(self.parameters)} parameters",
            "macs": f"{words.short(self.macs)} multiply-adds",
        }
        return {field: line for field, line in lines.items() if line}


@dataclass(frozen=True)
class Sketch:
    """A whole network; `input_size` is in words. It is marked where another's totals differ."""

    name: str
    input_size: str
    parameters: int
    macs: int | None
    sections: tuple[Section, ...]
    marked: bool = False

    @property
    def totals(self) -> str:
        """What is said of it behind its name."""
        counts = f"{words.short(self.parameters)} parameters"
        return "   ".join([self.input_size, counts, f"{words.short(self.macs)} multiply-adds"])

    def folded(self) -> "Sketch":
        """With equal units in a row drawn once."""
        sections = [
            replace(section, units=in_rows(fold(section.units))) for section in self.sections
        ]
        return replace(self, sections=tuple(sections))


def shortcut_role(boxes: Iterable[tuple[Cell, ...]]) -> str:
    """What a shortcut by way of those boxes is called."""
    boxes = list(boxes)
    weighted = any(cell.kind in ("conv", "dense") for box in boxes for cell in box)
    return "projection" if weighted else "resized identity" if boxes else "identity"


class UnitMaker:
    """Collects the boxes of a unit."""

    def __init__(self) -> None:
        self.boxes: list[tuple[Cell, ...]] = []
        self.edges: list[Edge] = []

    def box(self, cells: Iterable[Cell], sources: Iterable[int], role: str = "") -> int:
        """A new box behind others; where it stands."""
        position = len(self.boxes)
        self.boxes.append(tuple(cells))
        self.edges += [Edge(source, position, role) for source in sources]
        return position

    def connect(self, source: int, target: int, role: str = "") -> None:
        """One more edge."""
        self.edges.append(Edge(source, target, role))

    def unit(self, name: str = "") -> Unit:
        """What was collected."""
        return Unit((name, name), tuple(self.boxes), tuple(self.edges))


# Folding ----------------------------------------------------------------------------------------


def fold(units: Iterable[Unit]) -> tuple[Unit, ...]:
    """Equal units in a row as one with its count; also where several units repeat in turn."""
    units = list(units)
    folded: list[Unit] = []
    position = 0
    while position < len(units):
        period, repeats = _best_fold(units[position:])
        period_units = units[position : position + period]
        last = units[position + period * (repeats - 1) : position + period * repeats]
        unit = join(period_units)
        names = unit.names[0], last[-1].names[1]
        folded.append(replace(unit, names=names, repeats=repeats))
        position += period * repeats
    return tuple(folded)


def _best_fold(units: list[Unit]) -> tuple[int, int]:
    """How many of the first units repeat, and how often: what leaves fewest boxes to draw."""
    drawn = [(unit.boxes, unit.edges) for unit in units]
    best, saved = (1, 1), 0
    for period in range(1, len(units) // 2 + 1):
        repeats = 1
        while drawn[:period] == drawn[period * repeats : period * (repeats + 1)]:
            repeats += 1
        saves = (repeats - 1) * sum(len(unit.boxes) for unit in units[:period])
        if saves > saved:
            best, saved = (period, repeats), saves
    return best


def in_rows(units: Iterable[Unit]) -> tuple[Unit, ...]:
    """Single boxes in a row as one unit without a title."""
    joined: list[Unit] = []
    for single, group in groupby(units, lambda unit: len(unit.boxes) == unit.repeats == 1):
        if single:
            joined.append(replace(join(group), names=("", "")))
        else:
            joined.extend(group)
    return tuple(joined)


def join(units: Iterable[Unit]) -> Unit:
    """One unit of several, each of which begins where the one before it ends."""
    units = list(units)
    boxes: list[tuple[Cell, ...]] = []
    edges: list[Edge] = []
    for unit in units:
        start = len(boxes)
        for edge in unit.edges:
            # The entry, -1, becomes the last box before it.
            edges.append(Edge(edge.source + start, edge.target + start, edge.role))
        boxes += unit.boxes
    return Unit((units[0].names[0], units[-1].names[1]), tuple(boxes), tuple(edges))
