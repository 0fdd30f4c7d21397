"""Files that are written whole or not at all."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def check_place(path: Path) -> None:
    """Check that a file may stand at a path, before its content is made.

    Raises:
        OSError: the path is a folder, or in none.
    """
    if path.is_dir():
        raise IsADirectoryError(f"cannot write {path}: it is a folder")
    if not path.parent.is_dir():
        raise FileNotFoundError(f"cannot write {path}: there is no folder {path.parent}")


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
