"""Read-only tables by name, with a docstring that `help` shows."""

from collections.abc import Iterator, Mapping
from typing import Generic, TypeVar

T = TypeVar("T")


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
