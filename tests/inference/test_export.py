"""export: files of four formats, and the proof that goes with them."""

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from keras import layers

from resnet_builder import export, preprocessing
from resnet_builder.cli.main import main
from resnet_builder.inference.export import _of_logits
from resnet_builder.inference.formats import Array
from resnet_builder.inference.litert import write_litert

from ..cli.contract import assert_as_documented
from ..helpers import image_batch, randomised, relative_error, tiny_cifar
from ..processes import printed_by

pytestmark = pytest.mark.convolutions
OF_TENSORFLOW = pytest.mark.tensorflow


@pytest.fixture(scope="module")
def model() -> keras.Model:
    return randomised(tiny_cifar())


def files_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


# Formats ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "file",
    ["network.onnx", *(pytest.param(of, marks=OF_TENSORFLOW) for of in ("network.tflite", "net"))],
)
def test_formats(
    file: str, model: keras.Model, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """Twice, because what is there is replaced."""
    for _ in range(2):
        report = export(model, tmp_path / file, limit=1e-5)
        assert files_in(tmp_path) == [file]
    assert report.difference <= 1e-5
    found = [path for path in [tmp_path / file, *tmp_path.rglob("*")] if path.is_file()]
    assert report.bytes == sum(path.stat().st_size for path in set(found))
    assert (report.images, report.agreement, report.dtype) == (2, None, "float32")
    assert report.seconds > 0
    assert report.keras_seconds > 0
    assert capfd.readouterr() == ("", "")


@OF_TENSORFLOW
def test_a_saved_model_serves_what_the_model_computes(model: keras.Model, tmp_path: Path) -> None:
    import tensorflow as tf

    export(model, tmp_path / "network")
    images = image_batch(3, 8, 8, 3)
    loaded = tf.saved_model.load(str(tmp_path / "network"))
    assert relative_error(loaded.serve(images).numpy(), model(images).numpy()) <= 1e-5


@OF_TENSORFLOW
def test_grouped_convolutions_and_free_sizes_in_litert(tmp_path: Path) -> None:
    options: dict[str, Any] = {"block": "bottleneck", "groups": 4, "width_per_group": 64}
    model = randomised(tiny_cifar(input_shape=(None, None, 3), filters=16, **options))
    report = export(model, tmp_path / "x.tflite", fold=True, limit=1e-5)
    assert report.notes == ("5 of 5 batch norms folded",)
    # The weights are constants: none is read from a variable.
    assert set(report.operators) <= {"CONV_2D", "ADD", "MEAN", "FULLY_CONNECTED", "SOFTMAX", "PAD"}


def test_several_inputs_and_outputs(tmp_path: Path) -> None:
    names = [f"input {number}" for number in range(12)]
    inputs = {name: keras.Input((4,), name=name) for name in names}
    outputs = {name: layers.Dense(1)(x) for name, x in inputs.items()}
    model = randomised(keras.Model(inputs, outputs))
    own = {"tensorflow": ["x.tflite"], "torch": ["x.pt2"]}
    for file in ["x.onnx", *own.get(keras.backend.backend(), [])]:
        assert export(model, tmp_path / file).difference <= 1e-5


@pytest.mark.slow
def test_a_program_of_torch(tmp_path: Path) -> None:
    pytest.importorskip("torch")
    code = """
import os
os.environ["KERAS_BACKEND"] = "torch"
from resnet_builder import export
from tests.helpers import small
model = small("resnext50_32x4d", groups=4, width_per_group=32)
print(export(model, "x.pt2", limit=1e-5).difference <= 1e-5)
print(export(model, "x.onnx", limit=1e-5).difference <= 1e-5)
try:
    export(model, "x.tflite")
except RuntimeError as error:
    print(error)
"""
    (tmp_path / "tests").symlink_to(Path(__file__).parents[1])
    equal, of_onnx, message = printed_by(code, tmp_path).splitlines()
    assert (equal, of_onnx) == ("True", "True")
    assert message == (
        "cannot write 'x.tflite': LiteRT is written with Keras on tensorflow, and it runs on "
        "torch: save the model as .keras, and load and export it in a process with "
        "KERAS_BACKEND=tensorflow; .onnx is written with any"
    )


# Options ------------------------------------------------------------------------------------------


def test_preprocessing_takes_photographs(tmp_path: Path) -> None:
    model = randomised(tiny_cifar(input_shape=(16, 16, 3)))
    prepare = preprocessing(size=16, mean=0.5, std=0.25, data_format="channels_last")
    # A pixel may be rounded to the next grey level.
    report = export(model, tmp_path / "x.onnx", preprocessing=prepare, fold=True, limit=0.02)
    assert report.notes == ("the images are prepared inside", "3 of 3 batch norms folded")
    import onnxruntime

    session = onnxruntime.InferenceSession(tmp_path / "x.onnx")
    assert session.get_inputs()[0].type == "tensor(uint8)"
    photograph = np.random.default_rng(0).integers(0, 256, (1, 23, 40, 3)).astype("uint8")
    [found] = session.run(["predictions"], {"images": photograph})
    assert relative_error(found, np.asarray(model(prepare(photograph)))) <= 2e-3
    assert relative_error(found, np.asarray(model(prepare(255 - photograph)))) > 1e-2


@OF_TENSORFLOW
def test_half_of_the_weights_size(tmp_path: Path) -> None:
    model = randomised(tiny_cifar(filters=64))
    whole = export(model, tmp_path / "whole.tflite")
    half = export(model, tmp_path / "half.tflite", dtype="float16", limit=5e-3)
    assert half.difference > whole.difference
    assert half.bytes < 0.6 * whole.bytes


def _sign_model() -> keras.Model:
    """Class 0 for dark images, class 1 for bright ones."""
    image = keras.Input((4, 4, 1))
    model = keras.Model(image, layers.Dense(2)(layers.GlobalAveragePooling2D()(image)))
    model.set_weights([np.array([[-1.0, 1.0]]), np.zeros(2)])
    return model


@OF_TENSORFLOW
def test_int8_computes_with_integers_only(tmp_path: Path) -> None:
    """Of ten images two are compared."""
    images = np.tile([1.0, -1.0], 5).reshape(-1, 1, 1, 1) * np.ones((1, 4, 4, 1))
    report = export(_sign_model(), tmp_path / "x.tflite", dtype="int8", images=images, agreement=1)
    assert (report.images, report.agreement, report.notes) == (2, 1.0, ("no batch norms",))
    # Steps of 1/127 in the input, and of 1/127 in the output.
    assert 0 < report.difference <= 2 / 127
    assert not {"QUANTIZE", "DEQUANTIZE"} & set(report.operators)
    assert "equal classes                100.0% of 2 images" in str(report)
    assert f"{report.bytes / 1000:.3g} kB" in str(report)


def test_a_softmax_does_not_hide_a_difference() -> None:
    logits = np.array([[40.0, 0.0, -3.0], [1.0, 2.0, 35.0]])
    other = logits.copy()
    other[0, 1] += 0.4

    def softmax(of: Array) -> Array:
        powers = np.exp(of - of.max(-1, keepdims=True))
        shares: Array = powers / powers.sum(-1, keepdims=True)
        return shares

    largest = 40 - logits[0].mean()
    found = _of_logits(softmax(other), softmax(logits))
    assert found == pytest.approx(0.4 * 2 / 3 / largest, rel=1e-6)
    maps = (softmax(of).reshape(2, 3, 1) for of in (other, logits))  # channels first
    assert _of_logits(*maps) == pytest.approx(found)
    assert _of_logits(other, logits) == pytest.approx(0.4 / 40)


@OF_TENSORFLOW
def test_int8_counts_the_images_that_keep_their_class(tmp_path: Path) -> None:
    """Beyond the range of what calibrated, +5 and +3 are the same: the larger one stays as bright.

    A second pixel in the compared images decides the class of the model, and is lost in int8.
    """
    image = keras.Input((2,))
    model = keras.Model(image, layers.Dense(2)(image))
    model.set_weights([np.array([[1.0, 0.0], [0.0, 1.0]]), np.zeros(2)])
    calibrating = np.array([[1, -1], [-1, 1]] * 4)
    compared = np.array([[3, 5], [1, 0]])
    images = np.insert(calibrating, [0, 4], compared, axis=0)  # the first and the sixth
    path = tmp_path / "x.tflite"
    report = export(model, path, dtype="int8", images=images)
    assert report.agreement == 0.5
    written = path.read_bytes()
    with pytest.raises(ValueError, match=r"is not written: 50.0% of the images keep their class"):
        export(model, path, dtype="int8", images=images, agreement=0.9)
    assert path.read_bytes() == written
    assert files_in(tmp_path) == ["x.tflite"]


# Refusals -----------------------------------------------------------------------------------------


def test_nothing_is_written_beyond_the_limit(model: keras.Model, tmp_path: Path) -> None:
    (tmp_path / "x.onnx").write_text("the old one")
    message = r"x\.onnx is not written: the largest relative difference is \S+, above 1e-12"
    with pytest.raises(ValueError, match=message):
        export(model, tmp_path / "x.onnx", limit=1e-12)
    assert (tmp_path / "x.onnx").read_text() == "the old one"
    assert files_in(tmp_path) == ["x.onnx"]


IMAGES = image_batch(4, 8, 8, 3)


def of_tensorflow(options: dict[str, Any], message: str) -> Any:
    return pytest.param("x.tflite", options, message, marks=OF_TENSORFLOW)


@pytest.mark.parametrize(
    ("file", "options", "message"),
    [
        (
            "x.h5",
            {},
            "x.h5': its ending must be one of .onnx, .tflite, .pt2, or none for a SavedModel",
        ),
        ("x.onnx", {"dtype": "float16"}, "dtype='float16' needs a file with .tflite"),
        ("x.tflite", {"dtype": "int4"}, "unknown dtype 'int4': did you mean 'int8'"),
        of_tensorflow({"dtype": "int8"}, "dtype='int8' needs images="),
        of_tensorflow({"images": IMAGES}, "images set the ranges of dtype='int8': leave them out"),
        of_tensorflow({"dtype": "int8", "images": IMAGES[:1]}, "images must be at least 2"),
        of_tensorflow({"agreement": 0.5}, "agreement is the share of equal classes with"),
        ("x.onnx", {"limit": 0}, "limit must be more than 0"),
        (
            "x.onnx",
            {"preprocessing": preprocessing(size=9, data_format="channels_last")},
            r"preprocessing gives images of (9, 9, 3), and the model takes (8, 8, 3): "
            "build it with that input_shape, or give preprocessing=preprocessing(size=...)",
        ),
    ],
)
def test_refusals(
    file: str, options: dict[str, Any], message: str, model: keras.Model, tmp_path: Path
) -> None:
    with pytest.raises(ValueError) as error:  # noqa: PT011 - asserted below
        export(model, tmp_path / file, **options)
    assert message in str(error.value)
    assert files_in(tmp_path) == []


@OF_TENSORFLOW
def test_int8_needs_a_known_size(tmp_path: Path) -> None:
    free = tiny_cifar(input_shape=(None, None, 3))
    with pytest.raises(ValueError, match="needs an input of known size, and the model takes"):
        export(free, tmp_path / "x.tflite", dtype="int8", images=IMAGES)


def test_places_that_cannot_be_written(model: keras.Model, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="there is no folder"):
        export(model, tmp_path / "none" / "x.onnx")
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "work.txt").write_text("years")
    with pytest.raises(FileExistsError, match="the folder is not empty and no SavedModel"):
        export(model, tmp_path / "mine")
    assert files_in(tmp_path / "mine") == ["work.txt"]


def test_other_things_than_models_are_refused() -> None:
    with pytest.raises(TypeError, match="model must be a Keras model"):
        export("resnet18", "x.onnx")


def test_onnx_names_the_extra(model: keras.Model, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("resnet_builder.inference.export.find_spec", lambda name: None)
    with pytest.raises(ImportError, match=r"pip install 'resnet-builder\[onnx\]'"):
        export(model, "x.onnx")


@OF_TENSORFLOW
def test_litert_refuses_an_operation_that_it_does_not_have(tmp_path: Path) -> None:
    image = keras.Input((4, 4))
    model = keras.Model(image, keras.ops.linalg.cholesky(image), name="mine")
    with pytest.raises(ValueError, match=r"'mine' cannot be written as LiteRT: .*Cholesky"):
        write_litert(model, tmp_path / "x.tflite", "float32", None)


# Command line -------------------------------------------------------------------------------------


def test_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = str(tmp_path / "x.onnx")
    tiny = ["--input-shape", "8", "8", "3", "--set", "repetitions=[1]", "filters=4"]
    assert main(["export", "resnet18", file, "--fold", *tiny]) == 0
    title, _, _, size, *rest = capsys.readouterr().out.splitlines()
    assert title == f"{file}: ONNX, float32"
    assert size.split()[0] == "size"
    assert rest[-2:] == [
        "3 of 3 batch norms folded",
        "the weights are random: --weights loads a checkpoint",
    ]
    assert main(["export", "resnet18", file, "--json", "--limit", "1e-5", *tiny]) == 0
    data = assert_as_documented("export", capsys.readouterr().out)
    assert data["difference"] <= 1e-5
    assert data["operators"]["Conv"] == 3
    assert main(["export", "resnet18", file, "--limit", "1e-12", *tiny]) == 2
    assert "is not written: the largest relative difference is" in capsys.readouterr().err
