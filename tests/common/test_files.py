"""Files that are written whole or not at all."""

import os
import tracemalloc
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from tempfile import NamedTemporaryFile
from threading import Barrier
from time import time

import pytest

from resnet_builder.common.files import MOST_JSON_BYTES, SECONDS_LEFT, parsed_json, whole_file


def test_a_file_is_replaced_when_it_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "net.keras"
    path.write_text("old")
    with whole_file(path) as unfinished:
        unfinished.write_text("new")
        assert path.read_text() == "old"
    assert path.read_text() == "new"
    assert list(tmp_path.iterdir()) == [path]


def test_what_a_killed_process_left_is_removed_in_time(tmp_path: Path) -> None:
    path = tmp_path / "[net].keras"
    mine, old, new = (tmp_path / f"unfinished_{of}_{path.name}" for of in ("of_me", "a", "b"))
    other = tmp_path / "unfinished_a_other.keras"
    mine.write_text("a file of the user's")
    for left in (old, new, other):
        left.mkdir()
        (left / "half").touch()
    for left in (mine, old, other):
        os.utime(left, (0, time() - 2 * SECONDS_LEFT))
    with whole_file(path) as unfinished:
        unfinished.touch()
    assert sorted(tmp_path.iterdir()) == sorted([path, mine, new, other])


def test_folders_and_what_stands_beside_a_file_are_replaced(tmp_path: Path) -> None:
    path = tmp_path / "net"
    for content in ("old", "new"):
        with whole_file(path) as unfinished:
            unfinished.mkdir()
            (unfinished / content).touch()
            unfinished.with_name("beside").write_text(content)
        assert [of.name for of in path.iterdir()] == [content]
        assert (tmp_path / "beside").read_text() == content
    assert len(list(tmp_path.iterdir())) == 2


@pytest.mark.parametrize("is_folder", [False, True])
def test_writers_of_one_file_do_not_meet(is_folder: bool, tmp_path: Path) -> None:
    """Each ends, and one of what they wrote is there, whole."""
    path, both = tmp_path / "net", Barrier(8, timeout=30)

    def write(number: int) -> None:
        for _ in range(20):
            with whole_file(path) as unfinished:
                if is_folder:
                    unfinished.mkdir()
                both.wait()
                for part in ("a", "b") if is_folder else ("",):
                    (unfinished / part).write_text(f"{number}" * 10**5)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(write, range(8)))
    files = [path / "a", path / "b"] if is_folder else [path]
    contents = {file.read_text() for file in files}
    assert list(tmp_path.iterdir()) == [path]
    assert contents < {f"{number}" * 10**5 for number in range(8)}
    assert len(contents) == 1


def test_a_file_has_the_permissions_of_a_new_one(tmp_path: Path) -> None:
    plain, path = tmp_path / "plain", tmp_path / "net.safetensors"
    plain.touch()
    with whole_file(path) as unfinished:
        with NamedTemporaryFile(dir=tmp_path, delete=False) as private:  # as safetensors does
            private.write(b"weights")
        Path(private.name).replace(unfinished)
    assert path.stat().st_mode == plain.stat().st_mode


def test_a_folder_stays_if_its_replacement_is_interrupted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "net"
    path.mkdir()
    (path / "old").touch()

    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    def fails() -> None:
        with whole_file(path) as unfinished:
            unfinished.mkdir()
            monkeypatch.setattr(Path, "replace", interrupted)

    with pytest.raises(KeyboardInterrupt):
        fails()
    assert sorted(tmp_path.rglob("*")) == [path, path / "old"]


def test_nothing_is_left_after_an_error(tmp_path: Path) -> None:
    path = tmp_path / "net.keras"
    path.write_text("old")

    def fails() -> None:
        with whole_file(path) as unfinished:
            unfinished.write_text("half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fails()
    assert list(tmp_path.iterdir()) == [path]
    assert path.read_text() == "old"


@pytest.mark.parametrize("dense", ["{},", "[],", '{"":0},', '{"a":{"a":{}}},', "1e9,", '"ab",'])
def test_the_memory_of_json_has_a_bound(dense: str) -> None:
    text = f"[{dense * 10**4}1]".encode()
    tracemalloc.start()
    parsed_json(text)
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert most < 32 * len(text)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[" * 10**5, "nested without end"),
        (b'{"a":' * 10**5, "nested without end"),
        (" " * MOST_JSON_BYTES + "1", "more than 16777216 bytes"),
        ("9" * 5000, "Exceeds the limit"),
        (b"\xff{}", "codec can't decode"),
    ],
)
def test_json_that_is_refused(text: str | bytes, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        parsed_json(text)
