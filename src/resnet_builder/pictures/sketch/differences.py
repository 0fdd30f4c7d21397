"""Marks on the parts in which two sketches differ."""

from collections.abc import Iterator
from dataclasses import replace
from difflib import SequenceMatcher

from .sketch import Cell, Section, Sketch, Unit


def mark_differences(first: Sketch, second: Sketch) -> tuple[Sketch, Sketch]:
    """Mark both sketches; sections are compared by name, units by their index in the section."""
    return _marked(first, second), _marked(second, first)


def _marked(sketch: Sketch, other: Sketch) -> Sketch:
    others = {section.name: section for section in other.sections}
    sections = (_section(section, others.get(section.name)) for section in sketch.sections)
    return replace(sketch, sections=tuple(sections), marked=sketch.totals != other.totals)


def _section(section: Section, other: Section | None) -> Section:
    details = other.details if other else {}
    marks = {field for field, line in section.details.items() if line != details.get(field)}
    units = [
        _unit(unit, other.units[min(number, len(other.units) - 1)] if other else None)
        for number, unit in enumerate(section.units)
    ]
    return replace(section, units=tuple(units), marks=frozenset(marks))


def _unit(unit: Unit, other: Unit | None) -> Unit:
    cells = iter(_cells(unit, other))
    boxes = tuple(tuple(next(cells) for _ in box) for box in unit.boxes)
    return replace(unit, boxes=boxes, marked=other is None or other.repeats != unit.repeats)


def _cells(unit: Unit, other: Unit | None) -> Iterator[Cell]:
    cells = [cell for box in unit.boxes for cell in box]
    other_cells = [cell for box in other.boxes for cell in box] if other else []
    matcher = SequenceMatcher(None, cells, other_cells, autojunk=False)
    for tag, start, end, *_ in matcher.get_opcodes():
        for cell in cells[start:end]:
            yield replace(cell, marked=tag != "equal")
