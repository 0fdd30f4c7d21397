"""Checkpoints as names and tensors, wherever they come from."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ..common.checks import described, shortened

Array = npt.NDArray[Any]

# Keys of the tensors in checkpoints that hold more than tensors.
STATE_DICTS = ("state_dict", "model", "model_state_dict")


@dataclass(frozen=True)
class Checkpoint:
    """The tensors of a checkpoint: their shapes, and a function that reads each of them.

    `read` returns an array in the checkpoint's own dtype and order of axes; the error for a tensor
    that NumPy cannot hold depends on the format.

    Attributes:
        name: the file, or `"the dict"`.
        shapes: shapes by name.
        in_order: whether the format lists the names in the order of the network's layers.
        has_layer_names: whether the names are those of layers, and not only of their classes.
        settings: the serialised layers by name, where the file has them.
        without_head: why there is no classifier, as a sentence, where that is known.
    """

    name: str
    shapes: Mapping[str, tuple[int, ...]]
    read: Callable[[str], Array]
    in_order: bool = False
    has_layer_names: bool = True
    settings: Mapping[str, Any] = field(default_factory=dict)
    without_head: str = ""

    def renamed(self, names: Mapping[str, str]) -> "Checkpoint":
        """Rename the tensors and leave out the others; `names` maps new names to old ones."""
        shapes = {new: self.shapes[old] for new, old in names.items()}
        return replace(self, shapes=shapes, read=lambda new: self.read(names[new]))

    def skipping(self, patterns: Sequence[str]) -> "Checkpoint":
        """Leave out the tensors whose names match any of some patterns.

        Raises:
            ValueError: a pattern that matches no name.
        """
        left_out: set[str] = set()
        for pattern in patterns:
            matching = {name for name in self.shapes if fnmatchcase(name, pattern)}
            if not matching:
                some = ", ".join(map(shortened, list(self.shapes)[:5]))
                raise ValueError(
                    f"skip={described(pattern)} matches no name in {self.name}, which has {some}, "
                    "..."
                )
            left_out |= matching
        return self.renamed({name: name for name in self.shapes if name not in left_out})


def from_arrays(name: str, arrays: Mapping[Any, Any]) -> Checkpoint:
    """Make a checkpoint of a dict of arrays, or of a dict that holds such a dict.

    The arrays of dicts within the dict get the keys on the way to them, joined by dots.

    Raises:
        ValueError: there are no arrays, or their names are not strings.
    """
    arrays = next((arrays[k] for k in STATE_DICTS if isinstance(arrays.get(k), Mapping)), arrays)
    tensors = dict(_flattened(arrays))
    unnamed = [key for key in tensors if not isinstance(key, str)]
    if unnamed:
        raise ValueError(
            f"cannot load {name}: its tensors have names such as {described(unnamed[0])}"
        )
    if not tensors:
        raise ValueError(f"cannot load {name}: it holds no arrays by name")
    shapes = {key: tuple(value.shape) for key, value in tensors.items()}
    return Checkpoint(name, shapes, lambda key: _as_array(tensors[key]))


def _flattened(arrays: Mapping[Any, Any]) -> Iterator[tuple[Any, Any]]:
    for key, value in arrays.items():
        if hasattr(value, "shape"):
            yield key, value
        elif isinstance(value, Mapping):
            for inner, array in _flattened(value):
                yield f"{key}.{inner}", array


def _as_array(tensor: Any) -> Array:
    """Convert a tensor of NumPy, Keras or PyTorch to a NumPy array."""
    if hasattr(tensor, "detach"):
        tensor = tensor.detach()
        if str(tensor.dtype) == "torch.bfloat16":  # a dtype that NumPy does not have
            tensor = tensor.float()
    return np.asarray(tensor)


def broken(path: Path, kind: str, error: BaseException) -> ValueError:
    """The error for a file that is damaged, or not of the kind that it seems to be."""
    return ValueError(f"cannot load {path}: it is not a whole {kind} ({error})")
