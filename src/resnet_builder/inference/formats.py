"""The formats that `export` writes, as far as they are known without Keras."""

import os
from pathlib import Path

from ..common.checks import choice
from ..common.files import check_place

# Ending -> the numbers that its files may have.
DTYPES = {
    ".onnx": ("float32",),
    ".tflite": ("float32", "float16", "int8"),
    "": ("float32",),
    ".pt2": ("float32",),
}
BACKENDS = ("tensorflow", "jax", "torch")


def check_path(path: Path, dtype: str) -> None:
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
