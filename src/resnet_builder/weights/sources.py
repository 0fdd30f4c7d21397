"""Checkpoints opened from files of any format, folders and dicts."""

import os
import zipfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

from ..common.checks import described
from ..common.hub import FILE_ENDINGS
from . import keras_hub
from .checkpoints import Checkpoint, broken, check_regular, from_arrays
from .keras_files import WEIGHTS_IN_ARCHIVE, hdf5_file, keras_archive
from .torch_files import pytorch_file, safetensors_file

Reader = Callable[[Path], AbstractContextManager[Checkpoint]]

ALLOWED = (
    'weights are "imagenet", a repository as owner/name, a dict of arrays, a file (safetensors, '
    "PyTorch, or of Keras: .weights.h5, .h5, .keras), or a folder with such a file"
)


@contextmanager
def open_checkpoint(source: Any) -> Iterator[Checkpoint]:
    """Open the checkpoint in a file, in a folder, or in a dict of arrays.

    Raises:
        TypeError: neither a path nor a dict.
        ValueError: a broken file or one of an unknown format; names that are not strings.
        OSError: a file that cannot be read.
        ImportError: the package that reads such files is not installed.
    """
    if isinstance(source, Mapping):
        yield from_arrays("the dict", source)
        return
    if not isinstance(source, str | os.PathLike):
        is_a_list = isinstance(source, list | tuple)
        hint = "; model.set_weights takes the list of model.get_weights" if is_a_list else ""
        raise TypeError(
            f"weights come from a file, a folder or a dict of arrays, not from {described(source)}"
            f"{hint}"
        )
    path = Path(source)
    if not os.path.exists(path):  # noqa: PTH110 - unlike Path.exists, False for any text
        hint = "" if path.name.lower().endswith(FILE_ENDINGS) else f"; {ALLOWED}"
        raise FileNotFoundError(
            f"cannot load {described(str(path))}: there is no such file or folder{hint}"
        )
    with (_open_folder if path.is_dir() else _open_file)(path) as checkpoint:
        yield checkpoint


# Files ------------------------------------------------------------------------------------------


def _open_file(path: Path) -> AbstractContextManager[Checkpoint]:
    check_regular(path)
    with path.open("rb") as file:  # unreadable files say so here
        first = file.read(64)
    if not first:
        raise ValueError(f"cannot load {path}: the file is empty")
    for offset, signature, reader in SIGNATURES:
        if first.startswith(signature, offset):
            return reader(path)
    for signature, known in OTHER_CONTENTS.items():
        if first.startswith(signature):
            raise ValueError(f"cannot load {path}: it is {known}")
    raise _unknown(path)


def _archive(path: Path) -> AbstractContextManager[Checkpoint]:
    """Open a zip archive, in which both PyTorch and Keras write."""
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
    except Exception as error:  # zipfile raises any error of a broken directory
        raise broken(path, "PyTorch or .keras file", error) from error
    if WEIGHTS_IN_ARCHIVE in names:
        return keras_archive(path)
    for ending, known in OTHER_ARCHIVES.items():
        if any(name.endswith(ending) for name in names):
            raise ValueError(f"cannot load {path}: it is {known}")
    if any(name.endswith("/data.pkl") for name in names):
        return pytorch_file(path)
    raise _unknown(path)


def _unknown(path: Path) -> ValueError:
    return ValueError(f"cannot load {path}: its content is of no known format; {ALLOWED}")


# Where a file has which bytes, and its reader; the first that matches is used. Any byte may begin a
# safetensors file: it is a number, the length of the JSON that follows.
SIGNATURES: tuple[tuple[int, bytes, Reader], ...] = (
    (8, b"{", safetensors_file),
    (0, b"\x89HDF\r\n\x1a\n", hdf5_file),
    (0, b"PK\x03\x04", _archive),
    (0, b"\x80", pytorch_file),  # a pickle, as PyTorch wrote before 1.6
)


# Contents that are known and not read, and what to do with them.
OTHER_CONTENTS = {
    b"version https://git-lfs": "a pointer of Git LFS and not the file itself: run git lfs pull, "
    "or download the file",
    b"{": "JSON, perhaps the index of a checkpoint in several files: load these with the library "
    "that wrote them, and pass the dict of arrays, or save one file",
    b"\x93NUMPY": "a single array of NumPy, without a name: pass a dict of arrays",
}
# The same by the ending of a name in a zip archive.
OTHER_ARCHIVES = {
    "/constants.pkl": "TorchScript, which is a program: save its tensors by torch.save("
    "torch.jit.load(file).state_dict(), path), and load that",
    ".npy": "a .npz of NumPy: pass dict(numpy.load(file))",
}


# Folders ----------------------------------------------------------------------------------------

# The file that a folder or a repository is recognised by, in the order of preference, and the
# function that opens the folder, if not the file alone.
FOLDER_FILES: dict[str, Reader | None] = {
    "model.safetensors": None,
    "pytorch_model.bin": None,
    keras_hub.BACKBONE_FILE: keras_hub.preset_folder,
}


def _open_folder(path: Path) -> AbstractContextManager[Checkpoint]:
    for name, reader in FOLDER_FILES.items():
        if (path / name).exists():
            return reader(path) if reader else _open_file(path / name)
    raise FileNotFoundError(
        f"cannot load {path}: the folder has none of {', '.join(FOLDER_FILES)}; name a file in it"
    )
