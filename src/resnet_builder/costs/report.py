"""What a network costs, in all and by stages: the rows of the paper's Table 1."""

from collections.abc import Iterable
from dataclasses import dataclass

from ..common.tables import Stack, Table


@dataclass(frozen=True)
class StageProfile:
    """One row of Table 1.

    Attributes:
        name: such as `"stage2"`.
        output_size: (rows, columns) behind it; None where unknown or not an image.
        block: what it is made of, a line each.
        repeats: how often that is repeated.
        parameters: trained weights.
        macs: multiply-adds for one image.
    """

    name: str
    output_size: tuple[int | None, int | None] | None
    block: tuple[str, ...]
    repeats: int
    parameters: int
    macs: int | None


@dataclass(frozen=True)
class Profile:
    """What a network costs, in all and by stages; prints as the paper's Table 1.

    Attributes:
        name: of the preset or model.
        input_shape: (rows, columns, channels), or a model's own.
        parameters: trained weights, as PyTorch counts them.
        total_parameters: with batch norm's moving statistics and whatever else is not trained:
            `model.count_params()`.
        macs: multiply-adds of convolutions and dense layers for one image: what papers call FLOPs.
            None where the size of the image is unknown.
        stages: the rows.
        uncounted: layers of a Keras model that hold matrices and whose multiply-adds are unknown
            here, and so not counted.

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
        """The rows of Table 1 and their sum."""
        rows = [
            (
                row.name,
                _size(row.output_size),
                Stack(row.block, row.repeats),
                row.parameters,
                row.macs,
            )
            for row in self.stages
        ]
        total = ("total", "", "", self.parameters, self.macs)
        shape = "x".join("?" if size is None else str(size) for size in self.input_shape)
        notes = []
        if self.total_parameters != self.parameters:
            fixed = self.total_parameters - self.parameters
            notes.append(f"{self.total_parameters:,} parameters in all; {fixed:,} are not trained")
        if self.uncounted:
            notes.append(f"multiply-adds not counted: {', '.join(self.uncounted)}")
        return Table(
            title=f"{self.name}, {shape}",
            header=("stage", "output", "layers", "parameters", "multiply-adds"),
            rows=(*rows, total),
            note="\n".join(notes),
        )

    def __str__(self) -> str:
        return self.table().to_text()

    def to_markdown(self) -> str:
        """The table in Markdown."""
        return self.table().to_markdown()

    def to_latex(self) -> str:
        r"""The table in LaTeX, as a `tabular` with `\hline`s."""
        return self.table().to_latex()

    def _repr_html_(self) -> str:
        return self.table().to_html()


def known_sum(numbers: Iterable[int | None]) -> int | None:
    """Their sum, or None where one of them is unknown."""
    known = list(numbers)
    return None if None in known else sum(number for number in known if number is not None)


def _size(size: tuple[int | None, int | None] | None) -> str:
    return "x".join("?" if side is None else str(side) for side in size or ())
