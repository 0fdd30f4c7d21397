"""The settings of layers in a `.keras` file, which the shapes of its weights do not show."""

from collections.abc import Iterable, Iterator, Mapping, Set
from math import prod
from typing import Any

import keras

from ..common.lazy_tensorflow import without_tensorflow
from ..plan.names import STEM, LayerName, Place

# Class -> its settings that change what it computes, but for dilation.
COMPARED = {
    "Activation": ("activation",),
    "Conv2D": ("strides", "padding", "groups"),
    "MaxPooling2D": ("strides", "pool_size", "padding"),
    "AveragePooling2D": ("strides", "pool_size", "padding"),
    "ZeroPadding2D": ("padding",),
}

# Roles of layers that only compute in training, or change the order of axes.
NOT_COMPARED = ("drop_path", "permute")


def other_settings(
    model: keras.Model, prefix: str, settings: Mapping[str, Any], file_prefix: str
) -> Iterator[str]:
    """The differences between a network's stem and blocks and those in a file, in words.

    Strides that have become dilation are no difference. Layers of blocks that only one of the two
    has are not compared.

    Args:
        prefix: prefix of the network's layers.
        settings: serialised layers of the file, by name.
        file_prefix: their prefix.
    """
    with without_tensorflow():
        here = _by_name(((layer.name, layer.get_config()) for layer in model.layers), prefix)
    there = _by_name(((name, layer["config"]) for name, layer in settings.items()), file_prefix)
    classes = {layer.name: type(layer).__name__ for layer in model.layers}
    blocks = {name.place for name in here} & {name.place for name in there}
    if blocks == {STEM}:  # of which a network for its feature map has only a part
        there = {name: settings for name, settings in there.items() if name in here}
    dilated = _total_stride(here, blocks) < _total_stride(there, blocks)
    unstrided = {
        str(name)
        for name in here.keys() & there.keys()
        if dilated and _stride(here[name]) == 1 < _stride(there[name])
    }
    for name in dict.fromkeys((*here, *there)):
        if name.place not in blocks or name.role in NOT_COMPARED:
            continue
        if str(name).removesuffix("_pad") in unstrided:
            continue
        if name not in there or name not in here:
            yield f"{name} is {'only in the file' if name in there else 'not in the file'}"
            continue
        for setting in COMPARED.get(classes[f"{prefix}{name}"], ()):
            saved, own = (_as_json(layers[name].get(setting)) for layers in (there, here))
            # Windows of one pixel have no padding; they were saved with "same" before.
            of_pixels = setting == "padding" and _as_json(here[name].get("pool_size")) == [1, 1]
            if saved != own and not of_pixels:
                yield f"{name} has {setting}={saved} there and {own} here"


def _by_name(layers: Iterable[tuple[str, Any]], prefix: str) -> dict[LayerName, Any]:
    """The settings of the stem's and the blocks' layers by name without the prefix."""
    read = ((LayerName.parse(name, prefix), settings) for name, settings in layers)
    return {
        name.without_prefix: settings
        for name, settings in read
        if name and (name.place.block or name.place == STEM)
    }


def _total_stride(layers: Mapping[LayerName, Any], blocks: Set[Place]) -> int:
    return prod(_stride(settings) for name, settings in layers.items() if name.place in blocks)


def _stride(settings: Mapping[str, Any]) -> int:
    """The product of both strides; 1 for a layer without strides."""
    return prod(_as_json(settings.get("strides", [1])))


def _as_json(value: Any) -> Any:
    """A value as JSON has it."""
    return list(map(_as_json, value)) if isinstance(value, list | tuple) else value
