"""The families of presets, in the gallery's order: the rows of families.csv.

python -m website.families      # writes their table into docs/presets.md
"""

import csv
from dataclasses import dataclass
from pathlib import Path

PAGE = Path(__file__).parents[1] / "docs" / "presets.md"


@dataclass(frozen=True)
class Family:
    """Presets that belong together.

    Attributes:
        title: its name in the gallery.
        group: its colour in the chart.
        in_short: what its networks have in common, as a sentence of Markdown.
        papers: numbers of the papers in the arXiv.
        libraries: the libraries that have the networks.
        presets: names of its presets.
    """

    title: str
    group: str
    in_short: str
    papers: tuple[str, ...]
    libraries: tuple[str, ...]
    presets: tuple[str, ...]

    @property
    def sources(self) -> str:
        """Papers and libraries, as links in Markdown."""
        links = (f"[arXiv:{paper}](https://arxiv.org/abs/{paper})" for paper in self.papers)
        return ", ".join([*links, *self.libraries])


def _families() -> tuple[Family, ...]:
    with Path(__file__).with_name("families.csv").open(encoding="utf-8", newline="") as file:
        return tuple(
            Family(title, group, in_short, *(tuple(cell.split()) for cell in names))
            for title, group, in_short, *names in list(csv.reader(file))[1:]
        )


FAMILIES = _families()
FAMILY_OF = {name: family for family in FAMILIES for name in family.presets}
# Not for use, and so not in the chart.
FOR_TESTS = FAMILY_OF["test_resnet"]


def presets_page() -> str:
    """The text of docs/presets.md with the table of the families."""
    table = ["| family | group | in short | source | presets |", "|---|---|---|---|---|"]
    for family in FAMILIES:
        presets = ", ".join(f"`{name}`" for name in family.presets)
        cells = (family.title, family.group, family.in_short, family.sources, presets)
        table.append(f"| {' | '.join(cells)} |")
    before, _, rest = PAGE.read_text(encoding="utf-8").partition("\n| ")
    return "\n".join([before, *table, "", rest.partition("|\n\n")[2]])


if __name__ == "__main__":
    PAGE.write_text(presets_page(), encoding="utf-8")
