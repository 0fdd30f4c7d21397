"""Folders that save_pretrained writes, and what reads them."""

import json
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from resnet_builder import (
    ResnetBuilder,
    config_of,
    decode,
    fold_batch_norm,
    load_weights,
    preprocessing,
    save_pretrained,
)

from .helpers import assert_same_weights, randomised, small

LABELS = ["ant", "bee", "cat", "dog", "eel"]
SETTINGS: dict[str, Any] = {"size": 16, "mean": 0.5, "std": 0.25}


def saved(model: keras.Model, folder: Path, **options: Any) -> dict[str, Any]:
    """The config.json of a saved model."""
    save_pretrained(model, folder, **options)
    found: dict[str, Any] = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    return found


@pytest.mark.parametrize(
    ("preset", "options"),
    [
        ("resnet18", {}),  # not as deep as timm's
        ("resnet50d", {"se_ratio": 0.25, "activation": "silu", "stem": "cifar"}),
        ("resnetv2_50", {"include_top": False}),
        ("resnet18", {"dropout_rate": 0.5, "layer_prefix": "left_", "output_stride": 4}),
        ("resnet20_cifar", {"input_shape": (None, None, 1)}),
    ],
)
def test_the_network_and_its_weights(preset: str, options: dict[str, Any], tmp_path: Path) -> None:
    model = randomised(small(preset, **options))
    config = saved(model, tmp_path / "net")
    assert "architecture" not in config
    top = {"include_top": options.get("include_top", True)}
    again = ResnetBuilder.from_preset(str(tmp_path / "net"), **top)
    assert_same_weights(again, model)
    known = (16, 16) if None not in config_of(model).input_shape else (224, 224)
    channels = config_of(model).input_shape[2]
    assert config_of(again) == config_of(model).replace(input_shape=(*known, channels))


@pytest.mark.parametrize("channels", [1, 3])
def test_a_network_of_timm_is_saved_under_its_names(channels: int, tmp_path: Path) -> None:
    model = randomised(ResnetBuilder.from_preset("resnet18", (32, 32, channels), 5))
    config = saved(model, tmp_path / "net", labels=LABELS, license="mit")
    assert config["architecture"] == "resnet18"
    assert config["model_args"] == ({"in_chans": 1} if channels == 1 else {})
    assert config["pretrained_cfg"] == {
        "first_conv": "conv1",
        "classifier": "fc",
        "input_size": [channels, 32, 32],
        "license": "mit",
    }
    again = ResnetBuilder.from_preset(str(tmp_path / "net"))
    assert_same_weights(again, model)
    # As timm alone would have written it.
    del config["resnet_builder"]
    config["pretrained_cfg"] |= {"mean": [0.5] * channels, "std": [0.5] * channels}
    (tmp_path / "net" / "config.json").write_text(json.dumps(config), encoding="utf-8")
    without = ResnetBuilder.from_preset(str(tmp_path / "net"))
    assert_same_weights(without, model)
    assert decode([0, 1, 0, 0, 0.5], without, top=1)[0] == [("bee", 1.0)]


def test_class_names_and_preprocessing(tmp_path: Path) -> None:
    folder = str(tmp_path / "net")
    save_pretrained(small("resnet18"), folder, labels=LABELS, preprocessing=SETTINGS)
    images = np.random.default_rng(0).integers(0, 256, (1, 20, 30, 3))
    expected = preprocessing(**SETTINGS)(images)
    np.testing.assert_array_equal(preprocessing(folder)(images), expected)
    again = ResnetBuilder.from_preset(folder)
    np.testing.assert_array_equal(preprocessing(again)(images), expected)
    assert decode([0, 1, 0, 0, 0.5], folder, top=2)[0] == [("bee", 1.0), ("eel", 0.5)]
    assert decode([0, 1, 0, 0, 0.5], again, top=1)[0] == [("bee", 1.0)]
    # Saved again, the folder keeps them.
    second = saved(again, tmp_path / "again")
    assert second["label_names"] == LABELS
    np.testing.assert_array_equal(preprocessing(str(tmp_path / "again"))(images), expected)


@pytest.mark.parametrize(
    "given",
    [
        "resnet50_v1.imagenet",  # as keras.applications: the largest part of the image, BGR
        {"size": 16, "mean": 0.5, "std": 1 / 255, "channels": "BGR"},
    ],
)
def test_the_preprocessing_of_another_library(given: Any, tmp_path: Path) -> None:
    config = saved(small("resnet50_v1"), tmp_path / "net", preprocessing=given)
    images = np.random.default_rng(0).integers(0, 256, (1, 20, 30, 3))
    expected = (preprocessing(**given) if isinstance(given, dict) else preprocessing(given))(images)
    np.testing.assert_array_equal(preprocessing(str(tmp_path / "net"))(images), expected)
    assert config["channels"] == "BGR"
    card = (tmp_path / "net" / "README.md").read_text(encoding="utf-8")
    assert "3 channels, in BGR" in card


def test_the_name_of_a_network(tmp_path: Path) -> None:
    for name in ("resnet18", "resnet18.mine"):
        save_pretrained(small("resnet18", name=name), tmp_path / name)
        assert ResnetBuilder.from_preset(str(tmp_path / name)).name == name


@pytest.mark.parametrize("features", [("stem",), ("stage1",), ("stem", "stage2")])
@pytest.mark.parametrize("include_top", [True, False])
def test_feature_maps(features: tuple[str, ...], include_top: bool, tmp_path: Path) -> None:
    options: Any = {"features": features, "include_top": include_top}
    model = randomised(ResnetBuilder.from_preset("resnet18", (32, 32, 3), filters=8, **options))
    save_pretrained(model, tmp_path / "net")
    assert_same_weights(ResnetBuilder.from_preset(str(tmp_path / "net"), **options), model)


def test_a_model_that_is_loaded_from_a_file(tmp_path: Path) -> None:
    """The message's remedy; load_weights refuses another network."""
    model = randomised(small("resnet18"))
    model.save(tmp_path / "net.keras")
    loaded = keras.models.load_model(tmp_path / "net.keras")
    with pytest.raises(ValueError, match=r"load_weights\(new, model\), which compares"):
        save_pretrained(loaded, tmp_path / "net")
    new = small("resnet18")
    load_weights(new, loaded)
    save_pretrained(new, tmp_path / "net")
    assert_same_weights(ResnetBuilder.from_preset(str(tmp_path / "net")), model)
    with pytest.raises(ValueError, match="activation=relu there and silu here"):
        load_weights(small("resnet18", activation="silu"), loaded)


def test_what_is_not_known_is_refused(tmp_path: Path) -> None:
    folder = str(tmp_path / "net")
    save_pretrained(small("resnet18"), folder)
    with pytest.raises(ValueError, match="does not say how images are prepared"):
        preprocessing(folder)
    with pytest.raises(ValueError, match="does not say the names of its classes"):
        decode([0, 1, 0, 0, 0], folder)


def test_the_card(tmp_path: Path) -> None:
    model = ResnetBuilder.from_preset("resnet18", (32, 32, 3), 5)
    save_pretrained(
        model, tmp_path / "net", labels=LABELS, preprocessing=SETTINGS, license="apache-2.0"
    )
    card = (tmp_path / "net" / "README.md").read_text(encoding="utf-8")
    front, _, body = card.removeprefix("---\n").partition("---\n")
    assert front.splitlines()[:3] == [
        "license: apache-2.0",
        "library_name: keras",
        "pipeline_tag: image-classification",
    ]
    assert "`resnet18`, a ResNet of 11,179,077 parameters" in body
    assert 'timm.create_model("local-dir:net", pretrained=True)' in body
    assert "![The architecture](architecture.png)" in body
    assert "## 5 classes\n\nant, bee, cat, dog, eel\n" in body
    assert "- resized with bicubic interpolation\n- crop: 0.875 of the resized side, center" in body
    assert (tmp_path / "net" / "architecture.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"labels": ["cat", "dog"]}, ValueError, "has 5 classes, and labels has 2 names"),
        ({"labels": "cats"}, TypeError, "labels are a list of names"),
        ({"preprocessing": 3}, TypeError, "preprocessing is the name of a checkpoint or a dict"),
        ({"preprocessing": {"size": 8, "std": 0}}, ValueError, "std more than 0"),
        ({"preprocessing": {"size": 8, "foo": 3}}, TypeError, "unknown setting of pre.* 'foo'"),
    ],
)
def test_bad_arguments(
    options: dict[str, Any], error: type[Exception], message: str, tmp_path: Path
) -> None:
    with pytest.raises(error, match=message):
        save_pretrained(small("resnet18"), tmp_path / "net", **options)
    assert not list(tmp_path.iterdir())


def test_a_model_without_a_config(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"the config of .* is unknown"):
        save_pretrained(fold_batch_norm(small("resnet18")), tmp_path / "net")
    assert not list(tmp_path.iterdir())
