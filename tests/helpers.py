"""The one of each helper that tests of several files share."""

import keras
import numpy as np
import numpy.typing as npt
import tensorflow as tf

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
