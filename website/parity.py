"""The table of the page on parity."""

from dataclasses import replace

from resnet_builder import PRESETS
from resnet_builder.common.tables import TableCell
from resnet_builder.costs.published import coverage


def parity_table() -> str:
    """What `resnet-builder coverage` prints, with links to the gallery."""
    table = coverage().table()
    title, *counts = table.note.splitlines()
    note = f"{title.capitalize()} {', '.join(counts)}."
    return replace(table, rows=tuple(map(_linked, table.rows)), note=note).to_markdown()


def _linked(row: tuple[TableCell, ...]) -> tuple[TableCell, ...]:
    library, architecture, *rest, logits, written = row
    lines = logits.replace(", ", ",<br>") if isinstance(logits, str) else logits
    if architecture in PRESETS:
        architecture = f"[{architecture}](gallery/{architecture}.md)"
    return library, architecture, *rest, lines, written
