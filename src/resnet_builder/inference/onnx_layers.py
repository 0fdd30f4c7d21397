"""A table from layers of Keras to nodes of ONNX: those of networks, heads and classifiers.

To add a layer, add its writer here under the name of its class; what it does not support, it
refuses by `call.refuse`.
"""

from collections.abc import Sequence
from math import ceil

import keras
import numpy as np

from .formats import Array
from .onnx_activations import activate, activated, relu, same, softmax, unary
from .onnx_graph import Attribute, Call, Graph, Value, Writer, numpy_of
from .onnx_operations import BOTH, padded, permuted, reduced, reshaped, sliced

# Convolutions -------------------------------------------------------------------------------------


def _is_last(layer: keras.Layer) -> bool:
    return bool(layer.data_format == "channels_last")


def _channels_second(graph: Graph, call: Call) -> Value:
    """The input as ONNX's convolutions and pools take it."""
    return graph.stored(call.input, moved=_is_last(call.operation))


def _halved(totals: Sequence[int]) -> list[int]:
    """Sizes before all sides, and then after them."""
    return [total // 2 for total in totals] + [total - total // 2 for total in totals]


def _reaches(sides: Sequence[int], steps: Sequence[int]) -> list[int]:
    """The sides of a dilated kernel."""
    return [(side - 1) * step + 1 for side, step in zip(sides, steps, strict=True)]


def _padding(
    call: Call, reaches: Sequence[int], strides: Sequence[int]
) -> dict[str, str | list[int]]:
    """The padding of a layer as attributes, in explicit numbers where the size is known."""
    layer, x = call.operation, call.input
    if layer.padding == "valid":
        return {}
    if layer.padding != "same":
        raise call.refuse(f"padding={layer.padding!r}")
    sizes = x.shape[1:-1] if _is_last(layer) else x.shape[2:]
    totals = []
    for size, reach, stride in zip(sizes, reaches, strides, strict=True):
        if stride == 1 or reach == 1:
            totals.append(reach - 1)
        elif size is None:
            return {"auto_pad": "SAME_UPPER"}
        else:
            totals.append(max((ceil(size / stride) - 1) * stride + reach - size, 0))
    return {"pads": _halved(totals)}


def _with_bias(
    graph: Graph, call: Call, kind: str, x: Value, weights: str, **attributes: Attribute
) -> Value:
    """The end of a layer with a kernel: its bias and activation."""
    layer = call.operation
    bias = [graph.weight(layer.bias)] if layer.use_bias else []
    return activated(graph, call, graph.node(kind, x, weights, *bias, **attributes))


def _filters_first(kernel: keras.Variable) -> Array:
    """A kernel in ONNX's order: filters, channels of a group, sides."""
    return np.moveaxis(numpy_of(kernel), (-1, -2), (0, 1))


def _of_each_channel(kernel: keras.Variable) -> Array:
    """The kernel of a depthwise convolution as a grouped one's."""
    weights = np.moveaxis(numpy_of(kernel), (-2, -1), (0, 1))
    return weights.reshape(-1, 1, *weights.shape[2:])


def _sides(call: Call, weights: Array) -> dict[str, Attribute]:
    """What the strides, dilation and padding of a convolution are in ONNX."""
    layer, sides = call.operation, weights.shape[2:]
    padding = _padding(call, _reaches(sides, layer.dilation_rate), layer.strides)
    steps = {"strides": layer.strides, "dilations": layer.dilation_rate}
    return {"kernel_shape": sides, **steps, **padding}


def _convolved(graph: Graph, call: Call, weights: Array, groups: int) -> Value:
    x, name = _channels_second(graph, call), graph.weight(call.operation.kernel, weights)
    return _with_bias(graph, call, "Conv", x, name, group=groups, **_sides(call, weights))


def _conv(graph: Graph, call: Call) -> Value:
    layer = call.operation
    return _convolved(graph, call, _filters_first(layer.kernel), layer.groups)


def _depthwise(graph: Graph, call: Call) -> Value:
    kernel = call.operation.kernel
    return _convolved(graph, call, _of_each_channel(kernel), kernel.shape[-2])


def _separable(graph: Graph, call: Call) -> Value:
    first, second = call.operation.depthwise_kernel, call.operation.pointwise_kernel
    x, weights = _channels_second(graph, call), _of_each_channel(first)
    name, groups = graph.weight(first, weights), first.shape[-2]
    mixed = graph.node("Conv", x, name, group=groups, **_sides(call, weights))
    pointwise = graph.weight(second, _filters_first(second))
    return _with_bias(graph, call, "Conv", mixed, pointwise)


def _transposed(graph: Graph, call: Call) -> Value:
    """The gradient of a convolution from the larger map, which cuts that one's padding off."""
    layer, x = call.operation, _channels_second(graph, call)
    if layer.output_padding is not None:
        raise call.refuse("it has an output_padding")
    weights = _filters_first(layer.kernel)
    sides, strides, steps = weights.shape[2:], layer.strides, layer.dilation_rate
    rests = [reach - stride for reach, stride in zip(_reaches(sides, steps), strides, strict=True)]
    return _with_bias(
        graph,
        call,
        "ConvTranspose",
        x,
        graph.weight(layer.kernel, weights),
        kernel_shape=sides,
        strides=strides,
        dilations=steps,
        pads=_halved([max(rest, 0) if layer.padding == "same" else 0 for rest in rests]),
        output_padding=[max(-rest, 0) for rest in rests],
    )


# Pools and sizes ----------------------------------------------------------------------------------


def _pool(kind: str) -> Writer:
    def pool(graph: Graph, call: Call) -> Value:
        layer = call.operation
        attributes: dict[str, Attribute] = {"kernel_shape": layer.pool_size}
        attributes |= {"strides": layer.strides, **_padding(call, layer.pool_size, layer.strides)}
        if kind == "AveragePool":
            # Its own padding does not count. Zeros of a layer before it do: onnxruntime 1.20 makes
            # them the padding of the pool.
            attributes["count_include_pad"] = int(layer.padding == "valid")
        return graph.node(kind, _channels_second(graph, call), **attributes)

    return pool


def _pixel_axes(call: Call) -> range:
    """The axes of Keras for rows and columns."""
    rank = len(call.input.shape)
    last = getattr(call.operation, "data_format", "channels_last") == "channels_last"
    return range(1, rank - 1) if last else range(2, rank)


def _global_pool(kind: str) -> Writer:
    return lambda graph, call: reduced(graph, call, kind, _pixel_axes(call))


def _pairs(call: Call, sizes: object) -> dict[int, tuple[int, int]]:
    """Sizes before and after each axis: layers of one axis have one pair."""
    pairs = np.reshape(np.asarray(sizes), (-1, 2)).tolist()
    return {
        axis: (before, after)
        for axis, (before, after) in zip(_pixel_axes(call), pairs, strict=True)
    }


def _zero_padded(graph: Graph, call: Call) -> Value:
    return padded(graph, call.input, _pairs(call, call.operation.padding))


def _cropped(graph: Graph, call: Call) -> Value:
    pairs = _pairs(call, call.operation.cropping)
    parts = {axis: slice(before, -after or None) for axis, (before, after) in pairs.items()}
    return sliced(graph, call.input, parts)


INTERPOLATIONS: dict[str, dict[str, Attribute]] = {
    "nearest": {"mode": "nearest", "nearest_mode": "round_prefer_ceil"},
    "bilinear": {"mode": "linear"},
}


def _upsampled(graph: Graph, call: Call) -> Value:
    """The pixel centres of both images lie over each other, as in TensorFlow 2."""
    layer, x = call.operation, _channels_second(graph, call)
    if layer.interpolation not in INTERPOLATIONS:
        allowed = " or ".join(INTERPOLATIONS)
        raise call.refuse(f"its interpolation is {layer.interpolation}, and not {allowed}")
    attributes = INTERPOLATIONS[layer.interpolation] | {
        "coordinate_transformation_mode": "half_pixel"
    }
    return graph.node("Resize", x, "", np.array([1, 1, *layer.size], "float32"), **attributes)


def _permute(graph: Graph, call: Call) -> Value:
    return permuted(graph, call.input, [0, *call.operation.dims])


# Norms and products -------------------------------------------------------------------------------


def _channel_weights(graph: Graph, call: Call, axis: int, **missing: float) -> list[str | Array]:
    """Weights of each channel; and an array of a number for one that the layer does not have."""
    variables = [getattr(call.operation, name, None) for name in missing]
    return [
        np.full(call.output.shape[axis], number, "float32")
        if variable is None
        else graph.weight(variable)
        for variable, number in zip(variables, missing.values(), strict=True)
    ]


def _channel_axis(call: Call) -> int:
    """The axis of a norm.

    Raises:
        ValueError: neither the second axis nor the last.
    """
    rank = len(call.input.shape)
    axes = [int(axis) % rank for axis in np.ravel(call.operation.axis)]
    if len(axes) > 1 or axes[0] not in (1, rank - 1):
        raise call.refuse(f"its axis {call.operation.axis} is neither the second nor the last")
    return axes[0]


def _batch_norm(graph: Graph, call: Call) -> Value:
    axis = _channel_axis(call)
    x = graph.stored(call.input, moved=axis > 1)
    numbers = {"gamma": 1, "beta": 0, "moving_mean": 0, "moving_variance": 1}
    weights = _channel_weights(graph, call, axis, **numbers)
    return graph.node("BatchNormalization", x, *weights, epsilon=call.operation.epsilon)


def _group_norm(graph: Graph, call: Call) -> Value:
    layer, axis = call.operation, _channel_axis(call)
    x = graph.stored(call.input, moved=axis > 1)
    groups = call.output.shape[axis] if layer.groups == -1 else layer.groups
    # The groups as channels: ONNX's own node for groups has other weights in each of its versions.
    parted = graph.node("Reshape", x, np.array([0, groups, -1], "int64"))
    ones, zeros = np.ones(groups, "float32"), np.zeros(groups, "float32")
    normed = graph.node("InstanceNormalization", parted, ones, zeros, epsilon=layer.epsilon)
    made = graph.node("Reshape", normed, graph.node("Shape", x))
    for kind, variable in (("Mul", layer.gamma), ("Add", layer.beta)):
        if variable is not None:
            weights = numpy_of(variable).reshape(-1, *[1] * (len(x.shape) - 2))
            made = graph.node(kind, made, graph.weight(variable, weights))
    return made


def _layer_norm(graph: Graph, call: Call) -> Value:
    layer, x = call.operation, graph.plain(call.input)
    if np.ravel(layer.axis).tolist() not in ([-1], [len(x.shape) - 1]):
        raise call.refuse(f"its axis {layer.axis} is not the last")
    weights = _channel_weights(graph, call, -1, gamma=1, beta=0)
    return graph.node("LayerNormalization", x, *weights, axis=-1, epsilon=layer.epsilon)


def _dense(graph: Graph, call: Call) -> Value:
    layer, x = call.operation, graph.plain(call.input)
    kernel = graph.weight(layer.kernel)
    if len(x.shape) == 2:
        return _with_bias(graph, call, "Gemm", x, kernel)
    made = graph.node("MatMul", x, kernel)
    if layer.use_bias:
        made = graph.node("Add", made, graph.weight(layer.bias))
    return activated(graph, call, made)


def _embedding(graph: Graph, call: Call) -> Value:
    return graph.node("Gather", graph.weight(call.operation.embeddings), graph.plain(call.input))


def _unit_norm(graph: Graph, call: Call) -> Value:
    axes, x = np.ravel(call.operation.axis).tolist(), call.input
    if len(axes) > 1:
        raise call.refuse(f"it has several axes, {axes}")
    return graph.node("LpNormalization", x, axis=x.axis(axes[0]), p=2)


def _dot(graph: Graph, call: Call) -> Value:
    x, y = call.tensors(2)
    if call.operation.normalize or len(x.shape) > 2 or len(y.shape) > 2:
        raise call.refuse("it normalizes, or its inputs are not vectors")
    return graph.node("ReduceSum", graph.node("Mul", x, y), np.array([1], "int64"))


def _scaled(graph: Graph, call: Call, *steps: tuple[str, object]) -> Value:
    """Arithmetic with numbers, one after the other."""
    x = graph.cast(call.input, call.dtype)
    for kind, numbers in steps:
        x = graph.node(kind, *graph.aligned((x, numbers), call.dtype))
    return x


def _rescaled(graph: Graph, call: Call) -> Value:
    return _scaled(graph, call, ("Mul", call.operation.scale), ("Add", call.operation.offset))


def _normalized(graph: Graph, call: Call) -> Value:
    """With the mean and variance that the layer has adapted to."""
    layer = call.operation
    if layer.invert:
        raise call.refuse("invert=True")
    mean, variance = map(keras.ops.convert_to_numpy, (layer.mean, layer.variance))
    return _scaled(graph, call, ("Sub", mean), ("Div", np.maximum(np.sqrt(variance), 1e-7)))


# The table ----------------------------------------------------------------------------------------

LAYERS: dict[str, Writer] = BOTH | {
    "InputLayer": unary(same),
    "Identity": unary(same),
    "Dropout": unary(same),
    "SpatialDropout2D": unary(same),
    "Activation": activate,
    "ReLU": relu,
    "LeakyReLU": relu,
    "Softmax": softmax,
    "Conv1D": _conv,  # over the channels, in ECA
    "Conv2D": _conv,
    "DepthwiseConv2D": _depthwise,
    "SeparableConv2D": _separable,
    "Conv2DTranspose": _transposed,
    "MaxPooling2D": _pool("MaxPool"),
    "AveragePooling2D": _pool("AveragePool"),
    "GlobalAveragePooling2D": _global_pool("ReduceMean"),
    "GlobalMaxPooling2D": _global_pool("ReduceMax"),
    "ZeroPadding2D": _zero_padded,
    "Cropping1D": _cropped,  # of tokens, in CLIP's attention, as is the embedding
    "Cropping2D": _cropped,
    "UpSampling2D": _upsampled,
    "Flatten": reshaped,
    "Permute": _permute,
    "BatchNormalization": _batch_norm,
    "GroupNormalization": _group_norm,
    "LayerNormalization": _layer_norm,
    "UnitNormalization": _unit_norm,
    "Dense": _dense,
    "Dot": _dot,
    "Embedding": _embedding,
    "Rescaling": _rescaled,
    "Normalization": _normalized,
}
