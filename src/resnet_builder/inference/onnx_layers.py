"""A table from layers and operations of Keras to nodes of ONNX.

The graph of a Keras model is translated here, layer by layer, because no other way is right for all
networks: on TensorFlow Keras exports by tf2onnx, which cannot write grouped convolutions, and on
PyTorch it exports fixed sizes. What is missing in the table is refused by the layer's name.
"""

from collections.abc import Callable, Sequence
from functools import partial
from math import ceil

import keras
import numpy as np
from keras import activations, layers

from .formats import Array
from .onnx_graph import Attribute, Call, Graph, Value, Writer

# From a value to what an activation makes of it.
Activate = Callable[[Graph, Value], Value]


# Activations --------------------------------------------------------------------------------------


def _one(kind: str, *constants: float, **attributes: Attribute) -> Activate:
    """An activation that is one node, with constants as its further inputs."""

    def activate(graph: Graph, x: Value) -> Value:
        numbers = (np.float32(number) for number in constants)
        return Value(graph.node(kind, x.name, *numbers, **attributes), x.moved)

    return activate


def _silu(graph: Graph, x: Value) -> Value:
    return Value(graph.node("Mul", x.name, graph.node("Sigmoid", x.name)), x.moved)


def _mish(graph: Graph, x: Value) -> Value:
    gate = graph.node("Tanh", graph.node("Softplus", x.name))
    return Value(graph.node("Mul", x.name, gate), x.moved)


def _gelu(graph: Graph, x: Value, approximate: bool = False) -> Value:
    """arXiv:1606.08415, exact or with its tanh."""
    number, half = np.float32, graph.node("Mul", x.name, np.float32(0.5))
    if approximate:
        cube = graph.node("Mul", graph.node("Pow", x.name, number(3)), number(0.044715))
        sum_ = graph.node("Add", x.name, cube)
        bent = graph.node("Tanh", graph.node("Mul", sum_, number(np.sqrt(2 / np.pi))))
    else:
        bent = graph.node("Erf", graph.node("Mul", x.name, number(np.sqrt(0.5))))
    return Value(graph.node("Mul", half, graph.node("Add", bent, number(1))), x.moved)


def _softmax(graph: Graph, x: Value, axis: int = -1, kind: str = "Softmax") -> Value:
    return Value(graph.node(kind, x.name, axis=x.axis(axis)), x.moved)


def _same(graph: Graph, x: Value) -> Value:
    return x


ACTIVATIONS: dict[object, Activate] = {
    activations.linear: _same,
    activations.relu: _one("Relu"),
    activations.relu6: _one("Clip", 0, 6),
    activations.leaky_relu: _one("LeakyRelu", alpha=0.2),
    activations.sigmoid: _one("Sigmoid"),
    activations.hard_sigmoid: _one("HardSigmoid", alpha=1 / 6, beta=0.5),
    activations.silu: _silu,
    activations.hard_silu: _one("HardSwish"),
    activations.mish: _mish,
    activations.gelu: _gelu,
    activations.tanh: _one("Tanh"),
    activations.elu: _one("Elu"),
    activations.selu: _one("Selu"),
    activations.softplus: _one("Softplus"),
    activations.softsign: _one("Softsign"),
    activations.exponential: _one("Exp"),
    activations.softmax: _softmax,
    activations.log_softmax: partial(_softmax, kind="LogSoftmax"),
}


def _activated(graph: Graph, call: Call, x: Value) -> Value:
    """What the activation of a layer makes of what the layer has computed."""
    function = call.operation.activation
    if function not in ACTIVATIONS:
        name = getattr(function, "__name__", function)
        raise call.refuse(f"its activation {name} is none of Keras's")
    shaped = Value(x.name, x.moved, tuple(call.output.shape), x.dtype)
    return ACTIVATIONS[function](graph, shaped)


def _activation(graph: Graph, call: Call) -> Value:
    return _activated(graph, call, call.inputs[0])


def _of(activate: Activate) -> Writer:
    """A layer or an operation that is an activation without settings."""
    return lambda graph, call: activate(graph, call.inputs[0])


def _relu(graph: Graph, call: Call) -> Value:
    """A ReLU layer or operation, with a slope and a limit."""
    layer, [x] = call.operation, call.inputs
    slope = getattr(layer, "negative_slope", 0) or 0
    most = getattr(layer, "max_value", None)
    if getattr(layer, "threshold", 0):
        raise call.refuse("it has a threshold")
    if slope and most is not None:
        raise call.refuse("it has a slope and a largest value")
    if most is not None:
        return _one("Clip", 0, most)(graph, x)
    return (_one("LeakyRelu", alpha=float(slope)) if slope else _one("Relu"))(graph, x)


def _prelu(graph: Graph, call: Call) -> Value:
    [x] = call.inputs
    slope = keras.ops.convert_to_numpy(call.operation.alpha)[np.newaxis]
    slope = np.moveaxis(slope, -1, 1) if x.moved else slope
    return Value(graph.node("PRelu", x.name, slope), x.moved)


def _softmax_of(graph: Graph, call: Call) -> Value:
    [x], axis = call.inputs, call.operation.axis
    if isinstance(axis, int):
        return _softmax(graph, x, axis)
    axes = np.array([x.axis(one) for one in axis], "int64")
    powers = graph.node("Exp", graph.node("Sub", x.name, graph.node("ReduceMax", x.name, axes)))
    return Value(graph.node("Div", powers, graph.node("ReduceSum", powers, axes)), x.moved)


# Convolutions and pools ---------------------------------------------------------------------------


def _is_last(layer: keras.Layer) -> bool:
    return bool(layer.data_format == "channels_last")


def _padding(
    call: Call, kernel: Sequence[int], strides: Sequence[int], dilations: Sequence[int] = ()
) -> dict[str, Attribute]:
    """The padding of a layer as attributes, in explicit numbers where the size is known."""
    layer, [x] = call.operation, call.inputs
    sizes = x.shape[1:-1] if _is_last(layer) else x.shape[2:]
    reaches = [
        (size - 1) * step + 1
        for size, step in zip(kernel, dilations or [1] * len(kernel), strict=True)
    ]
    if layer.padding == "valid":
        return {}
    if layer.padding == "causal":
        return {"pads": [reaches[0] - 1, 0]}
    totals = []
    for size, reach, stride in zip(sizes, reaches, strides, strict=True):
        if stride == 1 or reach == 1:
            totals.append(reach - 1)
        elif size is None:
            return {"auto_pad": "SAME_UPPER"}
        else:
            totals.append(max((ceil(size / stride) - 1) * stride + reach - size, 0))
    before = [total // 2 for total in totals]
    return {"pads": [*before, *(total - one for total, one in zip(totals, before, strict=True))]}


def _numpy(variable: keras.Variable) -> Array:
    array: Array = keras.ops.convert_to_numpy(variable)
    return array


def _convolved(
    graph: Graph, call: Call, kernel: keras.Variable, weights: Array, groups: int
) -> Value:
    """A convolution with weights in ONNX's order: filters, channels of a group, sides."""
    layer, [x] = call.operation, call.inputs
    sides, strides = weights.shape[2:], layer.strides
    dilations = [step for step, _ in zip(layer.dilation_rate, sides, strict=True)]
    inputs = [graph.stored(x, moved=_is_last(layer)).name, graph.weight(kernel, weights)]
    if layer.use_bias:
        inputs.append(graph.weight(layer.bias, _numpy(layer.bias)))
    name = graph.node(
        "Conv",
        *inputs,
        kernel_shape=sides,
        strides=strides,
        dilations=dilations,
        group=groups,
        **_padding(call, sides, strides, dilations),
    )
    return _activated(graph, call, Value(name, _is_last(layer)))


def _conv(graph: Graph, call: Call) -> Value:
    kernel = call.operation.kernel
    weights = np.moveaxis(_numpy(kernel), (-1, -2), (0, 1))
    return _convolved(graph, call, kernel, weights, call.operation.groups)


def _of_each_channel(kernel: Array) -> Array:
    """The kernel of a depthwise convolution as that of a grouped one."""
    weights = np.moveaxis(kernel, (-2, -1), (0, 1))
    return weights.reshape(-1, 1, *weights.shape[2:])


def _depthwise(graph: Graph, call: Call) -> Value:
    kernel = call.operation.kernel
    weights = _of_each_channel(_numpy(kernel))
    return _convolved(graph, call, kernel, weights, kernel.shape[-2])


def _separable(graph: Graph, call: Call) -> Value:
    layer, [x] = call.operation, call.inputs
    first, second = layer.depthwise_kernel, layer.pointwise_kernel
    weights = _of_each_channel(_numpy(first))
    sides, strides = weights.shape[2:], layer.strides
    of_channels = graph.node(
        "Conv",
        graph.stored(x, moved=_is_last(layer)).name,
        graph.weight(first, weights),
        kernel_shape=sides,
        strides=strides,
        dilations=layer.dilation_rate,
        group=first.shape[-2],
        **_padding(call, sides, strides, layer.dilation_rate),
    )
    inputs = [graph.weight(second, np.moveaxis(_numpy(second), (-1, -2), (0, 1)))]
    if layer.use_bias:
        inputs.append(graph.weight(layer.bias, _numpy(layer.bias)))
    name = graph.node("Conv", of_channels, *inputs)
    return _activated(graph, call, Value(name, _is_last(layer)))


def _transposed(graph: Graph, call: Call) -> Value:
    layer, [x] = call.operation, call.inputs
    if getattr(layer, "output_padding", None) is not None:
        raise call.refuse("it has an output_padding")
    kernel = _numpy(layer.kernel)
    weights = np.moveaxis(kernel, (-1, -2), (0, 1))
    sides, strides, steps = weights.shape[2:], layer.strides, layer.dilation_rate
    # The gradient of a convolution from the larger map, which cuts that one's padding off.
    reaches = [(size - 1) * step + 1 for size, step in zip(sides, steps, strict=True)]
    rests = [reach - stride for reach, stride in zip(reaches, strides, strict=True)]
    cut = [max(rest, 0) if layer.padding == "same" else 0 for rest in rests]
    before = [total // 2 for total in cut]
    inputs = [graph.stored(x, moved=_is_last(layer)).name, graph.weight(layer.kernel, weights)]
    if layer.use_bias:
        inputs.append(graph.weight(layer.bias, _numpy(layer.bias)))
    name = graph.node(
        "ConvTranspose",
        *inputs,
        kernel_shape=sides,
        strides=strides,
        dilations=steps,
        pads=[*before, *(total - one for total, one in zip(cut, before, strict=True))],
        output_padding=[max(-rest, 0) for rest in rests],
    )
    return _activated(graph, call, Value(name, _is_last(layer)))


def _pool(kind: str) -> Writer:
    def pool(graph: Graph, call: Call) -> Value:
        layer, [x] = call.operation, call.inputs
        attributes = _padding(call, layer.pool_size, layer.strides)
        if kind == "AveragePool":
            # Its own padding does not count. Zeros of a layer before it do: onnxruntime 1.20 makes
            # them the padding of the pool.
            attributes["count_include_pad"] = int(layer.padding == "valid")
        name = graph.node(
            kind,
            graph.stored(x, moved=_is_last(layer)).name,
            kernel_shape=layer.pool_size,
            strides=layer.strides,
            **attributes,
        )
        return Value(name, _is_last(layer))

    return pool


def _global_pool(kind: str) -> Writer:
    def pool(graph: Graph, call: Call) -> Value:
        layer, [x] = call.operation, call.inputs
        inner = range(1, len(x.shape) - 1) if _is_last(layer) else range(2, len(x.shape))
        return _reduced(graph, call, kind, list(inner), bool(layer.keepdims))

    return pool


def _reduced(
    graph: Graph, call: Call, kind: str, axes: Sequence[int] | None, keepdims: bool
) -> Value:
    """A sum, mean or maximum over axes of Keras; None for all."""
    x = call.inputs[0] if kind == "ReduceMean" else graph.cast(call.inputs[0], call.dtype)
    rank = len(x.shape)
    gone = {axis % rank for axis in (range(rank) if axes is None else axes)}
    kept = [axis for axis in x.order if axis not in gone]
    if not keepdims and kept != sorted(kept):
        x = graph.stored(x, moved=False)
    numbers = np.array(sorted(x.axis(axis) for axis in gone), "int64")
    return Value(graph.node(kind, x.name, numbers, keepdims=int(keepdims)), x.moved and keepdims)


# Sizes and orders ---------------------------------------------------------------------------------


def _sides(layer: keras.Layer, rank: int) -> list[int]:
    """The axes of Keras that a layer pads, crops or resizes."""
    last = getattr(layer, "data_format", "channels_last") == "channels_last"
    return list(range(1, rank - 1) if last else range(2, rank))


def _pairs(sizes: Sequence[object]) -> list[tuple[int, int]]:
    """Sizes before and after each axis: Keras's layers of one axis have one pair."""
    first = sizes[0]
    return [sizes] if isinstance(first, int) else list(sizes)  # type: ignore[list-item, arg-type]


def _zero_padded(graph: Graph, call: Call) -> Value:
    [x] = call.inputs
    sides = _sides(call.operation, len(x.shape))
    pairs = dict(zip(sides, _pairs(call.operation.padding), strict=True))
    return _padded(graph, x, pairs)


def _padded(
    graph: Graph, x: Value, pairs: dict[int, tuple[int, int]], mode: str = "constant"
) -> Value:
    both = [pairs.get(axis, (0, 0)) for axis in x.order]
    pads = np.array([[before for before, _ in both], [after for _, after in both]], "int64")
    return Value(graph.node("Pad", x.name, pads.ravel(), mode=mode), x.moved)


def _pad(graph: Graph, call: Call) -> Value:
    operation, [x] = call.operation, call.inputs
    if operation.mode not in ("constant", "reflect") or any(call.given[1:]):
        raise call.refuse(f"mode={operation.mode!r}, or a constant other than 0")
    width = np.broadcast_to(operation.pad_width, (len(x.shape), 2)).tolist()
    pairs = {axis: (before, after) for axis, (before, after) in enumerate(width)}
    return _padded(graph, x, pairs, operation.mode)


# Of a slice to the end of an axis of any size.
END = 2**31 - 1


def _sliced(graph: Graph, x: Value, slices: dict[int, slice]) -> Value:
    """Slices of axes of Keras."""
    slices = {axis: part for axis, part in slices.items() if part != slice(None)}
    if not slices:
        return x
    steps = [part.step or 1 for part in slices.values()]
    starts = [
        (0 if step > 0 else END) if part.start is None else part.start
        for part, step in zip(slices.values(), steps, strict=True)
    ]
    stops = [
        (END if step > 0 else -END) if part.stop is None else part.stop
        for part, step in zip(slices.values(), steps, strict=True)
    ]
    axes = [x.axis(axis) for axis in slices]
    numbers = (np.array(of, "int64") for of in (starts, stops, axes, steps))
    return Value(graph.node("Slice", x.name, *numbers), x.moved, x.shape, x.dtype)


def _cropped(graph: Graph, call: Call) -> Value:
    [x] = call.inputs
    pairs = zip(_sides(call.operation, len(x.shape)), _pairs(call.operation.cropping), strict=True)
    return _sliced(graph, x, {axis: slice(start, -end or None) for axis, (start, end) in pairs})


def _item(graph: Graph, call: Call) -> Value:
    """x[...]: slices, numbers, None and an ellipsis."""
    x, key = call.inputs[0], call.given[1]
    parts = list(key) if isinstance(key, tuple | list) else [key]
    if not all(part is None or part is ... or isinstance(part, int | slice) for part in parts):
        raise call.refuse("its index is not of numbers and slices")
    if ... in parts:
        place = parts.index(...)
        rest = len(x.shape) - sum(part is not None for part in parts) + 1
        parts[place : place + 1] = [slice(None)] * rest
    if not all(isinstance(part, slice) for part in parts):
        x = graph.stored(x, moved=False)
    axes = [part for part in parts if part is not None]
    slices = {
        axis: part if isinstance(part, slice) else slice(part, part + 1 or None)
        for axis, part in enumerate(axes)
        if isinstance(part, int | slice)
    }
    x = _sliced(graph, x, slices)
    if gone := [axis for axis, part in enumerate(axes) if isinstance(part, int)]:
        x = Value(graph.node("Squeeze", x.name, np.array(gone, "int64")), x.moved)
    left = [part for part in parts if not isinstance(part, int)]
    if new := [axis for axis, part in enumerate(left) if part is None]:
        x = Value(graph.node("Unsqueeze", x.name, np.array(new, "int64")), x.moved)
    return x


def _flip(graph: Graph, call: Call) -> Value:
    [x], axis = call.inputs, call.operation.axis
    axes = range(len(x.shape)) if axis is None else np.atleast_1d(axis)
    return _sliced(graph, x, {int(axis) % len(x.shape): slice(None, None, -1) for axis in axes})


def _reshape(graph: Graph, call: Call) -> Value:
    shape = [-1 if size is None else size for size in call.output.shape]
    x = call.inputs[0]
    if shape.count(-1) > 1:
        raise call.refuse(
            f"the sizes of {tuple(call.output.shape)} are unknown: give the model a fixed size"
        )
    return Value(graph.node("Reshape", graph.plain(x), np.array(shape, "int64")))


def _transposed_axes(graph: Graph, call: Call, perm: Sequence[int]) -> Value:
    """Another order of axes, without a node if ONNX stores that one already."""
    [x] = call.inputs
    order = [perm[axis] for axis in Value("", True, tuple(call.output.shape)).order]
    for moved, wanted in ((True, order), (False, list(perm))):
        if wanted == x.order:
            return Value(x.name, moved)
    return Value(graph.node("Transpose", x.name, perm=[x.axis(axis) for axis in perm]))


def _permute(graph: Graph, call: Call) -> Value:
    return _transposed_axes(graph, call, [0, *call.operation.dims])


def _transpose(graph: Graph, call: Call) -> Value:
    axes = call.operation.axes
    ranks = range(len(call.output.shape))
    return _transposed_axes(graph, call, list(reversed(ranks) if axes is None else axes))


def _unsqueezed(graph: Graph, call: Call) -> Value:
    axes = np.atleast_1d(call.operation.axis) % len(call.output.shape)
    return Value(graph.node("Unsqueeze", graph.plain(call.inputs[0]), axes.astype("int64")))


def _squeezed(graph: Graph, call: Call) -> Value:
    [x], axis = call.inputs, call.operation.axis
    alone = [number for number, size in enumerate(x.shape) if size == 1]
    axes = np.array(alone) if axis is None else np.atleast_1d(axis) % len(x.shape)
    return Value(graph.node("Squeeze", graph.plain(x), axes.astype("int64")))


def _joined(graph: Graph, call: Call) -> Value:
    names, moved = graph.aligned(call.inputs, call.dtype)
    value = Value("", moved, tuple(call.output.shape))
    return Value(graph.node("Concat", *names, axis=value.axis(call.operation.axis)), moved)


def _repeated(graph: Graph, call: Call) -> Value:
    [x], axis, times = call.inputs, call.operation.axis, call.operation.repeats
    size = None if axis is None else x.shape[axis]
    if size is None or not isinstance(times, int):
        raise call.refuse("it repeats an axis of unknown size, or each entry differently")
    places = np.repeat(np.arange(size), times)
    return Value(graph.node("Gather", x.name, places, axis=x.axis(axis)), x.moved)


def _taken(graph: Graph, call: Call) -> Value:
    """Entries along an axis, by their numbers."""
    x, axis, places = call.inputs[0], call.operation.axis, call.given[1]
    if axis is None:
        raise call.refuse("it has no axis")
    if isinstance(places, Value):
        rank, entries = len(places.shape), graph.plain(places)
    else:
        numbers = np.asarray(places, "int64")
        rank, entries = numbers.ndim, graph.constant(numbers)
    x = x if rank == 1 else graph.stored(x, moved=False)
    return Value(graph.node("Gather", x.name, entries, axis=x.axis(axis)), x.moved)


def _remainder(graph: Graph, call: Call) -> Value:
    if not call.dtype.startswith("int"):
        raise call.refuse("it is of other numbers than integers")
    return _arithmetic("Mod")(graph, call)


def _upsampled(graph: Graph, call: Call) -> Value:
    layer, [x] = call.operation, call.inputs
    x = graph.stored(x, moved=_is_last(layer))
    scales = np.array([1, 1, *np.broadcast_to(layer.size, 2)], "float32")
    return Value(_resize(graph, call, x.name, layer.interpolation, scales=scales), x.moved)


def _resized(graph: Graph, call: Call) -> Value:
    """keras.ops.image.resize to a known size."""
    operation, [x] = call.operation, call.inputs
    if operation.antialias or operation.crop_to_aspect_ratio or operation.pad_to_aspect_ratio:
        raise call.refuse("it filters, crops or pads")
    last = operation.data_format == "channels_last"
    x = graph.stored(x, moved=last)
    shape = graph.node("Shape", x.name, start=0, end=2)
    sizes = graph.node("Concat", shape, np.array(operation.size, "int64"), axis=0)
    return Value(_resize(graph, call, x.name, operation.interpolation, sizes=sizes), last)


def _resize(
    graph: Graph, call: Call, x: str, interpolation: str, scales: Array | str = "", sizes: str = ""
) -> str:
    """The pixel centres of both images lie over each other, as in TensorFlow 2."""
    if interpolation not in ("nearest", "bilinear"):
        raise call.refuse(f"its interpolation is {interpolation}, and not nearest or bilinear")
    kind: dict[str, Attribute] = (
        {"mode": "linear"}
        if interpolation == "bilinear"
        else {"mode": "nearest", "nearest_mode": "round_prefer_ceil"}
    )
    given = (x, "", scales, sizes) if sizes else (x, "", scales)
    return graph.node("Resize", *given, coordinate_transformation_mode="half_pixel", **kind)


# Norms and products -------------------------------------------------------------------------------


def _channel_weights(graph: Graph, call: Call, *names: str) -> list[str]:
    """Weights of each channel; a missing one is 1 for a gamma and 0 for all others."""
    channels, made = call.inputs[0].shape[call.operation.axis], []
    for name in names:
        variable = getattr(call.operation, name, None)
        made.append(
            graph.constant(np.full(channels, float(name == "gamma")), "float32")
            if variable is None
            else graph.weight(variable, _numpy(variable))
        )
    return made


def _batch_norm(graph: Graph, call: Call) -> Value:
    layer, [x] = call.operation, call.inputs
    rank = len(x.shape)
    axis = layer.axis % rank
    if axis not in (1, rank - 1):
        raise call.refuse(f"its axis {layer.axis} is neither the second nor the last")
    moved = rank > 2 and axis == rank - 1
    weights = _channel_weights(graph, call, "gamma", "beta", "moving_mean", "moving_variance")
    stored = graph.stored(x, moved=moved)
    name = graph.node("BatchNormalization", stored.name, *weights, epsilon=layer.epsilon)
    return Value(name, moved)


def _group_norm(graph: Graph, call: Call) -> Value:
    layer, [x] = call.operation, call.inputs
    rank = len(x.shape)
    axis, groups = layer.axis % rank, layer.groups
    if axis not in (1, rank - 1):
        raise call.refuse(f"its axis {layer.axis} is neither the second nor the last")
    channels = x.shape[axis]
    x = graph.stored(x, moved=axis == rank - 1 and rank > 2)
    groups = channels if groups == -1 else groups
    # The groups as channels: ONNX's own node for groups has other weights in each of its versions.
    parted = graph.node("Reshape", x.name, np.array([0, groups, -1], "int64"))
    ones, zeros = np.ones(groups, "float32"), np.zeros(groups, "float32")
    normed = graph.node("InstanceNormalization", parted, ones, zeros, epsilon=layer.epsilon)
    made = graph.node("Reshape", normed, graph.node("Shape", x.name))
    for kind, variable in (("Mul", layer.gamma), ("Add", layer.beta)):
        if variable is not None:
            weights = _numpy(variable).reshape(-1, *[1] * (rank - 2))
            made = graph.node(kind, made, graph.weight(variable, weights))
    return Value(made, x.moved)


def _layer_norm(graph: Graph, call: Call) -> Value:
    layer, [x] = call.operation, call.inputs
    if np.atleast_1d(layer.axis).tolist() not in ([-1], [len(x.shape) - 1]):
        raise call.refuse(f"its axis {layer.axis} is not the last")
    size = x.shape[-1]
    gamma, beta = (
        graph.constant(np.full(size, missing), "float32")
        if variable is None
        else graph.weight(variable, _numpy(variable))
        for variable, missing in ((layer.gamma, 1), (layer.beta, 0))
    )
    epsilon = layer.epsilon
    name = graph.node("LayerNormalization", graph.plain(x), gamma, beta, axis=-1, epsilon=epsilon)
    return Value(name)


def _dense(graph: Graph, call: Call) -> Value:
    layer, [x] = call.operation, call.inputs
    name, kernel = graph.plain(x), graph.weight(layer.kernel, _numpy(layer.kernel))
    bias = [graph.weight(layer.bias, _numpy(layer.bias))] if layer.use_bias else []
    if len(x.shape) == 2:
        name = graph.node("Gemm", name, kernel, *bias)
    else:
        name = graph.node("MatMul", name, kernel)
        name = graph.node("Add", name, *bias) if bias else name
    return _activated(graph, call, Value(name))


def _embedding(graph: Graph, call: Call) -> Value:
    layer, [x] = call.operation, call.inputs
    table = layer.embeddings
    return Value(graph.node("Gather", graph.weight(table, _numpy(table)), graph.plain(x)))


def _einsum(graph: Graph, call: Call) -> Value:
    """With the letters of each factor in the order of its axes."""
    left, arrow, right = call.operation.subscripts.replace(" ", "").partition("->")
    letters = left.split(",")
    if "." in left or not arrow or len(letters) != len(call.inputs):
        raise call.refuse(f"its equation is {call.operation.subscripts!r}")
    orders = (
        "".join(of[axis] for axis in x.order) for of, x in zip(letters, call.inputs, strict=True)
    )
    names = [graph.cast(x, call.dtype).name for x in call.inputs]
    return Value(graph.node("Einsum", *names, equation=f"{','.join(orders)}->{right}"))


def _matmul(graph: Graph, call: Call) -> Value:
    names = [
        graph.plain(graph.cast(of, call.dtype))
        if isinstance(of, Value)
        else graph.constant(np.asarray(of, call.dtype))
        for of in call.given
    ]
    return Value(graph.node("MatMul", *names))


def _dot_product_attention(graph: Graph, call: Call) -> Value:
    operation = call.operation
    if len(call.inputs) != 3 or operation.is_causal or operation.attn_logits_soft_cap:
        raise call.refuse("it has a mask, a bias or a cap")
    query, key, value = (graph.plain(x) for x in call.inputs)
    scale = next((of for of in call.given[3:] if isinstance(of, float)), None)
    scale = call.output.shape[-1] ** -0.5 if scale is None else scale
    # (batch, tokens, heads, channels)
    scaled = graph.node("Mul", query, np.float32(scale))
    queries = graph.node("Transpose", scaled, perm=[0, 2, 1, 3])
    keys = graph.node("Transpose", key, perm=[0, 2, 3, 1])
    values = graph.node("Transpose", value, perm=[0, 2, 1, 3])
    weights = graph.node("Softmax", graph.node("MatMul", queries, keys), axis=-1)
    return Value(graph.node("Transpose", graph.node("MatMul", weights, values), perm=[0, 2, 1, 3]))


# Arithmetic ---------------------------------------------------------------------------------------


def _arithmetic(kind: str) -> Writer:
    """Operands of a layer or operation, two by two, as the type of the result."""

    def compute(graph: Graph, call: Call) -> Value:
        operands = call.inputs if isinstance(call.operation, keras.Layer) else call.given
        first, *others = operands
        shape = tuple(call.output.shape)
        for other in others:
            names, moved = graph.aligned((first, other), call.dtype)
            first = Value(graph.node(kind, *names), moved, shape, call.dtype)
        if not isinstance(first, Value):
            raise call.refuse("it has no tensors")
        return first

    return compute


def _comparison(kind: str) -> Writer:
    def compare(graph: Graph, call: Call) -> Value:
        dtypes = [of.dtype if isinstance(of, Value) else type(of) for of in call.given]
        if np.ndarray in dtypes:
            dtypes = [x.dtype for x in call.inputs]
        names, moved = graph.aligned(call.given, keras.backend.result_type(*dtypes))
        return Value(graph.node(kind, *names), moved)

    return compare


def _average(graph: Graph, call: Call) -> Value:
    names, moved = graph.aligned(call.inputs, call.dtype)
    return Value(graph.node("Mean", *names), moved)


def _floor_divide(graph: Graph, call: Call) -> Value:
    # float64 is exact for int32, and onnxruntime rounds integers to zero.
    names, moved = graph.aligned(call.given, "float64")
    whole = Value(graph.node("Floor", graph.node("Div", *names)), moved, (), "float64")
    return graph.cast(whole, call.dtype)


def _divide_no_nan(graph: Graph, call: Call) -> Value:
    [x, y], moved = graph.aligned(call.given, call.dtype)
    zero = graph.constant(0, call.dtype)
    return Value(
        graph.node("Where", graph.node("Equal", y, zero), zero, graph.node("Div", x, y)), moved
    )


def _where(graph: Graph, call: Call) -> Value:
    condition, *either = call.given
    ranks = {len(x.shape) for x in call.inputs}
    if len(ranks) == 1 and any(x.moved for x in call.inputs):
        call_inputs = [graph.stored(x, moved=True) for x in call.inputs]
        moved_of = dict(zip(map(id, call.inputs), call_inputs, strict=True))
        condition, *either = (moved_of.get(id(of), of) for of in call.given)
    else:
        plain = {id(x): graph.stored(x, moved=False) for x in call.inputs}
        condition, *either = (plain.get(id(of), of) for of in call.given)
    [tested], moved = graph.aligned([condition], "bool")
    names, _ = graph.aligned(either, call.dtype)
    return Value(graph.node("Where", tested, *names), moved)


def _square(graph: Graph, call: Call) -> Value:
    [x] = call.inputs
    return Value(graph.node("Mul", x.name, x.name), x.moved)


def _round(graph: Graph, call: Call) -> Value:
    if call.operation.decimals:
        raise call.refuse("it rounds to decimals")
    return _one("Round")(graph, call.inputs[0])


def _clip(graph: Graph, call: Call) -> Value:
    return _one("Clip", call.operation.x_min, call.operation.x_max)(graph, call.inputs[0])


def _cast(graph: Graph, call: Call) -> Value:
    return graph.cast(call.inputs[0], call.dtype)


def _cumulative_sum(graph: Graph, call: Call) -> Value:
    x, axis = graph.cast(call.inputs[0], call.dtype), call.operation.axis
    if axis is None:
        flat = graph.node("Reshape", graph.plain(x), np.array([-1], "int64"))
        return Value(graph.node("CumSum", flat, np.int64(0)))
    return Value(graph.node("CumSum", x.name, np.int64(x.axis(axis))), x.moved)


def _filled(number: int) -> Writer:
    """Ones or zeros like a tensor."""

    def fill(graph: Graph, call: Call) -> Value:
        [x] = call.inputs
        ones = graph.node("ConstantOfShape", graph.node("Shape", x.name))  # of zeros in float32
        whole = graph.node("Add", ones, np.float32(number))
        return graph.cast(Value(whole, x.moved, x.shape), call.dtype)

    return fill


def _reduction(kind: str) -> Writer:
    def reduce(graph: Graph, call: Call) -> Value:
        axis = call.operation.axis
        axes = None if axis is None else np.atleast_1d(axis).tolist()
        return _reduced(graph, call, kind, axes, bool(call.operation.keepdims))

    return reduce


def _rescaled(graph: Graph, call: Call) -> Value:
    """The layer Rescaling: a factor and a term."""
    layer, x = call.operation, call.inputs[0]
    for kind, numbers in (("Mul", layer.scale), ("Add", layer.offset)):
        names, moved = graph.aligned((x, np.float32(numbers)), call.dtype)
        x = Value(graph.node(kind, *names), moved, tuple(call.output.shape))
    return x


def _normalized(graph: Graph, call: Call) -> Value:
    """The layer Normalization, with the mean and variance that it has adapted to."""
    layer, x = call.operation, call.inputs[0]
    if layer.invert:
        raise call.refuse("invert=True")
    deviation = np.maximum(np.sqrt(keras.ops.convert_to_numpy(layer.variance)), 1e-7)
    mean = keras.ops.convert_to_numpy(layer.mean)
    for kind, numbers in (("Sub", mean), ("Div", deviation)):
        names, moved = graph.aligned((x, numbers), "float32")
        x = Value(graph.node(kind, *names), moved, tuple(call.output.shape))
    return x


# The tables ---------------------------------------------------------------------------------------

WRITERS: dict[object, Writer] = {
    **{
        kind: _of(_same)
        for kind in (
            *(layers.Identity, layers.Dropout, layers.AlphaDropout, layers.GaussianDropout),
            *(layers.SpatialDropout1D, layers.SpatialDropout2D, layers.SpatialDropout3D),
            *(layers.GaussianNoise, layers.ActivityRegularization),
        )
    },
    layers.InputLayer: _of(_same),
    layers.Conv1D: _conv,
    layers.Conv2D: _conv,
    layers.Conv3D: _conv,
    layers.DepthwiseConv1D: _depthwise,
    layers.DepthwiseConv2D: _depthwise,
    layers.SeparableConv1D: _separable,
    layers.SeparableConv2D: _separable,
    layers.Conv1DTranspose: _transposed,
    layers.Conv2DTranspose: _transposed,
    layers.Dense: _dense,
    layers.Embedding: _embedding,
    layers.BatchNormalization: _batch_norm,
    layers.GroupNormalization: _group_norm,
    layers.LayerNormalization: _layer_norm,
    layers.Normalization: _normalized,
    layers.Rescaling: _rescaled,
    layers.Activation: _activation,
    layers.ReLU: _relu,
    layers.LeakyReLU: _relu,
    layers.PReLU: _prelu,
    layers.Softmax: _softmax_of,
    layers.MaxPooling1D: _pool("MaxPool"),
    layers.MaxPooling2D: _pool("MaxPool"),
    layers.AveragePooling1D: _pool("AveragePool"),
    layers.AveragePooling2D: _pool("AveragePool"),
    layers.GlobalAveragePooling1D: _global_pool("ReduceMean"),
    layers.GlobalAveragePooling2D: _global_pool("ReduceMean"),
    layers.GlobalMaxPooling1D: _global_pool("ReduceMax"),
    layers.GlobalMaxPooling2D: _global_pool("ReduceMax"),
    layers.ZeroPadding1D: _zero_padded,
    layers.ZeroPadding2D: _zero_padded,
    layers.Cropping1D: _cropped,
    layers.Cropping2D: _cropped,
    layers.UpSampling2D: _upsampled,
    layers.Add: _arithmetic("Add"),
    layers.Subtract: _arithmetic("Sub"),
    layers.Multiply: _arithmetic("Mul"),
    layers.Maximum: _arithmetic("Max"),
    layers.Minimum: _arithmetic("Min"),
    layers.Average: _average,
    layers.Concatenate: _joined,
    layers.Reshape: _reshape,
    layers.Flatten: _reshape,
    layers.Permute: _permute,
    # Operations of keras.ops, by the names of their classes, which are not public.
    **{
        name: _of(_one(kind))
        for name, kind in {
            **{
                of: of
                for of in ("Ceil", "Exp", "Floor", "Log", "Sign", "Sqrt", "Erf", "Sin", "Cos")
            },
            "Absolute": "Abs",
            "Negative": "Neg",
            "Reciprocal": "Reciprocal",
            "LogicalNot": "Not",
        }.items()
    },
    **{
        name: _of(ACTIVATIONS[function])
        for name, function in {
            "Relu6": activations.relu6,
            "Sigmoid": activations.sigmoid,
            "HardSigmoid": activations.hard_sigmoid,
            "Silu": activations.silu,
            "HardSilu": activations.hard_silu,
            "Tanh": activations.tanh,
            "Softplus": activations.softplus,
            "Softsign": activations.softsign,
            "StopGradient": activations.linear,
        }.items()
    },
    "Relu": _relu,
    "LeakyRelu": _relu,
    "Gelu": lambda graph, call: _gelu(graph, call.inputs[0], call.operation.approximate),
    "Softmax": _softmax_of,
    **{
        name: _arithmetic(kind)
        for name, kind in {
            "Add": "Add",
            "Subtract": "Sub",
            "Multiply": "Mul",
            "Divide": "Div",
            "TrueDivide": "Div",
            "Maximum": "Max",
            "Minimum": "Min",
            "Power": "Pow",
            "LogicalAnd": "And",
            "LogicalOr": "Or",
        }.items()
    },
    **{
        name: _comparison(kind)
        for name, kind in {
            "Equal": "Equal",
            "Greater": "Greater",
            "GreaterEqual": "GreaterOrEqual",
            "Less": "Less",
            "LessEqual": "LessOrEqual",
        }.items()
    },
    "FloorDivide": _floor_divide,
    "Mod": _remainder,
    "DivideNoNan": _divide_no_nan,
    "Where": _where,
    "Square": _square,
    "Round": _round,
    "Clip": _clip,
    "Cast": _cast,
    "Cumsum": _cumulative_sum,
    "OnesLike": _filled(1),
    "ZerosLike": _filled(0),
    "Mean": _reduction("ReduceMean"),
    "Sum": _reduction("ReduceSum"),
    "Max": _reduction("ReduceMax"),
    "Min": _reduction("ReduceMin"),
    "Matmul": _matmul,
    "Einsum": _einsum,
    "DotProductAttention": _dot_product_attention,
    "Concatenate": _joined,
    "Repeat": _repeated,
    "Take": _taken,
    "Reshape": _reshape,
    "ExpandDims": _unsqueezed,
    "Squeeze": _squeezed,
    "Transpose": _transpose,
    "Flip": _flip,
    "GetItem": _item,
    "Pad": _pad,
    "Resize": _resized,
}
