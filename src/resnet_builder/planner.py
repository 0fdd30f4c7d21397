"""From a config to its plan: how stems, blocks, shortcuts and heads are made of parts. No Keras.

To add a kind of block, write a function that lists its convolutions and enter it in `BLOCKS`; for a
stem or a projection, do the same in `STEMS` or `PROJECTIONS`.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields, replace
from itertools import accumulate
from math import prod
from operator import mul

from .config import ResnetConfig
from .errors import fraction, look_up, positive_int
from .plan import (
    Block,
    BnRelu,
    ChannelPad,
    Classifier,
    Conv,
    Dropout,
    DropPath,
    GlobalPool,
    Pair,
    Part,
    Plan,
    Pool,
    SqueezeExcite,
    Stage,
)
from .shapes import Shape


def make_plan(
    config: ResnetConfig,
    *,
    include_top: bool = True,
    pooling: str | None = None,
    classifier_activation: str | None = "softmax",
    dropout_rate: float = 0.0,
    output_stride: int | None = None,
) -> Plan:
    """The plan of a config; the options are those of `ResnetBuilder.from_preset`."""
    _refuse_the_meaningless(config)
    stem = _stem(config)
    stages = tuple(_stages(config, stem, output_stride))
    head = _head(
        config,
        stages[-1].blocks[-1].output_shape,
        include_top,
        pooling,
        classifier_activation,
        dropout_rate,
    )
    return Plan(config, stem, stages, tuple(head))


@dataclass(frozen=True)
class Order:
    """The units (see `plan.Conv`) by which an activation order is told from another."""

    residual: str
    last_of_residual: str
    first_of_network: str
    last_of_stem: str
    projection: str
    shares_activation: bool = False


ORDERS = {
    # He et al. 2015, Figure 2.
    "post": Order("conv_bn_relu", "conv_bn", "conv_bn_relu", "conv_bn_relu", "conv_bn"),
    # He et al. 2016, Figure 4(e); a projection takes the activated input (timm, resnetv2.py).
    "pre": Order("bn_relu_conv", "bn_relu_conv", "bn_relu_conv", "conv", "conv", True),
    # The article's code: the stem has just activated what the first block gets.
    "pre_raw": Order("bn_relu_conv", "bn_relu_conv", "conv", "conv_bn_relu", "conv"),
}


PADDINGS = {"symmetric": "as PyTorch", "same": "as Keras"}
POOLINGS = {"avg": "the mean", "max": "the largest"}


@dataclass(frozen=True)
class ConvSpec:
    """What a kind of block or stem says of one of its convolutions."""

    filters: int
    kernel_size: int
    strides: Pair = (1, 1)
    groups: int = 1

    def __post_init__(self) -> None:
        if self.filters < 1:
            raise ValueError(
                "a convolution comes to no filters: widen filters, stem_filters or width_per_group"
            )


# Stems ------------------------------------------------------------------------------------------


def imagenet_stem(filters: int) -> list[ConvSpec]:
    """7x7 convolution that halves the size (He et al. 2015, Table 1)."""
    return [ConvSpec(filters, 7, (2, 2))]


def deep_stem(filters: int) -> list[ConvSpec]:
    """Three 3x3 convolutions, the first of which halves the size (arXiv:1812.01187, Figure 2)."""
    return [ConvSpec(filters // 2, 3, (2, 2)), ConvSpec(filters // 2, 3), ConvSpec(filters, 3)]


def cifar_stem(filters: int) -> list[ConvSpec]:
    """3x3 convolution that keeps the size (He et al. 2015, section 4.2)."""
    return [ConvSpec(filters, 3)]


# name -> convolutions of the stem, and whether a 3x3 max pool of stride 2 follows them.
STEMS: dict[str, tuple[Callable[[int], list[ConvSpec]], bool]] = {
    "imagenet": (imagenet_stem, True),
    "deep": (deep_stem, True),
    "cifar": (cifar_stem, False),
}


def _stem(config: ResnetConfig) -> tuple[Part, ...]:
    specs_of, pooled = look_up(STEMS, config.stem, "stem")
    specs = specs_of(config.stem_filters or config.filters)
    last = ORDERS[config.activation_order].last_of_stem
    units = ["conv_bn_relu"] * (len(specs) - 1) + [last]
    convs = _chain(config, specs, "stem_conv", units, config.input_shape)
    if not pooled:
        return convs
    shape = convs[-1].output_shape
    return (
        *convs,
        Pool(name="stem_pool", input_shape=shape, strides=(2, 2), kind="max", pool_size=3),
    )


# Stages -----------------------------------------------------------------------------------------


def _stages(
    config: ResnetConfig, stem: tuple[Part, ...], output_stride: int | None
) -> Iterator[Stage]:
    strides = [1] + [2] * (len(config.repetitions) - 1)
    dilations = _stage_dilations(config, stem, strides, output_stride)
    shape = stem[-1].output_shape
    drop_path_rates = iter(_drop_path_rates(config))
    for index, repetitions in enumerate(config.repetitions):
        blocks = []
        for number in range(repetitions):
            first = number == 0
            block = plan_block(
                config,
                f"stage{index + 1}_block{number + 1}",
                shape,
                config.filters * 2**index,
                strides=(strides[index],) * 2 if first else (1, 1),
                opens_network=first and index == 0,
                dilations=dilations[index : index + 2] if first else (dilations[index + 1],) * 2,
                drop_path_rate=next(drop_path_rates),
            )
            blocks.append(block)
            shape = block.output_shape
        yield Stage(f"stage{index + 1}", tuple(blocks))


def _stage_dilations(
    config: ResnetConfig, stem: tuple[Part, ...], strides: list[int], output_stride: int | None
) -> tuple[int, ...]:
    """The dilation in the stem and in each stage: what its stride is beyond `output_stride`."""
    stem_stride = prod(part.strides[0] for part in stem)
    reached = list(accumulate(strides, mul, initial=stem_stride))
    if output_stride is None:
        return (1,) * len(reached)
    output_stride = positive_int(output_stride, "output_stride")
    if callable(config.block):
        raise ValueError("output_stride cannot dilate the inside of a block function of your own")
    if output_stride not in reached:
        raise ValueError(
            f"output_stride must be one of {', '.join(map(str, sorted(set(reached))))} "
            f"for this network, got {output_stride!r}"
        )
    return tuple(max(1, stride // output_stride) for stride in reached)


def _drop_path_rates(config: ResnetConfig) -> list[float]:
    """Rising linearly from 0 at the first block to the config's at the last."""
    count = sum(config.repetitions)
    return [config.drop_path_rate * block / max(1, count - 1) for block in range(count)]


# Blocks -----------------------------------------------------------------------------------------


def basic_block(config: ResnetConfig, filters: int, strides: Pair) -> list[ConvSpec]:
    """3x3, 3x3 (He et al. 2015, Figure 5 left)."""
    return [ConvSpec(filters, 3, strides), ConvSpec(filters, 3)]


def bottleneck(config: ResnetConfig, filters: int, strides: Pair) -> list[ConvSpec]:
    """1x1 reduce, 3x3, 1x1 expand to 4 x filters (He et al. 2015, Figure 5 right)."""
    # For ResNeXt and wide networks the width is torchvision's (models/resnet.py, Bottleneck).
    width = filters * config.width_per_group // 64 * config.groups
    first, second = ((1, 1), strides) if config.stride_in_3x3 else (strides, (1, 1))
    return [
        ConvSpec(width, 1, first),
        ConvSpec(width, 3, second, config.groups),
        ConvSpec(4 * filters, 1),
    ]


# name -> convolutions of the residual branch; names, order and shapes are added by `plan_block`.
BLOCKS: dict[str, Callable[[ResnetConfig, int, Pair], list[ConvSpec]]] = {
    "basic_block": basic_block,
    "bottleneck": bottleneck,
}


def plan_block(
    config: ResnetConfig,
    name: str,
    input_shape: Shape,
    filters: int,
    *,
    strides: Pair = (1, 1),
    opens_network: bool = False,
    dilations: tuple[int, ...] = (1, 1),
    drop_path_rate: float = 0.0,
) -> Block:
    """One block. Where the two `dilations` differ, the block widens them instead of striding."""
    block = Block(name=name, filters=filters, strides=strides, opens_network=opens_network)
    if callable(config.block):
        return block
    order = ORDERS[config.activation_order]
    specs = look_up(BLOCKS, config.block, "block")(config, filters, strides)
    units = [order.residual] * (len(specs) - 1) + [order.last_of_residual]
    if opens_network:
        units[0] = order.first_of_network
    residual = _chain(config, specs, f"{name}_conv", units, input_shape, dilations)
    shortcut = _shortcut(config, name, residual, strides)
    shared = None
    if order.shares_activation and any(isinstance(part, Conv) for part in shortcut or ()):
        shared = _bn_relu(residual[0].companion("bn"), input_shape)
        residual = (replace(residual[0], unit="conv"), *residual[1:])
    if config.zero_init_last:
        residual = (*residual[:-1], replace(residual[-1], zero_gamma=True))
    return replace(
        block,
        shared=shared,
        residual=(*residual, *_behind_convs(config, name, residual, drop_path_rate)),
        shortcut=shortcut,
        ends_in_activation=config.activation_order == "post",
    )


def _behind_convs(
    config: ResnetConfig, name: str, convs: tuple[Conv, ...], drop_path_rate: float
) -> Iterator[Part]:
    shape = convs[-1].output_shape
    if config.se_ratio:
        # Rounded to a multiple of 8, as timm does (layers/squeeze_excite.py).
        reduced = max(8, int(shape[2] * config.se_ratio + 4) // 8 * 8)
        yield SqueezeExcite(name=f"{name}_se", input_shape=shape, reduced=reduced)
    if drop_path_rate:
        yield DropPath(name=f"{name}_drop_path", input_shape=shape, rate=drop_path_rate)


# Shortcuts --------------------------------------------------------------------------------------


def conv_projection(conv: Conv, wanted_strides: Pair) -> tuple[Part, ...]:
    """A 1x1 convolution (option B of He et al. 2015, section 3.3)."""
    return (conv,)


def avg_pool_projection(conv: Conv, wanted_strides: Pair) -> tuple[Part, ...]:
    """An average pool that strides, then the 1x1 convolution (arXiv:1812.01187, section 4.2)."""
    if wanted_strides == (1, 1):
        return (conv,)
    # Where the stride has become dilation, the pool stays and does not stride (timm, resnet.py).
    pool = Pool(
        name=conv.companion("pool"),
        input_shape=conv.input_shape,
        strides=conv.strides,
        kind="avg",
        pool_size=2,
    )
    return (pool, replace(conv, input_shape=pool.output_shape, strides=(1, 1)))


def pad_projection(conv: Conv, wanted_strides: Pair) -> tuple[Part, ...]:
    """Subsample and pad with zero channels (option A of He et al. 2015, section 3.3)."""
    if conv.filters < conv.input_shape[2]:
        raise ValueError(
            f"projection='pad' only adds channels; it cannot make {conv.filters} "
            f"of {conv.input_shape[2]}: widen filters or narrow stem_filters"
        )
    name = conv.companion("pad")
    pad = ChannelPad(
        name=name, input_shape=conv.input_shape, strides=conv.strides, filters=conv.filters
    )
    return (pad,)


# name -> what stands for the identity where the shape changes, made of the 1x1 convolution.
PROJECTIONS: dict[str, Callable[[Conv, Pair], tuple[Part, ...]]] = {
    "conv": conv_projection,
    "avg_pool": avg_pool_projection,
    "pad": pad_projection,
}


def _shortcut(
    config: ResnetConfig, name: str, residual: tuple[Conv, ...], wanted_strides: Pair
) -> tuple[Part, ...] | None:
    if not config.shortcuts:
        return None
    first, last = residual[0], residual[-1]
    if last.output_shape == first.input_shape and wanted_strides == (1, 1):
        return ()
    strides = (prod(conv.strides[0] for conv in residual), prod(c.strides[1] for c in residual))
    conv = Conv(
        name=f"{name}_shortcut_conv",
        input_shape=first.input_shape,
        filters=last.filters,
        kernel_size=1,
        strides=strides,
        unit=ORDERS[config.activation_order].projection,
        use_bias=config.use_bias,
    )
    return look_up(PROJECTIONS, config.projection, "projection")(conv, wanted_strides)


# Head -------------------------------------------------------------------------------------------


def _head(
    config: ResnetConfig,
    shape: Shape,
    include_top: bool,
    pooling: str | None,
    classifier_activation: str | None,
    dropout_rate: float,
) -> Iterator[Part]:
    if pooling is not None:
        look_up(POOLINGS, pooling, "pooling")
    if fraction(dropout_rate, "dropout_rate") and not include_top:
        raise ValueError("dropout_rate has no meaning where there is no classifier to drop before")
    if config.activation_order != "post":
        yield _bn_relu("head_bn", shape)
    if pooling or include_top:
        pool = GlobalPool(name="head_pool", input_shape=shape, kind=pooling or "avg")
        shape = pool.output_shape
        yield pool
    if dropout_rate:
        yield Dropout(name="head_dropout", input_shape=shape, rate=dropout_rate)
    if include_top:
        yield Classifier(
            name="predictions",
            input_shape=shape,
            classes=config.classes,
            activation=classifier_activation,
        )


# Checks -----------------------------------------------------------------------------------------

_INSIDE_A_BLOCK = (
    "groups",
    "width_per_group",
    "se_ratio",
    "drop_path_rate",
    "zero_init_last",
    "shortcuts",
    "projection",
)


def _refuse_the_meaningless(config: ResnetConfig) -> None:
    look_up(ORDERS, config.activation_order, "activation_order")
    look_up(PROJECTIONS, config.projection, "projection")
    look_up(PADDINGS, config.padding, "padding")
    plain = not config.shortcuts
    meaningless = {
        "zero_init_last: a pre-activated residual branch does not end in a batch norm": (
            config.zero_init_last and config.activation_order != "post"
        ),
        "zero_init_last: a network without shortcuts would answer 0": (
            config.zero_init_last and plain
        ),
        "drop_path_rate: a network without shortcuts has no other path": (
            config.drop_path_rate > 0 and plain
        ),
        f"projection={config.projection!r}: there are no shortcuts": (
            config.projection != "conv" and plain
        ),
        "groups and width_per_group: they are a bottleneck's, not a basic_block's": (
            config.block == "basic_block" and (config.groups, config.width_per_group) != (1, 64)
        ),
    }
    if callable(config.block):
        usual = {field.name: field.default for field in fields(config)}
        for name in _INSIDE_A_BLOCK:
            message = f"{name}: it belongs to the inside of a block, and the block is your own"
            meaningless[message] = getattr(config, name) != usual[name]
    for message, refused in meaningless.items():
        if refused:
            raise ValueError(f"this has no meaning: {message}")


# Helpers ----------------------------------------------------------------------------------------


def _chain(
    config: ResnetConfig,
    specs: list[ConvSpec],
    name: str,
    units: list[str],
    shape: Shape,
    dilations: tuple[int, ...] = (1, 1),
) -> tuple[Conv, ...]:
    """Convolutions one after the other, numbered where there are several."""
    convs = []
    dilation, wider = dilations
    for number, (spec, unit) in enumerate(zip(specs, units, strict=True), start=1):
        becomes_dilation = spec.strides != (1, 1) and wider != dilation
        conv = Conv(
            name=f"{name}{number}" if len(specs) > 1 else name,
            input_shape=shape,
            filters=spec.filters,
            kernel_size=spec.kernel_size,
            strides=(1, 1) if becomes_dilation else spec.strides,
            groups=spec.groups,
            dilation=dilation if spec.kernel_size > 1 else 1,
            unit=unit,
            use_bias=config.use_bias,
        )
        convs.append(conv)
        shape = conv.output_shape
        dilation = wider if becomes_dilation else dilation
    return tuple(convs)


def _bn_relu(name: str, shape: Shape) -> BnRelu:
    return BnRelu(name=name, input_shape=shape, activation_name=name.replace("bn", "act"))
