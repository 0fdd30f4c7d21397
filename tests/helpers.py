"""The one of each helper that tests of several files share."""

from typing import Any

import keras
import numpy as np
import numpy.typing as npt
import tensorflow as tf
from keras import layers

from resnet_builder import ResnetBuilder

# Prefixes of layers' names that a pattern might take for something else: one without an underscore,
# with signs, with the name of a part, of a block, of a layer, and that begins with an underscore.
PREFIXES = (
    "left",
    "a.b-",
    "my_stage1_net_",
    "stem_net_",
    "head_",
    "stage1_block1_",
    "_1.",
    "stem_conv",
)


def image_batch(*shape: int) -> npt.NDArray[np.float32]:
    """Standard normal numbers, the same for a shape every time."""
    numbers = np.random.Generator(np.random.PCG64(0)).standard_normal(shape)
    return numbers.astype("float32")


def randomised(model: keras.Model) -> keras.Model:
    """The model with random weights throughout, batch-norm statistics included."""
    rng = np.random.Generator(np.random.PCG64(0))
    values = []
    for weight in model.weights:
        if weight.name == "kernel":
            fan_in = np.prod(weight.shape[:-1])
            values.append(rng.standard_normal(weight.shape) * fan_in**-0.5)
        elif weight.name in ("gamma", "moving_variance"):
            values.append(rng.uniform(0.5, 1.5, weight.shape))
        else:
            values.append(0.1 * rng.standard_normal(weight.shape))
    model.set_weights(values)
    return model


def trainable_parameters(model: keras.Model) -> int:
    return sum(int(np.prod(weight.shape)) for weight in model.trainable_weights)


def assert_same_weights(model: keras.Model, other: keras.Model) -> None:
    """Bit by bit."""
    for ours, theirs in zip(model.get_weights(), other.get_weights(), strict=True):
        np.testing.assert_array_equal(ours, theirs)


def png_size(png: bytes) -> tuple[int, int]:
    """(width, height) in pixels of a PNG that can be decoded."""
    height, width, _ = tf.io.decode_png(png).shape
    return width, height


def two_branches() -> keras.Model:
    """Two inputs, a shared layer, an operation without a layer, two outputs."""
    left, right = keras.Input((8,), name="left"), keras.Input((4,), name="right")
    shared = keras.layers.Dense(3, name="shared")
    widened = keras.layers.Dense(8, name="<b>&amp;", activation="relu")(right)
    joined = keras.layers.Concatenate(name="join")([shared(left), shared(widened)])
    return keras.Model([left, right], [joined, keras.ops.relu(joined)], name="two")


SMALL_NETWORK: dict[str, Any] = {"input_shape": (64, 64, 3), "repetitions": (1, 2), "filters": 8}


def unet() -> keras.Model:
    """A decoder upon the feature maps of a network: 32x32 and 16x16 again, and the image's size."""
    features = ("stem", "stage1", "stage2")
    network = ResnetBuilder.from_preset("resnet18", features=features, **SMALL_NETWORK)
    x = network.output["stage2"]
    for feature in ("stage1", "stem"):
        x = layers.Concatenate()([layers.UpSampling2D()(x), network.output[feature]])
        for _ in range(2):
            x = layers.Conv2D(8, 3, padding="same", use_bias=False)(x)
            x = layers.ReLU()(layers.BatchNormalization()(x))
    x = layers.Conv2D(3, 1, activation="softmax")(layers.UpSampling2D()(x))
    return keras.Model(network.input, x, name="unet")


def feature_pyramid() -> keras.Model:
    """Two levels of a pyramid of feature maps, as in Lin et al. 2016 (arXiv:1612.03144)."""
    network = ResnetBuilder.from_preset("resnet18", features=("stage1", "stage2"), **SMALL_NETWORK)
    fine, coarse = (layers.Conv2D(4, 1)(network.output[name]) for name in ("stage1", "stage2"))
    fine = layers.Add()([layers.UpSampling2D()(coarse), fine])
    outputs = [layers.Conv2D(4, 3, padding="same")(level) for level in (fine, coarse)]
    return keras.Model(network.input, outputs, name="pyramid")


def two_towers() -> keras.Model:
    """Two networks, joined by a classifier."""
    left, right = (
        ResnetBuilder.from_preset(
            "resnet18", include_top=False, pooling="avg", layer_prefix=prefix, **SMALL_NETWORK
        )
        for prefix in ("left_", "right_")
    )
    joined = layers.Concatenate()([left.output, right.output])
    return keras.Model([left.input, right.input], layers.Dense(5)(joined), name="towers")


def siamese() -> keras.Model:
    """One network called twice."""
    network = ResnetBuilder.from_preset(
        "resnet18", include_top=False, pooling="avg", **SMALL_NETWORK
    )
    pair = [keras.Input((64, 64, 3), name=name) for name in ("left", "right")]
    return keras.Model(pair, layers.Dense(1)(layers.Subtract()(list(map(network, pair)))))


def with_separable_blocks() -> keras.Model:
    """The network of the README's section on blocks of one's own."""

    def separable_block(filters: int, init_strides: Any = (1, 1), **_: Any) -> Any:
        def apply(x: Any) -> Any:
            y = layers.SeparableConv2D(filters, 3, strides=init_strides, padding="same")(x)
            y = layers.BatchNormalization()(y)
            shortcut = layers.Conv2D(filters, 1, strides=init_strides)(x)
            return layers.Add()([shortcut, y])

        return apply

    return ResnetBuilder.build((3, 64, 64), 10, separable_block, [2, 2, 2])


# Models that contain networks of this package.
BUILT_UPON = {
    "unet": unet,
    "feature_pyramid": feature_pyramid,
    "two_towers": two_towers,
    "siamese": siamese,
    "with_separable_blocks": with_separable_blocks,
}
