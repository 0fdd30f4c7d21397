"""Files of networks whose layers have no names of their own, such as the article's. No Keras.

The original's layers are called conv2d_1, batch_normalization_1, ... by Keras, counted on from
whatever was built before. What tells them apart is their order, which is that of the network here.
"""

import re
from collections.abc import Iterable

from .checkpoints import Checkpoint
from .layouts import KERAS
from .names import WeightName
from .origins import Origin

NAMED_BY_KERAS = re.compile(r"(conv2d|batch_normalization|dense)(_\d+)?/\w+")

ARTICLE = Origin(
    name="raghakot's keras-resnet, whose layers go by their order",
    layout=KERAS,
    block="stage{stage}_block{block}_",
    layers={},
    epsilon=None,
    stride_in_3x3=None,
)


def is_by_order(checkpoint: Checkpoint) -> bool:
    """Whether only the order of a checkpoint's layers tells which is which."""
    return checkpoint.in_order and all(map(NAMED_BY_KERAS.fullmatch, checkpoint.shapes))


def named_by_order(checkpoint: Checkpoint, weights: Iterable[WeightName]) -> Checkpoint:
    """The checkpoint under the network's names, given in the order of its layers.

    Raises:
        ValueError: another number of layers.
    """
    layers = list(dict.fromkeys(layer for layer, _ in weights))
    given = list(dict.fromkeys(name.rpartition("/")[0] for name in checkpoint.shapes))
    if len(layers) != len(given):
        raise ValueError(
            f"cannot load {checkpoint.name}: {len(given)} layers have weights there, and "
            f"{len(layers)} here"
        )
    layer_here = dict(zip(given, layers, strict=True))
    names = {}
    for tensor in checkpoint.shapes:
        layer, _, variable = tensor.rpartition("/")
        names[f"{layer_here[layer]}/{variable}"] = tensor
    return checkpoint.renamed(names)
