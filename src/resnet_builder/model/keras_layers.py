"""A table from a plan's kinds of layers to Keras layers.

To add a kind of layer, add its class to plan/layers.py and a row here, with a function if the layer
needs more than fields of that class.
"""

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import keras
from keras import layers

from ..common.shapes import in_order
from ..plan import layers as planned
from .initializers import initializer

NEWEST_TESTED = (3, 15)
if tuple(map(int, keras.__version__.split(".")[:2])) > NEWEST_TESTED:  # said once, at the import
    warnings.warn(
        "Keras {} is newer than {}.{}, the newest that this resnet_builder was tested with: if "
        "something fails, try that one".format(keras.__version__, *NEWEST_TESTED),
        stacklevel=2,
    )

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
        kernels: function that returns the initialiser of a layer's kernel.
    """

    data_format: str
    dtype: Any = None
    prefix: str | None = ""
    kernels: Callable[[Any], Any] = initializer

    def common(self, name: str) -> dict[str, Any]:
        """The arguments common to all layers."""
        return {"name": None if self.prefix is None else self.prefix + name, "dtype": self.dtype}

    @property
    def full_precision(self) -> Any:
        """The dtype of weights; a mixed policy computes in another one."""
        return keras.dtype_policies.get(self.dtype).variable_dtype

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


def _conv(layer: planned.Conv, style: Style) -> keras.Layer:
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
        kernel_initializer=style.kernels(layer),
        kernel_regularizer=keras.regularizers.L2(decay) if decay else None,
        **INSIDE,
        **style.common(layer.name),
    )


def _channel_conv(layer: planned.ChannelConv, style: Style) -> keras.Layer:
    return layers.Conv1D(
        filters=1,
        kernel_size=layer.kernel_size,
        padding="same",
        use_bias=False,
        kernel_initializer=style.kernels(layer),
        **INSIDE,
        **style.common(layer.name),
    )


def _zero_pad(layer: planned.ZeroPad, style: Style) -> keras.Layer:
    before = layer.size if layer.before is None else layer.before
    sizes = ((before, layer.size),) * 2
    return layers.ZeroPadding2D(sizes, **INSIDE, **style.common(layer.name))


def operation(
    function: Callable[..., Tensor], name: str, style: Style
) -> Callable[[Tensor], Tensor]:
    """Functions of keras.ops as one layer, which is a model so that it has a name and is saved."""

    def apply(x: Tensor | list[Tensor]) -> Tensor:
        given = x if isinstance(x, list) else [x]
        inputs = [
            keras.Input(tensor.shape[1:], dtype=tensor.dtype, name=f"input{number}")
            for number, tensor in enumerate(given, start=1)
        ]
        model = keras.Model(inputs, function(*inputs), name=style.common(name)["name"])
        # Keras numbers operations by what was created before in the process.
        for number, operation in enumerate(model.operations):
            if not isinstance(operation, keras.Layer):
                operation.name = f"operation{number}"
        return model(x)

    return apply


def _reflect_pad(layer: planned.ReflectPad, style: Style) -> Callable[[Tensor], Tensor]:
    ops = keras.ops

    def pad(x: Tensor) -> Tensor:
        # A side of one pixel, which has no reflection, is repeated.
        if all(size and size > 1 for size in layer.input_shape[:2]):
            return ops.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)), mode="reflect")
        x = ops.concatenate([x[:, :2][:, -1:], x, x[:, -2:][:, :1]], axis=1)
        return ops.concatenate([x[:, :, :2][:, :, -1:], x, x[:, :, -2:][:, :, :1]], axis=2)

    return operation(pad, layer.name, style)


def _batch_norm(layer: planned.BatchNorm, style: Style) -> keras.Layer:
    return layers.BatchNormalization(
        epsilon=layer.epsilon,
        momentum=layer.momentum,
        gamma_initializer="zeros" if layer.zero_gamma else "ones",
        **style.common(layer.name),
    )


def _group_norm(layer: planned.GroupNorm, style: Style) -> keras.Layer:
    return layers.GroupNormalization(
        groups=layer.groups,
        epsilon=layer.epsilon,
        gamma_initializer="zeros" if layer.zero_gamma else "ones",
        **style.common(layer.name),
    )


def _group_deviation(layer: planned.GroupDeviation, style: Style) -> Callable[[Tensor], Tensor]:
    """In float32 or more, as Keras's own norms compute their statistics."""
    ops = keras.ops

    def mean(x: Tensor) -> Tensor:
        channels = x.shape[-1]  # which the plan does not know after a custom block
        size = channels // layer.groups
        means = ops.reshape(ops.mean(x, axis=(1, 2)), (-1, layer.groups, size))
        means = ops.repeat(ops.mean(means, axis=2), size, axis=1)
        return ops.reshape(means, (-1, 1, 1, channels))

    def deviation(x: Tensor) -> Tensor:
        wide = x if x.dtype == "float64" else ops.cast(x, "float32")
        variance = mean(ops.square(wide - mean(wide)))
        return ops.cast(ops.sqrt(variance + layer.epsilon), x.dtype)

    return operation(deviation, layer.name, style)


def _weighted_sum(layer: planned.WeightedSum, style: Style) -> Callable[[Tensor], Tensor]:
    ops = keras.ops

    def weighted(x: Tensor, weights: Tensor) -> Tensor:
        return ops.expand_dims(ops.einsum("bhwc,bhwk->bkc", x, weights), 1)

    return operation(weighted, layer.name, style)


def _channel_scale(layer: planned.ChannelScale, style: Style) -> keras.Layer:
    return layers.DepthwiseConv2D(
        1,
        use_bias=layer.use_bias,
        depthwise_initializer="ones",
        **INSIDE,
        **style.common(layer.name),
    )


def _pool(kind: type[keras.Layer]) -> Callable[[planned.Pool, Style], keras.Layer]:
    # An average pool with "same" is PyTorch's with ceil_mode=True and count_include_pad=False.
    return lambda layer, style: kind(
        layer.kernel_size,
        layer.strides,
        padding=layer.padding,
        **INSIDE,
        **style.common(layer.name),
    )


def _subsample(layer: planned.Subsample, style: Style) -> keras.Layer:
    # Windows of one pixel have no padding; with "same", ONNX files of networks without a fixed size
    # hold negative paddings.
    return layers.MaxPooling2D(
        1, layer.strides, padding="valid", **INSIDE, **style.common(layer.name)
    )


def _channel_pad(layer: planned.ChannelPad, style: Style) -> keras.Layer:
    missing = layer.filters - layer.channels
    zeros = (missing // 2, missing - missing // 2)
    # Zero padding with the other order of axes pads the channels.
    return layers.ZeroPadding2D(
        ((0, 0), zeros), data_format="channels_first", **style.common(layer.name)
    )


def _channel_slice(layer: planned.ChannelSlice, style: Style) -> keras.Layer:
    rest = layer.channels - layer.first - layer.filters
    # Cropping with the other order of axes crops the channels.
    return layers.Cropping2D(
        ((0, 0), (layer.first, rest)), data_format="channels_first", **style.common(layer.name)
    )


def _global_pool(layer: planned.GlobalPool, style: Style) -> keras.Layer:
    kinds = {"avg": layers.GlobalAveragePooling2D, "max": layers.GlobalMaxPooling2D}
    return kinds[layer.pooling](keepdims=layer.keeps_axes, **INSIDE, **style.common(layer.name))


def _tokens(layer: planned.Tokens, style: Style) -> Callable[[Tensor], Tensor]:
    ops, pixel_count = keras.ops, planned.known_tokens(layer.output_shape) - 1

    def tokens(x: Tensor) -> Tensor:
        pixels = ops.reshape(x, (-1, pixel_count, layer.channels))
        return ops.concatenate([ops.mean(pixels, axis=1, keepdims=True), pixels], axis=1)

    return operation(tokens, layer.name, style)


def _token_numbers(layer: planned.TokenNumbers, style: Style) -> Callable[[Tensor], Tensor]:
    ops = keras.ops

    def numbers(x: Tensor) -> Tensor:
        return ops.cumsum(ops.ones_like(x[:, :, 0], dtype="int32"), axis=1) - 1

    return operation(numbers, layer.name, style)


def _embedding(layer: planned.Embedding, style: Style) -> keras.Layer:
    tokens, filters = layer.weights["embeddings"]
    # openai/CLIP clip/model.py, AttentionPool2d.
    initial = keras.initializers.RandomNormal(stddev=filters**-0.5)
    return layers.Embedding(tokens, filters, initial, **style.common(layer.name))


def _first_token(layer: planned.FirstToken, style: Style) -> keras.Layer:
    tokens = layer.input_shape[0] or 1
    return layers.Cropping1D((0, tokens - 1), **style.common(layer.name))


def _attention(layer: planned.Attention, style: Style) -> Callable[[Tensor], Tensor]:
    ops, channels = keras.ops, layer.channels

    def attend(*tensors: Tensor) -> Tensor:
        in_heads = (layer.heads, channels // layer.heads)
        split = [ops.reshape(x, (-1, x.shape[1], *in_heads)) for x in tensors]
        return ops.reshape(ops.nn.dot_product_attention(*split), (-1, channels))

    return operation(attend, layer.name, style)


def _made(kind: type[keras.Layer], *fields: str) -> Callable[[Any, Style], keras.Layer]:
    """A layer whose first arguments are fields of the plan's layer."""
    return lambda layer, style: kind(
        *(getattr(layer, field) for field in fields), **style.common(layer.name)
    )


def _drop_path(layer: planned.DropPath, style: Style) -> keras.Layer:
    return layers.Dropout(layer.rate, noise_shape=(None, 1, 1, 1), **style.common(layer.name))


def _dense(layer: planned.Dense, style: Style) -> keras.Layer:
    of_tokens = isinstance(layer, planned.TokenDense)
    return layers.Dense(
        layer.units,
        activation=layer.activation,
        kernel_initializer=style.kernels(layer),
        **style.common(layer.name) | ({} if of_tokens else {"dtype": style.full_precision}),
    )


def _input(layer: planned.Input, style: Style) -> Callable[[Tensor], Tensor]:
    """The image, in full precision: float64 must not lose digits here."""
    rows, columns, channels = layer.input_shape
    shape = in_order((rows, columns, channels or 0), style.data_format)
    arguments = style.common(layer.name) | {"dtype": style.full_precision}
    return lambda _: keras.Input(shape, **arguments)


def _own_block(layer: planned.OwnBlock, style: Style) -> Callable[[Tensor], Tensor]:
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
KERAS_LAYERS: dict[type[planned.Layer], Callable[[Any, Style], Any]] = {
    planned.Input: _input,
    planned.ZeroPad: _zero_pad,
    planned.ReflectPad: _reflect_pad,
    planned.Conv: _conv,
    planned.ChannelConv: _channel_conv,
    planned.BatchNorm: _batch_norm,
    planned.GroupNorm: _group_norm,
    planned.GroupDeviation: _group_deviation,
    planned.Divide: lambda layer, style: operation(keras.ops.divide, layer.name, style),
    planned.ChannelScale: _channel_scale,
    planned.Activation: _made(layers.Activation, "function"),
    planned.Softmax: _made(layers.Softmax, "axis"),
    planned.WeightedSum: _weighted_sum,
    planned.MaxPool: _pool(layers.MaxPooling2D),
    planned.AvgPool: _pool(layers.AveragePooling2D),
    planned.HalfBlur: _pool(layers.AveragePooling2D),
    planned.Blur: _pool(layers.AveragePooling2D),
    planned.Subsample: _subsample,
    planned.ChannelPad: _channel_pad,
    planned.ChannelSlice: _channel_slice,
    planned.Concatenate: _made(layers.Concatenate),
    planned.GlobalPool: _global_pool,
    planned.Tokens: _tokens,
    planned.TokenNumbers: _token_numbers,
    planned.Embedding: _embedding,
    planned.FirstToken: _first_token,
    planned.Attention: _attention,
    planned.Reshape: _made(layers.Reshape, "shape"),
    planned.Transpose: _made(layers.Permute, "axes"),
    planned.Add: _made(layers.Add),
    planned.Multiply: _made(layers.Multiply),
    planned.Identity: _made(layers.Identity),
    planned.DropPath: _drop_path,
    planned.Dropout: _made(layers.Dropout, "rate"),
    planned.Dense: _dense,
    planned.TokenDense: _dense,
    planned.OwnBlock: _own_block,
}
