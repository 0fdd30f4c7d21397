"""What the page's script draws, as data for JSON; panels that are alike share it."""

from collections.abc import Iterable
from os.path import commonprefix  # compares letters, of any strings
from typing import Any

from ...common.words import by
from ..page.drawing import CORNER
from ..page.layout import heading
from ..page.measures import (
    ARROW,
    FONT_SIZE,
    HEADING_WIDTH,
    LANE_GAP,
    MARGIN,
    ROW,
    TITLE_HEIGHT,
    TRACK_GAP,
    Point,
    cell_width,
)
from ..page.page import Frame, Line, Page, PlacedBox, Text
from ..page.skips import tracks
from ..sketch.sketch import DrawnLayer, Panel, Section, Sketch
from .closed import closed_view
from .views import Link, View, goes_on_after, open_views

SIZES = {
    "TITLE": TITLE_HEIGHT,
    "GAP": LANE_GAP,
    "ROW": ROW,
    "MARGIN": MARGIN,
    "HEADING": HEADING_WIDTH,
    "CORNER": CORNER,
    "ARROW": ARROW,
    "TRACK": TRACK_GAP,
    "FONT": FONT_SIZE,
}


class Shared:
    """Data that is written once and then known by its number."""

    def __init__(self) -> None:
        self.numbers: dict[Any, int] = {}
        self.values: list[Any] = []

    def number(self, key: Any, value: Any) -> int:
        """The number of a value, which is added if its key is new."""
        if key not in self.numbers:
            self.numbers[key] = len(self.values)
            self.values.append(value)
        return self.numbers[key]


class PageData:
    """The data of a page.

    `drawings` are the drawings of panels; `facts` are the output shape, the weights, parameters and
    multiply-adds of layers; `layers` are lists, for each box of a panel, of the rest of a layer's
    name, after the beginning that all names of the panel share, and the number of its facts.
    """

    def __init__(self) -> None:
        self.drawings, self.facts, self.layers = Shared(), Shared(), Shared()
        self._drawn: dict[int, tuple[Page, int]] = {}

    def of(self, networks: Iterable[tuple[Sketch, Sketch]], **more: Any) -> dict[str, Any]:
        """The data of networks, each as a folded and as an unfolded sketch."""
        return {
            "networks": [self._network(*sketches) for sketches in networks],
            "drawings": self.drawings.values,
            "facts": self.facts.values,
            "layers": self.layers.values,
            "sizes": SIZES,
            **more,
        }

    def _network(self, closed: Sketch, unfolded: Sketch) -> dict[str, Any]:
        states = zip(closed.sections, open_views(closed), open_views(unfolded), strict=True)
        views = [
            (closed_view(section, goes_on), *opened)
            for (section, *opened), goes_on in zip(states, goes_on_after(closed), strict=True)
        ]
        return {
            "name": closed.name,
            "totals": [[words, field in closed.marks] for field, words in closed.totals.items()],
            "tracks": list(
                tracks(panel for section in closed.sections for panel in section.panels).items()
            ),
            "sections": [
                self._section(section, whole, list(of_section))
                for section, whole, of_section in zip(
                    closed.sections, unfolded.sections, views, strict=True
                )
            ],
        }

    def _section(self, folded: Section, unfolded: Section, views: list[View]) -> dict[str, Any]:
        if all(panel.repeats == 1 for panel in folded.panels):
            views = views[:2]
        return {
            "heading": [
                [span.words, span.size, span.bold, span.marked]
                for line in heading(folded)
                for span in line
            ],
            "size": folded.size,
            "views": [self._view(view) for view in views],
            "layers": [self._layers_of(panel) for panel in unfolded.panels],
        }

    def _view(self, view: View) -> dict[str, Any]:
        return {
            "size": _short(view.width, view.height),
            "panels": [
                [self._drawing(p.drawing), *_short(p.x, p.y), p.title, p.repeats]
                for p in view.panels
            ],
            "links": list(map(_link, view.links)),
            "entry": view.entry and _link(view.entry),
            "exit": _flat(view.exit),
            "outlets": [[way.skip, int(way.on_a_line), *_flat(way.points)] for way in view.outlets],
            "inlets": [[way.skip, *_flat(way.points)] for way in view.inlets],
        }

    def _drawing(self, page: Page) -> int:
        # Panels that are alike have one page, which is kept here so that its id stays its own.
        if id(page) not in self._drawn:
            value = _page_data(page)
            self._drawn[id(page)] = page, self.drawings.number(repr(value), value)
        return self._drawn[id(page)][1]

    def _layers_of(self, panel: Panel) -> list[Any]:
        beginning = commonprefix([layer.name for layers in panel.layers for layer in layers])  # noqa: RUF071
        boxes = [
            [[layer.name.removeprefix(beginning), self._fact(layer)] for layer in layers]
            for layers in panel.layers
        ]
        return [self.layers.number(repr(boxes), boxes), beginning]

    def _fact(self, layer: DrawnLayer) -> int:
        shape, weights = layer.output_shape, layer.weights
        words = "" if shape is None else by(shape)
        key = words, tuple(weights.items()), layer.parameters, layer.macs
        return self.facts.number(key, [words, dict(weights), layer.parameters, layer.macs])


# A drawing ---------------------------------------------------------------------------------------


def _page_data(page: Page) -> list[Any]:
    return [
        list(map(_frame_data, page.frames)),
        list(map(_text_data, page.texts)),
        list(map(_box_data, page.boxes)),
        [_short(*point) for point in page.forks.values()],
        list(map(_line_data, page.lines)),
    ]


def _frame_data(frame: Frame) -> list[Any]:
    return [frame.kind, *_short(frame.x, frame.y, frame.width, frame.height)]


def _text_data(text: Text) -> list[Any]:
    [[span]] = text.lines
    return [
        *_short(text.x, text.y),
        span.words,
        span.size,
        int(span.bold),
        span.role,
        int(span.marked),
    ]


def _box_data(placed: PlacedBox) -> list[Any]:
    cells = [[cell.kind, cell_width(cell), cell.words, int(cell.marked)] for cell in placed.box]
    return [*_short(placed.x, placed.y), cells]


def _line_data(line: Line) -> list[Any]:
    return [line.role, int(line.arrow), *_flat(line.points)]


def _link(link: Link) -> list[float]:
    return [int(link.arrow), *_flat(link.points)]


def _flat(points: Iterable[Point]) -> list[float]:
    return _short(*(number for point in points for number in point))


def _short(*numbers: float) -> list[float]:
    """Numbers to a tenth of a point, whole ones without decimals."""
    tenths = (round(number, 1) for number in numbers)
    return [int(number) if number == int(number) else number for number in tenths]
