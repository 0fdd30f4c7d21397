"""A closed section: a row of boxes, one for each block, with its shortcuts above it."""

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
from .views import PlacedDrawing, View

MOST_CELLS = 6  # in a box
TRACK = 16  # the room for a line above a box, with its words
BOX, FORK = NodeName("b", 0), NodeName("x", 0)


def closed_view(section: Section) -> View:
    """Lay out the panels of a section from left to right, in as many rows as they need."""
    above = TRACK * max(len(shortcuts(panel)) for panel in section.panels)
    height, left = above + ROW, MARGIN + HEADING_WIDTH
    panels: list[PlacedDrawing] = []
    links: list[tuple[bool, tuple[Point, ...]]] = []
    x, y = left, MARGIN
    right: float = x
    for panel in section.panels:
        drawing = _drawing(panel, above)
        if panels and x + drawing.width > left + ROOM:
            links.append((False, _to_the_next_row(x, left, y + height - ROW / 2, height + GAP)))
            x, y = left, y + height + GAP
        panels.append(PlacedDrawing(drawing, x, y, panel.title, panel.repeats))
        x += drawing.width
        right = max(right, x)
    return View(
        width=right + MARGIN,
        height=max(y + height, HEADING_HEIGHT + MARGIN) + MARGIN,
        panels=panels,
        links=links,
        entry=(left, MARGIN + height - ROW / 2),
        exit=(x, y + height - ROW / 2),
        enters_with_arrow=False,
    )


def _to_the_next_row(x: float, left: float, middle: float, height: float) -> tuple[Point, ...]:
    below = middle + ROW / 2 + GAP / 2
    return (x, middle), (x, below), (left, below), (left, middle + height)


def _drawing(panel: Panel, above: float) -> Page:
    """The drawing of a panel as one box, `above` which is room for the lines of its shortcuts."""
    box = _box(panel)
    end = GAP + sum(extent(box))
    middle = above + ROW / 2
    page = Page(width=end + GAP, height=above + ROW)
    page.boxes.append(PlacedBox(BOX, GAP, middle, box))
    page.lines.append(Line(FORK, BOX, ((0, middle), (GAP, middle))))
    page.lines.append(Line(BOX, FORK, ((end, middle), (page.width, middle)), arrow=False))
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
