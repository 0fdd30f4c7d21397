"""Several convolutions in place of one: Res2Net, selective kernels, ResNeSt.

To add a kind, write a function like these, and give it to a `ConvSpec` in blocks.py.
"""

from collections.abc import Iterable

from ..common.words import Description
from . import layers
from .draft import Composite, Draft, Unit
from .layers import Layer, Pair
from .names import At
from .units import BN_RELU, ConvSpec, Steps, add_unit


def multi_scale(
    draft: Draft, x: Layer, at: At, steps: Steps, spec: ConvSpec, *, is_first: bool
) -> list[Unit]:
    """A chain of convolutions, each of one part of the channels and the part before.

    In the first block of a stage, and wherever they stride, the parts are not added to each other,
    and the last part is pooled; in other blocks it is left as it is. arXiv:1904.01169, Figure 2;
    timm models/res2net.py.
    """
    start, scale = len(draft.layers), draft.config.splits
    if x.output_channels != spec.filters or spec.filters % scale:
        raise ValueError(
            f"the first two widths of a res2net_bottleneck are equal multiples of splits={scale}; "
            f"those before {at('conv')} are {x.output_channels} and {spec.filters}: "
            "change widths or splits"
        )
    x, path_steps = _before_conv(draft, x, at, steps)
    *parts, last = _split(draft, x, at, "split", scale)
    path_spec = spec._replace(filters=spec.filters // scale)
    units: list[Unit] = []
    for number, part in enumerate(parts, start=1):
        if units and not is_first:
            part = draft.add(layers.Add, at("sum", number), units[-1][-1], part)
        units.append(add_unit(draft, part, at.numbered(number), path_steps, path_spec))
    if is_first:
        last = _average_pool(draft, last, at, spec.strides)[-1]
    outputs = [*(unit[-1] for unit in units), last]
    draft.add(layers.Concatenate, at("concat"), *outputs, filters=spec.filters)
    return [_composite(draft, start, units[0], f"conv, {scale} splits", f"{scale} splits")]


def selective_kernels(draft: Draft, x: Layer, at: At, steps: Steps, spec: ConvSpec) -> list[Unit]:
    """Two convolutions of different size, weighted by a softmax over the two for each channel.

    The larger one is a 3x3 convolution with dilation 2. arXiv:1903.06586, section 3.1; timm
    layers/selective_kernel.py.
    """
    start, config, sk = len(draft.layers), draft.config, at.inside("sk")
    if config.split_input and x.output_channels % 2:
        raise ValueError(
            f"split_input=True: the {x.output_channels} channels of {x.name} have no 2 equal "
            "parts: set split_input=False, or change filters, stem_filters or widths"
        )
    x, path_steps = _before_conv(draft, x, at, steps)
    parts = _split(draft, x, at, "split", 2) if config.split_input else [x, x]
    units = []
    for number, part in enumerate(parts, start=1):
        path_spec = spec._replace(dilation=spec.dilation * number)
        units.append(add_unit(draft, part, at.numbered(number), path_steps, path_spec))
    paths = [unit[-1] for unit in units]
    total = draft.add(layers.Add, sk("sum"), *paths)
    reduced = make_divisible(spec.filters * config.se_ratio, config.se_divisor)
    filters = (reduced, 2 * spec.filters)
    y = _factors(draft, total, sk, filters, parts=2, groups=1, use_bias=False)
    factors = _split(draft, y, sk, "factor", 2)
    weighted = [
        draft.add(layers.Multiply, sk("scale", number), path, factor)
        for number, (path, factor) in enumerate(zip(paths, factors, strict=True), start=1)
    ]
    draft.add(layers.Add, sk("out"), *weighted)
    return [_composite(draft, start, units[0], "conv, 2 selective kernels", f"SK, {reduced}")]


def split_attention(draft: Draft, x: Layer, at: At, steps: Steps, spec: ConvSpec) -> list[Unit]:
    """A grouped convolution with several outputs, weighted by a softmax over them.

    A 3x3 average pool strides. arXiv:2004.08955, Figure 2; timm models/resnest.py and
    layers/split_attn.py.
    """
    config, radix, splat = draft.config, draft.config.splits, at.inside("splat")
    strided = spec.strides != (1, 1)
    units: list[Unit] = []
    if strided and config.pool_first:
        units.append(_average_pool(draft, x, at, spec.strides))
        x = units[-1][-1]
    start = len(draft.layers)
    conv = spec._replace(strides=(1, 1), anti_aliased=False)
    conv = conv._replace(filters=spec.filters * radix, groups=spec.groups * radix)
    unit = add_unit(draft, x, splat, steps, conv)
    x = unit[-1]
    total = _sum(draft, x, splat, "split", "sum", radix)
    reduced = make_divisible(spec.filters * radix * config.se_ratio, config.se_divisor, least=32)
    if reduced % spec.groups:
        raise ValueError(
            f"the {reduced} channels of the attention in {at('splat')} are not a "
            f"multiple of its groups={spec.groups}: change groups, se_ratio or se_divisor"
        )
    filters = (reduced, conv.filters)
    y = _factors(draft, total, splat, filters, parts=radix, groups=spec.groups, use_bias=True)
    x = draft.add(layers.Multiply, splat("scale"), x, y)
    x = _sum(draft, x, splat, "part", "out", radix)
    shown = f"conv, {radix} splits with attention"
    units.append(_composite(draft, start, unit, shown, f"split attention, {reduced}"))
    if strided and not config.pool_first:
        units.append(_average_pool(draft, x, at, spec.strides))
    return units


# Parts ------------------------------------------------------------------------------------------


def make_divisible(number: float, divisor: int, least: int = 0) -> int:
    """A number rounded to a positive multiple of `divisor` (timm layers/helpers.py)."""
    return max(least, divisor, int(number + divisor / 2) // divisor * divisor)


def _before_conv(draft: Draft, x: Layer, at: At, steps: Steps) -> tuple[Layer, Steps]:
    """The layers before the convolution, applied once; the steps of every path."""
    first = steps.index("conv")
    unit = add_unit(draft, x, at, steps[:first])
    return unit[-1] if unit else x, steps[first:]


def _split(draft: Draft, x: Layer, at: At, kind: str, parts: int) -> list[Layer]:
    """Equal parts of the channels, in order; `x` itself if there is one part.

    The channels are a multiple of `parts`.
    """
    if parts == 1:
        return [x]
    count = x.output_channels // parts
    return [
        draft.add(layers.ChannelSlice, at(kind, part + 1), x, first=part * count, filters=count)
        for part in range(parts)
    ]


def _sum(draft: Draft, x: Layer, at: At, part: str, kind: str, parts: int) -> Layer:
    """The sum of equal parts of the channels; `x` itself if there is one part."""
    slices = _split(draft, x, at, part, parts)
    return draft.add(layers.Add, at(kind), *slices) if parts > 1 else x


def _average_pool(draft: Draft, x: Layer, at: At, strides: Pair) -> Unit:
    """3x3 average pool whose means include the padding (PyTorch's default)."""
    pad = draft.add(layers.ZeroPad, at("pool", "pad"), x, size=1)
    pool = draft.add(
        layers.AvgPool, at("pool"), pad, kernel_size=3, strides=strides, padding="valid"
    )
    return (pad, pool)


def _factors(
    draft: Draft, x: Layer, at: At, filters: Pair, *, parts: int, groups: int, use_bias: bool
) -> Layer:
    """Factors for the channels of parts, from the means of the channels of their sum.

    They are a softmax over the parts after two 1x1 convolutions, with norm and activation between:
    (groups, parts, channels) in, (parts, groups, channels) out; of one part, a sigmoid.

    Args:
        filters: filters of the two convolutions.
    """
    y: Layer = draft.add(layers.GlobalPool, at("mean"), x, keeps_axes=True)
    y = draft.add_conv(at("reduce"), y, filters[0], groups=groups, use_bias=use_bias)
    y = add_unit(draft, y, at.inside("reduce"), BN_RELU)[-1]
    y = draft.add_conv(at("expand"), y, filters[1], groups=groups, use_bias=use_bias)
    if parts == 1:
        return draft.add(layers.Activation, at("sigmoid"), y, function="sigmoid")
    shape = groups, parts, filters[1] // groups // parts
    y = draft.add(layers.Reshape, at("parts"), y, shape=shape)
    y = draft.add(layers.Softmax, at("softmax"), y, axis=2)
    if groups > 1:
        y = draft.add(layers.Transpose, at("transpose"), y, axes=(2, 1, 3))
    return draft.add(layers.Reshape, at("factors"), y, shape=(1, 1, filters[1]))


def _composite(
    draft: Draft, start: int, path: Iterable[Layer], noun: str, in_table: str
) -> Composite:
    """All layers since `start`, shown as one path with another noun for its convolution."""

    def shown(layer: Layer) -> Layer | Description:
        if not isinstance(layer, layers.Conv):
            return layer
        return Description(
            "conv",
            noun,
            window=(layer.kernel_size,) * 2,
            count=str(layer.filters),
            groups=layer.groups,
            strides=layer.strides,
            in_table=f"{{0}}, {{1}}, {in_table}",
        )

    return Composite(draft.since(start), *map(shown, path))
