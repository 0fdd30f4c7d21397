"""The graph of a Keras model without the layers that a picture leaves out."""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Any

from ...model.graph import PERMUTED, Node
from .layer_words import activation_words, kind


@dataclass(frozen=True)
class DrawnGraph:
    """The nodes that are drawn, each known by its position in the model's graph.

    `groups` are those of all nodes, and no box is in two; `inputs` and `consumers` connect drawn
    nodes only; `outputs` are the drawn nodes that compute the model's outputs.
    """

    nodes: list[Node]
    groups: Sequence[Hashable]
    inputs: dict[int, tuple[int, ...]]
    consumers: dict[int, list[int]]
    outputs: set[int]

    def layer(self, node: int) -> Any:
        """The Keras layer of a node."""
        return self.nodes[node].layer

    def kind(self, node: int) -> str:
        """The kind of a node's layer."""
        return kind(self.layer(node))

    def is_chained(self, node: int) -> bool:
        """Whether a node has one input, which feeds nothing else."""
        sources = self.inputs[node]
        return len(sources) == 1 and len(self.consumers[sources[0]]) == 1


def drawn_graph(nodes: list[Node], groups: Sequence[Hashable]) -> DrawnGraph:
    """Leave out padding and layers that do nothing."""
    stands_for: dict[int, int] = {}
    inputs: dict[int, tuple[int, ...]] = {}
    for position, node in enumerate(nodes):
        sources = tuple(stands_for[source] for source in node.inputs)
        if len(sources) == 1 and _is_silent(node):
            stands_for[position] = sources[0]
        else:
            stands_for[position] = position
            inputs[position] = sources
    consumers: dict[int, list[int]] = {node: [] for node in inputs}
    for position, sources in inputs.items():
        for source in sources:
            consumers[source].append(position)
    outputs = {stands_for[position] for position, node in enumerate(nodes) if node.is_output}
    return DrawnGraph(nodes, groups, inputs, consumers, outputs)


def _is_silent(node: Node) -> bool:
    """Whether a layer does nothing, or only pads an image for the next layer."""
    name = type(node.layer).__name__
    if name == "Identity" or (
        kind(node.layer) == "activation" and not activation_words(node.layer)
    ):
        return True
    if getattr(node.layer, "dims", None) in PERMUTED:
        return True
    # Padding along one axis alone may add channels to a shortcut.
    return name == "ZeroPadding2D" and all(map(any, node.layer.padding))
