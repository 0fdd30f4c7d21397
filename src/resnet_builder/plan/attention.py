"""Channel attention at the end of a residual branch. Does not import Keras.

To add a kind, write a function that adds its layers, and add a row to `ATTENTIONS` under the name
of the `ResnetConfig` field that enables it.
"""

from collections.abc import Callable
from dataclasses import dataclass
from math import log2
from typing import Any

from ..common.shapes import known_product
from ..common.words import Description
from .draft import Composite, Draft, Unit
from .layers import Activation, Conv, GlobalPool, Layer, Multiply, Reshape, WeightShape
from .multipath import rounded


def squeeze_excite(draft: Draft, x: Layer, name: str, channels: int) -> int:
    """Squeeze-and-excitation: means, two 1x1 convolutions with biases, sigmoid.

    Hu et al. 2017, arXiv:1709.01507.
    """
    reduced = rounded(x.output_channels * draft.config.se_ratio, draft.config.se_divisor)

    def conv(y: Layer, role: str, filters: int, activation: str) -> Layer:
        return draft.add(
            Conv,
            f"{name}_{role}",
            y,
            filters=filters,
            kernel_size=1,
            use_bias=True,
            activation=activation,
            initializer=draft.config.kernel_initializer,
            weight_decay=draft.config.weight_decay,
        )

    means = draft.add(GlobalPool, f"{name}_pool", x, keeps_axes=True)
    y = conv(means, "reduce", reduced, "relu")
    y = conv(y, "expand", x.output_channels, "sigmoid")
    draft.add(Multiply, f"{name}_scale", x, y)
    return reduced


@dataclass(frozen=True, kw_only=True, slots=True)
class ChannelConv(Layer):
    """A 1D convolution along (channels, 1), without bias."""

    kernel_size: int
    initializer: Any

    @property
    def weights(self) -> dict[str, WeightShape]:
        """Kernel (channels, in, out)."""
        return {"kernel": (self.kernel_size, 1, 1)}

    @property
    def macs(self) -> int | None:
        """Kernel size times channels."""
        return known_product(self.kernel_size, self.input_shape[0])


def efficient_channel_attention(draft: Draft, x: Layer, name: str, channels: int) -> int:
    """Means, a 1D convolution over neighbouring channels, sigmoid (arXiv:1910.03151).

    The kernel's size is (log2 C + 1) / 2 made odd, at least 3 (equation 12; timm layers/eca.py).
    In a pruned network, C are the channels before the pruning.
    """
    half = int((log2(channels) + 1) / 2)
    size = max(3, half + 1 - half % 2)
    y: Layer = draft.add(GlobalPool, f"{name}_pool", x)
    y = draft.add(Reshape, f"{name}_channels", y, shape=(x.output_channels, 1))
    initializer = draft.config.kernel_initializer
    y = draft.add(ChannelConv, f"{name}_conv", y, kernel_size=size, initializer=initializer)
    y = draft.add(Activation, f"{name}_act", y, function="sigmoid")
    y = draft.add(Reshape, f"{name}_expand", y, shape=(1, 1, x.output_channels))
    draft.add(Multiply, f"{name}_scale", x, y)
    return size


@dataclass(frozen=True)
class Attention:
    """A kind of attention.

    Attributes:
        plan: function that adds its layers after a map, given the channels of the block before any
            pruning, and returns the size of the network that computes the factors.
        name: part of its layers' names, after the name of the block.
        noun: name in a picture.
        in_table: name in Table 1, with {1} for its size.
        example: a value of the field that enables it.
    """

    plan: Callable[[Draft, Layer, str, int], int]
    name: str
    noun: str
    in_table: str
    example: Any


# Field of `ResnetConfig` -> the attention that it enables.
ATTENTIONS = {
    "se_ratio": Attention(squeeze_excite, "se", "squeeze-excite", "SE, {1}", 1 / 16),
    "eca": Attention(
        efficient_channel_attention, "eca", "channel attention", "ECA, {1}", example=True
    ),
}


def plan_attention(draft: Draft, x: Layer, kind: Attention, block: str, channels: int) -> Unit:
    """Add an attention at the end of a block's residual branch."""
    start = len(draft.layers)
    size = kind.plan(draft, x, f"{block}_{kind.name}", channels)
    shown = Description("scale", kind.noun, count=str(size), in_table=kind.in_table)
    return Composite(draft.layers[start:], shown)
