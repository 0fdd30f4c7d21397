"""What a picture shows, before it is laid out: sections of units of boxes. No Keras here.

A section is a stage, the stem or the head; a unit is what may be repeated, such as a block; a box
is a convolution with the batch norm and the activation that go with it.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from itertools import groupby

from ...common import words
from ...common.words import Description

ENTRY = -1  # where a unit begins: the box that the unit before it ends in


@dataclass(frozen=True)
class Cell:
    """A part of a box. A marked one is not in the other network."""

    description: Description
    marked: bool = False

    @property
    def kind(self) -> str:
        """Its colour."""
        return self.description.kind

    @property
    def words(self) -> str:
        """Its text."""
        return self.description.words


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

    `marks` are the details in which another network differs.
    """

    name: str
    size: str
    parameters: int
    macs: int | None
    units: tuple[Unit, ...]
    marks: frozenset[str] = frozenset()

    @property
    def title(self) -> str:
        """Its name, else its size; empty where it has neither."""
        return self.name or self.size

    @property
    def details(self) -> dict[str, str]:
        """What is said below its title, by field; the size where the title does not say it."""
        return {
            "size": self.size if self.name else "",
            "parameters": f"{words.short(self.parameters)} parameters",
            "macs": f"{words.short(self.macs)} multiply-adds",
        }


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


Drawn = tuple[tuple[tuple[Cell, ...], ...], tuple[Edge, ...]]  # a unit's boxes and edges


def fold(units: Iterable[Unit]) -> tuple[Unit, ...]:
    """Equal units in a row as one with its count; also where several units repeat in turn."""
    units = list(units)
    drawn = [(unit.boxes, unit.edges) for unit in units]
    folded: list[Unit] = []
    start = 0
    while start < len(units):
        period, repeats = _best_fold(drawn, start)
        end = start + period * repeats
        unit = join(units[start : start + period])
        names = unit.names[0], units[end - 1].names[1]
        folded.append(replace(unit, names=names, repeats=repeats))
        start = end
    return tuple(folded)


def _best_fold(drawn: list[Drawn], start: int) -> tuple[int, int]:
    """How many units from `start` on repeat, and how often: what leaves fewest boxes to draw."""
    best, saved = (1, 1), 0
    boxes = 0  # of a period
    for period in range(1, (len(drawn) - start) // 2 + 1):
        boxes += len(drawn[start + period - 1][0])
        repeats = _repeats(drawn, start, period)
        saves = (repeats - 1) * boxes
        if saves > saved:
            best, saved = (period, repeats), saves
    return best


def _repeats(drawn: list[Drawn], start: int, period: int) -> int:
    """How often in a row the period that begins at `start` is there."""
    end = start + period
    while end < len(drawn) and drawn[end] == drawn[end - period]:
        end += 1
    return (end - start) // period


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
