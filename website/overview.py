"""The overview of all presets: the chart, and a table that assets/overview.js sorts."""

from collections.abc import Iterator
from html import escape

from resnet_builder import PRESETS, profile

from .accuracy import accuracy
from .chart import Point, chart
from .families import FAMILY_OF, FOR_TESTS

COLUMNS = (
    ("preset", "text"),
    ("family", "text"),
    ("parameters", "number"),
    ("multiply-adds", "number"),
    ("top-1, %", "number"),
)


def overview_page() -> str:
    """The gallery's first page."""
    found = {name: value for name in PRESETS if (value := accuracy(name))}
    points = [
        Point(name, value.macs, value.top1, FAMILY_OF[name].group)
        for name, value in found.items()
        if FAMILY_OF[name] is not FOR_TESTS
    ]
    return "\n\n".join(
        [
            "---\nhide: [toc]\n---",
            "# Gallery",
            f"{len(PRESETS)} presets, each with its picture, its layers, its checkpoints and how "
            "near it is to its origin.",
            f'<div class="chart">{chart(points)}</div>',
            'Top-1 on ImageNet of the checkpoint that `weights="imagenet"` loads, or of the '
            "best one where none is free to use, over the multiply-adds for an image of the size "
            "that it was measured at. Every point is a link. Training matters as much as the "
            "network: see the checkpoints of [resnet50](resnet50.md#checkpoints).",
            '<label class="filter">Filter <input type="search" id="filter" '
            'placeholder="50d, ResNeXt, CIFAR, ..." autocomplete="off"></label>',
            _table(),
            "Parameters and multiply-adds are at the preset's own input size. `!`: only "
            "checkpoints that are not for commercial use are known.",
        ]
    )


def _table() -> str:
    heads = "".join(
        f'<th scope="col" data-kind="{kind}"><button type="button">{words}</button></th>'
        for words, kind in COLUMNS
    )
    rows = "\n".join(f"<tr>{''.join(_cells(name))}</tr>" for name in PRESETS)
    table = f"<thead><tr>{heads}</tr></thead>\n<tbody>\n{rows}\n</tbody>"
    return f'<div class="overview"><table id="overview" class="sortable">{table}</table></div>'


def _cells(name: str) -> Iterator[str]:
    cost, found = profile(name), accuracy(name)
    yield f'<td><a href="{name}.html">{name}</a></td>'
    yield f"<td>{escape(FAMILY_OF[name].title)}</td>"
    yield _number(cost.parameters, f"{cost.parameters / 1e6:,.2f} M")
    assert cost.macs is not None, name
    size = "x".join(map(str, cost.input_shape[:2]))
    yield _number(cost.macs, f"{cost.macs / 1e9:,.2f} G", f"at {size}")
    if found is None:
        yield "<td></td>"
    else:
        words = f"{found.checkpoint}, at {found.rows}x{found.rows}"
        yield _number(found.top1, f"{found.top1:.1f}" + ("" if found.is_free else " !"), words)


def _number(value: float, shown: str, title: str = "") -> str:
    more = f' title="{title}"' if title else ""
    return f'<td data-value="{value}"{more}>{shown}</td>'
