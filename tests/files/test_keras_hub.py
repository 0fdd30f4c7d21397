"""Folders that keras-hub itself saved, head included: see tests/data/README.md."""

import json
import shutil
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from resnet_builder import ResnetBuilder, load_weights
from resnet_builder.files.opening import opened

from ..helpers import image_batch, relative_error, without_layer_names
from ..weights.checkpoint_recipe import KERAS_HUB, unpacked

PRESETS = sorted(path.name.partition("_folder")[0] for path in KERAS_HUB.glob("*.tar.xz"))
SMALL: dict[str, Any] = {
    "input_shape": (32, 48, 3),
    "classes": 5,
    "repetitions": (1, 1),
    "classifier_activation": None,
}


@pytest.fixture
def resnet18(tmp_path: Path) -> Path:
    return unpacked("resnet18", tmp_path)


def of_keras_before_3_6(folder: Path) -> None:
    """Make the files those of Keras before 3.6."""
    for path in folder.glob("*.weights.h5"):
        with h5py.File(path, "r+") as file:
            without_layer_names(file)
        with opened(path) as checkpoint:
            assert not checkpoint.has_layer_names


@pytest.mark.convolutions
@pytest.mark.parametrize("layer_names", [True, False])
@pytest.mark.parametrize("preset", PRESETS)
def test_logits(preset: str, layer_names: bool, tmp_path: Path) -> None:
    folder = unpacked(preset, tmp_path)
    if not layer_names:
        of_keras_before_3_6(folder)
    model = ResnetBuilder.from_preset(preset, **SMALL, weights=folder)
    answer = model.predict(image_batch(2, 32, 48, 3), verbose=0)
    theirs = np.load(KERAS_HUB / f"{preset}_folder.logits.npy")
    assert relative_error(answer, theirs) <= 1e-5  # float32 alone gives 1e-6 to 1e-5


def test_all_presets_are_here() -> None:
    assert PRESETS == ["resnet18", "resnet50d", "resnetv2_50"]


def test_the_report(resnet18: Path) -> None:
    model = ResnetBuilder.from_preset("resnet18", **SMALL)
    report = load_weights(model, str(resnet18))
    assert report.tensors == len(model.weights)
    assert (report.source, report.origin) == (str(resnet18), "keras-hub's ResNet")
    assert report.unused == ()
    body = ResnetBuilder.from_preset("resnet18", **SMALL, include_top=False)
    assert load_weights(body, resnet18).unused == ("predictions/bias", "predictions/kernel")
    of_keras_before_3_6(resnet18)
    assert load_weights(model, resnet18).unused == ()


def test_the_backbone_alone(resnet18: Path) -> None:
    (resnet18 / "task.weights.h5").unlink()
    body = ResnetBuilder.from_preset("resnet18", **SMALL, include_top=False, weights=resnet18)
    model = ResnetBuilder.from_preset("resnet18", **SMALL)
    message = r"missing: predictions/kernel(.|\n)*\nThe folder has no task\.weights\.h5, in w"
    with pytest.raises(ValueError, match=message):
        load_weights(model, resnet18)
    larger = ResnetBuilder.from_preset(
        "resnet34", **SMALL | {"repetitions": (2, 1)}, include_top=False
    )
    with pytest.raises(ValueError, match="missing") as raised:
        load_weights(larger, resnet18)
    assert "task.weights.h5" not in str(raised.value)
    report = load_weights(model, resnet18, adapt=True)
    assert report.left_random == ("predictions/kernel", "predictions/bias")
    np.testing.assert_array_equal(model.weights[0].numpy(), body.weights[0].numpy())


def test_files_without_layer_names_want_their_config(resnet18: Path) -> None:
    of_keras_before_3_6(resnet18)
    model = ResnetBuilder.from_preset("resnet18", **SMALL)
    message = (
        r"its layers have no names, as Keras wrote before 3\.6\. (.|\n)* with its config\.json"
    )
    with pytest.raises(ValueError, match=message):
        load_weights(model, resnet18 / "model.weights.h5")
    config = (resnet18 / "config.json").read_text()
    network = json.loads(config)
    network["config"]["stackwise_num_blocks"] = [2 * 10**9, 1, -(10**9)]
    contents = {
        json.dumps(network): "2000000001 blocks, and the weights are 30 tensors",
        config.replace("ResNetBackbone", "DenseNetBackbone"): "its layers have no names",
        config.replace("stackwise_num_blocks", "blocks"): "not a whole config of keras-hub",
        "": "not a whole config of keras-hub",
        "[" * 100_000: "not a whole config of keras-hub",
        "[]": "not a whole config of keras-hub",
    }
    for content, message in contents.items():
        (resnet18 / "config.json").write_text(content)
        with pytest.raises(ValueError, match=message):
            load_weights(model, resnet18)
    (resnet18 / "config.json").unlink()
    with pytest.raises(ValueError, match="its layers have no names"):
        load_weights(model, resnet18)


def test_a_config_of_another_network(resnet18: Path, tmp_path: Path) -> None:
    of_keras_before_3_6(resnet18)
    shutil.copy(unpacked("resnet50d", tmp_path / "other") / "config.json", resnet18)
    model = ResnetBuilder.from_preset("resnet18", **SMALL)
    # 1 + 2 + 3 convolutions and as many batch norms; 3 + 4 + 4 of each.
    message = r"12 layers of its model\.weights\.h5 have weights, and 22 of the network in its conf"
    with pytest.raises(ValueError, match=message):
        load_weights(model, resnet18)
