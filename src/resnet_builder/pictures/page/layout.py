"""A sketch laid out on a page: sections as lanes, panels in rows, lines from one to the next."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate, chain, repeat, zip_longest

from ..sketch.sketch import Panel, Section, Sketch
from .grid import Rows, Slot, lay_out_grid
from .lines import PlacedPanel, add_edges, connect
from .measures import (
    BETWEEN_SKIPS,
    CARD,
    FONT_SIZE,
    GAP,
    HEADING_HEIGHT,
    HEADING_WIDTH,
    LANE_GAP,
    MARGIN,
    ROW_GAP,
    TIMES,
    TITLE_HEIGHT,
    Point,
    text_width,
)
from .page import Frame, Page, Span, Text
from .panel_layout import BETWEEN_LINES, PanelLayout, lay_out
from .skips import add_skips

SKIPS_IN_A_MARGIN = 4  # lines that come into a lane have room there


@dataclass(frozen=True)
class Lane:
    """A section's frame, the heights of its rows, and its panels with their slots and tops."""

    frame: Frame
    rows: list[float]
    panels: list[tuple[PanelLayout, Slot, float]]


def lay_out_page(
    sketch: Sketch,
    direction: str = "TB",
    *,
    in_one_column: bool = False,
    row_heights: Sequence[Sequence[float]] = (),
) -> Page:
    """Lay out one network.

    Top to bottom, a section is a lane with its panels side by side, or in one column; left to
    right, it is a column of panels. Panels in one column have no frames. `row_heights` are the
    least heights of the rows of each lane, from top to bottom.
    """
    framed = not in_one_column
    lanes = lay_out_lanes(sketch, direction, framed, row_heights)
    return _page(sketch, lanes, direction, framed)


def lay_out_lanes(
    sketch: Sketch,
    direction: str = "TB",
    framed: bool = True,
    row_heights: Sequence[Sequence[float]] = (),
) -> Iterator[Lane]:
    """Lay out the sections of a network; arguments as in `lay_out_page`."""
    panels = [_layouts(section.panels, framed) for section in sketch.sections]
    if direction == "TB":
        return _lanes_downwards(panels, framed, row_heights)
    return _lanes_rightwards(panels, framed)


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


def _page(sketch: Sketch, lanes: Iterable[Lane], direction: str, framed: bool) -> Page:
    page = Page()
    panels: list[PlacedPanel] = []
    for section, lane in zip(sketch.sections, lanes, strict=True):
        page.frames.append(lane.frame)
        page.texts.append(Text(lane.frame.x + MARGIN, lane.frame.y + MARGIN, heading(section)))
        for layout, slot, y in lane.panels:
            placed = PlacedPanel(layout, slot, y, lane.frame, first=len(page.boxes))
            if panels:
                connect(page, panels[-1], placed)
            add_panel(page, placed, framed=framed)
            panels.append(placed)
    _add_title(page, sketch)
    add_skips(page, panels, direction)
    return page


def lay_out_side_by_side(sketches: Sequence[Sketch], *, in_one_column: bool, note: str) -> Page:
    """Lay out several networks, with their sections and rows side by side, and a note below."""
    lanes = zip_longest(*(lay_out_lanes(sketch, framed=not in_one_column) for sketch in sketches))
    heights = [
        [max(row) for row in zip_longest(*(lane.rows for lane in beside if lane), fillvalue=0)]
        for beside in lanes
    ]
    joined = Page()
    for sketch in sketches:
        page = lay_out_page(sketch, in_one_column=in_one_column, row_heights=heights)
        joined.add(page, joined.width + 2 * LANE_GAP if joined.width else 0)
    joined.texts.append(Text(0, joined.height + GAP, ((Span(note, 13),),)))
    joined.height += 3 * GAP
    return joined


# Lanes ------------------------------------------------------------------------------------------


def _lanes_downwards(
    panels: list[list[PanelLayout]], framed: bool, least_heights: Sequence[Sequence[float]]
) -> Iterator[Lane]:
    lanes, slots = lay_out_grid(panels, max(map(len, panels)) if framed else 1)
    left = HEADING_WIDTH + (0 if framed else _names_width(panels))
    y: float = TITLE_HEIGHT
    for rows, least in zip(lanes, chain(least_heights, repeat(())), strict=False):
        above = BETWEEN_SKIPS * max(0, _skips(chain.from_iterable(rows)) - SKIPS_IN_A_MARGIN)
        lane = _lane(rows, slots, (0, y), framed, left=left, above=above, least=least)
        yield lane
        y = lane.frame.bottom + LANE_GAP


def _lanes_rightwards(panels: list[list[PanelLayout]], framed: bool) -> Iterator[Lane]:
    left = 0 if framed else _names_width(panels)
    x: float = 0
    for of_section in panels:
        [rows], slots = lay_out_grid([of_section], 1)
        corner = x, TITLE_HEIGHT
        room = left + BETWEEN_LINES * max(0, _skips(of_section) - SKIPS_IN_A_MARGIN)
        lane = _lane(rows, slots, corner, framed, left=room, above=HEADING_HEIGHT + GAP)
        yield lane
        x = lane.frame.right + LANE_GAP


def _skips(panels: Iterable[PanelLayout]) -> int:
    """How many skips end or begin in some panels."""
    return sum(len(layout.panel.inlets) + len(layout.panel.outlets) for layout in panels)


def _names_width(panels: Iterable[Iterable[PanelLayout]]) -> float:
    """The width of the longest name of a panel."""
    return max(text_width(layout.panel.title) for lane in panels for layout in lane)


def _lane(
    rows: Rows,
    slots: list[Slot],
    corner: Point,
    framed: bool,
    *,
    left: float = 0,
    above: float = 0,
    least: Sequence[float] = (),
) -> Lane:
    """A lane with room for its heading to the `left` of its panels or `above` them."""
    x, y = corner
    room = BETWEEN_SKIPS * max(0, _skips(chain.from_iterable(rows)) - SKIPS_IN_A_MARGIN)
    gap = ROW_GAP + room if framed else 0
    own = [max(panel.height for panel in row) for row in rows]
    heights = [max(both) for both in zip_longest(own, least, fillvalue=0)]
    width = max(left + slots[-1].right, HEADING_WIDTH)
    height = max(above + sum(heights) + gap * (len(heights) - 1), HEADING_HEIGHT)
    frame = Frame("lane", x, y, width + 2 * MARGIN, height + 2 * MARGIN)
    tops = accumulate((height + gap for height in heights), initial=y + MARGIN + above)
    panels = [
        (panel, replace(slot, x=x + MARGIN + left + slot.x), top)
        for row, top in zip(rows, tops, strict=False)
        for panel, slot in zip(row, slots, strict=False)
    ]
    return Lane(frame, heights, panels)


# Frames and texts -------------------------------------------------------------------------------


def add_panel(page: Page, placed: PlacedPanel, *, framed: bool) -> None:
    """Add a panel, without the line that leads to it."""
    (_add_frame if framed else _add_name)(page, placed)
    page.boxes += placed.boxes()
    add_edges(page, placed)


def _add_frame(page: Page, placed: PlacedPanel) -> None:
    """Add a panel's frame, title and number, and cards below a repeated panel."""
    panel, frame = placed.panel, placed.frame
    for offset in [2 * CARD, CARD] if panel.repeats > 1 else []:
        page.frames.append(replace(frame, kind="card", x=frame.x + offset, y=frame.y + offset))
    if panel.title or panel.repeats > 1 or panel.forks:
        page.frames.append(frame)
    if panel.title:
        page.texts.append(Text(frame.x + 6, frame.y + 3, ((Span(panel.title),),)))
    if panel.repeats > 1:
        times = Span(f"× {panel.repeats}", 14, bold=True, marked=panel.marked)
        page.texts.append(Text(frame.right - TIMES, frame.y + 3, ((times,),)))


def _add_name(page: Page, placed: PlacedPanel) -> None:
    """Add the name of a panel to the left of its first box."""
    if title := placed.panel.title:
        middle = placed.y + placed.layout.heights[0]
        left = placed.slot.x - text_width(title)
        page.texts.append(Text(left, middle - FONT_SIZE * 0.6, ((Span(title),),)))


def heading(section: Section) -> tuple[tuple[Span, ...], ...]:
    """The lines of a lane's heading."""
    spans = [Span(section.title, 13, bold=True)]
    spans += [Span(line, marked=field in section.marks) for field, line in section.details.items()]
    return tuple((span,) for span in spans if span.words)


def _add_title(page: Page, sketch: Sketch) -> None:
    """Add the name and the totals, and set the page's size."""
    title = [Span(f"{sketch.name}   ", 16, bold=True)]
    for field, words in sketch.totals.items():
        if words:
            gap = [Span("   ", 13)] if len(title) > 1 else []
            title += [*gap, Span(words, 13, marked=field in sketch.marks)]
    page.texts.append(Text(0, 0, (tuple(title),)))
    widths = [text_width(span.words, span.size) for span in title]
    page.width = max(sum(widths), *(frame.right for frame in page.frames))
    page.height = max(frame.bottom for frame in page.frames)
