"""From a config to the plan of the whole network: stem, stages, head. No Keras.

To add a stem, write a function that lists its convolutions and enter it in `STEMS`.
"""

from collections.abc import Callable, Iterator
from dataclasses import fields
from itertools import accumulate
from math import prod
from operator import mul

from ..common.checks import boolean, choice, fraction, look_up, positive_int
from ..common.keras_names import ACTIVATIONS, INITIALIZERS
from ..common.shapes import Shape
from ..config import ResnetConfig
from .blocks import ORDERS, PROJECTIONS, ConvSpec, bn_relu, chain, plan_block
from .layers import Classifier, Dropout, GlobalPool, Part, Plan, Pool, Stage


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
    _refuse_unknown_names(config)
    _refuse_the_meaningless(config)
    boolean(include_top, "include_top")
    if pooling is not None:
        choice(pooling, POOLINGS, "pooling")
    if classifier_activation is not None:
        choice(classifier_activation, ACTIVATIONS, "classifier_activation")
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
    convs = chain(config, specs, "stem_conv", units, config.input_shape)
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


# Head -------------------------------------------------------------------------------------------


def _head(
    config: ResnetConfig,
    shape: Shape,
    include_top: bool,
    pooling: str | None,
    classifier_activation: str | None,
    dropout_rate: float,
) -> Iterator[Part]:
    if fraction(dropout_rate, "dropout_rate") and not include_top:
        raise ValueError("dropout_rate has no meaning where there is no classifier to drop before")
    if config.activation_order != "post":
        yield bn_relu("head_bn", shape)
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

PADDINGS = ("symmetric", "same")
POOLINGS = ("avg", "max")

_INSIDE_A_BLOCK = (
    "groups",
    "width_per_group",
    "se_ratio",
    "drop_path_rate",
    "zero_init_last",
    "shortcuts",
    "projection",
)


def _refuse_unknown_names(config: ResnetConfig) -> None:
    choice(config.activation_order, ORDERS, "activation_order")
    choice(config.projection, PROJECTIONS, "projection")
    choice(config.padding, PADDINGS, "padding")
    choice(config.activation, ACTIVATIONS, "activation")
    for field in ("kernel_initializer", "classifier_initializer"):
        chosen = getattr(config, field)
        if isinstance(chosen, str):
            choice(chosen, INITIALIZERS, field)


def _refuse_the_meaningless(config: ResnetConfig) -> None:
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
