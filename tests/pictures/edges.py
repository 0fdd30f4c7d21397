"""Every drawn line held against the graph of the network: its two ends, its arrow and its way.

A drawing is read as a person reads it, from boxes and lines alone: a line begins at the border of
a box, or on a line that begins there, and its arrow ends at the border of a box.
"""

from collections.abc import Iterable, Iterator, Sequence
from itertools import combinations, pairwise
from typing import Any, NamedTuple
from unittest.mock import patch

import keras
import pydot

from resnet_builder.costs.models import read_model
from resnet_builder.pictures import cards
from resnet_builder.pictures.page import dot, page_layout
from resnet_builder.pictures.page.page import Page, cell_width
from resnet_builder.pictures.sketch import of_model, transforms
from resnet_builder.pictures.sketch.sketch import ENTRY, Sketch
from resnet_builder.pictures.style import ROW

# As the modules have them, without the checks of conftest.py.
draw_layers, draw_stages, draw_page = cards.draw_layers, cards.draw_stages, dot.draw_page
sketch_model, lay_out_page = of_model.sketch_model, page_layout.lay_out_page
folded = transforms.folded

Point = tuple[float, float]
Edge = tuple[int, int]  # the numbers of two boxes
NEAR = 1.0  # points; the gaps between boxes and lines are larger


class Area(NamedTuple):
    """A rectangle."""

    left: float
    top: float
    right: float
    bottom: float

    def holds(self, point: Point, margin: float = NEAR) -> bool:
        return (
            self.left - margin <= point[0] <= self.right + margin
            and self.top - margin <= point[1] <= self.bottom + margin
        )

    def meets(self, other: "Area", margin: float = NEAR) -> bool:
        """Whether they overlap by more than the margin."""
        return (
            self.left < other.right - margin
            and other.left < self.right - margin
            and self.top < other.bottom - margin
            and other.top < self.bottom - margin
        )

    def wider(self, by: float) -> "Area":
        return Area(self.left - by, self.top - by, self.right + by, self.bottom + by)


class DrawnLine(NamedTuple):
    """A line through points."""

    points: tuple[Point, ...]
    arrow: bool

    @property
    def pieces(self) -> list[Area]:
        """The straight pieces."""
        return [_around(ends) for ends in pairwise(self.points)]

    @property
    def area(self) -> Area:
        """The rectangle around it."""
        return _around(self.points)


def _around(points: Sequence[Point]) -> Area:
    xs, ys = zip(*points, strict=True)
    return Area(min(xs), min(ys), max(xs), max(ys))


# What is drawn ----------------------------------------------------------------------------------


def drawn_edges(boxes: Sequence[Area], lines: Sequence[DrawnLine]) -> set[Edge]:
    """The edges that a drawing shows; fails where a line has no clear source or target."""
    sources = [_source(line, boxes, lines, frozenset()) for line in lines]
    starts = [line.points[0] for line in lines]
    edges: set[Edge] = set()
    targets: list[set[int]] = []
    for line, source in zip(lines, sources, strict=True):
        end = line.points[-1]
        assert all(min(p.right - p.left, p.bottom - p.top) < NEAR for p in line.pieces), line
        if line.arrow:
            targets.append(_boxes_at(end, boxes))
            assert len(targets[-1]) == 1, f"no box at the arrow of {line}"
            edges |= {(source, target) for target in targets[-1]}
        else:
            assert any(_near(end, start) for start in starts), f"{line} leads nowhere"
            targets.append(set())
        for number, box in enumerate(boxes):
            # A line touches the border of its own boxes, and keeps away from all others.
            margin = 2.5 * NEAR if number in {source, *targets[-1]} else 0
            assert not any(box.meets(p.wider(NEAR), margin) for p in line.pieces), (
                f"{line} passes through box {number}, {box}"
            )
    ends = list(zip(lines, sources, targets, strict=True))
    for (one, source, into), (other, from_, to) in combinations(ends, 2):
        if source != from_ and not into & to:
            assert not _run_together(one, other), f"{one} hides {other}"
    return edges


def _source(
    line: DrawnLine, boxes: Sequence[Area], lines: Sequence[DrawnLine], seen: frozenset[int]
) -> int:
    """The box at which a line begins, or the line on which it begins."""
    start = line.points[0]
    at = _boxes_at(start, boxes)
    if not at:
        for number, other in enumerate(lines):
            on_it = any(piece.holds(start) for piece in other.pieces)
            if number not in seen and on_it and not _near(start, other.points[0]):
                at.add(_source(other, boxes, lines, seen | {number}))
    assert len(at) == 1, f"{line} begins at {len(at)} boxes: {at}"
    return at.pop()


def _boxes_at(point: Point, boxes: Iterable[Area]) -> set[int]:
    return {number for number, box in enumerate(boxes) if box.holds(point)}


def _near(one: Point, other: Point) -> bool:
    return Area(*one, *one).holds(other)


def _run_together(one: DrawnLine, other: DrawnLine) -> bool:
    """Whether two lines share more than a crossing."""
    if not one.area.wider(NEAR).meets(other.area.wider(NEAR), 0):
        return False
    for piece in one.pieces:
        for beside in other.pieces:
            shared = piece.wider(NEAR / 2), beside.wider(NEAR / 2)
            width = min(a.right for a in shared) - max(a.left for a in shared)
            height = min(a.bottom for a in shared) - max(a.top for a in shared)
            if min(width, height) > 0 and max(width, height) > 4 * NEAR:
                return True
    return False


def box_area(left: float, middle: float, width: float) -> Area:
    return Area(left, middle - ROW / 2, left + width, middle + ROW / 2)


def page_boxes(page: Page) -> list[Area]:
    """The boxes of a page, in order."""
    return [box_area(box.x, box.y, sum(map(cell_width, box.box))) for box in page.boxes]


def page_edges(page: Page) -> set[Edge]:
    """The edges that a page shows."""
    return drawn_edges(
        page_boxes(page), [DrawnLine(line.points, line.arrow) for line in page.lines]
    )


def dot_edges(graph: pydot.Dot) -> set[Edge]:
    """The edges between boxes in DOT text; forks stand for the box that leads to them."""
    leads = {target: source for source, target in _ends(graph)}

    def box(name: str) -> int:
        while not name.startswith("b"):
            name = leads[name]
        return int(name.removeprefix("b"))

    return {(box(a), box(b)) for a, b in _ends(graph) if b.startswith("b")}


# What is there ----------------------------------------------------------------------------------


def sketch_edges(*sketches: Sketch) -> set[Edge]:
    """The edges between the boxes of sketches, numbered in order."""
    first = 0
    edges: set[Edge] = set()
    for sketch in sketches:
        starts: dict[int, int] = {}
        for panel in _panels(sketch):
            edges |= {(first + edge.source, first + edge.target) for edge in panel.edges}
            edges |= {(starts[port.skip], first + port.box) for port in panel.inlets}
            starts |= {port.skip: first + port.box for port in panel.outlets}
            first += len(panel.boxes)
    assert all(source > ENTRY for source, _ in edges), "a line from before the first box"
    return edges


def folded_edges(edges: Iterable[Edge], sketch: Sketch) -> set[Edge]:
    """Edges between all boxes, as edges between those of a folded sketch."""
    stands_for: list[int] = []
    again: set[Edge] = set()  # from the end of a repeated panel to its beginning
    first = 0
    for panel in _panels(sketch):
        last = first + len(panel.boxes) - 1
        stands_for += [*range(first, last + 1)] * panel.repeats
        if panel.repeats > 1:
            again |= {(last, first + edge.target) for edge in panel.edges if edge.source == ENTRY}
        first = last + 1
    return {(stands_for[source], stands_for[target]) for source, target in edges} - again


def section_edges(sketch: Sketch) -> set[Edge]:
    """The edges between the sections of a sketch."""
    section_of = [
        number
        for number, section in enumerate(sketch.sections)
        for panel in section.panels
        for _ in panel.boxes
    ]
    pairs = ((section_of[source], section_of[target]) for source, target in sketch_edges(sketch))
    return {(source, target) for source, target in pairs if source != target}


def _panels(sketch: Sketch) -> Iterator[Any]:
    return (panel for section in sketch.sections for panel in section.panels)


def sketched(model: keras.Model) -> tuple[Sketch, set[Edge]]:
    """The sketch of a model, and the edges of the model's graph between its boxes."""
    made: list[tuple[Any, int, Any]] = []
    original = of_model._layer

    def recorded(read: Any, number: int, *known: Any) -> Any:
        made.append((read.graph, number, original(read, number, *known)))
        return made[-1][-1]

    with patch.object(of_model, "_layer", recorded):
        sketch = sketch_model(model)
    graph = made[0][0]
    node_of = {id(layer): number for _, number, layer in made}
    layers = [box for panel in _panels(sketch) for box in panel.layers]
    box_of = {node_of[id(layer)]: box for box, of_box in enumerate(layers) for layer in of_box}

    def shown(node: int) -> int:
        """The box of a node; of one that is not drawn, that of its input."""
        return box_of[node] if node in box_of else shown(graph[node].inputs[0])

    pairs = {(shown(source), box_of[node]) for node in box_of for source in graph[node].inputs}
    return sketch, {(source, target) for source, target in pairs if source != target}


def model_edges(model: keras.Model) -> list[Edge]:
    """The edges between the layers of a model, one for each tensor."""
    graph = read_model(model).graph
    return [(source, number) for number, node in enumerate(graph) for source in node.inputs]


# Checks -----------------------------------------------------------------------------------------


def checked_sketch(model: keras.Model) -> Sketch:
    """The sketch of a model, with the edges of the model's graph."""
    sketch, edges = sketched(model)
    assert sketch_edges(sketch) == edges
    return sketch


def checked_fold(sketch: Sketch) -> Sketch:
    """A folded sketch, with the edges of the whole one."""
    fewer = folded(sketch)
    assert sketch_edges(fewer) == folded_edges(sketch_edges(sketch), fewer)
    return fewer


def checked_page(sketches: list[Sketch], *arguments: Any, **options: Any) -> Page:
    """The page of one or several sketches, with their edges."""
    page = lay_out_page(sketches, *arguments, **options)
    assert page_edges(page) == sketch_edges(*sketches)
    return page


def checked_drawing(page: Page) -> pydot.Dot:
    """The DOT graph of a page, with the edges of the page."""
    graph = draw_page(page)
    assert dot_edges(graph) == page_edges(page)
    return graph


def checked_stages(sketch: Sketch, direction: str) -> pydot.Dot:
    """The DOT graph of cards, with the edges between the sections."""
    graph = draw_stages(sketch, direction)
    assert _numbered_edges(graph) == sorted(section_edges(sketch))
    return graph


def checked_layers(model: keras.Model, direction: str, **options: Any) -> pydot.Dot:
    """The DOT graph of layers, with the edges between them."""
    graph = draw_layers(model, direction, **options)
    assert _numbered_edges(graph) == sorted(model_edges(model))
    return graph


def _numbered_edges(graph: pydot.Dot) -> list[Edge]:
    """The edges between nodes such as s2, by number, in order."""
    return sorted((int(source[1:]), int(target[1:])) for source, target in _ends(graph))


def _ends(graph: pydot.Dot) -> list[tuple[str, str]]:
    return [(str(edge.get_source()), str(edge.get_destination())) for edge in graph.get_edges()]
