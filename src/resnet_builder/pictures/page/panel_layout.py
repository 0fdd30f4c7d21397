"""The positions of a panel's boxes: a main column, with shortcuts and branches to its left.

Boxes are in rows by the longest path to them, and in columns by branch. Columns are counted from
the main one, 0, to the left; heights grow downwards from the top of the panel.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import count
from math import inf

from ..sketch.sketch import ENTRY, Edge, Panel
from . import sizes
from .page import Point
from .sizes import Extent, extent, text_width, widest

BELOW, ABOVE = "below", "above"  # on which side of a box a line turns


@dataclass(frozen=True)
class PanelLayout:
    """The positions of a panel's boxes and edges.

    `columns` and `heights` are those of the boxes and of the entry; `tracks` are the columns of the
    edges' vertical lines; `extents` are those of the columns around their axes. In a `tangled`
    panel, where branches have branches of their own or skips end beside branches, lines from the
    side come to a box from above. Lines turn at the heights `turns` below and above boxes, which in
    a tangled panel are those of one box each.
    """

    panel: Panel
    height: float
    columns: dict[int, int]
    heights: dict[int, float]
    tracks: dict[Edge, int]
    extents: list[Extent]
    tangled: bool
    turns: dict[tuple[str, int], float]
    in_a_frame: bool

    def route(self, edge: Edge, axes: Sequence[float]) -> list[Point]:
        """The corners of an edge's line, for columns with those axes."""
        source, target, track = edge.source, edge.target, self.tracks[edge]
        start, middle = self.heights[source], self.heights[target]
        if source != ENTRY:
            # A branch begins below its box, on the line to the next box.
            aside = self.columns[source] != track
            start = self.turns[BELOW, source] if aside else start + sizes.ROW / 2
        way = [(axes[self.columns[source]], start), (axes[track], start)]
        axis, top = axes[self.columns[target]], middle - sizes.ROW / 2
        if self.columns[target] == track:
            return [*way, (axis, top)]
        left, _ = extent(self.panel.boxes[target])
        if not self.tangled:
            return [*way, (axes[track], middle), (axis - left, middle)]
        # Between the rows, where there are no boxes; then from above.
        side, above = axis - left / 2, self.turns[ABOVE, target]
        return [*way, (axes[track], above), (side, above), (side, top)]


def lay_out(panel: Panel, *, in_a_frame: bool = True) -> PanelLayout:
    """Place a panel's boxes in rows and columns."""
    rows = _rows(panel)
    main, *others = _branches(panel, rows)
    columns, tracks = _columns(panel, main, others, rows)
    skips_aside = (others and panel.inlets) or any(columns[port.box] for port in panel.outlets)
    tangled = bool(skips_aside) or not all(branch.rejoins(main, panel) for branch in others)
    turning = _turning(panel, rows, columns, tracks) if tangled else [[]] * (max(rows.values()) + 2)
    from_entry = [edge for edge in panel.edges if edge.source == ENTRY]
    turns_aside = from_entry != main.edges[: len(from_entry)]
    entry = 0 if turns_aside else sizes.GAP
    if in_a_frame:
        entry = (sizes.TITLE if panel.title or panel.repeats > 1 else 0) + sizes.GAP
    bottoms: list[float] = [entry]  # of the rows
    for lines in turning[:-1]:
        gap = sizes.GAP if len(bottoms) > 1 or turns_aside else 0
        bottoms.append(bottoms[-1] + max(gap, _room(lines)) + sizes.ROW)
    heights = {box: bottoms[row + 1] - sizes.ROW / 2 for box, row in rows.items()} | {ENTRY: entry}
    if not tangled:
        for branch in others:
            heights |= branch.spread(heights)
    turns = {(BELOW, box): height + (sizes.ROW + sizes.GAP) / 2 for box, height in heights.items()}
    turns |= {(ABOVE, box): height - (sizes.ROW + sizes.GAP) / 2 for box, height in heights.items()}
    for bottom, lines in zip(bottoms, turning, strict=True):
        first = bottom + (max(sizes.GAP, _room(lines)) - sizes.BETWEEN_LINES * (len(lines) - 1)) / 2
        turns |= {line: first + sizes.BETWEEN_LINES * n for n, line in enumerate(lines)}
    return PanelLayout(
        panel=panel,
        height=bottoms[-1] + max(sizes.GAP if in_a_frame else sizes.GAP / 2, _room(turning[-1])),
        columns=columns,
        heights=heights,
        tracks=tracks,
        extents=_extents(panel, columns, tracks),
        tangled=tangled,
        turns=turns,
        in_a_frame=in_a_frame,
    )


def _rows(panel: Panel) -> dict[int, int]:
    """The number of boxes on the longest path from the entry to each box; -1 for the entry."""
    rows = {ENTRY: -1, **dict.fromkeys(range(len(panel.boxes)), 0)}
    for edge in sorted(panel.edges, key=lambda edge: edge.target):
        rows[edge.target] = max(rows[edge.target], rows[edge.source] + 1)
    return rows


# Branches ---------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Branch:
    """Consecutive boxes, with the edges to, between and from them; there may be no box."""

    boxes: list[int]
    edges: list[Edge]

    def interval(self, panel: Panel, rows: dict[int, int]) -> tuple[float, float]:
        """The rows that it takes, with the room between them in which its lines turn."""
        ends = [rows[box] + side for box in self.boxes for side in (-0.3, 0.3)]
        ends += [rows[port.box] + 0.6 for port in panel.outlets if port.box in self.boxes]
        ends += [rows[port.box] - 0.6 for port in panel.inlets if port.box in self.boxes]
        ends += [rows[edge.source] + 0.5 for edge in self.edges]
        ends += [rows[edge.target] for edge in self.edges]
        return min(ends), max(ends)

    def rejoins(self, main: "Branch", panel: Panel) -> bool:
        """Whether it is a path from the main branch to it, without other edges at its boxes."""
        touching = {edge for edge in panel.edges if {edge.source, edge.target} & {*self.boxes}}
        chain = len(self.edges) == len(self.boxes) + 1 and touching <= {*self.edges}
        return chain and {self.edges[0].source, self.edges[-1].target} <= {ENTRY, *main.boxes}

    def spread(self, heights: dict[int, float]) -> dict[int, float]:
        """Heights for its boxes, at equal distances between its two ends."""
        top, low = heights[self.edges[0].source], heights[self.edges[-1].target]
        step = (low - top) / len(self.edges)
        return {box: top + n * step for n, box in enumerate(self.boxes, start=1)}


def _branches(panel: Panel, rows: dict[int, int]) -> Iterator[Branch]:
    """Yield the main branch, then the others; every edge is on one branch."""
    main = _main_branch(panel, rows)
    yield main
    placed = {ENTRY, *main.boxes}
    left = [edge for edge in panel.edges if edge not in main.edges]

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

    for start in range(ENTRY, len(panel.boxes)):
        if start not in placed:  # nothing leads to it
            yield follow(Branch([], []), start)
        for edge in [edge for edge in left if edge.source == start]:
            left.remove(edge)
            yield follow(Branch([], [edge]), edge.target)


def _main_branch(panel: Panel, rows: dict[int, int]) -> Branch:
    """The path to the last box without shortcuts, of the longest ones, from the oldest skip."""

    def preference(edge: Edge) -> tuple[bool, int, float]:
        skips = (port.skip for port in panel.inlets if port.box == edge.source)
        return not edge.role, rows[edge.source], -min(skips, default=-inf)

    box = len(panel.boxes) - 1
    main = Branch([box], [])
    while leading := [edge for edge in panel.edges if edge.target == box]:
        edge = max(leading, key=preference)
        main.edges.insert(0, edge)
        box = edge.source
        if box != ENTRY:
            main.boxes.insert(0, box)
    return main


# Rows and columns -------------------------------------------------------------------------------


def _columns(
    panel: Panel, main: Branch, others: Sequence[Branch], rows: dict[int, int]
) -> tuple[dict[int, int], dict[Edge, int]]:
    """The columns of boxes and of edges: the first that no overlapping branch before uses."""
    columns = dict.fromkeys((ENTRY, *main.boxes), 0)
    tracks = dict.fromkeys(main.edges, 0)
    placed: list[tuple[int, float, float]] = [(0, -inf, inf)]  # the main branch takes all rows
    for branch in others:
        top, low = branch.interval(panel, rows)
        taken = {column for column, above, below in placed if above < low and top < below}
        column = next(column for column in count() if column not in taken)
        placed.append((column, top, low))
        columns |= dict.fromkeys(branch.boxes, column)
        tracks |= dict.fromkeys(branch.edges, column)
    return columns, tracks


def _turning(
    panel: Panel, rows: dict[int, int], columns: dict[int, int], tracks: dict[Edge, int]
) -> list[list[tuple[str, int]]]:
    """The lines that turn above each row and below the last one: below and above which boxes."""
    starts = [e.source for e in tracks if e.source != ENTRY and tracks[e] != columns[e.source]]
    ends = [edge.target for edge, track in tracks.items() if track != columns[edge.target]]
    turning: list[list[tuple[str, int]]] = [[] for _ in range(max(rows.values()) + 2)]
    for box in dict.fromkeys([*starts, *(port.box for port in panel.outlets)]):
        turning[rows[box] + 1].append((BELOW, box))
    for box in dict.fromkeys([*ends, *(port.box for port in panel.inlets)]):
        turning[rows[box]].append((ABOVE, box))
    return turning


def _room(lines: list[tuple[str, int]]) -> float:
    """The height of the room in which lines turn, with an arrow."""
    return sizes.BETWEEN_LINES * len(lines) + sizes.ARROW if lines else 0


def _extents(panel: Panel, columns: dict[int, int], tracks: dict[Edge, int]) -> list[Extent]:
    extents = [Extent(0, 0)] * (1 + max([*columns.values(), *tracks.values()]))
    for number, box in enumerate(panel.boxes):
        column = columns[number]
        extents[column] = widest([extents[column], extent(box)])
    for edge, track in tracks.items():
        # Its words are beside the box that it leaves, or below the panel before.
        beside_a_box = edge.source != ENTRY or edge.target == 0
        if edge.role and beside_a_box and track:
            extents[track] = widest(
                [extents[track], Extent(0, text_width(edge.role, sizes.ROLE_SIZE))]
            )
    return extents
