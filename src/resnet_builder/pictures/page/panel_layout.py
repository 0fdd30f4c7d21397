"""The positions of a panel's boxes: a main column, with shortcuts and branches to its left.

Lengths are in points. Heights grow downwards from the top of the panel; columns are counted from
the main one, 0, to the left.
"""

from dataclasses import dataclass
from itertools import count
from math import inf

from ..sketch.sketch import ENTRY, Edge, Panel
from .branches import Branch, branches, ranks
from .measures import ARROW, GAP, ROLE_SIZE, ROW, TITLE, Extent, Point, extent, text_width, widest

BELOW, ABOVE = "below", "above"  # on which side of a box a line turns
BETWEEN_LINES = 4  # that turn between two rows


@dataclass(frozen=True)
class PanelLayout:
    """The positions of a panel's boxes and edges.

    `entry` is the height at which its edges begin; `columns` and `heights` are those of the boxes;
    `tracks` are the columns of the edges' vertical lines; `extents` are those of the columns around
    their axes. In a `tangled` panel, where branches have branches of their own or skips end beside
    branches, lines from the side come to a box from above. Lines turn at the heights `below` and
    `above` boxes, which in a tangled panel are those of one box each.
    """

    panel: Panel
    height: float
    entry: float
    columns: tuple[int, ...]
    heights: tuple[float, ...]
    tracks: dict[Edge, int]
    extents: list[Extent]
    tangled: bool
    below: tuple[float, ...]
    above: tuple[float, ...]
    in_a_frame: bool

    def column(self, box: int) -> int:
        """The column of a box, or of the entry."""
        return 0 if box == ENTRY else self.columns[box]

    def route(self, edge: Edge, axes: list[float]) -> list[Point]:
        """The corners of an edge's line, for columns with those axes."""
        start = self._start(edge, axes)
        return [start, (axes[self.tracks[edge]], start[1]), *self._end(edge, axes)]

    def _start(self, edge: Edge, axes: list[float]) -> Point:
        if edge.source == ENTRY:
            return axes[0], self.entry
        column, bottom = self.columns[edge.source], self.heights[edge.source] + ROW / 2
        # A branch begins below its box, on the line to the next box.
        return axes[column], bottom if column == self.tracks[edge] else self.below[edge.source]

    def _end(self, edge: Edge, axes: list[float]) -> list[Point]:
        axis, middle = axes[self.tracks[edge]], self.heights[edge.target]
        top, column = middle - ROW / 2, self.columns[edge.target]
        if column == self.tracks[edge]:
            return [(axis, top)]
        left, _ = extent(self.panel.boxes[edge.target])
        if self.tangled:
            # Between the rows, where there are no boxes; then from above.
            side, above = axes[column] - left / 2, self.above[edge.target]
            return [(axis, above), (side, above), (side, top)]
        return [(axis, middle), (axes[column] - left, middle)]


def lay_out(panel: Panel, *, in_a_frame: bool = True) -> PanelLayout:
    """Place a panel's boxes: in rows by the longest path to them, in columns by branches."""
    main, *others = branches(panel)
    rows = ranks(panel)
    columns, tracks = _columns(panel, main, others, {ENTRY: -1, **dict(enumerate(rows))})
    skips_aside = (others and panel.inlets) or any(columns[port.box] for port in panel.outlets)
    tangled = bool(skips_aside) or not all(
        branch.is_a_chain(panel) and branch.is_beside(main) for branch in others
    )
    turning = _turning(panel, rows, columns, tracks) if tangled else [[]] * (max(rows) + 2)
    from_entry = [edge for edge in panel.edges if edge.source == ENTRY]
    turns = from_entry != main.edges[: len(from_entry)]
    entry = _entry(panel, in_a_frame, turns)
    bottoms = _bottoms(turning, entry, GAP if turns else 0)
    heights = {ENTRY: entry, **{box: bottoms[row + 1] - ROW / 2 for box, row in enumerate(rows)}}
    if not tangled:
        for branch in others:
            heights |= branch.spread_over(branch.interval(heights))
    boxes = range(len(panel.boxes))
    turns_at = {(BELOW, box): heights[box] + (ROW + GAP) / 2 for box in boxes}
    turns_at |= {(ABOVE, box): heights[box] - (ROW + GAP) / 2 for box in boxes}
    for bottom, lines in zip(bottoms, turning, strict=True):
        first = bottom + (max(GAP, _room(lines)) - BETWEEN_LINES * (len(lines) - 1)) / 2
        turns_at |= {line: first + BETWEEN_LINES * n for n, line in enumerate(lines)}
    return PanelLayout(
        panel=panel,
        height=bottoms[-1] + max(GAP if in_a_frame else GAP / 2, _room(turning[-1])),
        entry=entry,
        columns=tuple(columns[box] for box in boxes),
        heights=tuple(heights[box] for box in boxes),
        tracks=tracks,
        extents=_extents(panel, columns, tracks),
        tangled=tangled,
        below=tuple(turns_at[BELOW, box] for box in boxes),
        above=tuple(turns_at[ABOVE, box] for box in boxes),
        in_a_frame=in_a_frame,
    )


def _entry(panel: Panel, in_a_frame: bool, turns: bool) -> float:
    """The height at which the edges from a panel's entry begin; `turns` if one turns aside."""
    if in_a_frame:
        return (TITLE if panel.title or panel.repeats > 1 else 0) + GAP
    return 0 if turns else GAP


def _turning(
    panel: Panel, rows: list[int], columns: dict[int, int], tracks: dict[Edge, int]
) -> list[list[tuple[str, int]]]:
    """The lines that turn above each row and below the last one: below and above which boxes."""
    starts = [e.source for e in tracks if e.source != ENTRY and tracks[e] != columns[e.source]]
    ends = [edge.target for edge, track in tracks.items() if track != columns[edge.target]]
    starts += [port.box for port in panel.outlets]
    ends += [port.box for port in panel.inlets]
    turning: list[list[tuple[str, int]]] = [[] for _ in range(max(rows) + 2)]
    for box in dict.fromkeys(starts):
        turning[rows[box] + 1].append((BELOW, box))
    for box in dict.fromkeys(ends):
        turning[rows[box]].append((ABOVE, box))
    return turning


def _bottoms(turning: list[list[tuple[str, int]]], entry: float, first_gap: float) -> list[float]:
    """The entry and the bottom of each row, with room between the rows for lines that turn."""
    bottoms = [entry]
    for lines in turning[:-1]:
        gap = GAP if len(bottoms) > 1 else first_gap
        bottoms.append(bottoms[-1] + max(gap, _room(lines)) + ROW)
    return bottoms


def _room(lines: list[tuple[str, int]]) -> float:
    """The height of the room in which lines turn, with an arrow."""
    return BETWEEN_LINES * len(lines) + ARROW if lines else 0


def _extents(panel: Panel, columns: dict[int, int], tracks: dict[Edge, int]) -> list[Extent]:
    extents = [Extent(0, 0)] * (1 + max([*columns.values(), *tracks.values()]))
    for number, box in enumerate(panel.boxes):
        column = columns[number]
        extents[column] = widest([extents[column], extent(box)])
    for edge, track in tracks.items():
        if edge.role and edge.source != ENTRY and track:
            extents[track] = widest([extents[track], Extent(0, text_width(edge.role, ROLE_SIZE))])
    return extents


def _columns(
    panel: Panel, main: Branch, others: list[Branch], rank: dict[int, int]
) -> tuple[dict[int, int], dict[Edge, int]]:
    """The columns of boxes and of edges: the first that no overlapping branch before uses."""
    columns: dict[int, int] = dict.fromkeys(main.boxes, 0)
    tracks: dict[Edge, int] = dict.fromkeys(main.edges, 0)
    placed: list[tuple[int, float, float]] = [(0, -inf, inf)]  # the main branch takes all heights
    for branch in others:
        top, low = branch.rows(panel, rank)
        taken = {column for column, above, below in placed if above < low and top < below}
        column = next(column for column in count() if column not in taken)
        placed.append((column, top, low))
        columns |= dict.fromkeys(branch.boxes, column)
        tracks |= dict.fromkeys(branch.edges, column)
    return columns, tracks
