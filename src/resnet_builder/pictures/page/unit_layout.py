"""Where the boxes of one unit stand: a main column, and shortcuts and branches to its left.

Lengths are in points. Heights grow downwards from the top of the unit; columns are counted from
the main one, 0, to the left.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import count

from ..sketch.sketch import ENTRY, Cell, Edge, Unit

FONT_SIZE = 11
ROW, GAP = 20, 14  # the height of a box, and the distance to the next one
TITLE = 14
BETWEEN_COLUMNS = 16
NARROW, WIDE = set("iljtfrI.,:;|!'()[] –-×"), set("mwMW%@")

Box = tuple[Cell, ...]
Point = tuple[float, float]


def text_width(text: str, size: float = FONT_SIZE) -> float:
    """About how wide a text is in a sans serif font."""
    ems = (0.33 if c in NARROW else 0.87 if c in WIDE else 0.6 for c in text)
    return size * sum(ems)


def cell_width(cell: Cell) -> int:
    """Of a cell with its margins."""
    return round(text_width(cell.words)) + 10


def reach(box: Box) -> tuple[float, float]:
    """How far a box reaches to the left and right of its column's axis: sums stand on it."""
    widths = [cell_width(cell) for cell in box]
    left = (widths[0] if box[0].kind == "merge" else sum(widths)) / 2
    return left, sum(widths) - left


@dataclass(frozen=True)
class UnitLayout:
    """A unit's boxes and edges with their places.

    `entry` is the height at which its edges begin; `columns` and `heights` are those of the boxes,
    and `channels` are the columns that the edges run in. In a `tangled` unit branches have branches
    of their own.
    """

    unit: Unit
    height: float
    entry: float
    columns: tuple[int, ...]
    heights: tuple[float, ...]
    channels: dict[Edge, int]
    tangled: bool

    def column(self, box: int) -> int:
        """Of a box, or of the entry."""
        return 0 if box == ENTRY else self.columns[box]

    @property
    def reaches(self) -> list[tuple[float, float]]:
        """How far the boxes of each column reach to the left and right of its axis."""
        number = 1 + max([*self.columns, *self.channels.values()])
        reaches = [(0.0, 0.0)] * number
        for column, box in zip(self.columns, self.unit.boxes, strict=True):
            reaches[column] = widest([reaches[column], reach(box)])
        for edge, channel in self.channels.items():
            if edge.role and edge.source != ENTRY and channel:
                reaches[channel] = widest([reaches[channel], (0, text_width(edge.role, 9))])
        return reaches

    def way(self, edge: Edge, axes: list[float]) -> list[Point]:
        """The corners of an edge's line, for columns with those axes."""
        channel = self.channels[edge]
        axis = axes[channel]
        points = []
        if edge.source == ENTRY:
            points.append((axes[0], self.entry))
        else:
            source, bottom = self.column(edge.source), self.heights[edge.source] + ROW / 2
            # A branch begins below its box, on the line that goes on.
            points.append((axes[source], bottom + (GAP / 2 if source != channel else 0)))
        points.append((axis, points[-1][1]))
        height, target = self.heights[edge.target], self.column(edge.target)
        left, _ = reach(self.unit.boxes[edge.target])
        if target == channel:
            points.append((axis, height - ROW / 2))
        elif self.tangled:
            # Between the rows, where no box stands; then from above.
            above = height - ROW / 2 - GAP / 2
            side = axes[target] - left / 2
            points += [(axis, above), (side, above), (side, height - ROW / 2)]
        else:
            points += [(axis, height), (axes[target] - left, height)]
        return points


def widest(reaches: list[tuple[float, float]]) -> tuple[float, float]:
    """A reach that contains all."""
    return max(left for left, _ in reaches), max(right for _, right in reaches)


def lay_out(unit: Unit, *, in_a_frame: bool = True) -> UnitLayout:
    """The places of a unit's boxes: rows by the longest way to them, columns by branches."""
    entry = _entry(unit, in_a_frame)
    heights = _rows(unit, entry)
    bottom = max(heights.values()) + ROW / 2
    main, *others = _branches(unit)
    tangled = not all(branch.is_a_chain(unit) and branch.is_beside(main) for branch in others)
    spans = [(0.0, bottom), *(branch.span(heights) for branch in others)]  # the main one takes all
    columns: dict[int, int] = {}
    channels: dict[Edge, int] = {}
    for branch, column in zip((main, *others), _columns(spans), strict=True):
        columns |= dict.fromkeys(branch.boxes, column)
        channels |= dict.fromkeys(branch.edges, column)
    if not tangled:
        for branch, span in zip(others, spans[1:], strict=True):
            heights |= branch.spread_over(span)
    boxes = range(len(unit.boxes))
    return UnitLayout(
        unit=unit,
        height=bottom + (GAP if in_a_frame else GAP / 2),
        entry=entry,
        columns=tuple(columns[box] for box in boxes),
        heights=tuple(heights[box] for box in boxes),
        channels=channels,
        tangled=tangled,
    )


def _entry(unit: Unit, in_a_frame: bool) -> float:
    """The height at which the edges from a unit's entry begin."""
    if in_a_frame:
        return (TITLE if unit.title or unit.repeats > 1 else 0) + GAP
    return 0 if unit.forks else GAP


def _rows(unit: Unit, entry: float) -> dict[int, float]:
    """The heights of the entry and of the boxes, in rows below it."""
    first = entry + (GAP if unit.forks else 0) + ROW / 2
    rows = {box: first + rank * (ROW + GAP) for box, rank in enumerate(_ranks(unit))}
    return {ENTRY: entry, **rows}


def _ranks(unit: Unit) -> list[int]:
    """The number of boxes on the longest way from the entry to each box."""
    ranks = [0] * len(unit.boxes)
    for edge in sorted(unit.edges, key=lambda edge: edge.target):
        if edge.source != ENTRY:
            ranks[edge.target] = max(ranks[edge.target], ranks[edge.source] + 1)
    return ranks


@dataclass(frozen=True)
class Branch:
    """Boxes in a row, and the edges that lead to, between and from them; perhaps no box."""

    boxes: list[int]
    edges: list[Edge]

    def span(self, heights: dict[int, float]) -> tuple[float, float]:
        """From what it leaves, or begins with, to what it joins, or ends with."""
        ends = [*self.boxes, *(end for edge in self.edges for end in (edge.source, edge.target))]
        return min(heights[end] for end in ends), max(heights[end] for end in ends)

    def spread_over(self, span: tuple[float, float]) -> dict[int, float]:
        """The heights of its boxes, at equal distances in a span."""
        top, low = span
        step = (low - top) / (len(self.boxes) + 1)
        return {box: top + n * step for n, box in enumerate(self.boxes, start=1)}

    def is_a_chain(self, unit: Unit) -> bool:
        """Whether it leaves one box and joins another with nothing else on its boxes."""
        touching = [e for e in unit.edges if {e.source, e.target} & set(self.boxes)]
        return len(self.edges) == len(self.boxes) + 1 and set(touching) <= set(self.edges)

    def is_beside(self, main: "Branch") -> bool:
        """Whether it leaves the main branch and joins it again."""
        ends = {self.edges[0].source, self.edges[-1].target} if self.edges else set()
        return bool(ends) and ends <= {ENTRY, *main.boxes}


def _branches(unit: Unit) -> Iterator[Branch]:
    """The main way to the last box, then whatever leaves it; every edge is on one branch."""
    main = _main_branch(unit)
    yield main
    placed = {ENTRY, *main.boxes}
    left = [edge for edge in unit.edges if edge not in main.edges]

    def follow(branch: Branch, box: int) -> Branch:
        while box not in placed:
            placed.add(box)
            branch.boxes.append(box)
            onward = next((edge for edge in left if edge.source == box), None)
            if onward is None:
                break
            left.remove(onward)
            branch.edges.append(onward)
            box = onward.target
        return branch

    for start in range(ENTRY, len(unit.boxes)):
        if start not in placed:  # nothing leads to it
            yield follow(Branch([], []), start)
        for edge in [edge for edge in left if edge.source == start]:
            left.remove(edge)
            yield follow(Branch([], [edge]), edge.target)


def _main_branch(unit: Unit) -> Branch:
    ranks = {ENTRY: -1, **dict(enumerate(_ranks(unit)))}
    box = len(unit.boxes) - 1
    main = Branch([box], [])
    while leading := [edge for edge in unit.edges if edge.target == box]:
        edge = max(leading, key=lambda edge: (not edge.role, ranks[edge.source]))
        main.edges.insert(0, edge)
        box = edge.source
        if box != ENTRY:
            main.boxes.insert(0, box)
    return main


def _columns(spans: Iterable[tuple[float, float]]) -> list[int]:
    """For each span the first column in which none before it stands at its heights."""
    columns: list[int] = []
    placed: list[tuple[int, float, float]] = []
    for top, low in spans:
        taken = {column for column, above, below in placed if above < low and top < below}
        columns.append(next(column for column in count() if column not in taken))
        placed.append((columns[-1], top, low))
    return columns
