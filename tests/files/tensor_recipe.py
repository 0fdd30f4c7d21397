"""What the files of tests/data/tensor_files hold, and pickles put together by hand."""

import pickle
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np

from resnet_builder.presets.resolve import resolve

from ..helpers import TINY, Array
from ..weights.checkpoint_recipe import as_torchvision

FILES = Path(__file__).parents[1] / "data" / "tensor_files"


def arrays(added: float = 0) -> dict[str, Array]:
    """The state dict of `tiny()` in torchvision's names."""
    network = as_torchvision(resolve("resnet18").config.replace(**TINY))
    return {
        name: array + added if array.dtype.kind == "f" else array for name, array in network.items()
    }


# The storage of several tensors, and tensors of all dtypes and strides.
BASE = np.arange(120, dtype=np.float32)
ODD: dict[str, Array] = {
    "half": np.arange(6, dtype=np.float16).reshape(2, 3) / 4,
    "bfloat16": (np.arange(6, dtype=np.float32) / 4).astype(ml_dtypes.bfloat16),
    "double": np.arange(6, dtype=np.float64) / 3,
    "long": np.arange(6, dtype=np.int64) - 2**40,
    "uint16": np.arange(65530, 65536, dtype=np.uint16),
    "bool": np.array([True, False]),
    "zero_dim": np.array(7, np.float32),
    "empty": np.zeros((0, 3), np.float32),
    "transposed": BASE[10:34].reshape(2, 3, 2, 2).transpose(1, 0, 3, 2),
    "strided": BASE.reshape(10, 12)[2:7:2, 1::3],
    "shared": BASE[5:8],
    "expanded": np.broadcast_to(BASE[9], 7),
}


# Pickles ------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Name:
    """A function or class, as module.name."""

    text: str


@dataclass(frozen=True)
class Call:
    """A call, by REDUCE, and a state, if there is one, by BUILD."""

    name: str
    arguments: tuple[Any, ...]
    state: Any = None


@dataclass(frozen=True)
class Outside:
    """What is kept outside the pickle."""

    identifier: tuple[Any, ...]


@dataclass(frozen=True)
class Text2:
    """A string of Python 2, of any bytes."""

    content: bytes


def instructions(value: Any) -> bytes:
    """The instructions of protocol 2 that make a value."""
    match value:
        case Name(text):
            return "c{}\n{}\n".format(*text.rsplit(".", 1)).encode()
        case Call(name, arguments, state):
            built = b"" if state is None else instructions(state) + b"b"
            return instructions(Name(name)) + instructions(arguments) + b"R" + built
        case Outside(identifier):
            return instructions(identifier) + b"Q"
        case Text2(content):
            return b"T" + len(content).to_bytes(4, "little") + content
        case dict():
            items = b"".join(instructions(of) for item in value.items() for of in item)
            return b"}(" + items + b"u"
        case list() | tuple():
            inside = b"".join(map(instructions, value))
            return b"](" + inside + b"e" if isinstance(value, list) else b"(" + inside + b"t"
        case _:
            return pickle.dumps(value, 2)[2:-1]


def pickled(value: Any) -> bytes:
    return b"\x80\x02" + instructions(value) + b"."


def of_python_2(array: Array) -> Call:
    """An array as NumPy saves it in Python 2."""
    kind = Call(
        "numpy.dtype",
        (Text2(array.dtype.str[1:].encode()), 0, 1),
        (3, Text2(array.dtype.str[:1].encode()), None, None, None, -1, -1, 0),
    )
    state = (1, array.shape, kind, False, Text2(array.tobytes()))
    reconstruct = "numpy.core.multiarray._reconstruct"
    return Call(reconstruct, (Name("numpy.ndarray"), (0,), Text2(b"b")), state)
