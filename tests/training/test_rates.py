"""Layers with rates train as with one optimizer of rate times the learning rate."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from resnet_builder import ResnetBuilder, compile_recipe, layer_rates
from resnet_builder.training.optimizers import Lamb

pytestmark = pytest.mark.convolutions

RATES = {"stem": 0, "stage1": 0.25, "head": 4}

Make = Callable[[float], keras.optimizers.Optimizer]


def network(**options: Any) -> keras.Model:
    keras.utils.set_random_seed(0)
    small: dict[str, Any] = {"classes": 3, "repetitions": (1, 1), "filters": 4}
    return ResnetBuilder.from_preset("resnet18", (8, 8, 3), **small | options)


def train(model: keras.Model, optimizer: keras.optimizers.Optimizer, steps: int = 2) -> Any:
    """The weights of the model after some steps, by their paths."""
    model.compile(optimizer, "sparse_categorical_crossentropy", run_eagerly=EAGERLY)
    return go_on(model, steps)


EAGERLY = keras.backend.backend() == "tensorflow"  # tracing takes longer than the steps


def go_on(model: keras.Model, steps: int = 2) -> dict[str, Any]:
    rng = np.random.Generator(np.random.PCG64(0))
    images, labels = rng.standard_normal((2 * steps, 8, 8, 3)), np.arange(2 * steps) % 3
    model.fit(images, labels, batch_size=2, shuffle=False, verbose=0)
    return {of.path: keras.ops.convert_to_numpy(of) for of in model.weights}


@pytest.mark.parametrize(
    "make",
    [
        lambda rate: keras.optimizers.SGD(rate, 0.9, nesterov=True, global_clipnorm=0.1),
        lambda rate: keras.optimizers.AdamW(rate, weight_decay=0.1, use_ema=True),
        lambda rate: keras.optimizers.Nadam(
            keras.optimizers.schedules.CosineDecay(rate, 9), gradient_accumulation_steps=2
        ),
    ],
    ids=["sgd", "adamw", "nadam"],
)
def test_rates_of_1_are_the_optimizer(make: Make) -> None:
    one, two = network(), network()
    optimizer = layer_rates(two, make(0.1), {"stem": 1})
    expected, found = train(one, make(0.1)), train(two, optimizer)
    for path, value in expected.items():
        np.testing.assert_allclose(found[path], value, rtol=1e-5, atol=1e-6, err_msg=path)


@pytest.mark.parametrize(
    "make",
    [
        lambda rate: keras.optimizers.SGD(rate, 0.9, weight_decay=0.5),
        lambda rate: keras.optimizers.Adam(rate, weight_decay=0.5),
        pytest.param(
            lambda rate: keras.optimizers.Muon(rate, weight_decay=0.5),
            marks=pytest.mark.skipif(
                keras.__version__.startswith("3.12."), reason="Keras's own fails on TensorFlow"
            ),
        ),
        lambda rate: Lamb(rate, weight_decay=0.5, decays=("kernel",)),
    ],
    ids=["sgd", "adam", "muon", "lamb"],
)
def test_a_step_is_the_rate_times_the_learning_rate(make: Make) -> None:
    model, rates = network(), {"stem": 0.5, "stage1": 0.25, "head": 4}
    found = train(model, layer_rates(model, make(0.125), rates), 1)
    alone = {rate: train(network(), make(0.125 * rate), 1) for rate in (0.25, 0.5, 1, 4)}
    for path, value in found.items():
        part = "head" if path.startswith("predictions") else path.partition("_")[0]
        expected = alone[rates.get(part, 1)][path]
        np.testing.assert_allclose(value, expected, rtol=1e-6, atol=1e-7, err_msg=path)


@pytest.mark.parametrize("name", ["sgd", "adamw"])
def test_a_part_with_the_rate_0_stays_as_it_is(name: str) -> None:
    model = network()
    before = {of.path: keras.ops.convert_to_numpy(of) for of in model.weights}
    optimizer = keras.optimizers.get(
        {"class_name": name, "config": {"learning_rate": 0.1, "weight_decay": 0.5}}
    )
    for path, value in train(model, layer_rates(model, optimizer, {"stage1": 0})).items():
        assert np.array_equal(value, before[path]) == path.startswith("stage1"), path


def test_variables_beside_layers_have_the_rate_1() -> None:
    class Scaled(keras.layers.Layer):
        def __init__(self) -> None:
            super().__init__(name="scaled")
            self.dense = keras.layers.Dense(3)
            self.scale = self.add_weight(shape=(), initializer="ones", name="scale")

        def call(self, x: Any) -> Any:
            return self.dense(x) * self.scale

    net = network(include_top=False)
    model = keras.Model(net.input, Scaled()(net.output))
    optimizer = layer_rates(model, keras.optimizers.SGD(), {"stem": 0.5, "head": 4})
    rates = dict(zip((of.path for of in model.trainable_variables), optimizer.rates, strict=True))
    assert (rates["scaled/scale"], rates["scaled/dense/kernel"]) == (1, 4)


def test_a_recipe_takes_rates() -> None:
    model = network()
    given: dict[str, Any] = {"epochs": 1, "steps_per_epoch": 2, "schedule": "constant"}
    compile_recipe(model, "he2015", **given, learning_rate=0.5, rates={"stage1": 0, "head": 2})
    frozen = model.get_layer("stage1_block1_bn1")
    before = [keras.ops.convert_to_numpy(of) for of in frozen.weights]
    go_on(model)
    assert all(map(np.array_equal, map(keras.ops.convert_to_numpy, frozen.weights), before))
    assert float(model.optimizer.learning_rate) == 0.5
    assert (model.optimizer.rates[0], model.optimizer.rates[-1]) == (1, 2)


def test_excluded_variables_do_not_decay() -> None:
    model = network()
    optimizer = keras.optimizers.SGD(0.0, weight_decay=0.5)
    optimizer.exclude_from_weight_decay(var_names=["gamma", "beta", "bias"])
    optimizer = layer_rates(model, optimizer, RATES)
    optimizer.learning_rate = 0.5
    optimizer.build(model.trainable_variables)
    start = [keras.ops.convert_to_numpy(of) for of in model.trainable_variables]
    optimizer.apply([keras.ops.zeros(of.shape) for of in model.trainable_variables])
    for of, value, rate in zip(model.trainable_variables, start, optimizer.rates, strict=True):
        left = 1 - 0.5 * 0.5 * rate * (of.name == "kernel")
        np.testing.assert_allclose(keras.ops.convert_to_numpy(of), left * value, rtol=1e-6)


@pytest.mark.parametrize("scaled", [False, True])
def test_a_saved_model_goes_on(tmp_path: Path, *, scaled: bool) -> None:
    body = network(include_top=False, classes=None, pooling="avg")
    model = keras.Sequential([body, keras.layers.Dense(3, activation="softmax")])
    rate = keras.optimizers.schedules.PiecewiseConstantDecay([2], [0.5, 0.25])
    optimizer = layer_rates(model, keras.optimizers.SGD(rate, 0.9), RATES)
    train(model, keras.optimizers.LossScaleOptimizer(optimizer) if scaled else optimizer)
    model.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras")
    inner = again.optimizer.inner_optimizer if scaled else again.optimizer
    assert inner.rates == optimizer.rates
    expected, found = go_on(model).values(), go_on(again).values()
    for value, other in zip(expected, found, strict=True):
        np.testing.assert_allclose(other, value, rtol=1e-5, atol=1e-7)


def test_a_decay_goes_from_the_head_to_the_stem() -> None:
    body = network(include_top=False, classes=None)
    outside = keras.layers.Dense(2, name="own")(keras.layers.GlobalMaxPooling2D()(body.output))
    model = keras.Model(body.input, outside)
    optimizer = layer_rates(model, "sgd", 0.5)
    found = {
        of.path.split("/")[0].split("_")[0]: rate
        for of, rate in zip(model.trainable_variables, optimizer.rates, strict=True)
    }
    assert found == {"stem": 0.125, "stage1": 0.25, "stage2": 0.5, "own": 1}


def test_a_part_with_a_prefix_is_of_one_network() -> None:
    left, right = (
        network(layer_prefix=side, include_top=False, pooling="avg", classes=None)
        for side in ("left_", "right_")
    )
    joined = keras.layers.Concatenate()([left.output, right.output])
    model = keras.Model([left.input, right.input], keras.layers.Dense(2)(joined))
    rates: dict[str, float] = {"stem": 0.5, "left_stem": 0.25, "right_stage1": 0, "head": 3}
    optimizer = layer_rates(model, "adam", rates)
    found = {
        of.path: rate for of, rate in zip(model.trainable_variables, optimizer.rates, strict=True)
    }
    assert found["left_stem_conv/kernel"] == 0.25
    assert found["right_stem_conv/kernel"] == 0.5
    assert found["left_stage1_block1_conv1/kernel"] == 1
    assert "right_stage1_block1_conv1/kernel" not in found
    assert optimizer.rates[-1] == 3
    assert not model.get_layer("right_stage1_block1_bn1").trainable


@pytest.mark.parametrize(
    ("rates", "error", "message"),
    [
        ({"stage3": 1}, ValueError, r"unknown part .*'stage3': did you mean 'stage.*'head'"),
        ({"stem": -1}, ValueError, "the rate of 'stem' must be at least 0 and less than inf"),
        ({"stem": float("nan")}, ValueError, "the rate of 'stem' must be at least 0"),
        ({"stem": "0"}, TypeError, "the rate of 'stem' must be a number, got '0'"),
        (0, ValueError, "must be more than 0 and finite, got 0"),
        (
            ["stem"],
            TypeError,
            r"rates that are no mapping from parts must be a number, got \['stem'\]",
        ),
    ],
)
def test_bad_rates_are_refused(rates: Any, error: type[Exception], message: str) -> None:
    model = network()
    with pytest.raises(error, match=message):
        layer_rates(model, "sgd", rates)
    assert all(layer.trainable for layer in model.layers)


def test_optimizers_that_cannot_have_rates_are_refused() -> None:
    model = network()
    scaled = keras.optimizers.LossScaleOptimizer(keras.optimizers.SGD())
    with pytest.raises(TypeError, match="LossScaleOptimizer, which wraps others: give the"):
        layer_rates(model, scaled, RATES)
    optimizer = keras.optimizers.SGD()
    optimizer.build(model.trainable_variables)
    with pytest.raises(ValueError, match=r"(?i)'sgd.*' has been built: give a new optimizer"):
        layer_rates(model, optimizer, RATES)
    optimizer = layer_rates(model, "sgd", RATES)
    model.trainable = False
    with pytest.raises(ValueError, match="has the rates of 17 variables, and the model trains 0"):
        optimizer.build(model.trainable_variables)
