"""The residual networks inside a Keras model, found by the names of their layers.

A model may have layers before and after the network, or join several networks, each with its own
`layer_prefix`. The layers of a user's block function have arbitrary names; they are found by their
connections, because every block ends in a layer that is named here.
"""

from dataclasses import dataclass, field

import keras

from ..common.checks import described
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
    places: dict[Place, dict[str, keras.Layer]] = field(default_factory=dict)

    @property
    def blocks(self) -> dict[Place, dict[str, keras.Layer]]:
        """The layers of each block, as in `places`."""
        return {place: layers for place, layers in self.places.items() if place.block}


def check_model(model: object) -> None:
    """Raise a TypeError for anything but a Keras model."""
    if not isinstance(model, keras.Model):
        raise TypeError(f"model must be a Keras model, got {described(model)}")


def check_source(source: object) -> None:
    """Raise a TypeError for anything but a Keras model, where presets and configs are taken too."""
    if not isinstance(source, keras.Model):
        raise TypeError(
            f"source must be a preset's name, a ResnetConfig or a Keras model, got {source!r}"
        )


def networks_of(model: keras.Model) -> list[NetworkLayers]:
    """Find the residual networks among the layers of a model, at least one.

    Models inside the model are not searched: `holder_of` finds the one that has the network.

    Raises:
        TypeError: not a Keras model.
        ValueError: no layers are named as in this package.
    """
    check_model(model)
    names = read_names(layer.name for layer in model.layers)
    if not names:
        raise ValueError(_no_network(model, ways_to_networks(model)))
    # In the order of model.layers; the graph has another one for parallel branches.
    prefixes = dict.fromkeys(names[of.name].prefix for of in model.layers if of.name in names)
    networks = {prefix: NetworkLayers(prefix) for prefix in prefixes}
    graph = model_graph(model)
    for node, name in zip(graph, owners(graph), strict=True):
        if name:
            layers = networks[name.prefix].places.setdefault(name.place, {})
            layers[name.role if node.layer.name in names else str(len(layers))] = node.layer
    return list(networks.values())


# The layers that lead from a model to a model inside it: none to the model itself.
Way = tuple[keras.Layer, ...]


def holder_of(model: keras.Model) -> keras.Model:
    """The model that has networks among its layers: the given one, or the only one inside it.

    Raises:
        TypeError: not a Keras model.
        ValueError: there is none, or there are several; the message names each.
    """
    return end_of(model, way_to_network(model))


def end_of(model: keras.Model, way: Way) -> keras.Model:
    """The model that a way leads to."""
    return model_inside(way[-1]) if way else model


def way_to_network(model: keras.Model) -> Way:
    """The way from a model to its `holder_of`, with the same errors."""
    check_model(model)
    ways = ways_to_networks(model)
    if not ways:
        raise ValueError(_no_network(model, ways))
    if len(ways) > 1:
        raise ValueError(
            f"{model.name!r} holds several networks, {_expressions(ways)}: give the one that is "
            "meant"
        )
    return ways[0]


def ways_to_networks(model: keras.Model) -> list[Way]:
    """The ways from a model to itself and to the models inside it, if they have networks."""
    found: dict[int, Way] = {}
    if read_names(layer.name for layer in model.layers):
        found[id(model)] = ()
    for layer in model.layers:
        if inside := model_inside(layer):
            for way in ways_to_networks(inside):
                found.setdefault(id(end_of(inside, way)), (layer, *way))
    return list(found.values())


def model_inside(layer: keras.Layer) -> keras.Model | None:
    """The model that a layer is, or that it applies to every step; None for any other layer."""
    if isinstance(layer, keras.layers.TimeDistributed):
        layer = layer.layer
    return layer if isinstance(layer, keras.Model) else None


def _no_network(model: keras.Model, nested: list[Way]) -> str:
    return (
        f"{model.name!r} has no layers that are named as in this package, such as stem_conv or "
        "stage1_block1_out: give the network itself"
        + (f", {_expressions(nested)}" if nested else "")
    )


def _expressions(ways: list[Way]) -> str:
    """The ends of ways in Python: model.get_layer('left') and model.get_layer('right')."""
    return " and ".join("".join(["model", *map(_expression, way)]) for way in ways)


def _expression(layer: keras.Layer) -> str:
    wrapped = "" if model_inside(layer) is layer else ".layer"
    return f".get_layer({layer.name!r}){wrapped}"


Names = list[LayerName | None]  # one for each node of a graph


def owners(graph: list[Node]) -> Names:
    """The name of every node inside a residual network; None for the others.

    A layer without a known name takes the name of the next named layer of the network that it is
    in: it comes after one of the network's layers, and one of them comes after it.
    """
    names = read_names(node.layer.name for node in graph)
    known = [names.get(node.layer.name) for node in graph]
    found = list(known)
    for prefix in dict.fromkeys(name.prefix for name in names.values()):
        own = [name if name and name.prefix == prefix else None for name in known]
        nodes = zip(found, named_next(graph, own), after_named(graph, own), strict=True)
        found = [name or (following if after else None) for name, following, after in nodes]
    return found


def named_next(graph: list[Node], names: Names) -> Names:
    """The name of every node that has one, and of the first such node after each other."""
    found = list(names)
    for position, node in reversed(list(enumerate(graph))):
        for source in node.inputs:
            found[source] = names[source] or found[position] or found[source]
    return found


def after_named(graph: list[Node], names: Names) -> list[bool]:
    """One bool per node: True if it has a name, or comes after a node that has."""
    found: list[bool] = []
    for node, name in zip(graph, names, strict=True):
        found.append(bool(name) or any(found[source] for source in node.inputs))
    return found
