"""verify: compare the presets with published numbers, which `published.json` has with sources."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase
from importlib import resources
from typing import NamedTuple

from ..common.checks import unknown
from ..common.tables import Table, Tabular
from ..common.words import INTERFACE
from ..presets.checkpoints import published as published_weights
from ..presets.networks import PRESETS
from .profile import cost_of

NUMBERS = "published.json"


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
        notes = list(dict.fromkeys(row.note for row in self.rows if row.note))
        sources = sorted({row.source for row in self.rows}, key=str.lower)
        rows = []
        for row in self.rows:
            verdict = "equal" if row.equal else "differs"
            if row.note:
                verdict += f" [{notes.index(row.note) + 1}]"
            quantity = row.quantity.replace("_", " ")
            rows.append((row.preset, quantity, row.ours, row.theirs, verdict, row.cited_as))
        equal = sum(row.equal for row in self.rows)
        explained = [f"[{number}] {note}" for number, note in enumerate(notes, start=1)]
        count = f"{equal} of {len(self.rows)} published numbers are equal to ours"
        if not self.rows:
            count = "no published number is known for these presets"
        return Table(
            header=("preset", "quantity", "ours", "published", "verdict", "source"),
            rows=tuple(rows),
            note="\n".join([*explained, "", *sources, "", count]).strip(),
            kinds=tuple("equal" if row.equal else "differs" for row in self.rows),
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
    if not any(fnmatchcase(name, pattern) for name in PRESETS):
        where = f"{INTERFACE.get().presets} names them all"
        raise ValueError(unknown("preset", pattern, PRESETS, where))
    order = list(PRESETS)
    numbers = [number for number in _numbers() if fnmatchcase(number.preset, pattern)]
    numbers.sort(key=lambda number: order.index(number.preset))
    return Report(tuple(map(_compared, numbers)))


class _Number(NamedTuple):
    """A published number; if it differs from ours, the one that we count and the reason."""

    cited_as: str
    source: str
    quantity: str
    preset: str
    published: str
    counted: str = ""
    reason: str = ""


def _numbers() -> Iterator[_Number]:
    """All numbers of `NUMBERS` and of the table of checkpoints, by publication."""
    text = resources.files(__package__).joinpath(NUMBERS).read_text(encoding="utf-8")
    data = json.loads(text)
    for publication in data["publications"]:
        cited = publication["name"], f"{publication['name']}: {publication['place']}"
        for preset, published in _of_checkpoints(publication.get("checkpoints_of")):
            yield _Number(*cited, "parameters", preset, published)
        for quantity, numbers in publication["numbers"].items():
            for preset, published in numbers.items():
                if isinstance(published, str):
                    yield _Number(*cited, quantity, preset, published)
                else:
                    reason = data["reasons"][published["reason"]]
                    yield _Number(*cited, quantity, preset, **published | {"reason": reason})


def _of_checkpoints(library: str | None) -> list[tuple[str, str]]:
    """The numbers of parameters in the table of a library's checkpoints, by preset."""
    return sorted(
        {
            (row.preset, row.parameters)
            for row in published_weights()
            if row.library == library
            and row.parameters
            and row.classes == PRESETS[row.preset].classes
        }
    )


def _compared(number: _Number) -> Published:
    ours = getattr(cost_of(PRESETS[number.preset]), number.quantity)
    # A reason explains only the difference it was found for.
    explained = rounded_alike(ours, number.counted) if number.reason else False
    return Published(
        preset=number.preset,
        quantity=number.quantity,
        ours=ours,
        theirs=number.published,
        cited_as=number.cited_as,
        source=number.source,
        equal=rounded_alike(ours, number.published),
        note=number.reason if explained else "",
    )


def rounded_alike(counted: int, published: str) -> bool:
    """Return whether a count in the published unit and digits is the published number."""
    number, _, unit = published.partition(" ")
    digits = len(number.partition(".")[2])
    return f"{counted / {'': 1, 'M': 10**6, 'G': 10**9}[unit]:,.{digits}f}" == number
