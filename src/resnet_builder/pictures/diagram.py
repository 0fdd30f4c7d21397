"""A diagram: DOT text, and the PNG or SVG that Graphviz makes of it."""

import os
import shutil
import struct
import tempfile
import warnings
from importlib.metadata import PackageNotFoundError, files
from pathlib import Path
from typing import Any

import pydot

from ..errors import look_up

FORMATS = {".png": "png", ".svg": "svg", ".dot": "raw", ".gv": "raw"}

# The largest texture of common graphics processors, in which many viewers hold a picture.
MOST_PIXELS = 16_384


class Diagram:
    """A picture that shows itself in a notebook and saves itself as PNG, SVG or DOT."""

    def __init__(self, graph: pydot.Dot) -> None:
        self._graph = graph

    @property
    def dot(self) -> str:
        """The diagram in Graphviz's DOT language."""
        return str(self._graph.to_string())

    def render(self, format: str = "png") -> bytes:
        """The picture as bytes: `"png"` or `"svg"`, or `"raw"` for the DOT text.

        Raises:
            ValueError: another format.
            RuntimeError: Graphviz is not there, or failed.
        """
        look_up(dict.fromkeys(FORMATS.values()), format, "format")
        if format == "raw":
            return self.dot.encode()
        program = graphviz_program()
        try:
            picture: Any = self._graph.create(prog=program, format=format, encoding="utf-8")
        except (AssertionError, OSError) as error:
            raise RuntimeError(
                f"Graphviz ({program}) could not draw the diagram: {error}"
            ) from error
        if format == "png":
            _warn_of_size(bytes(picture))
        return bytes(picture)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the picture, in the format of the path's ending: the whole file or nothing.

        Raises:
            ValueError: an ending other than .png, .svg, .dot and .gv.
            OSError: the folder does not exist, or nothing can be written there.
        """
        path = Path(path)
        check_path(path)
        content = self.render(FORMATS[path.suffix.lower()])
        try:
            with tempfile.TemporaryDirectory(dir=path.parent) as folder:
                whole = Path(folder) / path.name
                whole.write_bytes(content)
                whole.replace(path)
        except OSError as error:
            raise type(error)(f"cannot write {path}: {error.strerror}") from error

    def __repr__(self) -> str:
        return (
            f"<Diagram of {len(self._graph.get_node_list())} nodes: .save(path), .render(), .dot>"
        )

    def _repr_png_(self) -> bytes:
        return self.render("png")


def check_path(path: Path) -> None:
    """Refuse what no picture can be written to, before it is drawn."""
    if path.suffix.lower() not in FORMATS:
        raise ValueError(
            f"cannot write {str(path)!r}: its ending must be one of {', '.join(FORMATS)}"
        )
    if path.is_dir():
        raise IsADirectoryError(f"cannot write {path}: it is a folder")
    if not path.parent.is_dir():
        raise FileNotFoundError(f"cannot write {path}: there is no folder {path.parent}")


def _warn_of_size(png: bytes) -> None:
    width, height = struct.unpack(">II", png[16:24])
    if max(width, height) > MOST_PIXELS:
        warnings.warn(
            f"the picture has {width:,} x {height:,} pixels, more than many viewers open: "
            'detail="block" draws any depth on one page, and a .svg can be zoomed',
            stacklevel=4,
        )


def graphviz_program() -> str:
    """Graphviz's `dot` where it is installed, else the command of the package graphviz-pure.

    Raises:
        RuntimeError: neither is there.
    """
    return shutil.which("dot") or _graphviz_pure()


def _graphviz_pure() -> str:
    # Not by PATH: an environment's Python is often run without its folder of commands on it.
    try:
        for file in files("graphviz-pure") or ():
            if file.stem == "graphviz-pure" and file.suffix in ("", ".exe"):
                return str(Path(str(file.locate())).resolve())
    except PackageNotFoundError:
        pass
    raise RuntimeError(
        "no Graphviz to draw with: install Graphviz (its command dot), "
        "or run: pip install graphviz-pure"
    )
