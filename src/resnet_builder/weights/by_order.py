"""Files with numbers in place of names. Does not import Keras.

Keras names layers conv2d_1, batch_normalization_1, ..., with numbers that continue those of models
built before. In a file of the article's original they are identified by their order, which is the
same here; in a file that describes its layers, by their connections.

A .weights.h5 numbers the variables of a layer. Those of a layer that this package does not know
are identified by the order of the variables in the network's layer of that name.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace

from .checkpoints import Checkpoint
from .layouts import TensorShape
from .library_names import OWN
from .names import WeightName

NAMED_BY_KERAS = re.compile(r"(conv2d|batch_normalization|dense)(_\d+)?/\w+")

ARTICLE, BY_CONNECTIONS = (
    replace(OWN, name=name)
    for name in (
        "raghakot's keras-resnet, by the order of its layers",
        "a network of Keras, by the connections of its layers",
    )
)


def is_by_order(checkpoint: Checkpoint) -> bool:
    """Return whether a checkpoint's layers can only be identified by their order."""
    return checkpoint.in_order and all(map(NAMED_BY_KERAS.fullmatch, checkpoint.shapes))


def named_by_order(checkpoint: Checkpoint, weights: Iterable[WeightName]) -> dict[str, str]:
    """The network's names, which are in the order of its layers, and the checkpoint's.

    Raises:
        ValueError: the numbers of layers differ.
    """
    layers = list(dict.fromkeys(layer for layer, _ in weights))
    given = list(dict.fromkeys(name.rpartition("/")[0] for name in checkpoint.shapes))
    if len(layers) != len(given):
        raise ValueError(
            f"cannot load {checkpoint.name}: {len(given)} of its layers have weights, and "
            f"{len(layers)} of the network's"
        )
    layer_here = dict(zip(given, layers, strict=True))
    names = {}
    for tensor in checkpoint.shapes:
        layer, _, variable = tensor.rpartition("/")
        names[f"{layer_here[layer]}/{variable}"] = tensor
    return names


def named_by_number(
    tensors: Mapping[str, TensorShape], weights: Mapping[WeightName, TensorShape]
) -> dict[str, str]:
    """Names of variables for their numbers, where the network has a layer of that name."""
    here = shapes_by_layer({"/".join(weight): shape for weight, shape in weights.items()})
    given = shapes_by_layer(tensors)
    names = {}
    for tensor in tensors:
        layer, _, variable = tensor.rpartition("/")
        own = next((list(here[name]) for name in _ends(layer) if name in here), [])
        if own and list(given[layer]) == [str(number) for number in range(len(own))]:
            variable = own[int(variable)]
        names[f"{layer}/{variable}" if layer else variable] = tensor
    return names


def _ends(layer: str) -> Iterator[str]:
    """The name of a layer, and without the names of the models around it."""
    parts = layer.split("/")
    yield from ("/".join(parts[start:]) for start in range(len(parts)))


def shapes_by_layer(shapes: Mapping[str, TensorShape]) -> dict[str, dict[str, TensorShape]]:
    """The shapes of each layer's variables, from names such as `layer/variable`."""
    layers: dict[str, dict[str, TensorShape]] = {}
    for name, shape in shapes.items():
        layer, _, variable = name.rpartition("/")
        layers.setdefault(layer, {})[variable] = shape
    return layers
