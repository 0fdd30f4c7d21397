"""The plan of a whole network from its config: stem, stages, head. Does not import Keras."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import accumulate, chain, groupby
from math import prod
from operator import mul
from typing import Any, Literal, get_args

from ..common.checks import boolean, choice, fraction, positive_int
from ..common.keras_names import ACTIVATIONS
from ..config import ResnetConfig
from ..effects import block_strides
from .blocks import Block, BlockSpec, plan_block
from .draft import Draft, Unit
from .layers import Dense, Dropout, GlobalPool, Input, Layer, Strided
from .names import Place
from .orders import ORDERS
from .rules import check_config
from .stems import PlannedStem, plan_stem

Pooling = Literal["avg", "max"]


@dataclass(frozen=True, kw_only=True)
class Head:
    """The settings of the head; the fields are options of `ResnetBuilder.from_preset`.

    Raises:
        TypeError, ValueError: an invalid value; the message lists the valid ones.
    """

    include_top: bool = True
    pooling: Pooling | None = None
    classifier_activation: str | None = "softmax"
    dropout_rate: float = 0.0

    def __post_init__(self) -> None:
        boolean(self.include_top, "include_top")
        if self.pooling is not None:
            choice(self.pooling, get_args(Pooling), "pooling")
        if self.classifier_activation is not None:
            choice(self.classifier_activation, ACTIVATIONS, "classifier_activation")
        if fraction(self.dropout_rate, "dropout_rate") and not self.include_top:
            raise ValueError("dropout_rate has no meaning without a classifier")


@dataclass(frozen=True)
class Stage:
    """Blocks of one size."""

    name: str
    blocks: tuple[Block, ...]

    @property
    def layers(self) -> Iterator[Layer]:
        """All layers."""
        return chain.from_iterable(block.layers for block in self.blocks)


@dataclass(frozen=True)
class Plan:
    """A whole network at the input shape and number of classes of its config.

    Attributes:
        config: config of the network.
        image: the input.
        first: the units of the stem, and which of them is the pool.
        stages: the stages, in order.
        head: units after the last stage.
    """

    config: ResnetConfig
    image: Input
    first: PlannedStem
    stages: tuple[Stage, ...]
    head: tuple[Unit, ...]

    @property
    def stem(self) -> tuple[Unit, ...]:
        """The units of the stem."""
        return self.first.units

    @property
    def layers(self) -> Iterator[Layer]:
        """All layers, each after its inputs."""
        yield self.image
        yield from chain.from_iterable(self.stem)
        for stage in self.stages:
            yield from stage.layers
        yield from chain.from_iterable(self.head)

    @property
    def features(self) -> dict[str, Layer]:
        """The layers with the feature maps of the stem and of each stage.

        The stem's feature map is the output of its last convolution unit, before the pool.
        """
        return {"stem": self.first.convs[-1][-1]} | {
            stage.name: stage.blocks[-1].output for stage in self.stages
        }

    @property
    def outputs(self) -> dict[str, Layer]:
        """The layers that a model can end in: those of `features`, and the classifier if any."""
        last = self.head[-1][-1] if self.head else None
        return self.features | ({last.name: last} if isinstance(last, Dense) else {})

    @property
    def is_known(self) -> bool:
        """True if all layers are in the plan; those inside a custom block are not."""
        return not callable(self.config.block)


def make_plan(config: ResnetConfig, head: Head = Head(), output_stride: int | None = None) -> Plan:
    """Plan the network of a config; `output_stride` is as in `ResnetBuilder.from_preset`.

    Raises:
        TypeError, ValueError: a config or an output stride that cannot be planned.
    """
    check_config(config)
    draft = Draft(config)
    image = draft.input()
    stem = plan_stem(draft, image)
    x, blocks = stem.units[-1][-1], list[Block]()
    for spec in block_specs(config, _stride_of(stem.units), output_stride):
        blocks.append(plan_block(draft, x, spec))
        x = blocks[-1].output
    stages = groupby(blocks, lambda block: block.spec.place.part)
    return Plan(
        config,
        image,
        stem,
        tuple(Stage(name, tuple(of_stage)) for name, of_stage in stages),
        head=tuple(_head(draft, x, head)),
    )


# Stages -----------------------------------------------------------------------------------------


def block_specs(
    config: ResnetConfig, stem_stride: int, output_stride: int | None
) -> Iterator[BlockSpec]:
    """The settings of all blocks, in order."""
    strides = [
        stride
        for stage in range(len(config.repetitions))
        for stride in block_strides(config, stage)
    ]
    _check_output_stride(config, [stem_stride, *strides], output_stride)
    reached, dilation = stem_stride, 1
    drop_path_rates = _drop_path_rates(config)
    places = [
        Place("stage", stage, block)
        for stage, count in enumerate(config.repetitions, start=1)
        for block in range(1, count + 1)
    ]
    for number, (place, stride) in enumerate(zip(places, strides, strict=True)):
        before, stage, block = dilation, place.stage - 1, place.block - 1
        if output_stride and reached >= output_stride:
            dilation *= stride
        reached *= stride
        yield BlockSpec(
            place=place,
            block=config.stage_blocks[stage],
            filters=config.stage_filters[stage],
            widths=config.widths[stage][block] if config.widths else (),
            strides=(stride, stride),
            opens_network=number == 0,
            dilations=(before, dilation),
            drop_path_rate=drop_path_rates[number],
        )


def _stride_of(units: tuple[Unit, ...]) -> int:
    layers = chain.from_iterable(units)
    return prod(layer.strides[0] for layer in layers if isinstance(layer, Strided))


def _check_output_stride(config: ResnetConfig, strides: list[int], output_stride: Any) -> None:
    if output_stride is None:
        return
    positive_int(output_stride, "output_stride")
    if callable(config.block):
        raise ValueError("output_stride cannot dilate the layers inside a custom block function")
    reached = sorted(set(accumulate(strides, mul)))
    if output_stride not in reached:
        raise ValueError(
            f"output_stride must be one of {', '.join(map(str, reached))} "
            f"for this network, got {output_stride!r}"
        )


def _drop_path_rates(config: ResnetConfig) -> list[float]:
    """The rate of every block, rising linearly from 0 to the config's rate."""
    count = sum(config.repetitions)
    return [config.drop_path_rate * block / max(1, count - 1) for block in range(count)]


# Head -------------------------------------------------------------------------------------------


def _head(draft: Draft, x: Layer, head: Head) -> Iterator[Unit]:
    config = draft.config
    if steps := ORDERS[config.activation_order].head:
        unit = draft.unit(x, "head_{}", steps)
        x = unit[-1]
        yield unit
    if head.pooling or head.include_top:
        x = draft.add(GlobalPool, "head_pool", x, pooling=head.pooling or "avg")
        yield (x,)
    if head.dropout_rate:
        x = draft.add(Dropout, "head_dropout", x, rate=head.dropout_rate)
        yield (x,)
    if head.include_top:
        classifier = draft.add(
            Dense,
            "predictions",
            x,
            units=config.classes,
            activation=head.classifier_activation,
            initializer=config.classifier_initializer,
        )
        yield (classifier,)
