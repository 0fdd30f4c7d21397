"""The article's network (raghakot/keras-resnet, resnet.py) on Keras 3, in a few lines.

Layers, their order and their settings are the original's, for channels-last images.
"""

from collections.abc import Callable
from typing import Any

from keras import Input, Model, layers, regularizers


def conv(x: Any, filters: int, size: int, strides: Any = 1, padding: str = "same") -> Any:
    """Convolution with He's initializer and an L2 penalty."""
    penalty = regularizers.L2(1e-4)
    return layers.Conv2D(
        filters, size, strides, padding, kernel_initializer="he_normal", kernel_regularizer=penalty
    )(x)


def bn_relu(x: Any) -> Any:
    """Batch norm and ReLU."""
    return layers.Activation("relu")(layers.BatchNormalization()(x))


def shortcut(x: Any, residual: Any) -> Any:
    """Add x, after a 1x1 convolution if its shape differs."""
    strides = tuple(round(x.shape[axis] / residual.shape[axis]) for axis in (1, 2))
    if max(strides) > 1 or x.shape[3] != residual.shape[3]:
        x = conv(x, residual.shape[3], 1, strides, "valid")
    return layers.Add()([x, residual])


def basic_block(x: Any, filters: int, strides: int, is_first: bool) -> Any:
    """Two 3x3 convolutions."""
    y = conv(x if is_first else bn_relu(x), filters, 3, strides)
    return shortcut(x, conv(bn_relu(y), filters, 3))


def bottleneck(x: Any, filters: int, strides: int, is_first: bool) -> Any:
    """1x1, 3x3 and 1x1 convolutions."""
    y = conv(x if is_first else bn_relu(x), filters, 1, strides)
    return shortcut(x, conv(bn_relu(conv(bn_relu(y), filters, 3)), 4 * filters, 1))


NETWORKS: dict[int, tuple[Callable[..., Any], tuple[int, ...]]] = {
    18: (basic_block, (2, 2, 2, 2)),
    34: (basic_block, (3, 4, 6, 3)),
    50: (bottleneck, (3, 4, 6, 3)),
    101: (bottleneck, (3, 4, 23, 3)),
    152: (bottleneck, (3, 8, 36, 3)),
}


def build(depth: int, input_shape: tuple[int, int, int], classes: int) -> Model:
    """The article's `build_resnet_18` to `build_resnet_152`."""
    block, repetitions = NETWORKS[depth]
    image = Input(input_shape)
    x = layers.MaxPooling2D(3, 2, "same")(bn_relu(conv(image, 64, 7, 2)))
    for stage, blocks in enumerate(repetitions):
        for number in range(blocks):
            opens_stage = number == 0 and stage > 0
            x = block(x, 64 * 2**stage, 1 + opens_stage, stage == number == 0)
    x = bn_relu(x)
    x = layers.Flatten()(layers.AveragePooling2D(x.shape[1:3], 1)(x))
    x = layers.Dense(classes, "softmax", kernel_initializer="he_normal")(x)
    return Model(image, x)
