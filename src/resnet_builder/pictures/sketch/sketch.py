"""The content of a picture before layout: sections of panels of boxes."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from ...common import words
from ...common.shapes import Shape
from ...common.words import Description
from ...costs.activations import NO_VIEW, View

MOST_SHAPES = 3  # in a title
ENTRY = -1  # the entry of a panel: the last box of the panel before it


@dataclass(frozen=True)
class DrawnLayer:
    """What a picture tells of a layer of a plan or a model.

    Attributes:
        name: name of the layer.
        input_shape: shape of its first input for one image; None if it has none or several tensors.
        output_shape: shape of its output for one image; None for several outputs.
        weights: shapes of its weights by name.
        parameters: number of trained weights.
        macs: multiply-adds for one image; None if unknown.
        settings: its settings in words, such as the stride, by name.
        view: what a pixel of its output sees of the image.
        kept: bytes that training keeps of its output for one image; None if unknown.
        tensors: names of its weights in other libraries, by library, in the order of `weights`.
    """

    name: str
    input_shape: Shape | None
    output_shape: Shape | None
    weights: Mapping[str, tuple[int, ...]]
    parameters: int
    macs: int | None
    settings: Mapping[str, str] = field(default_factory=dict)
    view: View = NO_VIEW
    kept: int | None = None
    tensors: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


@dataclass(frozen=True)
class Cell:
    """A part of a box, such as a layer; marked if it is not in the other network."""

    description: Description
    marked: bool = False

    @property
    def kind(self) -> str:
        """The kind of the layer, which decides the colour."""
        return self.description.kind

    @property
    def words(self) -> str:
        """The text."""
        return self.description.words


Box = tuple[Cell, ...]


@dataclass(frozen=True)
class Edge:
    """An edge from a box of a panel, or from its entry, to a box.

    `role` is that of a shortcut, `"identity"`, `"resized identity"` (strided or padded, without
    weights) or `"projection"`, or empty.
    """

    source: int
    target: int
    role: str = ""


@dataclass(frozen=True)
class Port:
    """A box from which a skip leaves its panel, or at which it ends; `skip` is the skip's number.

    Several skips that begin at one box have one number.
    """

    box: int
    skip: int


@dataclass(frozen=True)
class Panel:
    """Boxes, each after those that feed it; the next panel begins at the last one.

    `names` are those of the first and the last panel that are folded into this one; it is marked if
    the other network has another number of them. `layers` are those of each box, the hidden ones
    too; `insides` are panels of the layers of boxes that stand for several paths. Skips lead from
    the `outlets` of a panel to the `inlets` of later ones: the lines that do not go through the
    panels between, as from a U-Net's encoder to its decoder.
    """

    names: tuple[str, str]
    boxes: tuple[Box, ...]
    edges: tuple[Edge, ...]
    layers: tuple[tuple[DrawnLayer, ...], ...] = field(compare=False)
    insides: "tuple[Panel | None, ...]" = field(compare=False)
    repeats: int = 1
    marked: bool = False
    outlets: tuple[Port, ...] = ()
    inlets: tuple[Port, ...] = ()

    @property
    def follows(self) -> bool:
        """Whether a line leads to it from the panel before."""
        return any(edge.source == ENTRY for edge in self.edges)

    @property
    def forks(self) -> bool:
        """Whether several edges begin at its entry."""
        return sum(edge.source == ENTRY for edge in self.edges) > 1

    @property
    def title(self) -> str:
        """The names, such as block2 – block6."""
        return " – ".join(dict.fromkeys(filter(None, self.names)))

    @property
    def main_cells(self) -> list[Cell]:
        """The cells of the main path without norms, activations and sums."""
        beside = {edge.target for edge in self.edges} - self._main_boxes
        cells = (cell for n, box in enumerate(self.boxes) if n not in beside for cell in box)
        return [cell for cell in cells if cell.kind not in ("norm", "activation", "merge")]

    @property
    def shortcuts(self) -> Counter[str]:
        """The number of shortcuts by role, in order: the same in every process."""
        main = self._main_boxes
        return Counter(edge.role for edge in self.edges if edge.role and edge.target in main)

    @property
    def _main_boxes(self) -> set[int]:
        """The boxes that not only shortcuts lead to."""
        return {edge.target for edge in self.edges if not edge.role}


def skips(parts: Iterable[Iterable[Panel]]) -> Iterator[tuple[int, int, int]]:
    """Yield every skip: its number, and the indices of the parts where it begins and ends."""
    starts: dict[int, int] = {}
    for number, panel in ((n, panel) for n, panels in enumerate(parts) for panel in panels):
        yield from ((port.skip, starts[port.skip], number) for port in panel.inlets)
        starts |= {port.skip: number for port in panel.outlets}


@dataclass(frozen=True)
class Section:
    """Panels, such as the blocks of a stage, and their costs.

    `output_shapes` are for one image: those of the model's outputs if it has several of them, else
    that of its last layer, which is None for several tensors; `marks` are the names of the details
    that differ from the other network.
    """

    name: str
    output_shapes: tuple[Shape | None, ...]
    parameters: int
    macs: int | None
    panels: tuple[Panel, ...]
    marks: frozenset[str] = frozenset()

    @property
    def size(self) -> str:
        """The output shapes in words: 56×56×64, or 1000 values, or both; may be empty."""
        if len(self.output_shapes) > MOST_SHAPES:
            return f"{len(self.output_shapes)} outputs"
        return ", ".join(_size(shape) for shape in self.output_shapes if shape)

    @property
    def title(self) -> str:
        """The name, or the size if it has no name; may be empty."""
        return self.name or self.size

    @property
    def details(self) -> dict[str, str]:
        """The lines below the title, by field; the size is empty if it is the title."""
        return {"size": self.size if self.name else ""} | _costs(self.parameters, self.macs)


def _size(shape: Shape) -> str:
    unit = "" if len(shape) > 1 else " value" if shape == (1,) else " values"
    return words.by(shape) + unit


def _costs(parameters: int, macs: int | None) -> dict[str, str]:
    return {
        "parameters": f"{words.short(parameters)} parameters",
        "macs": f"{words.short(macs)} multiply-adds",
    }


@dataclass(frozen=True)
class Sketch:
    """A whole network; `marks` are the names of the totals that differ from the other network."""

    name: str
    input_shapes: tuple[Shape, ...]
    parameters: int
    macs: int | None
    sections: tuple[Section, ...]
    marks: frozenset[str] = frozenset()

    @property
    def totals(self) -> dict[str, str]:
        """The texts after the name, by field; a single number has no size."""
        size = ", ".join(map(words.by, self.input_shapes))
        return {"size": size} | _costs(self.parameters, self.macs)

    @property
    def in_words(self) -> str:
        """What the picture shows, for those who do not see it: the totals, and every section."""
        totals = ", ".join(filter(None, self.totals.values()))
        sections = "; ".join(
            ", ".join(filter(None, [section.title, section.details["size"]]))
            for section in self.sections
        )
        return f"The network {self.name}: {totals}. Sections: {sections}."
