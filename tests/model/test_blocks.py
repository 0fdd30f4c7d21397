"""The article's blocks, used alone in anybody's functional model."""

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import pytest

from resnet_builder import basic_block, bottleneck

from ..helpers import image_batch, randomised


@pytest.mark.parametrize(("block", "channels"), [(basic_block, 16), (bottleneck, 64)])
@pytest.mark.parametrize("strides", [(1, 1), (2, 2), (2, 1), 2])
def test_shapes(block: Callable[..., Any], channels: int, strides: Any) -> None:
    rows, columns = (strides, strides) if isinstance(strides, int) else strides
    x = block(16, init_strides=strides)(keras.Input((12, 20, 5)))
    assert x.shape == (None, 12 // rows, 20 // columns, channels)


@pytest.mark.convolutions
@pytest.mark.parametrize("block", [basic_block, bottleneck])
def test_both_data_formats_agree(block: Callable[..., Any]) -> None:
    images = image_batch(2, 8, 8, 5)
    last = keras.Input((8, 8, 5))
    expected = randomised(keras.Model(last, block(8, init_strides=(1, 2))(last)))
    keras.config.set_image_data_format("channels_first")
    try:
        first = keras.Input((5, 8, 8))
        model = keras.Model(first, block(8, init_strides=(1, 2))(first))
    finally:
        keras.config.set_image_data_format("channels_last")
    model.set_weights(expected.get_weights())
    answer = keras.ops.transpose(model(images.transpose(0, 3, 1, 2)), (0, 2, 3, 1))
    np.testing.assert_allclose(answer, expected(images), atol=1e-5)


def test_unknown_sizes_and_two_blocks_in_one_model() -> None:
    image = keras.Input((None, None, 3))
    x = basic_block(8, is_first_block_of_first_layer=True)(image)
    x = bottleneck(4, init_strides=(2, 2))(x)
    model = keras.Model(image, basic_block(16)(x))
    kinds = [type(layer).__name__ for layer in model.layers]
    # 2 + 1, 3 + 1 and 2 convolutions: the last block's input has its 16 channels already.
    assert kinds.count("Conv2D") == 9
    # The first block leaves out its first batch norm.
    assert kinds.count("BatchNormalization") == 1 + 3 + 2
    assert kinds.count("Add") == 3


def test_the_identity_fits_where_nothing_changes() -> None:
    image = keras.Input((8, 8, 16))
    model = keras.Model(image, basic_block(16)(image))
    assert sum(isinstance(layer, keras.layers.Conv2D) for layer in model.layers) == 2


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ((0,), ValueError, "filters must be 1 or more"),
        (("16",), TypeError, "filters must be an integer"),
        ((16, (1, 2, 3)), ValueError, r"\(rows, columns\) or one number"),
        ((16, (0, 1)), ValueError, "init_strides must be 1 or more"),
    ],
)
def test_refused(arguments: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        basic_block(*arguments)
