"""Folding: equal consecutive units are drawn once, with their number."""

from collections.abc import Iterable
from dataclasses import replace
from itertools import groupby

from .sketch import Box, Edge, Sketch, Unit
from .units import join

Drawn = tuple[tuple[Box, ...], tuple[Edge, ...]]  # a unit's boxes and edges


def folded(sketch: Sketch) -> Sketch:
    """Fold the units of each section, and join consecutive single boxes."""
    sections = [replace(section, units=in_rows(fold(section.units))) for section in sketch.sections]
    return replace(sketch, sections=tuple(sections))


def fold(units: Iterable[Unit]) -> tuple[Unit, ...]:
    """Replace equal consecutive units, or sequences of units, by one with its count."""
    units = list(units)
    drawn = [(unit.boxes, unit.edges) for unit in units]
    result: list[Unit] = []
    start = 0
    while start < len(units):
        period, repeats = _best_fold(drawn, start)
        end = start + period * repeats
        unit = join(units[start : start + period])
        names = unit.names[0], units[end - 1].names[1]
        result.append(replace(unit, names=names, repeats=repeats))
        start = end
    return tuple(result)


def _best_fold(drawn: list[Drawn], start: int) -> tuple[int, int]:
    """The period and the number of repeats from `start` on that leave the fewest boxes."""
    best, saved = (1, 1), 0
    boxes = 0  # in a period
    for period in range(1, (len(drawn) - start) // 2 + 1):
        boxes += len(drawn[start + period - 1][0])
        repeats = _repeats(drawn, start, period)
        saves = (repeats - 1) * boxes
        if saves > saved:
            best, saved = (period, repeats), saves
    return best


def _repeats(drawn: list[Drawn], start: int, period: int) -> int:
    """The number of consecutive repeats of the period that begins at `start`."""
    end = start + period
    while end < len(drawn) and drawn[end] == drawn[end - period]:
        end += 1
    return (end - start) // period


def in_rows(units: Iterable[Unit]) -> tuple[Unit, ...]:
    """Join consecutive units of a single box to one unit without a title."""
    joined: list[Unit] = []
    for single, group in groupby(units, lambda unit: len(unit.boxes) == unit.repeats == 1):
        if single:
            joined.append(replace(join(group), names=("", "")))
        else:
            joined.extend(group)
    return tuple(joined)
