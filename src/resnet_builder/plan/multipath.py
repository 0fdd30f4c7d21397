"""Several convolutions in place of one: Res2Net, selective kernels, ResNeSt. No Keras.

To add a kind, write a function like these, and give it to a `ConvSpec` in blocks.py.
"""

from collections.abc import Iterable
from typing import Any

from ..common.words import Description
from .draft import Composite, ConvSpec, Draft, Unit
from .layers import (
    Activation,
    Add,
    AvgPool,
    ChannelSlice,
    Concatenate,
    Conv,
    GlobalPool,
    Layer,
    Multiply,
    Pair,
    Reshape,
    Softmax,
    Transpose,
    ZeroPad,
)
from .norms import NORMS
from .orders import Steps


def multi_scale(
    draft: Draft, x: Layer, names: str, steps: Steps, spec: ConvSpec, *, is_first: bool
) -> tuple[Unit, ...]:
    """A chain of convolutions, each of one part of the channels and the part before.

    In the first block of a stage, and wherever they stride, the parts are not added to each other,
    and the last part is pooled; in other blocks it is left as it is. arXiv:1904.01169, Figure 2;
    timm models/res2net.py.
    """
    start, scale = len(draft.layers), draft.config.splits
    if x.output_channels != spec.filters or spec.filters % scale:
        raise ValueError(
            f"the first two widths of a res2net_bottleneck are equal multiples of splits={scale}; "
            f"those before {names.format('conv')} are {x.output_channels} and {spec.filters}: "
            "change widths or splits"
        )
    x, path_steps = _before_conv(draft, x, names, steps)
    *parts, last = split(draft, x, names.format("split"), scale)
    path_spec = spec._replace(filters=spec.filters // scale)
    units: list[Unit] = []
    for number, part in enumerate(parts, start=1):
        if units and not is_first:
            part = draft.add(Add, f"{names.format('sum')}_{number}", units[-1][-1], part)
        units.append(draft.unit(part, f"{names}_{number}", path_steps, path_spec))
    if is_first:
        last = average_pool(draft, last, names.format("pool"), spec.strides)
    outputs = [*(unit[-1] for unit in units), last]
    draft.add(Concatenate, names.format("concat"), *outputs, filters=spec.filters)
    return (_composite(draft, start, units[0], f"conv, {scale} splits", f"{scale} splits"),)


def selective_kernels(
    draft: Draft, x: Layer, names: str, steps: Steps, spec: ConvSpec
) -> tuple[Unit, ...]:
    """Two convolutions of different size, weighted by a softmax over the two for each channel.

    The larger one is a 3x3 convolution with dilation 2. arXiv:1903.06586, section 3.1; timm
    layers/selective_kernel.py.
    """
    start, config = len(draft.layers), draft.config
    if config.split_input and x.output_channels % 2:
        raise ValueError(
            f"split_input=True: the {x.output_channels} channels of {x.name} have no 2 equal "
            "parts: set split_input=False, or change filters, stem_filters or widths"
        )
    x, path_steps = _before_conv(draft, x, names, steps)
    parts = split(draft, x, names.format("split"), 2) if config.split_input else [x, x]
    units = [
        draft.unit(
            part, f"{names}_{number}", path_steps, spec._replace(dilation=spec.dilation * number)
        )
        for number, part in enumerate(parts, start=1)
    ]
    paths = [unit[-1] for unit in units]
    total = draft.add(Add, names.format("sk_sum"), *paths)
    reduced = rounded(spec.filters * config.se_ratio, config.se_divisor)
    y = _factors(draft, total, names, "sk", reduced, 2 * spec.filters, use_bias=False)
    y = _softmax_over_parts(draft, y, names.format("sk_{}"), parts=2, groups=1)
    factors = split(draft, y, names.format("sk_factor"), 2)
    weighted = [
        draft.add(Multiply, f"{names.format('sk_scale')}_{number}", path, factor)
        for number, (path, factor) in enumerate(zip(paths, factors, strict=True), start=1)
    ]
    draft.add(Add, names.format("sk_out"), *weighted)
    return (_composite(draft, start, units[0], "conv, 2 selective kernels", f"SK, {reduced}"),)


def split_attention(
    draft: Draft, x: Layer, names: str, steps: Steps, spec: ConvSpec
) -> tuple[Unit, ...]:
    """A grouped convolution with several outputs, weighted by a softmax over them.

    A 3x3 average pool strides. arXiv:2004.08955, Figure 2; timm models/resnest.py and
    layers/split_attn.py.
    """
    config, radix = draft.config, draft.config.splits
    strided = spec.strides != (1, 1)
    units: list[Unit] = []
    if strided and config.pool_first:
        units.append(_average_pool_unit(draft, x, names, spec))
        x = units[-1][-1]
    start = len(draft.layers)
    conv = spec._replace(
        filters=spec.filters * radix,
        groups=spec.groups * radix,
        strides=(1, 1),
        anti_aliased=False,
    )
    unit = draft.unit(x, names.format("splat_{}"), steps, conv)
    x = unit[-1]
    total = _sum(draft, split(draft, x, names.format("splat_split"), radix), names, "splat_sum")
    reduced = rounded(spec.filters * radix * config.se_ratio, config.se_divisor, least=32)
    if reduced % spec.groups:
        raise ValueError(
            f"the {reduced} channels of the attention in {names.format('splat')} are not a "
            f"multiple of its groups={spec.groups}: change groups, se_ratio or se_divisor"
        )
    y = _factors(
        draft, total, names, "splat", reduced, conv.filters, use_bias=True, groups=spec.groups
    )
    if radix == 1:
        y = draft.add(Activation, names.format("splat_sigmoid"), y, function="sigmoid")
    else:
        y = _softmax_over_parts(draft, y, names.format("splat_{}"), radix, spec.groups)
    x = draft.add(Multiply, names.format("splat_scale"), x, y)
    x = _sum(draft, split(draft, x, names.format("splat_part"), radix), names, "splat_out")
    shown = f"conv, {radix} splits with attention"
    units.append(_composite(draft, start, unit, shown, f"split attention, {reduced}"))
    if strided and not config.pool_first:
        units.append(_average_pool_unit(draft, x, names, spec))
    return tuple(units)


# Parts ------------------------------------------------------------------------------------------


def split(draft: Draft, x: Layer, name: str, parts: int) -> list[Layer]:
    """Equal parts of the channels, in order; `x` itself if there is one part.

    The channels are a multiple of `parts`.
    """
    if parts == 1:
        return [x]
    count = x.output_channels // parts
    return [
        draft.add(ChannelSlice, f"{name}_{number + 1}", x, first=number * count, count=count)
        for number in range(parts)
    ]


def average_pool(draft: Draft, x: Layer, name: str, strides: Pair) -> Layer:
    """3x3 average pool whose means include the padding (PyTorch's default)."""
    x = draft.add(ZeroPad, f"{name}_pad", x, size=1)
    return draft.add(AvgPool, name, x, pool_size=3, strides=strides, padding="valid")


def _average_pool_unit(draft: Draft, x: Layer, names: str, spec: ConvSpec) -> Unit:
    start = len(draft.layers)
    average_pool(draft, x, names.format("pool"), spec.strides)
    return draft.since(start)


def rounded(number: float, divisor: int, least: int = 0) -> int:
    """A number rounded to a positive multiple of `divisor` (timm layers/helpers.py)."""
    return max(least, divisor, int(number + divisor / 2) // divisor * divisor)


def _sum(draft: Draft, parts: list[Layer], names: str, role: str) -> Layer:
    return draft.add(Add, names.format(role), *parts) if len(parts) > 1 else parts[0]


def _before_conv(draft: Draft, x: Layer, names: str, steps: Steps) -> tuple[Layer, Steps]:
    """The layers before the convolution, applied once; the steps of every path."""
    first = steps.index("conv")
    unit = draft.unit(x, names, steps[:first])
    return unit[-1] if unit else x, steps[first:]


def _factors(
    draft: Draft,
    x: Layer,
    names: str,
    role: str,
    reduced: int,
    filters: int,
    *,
    use_bias: bool,
    groups: int = 1,
) -> Layer:
    """The means of the channels after two 1x1 convolutions, with norm and activation between."""
    common: dict[str, Any] = {
        "kernel_size": 1,
        "use_bias": use_bias,
        "groups": groups,
        "initializer": draft.config.kernel_initializer,
        "weight_decay": draft.config.weight_decay,
    }
    y: Layer = draft.add(GlobalPool, names.format(f"{role}_mean"), x, keeps_axes=True)
    y = draft.add(Conv, names.format(f"{role}_reduce"), y, filters=reduced, **common)
    norm = NORMS[draft.config.norm]
    y = norm.plan(draft, y, names.format(f"{role}_reduce_{norm.role}"), False)
    if not norm.activates:
        function = draft.config.activation
        y = draft.add(Activation, names.format(f"{role}_reduce_act"), y, function=function)
    return draft.add(Conv, names.format(f"{role}_expand"), y, filters=filters, **common)


def _softmax_over_parts(draft: Draft, x: Layer, names: str, parts: int, groups: int) -> Layer:
    """A softmax over parts: (groups, parts, channels) in, (parts, groups, channels) out."""
    channels = x.output_channels
    each = channels // groups // parts
    name = names.format
    y: Layer = draft.add(Reshape, name("parts"), x, shape=(groups, parts, each))
    y = draft.add(Softmax, name("softmax"), y, axis=2)
    if groups > 1:
        y = draft.add(Transpose, name("transpose"), y, axes=(2, 1, 3))
    return draft.add(Reshape, name("factors"), y, shape=(1, 1, channels))


def _composite(
    draft: Draft, start: int, path: Iterable[Layer], noun: str, in_table: str
) -> Composite:
    """All layers since `start`, shown as one path with another noun for its convolution."""
    path = list(path)
    conv = next(layer for layer in path if isinstance(layer, Conv))
    shown: list[Layer | Description] = []
    for layer in path:
        shown.append(
            Description(
                "conv",
                noun,
                window=(conv.kernel_size,) * 2,
                count=str(conv.filters),
                groups=conv.groups,
                strides=conv.strides,
                in_table=f"{{0}}, {{1}}, {in_table}",
            )
            if layer is conv
            else layer
        )
    return Composite(draft.layers[start:], *shown)
