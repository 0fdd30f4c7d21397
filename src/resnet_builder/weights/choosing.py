"""`skip` and `rename` of `load_weights`. Does not import Keras."""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ..common.checks import described, shortened
from ..files.checkpoint import Checkpoint

Rename = Mapping[str, str] | Callable[[str], str | None] | None


def patterns(skip: Any) -> tuple[str, ...]:
    """The patterns of `load_weights(skip=)`.

    Raises:
        TypeError: anything but a pattern or a sequence of patterns.
    """
    given = (skip,) if isinstance(skip, str) or not isinstance(skip, Sequence) else tuple(skip)
    for pattern in given:
        if not isinstance(pattern, str):
            raise TypeError(
                f"skip takes patterns of names, such as 'head.*', not {described(pattern)}"
            )
    return given


def new_names(checkpoint: Checkpoint, rename: Any) -> dict[str, str]:
    """The new names of a checkpoint's tensors, and their names in the file.

    Args:
        rename: as in `load_weights`.

    Raises:
        TypeError: neither a dict of names nor a function that returns names.
        ValueError: two tensors would have one name, or a part of `rename` changes nothing.
    """
    if rename is None:
        return {name: name for name in checkpoint.shapes}
    renamed = _function(rename) if callable(rename) else _beginnings(checkpoint, rename)
    names: dict[str, str] = {}
    for old in checkpoint.shapes:
        new = renamed(old)
        if new in names:
            raise ValueError(
                f"rename gives {shortened(names[new])} and {shortened(old)} of {checkpoint.name} "
                f"the same name {shortened(new)!r}"
            )
        names[new] = old
    if all(new == old for new, old in names.items()):
        raise ValueError(f"rename changes no name in {checkpoint.in_words}")
    return names


def _function(rename: Callable[[str], Any]) -> Callable[[str], str]:
    def renamed(name: str) -> str:
        new = rename(name)
        if new is None:
            return name
        if not isinstance(new, str):
            raise TypeError(f"rename returned {described(new)} for {name!r}, not a name or None")
        return new

    return renamed


def _beginnings(checkpoint: Checkpoint, rename: Any) -> Callable[[str], str]:
    """A function that replaces the first parts of a name, the longest that match."""
    if not isinstance(rename, Mapping) or not all(
        isinstance(name, str) for pair in rename.items() for name in pair
    ):
        raise TypeError(
            "rename takes a dict of the file's names, or their first parts, and what they become, "
            f"such as {{'head.fc': 'fc'}}, or a function of a name; not {described(rename)}"
        )
    olds: dict[str, str] = {old.rstrip("./"): new.rstrip("./") for old, new in rename.items()}
    longest_first = sorted(olds, key=len, reverse=True)
    beginning = re.compile(rf"({'|'.join(map(re.escape, longest_first))})(?=[./]|$)")
    found = {name: match for name in checkpoint.shapes if (match := beginning.match(name))}
    if unused := [old for old in olds if all(match[1] != old for match in found.values())]:
        raise ValueError(f"rename={{{unused[0]!r}: ...}} begins no name in {checkpoint.in_words}")

    def renamed(name: str) -> str:
        if name not in found:
            return name
        old = str(found[name][1])
        return (olds[old] + name[len(old) :]).lstrip("./")

    return renamed
