"""A closed section: a row of boxes, one for each block, with its shortcuts above it."""

from collections.abc import Iterable, Iterator
from itertools import accumulate

from ...common.words import Description
from ..page.grid import ROOM
from ..page.measures import (
    GAP,
    HEADING_HEIGHT,
    HEADING_WIDTH,
    LANE_GAP,
    MARGIN,
    ROLE_SIZE,
    ROW,
    Point,
    extent,
)
from ..page.page import Line, NodeName, Page, PlacedBox, Span, Text
from ..sketch.sketch import Box, Cell, Panel, Section
from .views import Link, PlacedDrawing, View, Way

MOST_CELLS = 6  # in a box
TRACK = 16  # the room for a line above a box, with its words
BOX, FORK = NodeName("b", 0), NodeName("x", 0)


def closed_view(section: Section, goes_on: bool) -> View:
    """Lay out the panels of a section from left to right, in as many rows as they need.

    `goes_on` is whether a line leads from the section to the next one.
    """
    above = TRACK * max(len(panel.shortcuts) for panel in section.panels)
    drawings = [_closed_drawing(panel, above) for panel in section.panels]
    rows = list(_in_rows(drawings))
    step = above + ROW + GAP
    height = max(len(rows) * step - GAP, HEADING_HEIGHT)
    left = MARGIN + HEADING_WIDTH
    top = MARGIN + (height - len(rows) * step + GAP) / 2
    corners = [
        (left + x, top + number * step)
        for number, row in enumerate(rows)
        for x in accumulate((drawing.width for drawing in row[:-1]), initial=0.0)
    ]
    # The lines go along the middle of the boxes.
    middle = above + ROW / 2
    starts = [(x, y + middle) for x, y in corners]
    ends = [(x + d.width, y + middle) for (x, y), d in zip(corners, drawings, strict=True)]
    entries = [(start, (start[0] + GAP, start[1])) for start in starts]
    exits = [((end[0] - GAP, end[1]), end) for end in ends]
    return View(
        width=max(x for x, _ in ends) + MARGIN,
        height=height + 2 * MARGIN,
        panels=[
            PlacedDrawing(drawing, x, y, panel.title, panel.repeats)
            for drawing, (x, y), panel in zip(drawings, corners, section.panels, strict=True)
        ],
        links=[
            Link(True, (*before, *_way(before[1], after[0]), *after))
            for before, after, panel in zip(exits, entries[1:], section.panels[1:], strict=False)
            if panel.follows
        ],
        entry=Link(True, entries[0]) if section.panels[0].follows else None,
        exit=exits[-1],
        outlets=list(_outlets(section, ends, height + 2 * MARGIN, goes_on)),
        inlets=list(_inlets(section, starts, ends, above)),
    )


def _outlets(section: Section, ends: list[Point], bottom: float, goes_on: bool) -> Iterator[Way]:
    """Yield the ways of skips from the end of the section, or from below a box inside it."""
    for panel, (x, y) in zip(section.panels, ends, strict=True):
        for port in panel.outlets:
            if panel is section.panels[-1] and port.box == len(panel.boxes) - 1:
                turn = bottom + LANE_GAP / 2
                start = () if goes_on else ((x - GAP, y), (x, y))
                yield Way(port.skip, (*start, (x, turn), (0, turn)), on_a_line=goes_on)
            else:
                low, turn = y + ROW / 2, y + (ROW + GAP) / 2
                yield Way(port.skip, ((x - 2 * GAP, low), (x - 2 * GAP, turn), (0, turn)))


def _inlets(
    section: Section, starts: list[Point], ends: list[Point], above: float
) -> Iterator[Way]:
    """Yield the ways of skips into the tops of boxes, from above the section or the row."""
    for panel, (left, y), (right, _) in zip(section.panels, starts, ends, strict=True):
        for number, port in enumerate(panel.inlets):
            x, top = (left + right) / 2 + 6 * number, y - ROW / 2
            height = -LANE_GAP / 3 if y == starts[0][1] else top - above - GAP / 2
            yield Way(port.skip, ((0, height), (x, height), (x, top)))


def _in_rows(drawings: Iterable[Page]) -> Iterator[list[Page]]:
    row: list[Page] = []
    for drawing in drawings:
        if row and sum(other.width for other in row) + drawing.width > ROOM:
            yield row
            row = []
        row.append(drawing)
    yield row


def _way(start: Point, end: Point) -> tuple[Point, ...]:
    """The corners on the way to a point in the next row; none to one in the same row."""
    if start[1] == end[1]:
        return ()
    between = start[1] + (ROW + GAP) / 2
    return (start[0], between), (end[0], between)


def _closed_drawing(panel: Panel, above: float) -> Page:
    """The drawing of a panel as one box, with the lines of its shortcuts in the room `above`."""
    box = _closed_box(panel)
    page = Page(width=sum(extent(box)) + 2 * GAP)
    middle = above + ROW / 2
    page.boxes.append(PlacedBox(BOX, GAP, middle, box))
    roles = panel.shortcuts
    start, stop = GAP / 3, page.width - GAP / 3
    for number, (role, count) in enumerate(roles.items(), start=1):
        top = above - TRACK * (len(roles) - number) - 3
        route = (start, middle), (start, top), (stop, top), (stop, middle)
        page.lines.append(Line(FORK, FORK, route, role, arrow=False))
        words = role if count == 1 else f"{count} {role}"
        page.texts.append(Text(start + 6, top - 12, ((Span(words, ROLE_SIZE, role=role),),)))
    if roles:
        ends = {FORK: start, BOX: stop}
        page.forks |= {name: (x, middle) for name, x in ends.items()}
    return page


def _closed_box(panel: Panel) -> Box:
    """The names of the blocks and their number, then the main layers."""
    times = f"× {panel.repeats}" if panel.repeats > 1 else ""
    words = " ".join(filter(None, [panel.title, times]))
    title = [Cell(Description("other", words), panel.marked)] if words else []
    cells = panel.main_cells or [cell for box in panel.boxes for cell in box]
    if len(cells) > MOST_CELLS:
        cells[MOST_CELLS - 1 :] = [Cell(Description("other", "…"))]
    return tuple(title + cells)
