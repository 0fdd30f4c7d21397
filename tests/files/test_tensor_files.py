"""Files of PyTorch and NumPy and checkpoints in several files, read without PyTorch.

tests/data/tensor_files was written by PyTorch: see tools/make_tensor_files.py.
"""

import json
import pickle
import subprocess
import sys
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from safetensors.numpy import save_file

from resnet_builder import load_weights, write_weights
from resnet_builder.files.opening import opened
from resnet_builder.files.tensor_files import safetensors_file

from ..helpers import Array, assert_same_weights, tiny
from .tensor_recipe import (
    BASE,
    FILES,
    ODD,
    Call,
    Name,
    Outside,
    Text2,
    arrays,
    of_python_2,
    pickled,
)


def read_all(path: Path) -> dict[str, Array]:
    with opened(path) as checkpoint:
        read = {name: checkpoint.read(name) for name in checkpoint.shapes}
        assert {name: array.shape for name, array in read.items()} == checkpoint.shapes
    return read


# PyTorch ------------------------------------------------------------------------------------------

NETWORKS = ("training.pth.tar", "training_legacy.pth", "module.pth", "script.pt", "big_endian.pth")


@pytest.mark.parametrize("file", NETWORKS)
def test_a_network_of_pytorch(file: str, model: keras.Model, plain: keras.Model) -> None:
    report = load_weights(model, FILES / file)
    assert_same_weights(model, plain)
    beside = {name.partition(".")[0] for name in report.unused}
    assert beside == ({"optimizer"} if file.startswith("training") else set())


@pytest.mark.parametrize("file", ["odd.pth", "odd_legacy.pth"])
def test_tensors_of_all_dtypes_and_strides(file: str) -> None:
    read = read_all(FILES / file)
    assert set(read) == (set(ODD) if file == "odd.pth" else set(ODD) - {"uint16"})
    for name, array in read.items():
        assert array.dtype == ODD[name].dtype
        np.testing.assert_array_equal(array, ODD[name])


def test_without_safetensors(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "safetensors", None)
    how = r"pip install 'resnet-builder\[weights\]'"
    with (
        pytest.raises(ImportError, match=f"reading the safetensors file a.safetensors .* {how}"),
        safetensors_file(tmp_path / "a.safetensors"),
    ):
        pass
    monkeypatch.setitem(sys.modules, "safetensors.numpy", None)
    with pytest.raises(ImportError, match=f"writing the safetensors file .*safetensors .* {how}"):
        write_weights(tiny(), tmp_path / "b.safetensors")
    assert not list(tmp_path.iterdir())


def test_pytorch_is_not_imported() -> None:
    code = (
        "import sys\n"
        "from resnet_builder.files.opening import opened\n"
        f"with opened({str(FILES / 'odd.pth')!r}) as checkpoint:\n"
        "    [checkpoint.read(name) for name in checkpoint.shapes]\n"
        "assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_a_file_of_an_old_pytorch_in_python_2(tmp_path: Path) -> None:
    """Strings of bytes, an OrderedDict of pairs, storages that are parts of others, and classes."""
    whole = ("storage", Name("torch.FloatStorage"), Text2(b"7"), Text2(b"cuda:0"), 120)
    part = Outside((*whole, (Text2(b"8"), 20, 12)))
    rebuild = "torch._utils._rebuild_tensor"
    tensors = {
        "of a part": Call(rebuild, (part, 2, (2, 3), (1, 4))),
        "whole": Call(rebuild, (Outside((*whole, None)), 0, (120,), (1,))),
    }
    pairs = [[name, tensor] for name, tensor in tensors.items()]
    root = {
        "state_dict": Call("collections.OrderedDict", (pairs,)),
        "model": Call("copy_reg._reconstructor", (Outside(("module", Name("a.B"), "", "")),)),
    }
    head = pickled(0x1950A86A20F9469CFC6C) + pickled(1001) + pickled({"little_endian": True})
    content = (120).to_bytes(8, "little") + BASE.tobytes()
    path = tmp_path / "net.pth"
    path.write_bytes(head + pickled(root) + pickled([Text2(b"7")]) + content)
    read = read_all(path)
    np.testing.assert_array_equal(read["state_dict.whole"], BASE)
    expected = np.lib.stride_tricks.as_strided(BASE[22:], (2, 3), (4, 16))
    np.testing.assert_array_equal(read["state_dict.of a part"], expected)


# NumPy --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("protocol", range(6))
def test_a_pickle_of_arrays(
    protocol: int, model: keras.Model, plain: keras.Model, tmp_path: Path
) -> None:
    path = tmp_path / "net.pkl"
    content = {"model": arrays(), "__author__": "somebody", "matching_heuristics": True}
    path.write_bytes(pickle.dumps(content, protocol))
    load_weights(model, path)
    assert_same_weights(model, plain)


def test_a_pickle_of_python_2(model: keras.Model, plain: keras.Model, tmp_path: Path) -> None:
    path = tmp_path / "net.pkl"
    blobs = {name: of_python_2(array) for name, array in arrays().items()}
    path.write_bytes(pickled({Text2(b"model"): blobs}))
    load_weights(model, path)
    assert_same_weights(model, plain)


@pytest.mark.parametrize("dtype", ["<f4", ">f8", "<f2", "bfloat16"])
@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("file", ["net.npz", "packed.npz", "net.pkl"])
def test_orders_and_dtypes_of_numpy(file: str, order: Any, dtype: str, tmp_path: Path) -> None:
    kind = ODD["bfloat16"].dtype if dtype == "bfloat16" else np.dtype(dtype)
    content: dict[str, Any] = {
        "group/kernel": np.array(np.arange(24).reshape(2, 3, 4), kind, order=order),
        "bias": np.array(3, kind),
    }
    path = tmp_path / file
    if file == "net.pkl":
        path.write_bytes(pickle.dumps(content, 2))
    else:
        (np.savez if file == "net.npz" else np.savez_compressed)(path, **content)
    for name, array in read_all(path).items():
        assert array.dtype == kind
        np.testing.assert_array_equal(array, content[name])


def test_a_network_in_npz(model: keras.Model, plain: keras.Model, tmp_path: Path) -> None:
    named: Any = arrays()
    np.savez_compressed(tmp_path / "net.npz", **named)
    load_weights(model, tmp_path / "net.npz")
    assert_same_weights(model, plain)


# A checkpoint in several files --------------------------------------------------------------------


def save_in_parts(folder: Path, index: str = "model.safetensors.index.json") -> Path:
    """Write a checkpoint in two files, which have a tensor each that is not in the index."""
    places: dict[str, str] = {}
    for number in (1, 2):
        part = dict(list(arrays().items())[number - 1 :: 2])
        name = f"model-0000{number}-of-00002.safetensors"
        places |= dict.fromkeys(part, name)
        save_file(part | {"unlisted": np.ones(1)}, folder / name)
    content = {"metadata": {"total_size": 1}, "weight_map": places}
    (folder / index).write_text(json.dumps(content))
    return folder / index


@pytest.mark.parametrize("index", ["model.safetensors.index.json", "pytorch_model.bin.index.json"])
def test_a_checkpoint_in_several_files(
    index: str, model: keras.Model, plain: keras.Model, tmp_path: Path
) -> None:
    path = save_in_parts(tmp_path, index)
    for source in (path, tmp_path):
        report = load_weights(model, source)
        assert_same_weights(model, plain)
        assert report.source == str(path)
        assert report.unused == ()


def test_parts_of_pytorch(model: keras.Model, plain: keras.Model, tmp_path: Path) -> None:
    path = save_in_parts(tmp_path)
    content = json.loads(path.read_text())
    for number, name in enumerate(sorted(set(content["weight_map"].values()))):
        part = dict(list(arrays().items())[number::2])
        (tmp_path / name).write_bytes(pickle.dumps(part, 4))
    load_weights(model, path)
    assert_same_weights(model, plain)


BROKEN_INDICES: dict[str, tuple[Any, str]] = {
    "no index": ({"a": 1}, "it has no weight_map of tensors and their files"),
    "empty": ({"weight_map": {}}, "not the index of a checkpoint in several files"),
    "a list": ({"weight_map": ["a"]}, "it has no weight_map"),
    "a path": ({"weight_map": {"a": "../net.pth"}}, "names the file '../net.pth', which is not in"),
    "the root": ({"weight_map": {"a": "/etc/passwd"}}, "names the file '/etc/passwd'"),
    "Windows": ({"weight_map": {"a": "..\\net.pth"}}, "which is not in its folder"),
    "a drive": ({"weight_map": {"a": "c:net.pth"}}, "which is not in its folder"),
    "the folder": ({"weight_map": {"a": ".."}}, "which is not in its folder"),
    "no name": ({"weight_map": {"a": 3}}, "names the file 3"),
    "itself": ({"weight_map": {"a": "index.json"}}, "its content is of no known format"),
    "another tensor": ({"weight_map": {"a": "net.npz"}}, "its a is not in net.npz"),
    "large": ({"a": "b" * 2**20}, "it is JSON of more than 524288 bytes, and no index"),
}


@pytest.mark.parametrize("case", BROKEN_INDICES)
def test_an_index_that_is_refused(case: str, model: keras.Model, tmp_path: Path) -> None:
    content, message = BROKEN_INDICES[case]
    path = tmp_path / "index.json"
    path.write_text(json.dumps(content))
    np.savez(tmp_path / "net.npz", weight=np.ones((1, 1)))
    with pytest.raises(ValueError, match=rf"cannot load .*index\.json: .*{message}"):
        load_weights(model, path)


def test_an_index_that_is_no_json(model: keras.Model, tmp_path: Path) -> None:
    (tmp_path / "nested.json").write_text('{"a":' * 10**5)
    with pytest.raises(ValueError, match="not a whole index of a checkpoint in several files"):
        load_weights(model, tmp_path / "nested.json")


def test_a_part_that_is_missing(model: keras.Model, tmp_path: Path) -> None:
    path = save_in_parts(tmp_path)
    (tmp_path / "model-00002-of-00002.safetensors").unlink()
    with pytest.raises(FileNotFoundError, match=r"its file model-00002.* is missing"):
        load_weights(model, path)


def test_a_folder_of_open_clip(model: keras.Model, plain: keras.Model, tmp_path: Path) -> None:
    save_file(arrays(), tmp_path / "open_clip_model.safetensors")
    load_weights(model, tmp_path)
    assert_same_weights(model, plain)
