"""Linear layers of Keras, and a scale and shift of channels folded into their weights."""

from dataclasses import dataclass

import keras
import numpy as np
import numpy.typing as npt
from keras import layers

Float64 = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Linear:
    """A kind of linear layer.

    Attributes:
        outputs: the axes of its kernel that count output channels.
        inputs: those that count input channels; empty for layers that take in only what is after
            them.
    """

    outputs: tuple[int, ...]
    inputs: tuple[int, ...] = ()


@dataclass(frozen=True)
class Affine:
    """A function x -> scale * x + shift of each channel."""

    scale: Float64
    shift: Float64


def affine(norm: keras.Layer) -> Affine:
    """What a batch norm computes outside of training."""
    mean, variance = _as_float64(norm.moving_mean), _as_float64(norm.moving_variance)
    scale = 1 / np.sqrt(variance + norm.epsilon)
    if norm.scale:
        scale *= _as_float64(norm.gamma)
    shift = -mean * scale
    if norm.center:
        shift += _as_float64(norm.beta)
    return Affine(scale, shift)


def pads(layer: keras.Layer) -> bool:
    """Return whether a layer adds zeros around its input."""
    kernel_size = getattr(layer, "kernel_size", (1,))
    return getattr(layer, "padding", "valid") != "valid" and set(kernel_size) != {1}


def channel_axis(layer: keras.Layer, rank: int) -> int:
    """The axis of the channels in the input and output of a layer."""
    return 1 if getattr(layer, "data_format", None) == "channels_first" else rank - 1


def selects(layer: keras.Layer, axis: int, rank: int) -> bool:
    """Return whether a layer only selects pixels, so that channels may be scaled before it too."""
    if type(layer) is layers.Identity:
        return True
    one = type(layer) in _POOLS and set(layer.pool_size) == {1}
    return one and channel_axis(layer, rank) == axis


def with_bias(layer: keras.Layer) -> keras.Layer:
    """A new layer with the same settings and a bias.

    It has no regularisers and constraints, as they are about the weights before folding.
    """
    config = layer.get_config()
    dropped = [key for key in config if key.endswith(("_regularizer", "_constraint"))]
    return type(layer).from_config(config | dict.fromkeys(dropped) | {"use_bias": True})


def folded_weights(
    layer: keras.Layer, before: Affine | None = None, after: Affine | None = None
) -> list[Float64]:
    """The weights of a layer, with a bias, that has taken in what is before and after it."""
    kind = LINEAR[type(layer)]
    weights = [np.asarray(array, "float64") for array in layer.get_weights()]
    bias = weights.pop() if layer.use_bias else np.zeros(1)
    # The last kernel: a separable convolution has two.
    *others, kernel = weights
    if before:
        rest = tuple(axis for axis in range(-kernel.ndim, 0) if axis not in kind.outputs)
        shifted = kernel * _over_inputs(layer, before.shift, kernel)
        bias = bias + shifted.sum(axis=rest).ravel()
        kernel = kernel * _over_inputs(layer, before.scale, kernel)
    if after:
        kernel = kernel * _along(kind.outputs, after.scale, kernel)
        bias = bias * after.scale + after.shift
    return [*others, kernel, bias]


def _as_float64(variable: keras.Variable) -> Float64:
    return np.asarray(keras.ops.convert_to_numpy(variable), "float64")


def _along(axes: tuple[int, ...], values: Float64, kernel: Float64) -> Float64:
    """Values for each channel, with all axes of the kernel."""
    sizes = enumerate(kernel.shape, start=-kernel.ndim)
    return values.reshape([size if axis in axes else 1 for axis, size in sizes])


def _over_inputs(layer: keras.Layer, values: Float64, kernel: Float64) -> Float64:
    """Values for each input channel, with all axes of the kernel."""
    groups = getattr(layer, "groups", 1)
    if groups == 1:
        return _along(LINEAR[type(layer)].inputs, values, kernel)
    # A filter sees the channels of its own group.
    return np.repeat(values.reshape(groups, -1), layer.filters // groups, axis=0).T


_CONV = Linear(outputs=(-1,), inputs=(-2,))
_DEPTHWISE = Linear(outputs=(-2, -1), inputs=(-2,))
# The input meets another kernel.
_SEPARABLE = Linear(outputs=(-1,))
# A pixel at the border of the output comes from fewer pixels, and so from less of a shift.
_TRANSPOSED = Linear(outputs=(-2,))

# Subclasses of these may compute something else.
LINEAR: dict[type, Linear] = {
    layers.Conv1D: _CONV,
    layers.Conv2D: _CONV,
    layers.Conv3D: _CONV,
    layers.DepthwiseConv1D: _DEPTHWISE,
    layers.DepthwiseConv2D: _DEPTHWISE,
    layers.SeparableConv1D: _SEPARABLE,
    layers.SeparableConv2D: _SEPARABLE,
    layers.Conv1DTranspose: _TRANSPOSED,
    layers.Conv2DTranspose: _TRANSPOSED,
    layers.Conv3DTranspose: _TRANSPOSED,
    layers.Dense: _CONV,
}

_POOLS = {layers.MaxPooling1D, layers.MaxPooling2D, layers.MaxPooling3D}
