"""Checkpoints as names and tensors, wherever they come from."""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from operator import gt
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ..common.checks import described, shortened

Array = npt.NDArray[Any]
Json = dict[str, Any]

# Keys of the network in checkpoints that hold more than a network.
STATE_DICTS = ("state_dict", "model", "model_state_dict", "net", "module")

# Dicts, lists or groups within one another, dicts and lists in all, values in all, and letters of
# the names of arrays in all, to which an array adds 100: numbers that no checkpoint comes near.
MOST_LEVELS = 100
MOST_CONTAINERS = 10**5
MOST_VALUES = 10**7
MOST_LETTERS = 4 * 2**20


@dataclass(frozen=True)
class Checkpoint:
    """The tensors of a checkpoint: their shapes, and a function that reads each of them.

    `read` returns an array in the checkpoint's own dtype and order of axes; the error for a tensor
    that NumPy cannot hold depends on the format.

    Attributes:
        name: the file, or `"the dict"`.
        shapes: shapes by name. In files of Keras, the name has the layers around the tensor:
            `teacher/stem_conv/kernel`.
        in_order: whether the format lists the names in the order of the network's layers.
        has_layer_names: whether the names are names of layers, and not only of their classes.
        settings: the serialised layers by name, such as `teacher/stem_conv`; empty where the file
            does not have them.
        without_head: why there is no classifier to load, as a sentence, where that is known.
        others: names of arrays that are not a network's weights, such as an optimizer's state.
            Single numbers are left out.
        in_file: the names in the file by those in `shapes`, which differ once it is renamed.
        meta: what OpenMMLab's files say of the training beside the arrays; and `stride_in_3x3`, as
            in `ResnetConfig`, where something beside the file states it.
    """

    name: str
    shapes: Mapping[str, tuple[int, ...]]
    read: Callable[[str], Array]
    in_order: bool = False
    has_layer_names: bool = True
    settings: Mapping[str, Json] = field(default_factory=dict)
    without_head: str = ""
    others: tuple[str, ...] = ()
    in_file: Mapping[str, str] = field(default_factory=dict)
    meta: Mapping[str, object] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not self.in_file:
            object.__setattr__(self, "in_file", {name: name for name in self.shapes})

    @property
    def in_words(self) -> str:
        """Its name and its first tensors, for messages."""
        some = ", ".join(map(shortened, list(self.shapes)[:5]))
        return f"{self.name}, which has {some}, ..."

    def renamed(self, names: Mapping[str, str]) -> "Checkpoint":
        """Rename the tensors and leave out the others; `names` maps new names to old ones."""
        return replace(
            self,
            shapes={new: self.shapes[old] for new, old in names.items()},
            read=lambda new: self.read(names[new]),
            in_file={new: self.in_file[old] for new, old in names.items()},
        )

    def skipping(self, patterns: Sequence[str]) -> "Checkpoint":
        """Leave out the tensors whose names match any of some patterns.

        Raises:
            ValueError: a pattern that matches no name.
        """
        left_out: set[str] = set()
        for pattern in patterns:
            names = (*self.shapes, *self.others)
            matching = {name for name in names if fnmatchcase(name, pattern)}
            if not matching:
                raise ValueError(f"skip={described(pattern)} matches no name in {self.in_words}")
            left_out |= matching
        return self.renamed({name: name for name in self.shapes if name not in left_out})


def from_arrays(name: str, arrays: Mapping[Any, object]) -> Checkpoint:
    """Make a checkpoint of a dict of arrays, or of a dict that holds such dicts.

    The arrays of dicts and lists within the dict get the keys on the way to them, joined by dots.
    The key of a state dict is left out of the names where no other network stands beside it.

    Raises:
        ValueError: there are no arrays, their names are not strings or not unique, an array has no
            shape, or dicts are nested without end.
    """
    tensors: dict[str, object] = {}
    shapes: dict[str, tuple[int, ...]] = {}
    parts: dict[object, list[str]] = {}  # names by the first key; of arrays in no dict, by None
    for keys, tensor in _flattened(name, arrays):
        key = ".".join(map(str, keys))
        if not any(isinstance(k, str) for k in keys):
            raise refused(name, f"its tensors have names such as {described(keys[-1])}")
        if key in tensors:
            raise refused(name, f"two of its tensors are named {shortened(key)}")
        tensors[key], shapes[key] = tensor, _shape(name, key, tensor)
        parts.setdefault(keys[0] if len(keys) > 1 else None, []).append(key)
    if not tensors:
        raise refused(name, "it holds no arrays by name")
    ranks = {
        part: [len(shapes[key]) for key in keys if _is_kernel(key, shapes[key])]
        for part, keys in parts.items()
    }
    kept = [part for part in parts if ranks[part]] or list(parts)
    # Every network here has convolutions.
    networks = [part for part in kept if 4 in ranks[part]]
    is_alone = len(networks) == 1 and networks[0] in STATE_DICTS
    names = {key: key for part in kept for key in parts[part]}
    short = {key.removeprefix(f"{networks[0]}.") if is_alone else key: key for key in names}
    others = tuple(key for key in tensors if key not in names and shapes[key])
    checkpoint = Checkpoint(name, shapes, lambda key: _as_array(tensors[key]), others=others)
    # Reports use the short names.
    meta = arrays.get("meta")
    return replace(
        checkpoint.renamed(short if len(short) == len(names) else names),
        in_file={},
        meta=meta if isinstance(meta, Mapping) else {},
    )


def _flattened(
    name: str, arrays: Mapping[Any, object]
) -> Iterator[tuple[tuple[object, ...], object]]:
    """The arrays in dicts and lists, with the keys on the way to them, in their order."""
    keys: list[object] = []
    around = [_items(arrays)]
    containers = values = letters = 0
    while around:
        if (item := next(around[-1], None)) is None:
            around.pop()
            keys = keys[:-1]
            continue
        key, value = item
        values += 1
        if _has_shape(value):
            yield (*keys, key), value
            letters += 100 + sum(len(str(part)) for part in (*keys, key))
        elif isinstance(value, Mapping | list | tuple):
            keys = [*keys, key]
            around.append(_items(value))
            containers += 1
        sizes = (len(keys), containers, values, letters)
        if any(map(gt, sizes, (MOST_LEVELS, MOST_CONTAINERS, MOST_VALUES, MOST_LETTERS))):
            raise refused(name, "its dicts are nested without end")


def _items(values: Mapping[Any, object] | Iterable[object]) -> Iterator[tuple[object, object]]:
    """The values of a dict or list, under their number where the key is no name."""
    items = values.items() if isinstance(values, Mapping) else enumerate(values)
    for number, (key, value) in enumerate(items):
        yield (key if is_name(key) else f"#{number}"), value


def is_name(key: object) -> bool:
    """Return whether a key of a dict can be a part of a name: a text or a number of a sane size."""
    return isinstance(key, str) or (isinstance(key, int) and abs(key) < 2**60)


def _has_shape(value: object) -> bool:
    try:
        return hasattr(value, "shape")
    except Exception:  # a nested tensor of PyTorch has none that can be asked for
        return True


def _shape(name: str, key: str, tensor: Any) -> tuple[int, ...]:
    try:
        return tuple(tensor.shape)
    except Exception as error:
        raise refused(name, f"{shortened(key)} is no array of one shape") from error


def _is_kernel(name: str, shape: tuple[int, ...]) -> bool:
    """Return whether a tensor is the kernel of a convolution or of a dense layer."""
    return len(shape) >= 2 and re.split(r"[./]", name)[-1] in ("weight", "kernel")


def _as_array(tensor: Any) -> Array:
    """Convert a tensor of NumPy, Keras or PyTorch to a NumPy array."""
    if hasattr(tensor, "detach"):
        tensor = tensor.detach()
        if str(tensor.dtype) == "torch.bfloat16":  # a dtype that NumPy does not have
            tensor = tensor.float()
    return np.asarray(tensor)


def check_regular(path: Path) -> None:
    """Reject a pipe, a socket and a device: reading them may block or never end.

    Raises:
        ValueError: the path is not of a file, nor a link to one.
        OSError: the path cannot be reached.
    """
    if not path.is_file() and path.stat():
        no_file = "it is no regular file, but a pipe, a socket, a device or a folder"
        raise refused(described(str(path)), no_file)


def refused(name: object, why: str) -> ValueError:
    """The error for a checkpoint that cannot be loaded."""
    return ValueError(f"cannot load {name}: {why}")


def broken(path: Path, kind: str, error: BaseException | str) -> ValueError:
    """The error for a file that is damaged, or not of the kind that it seems to be."""
    return refused(path, f"it is not a whole {kind} ({error})")
