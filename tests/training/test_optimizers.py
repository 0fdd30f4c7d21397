"""Optimizers of the recipes: steps of LAMB and AdamW computed by hand, from their papers."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from resnet_builder import RECIPES, Recipe, compile_recipe
from resnet_builder.training.optimizers import Lamb

Array = Any

GRADIENTS = [[0.3, -2.0, 0.01], [0.5, 1.0, 0.0], [-0.2, 0.1, 0.03]]
WEIGHTS = [1.0, -2.0, 0.5]
RATE, DECAY, EPSILON = 0.1, 0.02, 1e-6


def steps_by_hand(name: str, beta_1: float = 0.9, trust: bool = True) -> Array:
    """Algorithm 2 of arXiv:1904.00962, in float64.

    Without the trust ratio, AdamW (arXiv:1711.05101), with the epsilon of TensorFlow's Adam, which
    is added before the moments are corrected (arXiv:1412.6980, 2).
    """
    w, m, v = np.array(WEIGHTS), np.zeros(3), np.zeros(3)
    for number, gradient in enumerate(np.array(GRADIENTS), start=1):
        m = beta_1 * m + (1 - beta_1) * gradient
        v = 0.999 * v + 0.001 * gradient**2
        correction = np.sqrt(1 - 0.999**number)
        epsilon = EPSILON if trust else EPSILON / correction
        update = m / (1 - beta_1**number) / (np.sqrt(v) / correction + epsilon)
        decay = DECAY if name == "kernel" else 0.0
        update = update + decay * w
        ratio = np.linalg.norm(w) / np.linalg.norm(update) if decay and trust else 1.0
        w = w - RATE * ratio * update
    return w


def steps(optimizer: keras.optimizers.Optimizer, name: str) -> Array:
    variable = keras.Variable(np.reshape(WEIGHTS, (1, 1, 1, 3)), name=name)
    optimizer.build([variable])
    for gradient in GRADIENTS:
        optimizer.apply([keras.ops.reshape(keras.ops.convert_to_tensor(gradient), (1, 1, 1, 3))])
    return keras.ops.convert_to_numpy(variable).ravel()


@pytest.mark.parametrize("name", ["kernel", "gamma"])
def test_steps_of_lamb_are_those_of_the_paper(name: str) -> None:
    lamb = Lamb(RATE, epsilon=EPSILON, weight_decay=DECAY, decays=("kernel",))
    np.testing.assert_allclose(steps(lamb, name), steps_by_hand(name), rtol=2e-5)
    # What Keras's own does with the same settings is something else.
    of_keras = keras.optimizers.Lamb(RATE, epsilon=EPSILON, weight_decay=DECAY)
    assert np.abs(steps(of_keras, name) - steps_by_hand(name)).max() > 1e-4


def test_weights_or_updates_of_zero_have_no_ratio() -> None:
    lamb = Lamb(RATE, weight_decay=DECAY)
    variables = [keras.Variable([0.0, 0.0], name="kernel"), keras.Variable([0.0], name="kernel")]
    lamb.build(variables)
    lamb.apply([keras.ops.ones(2), keras.ops.zeros(1)])
    # A first step of Adam is as long as the rate.
    np.testing.assert_allclose(keras.ops.convert_to_numpy(variables[0]), -RATE, rtol=1e-4)
    assert float(variables[1][0]) == 0


def network() -> keras.Model:
    x = keras.Input((3,))
    y = keras.layers.BatchNormalization(name="bn")(keras.layers.Dense(3, name="body")(x))
    return keras.Model(x, keras.layers.Dense(2, name="predictions")(y))


@pytest.mark.parametrize("recipe", ["rsb_a1", "rsb_a2", "rsb_a3"])
def test_lamb_of_a_recipe_is_saved_with_what_decays(recipe: str, tmp_path: Path) -> None:
    model = compile_recipe(network(), recipe, epochs=4, steps_per_epoch=2)
    assert model.losses == []
    x, y = np.eye(3), np.eye(2)[[0, 1, 0]]
    model.fit(x, y, verbose=0, shuffle=False)  # the gradient of body's bias is rounding only
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras")
    config = again.optimizer.get_config()
    assert config["decays"] == ("kernel",)
    assert config["weight_decay"] == RECIPES[recipe].weight_decay
    assert (config["epsilon"], config["global_clipnorm"]) == (1e-6, 1.0)
    for one in (model, again):
        one.fit(x, y, verbose=0, shuffle=False)
    for expected, found in zip(model.weights, again.weights, strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-5)


@pytest.mark.parametrize("name", ["kernel", "gamma"])
def test_adamw_of_a_recipe(name: str) -> None:
    recipe = replace(RECIPES["ra4_like"], weight_decay=DECAY)
    model = network()
    layer = model.get_layer("body" if name == "kernel" else "bn")
    variable = getattr(layer, name)
    compile_recipe(
        model, recipe, epochs=1, steps_per_epoch=9, learning_rate=RATE, schedule="constant"
    )
    first = np.broadcast_to(WEIGHTS, variable.shape)
    variable.assign(first)
    for gradient in GRADIENTS:
        gradients = [keras.ops.zeros(v.shape) for v in model.trainable_variables]
        place = [v is variable for v in model.trainable_variables].index(True)
        gradients[place] = keras.ops.broadcast_to(
            keras.ops.convert_to_tensor(gradient), variable.shape
        )
        model.optimizer.apply(gradients)
    expected = np.broadcast_to(steps_by_hand(name, beta_1=0.6, trust=False), variable.shape)
    np.testing.assert_allclose(keras.ops.convert_to_numpy(variable), expected, rtol=2e-5)


def test_the_rate_of_lamb_and_adamw_goes_with_the_square_root_of_the_batch() -> None:
    for recipe, rate in (("rsb_a2", 0.005 / 2), ("ra4_like", 0.002 / 2), ("torchvision_v2", 0.125)):
        images = RECIPES[recipe].batch_size // 4
        options: dict[str, Any] = {"batch_size": images, "schedule": "constant"}
        model = compile_recipe(network(), recipe, epochs=2, steps_per_epoch=5, **options)
        assert float(model.optimizer.learning_rate) == pytest.approx(rate)


def test_options_of_the_optimizer_are_those_of_its_class() -> None:
    options: dict[str, Any] = {"beta_2": 0.99, "clipnorm": 2.0}
    model = compile_recipe(network(), "rsb_a2", epochs=2, steps_per_epoch=5, **options)
    config = model.optimizer.get_config()
    assert (config["beta_2"], config["clipnorm"], config["global_clipnorm"]) == (0.99, 2.0, None)
    model = compile_recipe(network(), "rsb_a2", epochs=2, steps_per_epoch=5, global_clipnorm=3.0)
    assert model.optimizer.global_clipnorm == 3
    with pytest.raises(ValueError, match="beta_1 is set by the recipe"):
        compile_recipe(model, "rsb_a2", epochs=2, steps_per_epoch=5, beta_1=0.5)  # type: ignore[call-arg]
    with pytest.raises(ValueError, match="unknown optimizer 'adam'"):
        Recipe(optimizer="adam")  # type: ignore[arg-type]
