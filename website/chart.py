"""The chart of top-1 over a cost, as SVG. Its colours are in assets/site.css."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from math import ceil, floor, log10


@dataclass(frozen=True)
class Point:
    """A preset in the chart.

    Attributes:
        name: the preset.
        cost: in the unit of the axis.
        top1: in percent.
        group: its colour.
    """

    name: str
    cost: float
    top1: float
    group: str


WIDTH, HEIGHT = 920, 480
LEFT, RIGHT, TOP, BOTTOM = 66, 12, 12, 48
TICKS = (0.5, 1, 2, 5, 10, 20, 50, 100, 200, 500)
LETTER = 6.2  # width of a name's letter


def chart(points: Sequence[Point], unit: str, of: str, folder: str = "") -> str:
    """One link for each point; those that no cheaper one is as good as are named, if they can.

    Args:
        points: the presets.
        unit: of their costs, such as `"G"`.
        of: what the costs are, such as `"multiply-adds"`.
        folder: where the pages of the presets are, from the page with the chart.
    """
    scale = _Scale.of(points)
    groups = list(dict.fromkeys(point.group for point in points))
    parts = [
        *_grid(scale, f"{unit} {of}"),
        *(
            _point(scale, point, groups.index(point.group), f"{unit} {of}", folder)
            for point in points
        ),
        *_names(scale, _best(points)),
    ]
    return (
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="group" '
        f'aria-label="Top-1 over {unit} {of}">{"".join(parts)}</svg>{_legend(groups)}'
    )


def _best(points: Iterable[Point]) -> Iterator[Point]:
    """The points that no cheaper one is as good as."""
    highest = 0.0
    for point in sorted(points, key=lambda point: (point.cost, -point.top1)):
        if point.top1 > highest:
            highest = point.top1
            yield point


@dataclass(frozen=True)
class _Scale:
    """Positions in the drawing; costs are on a logarithmic axis."""

    cost: tuple[float, float]
    top1: tuple[int, int]

    @classmethod
    def of(cls, points: Iterable[Point]) -> "_Scale":
        cost, top1 = zip(*((point.cost, point.top1) for point in points), strict=True)
        return cls(
            (log10(min(cost)) - 0.15, log10(max(cost)) + 0.05),
            (floor(min(top1) / 5) * 5, ceil(max(top1) / 5) * 5),
        )

    def x(self, cost: float) -> float:
        low, high = self.cost
        share = (log10(cost) - low) / (high - low)
        return round(LEFT + share * (WIDTH - LEFT - RIGHT), 1)

    def y(self, top1: float) -> float:
        low, high = self.top1
        share = (top1 - low) / (high - low)
        return round(HEIGHT - BOTTOM - share * (HEIGHT - TOP - BOTTOM), 1)


def _grid(scale: _Scale, cost: str) -> Iterator[str]:
    """Lines, ticks and titles; they are placed in letters, which are larger on a phone."""
    bottom, centre = HEIGHT - BOTTOM, 'text-anchor="middle"'
    for top1 in range(scale.top1[0], scale.top1[1] + 1, 5):
        y = scale.y(top1)
        yield f'<path class="grid" d="M{LEFT} {y}H{WIDTH - RIGHT}"/>'
        yield f'<text x="{LEFT - 6}" y="{y}" dy=".35em" text-anchor="end">{top1}</text>'
    for tick in TICKS:
        x = scale.x(tick)
        if LEFT <= x <= WIDTH - RIGHT - LETTER * 2:
            yield f'<path class="grid" d="M{x} {TOP}V{bottom}"/>'
            yield f'<text x="{x}" y="{bottom}" dy="1.4em" {centre}>{tick:g}</text>'
    middle, turned = (LEFT + WIDTH - RIGHT) / 2, f"translate(0 {(TOP + bottom) / 2}) rotate(-90)"
    yield f'<text transform="{turned}" dy=".9em" {centre}>top-1 on ImageNet, %</text>'
    yield f'<text x="{middle}" y="{bottom}" dy="2.9em" {centre}>{cost}</text>'


def _point(scale: _Scale, point: Point, group: int, unit: str, folder: str) -> str:
    words = f"{point.name}: {point.top1}%, {point.cost:.3g} {unit}"
    return (
        f'<a href="{folder}{point.name}.html" aria-label="{words}"><title>{words}</title>'
        f'<circle class="group{group}" cx="{scale.x(point.cost)}" cy="{scale.y(point.top1)}" '
        'r="4.5"/></a>'
    )


def _names(scale: _Scale, points: Iterable[Point]) -> Iterator[str]:
    """Names above and to the left of points, where they cover no other name."""
    ends: list[tuple[float, float]] = []
    for point in points:
        x, y = scale.x(point.cost) - 6, scale.y(point.top1) - 6
        start = x - LETTER * len(point.name)
        if start > LEFT and all(start > end + 6 or abs(y - line) > 14 for end, line in ends):
            ends.append((x, y))
            yield f'<text class="name" x="{x}" y="{y}" text-anchor="end">{point.name}</text>'


def _legend(groups: Sequence[str]) -> str:
    items = (
        f'<li><svg viewBox="0 0 10 10"><circle class="group{number}" cx="5" cy="5" r="4.5"/></svg>'
        f"{group}</li>"
        for number, group in enumerate(groups)
    )
    return f'<ul class="legend">{"".join(items)}</ul>'
