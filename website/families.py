"""The families of presets, in the gallery's order: the rows of docs/presets.md."""

from dataclasses import dataclass
from pathlib import Path

PAGE = Path(__file__).parent.parent / "docs" / "presets.md"


@dataclass(frozen=True)
class Family:
    """Presets that belong together.

    Attributes:
        title: its name in the gallery.
        group: its colour in the chart.
        in_short: what its networks have in common, as a sentence of Markdown.
        sources: papers and libraries, as links in Markdown.
        presets: names of its presets.
    """

    title: str
    group: str
    in_short: str
    sources: str
    presets: tuple[str, ...]


def _family(row: str) -> Family:
    title, group, in_short, sources, presets = (cell.strip() for cell in row.split("|")[1:-1])
    return Family(title, group, in_short, sources, tuple(presets.replace("`", "").split(", ")))


def _rows() -> list[str]:
    lines = PAGE.read_text(encoding="utf-8").splitlines()
    _header, _rule, *rows = (line for line in lines if line.startswith("|"))
    return rows


FAMILIES = tuple(map(_family, _rows()))
FAMILY_OF = {name: family for family in FAMILIES for name in family.presets}
# Not for use, and so not in the chart.
FOR_TESTS = FAMILY_OF["test_resnet"]
