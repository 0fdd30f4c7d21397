"""Lesions, compared with models in which residual branches end in zeros."""

import re
from itertools import product
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from resnet_builder import ResnetBuilder, along_paths, reordered, without_blocks
from resnet_builder.inference.gradients import gradient

from .helpers import KINDS_OF_BLOCK, image_batch, randomised

pytestmark = pytest.mark.convolutions

SMALL: dict[str, Any] = {
    "input_shape": (16, 16, 3),
    "classes": 5,
    "repetitions": (2, 2),
    "filters": 8,
    "classifier_activation": None,
}
RESIDUAL = ["resnet18", "resnet50", "resnetv2_50", "resnet50d", "seresnet50", "resnet20_cifar"]


def small_network(preset: str, **options: Any) -> keras.Model:
    return randomised(ResnetBuilder.from_preset(preset, **SMALL | options))


def predict(model: keras.Model) -> Any:
    return np.asarray(model(image_batch(2, 16, 16, 3), training=False))


def zero_branch(model: keras.Model, block: str) -> None:
    """Make the residual branch of a block end in zeros."""
    layers = [layer for layer in model.layers if layer.name.startswith(f"{block}_")]
    branch = [layer for layer in layers if "shortcut" not in layer.name and "se" not in layer.name]
    last = [layer for layer in branch if layer.weights][-1]
    for weight in last.weights:
        if weight.name in ("kernel", "bias", "gamma", "beta"):
            weight.assign(np.zeros(weight.shape))


@pytest.mark.parametrize("preset", RESIDUAL)
@pytest.mark.parametrize("blocks", [["stage1_block2"], ["stage1_block1", "stage2_block1"]])
def test_the_shortcut_of_a_removed_block_remains(preset: str, blocks: list[str]) -> None:
    model = small_network(preset, repetitions=(2, 1))
    whole = predict(model)
    lesioned = without_blocks(model, blocks)
    np.testing.assert_array_equal(predict(model), whole)
    assert not np.allclose(predict(lesioned), whole, atol=1e-3)
    for block in blocks:
        zero_branch(model, block)
    np.testing.assert_allclose(predict(lesioned), predict(model), atol=1e-5)
    # No layer of the model was called again: it would have no single output.
    assert model.get_layer("stage1_block1_out").output.shape == (None, *SHAPES[preset])


SHAPES = dict.fromkeys(RESIDUAL, (4, 4, 32)) | {
    "resnet18": (4, 4, 8),
    "resnet20_cifar": (16, 16, 8),
}


LIKE_OTHERS = ("resnet50", "keras_resnet18", "resnet20_cifar", "seresnet50")


@pytest.mark.parametrize(
    "preset",
    [
        pytest.param(name, marks=[pytest.mark.slow] if name in LIKE_OTHERS else [])
        for name in KINDS_OF_BLOCK
    ],
)
def test_a_block_whose_branch_is_zero_or_removed_is_the_identity(preset: str) -> None:
    """Of blocks that change no shape; the network is then the one without the block."""
    model = small_network(preset, repetitions=(2, 1))
    shallow = ResnetBuilder.from_preset(preset, **SMALL | {"repetitions": (1, 1)})
    for layer in shallow.layers:
        layer.set_weights(model.get_layer(layer.name).get_weights())
    expected = predict(shallow)
    np.testing.assert_allclose(
        predict(without_blocks(model, ["stage1_block2"])), expected, atol=1e-6
    )
    zero_branch(model, "stage1_block2")
    ends = [model.get_layer(f"stage1_block{number}_out").output for number in (1, 2)]
    before, after = keras.Model(model.input, ends)(image_batch(2, 16, 16, 3), training=False)
    np.testing.assert_array_equal(before, after)
    np.testing.assert_allclose(predict(model), expected, atol=1e-6)


def test_a_block_is_found_with_a_prefix_and_options() -> None:
    options = {"layer_prefix": "left_", "drop_path_rate": 0.5, "data_format": "channels_last"}
    model = small_network("resnet18", **options)
    lesioned = without_blocks(model, ["left_stage2_block2"])
    assert not [layer for layer in lesioned.layers if "stage2_block2_conv" in layer.name]
    zero_branch(model, "left_stage2_block2")
    np.testing.assert_allclose(predict(lesioned), predict(model), atol=1e-5)


def test_of_joined_networks_only_a_name_that_both_have_needs_its_prefix() -> None:
    left, right = (
        small_network("resnet18", layer_prefix=prefix, repetitions=repetitions)
        for prefix, repetitions in (("left_", (1, 1)), ("right_", (2, 1)))
    )
    model = keras.Model([left.input, right.input], [left.output, right.output])
    lesioned = without_blocks(model, ["stage1_block2"])
    assert "right_stage1_block2_conv1" not in {layer.name for layer in lesioned.layers}
    with pytest.raises(ValueError, match=r"'stage1_block1': did you mean .*left_stage1_block1"):
        without_blocks(model, ["stage1_block1"])


def test_a_plain_block_is_removed_completely() -> None:
    model = small_network("plain18")
    lesioned = without_blocks(model, ["stage1_block2"])
    names = {layer.name for layer in model.layers} - {layer.name for layer in lesioned.layers}
    assert names == {
        n for n in map(str, (layer.name for layer in model.layers)) if "1_block2_" in n
    }
    after = keras.Model(model.get_layer("stage2_block1_conv1_pad").input, model.output)
    before = keras.Model(model.input, model.get_layer("stage1_block1_out").output)
    expected = np.asarray(after(before(image_batch(2, 16, 16, 3)), training=False))
    np.testing.assert_allclose(predict(lesioned), expected, atol=1e-6)
    with pytest.raises(ValueError, match="can be removed: stage1_block1, stage1_block2, stage2_b"):
        without_blocks(model, ["stage2_block1"])


def test_a_loaded_model_works_like_the_saved_one(tmp_path: Path) -> None:
    model = small_network("resnet18")
    model.save(tmp_path / "net.keras")
    loaded = keras.models.load_model(tmp_path / "net.keras")
    blocks = ["stage2_block2"]
    expected = predict(without_blocks(model, blocks))
    np.testing.assert_array_equal(predict(without_blocks(loaded, blocks)), expected)


@pytest.mark.parametrize("preset", ["resnet50", "resnetv2_50", "plain18"])
def test_reordering_twice_restores_the_model(preset: str) -> None:
    model = small_network(preset, repetitions=(3, 1))
    swapped = reordered(model, ["stage1_block3", "stage1_block2"])
    assert not np.allclose(predict(swapped), predict(model), atol=1e-3)
    again = reordered(swapped, ["stage1_block3", "stage1_block2"])
    np.testing.assert_array_equal(predict(again), predict(model))
    same = reordered(model, ["stage1_block2", "stage1_block3"])
    np.testing.assert_array_equal(predict(same), predict(model))


def gradient_of_score(model: Any, images: Any) -> Any:
    classes = keras.ops.arange(5, dtype="float32")
    found = gradient(lambda x: keras.ops.sum(model(x) * classes), images)
    return keras.ops.convert_to_numpy(found)


@pytest.mark.parametrize("preset", ["resnet18", "resnetv2_50", "seresnet50"])
def test_the_gradients_of_all_paths_add_up_to_the_models(preset: str) -> None:
    model = small_network(preset, repetitions=(2, 1))
    images = keras.ops.convert_to_tensor(image_batch(2, 16, 16, 3))
    gated = along_paths(model)

    def along(path: tuple[int, ...]) -> Any:
        paths = keras.ops.convert_to_tensor([path, path], "float32")
        np.testing.assert_allclose(
            gated([images, paths], training=False), predict(model), atol=1e-5
        )
        return gradient_of_score(lambda x: gated([x, paths], training=False), images)

    whole = gradient_of_score(lambda x: model(x, training=False), images)
    parts = [along(path) for path in product((0, 1), repeat=3)]
    assert max(np.abs(part).max() for part in parts) > 0
    np.testing.assert_allclose(sum(parts), whole, atol=1e-5 * np.abs(whole).max())


def test_invalid_arguments_are_rejected() -> None:
    model = small_network("resnet18")
    with pytest.raises(
        ValueError, match=r"unknown block 'stage9_block1'.*'stage1_block1', 'stage1_b"
    ):
        without_blocks(model, ["stage9_block1"])
    with pytest.raises(TypeError, match="given as a list of names, not as 'stage1_block1'"):
        without_blocks(model, "stage1_block1")
    with pytest.raises(TypeError, match="must be a Keras model, got 'resnet18'"):
        reordered("resnet18", [])
    with pytest.raises(ValueError, match="a block is named twice"):
        reordered(model, ["stage1_block1", "stage1_block1"])
    with pytest.raises(ValueError, match="stage2_block1 does not fit in place of stage1_block1"):
        reordered(model, ["stage2_block1", "stage1_block1"])
    with pytest.raises(ValueError, match=r"only one path leads through .* stage1_block1"):
        along_paths(small_network("plain18"))
    inside = keras.Sequential([keras.Input((16, 16, 3)), model], name="inside")
    twice = keras.Sequential([keras.Input((16, 16, 3)), inside])
    for nested, path in ((inside, ""), (twice, ".get_layer('inside')")):
        found = re.escape(f"give the network itself, model{path}.get_layer({model.name!r})")
        with pytest.raises(ValueError, match=found):
            without_blocks(nested, ["stage1_block1"])
    with pytest.raises(ValueError, match=r"give the network itself$"):
        without_blocks(keras.Sequential([keras.Input((4,)), keras.layers.Dense(1)]), [])
