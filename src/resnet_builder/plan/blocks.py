"""From a config to the plan of one block: its convolutions, their order, its shortcut. No Keras.

To add a kind of block, write a function that lists its convolutions and enter it in `BLOCKS`; for a
projection, do the same in `PROJECTIONS`.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from math import prod

from ..common.checks import look_up
from ..common.shapes import Shape
from ..config import ResnetConfig
from .layers import Block, BnRelu, ChannelPad, Conv, DropPath, Pair, Part, Pool, SqueezeExcite


@dataclass(frozen=True, kw_only=True)
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
    "post": Order(
        residual="conv_bn_relu",
        last_of_residual="conv_bn",
        first_of_network="conv_bn_relu",
        last_of_stem="conv_bn_relu",
        projection="conv_bn",
    ),
    # He et al. 2016, Figure 4(e). A projection takes the activated input and an identity the raw
    # one, in the first block too (timm models/resnetv2.py; the paper's appendix activates before
    # its first block splits).
    "pre": Order(
        residual="bn_relu_conv",
        last_of_residual="bn_relu_conv",
        first_of_network="bn_relu_conv",
        last_of_stem="conv",
        projection="conv",
        shares_activation=True,
    ),
    # The article's code: the stem has just activated what the first block gets.
    "pre_raw": Order(
        residual="bn_relu_conv",
        last_of_residual="bn_relu_conv",
        first_of_network="conv",
        last_of_stem="conv_bn_relu",
        projection="conv",
    ),
}


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
    residual = chain(config, specs, f"{name}_conv", units, input_shape, dilations)
    shortcut = _shortcut(config, name, residual, strides)
    shared = None
    if order.shares_activation and any(isinstance(part, Conv) for part in shortcut or ()):
        shared = bn_relu(residual[0].companion("bn"), input_shape)
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


# Convolutions in a row ---------------------------------------------------------------------------


def chain(
    config: ResnetConfig,
    specs: list[ConvSpec],
    name: str,
    units: list[str],
    shape: Shape,
    dilations: tuple[int, ...] = (1, 1),
) -> tuple[Conv, ...]:
    """Convolutions one after the other, numbered where there are several.

    Where the two `dilations` differ, the convolution that strides no longer does; those behind it
    have the second dilation.
    """
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


def bn_relu(name: str, shape: Shape) -> BnRelu:
    """Batch norm and activation of a tensor of that shape."""
    return BnRelu(name=name, input_shape=shape, activation_name=name.replace("bn", "act"))
