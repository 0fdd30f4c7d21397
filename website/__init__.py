"""The documentation site's generated pages: gallery, command line, tables. Not installed."""

import csv
from pathlib import Path


def table_of(name: str) -> list[dict[str, str]]:
    """The rows of a CSV file of this folder."""
    with Path(__file__).with_name(name).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))
