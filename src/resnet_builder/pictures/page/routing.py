"""The corners of all lines: inside a panel, from one panel to the next, and of skips.

Skips lead out of a lane, along the side of the page, and into a later lane. Top to bottom they go
along the right side of the lanes, left to right below them. The shorter ones are nearer, so that
lines do not cross where one is within the other, as in a U-Net.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise, zip_longest

from .. import style
from ..sketch.sketch import ENTRY, Edge, Panel, Port, skips
from .page import Extent, Frame, Line, Page, Point, TextPart, extent, first_free
from .panel_layout import ABOVE, BELOW, PanelLayout

BELOW_PANEL = 9  # from the end of a panel to the line that leads to one beside it


@dataclass(frozen=True)
class PanelColumn:
    """A column of panels, with the extents of the columns of boxes that they share.

    `axis` is the distance from its left edge to the middle of the main column, the rightmost.
    """

    x: float
    width: float
    axis: float
    extents: tuple[Extent, ...]

    @property
    def right(self) -> float:
        """The right edge."""
        return self.x + self.width


@dataclass(frozen=True)
class PlacedPanel:
    """A panel at a place on a page, in a lane; `first` is the number of its first box."""

    layout: PanelLayout
    column: PanelColumn
    x: float
    y: float
    lane: Frame
    first: int = 0

    @property
    def panel(self) -> Panel:
        """The panel of the sketch."""
        return self.layout.panel

    @property
    def frame(self) -> Frame:
        """The rectangle around it."""
        return Frame("panel", self.x, self.y, self.column.width, self.layout.height)

    @property
    def axes(self) -> list[float]:
        """The middle of each column of boxes."""
        axes = [self.x + self.column.axis]
        for (left, _), (_, right) in pairwise(self.column.extents):
            axes.append(axes[-1] - left - style.BETWEEN_COLUMNS - right)
        return axes

    @property
    def way_in(self) -> list[Point]:
        """The end of the line from the panel before: into its box, or to the fork at the entry."""
        if self.panel.forks:
            return [self.middle(ENTRY)]
        [edge] = (edge for edge in self.panel.edges if edge.source == ENTRY)
        start, *way = dict.fromkeys(self.route(edge))
        aside = self.layout.in_a_frame and way and way[0][1] == start[1]
        # There is room above frames to come down beside the main column.
        return way if aside else [start, *way]

    @property
    def exit(self) -> Point:
        """The point at which the line to the next panel begins."""
        axis, middle = self.middle(len(self.panel.boxes) - 1)
        return axis, middle + style.ROW / 2

    def middle(self, box: int) -> Point:
        """The point of a box, or of the entry, on the axis of its column, at half its height."""
        return self.axes[self.layout.columns[box]], self.y + self.layout.heights[box]

    def turn(self, side: str, box: int) -> float:
        """The height at which lines turn below or above a box."""
        return self.y + self.layout.turns[side, box]

    def route(self, edge: Edge) -> list[Point]:
        """The corners of an edge's line."""
        track = self.axes[self.layout.tracks[edge]]
        (first_axis, start), (axis, middle) = self.middle(edge.source), self.middle(edge.target)
        if edge.source != ENTRY:
            # A branch begins below its box, on the line to the next box.
            aside = first_axis != track
            start = self.turn(BELOW, edge.source) if aside else start + style.ROW / 2
        way = [(first_axis, start), (track, start)]
        if axis == track:
            return [*way, (axis, middle - style.ROW / 2)]
        left, _ = extent(self.panel.boxes[edge.target])
        if not self.layout.tangled:
            return [*way, (track, middle), (axis - left, middle)]
        # Between the rows, where there are no boxes; then from above.
        side, above = axis - left / 2, self.turn(ABOVE, edge.target)
        return [*way, (track, above), (side, above), (side, middle - style.ROW / 2)]

    def name(self, box: int, kind: str = "b") -> str:
        """The name of a box on the page; the entry is the last box of the panel before."""
        return f"{kind}{self.first + box}"


# Lines between panels and inside them -----------------------------------------------------------


def connect(page: Page, before: PlacedPanel, placed: PlacedPanel) -> None:
    """Add the line from one panel to the next."""
    target = next(edge.target for edge in placed.panel.edges if edge.source == ENTRY)
    forks = placed.panel.forks
    name = placed.name(0, "x") if forks else placed.name(target)
    route = route_between(before, placed)
    page.lines.append(Line(placed.name(ENTRY), name, route, arrow=not forks))


def route_between(before: PlacedPanel, placed: PlacedPanel) -> tuple[Point, ...]:
    """The corners of the line from one panel to the next, around the frames."""
    start, way_in = before.exit, placed.way_in
    end = way_in[0]
    old, new, gap_beside, gap_below = before.lane, placed.lane, style.LANE_GAP, style.LANE_GAP
    if old == new:
        old, new, gap_beside, gap_below = before.frame, placed.frame, style.PANEL_GAP, style.ROW_GAP
    if new.y >= old.bottom:
        middle = max(new.y - gap_below / 2, start[1])  # panels in one column have no gap
        return start, (start[0], middle), (end[0], middle), *way_in
    low, high = before.frame.bottom + BELOW_PANEL, placed.y - 6
    side = new.x - gap_beside / 2 + style.BEHIND
    return start, (start[0], low), (side, low), (side, high), (end[0], high), *way_in


def add_edges(page: Page, placed: PlacedPanel) -> None:
    """Add the lines inside a panel, with the roles of its shortcuts."""
    layout, forks = placed.layout, placed.panel.forks
    if forks:
        page.forks[placed.name(0, "x")] = placed.way_in[0]
    for edge in placed.panel.edges:
        from_entry = edge.source == ENTRY
        if from_entry and not forks:
            continue  # the line from the panel before
        route = tuple(placed.route(edge))
        source = placed.name(0, "x") if from_entry else placed.name(edge.source)
        page.lines.append(Line(source, placed.name(edge.target), route, edge.role))
        track = layout.tracks[edge]
        if layout.columns[edge.source] == track:
            continue
        if not from_entry:
            page.forks[placed.name(edge.source, "y")] = route[0]
        if edge.role:
            # To the right of the corner at which the line turns down.
            axis = placed.axes[track]
            corner = next(height for x, height in route if x == axis)
            page.write(axis + 4, corner - 12, TextPart(edge.role, style.ROLE_SIZE, role=edge.role))


# Skips ------------------------------------------------------------------------------------------


def skip_tracks(panels: Iterable[Panel]) -> dict[int, int]:
    """For each skip, by its number, the first track that no overlapping shorter one uses."""
    ends = {skip: (start, end) for skip, start, end in skips([panel] for panel in panels)}
    shortest = sorted(ends, key=lambda skip: (ends[skip][1] - ends[skip][0], -skip))
    # Skips that meet in a panel overlap.
    tracks = first_free((ends[skip][0], ends[skip][1] + 0.5) for skip in shortest)
    return dict(zip(shortest, tracks, strict=True))


@dataclass(frozen=True)
class PlacedPort:
    """An end of a skip in a placed panel, which may be the last of its row.

    A skip leaves a box, which may be the last of its lane, or a line that leads `on` from the box.
    Ends of one kind share the room beside a lane by their `order`; all share the room above it,
    this one below some others and above others, so that lines end above where others begin.
    """

    placed: PlacedPanel
    port: Port
    is_source: bool
    last_in_row: bool
    last_in_lane: bool
    on: bool
    order: int
    below: int
    above: int

    def name(self, kind: str = "b") -> str:
        """The name of the box on the page, or of a fork there."""
        return self.placed.name(self.port.box, kind)

    def route(self, side: float, direction: str) -> list[Point]:
        """The way out to the line along a side of the lanes, or the way in from there."""
        downwards = direction == "TB"
        if not self.is_source:
            into = self._into(from_the_right=downwards)
            return [*self._beside(side, into[0], downwards), *into]
        *start, turn = self._out
        if downwards and self.last_in_lane:
            turn = turn[0], self.placed.lane.bottom + style.LANE_GAP / 2
        return [*start, turn, *reversed(self._beside(side, turn, downwards))]

    @property
    def _out(self) -> list[Point]:
        """The way out of the box, to the height below it or its panel at which lines turn."""
        placed, box = self.placed, self.port.box
        axis, middle = placed.middle(box)
        below = placed.turn(BELOW, box)
        if box == len(placed.panel.boxes) - 1:
            below = placed.frame.bottom + (BELOW_PANEL if placed.layout.in_a_frame else 0)
        return [*([] if self.on else [(axis, middle + style.ROW / 2)]), (axis, below)]

    def _into(self, *, from_the_right: bool) -> list[Point]:
        """The way into the outer side of a box in the outer column, or from above into others."""
        placed, box = self.placed, self.port.box
        columns = placed.layout.columns
        axis, middle = placed.middle(box)
        if columns[box] == (0 if from_the_right else max(columns.values())):
            left, right = extent(placed.panel.boxes[box])
            return [(axis + right if from_the_right else axis - left, middle)]
        # Beside the line from the box above.
        above = placed.turn(ABOVE, box)
        return [(axis, above), (axis, middle - style.ROW / 2)]

    def _beside(self, side: float, turn: Point, downwards: bool) -> list[Point]:
        """The way from a side of the lanes to the height of a point, beside the boxes."""
        axis, height = turn
        lane, frame = self.placed.lane, self.placed.frame
        if not downwards:
            x = lane.x - style.LANE_GAP / 6 + style.BETWEEN_LINES * self.order
            if self.is_source:
                right = lane.right + style.LANE_GAP / 4 - style.BETWEEN_SKIPS * self.order
                x = axis if self.last_in_lane else right
            return [(x, side), (x, height)]
        if self.last_in_row:
            return [(side, height)]
        above = frame.y - 0.3 * style.ROW_GAP - style.BETWEEN_SKIPS * self.above
        if frame.y - lane.y < style.ROW_GAP:  # the first row
            above = lane.y - style.LANE_GAP / 2 + style.BETWEEN_SKIPS * (self.below + 1)
        panel, right = self.placed.panel, self.placed.column.extents[0].right
        further = sum(p.skip >= self.port.skip for p in (*panel.inlets, *panel.outlets)) - 1
        x = self.placed.axes[0] + right + 6 + style.BETWEEN_SKIPS * further
        return [(side, above), (x, above), (x, height)]


def placed_ports(panels: Sequence[PlacedPanel]) -> Iterator[PlacedPort]:
    """Yield the ends of skips in the order of the panels, which is the order on the page."""
    for placed, after in zip_longest(panels, panels[1:]):
        panel, last = placed.panel, len(placed.panel.boxes) - 1
        if not panel.inlets and not panel.outlets:
            continue
        in_lane = after is not None and after.lane == placed.lane
        in_row = in_lane and after is not None and after.y == placed.y
        leads_on = {edge.source for edge in panel.edges}
        if after and after.panel.follows:
            leads_on.add(last)
        of_lane = [other.panel for other in panels if other.lane == placed.lane]
        # The shortest skip, which begins last, is the first to turn down.
        inlets = sorted({port.skip for other in of_lane for port in other.inlets}, reverse=True)
        outlets = [port.skip for other in of_lane for port in other.outlets]
        for kind, ports in ((inlets, panel.inlets), (outlets, panel.outlets)):
            for port in ports:
                order = kind.index(port.skip)
                below = order + (len(inlets) if kind is outlets else 0)
                yield PlacedPort(
                    placed,
                    port,
                    is_source=kind is outlets,
                    last_in_row=not in_row,
                    last_in_lane=not in_lane and port.box == last,
                    on=port.box in leads_on,
                    order=order,
                    below=below,
                    above=len(inlets) + len(outlets) - 1 - below,
                )


def add_skips(page: Page, panels: Sequence[PlacedPanel], direction: str) -> None:
    """Add the skips between panels, which are in the order of the page, and make room for them."""
    downwards = direction == "TB"
    beyond = max(p.lane.right if downwards else p.lane.bottom for p in panels)
    tracks = skip_tracks(placed.panel for placed in panels)
    sources: dict[int, PlacedPort] = {}
    for end in placed_ports(panels):
        if end.is_source:
            sources[end.port.skip] = end
            continue
        source = sources[end.port.skip]
        side = beyond + style.TRACK_GAP * (1 + tracks[end.port.skip])
        route = (*source.route(side, direction), *end.route(side, direction))
        if source.on:
            page.forks[source.name("z")] = route[0]
        page.lines.append(Line(source.name(), end.name(), route, style.SKIP))
        if downwards:
            page.width = max(page.width, side + style.TRACK_GAP)
        else:
            page.height = max(page.height, side + style.TRACK_GAP)
