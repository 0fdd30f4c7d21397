"""The sections of a sketch, each laid out on its own: the browser stacks them."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import NamedTuple

from ..page.layout import Lane, add_panel, lay_out_lanes
from ..page.lines import PlacedPanel, route_between
from ..page.measures import Point
from ..page.page import Page
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


@dataclass(frozen=True)
class View:
    """A section in one state; (0, 0) is the top left corner of its lane.

    `links` are the lines from one panel to the next; the line from the section before ends in
    `entry`, the line to the next one begins with the points of `exit`.
    """

    width: float
    height: float
    panels: Sequence[PlacedDrawing]
    links: Sequence[Link]
    entry: Link
    exit: tuple[Point, ...]


def open_views(sketch: Sketch) -> Iterator[View]:
    """Yield the sections of a sketch as `plot` lays them out."""
    drawings: dict[object, Page] = {}
    for lane in lay_out_lanes(sketch):
        yield _view(lane, drawings)


def _view(lane: Lane, drawings: dict[object, Page]) -> View:
    frame = replace(lane.frame, y=0)
    placed = [
        PlacedPanel(layout, slot, y - lane.frame.y, frame, first=0)
        for layout, slot, y in lane.panels
    ]
    return View(
        width=frame.width,
        height=frame.height,
        panels=[
            PlacedDrawing(
                _drawing(panel, drawings),
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
        ],
        entry=Link(not placed[0].panel.forks, (placed[0].entry,)),
        exit=(placed[-1].exit,),
    )


def _drawing(placed: PlacedPanel, drawings: dict[object, Page]) -> Page:
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
