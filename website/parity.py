"""The table of the page on parity."""

from dataclasses import replace

from resnet_builder.common.tables import TableCell
from resnet_builder.weights.coverage import coverage


def parity_table() -> str:
    """What `resnet-builder coverage` prints, with links to the gallery."""
    table = coverage().table()
    return replace(table, rows=tuple(map(_linked, table.rows))).to_markdown()


def _linked(row: tuple[TableCell, ...]) -> tuple[TableCell, ...]:
    library, architecture, *rest = row
    return library, f"[{architecture}](gallery/{architecture}.md)", *rest
