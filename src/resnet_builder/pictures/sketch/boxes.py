"""The layers of a Keras model gathered into the boxes of a picture.

A convolution, its batch norm and its activation make one box, and so do a sum and the activation
behind it, and a squeeze-and-excitation; padding and layers that do nothing are not drawn.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

from ...common.words import Description
from ...model.graph import PERMUTED, Node
from .layer_words import activation_words, cells, kind, numbers, window
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


@dataclass(frozen=True)
class _Group:
    """Nodes in a row that make one box: a `"chain"` or an `"excitation"`."""

    kind: str
    nodes: list[int]


class _Gathering:
    def __init__(self, graph: list[Node], blocks: list[str]) -> None:
        self.graph = graph
        self.blocks = blocks
        self.outputs: set[int] = set()
        self.inputs = self._without_silent_nodes()
        self.consumers: dict[int, list[int]] = {node: [] for node in self.inputs}
        for node, inputs in self.inputs.items():
            for source in inputs:
                self.consumers[source].append(node)

    def boxes(self) -> list[LayerBox]:
        groups = sorted(self._groups(), key=lambda group: group.nodes[-1])
        box_of = {node: number for number, group in enumerate(groups) for node in group.nodes}

        def inputs(number: int, group: _Group) -> tuple[int, ...]:
            sources = (source for node in group.nodes for source in self.inputs[node])
            return tuple(dict.fromkeys(box_of[s] for s in sources if box_of[s] != number))

        return [
            LayerBox(tuple(group.nodes), inputs(number, group), tuple(self._cells(group)))
            for number, group in enumerate(groups)
        ]

    def _groups(self) -> Iterator[_Group]:
        excitations = self._excitations()
        yield from (_Group("excitation", nodes) for nodes in excitations)
        inside = {node for nodes in excitations for node in nodes}
        for chain in self._chains(inside):
            yield from (_Group("chain", nodes) for nodes in self._split(chain))

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
                self.outputs.add(stands_for[position])
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
        """The nodes of a chain between a node and the last of the chain; empty if it is none.

        All that they compute stays in the chain, and they are of the block of what they feed.
        """
        chain: list[int] = []
        while end != start:
            if end in self.outputs or len(self.consumers[end]) != 1 or len(self.inputs[end]) != 1:
                return []
            if self.blocks[end] != self.blocks[self.consumers[end][0]]:
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
        if before[-1] in self.outputs or self.blocks[before[-1]] != self.blocks[node]:
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

    def _cells(self, group: _Group) -> list[Cell]:
        layers = [self.graph[node].layer for node in group.nodes]
        if group.kind == "excitation":
            written = [_excitation(layers)]
        elif [kind(layer) for layer in layers] == ["pool", "pool"]:
            written = [self._strided_pool(*group.nodes)]
        else:
            written = [cell for node in group.nodes for cell in self._cells_of(node)]
        last = group.nodes[-1]
        if last in self.outputs and (len(self.outputs) > 1 or self.consumers[last]):
            written.append(Cell(Description("output", "output")))
        return written

    def _cells_of(self, node: int) -> list[Cell]:
        return cells(self.graph[node].layer, self.graph[node].output_shape)

    def _strided_pool(self, pool: int, strides: int) -> Cell:
        [cell] = self._cells_of(pool)
        strides_of_window = numbers(self.graph[strides].layer.strides)
        return Cell(replace(cell.description, strides=strides_of_window))


def _excitation(layers: list[Any]) -> Cell:
    """Its words, with the number of channels that it squeezes to."""
    sizes = (getattr(layer, "filters", getattr(layer, "units", None)) for layer in layers)
    squeezed = next((str(size) for size in sizes if size), "")
    return Cell(Description("scale", "squeeze-excite", count=squeezed))


def _is_silent(node: Node) -> bool:
    """Whether a layer does nothing, or only pads an image for what follows."""
    name = type(node.layer).__name__
    if name == "Identity" or (
        kind(node.layer) == "activation" and not activation_words(node.layer)
    ):
        return True
    if getattr(node.layer, "dims", None) in PERMUTED:
        return True
    # Padding along one axis alone may add channels to a shortcut.
    return name == "ZeroPadding2D" and all(map(any, node.layer.padding))


def _only_strides(node: Node) -> bool:
    """Whether a pool looks at one place at a time."""
    return set(window(node.layer)) == {1}
