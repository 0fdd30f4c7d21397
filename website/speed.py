"""The table of the page "Which network?", with the times that `python -m tools.speed` wrote."""

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from resnet_builder import list_weights, profile

from . import table_of
from .accuracy import accuracy
from .chart import Point, chart
from .families import FAMILY_OF
from .overview import number, sortable

TABLE = Path(__file__).with_name("speed.csv")


class Speed(NamedTuple):
    """The time of a network for one image on a processor.

    Attributes:
        preset: its name.
        rows: rows of the square image.
        milliseconds: the shortest time.
        ratio: of the time of ResNet-50 at 224x224, which was measured by turns.
        date: of the measurement.
        machine: processor, number of cores, memory and system.
    """

    preset: str
    rows: int
    milliseconds: float
    ratio: float
    date: str
    machine: str


def speeds() -> dict[str, Speed]:
    """The rows of the table by preset."""
    return {row["preset"]: _speed(row) for row in table_of("speed.csv")}


def _speed(row: dict[str, str]) -> Speed:
    return Speed(
        preset=row["preset"],
        rows=int(row["rows"]),
        milliseconds=float(row["milliseconds"]),
        ratio=float(row["ratio"]),
        date=row["date"],
        machine=row["machine"],
    )


# In the order of the columns; the second one is left out on a phone.
COLUMNS = [
    ("network", "text"),
    ("multiply-adds", "number"),
    ("time", "number"),
    ("ms", "number"),
    ("top-1, %", "number"),
    ("file", "number"),
    ("memory", "number"),
    ("training", "number"),
    ("licence", "text"),
]


def networks() -> str:
    """The networks that were timed: the chart, and the table with the fastest first."""
    rows = sorted(speeds().values(), key=lambda row: row.ratio)
    # The machine may have had other work, less in some of the runs.
    shortest = min(row.milliseconds / row.ratio for row in rows)
    times = {row: row.ratio * shortest for row in rows}
    points = [_point(row.preset, milliseconds) for row, milliseconds in times.items()]
    drawn = chart(points, "ms", "for one image on a CPU", "../gallery/")
    table = sortable(COLUMNS, (_cells(*item) for item in times.items()))
    field = (
        '<label class="filter">Filter <input type="search" id="filter" '
        'placeholder="resnet50, regnet, mit, ..." autocomplete="off"></label>'
    )
    return f'<div class="chart">{drawn}</div>\n\n{field}\n\n{table}'


def _point(preset: str, milliseconds: float) -> Point:
    found = accuracy(preset)
    assert found is not None, preset
    return Point(preset, milliseconds, found.top1, FAMILY_OF[preset].group)


def _cells(speed: Speed, milliseconds: float) -> Iterator[str]:
    found = accuracy(speed.preset)
    assert found is not None, speed
    cost = profile(speed.preset, (speed.rows, speed.rows, 3))
    [weights] = list_weights(found.checkpoint).rows
    yield f'<td><a href="../gallery/{speed.preset}.html">{speed.preset}</a></td>'
    yield number(found.macs, f"{found.macs / 1e9:.2f} G")
    yield number(speed.ratio, f"{speed.ratio:.2f}")
    yield number(milliseconds, f"{milliseconds:.0f}", speed.machine)
    yield number(found.top1, f"{found.top1:.1f}", f"{found.checkpoint}, {speed.rows}x{speed.rows}")
    for size in (cost.file_size, cost.inference_memory, cost.training_memory):
        assert size is not None, speed
        yield number(size, f"{size / 1e6:.0f} MB")
    yield f"<td>{weights.licence or '?'}</td>"
