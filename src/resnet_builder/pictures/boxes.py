"""The layers of a Keras model gathered into the boxes of a picture.

A convolution, its batch norm and its activation make one box, and so do a sum and the activation
behind it, and a squeeze-and-excitation; padding and layers that do nothing are not drawn.
"""

from dataclasses import dataclass
from itertools import pairwise

from ..graph import Node
from .layer_words import activation_words, cells, kind, settings, window
from .sketch import Cell


@dataclass(frozen=True)
class LayerBox:
    """Nodes that make one box; `inputs` are the positions of the boxes that feed it."""

    nodes: tuple[int, ...]
    inputs: tuple[int, ...]
    cells: tuple[Cell, ...]


def gather(graph: list[Node], blocks: list[str]) -> list[LayerBox]:
    """The boxes of a model, each behind those that feed it, and none across two blocks."""
    return _Gathering(graph, blocks).boxes()


class _Gathering:
    def __init__(self, graph: list[Node], blocks: list[str]) -> None:
        self.graph = graph
        self.blocks = blocks
        self.answers: set[int] = set()
        self.inputs = self._without_silent_nodes()
        self.consumers: dict[int, list[int]] = {node: [] for node in self.inputs}
        for node, inputs in self.inputs.items():
            for source in inputs:
                self.consumers[source].append(node)

    def boxes(self) -> list[LayerBox]:
        groups = self._excitations()
        inside = {node for group in groups for node in group}
        for chain in self._chains(inside):
            groups += self._split(chain)
        groups.sort(key=lambda group: group[-1])
        box_of = {node: number for number, group in enumerate(groups) for node in group}
        return [
            LayerBox(
                nodes=tuple(group),
                inputs=tuple(
                    dict.fromkeys(
                        box_of[source]
                        for node in group
                        for source in self.inputs[node]
                        if source not in group
                    )
                ),
                cells=tuple(self._cells(group)),
            )
            for group in groups
        ]

    def _without_silent_nodes(self) -> dict[int, tuple[int, ...]]:
        """What feeds each node that is drawn."""
        stands_for: dict[int, int] = {}
        inputs = {}
        for position, node in enumerate(self.graph):
            sources = tuple(stands_for[source] for source in node.inputs)
            stands_for[position] = position
            if len(sources) == 1 and _is_silent(node):
                stands_for[position] = sources[0]
            else:
                inputs[position] = sources
            if node.is_output:
                self.answers.add(stands_for[position])
        return inputs

    def _is_chained(self, node: int) -> bool:
        """Whether a node has one input, which feeds nothing else."""
        sources = self.inputs[node]
        return len(sources) == 1 and len(self.consumers[sources[0]]) == 1

    # Squeeze-and-excitation -----------------------------------------------------------------

    def _excitations(self) -> list[list[int]]:
        """Products of a tensor with what a chain behind a global pool makes of it."""
        found = []
        for node, sources in self.inputs.items():
            if type(self.graph[node].layer).__name__ == "Multiply" and len(sources) == 2:
                for scaled, scale in (sources, sources[::-1]):
                    chain = self._back_to(scaled, scale)
                    if chain and "GlobalAverage" in type(self.graph[chain[0]].layer).__name__:
                        found.append([*chain, node])
                        break
        return found

    def _back_to(self, start: int, end: int) -> list[int]:
        """The nodes of a chain between a node and the last of the chain; empty if it is none."""
        chain: list[int] = []
        while end != start:
            if len(self.consumers[end]) != 1 or len(self.inputs[end]) != 1:
                return []
            chain.insert(0, end)
            end = self.inputs[end][0]
        return chain

    # Chains ---------------------------------------------------------------------------------

    def _chains(self, inside: set[int]) -> list[list[int]]:
        """Nodes in a row that may share boxes."""
        chains: dict[int, list[int]] = {}  # by last node
        for node in self.inputs:
            if node in inside:
                continue
            sources = self.inputs[node]
            before = chains.get(sources[0]) if self._is_chained(node) else None
            if before and self._may_share(before, node):
                chains[node] = [*chains.pop(sources[0]), node]
            else:
                chains[node] = [node]
        return list(chains.values())

    def _may_share(self, before: list[int], node: int) -> bool:
        if before[-1] in self.answers or self.blocks[before[-1]] != self.blocks[node]:
            return False
        last, this = self.kind(before[-1]), self.kind(node)
        if last == this == "pool":
            return _only_strides(self.graph[node])
        if self.kind(before[0]) == "merge":
            return this == "activation" and len(before) == 1
        if last == "dense":
            return this in ("norm", "activation")
        return {last, this} <= {"conv", "norm", "activation"}

    def kind(self, node: int) -> str:
        return kind(self.graph[node].layer)

    def _split(self, chain: list[int]) -> list[list[int]]:
        """A box for every convolution; a chain that ends in one has batch norm before it."""
        kinds = [self.kind(node) for node in chain]
        convs = [n for n, kind in enumerate(kinds) if kind == "conv"]
        before = kinds[-1] == "conv"
        cuts = [n + before for n in convs]
        edges = sorted({0, *cuts, len(chain)})
        return [chain[a:b] for a, b in pairwise(edges)]

    # Words ----------------------------------------------------------------------------------

    def _cells(self, group: list[int]) -> list[Cell]:
        nodes = [self.graph[node] for node in group]
        of_nodes = [cells(node.layer, node.output_shape) for node in nodes]
        kinds = [kind(node.layer) for node in nodes]
        if kinds[-1] == "merge" and len(nodes) > 1:
            sizes = [getattr(n.layer, "filters", getattr(n.layer, "units", None)) for n in nodes]
            reduced = next((str(size) for size in sizes if size), "")
            of_nodes = [[Cell("scale", ", ".join(filter(None, ["squeeze-excite", reduced])))]]
        elif kinds == ["pool", "pool"]:
            strides = settings(nodes[1].layer)
            of_nodes = [[Cell("pool", ", ".join([of_nodes[0][0].words, *strides]))]]
        written = [cell for of_node in of_nodes for cell in of_node]
        if group[-1] in self.answers and (len(self.answers) > 1 or self.consumers[group[-1]]):
            written.append(Cell("output", "output"))
        return written


def _is_silent(node: Node) -> bool:
    """Whether a layer does nothing, or only pads an image for what follows."""
    name = type(node.layer).__name__
    if name == "Identity" or (
        kind(node.layer) == "activation" and not activation_words(node.layer)
    ):
        return True
    # Padding along one axis alone may add channels to a shortcut.
    return name == "ZeroPadding2D" and all(map(any, node.layer.padding))


def _only_strides(node: Node) -> bool:
    """Whether a pool looks at one place at a time."""
    return set(window(node.layer)) == {1}
