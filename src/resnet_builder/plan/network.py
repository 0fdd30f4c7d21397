"""The plan of a whole network from its config: stem, stages, head."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import accumulate, chain
from math import prod
from operator import mul
from typing import Literal, NamedTuple, get_args

from ..common.checks import boolean, choice, fraction, positive_int
from ..config import ActivationName, ResnetConfig
from ..field_effects import block_strides
from .attention import attention_pool
from .blocks import Block, BlockSpec, add_block
from .draft import Draft, Unit
from .layers import Dense, Dropout, GlobalPool, Input, Layer, Strided
from .names import CLASSIFIER, HEAD, IMAGE, STEM, At, Place
from .rules import check_config
from .stems import add_stem
from .units import CONV_BN_RELU, ORDERS, ConvSpec, add_unit

Pooling = Literal["avg", "max", "attention"]


@dataclass(frozen=True)
class Head:
    """The settings of the head; the fields are options of `ResnetBuilder.from_preset`.

    Raises:
        TypeError, ValueError: an invalid value; the message lists the valid ones.
    """

    include_top: bool = True
    pooling: Pooling | None = None
    classifier_activation: ActivationName | None = "softmax"
    dropout_rate: float = 0.0

    def __post_init__(self) -> None:
        boolean(self.include_top, "include_top")
        if self.pooling is not None:
            choice(self.pooling, get_args(Pooling), "pooling")
        if self.classifier_activation is not None:
            choice(self.classifier_activation, get_args(ActivationName), "classifier_activation")
        if fraction(self.dropout_rate, "dropout_rate") and not self.include_top:
            raise ValueError("dropout_rate applies only to a network with a classifier")


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
        layers: all layers, each after its inputs.
        stem: the units of the stem.
        stages: the stages, in order.
        head: units after the last stage.
        features: the layers with the feature maps of the stem and of each stage. The stem's is the
            output of its last convolution unit, before the pool.
    """

    config: ResnetConfig
    layers: tuple[Layer, ...]
    stem: tuple[Unit, ...]
    stages: tuple[Stage, ...]
    head: tuple[Unit, ...]
    features: dict[str, Layer]

    @property
    def image(self) -> Layer:
        """The input."""
        return self.layers[0]

    @property
    def outputs(self) -> dict[str, Layer]:
        """The layers that a model can end in: the `features`, and perhaps the classifier."""
        last = self.layers[-1]
        return self.features | ({CLASSIFIER: last} if isinstance(last, Dense) else {})

    @property
    def is_known(self) -> bool:
        """True if all layers are in the plan; those inside a custom block are not."""
        return not self.config.has_custom_block


class Dilation(NamedTuple):
    """The options of `ResnetBuilder.from_preset` that dilate convolutions in place of strides."""

    output_stride: int | None = None
    dilate_first: bool = False


def make_plan(
    config: ResnetConfig,
    head: Head = Head(),
    output_stride: int | None = None,
    dilate_first: bool = False,
) -> Plan:
    """Plan the network of a config.

    Args:
        output_stride, dilate_first: as in `ResnetBuilder.from_preset`.

    Raises:
        TypeError, ValueError: a config or an output stride that cannot be planned.
    """
    check_config(config)
    draft = Draft(config)
    convs, pool = add_stem(draft, draft.add(Input, IMAGE))
    stages: dict[str, list[Block]] = {}
    features = {STEM.part: convs[-1][-1]}
    stem_stride = prod(layer.strides[0] for layer in draft.layers if isinstance(layer, Strided))
    for spec in block_specs(config, stem_stride, output_stride, dilate_first):
        name = spec.place.part
        stages.setdefault(name, []).append(add_block(draft, draft.layers[-1], spec))
        features[name] = draft.layers[-1]
    of_head = tuple(add_head(draft, draft.layers[-1], head))
    return Plan(
        config,
        tuple(draft.layers),
        stem=(*convs, *pool),
        stages=tuple(Stage(name, tuple(blocks)) for name, blocks in stages.items()),
        head=of_head,
        features=features,
    )


# Stages -----------------------------------------------------------------------------------------


def block_specs(
    config: ResnetConfig, stem_stride: int, output_stride: int | None, dilate_first: bool
) -> Iterator[BlockSpec]:
    """The settings of all blocks, in order."""
    strides = [block_strides(config, stage) for stage in range(len(config.repetitions))]
    if boolean(dilate_first, "dilate_first") and output_stride is None:
        raise ValueError("dilate_first needs an output_stride: without one nothing is dilated")
    if output_stride is not None:
        _check_output_stride(config, [stem_stride, *chain(*strides)], output_stride)
    reached, dilation = stem_stride, 1
    number, last = 0, max(1, sum(config.repetitions) - 1)
    for stage, of_stage in enumerate(strides):
        for block, stride in enumerate(of_stage):
            before = dilation
            if output_stride and reached >= output_stride:
                dilation *= stride
            reached *= stride
            yield BlockSpec(
                place=Place("stage", stage + 1, block + 1),
                block=config.stage_blocks[stage],
                filters=config.stage_filters[stage],
                widths=config.widths[stage][block] if config.widths else (),
                group_width=config.stage_group_widths[stage],
                strides=(stride, stride),
                opens_network=number == 0,
                dilations=(before, dilation),
                dilates_first=dilate_first,
                # It rises linearly from 0 to the config's rate.
                drop_path_rate=config.drop_path_rate * number / last,
            )
            number += 1


def _check_output_stride(config: ResnetConfig, strides: list[int], output_stride: int) -> None:
    positive_int(output_stride, "output_stride")
    if config.has_custom_block:
        raise ValueError("output_stride cannot dilate the layers inside a custom block function")
    reached = sorted(set(accumulate(strides, mul)))
    if output_stride not in reached:
        raise ValueError(
            f"output_stride must be one of {', '.join(map(str, reached))} "
            f"for this network, got {output_stride!r}"
        )


# Head -------------------------------------------------------------------------------------------


def add_head(draft: Draft, x: Layer, head: Head) -> Iterator[Unit]:
    """Add the layers after the last block."""
    config, at = draft.config, At(HEAD)
    if steps := ORDERS[config.activation_order].head:
        unit = add_unit(draft, x, at, steps)
        x = unit[-1]
        yield unit
    if config.head_filters:
        spec = ConvSpec(config.head_filters, 1)
        unit = add_unit(draft, x, at.inside("final"), CONV_BN_RELU, spec)
        x = unit[-1]
        yield unit
    if pooling := head.pooling or (head.include_top and config.head_pool):
        if pooling == "attention":
            unit = attention_pool(draft, x, at)
        else:
            unit = (draft.add(GlobalPool, at("pool"), x, pooling=pooling),)
        x = unit[-1]
        yield unit
    if head.dropout_rate:
        x = draft.add(Dropout, at("dropout"), x, rate=head.dropout_rate)
        yield (x,)
    if head.include_top:
        x = draft.add(
            Dense,
            CLASSIFIER,
            x,
            units=config.classes,
            activation=None if config.embedding else head.classifier_activation,
            initializer=config.classifier_initializer,
        )
        yield (x,)
