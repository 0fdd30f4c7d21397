"""The words for a plan's layers in tables and pictures. Does not import Keras."""

from collections.abc import Callable
from dataclasses import replace
from math import prod
from typing import Any

from ..common.words import Description, activation
from .attention import ATTENTIONS, ChannelConv
from .draft import Unit
from .layers import (
    Activation,
    Add,
    AvgPool,
    BatchNorm,
    ChannelPad,
    Conv,
    Dense,
    Dropout,
    DropPath,
    GlobalPool,
    Identity,
    Input,
    Layer,
    MaxPool,
    Multiply,
    OwnBlock,
    Pair,
    Reshape,
    Strided,
    Subsample,
    ZeroPad,
)


def describe(unit: Unit) -> list[Description]:
    """Describe the shown layers of a unit: one box of a picture or one line of a table."""
    if isinstance(unit[-1], Multiply):
        unit = unit[-1:]  # describes the whole attention
    strides = _strides(unit)
    described = []
    for layer in unit:
        words = WORDS[type(layer)](layer)
        if isinstance(layer, Strided | ChannelPad):
            words = [replace(word, strides=strides) for word in words]
        described += words
    return described


def _strides(unit: Unit) -> Pair:
    """The strides of all layers together: a pool may have its strides in a separate layer."""
    strided = [layer.strides for layer in unit if isinstance(layer, Strided)]
    return prod(rows for rows, _ in strided), prod(columns for _, columns in strided)


def _attention(layer: Multiply) -> list[Description]:
    kind = ATTENTIONS[layer.attention]
    size = str(layer.size)
    return [Description("scale", kind.noun, count=size, in_table=kind.in_table)]


def _nothing(layer: Layer) -> list[Description]:
    return []


def _conv(layer: Conv) -> list[Description]:
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


def _pool(kind: str) -> Callable[[Any], list[Description]]:
    def words(layer: Any) -> list[Description]:
        window = (layer.pool_size,) * 2
        return [Description("pool", f"{kind} pool", window=window, in_table=f"{{0}} {kind} pool")]

    return words


def _global_pool(layer: GlobalPool) -> list[Description]:
    in_table = {"avg": "average pool", "max": "max pool"}[layer.pooling]
    return [Description("pool", f"global {layer.pooling} pool", in_table=in_table)]


def _dense(layer: Dense) -> list[Description]:
    in_table = ", ".join(filter(None, ["{1}-d fc", layer.activation]))
    dense = Description("dense", "dense", count=str(layer.units), in_table=in_table)
    return [dense, *(_activation(layer.activation) if layer.activation else [])]


def _activation(function: str) -> list[Description]:
    words = activation(function)
    return [Description("activation", words)] if function != "linear" else []


# Layer -> description. Layers that only pad, name or reshape a tensor are not shown, nor are the
# layers of an attention except its last.
WORDS: dict[type[Layer], Callable[[Any], list[Description]]] = {
    ChannelConv: _nothing,
    Input: _nothing,
    ZeroPad: _nothing,
    Conv: _conv,
    BatchNorm: lambda layer: [Description("norm", "BN")],
    Activation: lambda layer: _activation(layer.function),
    MaxPool: _pool("max"),
    AvgPool: _pool("avg"),
    Subsample: _nothing,
    ChannelPad: lambda layer: [Description("pool", f"zeros up to {layer.filters}")],
    GlobalPool: _global_pool,
    Reshape: _nothing,
    Add: lambda layer: [Description("merge", "+")],
    Multiply: _attention,
    Identity: _nothing,
    DropPath: lambda layer: [Description("other", "drop path")],
    Dropout: lambda layer: [Description("other", f"dropout, {layer.rate}")],
    Dense: _dense,
    OwnBlock: _nothing,
}
