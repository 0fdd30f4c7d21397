"""A maker of panels, box by box."""

from collections.abc import Iterable

from resnet_builder.pictures.sketch.sketch import Box, Cell, Edge, Panel, Port


class PanelMaker:
    """Collects the boxes of a panel."""

    def __init__(self) -> None:
        self.boxes: list[Box] = []
        self.edges: list[Edge] = []
        self.outlets: list[Port] = []
        self.inlets: list[Port] = []

    def box(self, cells: Iterable[Cell], sources: Iterable[int]) -> int:
        """Add a box after others, and return its index."""
        self.boxes.append(tuple(cells))
        position = len(self.boxes) - 1
        self.edges += [Edge(source, position) for source in sources]
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
            ((),) * len(self.boxes),
            (None,) * len(self.boxes),
            outlets=tuple(self.outlets),
            inlets=tuple(self.inlets),
        )
