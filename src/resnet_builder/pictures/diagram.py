"""A diagram: DOT text, rendered as PNG, SVG or PDF by Graphviz, and a page for the browser."""

import inspect
import os
import shutil
import struct
import subprocess
import warnings
from collections.abc import Callable
from functools import cached_property
from itertools import takewhile
from pathlib import Path

import pydot

from ..common.checks import choice, positive_int
from ..common.files import check_place, whole_file
from ..common.words import argument
from .style import escape

DPI = 96  # pixels in an inch, which has 72 points

# The largest texture of common graphics processors, which limits many viewers of images; and a
# number of pixels that is drawn in 1 GB of memory.
MOST_PIXELS = 16_384
MOST_PIXELS_IN_ALL = MOST_PIXELS * MOST_PIXELS // 2

PICTURES = {f".{format}": format for format in ("png", "svg", "pdf")}
FORMATS = PICTURES | {".dot": "raw", ".gv": "raw", ".html": "html"}


class Diagram:
    """A picture, displayed automatically in notebooks and saved as PNG, SVG, PDF, DOT or HTML.

    It is drawn on first use: `draw` returns the graph, `write_page` the page for the browser.

    Attributes:
        alt: what the picture shows in words, for readers who do not see it: the alternative text of
            the picture in a notebook and of an SVG.

    Example:
        >>> from resnet_builder import plot
        >>> diagram = plot("resnet20_cifar")
        >>> diagram.render("png")[:4]
        b'\\x89PNG'
        >>> diagram.alt.split(":")[0]
        'The network resnet20_cifar'
    """

    def __init__(
        self,
        draw: Callable[[], pydot.Dot],
        write_page: Callable[[], str],
        *,
        alt: str,
        dpi: float | None = None,
    ) -> None:
        self._draw = draw
        self._write_page = write_page
        self.alt = alt
        self._dpi = DPI if dpi is None else dpi

    @cached_property
    def dot(self) -> str:
        """The diagram in Graphviz's DOT language."""
        return str(self._draw().to_string())

    def render(self, format: str = "png") -> bytes:
        """Return the picture as bytes: `"png"`, `"svg"`, `"pdf"`, `"raw"` for DOT, or `"html"`.

        Raises:
            ValueError: unknown format.
            RuntimeError: Graphviz is not installed, or failed; a PDF needs its command dot.

        Warns:
            UserWarning: the PNG is scaled down to a size that viewers can open.
        """
        choice(format, dict.fromkeys(FORMATS.values()), "format")
        if format == "raw":
            return self.dot.encode()
        if format == "html":
            return self._write_page().encode()
        if format == "png":
            most = MOST_PIXELS / self._dpi  # in inches; a larger picture is scaled down
            picture = drawn(self.dot, format, f"-Gdpi={self._dpi:g}", f"-Gsize={most},{most}")
            _warn_of_size(picture)
            return picture
        picture = drawn(self.dot, format)
        label = f'<svg role="img" aria-label="{escape(self.alt)}"'
        return picture.replace(b"<svg", label.encode(), 1) if format == "svg" else picture

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the picture in the format of the path's extension: the whole file or nothing.

        Raises:
            ValueError: the extension is not .png, .svg, .pdf, .dot, .gv or .html.
            OSError: the folder does not exist or is not writable.
            RuntimeError: Graphviz is not installed, or failed; a PDF needs its command dot.

        Warns:
            UserWarning: the PNG is scaled down to a size that viewers can open.
        """
        path = Path(path)
        check_path(path)
        content = self.render(FORMATS[path.suffix.lower()])
        try:
            with whole_file(path) as unfinished:
                unfinished.write_bytes(content)
        except OSError as error:
            message = f"cannot write {path}: {error.strerror}"
            raise OSError(error.errno, message) from error  # the subclass that fits errno

    def interactive(self, height: int = 600) -> "InlinePage":
        """The page for the browser inside a notebook: the last line of a cell shows it.

        Args:
            height: height in the notebook in pixels.

        Example:
            >>> from resnet_builder import plot
            >>> page = plot("resnet20_cifar").interactive()
            >>> page
            <InlinePage of 600 pixels>
        """
        return InlinePage(self._write_page, self.alt, positive_int(height, "height"))

    def __repr__(self) -> str:
        return "<Diagram: .save(path), .render(), .interactive(), .dot, .alt>"

    def _repr_png_(self) -> tuple[bytes, dict[str, str]]:
        return self.render("png"), {"alt": self.alt}


class InlinePage:
    """The page of a `Diagram` in a notebook."""

    def __init__(self, write_page: Callable[[], str], alt: str, height: int) -> None:
        self._write_page, self._alt, self._height = write_page, alt, height

    def __repr__(self) -> str:
        return f"<InlinePage of {self._height} pixels>"

    def _repr_html_(self) -> str:
        # In a frame, so that neither its styles nor its keys reach the notebook.
        return (
            f'<iframe title="{escape(self._alt)}" srcdoc="{escape(self._write_page())}" '
            'sandbox="allow-scripts allow-downloads" allow="fullscreen; clipboard-write" '
            f'style="width: 100%; height: {self._height}px; border: 0"></iframe>'
        )


def fit_to_size(graph: pydot.Dot, size: tuple[int, int]) -> pydot.Dot:
    """Scale a graph, and centre it in a picture of (width, height) pixels."""
    width, height = (side * 72 / DPI for side in size)
    graph.set("dpi", str(DPI))
    graph.set("size", f"{width / 72},{height / 72}!")
    graph.set("viewport", f"{width},{height}")
    return graph


def check_path(path: Path) -> None:
    """Check that a picture can be written to a path, before it is drawn."""
    if path.suffix.lower() not in FORMATS:
        raise ValueError(
            f"cannot write {str(path)!r}: its ending must be one of {', '.join(FORMATS)}"
        )
    check_place(path)


def drawn(dot: str, format: str, *options: str) -> bytes:
    """Run Graphviz. Not through pydot, which reports failures by an assertion."""
    program = graphviz_program(format)
    try:
        drawn = subprocess.run(
            [program, f"-T{format}", *options],
            input=dot.encode(),
            capture_output=True,
            creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),  # Windows only
        )
    except OSError as error:
        raise RuntimeError(f"Graphviz ({program}) could not draw the diagram: {error}") from error
    if drawn.returncode:
        said = drawn.stderr.decode(errors="replace").strip() or f"status {drawn.returncode}"
        raise RuntimeError(f"Graphviz ({program}) could not draw the diagram: {said}")
    return drawn.stdout


def _warn_of_size(png: bytes) -> None:
    width, height = struct.unpack(">II", png[16:24])
    if max(width, height) >= MOST_PIXELS - 1:
        warnings.warn(
            f"the picture is scaled down to {width:,} x {height:,} pixels, which viewers can open: "
            f"{argument('detail', 'block')} draws any depth on one page, and a .svg can be zoomed",
            stacklevel=_level_of_the_caller(),
        )


def _level_of_the_caller() -> int:
    """The `stacklevel` of the first frame outside this package."""
    package = Path(__file__).parents[1]
    frames = inspect.stack(context=0)
    return len(list(takewhile(lambda f: Path(f.filename).is_relative_to(package), frames)))


def graphviz_program(format: str = "png") -> str:
    """Return Graphviz's `dot` if it is installed, otherwise the command of graphviz-pure.

    Raises:
        RuntimeError: neither is installed; or the format is PDF, which graphviz-pure cannot write.
    """
    if program := shutil.which("dot"):
        return program
    if format == "pdf":
        raise RuntimeError(
            "only Graphviz's own command dot writes PDF, and it is not installed: install Graphviz "
            "(on Debian and Ubuntu: apt install graphviz; on macOS: brew install graphviz; on "
            "Windows: winget install graphviz), or save the picture as .svg"
        )
    # Imported here: 30 ms that DOT text and `dot` do not need.
    from importlib import metadata

    # Not found by PATH, which often lacks the environment's folder of commands.
    try:
        for file in metadata.files("graphviz-pure") or ():
            if file.stem == "graphviz-pure" and file.suffix in ("", ".exe"):
                return str(Path(str(file.locate())).resolve())
    except metadata.PackageNotFoundError:
        pass
    raise RuntimeError(
        "no Graphviz to draw with: install Graphviz (its command dot), "
        "or run: pip install graphviz-pure"
    )
