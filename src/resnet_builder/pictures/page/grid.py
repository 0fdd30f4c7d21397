"""The units of a page in rows and columns that all its lanes share."""

from dataclasses import dataclass
from itertools import zip_longest

from .measures import BETWEEN_COLUMNS, HEADING_WIDTH, TIMES, UNIT_GAP, Extent, text_width, widest
from .unit_layout import UnitLayout

WIDEST = 1150  # a lane with more units continues in another row

Rows = list[list[UnitLayout]]


@dataclass(frozen=True)
class Slot:
    """The room for units: its left edge, the extents of its columns, the width of its titles."""

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


def lay_out_grid(lanes: list[list[UnitLayout]], columns: int) -> tuple[list[Rows], list[Slot]]:
    """Return the rows of each lane and the slots of a row: at most `columns`, as many as fit."""
    rows = [[lane[n : n + columns] for n in range(0, len(lane), columns)] for lane in lanes]
    slots: list[Slot] = []
    x: float = 0
    for units in zip_longest(*(row for lane in rows for row in lane)):
        slots.append(_slot(x, [unit for unit in units if unit]))
        x = slots[-1].right + UNIT_GAP
    if x > WIDEST - HEADING_WIDTH and columns > 1:
        return lay_out_grid(lanes, columns - 1)
    return rows, slots


def _slot(x: float, units: list[UnitLayout]) -> Slot:
    columns = zip_longest(*(unit.extents for unit in units), fillvalue=Extent(0, 0))
    title = max(text_width(unit.unit.title) for unit in units)
    return Slot(x, tuple(map(widest, columns)), title + BETWEEN_COLUMNS)
