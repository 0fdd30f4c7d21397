"""Lesions, against what is left when the branch of a block adds nothing."""

from itertools import product
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from resnet_builder import ResnetBuilder, along_paths, reordered, without_blocks

from ..helpers import image_batch, randomised

SMALL: dict[str, Any] = {
    "input_shape": (16, 16, 3),
    "classes": 5,
    "repetitions": (2, 2),
    "filters": 8,
    "classifier_activation": None,
}
RESIDUAL = ["resnet18", "resnet50", "resnetv2_50", "resnet50d", "seresnet50", "resnet20_cifar"]


def trained(preset: str, **options: Any) -> keras.Model:
    return randomised(ResnetBuilder.from_preset(preset, **SMALL | options))


def answer(model: keras.Model) -> Any:
    return model(image_batch(2, 16, 16, 3), training=False).numpy()


def silence(model: keras.Model, block: str) -> None:
    """Let the residual branch of a block end in zeros."""
    layers = [layer for layer in model.layers if layer.name.startswith(f"{block}_")]
    branch = [layer for layer in layers if "shortcut" not in layer.name and "se" not in layer.name]
    last = [layer for layer in branch if layer.weights][-1]
    for weight in last.weights:
        if weight.name in ("kernel", "bias", "gamma", "beta"):
            weight.assign(np.zeros(weight.shape))


@pytest.mark.parametrize("preset", RESIDUAL)
@pytest.mark.parametrize("blocks", [["stage1_block2"], ["stage1_block1", "stage2_block1"]])
def test_what_remains_is_the_shortcut(preset: str, blocks: list[str]) -> None:
    model = trained(preset)
    whole = answer(model)
    lesioned = without_blocks(model, blocks)
    np.testing.assert_array_equal(answer(model), whole)
    assert not np.allclose(answer(lesioned), whole, atol=1e-3)
    for block in blocks:
        silence(model, block)
    np.testing.assert_allclose(answer(lesioned), answer(model), atol=1e-5)
    # The model is as it was: a layer that had been called again would have no single output.
    assert model.get_layer("stage1_block1_out").output.shape == (None, *SHAPES[preset])


SHAPES = dict.fromkeys(RESIDUAL, (4, 4, 32)) | {
    "resnet18": (4, 4, 8),
    "resnet20_cifar": (16, 16, 8),
}


def test_options_and_prefixes() -> None:
    options = {"layer_prefix": "left_", "drop_path_rate": 0.5, "data_format": "channels_last"}
    model = trained("resnet18", **options)
    lesioned = without_blocks(model, ["left_stage2_block2"])
    assert not [layer for layer in lesioned.layers if "stage2_block2_conv" in layer.name]
    silence(model, "left_stage2_block2")
    np.testing.assert_allclose(answer(lesioned), answer(model), atol=1e-5)


def test_plain_blocks_go_as_a_whole() -> None:
    model = trained("plain18")
    lesioned = without_blocks(model, ["stage1_block2"])
    names = {layer.name for layer in model.layers} - {layer.name for layer in lesioned.layers}
    assert names == {
        n for n in map(str, (layer.name for layer in model.layers)) if "1_block2_" in n
    }
    behind = keras.Model(model.get_layer("stage2_block1_conv1_pad").input, model.output)
    before = keras.Model(model.input, model.get_layer("stage1_block1_out").output)
    expected = behind(before(image_batch(2, 16, 16, 3)), training=False).numpy()
    np.testing.assert_allclose(answer(lesioned), expected, atol=1e-6)
    with pytest.raises(ValueError, match="can be removed: stage1_block1, stage1_block2, stage2_b"):
        without_blocks(model, ["stage2_block1"])


def test_a_model_from_a_file(tmp_path: Path) -> None:
    model = trained("resnet18")
    model.save(tmp_path / "net.keras")
    loaded = keras.models.load_model(tmp_path / "net.keras")
    blocks = ["stage2_block2"]
    expected = answer(without_blocks(model, blocks))
    np.testing.assert_array_equal(answer(without_blocks(loaded, blocks)), expected)


@pytest.mark.parametrize("preset", ["resnet50", "resnetv2_50", "plain18"])
def test_another_order(preset: str) -> None:
    model = trained(preset, repetitions=(3, 1))
    swapped = reordered(model, ["stage1_block3", "stage1_block2"])
    assert not np.allclose(answer(swapped), answer(model), atol=1e-3)
    again = reordered(swapped, ["stage1_block3", "stage1_block2"])
    np.testing.assert_array_equal(answer(again), answer(model))
    same = reordered(model, ["stage1_block2", "stage1_block3"])
    np.testing.assert_array_equal(answer(same), answer(model))


def gradient(model: Any, images: Any) -> Any:
    with tf.GradientTape() as tape:
        tape.watch(images)
        score = tf.reduce_sum(model(images) * tf.range(5, dtype="float32"))
    return tape.gradient(score, images).numpy()


@pytest.mark.parametrize("preset", ["resnet18", "resnetv2_50", "seresnet50"])
def test_the_gradients_of_all_paths_add_up(preset: str) -> None:
    model = trained(preset)
    images = tf.constant(image_batch(2, 16, 16, 3))
    gated = along_paths(model)

    def along(path: tuple[int, ...]) -> Any:
        paths = tf.constant([path, path], "float32")
        np.testing.assert_allclose(gated([images, paths], training=False), answer(model), atol=1e-5)
        return gradient(lambda x: gated([x, paths], training=False), images)

    whole = gradient(lambda x: model(x, training=False), images)
    parts = [along(path) for path in product((0, 1), repeat=4)]
    assert max(np.abs(part).max() for part in parts) > 0
    np.testing.assert_allclose(sum(parts), whole, atol=1e-5 * np.abs(whole).max())


def test_refusals() -> None:
    model = trained("resnet18")
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
        along_paths(trained("plain18"))
    inside = keras.Sequential([keras.Input((16, 16, 3)), model])
    with pytest.raises(
        ValueError, match=r"no layers that are named as in this package.* model.get_layer\(NAME\)"
    ):
        without_blocks(inside, ["stage1_block1"])
