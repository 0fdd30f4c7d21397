"""The cost of layers: weights and multiply-adds."""

from collections.abc import Iterable
from dataclasses import dataclass

from ..common.shapes import known_sum
from ..common.tables import Stack, Table, TableCell, Tabular
from ..common.words import by


@dataclass(frozen=True)
class Cost:
    """The cost of a layer, or of several.

    Attributes:
        parameters: trained weights.
        statistics: weights that are not trained.
        macs: multiply-adds for one image; None if unknown.
        uncounted: names of the layers with unknown multiply-adds, which are not in `macs`.
    """

    parameters: int = 0
    statistics: int = 0
    macs: int | None = 0
    uncounted: tuple[str, ...] = ()

    @property
    def total_parameters(self) -> int:
        """All weights."""
        return self.parameters + self.statistics

    @property
    def totals(self) -> tuple[int, int | None, int]:
        """The last three fields of a `StageProfile`."""
        return self.parameters, self.macs, self.total_parameters


def total_cost(costs: Iterable[Cost]) -> Cost:
    """The sum of costs."""
    costs = list(costs)
    return Cost(
        sum(cost.parameters for cost in costs),
        sum(cost.statistics for cost in costs),
        known_sum(cost.macs for cost in costs),
        tuple(dict.fromkeys(name for cost in costs for name in cost.uncounted)),
    )


@dataclass(frozen=True)
class StageProfile:
    """One row of Table 1.

    Attributes:
        name: name of the stage, such as `"stage2"`.
        output_size: (rows, columns) after it; None if unknown or not an image.
        block: its layers, a line each.
        repeats: number of repetitions of the block.
        parameters: trained weights.
        macs: multiply-adds for one image.
        total_parameters: all weights, including those that are not trained.

    Example:
        >>> from resnet_builder import profile
        >>> row = profile("resnet34").stages[1]
        >>> row.name, row.output_size, row.block, row.repeats
        ('stage1', (56, 56), ('3x3, 64', '3x3, 64'), 3)
    """

    name: str
    output_size: tuple[int | None, int | None] | None
    block: tuple[str, ...]
    repeats: int
    parameters: int
    macs: int | None
    total_parameters: int


@dataclass(frozen=True)
class Profile(Tabular):
    """Parameter and multiply-add counts, in total and per stage; prints as the paper's Table 1.

    Attributes:
        name: name of the preset or model.
        input_shape: (rows, columns, channels), or a model's own input shape.
        parameters: trained weights, as PyTorch counts them.
        total_parameters: all weights, including batch norm's moving statistics and others that are
            not trained: `model.count_params()`.
        macs: multiply-adds of convolutions and dense layers for one image, called FLOPs in papers.
            None if the size of the image is unknown.
        stages: the rows of the table; of a Keras model that contains networks of this package,
            their stages, and sections by size for the other layers.
        uncounted: layers of a Keras model that hold matrices, but are not counted because their
            multiply-adds are unknown.

    Example:
        >>> from resnet_builder import profile
        >>> [(row.name, row.repeats) for row in profile("resnet34").stages[1:-1]]
        [('stage1', 3), ('stage2', 4), ('stage3', 6), ('stage4', 3)]
    """

    name: str
    input_shape: tuple[int | None, ...]
    parameters: int
    total_parameters: int
    macs: int | None
    stages: tuple[StageProfile, ...]
    uncounted: tuple[str, ...] = ()

    def table(self) -> Table:
        """The rows of Table 1 and the total."""
        rows: list[tuple[TableCell, ...]] = []
        for row in self.stages:
            size, block = by(row.output_size or (), "x"), Stack(row.block, row.repeats)
            rows.append((row.name, size, block, row.parameters, row.macs))
        total = ("total", "", "", self.parameters, self.macs)
        notes = []
        if self.total_parameters != self.parameters:
            fixed = self.total_parameters - self.parameters
            notes.append(f"{self.total_parameters:,} parameters in all; {fixed:,} are not trained")
        if self.uncounted:
            notes.append(f"multiply-adds not counted: {', '.join(self.uncounted)}")
        return Table(
            title=f"{self.name}, {by(self.input_shape, 'x')}",
            header=("stage", "output", "layers", "parameters", "multiply-adds"),
            rows=(*rows, total),
            note="\n".join(notes),
            kinds=(*[""] * len(rows), "total"),
        )
