"""The lines of skips: out of a lane, along the side of the page, and into a later lane.

Top to bottom they go along the right side of the lanes, left to right below them. The shorter ones
are nearer, so that lines do not cross where one is within the other, as in a U-Net.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

from ..sketch.sketch import Panel, Port
from ..style import SKIP
from .lines import BELOW, PlacedPanel
from .measures import BETWEEN_SKIPS, LANE_GAP, ROW, ROW_GAP, TRACK_GAP, Point, extent
from .page import Line, NodeName, Page
from .panel_layout import BETWEEN_LINES


def tracks(panels: Iterable[Panel]) -> dict[int, int]:
    """For each skip, by its number, the first track that no overlapping shorter one uses."""
    starts: dict[int, int] = {}  # skip -> number of the panel
    ends: dict[int, int] = {}
    for number, panel in enumerate(panels):
        ends |= {port.skip: number for port in panel.inlets}
        starts |= {port.skip: number for port in panel.outlets}
    chosen: dict[int, int] = {}
    for skip in sorted(starts, key=lambda skip: (ends[skip] - starts[skip], -skip)):
        beside = (o for o in chosen if starts[o] <= ends[skip] and starts[skip] <= ends[o])
        used = {chosen[other] for other in beside}
        chosen[skip] = next(n for n in range(len(used) + 1) if n not in used)
    return chosen


@dataclass(frozen=True)
class End:
    """An end of a skip in a placed panel, which may be the last of its row, and of its lane.

    `goes_on` is whether a line leads from the panel to the next one. Ends of one kind share the
    room beside a lane by their `order`; all share that above it, this one after `before` others.
    """

    placed: PlacedPanel
    port: Port
    last_in_row: bool
    last_in_lane: bool
    goes_on: bool
    order: int
    before: int

    @property
    def column(self) -> int:
        """The column of the box in its panel."""
        return self.placed.layout.columns[self.port.box]

    @property
    def axis(self) -> float:
        """The middle of the box from left to right."""
        return self.placed.slot.axes[self.column]

    @property
    def middle(self) -> float:
        """The middle of the box from top to bottom."""
        return self.placed.y + self.placed.layout.heights[self.port.box]

    @property
    def above(self) -> float:
        """The height above the box at which lines turn."""
        return self.placed.y + self.placed.layout.above[self.port.box]

    @property
    def below(self) -> float:
        """The height below the box, or below its panel's end, at which lines turn."""
        layout = self.placed.layout
        if not self.ends_panel:
            return self.placed.y + layout.below[self.port.box]
        if not layout.in_a_frame:
            return self.placed.frame.bottom
        return self.placed.frame.bottom + BELOW

    @property
    def name(self) -> NodeName:
        """The name of the box on the page."""
        return self.placed.name(self.port.box)

    @property
    def ends_panel(self) -> bool:
        """Whether the box is the last of its panel."""
        return self.port.box == len(self.placed.panel.boxes) - 1

    @property
    def on_a_line(self) -> bool:
        """Whether a line leads on from the box, which a skip then leaves."""
        if self.ends_panel:
            return self.goes_on
        return any(edge.source == self.port.box for edge in self.placed.panel.edges)

    def to_the_side(self, side: float) -> list[Point]:
        """The way out to a line along the right side of the lanes."""
        if self.ends_panel and self.last_in_lane:
            turn = self.placed.lane.bottom + LANE_GAP / 2
            return [*self._exit(), (self.axis, turn), (side, turn)]
        way = [*self._exit(), (self.axis, self.below)]
        if self.last_in_row:
            return [*way, (side, self.below)]
        return [*way, (self._beside, self.below), (self._beside, self._gap), (side, self._gap)]

    def downwards(self, side: float) -> list[Point]:
        """The way out to a line below the lanes."""
        way = [*self._exit(), (self.axis, self.below)]
        if self.ends_panel and self.last_in_lane:
            return [*way, (self.axis, side)]
        right = self.placed.lane.right + LANE_GAP / 4 - BETWEEN_LINES * self.order
        return [*way, (right, self.below), (right, side)]

    def _exit(self) -> list[Point]:
        """The bottom of the box, from which the way is drawn if no line leads on."""
        return [] if self.on_a_line else [(self.axis, self.middle + ROW / 2)]

    @property
    def _gap(self) -> float:
        """A height above the panels of the row, for this end alone."""
        lane, frame = self.placed.lane, self.placed.frame
        first_row = frame.y - lane.y < ROW_GAP
        if first_row:
            return lane.y - LANE_GAP / 2 + BETWEEN_SKIPS * (self.before + 1)
        return frame.y - 0.3 * ROW_GAP - BETWEEN_SKIPS * self.before

    @property
    def _beside(self) -> float:
        """A way down between the boxes and the next panel, for this end alone."""
        slot, panel = self.placed.slot, self.placed.panel
        number = sorted(port.skip for port in (*panel.inlets, *panel.outlets)).index(self.port.skip)
        further = len(panel.inlets) + len(panel.outlets) - 1 - number
        return slot.axes[0] + slot.extents[0].right + 6 + BETWEEN_SKIPS * further

    def from_the_side(self, side: float) -> list[Point]:
        """The way in from a line along the right side of the lanes."""
        box = self.placed.panel.boxes[self.port.box]
        # Into the right side of a box in the main column, and from above into the others.
        end = self.axis + extent(box).right, self.middle
        into = [end] if not self.column else [(self.axis, self.above), self._top]
        height = into[0][1]
        if self.last_in_row:
            return [(side, height), *into]
        return [(side, self._gap), (self._beside, self._gap), (self._beside, height), *into]

    def from_below(self, side: float) -> list[Point]:
        """The way in from a line below the lanes."""
        left = self.placed.lane.x - LANE_GAP / 6 + BETWEEN_LINES * self.order
        # Into the left side of a box in the leftmost column, and from above into the others.
        if self.column == max(self.placed.layout.columns):
            box = self.placed.panel.boxes[self.port.box]
            into = [(self.axis - extent(box).left, self.middle)]
        else:
            into = [(self.axis, self.above), self._top]
        return [(left, side), (left, into[0][1]), *into]

    @property
    def _top(self) -> Point:
        """The middle of the box's upper side, beside the line from the box above."""
        return self.axis, self.middle - ROW / 2


def add_skips(page: Page, panels: Sequence[PlacedPanel], direction: str) -> None:
    """Add the skips between panels, which are in the order of the page, and make room for them."""
    downwards = direction == "TB"
    beyond = max(frame.right if downwards else frame.bottom for frame in page.lanes)
    chosen = tracks(placed.panel for placed in panels)
    sources: dict[int, End] = {}
    for end, is_source in ends_of(panels):
        side = beyond + TRACK_GAP * (1 + chosen[end.port.skip])
        if is_source:
            sources[end.port.skip] = end
            continue
        source = sources[end.port.skip]
        if downwards:
            route = (*source.to_the_side(side), *end.from_the_side(side))
            page.width = max(page.width, side + TRACK_GAP)
        else:
            route = (*source.downwards(side), *end.from_below(side))
            page.height = max(page.height, side + TRACK_GAP)
        if source.on_a_line:
            page.forks[source.name._replace(kind="z")] = route[0]
        page.lines.append(Line(source.name, end.name, route, SKIP))


def ends_of(panels: Sequence[PlacedPanel], *, goes_on: bool = False) -> Iterator[tuple[End, bool]]:
    """Yield the ends of skips in the order of the panels, and whether a skip begins there.

    `goes_on` is whether a line leads on from the last panel.
    """
    for lane, group in groupby(enumerate(panels), lambda numbered: numbered[1].lane):
        of_lane = list(group)
        # The shortest skip, which begins last, is the first to turn down.
        inlets = sorted({-port.skip for _, placed in of_lane for port in placed.panel.inlets})
        outlets = [port.skip for _, placed in of_lane for port in placed.panel.outlets]
        for number, placed in of_lane:
            after = panels[number + 1] if number + 1 < len(panels) else None
            last_in_lane = after is None or after.lane != lane
            last_in_row = last_in_lane or after is None or after.y != placed.y
            leads_on = goes_on if after is None else after.panel.follows
            where = (last_in_row, last_in_lane, leads_on)
            for port in placed.panel.inlets:
                order = inlets.index(-port.skip)
                yield End(placed, port, *where, order, order), False
            for port in placed.panel.outlets:
                order = outlets.index(port.skip)
                yield End(placed, port, *where, order, len(inlets) + order), True
