"""Parameters and multiply-adds of any Keras model, layer by layer."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from math import prod
from typing import Any

import keras
from keras import layers

from ..common.recursion import room_for
from ..common.shapes import known_product
from ..model.graph import PERMUTED, Node, model_graph
from ..model.network import places
from .report import Profile, StageProfile, known_sum

# A shape with the batch; None for an unknown size.
BatchShape = tuple[int | None, ...]


@dataclass(frozen=True)
class Cost:
    """Multiply-adds for one image, None for an unknown size, and the layers not counted."""

    macs: int | None = 0
    uncounted: tuple[str, ...] = ()


def profile_model(model: Any, input_shape: Any = None, classes: int | None = None) -> Profile:
    """The profile of a Keras model."""
    if not isinstance(model, keras.Model):
        raise TypeError(
            f"profile counts a Keras model, a preset's name or a ResnetConfig, not {model!r}"
        )
    if classes is not None:
        raise TypeError("classes is for a preset or config; a model has its own")
    if input_shape is not None:
        model = _resized(model, input_shape)
    graph = model_graph(model)
    costs = node_costs(graph)
    rows = _rows(graph, costs)
    return Profile(
        name=model.name,
        input_shape=tuple(model.inputs[0].shape[1:]),
        parameters=sum(prod(weight.shape) for weight in model.trainable_weights),
        total_parameters=model.count_params(),
        macs=known_sum(row.macs for row in rows),
        stages=rows,
        uncounted=tuple(dict.fromkeys(name for cost in costs for name in cost.uncounted)),
    )


def _resized(model: keras.Model, input_shape: Any) -> keras.Model:
    """The same layers at another input size: a clone, so that the model itself is unchanged."""
    if len(model.inputs) != 1:
        raise ValueError(f"{model.name!r} has {len(model.inputs)} inputs: input_shape needs one")
    given, own = tuple(input_shape), tuple(model.inputs[0].shape[1:])
    if given == own:
        return model
    image = keras.Input(given, dtype=model.inputs[0].dtype)
    with room_for(len(model.layers)):
        resized = keras.models.clone_model(model, input_tensors=image)
    resized.name = model.name
    return resized


# Rows -------------------------------------------------------------------------------------------


def _rows(graph: list[Node], costs: "list[NodeCost]") -> tuple[StageProfile, ...]:
    names = section_names(graph)
    sizes = spatial_sizes(graph)
    sections: dict[str, list[int]] = {}
    for position, name in enumerate(names):
        sections.setdefault(name, []).append(position)
    seen: set[int] = set()
    rows = []
    for name, positions in sections.items():
        layers = [graph[n].layer for n in positions]
        weighted = {
            id(layer): layer
            for layer in layers
            if getattr(layer, "weights", None) and id(layer) not in seen
        }
        seen |= weighted.keys()
        kinds = Counter(type(layer).__name__ for layer in weighted.values())
        row = StageProfile(
            name=name,
            output_size=sizes[positions[-1]],
            block=tuple(f"{count} {kind}" for kind, count in kinds.items()),
            repeats=1,
            parameters=sum(costs[n].parameters for n in positions),
            macs=known_sum(costs[n].macs for n in positions),
        )
        rows.append(row)
    return tuple(row for row in rows if row.block or row.macs != 0)


def section_names(graph: list[Node]) -> list[str]:
    """The section of every node: part of the network if named as in this package, else the size."""
    return [
        place.part or _size_words(size)
        for place, size in zip(places(graph), spatial_sizes(graph), strict=True)
    ]


def _size_words(size: tuple[int | None, int | None] | None) -> str:
    return "x".join("?" if side is None else str(side) for side in size) if size else "vectors"


def spatial_sizes(graph: list[Node]) -> list[tuple[int | None, int | None] | None]:
    """(rows, columns) of every node's output; None if it is not an image."""
    orders = _axis_orders(graph)
    return [
        _size(node.output_shape, order == "channels_first")
        for node, order in zip(graph, orders, strict=True)
    ]


def _axis_orders(graph: list[Node]) -> list[str]:
    """The order of axes of every node's output, known from convolutions and permutations."""
    known = {node.layer.data_format for node in graph if hasattr(node.layer, "kernel_size")}
    orders = ["channels_first" if "channels_first" in known else "channels_last"] * len(graph)
    for position, node in enumerate(graph):
        if converts := PERMUTED.get(getattr(node.layer, "dims", None)):
            [source] = node.inputs
            orders[source], orders[position] = converts
    return orders


def _size(shape: Any, channels_first: bool) -> tuple[int | None, int | None] | None:
    if isinstance(shape, list) or len(shape) != 4:
        return None
    rows, columns = shape[2:] if channels_first else shape[1:3]
    return rows, columns


@dataclass(frozen=True)
class NodeCost:
    """The cost of one call of a layer; a shared layer's weights count at its first call."""

    parameters: int
    macs: int | None
    uncounted: tuple[str, ...]


def node_costs(graph: list[Node]) -> list[NodeCost]:
    """The cost of every node."""
    seen: set[int] = set()
    costs = []
    for node in graph:
        cost = _cost(node.layer, node.input_shapes, node.output_shape)
        weights = [] if id(node.layer) in seen else getattr(node.layer, "trainable_weights", [])
        seen.add(id(node.layer))
        parameters = sum(prod(weight.shape) for weight in weights)
        costs.append(NodeCost(parameters, cost.macs, cost.uncounted))
    return costs


# Multiply-adds ----------------------------------------------------------------------------------


def _cost(layer: Any, inputs: list[BatchShape], output: Any) -> Cost:
    """The cost of one call of a layer."""
    if isinstance(layer, keras.Model):
        return _nested_cost(layer, inputs)
    if isinstance(layer, layers.TimeDistributed):
        inner = [(shape[0], *shape[2:]) for shape in inputs]
        cost = _cost(layer.layer, inner, (output[0], *output[2:]))
        return Cost(known_product(cost.macs, inputs[0][1]), cost.uncounted)
    for kinds, count in COUNTERS.items():
        if isinstance(layer, kinds):
            return Cost(count(layer, inputs, output))
    multiplies = any(len(weight.shape) > 1 for weight in getattr(layer, "weights", ()))
    if multiplies or type(layer).__name__ in PRODUCTS:
        return Cost(uncounted=(layer.name,))
    return Cost()


def _nested_cost(model: keras.Model, inputs: list[BatchShape]) -> Cost:
    try:
        counts = profile_model(model, inputs[0][1:] if len(inputs) == 1 else None)
    except (TypeError, ValueError, AttributeError):
        # No graph, or layers that cannot be cloned at this size.
        return Cost(uncounted=(model.name,))
    return Cost(counts.macs, counts.uncounted)


def _places(layer: Any, shape: BatchShape) -> BatchShape:
    """The sizes of a shape without its batch and its channels."""
    first = getattr(layer, "data_format", None) == "channels_first"
    return shape[2:] if first else shape[1:-1]


def _kernels(layer: Any) -> int:
    return sum(prod(weight.shape) for weight in layer.weights if len(weight.shape) > 1)


def _at_every_output(layer: Any, inputs: list[BatchShape], output: BatchShape) -> int | None:
    return known_product(_kernels(layer), *_places(layer, output))


def _at_every_input(layer: Any, inputs: list[BatchShape], output: BatchShape) -> int | None:
    return known_product(_kernels(layer), *_places(layer, inputs[0]))


def _einsum_dense(layer: Any, inputs: list[BatchShape], output: BatchShape) -> int | None:
    """The product of all indices of the equation except the batch."""
    operand, kernel = layer.equation.split("->")[0].split(",")
    sizes: dict[str, int | None] = dict(zip(kernel, layer.kernel.shape, strict=True))
    before, ellipsis, after = operand.partition("...")
    shape = inputs[0]
    sizes |= zip(before, shape, strict=False)
    if after:
        sizes |= zip(after, shape[-len(after) :], strict=True)
    batch = before[0] if before else ""
    hidden = shape[len(before) or 1 : len(shape) - len(after)] if ellipsis else ()
    return known_product(*(size for index, size in sizes.items() if index != batch), *hidden)


def _attention(layer: Any, inputs: list[BatchShape], output: Any) -> int | None:
    """Projections of query, key, value and output, and the two products between them."""
    config = layer.get_config()
    query, value = inputs[:2]
    kernels = {
        weight.path.split("/")[-2]: prod(weight.shape)
        for weight in layer.weights
        if weight.name == "kernel"
    }
    heads = config.get("num_heads") or config["num_query_heads"]
    key_dim = config.get("key_dim") or config["head_dim"]
    value_dim = config.get("value_dim") or key_dim
    axes = tuple(config.get("attention_axes") or range(1, len(query) - 1))
    attended = [known_product(*(shape[axis] for axis in axes)) for shape in (query, value)]
    beside = [query[axis] for axis in range(1, len(query) - 1) if axis not in axes]
    return known_sum(
        [
            known_product(*query[1:-1], kernels["query"] + kernels["attention_output"]),
            known_product(*value[1:-1], kernels["key"] + kernels["value"]),
            known_product(*attended, *beside, heads, key_dim + value_dim),
        ]
    )


# Keras layers and operations that multiply without a kernel.
PRODUCTS = {"Attention", "AdditiveAttention", "Dot", "Einsum", "Matmul", "Tensordot", "Inner"}

COUNTERS: dict[Any, Callable[[Any, list[BatchShape], Any], int | None]] = {
    (
        layers.Conv1D,
        layers.Conv2D,
        layers.Conv3D,
        layers.DepthwiseConv1D,
        layers.DepthwiseConv2D,
        layers.SeparableConv1D,
        layers.SeparableConv2D,
    ): _at_every_output,
    (layers.Conv1DTranspose, layers.Conv2DTranspose, layers.Conv3DTranspose): _at_every_input,
    layers.Dense: _at_every_output,
    layers.EinsumDense: _einsum_dense,
    (layers.MultiHeadAttention, layers.GroupQueryAttention): _attention,
    # Weights that are looked up or multiplied place by place.
    (
        layers.Embedding,
        layers.PReLU,
        layers.Normalization,
        layers.LayerNormalization,
    ): lambda layer, inputs, output: 0,
}
