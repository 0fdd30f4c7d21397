"""The table of the accuracies that somebody measured."""

import csv
from pathlib import Path

from resnet_builder import list_weights
from resnet_builder.common.tables import Table

# Beside the pages, so that the site has it too. A row for each measurement.
MEASURED = Path(__file__).parents[1] / "docs" / "measured.csv"


def measured_table() -> str:
    """The rows with the published top-1 of each checkpoint, in Markdown."""
    with MEASURED.open(encoding="utf-8", newline="") as file:
        rows = csv.DictReader(file)
        header = ("published top-1", *(name.replace("_", " ") for name in rows.fieldnames or ()))
        published = {row.name: row.top1 for row in list_weights().rows}
        cells = [(published.get(row["checkpoint"]), *row.values()) for row in rows]
    if not cells:
        return "*Nobody has sent a measurement yet.*"
    return Table(header=header, rows=tuple(cells)).to_markdown()
