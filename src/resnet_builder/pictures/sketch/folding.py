"""Equal units in a row drawn once, with their number."""

from collections.abc import Iterable
from dataclasses import replace
from itertools import groupby

from .sketch import Box, Edge, Sketch, Unit
from .units import join

Drawn = tuple[tuple[Box, ...], tuple[Edge, ...]]  # a unit's boxes and edges


def folded(sketch: Sketch) -> Sketch:
    """The sketch with equal units in a row drawn once, and single boxes in a row as one unit."""
    sections = [replace(section, units=in_rows(fold(section.units))) for section in sketch.sections]
    return replace(sketch, sections=tuple(sections))


def fold(units: Iterable[Unit]) -> tuple[Unit, ...]:
    """Equal units in a row as one with its count; also where several units repeat in turn."""
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
    """How many units from `start` on repeat, and how often: what leaves fewest boxes to draw."""
    best, saved = (1, 1), 0
    boxes = 0  # of a period
    for period in range(1, (len(drawn) - start) // 2 + 1):
        boxes += len(drawn[start + period - 1][0])
        repeats = _repeats(drawn, start, period)
        saves = (repeats - 1) * boxes
        if saves > saved:
            best, saved = (period, repeats), saves
    return best


def _repeats(drawn: list[Drawn], start: int, period: int) -> int:
    """How often in a row the period that begins at `start` is there."""
    end = start + period
    while end < len(drawn) and drawn[end] == drawn[end - period]:
        end += 1
    return (end - start) // period


def in_rows(units: Iterable[Unit]) -> tuple[Unit, ...]:
    """Single boxes in a row as one unit without a title."""
    joined: list[Unit] = []
    for single, group in groupby(units, lambda unit: len(unit.boxes) == unit.repeats == 1):
        if single:
            joined.append(replace(join(group), names=("", "")))
        else:
            joined.extend(group)
    return tuple(joined)
