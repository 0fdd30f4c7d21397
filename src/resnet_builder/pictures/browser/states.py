"""The states of the sections in the browser: each is a sketch, and is laid out as a page is."""

from dataclasses import replace
from itertools import chain

from ...common.words import Description
from ..sketch.panels import main_cells, shortcuts
from ..sketch.sketch import ENTRY, Box, Cell, Edge, Panel, Port, Section, Sketch

CLOSED, FOLDED, WHOLE = range(3)  # as in page.js

MOST_CELLS = 6  # in a box


def closed(sketch: Sketch) -> Sketch:
    """Close a folded sketch: each panel is one box, and its shortcuts lead past it into the box."""
    return replace(sketch, sections=tuple(map(_closed_section, sketch.sections)))


def _closed_section(section: Section) -> Section:
    return replace(section, panels=tuple(map(_closed_panel, section.panels)))


def _closed_panel(panel: Panel) -> Panel:
    def ports(of_boxes: tuple[Port, ...]) -> tuple[Port, ...]:
        return tuple(dict.fromkeys(replace(port, box=0) for port in of_boxes))

    roles = ["", *shortcuts(panel)] if panel.follows else []
    return Panel(
        names=("", ""),
        boxes=(_closed_box(panel),),
        edges=tuple(Edge(ENTRY, 0, role) for role in roles),
        layers=(tuple(chain.from_iterable(panel.layers)),),
        outlets=ports(panel.outlets),
        inlets=ports(panel.inlets),
    )


def _closed_box(panel: Panel) -> Box:
    """The names of the blocks and their number, then the main layers."""
    times = f"× {panel.repeats}" if panel.repeats > 1 else ""
    words = " ".join(filter(None, [panel.title, times]))
    title = [Cell(Description("other", words), panel.marked)] if words else []
    cells = main_cells(panel) or [cell for box in panel.boxes for cell in box]
    if len(cells) > MOST_CELLS:
        cells[MOST_CELLS - 1 :] = [Cell(Description("other", "…"))]
    return tuple(title + cells)
