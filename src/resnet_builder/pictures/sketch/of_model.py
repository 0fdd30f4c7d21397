"""Any Keras model as a sketch for a picture: boxes gathered into panels and sections."""

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import groupby, takewhile
from typing import Any

import keras

from ...common.shapes import Shape
from ...costs.models import ModelReading, profile_reading, read_model
from ...plan.names import Place, read_names
from .boxes import LayerBox, gather
from .panels import PanelMaker, join, shortcut_role
from .sketch import ENTRY, Edge, Panel, Section, Sketch


def sketch_model(model: keras.Model) -> Sketch:
    """Sketch a model: sections by this package's layer names, or by size for other models."""
    read = read_model(model)
    counts = profile_reading(read)
    shapes = tuple(tuple(tensor.shape[1:]) for tensor in model.inputs)
    sections = _with_input(list(_sections(read)))
    return Sketch(model.name, shapes, counts.parameters, counts.macs, sections)


def _sections(read: ModelReading) -> Iterator[Section]:
    """Yield consecutive segments of one name or size; layers that are not drawn have no costs."""
    layers = [_layer(read, number) for number in range(len(read.graph))]
    boxes = gather(read.graph, read.places)
    own = read_names(node.layer.name for node in read.graph)
    others = ["" if node.layer.name in own else node.layer.name for node in read.graph]
    for _, group in groupby(
        _segments(boxes), lambda segment: read.sections[boxes[segment[-1]].nodes[-1]]
    ):
        segments = list(group)
        nodes = [node for segment in segments for box in segment for node in boxes[box].nodes]
        cost, shape = read.cost_of(nodes), read.graph[nodes[-1]].output_shape
        yield Section(
            name=read.places[nodes[-1]].part,
            output_shape=_shape_of_one(shape),
            parameters=cost.parameters,
            macs=cost.macs,
            panels=tuple(_panels(segments, boxes, layers, read.places, others)),
        )


@dataclass(frozen=True)
class ModelLayer:
    """A call of a Keras layer, with what a plan's layer has."""

    name: str
    output_shape: Shape | None
    weights: dict[str, tuple[int, ...]]
    parameters: int
    macs: int | None


def _layer(read: ModelReading, number: int) -> ModelLayer:
    node, cost = read.graph[number], read.costs[number]
    name = node.layer.name
    weights = {
        weight.path.removeprefix(f"{name}/"): tuple(weight.shape)
        for weight in getattr(node.layer, "weights", ())
    }
    return ModelLayer(name, _shape_of_one(node.output_shape), weights, cost.parameters, cost.macs)


def _shape_of_one(shape: Any) -> Shape | None:
    """The shape without the batch; None for several shapes."""
    return None if isinstance(shape, list) else shape[1:]


def _with_input(sections: list[Section]) -> tuple[Section, ...]:
    """Move an input without other layers into the next section."""
    first, *rest = sections
    if not rest or first.parameters or first.macs or len(first.panels) > 1:
        return tuple(sections)
    return replace(rest[0], panels=(*first.panels, *rest[0].panels)), *rest[1:]


# Segments ---------------------------------------------------------------------------------------


def _segments(boxes: list[LayerBox]) -> Iterator[range]:
    """Yield ranges of boxes, each ending in a box that every path through the model passes."""
    # The last box that each one feeds.
    last_fed = [number + 1 for number in range(len(boxes))]
    fed = {source for box in boxes for source in box.inputs}
    for number, box in enumerate(boxes):
        for source in box.inputs:
            last_fed[source] = max(last_fed[source], number)
        if number not in fed:
            last_fed[number] = len(boxes)
    last_source = max(number for number, box in enumerate(boxes) if not box.inputs)
    furthest = last_source
    start = 0
    for number in range(len(boxes)):
        if furthest <= number or number == len(boxes) - 1:
            yield range(start, number + 1)
            start = number + 1
        furthest = max(furthest, last_fed[number])


# Panels ------------------------------------------------------------------------------------------


def _panels(
    segments: list[range],
    boxes: list[LayerBox],
    layers: list[ModelLayer],
    where: list[Place],
    names: list[str],
) -> Iterator[Panel]:
    """Yield a panel for every block, and for every other segment."""

    def nodes(segment: range) -> list[int]:
        return [node for number in segment for node in boxes[number].nodes]

    def block(segment: range) -> str:
        return next(filter(None, (where[node].in_stage for node in nodes(segment))), "")

    for name, of_block in groupby(segments, block):
        group = list(of_block)
        if name:
            yield join([_panel(segment, boxes, layers, name) for segment in group])
            continue
        shared: list[Panel] = []  # batch norm and activation at the start of a block
        for segment in group:
            name = _common_name(names[node] for node in nodes(segment))
            panel = _panel(segment, boxes, layers, name)
            if shared and len(segment) > 1:
                panel = replace(join([*shared, panel]), names=panel.names)
            else:
                yield from shared
            shared = [panel] if _prepares(panel) else []
            if not shared:
                yield panel
        yield from shared


def _prepares(panel: Panel) -> bool:
    """Whether a panel is only batch norm and activation."""
    return {cell.kind for box in panel.boxes for cell in box} <= {"norm", "activation"}


def _common_name(names: Iterable[str]) -> str:
    """The common beginning of the names of a block's layers, if it is a name: conv2_block1."""
    names = list(names)
    alike = takewhile(lambda letters: len(set(letters)) == 1, zip(*names, strict=False))
    prefix = "".join(letters[0] for letters in alike) if len(names) > 1 else ""
    found = re.match(r"(.*[A-Za-z].*\d.*)[_/.]", prefix)
    return found[1] if found else ""


def _panel(segment: range, boxes: list[LayerBox], layers: list[ModelLayer], name: str) -> Panel:
    maker = PanelMaker()
    for number in segment:
        box = boxes[number]
        sources = [max(source - segment[0], ENTRY) for source in box.inputs]
        maker.box(box.cells, sources, layers=[layers[node] for node in box.nodes])
    return _with_shortcuts(maker.panel(name))


def _with_shortcuts(panel: Panel) -> Panel:
    """Give the shorter of the two paths to each sum the role of a shortcut."""

    def effort(path: list[Edge]) -> tuple[int, int]:
        """The number of convolutions, then of edges."""
        kinds = [cell.kind for edge in path[:-1] for cell in panel.boxes[edge.target]]
        return kinds.count("conv"), len(path)

    roles: dict[Edge, str] = {}
    for paths in _paths_to_sums(panel):
        short, long = sorted(paths, key=effort)
        if effort(short) < effort(long):
            role = shortcut_role(panel.boxes[edge.target] for edge in short[:-1])
            roles |= dict.fromkeys(short, role)
    marked = (replace(edge, role=roles.get(edge, "")) for edge in panel.edges)
    return replace(panel, edges=tuple(marked))


def _paths_to_sums(panel: Panel) -> Iterator[list[list[Edge]]]:
    """Yield, for every sum of two tensors, the two chains of edges that end in it."""
    into: defaultdict[int, list[Edge]] = defaultdict(list)
    out_of: defaultdict[int, list[Edge]] = defaultdict(list)
    for edge in panel.edges:
        into[edge.target].append(edge)
        out_of[edge.source].append(edge)

    def path_to(edge: Edge) -> list[Edge]:
        path = [edge]
        while len(out_of[path[0].source]) == len(into[path[0].source]) == 1:
            path.insert(0, into[path[0].source][0])
        return path

    for box, (first, *_) in enumerate(panel.boxes):
        if (first.kind, first.description.noun) == ("merge", "+") and len(into[box]) == 2:
            yield [path_to(edge) for edge in into[box]]
