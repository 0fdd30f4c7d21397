"""Sketches laid out on a page: sections as lanes, with their panels in rows and columns.

Top to bottom, a section is a lane with its panels side by side, or in one column; left to right, it
is a column of panels. Panels in one column have no frames.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import accumulate, chain, groupby, repeat, zip_longest

from .. import style
from ..sketch.sketch import Section, Sketch
from ..style import MARGIN
from .page import Extent, Frame, Page, PlacedBox, Point, Text, TextPart, extent, text_width, widest
from .panel_layout import PanelLayout
from .routing import PanelColumn, PlacedPanel, add_edges, add_skips, connect

WIDEST = 1150  # a lane with more panels continues in another row
ROOM = WIDEST - style.HEADING_WIDTH  # for panels
SKIPS_IN_A_MARGIN = 4  # lines that come into a lane have room there

Layouts = list[PanelLayout]
Lane = list[PlacedPanel]  # the panels of a section, in rows


def lay_out_page(
    sketches: list[Sketch], direction: str = "TB", *, in_one_column: bool = False, note: str = ""
) -> Page:
    """Lay out one network, or several with their sections and rows side by side, and a note."""
    heights: list[list[float]] = []
    if len(sketches) > 1:
        lanes = (lay_out_lanes(sketch, in_one_column=in_one_column) for sketch in sketches)
        heights = [
            [max(row) for row in zip_longest(*map(_row_heights, beside), fillvalue=0)]
            for beside in zip_longest(*lanes, fillvalue=[])
        ]
    page = Page()
    for sketch in sketches:
        x = page.width + 2 * style.LANE_GAP if page.width else 0
        placed = lay_out_lanes(
            sketch, direction, in_one_column=in_one_column, x=x, row_heights=heights
        )
        _add_network(page, sketch, placed, direction, x)
    if note:
        page.write(0, page.height + style.GAP, TextPart(note, 13))
        page.height += 3 * style.GAP
    return page


def _add_network(
    page: Page, sketch: Sketch, lanes: Iterable[Lane], direction: str, x: float
) -> None:
    """Add a network with its left edge at `x`."""
    panels: list[PlacedPanel] = []
    for section, lane in zip(sketch.sections, lanes, strict=True):
        frame = lane[0].lane
        page.frames.append(frame)
        page.texts.append(heading(section, frame.x, frame.y))
        for placed in lane:
            placed = replace(placed, first=len(page.boxes))
            if panels and placed.panel.follows:
                connect(page, panels[-1], placed)
            add_panel(page, placed)
            panels.append(placed)
    title = title_parts(sketch)
    page.write(x, 0, *title)
    right = x + sum(part.width for part in title)
    page.width = max(page.width, right, *(frame.right for frame in page.frames))
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
    panels = [
        [PanelLayout(panel, in_a_frame=not in_one_column) for panel in section.panels]
        for section in sketch.sections
    ]
    titles = (panel.title for section in sketch.sections for panel in section.panels)
    names = max(map(text_width, titles)) if in_one_column else 0
    of_lanes = _lane_columns(panels, in_one_column=in_one_column)
    right = max(columns[-1].right for columns in of_lanes)
    y: float = style.TITLE_HEIGHT
    lanes = zip(panels, of_lanes, chain(row_heights, repeat(())), strict=False)
    for of_lane, columns, least in lanes:
        if direction == "TB":
            room = style.HEADING_WIDTH + names, style.BETWEEN_SKIPS * _extra(of_lane)
            lane = _lane(of_lane, columns, (x, y), room, least, right)
            y = lane[0].lane.bottom + style.LANE_GAP
        else:
            room = names + style.BETWEEN_LINES * _extra(of_lane), style.HEADING_HEIGHT + style.GAP
            [column] = panel_columns([of_lane], 1)
            lane = _lane(of_lane, [column], (x, y), room, (), column.right)
            x = lane[0].lane.right + style.LANE_GAP
        yield lane


def _extra(panels: Iterable[PanelLayout]) -> int:
    """How many skips end or begin in some panels, beyond those that have room in a margin."""
    skips = sum(len(layout.panel.inlets) + len(layout.panel.outlets) for layout in panels)
    return max(0, skips - SKIPS_IN_A_MARGIN)


def _lane(
    panels: Layouts,
    columns: list[PanelColumn],
    corner: Point,
    room: Point,
    least: Sequence[float],
    right: float,
) -> Lane:
    """A lane with its panels to the right and below the `room` for its heading, up to `right`."""
    (x, y), (left, above) = corner, room
    rows = list(_rows(panels, len(columns)))
    gap = style.ROW_GAP + style.BETWEEN_SKIPS * _extra(panels) if panels[0].in_a_frame else 0
    own = [max(panel.height for panel in row) for row in rows]
    heights = [max(both) for both in zip_longest(own, least, fillvalue=0)]
    width = max(left + right, style.HEADING_WIDTH)
    height = max(above + sum(heights) + gap * (len(heights) - 1), style.HEADING_HEIGHT)
    frame = Frame("lane", x, y, width + 2 * MARGIN, height + 2 * MARGIN)
    tops = accumulate((height + gap for height in heights), initial=y + MARGIN + above)
    return [
        PlacedPanel(panel, column, x + MARGIN + left + column.x, top, frame)
        for row, top in zip(rows, tops, strict=False)
        for panel, column in zip(row, columns, strict=False)
    ]


def _row_heights(lane: Lane) -> list[float]:
    rows = groupby(lane, key=lambda placed: placed.y)
    return [max(placed.layout.height for placed in row) for _, row in rows]


# Columns of panels ------------------------------------------------------------------------------


def _lane_columns(lanes: Sequence[Layouts], *, in_one_column: bool) -> list[list[PanelColumn]]:
    """The columns of each lane, which they share; a lane with a wide panel has its own."""
    if in_one_column:
        return [panel_columns(lanes, 1)] * len(lanes)
    alike = [lane for lane in lanes if not any(map(_is_wide, lane))] or lanes
    shared = panel_columns(alike, max(map(len, alike)))
    return [shared if lane in alike else panel_columns([lane], len(lane)) for lane in lanes]


def _is_wide(panel: PanelLayout) -> bool:
    """Whether a panel leaves too little room for one beside it."""
    return _column(0, [panel]).width > 0.75 * ROOM


def panel_columns(lanes: Sequence[Layouts], most: int) -> list[PanelColumn]:
    """The columns that some lanes share: at most so many, and as many as fit."""
    columns = _columns(lanes, most)
    while len(columns) > 1 and columns[-1].right + style.PANEL_GAP > ROOM:
        columns = _columns(lanes, len(columns) - 1)
    return columns


def _columns(lanes: Sequence[Layouts], number: int) -> list[PanelColumn]:
    rows = (row for lane in lanes for row in _rows(lane, number))
    columns: list[PanelColumn] = []
    x: float = 0
    for panels in zip_longest(*rows):
        columns.append(_column(x, [panel for panel in panels if panel]))
        x = columns[-1].right + style.PANEL_GAP
    return columns


def _rows(panels: Layouts, columns: int) -> Iterator[Layouts]:
    return (panels[n : n + columns] for n in range(0, len(panels), columns))


def _column(x: float, panels: Layouts) -> PanelColumn:
    """A column of some panels, with room for their titles."""
    of_columns = zip_longest(*(panel.extents for panel in panels), fillvalue=Extent(0, 0))
    main, *others = extents = list(map(widest, of_columns))
    title = max(text_width(panel.panel.title) for panel in panels) + style.BETWEEN_COLUMNS
    boxes = sum([main.left, *(left + right for left, right in others)])
    axis = max(title, boxes + style.BETWEEN_COLUMNS * len(extents))
    width = axis + max(main.right, style.TIMES) + style.BETWEEN_COLUMNS
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
    """Add a panel's frame, title and number, and frames behind a repeated panel."""
    panel, frame = placed.panel, placed.frame
    for offset in [2 * style.BEHIND, style.BEHIND] if panel.repeats > 1 else []:
        page.frames.append(replace(frame, kind="behind", x=frame.x + offset, y=frame.y + offset))
    if panel.title or panel.repeats > 1 or panel.forks:
        page.frames.append(frame)
    if panel.title:
        page.write(frame.x + 6, frame.y + 3, TextPart(panel.title))
    if panel.repeats > 1:
        times = TextPart(f"× {panel.repeats}", 14, bold=True, marked=panel.marked)
        page.write(frame.right - style.TIMES, frame.y + 3, times)


def _add_name(page: Page, placed: PlacedPanel) -> None:
    """Add the name of a panel to the left of its first box."""
    if title := placed.panel.title:
        _, middle = placed.middle(0)
        left = placed.x - text_width(title)
        page.write(left, middle - style.FONT_SIZE * 0.6, TextPart(title))


def heading(section: Section, x: float, y: float) -> Text:
    """The heading of a lane with a corner there."""
    lines = [TextPart(section.title, 13, bold=True)]
    for field, words in section.details.items():
        lines.append(TextPart(words, marked=field in section.marks))
    return Text(x + MARGIN, y + MARGIN, tuple((line,) for line in lines if line.words))


def title_parts(sketch: Sketch) -> tuple[TextPart, ...]:
    """The name and the totals of a network."""
    parts = [TextPart(f"{sketch.name}   ", 16, bold=True)]
    for field, words in sketch.totals.items():
        if words:
            parts += [TextPart(words, 13, marked=field in sketch.marks), TextPart("   ", 13)]
    return tuple(parts[:-1])
