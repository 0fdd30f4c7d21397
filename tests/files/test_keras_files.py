"""Files of Keras: what is nested in them, and what they must not hold."""

import json
import os
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import keras
import ml_dtypes
import numpy as np
import pytest

from resnet_builder import load_weights
from resnet_builder.files import keras_files, opening
from resnet_builder.files.checkpoint import Checkpoint

from ..helpers import assert_same_weights, randomised, tiny, without_layer_names
from .faults import ELSEWHERE

pytestmark = [
    pytest.mark.filterwarnings("ignore:You are saving your model as an HDF5 file"),
    pytest.mark.filterwarnings("ignore:Layer .* does not have a `quantize` method"),
]

FORMATS = ("weights.h5", "h5", "keras", "folder")


def body(name: str, **options: Any) -> keras.Model:
    return randomised(tiny(name=name, include_top=False, pooling="avg", **options))


def saved(model: keras.Model, form: str, folder: Path) -> Path:
    """The file or folder of a model, in a form that Keras writes."""
    path = folder / (form if form == "folder" else f"net.{form}")
    if form == "weights.h5":
        model.save_weights(path)
    elif form == "folder":
        model.save(path, zipped=False)
    else:
        model.save(path)
    return path


def edited(path: Path, edit: Callable[[h5py.File], None]) -> Path:
    """The same file or folder after its HDF5 file was changed."""
    inner = path / "model.weights.h5" if path.is_dir() else path
    if path.suffix == ".keras":
        inner = path.with_name("model.weights.h5")
        with zipfile.ZipFile(path) as archive:
            archive.extract(inner.name, inner.parent)
            config = archive.read("config.json")
    with h5py.File(inner, "r+") as file:
        edit(file)
    if path.suffix == ".keras":
        with zipfile.ZipFile(path, "w") as archive:
            archive.write(inner, inner.name)
            archive.writestr("config.json", config)
    return path


def opened(path: Path) -> Checkpoint:
    """The names and settings of a checkpoint, which is closed."""
    with opening.opened(path) as checkpoint:
        return checkpoint


# Nothing outside the file is read ----------------------------------------------------------------


@pytest.fixture(scope="module")
def model() -> keras.Model:
    return tiny()


@pytest.fixture(scope="module")
def files(model: keras.Model, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The model's file in every form."""
    folder = tmp_path_factory.mktemp("files")
    for form in FORMATS:
        saved(model, form, folder)
    return folder


def copied(form: str, files: Path, folder: Path) -> Path:
    path = folder / (form if form == "folder" else f"net.{form}")
    copy: Any = shutil.copytree if form == "folder" else shutil.copy
    return Path(copy(files / path.name, path))


SHAPE = (7, 7, 3, 4)  # of the stem's kernel


def kernel(file: h5py.File) -> str:
    """The path of the stem's kernel."""
    path: str = file.visititems(
        lambda path, item: path if getattr(item, "shape", None) == SHAPE else None
    )
    return path


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="a pipe shows whether it was read")
@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("put", ELSEWHERE)
def test_what_is_in_another_file_is_not_read(
    put: Callable[..., None], form: str, files: Path, model: keras.Model, tmp_path: Path
) -> None:
    other = tmp_path / "other"
    os.mkfifo(other)
    pipe = os.open(other, os.O_RDWR | os.O_NONBLOCK)
    os.write(pipe, b"secret")

    def edit(file: h5py.File) -> None:
        where = kernel(file)
        del file[where]
        put(file, where, SHAPE, other)

    path = edited(copied(form, files, tmp_path), edit)
    before = model.get_weights()
    with pytest.raises(ValueError, match=ELSEWHERE[put]):
        load_weights(model, path)
    assert os.read(pipe, 100) == b"secret"
    os.close(pipe)
    assert_same_weights(model, before)


def doubling(file: h5py.File) -> None:
    group = file
    for _ in range(40):
        inner = group.create_group("a")
        group["b"] = inner
        group = inner


def deep(file: h5py.File) -> None:
    file.create_group("a/" * 200)


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (doubling, "its b is neither a tensor nor a group in this file"),
        (deep, "its groups are nested without end"),
    ],
)
def test_groups_without_end(
    edit: Callable[[h5py.File], None],
    message: str,
    files: Path,
    model: keras.Model,
    tmp_path: Path,
) -> None:
    path = edited(copied("weights.h5", files, tmp_path), edit)
    with pytest.raises(ValueError, match=message):
        load_weights(model, path)


def test_a_small_file_may_be_compressed_to_any_size(model: keras.Model, tmp_path: Path) -> None:
    wide = tiny(filters=64, include_top=False)
    wide.set_weights([np.zeros(weight.shape) for weight in wide.weights])
    path = saved(wide, "weights.h5", tmp_path)
    with zipfile.ZipFile(tmp_path / "net.keras", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.write(path, "model.weights.h5")
        member = archive.getinfo("model.weights.h5")
    most = keras_files.MOST_COMPRESSION * (member.compress_size)
    assert most < member.file_size < keras_files.UNCHECKED_BYTES
    load_weights(wide, tmp_path / "net.keras")


# Models inside models ----------------------------------------------------------------------------


@keras.saving.register_keras_serializable("tests")
class Twins(keras.Model):
    """Two networks of one name as attributes, two in a list, and a layer of its own."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.left, self.right = body("twin"), body("twin")
        self.more = [body("twin"), body("other")]
        self.answer = keras.layers.Dense(2, name="answer")

    def call(self, x: Any) -> Any:
        return self.answer(sum(net(x) for net in (self.left, self.right, *self.more)))


def average() -> keras.Model:
    x = keras.Input((8, 8, 3))
    return keras.Model(x, keras.layers.Average()([body("a")(x), body("b")(x)]))


def twice_nested() -> keras.Model:
    middle = keras.Sequential([keras.Input((8, 8, 3)), body("inner")], name="middle")
    return keras.Sequential([keras.Input((8, 8, 3)), middle, keras.layers.Dense(2, name="answer")])


def of_frames() -> keras.Model:
    x = keras.Input((2, 8, 8, 3))
    return keras.Model(x, keras.layers.TimeDistributed(body("frame"), name="frames")(x))


def shared() -> keras.Model:
    left, right = keras.Input((8, 8, 3)), keras.Input((8, 8, 3))
    net = body("siamese")
    return keras.Model([left, right], keras.layers.Subtract()([net(left), net(right)]))


def distilled() -> keras.Model:
    model = keras.distillation.Distiller(
        teacher=body("teacher"),
        student=body("student"),
        distillation_losses=[keras.distillation.LogitsDistillation()],
    )
    model(np.ones((1, 8, 8, 3)))
    model.compile("adam", loss="mse")
    model.optimizer.build(model.trainable_variables)
    return model


def own_class() -> keras.Model:
    model = Twins()
    model(np.ones((1, 8, 8, 3)))
    return model


def operations() -> keras.Model:
    """Its group norms are models without weights, inside the model."""
    x = keras.Input((8, 8, 3))
    options: dict[str, Any] = {"norm": "evonorm_s0", "norm_groups": 2, "activation_order": "pre"}
    return keras.Model(x, body("evonorm", **options)(x))


# The paths of the networks in each model. Those of one name are called as the groups of the file.
NESTED: dict[Callable[[], keras.Model], tuple[str, ...]] = {
    average: ("a", "b"),
    twice_nested: ("middle/inner",),
    of_frames: ("frames/frame",),
    shared: ("siamese",),
    distilled: ("teacher", "student"),
    own_class: ("functional", "functional_1", "functional_2", "other"),
    operations: ("evonorm",),
}


def datasets(path: Path) -> int:
    """The number of arrays that are not single numbers."""
    found: list[str] = []

    def count(file: h5py.File) -> None:
        file.visititems(
            lambda name, item: found.append(name) if getattr(item, "shape", ()) else None
        )

    edited(path, count)
    return len(found)


@pytest.mark.parametrize("build", NESTED)
def test_the_models_around_a_tensor_are_in_its_name(
    build: Callable[[], keras.Model], tmp_path: Path
) -> None:
    model = build()
    is_listed = build not in (distilled, own_class)  # .h5 is for models that list their layers
    first: set[str] = set()
    for form in FORMATS if is_listed else ("weights.h5", "keras", "folder"):
        path = saved(model, form, tmp_path)
        checkpoint = opened(path)
        names = set(checkpoint.shapes)
        first = first or names
        assert names == first, form
        assert len(names) + len(checkpoint.others) == datasets(path), form
        kernels = {name for name in names if name.endswith("stem_conv/kernel")}
        kernels |= {name for name in names if name.endswith("stem_conv1/kernel")}
        assert kernels == {f"{network}/stem_conv/kernel" for network in NESTED[build]}
        for layer in (name.rpartition("/")[0] for name in kernels):
            if form != "weights.h5" and build is not own_class:
                assert checkpoint.settings[layer]["class_name"] == "Conv2D", form
    if is_listed:
        older = edited(saved(model, "keras", tmp_path), without_layer_names)
        assert set(opened(older).shapes) == first


@pytest.mark.parametrize("form", FORMATS)
def test_one_of_two_networks_is_chosen(form: str, tmp_path: Path) -> None:
    model = average()
    path = saved(model, form, tmp_path)
    target = body("target")
    message = r"several networks; their names begin with a/, b/: .*skip=\['b/\*'\]"
    with pytest.raises(ValueError, match=message):
        load_weights(target, path)
    for kept, left in (("a", "b"), ("b", "a")):
        report = load_weights(target, path, skip=f"{left}/*")
        assert_same_weights(target, model.get_layer(kept))
        assert report.prefix == f"{kept}/"
        assert {name.partition("/")[0] for name in report.unused} == {left}


def test_two_tensors_of_one_name_are_an_error(model: keras.Model, tmp_path: Path) -> None:
    path = saved(body("net"), "weights.h5", tmp_path)

    def edit(file: h5py.File) -> None:
        file["layers/conv2d/vars"].attrs["name"] = "x/y"
        file["layers/conv2d_1/vars"].attrs["name"] = "x"
        file["layers/conv2d_1/y/vars/kernel"] = np.zeros(3)
        file["layers/conv2d_1/y/vars"].attrs["name"] = "y"

    with pytest.raises(ValueError, match="two of its tensors are named x/y/"):
        load_weights(model, edited(path, edit))


@pytest.mark.parametrize("form", ["keras", "weights.h5"])
def test_a_model_of_ones_own_class(form: str, tmp_path: Path) -> None:
    trained = own_class()
    target = body("target")
    report = load_weights(
        target, saved(trained, form, tmp_path), skip=["functional_[12]/*", "other/*"]
    )
    assert_same_weights(target, trained.left)
    assert {"answer/0", "answer/1"} <= set(report.unused)


# What the files hold -----------------------------------------------------------------------------


@pytest.mark.parametrize("form", FORMATS)
def test_bfloat16(form: str, tmp_path: Path) -> None:
    trained = randomised(tiny(dtype="bfloat16"))
    path = saved(trained, form, tmp_path)
    for dtype in ("bfloat16", "float32"):
        target = tiny(dtype=dtype)
        load_weights(target, path)
        for ours, theirs in zip(target.weights, trained.weights, strict=True):
            np.testing.assert_array_equal(
                ours.numpy().astype("float32"), theirs.numpy().astype("float32")
            )


def test_bytes_that_are_no_bfloat16(files: Path, model: keras.Model, tmp_path: Path) -> None:
    def edit(file: h5py.File) -> None:
        where = kernel(file)
        del file[where]
        file[where] = np.zeros(SHAPE, ml_dtypes.float8_e4m3fn)

    path = edited(copied("weights.h5", files, tmp_path), edit)
    with pytest.raises(ValueError, match=r"stem_conv/kernel is \|V1, not floats"):
        load_weights(model, path)


@pytest.mark.parametrize("form", ["weights.h5", "h5", "keras", "memory"])
def test_quantized_layers(form: str, tmp_path: Path) -> None:
    quantized = tiny()
    quantized.quantize("int8")
    path = quantized if form == "memory" else saved(quantized, form, tmp_path)
    message = r"quantized to integers by model\.quantize: load what was saved before"
    with pytest.raises(ValueError, match=message):
        load_weights(tiny(), path)
    load_weights(tiny(include_top=False), path)


ODD_CONFIGS = {
    "[" * 100_000: "it is not a whole Keras model",
    '{"a":' * 100_000: "it is not a whole Keras model",
    "": "it is not a whole Keras model",
    "9" * 5000: "it is not a whole Keras model",
    "5": "",
    '{"config": 5}': "",
    '{"config": {"layers": [{"class_name": "Conv2D", "config": {"name": 5}}]}}': "",
    '{"config": {"layers": [5, {"config": null}, {"config": {"name": "x"}}]}}': "",
}


@pytest.mark.parametrize("config", ODD_CONFIGS, ids=lambda config: config[:20])
@pytest.mark.parametrize("form", ["keras", "folder"])
def test_odd_configs(
    config: str, form: str, files: Path, model: keras.Model, tmp_path: Path
) -> None:
    path = copied(form, files, tmp_path)
    if form == "folder":
        (path / "config.json").write_text(config)
    else:
        edited(path, lambda _: None)
        with zipfile.ZipFile(path, "w") as archive:
            archive.write(path.with_name("model.weights.h5"), "model.weights.h5")
            archive.writestr("config.json", config)
    if ODD_CONFIGS[config]:
        with pytest.raises(ValueError, match=ODD_CONFIGS[config]):
            load_weights(model, path)
    else:
        opened(path)


def test_settings_of_keras_2(files: Path, tmp_path: Path) -> None:
    """The older form of a config: layers in a list, without modules."""
    layer = {"class_name": "Conv2D", "config": {"name": "stem_conv", "strides": [2, 2]}}
    nested = {"class_name": "Model", "config": {"name": "inner", "layers": [layer]}}
    config = {"class_name": "Sequential", "config": [nested]}

    def edit(file: h5py.File) -> None:
        file.attrs["model_config"] = json.dumps(config).encode()

    settings = opened(edited(copied("h5", files, tmp_path), edit)).settings
    assert settings == {"inner": nested, "inner/stem_conv": layer}


# Every tensor is loaded, reported or named in the refusal ----------------------------------------

PLACES = {
    "weights.h5": ("odd", "layers/odd/vars/0", "layers/conv2d/odd/vars/7", "optimizer/vars/99"),
    "h5": ("odd", "model_weights/odd", "model_weights/stem_conv/odd", "optimizer_weights/odd/x"),
}
PLACES |= dict.fromkeys(("keras", "folder"), PLACES["weights.h5"])


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("number", range(4))
def test_a_tensor_more(number: int, form: str, files: Path, tmp_path: Path) -> None:
    place = PLACES[form][number]

    def edit(file: h5py.File) -> None:
        file[place] = np.zeros((3, 5), np.float32)

    path = edited(copied(form, files, tmp_path), edit)
    try:
        found = "\n".join(load_weights(tiny(include_top=False), path).unused)
    except ValueError as error:
        found = str(error)
    assert "odd" in found or "optimizer/99" in found
