"""A page as a DOT graph with every position given: all versions of Graphviz draw the same."""

from collections.abc import Iterator, Sequence
from itertools import pairwise
from math import dist
from typing import Any

import pydot

from ..sketch.sketch import Box
from ..style import ARROW, COLOURS, CORNER, FONT, FONT_SIZE, ROLES, ROW, escape, table
from .page import Line, Page, Point, Text, TextPart, cell_width, corners, extent

MARKED = ' BORDER="3" COLOR="#000000"'
TEXT_COLOURS = {role: look["color"] for role, look in ROLES.items()} | {"": "#000000"}
ROUNDED = {"shape": "box", "style": "rounded,filled", "label": "", "fixedsize": "true"}
WHITE = {"fillcolor": "#FFFFFF", "color": "#999999"}
FRAMES = {"lane": {"fillcolor": "#F4F4F4", "color": "#CCCCCC"}, "panel": WHITE, "behind": WHITE}


def draw_page(page: Page) -> pydot.Dot:
    """Draw frames at the bottom, then texts and boxes, and lines on top."""
    # The engine nop2 keeps the positions as they are.
    graph = pydot.Dot(
        "network", layout="nop2", outputorder="nodesfirst", pad="0.15", bgcolor="white"
    )
    graph.set_node_defaults(shape="plain", fontname=FONT, fontsize=str(FONT_SIZE), color="#555555")
    graph.set_edge_defaults(arrowsize="0.6")

    def at(point: Point) -> str:
        x, y = point
        return f"{x:.1f},{page.height - y:.1f}"

    def add_node(name: str, middle: Point, **look: Any) -> None:
        graph.add_node(pydot.Node(name, pos=at(middle), **look))

    for number, frame in enumerate(page.frames):
        middle = frame.x + frame.width / 2, frame.y + frame.height / 2
        size = {"width": f"{frame.width / 72:.4f}", "height": f"{frame.height / 72:.4f}"}
        add_node(f"f{number}", middle, **ROUNDED, **size, **FRAMES[frame.kind])
    for number, text in enumerate(page.texts):
        width = max(sum(part.width for part in line) for line in text.lines)
        heights = [1.25 * max(part.size for part in line) for line in text.lines]
        middle = text.x + width / 2, text.y + sum(heights) / 2
        add_node(f"t{number}", middle, label=_text_label(text, width, heights))
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


def _text_label(text: Text, width: float, heights: Sequence[float]) -> str:
    look = f'ALIGN="LEFT" WIDTH="{width:.0f}"'
    return table(
        f'<TD {look} HEIGHT="{height:.0f}">{"".join(map(_markup, line))}</TD>'
        for line, height in zip(text.lines, heights, strict=True)
    )


def _markup(part: TextPart) -> str:
    words = escape(part.words).replace("   ", "&#160;" * 3)
    for tag, wanted in (("B", part.bold), ("U", part.marked)):
        words = f"<{tag}>{words}</{tag}>" if wanted else words
    return f'<FONT POINT-SIZE="{part.size}" COLOR="{TEXT_COLOURS[part.role]}">{words}</FONT>'


def _box_label(box: Box) -> str:
    cells = (
        f'<TD BGCOLOR="{COLOURS[cell.kind]}" WIDTH="{cell_width(cell)}" HEIGHT="{ROW}"'
        f"{MARKED if cell.marked else ''}>{escape(cell.words)}</TD>"
        for cell in box
    )
    return table(["".join(cells)], border=1)


def _curve(line: Line) -> tuple[list[Point], Iterator[Point]]:
    """The tip of a line's arrow, if it has one, and the control points of its Bézier curves."""
    *_, before, end = route = corners(line.points)
    if not line.arrow:
        return [], _rounded(route)
    # The line stops where the arrow begins.
    base = [_towards(end, before, ARROW)] if dist(before, end) > ARROW else []
    return [end], _rounded([*route[:-1], *base])


def _rounded(points: Sequence[Point]) -> Iterator[Point]:
    """The control points of straight lines with rounded corners."""
    yield points[0]
    start = points[0]
    for corner, after in pairwise(points[1:]):
        radius = min(CORNER, dist(start, corner), dist(corner, after) / 2)
        first, last = _towards(corner, start, radius), _towards(corner, after, radius)
        yield from (start, first, first, corner, corner, last)
        start = last
    yield from (start, points[-1], points[-1])


def _towards(point: Point, other: Point, length: float) -> Point:
    """The point at a distance from a point, towards another."""
    part = length / dist(point, other)
    (x, y), (other_x, other_y) = point, other
    return x + (other_x - x) * part, y + (other_y - y) * part
