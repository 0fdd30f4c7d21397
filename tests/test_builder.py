"""What the options of from_preset and build do to the Keras model."""

import itertools
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from resnet_builder import PRESETS, ResnetBuilder, ResnetConfig, basic_block

from .helpers import FLOAT64, image_batch, randomised, small

GOLDEN_PRESETS = [
    *("keras_resnet34", "resnet18", "resnet50"),
    *(pytest.param(name, marks=pytest.mark.slow) for name in ("keras_resnet50", "resnet34")),
]

# Small networks that differ in their wiring; sizes and filters are all different.
VARIANTS: dict[str, dict[str, Any]] = {
    "resnet18": {},
    "resnet50": {},
    "resnet50 grouped": {"groups": 4, "width_per_group": 64},
    "resnet18 cifar": {"stem": "cifar"},
    "keras_resnet18": {},
    "keras_resnet50": {},
    "resnetv2_50": {},
    "resnet50d": {},
    "resnetv2_50d": {},
    "seresnet18": {"drop_path_rate": 0.2, "zero_init_last": True},
    "resnet18 pad": {"projection": "pad"},
    "resnetv2_50 pad": {"projection": "pad"},
    "plain18": {},
    "wrn16_4": {"stem_filters": 4},
}


def network(variant: str, shape: Any = (33, 40, 3), **options: Any) -> keras.Model:
    changes: dict[str, Any] = {"input_shape": shape, "repetitions": (1, 2)}
    return small(variant.split()[0], **changes | VARIANTS[variant] | options)


def kernels(model: keras.Model) -> list[Any]:
    return [weight.numpy() for weight in model.weights if weight.name == "kernel"]


def layer_names(model: keras.Model) -> list[str]:
    return [layer.name for layer in model.layers]


@pytest.mark.parametrize("preset", GOLDEN_PRESETS)
def test_layer_names_and_shapes(preset: str, golden: Callable[[str, str], None]) -> None:
    model = ResnetBuilder.from_preset(preset)
    lines = [f"{layer.name} {type(layer).__name__} {layer.output.shape}" for layer in model.layers]
    golden(f"{preset}.txt", "\n".join(lines) + "\n")


@pytest.mark.parametrize("variant", VARIANTS)
def test_every_block_ends_in_out(variant: str) -> None:
    names = layer_names(network(variant))
    for block in ("stage1_block1", "stage2_block1", "stage2_block2"):
        assert (f"{block}_add" in names) == (variant != "plain18")
        assert f"{block}_out" in names


# Input ------------------------------------------------------------------------------------------


@pytest.mark.convolutions
@pytest.mark.parametrize("channels", [1, 3, 4, 7])
@pytest.mark.parametrize("variant", ["resnet18", "keras_resnet18"])
def test_channels_and_odd_sizes(variant: str, channels: int) -> None:
    model = network(variant, (33, 18, channels))
    answer = model.predict(image_batch(2, 33, 18, channels), verbose=0)
    assert answer.shape == (2, 5)
    np.testing.assert_allclose(answer.sum(axis=1), 1, rtol=1e-5)


@pytest.mark.convolutions
@pytest.mark.parametrize("variant", VARIANTS)
def test_unknown_sizes_answer_like_known_ones(variant: str) -> None:
    known = randomised(network(variant, (33, 40, 3), repetitions=(1, 1), name="known"))
    unknown = network(variant, (None, None, 3), repetitions=(1, 1), name="unknown")
    unknown.set_weights(known.get_weights())
    images = image_batch(2, 33, 40, 3)
    np.testing.assert_array_equal(unknown(images), known(images))


@pytest.mark.convolutions
@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("side", [1, pytest.param(2, marks=pytest.mark.slow), 3])
def test_the_smallest_inputs_end_as_1x1(variant: str, side: int) -> None:
    model = network(variant, (side, side, 3), include_top=False, repetitions=(1, 1, 1))
    assert model.output_shape[1:3] == (1, 1)
    assert np.isfinite(model(image_batch(2, side, side, 3))).all()


def in_both_orders(variant: str, **options: Any) -> tuple[keras.Model, keras.Model]:
    """A network with channels last and the same with channels first.

    Its first maps have the width 8, as many as their channels, and its biases are not zero.
    """
    last = randomised(network(variant, (16, 32, 3), use_bias=True, **options))
    first = network(variant, (3, 16, 32), use_bias=True, data_format="channels_first", **options)
    first.set_weights(last.get_weights())
    return last, first


@pytest.mark.convolutions
@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("in_a_graph", [False, pytest.param(True, marks=pytest.mark.slow)])
def test_both_data_formats_answer_alike(variant: str, in_a_graph: bool) -> None:
    images = image_batch(2, 16, 32, 3)
    first, second = [
        model.predict(x, verbose=0) if in_a_graph else model(x)
        for model, x in zip(
            in_both_orders(variant), (images, images.transpose(0, 3, 1, 2)), strict=True
        )
    ]
    np.testing.assert_allclose(first, second, atol=1e-5)
    assert np.ptp(first, axis=0).max() > 1e-4  # the answer does depend on the image


@pytest.mark.convolutions
@pytest.mark.parametrize("variant", ["keras_resnet18", "resnet50 grouped", "resnetv2_50d"])
def test_both_data_formats_train_alike(variant: str) -> None:
    images, labels = image_batch(4, 16, 32, 3), np.arange(4)
    losses, weights = [], []
    for model, batch in zip(
        in_both_orders(variant, repetitions=(1, 1)),
        (images, images.transpose(0, 3, 1, 2)),
        strict=True,
    ):
        model.compile(keras.optimizers.SGD(0.01), "sparse_categorical_crossentropy")
        before = kernels(model)
        losses.append(model.fit(batch, labels, verbose=0).history["loss"])
        assert all((a != b).any() for a, b in zip(before, kernels(model), strict=True))
        weights.append(model.get_weights())
    assert losses[1] == pytest.approx(losses[0], rel=1e-5)
    for after_last, after_first in zip(*weights, strict=True):
        np.testing.assert_allclose(after_first, after_last, atol=1e-5)


@pytest.mark.convolutions
def test_both_data_formats_have_equal_features_and_files(tmp_path: Path) -> None:
    last, first = in_both_orders("keras_resnet50", features=("stem", "stage1", "stage2"))
    images = image_batch(2, 16, 32, 3)
    first.save(tmp_path / "first.keras")
    loaded = keras.models.load_model(tmp_path / "first.keras")
    expected = last(images)
    for model in (first, loaded):
        maps = model(images.transpose(0, 3, 1, 2))
        assert maps.keys() == expected.keys()
        for name, tensor in maps.items():
            as_last = keras.ops.transpose(tensor, (0, 2, 3, 1))
            np.testing.assert_allclose(as_last, expected[name], atol=1e-5)
    assert first.output["stage2"].shape == (None, 32 * 2, 2, 4)


@pytest.mark.convolutions
def test_the_articles_network_at_its_own_width_in_both_orders() -> None:
    """At 256 columns the maps of the first stage are 64 wide and have 64 channels."""
    options: dict[str, Any] = {"classes": 5, "repetitions": (1,)}
    last = randomised(ResnetBuilder.from_preset("keras_resnet18", (16, 256, 3), **options))
    first = ResnetBuilder.from_preset(
        "keras_resnet18", (3, 16, 256), data_format="channels_first", **options
    )
    first.set_weights(last.get_weights())
    images = image_batch(1, 16, 256, 3)
    np.testing.assert_allclose(first(images.transpose(0, 3, 1, 2)), last(images), atol=1e-5)


@pytest.fixture
def _channels_first_default() -> Iterator[None]:
    keras.config.set_image_data_format("channels_first")
    yield
    keras.config.set_image_data_format("channels_last")


@pytest.mark.convolutions
@pytest.mark.usefixtures("_channels_first_default")
def test_own_blocks_get_channels_first_where_it_is_keras_own() -> None:
    shapes = []

    def block(**_: Any) -> Callable[[Any], Any]:
        def apply(x: Any) -> Any:
            shapes.append(x.shape)
            return keras.layers.Activation("relu")(x)

        return apply

    model = ResnetBuilder.build((3, 32, 64), 5, block, [1])
    assert shapes == [(None, 64, 8, 16)]
    assert model(image_batch(2, 3, 32, 64)).shape == (2, 5)


@pytest.mark.convolutions
@pytest.mark.parametrize(("norm", "last"), [("group", "gn"), ("evonorm_s0", "evonorm")])
def test_norms_of_groups_after_own_blocks(norm: str, last: str) -> None:
    def build(groups: int) -> keras.Model:
        options: Any = {"norm": norm, "norm_groups": groups, "activation_order": "pre"}
        options |= {"stem": "cifar", "filters": 4}
        return ResnetBuilder.build(
            (3, 8, 8), 2, lambda **_: keras.layers.Conv2D(6, 1), [1], **options
        )

    model = build(2)
    ends = [model.get_layer(name).output for name in ("stage1_block1_out", f"head_{last}")]
    x, found = map(np.asarray, keras.Model(model.input, ends)(image_batch(2, 8, 8, 3)))
    groups = x.reshape(2, 8, 8, 2, 3)
    mean, deviation = (
        np.broadcast_to(of(groups, axis=(1, 2, 4), keepdims=True), groups.shape).reshape(x.shape)
        for of in (np.mean, np.std)
    )
    expected = {"group": x - mean, "evonorm_s0": x / (1 + np.exp(-x))}[norm] / deviation
    np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-4)
    with pytest.raises(ValueError, match="norm_groups=4 does not divide the 6 channels of stage1_"):
        build(4)


@pytest.mark.usefixtures("_channels_first_default")
def test_the_default_data_format_is_keras_own() -> None:
    assert ResnetBuilder.build((3, 32, 48), 5, "basic_block", [1]).input_shape == (None, 3, 32, 48)
    assert network("resnet18", (3, 33, 40)).input_shape == (None, 3, 33, 40)


def test_build_takes_channels_first_whatever_the_data_format() -> None:
    for data_format, expected in (
        ("channels_last", (None, 32, 48, 3)),
        ("channels_first", (None, 3, 32, 48)),
    ):
        model = ResnetBuilder.build((3, 32, 48), 5, "bottleneck", [1], data_format=data_format)
        assert model.input_shape == expected
    # Shapes that only look odd pass through.
    assert ResnetBuilder.build((64, 1, 64), 5, "basic_block", [1]).input_shape == (None, 1, 64, 64)


@pytest.mark.parametrize(
    ("shape", "data_format", "written"),
    [
        ((64, 64, 3), "channels_first", "input_shape=(3, 64, 64), or data_format='channels_last'"),
        ((3, 64, 64), "channels_last", "input_shape=(64, 64, 3), or data_format='channels_first'"),
        ((3, 64, 64), None, "input_shape=(64, 64, 3), or data_format='channels_first'"),
    ],
)
def test_a_shape_in_the_other_order_is_refused(
    shape: Any, data_format: str | None, written: str
) -> None:
    with pytest.raises(ValueError, match=re.escape(f"write {written}")):
        network("resnet18", shape, data_format=data_format)


def test_a_shape_that_looks_wrong_is_possible_in_a_config() -> None:
    config = PRESETS["resnet18"].replace(input_shape=(3, 64, 64), repetitions=(1,), filters=4)
    assert ResnetBuilder.from_config(config).input_shape == (None, 3, 64, 64)


def test_the_trap_is_refused_with_the_corrected_call() -> None:
    with pytest.raises(ValueError, match="build_resnet_34") as refusal:
        ResnetBuilder.build_resnet_34((224, 224, 3), 100)
    assert str(refusal.value).endswith("write ResnetBuilder.build_resnet_34((3, 224, 224), 100)")
    with pytest.raises(ValueError, match=r"write ResnetBuilder.build\(\(3, 224, 224\), 100, ...\)"):
        ResnetBuilder.build((224, 224, 3), 100, "basic_block", [1])


# Output -----------------------------------------------------------------------------------------


def test_without_top() -> None:
    assert network("resnet50", include_top=False).output_shape == (None, 5, 5, 64)
    assert network("resnet50", include_top=False, pooling="avg").output_shape == (None, 64)
    largest = network("resnet50", include_top=False, pooling="max")
    assert isinstance(largest.get_layer("head_pool"), keras.layers.GlobalMaxPooling2D)


def test_a_preactivation_network_without_top_ends_activated() -> None:
    # He et al. 2016, section 4: an extra activation follows the last block.
    model = network("keras_resnet18", include_top=False)
    assert layer_names(model)[-2:] == ["head_bn", "head_act"]


@pytest.mark.convolutions
def test_classifier_activation() -> None:
    logits = randomised(network("resnet18", classifier_activation=None))
    softmax = network("resnet18")
    softmax.set_weights(logits.get_weights())
    images = image_batch(2, 33, 40, 3)
    expected = keras.ops.softmax(logits(images))
    np.testing.assert_allclose(softmax(images), expected, rtol=1e-5)


def test_dropout_stands_before_the_classifier() -> None:
    model = network("resnet18", dropout_rate=0.25)
    assert layer_names(model)[-2:] == ["head_dropout", "predictions"]
    assert model.get_layer("head_dropout").rate == 0.25


@pytest.mark.convolutions
def test_features() -> None:
    model = network("keras_resnet50", (64, 48, 3), features=("stage2", "stem"))
    shapes = {name: tensor.shape for name, tensor in model.output.items()}
    assert shapes == {"stage2": (None, 8, 6, 64), "stem": (None, 32, 24, 8)}
    whole = network("keras_resnet50", (64, 48, 3))
    inside = keras.Model(whole.input, whole.get_layer("stage2_block2_out").output)
    randomised(whole)
    by_name = {layer.name: layer for layer in whole.layers}
    for layer in model.layers:
        layer.set_weights(by_name[layer.name].get_weights())
    images = image_batch(2, 64, 48, 3)
    np.testing.assert_array_equal(model(images)["stage2"], inside(images))


@pytest.mark.convolutions
def test_features_and_predictions_come_from_one_model() -> None:
    options: dict[str, Any] = {"classifier_activation": None, "dropout_rate": 0.5, "classes": 5}
    wanted = ("predictions", "stage1")
    model = randomised(network("resnetv2_50d", features=wanted, pooling="max", **options))
    whole = network("resnetv2_50d", pooling="max", **options)
    assert layer_names(model) == layer_names(whole)
    whole.set_weights(model.get_weights())
    inside = keras.Model(whole.input, whole.get_layer("stage1_block1_out").output)
    images = image_batch(2, 33, 40, 3)
    outputs = model(images)
    assert list(model.output) == list(wanted)
    np.testing.assert_array_equal(outputs["predictions"], whole(images))
    np.testing.assert_array_equal(outputs["stage1"], inside(images))


def test_features_build_no_further_than_they_need() -> None:
    names = layer_names(network("resnet18", features=["stage1"]))
    assert names[-1] == "stage1_block1_out"


@pytest.mark.convolutions
@pytest.mark.parametrize("preset", ["resnet18", "resnet50"])
@pytest.mark.parametrize("side", [64, 75])
def test_a_dilated_network_computes_the_strided_one_in_between(preset: str, side: int) -> None:
    """With even padding, every 2nd (4th) place of the dilated map is a place of the strided one."""
    options: dict[str, Any] = {"filters": 8, "repetitions": (1, 2, 2, 2), "include_top": False}
    strided = randomised(ResnetBuilder.from_preset(preset, (side, side, 3), **options))
    dilated = ResnetBuilder.from_preset(preset, (side, side, 3), output_stride=8, **options)
    dilated.set_weights(strided.get_weights())
    images = image_batch(2, side, side, 3)
    wide = keras.ops.convert_to_numpy(dilated(images))
    assert wide.shape[1] == -(-side // 8)
    expected = keras.ops.convert_to_numpy(strided(images))
    # At most 22 convolutions in a row, each a sum of at most 3 x 3 x 64 = 576 products that may be
    # added in another order. Rounded to 2**-24 each, such a sum is off by some 576**0.5 * 2**-24 =
    # 1.4e-6 of its terms, and 22 of them by 3e-5 at most. A map with another dilation is off by as
    # much as its numbers are large.
    atol = 1e-4 * np.abs(expected).max()
    np.testing.assert_allclose(wide[:, ::4, ::4], expected, rtol=0, atol=atol)


@pytest.mark.convolutions
def test_the_stem_pools_as_pytorch_does() -> None:
    """Padded evenly with minus infinity, also where the activation lets negatives through."""
    model = ResnetBuilder.from_preset(
        "resnet18", (32, 32, 3), repetitions=(1,), filters=2, activation="tanh"
    )
    before = model.get_layer("stem_act").output
    after = model.get_layer("stage1_block1_conv1").input
    pool = keras.Model(before, after)
    images = -1 - np.abs(image_batch(2, 16, 16, 2))
    padded = np.pad(images, [(0, 0), (1, 1), (1, 1), (0, 0)], constant_values=-np.inf)
    windows = np.lib.stride_tricks.sliding_window_view(padded, (3, 3), axis=(1, 2))
    np.testing.assert_array_equal(pool(images), windows[:, ::2, ::2].max(axis=(-2, -1)))


# Names, dtypes, conventions ---------------------------------------------------------------------


@pytest.mark.convolutions
def test_two_prefixed_networks_live_in_one_model() -> None:
    left, right = (network("resnet18", layer_prefix=prefix) for prefix in ("left_", "right_"))
    assert all(name.startswith("left_") for name in [left.name, *layer_names(left)])
    joined = keras.layers.Concatenate()([left.output, right.output])
    flat = keras.Model([left.input, right.input], joined)
    images = image_batch(2, 33, 40, 3)
    np.testing.assert_array_equal(
        flat([images, images]), np.concatenate([left(images), right(images)], axis=1)
    )
    image = keras.Input((33, 40, 3))
    nested = keras.Model(image, keras.layers.Add()([left(image), right(image)]))
    np.testing.assert_allclose(nested(images), left(images) + right(images), rtol=1e-6)


def test_names_of_models() -> None:
    assert network("resnet18").name == "resnet18"
    assert network("resnet18", name="mine", layer_prefix="a_").name == "mine"
    assert ResnetBuilder.build_resnet_18((3, 32, 32), 10).name == "keras_resnet18"


@pytest.fixture
def _floatx() -> Iterator[None]:
    yield
    keras.config.set_floatx("float32")


POLICIES = ["mixed_bfloat16", "mixed_float16", "bfloat16", "float16", FLOAT64]


@pytest.mark.convolutions
@pytest.mark.parametrize("variant", ["resnet50 grouped", "keras_resnet18"])
@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.usefixtures("_floatx")
def test_dtypes_predict_and_train(variant: str, policy: str) -> None:
    model = network(variant, dtype=policy, repetitions=(1,))
    expected = keras.dtype_policies.get(policy)
    assert {layer.compute_dtype for layer in model.layers[1:-1]} == {expected.compute_dtype}
    assert {weight.dtype for weight in model.weights} == {expected.variable_dtype}
    images = image_batch(4, 33, 40, 3).astype(expected.variable_dtype)
    answer = model(images)
    assert keras.backend.standardize_dtype(answer.dtype) == expected.variable_dtype
    # Keras adds the L2 penalty, in the weights' dtype, to the loss, in floatx, without a cast.
    keras.config.set_floatx(expected.variable_dtype)
    model.compile(keras.optimizers.SGD(0.01), "sparse_categorical_crossentropy")
    loss = model.fit(images, np.arange(4), verbose=0).history["loss"][0]
    assert np.isfinite(float(loss))


@pytest.mark.convolutions
@pytest.mark.tensorflow  # JAX has no float64 by default, and Keras on PyTorch makes inputs float32
def test_float64_keeps_its_digits() -> None:
    model = randomised(network("resnet18", dtype="float64", include_top=False))
    images = np.random.default_rng(0).uniform(size=(1, 33, 40, 3))
    changed = model(images + 1e-10) - model(images)
    assert 0 < np.abs(changed).max() < 1e-3


@pytest.fixture
def _mixed_policy() -> Iterator[None]:
    keras.config.set_dtype_policy("mixed_bfloat16")
    yield
    keras.config.set_dtype_policy("float32")


@pytest.mark.usefixtures("_mixed_policy")
def test_the_global_policy_is_honoured() -> None:
    model = network("resnet18")
    assert model.get_layer("stem_conv").compute_dtype == "bfloat16"
    assert model.get_layer("predictions").compute_dtype == "float32"
    assert network("resnet18", dtype="float32").get_layer("stem_conv").compute_dtype == "float32"


def test_pytorch_conventions() -> None:
    model = ResnetBuilder.from_preset("resnet18", (64, 64, 3))
    convolution = model.get_layer("stage4_block2_conv2")
    assert not convolution.use_bias
    assert convolution.kernel_regularizer is None
    # kaiming_normal_(mode="fan_out"): a standard deviation of sqrt(2 / (3 * 3 * 512)).
    assert convolution.get_weights()[0].std() == pytest.approx((2 / (9 * 512)) ** 0.5, rel=0.01)
    norm = model.get_layer("stage4_block2_bn2")
    assert (norm.epsilon, norm.momentum) == (1e-5, 0.9)
    # torch.nn.Linear: uniform within 1 / sqrt(512).
    largest = np.abs(model.get_layer("predictions").get_weights()[0]).max()
    assert 0.99 * 512**-0.5 < largest <= 512**-0.5
    layers = [model.get_layer(f"stage4_block{block}_conv2") for block in (1, 2)]
    first, second = (layer.get_weights()[0] for layer in layers)
    assert (first != second).any()


def test_config_fields_are_options_everywhere() -> None:
    model = ResnetBuilder.build(
        (3, 32, 32), 5, "basic_block", [1], use_bias=False, weight_decay=0.0, activation="gelu"
    )
    assert not model.get_layer("stem_conv").use_bias
    assert not model.losses
    assert model.get_layer("stem_act").activation is keras.activations.gelu


def test_stochastic_depth_drops_whole_branches_in_training() -> None:
    model = network("resnet18", repetitions=(1, 1), drop_path_rate=0.5, activation="linear")
    drop = keras.Model(
        model.get_layer("stage2_block1_drop_path").input,
        model.get_layer("stage2_block1_drop_path").output,
    )
    shape = drop.input_shape[1:]
    ones = np.ones((64, *shape), "float32")
    dropped = keras.ops.convert_to_numpy(drop(ones, training=True)).reshape(64, -1)
    assert (dropped.min(axis=1) == dropped.max(axis=1)).all()
    assert sorted(set(dropped[:, 0])) == [0, 2]  # kept branches are scaled by 1 / (1 - rate)
    np.testing.assert_array_equal(drop(ones), ones)
    assert "stage1_block1_drop_path" not in layer_names(model)


def test_zero_initialised_blocks_begin_as_their_shortcuts() -> None:
    model = network("resnet18", repetitions=(2,), zero_init_last=True)
    gammas = {
        layer.name: layer.gamma.numpy().max()
        for layer in model.layers
        if isinstance(layer, keras.layers.BatchNormalization)
    }
    zero = {name for name, gamma in gammas.items() if gamma == 0}
    assert zero == {"stage1_block1_bn2", "stage1_block2_bn2"}


def test_option_a_subsamples_and_pads_with_zeros() -> None:
    model = network("resnet18 pad", (64, 64, 3), repetitions=(1, 1))
    shortcut = keras.Model(
        model.get_layer("stage1_block1_out").output,
        model.get_layer("stage2_block1_shortcut_pad").output,
    )
    assert not shortcut.weights
    images = image_batch(2, 16, 16, 8)
    expected = np.pad(images[:, ::2, ::2], [(0, 0), (0, 0), (0, 0), (4, 4)])
    np.testing.assert_array_equal(shortcut(images), expected)


def test_the_deep_stem() -> None:
    model = ResnetBuilder.from_preset("resnet50d")
    stem = [model.get_layer(f"stem_conv{number}") for number in (1, 2, 3)]
    assert [(layer.filters, layer.strides[0]) for layer in stem] == [(32, 2), (32, 1), (64, 1)]


COMBINATIONS = list(
    itertools.product(
        ["post", "pre", "pre_raw"],
        ["imagenet", "deep", "cifar"],
        ["conv", "avg_pool", "pad", "plain"],
        ["basic_block", "bottleneck"],
        ["channels_last", "channels_first"],
    )
)


@pytest.mark.slow
@pytest.mark.parametrize("combination", COMBINATIONS, ids="-".join)
def test_every_combination_builds_saves_loads_and_trains(
    combination: tuple[str, ...], tmp_path: Path
) -> None:
    order: Any
    stem: Any
    block: Any
    order, stem, projection, block, data_format = combination
    options: dict[str, Any] = (
        {"shortcuts": False}
        if projection == "plain"
        else {
            "projection": projection,
            "drop_path_rate": 0.2,
            "zero_init_last": order == "post",
        }
    )
    config = ResnetConfig(
        block=block,
        repetitions=(1, 2),
        filters=16,
        stem=stem,
        activation_order=order,
        groups=4 if block == "bottleneck" else 1,
        se_ratio=0.25,
        weight_decay=1e-4,
        activation="gelu",
        **options,
    )
    shape = (3, 33, 40) if data_format == "channels_first" else (33, 40, 3)
    model = ResnetBuilder.from_config(config, shape, 5, data_format=data_format)
    model.compile("sgd", "sparse_categorical_crossentropy")
    images = image_batch(4, *shape)
    model.fit(images, np.arange(4), verbose=0)
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(loaded(images), model(images))


@pytest.mark.slow
def test_the_deepest_network_saves_and_loads(tmp_path: Path) -> None:
    model = ResnetBuilder.from_preset("resnet1202_cifar")
    limit = sys.getrecursionlimit()
    model.save(tmp_path / "deep.keras")
    sys.setrecursionlimit(5000)
    try:
        loaded = keras.models.load_model(tmp_path / "deep.keras")
    finally:
        sys.setrecursionlimit(limit)
    assert loaded.count_params() == model.count_params()


# Blocks of a user's own -------------------------------------------------------------------------


def separable_block(
    filters: int, init_strides: tuple[int, int], is_first_block_of_first_layer: bool
) -> Callable[[Any], Any]:
    def apply(x: Any) -> Any:
        y = keras.layers.SeparableConv2D(filters, 3, init_strides, padding="same")(x)
        if not is_first_block_of_first_layer:
            x = keras.layers.Conv2D(filters, 1, init_strides)(x)
        return keras.layers.Add()([x, y])

    return apply


@pytest.mark.convolutions
def test_a_block_function_of_ones_own() -> None:
    model = ResnetBuilder.build((3, 64, 64), 5, separable_block, [2, 1])
    kinds = [type(layer).__name__ for layer in model.layers]
    assert kinds.count("SeparableConv2D") == 3
    assert kinds.count("Conv2D") == 1 + 2  # the stem's and two shortcuts
    assert model.get_layer("stage1_block2_out").output.shape == (None, 16, 16, 64)
    assert model.get_layer("stage2_block1_out").output.shape == (None, 8, 8, 128)
    assert model(image_batch(2, 64, 64, 3)).shape == (2, 5)


def test_a_block_function_works_with_options() -> None:
    config = ResnetConfig(block=separable_block, repetitions=(1, 1), filters=8)
    model = ResnetBuilder.from_config(
        config, (None, None, 1), features=("stage2",), layer_prefix="my_"
    )
    assert model.output["stage2"].shape == (None, None, None, 16)
    assert "my_stage2_block1_out" in layer_names(model)


def test_the_packages_blocks_as_functions_take_the_networks_conventions() -> None:
    by_function, by_name = (
        network("resnet50", block=block, layer_prefix="x_")
        for block in (basic_block, "basic_block")
    )
    assert layer_names(by_function) == layer_names(by_name)
    assert not by_function.losses


def test_a_block_function_builds_as_keras_is_set() -> None:
    arguments: Any = ((3, 64, 64), 5, separable_block, [1])
    with pytest.raises(ValueError, match=r"set_image_data_format\('channels_first'\)"):
        ResnetBuilder.build(*arguments, data_format="channels_first")
    with pytest.raises(ValueError, match="set_dtype_policy"):
        ResnetBuilder.build(*arguments, dtype="mixed_bfloat16")


@pytest.mark.parametrize("wrong", [lambda **_: None, lambda **_: lambda x: None])
def test_a_block_function_that_is_none(wrong: Any) -> None:
    with pytest.raises(TypeError, match="must return a function from a 4D tensor"):
        ResnetBuilder.build((3, 64, 64), 5, wrong, [1])


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"filtrs": 8}, TypeError, "unknown option 'filtrs': did you mean 'filters'"),
        ({"num_classes": 8}, TypeError, r"'num_classes': did you mean 'classes'\? choose from"),
        ({"include_topp": False}, TypeError, "did you mean 'include_top'"),
        ({"data_format": "NCHW"}, ValueError, "'channels_last', 'channels_first'"),
        ({"data_format": ["channels_last"]}, TypeError, "one of the names"),
        ({"output_stride": 4.0}, TypeError, "output_stride must be an integer"),
        ({"features": 7}, TypeError, "in a tuple or list, got 7"),
        ({"classifier_activation": keras.activations.relu}, TypeError, "one of the names"),
        ({"layer_prefix": "a/b"}, ValueError, "letters and digits of ASCII, .* got 'a/b'"),
        ({"layer_prefix": "é 1_"}, ValueError, "letters and digits of ASCII"),
        ({"layer_prefix": 5}, TypeError, "must be a string"),
        ({"features": "stage2"}, TypeError, "in a tuple or list, got 'stage2'"),
        ({"features": ()}, TypeError, "one or more of 'stem', 'stage1', 'stage2'"),
        ({"features": ["stage3"]}, ValueError, "'stem', 'stage1', 'stage2'"),
        ({"features": ["stage2"], "pooling": "avg"}, ValueError, "pooling='avg' does not apply"),
        ({"features": ["stage2"], "classes": 5}, ValueError, "classes=5 does not apply; leave it "),
        (
            {"features": ["predictions"], "include_top": False},
            ValueError,
            "'predictions' among the features needs include_top=True",
        ),
        ({"classes": 0}, ValueError, "classes must be 1 or more"),
        ({"activation": "rellu"}, ValueError, "unknown activation 'rellu': did you mean 'relu'"),
        ({"classifier_activation": "sofmax"}, ValueError, "did you mean 'softmax'"),
        ({"kernel_initializer": "he_norml"}, ValueError, "did you mean 'he_normal' or"),
        ({"dtype": "float31"}, ValueError, "float31"),
    ],
)
def test_refused(options: dict[str, Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        network("resnet18", **options)


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        (((3, 32), 5, "basic_block", [1]), ValueError, "without the batch"),
        (((3, 32, 32), 0, "basic_block", [1]), ValueError, "num_outputs must be 1 or more"),
        (((3, 32, 32), None, "basic_block", [1]), TypeError, "num_outputs must be an integer"),
        (((3, 32, 32), 5, "basic", [1]), ValueError, "did you mean 'basic_block'"),
        (((3, 32, 32), 5, "basic_block", []), ValueError, "at least one stage"),
        (((3, 32, 32), 5, None, [1]), TypeError, "block must be a name or a function"),
    ],
)
def test_build_refuses(arguments: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        ResnetBuilder.build(*arguments)


@pytest.mark.parametrize("option", ["classes", "block"])
def test_nothing_is_given_twice(option: str) -> None:
    options: dict[str, Any] = {option: 1}
    with pytest.raises(TypeError, match=f"{option} is given twice"):
        ResnetBuilder.build((3, 32, 32), 5, "basic_block", [1], **options)


def test_from_config_takes_a_config() -> None:
    with pytest.raises(TypeError, match="from_config takes a ResnetConfig"):
        ResnetBuilder.from_config("resnet18")  # type: ignore[arg-type]
