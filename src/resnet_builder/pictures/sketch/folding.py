"""Folding: equal consecutive panels are drawn once, with their number."""

from collections.abc import Iterable
from dataclasses import replace
from itertools import groupby

from .panels import join
from .sketch import Box, Edge, Panel, Port, Sketch

# The boxes, edges and ports of a panel.
Drawn = tuple[tuple[Box, ...], tuple[Edge, ...], tuple[Port, ...], tuple[Port, ...]]


def folded(sketch: Sketch) -> Sketch:
    """Fold the panels of each section, and join consecutive single boxes."""
    sections = [
        replace(section, panels=in_rows(fold(section.panels))) for section in sketch.sections
    ]
    return replace(sketch, sections=tuple(sections))


def unfolded(sketch: Sketch) -> Sketch:
    """Join consecutive single boxes only."""
    sections = [replace(section, panels=in_rows(section.panels)) for section in sketch.sections]
    return replace(sketch, sections=tuple(sections))


def fold(panels: Iterable[Panel]) -> tuple[Panel, ...]:
    """Replace equal consecutive panels, or sequences of panels, by one with its count.

    A skip may leave from the end of the last one.
    """
    folded: list[Panel] = []
    run: list[Panel] = []
    for panel in panels:
        run.append(panel)
        if panel.outlets:
            folded += _folded_run(run)
            run = []
    return *folded, *_folded_run(run)


def _folded_run(panels: list[Panel]) -> list[Panel]:
    """Fold panels; skips from the end of the last one do not tell it from the others."""
    if not panels:
        return []
    *before, last = panels
    end = len(last.boxes) - 1
    at_end = [port for port in last.outlets if port.box == end]
    others = tuple(port for port in last.outlets if port.box != end)
    *before, last = _folded([*before, replace(last, outlets=others)])
    ports = (replace(port, box=len(last.boxes) - 1) for port in at_end)
    return [*before, replace(last, outlets=(*last.outlets, *ports))]


def _folded(panels: list[Panel]) -> list[Panel]:
    # Numbers, which are compared faster; panels that are drawn the same have the same one.
    numbers: dict[Drawn, int] = {}
    drawn = [numbers.setdefault(_drawing_of(panel), len(numbers)) for panel in panels]
    sizes = [len(panel.boxes) for panel in panels]
    result: list[Panel] = []
    start = 0
    while start < len(panels):
        period, repeats = _best_fold(drawn, sizes, start)
        end = start + period * repeats
        panel = join(panels[start : start + period])
        names = panel.names[0], panels[end - 1].names[1]
        result.append(replace(panel, names=names, repeats=repeats))
        start = end
    return result


def _drawing_of(panel: Panel) -> Drawn:
    return panel.boxes, panel.edges, panel.outlets, panel.inlets


def _best_fold(drawn: list[int], sizes: list[int], start: int) -> tuple[int, int]:
    """The period and the number of repeats from `start` on that leave the fewest boxes."""
    best, saved = (1, 1), 0
    boxes = 0  # in a period
    for period in range(1, (len(drawn) - start) // 2 + 1):
        boxes += sizes[start + period - 1]
        repeats = _repeats(drawn, start, period)
        saves = (repeats - 1) * boxes
        if saves > saved:
            best, saved = (period, repeats), saves
    return best


def _repeats(drawn: list[int], start: int, period: int) -> int:
    """The number of consecutive repeats of the period that begins at `start`."""
    end = start + period
    while end < len(drawn) and drawn[end] == drawn[end - period]:
        end += 1
    return (end - start) // period


def in_rows(panels: Iterable[Panel]) -> tuple[Panel, ...]:
    """Join consecutive panels of a single box to one panel without a title."""
    joined: list[Panel] = []
    for single, group in groupby(panels, lambda panel: len(panel.boxes) == panel.repeats == 1):
        if single:
            joined.append(replace(join(group), names=("", "")))
        else:
            joined.extend(group)
    return tuple(joined)
