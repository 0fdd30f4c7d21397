"""The layers of a Keras model gathered into the boxes of a picture.

A box is a convolution with its batch norm and activation, a sum with the activation after it, or a
squeeze-and-excitation; padding and layers that do nothing are not drawn.
"""

from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

from ...common.words import Description
from ...model.graph import Node
from .drawn_graph import DrawnGraph, drawn_graph
from .layer_words import cells, kind, numbers, window
from .sketch import Cell


@dataclass(frozen=True)
class LayerBox:
    """Nodes that make one box; `inputs` are the positions of the boxes that feed it."""

    nodes: tuple[int, ...]
    inputs: tuple[int, ...]
    cells: tuple[Cell, ...]


def gather(graph: list[Node], groups: Sequence[Hashable]) -> list[LayerBox]:
    """Gather the boxes of a model: each after those that feed it, and none across two groups.

    `groups` are those of the nodes, such as their blocks.
    """
    drawn = drawn_graph(graph, groups)
    gathered = sorted(_box_groups(drawn), key=lambda group: group.nodes[-1])
    box_of = {node: number for number, group in enumerate(gathered) for node in group.nodes}

    def inputs(number: int, group: _Group) -> tuple[int, ...]:
        sources = (source for node in group.nodes for source in drawn.inputs[node])
        return tuple(dict.fromkeys(box_of[s] for s in sources if box_of[s] != number))

    return [
        LayerBox(tuple(group.nodes), inputs(number, group), tuple(_group_cells(drawn, group)))
        for number, group in enumerate(gathered)
    ]


@dataclass(frozen=True)
class _Group:
    """Nodes in a row that make one box: a `"chain"` or an `"excitation"`."""

    kind: str
    nodes: list[int]


def _box_groups(graph: DrawnGraph) -> Iterator[_Group]:
    excitations = list(_excitations(graph))
    yield from (_Group("excitation", nodes) for nodes in excitations)
    inside = {node for nodes in excitations for node in nodes}
    for chain in _chains(graph, inside):
        yield from (_Group("chain", nodes) for nodes in _split(graph, chain))


# Squeeze-and-excitation -------------------------------------------------------------------------


def _excitations(graph: DrawnGraph) -> Iterator[list[int]]:
    """Yield the nodes of each squeeze-and-excitation: a pool, its chain and the product."""
    for node, sources in graph.inputs.items():
        if type(graph.layer(node)).__name__ == "Multiply" and len(sources) == 2:
            for scaled, scale in (sources, sources[::-1]):
                chain = _chain_between(graph, scaled, scale)
                if chain and "GlobalAverage" in type(graph.layer(chain[0])).__name__:
                    yield [*chain, node]
                    break


def _chain_between(graph: DrawnGraph, start: int, end: int) -> list[int]:
    """The chain of nodes from after `start` to `end`; empty if there is none.

    Only the chain uses its inner results, and it is in the same group as the node that it feeds.
    """
    chain: list[int] = []
    while end != start:
        consumers, inputs = graph.consumers[end], graph.inputs[end]
        if end in graph.outputs or len(consumers) != 1 or len(inputs) != 1:
            return []
        if graph.groups[end] != graph.groups[consumers[0]]:
            return []
        chain.insert(0, end)
        end = inputs[0]
    return chain


# Chains -----------------------------------------------------------------------------------------


def _chains(graph: DrawnGraph, inside: set[int]) -> list[list[int]]:
    """Nodes in a row that may share boxes, without those `inside` an excitation."""
    chains: dict[int, list[int]] = {}  # by last node
    for node, sources in graph.inputs.items():
        if node in inside:
            continue
        before = chains.get(sources[0]) if graph.is_chained(node) else None
        if before and _may_share(graph, before, node):
            chains[node] = [*chains.pop(sources[0]), node]
        else:
            chains[node] = [node]
    return list(chains.values())


def _may_share(graph: DrawnGraph, before: list[int], node: int) -> bool:
    if before[-1] in graph.outputs or graph.groups[before[-1]] != graph.groups[node]:
        return False
    last, this = graph.kind(before[-1]), graph.kind(node)
    if last == this == "pool":
        return set(window(graph.layer(node))) == {1}  # it only strides
    if graph.kind(before[0]) == "merge":
        return this == "activation" and len(before) == 1
    if last == "dense":
        return this in ("norm", "activation")
    return {last, this} <= {"conv", "norm", "activation"}


def _split(graph: DrawnGraph, chain: list[int]) -> list[list[int]]:
    """A box for every convolution; in a chain that ends in one, batch norm comes before it."""
    kinds = [graph.kind(node) for node in chain]
    convs = [n for n, kind in enumerate(kinds) if kind == "conv"]
    norm_first = kinds[-1] == "conv"
    cuts = [n + norm_first for n in convs]
    edges = sorted({0, *cuts, len(chain)})
    return [chain[a:b] for a, b in pairwise(edges)]


# Words ------------------------------------------------------------------------------------------


def _group_cells(graph: DrawnGraph, group: _Group) -> list[Cell]:
    layers = [graph.layer(node) for node in group.nodes]
    if group.kind == "excitation":
        written = [_excitation(layers)]
    elif [kind(layer) for layer in layers] == ["pool", "pool"]:
        written = [_strided_pool(graph, *group.nodes)]
    else:
        written = [cell for node in group.nodes for cell in _node_cells(graph, node)]
    last = group.nodes[-1]
    if last in graph.outputs and (len(graph.outputs) > 1 or graph.consumers[last]):
        written.append(Cell(Description("output", "output")))
    return written


def _node_cells(graph: DrawnGraph, node: int) -> list[Cell]:
    return cells(graph.layer(node), graph.nodes[node].output_shape)


def _strided_pool(graph: DrawnGraph, pool: int, strides: int) -> Cell:
    [cell] = _node_cells(graph, pool)
    strides_of_window = numbers(graph.layer(strides).strides)
    return Cell(replace(cell.description, strides=strides_of_window))


def _excitation(layers: list[Any]) -> Cell:
    """The cell of an attention: the channels in its middle, or the kernel along the channels."""
    along = next((layer for layer in layers if type(layer).__name__ == "Conv1D"), None)
    if along:
        return Cell(Description("scale", "channel attention", count=str(along.kernel_size[0])))
    sizes = (getattr(layer, "filters", getattr(layer, "units", None)) for layer in layers)
    squeezed = next((str(size) for size in sizes if size), "")
    return Cell(Description("scale", "squeeze-excite", count=squeezed))
