"""Shapes in both orders of axes."""

from typing import Any

import numpy as np
import pytest

from resnet_builder.common.shapes import image_shape, in_order


def test_shapes_are_converted_between_orders() -> None:
    assert image_shape((5, 7, 11)) == (5, 7, 11)
    assert image_shape([11, 5, 7], "channels_first") == (5, 7, 11)
    assert in_order((5, 7, 11), "channels_first") == (11, 5, 7)
    assert image_shape((None, 7, np.int64(3))) == (None, 7, 3)
    assert image_shape(np.array([5, 7, 11])) == (5, 7, 11)


@pytest.mark.parametrize(
    ("given", "order", "corrected"),
    [
        ((224, 224, 3), "channels_first", (3, 224, 224)),
        ((480, 640, 4), "channels_first", (4, 480, 640)),
        ((None, None, 1), "channels_first", (1, None, None)),
        ((3, 224, 160), "channels_last", (224, 160, 3)),
    ],
)
def test_a_shape_in_the_other_order_is_rejected(given: Any, order: str, corrected: Any) -> None:
    with pytest.raises(ValueError, match="write call") as refusal:
        image_shape(given, order, lambda shape: f"call({shape})")
    assert f"call({corrected})" in str(refusal.value)


@pytest.mark.parametrize(
    ("given", "order"),
    [
        ((3, 224, 224), "channels_first"),
        ((224, 224, 3), "channels_last"),
        ((64, 1000, 1), "channels_first"),  # 64 electrodes, 1000 samples
        ((1, 5000, 12), "channels_last"),  # a 12-lead electrocardiogram
        ((3, 4, 4), "channels_first"),
        ((13, 64, 64), "channels_first"),
    ],
)
def test_other_shapes_are_accepted(given: Any, order: str) -> None:
    assert in_order(image_shape(given, order, str), order) == given


@pytest.mark.parametrize(
    ("given", "error", "message"),
    [
        ((0, 224, 3), ValueError, "every size must be 1 or more, got 0"),
        ((224, 224.5, 3), TypeError, "must be an integer, got 224.5"),
        ((None, 224, 224, 3), ValueError, "without the batch"),
        ((224, 224, None), ValueError, "channels may not"),
        (224, TypeError, r"for example \(224, 224, 3\); got 224"),
        ("abc", ValueError, "got 'abc'"),
    ],
)
def test_invalid_shapes_are_rejected(given: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        image_shape(given)
