"""The families of presets, in the gallery's order: the rows of families.csv."""

import csv
from dataclasses import dataclass
from pathlib import Path

from resnet_builder.common.tables import Table

from .ideas import family_path


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


def families_table() -> str:
    """The families with their presets, which are links into the gallery, in Markdown."""
    return Table(
        header=("family", "presets", "in short", "source", "group"),
        rows=tuple(
            (
                f"[{family.title}]({family_path(family.title)})",
                ", ".join(f"[`{name}`](gallery/{name}.md)" for name in family.presets),
                family.in_short,
                family.sources,
                family.group,
            )
            for family in FAMILIES
        ),
    ).to_markdown()
