"""Parameters and multiply-adds of any Keras model, layer by layer."""

import re
from collections import Counter
from collections.abc import Callable
from math import prod
from typing import Any

import keras
from keras import layers

from .graph import Node, model_graph
from .profiles import Profile, StageProfile, known_sum
from .recursion import room_for

# A shape with its batch; None where a size is unknown.
Shape = tuple[int | None, ...]


def profile_model(model: Any, input_shape: Any = None, classes: int | None = None) -> Profile:
    """What `profile` answers for a Keras model."""
    if not isinstance(model, keras.Model):
        raise TypeError(
            f"profile counts a Keras model, a preset's name or a ResnetConfig, not {model!r}"
        )
    if classes is not None:
        raise TypeError("classes are of a preset or config; a model has its own")
    if input_shape is not None:
        model = _resized(model, tuple(input_shape))
    graph = model_graph(model)
    counts = [_macs(node.layer, node.input_shapes, node.output_shape) for node in graph]
    unknown = [
        node.layer.name for node, macs in zip(graph, counts, strict=True) if macs is UNCOUNTED
    ]
    rows = _rows(graph, [0 if macs is UNCOUNTED else macs for macs in counts])
    return Profile(
        name=model.name,
        input_shape=tuple(model.inputs[0].shape[1:]),
        parameters=sum(prod(weight.shape) for weight in model.trainable_weights),
        total_parameters=model.count_params(),
        macs=known_sum(row.macs for row in rows),
        stages=rows,
        uncounted=tuple(dict.fromkeys(unknown)),
    )


def _resized(model: keras.Model, input_shape: Shape) -> keras.Model:
    """The same layers at another input size; a clone, so that the model itself stays as it is."""
    image = keras.Input(input_shape, dtype=model.inputs[0].dtype)
    with room_for(len(model.layers)):
        resized = keras.models.clone_model(model, input_tensors=image)
    resized.name = model.name
    return resized


# Rows -------------------------------------------------------------------------------------------


def _rows(graph: list[Node], macs: list[int | None]) -> tuple[StageProfile, ...]:
    """Stages by name where the layers are named as this package does, else by size."""
    of_ours = any(re.search(r"stage\d+_block\d+_", node.layer.name) for node in graph)
    key = _stage_name if of_ours else _size_name
    groups: dict[str, list[int]] = {}
    for position, node in enumerate(graph):
        groups.setdefault(key(node), []).append(position)
    rows = [
        _row(name, [graph[n] for n in positions], [macs[n] for n in positions])
        for name, positions in groups.items()
    ]
    return tuple(row for row in rows if row.parameters or row.macs != 0)


def _row(name: str, nodes: list[Node], macs: list[int | None]) -> StageProfile:
    distinct = {id(node.layer): node.layer for node in nodes}.values()
    weighted = [layer for layer in distinct if getattr(layer, "weights", None)]
    kinds = Counter(type(layer).__name__ for layer in weighted)
    return StageProfile(
        name=name,
        output_size=_size(nodes[-1]),
        block=tuple(f"{count} {kind}" for kind, count in kinds.items()),
        repeats=1,
        parameters=sum(
            prod(weight.shape) for layer in weighted for weight in layer.trainable_weights
        ),
        macs=known_sum(macs),
    )


def _stage_name(node: Node) -> str:
    found = re.search(r"(?:^|_)(stem|stage\d+|head)_", node.layer.name)
    if found:
        return found[1]
    return "head" if node.inputs else "stem"


def _size_name(node: Node) -> str:
    size = _size(node)
    return "x".join("?" if side is None else str(side) for side in size) if size else "vectors"


def _size(node: Node) -> tuple[int | None, int | None] | None:
    shape = node.output_shape
    if isinstance(shape, list) or len(shape) != 4:
        return None
    rows, columns = _places(node.layer, shape)
    return rows, columns


# Multiply-adds ----------------------------------------------------------------------------------

UNCOUNTED = object()


def _macs(layer: Any, inputs: list[Shape], output: Any) -> Any:
    """Multiply-adds of one call for one image; None at an unknown size, or UNCOUNTED."""
    for kinds, count in COUNTERS.items():
        if isinstance(layer, kinds):
            return count(layer, inputs, output)
    matrices = [weight for weight in getattr(layer, "weights", ()) if len(weight.shape) > 1]
    return UNCOUNTED if matrices else 0


def _places(layer: Any, shape: Shape) -> Shape:
    """The sizes of a shape without its batch and its channels."""
    first = getattr(layer, "data_format", None) == "channels_first"
    return shape[2:] if first else shape[1:-1]


def _product(*sizes: int | None) -> int | None:
    return None if None in sizes else prod(size for size in sizes if size is not None)


def _kernels(layer: Any) -> int:
    return sum(prod(weight.shape) for weight in layer.weights if len(weight.shape) > 1)


def _at_every_output(layer: Any, inputs: list[Shape], output: Shape) -> int | None:
    return _product(_kernels(layer), *_places(layer, output))


def _at_every_input(layer: Any, inputs: list[Shape], output: Shape) -> int | None:
    return _product(_kernels(layer), *_places(layer, inputs[0]))


def _einsum_dense(layer: Any, inputs: list[Shape], output: Shape) -> int | None:
    """The product of all indices of the equation but the batch's."""
    operand, kernel = layer.equation.split("->")[0].split(",")
    sizes: dict[str, int | None] = dict(zip(kernel, layer.kernel.shape, strict=True))
    before, ellipsis, after = operand.partition("...")
    shape = inputs[0]
    sizes |= zip(before, shape, strict=False)
    if after:
        sizes |= zip(after, shape[-len(after) :], strict=True)
    batch = before[0] if before else ""
    hidden = shape[len(before) or 1 : len(shape) - len(after)] if ellipsis else ()
    return _product(*(size for index, size in sizes.items() if index != batch), *hidden)


def _attention(layer: Any, inputs: list[Shape], output: Shape) -> int | None:
    """Projections of query, key, value and output, and the two products between them."""
    config = layer.get_config()
    query, value = inputs[0], inputs[1]
    key = inputs[2] if len(inputs) > 2 else value
    if "num_query_heads" in config:
        heads, pairs = config["num_query_heads"], config["num_key_value_heads"]
        key_dim = value_dim = config["head_dim"]
    else:
        heads = pairs = config["num_heads"]
        key_dim = config["key_dim"]
        value_dim = config["value_dim"] or key_dim
    out_dim = output[-1]
    axes = config.get("attention_axes") or range(1, len(query) - 1)
    attended = [_product(*(shape[axis] for axis in axes)) for shape in (query, value)]
    beside = [query[axis] for axis in range(1, len(query) - 1) if axis not in tuple(axes)]
    return known_sum(
        [
            _product(*query[1:], heads, key_dim),
            _product(*key[1:], pairs, key_dim),
            _product(*value[1:], pairs, value_dim),
            _product(*query[1:-1], heads, value_dim, out_dim),
            _product(*attended, *beside, heads, key_dim + value_dim),
        ]
    )


def _time_distributed(layer: Any, inputs: list[Shape], output: Shape) -> Any:
    inner = [(shape[0], *shape[2:]) for shape in inputs]
    macs = _macs(layer.layer, inner, (output[0], *output[2:]))
    return macs if macs is UNCOUNTED else _product(macs, inputs[0][1])


def _nested(layer: Any, inputs: list[Shape], output: Any) -> int | None:
    return profile_model(layer, inputs[0][1:] if len(inputs) == 1 else None).macs


COUNTERS: dict[Any, Callable[[Any, list[Shape], Any], Any]] = {
    keras.Model: _nested,
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
    layers.TimeDistributed: _time_distributed,
    # Weights that are looked up or multiplied place by place.
    (layers.Embedding, layers.PReLU, layers.Normalization): lambda layer, inputs, output: 0,
}
