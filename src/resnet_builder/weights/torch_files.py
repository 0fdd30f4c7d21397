"""Checkpoints in safetensors and PyTorch files. Nothing in them is executed."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from .checkpoints import Array, Checkpoint, broken, from_arrays

# The pages read of a mapped file count as memory in use until the file is closed: it is reopened
# after so many bytes.
MOST_MAPPED_BYTES = 32 * 2**20


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
        ImportError: PyTorch is not installed.
    """
    try:
        import torch
    except ImportError as error:
        raise ImportError(
            f"reading the PyTorch file {path.name} needs PyTorch: install it, or save the "
            "checkpoint as .safetensors where it is installed"
        ) from error
    try:
        # An open file, because torch.load takes a path's ending for its format. Only tensors and
        # plain containers are unpickled: nothing in the file runs.
        with path.open("rb") as file:
            loaded = torch.load(file, map_location="cpu", weights_only=True)
    except Exception as error:  # PyTorch raises any error of a broken pickle
        if "Unsupported global" in str(error):
            # PyTorch's own text advises to run what is in the file.
            raise ValueError(
                f"cannot load {path}: it holds more than tensors, perhaps a whole model, and "
                "nothing in it is run: save model.state_dict() in PyTorch, and load that"
            ) from error
        raise broken(path, "PyTorch checkpoint of tensors only", error) from error
    if not isinstance(loaded, Mapping):
        raise ValueError(f"cannot load {path}: it holds {type(loaded).__name__}, not tensors")
    yield from_arrays(str(path), loaded)
