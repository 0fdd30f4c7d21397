"""The lines of a page: inside each panel, and from one panel to the next."""

from dataclasses import dataclass

from ..sketch.sketch import ENTRY, Box, Edge, Panel
from .grid import Slot
from .measures import CARD, LANE_GAP, PANEL_GAP, ROLE_SIZE, ROW, ROW_GAP, Point, extent
from .page import Frame, Line, NodeName, Page, PlacedBox, Span, Text
from .panel_layout import PanelLayout

BELOW = 9  # from the end of a panel to the line that leads to one beside it


@dataclass(frozen=True)
class PlacedPanel:
    """A panel on a page, in a lane; `first` is the number of its first box."""

    layout: PanelLayout
    slot: Slot
    y: float
    lane: Frame
    first: int

    @property
    def panel(self) -> Panel:
        """The panel of the sketch."""
        return self.layout.panel

    @property
    def frame(self) -> Frame:
        """The rectangle around it."""
        return Frame("panel", self.slot.x, self.y, self.slot.width, self.layout.height)

    @property
    def entry(self) -> Point:
        """The point at which the line from the panel before it ends."""
        return self.slot.axes[0], self.y + self.layout.entry

    @property
    def way_in(self) -> tuple[Point, ...]:
        """The end of the line from the panel before: into its box, or to the fork at the entry."""
        if self.panel.forks:
            return (self.entry,)
        [edge] = (edge for edge in self.panel.edges if edge.source == ENTRY)
        start, *way = dict.fromkeys(self.route(edge))
        aside = self.layout.in_a_frame and way and way[0][1] == start[1]
        # There is room above frames to come down beside the main column.
        return tuple(way) if aside else (start, *way)

    @property
    def exit(self) -> Point:
        """The point at which the line to the next panel begins."""
        return self.slot.axes[0], self.y + (self.layout.heights[-1] + ROW / 2)

    @property
    def fork(self) -> NodeName:
        """The name of its entry, if several lines begin there."""
        return NodeName("x", self.first)

    def name(self, box: int) -> NodeName:
        """The name of a box on the page; the entry is the last box of the panel before."""
        return NodeName("b", self.first + box)

    def boxes(self) -> list[PlacedBox]:
        """Its boxes in their places."""
        return [self._placed(number, box) for number, box in enumerate(self.panel.boxes)]

    def _placed(self, number: int, box: Box) -> PlacedBox:
        x = self.slot.axes[self.layout.columns[number]] - extent(box).left
        return PlacedBox(self.name(number), x, self.y + self.layout.heights[number], box)

    def route(self, edge: Edge) -> tuple[Point, ...]:
        """The corners of an edge's line."""
        points = self.layout.route(edge, self.slot.axes)
        return tuple((x, self.y + height) for x, height in points)


def connect(page: Page, before: PlacedPanel, placed: PlacedPanel) -> None:
    """Add the line from one panel to the next, if there is one."""
    if not placed.panel.follows:
        return
    target = placed.name(next(e.target for e in placed.panel.edges if e.source == ENTRY))
    if placed.panel.forks:
        target = placed.fork
        page.forks[target] = placed.entry
    route = route_between(before, placed)
    page.lines.append(Line(placed.name(ENTRY), target, route, arrow=not placed.panel.forks))


def route_between(before: PlacedPanel, placed: PlacedPanel) -> tuple[Point, ...]:
    """The corners of the line from one panel to the next, around the frames."""
    start, way_in = before.exit, placed.way_in
    end = way_in[0]
    old, new, gap_beside, gap_below = before.lane, placed.lane, LANE_GAP, LANE_GAP
    if old == new:
        old, new, gap_beside, gap_below = before.frame, placed.frame, PANEL_GAP, ROW_GAP
    if new.y >= old.bottom:
        middle = max(new.y - gap_below / 2, start[1])  # panels in one column have no gap
        return start, (start[0], middle), (end[0], middle), *way_in
    low, high, side = before.frame.bottom + BELOW, placed.y - 6, new.x - gap_beside / 2 + CARD
    return start, (start[0], low), (side, low), (side, high), (end[0], high), *way_in


def add_edges(page: Page, placed: PlacedPanel) -> None:
    """Add the lines inside a panel, with the roles of its shortcuts."""
    for edge in placed.panel.edges:
        from_entry = edge.source == ENTRY
        if from_entry and not placed.panel.forks:
            continue  # the line from the panel before
        route = placed.route(edge)
        source = placed.fork if from_entry else placed.name(edge.source)
        page.lines.append(Line(source, placed.name(edge.target), route, edge.role))
        track = placed.layout.tracks[edge]
        if placed.layout.column(edge.source) == track:
            continue
        if not from_entry:
            page.forks[NodeName("y", placed.first + edge.source)] = route[0]
        if edge.role:
            page.texts.append(_role_label(edge.role, placed.slot.axes[track], route))


def _role_label(role: str, axis: float, route: tuple[Point, ...]) -> Text:
    """The role of a shortcut, to the right of the corner at which its line turns down."""
    corner = next(height for x, height in route if x == axis)
    return Text(axis + 4, corner - 12, ((Span(role, ROLE_SIZE, role=role),),))
