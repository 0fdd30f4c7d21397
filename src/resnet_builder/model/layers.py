"""The Keras layers of a network: each kind is made here and nowhere else."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import keras
from keras import layers

from ..common.keras_names import INITIALIZERS, Initializer
from ..common.shapes import Shape, in_order
from ..config import ResnetConfig
from ..plan.layers import (
    ChannelPad,
    Classifier,
    Conv,
    Dropout,
    DropPath,
    GlobalPool,
    Pool,
    SqueezeExcite,
)

Tensor = Any  # a symbolic tensor of Keras, which publishes no types

# The order of axes inside every network, whatever the order of its input. Without oneDNN,
# TensorFlow's convolutions on a CPU know no other; and where a map is as wide as it has channels,
# keras.ops.add on TensorFlow (Keras 3.15) adds a bias of shape (1, channels, 1, 1) to the columns.
INSIDE = "channels_last"


def _initializer(chosen: str | Initializer) -> Any:
    """A new object for every layer: one for all would give equal shapes equal values."""
    record = INITIALIZERS[chosen] if isinstance(chosen, str) else chosen
    return getattr(keras.initializers, record.class_name)(**dict(record.config))


@dataclass(frozen=True)
class LayerMaker:
    """Applies layers with what they all share: a config's conventions, dtype and prefix.

    `data_format` is the order of axes of the network's input and feature maps; `enter` and `leave`
    convert it to the order inside. Without a prefix the layers are named by Keras. A `blank` one
    draws no random numbers: its kernels are zeros until `restore_initializers` has been called and
    weights were loaded.
    """

    config: ResnetConfig
    data_format: str
    dtype: Any = None
    prefix: str | None = None
    blank: bool = False

    def input(self, shape: Shape) -> Tensor:
        """The image the network begins with."""
        # Not the compute dtype: a mixed policy casts inside, and float64 must not lose digits here.
        dtype = keras.dtype_policies.get(self.dtype).variable_dtype
        name = f"{self.prefix or ''}input"
        return keras.Input(in_order(shape, self.data_format), dtype=dtype, name=name)

    def enter(self, x: Tensor, name: str) -> Tensor:
        """An image or feature map in the order of axes that is used inside."""
        return self._permuted(x, (2, 3, 1), name)

    def leave(self, x: Tensor, name: str) -> Tensor:
        """A feature map in the order of axes that is used outside; a vector is returned as is."""
        return self._permuted(x, (3, 1, 2), name) if len(x.shape) == 4 else x

    def _permuted(self, x: Tensor, axes: tuple[int, ...], name: str) -> Tensor:
        if self.data_format == INSIDE:
            return x
        return layers.Permute(axes, **self._common(name))(x)

    def conv2d(self, x: Tensor, conv: Conv) -> Tensor:
        """A convolution as the plan says it, padded as the config says."""
        config = self.config
        padding = "same"
        # At stride 1 "same" is symmetric; a strided one it pads more at the bottom right.
        if config.padding == "symmetric" and conv.strides != (1, 1) and conv.kernel_size > 1:
            pad = layers.ZeroPadding2D(conv.kernel_size // 2, **self._spatial(f"{conv.name}_pad"))
            x = pad(x)
            padding = "valid"
        return self._conv2d(
            x,
            conv.name,
            filters=conv.filters,
            kernel_size=conv.kernel_size,
            strides=conv.strides,
            dilation_rate=conv.dilation,
            groups=conv.groups,
            padding=padding,
            use_bias=conv.use_bias,
        )

    def batch_norm(self, x: Tensor, name: str, *, zero_gamma: bool = False) -> Tensor:
        """Batch normalisation over the channels."""
        return layers.BatchNormalization(
            epsilon=self.config.batch_norm_epsilon,
            momentum=self.config.batch_norm_momentum,
            gamma_initializer="zeros" if zero_gamma else "ones",
            **self._common(name),
        )(x)

    def activation(self, x: Tensor, name: str) -> Tensor:
        """The config's activation."""
        return layers.Activation(self.config.activation, **self._common(name))(x)

    def identity(self, x: Tensor, name: str) -> Tensor:
        """Nothing but a name for a tensor."""
        return layers.Identity(**self._common(name))(x)

    def add(self, tensors: list[Tensor], name: str) -> Tensor:
        """The sum of tensors of one shape."""
        return layers.Add(**self._common(name))(tensors)

    def pool(self, x: Tensor, pool: Pool) -> Tensor:
        """A pool over windows."""
        if pool.kind == "avg":
            # "same" here is PyTorch's ceil_mode=True, count_include_pad=False.
            return layers.AveragePooling2D(
                pool.pool_size, pool.strides, padding="same", **self._spatial(pool.name)
            )(x)
        if self.config.padding == "same":
            return self._max_pool(x, pool.pool_size, pool.strides, pool.name)
        # Even padding with minus infinity, whatever comes before: Keras pads so at stride 1; the
        # strides then pick the windows. It takes as long as padding with zeros beforehand.
        x = self._max_pool(x, pool.pool_size, 1, pool.name)
        return self._max_pool(x, 1, pool.strides, f"{pool.name}_strides")

    def pad_channels(self, x: Tensor, pad: ChannelPad) -> Tensor:
        """Subsampled, with zero channels on both sides."""
        if pad.strides != (1, 1):
            x = self._max_pool(x, 1, pad.strides, f"{pad.name}_strides")
        missing = pad.filters - pad.input_shape[2]
        zeros = (missing // 2, missing - missing // 2)
        # Zero padding that reads the axes in the other order pads the channels.
        return layers.ZeroPadding2D(
            ((0, 0), zeros), data_format="channels_first", **self._common(pad.name)
        )(x)

    def squeeze_excite(self, x: Tensor, excite: SqueezeExcite) -> Tensor:
        """Channels weighed by what a small network makes of their means."""
        name = excite.name
        pool = layers.GlobalAveragePooling2D(keepdims=True, **self._spatial(f"{name}_pool"))
        weights = self._conv2d(
            pool(x), f"{name}_reduce", filters=excite.reduced, kernel_size=1, activation="relu"
        )
        weights = self._conv2d(
            weights,
            f"{name}_expand",
            filters=excite.input_shape[2],
            kernel_size=1,
            activation="sigmoid",
        )
        return layers.Multiply(**self._common(f"{name}_scale"))([x, weights])

    def drop_path(self, x: Tensor, drop: DropPath) -> Tensor:
        """All or nothing of each image's tensor, in training."""
        return layers.Dropout(drop.rate, noise_shape=(None, 1, 1, 1), **self._common(drop.name))(x)

    def global_pool(self, x: Tensor, pool: GlobalPool) -> Tensor:
        """A number per channel: the mean (`"avg"`) or the largest (`"max"`)."""
        kinds = {"avg": layers.GlobalAveragePooling2D, "max": layers.GlobalMaxPooling2D}
        return kinds[pool.kind](**self._spatial(pool.name))(x)

    def dropout(self, x: Tensor, dropout: Dropout) -> Tensor:
        """Dropout, which does nothing outside training."""
        return layers.Dropout(dropout.rate, **self._common(dropout.name))(x)

    def classifier(self, x: Tensor, classifier: Classifier) -> Tensor:
        """The dense layer that answers with a number per class."""
        # Under a mixed policy the probabilities stay in full precision.
        dtype = keras.dtype_policies.get(self.dtype).variable_dtype
        return layers.Dense(
            classifier.classes,
            activation=classifier.activation,
            kernel_initializer=self._initializer(self.config.classifier_initializer),
            **self._common(classifier.name) | {"dtype": dtype},
        )(x)

    def _conv2d(self, x: Tensor, name: str, **settings: Any) -> Tensor:
        decay = self.config.weight_decay
        return layers.Conv2D(
            kernel_initializer=self._initializer(self.config.kernel_initializer),
            kernel_regularizer=keras.regularizers.L2(decay) if decay else None,
            **settings,
            **self._spatial(name),
        )(x)

    def restore_initializers(self, model: keras.Model, random: Iterable[str]) -> None:
        """Give a blank model's layers their initialisers, and random values to those named."""
        names = {
            layers.Conv2D: self.config.kernel_initializer,
            layers.Dense: self.config.classifier_initializer,
        }
        random = set(random)
        for layer in model.layers:
            if type(layer) in names:
                layer.kernel_initializer = _initializer(names[type(layer)])
                if layer.name in random:
                    kernel = layer.kernel
                    kernel.assign(layer.kernel_initializer(kernel.shape, kernel.dtype))

    def _initializer(self, chosen: str | Initializer) -> Any:
        return "zeros" if self.blank else _initializer(chosen)

    def _max_pool(self, x: Tensor, pool_size: int, strides: Any, name: str) -> Tensor:
        return layers.MaxPooling2D(pool_size, strides, padding="same", **self._spatial(name))(x)

    def _common(self, name: str) -> dict[str, Any]:
        named = None if self.prefix is None else f"{self.prefix}{name}"
        return {"name": named, "dtype": self.dtype}

    def _spatial(self, name: str) -> dict[str, Any]:
        return {**self._common(name), "data_format": INSIDE}
