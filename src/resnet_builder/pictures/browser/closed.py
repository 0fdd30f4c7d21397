"""A closed section: a row of boxes, one for each block, with its shortcuts above it."""

from collections.abc import Iterable, Iterator
from itertools import accumulate

from ...common.words import Description
from ..page.grid import ROOM
from ..page.measures import (
    GAP,
    HEADING_HEIGHT,
    HEADING_WIDTH,
    MARGIN,
    ROLE_SIZE,
    ROW,
    Point,
    extent,
)
from ..page.page import Line, NodeName, Page, PlacedBox, Span, Text
from ..sketch.panels import main_cells, shortcuts
from ..sketch.sketch import Box, Cell, Panel, Section
from .views import Link, PlacedDrawing, View

MOST_CELLS = 6  # in a box
TRACK = 16  # the room for a line above a box, with its words
BOX, FORK = NodeName("b", 0), NodeName("x", 0)


def closed_view(section: Section) -> View:
    """Lay out the panels of a section from left to right, in as many rows as they need."""
    above = TRACK * max(len(shortcuts(panel)) for panel in section.panels)
    drawings = [_drawing(panel, above) for panel in section.panels]
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
            for before, after in zip(exits, entries[1:], strict=False)
        ],
        entry=Link(True, entries[0]),
        exit=exits[-1],
    )


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


def _drawing(panel: Panel, above: float) -> Page:
    """The drawing of a panel as one box, with the lines of its shortcuts in the room `above`."""
    box = _box(panel)
    page = Page(width=sum(extent(box)) + 2 * GAP)
    middle = above + ROW / 2
    page.boxes.append(PlacedBox(BOX, GAP, middle, box))
    roles = shortcuts(panel)
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


def _box(panel: Panel) -> Box:
    """The names of the blocks and their number, then the main layers."""
    times = f"× {panel.repeats}" if panel.repeats > 1 else ""
    words = " ".join(filter(None, [panel.title, times]))
    title = [Cell(Description("other", words), panel.marked)] if words else []
    cells = main_cells(panel) or [cell for box in panel.boxes for cell in box]
    if len(cells) > MOST_CELLS:
        cells[MOST_CELLS - 1 :] = [Cell(Description("other", "…"))]
    return tuple(title + cells)
