"""The words for a plan's layers in tables and pictures."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from math import prod
from typing import Any

from ..common.words import Description, activation
from . import layers
from .draft import Composite, Unit
from .layers import (
    ChannelPad,
    ChannelSlice,
    Conv,
    Dense,
    GlobalPool,
    Layer,
    Pair,
    Pool,
    Strided,
    Subsample,
)


def describe(unit: Unit) -> list[Description]:
    """Describe the shown layers of a unit: one box of a picture or one line of a table."""
    if isinstance(unit, Composite):
        return [words for item in unit.shown for words in _shown(item)]
    strides = _skipped_strides(unit)
    described = []
    for layer in unit:
        words = _shown(layer)
        if isinstance(layer, Strided | ChannelPad):
            own = layer.strides if isinstance(layer, Strided) else (1, 1)
            both = own[0] * strides[0], own[1] * strides[1]
            words = [replace(word, strides=both) for word in words]
        described += words
    return described or [Description("pool", "subsample", strides=strides)] * (strides != (1, 1))


def _shown(item: Layer | Description) -> list[Description]:
    if isinstance(item, Description):
        return [item]
    return WORDS[type(item)](item) if type(item) in WORDS else []


def _skipped_strides(unit: Unit) -> Pair:
    """The strides of the layers that only subsample, for the layer that is shown in their place."""
    strided = [layer.strides for layer in unit if isinstance(layer, Subsample)]
    return prod(rows for rows, _ in strided), prod(columns for _, columns in strided)


def _conv_words(layer: Conv) -> list[Description]:
    conv = Description(
        "conv",
        "conv",
        window=(layer.kernel_size,) * 2,
        count=str(layer.filters),
        groups=layer.groups,
        dilation=(layer.dilation,),
        in_table="{0}, {1}",
    )
    return [conv]


def _pool_words(kind: str, layer: Pool) -> list[Description]:
    window = (layer.kernel_size,) * 2
    return [Description("pool", f"{kind} pool", window=window, in_table=f"{{0}} {kind} pool")]


def _global_pool_words(layer: GlobalPool) -> list[Description]:
    in_table = {"avg": "average pool", "max": "max pool"}[layer.pooling]
    return [Description("pool", f"global {layer.pooling} pool", in_table=in_table)]


def _dense_words(layer: Dense) -> list[Description]:
    in_table = ", ".join(filter(None, ["{1}-d fc", layer.activation]))
    dense = Description("dense", "dense", count=str(layer.units), in_table=in_table)
    return [dense, *(_activation_words(layer.activation) if layer.activation else [])]


def _activation_words(function: str) -> list[Description]:
    words = activation(function)
    return [Description("activation", words)] if function != "linear" else []


# Layer -> description. Other layers are not shown: those that only pad, name or reshape a tensor,
# and those inside a norm or an attention.
WORDS: dict[type[Layer], Callable[[Any], list[Description]]] = {
    layers.Blur: lambda layer: [Description("pool", "blur", window=(3, 3), in_table="{0} blur")],
    layers.Conv: _conv_words,
    layers.BatchNorm: lambda layer: [Description("norm", "BN")],
    layers.GroupNorm: lambda layer: [Description("norm", "GN")],
    layers.ChannelScale: lambda layer: [Description("norm", "EvoNorm")] if layer.use_bias else [],
    layers.Activation: lambda layer: _activation_words(layer.function),
    layers.MaxPool: partial(_pool_words, "max"),
    layers.AvgPool: partial(_pool_words, "avg"),
    layers.ChannelPad: lambda layer: [Description("pool", f"zeros up to {layer.filters}")],
    layers.GlobalPool: _global_pool_words,
    layers.Add: lambda layer: [Description("merge", "+")],
    layers.DropPath: lambda layer: [Description("other", "drop path")],
    layers.Dropout: lambda layer: [Description("other", f"dropout, {layer.rate}")],
    layers.Dense: _dense_words,
}


def describe_inside(layer: Layer) -> list[Description]:
    """Describe a layer inside a composite, where every layer that computes is shown."""
    if type(layer) in WORDS_INSIDE:
        return [WORDS_INSIDE[type(layer)](layer)]
    own = (
        _activation_words(layer.activation) if isinstance(layer, Conv) and layer.activation else []
    )
    return [*describe((layer,)), *own]


def _slice_words(layer: ChannelSlice) -> Description:
    return Description("other", f"channels {layer.first + 1}–{layer.first + layer.filters}")


# Layer -> description, of layers that `WORDS` leaves out or describes otherwise.
WORDS_INSIDE: dict[type[Layer], Callable[[Any], Description]] = {
    layers.Attention: lambda layer: Description("pool", f"attention, {layer.heads} heads"),
    layers.ChannelConv: lambda layer: Description(
        "conv", "conv along channels", count=str(layer.kernel_size)
    ),
    layers.ChannelSlice: _slice_words,
    layers.Concatenate: lambda layer: Description("merge", "concatenate"),
    layers.Embedding: lambda layer: Description("other", "positions"),
    layers.FirstToken: lambda layer: Description("other", "first token"),
    layers.Multiply: lambda layer: Description("merge", "×"),
    layers.Softmax: lambda layer: Description("activation", "softmax"),
    layers.TokenDense: lambda layer: Description("dense", "dense", count=str(layer.units)),
    layers.Tokens: lambda layer: Description("pool", "mean and pixels"),
    layers.WeightedSum: lambda layer: Description("pool", "weighted sum of pixels"),
}
