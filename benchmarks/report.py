"""Tables, the chart and RESULTS.md."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from resnet_builder import profile
from resnet_builder.common.tables import Table, TableCell

from .machine import Machine
from .plan import COMMANDS, FOLDED, IMPORT_KERAS, MATRIX_PRODUCT, OURS
from .runs import Measured, Pair

# Multiply-adds of a step: a training step is a forward pass and a backward pass of twice its cost.
PASSES = {"prediction": 1, "training step": 3}

# Rows of the short table, and the networks that it is of.
SHORT = ("build", "build and load", "first training step", "training step", "prediction")
SHORT_DEPTH = "50"


@dataclass(frozen=True)
class Section:
    """The results with one setting of TensorFlow."""

    title: str
    measured: Sequence[Measured]


def spread(values: Sequence[float], unit: str, factor: float = 1, digits: int = 3) -> str:
    """The median, and in brackets the least and the most."""
    middle, least, most = (
        f"{value * factor:,.{digits}f}" for value in (median(values), min(values), max(values))
    )
    return f"{middle}{unit} ({least} to {most})"


def shown(quantity: str, values: Sequence[float]) -> str:
    """Samples of a quantity with their unit."""
    if quantity.startswith("peak memory"):
        return spread(values, " MiB", 2**-20, 0)
    if median(values) < 1:
        return spread(values, " ms", 1000, 1)
    return spread(values, " s", digits=2)


def pairs(section: Section) -> Iterator[tuple[Measured, str, str, str, Pair]]:
    """All pairs with samples: group, quantity, contenders, samples."""
    for measured in section.measured:
        for quantity in measured.samples:
            for first, second in measured.group.pairs:
                if pair := measured.pair(quantity, first, second):
                    yield measured, quantity, first, second, pair


def settings(measured: Measured) -> str:
    """The network of a group, and what it runs on."""
    task = measured.group.task
    if task.measure == "layers":
        return "resnet*_cifar"
    of_gpu = f", {task.precision}" if task.device == "gpu" else ""
    batch = f", batch {task.batch}" if task.measure in ("training", "prediction") else ""
    return task.network and f"{task.network}, {task.image} px{batch}{of_gpu}"


def pair_table(section: Section) -> Table:
    """A row for every pair."""
    rows = tuple(
        (
            quantity,
            settings(measured),
            first,
            shown(quantity, pair.first),
            second,
            shown(quantity, pair.second),
            spread(pair.ratios, "", digits=2),
            len(pair.ratios),
        )
        for measured, quantity, first, second, pair in pairs(section)
    )
    return Table(
        header=("measure", "network", "A", "time or memory of A", "B", "of B", "A / B", "n"),
        rows=rows,
        note="Medians (least to most) of n samples; A / B is of samples taken in turn.",
    )


def skipped_table(section: Section) -> Table:
    """A row for everything that was not measured, with the reason."""
    rows = tuple(
        (measured.group.task.measure, settings(measured), name, reason)
        for measured in section.measured
        for name, reason in measured.skipped.items()
    )
    return Table(header=("not measured", "network", "library", "reason"), rows=rows)


def tables(section: Section) -> list[Table]:
    """The tables that have rows."""
    made = (pair_table(section), rate_table(section), skipped_table(section))
    return [table for table in made if table.rows]


def rate_table(section: Section) -> Table:
    """Images per second, and multiply-adds as a share of those of a matrix product."""
    rows: list[tuple[TableCell, ...]] = []
    for measured in section.measured:
        for quantity, passes in PASSES.items():
            for name in measured.samples.get(quantity, {}):
                if name != MATRIX_PRODUCT:
                    seconds = measured.median(quantity, name)
                    rate = f"{measured.group.task.batch / seconds:,.1f}"
                    share = matrix_share(measured, quantity, name, passes)
                    rows.append((quantity, settings(measured), name, rate, share))
    header = ("measure", "network", "library", "images/s", "share of matrix product")
    return Table(header=header, rows=tuple(rows))


def matrix_share(measured: Measured, quantity: str, name: str, passes: int) -> str:
    """The rate of multiply-adds, as a share of that of a matrix product in the same run."""
    from .engines import MATRICES

    products = measured.pair(quantity, MATRIX_PRODUCT, name)
    if products is None:
        return ""
    task = measured.group.task
    shape = (task.image, task.image, 3)
    macs = profile(task.network, shape, task.classes).macs
    assert macs is not None  # the image has a size
    size, count = MATRICES[task.device]
    share = passes * task.batch * macs / (count * size**3)
    return f"{100 * share * median(products.ratios):.0f}%"


def short_table(section: Section) -> Table:
    """Time of this library as a share of each other one's, for networks of 50 layers."""
    cells: dict[tuple[tuple[str, ...], str], str] = {}
    for measured, quantity, first, second, pair in pairs(section):
        task = measured.group.task
        if quantity in SHORT and SHORT_DEPTH in task.network and not second.startswith(OURS):
            row = [quantity]
            row += [task.precision] * (task.device == "gpu")
            row += ["folded"] * (first == FOLDED)
            cells[tuple(row), second] = f"{median(pair.ratios):.2f}"
    used = sorted(dict.fromkeys(row for row, _ in cells), key=lambda row: SHORT.index(row[0]))
    others = list(dict.fromkeys(second for _, second in cells))
    rows = tuple(
        (", ".join(row), *(cells.get((row, other), "") for other in others)) for row in used
    )
    header = ("ResNet-50, time against", *others) if rows else ()
    return Table(header=header, rows=rows, title=section.title, note=_start_note(section))


def _start_note(section: Section) -> str:
    shares = ", ".join(
        f"{median(pair.ratios):.2f} (`{first.removeprefix('resnet-builder ')}`)"
        for _, _, first, second, pair in pairs(section)
        if first in COMMANDS and second == IMPORT_KERAS
    )
    return shares and f"A command takes {shares} of the time of `import keras`."


# The ratios of the last release, and how much more time or memory than there is told.
RELEASED = Path(__file__).with_name("released.json")
MOST_GROWTH = 1.2


def ratios(sections: Sequence[Section]) -> dict[str, float]:
    """The ratios of the least samples, which other work disturbs the least, by what they are of.

    What a process does once is left out.
    """
    return {
        f"{quantity}: {first} / {second}": round(min(pair.first) / min(pair.second), 3)
        for section in sections
        for _, quantity, first, second, pair in pairs(section)
        if not quantity.startswith("first ")
    }


def beside_release(now: Mapping[str, float]) -> tuple[Table, list[str]]:
    """The ratios beside the last release's, and those that have grown too much."""
    released = json.loads(RELEASED.read_text(encoding="utf-8"))
    then = released["ratios"]
    growth = {what: ratio / then[what] for what, ratio in now.items() if what in then}
    rows = tuple(
        (what, f"{now[what]:.2f}", f"{then[what]:.2f}", f"{factor:.2f}")
        for what, factor in growth.items()
    )
    header = ("time or memory: A / B", "now", released["version"], "growth")
    slower = [
        f"{what} is {now[what]:.2f}, and was {then[what]:.2f} in {released['version']}"
        for what, factor in growth.items()
        if factor > MOST_GROWTH
    ]
    return Table(header=header, rows=rows), slower


def keep_as_released(now: Mapping[str, float], version: str) -> None:
    """Write the ratios of a release."""
    text = json.dumps({"version": version, "ratios": now}, indent=4)
    RELEASED.write_text(f"{text}\n", encoding="utf-8")


# Colours of a bar: A takes less, A takes more.
LESS, MORE = "#0072B2", "#D55E00"


def draw(sections: Sequence[Section], file: Path) -> None:
    """Bars of all ratios, from 1 on, with the least and the most."""
    from matplotlib.figure import Figure
    from matplotlib.ticker import LogLocator, NullFormatter

    found = [[*pairs(section)] for section in sections]
    longest = max(map(len, found))
    figure = Figure(figsize=(9 * len(sections), 1.5 + 0.2 * longest), layout="constrained")
    for axes, section, bars in zip(
        figure.subplots(1, len(sections), squeeze=False)[0], sections, found, strict=True
    ):
        ratios = [pair.ratios for *_, pair in bars]
        middles = [median(values) for values in ratios]
        errors = [
            [middle - min(values) for middle, values in zip(middles, ratios, strict=True)],
            [max(values) - middle for middle, values in zip(middles, ratios, strict=True)],
        ]
        labels = [
            f"{quantity}: {', '.join(filter(None, [settings(measured), f'{first} / {second}']))}"
            for measured, quantity, first, second, _ in bars
        ]
        places = range(len(bars))
        axes.barh(
            places,
            [middle - 1 for middle in middles],
            left=1,
            xerr=errors,
            color=[LESS if middle < 1 else MORE for middle in middles],
            ecolor="#666666",
            height=0.7,
        )
        axes.set_yticks(places, labels, fontsize=7)
        axes.axvline(1, color="black", linewidth=1)
        axes.invert_yaxis()
        axes.margins(y=0.01)
        axes.set_xscale("log")
        axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axes.xaxis.set_major_formatter("{x:g}")
        axes.xaxis.set_minor_formatter(NullFormatter())
        axes.grid(axis="x", color="#dddddd")
        axes.set_axisbelow(True)
        axes.set_xlabel("A / B; less than 1, in blue: A takes less")
        axes.set_title(section.title, loc="right")
        axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(file, dpi=110)


def results(
    sections: Sequence[Section], machine: Machine, notes: Sequence[str], picture: str
) -> str:
    """The text of RESULTS.md; `picture` is the name of the chart's file, or empty."""
    parts = [
        "# Results",
        "Written by `python -m benchmarks`. A is compared with B, which has the same network; "
        "both are measured by turns, each in a process of its own. keras.applications has no "
        "network of 18 layers.",
        "\n".join(f"* {line}" for line in (machine.hardware, machine.versions, *notes)),
        picture and f"![All ratios]({picture})",
        "## In short",
        short(sections),
    ]
    for section in sections:
        parts.append(f"## {section.title}")
        parts += [table.to_markdown() for table in tables(section)]
    return "\n\n".join(filter(None, parts)) + "\n"


def short(sections: Sequence[Section]) -> str:
    """The short tables in Markdown."""
    return "\n\n".join(filter(None, (short_table(section).to_markdown() for section in sections)))


# Lines of the README around the short tables.
BEGIN, END = "<!-- benchmarks: begin -->", "<!-- benchmarks: end -->"


def with_short_tables(readme: str, tables: str) -> str:
    """The README with other short tables.

    Raises:
        ValueError: it has no place for them.
    """
    before, begin, rest = readme.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not (begin and end):
        raise ValueError(f"the README needs the lines {BEGIN!r} and {END!r} around the tables")
    return f"{before}{begin}\n{tables}\n{end}{after}"
