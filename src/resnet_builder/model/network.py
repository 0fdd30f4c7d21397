"""The residual networks inside a Keras model, found by the names of their layers.

A model may have layers before and after the network, or join several networks, each with its own
`layer_prefix`. The layers of a user's block function have arbitrary names; they are found by their
connections, because every block ends in a layer that is named here.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import keras

from ..plan.names import LayerName, Place, read_names
from .graph import Node, model_graph


@dataclass(frozen=True)
class NetworkLayers:
    """The layers of one residual network in a model.

    Attributes:
        prefix: prefix of all their names.
        places: the layers of the stem, of each block and of the head, in the model's order, by
            role; the layers of a user's block function by number.
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
    """Find the residual networks in a model, at least one; nested models are not searched.

    Raises:
        TypeError: not a Keras model.
        ValueError: no layers are named as in this package.
    """
    check_model(model)
    names = read_names(layer.name for layer in model.layers)
    if not names:
        nested = " and ".join(_nested(model))
        raise ValueError(
            f"{model.name!r} has no layers that are named as in this package, such as stem_conv "
            "or stage1_block1_out: give the network itself" + (f", {nested}" if nested else "")
        )
    # The order is that of model.layers; the graph has another one for parallel branches.
    prefixes = dict.fromkeys(names[of.name].prefix for of in model.layers if of.name in names)
    networks = {prefix: NetworkLayers(prefix) for prefix in prefixes}
    graph = model_graph(model)
    for node, name in zip(graph, owners(graph), strict=True):
        if name:
            layers = networks[name.prefix].places.setdefault(name.place, {})
            layers[name.role if node.layer.name in names else str(len(layers))] = node.layer
    return list(networks.values())


def _nested(model: keras.Model, path: str = "model") -> Iterator[str]:
    """The networks that are a layer of a model, or of a model in it, as expressions."""
    for layer in model.layers:
        if isinstance(layer, keras.Model):
            inside = f"{path}.get_layer({layer.name!r})"
            if read_names(of.name for of in layer.layers):
                yield inside
            else:
                yield from _nested(layer, inside)


def owners(graph: list[Node]) -> list[LayerName | None]:
    """The name of every node inside a residual network; None for the others.

    A layer without a known name has that of the next named layer of the network that it is in: it
    comes after one of the network's layers, and one of them comes after it.
    """
    names = read_names(node.layer.name for node in graph)
    found = [names.get(node.layer.name) for node in graph]
    for prefix in dict.fromkeys(name.prefix for name in names.values()):
        own = {layer: name for layer, name in names.items() if name.prefix == prefix}
        next_names = zip(_names_or_next(graph, own), _are_inside(graph, own), strict=True)
        for position, (name, after) in enumerate(next_names):
            if after:
                found[position] = found[position] or name
    return found


def _names_or_next(graph: list[Node], names: Mapping[str, LayerName]) -> list[LayerName | None]:
    """The name of every node, or of the first named node after it."""
    found: list[LayerName | None] = [None] * len(graph)
    for position, node in reversed(list(enumerate(graph))):
        found[position] = names.get(node.layer.name, found[position])
        for source in node.inputs:
            found[source] = found[position] or found[source]
    return found


def _are_inside(graph: list[Node], names: Mapping[str, LayerName]) -> list[bool]:
    """One bool per node: True if it has a known name or comes after a node that has."""
    found: list[bool] = []
    for node in graph:
        found.append(node.layer.name in names or any(found[source] for source in node.inputs))
    return found
