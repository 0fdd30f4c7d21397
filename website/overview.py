"""The overview of all presets: the chart, and a table that assets/overview.js sorts."""

from collections.abc import Iterable, Iterator
from html import escape

from resnet_builder import PRESETS, profile

from .accuracy import accuracy
from .chart import Point, chart
from .families import FAMILIES, FAMILY_OF, FOR_TESTS
from .ideas import ideas

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
        Point(name, value.macs / 1e9, value.top1, FAMILY_OF[name].group)
        for name, value in found.items()
        if FAMILY_OF[name] is not FOR_TESTS
    ]
    return "\n\n".join(
        [
            "---\nhide: [toc]\n---",
            "# Gallery",
            f"{len(PRESETS)} presets, each with its picture, its layers, its checkpoints and how "
            "near it is to its origin. [Compare two of them](compare.md), block by block.",
            "On this page: [families](#families), [accuracy](#accuracy), "
            "[all presets](#all-presets).",
            "## Families",
            _families(),
            "## Accuracy",
            f'<div class="chart">{chart(points, "G", "multiply-adds")}</div>',
            'Top-1 on ImageNet of the checkpoint that `weights="imagenet"` loads, or of the '
            "best one where none is free to use, over the multiply-adds for an image of the size "
            "that it was measured at. Every point is a link. Training matters as much as the "
            "network: see the checkpoints of [resnet50](resnet50.md#checkpoints).",
            "## All presets",
            '<label class="filter">Filter <input type="search" id="filter" '
            'placeholder="50d, ResNeXt, CIFAR, ..." autocomplete="off"></label>',
            _table(),
            "Parameters and multiply-adds are at the preset's own input size. `!`: only "
            "checkpoints that are not for commercial use are known.",
        ]
    )


def _families() -> str:
    """A link for each family, with the picture of its block."""
    links = (
        f'<li><a href="../families/{ideas()[family.title].slug}.html">'
        f'<img src="asset:families/{ideas()[family.title].slug}.small.svg" alt="" loading="lazy">'
        f"{escape(family.title)}</a></li>"
        for family in FAMILIES
    )
    return f'<ul class="families">{"".join(links)}</ul>'


def _table() -> str:
    return sortable(COLUMNS, map(_cells, PRESETS))


def sortable(columns: Iterable[tuple[str, str]], rows: Iterable[Iterable[str]]) -> str:
    """A table that assets/overview.js sorts and filters, of columns and their kinds, and cells."""
    heads = "".join(
        f'<th scope="col" data-kind="{kind}"><button type="button">{words}</button></th>'
        for words, kind in columns
    )
    body = "\n".join(f"<tr>{''.join(cells)}</tr>" for cells in rows)
    table = f"<thead><tr>{heads}</tr></thead>\n<tbody>\n{body}\n</tbody>"
    return f'<div class="overview"><table id="overview" class="sortable">{table}</table></div>'


def _cells(name: str) -> Iterator[str]:
    cost, found = profile(name), accuracy(name)
    yield f'<td><a href="{name}.html">{name}</a></td>'
    yield f"<td>{escape(FAMILY_OF[name].title)}</td>"
    yield number(cost.parameters, f"{cost.parameters / 1e6:,.2f} M")
    assert cost.macs is not None, name
    size = "x".join(map(str, cost.input_shape[:2]))
    yield number(cost.macs, f"{cost.macs / 1e9:,.2f} G", f"at {size}")
    if found is None:
        yield "<td></td>"
    else:
        words = f"{found.checkpoint}, at {found.rows}x{found.rows}"
        yield number(found.top1, f"{found.top1:.1f}" + ("" if found.is_free else " !"), words)


def number(value: float, shown: str, title: str = "") -> str:
    """A cell that is sorted by its value."""
    more = f' title="{title}"' if title else ""
    return f'<td data-value="{value}"{more}>{shown}</td>'
