"""What a config comes to: stages, blocks and convolutions with names and shapes, as plain data.

The plan is the one description of a network. The Keras model is built from it, and whatever else
speaks of the network reads it too. No Keras here.

To add a kind of block, write a function that lists its convolutions and enter it in `BLOCKS`;
to add a stem, do the same in `STEMS`.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from itertools import accumulate
from math import prod
from operator import mul

from .config import ResnetConfig
from .errors import look_up, unknown
from .shapes import Shape

Pair = tuple[int, int]


# The data ---------------------------------------------------------------------------------------


@dataclass(frozen=True)
class ConvSpec:
    """What a kind of block or stem says of one of its convolutions."""

    filters: int
    kernel_size: int
    strides: Pair = (1, 1)
    groups: int = 1


@dataclass(frozen=True, kw_only=True)
class Conv(ConvSpec):
    """A convolution with the batch norm and the activation that go with it.

    `unit` is their order: `"conv"`, `"conv_bn"`, `"conv_bn_relu"` or `"bn_relu_conv"`.
    """

    name: str
    unit: str
    dilation: int = 1
    input_shape: Shape

    @property
    def output_shape(self) -> Shape:
        """(rows, columns, channels) behind it."""
        return _divided(self.input_shape, self.strides, self.filters)

    def companion(self, kind: str) -> str:
        """Name of the layer of another kind that goes with this one: block1_conv2 -> block1_bn2."""
        before, _, number = self.name.rpartition("conv")
        return f"{before}{kind}{number}"


@dataclass(frozen=True)
class Pool:
    """The max pool at the end of a stem."""

    name: str
    pool_size: int
    strides: Pair
    input_shape: Shape

    @property
    def output_shape(self) -> Shape:
        """(rows, columns, channels) behind it."""
        return _divided(self.input_shape, self.strides, self.input_shape[2])


@dataclass(frozen=True)
class Stem:
    """From the image to the first stage."""

    convs: tuple[Conv, ...]
    pool: Pool | None

    @property
    def stride(self) -> int:
        """What the stem divides a side by."""
        layers: list[Conv | Pool] = [*self.convs, self.pool] if self.pool else [*self.convs]
        return prod(layer.strides[0] for layer in layers)

    @property
    def output_shape(self) -> Shape:
        """(rows, columns, channels) behind it."""
        return (self.pool or self.convs[-1]).output_shape


@dataclass(frozen=True)
class Block:
    """x + f(x): the residual convolutions f, and the projection of x where x must change shape.

    The inside of a block function of a user's own is unknown: no convolutions, no output shape.
    """

    name: str
    filters: int
    strides: Pair
    opens_network: bool
    residual: tuple[Conv, ...] = ()
    projection: Conv | None = None
    ends_in_activation: bool = False

    @property
    def output_shape(self) -> Shape | None:
        """(rows, columns, channels) behind it; None where the block is the user's own."""
        return self.residual[-1].output_shape if self.residual else None


@dataclass(frozen=True)
class Stage:
    """Blocks of one size."""

    name: str
    blocks: tuple[Block, ...]


@dataclass(frozen=True)
class Head:
    """From the last stage to the output; without a classifier, `classes` is None."""

    bn_relu: bool
    pooling: str | None
    dropout_rate: float
    classes: int | None
    classifier_activation: str | None


@dataclass(frozen=True)
class Plan:
    """A whole network at the input shape and number of classes of its config."""

    config: ResnetConfig
    stem: Stem
    stages: tuple[Stage, ...]
    head: Head


# From a config to its plan ----------------------------------------------------------------------


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
    if pooling not in (None, "avg", "max"):
        raise ValueError(unknown("pooling", pooling, ("avg", "max")))
    if not 0 <= dropout_rate < 1:
        raise ValueError(f"dropout_rate must be at least 0 and less than 1, got {dropout_rate!r}")
    if dropout_rate and not include_top:
        raise ValueError("dropout_rate has no meaning where there is no classifier to drop before")
    head = Head(
        bn_relu=config.preactivation,
        pooling=pooling or ("avg" if include_top else None),
        dropout_rate=dropout_rate,
        classes=config.classes if include_top else None,
        classifier_activation=classifier_activation,
    )
    stem = _stem(config)
    return Plan(config, stem, tuple(_stages(config, stem, output_stride)), head)


def imagenet_stem_convs(config: ResnetConfig) -> list[ConvSpec]:
    """7x7 convolution that halves the size (He et al. 2015, Table 1)."""
    return [ConvSpec(config.filters, 7, (2, 2))]


def cifar_stem_convs(config: ResnetConfig) -> list[ConvSpec]:
    """3x3 convolution that keeps the size (He et al. 2015, section 4.2)."""
    return [ConvSpec(config.filters, 3)]


# name -> convolutions of the stem, and whether a 3x3 max pool of stride 2 follows them.
STEMS: dict[str, tuple[Callable[[ResnetConfig], list[ConvSpec]], bool]] = {
    "imagenet": (imagenet_stem_convs, True),
    "cifar": (cifar_stem_convs, False),
}


def _stem(config: ResnetConfig) -> Stem:
    specs_of, pooled = look_up(STEMS, config.stem, "stem")
    specs = specs_of(config)
    convs = _chain(specs, "stem_conv", ["conv_bn_relu"] * len(specs), config.input_shape)
    return Stem(convs, Pool("stem_pool", 3, (2, 2), convs[-1].output_shape) if pooled else None)


def _stages(config: ResnetConfig, stem: Stem, output_stride: int | None) -> Iterator[Stage]:
    strides = [1] + [2] * (len(config.repetitions) - 1)
    dilations = _stage_dilations(config, stem, strides, output_stride)
    shape: Shape | None = stem.output_shape
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
            )
            blocks.append(block)
            shape = block.output_shape
        yield Stage(f"stage{index + 1}", tuple(blocks))


def _stage_dilations(
    config: ResnetConfig, stem: Stem, strides: list[int], output_stride: int | None
) -> tuple[int, ...]:
    """The dilation in the stem and in each stage: what its stride is beyond `output_stride`."""
    reached = list(accumulate(strides, mul, initial=stem.stride))
    if output_stride is None:
        return (1,) * len(reached)
    if callable(config.block):
        raise ValueError("output_stride cannot dilate the inside of a block function of your own")
    if output_stride not in reached:
        raise ValueError(
            f"output_stride must be one of {', '.join(map(str, sorted(set(reached))))} "
            f"for this network, got {output_stride!r}"
        )
    return tuple(max(1, stride // output_stride) for stride in reached)


# Blocks -----------------------------------------------------------------------------------------


def basic_block_convs(config: ResnetConfig, filters: int, strides: Pair) -> list[ConvSpec]:
    """3x3, 3x3 (He et al. 2015, Figure 5 left)."""
    if (config.groups, config.width_per_group) != (1, 64):
        raise ValueError(
            "groups and width_per_group are of a bottleneck; a basic_block has neither"
        )
    return [ConvSpec(filters, 3, strides), ConvSpec(filters, 3)]


def bottleneck_convs(config: ResnetConfig, filters: int, strides: Pair) -> list[ConvSpec]:
    """1x1 reduce, 3x3, 1x1 expand to 4 x filters (He et al. 2015, Figure 5 right)."""
    width = filters * config.width_per_group // 64 * config.groups
    first, second = ((1, 1), strides) if config.stride_in_3x3 else (strides, (1, 1))
    return [
        ConvSpec(width, 1, first),
        ConvSpec(width, 3, second, config.groups),
        ConvSpec(4 * filters, 1),
    ]


# name -> convolutions of the residual branch; names, order and shapes are added by `plan_block`.
BLOCKS: dict[str, Callable[[ResnetConfig, int, Pair], list[ConvSpec]]] = {
    "basic_block": basic_block_convs,
    "bottleneck": bottleneck_convs,
}


def plan_block(
    config: ResnetConfig,
    name: str,
    input_shape: Shape | None,
    filters: int,
    *,
    strides: Pair = (1, 1),
    opens_network: bool = False,
    dilations: tuple[int, ...] = (1, 1),
) -> Block:
    """One block. Where the two `dilations` differ, the block widens them instead of striding."""
    block = Block(name, filters, strides, opens_network)
    if callable(config.block) or input_shape is None:
        return block
    specs = look_up(BLOCKS, config.block, "block")(config, filters, strides)
    units = _residual_units(config, len(specs), opens_network)
    residual = _chain(specs, f"{name}_conv", units, input_shape, dilations)
    return replace(
        block,
        residual=residual,
        projection=_projection(config, f"{name}_shortcut_conv", residual),
        ends_in_activation=not config.preactivation,
    )


def _residual_units(config: ResnetConfig, count: int, opens_network: bool) -> list[str]:
    if not config.preactivation:
        return ["conv_bn_relu"] * (count - 1) + ["conv_bn"]
    # The stem has just applied batch norm and activation to the first block's input.
    return ["conv" if opens_network else "bn_relu_conv"] + ["bn_relu_conv"] * (count - 1)


def _projection(config: ResnetConfig, name: str, residual: tuple[Conv, ...]) -> Conv | None:
    """The 1x1 convolution of the block's raw input, where the identity does not fit."""
    shape, filters = residual[0].input_shape, residual[-1].filters
    strides = (prod(conv.strides[0] for conv in residual), prod(c.strides[1] for c in residual))
    if strides == (1, 1) and shape[2] == filters:
        return None
    unit = "conv" if config.preactivation else "conv_bn"
    return Conv(filters, 1, strides, name=name, unit=unit, input_shape=shape)


def _chain(
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
            spec.filters,
            spec.kernel_size,
            (1, 1) if becomes_dilation else spec.strides,
            spec.groups,
            name=f"{name}{number}" if len(specs) > 1 else name,
            unit=unit,
            dilation=dilation if spec.kernel_size > 1 else 1,
            input_shape=shape,
        )
        convs.append(conv)
        shape = conv.output_shape
        dilation = wider if becomes_dilation else dilation
    return tuple(convs)


def _divided(shape: Shape, strides: Pair, filters: int) -> Shape:
    """The shape behind a layer: all of them pad so that a size is divided and rounded up."""
    rows, columns = (
        None if size is None else -(-size // stride)
        for size, stride in zip(shape[:2], strides, strict=True)
    )
    return rows, columns, filters
