"""Files of networks whose weights have equal shapes and whose layers compute something else."""

import json
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import keras
import numpy as np
import pytest

from resnet_builder import ResnetBuilder, load_weights

from ..helpers import assert_same_weights, image_batch, randomised

pytestmark = pytest.mark.once

SMALL: dict[str, Any] = {"input_shape": (32, 32, 3), "repetitions": (1, 1), "filters": 8}


def small(preset: str, **options: Any) -> keras.Model:
    return ResnetBuilder.from_preset(preset, **SMALL | options)


@pytest.mark.parametrize(
    ("saved", "loaded", "difference"),
    [
        (("resnet50", {}), ("resnet50_v1", {}), "conv1 has strides=[1, 1] there and [2, 2] here"),
        (("resnet50_v1", {}), ("resnet50", {}), "conv1 has strides=[2, 2] there and [1, 1] here"),
        (("plain20_cifar", {}), ("resnet20_cifar", {}), "stage1_block1_add is not in the file"),
        (("resnet20_cifar", {}), ("plain20_cifar", {}), "stage1_block1_add is only in the file"),
        (
            ("resnet18", {"activation": "silu"}),
            ("resnet18", {}),
            "stem_act has activation=silu there and relu here",
        ),
        (("resnet18", {}), ("resnetblur18", {}), "stem_pool_half is not in the file"),
        (
            ("resnet18", {"layer_prefix": "left_", "padding": "same"}),
            ("resnet18", {"layer_prefix": "right_"}),
            "stem_conv has padding=same there and valid here",
        ),
    ],
)
def test_the_file_of_another_network_is_refused(
    saved: tuple[str, dict[str, Any]],
    loaded: tuple[str, dict[str, Any]],
    difference: str,
    tmp_path: Path,
) -> None:
    path = tmp_path / "model.keras"
    small(saved[0], **saved[1]).save(path)
    model = small(loaded[0], **loaded[1])
    before = keras.models.clone_model(model)
    before.set_weights(model.get_weights())
    with pytest.raises(ValueError, match="A dict of the arrays alone") as raised:
        load_weights(model, path)
    assert difference in str(raised.value)
    assert_same_weights(model, before)


def test_other_weights_are_told_without_their_settings(tmp_path: Path) -> None:
    path = tmp_path / "model.keras"
    ResnetBuilder.from_preset("resnet18", (32, 32, 3), classes=4).save(path)
    other = ResnetBuilder.from_preset("seresnet18", (32, 32, 1), classes=4)
    with pytest.raises(ValueError, match="missing: stage1_block1_se_reduce/kernel") as raised:
        load_weights(other, path)
    assert "setting:" not in str(raised.value)
    same = ResnetBuilder.from_preset("resnet18", (32, 32, 1), classes=4)
    with pytest.raises(ValueError, match=r"\nWith adapt=True it fits: 3 input channels") as raised:
        load_weights(same, path)
    assert "It fits" not in str(raised.value)


@pytest.mark.parametrize(
    ("saved", "loaded"),
    [
        ({}, {"output_stride": 4}),
        ({"repetitions": (2, 2)}, {"repetitions": (2, 2), "output_stride": 4}),
        ({"drop_path_rate": 0.2}, {}),
        ({}, {"drop_path_rate": 0.2, "layer_prefix": "left_"}),
        ({}, {"include_top": False}),
        ({}, {"features": ("stem", "stage1")}),
        ({}, {"data_format": "channels_first", "input_shape": (3, 32, 32)}),
        ({"data_format": "channels_first", "input_shape": (3, 32, 32)}, {"features": ("stem",)}),
    ],
)
@pytest.mark.parametrize("preset", ["resnet50", "resnet50d"])
def test_the_same_network_in_another_form_loads(
    preset: str, saved: dict[str, Any], loaded: dict[str, Any], tmp_path: Path
) -> None:
    path = tmp_path / "model.keras"
    model = randomised(small(preset, **saved))
    model.save(path)
    target = small(preset, **loaded)
    load_weights(target, path)
    values = {weight.path: weight.numpy() for weight in model.weights}
    for weight in target.weights:
        assert (weight.numpy() == values[weight.path.removeprefix("left_")]).all()


def test_pools_of_one_pixel_load_with_any_padding(tmp_path: Path) -> None:
    """They were saved with "same" before, which gives the same numbers."""
    path, older = tmp_path / "model.keras", tmp_path / "older.keras"
    model = randomised(small("resnet18"))
    model.save(path)
    with ZipFile(path) as files, ZipFile(older, "w") as written:
        for name in files.namelist():
            content = files.read(name)
            if name == "config.json":
                description = json.loads(content)
                pools = [
                    layer["config"]
                    for layer in description["config"]["layers"]
                    if layer["config"].get("pool_size") == [1, 1]
                ]
                assert {pool["padding"] for pool in pools} == {"valid"}
                for pool in pools:
                    pool["padding"] = "same"
                content = json.dumps(description).encode()
            written.writestr(name, content)
    target = small("resnet18")
    load_weights(target, older)
    assert_same_weights(target, model)
    images = image_batch(1, 32, 32, 3)
    np.testing.assert_array_equal(keras.models.load_model(older)(images), model(images))
