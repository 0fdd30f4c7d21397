"""Images as a checkpoint wants them, and answers in words."""

import json
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from PIL import Image

from resnet_builder import decode, preprocessing
from resnet_builder.presets import repositories
from resnet_builder.presets.published_weights import in_table

# As timm.push_to_hf_hub writes it, in part.
CONFIG: dict[str, Any] = {
    "architecture": "resnet18",
    "num_classes": 5,
    "pretrained_cfg": {
        "input_size": [3, 48, 64],
        "crop_pct": 0.875,
        "interpolation": "bilinear",
        "mean": [0.485, 0.456, 0.406],
        "std": [0.229, 0.224, 0.225],
    },
}


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The config.json of every repository of the hub."""
    path = tmp_path / "config.json"
    path.write_text(json.dumps(CONFIG))

    def download(repository: str, files: list[str]) -> Path:
        assert (repository, files) == ("me/net", ["config.json"])
        return path

    monkeypatch.setattr(repositories, "download", download)
    return path


def photograph() -> Any:
    """Smooth, as photographs are: noise would show how resizing differs by library."""
    noise = np.random.Generator(np.random.PCG64(0)).uniform(0, 255, (6, 8, 3)).astype(np.uint8)
    return np.asarray(Image.fromarray(noise).resize((400, 300), Image.Resampling.BICUBIC))


def as_timm(image: Any, name: str) -> Any:
    """Resize, centre crop, to tensor and normalise, as timm's evaluation has it."""
    weights = in_table(name)
    assert weights
    assert weights.crop_pct
    side, _ = weights.input_size
    scaled = int(side / weights.crop_pct)
    rows, columns, _ = image.shape
    shorter = min(rows, columns)
    size = (columns * scaled // shorter, rows * scaled // shorter)
    method = Image.Resampling[weights.interpolation.upper()]
    resized = np.asarray(Image.fromarray(image).resize(size, method))
    top, left = ((whole - side) // 2 for whole in resized.shape[:2])
    cropped = resized[top : top + side, left : left + side] / 255
    return (cropped - weights.mean) / weights.std


@pytest.mark.parametrize(
    ("name", "side"),
    [
        ("resnet18.tv_in1k", 224),  # bilinear, 0.875
        ("timm/resnet50.a1_in1k", 224),  # bicubic, 0.95
        ("test_resnet.r160_in1k", 160),  # mean and deviation of 0.5
        ("resnet50.IMAGENET1K_V2", 224),  # torchvision, from 232
        ("resnetv2_50x1_bit.goog_in21k_ft_in1k", 448),  # no crop
    ],
)
def test_as_timm_does_it(name: str, side: int) -> None:
    image = photograph()
    ours = preprocessing(name)(image[np.newaxis]).numpy()[0]
    assert ours.shape == (side, side, 3)
    # A step of 255 grey values is 1 / 255 / 0.225 = 0.017: some steps where the crops are half a
    # pixel apart.
    assert np.abs(ours - as_timm(image, name)).mean() < 0.03


@pytest.mark.parametrize("data_format", ["channels_last", "channels_first"])
@pytest.mark.parametrize(
    ("name", "theirs"),
    [
        ("resnet50_v1", keras.applications.resnet),
        ("resnet101_v2.imagenet", keras.applications.resnet_v2),
    ],
)
def test_as_keras_applications_does_it(name: str, theirs: Any, data_format: str) -> None:
    images = np.random.Generator(np.random.PCG64(0)).uniform(0, 255, (2, 224, 224, 3))
    if data_format == "channels_first":
        images = images.transpose(0, 3, 1, 2)
    expected = theirs.preprocess_input(images.astype(np.float32), data_format=data_format)
    ours = preprocessing(name, data_format=data_format)(images).numpy()
    # float32 has 24 bits, and values are up to 255: 255 / 2**24 is 1.5e-5.
    np.testing.assert_allclose(ours, expected, atol=1e-4)


def test_a_preset_is_its_imagenet_checkpoint_at_the_presets_size() -> None:
    # The checkpoint is tv2_in1k, which was trained at 176 and tested at 224 from 232.
    image = photograph()[np.newaxis]
    ours = preprocessing("resnet50")(image).numpy()
    np.testing.assert_array_equal(ours, preprocessing("resnet50.IMAGENET1K_V2")(image).numpy())


def test_the_standard_deviation_is_no_variance() -> None:
    black, white = (np.full((1, 60, 80, 3), value, np.float32) for value in (0, 255))
    prepare = preprocessing("resnet18")
    width = prepare(white).numpy()[0, 0, 0] - prepare(black).numpy()[0, 0, 0]
    # From black to white is one, over the standard deviation.
    np.testing.assert_allclose(width, [1 / 0.229, 1 / 0.224, 1 / 0.225], rtol=1e-5)


def test_channels_first() -> None:
    image = photograph()[np.newaxis]
    last = preprocessing("resnet18", data_format="channels_last")(image).numpy()
    first = preprocessing("resnet18", data_format="channels_first")(image.transpose(0, 3, 1, 2))
    np.testing.assert_allclose(first.numpy().transpose(0, 2, 3, 1), last, atol=1e-5)


@pytest.mark.parametrize("name", ["resnet18", "resnet50_v1"])
def test_it_is_saved_with_a_model(name: str, tmp_path: Path) -> None:
    image = photograph()[np.newaxis]
    prepare = preprocessing(name)
    whole = keras.Sequential([keras.Input((300, 400, 3)), prepare])
    whole.save(tmp_path / "whole.keras")
    again = keras.models.load_model(tmp_path / "whole.keras")
    np.testing.assert_array_equal(again(image).numpy(), prepare(image).numpy())


def test_a_repository_that_is_not_in_the_table(config: Path) -> None:
    white = np.full((1, 300, 400, 3), 255.0)
    ours = preprocessing("me/net")(white).numpy()
    assert ours.shape == (1, 48, 64, 3)
    expected = [(1 - m) / s for m, s in ((0.485, 0.229), (0.456, 0.224), (0.406, 0.225))]
    np.testing.assert_allclose(ours[0, 5, 7], expected, rtol=1e-5)


def test_what_cannot_be_told(config: Path) -> None:
    with pytest.raises(ValueError, match="unknown preset with ImageNet weights 'resnet19'"):
        preprocessing("resnet19")
    with pytest.raises(ValueError, match=r"unknown checkpoint 'resnet18.tv_in2k': did you mean"):
        preprocessing("resnet18.tv_in2k")
    config.write_text(json.dumps({"architectures": ["ResNetForImageClassification"]}))
    with pytest.raises(ValueError, match=r"'me/net' is not one of timm.*say architecture, num_c"):
        preprocessing("me/net")


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
