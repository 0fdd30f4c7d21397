"""A page as a DOT graph in which every place is given: all versions of Graphviz draw the same."""

from collections.abc import Iterator, Sequence
from itertools import pairwise
from math import dist
from typing import Any

import pydot

from ..markup import escape
from .page import Frame, Line, Page, PlacedBox, Run, Text
from .unit_layout import FONT_SIZE, ROW, Point, cell_width, reach, text_width

FONT = "Arial"
CORNER = 6  # radius
ARROW = 6  # length

# Paul Tol's pale, light and vibrant qualitative colours, which stay apart for the colour-blind;
# lightness and words tell apart what grey does not. https://personal.sron.nl/~pault/
COLOURS = {
    "conv": "#BBCCEE",
    "norm": "#EEEEBB",
    "activation": "#FFCCCC",
    "pool": "#CCEEFF",
    "merge": "#CCDDAA",
    "scale": "#E0D0EC",
    "dense": "#DDDDDD",
    "other": "#FFFFFF",
    "output": "#FFFFFF",
}
ROLES = {
    "": {"color": "#444444"},
    "identity": {"color": "#0077BB", "penwidth": "1.8"},
    "resized identity": {"color": "#0077BB", "penwidth": "1.4", "style": "dashed"},
    "projection": {"color": "#CC3311", "penwidth": "1.4", "style": "dashed"},
}
MARKED = ' BORDER="3" COLOR="#000000"'
TEXT_COLOURS = {role: look["color"] for role, look in ROLES.items()} | {"": "#000000"}
FRAMES = {
    "lane": {"fillcolor": "#F4F4F4", "color": "#CCCCCC"},
    "unit": {"fillcolor": "#FFFFFF", "color": "#999999"},
    "card": {"fillcolor": "#FFFFFF", "color": "#999999"},
}


def draw_page(page: Page) -> pydot.Dot:
    """The graph: frames below, then boxes, and lines above."""
    return _Drawing(page).graph


class _Drawing:
    def __init__(self, page: Page) -> None:
        self.height = page.height
        # The engine nop2 takes the places as they are.
        self.graph = pydot.Dot(
            "network", layout="nop2", outputorder="nodesfirst", pad="0.15", bgcolor="white"
        )
        self.graph.set_node_defaults(
            shape="plain", fontname=FONT, fontsize=str(FONT_SIZE), color="#555555"
        )
        self.graph.set_edge_defaults(arrowsize="0.6")
        for number, frame in enumerate(page.frames):
            self._frame(f"f{number}", frame)
        for number, text in enumerate(page.texts):
            self._text(f"t{number}", text)
        for box in page.boxes:
            self._box(box)
        for fork, point in page.forks.items():
            self._node(fork, point, shape="point", width="0.05", color="#444444")
        for line in page.lines:
            self._line(line)

    def _at(self, point: Point) -> str:
        x, y = point
        return f"{x:.1f},{self.height - y:.1f}"

    def _node(self, node: str, point: Point, **attributes: Any) -> None:
        self.graph.add_node(pydot.Node(node, pos=self._at(point), **attributes))

    def _frame(self, name: str, frame: Frame) -> None:
        self._node(
            name,
            (frame.x + frame.width / 2, frame.y + frame.height / 2),
            shape="box",
            style="rounded,filled",
            label="",
            fixedsize="true",
            width=f"{frame.width / 72:.4f}",
            height=f"{frame.height / 72:.4f}",
            **FRAMES[frame.kind],
        )

    def _text(self, name: str, text: Text) -> None:
        widths = [sum(text_width(run.words, run.size) for run in line) for line in text.lines]
        heights = [1.25 * max(run.size for run in line) for line in text.lines]
        cell = f'ALIGN="LEFT" WIDTH="{max(widths):.0f}"'
        rows = "".join(
            f'<TR><TD {cell} HEIGHT="{height:.0f}">{"".join(map(_run, line))}</TD></TR>'
            for line, height in zip(text.lines, heights, strict=True)
        )
        self._node(
            name,
            (text.x + max(widths) / 2, text.y + sum(heights) / 2),
            label=f"<{_table(rows, 0, 0)}>",
        )

    def _box(self, placed: PlacedBox) -> None:
        cells = "".join(
            f'<TD BGCOLOR="{COLOURS[cell.kind]}" WIDTH="{cell_width(cell)}" HEIGHT="{ROW}"'
            f"{MARKED if cell.marked else ''}>{escape(cell.words)}</TD>"
            for cell in placed.box
        )
        width = sum(reach(placed.box))
        self._node(
            placed.name,
            (placed.x + width / 2, placed.y),
            label=f"<{_table(f'<TR>{cells}</TR>', 1, 0)}>",
        )

    def _line(self, line: Line) -> None:
        *_, before, end = points = _without_repeats(line.points)
        way = list(points)
        position = ""
        if line.arrow:
            # The tip of the arrow is the end; the line stops where the arrow begins.
            way[-1] = _towards(end, before, ARROW)
            position = f"e,{self._at(end)} "
        position += " ".join(map(self._at, _rounded(way)))
        attributes: dict[str, Any] = ROLES[line.role] | (
            {} if line.arrow else {"arrowhead": "none"}
        )
        self.graph.add_edge(pydot.Edge(line.source, line.target, pos=position, **attributes))


def _table(rows: str, border: int, padding: int) -> str:
    return (
        f'<TABLE BORDER="0" CELLBORDER="{border}" CELLSPACING="0" CELLPADDING="{padding}">'
        f"{rows}</TABLE>"
    )


def _run(run: Run) -> str:
    words = escape(run.words).replace("   ", "&#160;" * 3)
    for tag, wanted in (("B", run.bold), ("U", run.marked)):
        words = f"<{tag}>{words}</{tag}>" if wanted else words
    return f'<FONT POINT-SIZE="{run.size}" COLOR="{TEXT_COLOURS[run.role]}">{words}</FONT>'


# Lines ------------------------------------------------------------------------------------------


def _without_repeats(points: Sequence[Point]) -> list[Point]:
    """Without points that follow themselves or lie on the way between their neighbours."""
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
    """The point on the way to another."""
    part = length / dist(point, other)
    (x, y), (other_x, other_y) = point, other
    return x + (other_x - x) * part, y + (other_y - y) * part
