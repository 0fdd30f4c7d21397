"""Checkpoints in files of Keras: .weights.h5, .h5 and .keras."""

import itertools
import json
import re
import tempfile
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from .checkpoints import Checkpoint, broken

# Keras stores the weights of a .keras uncompressed; if others compress it, random numbers hardly
# shrink, and zeros by a thousand. A file that unpacks to more than both bounds is rejected.
MOST_COMPRESSION = 50
UNCHECKED_BYTES = 64 * 2**20
CHUNK_BYTES = 2**20

# Temporary data is kept in memory up to this size, and on disk above it.
IN_MEMORY_BYTES = 16 * 2**20

# The file in a .keras archive that has the weights.
WEIGHTS_IN_ARCHIVE = "model.weights.h5"

# A .weights.h5 numbers a layer's variables, the trainable ones first, and calls the layer's group
# by its class: their names, by class and number of variables. Where a class is not listed, the
# network's own layer tells the names: see `by_order.named_by_number`.
_CONVOLUTIONS = ("conv1d", "conv2d", "depthwise_conv2d", "dense")
_KERNEL = ("kernel", "bias")
_NORM = ("gamma", "beta")
_VARIABLES = {
    ("batch_normalization", 4): (*_NORM, "moving_mean", "moving_variance"),
    **{(norm, 2): _NORM for norm in ("group_normalization", "layer_normalization")},
    **{(of, n): _KERNEL[:n] for of in _CONVOLUTIONS for n in (1, 2)},
}


@contextmanager
def hdf5_file(path: Path) -> Iterator[Checkpoint]:
    """Open a .weights.h5 of Keras 3, or a .h5 of Keras 2 or 3.

    Raises:
        ValueError: a broken file.
    """
    with _hdf5(path, path) as checkpoint:
        yield checkpoint


@contextmanager
def keras_archive(path: Path) -> Iterator[Checkpoint]:
    """Open a .keras file.

    Raises:
        ValueError: a broken file, or one that unpacks to an absurd size.
    """
    # HDF5 needs random access, so it is unpacked first: to disk if it is large.
    with tempfile.SpooledTemporaryFile(IN_MEMORY_BYTES) as unpacked:
        for chunk in _unpack(path, WEIGHTS_IN_ARCHIVE):
            unpacked.write(chunk)
        with _hdf5(path, unpacked) as checkpoint:
            yield replace(checkpoint, settings=_layer_settings(path))


def _layer_settings(path: Path) -> dict[str, Any]:
    """The serialised layers of the model by name; none if the file has only weights."""
    with zipfile.ZipFile(path) as archive:
        if "config.json" not in archive.namelist():
            return {}
    try:
        model = json.loads(b"".join(_unpack(path, "config.json")))
        layers = model["config"]["layers"]
        return {layer["config"]["name"]: layer for layer in layers}
    except (KeyError, TypeError, json.JSONDecodeError, UnicodeDecodeError) as error:
        raise broken(path, "Keras model", error) from error


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
        raise broken(path, "Keras model", error) from error


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
def _hdf5(path: Path, file: Any) -> Iterator[Checkpoint]:
    import h5py

    try:
        opened_file = h5py.File(file, "r")
    except OSError as error:
        raise broken(path, "HDF5 file", error) from error
    with opened_file as root:
        try:
            checkpoint = _numbered(path, root) if _is_numbered(root) else _from_lists(path, root)
        except (OSError, KeyError, RuntimeError, ValueError, AttributeError, TypeError) as error:
            raise broken(path, "HDF5 file of Keras", error) from error
        yield checkpoint


# Files that list the layers: Keras 2, and whole models in HDF5 ------------------------------------


def _is_numbered(root: Any) -> bool:
    return not {"layer_names", "layer_names0"} & set(root.get("model_weights", root).attrs)


def _from_lists(path: Path, root: Any) -> Checkpoint:
    layers = root.get("model_weights", root)
    tensors = {}
    for layer in _list_attribute(layers, "layer_names"):
        weights = _list_attribute(layers[layer], "weight_names")
        # A model that is a layer lists the weights of several layers.
        is_model = len({weight.partition("/")[0] for weight in weights}) > 1
        for weight in weights:
            name = weight.partition(":")[0]  # layer/kernel:0
            _, of_layer, inside = f"/{name}".partition(f"/{layer}/")
            variable = inside if of_layer else name if is_model else name.rpartition("/")[2]
            tensors[f"{layer}/{variable}"] = layers[layer][weight]
    return replace(_checkpoint(path, tensors), in_order=True)


def _list_attribute(group: Any, attribute: str) -> list[str]:
    """Read a list, which Keras splits into attribute0, attribute1, ... if it is long."""
    attributes = group.attrs
    if attribute in attributes:
        return list(map(_decoded, attributes[attribute]))
    parts = (f"{attribute}{number}" for number in itertools.count())
    present = itertools.takewhile(attributes.__contains__, parts)
    return [_decoded(name) for part in present for name in attributes[part]]


# Files that number the variables: .weights.h5 of Keras 3 ------------------------------------------


def _numbered(path: Path, root: Any) -> Checkpoint:
    owners = _owners_of_variables(root)
    names = [_layer_name(root, owner) for owner in owners]
    has_layer_names = all(names)
    tensors = {}
    for owner, name in zip(owners, names, strict=True):
        variables = root["/".join((*owner, "vars"))]
        for number, variable in enumerate(_variable_names(owner, len(variables))):
            layer = name if has_layer_names else owner[-1]
            tensors[f"{layer}/{variable}"] = variables[str(number)]
    return replace(_checkpoint(path, tensors), has_layer_names=has_layer_names)


def _owners_of_variables(root: Any) -> list[tuple[str, ...]]:
    """The paths of layers with variables: `layers/conv2d_1`, `layers/GROUP/ATTRIBUTE` inside it."""
    owners = []

    def visit(path: str, group: Any) -> None:
        *owner, last = path.split("/")
        of_layer = "layers" in owner and owner[-1] != "seed_generator"  # not of the optimizer
        if of_layer and last == "vars" and len(group):
            owners.append(tuple(owner))

    root.visititems(visit)
    return owners


def _layer_name(root: Any, owner: tuple[str, ...]) -> str:
    """The names of a layer and of the layers around it; empty if the file has no layer names.

    Keras writes them since 3.6 (saving/saving_lib.py), as attributes.
    """
    # A model inside the model is no part of the names of its layers.
    inside = len(owner) - owner[::-1].index("layers")
    levels = (
        root.get("/".join((*owner[:end], "vars"))) for end in range(inside + 1, len(owner) + 1)
    )
    names = [_decoded(level.attrs.get("name", "")) if level else "" for level in levels]
    return "/".join(filter(None, names)) if names[-1] else ""


def _variable_names(owner: tuple[str, ...], count: int) -> tuple[str, ...]:
    is_class = owner[-2] == "layers"  # and not the name of an attribute
    layer_class = re.sub(r"_\d+$", "", owner[-1]) if is_class else ""
    return _VARIABLES.get((layer_class, count), tuple(map(str, range(count))))


def _checkpoint(path: Path, tensors: Mapping[str, Any]) -> Checkpoint:
    shapes = {name: tuple(dataset.shape) for name, dataset in tensors.items()}
    return Checkpoint(str(path), shapes, lambda name: np.asarray(tensors[name]))


def _decoded(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)
