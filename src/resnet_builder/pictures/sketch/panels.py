"""Plans and models as sketches: their boxes in panels, and these in sections."""

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import chain, groupby
from math import prod
from os.path import commonprefix  # compares letters, of any strings

from ...common.shapes import Shape, known_sum
from ...costs.profile import Profile, profile_plan
from ...plan.names import ELSEWHERE, Place
from ...plan.network import Plan
from .boxes import OUTPUT, SUM, LayerBox, boxes_of_plan
from .sketch import ENTRY, Cell, Edge, Panel, Port, Section, Sketch

Boxes = Sequence[LayerBox]
NamedRange = tuple[str, range]  # the name of a panel and the numbers of its boxes


def sketch_plan(plan: Plan, name: str) -> Sketch:
    """Sketch a plan, with a panel for every block."""
    boxes = list(boxes_of_plan(plan))
    return sketch_boxes(boxes, profile_plan(plan, name), [plan.image.output_shape])


def sketch_boxes(
    boxes: Boxes, counts: Profile, input_shapes: Iterable[Shape], *, in_parts: bool = True
) -> Sketch:
    """Sketch the network of some boxes, with the name and the totals of its profile.

    With `in_parts`, no panel is in two sections; without, a panel is in its last box's section.
    """
    parts = groupby(range(len(boxes)), lambda box: boxes[box].section if in_parts else None)
    segments = [segment for _, part in parts for segment in _segments(boxes, list(part))]
    sections = groupby(segments, lambda segment: boxes[segment[-1]].section)
    panels = [(title, list(_panels(boxes, of_section))) for (title, _), of_section in sections]
    ranges = [numbers for _, of_section in panels for _, numbers in of_section]
    left = {a for numbers in ranges for a, _ in _lines(boxes, numbers) if _skips(a, numbers)}
    drawn = [_section(boxes, title, of_section, left) for title, of_section in panels]
    joined = tuple(_with_inputs(_with_resizing(drawn)))
    return Sketch(counts.name, tuple(input_shapes), counts.parameters, counts.macs, joined)


def _section(boxes: Boxes, title: str, panels: list[NamedRange], left: set[int]) -> Section:
    own = [boxes[box] for _, numbers in panels for box in numbers]
    layers = [layer for box in own for layer in box.layers]
    outputs = [box for box in own if OUTPUT in box.cells]
    ends = outputs if len(outputs) > 1 else own[-1:]
    return Section(
        name=title,
        output_shapes=tuple(box.layers[-1].output_shape for box in ends),
        parameters=sum(layer.parameters for layer in layers),
        macs=known_sum(layer.macs for layer in layers),
        panels=tuple(
            _panel(boxes, "" if name.lower() == title.lower() else name, numbers, left)
            for name, numbers in panels
        ),
    )


def _with_inputs(sections: list[Section]) -> list[Section]:
    """Move inputs without other layers into the next section."""
    joined: list[Section] = []
    for section in reversed(sections):
        [panel, *others] = section.panels
        is_free = not (others or section.parameters or section.macs)
        feeds = _is_single(section) and not panel.edges and joined and joined[-1].panels[0].follows
        if joined and (feeds or (is_free and section is sections[0])):
            after = joined.pop()
            section = replace(after, panels=(panel, *after.panels))
        joined.append(section)
    return joined[::-1]


def _with_resizing(sections: Iterable[Section]) -> list[Section]:
    """Move a single layer that computes nothing, such as an up-sampling, to the section before."""
    joined: list[Section] = []
    for section in sections:
        if joined and _is_single(section) and section.panels[0].follows:
            before = joined.pop()
            panels = (*before.panels, *section.panels)
            section = replace(before, panels=panels, output_shapes=section.output_shapes)
        joined.append(section)
    return joined


def _is_single(section: Section) -> bool:
    """Whether a section is one box without a name, a cost or a skip."""
    [panel, *others] = section.panels
    known = section.name or section.parameters or section.macs
    return not (known or others or panel.inlets) and len(panel.boxes) == 1


# Which boxes make a panel -----------------------------------------------------------------------


def _segments(boxes: Boxes, part: Sequence[int]) -> Iterator[range]:
    """Yield ranges of the boxes of a part, each ending in a box that every path there passes."""
    start, stop = part[0], part[-1] + 1
    last_fed = dict.fromkeys(part, stop)
    begins = start  # the last box that begins here, or at the box before
    for box in part:
        inputs = [source for source in boxes[box].inputs if source >= start]
        last_fed |= dict.fromkeys(inputs, box)
        if not inputs or start - 1 in boxes[box].inputs:
            begins = box
    furthest = begins
    for box in part:
        if furthest <= box or box == part[-1]:
            yield range(start, box + 1)
            start = box + 1
        furthest = max(furthest, last_fed[box])


def _panels(boxes: Boxes, segments: Iterable[range]) -> Iterator[NamedRange]:
    """Yield a panel for every block, for the stem and the head, and for every other segment."""

    def place(segment: range) -> Place:
        places = (boxes[box].place for box in segment)
        return next((place for place in places if place.kind), ELSEWHERE)

    for of_panel, group in groupby(segments, place):
        if of_panel == ELSEWHERE:
            yield from _other_panels(boxes, group)
        else:
            numbers = list(chain.from_iterable(group))
            yield of_panel.in_stage, range(numbers[0], numbers[-1] + 1)


def _other_panels(boxes: Boxes, segments: Iterable[range]) -> Iterator[NamedRange]:
    """Yield a panel for every segment; batch norm and activation are in the block they begin."""
    waiting: list[NamedRange] = []
    for segment in segments:
        name = _common_name([layer.name for box in segment for layer in boxes[box].layers])
        if waiting and len(segment) > 1:
            segment = range(waiting.pop()[1].start, segment.stop)
        yield from waiting
        kinds = {cell.kind for box in segment for cell in boxes[box].cells}
        waiting = [(name, segment)] if kinds <= {"norm", "activation"} else []
        if not waiting:
            yield name, segment
    yield from waiting


def _common_name(names: list[str]) -> str:
    """The common beginning of the names of a block's layers, if it is a name: conv2_block1."""
    prefix = commonprefix(names) if len(names) > 1 else ""  # noqa: RUF071
    found = re.match(r"(.*[A-Za-z].*\d.*)[_/.]", prefix)
    return found[1] if found else ""


# A panel ----------------------------------------------------------------------------------------


def _skips(source: int, numbers: range) -> bool:
    """Whether a box feeds the panel past the last box before it."""
    return source < numbers.start - 1


def _lines(boxes: Boxes, numbers: range) -> list[tuple[int, int]]:
    """The lines that lead to boxes: the two ends of each."""
    return [(source, box) for box in numbers for source in boxes[box].inputs]


def _panel(boxes: Boxes, name: str, numbers: range, left: set[int]) -> Panel:
    start, lines = numbers.start, _lines(boxes, numbers)
    panel = Panel(
        names=(name, name),
        boxes=tuple(boxes[box].cells for box in numbers),
        edges=tuple(Edge(a - start, b - start) for a, b in lines if not _skips(a, numbers)),
        layers=tuple(boxes[box].layers for box in numbers),
        insides=tuple(_inside(boxes[box].inside) for box in numbers),
        outlets=tuple(Port(box - start, box) for box in numbers if box in left),
        inlets=tuple(Port(b - start, a) for a, b in lines if _skips(a, numbers)),
    )
    return replace(panel, edges=_with_roles(panel))


def _inside(boxes: Boxes) -> Panel | None:
    """The panel of the boxes inside a box."""
    return _panel(boxes, "", range(len(boxes)), set()) if boxes else None


def _with_roles(panel: Panel) -> tuple[Edge, ...]:
    """The edges, with the role of a shortcut for the shorter one of the two paths to each sum.

    At every box, shortcuts come last.
    """

    def effort(path: list[Edge]) -> tuple[int, ...]:
        """The convolutions, their windows' sizes, the edges, and whether boxes come before them."""
        cells = (cell for edge in path[:-1] for cell in panel.boxes[edge.target])
        windows = [prod(cell.description.window) for cell in cells if cell.kind == "conv"]
        return len(windows), sum(windows), len(path), path[0].source != ENTRY

    roles: dict[Edge, str] = {}
    for paths in _paths_to_sums(panel):
        short, long = sorted(paths, key=effort)
        if effort(short) < effort(long):
            kinds = {cell.kind for edge in short[:-1] for cell in panel.boxes[edge.target]}
            role = "resized identity" if len(short) > 1 else "identity"
            roles |= dict.fromkeys(short, "projection" if kinds & {"conv", "dense"} else role)
    edges = (replace(edge, role=roles.get(edge, "")) for edge in panel.edges)
    return tuple(sorted(edges, key=lambda edge: (edge.target, bool(edge.role))))


def _paths_to_sums(panel: Panel) -> Iterator[list[list[Edge]]]:
    """Yield, for every sum of two tensors, the two chains of edges that end in it.

    A chain that begins at a skip, as a lateral convolution of a feature pyramid, is no shortcut.
    """
    out_of = Counter(edge.source for edge in panel.edges)
    into: defaultdict[int, list[Edge]] = defaultdict(list)
    for edge in panel.edges:
        into[edge.target].append(edge)

    def path_to(edge: Edge) -> list[Edge]:
        path = [edge]
        while out_of[path[0].source] == len(into[path[0].source]) == 1:
            path.insert(0, into[path[0].source][0])
        return path

    for box, cells in enumerate(panel.boxes):
        if cells[:1] == (Cell(SUM),) and len(into[box]) == 2:
            paths = [path_to(edge) for edge in into[box]]
            if all(path[0].source == ENTRY or into[path[0].source] for path in paths):
                yield paths
