"""Checkpoints in safetensors and PyTorch files. Nothing in them is executed."""

import pickle
import re
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self

import numpy as np

from ..common.checks import shortened
from .checkpoint import Array, Checkpoint, broken, from_arrays, refused

# The pages read of a mapped file count as memory in use until the file is closed: it is reopened
# after so many bytes.
MOST_MAPPED_BYTES = 32 * 2**20

# The first bytes of a pickle, and of one by torch.save before 1.6: its magic number.
PICKLE = b"\x80"
TORCH_PICKLE = pickle.dumps(0x1950A86A20F9469CFC6C, protocol=2)

KIND = "PyTorch checkpoint of tensors only"
OTHER_PICKLE = (
    "its pickle is broken, or not as torch.save writes it by default, and nothing in it is run: "
    "where its source can be trusted, load it by pickle.load or torch.load, and pass the dict of "
    "its tensors"
)


@contextmanager
def safetensors_file(path: Path) -> Iterator[Checkpoint]:
    """Open a safetensors file.

    Raises:
        ValueError: a broken file.
        ImportError: safetensors is not installed.
    """
    try:
        from safetensors import SafetensorError, safe_open
    except ImportError as error:
        raise ImportError(
            f"reading the safetensors file {path.name} needs a package: "
            "pip install 'resnet-builder[weights]'"
        ) from error
    file: Any
    try:
        file = safe_open(path, "numpy")
    except SafetensorError as error:
        raise broken(path, "safetensors file", error) from error
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


@contextmanager
def pytorch_file(path: Path) -> Iterator[Checkpoint]:
    """Open a file of `torch.save`, a zip archive or an older pickle.

    Raises:
        ValueError: a broken file, or one that holds more than tensors and plain containers.
        ImportError: PyTorch is not installed, or too old to be safe.
    """
    try:
        import torch
    except ImportError as error:
        raise ImportError(
            f"reading the PyTorch file {path.name} needs PyTorch: install it, or save the "
            "checkpoint as .safetensors where it is installed"
        ) from error
    if torch.__version__ < "2.6":  # which is compared as versions
        raise ImportError(
            f"reading the PyTorch file {path.name} needs PyTorch 2.6 or newer, because a file can "
            "run code in older ones even with weights_only=True (CVE-2025-32434)"
        )
    with path.open("rb") as file:
        first = file.read(len(TORCH_PICKLE))
        if first[:1] == PICKLE and first != TORCH_PICKLE:
            raise broken(path, KIND, OTHER_PICKLE)
        file.seek(0)
        try:
            # An open file, because torch.load takes a path's ending for its format. Only tensors,
            # plain containers and stand-ins are made: nothing in the file runs.
            with warnings.catch_warnings(), torch.serialization.safe_globals(STAND_INS):
                warnings.simplefilter("ignore")  # PyTorch's advice is for its own callers
                loaded = torch.load(file, map_location="cpu", weights_only=True)
        except Exception as error:  # PyTorch raises any error of a broken pickle
            raise _unreadable(path, error) from error
    if not isinstance(loaded, Mapping):
        raise refused(path, f"it holds {type(loaded).__name__}, not tensors")
    yield from_arrays(str(path), loaded)


def _unreadable(path: Path, error: Exception) -> ValueError:
    """The error without PyTorch's own advice, which is to run what is in the file."""
    if met := re.search(r"GLOBAL (\S+)", str(error)):
        return refused(
            path,
            f"it holds more than tensors ({shortened(met[1])}), perhaps a whole model, and nothing "
            "in it is run: save model.state_dict() in PyTorch, and load that",
        )
    if isinstance(error, pickle.UnpicklingError):
        return broken(path, KIND, OTHER_PICKLE)
    return broken(path, KIND, shortened(str(error).partition("\n")[0]) or type(error).__name__)


# Placeholders for other objects -------------------------------------------------------------------


class _StandIn(dict[object, Any]):
    """A placeholder for an object that is not a tensor: a dict of the parts it was saved as."""

    def __new__(cls, *parts: object) -> Self:
        made = super().__new__(cls)
        made.update(enumerate(parts))
        return made

    def __init__(self, *_: object) -> None:
        pass

    def __setstate__(self, state: object) -> None:
        self.update(state if isinstance(state, dict) else {"state": state})


class _Array(_StandIn):
    """An array of NumPy, made from the parts of `ndarray.__reduce__`.

    NumPy's own unpickling is not used, because it trusts what it reads.
    """

    @property
    def shape(self) -> tuple[int, ...]:
        shape: tuple[int, ...] = self["state"][1]  # an error for what has none: no array
        return shape

    def __array__(self, dtype: object = None, copy: object = None) -> Array:
        _, shape, kind, by_columns, content = self["state"]
        order = np.dtype(kind[0]).newbyteorder(kind["state"][1])
        return np.frombuffer(content, order).reshape(shape, order="F" if by_columns else "C")


class _Dict:
    """A plain dict, the only kind that PyTorch fills."""

    def __new__(cls, *_: object) -> Any:
        return {}


class _List:
    """A plain list, the only kind that PyTorch fills."""

    def __new__(cls, *_: object) -> Any:
        return []


# What training scripts save beside the tensors: arguments, paths, times, metrics.
_PATHS = [f"{pure}{of}Path" for pure in ("", "Pure") for of in ("", "Posix", "Windows")]
_PLAIN = ["bool", "bytes", "complex", "dict", "float", "int", "list", "set", "str", "tuple"]
_NUMPY = ["dtype", "ndarray", *(kind.__name__ for kind in np.sctypeDict.values())]
_KINDS: tuple[tuple[type, str, list[str]], ...] = (
    (_StandIn, "argparse", ["Namespace"]),
    (_StandIn, "types", ["SimpleNamespace"]),
    (_StandIn, "pathlib pathlib._local", _PATHS),  # the second in Python 3.13
    (_StandIn, "datetime", ["date", "datetime", "time", "timedelta", "timezone"]),
    (_StandIn, "mmengine.logging.history_buffer", ["HistoryBuffer"]),
    (_Dict, "lightning_fabric.utilities.data lightning.fabric.utilities.data", ["AttributeDict"]),
    (_Dict, "collections", ["defaultdict"]),
    (_List, "collections", ["deque"]),
    (_StandIn, "builtins __builtin__", _PLAIN),
    (_StandIn, "numpy", _NUMPY),
    (_StandIn, "numpy.core.multiarray numpy._core.multiarray", ["scalar"]),
    (_Array, "numpy.core.multiarray numpy._core.multiarray", ["_reconstruct"]),
)
STAND_INS: list[Any] = [
    type(name, (kind,), {"__module__": module})
    for kind, modules, names in _KINDS
    for module in modules.split()
    for name in names
]
