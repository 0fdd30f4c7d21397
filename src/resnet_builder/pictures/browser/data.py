"""What the page's script draws, as data for JSON.

A section of a network has a view for each of its states: closed, folded and with every block, each
taken from the layout of the whole network in that state. The script stacks views of different
states, so a line between two sections is in two parts: one among the `outlets` of the view that it
leaves, known by the number of its skip, or -1 for the line to the next section; and one among the
`inlets` of the view that it leads to. An x below 0 is a distance beyond the right edge of all.
"""

import json
from collections.abc import Iterable
from dataclasses import astuple, replace
from itertools import accumulate, pairwise
from os.path import commonprefix  # compares letters, of any strings
from typing import Any

from ...common.words import by
from ..page import sizes
from ..page.page import Frame, Page, Text, corners
from ..page.page_layout import add_panel, heading, lay_out_lanes, title
from ..page.routing import PanelColumn, PlacedPanel, placed_ports, route_between, skip_tracks
from ..page.sizes import MARGIN, TRACK_GAP, cell_width
from ..sketch.sketch import DrawnLayer, Panel, Sketch

SIZES = {name: size for name, size in vars(sizes).items() if isinstance(size, int | float)}
TITLE = "{}"  # stands for the title in the drawing of a panel
TO_THE_NEXT = -1  # the number of the line to the next section, among those of skips


def tenths(value: Any) -> Any:
    """The same data with numbers to a tenth of a point, whole ones and booleans as integers."""
    if isinstance(value, float | bool):
        return int(value) if value == int(value) else round(value, 1)
    if isinstance(value, list | tuple):
        return list(map(tenths, value))
    return value


class Shared(dict[str, int]):
    """Values that are written once and then known by their number."""

    def number(self, value: Any) -> int:
        """The number of a value, which is added if it is new."""
        return self.setdefault(json.dumps(value), len(self))

    def all(self) -> list[Any]:
        """The values in order."""
        return list(map(json.loads, self))


class PageData:
    """The data of a page.

    `drawings` are the drawings of panels, without their places and names; `facts` are the output
    shape, the weights, parameters and multiply-adds of layers; `layers` are lists, for each box of
    a panel, of the rest of a layer's name, after the beginning that all names of the panel share,
    and the number of its facts.
    """

    def __init__(self) -> None:
        self.drawings, self.facts, self.layers = Shared(), Shared(), Shared()
        self._drawn: dict[tuple[Panel, PanelColumn, bool], int] = {}

    def of(self, networks: Iterable[tuple[Sketch, ...]], **more: Any) -> dict[str, Any]:
        """The data of networks, each as a closed, as a folded and as a whole sketch."""
        return {
            "networks": [self._network(*sketches) for sketches in networks],
            "drawings": self.drawings.all(),
            "facts": self.facts.all(),
            "layers": self.layers.all(),
            "sizes": SIZES,
            **more,
        }

    def _network(self, closed: Sketch, folded: Sketch, unfolded: Sketch) -> dict[str, Any]:
        tracks = skip_tracks(panel for section in folded.sections for panel in section.panels)
        states = [self._views(closed, tracks, in_one_column=True)]
        states += [self._views(sketch, tracks) for sketch in (folded, unfolded)]
        return {
            "name": folded.name,
            "title": list(map(astuple, title(folded))),
            "beside": TRACK_GAP * (2 + max(tracks.values())) if tracks else 0,
            "sections": [
                {
                    "heading": _texts(Text(MARGIN, MARGIN, heading(section))),
                    "size": section.size,
                    "views": views if any(p.repeats > 1 for p in section.panels) else views[:2],
                    "layers": [self._layers_of(panel) for panel in whole.panels],
                }
                for section, whole, *views in zip(
                    folded.sections, unfolded.sections, *states, strict=True
                )
            ],
        }

    def _views(
        self, sketch: Sketch, tracks: dict[int, int], *, in_one_column: bool = False
    ) -> list[dict[str, Any]]:
        """The views of all sections in one state."""
        lanes = list(lay_out_lanes(sketch, in_one_column=in_one_column))
        views: dict[Frame, dict[str, Any]] = {
            lane.frame: {
                "frame": tenths(astuple(lane.frame)[1:]),
                "panels": list(map(self._panel, lane.panels)),
                **{kind: [] for kind in ("lines", "inlets", "outlets")},
            }
            for lane in lanes
        }
        panels = [placed for lane in lanes for placed in lane.panels]
        for before, placed in pairwise(panels):
            if placed.panel.follows:
                view, arrow = views[placed.lane], not placed.panel.forks
                start, corner, *into = route_between(before, placed)
                if before.lane == placed.lane:
                    view["lines"].append(tenths(["", arrow, corners([start, corner, *into])]))
                else:
                    view["inlets"].append(tenths([TO_THE_NEXT, arrow, into]))
                    views[before.lane]["outlets"].append(tenths([TO_THE_NEXT, False, [start]]))
        for end in placed_ports(panels):
            side = -TRACK_GAP * (1 + tracks[end.port.skip])
            parts = views[end.placed.lane]["outlets" if end.is_source else "inlets"]
            has_mark = end.on or not end.is_source  # a fork or an arrow
            parts.append(tenths([end.port.skip, has_mark, end.route(side, "TB")]))
        return list(views.values())

    def _panel(self, placed: PlacedPanel) -> list[Any]:
        drawing, panel = self._drawing(placed), placed.panel
        return [drawing, tenths(placed.x), tenths(placed.y), panel.title, panel.repeats]

    def _drawing(self, placed: PlacedPanel) -> int:
        panel = placed.panel
        untitled = replace(panel, names=(TITLE, TITLE)) if panel.title else panel
        key = untitled, replace(placed.column, x=0), placed.layout.in_a_frame
        if key not in self._drawn:
            page, layout = Page(), replace(placed.layout, panel=untitled)
            add_panel(page, replace(placed, layout=layout, x=0, y=0))
            self._drawn[key] = self.drawings.number(tenths(_page_data(page)))
        return self._drawn[key]

    def _layers_of(self, panel: Panel) -> list[Any]:
        beginning = commonprefix([layer.name for layers in panel.layers for layer in layers])  # noqa: RUF071
        boxes = [
            [[layer.name.removeprefix(beginning), self._fact(layer)] for layer in layers]
            for layers in panel.layers
        ]
        return [self.layers.number(boxes), beginning]

    def _fact(self, layer: DrawnLayer) -> int:
        shape = "" if layer.output_shape is None else by(layer.output_shape)
        return self.facts.number([shape, dict(layer.weights), layer.parameters, layer.macs])


def _texts(text: Text) -> list[Any]:
    """The place and the only span of each line of a text."""
    spans = [span for [span] in text.lines]
    tops = accumulate((1.25 * span.size for span in spans), initial=text.y)
    return [[text.x, y, astuple(span)] for y, span in zip(tops, spans, strict=False)]


def _page_data(page: Page) -> list[Any]:
    return [
        [astuple(frame) for frame in page.frames],
        [line for text in page.texts for line in _texts(text)],
        [
            (box.x, box.y, [(c.kind, cell_width(c), c.words, c.marked) for c in box.box])
            for box in page.boxes
        ],
        list(page.forks.values()),
        [(line.role, line.arrow, corners(line.points)) for line in page.lines],
    ]
