"""Marks on the parts in which two sketches differ."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from difflib import SequenceMatcher

from .sketch import Cell, Panel, Section, Sketch


def mark_differences(first: Sketch, second: Sketch) -> tuple[Sketch, Sketch]:
    """Mark both sketches; sections are compared by name, panels by their index in the section."""
    return _marked(first, second), _marked(second, first)


def _marked(sketch: Sketch, other: Sketch) -> Sketch:
    others = {section.name: section for section in other.sections}
    sections = (_marked_section(section, others.get(section.name)) for section in sketch.sections)
    marks = _different(sketch.totals, other.totals)
    return replace(sketch, sections=tuple(sections), marks=marks)


def _different(fields: Mapping[str, str], others: Mapping[str, str]) -> frozenset[str]:
    """The names of the fields with other words than the other network's."""
    return frozenset(name for name, words in fields.items() if words != others.get(name))


def _marked_section(section: Section, other: Section | None) -> Section:
    marks = _different(section.details, other.details if other else {})
    panels = [
        _marked_panel(panel, other.panels[min(number, len(other.panels) - 1)] if other else None)
        for number, panel in enumerate(section.panels)
    ]
    return replace(section, panels=tuple(panels), marks=marks)


def _marked_panel(panel: Panel, other: Panel | None) -> Panel:
    cells = iter(_marked_cells(panel, other))
    boxes = tuple(tuple(next(cells) for _ in box) for box in panel.boxes)
    return replace(panel, boxes=boxes, marked=other is None or other.repeats != panel.repeats)


def _marked_cells(panel: Panel, other: Panel | None) -> Iterator[Cell]:
    cells = [cell for box in panel.boxes for cell in box]
    other_cells = [cell for box in other.boxes for cell in box] if other else []
    matcher = SequenceMatcher(None, cells, other_cells, autojunk=False)
    for tag, start, end, *_ in matcher.get_opcodes():
        for cell in cells[start:end]:
            yield replace(cell, marked=tag != "equal")
