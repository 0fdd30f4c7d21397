"""Files that are written whole or not at all, and JSON that is read within bounds."""

import json
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from errno import EEXIST, EISDIR, ENOTEMPTY
from glob import escape
from pathlib import Path
from shutil import rmtree
from tempfile import TemporaryDirectory, mkdtemp
from time import time
from typing import Any

# More than the names of any network's classes take.
MOST_JSON_BYTES = 2**24

# No process takes so long to write a file.
SECONDS_LEFT = 3600


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
    """The path to write a file or a folder at, which then replaces what is at `path`.

    It is in a new folder beside it, `unfinished_..._` and its name, so that processes that write
    the same file do not meet: each ends with a whole one, and the last one stays. Others that are
    written beside the file there are moved, too. After an error the folder is removed; what a
    killed process leaves is removed by one that writes the file an hour later. Files have the
    permissions of a new one: some libraries write files that only their owner may read.

    To replace a folder takes two steps: a process that is killed between them leaves the new one
    and the one before in `unfinished_...`.
    """
    for left in path.parent.glob(f"unfinished_*_{escape(path.name)}"):
        with suppress(OSError):  # another process removes it, too
            if time() - left.stat().st_mtime > SECONDS_LEFT:
                rmtree(left)
    with TemporaryDirectory(
        f"_{path.name}", "unfinished_", path.parent, ignore_cleanup_errors=True
    ) as unfinished:
        new = Path(unfinished, path.name)
        new.touch()
        mode = new.stat().st_mode
        new.unlink()
        yield new
        for made in sorted(new.parent.iterdir(), reverse=True):
            if made.is_file():
                made.chmod(mode)
            _move(made, path.with_name(made.name))


def _move(made: Path, place: Path) -> None:
    """Replace a file or folder, while other processes may do so, too."""
    before = Path(mkdtemp(dir=made.parent), "before")
    try:
        if place.is_dir():
            with suppress(FileNotFoundError):
                place.rename(before)
        made.replace(place)
    except OSError as error:  # another process was faster
        if error.errno not in (ENOTEMPTY, EEXIST, EISDIR) and not place.is_dir():
            raise
        _move(made, place)
    finally:
        if before.exists() and not place.exists():  # after an interrupt
            with suppress(OSError):
                before.rename(place)


def json_object(path: Path) -> dict[str, Any]:
    """The object in a JSON file.

    Raises:
        OSError: the file cannot be read.
        ValueError: it is no regular file, too large, no JSON, or no object.
    """
    if path.stat() and not path.is_file():  # to read a pipe may never end
        raise ValueError("it is no regular file")
    with path.open("rb") as file:
        content = parsed_json(file.read(MOST_JSON_BYTES + 1))
    if not isinstance(content, dict):
        raise ValueError("it is no object")
    return content


def parsed_json(text: str | bytes) -> Any:
    """What JSON holds. It takes thirty-two times its size in memory at most.

    Raises:
        ValueError: it is too large, nested without end, or no JSON.
    """
    if len(text) > MOST_JSON_BYTES:
        raise ValueError(f"it has more than {MOST_JSON_BYTES} bytes")
    try:
        return json.loads(text)
    except RecursionError:
        raise ValueError("it is nested without end") from None
