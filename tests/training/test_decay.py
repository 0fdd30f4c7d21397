"""Weight decay as one penalty."""

import keras
import numpy as np
import pytest

from resnet_builder import ResnetBuilder
from resnet_builder.training.decay import decay


def small() -> keras.Model:
    return ResnetBuilder.from_preset(
        "resnet18", (8, 8, 3), 4, stem="cifar", repetitions=(1, 1), filters=4
    )


def squares(model: keras.Model, names: tuple[str, ...] = ()) -> float:
    values = [v for v in model.trainable_variables if not names or v.name in names]
    return float(
        sum(np.square(keras.ops.convert_to_numpy(v).astype("float64")).sum() for v in values)
    )


@pytest.mark.parametrize("names", [(), ("kernel",)])
def test_the_penalty_is_half_the_factor_times_the_squares(names: tuple[str, ...]) -> None:
    model = small()
    decay(model, 0.25, names)
    # A sum in float32 of some 3,000 squares: within 3,000 roundings of 6e-8 each.
    assert float(sum(model.losses)) == pytest.approx(0.125 * squares(model, names), rel=2e-4)
    decay(model, 0.0, names)
    assert model.losses == []


def test_frozen_variables_do_not_decay() -> None:
    model = small()
    decay(model, 0.25, ())
    model.get_layer("stem_conv").trainable = False  # it has the first of all variables
    assert float(sum(model.losses)) == pytest.approx(0.125 * squares(model), rel=2e-4)
    model.trainable = False
    assert model.losses == []
