"""Images as a checkpoint wants them, and answers in words."""

import json
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from PIL import Image

from resnet_builder import decode, preprocessing
from resnet_builder.weights import preprocessing as module

SETTINGS: dict[str, Any] = {
    "input_size": [3, 48, 48],
    "crop_pct": 0.875,
    "interpolation": "bilinear",
    "mean": [0.485, 0.456, 0.406],
    "std": [0.229, 0.224, 0.225],
}


@pytest.fixture
def settings(tmp_path: Path) -> Path:
    path = tmp_path / "config.json"
    path.write_text(json.dumps({"pretrained_cfg": SETTINGS}))
    return path


@pytest.fixture
def asked(settings: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What is asked of the hub, whose every repository has these settings."""
    repositories: list[str] = []

    def download(repository: str, files: list[str]) -> Path:
        assert files == ["config.json"]
        repositories.append(repository)
        return settings

    monkeypatch.setattr(module, "download", download)
    return repositories


def photograph() -> Any:
    """Smooth, as photographs are: noise would show how resizing differs by library."""
    noise = np.random.Generator(np.random.PCG64(0)).uniform(0, 255, (6, 8, 3)).astype(np.uint8)
    return np.asarray(Image.fromarray(noise).resize((80, 60), Image.Resampling.BICUBIC))


def as_timm(image: Any) -> Any:
    """Resize, center crop, to tensor and normalise, as timm's evaluation has it."""
    scaled = int(48 / 0.875)
    rows, columns, _ = image.shape
    shorter = min(rows, columns)
    size = (columns * scaled // shorter, rows * scaled // shorter)
    resized = np.asarray(Image.fromarray(image).resize(size, Image.Resampling.BILINEAR))
    top, left = ((side - 48) // 2 for side in resized.shape[:2])
    cropped = resized[top : top + 48, left : left + 48] / 255
    return (cropped - SETTINGS["mean"]) / SETTINGS["std"]


def test_as_timm_does_it(asked: list[str]) -> None:
    image = photograph()
    ours = preprocessing("timm/resnet18.tv_in1k")(image[np.newaxis]).numpy()[0]
    assert ours.shape == (48, 48, 3)
    # A step of 255 grey values is 1 / 255 / 0.225 = 0.017: some steps where the crops are half a
    # pixel apart.
    assert np.abs(ours - as_timm(image)).mean() < 0.03
    assert asked == ["timm/resnet18.tv_in1k"]


def test_the_standard_deviation_is_no_variance(asked: list[str]) -> None:
    black, white = (np.full((1, 60, 80, 3), value, np.float32) for value in (0, 255))
    prepare = preprocessing("resnet18")
    width = prepare(white).numpy()[0, 0, 0] - prepare(black).numpy()[0, 0, 0]
    # From black to white is one, over the standard deviation.
    np.testing.assert_allclose(width, [1 / 0.229, 1 / 0.224, 1 / 0.225], rtol=1e-5)
    assert asked == ["timm/resnet18.tv_in1k"]


def test_channels_first(asked: list[str]) -> None:
    image = photograph()[np.newaxis]
    last = preprocessing("resnet18", data_format="channels_last")(image).numpy()
    first = preprocessing("resnet18", data_format="channels_first")(image.transpose(0, 3, 1, 2))
    np.testing.assert_allclose(first.numpy().transpose(0, 2, 3, 1), last, atol=1e-5)


def test_it_is_saved_with_a_model(asked: list[str], tmp_path: Path) -> None:
    image = photograph()[np.newaxis]
    prepare = preprocessing("resnet18")
    whole = keras.Sequential([keras.Input((60, 80, 3)), prepare])
    whole.save(tmp_path / "whole.keras")
    again = keras.models.load_model(tmp_path / "whole.keras")
    np.testing.assert_array_equal(again(image).numpy(), prepare(image).numpy())


def test_what_cannot_be_told(asked: list[str], settings: Path) -> None:
    with pytest.raises(ValueError, match="unknown preset with ImageNet weights 'resnet19'"):
        preprocessing("resnet19")
    settings.write_text(json.dumps({key: SETTINGS[key] for key in ("input_size", "mean", "std")}))
    with pytest.raises(ValueError, match="does not say crop_pct, interpolation"):
        preprocessing("timm/resnet18")


def test_decode() -> None:
    scores = np.zeros((2, 1000))
    scores[0, [0, 999, 207]] = 0.5, 0.3, 0.2
    scores[1, 134] = 7
    first, second = decode(scores, top=3)
    # Keras's imagenet_class_index.json calls them by the same words.
    assert first == [("tench", 0.5), ("toilet tissue", 0.3), ("golden retriever", 0.2)]
    assert second[0] == ("crane", 7)
    assert len(decode(scores)[0]) == 5
    assert decode(scores[1], top=1) == [[("crane", 7.0)]]


def test_decode_refuses() -> None:
    with pytest.raises(ValueError, match=r"must be \(batch, 1000\).*give class_names"):
        decode(np.zeros((2, 10)))
    with pytest.raises(ValueError, match=r"must be \(batch, 2\) for 2 names, got \(2, 3, 4\)"):
        decode(np.zeros((2, 3, 4)), class_names=["a", "b"])
    with pytest.raises(ValueError, match="top must be at least 1, got 0"):
        decode(np.zeros((1, 1000)), top=0)
