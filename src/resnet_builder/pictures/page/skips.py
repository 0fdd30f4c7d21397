"""The lines of skips: out of a lane, along the side of the page, and into a later lane.

Top to bottom they go along the right side of the lanes, left to right below them. The shorter ones
are nearer, so that lines do not cross where one is within the other, as in a U-Net.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from ..sketch.sketch import Panel, Port
from ..style import SKIP
from .lines import BELOW, PlacedPanel
from .measures import GAP, LANE_GAP, ROW, ROW_GAP, TRACK_GAP, Point, extent
from .page import Line, NodeName, Page


def tracks(panels: Iterable[Panel]) -> dict[int, int]:
    """For each skip, by its number, the first track that no overlapping shorter one uses."""
    starts: dict[int, int] = {}
    ends: dict[int, int] = {}
    first = 0
    for panel in panels:
        ends |= {port.skip: first + port.box for port in panel.inlets}
        starts |= {port.skip: first + port.box for port in panel.outlets}
        first += len(panel.boxes)
    chosen: dict[int, int] = {}
    for skip in sorted(starts, key=lambda skip: ends[skip] - starts[skip]):
        beside = (o for o in chosen if starts[o] < ends[skip] and starts[skip] < ends[o])
        used = {chosen[other] for other in beside}
        chosen[skip] = next(n for n in range(len(used) + 1) if n not in used)
    return chosen


@dataclass(frozen=True)
class End:
    """An end of a skip in a placed panel, which may be the last of its row, and of its lane.

    `goes_on` is whether a line leads from the panel to the next one.
    """

    placed: PlacedPanel
    port: Port
    last_in_row: bool
    last_in_lane: bool
    goes_on: bool

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
        return self.goes_on or not self.ends_panel

    def to_the_side(self, side: float) -> list[Point]:
        """The way out to a line along the right side of the lanes."""
        lane, frame = self.placed.lane, self.placed.frame
        if not self.ends_panel:
            turn = self.middle + (ROW + GAP) / 2
        elif self.last_in_lane:
            turn = lane.bottom + LANE_GAP / 2
        else:
            turn = frame.bottom + BELOW
        return [*self._exit(), (self.axis, turn), (side, turn)]

    def downwards(self, side: float) -> list[Point]:
        """The way out to a line below the lanes."""
        lane, frame = self.placed.lane, self.placed.frame
        if self.ends_panel:
            return [*self._exit(), (self.axis, frame.bottom + BELOW), (self.axis, side)]
        turn, right = self.middle + (ROW + GAP) / 2, lane.right + LANE_GAP / 4
        return [(self.axis, turn), (right, turn), (right, side)]

    def _exit(self) -> list[Point]:
        """The end of the panel, from which the way is drawn if no line leads on."""
        return [] if self.on_a_line else [self.placed.exit]

    def from_the_side(self, side: float) -> list[Point]:
        """The way in from a line along the right side of the lanes."""
        box = self.placed.panel.boxes[self.port.box]
        above = self.middle - (ROW + GAP) / 2
        # Into the right side of a box in the main column, and from above into the others.
        end = self.axis + extent(box).right, self.middle
        into = (
            [end] if not self.column else [(self.axis, above), (self.axis, self.middle - ROW / 2)]
        )
        height = into[0][1]
        if self.last_in_row:
            return [(side, height), *into]
        # Above the panels, and down between the boxes and the next panel.
        lane, frame, slot = self.placed.lane, self.placed.frame, self.placed.slot
        first_row = frame.y - lane.y < ROW_GAP
        gap = lane.y - LANE_GAP / 2 if first_row else frame.y - ROW_GAP / 2
        # The shortest skip, which begins last, is the first to turn down.
        further = sum(port.skip > self.port.skip for port in self.placed.panel.inlets)
        y = gap + 3 * (further + 1)
        x = slot.axes[0] + slot.extents[0].right + 6 + 4 * further
        return [(side, y), (x, y), (x, height), *into]

    def from_below(self, side: float) -> list[Point]:
        """The way in from a line below the lanes."""
        left = self.placed.lane.x - LANE_GAP / 6
        # Into the left side of a box in the leftmost column, and from above into the others.
        if self.column == max(self.placed.layout.columns):
            box = self.placed.panel.boxes[self.port.box]
            into = [(self.axis - extent(box).left, self.middle)]
        else:
            above = self.middle - (ROW + GAP) / 2
            into = [(self.axis, above), (self.axis, self.middle - ROW / 2)]
        return [(left, side), (left, into[0][1]), *into]


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
        name = source.name
        if source.on_a_line:
            name = name._replace(kind="z")
            page.forks[name] = route[0]
        page.lines.append(Line(name, end.name, route, SKIP))


def ends_of(panels: Sequence[PlacedPanel], *, goes_on: bool = False) -> Iterator[tuple[End, bool]]:
    """Yield the ends of skips in the order of the panels, and whether a skip begins there.

    `goes_on` is whether a line leads on from the last panel.
    """
    for placed, after in pairwise([*panels, None]):
        if placed is None:
            return
        last_in_lane = after is None or after.lane != placed.lane
        last_in_row = last_in_lane or after is None or after.y != placed.y
        leads_on = goes_on if after is None else after.panel.follows
        for ports, is_source in ((placed.panel.inlets, False), (placed.panel.outlets, True)):
            for port in ports:
                yield End(placed, port, last_in_row, last_in_lane, leads_on), is_source
