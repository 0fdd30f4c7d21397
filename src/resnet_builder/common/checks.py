"""Argument checks with helpful error messages."""

from collections.abc import Iterable, Iterator, Mapping
from difflib import get_close_matches
from math import inf
from numbers import Real
from operator import index
from typing import Any, Generic, TypeVar

T = TypeVar("T")


def unknown(kind: str, given: object, allowed: Iterable[str], where: str = "") -> str:
    """The message for an unknown name: similar allowed names, and all of them or `where`."""
    allowed = list(dict.fromkeys(allowed))
    near = get_close_matches(str(given), allowed, n=3, cutoff=0.6)
    hint = f"did you mean {' or '.join(map(repr, near))}? " if near else ""
    choices = where or f"choose from {', '.join(map(repr, allowed))}"
    return f"unknown {kind} {given!r}: {hint}{choices}"


def choice(name: object, allowed: Iterable[str], kind: str) -> str:
    """Return `name` if it is one of the allowed names.

    Raises:
        TypeError: `name` is not a string.
        ValueError: `name` is not allowed; the message lists the allowed names.
    """
    allowed = list(allowed)
    if not isinstance(name, str):
        raise TypeError(
            f"{kind} must be one of the names {', '.join(map(repr, allowed))}, got {name!r}"
        )
    if name not in allowed:
        raise ValueError(unknown(kind, name, allowed))
    return name


def of_extra(module: str, work: str) -> Any:
    """Import a module of the extra `weights`; returns its package.

    Raises:
        ImportError: it is not installed; the message says what work needs it.
    """
    try:
        return __import__(module)
    except ImportError as error:
        how = "pip install 'resnet-builder[weights]'"
        raise ImportError(f"{work} needs a package: {how}") from error


def look_up(table: Mapping[str, T], name: object, kind: str) -> T:
    """Return `table[name]`; errors as in `choice`."""
    return table[choice(name, table, kind)]


def boolean(value: object, what: str) -> bool:
    """Return `value` if it is True or False; arrays and numbers are rejected."""
    if not isinstance(value, bool):
        raise TypeError(f"{what} must be True or False, got {value!r}")
    return value


def fraction(value: object, what: str, limit: float = 1) -> float:
    """Return `value` as a number of at least 0 and less than `limit`, which may be infinite."""
    number = real_number(value, what)
    if not 0 <= number < limit:
        raise ValueError(f"{what} must be at least 0 and less than {limit}, got {value!r}")
    return number


def positive_number(value: object, what: str) -> float:
    """Return `value` as a finite number of more than 0."""
    number = real_number(value, what)
    if not 0 < number < inf:
        raise ValueError(f"{what} must be more than 0 and finite, got {value!r}")
    return number


def real_number(value: object, what: str) -> float:
    """Return `value` as a float; bools are rejected."""
    if isinstance(value, bool) or not isinstance(value, Real):
        raise TypeError(f"{what} must be a number, got {value!r}")
    try:
        return float(value)
    except OverflowError:
        raise ValueError(f"{what} is too large a number: {shortened(repr(value))}") from None


def positive_int(value: Any, what: str) -> int:
    """Return `value` as an int of at least 1; NumPy integers are allowed, floats and bools not."""
    try:
        number = index(value)
    except TypeError:
        number = None
    if number is None or isinstance(value, bool):
        raise TypeError(f"{what} must be an integer, got {value!r}")
    if number < 1:
        raise ValueError(f"{what} must be 1 or more, got {value!r}")
    return number


def shortened(text: str, limit: int = 200) -> str:
    """The text, cut to a length that fits in a message."""
    return text if len(text) <= limit else f"{text[:limit]}... ({len(text)} characters)"


def described(value: object) -> str:
    """A value for a message: arrays by shape, collections of arrays by number."""
    if hasattr(value, "shape"):
        return f"an array of shape {value.shape}"
    if isinstance(value, list | tuple | dict):
        items = list(value.values() if isinstance(value, dict) else value)
        if items and all(hasattr(item, "shape") for item in items):
            return f"a {type(value).__name__} of {len(items)} arrays"
    return shortened(repr(value))


class Catalogue(Mapping[str, T], Generic[T]):
    """A read-only mapping from names to rows."""

    def __init__(self, rows: Mapping[str, T]) -> None:
        self._rows = dict(rows)

    def __getitem__(self, name: str) -> T:
        return self._rows[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._rows)

    def __len__(self) -> int:
        return len(self._rows)

    def __repr__(self) -> str:
        return f"<{type(self).__name__}: {', '.join(self._rows)}>"
