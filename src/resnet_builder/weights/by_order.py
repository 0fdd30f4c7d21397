"""Files with numbers in place of names, identified by the network's order. Does not import Keras.

Keras names the original's layers conv2d_1, batch_normalization_1, ..., with numbers that continue
those of models built before. The layers are identified by their order, which is the same here.

A .weights.h5 numbers the variables of a layer. Those of a layer that this package does not know
are identified by the order of the variables in the network's layer of that name.
"""

import re
from collections.abc import Iterable

from .checkpoints import Checkpoint
from .layouts import KERAS
from .library_names import Origin
from .names import WeightName

NAMED_BY_KERAS = re.compile(r"(conv2d|batch_normalization|dense)(_\d+)?/\w+")

ARTICLE = Origin(
    name="raghakot's keras-resnet, by the order of its layers",
    layout=KERAS,
    block="stage{stage}_block{block}_",
    layers={},
    epsilon=None,
    stride_in_3x3=None,
)


def is_by_order(checkpoint: Checkpoint) -> bool:
    """Return whether a checkpoint's layers can only be identified by their order."""
    return checkpoint.in_order and all(map(NAMED_BY_KERAS.fullmatch, checkpoint.shapes))


def named_by_order(checkpoint: Checkpoint, weights: Iterable[WeightName]) -> Checkpoint:
    """Rename a checkpoint to the network's names, which are in the order of its layers.

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
    return checkpoint.renamed(names)


def named_by_number(checkpoint: Checkpoint, weights: Iterable[WeightName]) -> Checkpoint:
    """Rename numbered variables as those of the network's layer of the same name, if it has one."""
    here, given = (_by_layer(names) for names in (map("/".join, weights), checkpoint.shapes))
    names = {}
    for tensor in checkpoint.shapes:
        layer, _, variable = tensor.rpartition("/")
        own = here.get(layer, [])
        if own and given[layer] == [str(number) for number in range(len(own))]:
            variable = own[int(variable)]
        names[f"{layer}/{variable}" if layer else variable] = tensor
    return checkpoint.renamed(names)


def _by_layer(names: Iterable[str]) -> dict[str, list[str]]:
    """The variables of each layer, from names such as `layer/variable`."""
    layers: dict[str, list[str]] = {}
    for name in names:
        layer, _, variable = name.rpartition("/")
        layers.setdefault(layer, []).append(variable)
    return layers
