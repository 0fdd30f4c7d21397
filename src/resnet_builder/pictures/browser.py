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
from .page.page_layout import add_panel, heading, lay_out_lanes, title_parts
from .page.panel_layout import PanelLayout
from .page.routing import PanelColumn, PlacedPanel, placed_ports, route_between, skip_tracks
from .sketch.sketch import DrawnLayer, Panel, Sketch
from .sketch.transforms import closed, folded, mark_differences, unfolded
from .style import COLOURS, ROLES, TRACK_GAP

CLOSED, FOLDED, WHOLE = range(3)  # the states of a section, as in browser.js
DISTANCES = {name: size for name, size in vars(style).items() if isinstance(size, int | float)}
TITLE = "{}"  # stands for the title in the drawing of a panel
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
        script=_file("browser.js"),
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


# Data -------------------------------------------------------------------------------------------


def tenths(value: Any) -> Any:
    """The same data with numbers to a tenth of a point, whole ones and booleans as integers."""
    if isinstance(value, float | bool):
        return int(value) if value == int(value) else round(value, 1)
    if isinstance(value, list | tuple):
        return list(map(tenths, value))
    return value


class SharedData:
    """The data that networks and panels share, each written once and then known by its number.

    `drawings` are the drawings of panels, without their places and names; `facts` are the output
    shape, the weights, parameters and multiply-adds of layers; `layers` are lists, for each box of
    a panel, of the rest of a layer's name, after the beginning that all names of the panel share,
    and the number of its facts.
    """

    def __init__(self) -> None:
        self._numbers: dict[str, dict[str, int]] = {"drawings": {}, "facts": {}, "layers": {}}
        self._drawn: dict[tuple[Panel, PanelColumn, bool], int] = {}

    def _number(self, kind: str, value: Any) -> int:
        """The number of a value, which is added if it is new."""
        return self._numbers[kind].setdefault(json.dumps(value), len(self._numbers[kind]))

    def all(self) -> dict[str, list[Any]]:
        """The values of each kind in order."""
        return {kind: list(map(json.loads, of_kind)) for kind, of_kind in self._numbers.items()}

    def network(self, *states: Sketch) -> dict[str, Any]:
        """The data of a network, given as a closed, as a folded and as a whole sketch."""
        _, folded, whole = states
        tracks = skip_tracks(panel for section in folded.sections for panel in section.panels)
        views = [self._views(sketch, state, tracks) for state, sketch in enumerate(states)]
        return {
            "name": folded.name,
            "title": list(map(astuple, title_parts(folded))),
            "beside": TRACK_GAP * (2 + max(tracks.values())) if tracks else 0,
            "sections": [
                {
                    "heading": _text_data(heading(section, 0, 0)),
                    "size": section.size,
                    "views": own if any(p.repeats > 1 for p in section.panels) else own[:WHOLE],
                    "layers": [self._layers_of(panel) for panel in unfolded.panels],
                }
                for section, unfolded, *own in zip(
                    folded.sections, whole.sections, *views, strict=True
                )
            ],
        }

    def _views(self, sketch: Sketch, state: int, tracks: dict[int, int]) -> list[dict[str, Any]]:
        """The views of all sections in one state."""
        lanes = list(lay_out_lanes(sketch, in_one_column=state == CLOSED))
        views: dict[Frame, dict[str, Any]] = {
            lane[0].lane: {
                "frame": tenths(astuple(lane[0].lane)[1:]),
                "panels": list(map(self._panel, lane)),
                **{kind: [] for kind in ("lines", "inlets", "outlets")},
            }
            for lane in lanes
        }

        def add(kind: str, lane: Frame, *line: Any) -> None:
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
        return list(views.values())

    def _panel(self, placed: PlacedPanel) -> list[Any]:
        panel = placed.panel
        untitled = replace(panel, names=(TITLE, TITLE)) if panel.title else panel
        key = untitled, replace(placed.column, x=0), placed.layout.in_a_frame
        if key not in self._drawn:
            page, layout = Page(), PanelLayout(untitled, in_a_frame=placed.layout.in_a_frame)
            add_panel(page, replace(placed, layout=layout, x=0, y=0))
            self._drawn[key] = self._number("drawings", tenths(_page_data(page)))
        return [self._drawn[key], *tenths([placed.x, placed.y]), panel.title, panel.repeats]

    def _layers_of(self, panel: Panel) -> list[Any]:
        beginning = commonprefix([layer.name for layers in panel.layers for layer in layers])  # noqa: RUF071
        boxes = [
            [[layer.name[len(beginning) :], self._fact(layer)] for layer in layers]
            for layers in panel.layers
        ]
        return [self._number("layers", boxes), beginning]

    def _fact(self, layer: DrawnLayer) -> int:
        shape = "" if layer.output_shape is None else by(layer.output_shape)
        return self._number("facts", [shape, dict(layer.weights), layer.parameters, layer.macs])


def _text_data(text: Text) -> list[Any]:
    """The place and the only part of each line of a text."""
    parts = [part for [part] in text.lines]
    tops = accumulate((1.25 * part.size for part in parts), initial=text.y)
    return [[text.x, y, astuple(part)] for y, part in zip(tops, parts, strict=False)]


def _page_data(page: Page) -> list[Any]:
    return [
        [astuple(frame) for frame in page.frames],
        [line for text in page.texts for line in _text_data(text)],
        [
            (box.x, box.y, [(c.kind, cell_width(c), c.words, c.marked) for c in box.box])
            for box in page.boxes
        ],
        list(page.forks.values()),
        [(line.role, line.arrow, corners(line.points)) for line in page.lines],
    ]
