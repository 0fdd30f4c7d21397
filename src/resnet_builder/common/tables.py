"""Tables as text, Markdown, LaTeX and HTML."""

import re
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from html import escape
from itertools import chain, zip_longest
from textwrap import fill, indent


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

    # Text ---------------------------------------------------------------------------------------

    def to_text(self) -> str:
        """The table as text."""
        rows = (text for text, _ in self.blocks())
        return "\n".join(filter(None, [self.title, *rows, self.note]))

    def blocks(self, width: int | None = None) -> list[tuple[str, str]]:
        """The header and the rows as text of one or several lines, each with its kind.

        Args:
            width: columns of the terminal. Lines are broken only at the spaces of texts, so that
                names and numbers stay whole; where that is not enough, every cell has a line of
                its own, and there is no header.
        """
        if not self.header:
            return []
        cells = [list(map(cell_text, row)) for row in self.rows]
        kinds = [*self.kinds, *[""] * (len(cells) - len(self.kinds))]
        widths = self._widths(cells, width)
        if widths is None:
            lists = (self._list(row, width or 0) for row in cells)
            return list(zip(lists, kinds, strict=True))
        narrow = [
            [
                wrapped(cell, own) if _width(cell) > own else cell
                for cell, own in zip(row, widths, strict=True)
            ]
            for row in cells
        ]
        widths, blocks = self._padded(narrow)
        blocks[0].append(["-" * own for own in widths])
        texts = ("\n".join("  ".join(line).rstrip() for line in block) for block in blocks)
        return list(zip(texts, ["header", *kinds], strict=True))

    def _widths(self, cells: list[list[str]], width: int | None) -> list[int] | None:
        """The width of every column; None if they cannot be narrow enough."""
        columns = list(zip(self._wide_header, *cells, strict=True))
        widths = [max(map(_width, column)) for column in columns]
        # Names, numbers and stacks have no line breaks.
        whole = [_holds(column, int, float, Stack) for column in self._columns]
        whole[0] = whole[0] or self.wrap is None
        least = [
            own if is_whole else min(own, max([16, *map(len, " ".join(column).split())]))
            for column, own, is_whole in zip(columns, widths, whole, strict=True)
        ]
        widths[0] = min(widths[0], max(self.wrap or widths[0], least[0]))
        excess = 0 if width is None else sum(widths) + 2 * (len(widths) - 1) - width
        for _ in range(excess):
            spare = [own - limit for own, limit in zip(widths, least, strict=True)]
            if not any(spare):
                return None
            widths[spare.index(max(spare))] -= 1
        return widths

    def _list(self, row: list[str], width: int) -> str:
        """A row as its first cell, and the name and the text of each other cell below it."""
        lines = [wrapped(row[0], width)]
        for name, cell in zip(self.header[1:], row[1:], strict=True):
            if "\n" in cell:  # a stack
                lines += [f"  {name}", indent(cell, "    ")]
            elif cell:
                lines.append(wrapped(f"  {name} {cell}", width, "    "))
        return "\n".join(lines)

    # Other formats ------------------------------------------------------------------------------

    def to_markdown(self) -> str:
        """The table in Markdown."""
        widths, rows = self._written(_markdown, "| ", " | ", " |")
        rules = (
            f"{'-' * width}-:" if numeric else f":-{'-' * width}"
            for width, numeric in zip(widths, self.numeric, strict=True)
        )
        lines = [*rows[:1], f"|{'|'.join(rules)}|", *rows[1:]] if rows else []
        # Lines of a note stay lines; an empty one parts paragraphs.
        note = "\n\n".join(part.replace("\n", "<br>\n") for part in self.note.split("\n\n"))
        parts = [self.title and f"**{self.title}**", "\n".join(lines), note]
        return "\n\n".join(filter(None, parts))

    def to_latex(self) -> str:
        """The table in LaTeX."""
        _, rows = self._written(_latex, " ", " & ", r" \\")
        sides = "".join("r" if numeric else "l" for numeric in self.numeric)
        begin, rule, end = rf"\begin{{tabular}}{{{sides}}}", r"\hline", r"\end{tabular}"
        lines = [begin, rule, *rows[:1], rule, *rows[1:], rule, end] if rows else [""]
        title, note = (
            [f"% {line}" for line in text.splitlines()] for text in (self.title, self.note)
        )
        return "\n".join([*title, *lines, *note])

    def to_html(self) -> str:
        """The table in HTML, for a notebook, with texts aligned left."""
        sides = ["right" if numeric else "left" for numeric in self.numeric]
        scopes = ["row"] + [""] * (len(sides) - 1)
        head = "".join(map(_html_cell, self.header, sides, ["col"] * len(sides)))
        rows = ("".join(map(_html_cell, row, sides, scopes)) for row in self.rows)
        body = "".join(f"<tr>{row}</tr>\n" for row in rows)
        caption = f'<caption style="text-align: left">{_html(self.title)}</caption>\n'
        table = f"<thead><tr>{head}</tr></thead>\n<tbody>\n{body}</tbody>\n"
        note = f"<small>{_html(self.note)}</small>" if self.note else ""
        return f"<table>\n{caption * bool(self.title)}{table}</table>\n{note}"

    # Columns ------------------------------------------------------------------------------------

    @property
    def numeric(self) -> list[bool]:
        """One bool per column: True if it holds numbers."""
        return [_holds(column, int, float) for column in self._columns]

    @property
    def _columns(self) -> list[list[TableCell]]:
        return [[row[number] for row in self.rows] for number in range(len(self.header))]

    @property
    def _wide_header(self) -> list[str]:
        """The header with the spaces that its columns have room for."""
        return [f"{name}  " for name in self.header]

    def _written(
        self, write: Callable[[TableCell], str], start: str, between: str, end: str
    ) -> tuple[list[int], list[str]]:
        """The widths of the columns, and the header and the rows with text around the cells."""
        widths, blocks = self._padded([list(map(write, row)) for row in self.rows])
        lines = chain.from_iterable(blocks)
        return widths, [f"{start}{between.join(line)}{end}" for line in lines]

    def _padded(self, cells: list[list[str]]) -> tuple[list[int], list[list[list[str]]]]:
        """The widths of the columns, and the header and each row as lines of padded cells."""
        columns = zip(self._wide_header, *cells, strict=True)
        widths = [max(map(_width, column)) for column in columns]
        pads = [str.rjust if numeric else str.ljust for numeric in self.numeric]
        return widths, [
            [
                [pad(text, width) for pad, text, width in zip(pads, line, widths, strict=True)]
                for line in zip_longest(*(cell.split("\n") for cell in row), fillvalue="")
            ]
            for row in (self.header, *cells)
        ]


def _width(cell: str) -> int:
    """The length of the longest line."""
    return max(map(len, cell.split("\n")))


def _holds(column: list[TableCell], *kinds: type) -> bool:
    return any(isinstance(cell, kinds) for cell in column)


def wrapped(text: str, width: int, further: str = "") -> str:
    """Lines of whole words; those after the first begin with `further`."""
    return "\n".join(
        fill(
            line,
            width,
            subsequent_indent=further,
            break_long_words=False,
            break_on_hyphens=False,
        )
        for line in text.split("\n")
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


def _html_cell(cell: TableCell, side: str, scope: str = "") -> str:
    """A cell; with a scope, the header of its row or column."""
    tag, scoped = ("th", f' scope="{scope}"') if scope else ("td", "")
    return f'<{tag}{scoped} style="text-align: {side}">{_html(cell)}</{tag}>'


def _latex(cell: TableCell) -> str:
    if not isinstance(cell, Stack):
        return _escape_latex(_plain_text(cell))
    lines = r" \\ ".join(rf"\text{{{_escape_latex(line)}}}" for line in cell.lines)
    stacked = rf"\begin{{array}}{{l}} {lines} \end{{array}}"
    if cell.repeats == 1:
        return f"${stacked}$"
    return rf"$\left[{stacked}\right] \times {cell.repeats}$"


def _escape_latex(text: str) -> str:
    return re.sub(r"[&%$#_{}]", r"\\\g<0>", text)
