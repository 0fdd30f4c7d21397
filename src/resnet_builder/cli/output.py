"""The answer of a command as a table, as JSON or as CSV on the standard output."""

import json
import math
import sys
from collections.abc import Callable, Mapping, Sequence
from io import StringIO
from typing import NamedTuple

from ..common.tables import Table, wrapped

Record = Mapping[str, object]
Json = bool | int | float | str | list["Json"] | dict[str, "Json"] | None


class Answer(NamedTuple):
    """The result of a command.

    Attributes:
        table: what people read.
        data: what programs read, as JSON.
        status: the exit status.
        rows: what `--csv` writes, a line each, if it is not the `data`.
    """

    table: Table
    data: Record | Sequence[Record]
    status: int = 0
    rows: Sequence[Record] = ()


def _print_json(answer: Answer) -> None:
    print(json.dumps(_plain(answer.data), indent=2, allow_nan=False))


def _print_csv(answer: Answer) -> None:
    """Print the rows with the names of the JSON; lists and objects in a cell are JSON."""
    import csv

    rows = answer.rows if isinstance(answer.data, Mapping) else answer.data
    text = StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerows([row.keys() for row in rows[:1]])
    for row in rows:
        cells = map(_plain, row.values())
        writer.writerow(
            json.dumps(cell) if isinstance(cell, dict | list | bool) else cell for cell in cells
        )
    print(_encodable(text.getvalue()), end="")


def _plain(value: object) -> Json:
    """A value as JSON has it: null for a number that is not finite, text for what it lacks."""
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return value if value is None or isinstance(value, str | int) else str(value)


def _print_table(answer: Answer) -> None:
    """Print the table; on a terminal within its width and in colour."""
    table = answer.table
    if not sys.stdout.isatty():
        print(_encodable(table.to_text()))
        return
    from rich.console import Console

    console = Console(highlight=False, markup=False, soft_wrap=True)
    blocks = table.blocks(console.width)
    title = wrapped(table.title, console.width) if blocks else table.title  # which may be a path
    for text, kind in [(title, ""), *blocks, (wrapped(table.note, console.width), "note")]:
        if text:
            console.print(text, style=STYLES.get(kind, ""))


def _encodable(text: str) -> str:
    """The text with question marks for the signs that the output's encoding lacks."""
    encoding = sys.stdout.encoding or "utf-8"
    return text.encode(encoding, errors="replace").decode(encoding)


STYLES = {
    "header": "bold",
    "note": "dim",
    "total": "bold",
    "best": "bold",
    "equal": "green",
    "differs": "yellow",
}
OUTPUTS: dict[str, Callable[[Answer], None]] = {
    "table": _print_table,
    "json": _print_json,
    "csv": _print_csv,
}
