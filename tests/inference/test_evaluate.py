"""The accuracy on images whose classes a network tells by construction."""

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from PIL import Image

from resnet_builder import ResnetBuilder, evaluate, save_pretrained
from resnet_builder.cli.main import main
from resnet_builder.inference.photographs import photograph
from resnet_builder.pictures.heat_maps import png

from ..cli.contract import assert_as_documented
from ..helpers import tiny

LABELS = ["red", "green", "blue", "crane", "crane", "deep_sea"]


def of_colours(classes: int) -> keras.Model:
    """A network whose first three scores are the mean red, green and blue of an image.

    Of the others, a smaller number is the more probable class.
    """
    model = tiny(
        input_shape=(8, 8, 3), classes=classes, filters=3, stem="cifar", activation="linear"
    )
    for layer in model.layers:
        layer.set_weights([np.zeros(weight.shape) for weight in layer.weights])
    for weight in model.weights:
        if weight.name in ("gamma", "moving_variance"):
            weight.assign(np.ones(weight.shape))
    stem = np.zeros((3, 3, 3, 3))
    stem[1, 1] = np.eye(3)
    model.get_layer("stem_conv").set_weights([stem])
    kernel = np.zeros((3, classes))
    kernel[:, :3] = np.eye(3)
    bias = -2 - np.arange(classes)
    bias[:3] = 0
    model.get_layer("predictions").set_weights([kernel, bias])
    return model


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of `save_pretrained`."""
    folder = tmp_path_factory.mktemp("share") / "colours"
    settings: Any = {"size": 8, "mean": 0.5, "std": 0.5}
    return save_pretrained(of_colours(6), folder, labels=LABELS, preprocessing=settings)


# Folder -> colours of its images: 5 of 8 are the right ones. The score of a colour is -1 or more,
# and that of deep sea -7: it comes last of the six.
IMAGES = {
    "Red": [(255, 0, 0), (200, 90, 0), (0, 255, 0)],
    "green": [(0, 255, 0), (0, 255, 9)],
    "blue": [(0, 0, 255), (99, 98, 97)],
    "Deep sea": [(0, 0, 99)],
}


def write_images(data: Path, images: dict[str, list[tuple[int, int, int]]]) -> Path:
    for folder, colours in images.items():
        (data / folder).mkdir(parents=True)
        for number, colour in enumerate(colours):
            pixels = np.tile(np.array(colour, "uint8"), (12, 10, 1))
            (data / folder / f"{number}.png").write_bytes(png(pixels))
    return data


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = write_images(tmp_path_factory.mktemp("images"), IMAGES)
    (folder / "green" / "notes.txt").write_text("no image")
    return folder


@pytest.fixture(scope="module")
def model(network: Path) -> keras.Model:
    return ResnetBuilder.from_preset(str(network), data_format="channels_last")


def test_accuracy(model: keras.Model, data: Path) -> None:
    done = []
    measured = evaluate(model, data, batch_size=3, progress=lambda *numbers: done.append(numbers))
    assert done == [(3, 8), (6, 8), (8, 8)]
    assert (measured.images, measured.classes, measured.of_classes) == (8, 4, 6)
    assert measured.top1 == 100 * 5 / 8
    assert measured.top5 == 100 * 7 / 8
    assert measured.published_top1 is None
    # sqrt(p (1 - p) / n)
    assert measured.standard_error(measured.top1) == pytest.approx(17.116, abs=0.001)
    assert "4 of the network's 6 classes" in str(measured)


def test_limit_takes_images_of_all_classes(model: keras.Model, data: Path) -> None:
    measured = evaluate(model, data, limit=4)
    assert (measured.images, measured.found) == (4, 8)
    assert measured.classes == 4  # two images of eight apart
    assert "a part of the 8 images" in str(measured)


def test_command(
    network: Path, data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["evaluate", str(network), "--data", str(data), "--json"]) == 0
    measured = assert_as_documented("evaluate", capsys.readouterr().out)
    assert (measured["top1"], measured["top5"], measured["images"]) == (62.5, 87.5, 8)
    weights = str(network / "model.safetensors")
    given = ["evaluate", str(network), "--weights", weights, "--data", str(data), "--limit", "2"]
    assert main(given) == 0
    assert "top-1" in capsys.readouterr().out
    image, file = data / "green" / "0.png", tmp_path / "seen.png"
    assert main(["explain", str(image), str(network), str(file), "--json"]) == 0
    seen = assert_as_documented("explain", capsys.readouterr().out)
    assert (seen["file"], seen["class"], seen["name"]) == (str(file), 1, "green")
    assert seen["method"] == "cam"
    assert file.is_file()
    assert main(["explain", str(image), str(network), str(file), "--class", "gren"]) == 2
    assert "unknown class 'gren': did you mean 'green'" in capsys.readouterr().err


def test_own_settings(
    model: keras.Model,
    network: Path,
    data: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    own = {"size": 8, "mean": 0.5, "std": 0.5}
    measured = evaluate(model, data, own)
    assert (measured.top1, measured.name, measured.input_size) == (62.5, model.name, (8, 8))
    assert evaluate(model, data).name == str(network)
    with pytest.raises(TypeError, match="unknown setting of preprocessing 'average'"):
        evaluate(model, data, {"size": 8, "average": 0.5})
    config, weights = tmp_path / "net.json", str(network / "model.safetensors")
    config.write_text(ResnetBuilder.to_json(model))
    numbered = write_images(tmp_path / "numbered", {"1": [(0, 255, 0)], "2": [(255, 0, 0)]})
    given = ["evaluate", str(config), "--data", str(numbered), "--weights", weights]
    assert main(given) == 2
    assert "give --size, --mean and --std" in capsys.readouterr().err
    assert main([*given, "--mean", "0.5", "--std", "0.5", "0.5", "0.5", "--json"]) == 0
    found = assert_as_documented("evaluate", capsys.readouterr().out)
    assert (found["top1"], found["input_size"], found["name"]) == (50, [8, 8], "resnet18")
    given = ["evaluate", "resnet20_cifar", "--data", str(numbered), "--weights", weights]
    assert main(given) == 2
    assert "give --size, --mean and --std" in capsys.readouterr().err
    image, file = numbered / "1" / "0.png", tmp_path / "seen.png"
    given = ["explain", str(image), str(config), str(file), "--weights", weights]
    assert main([*given, "--size", "16", "12", "--json"]) == 0
    assert assert_as_documented("explain", capsys.readouterr().out)["class"] == 1
    assert main(["evaluate", str(network), "--data", str(data), "--size", "16", "16"]) == 0
    assert f"{network} at 16x16" in capsys.readouterr().out


def test_unreadable_images_are_named(
    model: keras.Model, network: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = write_images(tmp_path, {"1": [(0, 255, 0)], "0": []})
    (data / "0" / "broken.JPEG").write_bytes(b"\xff\xd8 no image")
    (data / "1" / "empty.png").write_bytes(b"")
    measured = evaluate(model, data)
    assert measured.unreadable == ("0/broken.JPEG", "1/empty.png")
    assert (measured.images, measured.top1) == (1, 100)
    assert main(["evaluate", str(network), "--data", str(data)]) == 1
    assert "not counted: 0/broken.JPEG, 1/empty.png" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("folder", "message"),
    [
        ("purple", r"no class of the network, or of several: purple.*such as 'red'"),
        ("crane", r"no class of the network, or of several: crane"),
        ("6", r"by their numbers from 0 to 5"),
    ],
)
def test_unknown_folders_are_refused(
    folder: str, message: str, model: keras.Model, tmp_path: Path
) -> None:
    data = write_images(tmp_path, {"red": [(1, 2, 3)], folder: [(1, 2, 3)]})
    with pytest.raises(ValueError, match=message):
        evaluate(model, data)


def test_classes_without_names_are_in_the_order_of_the_folders(tmp_path: Path) -> None:
    settings: Any = {"size": 8, "mean": 0.5, "std": 0.5}
    network = save_pretrained(of_colours(3), tmp_path / "net", preprocessing=settings)
    model = ResnetBuilder.from_preset(str(network), data_format="channels_last")
    images = {"a": [(255, 0, 0)], "b": [(0, 255, 0)], "c": [(255, 0, 0)]}
    measured = evaluate(model, write_images(tmp_path / "images", images))
    assert measured.top1 == pytest.approx(200 / 3)
    assert measured.top5 is None
    (tmp_path / "images" / "d").mkdir()
    with pytest.raises(ValueError, match=r"3 classes, whose names are not known.*has 4 folders"):
        evaluate(model, tmp_path / "images")


def test_published_figure_at_its_input_size() -> None:
    from resnet_builder import Evaluation, list_weights

    [row] = list_weights("resnet50.a1_in1k").rows
    at_224 = Evaluation("resnet50.a1_in1k", 80.0, 95.0, 100, 100, 1000, 1000, (224, 224), row)
    assert at_224.published_top1 == row.top1
    assert f"published at 288x288: top-1 {row.test_top1}" in str(at_224)
    at_96 = Evaluation("resnet50.a1_in1k", 80.0, 95.0, 100, 100, 1000, 1000, (96, 96), row)
    assert at_96.published_top1 is None
    assert f"published at 224x224: top-1 {row.top1}" in str(at_96)


@pytest.mark.parametrize("mode", ["RGB", "L", "CMYK"])
def test_jpegs_are_decoded_as_pillow_does(mode: str, tmp_path: Path) -> None:
    """ImageNet has all three."""
    ramp = np.arange(40 * 56 * 3).reshape(40, 56, 3) * 7 % 251
    Image.fromarray(ramp.astype("uint8")).convert(mode).save(tmp_path / "image.JPEG")
    with Image.open(tmp_path / "image.JPEG") as image:
        expected = np.asarray(image.convert("RGB"))
    np.testing.assert_array_equal(photograph(tmp_path / "image.JPEG"), expected)


def test_16_bits_are_cut_to_8(tmp_path: Path) -> None:
    levels = np.arange(0, 2**16, 257).astype("uint16").reshape(16, 16)
    Image.fromarray(levels).save(tmp_path / "image.png")
    expected = np.stack([np.arange(256).reshape(16, 16)] * 3, axis=-1)
    np.testing.assert_array_equal(photograph(tmp_path / "image.png"), expected)


def test_what_is_no_photograph_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "image.bmp"
    Image.new("RGB", (2, 2)).save(path)
    content = path.read_bytes()
    for broken in (b"", content[:-9], content[:18] + b"\xff\xff\xff\x0f" * 2 + content[26:]):
        path.write_bytes(broken)  # the last states 70 thousand million million pixels
        with pytest.raises(
            ValueError, match=r"image\.bmp is no image in a format that can be read"
        ):
            photograph(path)
    with pytest.raises(ValueError, match="it is no regular file"):
        photograph(tmp_path)


def test_imagenet_folders_by_wordnet_number(tmp_path: Path) -> None:
    model = tiny(classes=1000)
    data = write_images(tmp_path, {"n01440764": [(1, 2, 3)], "great white shark": [(1, 2, 3)]})
    scores = np.zeros((2, 1000))
    scores[0, 2], scores[1, 0] = 1, 1  # sorted: the shark, number 2, comes first
    model.predict_on_batch = lambda images: scores
    measured = evaluate(model, data, "resnet18.a1_in1k")
    assert (measured.top1, measured.name) == (100, "resnet18.a1_in1k")


def test_what_cannot_be_evaluated_is_refused(model: keras.Model, tmp_path: Path) -> None:
    with pytest.raises(OSError, match="is no folder"):
        evaluate(model, tmp_path / "nowhere")
    with pytest.raises(ValueError, match="no folders with images"):
        evaluate(model, tmp_path)
    with pytest.raises(ValueError, match="was not built from the name of a checkpoint"):
        evaluate(of_colours(3), tmp_path)
    config = tmp_path / "net.json"
    config.write_text(ResnetBuilder.to_json(model))
    assert main(["evaluate", str(config), "--data", str(tmp_path)]) == 2
