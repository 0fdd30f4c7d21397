"""The branches of a panel: its main path to the last box, and the others that leave it."""

from collections.abc import Iterator
from dataclasses import dataclass
from math import inf

from ..sketch.sketch import ENTRY, Edge, Panel


@dataclass(frozen=True)
class Branch:
    """Consecutive boxes, with the edges to, between and from them; there may be no box."""

    boxes: list[int]
    edges: list[Edge]

    def interval(self, heights: dict[int, float]) -> tuple[float, float]:
        """The least and the greatest height of its boxes and of the ends of its edges."""
        ends = [*self.boxes, *(end for edge in self.edges for end in (edge.source, edge.target))]
        return min(heights[end] for end in ends), max(heights[end] for end in ends)

    def rows(self, panel: Panel, rank: dict[int, int]) -> tuple[float, float]:
        """The rows that it takes, with the room between them in which its lines turn."""
        ends = [rank[box] + side for box in self.boxes for side in (-0.3, 0.3)]
        ends += [rank[port.box] + 0.6 for port in panel.outlets if port.box in self.boxes]
        ends += [rank[port.box] - 0.6 for port in panel.inlets if port.box in self.boxes]
        ends += [rank[edge.source] + 0.5 for edge in self.edges]
        ends += [rank[edge.target] for edge in self.edges]
        return min(ends), max(ends)

    def spread_over(self, interval: tuple[float, float]) -> dict[int, float]:
        """Heights for its boxes, at equal distances in an interval."""
        top, low = interval
        step = (low - top) / (len(self.boxes) + 1)
        return {box: top + n * step for n, box in enumerate(self.boxes, start=1)}

    def is_a_chain(self, panel: Panel) -> bool:
        """Whether it is a path without other edges at its boxes."""
        touching = [e for e in panel.edges if {e.source, e.target} & set(self.boxes)]
        return len(self.edges) == len(self.boxes) + 1 and set(touching) <= set(self.edges)

    def is_beside(self, main: "Branch") -> bool:
        """Whether it leaves the main branch and joins it again."""
        ends = {self.edges[0].source, self.edges[-1].target} if self.edges else set()
        return bool(ends) and ends <= {ENTRY, *main.boxes}


def branches(panel: Panel) -> Iterator[Branch]:
    """Yield the main branch, then the others; every edge is on one branch."""
    main = _main_branch(panel)
    yield main
    placed = {ENTRY, *main.boxes}
    left = [edge for edge in panel.edges if edge not in main.edges]

    def follow(branch: Branch, box: int) -> Branch:
        while box not in placed:
            placed.add(box)
            branch.boxes.append(box)
            onward = next((edge for edge in left if edge.source == box), None)
            if onward is None:
                break
            left.remove(onward)
            branch.edges.append(onward)
            box = onward.target
        return branch

    for start in range(ENTRY, len(panel.boxes)):
        if start not in placed:  # nothing leads to it
            yield follow(Branch([], []), start)
        for edge in [edge for edge in left if edge.source == start]:
            left.remove(edge)
            yield follow(Branch([], [edge]), edge.target)


def _main_branch(panel: Panel) -> Branch:
    rank = {ENTRY: -1, **dict(enumerate(ranks(panel)))}
    box = len(panel.boxes) - 1
    main = Branch([box], [])
    while leading := [edge for edge in panel.edges if edge.target == box]:
        edge = max(
            leading, key=lambda e: (not e.role, rank[e.source], -_oldest_skip(panel, e.source))
        )
        main.edges.insert(0, edge)
        box = edge.source
        if box != ENTRY:
            main.boxes.insert(0, box)
    return main


def _oldest_skip(panel: Panel, box: int) -> float:
    """The number of the first skip into a box, -inf if there is none."""
    return min((port.skip for port in panel.inlets if port.box == box), default=-inf)


def ranks(panel: Panel) -> list[int]:
    """The number of boxes on the longest path from the entry to each box."""
    longest = [0] * len(panel.boxes)
    for edge in sorted(panel.edges, key=lambda edge: edge.target):
        if edge.source != ENTRY:
            longest[edge.target] = max(longest[edge.target], longest[edge.source] + 1)
    return longest
