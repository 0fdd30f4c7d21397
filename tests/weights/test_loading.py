"""Files of all kinds and states: a correct load, or a clear error and an untouched model."""

import os
import pickle
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import ml_dtypes
import numpy as np
import pytest
from safetensors.numpy import save_file

from resnet_builder import ResnetBuilder, load_weights
from resnet_builder.planner import make_plan
from resnet_builder.presets import PRESETS, find_config
from resnet_builder.weights.matching import weights_of
from resnet_builder.weights.origins import ORIGINS

from .checkpoint_recipe import Array, tensor

SMALL: dict[str, Any] = {"repetitions": (1, 1), "filters": 8, "input_shape": (16, 16, 3)}
TORCH = next(origin for origin in ORIGINS if origin.mark == "layer1.0.conv1.weight")


def small(**options: Any) -> keras.Model:
    return ResnetBuilder.from_preset("resnet18", **SMALL | {"classes": 5} | options)


def torch_names() -> dict[str, Array]:
    """A checkpoint of the small network as torchvision would have it."""
    config = find_config("resnet18").replace(**SMALL, classes=5)
    arrays = {}
    for name, shape in weights_of(make_plan(config)).items():
        if name == ("predictions", "kernel"):
            shape = shape[::-1]
        elif name[1] == "kernel":
            shape = (shape[3], shape[2], *shape[:2])
        arrays[TORCH.tensor(name)] = tensor(TORCH.tensor(name), shape)
    arrays["bn1.num_batches_tracked"] = np.zeros((), np.int64)
    return arrays


def values(model: keras.Model) -> list[Array]:
    return [weight.numpy() for weight in model.weights]


def assert_same(ours: list[Array], theirs: list[Array]) -> None:
    for one, other in zip(ours, theirs, strict=True):
        np.testing.assert_array_equal(one, other)


def assert_refused(source: Any, error: type[Exception], message: str, **options: Any) -> str:
    """The error, of which the model saw nothing."""
    model = small(**options)
    before = values(model)
    with pytest.raises(error, match=message) as raised:
        load_weights(model, source)
    assert_same(values(model), before)
    return str(raised.value)


def test_names_and_shapes_of_a_plan_are_those_of_its_model() -> None:
    for name in ("seresnext50_32x4d", "resnetv2_50d", "keras_resnet18", "wrn16_4", "plain18"):
        model = ResnetBuilder.from_preset(name)
        built = {(w.path.split("/")[0], w.name): tuple(w.shape) for w in model.weights}
        assert weights_of(make_plan(find_config(name))) == built


def saved_safetensors(arrays: dict[str, Array], folder: Path) -> Path:
    path = folder / "net.safetensors"
    save_file(arrays, path)
    return path


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32", "float64"])
def test_safetensors_of_every_float(dtype: str, tmp_path: Path) -> None:
    number = getattr(ml_dtypes, dtype, None) or np.dtype(dtype)
    arrays = {k: v.astype(number) if v.dtype.kind == "f" else v for k, v in torch_names().items()}
    model = small()
    report = load_weights(model, saved_safetensors(arrays, tmp_path))
    kernel = model.get_layer("stage1_block1_conv1").kernel.numpy()
    expected = arrays["layer1.0.conv1.weight"].transpose(2, 3, 1, 0).astype("float32")
    np.testing.assert_array_equal(kernel, expected)
    assert report.tensors == len(arrays) - 1
    assert str(report).startswith(f"{report.tensors} tensors from")


@pytest.mark.parametrize("ending", ["net.weights.h5", "net.h5", "net.keras"])
@pytest.mark.filterwarnings("ignore:You are saving your model as an HDF5 file")
def test_files_of_keras(ending: str, tmp_path: Path) -> None:
    trained, model = small(), small()
    path = tmp_path / ending
    (trained.save_weights if "weights" in ending else trained.save)(path)
    assert load_weights(model, path).origin == "resnet_builder"
    assert_same(values(model), values(trained))


def test_pytorch(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    tensors = {f"module.{k}": torch.from_numpy(np.array(v)) for k, v in torch_names().items()}
    from_file, from_dict = small(), small()
    for path, content in (("net.pth", tensors), ("net.pt", {"state_dict": tensors, "epoch": 3})):
        torch.save(content, tmp_path / path)
        load_weights(from_file, tmp_path / path)
        load_weights(from_dict, torch_names())
        assert_same(values(from_file), values(from_dict))


class Malicious:
    def __reduce__(self) -> Any:
        return Path("touched").touch, ()


def test_a_malicious_pickle_is_refused_and_does_not_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("torch", reason="PyTorch is not installed")
    monkeypatch.chdir(tmp_path)
    Path("net.pth").write_bytes(pickle.dumps({"layer1.0.conv1.weight": Malicious()}))
    pickle.loads(Path("net.pth").read_bytes())
    assert Path("touched").exists()  # so it does run where it is let
    Path("touched").unlink()
    assert_refused("net.pth", ValueError, "it is not a whole PyTorch checkpoint of tensors alone")
    assert not Path("touched").exists()


def test_without_pytorch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "torch", None)
    (tmp_path / "net.pth").write_bytes(b"anything")
    assert_refused(tmp_path / "net.pth", ImportError, "install it, or save .* as .safetensors")


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1000])


def flip_the_header(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[10] ^= 0xFF
    path.write_bytes(content)


@pytest.mark.parametrize("harm", [cut, flip_the_header])
@pytest.mark.parametrize("ending", ["safetensors", "weights.h5", "keras"])
def test_broken_files(ending: str, harm: Callable[[Path], None], tmp_path: Path) -> None:
    if (ending, harm) == ("weights.h5", flip_the_header) or (ending == "keras" and harm is not cut):
        pytest.skip("these bytes mean nothing in such a file")
    path = tmp_path / f"net.{ending}"
    if ending == "safetensors":
        save_file(torch_names(), path)
    elif ending == "keras":
        small().save(path)
    else:
        small().save_weights(path)
    harm(path)
    assert_refused(path, ValueError, "it is not a whole ")


@pytest.mark.parametrize("ending", ["safetensors", "h5", "keras"])
def test_another_format_under_the_ending(ending: str, tmp_path: Path) -> None:
    path = tmp_path / f"net.{ending}"
    path.write_text("not at all what the ending says" * 100)
    assert_refused(path, ValueError, "it is not a whole ")
    path.write_bytes(b"")
    assert_refused(path, ValueError, "the file is empty")


def test_paths(tmp_path: Path) -> None:
    assert_refused(tmp_path / "no.keras", FileNotFoundError, "there is no such file")
    assert_refused(tmp_path / "net.onnx", ValueError, r"its ending must be one of \.safetensors")
    (tmp_path / "folder.keras").mkdir()
    assert_refused(tmp_path / "folder.keras", IsADirectoryError, "it is a folder")
    assert_refused(3, TypeError, "not from 3")
    target = saved_safetensors(torch_names(), tmp_path)
    link = tmp_path / "link.safetensors"
    link.symlink_to(target)
    load_weights(small(), link)


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root reads anything")
def test_an_unreadable_file(tmp_path: Path) -> None:
    path = saved_safetensors(torch_names(), tmp_path)
    path.chmod(0)
    assert_refused(path, PermissionError, "Permission denied")


def test_a_zip_that_is_no_model(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "net.keras", "w") as archive:
        archive.writestr("config.json", "{}")
    assert_refused(tmp_path / "net.keras", ValueError, "it is not a whole Keras model")


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_values_that_are_not_finite(bad: float) -> None:
    arrays = torch_names()
    arrays["fc.bias"] = np.full_like(arrays["fc.bias"], bad)
    assert_refused(arrays, ValueError, "fc.bias has values that are not finite")


def test_integers() -> None:
    arrays = torch_names()
    arrays["fc.bias"] = np.ones_like(arrays["fc.bias"], dtype=np.int8)
    assert_refused(arrays, ValueError, "fc.bias is int8, not floats")


def test_one_error_lists_all_that_does_not_fit() -> None:
    arrays = torch_names()
    del arrays["bn1.weight"]
    arrays["bn9.weight"] = arrays["fc.bias"]
    arrays["conv1.weight"] = arrays["conv1.weight"][:, :1]
    message = assert_refused(arrays, ValueError, "cannot load the dict")
    assert message.splitlines()[1:] == [
        "shape: conv1.weight (8, 1, 7, 7) is (7, 7, 1, 8) here, and stem_conv/kernel is "
        "(7, 7, 3, 8)",
        "missing: bn1.weight, for stem_bn/gamma (8,)",
        "unexpected: bn9.weight (5,)",
        "Another number of classes or input channels is taken with adapt=True.",
    ]


def test_it_names_the_preset_that_would_fit() -> None:
    config = PRESETS["resnet34"]
    arrays = {}
    for name, shape in weights_of(make_plan(config)).items():
        shape = shape if len(shape) == 1 else shape[::-1]
        shape = (*shape[:2], *shape[:1:-1]) if len(shape) == 4 else shape
        arrays[TORCH.tensor(name)] = np.broadcast_to(np.float32(1), shape)
    assert "It fits resnet34." in assert_refused(arrays, ValueError, "missing|unexpected")


def test_nobodys_names() -> None:
    arrays = {"block1.weight": np.zeros(3, np.float32)}
    assert_refused(arrays, ValueError, "nothing in it tells whose network it is")


# Adapting ---------------------------------------------------------------------------------------


def test_another_number_of_classes() -> None:
    arrays = torch_names()
    assert_refused(arrays, ValueError, "adapt=True", classes=7)
    model = small(classes=7)
    before = model.get_layer("predictions").kernel.numpy()
    report = load_weights(model, arrays, adapt=True)
    assert report.left_random == ("predictions/kernel", "predictions/bias")
    assert report.adapted == ("the classifier is left as it was: other classes",)
    np.testing.assert_array_equal(model.get_layer("predictions").kernel.numpy(), before)
    np.testing.assert_array_equal(
        model.get_layer("stem_conv").kernel.numpy(), arrays["conv1.weight"].transpose(2, 3, 1, 0)
    )


@pytest.mark.parametrize("channels", [1, 2, 4, 7])
def test_another_number_of_input_channels(channels: int) -> None:
    arrays = torch_names()
    options = {"input_shape": (16, 16, channels)}
    assert_refused(arrays, ValueError, "adapt=True", **options)
    model = small(**options)
    [adapted] = load_weights(model, arrays, adapt=True).adapted
    assert adapted == f"3 input channels to {channels}"
    kernel = model.get_layer("stem_conv").kernel.numpy()
    theirs = arrays["conv1.weight"].transpose(2, 3, 1, 0)
    if channels == 1:
        np.testing.assert_allclose(kernel, theirs.sum(2, keepdims=True), rtol=1e-6)
    else:
        # A grey image shown in every channel keeps its size: 3 / n of every repeated channel.
        expected = [theirs[:, :, number % 3] * 3 / channels for number in range(channels)]
        np.testing.assert_allclose(kernel, np.stack(expected, axis=2), rtol=1e-6)


# from_preset ------------------------------------------------------------------------------------


def test_a_model_with_weights_begins_no_random_numbers(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ValueError, match="adapt_weights has no meaning"):
        small(adapt_weights=True)

    def draw(*_: Any, **__: Any) -> None:
        raise AssertionError("random numbers were drawn")

    with monkeypatch.context() as patched:
        patched.setattr(keras.initializers.VarianceScaling, "__call__", draw)
        with pytest.raises(AssertionError, match="were drawn"):
            small()
        model = small(weights=torch_names())
    usual = small()
    for layer, other in zip(model.layers, usual.layers, strict=True):
        assert layer.get_config() == other.get_config()


def test_the_head_of_a_model_with_weights_is_random_where_classes_differ() -> None:
    model = small(classes=7, weights=torch_names(), adapt_weights=True)
    kernel = model.get_layer("predictions").kernel.numpy()
    # Uniform within 1 / sqrt(16 features), as PyTorch draws it.
    assert 0.1 < np.abs(kernel).max() <= 0.25
    with pytest.raises(ValueError, match="adapt=True"):
        small(classes=7, weights=torch_names())
