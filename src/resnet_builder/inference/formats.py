"""The formats that `export` writes, as far as they are known without Keras."""

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from ..common.checks import choice, positive_number, real_number
from ..common.files import check_place

Array = npt.NDArray[np.generic]


class Runtime(NamedTuple):
    """What computes a file.

    Attributes:
        run: function from the inputs of a batch to its outputs.
        operators: how often each operator is in the file; empty if it does not say.
    """

    run: Callable[[list[Array]], list[Array]]
    operators: Mapping[str, int] = {}


# Ending -> the numbers that its files may have.
DTYPES = {
    ".onnx": ("float32",),
    ".tflite": ("float32", "float16", "int8"),
    "": ("float32",),
    ".pt2": ("float32",),
}
BACKENDS = ("tensorflow", "jax", "torch")


def check_target(path: Path, dtype: str) -> None:
    """Check that `export` may write a path, before a network is built.

    Raises:
        ValueError: an unsupported ending, or a dtype that the format does not have.
        OSError: a file cannot be written there, or a folder with something else is there.
    """
    if path.suffix not in DTYPES:
        raise ValueError(
            f"cannot write {str(path)!r}: its ending must be one of "
            f"{', '.join(filter(None, DTYPES))}, or none for a SavedModel"
        )
    if choice(dtype, DTYPES[".tflite"], "dtype") not in DTYPES[path.suffix]:
        raise ValueError(f"dtype={dtype!r} needs a file with .tflite, got {str(path)!r}")
    if path.suffix or not path.is_dir():
        check_place(path)
    elif any(path.iterdir()) and not (path / "saved_model.pb").is_file():
        raise FileExistsError(f"cannot replace {path}: the folder is not empty and no SavedModel")
    if not os.access(path.parent, os.W_OK):
        raise PermissionError(f"cannot write {path}: the folder {path.parent} is not writable")


def check_limits(dtype: str, limit: float | None, agreement: float | None) -> None:
    """Check the limits that `export` is given.

    Raises:
        TypeError, ValueError: as in `export`.
    """
    if limit is not None:
        positive_number(limit, "limit")
    if agreement is None:
        return
    if dtype != "int8":
        raise ValueError("agreement is the share of equal classes with dtype='int8': leave it out")
    if not 0 < real_number(agreement, "agreement") <= 1:
        raise ValueError(f"agreement must be more than 0 and at most 1, got {agreement!r}")
