"""Changes of whole sketches: panels folded, joined to rows or closed, and differences marked."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from difflib import SequenceMatcher
from itertools import accumulate, chain, groupby

from ...common.words import Description
from .sketch import ENTRY, Box, Cell, Edge, Panel, Port, Section, Sketch

MOST_CELLS = 6  # in the box of a closed panel


def folded(sketch: Sketch) -> Sketch:
    """Fold the panels of each section, and join consecutive single boxes."""
    return unfolded(_with_panels(sketch, fold))


def unfolded(sketch: Sketch) -> Sketch:
    """Join consecutive single boxes only."""
    return _with_panels(sketch, in_rows)


def closed(sketch: Sketch) -> Sketch:
    """Close a folded sketch: each panel is one box, and its shortcuts lead past it into the box."""
    return _with_panels(sketch, lambda panels: tuple(map(_closed_panel, panels)))


def _with_panels(sketch: Sketch, change: Callable[[Sequence[Panel]], tuple[Panel, ...]]) -> Sketch:
    sections = (replace(section, panels=change(section.panels)) for section in sketch.sections)
    return replace(sketch, sections=tuple(sections))


# Joining and folding ----------------------------------------------------------------------------


def in_rows(panels: Iterable[Panel]) -> tuple[Panel, ...]:
    """Join consecutive panels of a single box, or of a chain without a title, to one panel."""
    joined: list[Panel] = []
    for is_row, group in groupby(panels, _is_row):
        of_group = list(group)
        joined += [replace(join(of_group), names=("", ""))] if is_row else of_group
    return tuple(joined)


def _is_row(panel: Panel) -> bool:
    is_chain = all(edge.source == edge.target - 1 for edge in panel.edges)
    return panel.repeats == 1 and (len(panel.boxes) == 1 or (is_chain and not panel.title))


def join(panels: Iterable[Panel]) -> Panel:
    """Join consecutive panels to one."""
    panels = list(panels)
    starts = accumulate((len(panel.boxes) for panel in panels[:-1]), initial=0)
    placed = list(zip(starts, panels, strict=True))
    return Panel(
        names=(panels[0].names[0], panels[-1].names[1]),
        boxes=tuple(chain.from_iterable(panel.boxes for panel in panels)),
        # The entry, -1, becomes the last box before it.
        edges=tuple(
            Edge(start + edge.source, start + edge.target, edge.role)
            for start, panel in placed
            for edge in panel.edges
        ),
        layers=tuple(chain.from_iterable(panel.layers for panel in panels)),
        insides=tuple(chain.from_iterable(panel.insides for panel in panels)),
        outlets=tuple(Port(n + p.box, p.skip) for n, panel in placed for p in panel.outlets),
        inlets=tuple(Port(n + p.box, p.skip) for n, panel in placed for p in panel.inlets),
    )


def fold(panels: Iterable[Panel]) -> tuple[Panel, ...]:
    """Replace equal consecutive panels, or sequences of panels, by one with its count.

    A skip may leave from the end of the last one.
    """
    panels = list(panels)
    # Numbers, which are compared faster; panels that are drawn the same have the same one.
    numbers: dict[Panel, int] = {}
    drawn = [numbers.setdefault(_drawn_alike(panel), len(numbers)) for panel in panels]
    sizes = [len(panel.boxes) for panel in panels]
    folded: list[Panel] = []
    start = 0
    while start < len(panels):
        left = (number for number in range(start, len(panels)) if panels[number].outlets)
        stop = next(left, len(panels)) + 1
        period, repeats = _best_fold(drawn[start:stop], sizes[start:stop])
        panel, last = join(panels[start : start + period]), panels[start + period * repeats - 1]
        if repeats > 1:
            end = len(panel.boxes) - 1
            outlets = tuple(replace(port, box=end) for port in last.outlets)
            names = panel.names[0], last.names[1]
            panel = replace(panel, names=names, repeats=repeats, outlets=outlets)
        folded.append(panel)
        start += period * repeats
    return tuple(folded)


def _drawn_alike(panel: Panel) -> Panel:
    """The panel without its names and without the skips from its end."""
    inside = tuple(port for port in panel.outlets if port.box < len(panel.boxes) - 1)
    return replace(panel, names=("", ""), outlets=inside)


def _best_fold(drawn: Sequence[int], sizes: Sequence[int]) -> tuple[int, int]:
    """The period and the number of repeats at the start that leave the fewest boxes."""
    best, saved = (1, 1), 0
    for period in range(1, len(drawn) // 2 + 1):
        end = period
        while end < len(drawn) and drawn[end] == drawn[end - period]:
            end += 1
        repeats = end // period
        saves = (repeats - 1) * sum(sizes[:period])
        if saves > saved:
            best, saved = (period, repeats), saves
    return best


# Closing ----------------------------------------------------------------------------------------


def _closed_panel(panel: Panel) -> Panel:
    def ports(of_boxes: tuple[Port, ...]) -> tuple[Port, ...]:
        return tuple(dict.fromkeys(replace(port, box=0) for port in of_boxes))

    roles = ["", *panel.shortcuts] if panel.follows else []
    return Panel(
        names=("", ""),
        boxes=(_closed_box(panel),),
        edges=tuple(Edge(ENTRY, 0, role) for role in roles),
        layers=(tuple(chain.from_iterable(panel.layers)),),
        insides=(None,),
        outlets=ports(panel.outlets),
        inlets=ports(panel.inlets),
    )


def _closed_box(panel: Panel) -> Box:
    """The names of the blocks and their number, then the main layers."""
    times = f"× {panel.repeats}" if panel.repeats > 1 else ""
    words = " ".join(filter(None, [panel.title, times]))
    title = [Cell(Description("other", words), panel.marked)] if words else []
    cells = panel.main_cells or list(chain.from_iterable(panel.boxes))
    if len(cells) > MOST_CELLS:
        cells[MOST_CELLS - 1 :] = [Cell(Description("other", "…"))]
    return tuple(title + cells)


# Differences ------------------------------------------------------------------------------------


def mark_differences(sketches: Iterable[Sketch]) -> list[Sketch]:
    """Mark what differs between two sketches; one has no differences.

    Sections are compared by name, panels by their index in the section.
    """
    match list(sketches):
        case [first, second]:
            return [_marked(first, second), _marked(second, first)]
        case alone:
            return alone


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
    cells = list(chain.from_iterable(panel.boxes))
    other_cells = list(chain.from_iterable(other.boxes)) if other else []
    alike = SequenceMatcher(None, cells, other_cells, autojunk=False).get_matching_blocks()
    in_both = {n for block in alike for n in range(block.a, block.a + block.size)}
    marked = (replace(cell, marked=n not in in_both) for n, cell in enumerate(cells))
    boxes = tuple(tuple(next(marked) for _ in box) for box in panel.boxes)
    return replace(panel, boxes=boxes, marked=other is None or other.repeats != panel.repeats)
