"""The figures of the lesion study, in the manner of Veit et al. 2016 (arXiv:1605.06431)."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

# Okabe and Ito's colours, which colour-blind readers can tell apart.
BLUE, ORANGE = "#0072B2", "#D55E00"
KINDS = {"resnet": ("residual", BLUE, "o"), "plain": ("plain", ORANGE, "s")}


def draw_lesions(
    blocks: Sequence[str],
    each: dict[str, dict[str, float]],
    whole: dict[str, float],
    file: Path,
) -> None:
    """The error without each block, as Figure 3 there."""
    figure = Figure(figsize=(9, 3.6), layout="constrained")
    axes = figure.subplots()
    for name, errors in each.items():
        label, colour, marker = kind(name)
        places = [blocks.index(block) for block in errors]
        axes.plot(
            places, list(errors.values()), marker, color=colour, label=f"{label}, one block removed"
        )
        axes.axhline(whole[name], color=colour, linestyle=":", label=f"{label}, whole")
    axes.set_xticks(range(len(blocks)), [name.replace("_", "\n") for name in blocks], fontsize=7)
    axes.set(xlabel="block removed", ylabel="test error, %", ylim=(-3, 100))
    finish(axes, file)


def draw_removed(
    several: dict[str, dict[int, list[float]]], whole: dict[str, float], file: Path
) -> None:
    """The error without several blocks, as Figure 5a there."""
    figure = Figure(figsize=(5, 3.6), layout="constrained")
    axes = figure.subplots()
    for name, errors in several.items():
        label, colour, marker = kind(name)
        numbers = [0, *errors]
        values = [[whole[name]], *errors.values()]
        low, median, high = np.array([np.percentile(found, [25, 50, 75]) for found in values]).T
        axes.plot(numbers, median, marker=marker, color=colour, label=label)
        axes.fill_between(numbers, low, high, color=colour, alpha=0.2, linewidth=0)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.set(xlabel="blocks removed", ylabel="test error, %", ylim=(-3, 100))
    finish(axes, file)


def draw_shuffled(orders: Sequence[tuple[float, float]], whole: float, file: Path) -> None:
    """The error with the blocks in another order, as Figure 5b there."""
    figure = Figure(figsize=(5, 3.6), layout="constrained")
    axes = figure.subplots()
    taus, errors = zip(*orders, strict=True)
    axes.plot(taus, errors, "o", color=BLUE, alpha=0.6, label="residual, blocks in another order")
    axes.axhline(whole, color=BLUE, linestyle=":", label="residual, whole")
    axes.set(xlabel="Kendall's tau of the order with the learnt one", ylabel="test error, %")
    axes.invert_xaxis()
    finish(axes, file)


def draw_paths(
    counts: dict[int, int], norms: dict[int, float], carried: dict[int, float], file: Path
) -> None:
    """How many paths of each length there are, and what gradient they carry, as Figure 6 there."""
    figure = Figure(figsize=(10, 3.2), layout="constrained")
    first, second, third = figure.subplots(1, 3)
    first.bar(list(counts), list(counts.values()), color=BLUE)
    first.set(title="paths", ylabel="number of paths")
    second.plot(list(norms), list(norms.values()), "o-", color=BLUE)
    second.set(title="one path", ylabel="norm of its gradient at the image", yscale="log")
    third.bar(list(carried), list(carried.values()), color=BLUE)
    third.set(title="all paths of a length", ylabel="share of the gradient, %")
    for axes in (first, second, third):
        axes.set_xlabel("length: blocks passed")
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        finish(axes)
    figure.savefig(file, dpi=150)


def kind(name: str) -> tuple[str, str, str]:
    """Label, colour and marker of a network."""
    return next(style for prefix, style in KINDS.items() if name.startswith(prefix))


def finish(axes: Axes, file: Path | None = None) -> None:
    """What all figures share."""
    axes.grid(alpha=0.3)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    if axes.get_legend_handles_labels()[0]:
        axes.legend(frameon=False, fontsize=8)
    if file:
        figure = axes.get_figure(root=True)
        assert figure is not None
        figure.savefig(file, dpi=150)
