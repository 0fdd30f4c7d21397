"""Files of all kinds and states: a correct load, or a clear error and an untouched model."""

import json
import os
import pickle
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import keras
import ml_dtypes
import numpy as np
import pytest
from safetensors.numpy import save_file

from resnet_builder import ResnetBuilder, load_weights
from resnet_builder.files import keras_files
from resnet_builder.model import initializers
from resnet_builder.plan.network import make_plan
from resnet_builder.presets.networks import PRESETS
from resnet_builder.presets.resolve import resolve
from resnet_builder.weights import load as loading
from resnet_builder.weights import load as restoring
from resnet_builder.weights.expected import expected_weights

from ..helpers import SMALL, assert_same_weights, randomised, small
from ..models import OF_KERAS, of_keras_applications
from .checkpoint_recipe import DATA, TORCHVISION, Array, as_torchvision, checkpoint

ORIGINAL = DATA / "original"


def torch_names() -> dict[str, Array]:
    """A checkpoint of the small network as torchvision would have it."""
    return as_torchvision(resolve("resnet18").config.replace(**SMALL))


def loaded(source: Any, **options: Any) -> keras.Model:
    model = small(**options)
    load_weights(model, source)
    return model


def assert_refused(source: Any, error: type[Exception], message: str, **options: Any) -> str:
    """The error, of which the model saw nothing."""
    model = small(**options)
    before = model.get_weights()
    with pytest.raises(error, match=message) as raised:
        load_weights(model, source)
    assert_same_weights(model, before)
    return str(raised.value)


def test_names_and_shapes_of_a_plan_are_those_of_its_model() -> None:
    for name in ("seresnext50_32x4d", "resnetv2_50d", "keras_resnet18", "wrn16_4", "plain18"):
        config = resolve(name).config.replace(repetitions=(2, 2))
        model = ResnetBuilder.from_config(config)
        built = {(w.path.split("/")[0], w.name): tuple(w.shape) for w in model.weights}
        assert expected_weights(make_plan(config)).shapes == built


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
    wide = {name: array.astype("float32") for name, array in arrays.items()}
    assert_same_weights(model, loaded(wide))
    kernel = model.get_layer("stage1_block1_conv1").kernel.numpy()
    np.testing.assert_array_equal(kernel, wide["layer1.0.conv1.weight"].transpose(2, 3, 1, 0))
    assert report.tensors == len(model.weights)
    assert str(report).startswith(f"{report.tensors} tensors from")


@pytest.mark.parametrize("optimizer", ["sgd", "adam"])
@pytest.mark.filterwarnings("ignore:You are saving your model as an HDF5 file")
def test_files_of_keras(optimizer: str, tmp_path: Path) -> None:
    trained = small()
    trained.compile(
        optimizer, "sparse_categorical_crossentropy", metrics=["accuracy"], run_eagerly=True
    )
    trained.fit(np.ones((2, 16, 16, 3)), np.zeros(2), verbose=0)
    for ending in ("net.weights.h5", "net.h5", "net.keras"):
        path = tmp_path / ending
        (trained.save_weights if "weights" in ending else trained.save)(path)
        model = small()
        assert load_weights(model, path).origin == "resnet_builder"
        assert_same_weights(model, trained)


@pytest.mark.filterwarnings("ignore:You are saving your model as an HDF5 file")
def test_a_list_of_layers_that_hdf5_cuts_in_parts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trained = small()
    monkeypatch.setattr("keras.src.legacy.saving.legacy_h5_format.HDF5_OBJECT_HEADER_LIMIT", 200)
    trained.save(tmp_path / "net.h5")
    with h5py.File(tmp_path / "net.h5") as file:
        assert "layer_names1" in file["model_weights"].attrs
    assert_same_weights(loaded(tmp_path / "net.h5"), trained)


@pytest.mark.parametrize("name", ["basic_1_1", "bottleneck_1_1"])
def test_the_originals_files_of_keras_2(name: str, tmp_path: Path) -> None:
    original = json.loads((ORIGINAL / f"original_{name}.json").read_text())
    path = ORIGINAL / f"original_{name}.weights_keras2.h5"

    def build() -> keras.Model:
        return ResnetBuilder.build(
            original["input_shape_channels_rows_cols"],
            original["num_outputs"],
            original["block_fn"],
            original["repetitions"],
        )

    by_keras, model = build(), build()
    by_keras.load_weights(path)
    assert "keras-resnet" in load_weights(model, path).origin
    assert_same_weights(model, by_keras)
    assert_refused(path, ValueError, "by their order alone, only the networks of ResnetBuilder")
    other = ResnetBuilder.build((3, 16, 16), 5, original["block_fn"], [1, 1, 1])
    with pytest.raises(ValueError, match="of its layers have weights, and"):
        load_weights(other, path)
    other = ResnetBuilder.build((3, 16, 16), 5, original["block_fn"], [1, 1], activation="silu")
    with pytest.raises(ValueError, match="by their order alone"):
        load_weights(other, path)


def test_pytorch(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    tensors = {f"module.{k}": torch.from_numpy(np.array(v)) for k, v in torch_names().items()}
    expected = loaded(torch_names()).get_weights()
    for path, content in (("net.pth", tensors), ("net.pt", {"state_dict": tensors, "epoch": 3})):
        torch.save(content, tmp_path / path)
        assert_same_weights(loaded(tmp_path / path), expected)
    assert_same_weights(loaded(tensors), expected)
    torch.save([1, 2], tmp_path / "list.pth")
    assert_refused(tmp_path / "list.pth", ValueError, "it holds list, not tensors")


class Malicious:
    def __reduce__(self) -> Any:
        return Path("touched").touch, ()


def test_a_malicious_pickle_is_refused_and_does_not_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("net.pth").write_bytes(pickle.dumps({"layer1.0.conv1.weight": Malicious()}))
    pickle.loads(Path("net.pth").read_bytes())
    assert Path("touched").exists()  # so it does run where it is let
    Path("touched").unlink()
    assert_refused("net.pth", ValueError, "it is not a whole PyTorch checkpoint of tensors only")
    assert not Path("touched").exists()


@pytest.mark.skipif(keras.backend.backend() == "torch", reason="Keras imports PyTorch")
def test_without_pytorch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "torch", None)
    (tmp_path / "net.pth").write_bytes(pickle.dumps({"state_dict": torch_names(), "epoch": 3}))
    assert_same_weights(loaded(tmp_path / "net.pth"), loaded(torch_names()).get_weights())


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1000])


def flip_the_header(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[10] ^= 0xFF
    path.write_bytes(content)


@pytest.mark.parametrize(
    ("ending", "harm"),
    [
        ("safetensors", cut),
        ("safetensors", flip_the_header),
        ("weights.h5", cut),
        ("keras", cut),
    ],
)
def test_broken_files(ending: str, harm: Callable[[Path], None], tmp_path: Path) -> None:
    path = tmp_path / f"net.{ending}"
    if ending == "safetensors":
        save_file(torch_names(), path)
    elif ending == "keras":
        small().save(path)
    else:
        small().save_weights(path)
    harm(path)
    assert_refused(path, ValueError, "it is not a whole ")


def test_damaged_inside_a_zip(tmp_path: Path) -> None:
    path = tmp_path / "net.keras"
    small().save_weights(tmp_path / "model.weights.h5")
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.write(tmp_path / "model.weights.h5", "model.weights.h5")
    content = bytearray(path.read_bytes())
    middle = len(content) // 2
    content[middle : middle + 50] = bytes(50)
    path.write_bytes(content)
    assert_refused(path, ValueError, "it is not a whole Keras model")


def zipped(path: Path, content: bytes, compression: int) -> Path:
    with zipfile.ZipFile(path, "w", compression) as archive:
        archive.writestr("model.weights.h5", content)
    return path


def test_a_zip_bomb_is_refused_before_it_is_unpacked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def read(*_: Any) -> bytes:
        raise AssertionError("it was unpacked")

    bomb = zipped(tmp_path / "net.keras", bytes(65 * 2**20), zipfile.ZIP_DEFLATED)
    monkeypatch.setattr(zipfile.ZipExtFile, "read", read)
    size = 65 * 2**20
    assert_refused(bomb, ValueError, rf"unpacks from \d+ to {size} bytes; weights do not")
    other = zipped(tmp_path / "bz2.keras", bytes(2**20), zipfile.ZIP_BZIP2)
    assert_refused(other, ValueError, "compression type 12 is not supported")


def test_a_zip_that_lies_about_its_size(tmp_path: Path) -> None:
    path = zipped(tmp_path / "net.keras", bytes(2**20), zipfile.ZIP_DEFLATED)
    said = (2**20).to_bytes(4, "little")
    path.write_bytes(path.read_bytes().replace(said, (1000).to_bytes(4, "little")))
    assert sum(map(len, chunks_until_refused(path))) <= 1000
    assert_refused(path, ValueError, "it is not a whole Keras model")


def chunks_until_refused(path: Path) -> list[bytes]:
    chunks: list[bytes] = []
    with pytest.raises(ValueError, match="CRC"):
        chunks.extend(keras_files._unpack(path, "model.weights.h5"))
    return chunks


def test_a_compressed_keras_file(tmp_path: Path) -> None:
    trained = small()
    trained.save_weights(tmp_path / "model.weights.h5")
    content = (tmp_path / "model.weights.h5").read_bytes()
    path = zipped(tmp_path / "net.keras", content, zipfile.ZIP_DEFLATED)
    assert_same_weights(loaded(path), trained)


class Lying:
    """An array that is another one when it is read for the second time."""

    def __init__(self, truth: Array, lie: Array, honest_reads: int) -> None:
        self.shape, self.dtype = truth.shape, truth.dtype
        self.reads = iter([truth] * honest_reads)
        self.lie = lie

    def __array__(self, dtype: Any = None, copy: Any = None) -> Array:
        return next(self.reads, self.lie)


@pytest.mark.parametrize("honest_reads", [0, 1])
@pytest.mark.parametrize("lie", ["shape", "nan"])
def test_arrays_that_lie(lie: str, honest_reads: int) -> None:
    arrays: dict[str, Any] = torch_names()
    truth = arrays["fc.bias"]
    other = {"shape": np.zeros(3, np.float32), "nan": np.full(5, np.nan, np.float32)}[lie]
    arrays["fc.bias"] = Lying(truth, other, honest_reads)
    if honest_reads:  # what was checked is what is assigned
        np.testing.assert_array_equal(loaded(arrays).get_weights()[-1], truth)
    else:
        message = {"shape": r"fc\.bias is an array of shape \(3,\), and was", "nan": "not finite"}
        assert_refused(arrays, ValueError, message[lie])


@pytest.mark.parametrize("error", [KeyboardInterrupt, MemoryError])
@pytest.mark.parametrize("in_memory", [1, 2**20])
def test_an_assignment_that_fails(
    error: type[BaseException], in_memory: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = small(dtype="bfloat16")
    before = model.get_weights()
    kernel = type(model.weights[0])
    assign, count = kernel.assign, iter(range(1000))

    def interrupted(self: Any, value: Any) -> Any:
        assign(self, value)
        if next(count) == 10:  # ten of the values are other ones, and will be restored
            raise error

    monkeypatch.setattr(restoring, "IN_MEMORY_BYTES", in_memory)
    monkeypatch.setattr(kernel, "assign", interrupted)
    with pytest.raises(error):
        load_weights(model, torch_names())
    assert_same_weights(model, before)


def test_paths(tmp_path: Path) -> None:
    assert_refused(tmp_path / "no.keras", FileNotFoundError, "there is no such file or folder$")
    assert_refused("resnet18", FileNotFoundError, 'weights are "imagenet", "features", a repo')
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
    assert_refused(tmp_path / "net.keras", ValueError, "its content is of no known format")


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
        "shape: conv1.weight (8, 1, 7, 7) is (7, 7, 1, 8) in Keras's order; stem_conv/kernel needs "
        "(7, 7, 3, 8)",
        "missing: bn1.weight, for stem_bn/gamma (8,)",
        "unexpected: bn9.weight (5,)",
    ]


def test_it_names_the_preset_that_would_fit() -> None:
    config = PRESETS["resnet34"]
    arrays = {}
    for name, shape in expected_weights(make_plan(config)).shapes.items():
        shape = shape if len(shape) == 1 else shape[::-1]
        shape = (*shape[:2], *shape[:1:-1]) if len(shape) == 4 else shape
        arrays[TORCHVISION.tensor(name)] = np.broadcast_to(np.float32(1), shape)
    assert "It fits resnet34." in assert_refused(arrays, ValueError, "missing|unexpected")
    body = {name: array for name, array in arrays.items() if not name.startswith("fc.")}
    message = assert_refused(body, ValueError, "missing|unexpected", include_top=False)
    assert message.endswith("\nIt fits resnet34.")


def test_a_long_message_is_cut() -> None:
    extra = {f"layer9.{n}.odd": np.zeros(1, np.float32) for n in range(300)}
    message = assert_refused(torch_names() | extra, ValueError, "unexpected: 280 more")
    assert len([line for line in message.splitlines() if line.startswith("unexpected: ")]) == 21
    weights = small().get_weights()
    message = assert_refused(weights, TypeError, f"not from a list of {len(weights)} arrays")
    assert "model.set_weights" in message
    with pytest.raises(TypeError, match=r"must be a Keras model, got a dict of \d+ arrays$"):
        load_weights(torch_names(), small())
    assert len(assert_refused({"x" * 10**6: 1}, ValueError, "no arrays by name")) < 1000
    assert len(assert_refused("x" * 10**6, FileNotFoundError, "there is no such file")) < 1000


def test_nobodys_names() -> None:
    arrays = {"block1.weight": np.zeros(3, np.float32)}
    assert_refused(arrays, ValueError, "its names are not of a known origin")
    assert_refused({}, ValueError, "it holds no arrays by name")
    assert_refused({"fc.bias": [1.0, 2.0]}, ValueError, "it holds no arrays by name")
    assert_refused({3: np.zeros(3)}, ValueError, "its tensors have names such as 3")


@pytest.mark.parametrize("prefix", ["module.", "model.", "_orig_mod.module."])
def test_names_with_something_before_them(prefix: str) -> None:
    arrays = {prefix + name: array for name, array in torch_names().items()}
    assert_same_weights(loaded(arrays), loaded(torch_names()))
    both = arrays | {f"other.{name}": array for name, array in torch_names().items()}
    message = (
        rf"names begin with {prefix}, other\.: leave out all but one with .*skip=\['other\.\*'\]\)"
        rf" for {prefix}, or .*skip=\['{prefix}\*'\]\) for other\."
    )
    assert_refused(both, ValueError, message)
    model = small()
    report = load_weights(model, both, skip="other.*")
    assert_same_weights(model, loaded(torch_names()))
    assert report.unused == tuple(f"other.{name}" for name in torch_names())


def test_tensors_that_cannot_be_read() -> None:
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    tensors: dict[str, Any] = {k: torch.from_numpy(np.array(v)) for k, v in torch_names().items()}
    tensors["fc.bias"] = tensors["fc.bias"].to(torch.float8_e4m3fn)
    assert_refused(tensors, ValueError, "fc.bias cannot be read")
    assert_refused(
        torch_names() | {"fc.weight": np.float32(1)},
        ValueError,
        r"shape: fc.weight \(\); predictions/kernel needs",
    )


def test_numbers_too_large_for_the_weights() -> None:
    arrays = torch_names()
    arrays["fc.bias"] = np.full(5, 1e300)
    assert_refused(arrays, ValueError, "fc.bias has values that are not finite in float32")
    arrays["fc.bias"] = np.full(5, 1e30)
    assert_refused(arrays, ValueError, "not finite in float16", dtype="float16")


# Models of several kinds ------------------------------------------------------------------------


def test_a_prefixed_network_reads_its_own_files(tmp_path: Path) -> None:
    left = small(layer_prefix="left_")
    left.save(tmp_path / "left.keras")
    for prefix in ("left_", "", "right_"):
        model = loaded(tmp_path / "left.keras", layer_prefix=prefix)
        assert_same_weights(model, left)


@pytest.mark.parametrize(
    "kinds",
    [
        {"norm": "group", "norm_groups": 2},
        {"norm": "evonorm_s0", "norm_groups": 2, "activation_order": "pre"},
        {"eca": True},
        {"se_ratio": 0.5},
    ],
)
def test_a_file_names_the_variables_of_every_kind_of_layer(
    kinds: dict[str, Any], tmp_path: Path
) -> None:
    left, right = (small(layer_prefix=prefix, **kinds) for prefix in ("left_", "right_"))
    randomised(left).save_weights(tmp_path / "left.weights.h5")
    load_weights(right, tmp_path / "left.weights.h5")
    assert_same_weights(right, left)


def test_joined_networks_are_loaded_before() -> None:
    left, right = small(layer_prefix="left_"), small(layer_prefix="right_")
    both = keras.Model([left.input, right.input], [left.output, right.output])
    with pytest.raises(ValueError, match="holds 2 networks, with the prefixes 'left_', 'right_'"):
        load_weights(both, torch_names())
    inside = keras.Sequential([keras.Input((16, 16, 3)), small()])
    with pytest.raises(ValueError, match=r"itself, model\.get_layer\('resnet18'\)"):
        load_weights(inside, torch_names())


def test_layers_of_the_users_are_not_the_networks() -> None:
    body = small(include_top=False, pooling="avg")
    answer = keras.layers.Dense(5, name="my_predictions")(body.output)
    model = keras.Model(body.input, answer)
    with pytest.raises(ValueError, match=r"missing: my_predictions\.weight"):
        load_weights(model, torch_names())
    load_weights(body, torch_names())
    assert_same_weights(body, loaded(torch_names()).get_weights()[: len(body.weights)])


@pytest.mark.parametrize("preset", ["resnet18", "resnetv2_18"])
def test_what_lies_behind_the_model_is_left(preset: str) -> None:
    whole = ResnetBuilder.from_preset(preset, (32, 32, 3))
    arrays = {weight.path: weight.numpy() for weight in whole.weights}
    maps = ResnetBuilder.from_preset(preset, (32, 32, 3), features=("stage2",))
    load_weights(maps, arrays)
    same = keras.Model(whole.input, whole.get_layer("stage2_block2_out").output)
    assert_same_weights(maps, same)
    for inside in ("stage2_block3_conv1/kernel", "stem_conv/bias", "stem_bn2/gamma"):
        with pytest.raises(ValueError, match=f"unexpected: {inside}"):
            load_weights(maps, arrays | {inside: np.zeros(3, np.float32)})


def arrays_of_keras_applications() -> dict[str, Array]:
    theirs = keras.applications.ResNet50(weights=None, input_shape=(32, 32, 3))
    return {weight.path: weight.numpy() for weight in theirs.weights}


def test_strides_that_no_shape_tells() -> None:
    arrays = arrays_of_keras_applications()
    fits = r"\nIt fits resnet50_v1, whose bottlenecks stride in their first 1x1 convolution\.$"
    refused = pytest.raises(ValueError, match=rf"stride in their 3x3(.|\n)*{fits}")
    for preset in ("resnet50", "resnetaa50"):
        model = ResnetBuilder.from_preset(preset, (32, 32, 3))
        for adapt in (False, True):
            with refused:
                load_weights(model, arrays, adapt=adapt)
    other: dict[str, Any] = {"input_shape": (32, 32, 1), "classes": 5}
    with refused:
        ResnetBuilder.from_preset("resnet50", **other, weights=arrays, adapt_weights=True)


def test_biases_that_do_not_fit_their_batch_norm() -> None:
    arrays = {weight.path: weight.numpy() for weight in of_keras_applications(1).weights}
    model = ResnetBuilder.from_preset("resnet50_v1", **OF_KERAS)
    before = model.get_weights()
    for shape in ((1,), (3,), (256, 1)):
        bias = {"conv2_block1_3_conv/bias": np.zeros(shape, np.float32)}
        with pytest.raises(ValueError, match="unexpected: conv2_block1_3_conv/bias"):
            load_weights(model, arrays | bias)
    assert_same_weights(model, before)


# Adapting ---------------------------------------------------------------------------------------


def test_another_number_of_classes() -> None:
    arrays = torch_names()
    assert_refused(arrays, ValueError, r"\nWith adapt=True it fits: the classifier is", classes=7)
    model = small(classes=7)
    before = model.get_layer("predictions").kernel.numpy()
    report = load_weights(model, arrays, adapt=True)
    assert report.left_random == ("predictions/kernel", "predictions/bias")
    assert report.adapted == ("the classifier is left as it was: other classes",)
    np.testing.assert_array_equal(model.get_layer("predictions").kernel.numpy(), before)
    np.testing.assert_array_equal(
        model.get_layer("stem_conv").kernel.numpy(), arrays["conv1.weight"].transpose(2, 3, 1, 0)
    )


def test_a_checkpoint_without_a_classifier() -> None:
    arrays = {name: array for name, array in torch_names().items() if not name.startswith("fc.")}
    assert_refused(arrays, ValueError, "missing: fc.weight")
    report = load_weights(small(), arrays, adapt=True)
    assert report.adapted == ("the classifier is left as it was: the checkpoint has none",)


@pytest.mark.parametrize("part", [{"fc.bias": (7,)}, {"fc.weight": (7, 99), "fc.bias": (7,)}])
def test_a_classifier_that_is_none(part: dict[str, tuple[int, ...]]) -> None:
    arrays = torch_names() | {name: np.zeros(shape) for name, shape in part.items()}
    model = small()
    with pytest.raises(ValueError, match=r"shape: fc\.bias"):
        load_weights(model, arrays, adapt=True)


@pytest.mark.parametrize("channels", [1, 2, 4, 7])
def test_another_number_of_input_channels(channels: int) -> None:
    arrays = torch_names()
    options: dict[str, Any] = {"input_shape": (16, 16, channels)}
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


def own_block(**_: Any) -> Any:
    raise AssertionError("it is not built")


def test_options_that_have_no_meaning() -> None:
    with pytest.raises(ValueError, match="adapt_weights applies only"):
        small(adapt_weights=True)
    with pytest.raises(ValueError, match="build without weights, and load a file"):
        ResnetBuilder.build((3, 32, 32), 5, own_block, [1], weights=torch_names())


def test_a_model_with_weights_begins_no_random_numbers(monkeypatch: pytest.MonkeyPatch) -> None:
    def draw(*_: Any, **__: Any) -> None:
        raise AssertionError("random numbers were drawn")

    with monkeypatch.context() as patched:
        patched.setattr(keras.initializers.VarianceScaling, "__call__", draw)
        patched.setattr(initializers, "_scaled", draw)
        with pytest.raises(AssertionError, match="were drawn"):
            small()
        model = small(weights=torch_names())
    usual = small()
    for layer, other in zip(model.layers, usual.layers, strict=True):
        assert layer.get_config() == other.get_config()


def test_a_new_model_is_not_kept_for_restoring(monkeypatch: pytest.MonkeyPatch) -> None:
    def keep(_: Any) -> None:
        raise AssertionError("the old values were kept")

    model = small()
    monkeypatch.setattr(loading, "restored_on_failure", keep)
    small(weights=torch_names())
    with pytest.raises(AssertionError, match="were kept"):
        load_weights(model, torch_names())


def test_the_head_of_a_model_with_weights_is_random_where_classes_differ() -> None:
    model = small(classes=7, weights=torch_names(), adapt_weights=True)
    assert model.get_layer("predictions").kernel.numpy().std() > 0  # it can be trained
    kernel = model.get_layer("predictions").kernel.numpy()
    # Uniform within 1 / sqrt(16 features), as PyTorch draws it.
    assert 0.1 < np.abs(kernel).max() <= 0.25
    with pytest.raises(ValueError, match=r"\nWith adapt_weights=True it fits: the classifier is"):
        small(classes=7, weights=torch_names())


# A block function of the user's ------------------------------------------------------------------


class Scale(keras.layers.Layer):
    """A layer of a class that no table knows."""

    def build(self, shape: Any) -> None:
        self.slope = self.add_weight(shape=(shape[-1],), name="slope", initializer="ones")
        self.offset = self.add_weight(shape=(shape[-1],), name="offset", initializer="zeros")

    def call(self, x: Any) -> Any:
        return x * self.slope + self.offset


def many_layers(filters: int, init_strides: Any, is_first_block_of_first_layer: bool) -> Any:
    """Layers of other classes than this package's, and layers inside layers."""

    def apply(x: Any) -> Any:
        x = keras.layers.SeparableConv2D(filters, 3, strides=init_strides, padding="same")(x)
        x = keras.layers.GroupNormalization(2)(x)
        x = keras.layers.PReLU(shared_axes=[1, 2])(Scale()(x))
        row = keras.layers.Reshape((-1, filters))(x)
        row = keras.layers.MultiHeadAttention(2, 4)(row, row)
        row = keras.layers.Bidirectional(keras.layers.GRU(filters // 2, return_sequences=True))(row)
        row = keras.layers.BatchNormalization(scale=False)(row)
        return keras.layers.Add()([keras.layers.Reshape(x.shape[1:])(row), x])

    return apply


@pytest.mark.filterwarnings("ignore:You are saving your model as an HDF5 file")
def test_files_of_a_network_with_any_layers(tmp_path: Path) -> None:
    def build() -> keras.Model:
        keras.utils.clear_session()  # a block function's layers are named by Keras
        return ResnetBuilder.build(
            (3, 16, 16), 5, many_layers, [1], filters=8, dropout_rate=0.5, layer_prefix="left_"
        )

    trained = randomised(build())
    for ending in ("net.weights.h5", "net.h5", "net.keras"):
        path = tmp_path / ending
        (trained.save_weights if "weights" in ending else trained.save)(path)
        model = build()
        assert load_weights(model, path).tensors == len(model.weights)
        assert_same_weights(model, trained)


@pytest.mark.filterwarnings("ignore:You are saving your model as an HDF5 file")
def test_a_network_that_is_a_layer(tmp_path: Path) -> None:
    """As a fine-tuned keras.applications network is saved."""
    inner = small(include_top=False, pooling="avg")
    trained = keras.Sequential([keras.Input((16, 16, 3)), inner, keras.layers.Dense(3, name="cls")])
    for ending in ("net.weights.h5", "net.h5", "net.keras"):
        path = tmp_path / ending
        (trained.save_weights if "weights" in ending else trained.save)(path)
        model = small(include_top=False)
        assert load_weights(model, path).unused == ("cls/bias", "cls/kernel")
        assert_same_weights(model, inner)


def test_the_original_senets_are_told_from_timms_by_their_pool() -> None:
    arrays = checkpoint("timm_legacy_seresnet50")
    with pytest.raises(
        ValueError, match=r"pads zeros before its pool(.|\n)*fits legacy_seresnet50"
    ):
        ResnetBuilder.from_preset("seresnet50", (32, 32, 3), weights=arrays)
