"""The sections of a sketch, each laid out on its own: the browser stacks them."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import NamedTuple

from ..page.layout import Lane, add_panel, lay_out_lanes
from ..page.lines import PlacedPanel, route_between
from ..page.measures import Point
from ..page.page import Page
from ..page.skips import ends_of
from ..sketch.sketch import Panel, Sketch

TITLE = "{}"  # stands for the title in the drawing of a panel


@dataclass(frozen=True)
class PlacedDrawing:
    """The drawing of a panel with the place of its top left corner, its title and its number."""

    drawing: Page
    x: float
    y: float
    title: str
    repeats: int


class Link(NamedTuple):
    """A line through points, with an arrow at the end or without."""

    arrow: bool
    points: tuple[Point, ...]


class Way(NamedTuple):
    """The way of a skip from its box to the side of the page, or from there to a box.

    A way out may begin `on_a_line` that goes on to the next box. The x of the point at the side,
    the first or the last one, is known only when the sections are stacked.
    """

    skip: int
    points: tuple[Point, ...]
    on_a_line: bool = False


@dataclass(frozen=True)
class View:
    """A section in one state; (0, 0) is the top left corner of its lane.

    `links` are the lines from one panel to the next; the line from the section before ends in
    `entry`, which is None if there is none; the line to the next one begins with the points of
    `exit`. Skips leave by `outlets` and come in by `inlets`.
    """

    width: float
    height: float
    panels: Sequence[PlacedDrawing]
    links: Sequence[Link]
    entry: Link | None
    exit: tuple[Point, ...]
    outlets: Sequence[Way]
    inlets: Sequence[Way]


def open_views(sketch: Sketch) -> Iterator[View]:
    """Yield the sections of a sketch as `plot` lays them out."""
    drawings: dict[object, Page] = {}
    for lane, goes_on in zip(lay_out_lanes(sketch), goes_on_after(sketch), strict=True):
        yield _view(lane, goes_on, drawings)


def goes_on_after(sketch: Sketch) -> Iterator[bool]:
    """Yield for every section whether a line leads from it to the next one."""
    yield from (section.panels[0].follows for section in sketch.sections[1:])
    yield False


def _view(lane: Lane, goes_on: bool, drawings: dict[object, Page]) -> View:
    frame = replace(lane.frame, y=0)
    placed = [
        PlacedPanel(layout, slot, y - lane.frame.y, frame, first=0)
        for layout, slot, y in lane.panels
    ]
    first, ends = placed[0], list(ends_of(placed, goes_on=goes_on))
    return View(
        width=frame.width,
        height=frame.height,
        panels=[
            PlacedDrawing(
                _panel_drawing(panel, drawings),
                panel.frame.x,
                panel.frame.y,
                panel.panel.title,
                panel.panel.repeats,
            )
            for panel in placed
        ],
        links=[
            Link(not panel.panel.forks, route_between(before, panel))
            for before, panel in pairwise(placed)
            if panel.panel.follows
        ],
        entry=Link(not first.panel.forks, first.way_in) if first.panel.follows else None,
        exit=(placed[-1].exit,),
        outlets=[
            Way(end.port.skip, tuple(end.to_the_side(0)), end.on_a_line)
            for end, is_source in ends
            if is_source
        ],
        inlets=[
            Way(end.port.skip, tuple(end.from_the_side(0)))
            for end, is_source in ends
            if not is_source
        ],
    )


def _panel_drawing(placed: PlacedPanel, drawings: dict[object, Page]) -> Page:
    """The drawing of a panel at (0, 0); panels that differ only in names share one."""
    panel, slot = _untitled(placed.panel), replace(placed.slot, x=0)
    if (panel, slot) not in drawings:
        page = Page()
        layout = replace(placed.layout, panel=panel)
        moved = replace(placed, layout=layout, slot=slot, y=0)
        add_panel(page, moved, framed=True)
        if panel.forks:
            page.forks[moved.fork] = moved.entry
        drawings[panel, slot] = page
    return drawings[panel, slot]


def _untitled(panel: Panel) -> Panel:
    return replace(panel, names=(TITLE, TITLE)) if panel.title else panel
