"""The article's network, composed of its helpers by hand, is the one that `build` plans."""

from typing import Any

import keras
import numpy as np
import pytest

from resnet_builder import ResnetBuilder, basic_block, bottleneck
from resnet_builder.model.article import _bn_relu_conv, _conv_bn_relu, _shortcut

from ..helpers import image_batch, randomised

layers = keras.layers


def by_hand(block: Any, repetitions: list[int]) -> keras.Model:
    """As raghakot/keras-resnet's `build`, for 10 classes and images of 32x48x3."""
    image = keras.Input((32, 48, 3))
    x = _conv_bn_relu(image, filters=64, kernel_size=7, strides=(2, 2))
    x = layers.MaxPooling2D(3, strides=2, padding="same")(x)
    filters = 64
    for stage, blocks in enumerate(repetitions):
        for number in range(blocks):
            strides = (2, 2) if number == 0 and stage > 0 else (1, 1)
            opens_network = stage == number == 0
            x = block(filters, strides, opens_network)(x)
        filters *= 2
    x = layers.Activation("relu")(layers.BatchNormalization()(x))
    x = layers.GlobalAveragePooling2D()(x)
    return keras.Model(image, layers.Dense(10, activation="softmax")(x))


@pytest.mark.convolutions
@pytest.mark.parametrize("block", [basic_block, bottleneck])
def test_composed_by_hand(block: Any) -> None:
    expected = randomised(ResnetBuilder.build((3, 32, 48), 10, block, [2, 1]))
    model = by_hand(block, [2, 1])
    assert [weight.shape for weight in model.weights] == [w.shape for w in expected.weights]
    model.set_weights(expected.get_weights())
    images = image_batch(2, 32, 48, 3)
    np.testing.assert_allclose(model(images), expected(images), atol=1e-6)


def kinds(model: keras.Model) -> list[str]:
    return sorted(type(layer).__name__ for layer in model.layers)


@pytest.mark.convolutions
def test_a_block_is_two_convolutions_and_a_shortcut() -> None:
    image = keras.Input((8, 12, 16))
    block = randomised(keras.Model(image, basic_block(32, init_strides=(2, 1))(image)))
    residual = _bn_relu_conv(_bn_relu_conv(image, 32, 3, strides=(2, 1)), 32, 3)
    model = keras.Model(image, _shortcut(image, residual, strides=(2, 1)))
    assert [weight.shape for weight in model.weights] == [w.shape for w in block.weights]
    assert kinds(model) == kinds(block)
    model.set_weights(block.get_weights())
    images = image_batch(2, 8, 12, 16)
    np.testing.assert_allclose(model(images), block(images), atol=1e-6)


def test_the_identity_is_added_as_it_is() -> None:
    image = keras.Input((8, 8, 16))
    model = keras.Model(image, _shortcut(image, keras.layers.ReLU()(image)))
    assert not model.weights
    numbers = image_batch(1, 8, 8, 16)
    np.testing.assert_array_equal(model(numbers), numbers + np.maximum(numbers, 0))
