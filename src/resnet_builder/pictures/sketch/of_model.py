"""Any Keras model as a sketch for a picture: boxes gathered into panels and sections."""

import re
from collections import defaultdict
from collections.abc import Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import groupby, takewhile
from math import prod
from typing import Any

import keras

from ...common.shapes import Shape
from ...costs.models import ModelReading, profile_reading, read_model
from ...plan.names import Place, read_names
from .boxes import LayerBox, gather
from .panels import PanelMaker, join, shortcut_role
from .sketch import ENTRY, Edge, Panel, Port, Section, Sketch


def sketch_model(model: keras.Model) -> Sketch:
    """Sketch a model: sections by this package's layer names, and by size for other layers."""
    read = read_model(model)
    counts = profile_reading(read)
    shapes = tuple(tuple(tensor.shape[1:]) for tensor in model.inputs)
    sections = _with_input(_with_resizing(_sections(read)))
    return Sketch(model.name, shapes, counts.parameters, counts.macs, sections)


def _sections(read: ModelReading) -> Iterator[Section]:
    """Yield consecutive segments of one section; layers that are not drawn have no costs."""
    # In models of others a section is what its segments are, and boxes may begin in another.
    groups = list(zip(read.sections, read.places, strict=True)) if read.has_network else read.places
    boxes = gather(read.graph, groups)
    section_of = [read.sections[box.nodes[-1]] for box in boxes]
    segments = list(_segments(boxes, section_of if read.has_network else [None] * len(boxes)))
    drawn = _drawn(read, boxes, segments)
    for section, group in groupby(segments, lambda segment: section_of[segment[-1]]):
        of_section = list(group)
        nodes = [node for segment in of_section for box in segment for node in boxes[box].nodes]
        cost = read.cost_of(nodes)
        outputs = [node for node in nodes if read.graph[node].is_output]
        ends = outputs if len(outputs) > 1 else nodes[-1:]
        yield Section(
            name="" if section.is_size else section.name,
            output_shapes=tuple(_shape_of_one(read.graph[node].output_shape) for node in ends),
            parameters=cost.parameters,
            macs=cost.macs,
            panels=tuple(_panels(of_section, drawn)),
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
    """Move inputs without other layers into the next section."""
    joined: list[Section] = []
    for section in reversed(sections):
        [panel, *others] = section.panels
        costs = section.parameters or section.macs
        alone = len(panel.boxes) == 1 and not (section.name or panel.edges or panel.inlets)
        feeds = alone and joined and joined[-1].panels[0].follows
        if joined and not costs and not others and (section is sections[0] or feeds):
            after = joined.pop()
            section = replace(after, panels=(panel, *after.panels))
        joined.append(section)
    return tuple(reversed(joined))


def _with_resizing(sections: Iterable[Section]) -> list[Section]:
    """Move a single layer that computes nothing, such as an up-sampling, to the section before."""
    joined: list[Section] = []
    for section in sections:
        [*_, panel] = section.panels
        alone = len(section.panels) == len(panel.boxes) == 1 and not (section.name or panel.inlets)
        costs = section.parameters or section.macs
        if joined and alone and panel.follows and not costs:
            before = joined.pop()
            section = replace(
                before,
                panels=(*before.panels, panel),
                output_shapes=section.output_shapes,
            )
        joined.append(section)
    return joined


# Segments ---------------------------------------------------------------------------------------


def _segments(boxes: list[LayerBox], groups: Sequence[Hashable]) -> Iterator[range]:
    """Yield ranges of boxes of one group, each ending in a box that every path there passes."""
    for _, of_group in groupby(range(len(boxes)), groups.__getitem__):
        first, *others = of_group
        yield from _segments_of(boxes, range(first, first + len(others) + 1))


def _segments_of(boxes: list[LayerBox], group: range) -> Iterator[range]:
    inputs = {number: set(boxes[number].inputs) & set(group) for number in group}
    # The last box that each one feeds.
    last_fed = {number: number + 1 for number in group}
    fed = {source for sources in inputs.values() for source in sources}
    for number, sources in inputs.items():
        for source in sources:
            last_fed[source] = max(last_fed[source], number)
        if number not in fed:
            last_fed[number] = group.stop
    # All that begin here, or at the box before, are in the first segment.
    before = group.start - 1
    furthest = max(n for n in group if not inputs[n] or before in boxes[n].inputs)
    start = group.start
    for number in group:
        if furthest <= number or number == group[-1]:
            yield range(start, number + 1)
            start = number + 1
        furthest = max(furthest, last_fed[number])


# Panels ------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Drawn:
    """What the panels are made of.

    `layers`, `places` and `names` are those of nodes; a name is empty if it is one that this
    package gives. Skips begin at the boxes `left`.
    """

    boxes: list[LayerBox]
    layers: list[ModelLayer]
    places: list[Place]
    names: list[str]
    left: set[int]

    def nodes(self, segment: range) -> list[int]:
        return [node for number in segment for node in self.boxes[number].nodes]


def _drawn(read: ModelReading, boxes: list[LayerBox], segments: list[range]) -> _Drawn:
    own = read_names(node.layer.name for node in read.graph)
    return _Drawn(
        boxes,
        layers=[_layer(read, number) for number in range(len(read.graph))],
        places=read.places,
        names=["" if node.layer.name in own else node.layer.name for node in read.graph],
        left={
            source
            for segment in segments
            for number in segment
            for source in boxes[number].inputs
            if _skips(source, segment)
        },
    )


def _skips(source: int, segment: range) -> bool:
    """Whether a box feeds the segment past the last box before it."""
    return source < segment[0] - 1


def _panels(segments: list[range], drawn: _Drawn) -> Iterator[Panel]:
    """Yield a panel for every block, and for every other segment."""

    def block(segment: range) -> str:
        return next(filter(None, (drawn.places[n].in_stage for n in drawn.nodes(segment))), "")

    for name, of_block in groupby(segments, block):
        group = list(of_block)
        if name:
            yield join([_panel(segment, drawn, name) for segment in group])
            continue
        shared: list[Panel] = []  # batch norm and activation at the start of a block
        for segment in group:
            name = _common_name(drawn.names[node] for node in drawn.nodes(segment))
            panel = _panel(segment, drawn, name)
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


def _panel(segment: range, drawn: _Drawn, name: str) -> Panel:
    maker = PanelMaker()
    for number in segment:
        box = drawn.boxes[number]
        sources = [max(s - segment[0], ENTRY) for s in box.inputs if not _skips(s, segment)]
        position = maker.box(box.cells, sources, layers=[drawn.layers[node] for node in box.nodes])
        maker.inlets += [Port(position, s) for s in box.inputs if _skips(s, segment)]
        maker.outlets += [Port(position, number)] if number in drawn.left else []
    return _with_shortcuts(maker.panel(name))


def _with_shortcuts(panel: Panel) -> Panel:
    """Give the shorter of the two paths to each sum the role of a shortcut."""

    def effort(path: list[Edge]) -> tuple[int, int, int]:
        """The number of convolutions, then the size of their windows, then the number of edges."""
        cells = (cell for edge in path[:-1] for cell in panel.boxes[edge.target])
        windows = [prod(cell.description.window) for cell in cells if cell.kind == "conv"]
        return len(windows), sum(windows), len(path)

    roles: dict[Edge, str] = {}
    for paths in _paths_to_sums(panel):
        short, long = sorted(paths, key=effort)
        if effort(short) < effort(long):
            role = shortcut_role(panel.boxes[edge.target] for edge in short[:-1])
            roles |= dict.fromkeys(short, role)
    marked = (replace(edge, role=roles.get(edge, "")) for edge in panel.edges)
    return replace(panel, edges=tuple(marked))


def _paths_to_sums(panel: Panel) -> Iterator[list[list[Edge]]]:
    """Yield, for every sum of two tensors, the two chains of edges that end in it.

    A chain that begins at a skip, as a lateral convolution of a feature pyramid, is no shortcut.
    """
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
            paths = [path_to(edge) for edge in into[box]]
            if all(path[0].source == ENTRY or into[path[0].source] for path in paths):
                yield paths
