"""Channel attention at the end of a residual branch.

To add a kind, write a function that adds its layers, and add a row to `ATTENTIONS` under the name
of the `ResnetConfig` field that enables it.
"""

from math import log2

from ..common.words import Description
from .draft import Composite, Draft
from .layers import Activation, ChannelConv, GlobalPool, Layer, Multiply, Reshape
from .multipath import make_divisible
from .names import At


def squeeze_excite(draft: Draft, x: Layer, at: At, channels: int) -> Composite:
    """Squeeze-and-excitation: means, two 1x1 convolutions with biases, sigmoid.

    Hu et al. 2017, arXiv:1709.01507.
    """
    start, at = len(draft.layers), at.inside("se")
    reduced = make_divisible(x.output_channels * draft.config.se_ratio, draft.config.se_divisor)
    y: Layer = draft.add(GlobalPool, at("pool"), x, keeps_axes=True)
    y = draft.add_conv(at("reduce"), y, reduced, use_bias=True, activation="relu")
    y = draft.add_conv(at("expand"), y, x.output_channels, use_bias=True, activation="sigmoid")
    draft.add(Multiply, at("scale"), x, y)
    shown = Description("scale", "squeeze-excite", count=str(reduced), in_table="SE, {1}")
    return Composite(draft.since(start), shown)


def efficient_channel_attention(draft: Draft, x: Layer, at: At, channels: int) -> Composite:
    """Means, a 1D convolution over neighbouring channels, sigmoid (arXiv:1910.03151).

    The kernel's size is (log2 C + 1) / 2 made odd, at least 3 (equation 12; timm layers/eca.py).
    In a pruned network, C are the channels before the pruning.
    """
    start, at = len(draft.layers), at.inside("eca")
    half = int((log2(channels) + 1) / 2)
    size = max(3, half + 1 - half % 2)
    y: Layer = draft.add(GlobalPool, at("pool"), x)
    y = draft.add(Reshape, at("channels"), y, shape=(x.output_channels, 1))
    initializer = draft.config.kernel_initializer
    y = draft.add(ChannelConv, at("conv"), y, kernel_size=size, initializer=initializer)
    y = draft.add(Activation, at("act"), y, function="sigmoid")
    y = draft.add(Reshape, at("expand"), y, shape=(1, 1, x.output_channels))
    draft.add(Multiply, at("scale"), x, y)
    shown = Description("scale", "channel attention", count=str(size), in_table="ECA, {1}")
    return Composite(draft.since(start), shown)


# Field of `ResnetConfig` -> function that adds the attention that it enables after a map of a
# block, which has the given number of channels before any pruning.
ATTENTIONS = {"se_ratio": squeeze_excite, "eca": efficient_channel_attention}
