"""A page as a DOT graph with every position given: all versions of Graphviz draw the same."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise
from math import dist
from typing import Any

import pydot

from ..sketch.sketch import Box
from ..style import COLOURS, FONT, ROLES, escape
from . import sizes
from .page import Frame, Line, Page, Point, Span, Text, corners
from .sizes import cell_width, extent, text_width

MARKED = ' BORDER="3" COLOR="#000000"'
TEXT_COLOURS = {role: look["color"] for role, look in ROLES.items()} | {"": "#000000"}
WHITE = {"fillcolor": "#FFFFFF", "color": "#999999"}
FRAMES = {"lane": {"fillcolor": "#F4F4F4", "color": "#CCCCCC"}, "panel": WHITE, "card": WHITE}


def draw_page(page: Page) -> pydot.Dot:
    """Draw frames at the bottom, then texts and boxes, and lines on top."""
    # The engine nop2 keeps the positions as they are.
    graph = pydot.Dot(
        "network", layout="nop2", outputorder="nodesfirst", pad="0.15", bgcolor="white"
    )
    graph.set_node_defaults(
        shape="plain", fontname=FONT, fontsize=str(sizes.FONT_SIZE), color="#555555"
    )
    graph.set_edge_defaults(arrowsize="0.6")

    def at(point: Point) -> str:
        x, y = point
        return f"{x:.1f},{page.height - y:.1f}"

    def add_node(name: str, middle: Point, **look: Any) -> None:
        graph.add_node(pydot.Node(name, pos=at(middle), **look))

    for number, frame in enumerate(page.frames):
        middle = frame.x + frame.width / 2, frame.y + frame.height / 2
        add_node(f"f{number}", middle, **_frame_look(frame))
    for number, text in enumerate(page.texts):
        widths, heights = zip(*map(_size, text.lines), strict=True)
        middle = text.x + max(widths) / 2, text.y + sum(heights) / 2
        add_node(f"t{number}", middle, label=_text_label(text, max(widths), heights))
    for number, placed in enumerate(page.boxes):
        middle = placed.x + sum(extent(placed.box)) / 2, placed.y
        add_node(f"b{number}", middle, label=_box_label(placed.box))
    for name, point in page.forks.items():
        add_node(name, point, shape="point", width="0.05", color="#444444")
    for line in page.lines:
        look = ROLES[line.role] | ({} if line.arrow else {"arrowhead": "none"})
        tip, curve = _curve(line)
        pos = " ".join([*(f"e,{at(point)}" for point in tip), *map(at, curve)])
        graph.add_edge(pydot.Edge(line.source, line.target, pos=pos, **look))
    return graph


def _frame_look(frame: Frame) -> dict[str, Any]:
    return {
        "shape": "box",
        "style": "rounded,filled",
        "label": "",
        "fixedsize": "true",
        "width": f"{frame.width / 72:.4f}",
        "height": f"{frame.height / 72:.4f}",
        **FRAMES[frame.kind],
    }


def _text_label(text: Text, width: float, heights: Iterable[float]) -> str:
    cell = f'ALIGN="LEFT" WIDTH="{width:.0f}"'
    rows = (
        f'<TR><TD {cell} HEIGHT="{height:.0f}">{"".join(map(_span, line))}</TD></TR>'
        for line, height in zip(text.lines, heights, strict=True)
    )
    return _table("".join(rows), border=0)


def _size(line: Iterable[Span]) -> tuple[float, float]:
    """The width and the height of a line of text."""
    spans = list(line)
    width = sum(text_width(span.words, span.size) for span in spans)
    return width, 1.25 * max(span.size for span in spans)


def _span(span: Span) -> str:
    words = escape(span.words).replace("   ", "&#160;" * 3)
    for tag, wanted in (("B", span.bold), ("U", span.marked)):
        words = f"<{tag}>{words}</{tag}>" if wanted else words
    return f'<FONT POINT-SIZE="{span.size}" COLOR="{TEXT_COLOURS[span.role]}">{words}</FONT>'


def _box_label(box: Box) -> str:
    cells = (
        f'<TD BGCOLOR="{COLOURS[cell.kind]}" WIDTH="{cell_width(cell)}" HEIGHT="{sizes.ROW}"'
        f"{MARKED if cell.marked else ''}>{escape(cell.words)}</TD>"
        for cell in box
    )
    return _table(f"<TR>{''.join(cells)}</TR>", border=1)


def _table(rows: str, *, border: int) -> str:
    return (
        f'<<TABLE BORDER="0" CELLBORDER="{border}" CELLSPACING="0" CELLPADDING="0">{rows}</TABLE>>'
    )


def _curve(line: Line) -> tuple[list[Point], Iterator[Point]]:
    """The tip of a line's arrow, if it has one, and the control points of its Bézier curves."""
    *_, before, end = route = corners(line.points)
    if not line.arrow:
        return [], _rounded(route)
    # The line stops where the arrow begins.
    base = [_towards(end, before, sizes.ARROW)] if dist(before, end) > sizes.ARROW else []
    return [end], _rounded([*route[:-1], *base])


def _rounded(points: Sequence[Point]) -> Iterator[Point]:
    """The control points of straight lines with rounded corners."""
    yield points[0]
    start = points[0]
    for corner, after in pairwise(points[1:]):
        radius = min(sizes.CORNER, dist(start, corner), dist(corner, after) / 2)
        first, last = _towards(corner, start, radius), _towards(corner, after, radius)
        yield from (start, first, first, corner, corner, last)
        start = last
    yield from (start, points[-1], points[-1])


def _towards(point: Point, other: Point, length: float) -> Point:
    """The point at a distance from a point, towards another."""
    part = length / dist(point, other)
    (x, y), (other_x, other_y) = point, other
    return x + (other_x - x) * part, y + (other_y - y) * part
