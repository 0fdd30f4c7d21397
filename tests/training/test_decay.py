"""Weight decay: half the factor times the squares of a model's own trainable variables."""

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from resnet_builder import compile_recipe, freeze, unfreeze
from resnet_builder.training.trainable import decay

from ..helpers import FLOAT64, tiny_cifar

FACTOR = 0.25


def assert_decays(model: keras.Model, names: tuple[str, ...] = (), factor: float = FACTOR) -> None:
    decaying = [v for v in model.trainable_variables if not names or v.name in names]
    arrays = [keras.ops.convert_to_numpy(v).astype("float64") for v in decaying]
    expected = factor / 2 * sum(np.square(array).sum() for array in arrays)
    assert len(model.losses) == len(decaying)
    # A sum in float32 of some 3,000 squares: within 3,000 roundings of 6e-8 each.
    assert float(sum(model.losses)) == pytest.approx(expected, rel=2e-4)


@pytest.mark.parametrize("names", [(), ("kernel",)])
def test_the_penalty_is_half_the_factor_times_the_squares(names: tuple[str, ...]) -> None:
    model = tiny_cifar(weight_decay=0.1)
    decay(model, FACTOR, names)
    assert_decays(model, names)
    decay(model, 0.0, names)
    assert model.losses == []


def test_every_model_has_the_penalty_of_its_own_variables() -> None:
    whole = tiny_cifar()
    decay(whole, FACTOR, ())
    middle = whole.get_layer("stage1_block1_out").output
    assert_decays(keras.Model(middle, whole.output))
    assert_decays(keras.Model(whole.input, middle))
    one, two, image = tiny_cifar(name="one"), tiny_cifar(name="two"), keras.Input((8, 8, 3))
    ensemble = keras.Model(image, keras.layers.Average()([one(image), two(image)]))
    decay(ensemble, FACTOR, ())
    for model in (ensemble, one, two):
        assert_decays(model)


def test_only_what_is_trained_decays() -> None:
    model = tiny_cifar(weight_decay=0.1)
    freeze(model, until="stage1")
    decay(model, FACTOR, ())
    assert_decays(model)
    unfreeze(model)
    assert_decays(model)
    model.get_layer("stem_conv").trainable = False
    assert_decays(model)
    model.trainable = False
    assert model.losses == []


class OwnLayer(keras.layers.Layer):
    def build(self, shape: Any) -> None:
        self.temperature = self.add_weight(name="temperature", initializer="ones")

    def call(self, x: Any) -> Any:
        return x * self.temperature


def user_model() -> keras.Model:
    """One of each way in which Keras's layers keep their regularizers."""
    layers = keras.layers
    image = keras.Input((8, 8, 4))
    x = layers.DepthwiseConv2D(3, use_bias=False)(image)
    x = layers.SeparableConv2D(4, 3)(x)
    x = keras.Sequential([layers.Conv2D(4, 1), layers.BatchNormalization(), layers.PReLU()])(x)
    x = layers.Reshape((-1, 4))(x)
    x = layers.MultiHeadAttention(2, 2)(x, x)
    x = layers.TimeDistributed(layers.Dense(4))(x)
    x = layers.Bidirectional(layers.LSTM(2))(x)
    return keras.Model(image, layers.Dense(2)(x))


@pytest.mark.parametrize("names", [(), ("kernel",)])
def test_saved_models_keep_the_penalty(names: tuple[str, ...], tmp_path: Path) -> None:
    model = user_model()
    decay(model, FACTOR, names)
    assert_decays(model, names)
    model.save(tmp_path / "model.keras")
    assert_decays(keras.saving.load_model(tmp_path / "model.keras"), names)


@pytest.mark.convolutions
def test_variables_of_own_layers_decay() -> None:
    class OwnModel(keras.Model):
        def __init__(self) -> None:
            super().__init__()
            self.scale, self.layer = OwnLayer(), tiny_cifar()
            self.shift = self.add_weight(name="shift", initializer="ones")

        def call(self, x: Any) -> Any:
            return self.scale(self.layer(x)) + self.shift

    model = OwnModel()
    model(np.zeros((1, 8, 8, 3)))
    decay(model, FACTOR, ())
    assert_decays(model)


@pytest.mark.convolutions
@pytest.mark.parametrize("policy", [FLOAT64, "float16", "bfloat16", "mixed_float16"])
def test_decay_under_every_dtype_policy(policy: str) -> None:
    model = tiny_cifar(dtype=policy)
    x, y = np.zeros((2, 8, 8, 3)), np.arange(2)
    compile_recipe(model, "he2015", epochs=1, steps_per_epoch=1, learning_rate=1e-3)
    assert_decays(model, factor=1e-4)
    loss = model.test_on_batch(x, y)[0]
    model.train_on_batch(x, y)
    crossentropy = model._compile_loss(y, model(x))
    expected = float(crossentropy) + float(sum(model.losses))
    assert loss == pytest.approx(expected, rel=1e-2)


def test_the_gradient_is_the_factor_times_the_variable() -> None:
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)])
    decay(model, FACTOR, ())
    model.compile(keras.optimizers.SGD(1.0), lambda labels, predictions: 0 * predictions)
    before = model.get_weights()
    model.train_on_batch(np.ones((1, 3)), np.ones((1, 2)))
    for old, new in zip(before, model.get_weights(), strict=True):
        np.testing.assert_allclose(new, (1 - FACTOR) * old, rtol=1e-6)
