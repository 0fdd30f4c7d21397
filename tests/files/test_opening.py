"""Files recognised by their content, and folders."""

import os
import pickle
import socket
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from safetensors.numpy import save_file

from resnet_builder import load_weights
from resnet_builder.common.hub import is_repository
from resnet_builder.files.opening import opened

from ..helpers import assert_same_weights, tiny
from .tensor_recipe import arrays


def save_safetensors(path: Path, model: keras.Model) -> None:
    save_file(arrays(), path)


def save_pytorch(path: Path, model: keras.Model, **options: Any) -> None:
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    torch.save({name: torch.from_numpy(array) for name, array in arrays().items()}, path, **options)


def save_older_pytorch(path: Path, model: keras.Model) -> None:
    save_pytorch(path, model, _use_new_zipfile_serialization=False)


def save_keras(path: Path, model: keras.Model) -> None:
    model.save(path.with_suffix(".keras"))
    path.with_suffix(".keras").rename(path)


def save_keras_weights(path: Path, model: keras.Model) -> None:
    model.save_weights(path.with_suffix(".weights.h5"))
    path.with_suffix(".weights.h5").rename(path)


def save_npz(path: Path, model: keras.Model) -> None:
    named: Any = arrays()
    with path.open("wb") as file:
        np.savez(file, **named)


def save_pickle(path: Path, model: keras.Model) -> None:
    path.write_bytes(pickle.dumps(arrays(), 2))


FORMATS: tuple[Callable[[Path, keras.Model], None], ...] = (
    save_safetensors,
    save_pytorch,
    save_older_pytorch,
    save_npz,
    save_pickle,
    save_keras,
    save_keras_weights,
)


@pytest.mark.parametrize("name", ["net.ckpt", "net.pth.tar", "net", "net.keras", "net.safetensors"])
@pytest.mark.parametrize("save", FORMATS)
def test_a_format_is_recognised_under_any_name(
    save: Callable[[Path, keras.Model], None], name: str, tmp_path: Path
) -> None:
    trained, model = tiny(), tiny()
    load_weights(trained, arrays())
    save(tmp_path / name, trained)
    load_weights(model, tmp_path / name)
    assert_same_weights(model, trained)


def test_a_header_of_safetensors_that_begins_as_a_pickle(tmp_path: Path) -> None:
    # The first byte is of the header's length, a multiple of 8; 128 is a pickle's first byte.
    path = tmp_path / "net"
    for letters in range(0, 256, 8):
        save_file(arrays(), path, metadata={"padding": "x" * letters})
        if path.read_bytes()[0] == 0x80:
            break
    assert path.read_bytes()[0] == 0x80
    load_weights(tiny(), path)


@pytest.mark.parametrize("content", [b"not at all a checkpoint" * 9, b"\x00" * 99, b"x"])
@pytest.mark.parametrize("ending", ["safetensors", "h5", "keras", "pth"])
def test_content_of_no_format(content: bytes, ending: str, tmp_path: Path) -> None:
    path = tmp_path / f"net.{ending}"
    path.write_bytes(content)
    message = r"its content is of no known format; weights are .* a file \(safetensors, PyTorch, or"
    with pytest.raises(ValueError, match=message):
        load_weights(tiny(), path)
    path.write_bytes(b"")
    with pytest.raises(ValueError, match="the file is empty"):
        load_weights(tiny(), path)


@pytest.mark.parametrize(
    ("content", "what"),
    [
        ("<!DOCTYPE html>\n<html><body>Sign in</body></html>", "a web page, '<!DOCTYPE html>'"),
        ("Not found: it has moved\n", "text, 'Not found: it has moved'"),
    ],
)
def test_what_a_server_sends_in_place_of_a_file(content: str, what: str, tmp_path: Path) -> None:
    path = tmp_path / "net.pth"
    path.write_text(content)
    with pytest.raises(ValueError, match=f"it is {what}: its content is of no known format"):
        load_weights(tiny(), path)


def test_a_zip_that_is_cut(tmp_path: Path) -> None:
    path = tmp_path / "net.pth"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("net/data.pkl", bytes(999))
    path.write_bytes(path.read_bytes()[:600])
    with pytest.raises(ValueError, match=r"its end is missing: download it again"):
        load_weights(tiny(), path)


def test_a_pointer_of_git_lfs(tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    path.write_text("version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 102400\n")
    for source in (path, tmp_path):
        with pytest.raises(ValueError, match="it is a pointer of Git LFS and not the file itself"):
            load_weights(tiny(), source)


def test_the_hubs_snapshot_is_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "snapshots" / "0123"
    folder.mkdir(parents=True)
    with pytest.raises(
        FileNotFoundError, match=r"the folder has none of model\.safetensors, pytorc"
    ):
        load_weights(tiny(), folder)
    blob = tmp_path / "blob"
    save_file(arrays(), blob)
    (folder / "config.json").write_text("{}")
    (folder / "model.safetensors").symlink_to(blob)
    report = load_weights(tiny(), folder)
    assert report.source == str(folder / "model.safetensors")
    monkeypatch.chdir(tmp_path)
    assert not is_repository("snapshots/0123")
    assert load_weights(tiny(), "snapshots/0123").tensors == report.tensors
    built = tiny(weights=folder)
    kernel = arrays()["conv1.weight"].transpose(2, 3, 1, 0)
    np.testing.assert_array_equal(built.get_layer("stem_conv").kernel.numpy(), kernel)


def test_a_folder_of_an_older_repository(tmp_path: Path) -> None:
    save_pytorch(tmp_path / "pytorch_model.bin", tiny())
    assert load_weights(tiny(), tmp_path).tensors == len(tiny().weights)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no pipes")
def test_what_is_no_file_is_not_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)  # the path of a socket has at most some hundred bytes
    os.mkfifo("pipe")
    plug = socket.socket(socket.AF_UNIX)
    plug.bind("socket")
    Path("link").symlink_to("pipe")
    model = tiny()
    for source in ("/dev/zero", "socket", "pipe", "link"):
        with pytest.raises(ValueError, match="it is no regular file, but a pipe, a socket, a devi"):
            load_weights(model, source)
    plug.close()
    for name in ("model.safetensors", "model.weights.h5", "config.json", "task.weights.h5"):
        folder = Path(f"with_{name}")
        folder.mkdir()
        if name in ("config.json", "task.weights.h5"):
            model.save_weights(folder / "model.weights.h5")
        os.mkfifo(folder / name)
        with pytest.raises(ValueError, match=f"{name}': it is no regular file"):
            load_weights(model, folder)


def test_a_zip_with_a_broken_directory(tmp_path: Path) -> None:
    path = tmp_path / "net.keras"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("model.weights.h5", b"")
    content = bytearray(path.read_bytes())
    entry = content.index(b"PK\x01\x02")
    content[entry + 6] = 240  # the version that unpacks it
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"it is not a whole PyTorch or \.keras file"):
        load_weights(tiny(), path)


def test_a_zip_with_a_broken_name(tmp_path: Path) -> None:
    path = tmp_path / "net.keras"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("model.weights.h5", b"")
    content = bytearray(path.read_bytes())
    content[6:8], content[30] = b"\0\x08", 0xFF  # the name before the file is of UTF-8, and is not
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"cannot load .*net\.keras: .* codec can't decode"):
        load_weights(tiny(), path)


@pytest.mark.parametrize(
    "config", ["a pipe", b"[" * 10**5, b'{"downsample_in_bottleneck": ', b"[]"]
)
def test_a_broken_config_beside_a_file_does_not_matter(config: Any, tmp_path: Path) -> None:
    save_file(arrays(), tmp_path / "model.safetensors")
    beside = tmp_path / "config.json"
    os.mkfifo(beside) if config == "a pipe" else beside.write_bytes(config)
    with opened(tmp_path / "model.safetensors") as checkpoint:
        assert not checkpoint.meta
