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

from resnet_builder.pictures.page.measures import ROW, cell_width
from resnet_builder.pictures.page.page import Page
from resnet_builder.pictures.sketch import of_model
from resnet_builder.pictures.sketch.sketch import ENTRY, Sketch

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
        return [
            Area(*map(min, zip(one, other, strict=True)), *map(max, zip(one, other, strict=True)))
            for one, other in pairwise(self.points)
        ]


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
            assert not any(box.meets(p.wider(NEAR), 2.5 * NEAR) for p in line.pieces), (
                f"{line} passes through box {number}, {box}"
            )
    for (one, a, to), (other, b, into) in combinations(zip(lines, sources, targets, strict=True), 2):
        assert a == b or to & into or not _run_together(one, other), f"{one} hides {other}"
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
    assert len(at) == 1, f"{line} begins at {len(at)} boxes"
    return at.pop()


def _boxes_at(point: Point, boxes: Iterable[Area]) -> set[int]:
    return {number for number, box in enumerate(boxes) if box.holds(point)}


def _near(one: Point, other: Point) -> bool:
    return Area(*one, *one).holds(other)


def _run_together(one: DrawnLine, other: DrawnLine) -> bool:
    """Whether two lines share more than a crossing."""
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


def page_edges(page: Page) -> set[Edge]:
    """The edges of a page; its lines also say in words from where to where they lead."""
    boxes = [box_area(b.x, b.y, sum(map(cell_width, b.box))) for b in page.boxes]
    assert [box.name.number for box in page.boxes] == list(range(len(boxes)))
    return drawn_edges(boxes, [DrawnLine(line.points, line.arrow) for line in page.lines])


def dot_edges(graph: pydot.Dot) -> set[Edge]:
    """The edges between boxes in DOT text; forks stand for the box that leads to them."""
    leads = {e.get_destination(): e.get_source() for e in graph.get_edges()}

    def box(name: str) -> int:
        while not name.startswith("b"):
            name = leads[name]
        return int(name.removeprefix("b"))

    return {
        (box(edge.get_source()), box(edge.get_destination()))
        for edge in graph.get_edges()
        if edge.get_destination().startswith("b")
    }


# What is there ----------------------------------------------------------------------------------


def sketch_edges(sketch: Sketch) -> set[Edge]:
    """The edges between the boxes of a sketch, numbered in order."""
    first = 0
    edges: set[Edge] = set()
    starts: dict[int, int] = {}
    for panel in _panels(sketch):
        edges |= {(first + edge.source, first + edge.target) for edge in panel.edges}
        edges |= {(starts[port.skip], first + port.box) for port in panel.inlets}
        starts |= {port.skip: first + port.box for port in panel.outlets}
        first += len(panel.boxes)
    assert all(source > ENTRY for source, _ in edges), "a line from before the first box"
    return edges


def folded_edges(edges: Iterable[Edge], folded: Sketch) -> set[Edge]:
    """Edges between all boxes, as edges between those of a folded sketch."""
    stands_for: list[int] = []
    again: set[Edge] = set()  # from the end of a repeated panel to its beginning
    first = 0
    for panel in _panels(folded):
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

    def recorded(read: Any, number: int) -> Any:
        made.append((read.graph, number, original(read, number)))
        return made[-1][-1]

    with patch.object(of_model, "_layer", recorded):
        sketch = of_model.sketch_model(model)
    graph = made[0][0]
    node_of = {id(layer): number for _, number, layer in made}
    layers = [box for panel in _panels(sketch) for box in panel.layers]
    box_of = {node_of[id(layer)]: box for box, of_box in enumerate(layers) for layer in of_box}

    def shown(node: int) -> int:
        """The box of a node; of one that is not drawn, that of its input."""
        return box_of[node] if node in box_of else shown(graph[node].inputs[0])

    pairs = {
        (shown(source), box_of[node])
        for node in box_of
        for source in graph[node].inputs
    }
    return sketch, {(source, target) for source, target in pairs if source != target}
