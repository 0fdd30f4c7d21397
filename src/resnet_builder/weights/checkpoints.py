"""Checkpoints as names and tensors, in any file format. Nothing in them is executed."""

import itertools
import os
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ..common.checks import described

Array = npt.NDArray[Any]

# The pages read of a mapped file count as memory in use until the file is closed: it is reopened
# after so many bytes.
MOST_MAPPED_BYTES = 32 * 2**20

# Keras stores the weights of a .keras uncompressed; if others compress it, random numbers hardly
# shrink, and zeros by a thousand. A file that unpacks to more than both bounds is rejected.
MOST_COMPRESSION = 50
UNCHECKED_BYTES = 64 * 2**20
CHUNK_BYTES = 2**20

# Temporary data is kept in memory up to this size, and on disk above it.
IN_MEMORY_BYTES = 16 * 2**20

# Keys of the tensors in checkpoints that hold more than tensors.
STATE_DICTS = ("state_dict", "model", "model_state_dict")


@dataclass(frozen=True)
class Checkpoint:
    """The tensors of a checkpoint: their shapes, and a function that reads each of them.

    `read` returns an array in the checkpoint's own dtype and order of axes; the error for a tensor
    that NumPy cannot hold depends on the format. `in_order` is True for formats that list the names
    in the order of the network's layers.
    """

    name: str
    shapes: Mapping[str, tuple[int, ...]]
    read: Callable[[str], Array]
    in_order: bool = False

    def renamed(self, names: Mapping[str, str]) -> "Checkpoint":
        """Rename the tensors; `names` maps new names to old ones."""
        shapes = {new: self.shapes[old] for new, old in names.items()}
        return Checkpoint(self.name, shapes, lambda new: self.read(names[new]), self.in_order)


@contextmanager
def open_checkpoint(source: Any) -> Iterator[Checkpoint]:
    """Open the checkpoint in a file, or in a dict of arrays.

    Raises:
        TypeError: neither a path nor a dict.
        ValueError: a broken file or one of another format than its ending says; names that are
            not strings.
        OSError: a file that cannot be read.
        ImportError: the package that reads such files is not installed.
    """
    if isinstance(source, Mapping):
        yield _from_arrays("the dict", source)
        return
    if not isinstance(source, str | os.PathLike):
        is_a_list = isinstance(source, list | tuple)
        hint = "; model.set_weights takes the list of model.get_weights" if is_a_list else ""
        raise TypeError(
            f"weights come from a file or a dict of arrays, not from {described(source)}{hint}"
        )
    path = Path(source)
    reader = _reader(path)
    if path.is_dir():
        raise IsADirectoryError(f"cannot load {path}: it is a folder; name a file in it")
    if not path.exists():
        raise FileNotFoundError(f"cannot load {path}: there is no such file")
    with path.open("rb") as file:  # unreadable files say so here
        if not file.read(1):
            raise ValueError(f"cannot load {path}: the file is empty")
    with reader(path) as checkpoint:
        yield checkpoint


def _reader(path: Path) -> Callable[[Path], AbstractContextManager[Checkpoint]]:
    for ending, reader in READERS.items():
        if path.name.lower().endswith(ending):
            return reader
    raise ValueError(
        f'cannot load {described(str(path))}: weights are "imagenet", a repository as owner/name, '
        f"a dict of arrays, or a file that ends in {', '.join(READERS)}"
    )


def _from_arrays(name: str, arrays: Mapping[Any, Any]) -> Checkpoint:
    arrays = next((arrays[k] for k in STATE_DICTS if isinstance(arrays.get(k), Mapping)), arrays)
    tensors = {key: value for key, value in arrays.items() if hasattr(value, "shape")}
    unnamed = [key for key in tensors if not isinstance(key, str)]
    if unnamed:
        raise ValueError(
            f"cannot load {name}: its tensors have names such as {described(unnamed[0])}"
        )
    if not tensors:
        raise ValueError(f"cannot load {name}: it holds no arrays by name")
    shapes = {key: tuple(value.shape) for key, value in tensors.items()}
    return Checkpoint(name, shapes, lambda key: _as_array(tensors[key]))


def _as_array(tensor: Any) -> Array:
    """Convert a tensor of NumPy, Keras or PyTorch to a NumPy array."""
    if hasattr(tensor, "detach"):
        tensor = tensor.detach()
        if str(tensor.dtype) == "torch.bfloat16":  # a dtype that NumPy does not have
            tensor = tensor.float()
    return np.asarray(tensor)


# safetensors ------------------------------------------------------------------------------------


@contextmanager
def _safetensors(path: Path) -> Iterator[Checkpoint]:
    try:
        from safetensors import SafetensorError, safe_open
    except ImportError as error:
        raise ImportError(
            "reading .safetensors needs a package: pip install 'resnet-builder[weights]'"
        ) from error
    file: Any
    try:
        file = safe_open(path, "numpy")
    except SafetensorError as error:
        raise _broken(path, "safetensors file", error) from error
    shapes = {key: tuple(file.get_slice(key).get_shape()) for key in file.keys()}  # noqa: SIM118
    left = MOST_MAPPED_BYTES

    def read(key: str) -> Array:
        nonlocal file, left
        array: Array = file.get_tensor(key)
        left -= array.nbytes
        if left < 0:
            file, left = safe_open(path, "numpy"), MOST_MAPPED_BYTES
        return array

    yield Checkpoint(str(path), shapes, read)


# PyTorch ----------------------------------------------------------------------------------------


@contextmanager
def _pytorch(path: Path) -> Iterator[Checkpoint]:
    try:
        import torch
    except ImportError as error:
        raise ImportError(
            f"reading {path.suffix} needs PyTorch: install it, or save the checkpoint as "
            ".safetensors where it is installed"
        ) from error
    try:
        # Only tensors and plain containers are unpickled: nothing in the file runs.
        loaded = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # PyTorch raises any error of a broken pickle
        raise _broken(path, "PyTorch checkpoint of tensors only", error) from error
    if not isinstance(loaded, Mapping):
        raise ValueError(f"cannot load {path}: it holds {type(loaded).__name__}, not tensors")
    yield _from_arrays(str(path), loaded)


# Keras ------------------------------------------------------------------------------------------

# A layer's variables in the order in which Keras 3 numbers them, by their number: correct for
# convolutions, dense layers and batch norm, the only layers with weights in residual networks.
_VARIABLES = {
    1: ("kernel",),
    2: ("kernel", "bias"),
    4: ("gamma", "beta", "moving_mean", "moving_variance"),
}


@contextmanager
def _hdf5(path: Path) -> Iterator[Checkpoint]:
    with _hdf5_file(path, path) as checkpoint:
        yield checkpoint


@contextmanager
def _keras_archive(path: Path) -> Iterator[Checkpoint]:
    # HDF5 needs random access, so it is unpacked first: to disk if it is large.
    with tempfile.SpooledTemporaryFile(IN_MEMORY_BYTES) as unpacked:
        for chunk in _unpack(path, "model.weights.h5"):
            unpacked.write(chunk)
        with _hdf5_file(path, unpacked) as checkpoint:
            yield checkpoint


def _unpack(path: Path, name: str) -> Iterator[bytes]:
    """Read a file in a zip archive in chunks, at most to the size that the archive states."""
    try:
        with zipfile.ZipFile(path) as archive:
            member = archive.getinfo(name)
            _check_compression(path, member)
            with archive.open(member) as file:
                yield from iter(partial(file.read, CHUNK_BYTES), b"")
    except (
        *(zipfile.BadZipFile, zlib.error, EOFError, KeyError, OSError),
        *(NotImplementedError, RuntimeError),  # another compression, or a password
    ) as error:
        raise _broken(path, "Keras model", error) from error


def _check_compression(path: Path, member: zipfile.ZipInfo) -> None:
    # With other compressions, one chunk may unpack to any size.
    if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise NotImplementedError(f"compression type {member.compress_type} is not supported")
    most = max(UNCHECKED_BYTES, MOST_COMPRESSION * member.compress_size)
    if member.file_size > most:
        raise ValueError(
            f"cannot load {path}: its {member.filename} unpacks from {member.compress_size} to "
            f"{member.file_size} bytes, and weights cannot be compressed so far"
        )


@contextmanager
def _hdf5_file(path: Path, file: Any) -> Iterator[Checkpoint]:
    import h5py

    try:
        opened_file = h5py.File(file, "r")
    except OSError as error:
        raise _broken(path, "HDF5 file", error) from error
    with opened_file as root:
        try:
            layers = _legacy_layers(root)
            tensors = _numbered(root) if layers is None else _legacy(layers)
            shapes = {key: tuple(dataset.shape) for key, dataset in tensors.items()}
        except (OSError, KeyError, RuntimeError, ValueError, AttributeError, TypeError) as error:
            raise _broken(path, "HDF5 file of Keras", error) from error
        in_order = layers is not None
        yield Checkpoint(str(path), shapes, lambda key: np.asarray(tensors[key]), in_order)


def _legacy_layers(root: Any) -> Any:
    """The group that lists the layers, in a file of Keras 2 or a whole model in HDF5; or None."""
    group = root.get("model_weights", root)
    return group if {"layer_names", "layer_names0"} & set(group.attrs) else None


def _legacy(layers: Any) -> dict[str, Any]:
    tensors = {}
    for layer in _listed(layers, "layer_names"):
        for weight in _listed(layers[layer], "weight_names"):
            variable = weight.rpartition("/")[2].partition(":")[0]
            tensors[f"{layer}/{variable}"] = layers[layer][weight]
    return tensors


def _listed(group: Any, attribute: str) -> list[str]:
    """Read a list, which Keras splits into attribute0, attribute1, ... if it is long."""
    attributes = group.attrs
    if attribute in attributes:
        return list(map(_text, attributes[attribute]))
    parts = (f"{attribute}{number}" for number in itertools.count())
    present = itertools.takewhile(attributes.__contains__, parts)
    return [_text(name) for part in present for name in attributes[part]]


def _numbered(root: Any) -> dict[str, Any]:
    """The variables of a .weights.h5 of Keras 3 by layer name."""
    tensors = {}

    def visit(_: str, group: Any) -> None:
        layer = group.attrs.get("name")
        of_layer = "layers" in group.name.split("/")  # not of the optimizer
        if of_layer and group.name.endswith("/vars") and layer is not None and len(group):
            names = _VARIABLES.get(len(group), tuple(map(str, range(len(group)))))
            for number, variable in enumerate(names):
                tensors[f"{_text(layer)}/{variable}"] = group[str(number)]

    root.visititems(visit)
    return tensors


def _text(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)


def _broken(path: Path, kind: str, error: BaseException) -> ValueError:
    return ValueError(f"cannot load {path}: it is not a whole {kind} ({error})")


# file ending -> reader; the first that matches is used.
READERS = {
    ".safetensors": _safetensors,
    ".pth": _pytorch,
    ".pt": _pytorch,
    ".bin": _pytorch,
    ".h5": _hdf5,
    ".keras": _keras_archive,
}
