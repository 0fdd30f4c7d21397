"""Files that are written whole or not at all."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """The path to write a file at, which then replaces the one at `path`.

    It is `unfinished_` and the file's name, in the same folder. After an error it is removed; what
    a killed process leaves is overwritten by the next one that writes the file.
    """
    unfinished = path.with_name(f"unfinished_{path.name}")
    try:
        yield unfinished
        unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)
