"""coverage: the published networks that are presets, library by library."""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import groupby

from ..common.tables import Table, TableCell, Tabular, csv_rows
from ..presets.checkpoints import PublishedWeights, published
from ..presets.networks import PRESETS
from .profile import cost_of
from .published import rounded_alike

# library and preset -> the largest relative error of its logits, compared with the library's own
# network; tools/side_by_side.py writes it.
PARITY = "parity.csv"


@dataclass(frozen=True)
class Covered:
    """A published network.

    Attributes:
        library: library that publishes it, and its module in timm.
        architecture: its preset.
        checkpoints: number of its checkpoints.
        is_preset: whether it can be built.
        parameters: whether the number of its parameters is the published one; None if none is.
        relative_error: largest difference of its logits from the library's own in float32, as a
            fraction of the largest logit; None if it was not measured.
        in_float64: the same in float64, measured where float32 is too coarse for a network with
            random weights; None elsewhere.
    """

    library: str
    architecture: str
    checkpoints: int
    is_preset: bool
    parameters: bool | None
    relative_error: float | None
    in_float64: float | None


@dataclass(frozen=True)
class Coverage(Tabular):
    """All published networks and their checkpoints; prints as a table.

    Attributes:
        rows: one row for each network of each library.
    """

    rows: tuple[Covered, ...]

    @property
    def totals(self) -> dict[str, tuple[int, int]]:
        """For each library: the number of checkpoints whose network is a preset, and of all."""
        all_of, covered = Counter[str](), Counter[str]()
        for row in self.rows:
            all_of[row.library] += row.checkpoints
            covered[row.library] += row.checkpoints * row.is_preset
        return {library: (covered[library], count) for library, count in all_of.items()}

    def table(self) -> Table:
        """A row for every network, then the totals."""
        return Table(
            header=("library", "architecture", "checkpoints", "preset", "parameters", "logits"),
            rows=tuple(map(_cells, self.rows)),
            note="\n".join(
                [
                    "checkpoints whose network is a preset:",
                    *(f"{name} {some}/{count}" for name, (some, count) in self.totals.items()),
                ]
            ),
        )


def coverage() -> Coverage:
    """Compare the presets with all networks that libraries publish checkpoints of.

    Returns:
        A row for each network of each library, which print as a table: the number of its
        checkpoints, whether it is a preset, whether the number of parameters is the published one,
        and the relative error of the logits side by side.

    Example:
        >>> from resnet_builder.costs.coverage import coverage
        >>> coverage().totals["torchvision"]
        (17, 17)
    """
    return Coverage(tuple(_rows(published())))


def _rows(checkpoints: Iterable[PublishedWeights]) -> Iterator[Covered]:
    errors = _errors()
    for (library, preset), group in groupby(checkpoints, lambda row: (_library(row), row.preset)):
        of_network = list(group)
        is_preset = preset in PRESETS
        yield Covered(
            library=library,
            architecture=preset,
            checkpoints=len(of_network),
            is_preset=is_preset,
            parameters=_same_parameters(of_network) if is_preset else None,
            **errors.get((of_network[0].library, preset), UNMEASURED),
        )


def _library(row: PublishedWeights) -> str:
    return f"{row.library} {row.module}".strip()


def _same_parameters(checkpoints: Iterable[PublishedWeights]) -> bool | None:
    """Return whether the counts agree in all published digits; None if none are published."""
    equal = [
        rounded_alike(cost_of(PRESETS[row.preset].replace(classes=row.classes)).parameters, count)
        for row in checkpoints
        if (count := row.parameters)
    ]
    return all(equal) if equal else None


UNMEASURED: dict[str, float | None] = {"relative_error": None, "in_float64": None}


def _errors() -> dict[tuple[str, str], dict[str, float | None]]:
    return {
        (row["library"], row["preset"]): {
            column: float(row[column]) if row[column] else None for column in UNMEASURED
        }
        for row in csv_rows(__package__, PARITY)
    }


def _cells(row: Covered) -> tuple[TableCell, ...]:
    equal = {None: None, True: "equal", False: "differ"}[row.parameters]
    errors = [f"{e:.1e}" for e in (row.relative_error, row.in_float64) if e is not None]
    preset = "yes" if row.is_preset else "no"
    logits = ", in float64 ".join(errors) or None
    return (row.library, row.architecture, row.checkpoints, preset, equal, logits)
