"""Files that are written whole or not at all, and JSON that is read within bounds."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from shutil import rmtree
from typing import Any

# More than the names of any network's classes take.
MOST_JSON_BYTES = 2**24


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
    a killed process leaves is overwritten by the next one that writes the file. Its permissions are
    those of a new file: some libraries write files that only their owner may read.
    """
    unfinished = path.with_name(f"unfinished_{path.name}")
    unfinished.unlink(missing_ok=True)
    unfinished.touch()
    mode = unfinished.stat().st_mode
    try:
        yield unfinished
        unfinished.chmod(mode)
        unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)


@contextmanager
def whole_files(path: Path) -> Iterator[Path]:
    """As `whole_file`, for a folder, or a file with others beside it: the path to write at.

    It is in a folder of its own, beside what is replaced.
    """
    unfinished = path.with_name(f"unfinished_{path.name}")
    rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir()
    try:
        yield unfinished / path.name
        for number, made in enumerate(sorted(unfinished.iterdir(), reverse=True)):
            place = path.with_name(made.name)
            if place.is_dir():
                place.rename(unfinished / f"{number}_replaced")
            made.replace(place)
    finally:
        rmtree(unfinished, ignore_errors=True)


def json_object(path: Path) -> dict[str, Any]:
    """The object in a JSON file.

    Raises:
        OSError: the file cannot be read.
        ValueError: it is no regular file, too large, no JSON, or no object.
    """
    if path.stat() and not path.is_file():  # to read a pipe may never end
        raise ValueError("it is no regular file")
    if path.stat().st_size > MOST_JSON_BYTES:
        raise ValueError(f"it has more than {MOST_JSON_BYTES} bytes")
    try:
        content = json.loads(path.read_bytes())
    except RecursionError:
        raise ValueError("it is nested without end") from None
    if not isinstance(content, dict):
        raise ValueError("it is no object")
    return content
