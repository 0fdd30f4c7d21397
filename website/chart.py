"""The chart of top-1 over multiply-adds, as SVG. Its colours are in assets/site.css."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import ceil, floor, log10


@dataclass(frozen=True)
class Point:
    """A preset in the chart."""

    name: str
    macs: int
    top1: float
    group: str


WIDTH, HEIGHT = 920, 500
LEFT, RIGHT, TOP, BOTTOM = 48, 12, 12, 84
TICKS = (0.5, 1, 2, 5, 10, 20, 50, 100, 200, 500)  # billions of multiply-adds


def chart(points: Sequence[Point]) -> str:
    """One link for each point; the best ones for their cost are named."""
    scale = _Scale.of(points)
    groups = list(dict.fromkeys(point.group for point in points))
    best = set(_best(points))
    parts = [
        *_grid(scale),
        *(_point(scale, point, groups.index(point.group)) for point in points),
        *_labels(scale, sorted(best, key=lambda point: point.macs)),
        *_legend(groups),
    ]
    return (
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="group" '
        f'aria-label="Top-1 over multiply-adds">{"".join(parts)}</svg>'
    )


def _best(points: Iterable[Point]) -> Iterable[Point]:
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
            (log10(min(macs)) - 0.05, log10(max(macs)) + 0.1),
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


def _grid(scale: _Scale) -> Iterable[str]:
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
    yield f'<text x="{middle}" y="{bottom + 36}" text-anchor="middle">multiply-adds</text>'


def _point(scale: _Scale, point: Point, group: int) -> str:
    words = f"{point.name}: {point.top1}%, {point.macs / 1e9:.3g} G multiply-adds"
    return (
        f'<a href="{point.name}.html" aria-label="{words}"><title>{words}</title>'
        f'<circle class="group{group}" cx="{scale.x(point.macs)}" cy="{scale.y(point.top1)}" '
        'r="4.5"/></a>'
    )


def _labels(scale: _Scale, best: Iterable[Point]) -> Iterable[str]:
    """The names of the best points, above and to the left of them, where there is room."""
    right = 0.0
    for point in best:
        x, y = scale.x(point.macs) - 7, scale.y(point.top1) - 6
        width = 6.2 * len(point.name)
        if x - width > max(right - 40, LEFT):
            yield f'<text class="name" x="{x}" y="{y}" text-anchor="end">{point.name}</text>'
            right = x


def _legend(groups: Sequence[str]) -> Iterable[str]:
    x = float(LEFT)
    for number, group in enumerate(groups):
        yield f'<circle class="group{number}" cx="{x}" cy="{HEIGHT - 20}" r="4.5"/>'
        yield f'<text x="{x + 9}" y="{HEIGHT - 16}">{group}</text>'
        x += 30 + 6.6 * len(group)
