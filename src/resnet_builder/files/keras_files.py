"""Checkpoints in files of Keras: .weights.h5, .h5 and .keras."""

import itertools
import math
import re
import tempfile
import zipfile
import zlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import IO, Any

import ml_dtypes
import numpy as np

from ..common.files import parsed_json
from .checkpoint import MOST_LEVELS, Array, Checkpoint, Json, broken

Item = Any  # a group or a dataset of h5py, or a variable of Keras, which have no types
Content = Mapping[str, Item]  # the items of a file by path

# Keras stores the weights of a .keras uncompressed; if others compress it, random numbers hardly
# shrink, and zeros by a thousand. A file that unpacks to more than both bounds is rejected.
MOST_COMPRESSION = 50
UNCHECKED_BYTES = 64 * 2**20
CHUNK_BYTES = 2**20

# Temporary data is kept in memory up to this size, and on disk above it.
IN_MEMORY_BYTES = 16 * 2**20

QUANTIZED = "Some layers are quantized to integers by model.quantize: load what was saved before."

# The files in a .keras archive that have the weights and the layers.
WEIGHTS_IN_ARCHIVE, CONFIG_IN_ARCHIVE = "model.weights.h5", "config.json"

# The group in a whole model's .h5 that has the weights, and the one beside it.
MODEL_WEIGHTS, OPTIMIZER_WEIGHTS = "model_weights", "optimizer_weights/"

# Attributes whose variables are not weights, unless a layer has the name.
_STATE = ("optimizer", "seed_generator")

# A .weights.h5 numbers a layer's variables, the trainable ones first, and calls the layer's group
# by its class: their names, by class and number of variables. Where a class is not listed, the
# network's own layer tells the names: see `recognise.named_by_number`.
_CONVOLUTIONS = ("conv1d", "conv2d", "depthwise_conv2d", "dense")
_KERNEL = ("kernel", "bias")
_NORM = ("gamma", "beta")
_VARIABLES = {
    ("batch_normalization", 4): (*_NORM, "moving_mean", "moving_variance"),
    ("normalization", 3): ("mean", "variance", "count"),
    **{(norm, 2): _NORM for norm in ("group_normalization", "layer_normalization")},
    **{(of, n): _KERNEL[:n] for of in _CONVOLUTIONS for n in (1, 2)},
}


@contextmanager
def hdf5_file(
    path: Path, file: IO[bytes] | None = None, config: bytes = b"{}"
) -> Iterator[Checkpoint]:
    """Open a .weights.h5 of Keras 3, or a .h5 of Keras 2 or 3.

    Args:
        path: the file, or the archive that it is in.
        file: the file that was unpacked from the archive.
        config: the model's JSON in the archive.

    Raises:
        ValueError: a broken file.
    """
    import h5py

    with ExitStack() as opened:
        try:
            content = items_of(opened.enter_context(h5py.File(file or path, "r")))
            listing = content.get(MODEL_WEIGHTS, content[""])
            is_numbered = {"layer_names", "layer_names0"}.isdisjoint(listing.attrs)
            if is_numbered:
                checkpoint = _numbered(path, content, config)
            else:
                checkpoint = _from_lists(path, content)
        except Exception as error:  # h5py raises any error of a broken file
            raise broken(path, "HDF5 file of Keras", error) from error
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
        config = b"".join(_unpack(path, CONFIG_IN_ARCHIVE, b"{}"))
        settings = layer_settings(path, config)
        with hdf5_file(path, unpacked, config) as checkpoint:
            yield replace(checkpoint, settings=settings)


def _unpack(path: Path, name: str, missing: bytes | None = None) -> Iterator[bytes]:
    """Read a file in a zip archive in chunks, at most to the size that the archive states.

    Args:
        missing: what an archive without the file is said to hold there.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            if missing is not None and name not in archive.namelist():
                yield missing
                return
            member = archive.getinfo(name)
            if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
                # One chunk may unpack to any size.
                kind = f"compression type {member.compress_type}"
                raise NotImplementedError(f"{kind} is not supported")
            stated, held = member.file_size, member.compress_size
            words = f"cannot load {path}: its {name} unpacks from {held} to {stated} bytes"
            _check_compression(words, stated, held)
            with archive.open(member) as file:
                yield from iter(partial(file.read, CHUNK_BYTES), b"")
    except (
        *(zipfile.BadZipFile, zlib.error, EOFError, KeyError, OSError),
        *(RuntimeError, UnicodeError),  # another compression, a password, or a broken name
    ) as error:
        raise broken(path, "Keras model", error) from error


def _check_compression(words: str, stated: int, held: int) -> None:
    """Refuse content of an absurd size for the bytes that hold it."""
    if stated > max(UNCHECKED_BYTES, MOST_COMPRESSION * held):
        raise ValueError(f"{words}; weights do not compress that well, so the file was rejected")


# The layers in a model's config -------------------------------------------------------------------


def layer_settings(path: Path, config: bytes | str) -> dict[str, Json]:
    """The serialised layers of a model by path, such as `teacher/stem_conv`.

    Raises:
        ValueError: a config that is not JSON.
    """
    try:
        return layers_inside(parsed_json(config))
    except (ValueError, RecursionError) as error:
        raise broken(path, "Keras model", error) from error


def layers_inside(model: object) -> dict[str, Json]:
    """The layers of a serialised model by path, without layers that share their path.

    A model comes before the layers in it.
    """
    layers = list(_layers_inside(model))
    counts = Counter(path for path, _ in layers)
    return {path: layer for path, layer in layers if counts[path] == 1}


def _layers_inside(model: object, around: str = "") -> Iterator[tuple[str, Json]]:
    """The layers of a serialised model or layer, at every depth.

    Layers that share a name are called by their key in the config instead, such as `teacher`.
    """
    layers = list(_serialized(model.get("config"))) if isinstance(model, dict) else []
    counts = Counter(layer["config"]["name"] for _, layer in layers)
    for key, layer in layers:
        name = layer["config"]["name"]
        path = around + (name if counts[name] == 1 else key)
        yield path, layer
        yield from _layers_inside(layer, f"{path}/")


def _serialized(value: Any, key: str = "") -> Iterator[tuple[str, Json]]:
    """The serialised layers in a config and the keys that they are under, not those inside them."""
    match value:
        case list() | tuple():
            for inner in value:
                yield from _serialized(inner, key)
        case {"config": {"name": str()}}:
            yield key, value
        case dict():
            for inner_key, inner in value.items():
                if inner_key not in ("dtype", "inbound_nodes"):  # a policy of dtypes has a name too
                    yield from _serialized(inner, inner_key)


# HDF5 ---------------------------------------------------------------------------------------------


def items_of(root: Item) -> Content:
    """The groups and datasets of a file by their paths, sorted, of which nothing is read.

    HDF5 can take what a file seems to hold from any other file of the machine. Keras writes no such
    file, and nothing outside the file is opened.

    Raises:
        ValueError: a part of the file is elsewhere, or is larger than the file can hold.
    """
    import h5py

    content: dict[str, Item] = {"": root}
    groups, left, stated = {root}, [""], 0
    while left:
        group = content[around := left.pop()]
        for name in group:
            path = f"{around}/{name}" if around else name
            if path.count("/") > MOST_LEVELS:
                raise ValueError("its groups are nested without end")
            if not isinstance(group.get(name, getlink=True), h5py.HardLink):
                raise ValueError(f"its {path} is a link: it is kept in another file or place")
            item = content[path] = group[name]
            if isinstance(item, h5py.Group) and item not in groups:
                groups.add(item)
                left.append(path)
            elif isinstance(item, h5py.Dataset):
                storage = item.id.get_create_plist()
                if storage.get_external_count() or storage.get_layout() == h5py.h5d.VIRTUAL:
                    raise ValueError(f"its tensor {path} is kept in another file")
                stated += math.prod(item.shape or ()) * item.id.get_type().get_size()
            else:
                raise ValueError(f"its {path} is neither a tensor nor a group in this file")
    held = root.id.get_filesize()
    words = f"its tensors are said to have {stated} bytes and the file has {held}"
    _check_compression(words, stated, held)
    return dict(sorted(content.items()))


def _datasets(content: Content) -> dict[str, Item]:
    return {path: item for path, item in content.items() if hasattr(item, "shape")}


def from_tensors(
    name: str,
    tensors: Iterable[tuple[str, Item]],
    read: Callable[[Item], Array],
    others: Iterable[tuple[str, Item]] = (),
    **known: Any,
) -> Checkpoint:
    """A checkpoint of tensors with their names, which a function makes an array of.

    Raises:
        ValueError: two of the tensors have one name.
    """
    by_name = _named_once(tensors)
    is_quantized = any(tensor.dtype == "int8" for tensor in by_name.values())
    return Checkpoint(
        name,
        {name: tuple(tensor.shape or ()) for name, tensor in by_name.items()},
        lambda name: read(by_name[name]),
        without_head=QUANTIZED if is_quantized else "",
        others=tuple(name for name, tensor in _named_once(others).items() if tensor.shape),
        **known,
    )


def _named_once(tensors: Iterable[tuple[str, Item]]) -> dict[str, Item]:
    by_name: dict[str, Item] = {}
    for name, tensor in tensors:
        if by_name.setdefault(name, tensor) is not tensor:
            raise ValueError(f"two of its tensors are named {name}")
    return by_name


def _array(dataset: Item) -> Array:
    array = np.asarray(dataset)
    # HDF5 has no bfloat16: Keras writes two bytes, and in a .weights.h5 says what they are.
    if array.dtype == "V2" and dataset.attrs.get("dtype", "bfloat16") == "bfloat16":
        return array.view(ml_dtypes.bfloat16)
    return array


# Files that list the layers: Keras 2, and whole models in HDF5 ------------------------------------


def _from_lists(path: Path, content: Content) -> Checkpoint:
    config = content[""].attrs.get("model_config")
    settings = {} if config is None else layer_settings(path, config)
    inside: dict[str, list[str]] = {}
    for inner in (path for path in settings if "/" in path):
        inside.setdefault(inner.partition("/")[0], []).append(inner)
    around = f"{MODEL_WEIGHTS}/" if MODEL_WEIGHTS in content else ""
    rest = _datasets(content)
    tensors = []
    for layer in _list_attribute(content[around.rstrip("/")], "layer_names"):
        weights = _list_attribute(content[around + layer], "weight_names")
        names = _full_names(weights, layer, inside.get(layer, ()))
        for name, weight in zip(names, weights, strict=True):
            tensors.append((name, content[where := f"{around}{layer}/{weight}"]))
            rest.pop(where, None)
    others = {where: rest.pop(where) for where in [*rest] if where.startswith(OPTIMIZER_WEIGHTS)}
    tensors += [(where.removeprefix(around), item) for where, item in rest.items()]
    known = {"in_order": True, "settings": settings}
    return from_tensors(str(path), tensors, _array, others.items(), **known)


def _full_names(weights: Sequence[str], layer: str, inside: Sequence[str]) -> list[str]:
    """The names of a layer's weights with the layers around them, for those in its list.

    A model that is a layer lists the weights of the layers in it, by the names that these have
    alone.

    Args:
        inside: the paths of the layers inside the layer, if the file has them.
    """
    ends = Counter(path.rpartition("/")[2] for path in inside)
    paths = {end: path for path in inside if ends[end := path.rpartition("/")[2]] == 1}
    is_model = bool(inside) or len({weight.partition("/")[0] for weight in weights}) > 1
    names = []
    for weight in weights:
        name = weight.partition(":")[0]  # layer/kernel:0
        _, of_layer, rest = f"/{name}".partition(f"/{layer}/")
        rest = rest if of_layer else name if is_model else name.rpartition("/")[2]
        first, _, variable = rest.partition("/")
        names.append(f"{paths[first]}/{variable}" if first in paths else f"{layer}/{rest}")
    return names if len(set(names)) == len(names) else [f"{layer}/{weight}" for weight in weights]


def _list_attribute(group: Item, attribute: str) -> list[str]:
    """Read a list of names, which Keras splits into attribute0, attribute1, ... if it is long."""
    attributes = group.attrs
    parts = (f"{attribute}{number}" for number in itertools.count())
    present = itertools.takewhile(attributes.__contains__, parts)
    listed = [attribute] if attribute in attributes else present
    return list(dict.fromkeys(_decoded(name) for part in listed for name in attributes[part]))


# Files that number the variables: .weights.h5 of Keras 3 ------------------------------------------

Owner = tuple[str, ...]  # the path of what has variables: (layers, conv2d_1), (optimizer,)


def _groups_of(layer: object, owner: Owner = ()) -> Iterator[tuple[Owner, str]]:
    """The groups and the names of a serialised model and of the layers in it, at every depth.

    Keras counts the layers of a class in a model (saving/saving_lib.py, _save_container_state).
    """
    match layer:
        case {"config": {"name": str(name)}} if owner:
            yield owner, name
    match layer:
        case {"config": {"layers": list(layers)}}:
            counts: Counter[str] = Counter()
            for inside in layers:
                match inside:
                    case {"class_name": str(of)}:
                        group = re.sub(r"(.)([A-Z][a-z]+)", r"\1_\2", of)
                        group = re.sub(r"([a-z])([A-Z])", r"\1_\2", group).lower()
                        numbered = f"{group}_{counts[group]}" if counts[group] else group
                        counts[group] += 1
                        yield from _groups_of(inside, (*owner, "layers", numbered))
        case {"config": {"layer": inside}}:  # TimeDistributed
            yield from _groups_of(inside, (*owner, "layer"))


def _numbered(path: Path, content: Content, config: bytes) -> Checkpoint:
    rest = _datasets(content)
    groups = {
        tuple(where.split("/")[:-1]): item
        for where, item in content.items()
        if where.rpartition("/")[2] == "vars" and where not in rest
    }
    is_named = any("name" in group.attrs for group in groups.values())
    listed = {} if is_named else dict(_groups_of(parsed_json(config)))
    names = _layer_names(groups, listed)
    tensors: list[tuple[str, Item]] = []
    others: list[tuple[str, Item]] = []
    for owner, group in groups.items():
        where = "/".join((*owner, "vars", ""))
        numbers = sorted((of for of in group if where + of in rest), key=lambda of: (len(of), of))
        for number, variable in zip(numbers, _variable_names(owner, numbers), strict=True):
            name = f"{names[owner]}/{variable}" if owner else variable
            (others if _is_state(owner) else tensors).append((name, rest.pop(where + number)))
    tensors += rest.items()
    has_layer_names = is_named or not listed.keys().isdisjoint(groups)
    return from_tensors(str(path), tensors, _array, others, has_layer_names=has_layer_names)


def _layer_names(groups: Mapping[Owner, Item], listed: Mapping[Owner, str]) -> dict[Owner, str]:
    """The paths of layers, made of the names of the layers around them: `teacher/stem_conv`.

    Keras writes the names of layers since 3.6 (saving/saving_lib.py), as attributes; before, only
    the config of a `.keras` lists them. Where there is none, or two layers in one share it, the
    name of the layer's group is used.
    """
    names: dict[Owner, str] = {(): ""}  # of the whole model
    owners = sorted(filter(None, groups), key=len)
    given = {
        owner: ""
        if _is_state(owner)
        else _decoded(groups[owner].attrs.get("name", listed.get(owner, "")))
        for owner in owners
    }
    around = {
        owner: next(
            of for end in reversed(range(len(owner))) if not (of := owner[:end]) or of in given
        )
        for owner in owners
    }
    counts = Counter((around[owner], given[owner]) for owner in owners)
    for owner in owners:
        outer, name = around[owner], given[owner]
        if not name or counts[outer, name] > 1:
            name = "/".join(part for part in owner[len(outer) :] if part != "layers")
        names[owner] = f"{names[outer]}/{name}" if outer else name
    return names


def _is_state(owner: Owner) -> bool:
    return any(part in _STATE and before != "layers" for before, part in pairwise(("", *owner)))


def _variable_names(owner: Owner, numbers: Sequence[str]) -> Sequence[str]:
    is_class = owner[-2:-1] == ("layers",)  # and not the name of an attribute
    layer_class = re.sub(r"_\d+$", "", owner[-1]) if is_class else ""
    return _VARIABLES.get((layer_class, len(numbers)), numbers)


def _decoded(value: object) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)
