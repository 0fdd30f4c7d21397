"""The page for the browser: one HTML file, which asks for nothing from anywhere."""

import html
import json
from collections.abc import Sequence
from dataclasses import replace
from importlib import resources
from itertools import chain
from string import Template

from ...common.words import Description
from ..sketch.sketch import ENTRY, Box, Cell, Edge, Panel, Port, Sketch
from ..sketch.transforms import folded, mark_differences, unfolded
from ..style import COLOURS, ROLES
from .data import PageData

CLOSED, FOLDED, WHOLE = range(3)  # the states of a section, as in page.js
MOST_CELLS = 6  # in the box of a closed panel


def document(sketches: Sequence[Sketch], *, state: int, note: str = "") -> str:
    """A page with one network, or with two side by side and their differences marked.

    `state` is that of the sections at first; `note` is written below the networks.
    """
    states = [[change(sketch) for sketch in sketches] for change in (folded, unfolded)]
    if len(sketches) == 2:
        states = [list(mark_differences(*pair)) for pair in states]
    states.insert(CLOSED, list(map(closed, states[0])))
    data = PageData().of(zip(*states, strict=True), state=state, note=note)
    text = json.dumps(data, ensure_ascii=False, separators=(",", ":"))
    return Template(_file("page.html")).substitute(
        title=html.escape(", ".join(sketch.name for sketch in sketches)),
        style=_colours() + _file("page.css"),
        data=text.replace("<", "\\u003c"),
        script=_file("page.js"),
    )


def _file(name: str) -> str:
    return resources.files(__package__).joinpath(name).read_text(encoding="utf-8")


def _colours() -> str:
    """The colours of boxes and of lines as variables and classes."""
    boxes = (f".{kind}{{--fill:{colour}}}" for kind, colour in COLOURS.items())
    lines = (
        f".{role.replace(' ', '.') or 'flow'}{{--line:{look['color']};"
        f"--dash:{'5 2' if 'style' in look else 'none'};--wide:{look.get('penwidth', 1)}}}"
        for role, look in ROLES.items()
    )
    return "".join([*boxes, *lines])


# Closed sections -------------------------------------------------------------------------------


def closed(sketch: Sketch) -> Sketch:
    """Close a folded sketch: each panel is one box, and its shortcuts lead past it into the box."""
    sections = (
        replace(section, panels=tuple(map(_closed_panel, section.panels)))
        for section in sketch.sections
    )
    return replace(sketch, sections=tuple(sections))


def _closed_panel(panel: Panel) -> Panel:
    def ports(of_boxes: tuple[Port, ...]) -> tuple[Port, ...]:
        return tuple(dict.fromkeys(replace(port, box=0) for port in of_boxes))

    roles = ["", *panel.shortcuts] if panel.follows else []
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
    cells = panel.main_cells or [cell for box in panel.boxes for cell in box]
    if len(cells) > MOST_CELLS:
        cells[MOST_CELLS - 1 :] = [Cell(Description("other", "…"))]
    return tuple(title + cells)
