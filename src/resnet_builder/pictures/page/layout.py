"""A sketch laid out on a page: sections as lanes, units in rows, lines from one to the next."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import accumulate, zip_longest

from ..sketch.sketch import ENTRY, Section, Sketch, Unit
from .page import Frame, Line, Page, PlacedBox, Run, Text
from .unit_layout import (
    BETWEEN_COLUMNS,
    GAP,
    ROW,
    Point,
    UnitLayout,
    lay_out,
    reach,
    text_width,
    widest,
)

MARGIN = 14  # inside a lane
UNIT_GAP, ROW_GAP, LANE_GAP = 22, 36, 18
HEADING = (122, 66)
TITLE_HEIGHT = 30
WIDEST = 1150  # a lane beyond it goes on below
TIMES = 46  # the room for × 1000
CARD = 2.5  # what the cards of a repeated unit are moved by


@dataclass(frozen=True)
class Slot:
    """A place for units: its left edge, how far its columns reach, and how wide its titles are."""

    x: float
    reaches: tuple[tuple[float, float], ...]
    title: float

    @property
    def lead(self) -> float:
        """From the left edge to the axis of the main column, left of which the title stands."""
        sides = [self.reaches[0][0], *(left + right for left, right in self.reaches[1:])]
        return max(self.title, sum(sides) + BETWEEN_COLUMNS * len(self.reaches))

    @property
    def width(self) -> float:
        """With margins."""
        return self.lead + max(self.reaches[0][1], TIMES) + BETWEEN_COLUMNS

    @property
    def axes(self) -> list[float]:
        """The middle of each column; the main one is the rightmost."""
        axes = [self.x + self.lead]
        for (left, _), (_, right) in zip(self.reaches, self.reaches[1:], strict=False):
            axes.append(axes[-1] - left - BETWEEN_COLUMNS - right)
        return axes


@dataclass(frozen=True)
class End:
    """Where the flow leaves a unit."""

    box: str
    point: Point
    frame: Frame
    lane: Frame


Rows = list[list[UnitLayout]]


def lay_out_page(
    sketch: Sketch,
    direction: str = "TB",
    *,
    in_one_column: bool = False,
    lane_heights: Sequence[float] = (),
) -> Page:
    """The page of a sketch.

    Top to bottom, a section is a lane whose units stand side by side, or in one column; left to
    right, it is a column of units. Those in one column have no frames. `lane_heights` are the
    least ones.
    """
    painter = Painter(lane_heights, framed=not in_one_column)
    units = [
        [lay_out(unit, in_a_frame=not in_one_column) for unit in section.units]
        for section in sketch.sections
    ]
    if direction == "TB":
        lanes, slots = _grid(units, 1 if in_one_column else max(map(len, units)))
        y: float = TITLE_HEIGHT
        for section, rows in zip(sketch.sections, lanes, strict=True):
            y = painter.lane(section, rows, slots, 0, y, HEADING[0], 0).bottom + LANE_GAP
    else:
        x: float = 0
        for section, of_section in zip(sketch.sections, units, strict=True):
            lanes, slots = _grid([of_section], 1)
            lane = painter.lane(section, lanes[0], slots, x, TITLE_HEIGHT, 0, HEADING[1])
            x = lane.right + LANE_GAP
    return painter.finished(sketch)


def lay_out_side_by_side(sketches: Sequence[Sketch], *, in_one_column: bool, note: str) -> Page:
    """One page of several, whose sections stand at the same heights, and a note below."""
    pages = [lay_out_page(sketch, in_one_column=in_one_column) for sketch in sketches]
    heights = [
        max(frame.height for frame in frames if frame)
        for frames in zip_longest(*(page.lanes for page in pages))
    ]
    joined = Page()
    for sketch in sketches:
        page = lay_out_page(sketch, in_one_column=in_one_column, lane_heights=heights)
        joined.add(page, joined.width + 2 * LANE_GAP if joined.width else 0)
    joined.texts.append(Text(0, joined.height + GAP, ((Run(note, 13),),)))
    joined.height += 3 * GAP
    return joined


def _grid(lanes: list[list[UnitLayout]], columns: int) -> tuple[list[Rows], list[Slot]]:
    """Rows of at most so many units as fit, and the places that all lanes share."""
    rows = [[lane[n : n + columns] for n in range(0, len(lane), columns)] for lane in lanes]
    in_column = zip_longest(*(row for lane in rows for row in lane))
    slots: list[Slot] = []
    x: float = 0
    for units in in_column:
        reaches = zip_longest(*(unit.reaches for unit in units if unit), fillvalue=(0.0, 0.0))
        columns_of_slot = tuple(widest(list(of_column)) for of_column in reaches)
        titles = max(text_width(unit.unit.title) for unit in units if unit)
        slots.append(Slot(x, columns_of_slot, titles + BETWEEN_COLUMNS))
        x += slots[-1].width + UNIT_GAP
    if x > WIDEST - HEADING[0] and columns > 1:
        return _grid(lanes, columns - 1)
    return rows, slots


class Painter:
    """Places sections one after the other, and joins each unit to the one before it."""

    def __init__(self, lane_heights: Sequence[float], *, framed: bool) -> None:
        self.page = Page()
        self.end: End | None = None
        self.entry = ""  # what the edges from the entry of the unit in hand begin at
        self.lane_heights = lane_heights
        self.framed = framed

    def finished(self, sketch: Sketch) -> Page:
        """The page with its title, as large as what stands on it."""
        totals = Run(sketch.totals, 13, marked=sketch.marked)
        title = Run(f"{sketch.name}   ", 16, bold=True), totals
        self.page.texts.append(Text(0, 0, (title,)))
        widths = [text_width(run.words, run.size) for run in title]
        self.page.width = max(sum(widths), *(frame.right for frame in self.page.frames))
        self.page.height = max(frame.bottom for frame in self.page.frames)
        return self.page

    def lane(
        self,
        section: Section,
        rows: Rows,
        slots: list[Slot],
        x: float,
        y: float,
        left: float,
        above: float,
    ) -> Frame:
        """A section, with its heading in the room `left` of its units or `above` them."""
        least = self.lane_heights[len(self.page.lanes) :][:1]
        heights = [max(unit.height for unit in row) for row in rows]
        gap = ROW_GAP if self.framed else 0
        inside = above + sum(heights) + gap * (len(rows) - 1)
        lane = Frame(
            "lane",
            x,
            y,
            max(left + slots[-1].x + slots[-1].width, HEADING[0]) + 2 * MARGIN,
            max(max(inside, HEADING[1]) + 2 * MARGIN, *least, 0),
        )
        self.page.frames.append(lane)
        self.page.texts.append(Text(x + MARGIN, y + MARGIN, _heading(section)))
        tops = accumulate((height + gap for height in heights), initial=0.0)
        for row, top in zip(rows, tops, strict=False):
            for unit, slot in zip(row, slots, strict=False):
                place = replace(slot, x=x + MARGIN + left + slot.x)
                self.unit(unit, place, y + MARGIN + above + top, lane)
        return lane

    def unit(self, layout: UnitLayout, slot: Slot, y: float, lane: Frame) -> None:
        """A unit in its place."""
        unit, axes = layout.unit, slot.axes
        frame = Frame("unit", slot.x, y, slot.width, layout.height)
        if self.framed:
            self._frame(unit, frame)
        start = len(self.page.boxes)
        for box, column, height in zip(unit.boxes, layout.columns, layout.heights, strict=True):
            name = f"b{len(self.page.boxes)}"
            x = axes[column] - reach(box)[0]
            self.page.boxes.append(PlacedBox(name, x, y + height, box))
        self._enter(layout, (axes[0], y + layout.entry), frame, lane, start)
        self._edges(layout, axes, y, start)
        last = layout.heights[-1] + ROW / 2
        self.end = End(f"b{start + len(unit.boxes) - 1}", (axes[0], y + last), frame, lane)

    def _frame(self, unit: Unit, frame: Frame) -> None:
        cards = [2 * CARD, CARD] if unit.repeats > 1 else []
        for by in cards:
            card = replace(frame, kind="card", x=frame.x + by, y=frame.y + by)
            self.page.frames.append(card)
        if unit.title or unit.repeats > 1 or unit.forks:
            self.page.frames.append(frame)
        if unit.title:
            self.page.texts.append(Text(frame.x + 6, frame.y + 3, ((Run(unit.title),),)))
        if unit.repeats > 1:
            times = Run(f"× {unit.repeats}", 14, bold=True, marked=unit.marked)
            self.page.texts.append(Text(frame.right - TIMES, frame.y + 3, ((times,),)))

    def _enter(
        self, layout: UnitLayout, entry: Point, frame: Frame, lane: Frame, start: int
    ) -> None:
        if self.end is None:
            return
        self.entry = self.end.box
        into = next(edge.target for edge in layout.unit.edges if edge.source == ENTRY)
        target = f"b{start + into}"
        if layout.unit.forks:
            self.entry = target = f"x{start}"
            self.page.forks[target] = entry
        way = self._way(entry, frame, lane)
        self.page.lines.append(Line(self.end.box, target, way, arrow=not layout.unit.forks))

    def _way(self, entry: Point, frame: Frame, lane: Frame) -> tuple[Point, ...]:
        """From the last unit to the entry of the next, around the frames."""
        assert self.end is not None
        (x, y), entry_x = self.end.point, entry[0]
        old, new, between, below = self.end.lane, lane, LANE_GAP, LANE_GAP
        if old == new:
            old, new, between, below = self.end.frame, frame, UNIT_GAP, ROW_GAP
        if new.y >= old.bottom:
            middle = new.y - below / 2
            return (x, y), (x, middle), (entry_x, middle), entry
        low, high, side = self.end.frame.bottom + 9, frame.y - 6, new.x - between / 2 + CARD
        return (x, y), (x, low), (side, low), (side, high), (entry_x, high), entry

    def _edges(self, layout: UnitLayout, axes: list[float], y: float, start: int) -> None:
        for edge in layout.unit.edges:
            if edge.source == ENTRY and not layout.unit.forks:
                continue  # the line into the unit
            points = tuple((x, y + height) for x, height in layout.way(edge, axes))
            source = self.entry if edge.source == ENTRY else f"b{start + edge.source}"
            self.page.lines.append(Line(source, f"b{start + edge.target}", points, edge.role))
            channel = layout.channels[edge]
            if edge.source != ENTRY and layout.column(edge.source) != channel:
                self.page.forks[f"y{start + edge.source}"] = points[0]
            if edge.role and layout.column(edge.source) != channel:
                label = Run(edge.role, 9, role=edge.role)
                corner = next(height for x, height in points if x == axes[channel])
                self.page.texts.append(Text(axes[channel] + 4, corner - 12, ((label,),)))


def _heading(section: Section) -> tuple[tuple[Run, ...], ...]:
    runs = [Run(section.title, 13, bold=True)]
    runs += [Run(line, marked=field in section.marks) for field, line in section.details.items()]
    return tuple((run,) for run in runs if run.words)
