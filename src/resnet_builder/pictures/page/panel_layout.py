"""The positions of a panel's boxes: a main column, with shortcuts and branches to its left.

Boxes are in rows by the longest path to them, and in columns by branch. Columns are counted from
the main one, 0, to the left; heights grow downwards from the top of the panel.
"""

from collections import Counter
from collections.abc import Iterator
from itertools import permutations
from math import inf
from typing import NamedTuple

from ..sketch.sketch import ENTRY, Edge, Panel
from ..style import ARROW, BETWEEN_LINES, GAP, ROLE_SIZE, ROW, TITLE
from .page import Extent, extent, first_free, text_width, widest

BELOW, ABOVE = "below", "above"  # on which side of a box a line turns
Turn = tuple[str, int]  # the side of a box


class Branch(NamedTuple):
    """Consecutive boxes, with the edges to, between and from them; there may be no box."""

    boxes: list[int]
    edges: list[Edge]


class PanelLayout:
    """The positions of a panel's boxes and edges.

    Attributes:
        panel: the panel.
        in_a_frame: whether it has a frame, with room for a title.
        height: its height.
        rows: the number of boxes on the longest path to each box; -1 for the entry.
        columns: the columns of the boxes and of the entry.
        heights: the heights of the middles of the boxes, and of the entry.
        tracks: the columns of the edges' vertical lines.
        extents: the extents of the columns around their axes.
        tangled: whether branches have branches of their own, or skips end beside branches: lines
            from the side then come to a box from above.
        turns: the heights at which lines turn below and above boxes; in a tangled panel, those of
            one box each.
    """

    def __init__(self, panel: Panel, *, in_a_frame: bool) -> None:
        self.panel, self.in_a_frame = panel, in_a_frame
        self.rows = {ENTRY: -1, **dict.fromkeys(range(len(panel.boxes)), 0)}
        for edge in sorted(panel.edges, key=lambda edge: edge.target):
            self.rows[edge.target] = max(self.rows[edge.target], self.rows[edge.source] + 1)
        main, *others = self._branches()
        others.sort(key=self._length)  # a branch is outside those that begin and end within it
        self.columns, self.tracks = {ENTRY: 0}, dict[Edge, int]()
        self._set_columns(main, others)
        self.extents = list(self._extents())
        aside = (others and panel.inlets) or any(self.columns[port.box] for port in panel.outlets)
        ends = permutations(map(self._interval, others), 2)
        overlap = any(start < other < end < last for (start, end), (other, last) in ends)
        self.tangled = bool(aside) or overlap or not self._all_rejoin(others)
        from_entry = [edge for edge in panel.edges if edge.source == ENTRY]
        self._set_heights(others, turns_aside=from_entry != main.edges[: len(from_entry)])

    # Branches

    def _branches(self) -> Iterator[Branch]:
        """Yield the main branch, then the others; every edge is on one branch."""
        panel, main = self.panel, self._main_branch()
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

    def _main_branch(self) -> Branch:
        """The path to the last box without shortcuts: the longest, or the oldest skip's."""
        panel = self.panel

        def preference(edge: Edge) -> tuple[bool, int, float]:
            skips = (port.skip for port in panel.inlets if port.box == edge.source)
            return not edge.role, self.rows[edge.source], -min(skips, default=-inf)

        box = len(panel.boxes) - 1
        main = Branch([box], [])
        while leading := [edge for edge in panel.edges if edge.target == box]:
            edge = max(leading, key=preference)
            main.edges.insert(0, edge)
            box = edge.source
            if box != ENTRY:
                main.boxes.insert(0, box)
        return main

    def _all_rejoin(self, branches: list[Branch]) -> bool:
        """Whether branches are paths from the main one to it: one edge to and from each box."""
        edges = self.panel.edges
        ends = Counter(end for e in edges for end in ((BELOW, e.source), (ABOVE, e.target)))
        boxes = [box for branch in branches for box in branch.boxes]
        return all(ends[BELOW, box] == ends[ABOVE, box] == 1 for box in boxes)

    # Columns

    def _set_columns(self, main: Branch, others: list[Branch]) -> None:
        """Place branches in columns; the main one takes all rows."""
        columns = first_free([(-inf, inf), *map(self._interval, others)])
        for branch, column in zip([main, *others], columns, strict=True):
            self.columns |= dict.fromkeys(branch.boxes, column)
            self.tracks |= dict.fromkeys(branch.edges, column)

    def _interval(self, branch: Branch) -> tuple[float, float]:
        """The rows that a branch takes, with the room between them in which its lines turn."""
        rows, panel = self.rows, self.panel
        ends = [rows[box] + side for box in branch.boxes for side in (-0.3, 0.3)]
        ends += [rows[port.box] + 0.6 for port in panel.outlets if port.box in branch.boxes]
        ends += [rows[port.box] - 0.6 for port in panel.inlets if port.box in branch.boxes]
        ends += [rows[edge.source] + 0.5 for edge in branch.edges]
        ends += [rows[edge.target] for edge in branch.edges]
        return min(ends), max(ends)

    def _length(self, branch: Branch) -> float:
        start, end = self._interval(branch)
        return end - start

    def _extents(self) -> Iterator[Extent]:
        for column in range(1 + max([*self.columns.values(), *self.tracks.values()])):
            boxes = enumerate(self.panel.boxes)
            extents = [extent(box) for number, box in boxes if self.columns[number] == column]
            for edge, track in self.tracks.items():
                # The words are beside the box that the edge leaves. Those of an edge from the entry
                # into the first box, as in a closed panel, are beside the last box before.
                beside_a_box = edge.source != ENTRY or edge.target == 0
                if track == column > 0 and beside_a_box:
                    extents.append(Extent(0, text_width(edge.role, ROLE_SIZE)))
            yield widest([Extent(0, 0), *extents])

    # Heights

    def _set_heights(self, branches: list[Branch], *, turns_aside: bool) -> None:
        entry = 0 if turns_aside else GAP
        if self.in_a_frame:
            entry = (TITLE if self.panel.title or self.panel.repeats > 1 else 0) + GAP
        turning = self._turning()
        bottoms: list[float] = [entry]  # of the rows
        for lines in turning[:-1]:
            gap = GAP if len(bottoms) > 1 or turns_aside else 0
            bottoms.append(bottoms[-1] + max(gap, _room(lines)) + ROW)
        self.height = bottoms[-1] + max(GAP if self.in_a_frame else GAP / 2, _room(turning[-1]))
        self.heights = {box: bottoms[row + 1] - ROW / 2 for box, row in self.rows.items()}
        self.heights[ENTRY] = entry
        for branch in [] if self.tangled else branches:  # at equal distances between its ends
            top, low = (self.heights[branch.edges[0].source], self.heights[branch.edges[-1].target])
            step = (low - top) / len(branch.edges)
            self.heights |= {box: top + n * step for n, box in enumerate(branch.boxes, start=1)}
        self.turns = {
            (side, box): height + way * (ROW + GAP) / 2
            for side, way in ((BELOW, 1), (ABOVE, -1))
            for box, height in self.heights.items()
        }
        for bottom, lines in zip(bottoms, turning, strict=True):
            first = bottom + (max(GAP, _room(lines)) - BETWEEN_LINES * (len(lines) - 1)) / 2
            self.turns |= {line: first + BETWEEN_LINES * n for n, line in enumerate(lines)}

    def _turning(self) -> list[list[Turn]]:
        """The lines that turn above each row of a tangled panel, and below the last one."""
        turning: list[list[Turn]] = [[] for _ in range(max(self.rows.values()) + 2)]
        if not self.tangled:
            return turning
        columns, tracks, panel = self.columns, self.tracks, self.panel
        starts = [e.source for e in tracks if e.source != ENTRY and tracks[e] != columns[e.source]]
        ends = [edge.target for edge, track in tracks.items() if track != columns[edge.target]]
        for box in dict.fromkeys([*starts, *(port.box for port in panel.outlets)]):
            turning[self.rows[box] + 1].append((BELOW, box))
        for box in dict.fromkeys([*ends, *(port.box for port in panel.inlets)]):
            turning[self.rows[box]].append((ABOVE, box))
        return turning


def _room(lines: list[Turn]) -> float:
    """The height of the room in which lines turn, with an arrow."""
    return BETWEEN_LINES * len(lines) + ARROW if lines else 0
