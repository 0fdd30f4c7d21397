"""A page as a DOT graph with every position given: all versions of Graphviz draw the same."""

from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from math import dist
from typing import Any

import pydot

from ..style import COLOURS, FONT, ROLES, escape
from .measures import ARROW, FONT_SIZE, ROW, Point, cell_width, extent, text_width
from .page import Frame, Line, Page, PlacedBox, Span, Text

CORNER = 6  # radius

MARKED = ' BORDER="3" COLOR="#000000"'
TEXT_COLOURS = {role: look["color"] for role, look in ROLES.items()} | {"": "#000000"}
FRAMES: dict[str, dict[str, Any]] = {
    "lane": {"fillcolor": "#F4F4F4", "color": "#CCCCCC"},
    "panel": {"fillcolor": "#FFFFFF", "color": "#999999"},
    "card": {"fillcolor": "#FFFFFF", "color": "#999999"},
}

Position = Callable[[Point], str]  # a point of the page as Graphviz writes it


def draw_page(page: Page) -> pydot.Dot:
    """Draw frames at the bottom, then texts and boxes, and lines on top."""

    def at(point: Point) -> str:
        x, y = point
        return f"{x:.1f},{page.height - y:.1f}"

    graph = _empty_graph()
    for number, frame in enumerate(page.frames):
        graph.add_node(_frame_node(f"f{number}", frame, at))
    for number, text in enumerate(page.texts):
        graph.add_node(_text_node(f"t{number}", text, at))
    for box in page.boxes:
        graph.add_node(_box_node(box, at))
    for fork, point in page.forks.items():
        graph.add_node(
            pydot.Node(str(fork), pos=at(point), shape="point", width="0.05", color="#444444")
        )
    for line in page.lines:
        graph.add_edge(_line_edge(line, at))
    return graph


def _empty_graph() -> pydot.Dot:
    # The engine nop2 keeps the positions as they are.
    graph = pydot.Dot(
        "network", layout="nop2", outputorder="nodesfirst", pad="0.15", bgcolor="white"
    )
    graph.set_node_defaults(shape="plain", fontname=FONT, fontsize=str(FONT_SIZE), color="#555555")
    graph.set_edge_defaults(arrowsize="0.6")
    return graph


def _frame_node(name: str, frame: Frame, at: Position) -> pydot.Node:
    return pydot.Node(
        name,
        pos=at((frame.x + frame.width / 2, frame.y + frame.height / 2)),
        shape="box",
        style="rounded,filled",
        label="",
        fixedsize="true",
        width=f"{frame.width / 72:.4f}",
        height=f"{frame.height / 72:.4f}",
        **FRAMES[frame.kind],
    )


def _text_node(name: str, text: Text, at: Position) -> pydot.Node:
    widths = [sum(text_width(span.words, span.size) for span in line) for line in text.lines]
    heights = [1.25 * max(span.size for span in line) for line in text.lines]
    cell = f'ALIGN="LEFT" WIDTH="{max(widths):.0f}"'
    rows = "".join(
        f'<TR><TD {cell} HEIGHT="{height:.0f}">{"".join(map(_span, line))}</TD></TR>'
        for line, height in zip(text.lines, heights, strict=True)
    )
    middle = text.x + max(widths) / 2, text.y + sum(heights) / 2
    return pydot.Node(name, pos=at(middle), label=_table(rows, border=0))


def _box_node(placed: PlacedBox, at: Position) -> pydot.Node:
    cells = "".join(
        f'<TD BGCOLOR="{COLOURS[cell.kind]}" WIDTH="{cell_width(cell)}" HEIGHT="{ROW}"'
        f"{MARKED if cell.marked else ''}>{escape(cell.words)}</TD>"
        for cell in placed.box
    )
    middle = placed.x + sum(extent(placed.box)) / 2, placed.y
    return pydot.Node(str(placed.name), pos=at(middle), label=_table(f"<TR>{cells}</TR>", border=1))


def _line_edge(line: Line, at: Position) -> pydot.Edge:
    *_, before, end = route = _without_repeats(line.points)
    look = dict(ROLES[line.role])
    tip = ""
    if line.arrow:
        # The tip of the arrow is the end; the line stops where the arrow begins.
        long = dist(before, end) > ARROW
        route[-1:] = [_towards(end, before, ARROW)] if long else []
        tip = f"e,{at(end)} "
    else:
        look["arrowhead"] = "none"
    position = tip + " ".join(map(at, _rounded(route)))
    return pydot.Edge(str(line.source), str(line.target), pos=position, **look)


def _table(rows: str, *, border: int) -> str:
    return (
        f'<<TABLE BORDER="0" CELLBORDER="{border}" CELLSPACING="0" CELLPADDING="0">{rows}</TABLE>>'
    )


def _span(span: Span) -> str:
    words = escape(span.words).replace("   ", "&#160;" * 3)
    for tag, wanted in (("B", span.bold), ("U", span.marked)):
        words = f"<{tag}>{words}</{tag}>" if wanted else words
    return f'<FONT POINT-SIZE="{span.size}" COLOR="{TEXT_COLOURS[span.role]}">{words}</FONT>'


# Lines ------------------------------------------------------------------------------------------


def _without_repeats(points: Sequence[Point]) -> list[Point]:
    """The points without repeats and without those on the line between their neighbours."""
    kept: list[Point] = []
    for point in points:
        if kept and dist(kept[-1], point) < 0.01:
            continue
        if len(kept) > 1 and any(kept[-2][i] == kept[-1][i] == point[i] for i in (0, 1)):
            kept.pop()
        kept.append(point)
    return kept


def _rounded(points: Sequence[Point]) -> Iterator[Point]:
    """The control points of Bézier curves: straight lines with rounded corners."""
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
