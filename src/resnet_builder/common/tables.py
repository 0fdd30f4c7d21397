"""Tables as text, Markdown, LaTeX and HTML."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from html import escape
from itertools import zip_longest
from textwrap import wrap


@dataclass(frozen=True)
class Stack:
    """A cell of several lines, in brackets if they are repeated."""

    lines: tuple[str, ...]
    repeats: int = 1


TableCell = str | int | float | None | Stack


@dataclass(frozen=True)
class Table:
    """A title, a header, rows and a note below.

    Attributes:
        wrap: maximum width of the first column.
        kinds: of the rows, for colours: `"total"`, `"best"`, `"equal"`, `"differs"` or empty.
    """

    header: tuple[str, ...] = ()
    rows: tuple[tuple[TableCell, ...], ...] = ()
    title: str = ""
    note: str = ""
    wrap: int | None = None
    kinds: tuple[str, ...] = ()

    def to_text(self) -> str:
        """The table as text for a terminal."""
        rows = [list(map(cell_text, row)) for row in self.rows]
        if self.wrap:
            rows = [["\n".join(wrap(first, self.wrap)), *rest] for first, *rest in rows]
        table = aligned(self.header, rows, self.numeric) if self.header else ""
        return "\n".join(filter(None, [self.title, table, self.note]))

    def to_markdown(self) -> str:
        """The table in Markdown."""
        # Lines of a note stay lines; an empty one parts paragraphs.
        note = "\n\n".join(part.replace("\n", "<br>\n") for part in self.note.split("\n\n"))
        parts = [self.title and f"**{self.title}**", self._render("pipe", _markdown), note]
        return "\n\n".join(filter(None, parts))

    def to_latex(self) -> str:
        """The table in LaTeX."""
        title, note = (
            [f"% {line}" for line in text.splitlines()] for text in (self.title, self.note)
        )
        return "\n".join([*title, self._render("latex_raw", _latex), *note])

    def to_html(self) -> str:
        """The table in HTML, for a notebook."""
        table = self._render("unsafehtml", _html)
        note = escape(self.note).replace("\n", "<br>")
        return f"<b>{escape(self.title)}</b>{table}<small>{note}</small>"

    @property
    def numeric(self) -> list[bool]:
        """One bool per column: True if it holds numbers."""
        return [
            any(isinstance(row[column], int | float) for row in self.rows)
            for column in range(len(self.header))
        ]

    def _render(self, style: str, write: Callable[[TableCell], str]) -> str:
        if not self.header:
            return ""
        rows = [[write(cell) for cell in row] for row in self.rows]
        from tabulate import tabulate

        text = tabulate(
            rows,
            self.header,
            tablefmt=style,
            # tabulate 0.9 cannot align the columns of no rows.
            colalign=["right" if numeric else "left" for numeric in self.numeric] if rows else None,
            disable_numparse=True,
        )
        return str(text)


def aligned(header: Sequence[str], rows: Sequence[Sequence[str]], numeric: Sequence[bool]) -> str:
    """Columns of text, with cells of one or several lines.

    As tabulate's format "simple"; importing tabulate takes half of the time of a whole command.
    """
    split = [[cell.split("\n") for cell in row] for row in rows]
    columns = list(zip([[f"{name}  "] for name in header], *split, strict=True))
    widths = [max(len(line) for cell in column for line in cell) for column in columns]
    lines = [header, ["-" * width for width in widths]]
    for row in split:
        lines += zip_longest(*row, fillvalue="")
    pads = [str.rjust if is_number else str.ljust for is_number in numeric]
    return "\n".join(
        "  ".join(
            pad(cell, width) for pad, cell, width in zip(pads, line, widths, strict=True)
        ).rstrip()
        for line in lines
    )


class Tabular(ABC):
    """A result that prints as a table."""

    @abstractmethod
    def table(self) -> Table:
        """The result as a table."""

    def __str__(self) -> str:
        return self.table().to_text()

    def to_markdown(self) -> str:
        """The table in Markdown."""
        return self.table().to_markdown()

    def to_latex(self) -> str:
        r"""The table in LaTeX, as a `tabular` with `\hline`s."""
        return self.table().to_latex()

    def _repr_html_(self) -> str:
        return self.table().to_html()


def _plain_text(cell: TableCell) -> str:
    if cell is None:
        return "?"
    return f"{cell:,}" if isinstance(cell, int | float) else str(cell)


def cell_text(cell: TableCell) -> str:
    """A cell as text for a terminal."""
    if not isinstance(cell, Stack):
        return _plain_text(cell)
    if cell.repeats == 1 or not cell.lines:
        return "\n".join(cell.lines)
    width = max(map(len, cell.lines))
    last = len(cell.lines) - 1
    written = []
    for number, line in enumerate(cell.lines):
        brackets = {0: "⎡⎤", last: "⎣⎦"}.get(number, "⎢⎥") if last else "[]"
        times = f" x {cell.repeats}" if number == last // 2 else ""
        written.append(f"{brackets[0]}{line:<{width}}{brackets[1]}{times}")
    return "\n".join(written)


def _inline(cell: TableCell, line_break: str) -> str:
    if not isinstance(cell, Stack):
        return _plain_text(cell)
    lines = line_break.join(cell.lines)
    return lines if cell.repeats == 1 else f"[{lines}] x {cell.repeats}"


def _markdown(cell: TableCell) -> str:
    return _inline(cell, "<br>").replace("|", r"\|")


def _html(cell: TableCell) -> str:
    return escape(_inline(cell, "\n")).replace("\n", "<br>")


def _latex(cell: TableCell) -> str:
    if not isinstance(cell, Stack):
        return _escape_latex(_plain_text(cell))
    lines = r" \\ ".join(rf"\text{{{_escape_latex(line)}}}" for line in cell.lines)
    stacked = rf"\begin{{array}}{{l}} {lines} \end{{array}}"
    if cell.repeats == 1:
        return f"${stacked}$"
    return rf"$\left[{stacked}\right] \times {cell.repeats}$"


def _escape_latex(text: str) -> str:
    for character in "&%$#_{}":
        text = text.replace(character, f"\\{character}")
    return text
