"""Making panels of boxes, and of other panels."""

from collections.abc import Iterable

from .sketch import Box, Cell, Edge, Panel


class PanelMaker:
    """Collects the boxes of a panel."""

    def __init__(self) -> None:
        self.boxes: list[Box] = []
        self.edges: list[Edge] = []

    def box(self, cells: Iterable[Cell], sources: Iterable[int], role: str = "") -> int:
        """Add a box after others, and return its index."""
        position = len(self.boxes)
        self.boxes.append(tuple(cells))
        self.edges += [Edge(source, position, role) for source in sources]
        return position

    def connect(self, source: int, target: int, role: str = "") -> None:
        """Add an edge."""
        self.edges.append(Edge(source, target, role))

    def panel(self, name: str = "") -> Panel:
        """Return the panel."""
        return Panel((name, name), tuple(self.boxes), tuple(self.edges))


def join(panels: Iterable[Panel]) -> Panel:
    """Join consecutive panels to one."""
    panels = list(panels)
    boxes: list[Box] = []
    edges: list[Edge] = []
    for panel in panels:
        start = len(boxes)
        for edge in panel.edges:
            # The entry, -1, becomes the last box before it.
            edges.append(Edge(edge.source + start, edge.target + start, edge.role))
        boxes += panel.boxes
    return Panel((panels[0].names[0], panels[-1].names[1]), tuple(boxes), tuple(edges))


def shortcut_role(boxes: Iterable[Box]) -> str:
    """The role of a shortcut that passes through these boxes."""
    boxes = list(boxes)
    weighted = any(cell.kind in ("conv", "dense") for box in boxes for cell in box)
    return "projection" if weighted else "resized identity" if boxes else "identity"
