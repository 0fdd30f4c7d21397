"""The chart of top-1 over multiply-adds, as SVG. Its colours are in assets/site.css."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from math import ceil, floor, log10


@dataclass(frozen=True)
class Point:
    """A preset in the chart."""

    name: str
    macs: int
    top1: float
    group: str


WIDTH, HEIGHT = 920, 480
LEFT, RIGHT, TOP, BOTTOM = 48, 12, 12, 48
TICKS = (0.5, 1, 2, 5, 10, 20, 50, 100, 200, 500)  # billions of multiply-adds
LETTER = 6.2  # width of a name's letter


def chart(points: Sequence[Point]) -> str:
    """One link for each point; those that no cheaper one is as good as are named, if they can."""
    scale = _Scale.of(points)
    groups = list(dict.fromkeys(point.group for point in points))
    parts = [
        *_grid(scale),
        *(_point(scale, point, groups.index(point.group)) for point in points),
        *_names(scale, _best(points)),
    ]
    return (
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="group" '
        f'aria-label="Top-1 over multiply-adds">{"".join(parts)}</svg>{_legend(groups)}'
    )


def _best(points: Iterable[Point]) -> Iterator[Point]:
    """The points that no cheaper one is as good as."""
    highest = 0.0
    for point in sorted(points, key=lambda point: (point.macs, -point.top1)):
        if point.top1 > highest:
            highest = point.top1
            yield point


@dataclass(frozen=True)
class _Scale:
    """Positions in the drawing; multiply-adds are on a logarithmic axis."""

    macs: tuple[float, float]
    top1: tuple[int, int]

    @classmethod
    def of(cls, points: Iterable[Point]) -> "_Scale":
        macs, top1 = zip(*((point.macs, point.top1) for point in points), strict=True)
        return cls(
            (log10(min(macs)) - 0.15, log10(max(macs)) + 0.05),
            (floor(min(top1) / 5) * 5, ceil(max(top1) / 5) * 5),
        )

    def x(self, macs: float) -> float:
        low, high = self.macs
        share = (log10(macs) - low) / (high - low)
        return round(LEFT + share * (WIDTH - LEFT - RIGHT), 1)

    def y(self, top1: float) -> float:
        low, high = self.top1
        share = (top1 - low) / (high - low)
        return round(HEIGHT - BOTTOM - share * (HEIGHT - TOP - BOTTOM), 1)


def _grid(scale: _Scale) -> Iterator[str]:
    bottom = HEIGHT - BOTTOM
    for top1 in range(scale.top1[0], scale.top1[1] + 1, 5):
        y = scale.y(top1)
        yield f'<path class="grid" d="M{LEFT} {y}H{WIDTH - RIGHT}"/>'
        yield f'<text x="{LEFT - 6}" y="{y + 4}" text-anchor="end">{top1}%</text>'
    for billions in TICKS:
        x = scale.x(billions * 1e9)
        if LEFT <= x <= WIDTH - RIGHT:
            yield f'<path class="grid" d="M{x} {TOP}V{bottom}"/>'
            yield f'<text x="{x}" y="{bottom + 18}" text-anchor="middle">{billions:g} G</text>'
    middle = (LEFT + WIDTH - RIGHT) / 2
    yield f'<text x="{middle}" y="{bottom + 38}" text-anchor="middle">multiply-adds</text>'


def _point(scale: _Scale, point: Point, group: int) -> str:
    words = f"{point.name}: {point.top1}%, {point.macs / 1e9:.3g} G multiply-adds"
    return (
        f'<a href="{point.name}.html" aria-label="{words}"><title>{words}</title>'
        f'<circle class="group{group}" cx="{scale.x(point.macs)}" cy="{scale.y(point.top1)}" '
        'r="4.5"/></a>'
    )


def _names(scale: _Scale, points: Iterable[Point]) -> Iterator[str]:
    """Names above and to the left of points, where they cover no other name."""
    ends: list[tuple[float, float]] = []
    for point in points:
        x, y = scale.x(point.macs) - 6, scale.y(point.top1) - 6
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
