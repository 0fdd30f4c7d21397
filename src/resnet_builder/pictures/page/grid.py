"""The panels of a page in rows and columns that all its lanes share."""

from dataclasses import dataclass
from itertools import zip_longest

from .measures import BETWEEN_COLUMNS, HEADING_WIDTH, PANEL_GAP, TIMES, Extent, text_width, widest
from .panel_layout import PanelLayout

WIDEST = 1150  # a lane with more panels continues in another row
ROOM = WIDEST - HEADING_WIDTH  # for panels

Rows = list[list[PanelLayout]]


@dataclass(frozen=True)
class Slot:
    """The room for panels: its left edge, the extents of its columns, the width of its titles."""

    x: float
    extents: tuple[Extent, ...]
    title: float

    @property
    def to_main_axis(self) -> float:
        """The distance from the left edge to the axis of the main column, with room for titles."""
        others = [left + right for left, right in self.extents[1:]]
        columns = sum([self.extents[0].left, *others])
        return max(self.title, columns + BETWEEN_COLUMNS * len(self.extents))

    @property
    def width(self) -> float:
        """The width with margins."""
        return self.to_main_axis + max(self.extents[0].right, TIMES) + BETWEEN_COLUMNS

    @property
    def right(self) -> float:
        """The right edge."""
        return self.x + self.width

    @property
    def axes(self) -> list[float]:
        """The middle of each column; the main one is the rightmost."""
        axes = [self.x + self.to_main_axis]
        for (left, _), (_, right) in zip(self.extents, self.extents[1:], strict=False):
            axes.append(axes[-1] - left - BETWEEN_COLUMNS - right)
        return axes


def lay_out_grid(lanes: list[list[PanelLayout]], columns: int) -> tuple[list[Rows], list[Slot]]:
    """Return the rows of each lane and the slots of a row: at most `columns`, as many as fit."""
    narrowest = min(_slot(0, [panel]).width for lane in lanes for panel in lane) + PANEL_GAP
    for number in range(min(columns, int(ROOM / narrowest)), 1, -1):
        rows, slots = _grid(lanes, number)
        if slots[-1].right + PANEL_GAP <= ROOM:
            return rows, slots
    return _grid(lanes, 1)


def _grid(lanes: list[list[PanelLayout]], columns: int) -> tuple[list[Rows], list[Slot]]:
    rows = [[lane[n : n + columns] for n in range(0, len(lane), columns)] for lane in lanes]
    slots: list[Slot] = []
    x: float = 0
    for panels in zip_longest(*(row for lane in rows for row in lane)):
        slots.append(_slot(x, [panel for panel in panels if panel]))
        x = slots[-1].right + PANEL_GAP
    return rows, slots


def _slot(x: float, panels: list[PanelLayout]) -> Slot:
    columns = zip_longest(*(panel.extents for panel in panels), fillvalue=Extent(0, 0))
    title = max(text_width(panel.panel.title) for panel in panels)
    return Slot(x, tuple(map(widest, columns)), title + BETWEEN_COLUMNS)
