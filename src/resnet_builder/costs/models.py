"""Parameters and multiply-adds of any Keras model, layer by layer."""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from math import prod
from typing import Any

import keras

from ..common.shapes import known_product
from ..model.graph import PERMUTED, BatchShape, Node, calls_of, functional, model_graph
from ..model.keras_limits import room_for, without_tensorflow
from ..model.locate import Way, check_source, end_of, ways_to_networks
from ..model.record import RECORDS
from ..model.sections import LayerSection, Size, in_sections
from ..plan.names import Place
from .activations import NO_VIEW
from .multiply_adds import multiply_adds
from .profile import Cost, PlannedRow, Profile, StageProfile, planned_rows, total_cost


def profile_model(
    model: keras.Model, input_shape: Any = None, classes: int | None = None
) -> Profile:
    """The profile of a Keras model."""
    check_source(model)
    if classes is not None:
        raise TypeError("classes is for a preset or config; a model has its own")
    planned = _planned_rows(model)  # of the model itself: the layers of a clone have no record
    if input_shape is not None:
        model = _resized(model, input_shape)
    return profile_reading(read_model(model), planned)


def _resized(model: keras.Model, *input_shapes: Any) -> keras.Model:
    """The same layers at other input sizes: a clone, so that the model itself is unchanged."""
    inputs, given = functional(model).inputs, [tuple(shape) for shape in input_shapes]
    if given == [tuple(image.shape[1:]) for image in inputs]:
        return model
    if len(inputs) != 1:
        raise ValueError(f"{model.name!r} has {len(inputs)} inputs: input_shape needs one")
    image = keras.Input(*given, dtype=inputs[0].dtype)
    with room_for(len(model.layers)), without_tensorflow():
        resized = keras.models.clone_model(model, input_tensors=image)
    resized.name = model.name
    return resized


# The reading of a model -------------------------------------------------------------------------


@dataclass(frozen=True)
class ModelReading:
    """A model as data: the nodes of its graph, and what is known of each.

    Attributes:
        model: the model.
        graph: the nodes, in the order of the sections.
        places: place of each node in a network of this package.
        sections: section of each node.
        costs: cost of each node; the weights of a shared layer count at its first call.
        has_network: whether the model contains a network of this package.
    """

    model: keras.Model
    graph: list[Node]
    places: list[Place]
    sections: list[LayerSection]
    costs: list[Cost]
    has_network: bool


def read_model(model: keras.Model) -> ModelReading:
    """Read a functional or sequential model; errors as in `model_graph`.

    The only network that is a layer of the model is opened: its layers are in the graph.
    """
    way = _open_way(model) or ()
    names = {layer.name for layer in way}
    graph = model_graph(
        model, lambda layer, shapes: _at_shapes(layer, shapes) if layer.name in names else None
    )
    layers = end_of(model, way).layers
    graph, places, sections, has_network = in_sections(graph, _sizes(graph), layers)
    return ModelReading(model, graph, places, sections, [*_node_costs(graph)], has_network)


def _open_way(model: keras.Model) -> Way | None:
    """The way to the only model that has networks; None if it is not called exactly once."""
    ways = ways_to_networks(model)
    if len(ways) != 1:
        return None
    for layer in ways[0]:
        calls = [call.operation for call in calls_of(model)].count(layer)
        if calls != 1 or not isinstance(layer, keras.Model):
            return None
        model = layer
    return ways[0]


def _at_shapes(model: keras.Layer, shapes: list[BatchShape]) -> keras.Model | None:
    """A model inside a model with the input shapes of its call, if it can have these."""
    if not isinstance(model, keras.Model):
        return None
    try:
        return _resized(model, *(shape[1:] for shape in shapes))
    except (TypeError, ValueError, AttributeError):
        return None  # no graph, or layers that cannot be cloned


def _sizes(graph: list[Node]) -> list[Size | None]:
    """The size of every node's output, with the order of axes of convolutions and permutations."""
    known = {node.layer.data_format for node in graph if hasattr(node.layer, "kernel_size")}
    orders = ["channels_first" if "channels_first" in known else "channels_last"] * len(graph)
    for position, node in enumerate(graph):
        if converts := PERMUTED.get(getattr(node.layer, "dims", None)):
            [source] = node.inputs
            orders[source], orders[position] = converts
    return [
        _image_size(node.output_shape, order) for node, order in zip(graph, orders, strict=True)
    ]


def _image_size(shape: Any, order: str) -> Size | None:
    if isinstance(shape, list) or len(shape) != 4:
        return None
    rows, columns = shape[2:] if order == "channels_first" else shape[1:3]
    return rows, columns


def _node_costs(graph: list[Node]) -> Iterator[Cost]:
    seen: set[int] = set()
    for node in graph:
        cost = _call_cost(node.layer, node.input_shapes, node.output_shape)
        yield cost if id(node.layer) in seen else _with_weights(cost, node.layer)
        seen.add(id(node.layer))


def _with_weights(cost: Cost, layer: keras.Operation) -> Cost:
    """A cost with the weights of a layer or a model; an operation has none."""
    trained, every = (
        sum(prod(weight.shape) for weight in getattr(layer, kind, ()))
        for kind in ("trainable_weights", "weights")
    )
    return cost._replace(parameters=trained, total_parameters=every)


def _call_cost(layer: keras.Layer, inputs: list[BatchShape], output: Any) -> Cost:
    """The multiply-adds of one call of a layer or of a nested model."""
    if isinstance(layer, keras.Model):
        try:
            counts = profile_model(layer, inputs[0][1:] if len(inputs) == 1 else None)
        except (TypeError, ValueError, AttributeError):
            # No graph, or layers that cannot be cloned at this size.
            return Cost(uncounted=(layer.name,))
        return Cost(macs=counts.macs, uncounted=counts.uncounted)
    if isinstance(layer, keras.layers.TimeDistributed):
        inner = [(shape[0], *shape[2:]) for shape in inputs]
        cost = _call_cost(layer.layer, inner, (output[0], *output[2:]))
        return cost._replace(macs=known_product(cost.macs, inputs[0][1]))
    return multiply_adds(layer, inputs, output)


# Rows -------------------------------------------------------------------------------------------


def _planned_rows(model: keras.Model) -> dict[str, PlannedRow]:
    """The planned row of each layer of a model's networks, by the layer's name."""
    way = _open_way(model)
    if way is None:
        return {}
    layers = end_of(model, way).layers
    built = {layer.name: record for layer in layers if (record := RECORDS.get(layer))}
    rows = dict[str, PlannedRow]()
    for record in {id(record): record for record in built.values()}.values():
        prefix, plan = record.options["layer_prefix"], record.plan()
        if plan.is_known:
            own = {name.removeprefix(prefix) for name, found in built.items() if found is record}
            for row in planned_rows(plan, own):
                rows |= dict.fromkeys((prefix + layer.name for layer in row.layers), row)
    return rows


def profile_reading(read: ModelReading, planned: Mapping[str, PlannedRow] = {}) -> Profile:
    """The profile of a model that has been read, with the planned rows of its layers."""
    model = read.model
    cost = _with_weights(total_cost(read.costs), model)
    stages = tuple(row for row in _section_rows(read, planned) if row.block or row.macs != 0)
    return Profile(model.name, tuple(model.inputs[0].shape[1:]), stages=stages, **cost._asdict())


def _section_rows(read: ModelReading, planned: Mapping[str, PlannedRow]) -> Iterator[StageProfile]:
    sizes = _sizes(read.graph)
    sections: dict[LayerSection, list[int]] = {}
    for node, section in enumerate(read.sections):
        sections.setdefault(section, []).append(node)
    seen: set[int] = set()
    for section, nodes in sections.items():
        weighted = {
            id(layer): layer
            for layer in (read.graph[node].layer for node in nodes)
            if getattr(layer, "weights", None) and id(layer) not in seen
        }
        seen |= weighted.keys()
        kinds = Counter(type(layer).__name__ for layer in weighted.values())
        block, repeats = tuple(f"{count} {kind}" for kind, count in kinds.items()), 1
        size, view = sizes[nodes[-1]], NO_VIEW
        computed = (read.graph[node].layer for node in nodes if read.graph[node].inputs)
        rows = [row for layer in computed if (row := planned.get(layer.name))]
        # A row describes a section if all layers with weights are in its lines.
        of_weights = (planned.get(layer.name) for layer in weighted.values())
        if rows and rows[0].lines and all(row is rows[0] for row in of_weights):
            block, repeats, size = rows[0].lines, rows[0].repeats, size or (1, 1)
            view = rows[0].view
        cost = total_cost(read.costs[node] for node in nodes)
        yield StageProfile(section.name, size, block, repeats, *cost[:3], *view)
