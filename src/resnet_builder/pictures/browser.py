"""The page for the browser: one HTML file that loads nothing, and that folds and unfolds.

Its script, browser.js, draws data. A section of a network has a view for each of its states:
closed, folded and with every block. A view has the frame, the panels and the lines of the section
on a page with the whole network in that state. The script stacks views of different states, so a
line between two sections is in two parts: one among the `outlets` of the view that it leaves, known
by the number of its skip, or -1 for the line to the next section; and one among the `inlets` of the
view that it leads to. An x below 0 is a distance beyond the right edge of all.
"""

import html
import json
import re
from collections.abc import Sequence
from dataclasses import astuple, replace
from importlib import resources
from itertools import accumulate, chain, pairwise
from os.path import commonprefix  # compares letters, of any strings
from string import Template
from typing import Any

from ..common.words import by
from . import style
from .page.page import Frame, Page, Text, cell_width, corners
from .page.page_layout import add_panel, heading, lay_out_lanes, panel_columns, title_parts
from .page.panel_layout import PanelLayout
from .page.routing import PanelColumn, PlacedPanel, placed_ports, route_between, skip_tracks
from .sketch.sketch import ENTRY, Cell, DrawnLayer, Panel, Sketch
from .sketch.transforms import closed, folded, mark_differences, unfolded
from .style import COLOURS, ROLES, TRACK_GAP

CLOSED, FOLDED, WHOLE = range(3)  # the states of a section, as in browser.js
DISTANCES = {name: size for name, size in vars(style).items() if isinstance(size, int | float)}
SCRIPTS = [f"browser{part}.js" for part in ("", "_words", "_details", "_search", "_tools", "_keys")]
TITLE = "{}"  # stands for the title in the drawing of a panel
Json = Any  # what can be written as JSON
TO_THE_NEXT = -1  # the number of the line to the next section, among the skips


def document(sketches: Sequence[Sketch], *, state: int, note: str = "") -> str:
    """A page with one network, or with two side by side and their differences marked.

    `state` is the first state of the sections; `note` is written below the networks.
    """
    opened = [mark_differences(map(change, sketches)) for change in (folded, unfolded)]
    shared = SharedData()
    networks = [
        shared.network(*states) for states in zip(map(closed, opened[0]), *opened, strict=True)
    ]
    data = {"networks": networks, **shared.all(), "sizes": DISTANCES, "state": state, "note": note}
    text = json.dumps(data, ensure_ascii=False, separators=(",", ":"))
    return Template(_file("browser.html")).substitute(
        title=html.escape(", ".join(sketch.name for sketch in sketches)),
        style=_colours() + _file("browser.css"),
        data=text.replace("<", "\\u003c"),
        chinese=_file("browser.zh.json").strip(),
        script="".join(map(_file, SCRIPTS)),
    )


def _file(name: str) -> str:
    """The text of a file of this folder, without indentation and without comments."""
    lines = resources.files(__package__).joinpath(name).read_text(encoding="utf-8").splitlines()
    stripped = (line.strip() for line in lines)
    return "".join(f"{line}\n" for line in stripped if not line.startswith("//"))


def _colours() -> str:
    """The colours of boxes and of lines as variables and classes."""
    boxes = (f".{kind}{{--fill:{colour}}}" for kind, colour in COLOURS.items())
    lines = (
        f".{role.replace(' ', '.') or 'flow'}{{--line:{look['color']};"
        f"--dash:{'5 2' if 'style' in look else 'none'};--wide:{look.get('penwidth', 1)}}}"
        for role, look in ROLES.items()
    )
    return "".join([*boxes, *lines])


# Data -------------------------------------------------------------------------------------------


def tenths(value: Json) -> Json:
    """The same data with numbers to a tenth of a point, whole ones and booleans as integers."""
    if isinstance(value, float | bool):
        return int(value) if value == int(value) else round(value, 1)
    if isinstance(value, list | tuple):
        return list(map(tenths, value))
    return value


MOST_IN_A_GROUP, LEAST_GROUPS = 7, 3
NUMBER = re.compile(r"0|[1-9]\d{0,8}")


def continued(first: Json, second: Json, steps: int) -> Json:
    """The value so many steps after the first, as the second one is one step after it.

    Numbers in strings count as well: stage1_block1, stage1_block2, stage1_block3.
    """
    match first, second:
        case (list(), list()) if len(first) == len(second):
            return [continued(a, b, steps) for a, b in zip(first, second, strict=True)]
        case str(), str():
            later = iter(NUMBER.findall(second))
            return NUMBER.sub(
                lambda found: str(continued(int(found[0]), int(next(later, 0)), steps)), first
            )
        case (int() | float(), int() | float()):
            return tenths(first + (second - first) * steps)
    return first


def runs(rows: Sequence[Json]) -> list[Json]:
    """Rows as runs: the number of groups of rows in each, and its first two groups.

    The others continue these two: the panels of a row on a page, for one, are a group.
    """
    found: list[Json] = []
    start = 0
    while start < len(rows):
        lengths = {period: _groups(rows[start:], period) for period in range(1, MOST_IN_A_GROUP)}
        period = max(lengths, key=lambda of: (lengths[of] - 2) * of)
        count = lengths[period]
        if count < LEAST_GROUPS:
            found.append([1, [rows[start]]])
            start += 1
            continue
        groups = (rows[start + n * period :][:period] for n in range(2))
        found.append([count, *groups])
        start += count * period
    return found


def _groups(rows: Sequence[Json], period: int) -> int:
    """How many groups of so many rows continue the first two of them."""
    first, second = rows[:period], rows[period : 2 * period]
    for number in range(len(rows) // period):
        group = rows[number * period : (number + 1) * period]
        if group != continued(first, second, number):
            return number
    return len(rows) // period


class SharedData:
    """The data that networks and panels share, each written once and then known by its number.

    `drawings` are the drawings of panels, without their places and names; `cells` are those of
    their boxes: kind, width, words, and whether it is marked. `facts` are those of
    layers: shape of the output, weights, parameters, multiply-adds, shape of the input, number of
    the settings, stride of the map, bytes that training keeps. `tensors` are names in other
    libraries: a list for each of `libraries`. `layers` are the boxes of a panel: the layers of
    each, and the number of its inside. A layer is the rest of its name, after the beginning that
    all names of the panel share; the number of its facts; its receptive field, less the panel's
    least one; and the number of the rests of its tensors' names. `insides` are drawings, with the
    layers of each box by their index in the box that is opened.
    """

    KINDS = ("drawings", "cells", "facts", "settings", "tensors", "layers", "insides")

    def __init__(self) -> None:
        self._numbers: dict[str, dict[str, int]] = {kind: {} for kind in self.KINDS}
        self._drawn: dict[tuple[Panel, PanelColumn, bool], int] = {}
        self._opened: dict[Panel, Json] = {}

    def _number(self, kind: str, value: Json) -> int:
        """The number of a value, which is added if it is new."""
        return self._numbers[kind].setdefault(json.dumps(value), len(self._numbers[kind]))

    def all(self) -> dict[str, list[Json]]:
        """The values of each kind in order."""
        return {kind: list(map(json.loads, of_kind)) for kind, of_kind in self._numbers.items()}

    def network(self, *states: Sketch) -> dict[str, Json]:
        """The data of a network, given as a closed, as a folded and as a whole sketch."""
        _, folded, whole = states
        tracks = skip_tracks(panel for section in folded.sections for panel in section.panels)
        libraries = _libraries(whole)
        views = [self._views(sketch, state, tracks) for state, sketch in enumerate(states)]
        return {
            "name": folded.name,
            "title": list(map(astuple, title_parts(folded))),
            "libraries": list(libraries.values()),
            "beside": TRACK_GAP * (2 + max(tracks.values())) if tracks else 0,
            "sections": [
                {
                    "heading": _text_data(heading(section, 0, 0)),
                    "size": section.size,
                    "views": own if any(p.repeats > 1 for p in section.panels) else own[:WHOLE],
                    "layers": runs([self._layers_of(p, list(libraries)) for p in unfolded.panels]),
                }
                for section, unfolded, *own in zip(
                    folded.sections, whole.sections, *views, strict=True
                )
            ],
        }

    def _views(self, sketch: Sketch, state: int, tracks: dict[int, int]) -> list[dict[str, Json]]:
        """The views of all sections in one state."""
        lanes = list(lay_out_lanes(sketch, in_one_column=state == CLOSED))
        views: dict[Frame, dict[str, Json]] = {
            lane[0].lane: {
                "frame": tenths(astuple(lane[0].lane)[1:]),
                "panels": runs(list(map(self._panel, lane))),
                **{kind: [] for kind in ("lines", "inlets", "outlets")},
            }
            for lane in lanes
        }

        def add(kind: str, lane: Frame, *line: Json) -> None:
            views[lane][kind].append(tenths(line))

        panels = list(chain.from_iterable(lanes))
        for before, placed in pairwise(panels):
            if placed.panel.follows:
                arrow = not placed.panel.forks
                start, below, *into = route_between(before, placed)
                if before.lane == placed.lane:
                    add("lines", placed.lane, "", arrow, corners([start, below, *into]))
                else:
                    add("inlets", placed.lane, TO_THE_NEXT, arrow, into)
                    add("outlets", before.lane, TO_THE_NEXT, False, [start])
        for end in placed_ports(panels):
            way = end.route(-TRACK_GAP * (1 + tracks[end.port.skip]), "TB")
            kind = "outlets" if end.is_source else "inlets"
            has_mark = end.on or not end.is_source  # a fork or an arrow
            add(kind, end.placed.lane, end.port.skip, has_mark, way)
        for view in views.values():
            view["lines"] = runs(view["lines"])
        return list(views.values())

    def _panel(self, placed: PlacedPanel) -> list[Json]:
        panel = placed.panel
        untitled = replace(panel, names=(TITLE, TITLE)) if panel.title else panel
        key = untitled, replace(placed.column, x=0), placed.layout.in_a_frame
        if key not in self._drawn:
            page, layout = Page(), PanelLayout(untitled, in_a_frame=placed.layout.in_a_frame)
            add_panel(page, replace(placed, layout=layout, x=0, y=0))
            self._drawn[key] = self._number("drawings", self._drawing(page, untitled))
        return [self._drawn[key], *tenths([placed.x, placed.y]), panel.title, panel.repeats]

    def _drawing(self, page: Page, panel: Panel) -> Json:
        """The drawing of a page with one panel; each line has the two boxes at its ends."""
        edges = [edge for edge in panel.edges if panel.forks or edge.source != ENTRY]
        drawing = [
            [astuple(frame) for frame in page.frames],
            [line for text in page.texts for line in _text_data(text)],
            [(box.x, box.y, list(map(self._cell, box.box))) for box in page.boxes],
            list(page.forks.values()),
            [
                (line.role, line.arrow, corners(line.points), edge.source, edge.target)
                for line, edge in zip(page.lines, edges, strict=True)
            ],
        ]
        return tenths(drawing)

    def _cell(self, cell: Cell) -> int:
        return self._number("cells", [cell.kind, cell_width(cell), cell.words, int(cell.marked)])

    def _layers_of(self, panel: Panel, libraries: Sequence[str]) -> Json:
        """The number of a panel's layers, and the beginnings that were taken off."""
        layers = list(chain.from_iterable(panel.layers))
        beginning = commonprefix([layer.name for layer in layers])  # noqa: RUF071
        field = min((layer.view.receptive_field or 0 for layer in layers), default=0)
        named = {of: [one for layer in layers for one in layer.tensors[of]] for of in libraries}
        beginnings = {of: commonprefix(names) for of, names in named.items()}  # noqa: RUF071

        def told(layer: DrawnLayer) -> Json:
            seen = layer.view.receptive_field
            rests = [[one[len(s) :] for one in layer.tensors[of]] for of, s in beginnings.items()]
            tensors = self._number("tensors", rests) if layer.weights and rests else None
            rest = layer.name[len(beginning) :]
            return [rest, self._fact(layer), None if seen is None else seen - field, tensors]

        boxes = [
            [list(map(told, of_box)), None if inside is None else self._inside(inside, of_box)]
            for of_box, inside in zip(panel.layers, panel.insides, strict=True)
        ]
        return [self._number("layers", boxes), beginning, field, *beginnings.values()]

    def _inside(self, panel: Panel, layers: Sequence[DrawnLayer]) -> int:
        """The number of the inside of a box with these layers."""
        if panel not in self._opened:
            layout, page = PanelLayout(panel, in_a_frame=False), Page()
            [column], frame = panel_columns([[layout]], 1), Frame("lane", 0, 0, 0, 0)
            add_panel(page, PlacedPanel(layout, column, 0, 0, frame))
            self._opened[panel] = self._drawing(page, panel)
        of_boxes = [[layers.index(layer) for layer in of_box] for of_box in panel.layers]
        return self._number("insides", [self._opened[panel], of_boxes])

    def _fact(self, layer: DrawnLayer) -> int:
        given, made = (
            "" if shape is None else by(shape) for shape in (layer.input_shape, layer.output_shape)
        )
        settings = self._number("settings", dict(layer.settings))
        costs = [dict(layer.weights), layer.parameters, layer.macs]
        return self._number("facts", [made, *costs, given, settings, layer.view.stride, layer.kept])


def _libraries(sketch: Sketch) -> dict[str, str]:
    """The libraries whose names are shown, with their titles; equal names are shown once."""
    panels = (panel for section in sketch.sections for panel in section.panels)
    layers = [layer for panel in panels for of_box in panel.layers for layer in of_box]
    alike: dict[tuple[str, ...], list[str]] = {}
    for library in layers[0].tensors:
        names = tuple(one for layer in layers for one in layer.tensors[library])
        alike.setdefault(names, []).append(library)
    return {libraries[0]: ", ".join(libraries) for libraries in alike.values()}


def _text_data(text: Text) -> list[Json]:
    """The place and the only part of each line of a text."""
    parts = [part for [part] in text.lines]
    tops = accumulate((1.25 * part.size for part in parts), initial=text.y)
    return [[text.x, y, astuple(part)] for y, part in zip(tops, parts, strict=False)]
