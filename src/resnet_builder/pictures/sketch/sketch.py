"""What a picture shows, before it is laid out: sections of units of boxes. No Keras here.

A section is a stage, the stem or the head; a unit is what may be repeated, such as a block; a box
is a convolution with the batch norm and the activation that go with it.
"""

from dataclasses import dataclass

from ...common import words
from ...common.words import Description

ENTRY = -1  # where a unit begins: the box that the unit before it ends in


@dataclass(frozen=True)
class Cell:
    """A part of a box. A marked one is not in the other network."""

    description: Description
    marked: bool = False

    @property
    def kind(self) -> str:
        """Its colour."""
        return self.description.kind

    @property
    def words(self) -> str:
        """Its text."""
        return self.description.words


Box = tuple[Cell, ...]


@dataclass(frozen=True)
class Edge:
    """From a box of a unit, or its entry, to a box.

    `role` is a shortcut's: `"identity"`, `"resized identity"` (strided or padded, without weights)
    or `"projection"`; or empty.
    """

    source: int
    target: int
    role: str = ""


@dataclass(frozen=True)
class Unit:
    """Boxes, each behind those that feed it; the last is the one that the next unit begins at.

    `names` are the first and the last of the units that are folded into this one; it is marked
    where another network has another number of them.
    """

    names: tuple[str, str]
    boxes: tuple[Box, ...]
    edges: tuple[Edge, ...]
    repeats: int = 1
    marked: bool = False

    @property
    def forks(self) -> bool:
        """Whether several boxes begin at its entry."""
        return sum(edge.source == ENTRY for edge in self.edges) > 1

    @property
    def title(self) -> str:
        """Such as block2 – block6."""
        return " – ".join(dict.fromkeys(filter(None, self.names)))


@dataclass(frozen=True)
class Section:
    """Units of one size, with what they cost; `size` is in words.

    `marks` are the details in which another network differs.
    """

    name: str
    size: str
    parameters: int
    macs: int | None
    units: tuple[Unit, ...]
    marks: frozenset[str] = frozenset()

    @property
    def title(self) -> str:
        """Its name, else its size; empty where it has neither."""
        return self.name or self.size

    @property
    def details(self) -> dict[str, str]:
        """What is said below its title, by field; the size where the title does not say it."""
        return {
            "size": self.size if self.name else "",
            "parameters": f"{words.short(self.parameters)} parameters",
            "macs": f"{words.short(self.macs)} multiply-adds",
        }


@dataclass(frozen=True)
class Sketch:
    """A whole network; `input_size` is in words. It is marked where another's totals differ."""

    name: str
    input_size: str
    parameters: int
    macs: int | None
    sections: tuple[Section, ...]
    marked: bool = False

    @property
    def totals(self) -> str:
        """What is said of it behind its name."""
        counts = f"{words.short(self.parameters)} parameters"
        return "   ".join([self.input_size, counts, f"{words.short(self.macs)} multiply-adds"])
