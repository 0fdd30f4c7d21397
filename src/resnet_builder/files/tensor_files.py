"""Checkpoints in files of safetensors, PyTorch and NumPy. Nothing in them is executed.

A tensor is read when it is asked for. Opening a file and reading a tensor take three times the
file's size in memory at most, and 32 MiB.
"""

import io
import math
import zipfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cache, lru_cache, partial
from pathlib import Path
from typing import IO, Any, Literal

import ml_dtypes
import numpy as np
from numpy.lib.stride_tricks import as_strided

from ..common.checks import of_extra, shortened
from .checkpoint import Array, Checkpoint, broken, from_arrays, refused
from .unpickling import (
    MAKERS,
    Content,
    ForbiddenError,
    Name,
    NumpyArray,
    OrderedDict,
    Placeholder,
    content_of,
    sizes,
    unpickled,
)

# The pages read of a mapped file count as memory in use until the file is closed: it is reopened
# after so many bytes.
MOST_MAPPED_BYTES = 32 * 2**20

# What a compressed file in an archive may unpack to, if that is more than the archive's own size:
# PyTorch does not compress, and weights hardly shrink.
UNPACKED_BYTES = 16 * 2**20

# What files of pickles should be, and what to do with those that are not.
KIND = "PyTorch checkpoint of tensors only, or pickle of arrays"
ADVICE = (
    "Nothing in it is run: where its source can be trusted, load it by the library that wrote it, "
    "and pass the dict of its tensors"
)

# What torch.save wrote first before 1.6 (torch/serialization.py).
MAGIC_NUMBER, PROTOCOL_VERSION = 0x1950A86A20F9469CFC6C, 1001


@contextmanager
def safetensors_file(path: Path) -> Iterator[Checkpoint]:
    """Open a safetensors file.

    Raises:
        ValueError: a broken file.
        ImportError: safetensors is not installed.
    """
    safetensors = of_extra("safetensors", f"reading the safetensors file {path.name}")
    try:
        file = safetensors.safe_open(path, "numpy")
    except safetensors.SafetensorError as error:
        raise broken(path, "safetensors file", error) from error
    shapes = {key: tuple(file.get_slice(key).get_shape()) for key in file.keys()}  # noqa: SIM118
    left = MOST_MAPPED_BYTES

    def read(key: str) -> Array:
        nonlocal file, left
        array: Array = file.get_tensor(key)
        left -= array.nbytes
        if left < 0:
            file, left = safetensors.safe_open(path, "numpy"), MOST_MAPPED_BYTES
        return array

    yield Checkpoint(str(path), shapes, read)


@contextmanager
def npz_file(path: Path) -> Iterator[Checkpoint]:
    """Open a .npz of NumPy.

    Raises:
        ValueError: a broken file, or one without arrays.
    """
    with zipfile.ZipFile(path) as archive:
        with _refusing(path, ".npz of NumPy"):
            size = path.stat().st_size
            names = [name for name in archive.namelist() if name.endswith(".npy")]
            arrays = {name[:-4]: _npy(archive, size, name) for name in names}
        yield from_arrays(str(path), arrays)


@contextmanager
def pytorch_archive(path: Path) -> Iterator[Checkpoint]:
    """Open an archive of `torch.save` or `torch.jit.save`.

    Raises:
        ValueError: a broken file, or one that holds no tensors by name or calls what is no data.
    """
    with zipfile.ZipFile(path) as archive:
        read = lru_cache(maxsize=1)(partial(_unpacked, archive, path.stat().st_size))
        with _refusing(path, KIND):
            root = _of_archive(archive, read, path.stat().st_size)
        yield _of_tensors(path, root)


@contextmanager
def pickle_file(path: Path) -> Iterator[Checkpoint]:
    """Open a file of `torch.save` before PyTorch 1.6, or a pickle of NumPy's or its tensors.

    Raises:
        ValueError: a broken file, or one that holds no tensors by name or calls what is no data.
    """
    with path.open("rb") as file:
        with _refusing(path, KIND):
            size = path.stat().st_size
            of_bytes = cache(_of_bytes)  # a pickle may have the same bytes many times
            parts = {"torch.storage._load_from_bytes": lambda of: of_bytes(_hashable(of))}
            root = unpickled(file, size, TORCH_MAKERS | parts)
            if root == MAGIC_NUMBER:
                root = _of_old_file(file, size)
        yield _of_tensors(path, root)


@contextmanager
def _refusing(path: Path, kind: str) -> Iterator[None]:
    """Say of any error which file has it."""
    try:
        yield
    except ForbiddenError as error:
        why = f"its pickle calls {error}, which no checkpoint needs"
        raise ValueError(f"{broken(path, kind, why)}. {ADVICE}") from error
    except Exception as error:  # a broken file may raise any
        said = shortened(str(error).partition("\n")[0]) or type(error).__name__
        raise broken(path, kind, said) from error


def _of_tensors(path: Path, root: object) -> Checkpoint:
    if not isinstance(root, Mapping):
        raise refused(path, f"it holds {type(root).__name__}, not tensors by name")
    is_object = isinstance(root, Placeholder) and not isinstance(root, OrderedDict)
    return from_arrays(str(path), {"model": root} if is_object else root)


def _unpacked(archive: zipfile.ZipFile, size: int, name: str) -> bytes:
    """Read a file in an archive, whose size is in bytes."""
    return archive.read(_member(archive, size, name))


def _member(archive: zipfile.ZipFile, size: int, name: str) -> zipfile.ZipInfo:
    """A file in an archive, whose size is in bytes.

    Raises:
        Exception: it is missing, or unpacks to more than an archive of the size should hold.
    """
    member = archive.getinfo(name)
    if max(member.compress_size, member.file_size - UNPACKED_BYTES) > size:
        raise ValueError(f"its {shortened(name)} is said to unpack to {member.file_size} bytes")
    if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise ValueError(f"its compression type {member.compress_type} is not supported")
    return member


# NumPy -------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Npy:
    """An array in a .npz."""

    shape: tuple[int, ...]
    read: Callable[[], bytes]

    def __array__(self, dtype: object = None, copy: object = None) -> Array:
        array: Array = np.lib.format.read_array(io.BytesIO(self.read()), allow_pickle=False)
        # NumPy has no bfloat16, and writes two bytes.
        return array.view(ml_dtypes.bfloat16) if array.dtype == "V2" else array


def _npy(archive: zipfile.ZipFile, size: int, name: str) -> _Npy:
    member = _member(archive, size, name)
    with archive.open(member) as file:
        is_first = np.lib.format.read_magic(file) == (1, 0)
        of = np.lib.format
        header = of.read_array_header_1_0 if is_first else of.read_array_header_2_0
        shape, _, dtype = header(file)
        stated = file.tell() + math.prod(sizes(shape)) * dtype.itemsize
    if stated != member.file_size and not dtype.hasobject:
        raise ValueError(f"its {shortened(name)} has not the {shape} numbers that it states")
    return _Npy(shape, partial(archive.read, member))


# PyTorch -----------------------------------------------------------------------------------------

_STORAGES: dict[str, str | type] = {
    "Double": "f8",
    "Float": "f4",
    "Half": "f2",
    "BFloat16": ml_dtypes.bfloat16,
    "Long": "i8",
    "Int": "i4",
    "Short": "i2",
    "Char": "i1",
    "Byte": "u1",
    "Bool": "?",
    "ComplexDouble": "c16",
    "ComplexFloat": "c8",
    "Untyped": "u1",
}
# Dtypes of tensors whose storages have none.
_UNTYPED = {"torch.uint16": "<u2", "torch.uint32": "<u4", "torch.uint64": "<u8"}


@dataclass(slots=True)
class Storage:
    """Numbers that tensors of PyTorch are views of.

    Attributes:
        read: reads its bytes, and those before it where it is a part of another.
        dtype: of its numbers.
        count: of its numbers.
        most: bytes that a tensor may have which repeats its numbers.
        start: number that it begins with.
    """

    read: Callable[[], bytes]
    dtype: "np.dtype[Any]"
    count: int
    most: int
    start: int = 0


@dataclass(frozen=True, slots=True)
class Tensor:
    """A tensor of PyTorch."""

    storage: Storage
    begin: int
    end: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]

    def __array__(self, dtype: object = None, copy: object = None) -> Array:
        kind = self.storage.dtype
        flat = np.frombuffer(self.storage.read(), kind, count=self.end)[self.begin :]
        strides = [kind.itemsize * stride for stride in self.strides]
        return as_strided(flat, self.shape, strides, writeable=False)


def _tensor(storage: Storage, begin: object, shape: object, strides: object, *_: object) -> Tensor:
    """Stand for `torch._utils._rebuild_tensor` and its later versions."""
    shape, strides = sizes(shape), sizes(strides)
    (begin,) = sizes((begin,))
    if not isinstance(storage, Storage):
        raise ValueError("a tensor has no storage")
    steps = [(n - 1) * stride for n, stride in zip(shape, strides, strict=True)]
    end = begin if 0 in shape else begin + sum(steps) + 1
    held, size = storage.count, storage.dtype.itemsize
    if end > held or math.prod(max(n, 1) for n in shape) * size > max(held * size, storage.most):
        raise ValueError(f"a tensor of shape {shape} is larger than its storage of {held} numbers")
    return Tensor(storage, storage.start + begin, storage.start + end, shape, strides)


def _tensor_of_bytes(storage: Storage, *parts: object) -> Tensor | NumpyArray:
    """Stand for `torch._utils._rebuild_tensor_v3`, where the tensor has the dtype."""
    kind = parts[5]
    if not isinstance(kind, Name) or kind not in _UNTYPED:
        return NumpyArray()
    dtype = np.dtype(_UNTYPED[kind])
    return _tensor(replace(storage, dtype=dtype, count=storage.count // dtype.itemsize), *parts[:3])


def _of_type(rebuild: object, _: object, parts: tuple[object, ...], *__: object) -> object:
    """Stand for `torch._tensor._rebuild_from_type_v2`, a tensor of a subclass."""
    maker = TORCH_MAKERS.get(rebuild) if isinstance(rebuild, Name) else None
    return maker(*parts[:8]) if maker else NumpyArray()


def _first(value: object, *_: object) -> object:
    return value


_REBUILD = "torch._utils._rebuild_"
_NO_ARRAYS = ("sparse_tensor", "sparse_csr_tensor", "nested_tensor", "qtensor", "wrapper_subclass")
TORCH_MAKERS: dict[str, Callable[..., object]] = {
    **MAKERS,
    **dict.fromkeys((f"{_REBUILD}tensor", f"{_REBUILD}tensor_v2"), _tensor),
    f"{_REBUILD}tensor_v3": _tensor_of_bytes,
    **dict.fromkeys((f"{_REBUILD}parameter", f"{_REBUILD}parameter_with_state"), _first),
    **dict.fromkeys((f"{_REBUILD}{of}" for of in _NO_ARRAYS), lambda *_: NumpyArray()),
    "torch.nn.parameter.Parameter": _first,
    "torch._tensor._rebuild_from_type_v2": _of_type,
    "torch.jit._pickle.restore_type_tag": _first,
}


def _storage(identifier: Any, order: Literal["<", ">"] = "<") -> tuple[str, Storage]:
    """The key of a storage, and the storage, which cannot be read yet."""
    _, kind, key, _, count, *_ = identifier
    name = kind.rpartition(".")[2].removesuffix("Storage") if isinstance(kind, Name) else None
    if name not in _STORAGES or type(key) is not str or type(count) is not int or count < 0:
        raise ValueError(f"it has a storage of the kind {shortened(str(name))}")
    dtype = np.dtype(_STORAGES[name]).newbyteorder(order)
    return key, Storage(bytes, dtype, count, 0)


def _of_archive(archive: zipfile.ZipFile, read: Callable[[str], bytes], size: int) -> object:
    """What is in an archive, whose size is in bytes."""
    main = next(name for name in archive.namelist() if name.endswith("/data.pkl"))
    folder = main.removesuffix("data.pkl")
    is_big = f"{folder}byteorder" in archive.NameToInfo and read(f"{folder}byteorder") == b"big"

    def load(identifier: Any) -> Storage:
        key, storage = _storage(identifier, ">" if is_big else "<")
        member = archive.getinfo(name := f"{folder}data/{key}")
        if storage.count * storage.dtype.itemsize > member.file_size:
            raise ValueError(f"its {name} has {member.file_size} bytes, which are too few")
        return replace(storage, read=partial(read, name), most=size)

    content = read(main)
    return unpickled(io.BytesIO(content), len(content), TORCH_MAKERS, load)


def _of_old_file(file: IO[bytes], size: int) -> object:
    """What is in a file of torch.save before 1.6, after its first number.

    A version, the writer's machine, the object and the list of storages are pickles. The storages
    follow: how many numbers each has, as 8 bytes, and its numbers. They are little-endian on any
    machine.
    """
    if unpickled(file, size) != PROTOCOL_VERSION:
        raise ValueError(f"its version is not {PROTOCOL_VERSION}")
    unpickled(file, size)
    storages: dict[str, Storage] = {}

    def load(identifier: Any) -> object:
        if identifier[0] == "module":  # a class, with its source
            return identifier[1]
        key, storage = _storage(identifier)
        storage.most = size
        storage = storages.setdefault(key, storage)
        if not (view := identifier[5]):
            return storage
        _, start, count = sizes((0, *view[1:]))
        if start + count > storage.count:
            raise ValueError(f"a part of its storage {key} is outside of it")
        return replace(storage, read=lambda: storage.read(), start=start, count=count)

    root = unpickled(file, size, TORCH_MAKERS, load)
    read = lru_cache(maxsize=1)(partial(_part, file))
    for key in unpickled(file, size):
        storage = storages.pop(key if isinstance(key, str) else "")
        count, begin = int.from_bytes(file.read(8), "little"), file.tell()
        length = storage.count * storage.dtype.itemsize
        if count != storage.count or begin + length > size:
            raise ValueError(f"its storage {key} is cut off")
        storage.read = partial(read, begin, length)
        file.seek(begin + length)
    if storages:
        raise ValueError("it lacks some of its storages")
    return root


def _hashable(content: object) -> Content | bytes:
    return content if isinstance(content, Content) else bytes(content_of(content))


def _of_bytes(content: Content | bytes) -> object:
    """What `pickle.dump` saves of a storage: a file of torch.save before 1.6."""
    held = content_of(content)
    file = io.BytesIO(held)
    unpickled(file, len(held))
    return _of_old_file(file, len(held))


def _part(file: IO[bytes], begin: int, size: int) -> bytes:
    file.seek(begin)
    return file.read(size)
