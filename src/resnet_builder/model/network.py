"""The residual networks inside a Keras model, found by the names of their layers.

A model may begin before the network, go on after it, or join several networks, each with its
`layer_prefix`. The layers of a user's block function have arbitrary names; they are found by
their connections, as every block ends in a layer that is named here.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import keras

from ..plan.names import ELSEWHERE, HEAD, STEM, LayerName, Place, read_names
from .graph import Node, model_graph


@dataclass(frozen=True)
class NetworkLayers:
    """The layers of one residual network in a model.

    Attributes:
        prefix: what all their names begin with.
        places: the layers of the stem, of each block and of the head, in the model's order, by
            their roles; those of a user's block function by numbers.
    """

    prefix: str
    places: dict[Place, dict[str, Any]] = field(default_factory=dict)

    @property
    def blocks(self) -> dict[Place, dict[str, Any]]:
        """The layers of each block, as in `places`."""
        return {place: layers for place, layers in self.places.items() if place.block}


def check_model(model: Any) -> None:
    """Raise a TypeError for anything but a Keras model."""
    if not isinstance(model, keras.Model):
        raise TypeError(f"model must be a Keras model, got {model!r}")


def networks_of(model: Any) -> list[NetworkLayers]:
    """The residual networks in a model, at least one; models inside the model are not searched.

    Raises:
        TypeError: not a Keras model.
        ValueError: no layers with names of this package.
    """
    check_model(model)
    names = read_names(layer.name for layer in model.layers)
    if not names:
        raise ValueError(
            f"{model.name!r} has no layers that are named as in this package, such as stem_conv "
            "or stage1_block1_out: give the network itself; if it is inside another model, that "
            "is model.get_layer(NAME)"
        )
    # The model's order is that of model.layers; parallel branches have another one in its graph.
    prefixes = dict.fromkeys(names[of.name].prefix for of in model.layers if of.name in names)
    networks = {prefix: NetworkLayers(prefix) for prefix in prefixes}
    for layer, name in _inside(model_graph(model), names):
        layers = networks[name.prefix].places.setdefault(name.place, {})
        layers[name.role if layer.name in names else str(len(layers))] = layer
    return list(networks.values())


def places(graph: list[Node]) -> list[Place]:
    """The place of every node: in the stem if it comes before a network, in the head if after it.

    All are elsewhere if the graph has no blocks that are named as in this package.
    """
    names = read_names(node.layer.name for node in graph)
    if not any(name.place.block for name in names.values()):
        return [ELSEWHERE] * len(graph)
    return [
        (name.place if after else STEM) if name else HEAD
        for name, after in zip(_before(graph, names), _after(graph, names), strict=True)
    ]


def _inside(graph: list[Node], names: Mapping[str, LayerName]) -> Iterator[tuple[Any, LayerName]]:
    """The layers of networks; those without a name of their own with that of what they feed."""
    for node, name, after in zip(graph, _before(graph, names), _after(graph, names), strict=True):
        if name and after:
            yield node.layer, name


def _before(graph: list[Node], names: Mapping[str, LayerName]) -> list[LayerName | None]:
    """The name of every node, or the first that it feeds, directly or not."""
    found: list[LayerName | None] = [None] * len(graph)
    for position, node in reversed(list(enumerate(graph))):
        found[position] = names.get(node.layer.name, found[position])
        for source in node.inputs:
            found[source] = found[position] or found[source]
    return found


def _after(graph: list[Node], names: Mapping[str, LayerName]) -> list[bool]:
    """Whether every node has a name or comes after one that has."""
    found: list[bool] = []
    for node in graph:
        found.append(node.layer.name in names or any(found[source] for source in node.inputs))
    return found
