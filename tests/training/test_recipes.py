"""Recipes: schedules, losses, decay, and training steps computed by hand."""

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from resnet_builder import RECIPES, ResnetBuilder, compile_recipe
from resnet_builder.training.recipes import schedule

Array = Any


def small(classes: int = 4, **options: Any) -> keras.Model:
    return ResnetBuilder.from_preset(
        "resnet18", (8, 8, 3), classes, stem="cifar", repetitions=(1,), filters=4, **options
    )


def batch() -> tuple[Array, Array]:
    rng = np.random.Generator(np.random.PCG64(0))
    return rng.standard_normal((6, 8, 8, 3)).astype("float32"), np.array([0, 1, 2, 3, 0, 1])


def rates(recipe: str, steps: int, *at: int) -> list[float]:
    found = RECIPES[recipe]
    rate = schedule(found, found.learning_rate, steps)
    return [float(rate(step)) for step in at]


def test_learning_rates_are_those_of_the_papers() -> None:
    # 90 epochs of 5,004 batches of 256 ImageNet images; drops after epochs 30 and 60.
    epoch = 5004
    steps: tuple[int, ...] = (0, 30 * epoch - 1, 30 * epoch, 60 * epoch, 90 * epoch)
    expected = [0.1, 0.1, 0.01, 0.001, 0.001]
    assert rates("he2015", 90 * epoch, *steps) == pytest.approx(expected)
    # Section 4.2: 0.01 at first, drops at 32k and 48k of 64k iterations.
    steps = (0, 399, 400, 31_999, 32_000, 48_000, 63_999)
    expected = [0.01, 0.01, 0.1, 0.1, 0.01, 0.001, 0.001]
    assert rates("he2015_cifar", 64_000, *steps) == pytest.approx(expected)
    # Times 0.2 after epochs 60, 120 and 160 of 200.
    steps = (0, 59 * 391, 60 * 391, 120 * 391, 160 * 391)
    assert rates("wrn2016", 200 * 391, *steps) == pytest.approx([0.1, 0.1, 0.02, 0.004, 0.0008])
    # A linear warm-up of 5 epochs, then a half cosine of 115.
    steps = (0, 2500, 5000, 62_500, 120_000)
    expected = [0, 0.05, 0.1, 0.05, 0]
    assert rates("bag_of_tricks", 120_000, *steps) == pytest.approx(expected, abs=1e-8)
    assert rates("fine_tune", 1000, 0, 300, 600, 900) == pytest.approx([3e-3, 3e-4, 3e-5, 3e-6])


def test_every_recipe_names_its_source() -> None:
    assert all(recipe.source.startswith("arXiv:") for recipe in RECIPES.values())


def test_the_learning_rate_is_proportional_to_the_batch_size() -> None:
    model = compile_recipe(small(), "wrn2016", epochs=2, steps_per_epoch=5, batch_size=64)
    assert float(model.optimizer.learning_rate) == pytest.approx(0.05)
    model = compile_recipe(small(), "wrn2016", epochs=2, steps_per_epoch=5, learning_rate=0.3)
    assert float(model.optimizer.learning_rate) == pytest.approx(0.3)


def test_two_steps_are_those_computed_by_hand() -> None:
    """velocity = 0.9 velocity + gradient + decay * w; w -= rate * velocity."""
    x, y = batch()
    dense = keras.layers.Dense(4, name="predictions")
    model = keras.Sequential([keras.Input((8, 8, 3)), keras.layers.Flatten(), dense])
    compile_recipe(model, "he2015", epochs=90, steps_per_epoch=100)
    flat = x.reshape(6, -1).astype("float64")

    def gradient(kernel: Array, bias: Array) -> Array:
        logits = flat @ kernel + bias
        odds = np.exp(logits - logits.max(axis=1, keepdims=True))
        surplus = odds / odds.sum(axis=1, keepdims=True) - np.eye(4)[y]
        return np.concatenate([flat.T @ surplus, surplus.sum(0, keepdims=True)]) / len(y)

    weights = np.concatenate([dense.kernel.numpy(), dense.bias.numpy()[np.newaxis]])
    weights = weights.astype("float64")
    velocity = np.zeros_like(weights)
    for _ in range(2):
        velocity = 0.9 * velocity + gradient(weights[:-1], weights[-1]) + 1e-4 * weights
        weights = weights - 0.1 * velocity
        model.train_on_batch(x, y)
    np.testing.assert_allclose(dense.kernel.numpy(), weights[:-1], rtol=1e-4, atol=1e-7)
    np.testing.assert_allclose(dense.bias.numpy(), weights[-1], rtol=1e-4, atol=1e-7)


def test_the_recipe_chooses_the_variables_that_decay() -> None:
    def decaying(recipe: str) -> set[str]:
        model = compile_recipe(small(), recipe, epochs=2, steps_per_epoch=5)
        return {v.name for v in model.trainable_variables if v.regularizer}

    everything = {"kernel", "gamma", "beta", "bias"}
    assert decaying("he2015") == everything
    assert decaying("bag_of_tricks") == {"kernel"}
    assert decaying("fine_tune") == set()


def test_the_decay_of_a_recipe_replaces_that_of_the_model() -> None:
    # The article's networks have their own L2 penalty, 1e-4 * w^2.
    model = ResnetBuilder.build((3, 16, 16), 4, "basic_block", [1])
    compile_recipe(model, "he2015", epochs=2, steps_per_epoch=5)
    penalty = 1e-4 / 2 * sum(np.sum(np.square(v.numpy())) for v in model.trainable_variables)
    assert float(sum(model.losses)) == pytest.approx(float(penalty), rel=1e-5)


def test_a_saved_model_keeps_its_decay(tmp_path: Path) -> None:
    model = compile_recipe(small(), "he2015", epochs=2, steps_per_epoch=5)
    model.save(tmp_path / "net.keras")
    again = keras.models.load_model(tmp_path / "net.keras")
    assert float(sum(again.losses)) == pytest.approx(float(sum(model.losses)))
    x, y = batch()
    for one in (model, again):
        one.train_on_batch(x, y)
    for expected, found in zip(model.weights, again.weights, strict=True):
        np.testing.assert_allclose(found.numpy(), expected.numpy(), atol=1e-6)


@pytest.mark.parametrize("activation", ["softmax", None])
def test_the_loss_fits_the_last_activation(activation: str | None) -> None:
    x, y = batch()
    model = small(classifier_activation=activation)
    compile_recipe(model, "fine_tune", epochs=1, steps_per_epoch=1)
    answer = np.asarray(model(x), "float64")
    odds = np.exp(answer) if activation is None else answer
    expected = -np.log((odds / odds.sum(axis=1, keepdims=True))[np.arange(6), y]).mean()
    assert model.evaluate(x, y, verbose=0)[0] == pytest.approx(expected, rel=1e-4)


def test_labels_are_smoothed() -> None:
    x, y = batch()
    model = compile_recipe(small(), "bag_of_tricks", epochs=1, steps_per_epoch=1)
    answer = np.asarray(model(x), "float64")
    # 0.9 for the class, and 0.1 shared by all four.
    expected = -(np.log(answer) * (0.9 * np.eye(4)[y] + 0.1 / 4)).sum(axis=1).mean()
    penalty = float(sum(model.losses))
    loss = model.evaluate(x, keras.utils.to_categorical(y, 4), verbose=0)[0]
    assert loss == pytest.approx(expected + penalty, rel=1e-4)
    with pytest.raises(ValueError, match='give labels="one_hot" and keras'):
        compile_recipe(model, "bag_of_tricks", epochs=1, steps_per_epoch=1, labels="integer")


@pytest.mark.parametrize("recipe", RECIPES)
def test_the_first_step_is_traced_once(recipe: str) -> None:
    traced = []

    class Counted(keras.layers.Layer):
        def call(self, x: Any) -> Any:
            traced.append(x)
            return x

    body = small()
    answer = keras.layers.Dense(4, name="predictions")(Counted()(body.layers[-2].output))
    model = compile_recipe(keras.Model(body.input, answer), recipe, epochs=1, steps_per_epoch=3)
    x, y = batch()
    labels = y if RECIPES[recipe].label_smoothing == 0 else keras.utils.to_categorical(y, 4)
    traced.clear()
    model.fit(np.tile(x, (3, 1, 1, 1)), np.tile(labels.T, 3).T, batch_size=6, verbose=0)
    assert len(traced) == 1


@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16"])
def test_mixed_precision_trains_every_variable(policy: str) -> None:
    model = compile_recipe(small(dtype=policy), "he2015", epochs=1, steps_per_epoch=4)
    x, y = batch()
    before = [variable.numpy() for variable in model.trainable_variables]
    losses = [model.train_on_batch(x, y)[0] for _ in range(8)]
    assert np.isfinite(losses).all()
    assert losses[-1] < losses[0]
    changed = [
        np.any(v.numpy() != b) for v, b in zip(model.trainable_variables, before, strict=True)
    ]
    assert all(changed)


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"recipe": "he2016"}, ValueError, "unknown recipe 'he2016': did you mean 'he2015'"),
        ({"epochs": 0}, ValueError, "epochs must be 1 or more, got 0"),
        ({"steps_per_epoch": 2.5}, TypeError, r"steps_per_epoch must be an integer, got 2\.5"),
        ({"batch_size": -1}, ValueError, "batch_size must be 1 or more"),
        ({"learning_rate": 0}, ValueError, "learning_rate must be more than 0"),
        ({"labels": "text"}, ValueError, "unknown kind of labels 'text'"),
    ],
)
def test_invalid_arguments_are_rejected(
    options: dict[str, Any], error: type[Exception], message: str
) -> None:
    arguments: dict[str, Any] = {"recipe": "he2015", "epochs": 1, "steps_per_epoch": 1}
    with pytest.raises(error, match=message):
        compile_recipe(small(), **arguments | options)


def test_a_softmax_layer_is_an_output_of_probabilities() -> None:
    logits = small(classifier_activation=None)
    model = keras.Model(logits.input, keras.layers.Softmax()(logits.output))
    compile_recipe(model, epochs=1, steps_per_epoch=1)
    assert not model.loss.get_config()["from_logits"]


def test_unsuitable_models_are_rejected() -> None:
    with pytest.raises(
        ValueError, match=r"activation softmax, sigmoid or none; 'resnet18' ends in 'stage1"
    ):
        compile_recipe(small(include_top=False), epochs=1, steps_per_epoch=1)
    with pytest.raises(ValueError, match="a softmax over one class is always 1"):
        compile_recipe(small(classes=1), epochs=1, steps_per_epoch=1)
    with pytest.raises(ValueError, match="ends in 'predictions'"):
        compile_recipe(small(classifier_activation="tanh"), epochs=1, steps_per_epoch=1)
    with pytest.raises(TypeError, match="must be a Keras model, got 'resnet18'"):
        compile_recipe("resnet18", epochs=1, steps_per_epoch=1)


# Losses -----------------------------------------------------------------------------------------


def mask_network(activation: str | None) -> keras.Model:
    features = small(features=("stage1",))
    mask = keras.layers.Conv2D(1, 1, activation=activation)(features.output["stage1"])
    return keras.Model(features.input, mask)


@pytest.mark.parametrize("network", ["sigmoid", "logit", "two sigmoids", "mask", "mask logits"])
def test_binary_crossentropy_for_sigmoids_and_one_logit(network: str) -> None:
    model = {
        "sigmoid": lambda: small(classes=1, classifier_activation="sigmoid"),
        "logit": lambda: small(classes=1, classifier_activation=None),
        "two sigmoids": lambda: small(classes=2, classifier_activation="sigmoid"),
        "mask": lambda: mask_network("sigmoid"),
        "mask logits": lambda: mask_network(None),
    }[network]()
    images, _ = batch()
    labels = np.ones((6, *model.output_shape[1:]), "float32")
    model = compile_recipe(model, "he2015", epochs=1, steps_per_epoch=1)
    given = model.evaluate(images, labels, verbose=0, return_dict=True)
    computed = keras.losses.BinaryCrossentropy("logit" in network)(labels, model(images))
    penalties = sum(model.losses)
    assert given["loss"] == pytest.approx(float(computed + penalties), rel=1e-5)
    model.fit(images, labels, verbose=0)


def test_a_loss_and_other_options_of_compile() -> None:
    model = small(classes=2, classifier_activation="tanh")
    images, _ = batch()
    model = compile_recipe(
        model, "he2015", epochs=1, steps_per_epoch=1, loss="mse", metrics=["mae"], run_eagerly=True
    )
    assert model.run_eagerly
    assert set(model.fit(images, np.zeros((6, 2)), verbose=0).history) == {"loss", "mae"}


@pytest.mark.parametrize(
    ("network", "options", "message"),
    [
        ({"classifier_activation": "tanh"}, {}, "softmax, sigmoid or none; .*: give a loss"),
        ({"classifier_activation": "sigmoid"}, {"labels": "one_hot"}, "is for a softmax"),
        ({}, {"loss": "mse", "labels": "integer"}, "labels is for the recipe's own loss"),
    ],
)
def test_losses_that_do_not_fit(
    network: dict[str, Any], options: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        compile_recipe(small(**network), "he2015", epochs=1, steps_per_epoch=1, **options)


# Mixed precision --------------------------------------------------------------------------------


@pytest.mark.parametrize("scaled", [True, False])
def test_gradients_that_underflow_in_float16_are_scaled(scaled: bool) -> None:
    model = small(dtype="mixed_float16")

    def small_loss(labels: Any, predictions: Any) -> Any:
        return 1e-7 * keras.losses.sparse_categorical_crossentropy(labels, predictions)

    model.compile(keras.optimizers.SGD(1e5), small_loss, auto_scale_loss=scaled)
    kernel = model.get_layer("stem_conv").kernel
    before = kernel.numpy()
    model.fit(*batch(), verbose=0)
    assert np.array_equal(kernel.numpy(), before) != scaled


def test_mixed_float16_scales_the_loss_and_is_saved_with_it(tmp_path: Path) -> None:
    model = small(dtype="mixed_float16")
    compile_recipe(model, "he2015", epochs=1, steps_per_epoch=1)
    assert isinstance(model.optimizer, keras.optimizers.LossScaleOptimizer)
    model.fit(*batch(), verbose=0)
    model.save(tmp_path / "model.keras")
    saved = keras.saving.load_model(tmp_path / "model.keras")
    assert isinstance(saved.optimizer, keras.optimizers.LossScaleOptimizer)
    for first, second in zip(saved.optimizer.variables, model.optimizer.variables, strict=True):
        np.testing.assert_array_equal(first, second)
