"""Networks inside a model: with any prefix, among other layers, joined, and of one's own blocks."""

import re
from functools import cache
from typing import Any

import keras
import numpy as np
import pytest

from resnet_builder import (
    ResnetBuilder,
    along_paths,
    compile_recipe,
    config_of,
    feature_info,
    freeze,
    load_weights,
    plot,
    profile,
    reordered,
    unfreeze,
    without_blocks,
)
from resnet_builder.model.locate import networks_of
from resnet_builder.plan.names import HEAD, STEM, Place

from .. import helpers
from ..helpers import image_batch, small

THREE_BLOCKS: dict[str, Any] = {"classes": 4, "repetitions": (2, 1), "name": "net"}
IMAGES = image_batch(2, 16, 16, 3)
layers = keras.layers


def network(prefix: str = "", preset: str = "resnet18", **options: Any) -> keras.Model:
    return small(preset, layer_prefix=prefix, **THREE_BLOCKS | options)


plain = cache(network)

# PyTorch's names have no dots.
PREFIXES = [of for of in helpers.PREFIXES if "." not in of or keras.backend.backend() != "torch"]
# What finds a network finds it with every prefix; what then changes it is tried with these two.
SOME_PREFIXES = [
    pytest.param(prefix, marks=[] if prefix in ("_1.", "stage1_block1_") else pytest.mark.slow)
    for prefix in PREFIXES
]


def pair(prefix: str) -> tuple[keras.Model, keras.Model]:
    """A network without a prefix, and one with it and the same weights."""
    prefixed = network(prefix)
    prefixed.set_weights(plain().get_weights())
    return plain(), prefixed


def names(model: keras.Model, prefix: str = "") -> list[str]:
    return [layer.name.removeprefix(prefix) for layer in model.layers]


def answer(model: keras.Model) -> Any:
    return np.asarray(model(IMAGES, training=False))


# Prefixes ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("prefix", PREFIXES)
def test_layers_without_their_prefix(prefix: str) -> None:
    [found] = networks_of(network(prefix))
    assert found.prefix == prefix
    blocks = [Place("stage", 1, 1), Place("stage", 1, 2), Place("stage", 2, 1)]
    assert list(found.blocks) == blocks
    assert list(found.places) == [STEM, *blocks, HEAD]
    roles = ["conv1", "bn1", "act1", "conv2", "bn2", "add", "out"]
    assert list(found.blocks[blocks[1]]) == roles
    for role in roles:
        assert found.blocks[blocks[1]][role].name == f"{prefix}stage1_block2_{role}"


@pytest.mark.convolutions
@pytest.mark.parametrize("prefix", SOME_PREFIXES)
def test_a_model_with_a_default_name_predicts(prefix: str) -> None:
    model = network(prefix, name=None)
    np.testing.assert_allclose(model.predict(IMAGES, verbose=0), answer(model), atol=1e-5)


@pytest.mark.parametrize("prefix", SOME_PREFIXES)
def test_freeze(prefix: str) -> None:
    model = network(prefix)
    for until, moving in {
        "stem": {"stage1_block1", "stage1_block2", "stage2_block1", "predictions"},
        "stage1": {"stage2_block1", "predictions"},
        "stage2": {"predictions"},
    }.items():
        freeze(model, until)
        paths = [variable.path.removeprefix(prefix) for variable in model.trainable_variables]
        assert {"_".join(path.partition("/")[0].split("_")[:2]) for path in paths} == moving


@pytest.mark.convolutions
@pytest.mark.parametrize("prefix", SOME_PREFIXES)
def test_without_blocks(prefix: str) -> None:
    original, prefixed = pair(prefix)
    expected = without_blocks(original, ["stage1_block2"])
    for name in ("stage1_block2", f"{prefix}stage1_block2"):
        lesioned = without_blocks(prefixed, [name])
        assert names(lesioned, prefix) == names(expected)
        np.testing.assert_array_equal(answer(lesioned), answer(expected))
    with pytest.raises(ValueError, match=r"unknown block 'stage3_block1'.*'stage1_block1', 'stage"):
        without_blocks(prefixed, ["stage3_block1"])
    with pytest.raises(ValueError, match="a block is named twice: stage1_block1, stage1_block1"):
        reordered(prefixed, ["stage1_block1", f"{prefix}stage1_block1"])


@pytest.mark.parametrize("prefix", SOME_PREFIXES)
def test_reordered(prefix: str) -> None:
    _, model = pair(prefix)
    swapped = reordered(model, ["stage1_block2", f"{prefix}stage1_block1"])
    for here, there in (("block1", "block2"), ("block2", "block1")):
        np.testing.assert_array_equal(
            swapped.get_layer(f"{prefix}stage1_{here}_conv2").kernel,
            model.get_layer(f"{prefix}stage1_{there}_conv2").kernel,
        )


@pytest.mark.convolutions
@pytest.mark.parametrize("prefix", SOME_PREFIXES)
def test_along_paths(prefix: str) -> None:
    original, prefixed = pair(prefix)
    gated = along_paths(prefixed)
    assert gated.inputs[1].shape == (None, 3)
    paths = np.array([[0, 1, 0], [1, 1, 1]], "float32")
    np.testing.assert_allclose(gated([IMAGES, paths], training=False), answer(original), atol=1e-6)


@pytest.mark.convolutions
@pytest.mark.parametrize("prefix", SOME_PREFIXES)
def test_load_weights(prefix: str) -> None:
    source, model = plain(), network(prefix)
    report = load_weights(model, {weight.path: weight.numpy() for weight in source.weights})
    assert report.tensors == len(model.weights)
    np.testing.assert_array_equal(answer(model), answer(source))


@pytest.mark.parametrize("prefix", SOME_PREFIXES)
@pytest.mark.parametrize("preset", ["resnet18", "resnetv2_18"])
def test_profile_and_plot(prefix: str, preset: str) -> None:
    original, prefixed = plain("", preset), network(prefix, preset)
    parts = ["stem", "stage1", "stage2", "head"]
    assert [row.name for row in profile(original).stages] == parts
    assert profile(prefixed) == profile(original)
    for detail in ("block", "stage"):
        assert plot(prefixed, detail=detail).dot == plot(original, detail=detail).dot


# Other layers -----------------------------------------------------------------------------------


def among_others(prefix: str) -> keras.Model:
    """A network of one block, with a user's layers before it, beside it and after it."""
    image = keras.Input((8, 8, 5), name="image")
    x = layers.Conv2D(3, 1, use_bias=False, name="my_stem_conv")(image)
    x = layers.Conv2D(4, 3, padding="same", use_bias=False, name=f"{prefix}stem_conv")(x)
    y = layers.Conv2D(4, 3, padding="same", use_bias=False, name=f"{prefix}stage1_block1_conv1")(x)
    x = layers.Add(name=f"{prefix}stage1_block1_add")([x, y])
    x = layers.Activation("relu", name=f"{prefix}stage1_block1_out")(x)
    tap = layers.Identity(name="tap_stage1_block1_out")(x)
    x = layers.Conv2D(2, 1, use_bias=False, name="x_stage2_block1_conv1")(x)
    x = layers.GlobalAveragePooling2D(name=f"{prefix}head_pool")(x)
    return keras.Model(image, [layers.Dense(7, use_bias=False, name="own")(x), tap])


@pytest.mark.parametrize("prefix", ["", *PREFIXES])
def test_the_layers_of_others_are_of_no_stage(prefix: str) -> None:
    model = among_others(prefix)
    rows = [(row.name, row.parameters) for row in profile(model).stages]
    # 1x1x5x3 before 3x3x3x4; 3x3x4x4; 1x1x4x2 between the last stage and the pool, 2x7 after it.
    assert rows == [("8x8", 15), ("stem", 108), ("stage1", 144), ("head", 8 + 14)]
    freeze(model, "stage1")
    moving = ["my_stem_conv", "x_stage2_block1_conv1", "own"]
    assert [variable.path for variable in model.trainable_variables] == [
        f"{name}/kernel" for name in moving
    ]
    with pytest.raises(ValueError, match=r"choose from 'stage1_block1'$"):
        without_blocks(model, ["stage2_block1"])


@pytest.mark.parametrize("prefix", ["", *PREFIXES])
def test_load_weights_among_other_layers(prefix: str) -> None:
    model = among_others(prefix)
    arrays = {v.path.removeprefix(prefix): v.numpy() + 1 for v in model.weights}
    assert load_weights(model, arrays).tensors == 5
    for variable in model.weights:
        np.testing.assert_array_equal(variable, arrays[variable.path.removeprefix(prefix)])


def test_a_stem_alone_makes_no_stages() -> None:
    """Many networks of others have a layer of this name."""
    image = keras.Input((8, 8, 3))
    x = layers.Conv2D(4, 3, strides=2, padding="same", name="stem_conv")(image)
    model = keras.Model(image, layers.GlobalAveragePooling2D(name="head_pool")(x))
    assert [row.name for row in profile(model).stages] == ["4x4"]
    with pytest.raises(ValueError, match="has no blocks"):
        without_blocks(model, [])


def test_a_network_without_its_stem() -> None:
    whole = network("stem_net_")
    entry = whole.get_layer("stem_net_stage2_block1_conv1_pad").input
    model = keras.Model(entry, whole.output)
    assert [row.name for row in profile(model).stages] == ["stage2", "head"]
    freeze(model, "stage2")
    assert [v.path for v in model.trainable_variables] == [
        "stem_net_predictions/kernel",
        "stem_net_predictions/bias",
    ]


@pytest.mark.parametrize("function", [freeze, along_paths, lambda model: reordered(model, [])])
def test_no_network(function: Any) -> None:
    image = keras.Input((8, 8, 3))
    model = keras.Model(image, layers.Conv2D(4, 3, name="conv2_block1_1_conv")(image), name="other")
    with pytest.raises(ValueError, match=r"'other' has no layers .* itself$"):
        function(model)
    with pytest.raises(TypeError, match="model must be a Keras model, got 'resnet18'"):
        function("resnet18")


# Networks that are a layer ----------------------------------------------------------------------

BODY: dict[str, Any] = {"include_top": False, "classes": None, "name": "base"}


def sequential(base: keras.Model) -> keras.Model:
    head = [layers.GlobalAveragePooling2D(), layers.Dense(4, name="own")]
    return keras.Sequential([keras.Input((16, 16, 3)), base, *head], name="around")


def functional(base: keras.Model) -> keras.Model:
    image = keras.Input((16, 16, 3))
    x = layers.GlobalAveragePooling2D()(base(layers.Rescaling(2.0)(image)))
    return keras.Model(image, layers.Dense(4, name="own")(x), name="around")


def twice(base: keras.Model) -> keras.Model:
    return functional(keras.Sequential([keras.Input((16, 16, 3)), base], name="inner"))


AROUND = {"sequential": sequential, "functional": functional, "twice": twice}


@pytest.mark.parametrize("around", AROUND.values(), ids=list(AROUND))
def test_the_only_network_that_is_a_layer_is_opened(around: Any) -> None:
    base = network(**BODY)
    model = around(base)
    assert config_of(model) is config_of(base)
    assert ResnetBuilder.to_json(model) == ResnetBuilder.to_json(base)
    assert feature_info(model) == feature_info(base)
    counts, own = profile(model), profile(base)
    assert counts.stages[:-1] == own.stages
    # Global pooling, then 16 x 4 and 4 biases.
    head = counts.stages[-1]
    assert (head.name, head.block, head.parameters, head.macs) == ("head", ("1 Dense",), 68, 64)
    assert sum(row.total_parameters for row in counts.stages) == model.count_params()
    assert {"stage1", "stage2", "dense, 4"} <= set(re.findall(r"stage\d|dense, 4", plot(model).dot))
    freeze(model, "stage1")
    moving = [variable.path.split("/")[-2] for variable in model.trainable_variables]
    assert {name.partition("_")[0] for name in moving} == {"stage2", "own"}
    unfreeze(model)
    compile_recipe(model, "he2015", epochs=1, steps_per_epoch=1)
    penalty = 0.5e-4 * sum(float((v.numpy() ** 2).sum()) for v in model.trainable_variables)
    assert sum(map(float, model.losses)) == pytest.approx(penalty, rel=1e-5)


def test_a_network_at_the_size_of_its_call() -> None:
    base = network(**BODY | {"input_shape": (None, None, 3)})
    counts = profile(sequential(base))
    assert counts.stages[:-1] == profile(network(**BODY)).stages
    assert base.input_shape == (None, None, None, 3)


def test_strides_before_a_network_that_is_a_layer() -> None:
    image = keras.Input((32, 32, 3))
    base = network(**BODY)
    model = keras.Model(image, base(layers.AveragePooling2D(2)(image)))
    assert [of.stride for of in feature_info(model).values()] == [
        2 * of.stride for of in feature_info(base).values()
    ]


def test_a_network_that_is_applied_to_every_step() -> None:
    base = network(pooling="avg", **BODY)
    model = keras.Sequential([keras.Input((3, 16, 16, 3)), layers.TimeDistributed(base)])
    assert config_of(model) is config_of(base)
    assert feature_info(model) == feature_info(base)
    freeze(model, "stage2")
    assert not model.trainable_variables
    counts, one = profile(model), profile(base)
    assert (counts.macs, counts.total_parameters) == (3 * (one.macs or 0), one.total_parameters)
    assert len(counts.stages) == 1


def test_a_network_with_its_classifier_as_the_last_layer_has_a_loss() -> None:
    model = keras.Sequential([keras.Input((16, 16, 3)), layers.Rescaling(2.0), network()])
    compile_recipe(model, "he2015", epochs=1, steps_per_epoch=1)
    assert isinstance(model.loss, keras.losses.SparseCategoricalCrossentropy)
    assert not model.loss.get_config()["from_logits"]


def test_a_layer_that_is_called_twice_is_one_network_and_one_row() -> None:
    base = network(pooling="avg", **BODY)
    images = [keras.Input((16, 16, 3)) for _ in range(2)]
    model = keras.Model(images, layers.Subtract()([base(image) for image in images]))
    counts, one = profile(model), profile(base)
    assert (counts.macs, counts.total_parameters) == (2 * (one.macs or 0), one.total_parameters)
    assert [row.block for row in counts.stages] == [("1 Functional",)]
    freeze(model, "stage2")
    assert not base.trainable_variables


READERS = [freeze, feature_info, config_of, ResnetBuilder.to_json]


@pytest.mark.parametrize("function", READERS, ids=lambda function: function.__name__)
def test_several_networks_that_are_layers_are_refused_by_name(function: Any) -> None:
    left, right = network(name="left"), network(name="right")
    image = keras.Input((16, 16, 3))
    model = keras.Model(image, layers.Average()([left(image), right(image)]), name="both")
    several = r"'both' holds several networks, model\.get_layer\('left'\) and model\.get_layer\('ri"
    with pytest.raises(ValueError, match=several):
        function(model)
    beside = keras.Model(left.input, layers.Average()([left.output, right(left.input)]))
    with pytest.raises(
        ValueError, match=r"several networks, model and model\.get_layer\('right'\)"
    ):
        function(beside)


def test_several_networks_that_are_layers_are_counted_as_layers() -> None:
    left, right = network(name="left"), network(name="right")
    image = keras.Input((16, 16, 3))
    model = keras.Model(image, layers.Average()([left(image), right(image)]))
    assert [row.block for row in profile(model).stages] == [("2 Functional",)]


@pytest.mark.parametrize("function", [along_paths, lambda model: reordered(model, [])])
def test_lesions_take_the_network_itself(function: Any) -> None:
    with pytest.raises(ValueError, match=r"the network itself, model\.get_layer\('base'\)$"):
        function(sequential(network(**BODY)))


# Layers around the network of a model, which has the rows of its config


def test_the_rows_of_a_network_with_layers_around_it_are_those_of_its_config() -> None:
    def body() -> Any:
        return network("left_", **BODY)

    base = body()
    x = layers.GlobalAveragePooling2D()(base.output)
    model = keras.Model(base.input, layers.Dense(4)(x))
    rows = profile(base).stages
    del base  # the layers are remembered without their first model
    counts = profile(model)
    assert counts.stages[:-1] == rows
    assert counts.stages[-1].block == ("1 Dense",)


# Joined networks --------------------------------------------------------------------------------


def test_joined_networks() -> None:
    left, right = network("left"), network("left_")
    outputs = [left.output, right.output]
    model = keras.Model([left.input, right.input], outputs, name="net")
    alone = [(row.name, row.parameters) for row in profile(plain()).stages]
    assert [(row.name, row.parameters) for row in profile(model).stages] == [
        (prefix + name, parameters) for prefix in ("left", "left_") for name, parameters in alone
    ]
    lesioned = without_blocks(model, ["left_stage1_block2"])
    gone = {name for name in names(model) if name not in names(lesioned)}
    assert gone == {
        f"left_stage1_block2_{role}" for role in ("conv1", "bn1", "act1", "conv2", "bn2", "add")
    }
    with pytest.raises(ValueError, match=r"'leftstage1_block1'.*'left_stage1_block1'"):
        without_blocks(model, ["stage1_block2"])
    with pytest.raises(ValueError, match="holds 2 networks, with the prefixes 'left', 'left_'"):
        load_weights(model, {})
    freeze(model, "stage2")
    moving = {variable.path.partition("/")[0] for variable in model.trainable_variables}
    assert moving == {"leftpredictions", "left_predictions"}


# Blocks of one's own ----------------------------------------------------------------------------


def scaled(filters: int, init_strides: Any, **_: Any) -> Any:
    """A residual block whose layers are named by Keras."""

    def apply(x: Any) -> Any:
        branch = layers.Conv2D(filters, 3, init_strides, "same", use_bias=False)(x)
        if x.shape != branch.shape:
            x = layers.Conv2D(filters, 1, init_strides, use_bias=False)(x)
        return x + branch

    return apply


@pytest.mark.parametrize("prefix", ["", "left"])
def test_blocks_of_ones_own(prefix: str) -> None:
    model = network(prefix, block=scaled)
    rows = {row.name: row.parameters for row in profile(model).stages}
    # Two blocks of 3x3x8x8; one of 3x3x8x16 with a 1x1x8x16 beside it.
    assert (rows["stage1"], rows["stage2"]) == (2 * 576, 1152 + 128)
    first, second, _ = [
        [layer for layer in block.values() if getattr(layer, "weights", ())]
        for block in networks_of(model)[0].blocks.values()
    ]
    lesioned = without_blocks(model, ["stage1_block2"])
    gone = {name for name in names(model) if name not in names(lesioned)}
    assert gone == {second[0].name, f"{prefix}stage1_block2_out"}
    swapped = reordered(model, ["stage1_block2", "stage1_block1"])
    np.testing.assert_array_equal(swapped.get_layer(first[0].name).kernel, second[0].kernel)
    with pytest.raises(ValueError, match="stage2_block1 cannot be removed"):
        without_blocks(model, ["stage2_block1"])
    freeze(model, "stage1")
    assert [layer.trainable for layer in (*first, *second)] == [False, False]
    # What moves: the two kernels of the last block, and the classifier's kernel and bias.
    assert len(model.trainable_variables) == 2 + 2
