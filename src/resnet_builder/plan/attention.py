"""Channel attention in a residual branch, and the attention that pools the last map.

To add a channel attention, write a function that adds its layers, and add a row to `ATTENTIONS`
under the name of the `ResnetConfig` field that enables it.
"""

from math import log2

from ..common.words import Description
from .draft import Composite, Draft
from .layers import (
    Activation,
    Add,
    Attention,
    ChannelConv,
    Embedding,
    FirstToken,
    GlobalPool,
    GroupNorm,
    Layer,
    Multiply,
    Reshape,
    Softmax,
    TokenDense,
    TokenNumbers,
    Tokens,
    WeightedSum,
)
from .multipath import make_divisible
from .names import At


def squeeze_excite(
    draft: Draft, x: Layer, at: At, channels: int, source: Layer | None
) -> Composite:
    """Squeeze-and-excitation: means, two 1x1 convolutions with biases, sigmoid.

    Hu et al. 2017, arXiv:1709.01507. With a `source` as RegNet (pycls models/anynet.py): the width
    is a fraction of the block's input, and the activation is the network's.
    """
    start, config, at = len(draft.layers), draft.config, at.inside("se")
    ratio, divisor, activation = config.se_ratio, config.se_divisor, "relu"
    reduced = make_divisible(x.output_channels * ratio, divisor)
    if source:
        reduced = max(1, round(source.output_channels * ratio / divisor)) * divisor
        activation = config.activation
    y: Layer = draft.add(GlobalPool, at("pool"), x, keeps_axes=True)
    y = draft.add_conv(at("reduce"), y, reduced, use_bias=True, activation=activation)
    y = draft.add_conv(at("expand"), y, x.output_channels, use_bias=True, activation="sigmoid")
    draft.add(Multiply, at("scale"), x, y)
    shown = Description("scale", "squeeze-excite", count=str(reduced), in_table="SE, {1}")
    return Composite(draft.since(start), shown)


def efficient_channel_attention(
    draft: Draft, x: Layer, at: At, channels: int, source: Layer | None
) -> Composite:
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


def global_context(
    draft: Draft, x: Layer, at: At, channels: int, source: Layer | None
) -> Composite:
    """The sum of x, weighted by a softmax over its pixels, is transformed and added to x.

    Cao et al. 2019, arXiv:1904.11492, Figure 4(d); timm layers/global_context.py.
    """
    start, at = len(draft.layers), at.inside("gc")
    reduced = make_divisible(x.output_channels * draft.config.gc_ratio, 1)
    y: Layer = draft.add_conv(at("conv"), x, 1, use_bias=True)
    y = draft.add(Softmax, at("softmax"), y, axis=(1, 2))
    y = draft.add(WeightedSum, at("pool"), x, y)
    y = draft.add_conv(at("reduce"), y, reduced, use_bias=True)
    # Of a map of one pixel, it is a layer norm.
    y = draft.add(GroupNorm, at.inside("reduce")("gn"), y, groups=1, epsilon=1e-6)
    y = draft.add(Activation, at("act"), y, function="relu")
    y = draft.add_conv(at("expand"), y, x.output_channels, use_bias=True)
    draft.add(Add, at("add"), x, y)
    shown = Description("scale", "global context", count=str(reduced), in_table="GC, {1}")
    return Composite(draft.since(start), shown)


# Field of `ResnetConfig` -> function that adds the attention that it enables after a map of a
# block. Its arguments: the draft, the map, its place, its channels before any pruning, and the
# block's input, if this decides the width.
ATTENTIONS = {
    "se_ratio": squeeze_excite,
    "eca": efficient_channel_attention,
    "gc_ratio": global_context,
}


# The pool of the head ----------------------------------------------------------------------------

HEAD_CHANNELS = 64  # of each head, in all networks of CLIP


def attention_pool(draft: Draft, x: Layer, at: At) -> Composite:
    """Multi-head attention of a map's mean over the mean and the pixels, with learned positions.

    Radford et al. 2021, arXiv:2103.00020, section 2.4; openai/CLIP clip/model.py, AttentionPool2d.
    """
    start, inside, channels = len(draft.layers), at.inside("attention"), x.output_channels
    if not channels or channels % HEAD_CHANNELS:
        raise ValueError(
            f"an attention pool (pooling or head_pool) has heads of {HEAD_CHANNELS} channels, and "
            f"the last map has {channels or 'an unknown number of'} channels: change filters, or "
            "pool otherwise"
        )
    x = draft.add(Tokens, inside("tokens"), x)
    numbers = draft.add(TokenNumbers, inside("numbers"), x)
    positions = draft.add(Embedding, inside("positions"), numbers, filters=channels)
    x = draft.add(Add, inside("sum"), x, positions)
    mean = draft.add(FirstToken, inside("mean"), x)
    fields = {"units": channels, "activation": None, "initializer": "lecun_normal"}
    query, key, value = (
        draft.add(TokenDense, inside(name), source, **fields)
        for name, source in (("query", mean), ("key", x), ("value", x))
    )
    heads, tokens = channels // HEAD_CHANNELS, x.output_shape[0]
    draft.add(Attention, at("pool"), query, key, value, tokens=tokens, heads=heads)
    words = Description(
        "pool", "attention pool", count=f"{heads} heads", in_table="attention pool, {1}"
    )
    return Composite(draft.since(start), words)
