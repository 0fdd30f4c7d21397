"""The positions of a panel's boxes: a main column, with shortcuts and branches to its left.

Lengths are in points. Heights grow downwards from the top of the panel; columns are counted from
the main one, 0, to the left.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import count

from ..sketch.sketch import ENTRY, Edge, Panel
from .branches import branches, ranks
from .measures import GAP, ROLE_SIZE, ROW, TITLE, Extent, Point, extent, text_width, widest


@dataclass(frozen=True)
class PanelLayout:
    """The positions of a panel's boxes and edges.

    `entry` is the height at which its edges begin; `columns` and `heights` are those of the boxes;
    `tracks` are the columns of the edges' vertical lines; `extents` are those of the columns around
    their axes. In a `tangled` panel, branches have
    branches of their own.
    """

    panel: Panel
    height: float
    entry: float
    columns: tuple[int, ...]
    heights: tuple[float, ...]
    tracks: dict[Edge, int]
    extents: list[Extent]
    tangled: bool

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
        return axes[column], bottom + (GAP / 2 if column != self.tracks[edge] else 0)

    def _end(self, edge: Edge, axes: list[float]) -> list[Point]:
        axis, middle = axes[self.tracks[edge]], self.heights[edge.target]
        top, column = middle - ROW / 2, self.columns[edge.target]
        if column == self.tracks[edge]:
            return [(axis, top)]
        left, _ = extent(self.panel.boxes[edge.target])
        if self.tangled:
            # Between the rows, where there are no boxes; then from above.
            side, above = axes[column] - left / 2, top - GAP / 2
            return [(axis, above), (side, above), (side, top)]
        return [(axis, middle), (axes[column] - left, middle)]


def lay_out(panel: Panel, *, in_a_frame: bool = True) -> PanelLayout:
    """Place a panel's boxes: in rows by the longest path to them, in columns by branches."""
    entry = _entry(panel, in_a_frame)
    heights = _row_heights(panel, entry)
    bottom = max(heights.values()) + ROW / 2
    main, *others = branches(panel)
    tangled = not all(branch.is_a_chain(panel) and branch.is_beside(main) for branch in others)
    intervals = [
        (0.0, bottom),
        *(branch.interval(heights) for branch in others),
    ]  # the main branch takes all heights
    columns: dict[int, int] = {}
    tracks: dict[Edge, int] = {}
    for branch, column in zip((main, *others), _columns(intervals), strict=True):
        columns |= dict.fromkeys(branch.boxes, column)
        tracks |= dict.fromkeys(branch.edges, column)
    if not tangled:
        for branch, interval in zip(others, intervals[1:], strict=True):
            heights |= branch.spread_over(interval)
    boxes = range(len(panel.boxes))
    return PanelLayout(
        panel=panel,
        height=bottom + (GAP if in_a_frame else GAP / 2),
        entry=entry,
        columns=tuple(columns[box] for box in boxes),
        heights=tuple(heights[box] for box in boxes),
        tracks=tracks,
        extents=_extents(panel, columns, tracks),
        tangled=tangled,
    )


def _entry(panel: Panel, in_a_frame: bool) -> float:
    """The height at which the edges from a panel's entry begin."""
    if in_a_frame:
        return (TITLE if panel.title or panel.repeats > 1 else 0) + GAP
    return 0 if panel.forks else GAP


def _row_heights(panel: Panel, entry: float) -> dict[int, float]:
    """The heights of the entry and of the boxes, in rows below it."""
    first = entry + (GAP if panel.forks else 0) + ROW / 2
    rows = {box: first + rank * (ROW + GAP) for box, rank in enumerate(ranks(panel))}
    return {ENTRY: entry, **rows}


def _extents(panel: Panel, columns: dict[int, int], tracks: dict[Edge, int]) -> list[Extent]:
    extents = [Extent(0, 0)] * (1 + max([*columns.values(), *tracks.values()]))
    for number, box in enumerate(panel.boxes):
        column = columns[number]
        extents[column] = widest([extents[column], extent(box)])
    for edge, track in tracks.items():
        if edge.role and edge.source != ENTRY and track:
            extents[track] = widest([extents[track], Extent(0, text_width(edge.role, ROLE_SIZE))])
    return extents


def _columns(intervals: Iterable[tuple[float, float]]) -> list[int]:
    """For each interval of heights, the first column that no overlapping one before it uses."""
    columns: list[int] = []
    placed: list[tuple[int, float, float]] = []
    for top, low in intervals:
        taken = {column for column, above, below in placed if above < low and top < below}
        columns.append(next(column for column in count() if column not in taken))
        placed.append((columns[-1], top, low))
    return columns
