"""Folded models compute what the models compute, and say which batch norms they still have."""

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from keras import layers

from resnet_builder import (
    PRESETS,
    ResnetBuilder,
    along_paths,
    fold_batch_norm,
    folding_report,
    freeze,
    list_presets,
    load_weights,
    profile,
    reordered,
    without_blocks,
)

from ..helpers import assert_same_weights, image_batch, randomised, relative_error
from ..models import two_branches

pytestmark = pytest.mark.convolutions

SMALL: dict[str, Any] = {
    "input_shape": (16, 16, 3),
    "classes": 5,
    "filters": 8,
    "repetitions": (2, 2),
    "classifier_activation": None,
}


def answers(model: keras.Model, inputs: Any) -> list[Any]:
    given = keras.tree.map_structure(keras.ops.convert_to_tensor, inputs)
    return [keras.ops.convert_to_numpy(y) for y in keras.tree.flatten(model(given, training=False))]


def largest_error(model: keras.Model, other: keras.Model, inputs: Any) -> float:
    """The largest relative error of an answer of the other model."""
    pairs = zip(answers(model, inputs), answers(other, inputs), strict=True)
    return max(relative_error(b, a) for a, b in pairs)


def batch_norms(model: keras.Model) -> list[str]:
    return [n.name for n in model.layers if isinstance(n, layers.BatchNormalization)]


def reasons(model: keras.Model) -> dict[str, str]:
    """Why batch norms stay, by name; empty for those that are folded."""
    return {row.batch_norm: row.reason for row in folding_report(model).rows}


def chain(shape: tuple[int | None, ...], *steps: Any) -> keras.Model:
    """Layers one after the other, with random weights."""
    image = keras.Input(shape, name="image")
    x = image
    for step in steps:
        x = step(x)
    return randomised(keras.Model(image, x))


def norm(**options: Any) -> Any:
    return layers.BatchNormalization(**{"name": "bn"} | options)


# In double precision the algebra is exact, to the last digits. JAX computes in single precision
# unless told otherwise, and Keras on PyTorch makes inputs single.
DOUBLE = "float32" if keras.backend.backend() == "jax" else "float64"
EXACT = 1e-12 if keras.backend.backend() == "tensorflow" else 1e-6
WIDE = {"dtype": DOUBLE, "name": "linear"}
SAME = WIDE | {"padding": "same"}
LINEAR = {
    "conv1d causal": ((8, 4), layers.Conv1D(6, 3, padding="causal", **WIDE)),
    "conv2d": ((8, 8, 4), layers.Conv2D(6, 3, strides=2, use_bias=False, **SAME)),
    "groups": ((8, 8, 4), layers.Conv2D(6, 3, groups=2, **WIDE)),
    "conv3d": ((5, 5, 5, 2), layers.Conv3D(3, 2, use_bias=False, **WIDE)),
    "depthwise1d": ((8, 4), layers.DepthwiseConv1D(3, depth_multiplier=2, **WIDE)),
    "depthwise2d": ((8, 8, 4), layers.DepthwiseConv2D(3, depth_multiplier=2, **WIDE)),
    "separable1d": ((8, 4), layers.SeparableConv1D(6, 3, **SAME)),
    "separable2d": ((8, 8, 4), layers.SeparableConv2D(6, 3, use_bias=False, **SAME)),
    "transposed1d": ((8, 4), layers.Conv1DTranspose(6, 3, strides=2, **SAME)),
    "transposed2d": ((8, 8, 4), layers.Conv2DTranspose(6, 3, use_bias=False, **WIDE)),
    "transposed3d": ((3, 3, 3, 2), layers.Conv3DTranspose(3, 2, **WIDE)),
    "dense": ((6,), layers.Dense(4, use_bias=False, **WIDE)),
    "dense of pixels": ((3, 3, 6), layers.Dense(4, **WIDE)),
}


def copy(layer: Any) -> Any:
    return type(layer).from_config(layer.get_config())


def assert_folds(model: keras.Model, *names: str) -> None:
    """Assert that only some layers remain, and that they compute the same in double precision."""
    folded = fold_batch_norm(model)
    assert [layer.name for layer in folded.layers] == ["image", *names]
    images = image_batch(2, *model.input_shape[1:])
    assert largest_error(model, folded, images) <= EXACT


@pytest.mark.parametrize("kind", LINEAR)
def test_a_batch_norm_folds_into_the_linear_layer_before_it(kind: str) -> None:
    shape, layer = LINEAR[kind]
    assert_folds(chain(shape, copy(layer), norm(dtype=DOUBLE)), "linear")


@pytest.mark.parametrize("settings", [{"center": False}, {"scale": False}, {"epsilon": 0.1}])
def test_settings_of_batch_norms(settings: dict[str, Any]) -> None:
    conv = layers.Conv2D(5, 3, **WIDE)
    assert_folds(chain((6, 6, 2), conv, norm(dtype=DOUBLE, **settings)), "linear")


def test_an_input_given_by_name() -> None:
    model = chain((6, 6, 2), layers.Conv2D(5, 3, **WIDE), lambda x: norm(dtype=DOUBLE)(inputs=x))
    assert_folds(model, "linear")


NOT_PADDED = ("groups", "conv3d", "depthwise1d", "depthwise2d", "dense", "dense of pixels")


@pytest.mark.parametrize("kind", NOT_PADDED)
def test_a_batch_norm_folds_into_the_linear_layer_after_it(kind: str) -> None:
    shape, layer = LINEAR[kind]
    before, after = norm(name="before", dtype=DOUBLE), norm(dtype=DOUBLE)
    assert_folds(chain(shape, before, copy(layer)), "linear")
    assert_folds(chain(shape, before, copy(layer), after), "linear")


def test_an_activation_after_the_linear_layer_stays() -> None:
    conv = layers.Conv2D(5, 1, strides=2, activation="relu", **SAME)
    assert_folds(chain((6, 6, 4), norm(dtype=DOUBLE), conv), "linear")


def test_a_shift_is_not_folded_where_zeros_are_padded() -> None:
    def padded(**options: Any) -> keras.Model:
        conv = layers.Conv2D(5, 3, **SAME)
        return chain((6, 6, 4), norm(dtype=DOUBLE, **options), conv)

    model = padded()
    assert reasons(model)["bn"].endswith(
        "before linear, which pads with zeros what the batch norm has shifted"
    )
    assert_folds(model, "bn", "linear")
    unshifted = padded(center=False)
    unshifted.get_layer("bn").moving_mean.assign(np.zeros(4))
    assert_folds(unshifted, "linear")


def test_a_batch_norm_folds_across_a_layer_that_selects_pixels() -> None:
    pool = layers.MaxPooling2D(1, 2, name="pool", dtype=DOUBLE)
    conv = layers.Conv2D(6, 3, **WIDE)
    assert_folds(chain((8, 8, 4), conv, pool, norm(dtype=DOUBLE)), "linear", "pool")
    conv, window = copy(conv), layers.MaxPooling2D(2, 1, name="pool", dtype=DOUBLE)
    assert_folds(chain((8, 8, 4), conv, window, norm(dtype=DOUBLE)), "linear", "pool", "bn")
    # As in option A shortcuts: it strides over channels.
    crossed = layers.MaxPooling2D(
        1, (2, 1), name="pool", data_format="channels_first", dtype=DOUBLE
    )
    conv = copy(conv)
    assert_folds(chain((8, 8, 4), conv, crossed, norm(dtype=DOUBLE)), "linear", "pool", "bn")


# What stays ---------------------------------------------------------------------------------------


def conv(**options: Any) -> Any:
    return layers.Conv2D(**{"filters": 3, "kernel_size": 3, "name": "conv"} | options)


def shared() -> keras.Model:
    image, layer = keras.Input((8, 8, 3)), conv(padding="same")
    return keras.Model(image, norm()(layer(layer(image))))


def used_twice() -> keras.Model:
    image = keras.Input((8, 8, 3))
    x = conv()(image)
    return keras.Model(image, layers.Add(name="add")([x, norm()(x)]))


def an_output() -> keras.Model:
    image = keras.Input((8, 8, 3))
    x = conv()(image)
    return keras.Model(image, {"raw": x, "normalised": norm()(x)})


def called_twice() -> keras.Model:
    image, layer = keras.Input((8, 8, 3)), norm()
    return keras.Model(image, layer(conv()(layer(image))))


def feeds_two() -> keras.Model:
    image = keras.Input((8, 8, 3))
    x = norm()(image)
    return keras.Model(image, [conv(name="one")(x), conv(name="two")(x)])


def in_training() -> keras.Model:
    image = keras.Input((8, 8, 3))
    return keras.Model(image, norm()(conv()(image), training=True))


def inside_in_training() -> keras.Model:
    image = keras.Input((8, 8, 3))
    inner = keras.Sequential([keras.Input((8, 8, 3)), conv(), norm()], name="inner")
    return keras.Model(image, inner(image, training=True))


def once_in_training() -> keras.Model:
    image = keras.Input((8, 8, 3))
    inner = keras.Sequential([keras.Input((8, 8, 3)), conv(padding="same"), norm()], name="inner")
    return keras.Model(image, inner(inner(image), training=True))


def used_twice_after_a_pool() -> keras.Model:
    image = keras.Input((8, 8, 3))
    x = layers.MaxPooling2D(1, 2, name="pool")(conv()(image))
    return keras.Model(image, layers.Add(name="add")([x, norm()(x)]))


def adapted() -> keras.Model:
    model = chain((8, 8, 3), conv(), norm())
    model.get_layer("conv").enable_lora(2)
    return model


class OwnNorm(layers.BatchNormalization):
    def call(self, inputs: Any, training: Any = None, mask: Any = None) -> Any:
        return 2 * super().call(inputs, training=training, mask=mask)


class OwnConv(layers.Conv2D):
    def call(self, inputs: Any) -> Any:
        return super().call(inputs) ** 2


class Scaled(keras.Model):
    def call(self, inputs: Any, **options: Any) -> Any:
        return 2 * super().call(inputs, **options)


def own_model() -> keras.Model:
    inner = chain((8, 8, 3), conv(), norm())
    return chain((8, 8, 3), Scaled(inner.input, inner.output, name="scaled"))


def over_time() -> keras.Model:
    time = layers.TimeDistributed(norm(), name="over_time")
    return chain((2, 8, 8, 3), layers.TimeDistributed(conv()), time)


STAYS = {
    "shared": (shared, "after conv, which is called several times; an output of the model"),
    "used twice": (used_twice, "after conv, whose output is used elsewhere too; before add (Add)"),
    "an output": (an_output, "after conv, whose output is used elsewhere too; an output of the"),
    "called twice": (called_twice, "called several times"),
    "feeds two": (feeds_two, "(InputLayer); used by several layers"),
    "in training": (in_training, "called with training=True, so that it normalises by its batch"),
    "inside": (inside_in_training, "called with training=True, so that it normalises by its batch"),
    "once in training": (once_in_training, "called with training=True, so that it normalises by"),
    "pool": (used_twice_after_a_pool, "after pool (MaxPooling2D); before add (Add)"),
    "activation": (
        lambda: chain((8, 8, 3), conv(activation="relu"), norm()),
        "after conv, which has an activation; an output of the model",
    ),
    "between": (
        lambda: chain((8, 8, 3), layers.ReLU(name="one"), norm(), layers.ReLU(name="two")),
        "after one (ReLU); before two (ReLU)",
    ),
    "axis": (
        lambda: chain((8, 8, 3), conv(), norm(axis=1)),
        "after conv, whose channels are on another axis; an output of the model",
    ),
    "dtype": (
        lambda: chain((8, 8, 3), conv(dtype="mixed_bfloat16"), norm()),
        "after conv, which computes in mixed_bfloat16; an output of the model",
    ),
    "LoRA": (adapted, "after conv, which has LoRA weights; an output of the model"),
    "transposed": (
        lambda: chain((8, 8, 3), norm(), layers.Conv2DTranspose(3, 3, name="conv")),
        "after image (InputLayer); before conv (Conv2DTranspose)",
    ),
    "separable": (
        lambda: chain((8, 8, 3), norm(), layers.SeparableConv2D(3, 3, name="conv")),
        "after image (InputLayer); before conv (SeparableConv2D)",
    ),
    "own norm": (
        lambda: chain((8, 8, 3), conv(), OwnNorm(name="bn")),
        "of type OwnNorm, which may compute something else",
    ),
    "own conv": (
        lambda: chain((8, 8, 3), OwnConv(3, 3, name="conv"), norm()),
        "after conv (OwnConv); an output of the model",
    ),
    "over time": (over_time, "inside over_time (TimeDistributed), which calls its layers itself"),
    "own model": (own_model, "inside scaled (Scaled), which calls its layers itself"),
    "width = filters": (
        lambda: chain((3, 8, 3), conv(kernel_size=1, data_format="channels_first"), norm(axis=1)),
        "after conv, whose bias Keras adds to the columns if there are as many as channels; an",
    ),
    "unknown width": (
        lambda: chain(
            (3, 8, None), conv(kernel_size=1, data_format="channels_first"), norm(axis=1)
        ),
        "after conv, whose bias Keras adds to the columns if there are as many as channels; an",
    ),
}


@pytest.mark.parametrize("case", STAYS)
def test_what_does_not_fold_stays_and_the_report_says_why(case: str) -> None:
    make, why = STAYS[case]
    model = make()
    [reason] = reasons(model).values()
    assert why in reason
    folded = fold_batch_norm(model)
    assert [layer.name for layer in folded.layers] == [layer.name for layer in model.layers]
    assert len(folded.weights) == len(model.weights)
    if "channels_first" not in str(model.get_config()):  # which not every CPU can compute
        shape = [size or 4 for size in model.input_shape[1:]]
        assert largest_error(model, folded, image_batch(2, *shape)) == 0


def test_channels_first() -> None:
    def model(order: str, shape: tuple[int, ...], axis: int) -> keras.Model:
        one = layers.SeparableConv2D(6, 3, data_format=order)
        two = layers.DepthwiseConv2D(3, data_format=order)
        return chain(shape, one, norm(axis=axis, name="bn1"), two, norm(axis=axis, name="bn2"))

    first, last = model("channels_first", (3, 9, 9), 1), model("channels_last", (9, 9, 3), -1)
    folded = fold_batch_norm(first)
    assert not batch_norms(folded)
    images = image_batch(2, 9, 9, 3)
    assert largest_error(first, folded, images.transpose(0, 3, 1, 2)) <= 1e-5
    assert_same_weights(folded, fold_batch_norm(last))


@pytest.mark.tensorflow  # of the types of strings
def test_layers_that_were_adapted_to_data() -> None:
    scaled, binned = layers.Normalization(), layers.Discretization(num_bins=4)
    words = layers.StringLookup(output_mode="multi_hot")
    numbers = np.arange(12, dtype="float32").reshape(6, 2)
    for layer in (scaled, binned):
        layer.adapt(numbers)
    words.adapt(["left", "right", "left"])
    inputs = [keras.Input((2,)), keras.Input((1,), dtype="string")]
    parts = [scaled(inputs[0]), keras.ops.cast(binned(inputs[0]), "float32"), words(inputs[1])]
    x = layers.Dense(4)(layers.Concatenate()(parts))
    model = keras.Model(inputs, norm()(x))
    model.get_layer("bn").moving_mean.assign(np.arange(4))
    folded = fold_batch_norm(model)
    assert not batch_norms(folded)
    batch = [numbers, np.array([["left"], ["right"], ["up"], ["left"], ["left"], ["right"]])]
    assert largest_error(model, folded, batch) <= 1e-5


# Networks -----------------------------------------------------------------------------------------

# One preset of each family; each block and stem occurs.
POST_ACTIVATION = (
    "resnet18",
    "resnet50_v1",
    "resnet50d",
    "resnet26t",
    "seresnext26d_32x4d",
    "ecaresnet26t",
    "resnetrs50",
    "resnetaa50",
    "resnetblur18",
    "res2net50_26w_4s",
    "skresnet18",
    "resnest14d",
    "legacy_senet154",
    "resnet20_cifar",
    "plain18",
)
# With the batch norms that remain: those between an addition or a pool and an activation.
PRE_ACTIVATION = {
    "keras_resnet18": ["stage1_block2_bn1", "stage2_block1_bn1", "stage2_block2_bn1", "head_bn"],
    "resnetv2_50d": [
        "stage1_block1_bn1",
        "stage1_block2_bn1",
        "stage2_block1_bn1",
        "stage2_block2_bn1",
        "head_bn",
    ],
    # Without a pool, the first one follows a convolution.
    "wrn16_4": ["stage1_block2_bn1", "stage2_block1_bn1", "stage2_block2_bn1", "head_bn"],
}


@pytest.mark.parametrize("preset", [*POST_ACTIVATION, *PRE_ACTIVATION])
def test_networks(preset: str) -> None:
    options = SMALL | ({"width_per_group": 32} if "32x4d" in preset or "154" in preset else {})
    model = randomised(ResnetBuilder.from_preset(preset, **options))
    folded = fold_batch_norm(model)
    assert sorted(batch_norms(folded)) == sorted(PRE_ACTIVATION.get(preset, []))
    assert [row.batch_norm for row in folding_report(folded).rows] == batch_norms(folded)
    assert largest_error(model, folded, image_batch(2, 16, 16, 3)) <= 1e-5


@pytest.mark.slow
@pytest.mark.parametrize("preset", list_presets())
def test_a_block_of_each_stage_of_every_preset(preset: str) -> None:
    config = PRESETS[preset]
    shortened: dict[str, Any] = (
        {} if config.widths else {"repetitions": [1] * len(config.repetitions)}
    )
    model = randomised(ResnetBuilder.from_preset(preset, (32, 32, 3), **shortened))
    folded = fold_batch_norm(model)
    if config.activation_order == "post":
        assert not batch_norms(folded)
    assert largest_error(model, folded, image_batch(2, 32, 32, 3)) <= 1e-5


@pytest.mark.slow
@pytest.mark.parametrize("preset", ["resnet152", "resnetv2_152", "resnet1202_cifar"])
def test_deep_networks(preset: str) -> None:
    model = randomised(ResnetBuilder.from_preset(preset, (32, 32, 3), classifier_activation=None))
    for layer in model.layers:
        if layer.name.endswith("bn2"):
            # Branches that are small: six hundred large ones add up to infinity.
            layer.gamma.assign(layer.gamma * 0.05)
    folded = fold_batch_norm(model)
    assert largest_error(model, folded, image_batch(2, 32, 32, 3)) <= 1e-5


@pytest.mark.parametrize("dtype", ["mixed_bfloat16", "bfloat16", "mixed_float16"])
def test_half_precision(dtype: str) -> None:
    model = randomised(ResnetBuilder.from_preset("resnet18", dtype=dtype, **SMALL))
    folded = fold_batch_norm(model)
    assert not batch_norms(folded)
    # Eight bits of a bfloat16's mantissa are 0.4%; there are nine convolutions.
    assert largest_error(model, folded, image_batch(2, 16, 16, 3)) <= 0.04
    # Folded in double precision, rounded once.
    of_model, bn = model.get_layer("stem_conv"), model.get_layer("stem_bn")
    kernel, gamma, variance = (
        keras.ops.convert_to_numpy(weight).astype("float64")
        for weight in (of_model.kernel, bn.gamma, bn.moving_variance)
    )
    found = keras.ops.convert_to_numpy(folded.get_layer("stem_conv").kernel)
    exact = (kernel * (gamma / np.sqrt(variance + bn.epsilon))).astype(found.dtype)
    assert folded.get_layer("stem_conv").kernel.dtype == of_model.kernel.dtype
    np.testing.assert_array_equal(found, exact)


def nested_towers() -> keras.Model:
    """Two inputs and a dict of outputs; a model that is called twice, and one inside that."""
    images = {side: keras.Input((8, 8, 3), name=side) for side in ("left", "right")}
    innermost = keras.Sequential([keras.Input((6, 6, 4)), conv(), norm()], name="innermost")
    x = image = keras.Input((8, 8, 3))
    x = norm(name="tower_bn")(conv(filters=4)(x))
    tower = keras.Model(image, layers.ReLU()(innermost(x)), name="tower")
    maps = [tower(images["left"]), tower(images["right"], training=False)]
    joined = layers.Dense(5, name="dense")(layers.Flatten()(layers.Concatenate()(maps)))
    left = keras.ops.mean(maps[0], axis=(1, 2))
    return keras.Model(images, {"left": left, "joined": norm(name="dense_bn")(joined)}, name="two")


def test_models_inside_a_model_and_several_inputs_and_outputs() -> None:
    model = randomised(nested_towers())
    folded = fold_batch_norm(model)
    assert [(row.batch_norm, row.into) for row in folding_report(model).rows] == [
        ("dense_bn", "dense"),
        ("tower/tower_bn", "conv"),
        ("tower/innermost/bn", "conv"),
    ]
    assert str(folding_report(folded)).splitlines()[0] == "two: no batch norms"
    assert len(folded.weights) == 3 * 2
    assert (folded.name, folded.output.keys(), folded.input.keys()) == (
        "two",
        {"left", "joined"},
        {"left", "right"},
    )
    batch = {"left": image_batch(2, 8, 8, 3), "right": 1 - image_batch(2, 8, 8, 3)}
    assert largest_error(model, folded, batch) <= 1e-5


def test_a_layer_that_two_models_share_stays_shared() -> None:
    layer, image = conv(padding="same"), keras.Input((8, 8, 3))
    inner = keras.Model(image, norm()(layer(image)), name="inner")
    model = randomised(keras.Model(image, layer(inner(image))))
    assert ", which is called several times" in reasons(model)["inner/bn"]
    folded = fold_batch_norm(model)
    assert len(folded.weights) == len(model.weights) == 2 + 4
    assert largest_error(model, folded, image_batch(2, 8, 8, 3)) == 0


def test_maps_by_name() -> None:
    options = SMALL | {"features": ("stage1", "predictions"), "layer_prefix": "net_"}
    model = randomised(ResnetBuilder.from_preset("resnet18", **options))
    folded = fold_batch_norm(model)
    assert folded.output.keys() == model.output.keys()
    assert largest_error(model, folded, image_batch(2, 16, 16, 3)) <= 1e-5


def test_a_compiled_model_stays_as_it_is_and_the_copy_is_not_compiled() -> None:
    model = randomised(ResnetBuilder.from_preset("resnet18", weight_decay=1e-4, **SMALL))
    model.compile("sgd", "mse")
    names, weights = [layer.name for layer in model.layers], model.get_weights()
    folded = fold_batch_norm(model)
    assert model.compiled
    assert not folded.compiled
    assert [layer.name for layer in model.layers] == names
    assert_same_weights(model, weights)
    assert [layer.name for layer in folded.layers] == [n for n in names if "bn" not in n]
    # A penalty on a folded kernel would be about other numbers.
    assert (len(model.losses), len(folded.losses)) == (10, 0)


def test_saved_and_loaded(tmp_path: Path) -> None:
    model = randomised(ResnetBuilder.from_preset("seresnet18", **SMALL))
    folded = fold_batch_norm(model)
    assert {type(layer).__module__.partition(".")[0] for layer in folded.layers} == {"keras"}
    images = image_batch(2, 16, 16, 3)
    folded.save(tmp_path / "folded.keras")
    assert largest_error(folded, keras.models.load_model(tmp_path / "folded.keras"), images) == 0
    folded.save_weights(tmp_path / "folded.weights.h5")
    again = fold_batch_norm(ResnetBuilder.from_preset("seresnet18", **SMALL))
    load_weights(again, tmp_path / "folded.weights.h5")
    assert largest_error(folded, again, images) == 0


def test_a_folded_network_is_still_a_network_of_blocks() -> None:
    model = randomised(ResnetBuilder.from_preset("resnet50", **SMALL | {"repetitions": (3, 1)}))
    folded = fold_batch_norm(model)
    images = image_batch(2, 16, 16, 3)
    removed = without_blocks(folded, ["stage1_block2"])
    assert largest_error(without_blocks(model, ["stage1_block2"]), removed, images) <= 1e-5
    order = ["stage1_block3", "stage1_block2"]
    swapped = reordered(folded, order)
    assert largest_error(reordered(model, order), swapped, images) <= 1e-5
    [one] = answers(along_paths(folded), [images, np.ones((2, 4), "float32")])
    np.testing.assert_allclose(one, answers(folded, images)[0], atol=1e-5)
    assert profile(folded).macs == profile(model).macs
    assert [row.name for row in profile(folded).stages] == ["stem", "stage1", "stage2", "head"]
    freeze(folded, until="stage2")
    assert [w.path for w in folded.trainable_weights] == ["predictions/kernel", "predictions/bias"]


# Batch norms that remain: in DenseNet those after a concatenation and after a pool.
APPLICATIONS = {"MobileNet": 0, "ResNet50": 0, "DenseNet121": 62}
SLOW = [pytest.param(name, marks=pytest.mark.slow) for name in ("ResNet50", "DenseNet121")]


@pytest.mark.parametrize("name", ["MobileNet", *SLOW])
def test_keras_applications(name: str) -> None:
    options = {"weights": None, "classifier_activation": None, "classes": 4}
    make = getattr(keras.applications, name)
    model = randomised(make(input_shape=(32, 32, 3), **options))
    folded = fold_batch_norm(model)
    assert len(batch_norms(folded)) == APPLICATIONS[name]
    assert largest_error(model, folded, image_batch(2, 32, 32, 3)) <= 1e-5


def test_errors() -> None:
    class Subclassed(keras.Model):
        pass

    inner = two_branches()
    for function in (fold_batch_norm, folding_report):
        with pytest.raises(TypeError, match="must be a Keras model, got 'resnet50'"):
            function("resnet50")
        with pytest.raises(ValueError, match="has no graph of layers"):
            function(Subclassed())
        with pytest.raises(ValueError, match=r"'two' \(Scaled\) has a call method"):
            function(Scaled(inner.input, inner.output, name="two"))
