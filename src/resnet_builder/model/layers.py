"""A table from a plan's kinds of layers to Keras layers.

To add a kind of layer, add its class to plan/layers.py, and a function and a row here.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import keras
from keras import layers

from ..common.shapes import in_order
from ..plan.attention import ChannelConv
from ..plan.layers import (
    Activation,
    Add,
    AvgPool,
    BatchNorm,
    ChannelPad,
    Conv,
    Dense,
    Dropout,
    DropPath,
    GlobalPool,
    Identity,
    Input,
    Layer,
    MaxPool,
    Multiply,
    OwnBlock,
    Reshape,
    Subsample,
    ZeroPad,
)
from .initializers import initializer

Tensor = Any  # a symbolic tensor of Keras, which publishes no types

# The order of axes inside every network, for any order of its input. Without oneDNN, it is the
# only one that TensorFlow's convolutions on a CPU support; and if the width equals the channels,
# keras.ops.add on TensorFlow (Keras 3.15) adds a bias of shape (1, channels, 1, 1) to the columns.
INSIDE = {"data_format": "channels_last"}


@dataclass(frozen=True)
class Style:
    """The settings that all Keras layers of a model share and that are not in the plan.

    Attributes:
        data_format: order of axes of the input and of the feature maps.
        dtype: dtype or dtype policy; None for the global one.
        prefix: prefix of the layers' names; None for names from Keras.
        blank: whether to initialise kernels to zeros, because a checkpoint is loaded next.
    """

    data_format: str
    dtype: Any = None
    prefix: str | None = ""
    blank: bool = False

    def common(self, name: str) -> dict[str, Any]:
        """The arguments common to all layers."""
        return {"name": None if self.prefix is None else self.prefix + name, "dtype": self.dtype}

    @property
    def full_precision(self) -> Any:
        """The dtype of weights; a mixed policy computes in another one."""
        return keras.dtype_policies.get(self.dtype).variable_dtype

    def kernel_initializer(self, layer: Any) -> Any:
        """The initialiser of a layer's kernel."""
        return "zeros" if self.blank else initializer(layer.initializer)

    def enter(self, x: Tensor, name: str) -> Tensor:
        """Convert an image or feature map to the inside order of axes."""
        return self._permuted(x, (2, 3, 1), name)

    def leave(self, x: Tensor, name: str) -> Tensor:
        """Convert a feature map to the outside order of axes; vectors are returned unchanged."""
        return self._permuted(x, (3, 1, 2), name) if len(x.shape) == 4 else x

    def _permuted(self, x: Tensor, axes: tuple[int, ...], name: str) -> Tensor:
        if self.data_format == INSIDE["data_format"]:
            return x
        return layers.Permute(axes, **self.common(name))(x)


def _conv(layer: Conv, style: Style) -> keras.Layer:
    decay = layer.weight_decay
    return layers.Conv2D(
        filters=layer.filters,
        kernel_size=layer.kernel_size,
        strides=layer.strides,
        dilation_rate=layer.dilation,
        groups=layer.groups,
        padding=layer.padding,
        use_bias=layer.use_bias,
        activation=layer.activation,
        kernel_initializer=style.kernel_initializer(layer),
        kernel_regularizer=keras.regularizers.L2(decay) if decay else None,
        **INSIDE,
        **style.common(layer.name),
    )


def _channel_conv(layer: ChannelConv, style: Style) -> keras.Layer:
    return layers.Conv1D(
        filters=1,
        kernel_size=layer.kernel_size,
        padding="same",
        use_bias=False,
        kernel_initializer=style.kernel_initializer(layer),
        **INSIDE,
        **style.common(layer.name),
    )


def _zero_pad(layer: ZeroPad, style: Style) -> keras.Layer:
    return layers.ZeroPadding2D(layer.size, **INSIDE, **style.common(layer.name))


def _batch_norm(layer: BatchNorm, style: Style) -> keras.Layer:
    return layers.BatchNormalization(
        epsilon=layer.epsilon,
        momentum=layer.momentum,
        gamma_initializer="zeros" if layer.zero_gamma else "ones",
        **style.common(layer.name),
    )


def _activation(layer: Activation, style: Style) -> keras.Layer:
    return layers.Activation(layer.function, **style.common(layer.name))


def _max_pool(layer: MaxPool, style: Style) -> keras.Layer:
    return layers.MaxPooling2D(
        layer.pool_size, layer.strides, padding="same", **INSIDE, **style.common(layer.name)
    )


def _avg_pool(layer: AvgPool, style: Style) -> keras.Layer:
    # "same" here is PyTorch's ceil_mode=True, count_include_pad=False.
    return layers.AveragePooling2D(
        layer.pool_size, layer.strides, padding="same", **INSIDE, **style.common(layer.name)
    )


def _subsample(layer: Subsample, style: Style) -> keras.Layer:
    return layers.MaxPooling2D(
        1, layer.strides, padding="same", **INSIDE, **style.common(layer.name)
    )


def _channel_pad(layer: ChannelPad, style: Style) -> keras.Layer:
    missing = layer.filters - layer.channels
    zeros = (missing // 2, missing - missing // 2)
    # Zero padding with the other order of axes pads the channels.
    return layers.ZeroPadding2D(
        ((0, 0), zeros), data_format="channels_first", **style.common(layer.name)
    )


def _global_pool(layer: GlobalPool, style: Style) -> keras.Layer:
    kinds = {"avg": layers.GlobalAveragePooling2D, "max": layers.GlobalMaxPooling2D}
    return kinds[layer.pooling](keepdims=layer.keeps_axes, **INSIDE, **style.common(layer.name))


def _reshape(layer: Reshape, style: Style) -> keras.Layer:
    return layers.Reshape(layer.shape, **style.common(layer.name))


def _plain(kind: type[keras.Layer]) -> Callable[[Layer, Style], keras.Layer]:
    """A layer without settings."""
    return lambda layer, style: kind(**style.common(layer.name))


def _drop_path(layer: DropPath, style: Style) -> keras.Layer:
    return layers.Dropout(layer.rate, noise_shape=(None, 1, 1, 1), **style.common(layer.name))


def _dropout(layer: Dropout, style: Style) -> keras.Layer:
    return layers.Dropout(layer.rate, **style.common(layer.name))


def _dense(layer: Dense, style: Style) -> keras.Layer:
    return layers.Dense(
        layer.units,
        activation=layer.activation,
        kernel_initializer=style.kernel_initializer(layer),
        **style.common(layer.name) | {"dtype": style.full_precision},
    )


def _input(layer: Input, style: Style) -> Callable[[Any], Tensor]:
    """The image, in full precision: float64 must not lose digits here."""
    shape: Any = layer.input_shape
    arguments = style.common(layer.name) | {"dtype": style.full_precision}
    return lambda _: keras.Input(in_order(shape, style.data_format), **arguments)


def _own_block(layer: OwnBlock, style: Style) -> Callable[[Tensor], Tensor]:
    """A user's block, in the outside order of axes, which is Keras's global one."""

    def apply(x: Tensor) -> Tensor:
        function = layer.function(
            filters=layer.filters,
            init_strides=layer.strides,
            is_first_block_of_first_layer=layer.opens_network,
        )
        result = function(style.leave(x, f"{layer.name}_leave")) if callable(function) else None
        if len(getattr(result, "shape", ())) != 4:
            raise TypeError(
                f"the block function {layer.function!r} must return a function from a 4D tensor to "
                f"a 4D tensor; at {layer.name} it returned "
                f"{result if callable(function) else function!r}"
            )
        return style.enter(result, f"{layer.name}_enter")

    return apply


# Layer -> what makes a function of its inputs, which is a Keras layer if nothing else is needed.
KERAS_LAYERS: dict[type[Layer], Callable[[Any, Style], Any]] = {
    Input: _input,
    ZeroPad: _zero_pad,
    Conv: _conv,
    ChannelConv: _channel_conv,
    BatchNorm: _batch_norm,
    Activation: _activation,
    MaxPool: _max_pool,
    AvgPool: _avg_pool,
    Subsample: _subsample,
    ChannelPad: _channel_pad,
    GlobalPool: _global_pool,
    Reshape: _reshape,
    Add: _plain(layers.Add),
    Multiply: _plain(layers.Multiply),
    Identity: _plain(layers.Identity),
    DropPath: _drop_path,
    Dropout: _dropout,
    Dense: _dense,
    OwnBlock: _own_block,
}
