"""Images as a checkpoint wants them, and answers in words."""

import json
import math
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from PIL import Image

from resnet_builder import decode, list_weights, preprocessing
from resnet_builder.inference.gradients import gradient
from resnet_builder.presets import resolve as repositories

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


def images(rows: int, columns: int) -> Any:
    """A grey level for each row, column and diagonal, and noise."""
    ramp = np.stack(np.broadcast_arrays(*np.ogrid[:rows, :columns], 0), axis=-1)
    ramp[..., 2] = ramp[..., 0] + ramp[..., 1]
    noise = np.random.Generator(np.random.PCG64(0)).integers(0, 256, ramp.shape)
    return np.stack([ramp % 256, noise]).astype(np.uint8)


def resized_sides(rows: int, columns: int, scaled: tuple[int, int], mode: str) -> tuple[int, int]:
    """(rows, columns) of the whole resized image."""
    if mode == "squash":
        return scaled
    if mode == "center" and scaled[0] == scaled[1]:
        # torchvision.transforms.functional._compute_resized_output_size, version 0.29.1
        short, long = sorted((rows, columns))
        new = {short: scaled[0], long: int(scaled[0] * long / short)}
        return new[rows], new[columns]
    # timm.data.transforms.ResizeKeepRatio.get_params, version 1.0.31
    ratios = rows / scaled[0], columns / scaled[1]
    ratio = max(ratios) if mode == "border" else min(ratios)
    return round(rows / ratio), round(columns / ratio)


def start(margin: int, mode: str) -> int:
    """Where the crop begins, before the image if the margin is negative."""
    if mode == "border" and margin < 0:
        return -(-margin // 2)  # timm.data.transforms.center_crop_or_pad
    return round(margin / 2.0)  # torchvision.transforms.functional.center_crop


def as_timm(
    image: Any,
    size: tuple[int, int],
    crop_pct: float,
    interpolation: str,
    mode: str = "center",
    fill: tuple[int, ...] = (0, 0, 0),
) -> Any:
    """The grey levels of timm's evaluation: transforms_imagenet_eval, version 1.0.31."""
    scaled = math.floor(size[0] / crop_pct), math.floor(size[1] / crop_pct)
    rows, columns = resized_sides(len(image), len(image[0]), scaled, mode)
    method = Image.Resampling[interpolation.upper()]
    top, left = (
        start(whole - side, mode) for whole, side in zip((rows, columns), size, strict=True)
    )
    # In two steps, as Pillow before 13 in one; 13 may take the rows first.
    resized = Image.fromarray(image).resize((columns, len(image)), method)
    result = Image.new("RGB", size[::-1], fill)
    result.paste(resized.resize((columns, rows), method), (-left, -top))
    return np.asarray(result)


def grey_levels(normalised: Any, mean: Any, std: Any) -> Any:
    return (np.asarray(normalised) * std + mean) * 255


def assert_alike(ours: Any, theirs: Any) -> None:
    """Equal but for single pixels of noise: between two grey levels float32 may take the other one.

    It may do so in both steps, the columns' and the rows'.
    """
    assert ours.shape == theirs.shape
    difference = np.abs(ours - theirs)
    assert difference.max() < 2.01
    assert difference.mean() < 0.1


PREPARED = {
    (row.input_size, row.crop_pct, row.interpolation): row
    for row in list_weights().rows
    if row.library in ("timm", "torchvision")
}


@pytest.mark.parametrize(("size", "crop_pct", "interpolation"), PREPARED)
def test_as_timm_and_torchvision_do_it(
    size: tuple[int, int], crop_pct: float, interpolation: str
) -> None:
    weights = PREPARED[size, crop_pct, interpolation]
    prepare = preprocessing(weights.name)
    for rows, columns in ((64, 64), (75, 130), (201, 155), (5, 3)):
        given = images(rows, columns)
        ours = grey_levels(prepare(given), weights.mean, weights.std)
        theirs = [as_timm(image, size, crop_pct, interpolation) for image in given]
        assert_alike(ours, np.stack(theirs))


def test_the_crop_begins_at_the_even_half() -> None:
    # 224 / 0.95 = 235.8 and int(round((235 - 224) / 2)) = 6: the published example of timm.
    [ours, _] = np.asarray(preprocessing("resnet50.a1_in1k")(images(224, 224)))
    levels = grey_levels(ours, (0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
    np.testing.assert_allclose(levels[100, 100:104, 1], [101, 102, 103, 104], atol=1e-3)


def test_the_crop_of_transformers_begins_at_the_lower_half(tmp_path: Path) -> None:
    # transformers 5.24.0 image_transforms.py, center_crop: (235 - 224) // 2 = 5.
    settings = {"size": 235, "do_center_crop": True, "crop_size": 224, "do_normalize": False}
    (tmp_path / "config.json").write_text('{"model_type": "resnet"}')
    (tmp_path / "preprocessor_config.json").write_text(json.dumps(settings))
    [ours, _] = np.asarray(preprocessing(str(tmp_path))(images(235, 235)))
    np.testing.assert_allclose(ours[100, 100:104, 1] * 255, [105, 106, 107, 108], atol=1e-3)


@pytest.mark.parametrize("mode", ["center", "border", "squash"])
@pytest.mark.parametrize("size", [(48, 64), (61, 33), (32, 32)])
@pytest.mark.parametrize("crop_pct", [0.9, 1.0])
def test_crop_modes_and_other_proportions(
    mode: str, size: tuple[int, int], crop_pct: float, config: Path
) -> None:
    own = {"input_size": [3, *size], "crop_pct": crop_pct, "crop_mode": mode}
    own["interpolation"] = "bicubic"
    config.write_text(json.dumps(CONFIG | {"pretrained_cfg": CONFIG["pretrained_cfg"] | own}))
    prepare = preprocessing("me/net")
    mean, std = (CONFIG["pretrained_cfg"][name] for name in ("mean", "std"))
    fill = (124, 116, 104) if mode == "border" else (0, 0, 0)  # round(255 * mean)
    for rows, columns in ((40, 50), (50, 90), (90, 50), (33, 200), (151, 31)):
        given = images(rows, columns)
        theirs = [as_timm(image, size, crop_pct, "bicubic", mode, fill) for image in given]
        assert_alike(grey_levels(prepare(given), mean, std), np.stack(theirs))


def test_what_a_repository_does_not_say_is_timms_default(config: Path) -> None:
    settings = CONFIG["pretrained_cfg"]
    silent = {key: settings[key] for key in ("input_size", "mean", "std")}
    config.write_text(json.dumps(CONFIG | {"pretrained_cfg": silent}))
    given = images(80, 90)
    # timm.models._pretrained.PretrainedCfg: crop_pct 0.875, bicubic
    theirs = [as_timm(image, (48, 64), 0.875, "bicubic") for image in given]
    ours = grey_levels(preprocessing("me/net")(given), settings["mean"], settings["std"])
    assert_alike(ours, np.stack(theirs))


@pytest.mark.parametrize("data_format", ["channels_last", "channels_first"])
def test_as_keras_hub_does_it(data_format: str) -> None:
    given = images(300, 401).astype(np.float32)
    # keras_hub.layers.ImageConverter, version 0.32.0, with its defaults
    resize = keras.layers.Resizing(
        224, 224, "bicubic", crop_to_aspect_ratio=True, data_format="channels_last"
    )
    mean, std = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
    expected = np.asarray(resize(given)) * (1 / 255 / np.array(std)) - np.array(mean) / std
    prepare = preprocessing("resnet50.resnet_50_imagenet", data_format=data_format)
    assert prepare.name == "preprocessing"
    if data_format == "channels_first":
        ours = np.asarray(prepare(given.transpose(0, 3, 1, 2))).transpose(0, 2, 3, 1)
    else:
        ours = np.asarray(prepare(given))
    np.testing.assert_allclose(ours, expected, atol=1e-4)


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
    ours = np.asarray(preprocessing(name, data_format=data_format)(images))
    # float32 has 24 bits, and values are up to 255: 255 / 2**24 is 1.5e-5.
    np.testing.assert_allclose(ours, expected, atol=1e-4)


def test_a_preset_is_its_imagenet_checkpoint_at_the_presets_size() -> None:
    # The checkpoint is tv2_in1k, which was trained at 176 and tested at 224 from 232.
    image = images(300, 400)
    ours = np.asarray(preprocessing("resnet50")(image))
    np.testing.assert_array_equal(ours, preprocessing("resnet50.IMAGENET1K_V2")(image))


def test_the_standard_deviation_is_no_variance() -> None:
    black, white = (np.full((1, 60, 80, 3), value, np.float32) for value in (0, 255))
    prepare = preprocessing("resnet18")
    width = np.subtract(np.asarray(prepare(white)), np.asarray(prepare(black)))[0, 0, 0]
    # From black to white is one, over the standard deviation.
    np.testing.assert_allclose(width, [1 / 0.229, 1 / 0.224, 1 / 0.225], rtol=1e-5)


def test_channels_first() -> None:
    image = images(300, 400)
    last = preprocessing("resnet18", data_format="channels_last")(image)
    first = preprocessing("resnet18", data_format="channels_first")(image.transpose(0, 3, 1, 2))
    np.testing.assert_allclose(np.asarray(first).transpose(0, 2, 3, 1), last, atol=1e-5)


@pytest.mark.parametrize("name", ["resnet18", "resnet50_v1"])
def test_it_is_saved_with_a_model(name: str, tmp_path: Path) -> None:
    image = images(300, 400)
    prepare = preprocessing(name)
    whole = keras.Sequential([keras.Input((300, 400, 3)), prepare])
    whole.save(tmp_path / "whole.keras")
    again = keras.models.load_model(tmp_path / "whole.keras")
    np.testing.assert_array_equal(again(image), prepare(image))


def test_a_repository_that_is_not_in_the_table(config: Path) -> None:
    white = np.full((1, 300, 400, 3), 255.0)
    ours = np.asarray(preprocessing("me/net")(white))
    assert ours.shape == (1, 48, 64, 3)
    expected = [(1 - m) / s for m, s in ((0.485, 0.229), (0.456, 0.224), (0.406, 0.225))]
    np.testing.assert_allclose(ours[0, 5, 7], expected, rtol=1e-5)


@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16", "float64"])
@pytest.mark.parametrize("name", ["resnet18", "resnet50_v1"])
def test_float32_whatever_the_policy_and_the_images(policy: str, name: str, tmp_path: Path) -> None:
    given = images(70, 50)
    expected = np.asarray(preprocessing(name)(given))
    keras.config.set_dtype_policy(policy)
    try:
        prepare = preprocessing(name)
        prepare.save(tmp_path / "prepare.keras")
        loaded = keras.models.load_model(tmp_path / "prepare.keras")
        for dtype in ("uint8", "int64", "float16", "float32", "float64"):
            for model in (prepare, loaded):
                ours = model(given.astype(dtype))
                assert keras.backend.standardize_dtype(ours.dtype) == "float32"
                np.testing.assert_array_equal(ours, expected)
    finally:
        keras.config.set_dtype_policy("float32")


@pytest.mark.tensorflow
@pytest.mark.parametrize("levels", ["L", "RGB", "RGBA"])
@pytest.mark.parametrize("mode", ["L", "RGB"])
def test_channels_in_a_dataset_that_does_not_know_them(levels: str, mode: str) -> None:
    mean, std = ([0.5], [0.25]) if mode == "L" else ([0.5] * 3, [0.25] * 3)
    own = preprocessing(size=32, mean=mean, std=std, crop_pct=1, interpolation="bilinear")
    noise = np.random.Generator(np.random.PCG64(0)).integers(0, 256, (32, 32, len(levels)))
    image = noise.astype(np.uint8)
    expected = np.asarray(Image.fromarray(image.squeeze(), levels).convert(mode))
    import tensorflow as tf

    unknown = tf.TensorSpec((None, None, None, None), tf.uint8)
    dataset = tf.data.Dataset.from_generator(lambda: [image[np.newaxis]], output_signature=unknown)
    [ours] = dataset.map(own)
    levels_of_ours = grey_levels(ours[0], mean, std)
    np.testing.assert_allclose(levels_of_ours, expected.reshape(32, 32, -1), atol=1e-3)


def test_images_of_other_shapes_are_refused_by_name() -> None:
    prepare = preprocessing("resnet18")
    grey = prepare(images(30, 40)[..., :1])
    assert grey.shape == (2, 224, 224, 3)
    assert prepare(np.zeros((0, 30, 40, 3))).shape == (0, 224, 224, 3)
    shape: tuple[int, ...]
    for shape in ((2, 30, 40, 4), (2, 30, 40, 2), (2, 3, 30, 40)):
        with pytest.raises(ValueError, match=rf"preprocessing.*, 3\), found shape=\({shape[0]}, "):
            prepare(np.zeros(shape))
    for shape in ((30, 40, 3), (30, 40, 1), (30, 40)):
        with pytest.raises(ValueError, match=r"Invalid input shape(?s:.*)None, 3\)"):
            prepare(np.zeros(shape))


def test_gradients_pass_through_the_rounding() -> None:
    prepare = preprocessing(size=8, crop_pct=1, mean=0, std=1)
    image = keras.ops.convert_to_tensor(images(16, 16)[1:].astype(np.float32))
    found = gradient(lambda x: keras.ops.sum(prepare(x)), image)
    # The weights of each pixel sum to one, so that half as many pixels have a quarter each, but
    # where the cubic overshoots and is cut, and at the border.
    inner = keras.ops.convert_to_numpy(found)[0, 6:10, 6:10]
    np.testing.assert_allclose(np.median(inner), 1 / 255 / 4, rtol=1e-2)


def test_own_settings() -> None:
    given = images(90, 70)
    own = preprocessing(size=(64, 48), mean=[0.1, 0.2, 0.3], std=0.5, crop_pct=0.9)
    ours = grey_levels(own(given), [0.1, 0.2, 0.3], 0.5)
    assert_alike(ours, np.stack([as_timm(image, (64, 48), 0.9, "bicubic") for image in given]))
    # The defaults are timm's: ImageNet's colours, crop_pct 0.875 and bicubic.
    ours = grey_levels(preprocessing(size=40)(given), (0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
    assert_alike(ours, np.stack([as_timm(image, (40, 40), 0.875, "bicubic") for image in given]))
    assert preprocessing(size=8, mean=[0.5] * 5, std=[0.25] * 5).output_shape == (None, 8, 8, 5)


def test_images_of_caffe() -> None:
    """detectron2/config/defaults.py: PIXEL_MEAN is (103.53, 116.28, 123.675), of blue first."""
    red_first = (123.675 / 255, 116.28 / 255, 103.53 / 255)
    prepare = preprocessing(size=2, mean=red_first, std=1 / 255, crop_pct=1, channels="BGR")
    orange = np.broadcast_to([255.0, 128.0, 0.0], (1, 2, 2, 3))
    expected = np.array([0, 128, 255]) - (103.53, 116.28, 123.675)
    np.testing.assert_allclose(prepare(orange)[0, 0, 0], expected, atol=1e-4)


@pytest.mark.parametrize(
    ("settings", "error", "message"),
    [
        ({}, ValueError, r"needs a checkpoint, such as .* or a size"),
        ({"mean": 0.5, "std": 0.5}, ValueError, "or a size.*; got mean, std"),
        ({"source": "resnet18", "size": 64}, ValueError, "got source='resnet18' and size"),
        ({"source": "resnet18", "crop_pct": 1}, ValueError, "source='resnet18' and crop_pct"),
        ({"size": (1, 2, 3)}, ValueError, r"rows and columns, got \(1, 2, 3\)"),
        ({"size": 0}, ValueError, "size must be 1 or more"),
        ({"size": 22.5}, TypeError, "size must be an integer"),
        ({"size": "224"}, TypeError, "size must be an integer"),
        ({"size": 8, "mean": [123.7, 116.8, 103.9]}, ValueError, "mean must be from 0 to 1"),
        ({"size": 8, "std": 0}, ValueError, "std more than 0"),
        ({"size": 8, "std": float("nan")}, ValueError, "std more than 0"),
        ({"size": 8, "mean": [0.5] * 4, "std": [0.5] * 3}, ValueError, "one for each; got mean="),
        ({"size": 8, "mean": "imagenet"}, ValueError, "must be numbers"),
        ({"size": 8, "crop_pct": 1.5}, ValueError, "at most 1, got 1.5"),
        ({"size": 8, "crop_pct": "1"}, ValueError, "at most 1, got '1'"),
        ({"size": 8, "data_format": "channels_in_the_middle"}, ValueError, "unknown data_format"),
        ({"size": 8, "channels": "GBR"}, ValueError, "unknown channels 'GBR'.*'RGB', 'BGR'"),
        ({"size": 8, "interpolation": "nearest"}, ValueError, "unknown interpolation 'nearest'"),
    ],
)
def test_settings_that_are_refused(settings: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        preprocessing(**settings)


def test_what_cannot_be_told(config: Path) -> None:
    with pytest.raises(ValueError, match="unknown preset with ImageNet weights 'resnet19'"):
        preprocessing("resnet19")
    with pytest.raises(ValueError, match=r"unknown checkpoint 'resnet18.tv_in2k': did you mean"):
        preprocessing("resnet18.tv_in2k")
    config.write_text(json.dumps({"architectures": ["ResNetForImageClassification"]}))
    with pytest.raises(ValueError, match=r"'me/net' is not one of timm.*say architecture, num_c"):
        preprocessing("me/net")


def test_bands_of_a_satellite_are_not_prepared() -> None:
    [row] = list_weights("resnet50.SENTINEL2_ALL_MOCO").rows
    with pytest.raises(ValueError, match=r"takes bands .*\(bands / 255 - mean\) / std"):
        preprocessing(row.name)
    # torchgeo/models/resnet.py: divided by 10,000.
    bands = np.full(13, 5000.0)
    np.testing.assert_allclose((bands / 255 - np.array(row.mean)) / np.array(row.std), 0.5)


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


def test_decode_knows_the_classes_of_a_checkpoint(config: Path) -> None:
    scores = np.eye(1000)[207]
    for source in ("resnet50.a1_in1k", "resnet18"):
        assert decode(scores, source, top=1) == [[("golden retriever", 1.0)]]
    for source in ("resnet20_cifar", "resnetv2_50x1_bit.goog_in21k", "me/net"):
        with pytest.raises(ValueError, match=rf"'{source}' does not say the names of its classes"):
            decode(scores, source)
    # The first, the ninth and the last line of categories_places365.txt.
    scenes = decode(np.eye(365)[[0, 8, 364]], "resnet18.places365", top=1)
    names_of = [best.name for [best] in scenes]
    assert names_of == ["airfield", "apartment building/outdoor", "zen garden"]
    names = {"label_names": ["n1", "n2"], "label_descriptions": {"n2": "ant"}}
    config.write_text(json.dumps(CONFIG | names))  # timm models/_hub.py
    assert decode([1, 2], "me/net")[0] == [("ant", 2), ("n1", 1)]
    assert decode([1, 2], "resnet20_cifar", class_names=["a", "b"])[0][0] == ("b", 2)
    with pytest.raises(ValueError, match="unknown preset 'resnet19'"):
        decode(scores, "resnet19")
    with pytest.raises(
        ValueError, match=r"for 1000 names of 'resnet18', got \(1, 2\); .* give class_names"
    ):
        decode([1, 2], "resnet18")


def test_decode_orders_the_numbers_of_quantised_networks() -> None:
    # -(-128) is -128 in int8, and -5 is 251 in uint8.
    for scores in (np.array([[-128, 5]], np.int8), np.array([[0, 5]], np.uint8)):
        assert decode(scores, class_names=["a", "b"])[0][0] == ("b", 5)


def test_decode_takes_tensors_of_pytorch_with_a_gradient() -> None:
    torch = pytest.importorskip("torch")
    scores = torch.tensor([[0.25, 0.75]], dtype=torch.bfloat16, requires_grad=True)
    assert decode(scores, class_names=["a", "b"])[0][0] == ("b", 0.75)


@pytest.mark.parametrize(
    ("given", "error", "message"),
    [
        ({"predictions": np.zeros((2, 10))}, ValueError, r"\(batch, 1000\).*give class_names"),
        (
            {"predictions": np.zeros((2, 3, 4)), "class_names": ["a", "b"]},
            ValueError,
            "for 2 names",
        ),
        (
            {"predictions": [[0.5, np.nan]], "class_names": ["a", "b"]},
            ValueError,
            "NaN for image 0",
        ),
        ({"predictions": {"stage4": 1, "predictions": 2}}, TypeError, "a dict of 'stage4', 'pred"),
        ({"predictions": [{"predictions": 2}]}, TypeError, "must be an array of numbers"),
        ({"predictions": [[0.5, 0.5], [1.0]]}, TypeError, "must be an array of numbers"),
        ({"predictions": [["a", "b"]]}, TypeError, "must be an array of numbers"),
        ({"predictions": [[1, 2]], "class_names": {"a": 0, "b": 1}}, TypeError, "list of names"),
        ({"predictions": [[1, 2]], "class_names": [0, 1]}, TypeError, "list of names"),
        ({"predictions": [[1, 2]], "class_names": "ab"}, TypeError, "list of names"),
        (
            {"predictions": np.zeros((1, 1000)), "top": 0},
            ValueError,
            "top must be 1 or more, got 0",
        ),
        ({"predictions": np.zeros((1, 1000)), "top": 1.5}, TypeError, "top must be an integer"),
    ],
)
def test_decode_refuses(given: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        decode(**given)
