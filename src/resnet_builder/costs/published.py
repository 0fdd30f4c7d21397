"""verify and coverage: the presets beside published numbers, networks and checkpoints."""

import csv
import json
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase
from itertools import groupby
from pathlib import Path

from ..common.checks import unknown
from ..common.tables import Table, TableCell, Tabular
from ..common.words import INTERFACE
from ..presets.checkpoints import PublishedWeights
from ..presets.checkpoints import published as published_weights
from ..presets.networks import PRESETS
from .profile import cost_of, listed_costs

# The published numbers, with their sources.
NUMBERS = Path(__file__).with_name("published.json")
# The largest relative errors of the logits, compared with the libraries' own networks, which
# `tools/side_by_side.py` writes.
PARITY = Path(__file__).with_name("parity.csv")
# Networks that a library publishes beside those that are built, and why they are not.
NOT_BUILT = Path(__file__).with_name("not_built.csv")


# Numbers ----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Published:
    """A published number compared with the counted one.

    Attributes:
        preset: name of the preset.
        quantity: `"parameters"`, `"total_parameters"` or `"macs"`, as in `Profile`.
        ours: the number that `profile` counts.
        theirs: the number as published, with its unit and its digits.
        cited_as: the publication, in short.
        source: the publication, and the place in it.
        equal: whether the counted number, rounded to the published digits, is the published one.
        note: the reason for a difference, if it is known.
    """

    preset: str
    quantity: str
    ours: int
    theirs: str
    cited_as: str
    source: str
    equal: bool
    note: str = ""


@dataclass(frozen=True)
class Report(Tabular):
    """The published numbers compared with the counted ones; prints as a table.

    Attributes:
        rows: one row for each number.

    Example:
        >>> [row.theirs for row in verify("resnext101_64x4d").rows]
        ['83.46 M', '83,455,272', '15.46 G']
    """

    rows: tuple[Published, ...]

    @property
    def unexplained(self) -> tuple[Published, ...]:
        """The rows that differ without a known reason."""
        return tuple(row for row in self.rows if not row.equal and not row.note)

    def table(self) -> Table:
        """A row for every number, then the reasons for differences."""
        notes = dict.fromkeys(row.note for row in self.rows if row.note)
        marks = {note: f" [{number}]" for number, note in enumerate(notes, start=1)}
        kinds = tuple("equal" if row.equal else "differs" for row in self.rows)
        rows = []
        for row, kind in zip(self.rows, kinds, strict=True):
            quantity, verdict = row.quantity.replace("_", " "), kind + marks.get(row.note, "")
            rows.append((row.preset, quantity, row.ours, row.theirs, verdict, row.cited_as))
        explained = [f"{mark} {note}".strip() for note, mark in marks.items()]
        sources = sorted({row.source for row in self.rows}, key=str.lower)
        count = f"{kinds.count('equal')} of {len(rows)} published numbers are equal to ours"
        if not rows:
            count = "no published number is known for these presets"
        return Table(
            header=("preset", "quantity", "ours", "published", "verdict", "source"),
            rows=tuple(rows),
            note="\n".join([*explained, "", *sources, "", count]).strip(),
            kinds=kinds,
        )


def verify(pattern: str = "*") -> Report:
    """Compare the presets with all their published numbers.

    Args:
        pattern: a shell pattern of presets' names.

    Returns:
        The comparison, which prints as a table.

    Raises:
        ValueError: no preset's name matches.

    Example:
        >>> report = verify("resnext50_*")
        >>> [(row.theirs, row.equal) for row in report.rows]
        [('25.03 M', True), ('25,028,904', True), ('4.23 G', True)]
        >>> verify().unexplained
        ()
    """
    order = {name: number for number, name in enumerate(PRESETS) if fnmatchcase(name, pattern)}
    if not order:
        where = f"{INTERFACE.get().presets} names them all"
        raise ValueError(unknown("preset", pattern, PRESETS, where))
    rows = (row for row in _compared_numbers() if row.preset in order)
    return Report(tuple(sorted(rows, key=lambda row: order[row.preset])))


def _compared_numbers() -> Iterator[Published]:
    """All numbers of `NUMBERS` and of the table of checkpoints, by publication."""
    data = json.loads(NUMBERS.read_text(encoding="utf-8"))
    for publication in data["publications"]:
        cited = publication["name"], f"{publication['name']}: {publication['place']}"
        of_checkpoints = _parameters_of(publication.get("checkpoints_of"))
        for quantity, numbers in [("parameters", of_checkpoints), *publication["numbers"].items()]:
            for preset, number in numbers.items():
                if isinstance(number, str):
                    yield _compared(*cited, quantity, preset, number)
                else:
                    reason = data["reasons"][number["reason"]]
                    yield _compared(*cited, quantity, preset, **number | {"reason": reason})


def _parameters_of(library: str | None) -> dict[str, str]:
    """The numbers of parameters in the table of a library's checkpoints, by preset."""
    rows = (row for row in published_weights() if row.library == library and row.parameters)
    return {
        row.preset: row.parameters for row in rows if row.classes == PRESETS[row.preset].classes
    }


def _compared(
    cited_as: str,
    source: str,
    quantity: str,
    preset: str,
    published: str,
    counted: str = "",
    reason: str = "",
) -> Published:
    """A published number, with the reason for a difference that equals the counted number."""
    ours = getattr(listed_costs()[preset], quantity)
    equal = rounded_alike(ours, published)
    # A reason explains only the difference it was found for.
    note = reason if reason and rounded_alike(ours, counted) else ""
    return Published(preset, quantity, ours, published, cited_as, source, equal, note)


def rounded_alike(counted: int, published: str) -> bool:
    """Return whether a count in the published unit and digits is the published number."""
    number, _, unit = published.partition(" ")
    digits = len(number.partition(".")[2])
    return f"{counted / {'': 1, 'M': 10**6, 'G': 10**9}[unit]:,.{digits}f}" == number


# Networks ---------------------------------------------------------------------------------------


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
        written: the error of the library's own network with the weights that `write_weights` wrote
            for it; None if it was not measured.
        reason: why it is not built; empty if it is.
    """

    library: str
    architecture: str
    checkpoints: int
    is_preset: bool
    parameters: bool | None = None
    relative_error: float | None = None
    in_float64: float | None = None
    written: float | None = None
    reason: str = ""


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
        totals = [f"{name} {some}/{count}" for name, (some, count) in self.totals.items()]
        return Table(
            header=(
                *("library", "architecture", "checkpoints", "preset", "parameters"),
                *("logits", "written back"),
            ),
            rows=tuple(map(_cells, self.rows)),
            note="\n".join(["checkpoints whose network is a preset:", *totals]),
        )


def coverage() -> Coverage:
    """Compare the presets with all networks that libraries publish checkpoints of.

    Returns:
        A row for each network of each library, which print as a table: the number of its
        checkpoints, whether it is a preset, whether the number of parameters is the published one,
        the relative error of the logits side by side, and the error in the library's own network
        of the weights that `write_weights` wrote for it.

    Example:
        >>> from resnet_builder.costs.published import coverage
        >>> coverage().totals["torchvision"]
        (51, 51)
    """
    with PARITY.open(encoding="utf-8", newline="") as file:
        _, *errors = csv.reader(file)
    measured = {(library, preset): cells for library, preset, *cells in errors}
    rows = []
    for (library, preset), group in groupby(published_weights(), _network_of):
        of_network = list(group)
        cells = measured.get((of_network[0].library, preset), ["", "", ""])
        in_float32, in_float64, written = (float(cell) if cell else None for cell in cells)
        covered = Covered(
            library,
            preset,
            len(of_network),
            is_preset=preset in PRESETS,
            parameters=_same_parameters(of_network),
            relative_error=in_float32,
            in_float64=in_float64,
            written=written,
        )
        rows.append(covered)
    with NOT_BUILT.open(encoding="utf-8", newline="") as file:
        _, *others = csv.reader(file)
    rows += [
        Covered(library, network, int(checkpoints), is_preset=False, reason=reason)
        for library, network, checkpoints, reason in others
    ]
    return Coverage(tuple(rows))


def _network_of(row: PublishedWeights) -> tuple[str, str]:
    return f"{row.library} {row.module}".strip(), row.preset


def _same_parameters(checkpoints: Iterable[PublishedWeights]) -> bool | None:
    """Return whether the counts agree in all published digits; None if none are published."""
    equal = [
        rounded_alike(_parameters(row), row.parameters)
        for row in checkpoints
        if row.parameters and row.preset in PRESETS
    ]
    return all(equal) if equal else None


def _parameters(row: PublishedWeights) -> int:
    """The number of parameters of a preset with the classes of a checkpoint."""
    config = PRESETS[row.preset]
    if row.classes == config.classes:
        return listed_costs()[row.preset].parameters
    return cost_of(config.replace(classes=row.classes)).parameters


def _cells(row: Covered) -> tuple[TableCell, ...]:
    equal = {None: None, True: "equal", False: "differ"}[row.parameters]
    errors = [f"{e:.1e}" for e in (row.relative_error, row.in_float64) if e is not None]
    preset = "yes" if row.is_preset else f"no: {row.reason}"
    logits = ", in float64 ".join(errors) or None
    written = None if row.written is None else f"{row.written:.1e}"
    return (row.library, row.architecture, row.checkpoints, preset, equal, logits, written)
