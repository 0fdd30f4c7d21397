"""Recipes: schedules, losses, decay, and training steps computed by hand."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from resnet_builder import RECIPES, Recipe, ResnetBuilder, compile_recipe
from resnet_builder.training.recipes import decreasing

from ..helpers import tiny_cifar

Array = Any


def identity(outputs: int, activation: str | None = None) -> keras.Model:
    """A model whose predictions are its inputs, after the activation."""
    output = keras.layers.Dense(outputs, activation=activation, kernel_initializer="identity")
    return keras.Sequential([keras.Input((outputs,)), output])


def batch() -> tuple[Array, Array]:
    rng = np.random.Generator(np.random.PCG64(0))
    return rng.standard_normal((6, 8, 8, 3)).astype("float32"), np.array([0, 1, 2, 3, 0, 1])


def rates(recipe: str, steps: int, *at: int) -> list[float]:
    found = RECIPES[recipe]
    rate = decreasing(found, found.learning_rate, steps)
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


# Recipe -> steps, those of the warm-up, and the highest rate; seven steps are an epoch.
WARMED = {
    "bag_of_tricks": (120 * 7, 5 * 7, 0.1),
    "rsb_a1": (600 * 7, 5 * 7, 0.005),
    "rsb_a2": (300 * 7, 5 * 7, 0.005),
    "rsb_a3": (100 * 7, 5 * 7, 0.008),
    "torchvision_v2": (600 * 7, 5 * 7, 0.5),
    "ra4_like": (3_002_368, 1_560, 0.002),
}


@pytest.mark.parametrize("recipe", WARMED)
def test_the_rate_of_a_cosine(recipe: str) -> None:
    """A line to the highest rate, and half a cosine over the other steps."""
    count, warm_up, highest = WARMED[recipe]
    rate = decreasing(RECIPES[recipe], highest, count)
    steps = np.unique(np.concatenate([np.arange(60), np.linspace(0, count - 1, 100, dtype=int)]))
    share = (steps - warm_up) / (count - warm_up)
    cosine = highest * (1 + np.cos(np.pi * share)) / 2
    expected = np.where(share < 0, highest * steps / warm_up, cosine)
    found = [float(rate(step)) for step in steps]
    np.testing.assert_allclose(found, expected, atol=2e-6 * highest)
    assert RECIPES[recipe].learning_rate == highest


def test_every_recipe_names_its_source() -> None:
    origins = ("arXiv:", "pytorch/vision ", "tensorflow/models, ")
    assert all(recipe.source.startswith(origins) for recipe in RECIPES.values())


def test_the_published_settings_of_the_recipes() -> None:
    # arXiv:2110.00476, table 2.
    table = {
        name: (
            row.train_size,
            row.test_size,
            row.test_crop,
            row.weight_decay,
            row.label_smoothing,
            row.drop_path_rate,
            row.augment.repeats,
            row.augment.magnitude,
            row.augment.mixup,
            row.augment.cutmix,
        )
        for name, row in RECIPES.items()
        if name.startswith("rsb")
    }
    assert table == {
        "rsb_a1": (224, 224, 0.95, 0.01, 0.1, 0.05, 3, 7, 0.2, 1.0),
        "rsb_a2": (224, 224, 0.95, 0.02, 0.0, 0.05, 3, 7, 0.1, 1.0),
        "rsb_a3": (160, 224, 0.95, 0.02, 0.0, 0.0, 1, 6, 0.1, 1.0),
    }
    row = RECIPES["torchvision_v2"]
    assert (row.train_size, row.test_size / row.test_crop, row.batch_size) == (176, 232, 8 * 128)


@pytest.mark.parametrize(
    ("options", "rate"),
    [
        ({"batch_size": 64}, 0.05),
        ({"batch_size": 32, "gradient_accumulation_steps": 4}, 0.1),
        ({"gradient_accumulation_steps": 4}, 0.1),
        ({"learning_rate": 0.3, "batch_size": 64}, 0.3),
    ],
)
def test_the_learning_rate_is_proportional_to_the_images_of_an_update(
    options: dict[str, Any], rate: float
) -> None:
    model = compile_recipe(identity(3), "wrn2016", epochs=2, steps_per_epoch=5, **options)
    assert float(model.optimizer.learning_rate) == pytest.approx(rate)


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
        model = compile_recipe(tiny_cifar(), recipe, epochs=2, steps_per_epoch=5)
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
    assert np.asarray(sum(model.losses)) == pytest.approx(float(penalty), rel=1e-5)


@pytest.mark.convolutions
def test_a_saved_model_keeps_its_decay(tmp_path: Path) -> None:
    model = compile_recipe(tiny_cifar(), "he2015", epochs=2, steps_per_epoch=5)
    model.save(tmp_path / "net.keras")
    again = keras.models.load_model(tmp_path / "net.keras")
    assert np.asarray(sum(again.losses)) == pytest.approx(np.asarray(sum(model.losses)))
    x, y = batch()
    for one in (model, again):
        one.train_on_batch(x, y)
    for expected, found in zip(model.weights, again.weights, strict=True):
        np.testing.assert_allclose(found.numpy(), expected.numpy(), atol=1e-6)


@pytest.mark.convolutions
@pytest.mark.parametrize("activation", ["softmax", None])
def test_the_loss_fits_the_last_activation(activation: str | None) -> None:
    x, y = batch()
    model = tiny_cifar(classifier_activation=activation)
    compile_recipe(model, "fine_tune", epochs=1, steps_per_epoch=1)
    answer = np.asarray(model(x), "float64")
    odds = np.exp(answer) if activation is None else answer
    expected = -np.log((odds / odds.sum(axis=1, keepdims=True))[np.arange(6), y]).mean()
    assert model.evaluate(x, y, verbose=0)[0] == pytest.approx(expected, rel=1e-4)


@pytest.mark.convolutions
def test_labels_are_smoothed() -> None:
    x, y = batch()
    model = compile_recipe(tiny_cifar(), "bag_of_tricks", epochs=1, steps_per_epoch=1)
    answer = np.asarray(model(x), "float64")
    # 0.9 for the class, and 0.1 shared by all four.
    expected = -(np.log(answer) * (0.9 * np.eye(4)[y] + 0.1 / 4)).sum(axis=1).mean()
    penalty = float(sum(model.losses))
    loss = model.evaluate(x, keras.utils.to_categorical(y, 4), verbose=0)[0]
    assert loss == pytest.approx(expected + penalty, rel=1e-4)
    with pytest.raises(ValueError, match='give labels="one_hot" and keras'):
        compile_recipe(model, "bag_of_tricks", epochs=1, steps_per_epoch=1, labels="integer")


@pytest.mark.convolutions
@pytest.mark.tensorflow
@pytest.mark.parametrize("recipe", ["he2015", "bag_of_tricks", "rsb_a2", "ra4_like"])
def test_the_first_step_is_traced_once(recipe: str) -> None:
    traced = []

    class Counted(keras.layers.Layer):
        def call(self, x: Any) -> Any:
            traced.append(x)
            return x

    body = tiny_cifar()
    answer = keras.layers.Dense(4, name="predictions")(Counted()(body.layers[-2].output))
    model = compile_recipe(keras.Model(body.input, answer), recipe, epochs=1, steps_per_epoch=3)
    x, y = batch()
    row = RECIPES[recipe]
    is_hot = row.label_smoothing or row.augment.mixes
    labels = keras.utils.to_categorical(y, 4) if is_hot else y
    traced.clear()
    model.fit(np.tile(x, (3, 1, 1, 1)), np.tile(labels.T, 3).T, batch_size=6, verbose=0)
    assert len(traced) == 1


@pytest.mark.convolutions
@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16"])
def test_mixed_precision_trains_every_variable(policy: str) -> None:
    model = compile_recipe(tiny_cifar(dtype=policy), "he2015", epochs=1, steps_per_epoch=4)
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
        ({"batch_size": 0}, ValueError, "batch_size must be 1 or more"),
        ({"batch_size": -1}, ValueError, "batch_size must be 1 or more"),
        ({"learning_rate": 0}, ValueError, "learning_rate must be more than 0"),
        ({"learning_rate": float("inf")}, ValueError, "more than 0 and finite, got inf"),
        ({"learning_rate": float("nan")}, ValueError, "more than 0 and finite, got nan"),
        ({"learning_rate": "a"}, TypeError, "learning_rate must be a number, got 'a'"),
        ({"epochs": 10**30}, ValueError, "steps_per_epoch must be at most 2147483647, got 10000"),
        ({"schedule": "cosine"}, ValueError, "unknown schedule 'cosine': .*'recipe', 'constant'"),
        ({"weight_decay": 0.1}, ValueError, r"weight_decay is set by the recipe.*replace\("),
        ({"momentum": 0.5}, ValueError, r"momentum is set by the recipe"),
        ({"optimizer": "adam"}, ValueError, r"optimizer is set by the recipe.*model\.compile"),
        ({"clipnorn": 1.0}, TypeError, "clipnorn"),
        ({"labels": "text"}, ValueError, "unknown kind of labels 'text'"),
    ],
)
def test_invalid_arguments_are_rejected(
    options: dict[str, Any], error: type[Exception], message: str
) -> None:
    arguments: dict[str, Any] = {"recipe": "he2015", "epochs": 1, "steps_per_epoch": 1}
    model = identity(3)
    with pytest.raises(error, match=message):
        compile_recipe(model, **arguments | options)
    assert model.losses == []
    assert not model.compiled


@pytest.mark.parametrize(
    ("inner", "from_logits"), [("softmax", False), (None, True)], ids=["softmax", "logits"]
)
def test_the_output_may_be_that_of_a_network_in_the_model(
    inner: str | None, from_logits: bool
) -> None:
    network, image = identity(3, inner), keras.Input((3,))
    answer = network(image)
    for output in (answer, {"answer": answer}, keras.Sequential([network])(image)):
        model = keras.Model(image, output)
        compile_recipe(model, epochs=1, steps_per_epoch=1, run_eagerly=True)
        assert model.loss.get_config()["from_logits"] == from_logits
        assert len(model.losses) == 2
        model.fit(np.eye(3), np.arange(3), verbose=0)


def test_a_softmax_layer_is_an_output_of_probabilities() -> None:
    logits = tiny_cifar(classifier_activation=None)
    model = keras.Model(logits.input, keras.layers.Softmax()(logits.output))
    compile_recipe(model, epochs=1, steps_per_epoch=1)
    assert not model.loss.get_config()["from_logits"]


@pytest.mark.convolutions
def test_maps_may_be_enlarged_after_the_activation() -> None:
    features = tiny_cifar(include_top=False)
    maps = keras.layers.Conv2D(3, 1, activation="softmax")(features.output)
    model = keras.Model(features.input, keras.layers.UpSampling2D(2)(maps))
    compile_recipe(model, epochs=1, steps_per_epoch=1)
    labels = np.zeros((6, *model.output_shape[1:3]), "int32")
    results = model.evaluate(batch()[0], labels, verbose=0, return_dict=True)
    expected = np.mean(np.asarray(model(batch()[0])).argmax(axis=-1) == labels)
    assert results["accuracy"] == pytest.approx(expected)


@pytest.mark.parametrize("last", ["conv", "layer", "softmax", "enlarged"])
def test_classes_are_on_the_last_axis(last: str) -> None:
    image = keras.Input((3, 4, 4))
    maps = keras.layers.Conv2D(4, 1, data_format="channels_first", name="maps")(image)
    if last == "enlarged":
        maps = keras.layers.UpSampling2D(data_format="channels_first")(maps)
    permuted = keras.layers.Permute((2, 3, 1))(maps)
    end = {"softmax": keras.layers.Softmax(), "layer": keras.layers.Activation("linear")}.get(last)
    with pytest.raises(
        ValueError, match=r"channels_first, .* last axis: end in keras.layers.Permute"
    ):
        compile_recipe(keras.Model(image, end(maps) if end else maps), epochs=1, steps_per_epoch=1)
    end = end or keras.layers.Activation("softmax")
    compile_recipe(keras.Model(image, end(permuted)), epochs=1, steps_per_epoch=1)


def test_unsuitable_models_are_rejected() -> None:
    with pytest.raises(
        ValueError, match=r"activation softmax, sigmoid or none; 'resnet18' ends in 'stage1"
    ):
        compile_recipe(tiny_cifar(include_top=False), epochs=1, steps_per_epoch=1)
    answer = identity(3)
    with pytest.raises(ValueError, match=r"has 2 outputs, 'dense.*one: give a loss for each"):
        compile_recipe(keras.Model(answer.inputs, answer.outputs * 2), epochs=1, steps_per_epoch=1)
    with pytest.raises(ValueError, match="has no variables yet: give it an Input"):
        compile_recipe(
            keras.Sequential([keras.layers.Dense(1)]), epochs=1, steps_per_epoch=1, loss="mse"
        )
    with pytest.raises(ValueError, match="a softmax over one class is always 1"):
        compile_recipe(tiny_cifar(classes=1), epochs=1, steps_per_epoch=1)
    with pytest.raises(ValueError, match="ends in 'predictions'"):
        compile_recipe(tiny_cifar(classifier_activation="tanh"), epochs=1, steps_per_epoch=1)
    with pytest.raises(TypeError, match="must be a Keras model, got 'resnet18'"):
        compile_recipe("resnet18", epochs=1, steps_per_epoch=1)


@pytest.mark.parametrize(
    ("field", "error", "message"),
    [
        ({"drops": (0.5, 0.3)}, ValueError, "drops must be ascending times between 0 and 1"),
        ({"drops": (0.0, 0.3)}, ValueError, "drops must be ascending times"),
        ({"drops": (30, 60)}, ValueError, "each of drops must be at least 0 and less than 1"),
        ({"drops": 0.5}, TypeError, "drops must be times such as"),
        ({"drops": (0.1,), "warm_up": 0.2}, ValueError, "warm_up must end before the first of"),
        ({"warm_up": 1}, ValueError, "warm_up must be at least 0 and less than 1"),
        ({"drop": 0}, ValueError, "drop must be more than 0"),
        ({"learning_rate": float("nan")}, ValueError, "learning_rate must be more than 0"),
        ({"batch_size": 0.5}, TypeError, "batch_size must be an integer"),
        ({"momentum": 1}, ValueError, "momentum must be at least 0 and less than 1"),
        ({"nesterov": 1}, TypeError, "nesterov must be True or False"),
        ({"weight_decay": -1}, ValueError, "weight_decay must be at least 0"),
        ({"weight_decay": float("inf")}, ValueError, "weight_decay must be at least 0"),
        ({"decays": "kernel"}, TypeError, "decays must be names such as"),
        ({"label_smoothing": "a"}, TypeError, "label_smoothing must be a number"),
    ],
)
def test_invalid_recipes_are_rejected(
    field: dict[str, Any], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        Recipe(**field)


def test_a_recipe_of_ones_own() -> None:
    recipe = replace(RECIPES["he2015"], momentum=0, weight_decay=0.5, decays=("bias",))
    model = compile_recipe(identity(3), recipe, epochs=1, steps_per_epoch=1)
    assert model.optimizer.momentum == 0.0
    assert Recipe().source == ""
    assert [v.name for v in model.trainable_variables if v.regularizer] == ["bias"]
    with pytest.raises(ValueError, match="the recipe smooths labels"):
        compile_recipe(
            model, Recipe(label_smoothing=0.1), epochs=1, steps_per_epoch=1, labels="integer"
        )


@pytest.mark.parametrize("recipe", RECIPES.values(), ids=RECIPES)
@pytest.mark.parametrize("steps", [1, 2, 3])
def test_schedules_of_few_steps(recipe: Recipe, steps: int) -> None:
    rate = decreasing(replace(recipe, warm_up=recipe.warm_up and 0.3), 1.0, steps)
    rates = [float(rate(step)) for step in range(steps)]
    assert np.isfinite(rates).all()
    assert max(rates) <= 1


def test_the_recipes_print_as_a_table() -> None:
    header, _, *rows = str(RECIPES).splitlines()
    assert header.split("  ")[0] == "recipe"
    assert [row.split()[0] for row in rows] == list(RECIPES)
    assert RECIPES.table().rows[0][4] == "x 0.1 at 33%, 67%"
    assert "x 0.1 at 50%, 75% after a warm-up of 0.6%" in rows[1]
    assert "cosine after a warm-up of 4.2%" in rows[3]
    assert "0.0001 (kernel)" in rows[3]
    assert "resized crop, flip, rand_augment 7, mixup 0.1, cutmix 1, repeats 3" in rows[6]
    assert RECIPES._repr_html_().startswith("<table>")


# The optimizer ----------------------------------------------------------------------------------


def test_a_constant_rate_is_one_that_callbacks_set() -> None:
    model = compile_recipe(identity(3), epochs=9, steps_per_epoch=1, schedule="constant")
    plateau = keras.callbacks.ReduceLROnPlateau(
        monitor="loss", factor=0.5, patience=0, min_delta=9.0, verbose=0
    )
    # Keras takes the first epoch for better than none: of three, two are on the plateau.
    model.fit(np.eye(3), np.arange(3), epochs=3, callbacks=[plateau], verbose=0)
    assert float(model.optimizer.learning_rate) == pytest.approx(0.1 / 4)


@pytest.mark.parametrize("policy", ["float32", "mixed_float16"])
def test_the_optimizer_takes_the_options_of_keras(policy: str, tmp_path: Path) -> None:
    options: dict[str, Any] = {"global_clipnorm": 0.5, "use_ema": True, "ema_momentum": 0.9}
    model = tiny_cifar(dtype=policy)
    compile_recipe(model, epochs=1, steps_per_epoch=1, **options, steps_per_execution=2)
    assert model.steps_per_execution == 2
    model.save(tmp_path / "model.keras")
    for one in (model, keras.saving.load_model(tmp_path / "model.keras")):
        inner = getattr(one.optimizer, "inner_optimizer", one.optimizer)
        assert options.items() <= inner.get_config().items()


@pytest.mark.parametrize("options", [{"loss_scale_factor": 64.0}, {"auto_scale_loss": False}])
def test_another_scale_of_the_loss_replaces_that_of_mixed_float16(options: dict[str, Any]) -> None:
    model = compile_recipe(
        tiny_cifar(dtype="mixed_float16"), epochs=1, steps_per_epoch=1, **options
    )
    assert isinstance(model.optimizer, keras.optimizers.SGD)
    assert model.optimizer.loss_scale_factor == options.get("loss_scale_factor")


def test_a_mixed_float16_network_in_a_model_has_its_loss_scaled() -> None:
    model = keras.Sequential([tiny_cifar(dtype="mixed_float16"), keras.layers.Softmax()])
    compile_recipe(model, epochs=1, steps_per_epoch=1)
    assert isinstance(model.optimizer, keras.optimizers.LossScaleOptimizer)


# Losses -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("activation", [None, "sigmoid"])
def test_binary_crossentropy_of_a_recipe(activation: str | None) -> None:
    """The mean over images and classes, as of timm's BinaryCrossEntropy; accuracy of one class."""
    model = identity(3, activation)
    compile_recipe(model, "rsb_a2", epochs=1, steps_per_epoch=1)
    logits = np.array([[2.0, -1.0, 0.5], [0.3, 0.2, -2.0], [-1.0, -2.0, -3.0]])
    labels = np.array([[1.0, 0, 1], [0, 1, 0], [1, 0, 0]])
    results = model.evaluate(logits, labels, verbose=0, return_dict=True)
    expected = np.log1p(np.exp(logits)) - labels * logits
    assert results["loss"] == pytest.approx(expected.mean(), rel=1e-5)
    assert results["accuracy"] == pytest.approx(2 / 3)
    assert model.losses == []


def test_mixed_labels_of_a_recipe_are_one_hot() -> None:
    recipe = replace(RECIPES["torchvision_v2"], label_smoothing=0.0)
    model = compile_recipe(identity(3), recipe, epochs=1, steps_per_epoch=1)
    assert isinstance(model.loss, keras.losses.CategoricalCrossentropy)
    compile_recipe(model, recipe, epochs=1, steps_per_epoch=1, labels="integer")
    assert isinstance(model.loss, keras.losses.SparseCategoricalCrossentropy)


def test_what_a_binary_crossentropy_refuses() -> None:
    with pytest.raises(ValueError, match=r"a softmax ties them: .*classifier_activation=None, or"):
        compile_recipe(identity(3, "softmax"), "rsb_a2", epochs=1, steps_per_epoch=1)
    with pytest.raises(ValueError, match='give labels="one_hot" and keras'):
        compile_recipe(identity(3), "rsb_a2", epochs=1, steps_per_epoch=1, labels="integer")
    with pytest.raises(ValueError, match='target_threshold is for loss="binary_crossentropy"'):
        Recipe(target_threshold=0.2)
    with pytest.raises(ValueError, match=r"test_crop must be from 0 to 1, got 1\.5"):
        Recipe(test_crop=1.5)
    with pytest.raises(ValueError, match="train_size must be 1 or more, got -1"):
        Recipe(train_size=-1)


def mask_network(activation: str | None) -> keras.Model:
    features = tiny_cifar(include_top=False)
    mask = keras.layers.Conv2D(1, 1, activation=activation)(features.output)
    return keras.Model(features.input, mask)


@pytest.mark.convolutions
@pytest.mark.parametrize("network", ["sigmoid", "logit", "two sigmoids", "mask", "mask logits"])
def test_binary_crossentropy_for_sigmoids_and_one_logit(network: str) -> None:
    model = {
        "sigmoid": lambda: tiny_cifar(classes=1, classifier_activation="sigmoid"),
        "logit": lambda: tiny_cifar(classes=1, classifier_activation=None),
        "two sigmoids": lambda: tiny_cifar(classes=2, classifier_activation="sigmoid"),
        "mask": lambda: mask_network("sigmoid"),
        "mask logits": lambda: mask_network(None),
    }[network]()
    images, _ = batch()
    labels = np.ones((6, *model.output_shape[1:]), "float32")
    model = compile_recipe(model, "he2015", epochs=1, steps_per_epoch=1, run_eagerly=True)
    given = model.evaluate(images, labels, verbose=0, return_dict=True)
    computed = keras.losses.BinaryCrossentropy("logit" in network)(labels, model(images))
    penalties = sum(model.losses)
    assert given["loss"] == pytest.approx(float(computed + penalties), rel=1e-5)
    model.fit(images, labels, verbose=0)


@pytest.mark.convolutions
def test_a_loss_and_other_options_of_compile() -> None:
    model = tiny_cifar(classes=2, classifier_activation="tanh")
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
        compile_recipe(tiny_cifar(**network), "he2015", epochs=1, steps_per_epoch=1, **options)


# Accuracies -------------------------------------------------------------------------------------

SIGMOIDS = np.array([[3, 2, -1, -2], [3, -1, 2, 2]])
MULTI_LABELS = np.array([[1, 1, 0, 0], [1, 1, 0, 0]])  # 5 of 8 are right


@pytest.mark.parametrize("name", ["accuracy", "acc"])
@pytest.mark.parametrize(
    ("activation", "logits", "labels", "options", "expected"),
    [
        (None, [[0.3], [-0.3]], [[1], [1]], {}, 0.5),
        ("sigmoid", [[0.3], [-0.3]], [1, 0], {}, 1.0),
        ("sigmoid", SIGMOIDS, MULTI_LABELS, {}, 5 / 8),
        ("sigmoid", SIGMOIDS, MULTI_LABELS, {"loss": "binary_crossentropy"}, 5 / 8),
        (None, SIGMOIDS, MULTI_LABELS, {"loss": keras.losses.BinaryCrossentropy(True)}, 5 / 8),
        ("softmax", SIGMOIDS, [0, 2], {}, 0.5),
        (None, SIGMOIDS, [[0], [2]], {"loss": "crossentropy"}, 0.5),
        (None, SIGMOIDS, np.eye(4)[[0, 2]], {"labels": "one_hot"}, 0.5),
    ],
)
def test_the_accuracy_is_that_of_the_loss(
    name: str, activation: Any, logits: Any, labels: Any, options: Any, expected: float
) -> None:
    arrays = np.array(logits, "float32"), np.array(labels, "float32")
    model = identity(arrays[0].shape[1], activation)
    compile_recipe(
        model,
        epochs=1,
        steps_per_epoch=1,
        metrics=[name],
        weighted_metrics=[name],
        run_eagerly=True,
        **options,
    )
    results = model.evaluate(
        *arrays, sample_weight=np.array([1.0, 3.0]), verbose=0, return_dict=True
    )
    assert results[name] == pytest.approx(expected)
    right = [model.evaluate(*(a[i : i + 1] for a in arrays), verbose=0)[1] for i in (0, 1)]
    assert results[f"weighted_{name}"] == pytest.approx((right[0] + 3 * right[1]) / 4)


@pytest.mark.parametrize(
    ("metrics", "expected"),
    [
        (None, set()),
        ((), set()),
        ({"answer": ["accuracy", "mae"]}, {"accuracy", "mae"}),
        ({"answer": "acc"}, {"acc"}),
        ([keras.metrics.BinaryAccuracy(name="own", threshold=0.0)], {"own"}),
    ],
)
def test_metrics_are_as_in_compile(metrics: Any, expected: set[str]) -> None:
    x = keras.Input((1,))
    model = keras.Model(x, keras.layers.Dense(1, name="answer", kernel_initializer="ones")(x))
    compile_recipe(model, epochs=1, steps_per_epoch=1, metrics=metrics, run_eagerly=True)
    results = model.evaluate(np.array([[0.3]]), np.array([[1.0]]), verbose=0, return_dict=True)
    assert results.keys() - {"loss"} == expected
    assert {results[name] for name in expected - {"mae"}} <= {1.0}


def test_every_output_has_the_accuracy_of_its_loss() -> None:
    x = keras.Input((1,))
    identity = {"kernel_initializer": "ones"}
    a, b = (keras.layers.Dense(1, name=name, **identity)(x) for name in ("a", "b"))
    losses = {"a": keras.losses.BinaryCrossentropy(from_logits=True), "b": "mse"}
    model = keras.Model(x, {"a": a, "b": b})
    compile_recipe(
        model, epochs=1, steps_per_epoch=1, loss=losses, metrics={"a": "accuracy", "b": ["mae"]}
    )
    labels = {"a": np.ones((1, 1)), "b": np.ones((1, 1))}
    results = model.evaluate(np.array([[0.3]]), labels, verbose=0, return_dict=True)
    assert results["a_accuracy"] == 1.0
    assert results["b_mae"] == pytest.approx(0.7)


# Mixed precision --------------------------------------------------------------------------------


@pytest.mark.convolutions
@pytest.mark.parametrize("scaled", [True, False])
def test_gradients_that_underflow_in_float16_are_scaled(scaled: bool) -> None:
    model = tiny_cifar(dtype="mixed_float16")

    def small_loss(labels: Any, predictions: Any) -> Any:
        return 1e-7 * keras.losses.sparse_categorical_crossentropy(labels, predictions)

    model.compile(keras.optimizers.SGD(1e5), small_loss, auto_scale_loss=scaled, run_eagerly=True)
    kernel = model.get_layer("stem_conv").kernel
    before = kernel.numpy()
    model.fit(*batch(), verbose=0)
    assert np.array_equal(kernel.numpy(), before) != scaled


@pytest.mark.convolutions
def test_mixed_float16_scales_the_loss_and_is_saved_with_it(tmp_path: Path) -> None:
    model = tiny_cifar(dtype="mixed_float16")
    compile_recipe(model, "he2015", epochs=1, steps_per_epoch=1)
    assert isinstance(model.optimizer, keras.optimizers.LossScaleOptimizer)
    model.fit(*batch(), verbose=0)
    model.save(tmp_path / "model.keras")
    saved = keras.saving.load_model(tmp_path / "model.keras")
    assert isinstance(saved.optimizer, keras.optimizers.LossScaleOptimizer)
    for first, second in zip(saved.optimizer.variables, model.optimizer.variables, strict=True):
        np.testing.assert_array_equal(first, second)


def test_the_table_and_the_defaults_of_recipes() -> None:
    table = RECIPES.table()
    [batch_size] = [row[table.header.index("batch size")] for row in table.rows if "rsb_a1" in row]
    assert batch_size == 2048
    plain = Recipe(source="")
    assert (plain.train_size, plain.test_size, plain.augment.magnitude) == (0, 0, 0.0)
