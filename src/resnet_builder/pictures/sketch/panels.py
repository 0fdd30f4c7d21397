"""Making panels of boxes, and of other panels."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import replace
from itertools import chain

from .sketch import Box, Cell, DrawnLayer, Edge, Panel, Port


class PanelMaker:
    """Collects the boxes of a panel."""

    def __init__(self) -> None:
        self.boxes: list[Box] = []
        self.edges: list[Edge] = []
        self.layers: list[tuple[DrawnLayer, ...]] = []
        self.outlets: list[Port] = []
        self.inlets: list[Port] = []

    def box(
        self,
        cells: Iterable[Cell],
        sources: Iterable[int],
        role: str = "",
        *,
        layers: Iterable[DrawnLayer] = (),
    ) -> int:
        """Add a box of some layers after others, and return its index."""
        position = len(self.boxes)
        self.boxes.append(tuple(cells))
        self.layers.append(tuple(layers))
        self.edges += [Edge(source, position, role) for source in sources]
        return position

    def connect(self, source: int, target: int, role: str = "") -> None:
        """Add an edge."""
        self.edges.append(Edge(source, target, role))

    def panel(self, name: str = "") -> Panel:
        """Return the panel."""
        return Panel(
            (name, name),
            tuple(self.boxes),
            tuple(self.edges),
            tuple(self.layers),
            outlets=tuple(self.outlets),
            inlets=tuple(self.inlets),
        )


def join(panels: Iterable[Panel]) -> Panel:
    """Join consecutive panels to one."""
    panels = list(panels)
    boxes: list[Box] = []
    edges: list[Edge] = []
    outlets: list[Port] = []
    inlets: list[Port] = []
    for panel in panels:
        start = len(boxes)
        outlets += [replace(port, box=port.box + start) for port in panel.outlets]
        inlets += [replace(port, box=port.box + start) for port in panel.inlets]
        for edge in panel.edges:
            # The entry, -1, becomes the last box before it.
            edges.append(Edge(edge.source + start, edge.target + start, edge.role))
        boxes += panel.boxes
    names = panels[0].names[0], panels[-1].names[1]
    layers = tuple(chain.from_iterable(panel.layers for panel in panels))
    return Panel(
        names, tuple(boxes), tuple(edges), layers, outlets=tuple(outlets), inlets=tuple(inlets)
    )


def main_cells(panel: Panel) -> list[Cell]:
    """The cells of the main path without norms, activations and sums."""
    beside = {edge.target for edge in panel.edges} - _main_boxes(panel)
    return [
        cell
        for number, box in enumerate(panel.boxes)
        if number not in beside
        for cell in box
        if cell.kind not in ("norm", "activation", "merge")
    ]


def shortcuts(panel: Panel) -> Counter[str]:
    """The number of shortcuts by role, in order: the same in every process."""
    main = _main_boxes(panel)
    return Counter(edge.role for edge in panel.edges if edge.role and edge.target in main)


def _main_boxes(panel: Panel) -> set[int]:
    """The boxes that not only shortcuts lead to."""
    return {edge.target for edge in panel.edges if not edge.role}


def shortcut_role(boxes: Iterable[Box]) -> str:
    """The role of a shortcut that passes through these boxes."""
    boxes = list(boxes)
    weighted = any(cell.kind in ("conv", "dense") for box in boxes for cell in box)
    return "projection" if weighted else "resized identity" if boxes else "identity"
