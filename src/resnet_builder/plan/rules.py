"""Combinations of a config's fields that are invalid, and why."""

from collections.abc import Collection, Iterator, Mapping
from typing import Any, get_args

from ..common.checks import choice
from ..common.keras_names import INITIALIZERS
from ..config import ActivationName, Biases, HeadPoolName, Padding, ResnetConfig
from ..field_effects import idle_fields
from .attention import ATTENTIONS
from .blocks import BLOCKS
from .norms import NORMS
from .shortcuts import PROJECTIONS
from .stems import STEM_POOLS, STEMS
from .units import ANTI_ALIASING, ORDERS

# Field of a config -> its names, and what they stand for.
KINDS: Mapping[str, Mapping[str, Any]] = {
    "activation_order": ORDERS,
    "projection": PROJECTIONS,
    "stem": STEMS,
    "stem_pool": STEM_POOLS,
    "norm": NORMS,
    "anti_aliasing": ANTI_ALIASING,
}
CHOICES: Mapping[str, Collection[str]] = {
    **KINDS,
    "padding": get_args(Padding),
    "head_pool": get_args(HeadPoolName),
    "activation": get_args(ActivationName),
    "use_bias": get_args(Biases),
    "kernel_initializer": INITIALIZERS,
    "classifier_initializer": INITIALIZERS,
}


def check_config(config: ResnetConfig) -> None:
    """Reject a config that cannot be planned.

    Raises:
        ValueError: an unknown name, or fields that contradict each other or have no effect.
    """
    for name, allowed in CHOICES.items():
        if isinstance(value := getattr(config, name), str):
            choice(value, allowed, name)
    for block in config.stage_blocks:
        if not callable(block):
            choice(block, BLOCKS, "block")
    for reason in contradictions(config):
        raise ValueError(f"invalid combination of options: {reason}")
    if idle := idle_fields(config):
        lines = (
            f"{field.name}={getattr(config, field.name)!r} has no effect: it needs "
            f"{field.metadata['effect'].needs}. Leave it at {field.default!r}, or change other "
            "fields"
            for field in idle
        )
        raise ValueError("\n".join(lines))


def contradictions(config: ResnetConfig) -> Iterator[str]:
    """The reasons why fields of a config contradict each other."""
    if config.zero_init_last and config.activation_order != "post":
        yield "zero_init_last: branches end in a batch norm with activation_order='post' only"
    if config.zero_init_last and not config.shortcuts:
        yield "zero_init_last: the output of a network without shortcuts would be 0"
    if config.drop_path_rate and not config.shortcuts:
        yield "drop_path_rate: a network without shortcuts has no other path"
    if NORMS[config.norm].activates and config.activation_order != "pre":
        yield f"norm={config.norm!r}: it is its own activation; use activation_order='pre'"
    yield from _contradictions_of_stem(config)
    if config.groups > 1 and config.group_width:
        yield f"groups={config.groups}: group_width={config.group_width} gives the groups"
    if config.projection_kernel % 2 == 0 and config.padding == "symmetric":
        yield (
            f"projection_kernel={config.projection_kernel}: an even kernel has no symmetric "
            "padding; choose an odd one, or padding='same'"
        )
    if "res2net_bottleneck" in config.stage_blocks:
        if config.splits < 2:
            yield "splits=1: a res2net_bottleneck has 2 parts or more"
        if config.reduce_first > 1:
            yield (
                f"reduce_first={config.reduce_first}: the parts of a res2net_bottleneck are added "
                "to each other, so its first convolution is as wide as its 3x3 convolutions "
                "together"
            )
    named = [BLOCKS[block] for block in config.stage_blocks if not callable(block)]
    if not config.se_ratio and any(block.own_attention for block in named):
        yield f"se_ratio=0: it is the width of the attention inside block={config.block!r}"
    if config.widths and (found := tuple(map(len, config.widths))) != config.repetitions:
        yield (
            f"widths: they are of {found} blocks in the stages, and repetitions are "
            f"{config.repetitions}"
        )
    attentions = [name for name in ATTENTIONS if getattr(config, name)]
    if len(attentions) > 1:
        yield f"{' and '.join(attentions)}: a branch ends in one kind of attention"
    if "early_attention_bottleneck" in config.stage_blocks and not attentions:
        yield f"block={config.block!r}: it needs one of {', '.join(ATTENTIONS)}, or is a bottleneck"


def _contradictions_of_stem(config: ResnetConfig) -> Iterator[str]:
    if config.stem_pool in ("max_zeros", "max_ceil") and config.anti_aliasing:
        yield f"stem_pool={config.stem_pool!r}: anti_aliasing replaces the stem's pool"
    if config.stem_pool == "stride" and config.stem == "imagenet":
        yield "stem_pool='stride': the only convolution of stem='imagenet' strides already"
    if config.stem == "regnet" and config.stride_in_last_block:
        yield "stride_in_last_block: with stem='regnet', the first block of the first stage strides"
