"""A sketch laid out on a page: sections as lanes, with their panels in rows and columns.

Top to bottom, a section is a lane with its panels side by side, or in one column; left to right, it
is a column of panels. Panels in one column have no frames.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate, chain, repeat, zip_longest

from ..sketch.sketch import Panel, Section, Sketch
from . import sizes
from .page import Frame, Page, PlacedBox, Point, Span, Text
from .panel_layout import PanelLayout, lay_out
from .routing import PanelColumn, PlacedPanel, add_edges, add_skips, connect
from .sizes import Extent, extent, text_width, widest

WIDEST = 1150  # a lane with more panels continues in another row
ROOM = WIDEST - sizes.HEADING_WIDTH  # for panels
SKIPS_IN_A_MARGIN = 4  # lines that come into a lane have room there


@dataclass(frozen=True)
class Lane:
    """A section's frame, the heights of its rows, and its panels in their places."""

    frame: Frame
    rows: list[float]
    panels: list[PlacedPanel]


def lay_out_page(sketch: Sketch, direction: str = "TB", *, in_one_column: bool = False) -> Page:
    """Lay out one network."""
    page = Page()
    lanes = lay_out_lanes(sketch, direction, in_one_column=in_one_column)
    _add_network(page, sketch, lanes, direction)
    return page


def lay_out_side_by_side(sketches: Sequence[Sketch], *, in_one_column: bool, note: str) -> Page:
    """Lay out several networks, with their sections and rows side by side, and a note below."""
    lanes = (lay_out_lanes(sketch, in_one_column=in_one_column) for sketch in sketches)
    heights = [
        [max(row) for row in zip_longest(*(lane.rows for lane in beside if lane), fillvalue=0)]
        for beside in zip_longest(*lanes)
    ]
    page = Page()
    for sketch in sketches:
        x = page.width + 2 * sizes.LANE_GAP if page.width else 0
        placed = lay_out_lanes(sketch, in_one_column=in_one_column, x=x, row_heights=heights)
        _add_network(page, sketch, placed, x=x)
    page.texts.append(Text(0, page.height + sizes.GAP, ((Span(note, 13),),)))
    page.height += 3 * sizes.GAP
    return page


def _add_network(
    page: Page, sketch: Sketch, lanes: Iterable[Lane], direction: str = "TB", *, x: float = 0
) -> None:
    """Add a network with its left edge at `x`."""
    panels: list[PlacedPanel] = []
    for section, lane in zip(sketch.sections, lanes, strict=True):
        corner = lane.frame.x + sizes.MARGIN, lane.frame.y + sizes.MARGIN
        page.frames.append(lane.frame)
        page.texts.append(Text(*corner, heading(section)))
        for placed in lane.panels:
            placed = replace(placed, first=len(page.boxes))
            if panels and placed.panel.follows:
                connect(page, panels[-1], placed)
            add_panel(page, placed)
            panels.append(placed)
    line = title(sketch)
    page.texts.append(Text(x, 0, (line,)))
    width = sum(text_width(span.words, span.size) for span in line)
    page.width = max(page.width, x + width, *(frame.right for frame in page.frames))
    page.height = max(page.height, *(frame.bottom for frame in page.frames))
    add_skips(page, panels, direction)


# Lanes ------------------------------------------------------------------------------------------


def lay_out_lanes(
    sketch: Sketch,
    direction: str = "TB",
    *,
    in_one_column: bool = False,
    x: float = 0,
    row_heights: Sequence[Sequence[float]] = (),
) -> Iterator[Lane]:
    """Lay out the sections of a network, from `x` to the right.

    `row_heights` are the least heights of the rows of each lane, from top to bottom.
    """
    panels = [_layouts(section.panels, not in_one_column) for section in sketch.sections]
    titles = (panel.title for section in sketch.sections for panel in section.panels)
    names = max(map(text_width, titles)) if in_one_column else 0
    columns = panel_columns(panels, 1 if in_one_column else max(map(len, panels)))
    y: float = sizes.TITLE_HEIGHT
    for of_lane, least in zip(panels, chain(row_heights, repeat(())), strict=False):
        if direction == "TB":
            room = sizes.HEADING_WIDTH + names, sizes.BETWEEN_SKIPS * _crowd(of_lane)
            lane = _lane(of_lane, columns, (x, y), room, least)
            y = lane.frame.bottom + sizes.LANE_GAP
        else:
            room = names + sizes.BETWEEN_LINES * _crowd(of_lane), sizes.HEADING_HEIGHT + sizes.GAP
            lane = _lane(of_lane, panel_columns([of_lane], 1), (x, y), room)
            x = lane.frame.right + sizes.LANE_GAP
        yield lane


def _layouts(panels: Iterable[Panel], framed: bool) -> list[PanelLayout]:
    """The layouts of panels; one layout is made for all that differ in names only."""
    made: dict[Panel, PanelLayout] = {}
    layouts = []
    for panel in panels:
        unnamed = replace(panel, names=("", "") if not panel.title else ("block", "block"))
        if unnamed not in made:
            made[unnamed] = lay_out(panel, in_a_frame=framed)
        layouts.append(replace(made[unnamed], panel=panel))
    return layouts


def _crowd(panels: Iterable[PanelLayout]) -> int:
    """How many skips end or begin in some panels, beyond those that have room in a margin."""
    skips = sum(len(layout.panel.inlets) + len(layout.panel.outlets) for layout in panels)
    return max(0, skips - SKIPS_IN_A_MARGIN)


def _lane(
    panels: list[PanelLayout],
    columns: list[PanelColumn],
    corner: Point,
    room: Point,
    least: Sequence[float] = (),
) -> Lane:
    """A lane with its panels to the right and below the `room` for its heading."""
    (x, y), (left, above) = corner, room
    rows = list(_rows(panels, len(columns)))
    gap = sizes.ROW_GAP + sizes.BETWEEN_SKIPS * _crowd(panels) if panels[0].in_a_frame else 0
    own = [max(panel.height for panel in row) for row in rows]
    heights = [max(both) for both in zip_longest(own, least, fillvalue=0)]
    width = max(left + columns[-1].right, sizes.HEADING_WIDTH)
    height = max(above + sum(heights) + gap * (len(heights) - 1), sizes.HEADING_HEIGHT)
    frame = Frame("lane", x, y, width + 2 * sizes.MARGIN, height + 2 * sizes.MARGIN)
    tops = accumulate((height + gap for height in heights), initial=y + sizes.MARGIN + above)
    placed = [
        PlacedPanel(panel, column, x + sizes.MARGIN + left + column.x, top, frame)
        for row, top in zip(rows, tops, strict=False)
        for panel, column in zip(row, columns, strict=False)
    ]
    return Lane(frame, heights, placed)


# Columns of panels ------------------------------------------------------------------------------


def panel_columns(lanes: Sequence[list[PanelLayout]], most: int) -> list[PanelColumn]:
    """The columns that all lanes share: at most so many, and as many as fit."""
    narrowest = min(_column(0, [panel]).width for lane in lanes for panel in lane) + sizes.PANEL_GAP
    for number in range(min(most, int(ROOM / narrowest)), 1, -1):
        columns = _columns(lanes, number)
        if columns[-1].right + sizes.PANEL_GAP <= ROOM:
            return columns
    return _columns(lanes, 1)


def _columns(lanes: Sequence[list[PanelLayout]], number: int) -> list[PanelColumn]:
    rows = (row for lane in lanes for row in _rows(lane, number))
    columns: list[PanelColumn] = []
    x: float = 0
    for panels in zip_longest(*rows):
        columns.append(_column(x, [panel for panel in panels if panel]))
        x = columns[-1].right + sizes.PANEL_GAP
    return columns


def _rows(panels: list[PanelLayout], columns: int) -> Iterator[list[PanelLayout]]:
    return (panels[n : n + columns] for n in range(0, len(panels), columns))


def _column(x: float, panels: list[PanelLayout]) -> PanelColumn:
    """A column of some panels, with room for their titles."""
    of_columns = zip_longest(*(panel.extents for panel in panels), fillvalue=Extent(0, 0))
    main, *others = extents = list(map(widest, of_columns))
    title = max(text_width(panel.panel.title) for panel in panels) + sizes.BETWEEN_COLUMNS
    boxes = sum([main.left, *(left + right for left, right in others)])
    axis = max(title, boxes + sizes.BETWEEN_COLUMNS * len(extents))
    width = axis + max(main.right, sizes.TIMES) + sizes.BETWEEN_COLUMNS
    return PanelColumn(x, width, axis, tuple(extents))


# Frames and texts -------------------------------------------------------------------------------


def add_panel(page: Page, placed: PlacedPanel) -> None:
    """Add a panel, without the line that leads to it."""
    (_add_frame if placed.layout.in_a_frame else _add_name)(page, placed)
    for number, box in enumerate(placed.panel.boxes):
        axis, middle = placed.middle(number)
        page.boxes.append(PlacedBox(axis - extent(box).left, middle, box))
    add_edges(page, placed)


def _add_frame(page: Page, placed: PlacedPanel) -> None:
    """Add a panel's frame, title and number, and cards below a repeated panel."""
    panel, frame = placed.panel, placed.frame
    for offset in [2 * sizes.CARD, sizes.CARD] if panel.repeats > 1 else []:
        page.frames.append(replace(frame, kind="card", x=frame.x + offset, y=frame.y + offset))
    if panel.title or panel.repeats > 1 or panel.forks:
        page.frames.append(frame)
    if panel.title:
        page.texts.append(Text(frame.x + 6, frame.y + 3, ((Span(panel.title),),)))
    if panel.repeats > 1:
        times = Span(f"× {panel.repeats}", 14, bold=True, marked=panel.marked)
        page.texts.append(Text(frame.right - sizes.TIMES, frame.y + 3, ((times,),)))


def _add_name(page: Page, placed: PlacedPanel) -> None:
    """Add the name of a panel to the left of its first box."""
    if title := placed.panel.title:
        _, middle = placed.middle(0)
        left = placed.x - text_width(title)
        page.texts.append(Text(left, middle - sizes.FONT_SIZE * 0.6, ((Span(title),),)))


def heading(section: Section) -> tuple[tuple[Span, ...], ...]:
    """The lines of a lane's heading."""
    spans = [Span(section.title, 13, bold=True)]
    spans += [Span(line, marked=field in section.marks) for field, line in section.details.items()]
    return tuple((span,) for span in spans if span.words)


def title(sketch: Sketch) -> tuple[Span, ...]:
    """The name and the totals of a network."""
    spans = [Span(f"{sketch.name}   ", 16, bold=True)]
    for field, words in sketch.totals.items():
        if words:
            spans += [Span(words, 13, marked=field in sketch.marks), Span("   ", 13)]
    return tuple(spans[:-1])
