"""Files that are written whole or not at all."""

from pathlib import Path
from tempfile import NamedTemporaryFile

import pytest

from resnet_builder.common.files import whole_file


def test_a_file_is_replaced_when_it_is_whole(tmp_path: Path) -> None:
    path, left = tmp_path / "net.keras", tmp_path / "unfinished_net.keras"
    path.write_text("old")
    left.write_text("of a killed process, and longer")
    with whole_file(path) as unfinished:
        unfinished.write_text("new")
        assert path.read_text() == "old"
        assert sorted(tmp_path.iterdir()) == [path, left]
    assert path.read_text() == "new"
    assert list(tmp_path.iterdir()) == [path]


def test_a_file_has_the_permissions_of_a_new_one(tmp_path: Path) -> None:
    plain, path = tmp_path / "plain", tmp_path / "net.safetensors"
    plain.touch()
    with whole_file(path) as unfinished:
        with NamedTemporaryFile(dir=tmp_path, delete=False) as private:  # as safetensors does
            private.write(b"weights")
        Path(private.name).replace(unfinished)
    assert path.stat().st_mode == plain.stat().st_mode


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
