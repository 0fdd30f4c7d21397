"""Draw the accuracy of published ImageNet checkpoints over their multiply-adds.

A point is the checkpoint of a preset with the highest top-1, at the input size of its training:
`list_weights` has the accuracies with their sources, `profile` counts the multiply-adds at that
size. Lines are along the networks to which no other is better with fewer multiply-adds; these have
their names where there is room. Run it with:

    python examples/accuracy_chart.py [FILE] [--pattern "resnet*"]
"""

import argparse
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from math import log10
from pathlib import Path

from matplotlib.figure import Figure

from resnet_builder import list_weights, profile

# Okabe and Ito's colours, which colour-blind readers can tell apart.
ONE_DATA_SET, MORE_DATA = "#0072B2", "#D55E00"
IMAGENET = "ImageNet-1k"


@dataclass(frozen=True)
class Point:
    """The best checkpoint of a preset: multiply-adds at its input size in G, and top-1 in percent.

    `more_data` is whether it was trained on more images than ImageNet-1k has.
    """

    preset: str
    macs: float
    top1: float
    more_data: bool


def measured(pattern: str = "*") -> Iterator[Point]:
    """Yield a point for every preset and kind of training data, by preset."""
    best: dict[tuple[str, bool], tuple[float, tuple[int, int]]] = {}
    for row in list_weights(pattern).rows:
        is_plain = row.kind == "supervised" and row.classes == 1000 and not row.changes
        # timm's test networks are for its tests.
        if row.top1 and is_plain and not row.preset.startswith("test_"):
            key = row.preset, row.training_data != IMAGENET
            best[key] = max(best.get(key, (0.0, (0, 0))), (row.top1, row.input_size))
    for (preset, more_data), (top1, size) in best.items():
        macs = profile(preset, (*size, 3)).macs
        assert macs is not None
        yield Point(preset, macs / 1e9, top1, more_data)


def frontier(points: Iterable[Point]) -> list[Point]:
    """The points to which no other is better with fewer multiply-adds, from left to right."""
    found: list[Point] = []
    for point in sorted(points, key=lambda point: (point.macs, -point.top1)):
        if not found or point.top1 > found[-1].top1:
            found.append(point)
    return found


def draw(points: Iterable[Point], file: Path) -> None:
    """Write the chart."""
    points = list(points)
    figure = Figure(figsize=(10, 6.5), layout="constrained", dpi=150)
    axes = figure.subplots()
    named: list[Point] = []
    for more_data, colour, marker, label in (
        (False, ONE_DATA_SET, "o", "trained on ImageNet-1k"),
        (True, MORE_DATA, "s", "trained on more images"),
    ):
        shown = [point for point in points if point.more_data is more_data]
        if not shown:
            continue
        xs, ys = [point.macs for point in shown], [point.top1 for point in shown]
        axes.plot(xs, ys, marker, color=colour, alpha=0.6, markeredgewidth=0, label=label)
        best = frontier(shown)
        axes.step([p.macs for p in best], [p.top1 for p in best], color=colour, where="post", lw=1)
        for point in best:
            if any(
                abs(log10(p.macs / point.macs)) < 0.4 and abs(p.top1 - point.top1) < 0.7
                for p in named
            ):
                continue
            named.append(point)
            axes.annotate(
                point.preset,
                (point.macs, point.top1),
                xytext=(-3, 4),
                textcoords="offset points",
                ha="right",
                fontsize=7,
                color=colour,
            )
    axes.margins(x=0.08)
    axes.set_xscale("log")
    axes.xaxis.set_major_formatter("{x:g}")
    axes.set(xlabel="multiply-adds for one image, G", ylabel="ImageNet top-1, %")
    axes.grid(alpha=0.3)
    axes.legend(loc="lower right")
    figure.savefig(file)


def main() -> None:
    """Draw the chart of the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("file", nargs="?", type=Path, default=Path("accuracy.png"))
    parser.add_argument("--pattern", default="*", help="shell pattern of presets")
    options = parser.parse_args()
    points = list(measured(options.pattern))
    if not points:
        parser.error(f"no checkpoint with a top-1 matches {options.pattern!r}")
    draw(points, options.file)
    print(f"wrote {options.file}: {len(points)} points")
    print(f"sources: {', '.join(sources(options.pattern))}")


def sources(pattern: str) -> Iterable[str]:
    """The publications of the accuracies."""
    return dict.fromkeys(row.top1_source for row in list_weights(pattern).rows if row.top1_source)


if __name__ == "__main__":
    main()
