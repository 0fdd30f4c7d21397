"""Combinations of a config's fields that are invalid, and why. Does not import Keras."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import get_args

from ..common.checks import choice
from ..common.keras_names import ACTIVATIONS, INITIALIZERS
from ..config import Biases, Padding, ResnetConfig
from ..effects import EFFECTS, without_effect
from .attention import ATTENTIONS
from .blocks import BLOCKS, BlockKind
from .norms import NORMS
from .shortcuts import PROJECTIONS
from .stems import STEM_POOLS, STEMS
from .units import ANTI_ALIASING, ORDERS


def check_config(config: ResnetConfig) -> None:
    """Reject a config that cannot be planned.

    Raises:
        ValueError: an unknown name, or fields that contradict each other or have no effect.
    """
    _check_choices(config)
    for refusal in REFUSALS:
        if refusal.applies(config):
            raise ValueError(f"this has no meaning: {refusal.why(config)}")
    if idle := without_effect(config):
        lines = (
            f"{field}={getattr(config, field)!r} has no effect: it needs {EFFECTS[field].needs}. "
            f"Leave it at {default!r}, or change other fields"
            for field, default in idle.items()
        )
        raise ValueError("\n".join(lines))


def _check_choices(config: ResnetConfig) -> None:
    choice(config.activation_order, ORDERS, "activation_order")
    choice(config.projection, PROJECTIONS, "projection")
    choice(config.padding, get_args(Padding), "padding")
    choice(config.stem, STEMS, "stem")
    choice(config.stem_pool, STEM_POOLS, "stem_pool")
    choice(config.activation, ACTIVATIONS, "activation")
    choice(config.norm, NORMS, "norm")
    if config.anti_aliasing is not None:
        choice(config.anti_aliasing, ANTI_ALIASING, "anti_aliasing")
    if isinstance(config.use_bias, str):
        choice(config.use_bias, get_args(Biases), "use_bias")
    if not callable(config.block):
        for block in config.stage_blocks:
            choice(block, BLOCKS, "block")
    for field in ("kernel_initializer", "classifier_initializer"):
        chosen = getattr(config, field)
        if isinstance(chosen, str):
            choice(chosen, INITIALIZERS, field)


@dataclass(frozen=True)
class Refusal:
    """An invalid combination, and the reason."""

    applies: Callable[[ResnetConfig], bool]
    why: Callable[[ResnetConfig], str]


REFUSALS = (
    Refusal(
        lambda c: c.zero_init_last and c.activation_order != "post",
        lambda c: "zero_init_last: a pre-activated residual branch does not end in a batch norm",
    ),
    Refusal(
        lambda c: c.zero_init_last and not c.shortcuts,
        lambda c: "zero_init_last: the output of a network without shortcuts would be 0",
    ),
    Refusal(
        lambda c: c.drop_path_rate > 0 and not c.shortcuts,
        lambda c: "drop_path_rate: a network without shortcuts has no other path",
    ),
    Refusal(
        lambda c: NORMS[c.norm].activates and c.activation_order != "pre",
        lambda c: f"norm={c.norm!r}: it is its own activation; use activation_order='pre'",
    ),
    Refusal(
        lambda c: c.stem_pool.startswith("max_") and c.anti_aliasing is not None,
        lambda c: f"stem_pool={c.stem_pool!r}: anti_aliasing replaces the stem's pool",
    ),
    Refusal(
        lambda c: c.projection_kernel % 2 == 0 and c.padding == "symmetric",
        lambda c: (
            f"projection_kernel={c.projection_kernel}: an even kernel has no symmetric padding; "
            "choose an odd one, or padding='same'"
        ),
    ),
    Refusal(
        lambda c: c.splits < 2 and "res2net_bottleneck" in c.stage_blocks,
        lambda c: "splits=1: a res2net_bottleneck has 2 parts or more",
    ),
    Refusal(
        lambda c: c.reduce_first > 1 and "res2net_bottleneck" in c.stage_blocks,
        lambda c: (
            f"reduce_first={c.reduce_first}: the parts of a res2net_bottleneck are added to each "
            "other, so its first convolution is as wide as its 3x3 convolutions together"
        ),
    ),
    Refusal(
        lambda c: not c.se_ratio and any(kind.own_attention for kind in _kinds(c)),
        lambda c: f"se_ratio=0: it is the width of the attention inside block={c.block!r}",
    ),
    Refusal(
        lambda c: c.widths is not None and tuple(map(len, c.widths)) != c.repetitions,
        lambda c: (
            f"widths: they are of {tuple(map(len, c.widths or ()))} blocks in the stages, and "
            f"repetitions are {c.repetitions}"
        ),
    ),
    Refusal(
        lambda c: len(_attentions(c)) > 1,
        lambda c: f"{' and '.join(_attentions(c))}: a branch ends in one kind of attention",
    ),
)


def _attentions(config: ResnetConfig) -> list[str]:
    return [field for field in ATTENTIONS if getattr(config, field)]


def _kinds(config: ResnetConfig) -> list[BlockKind]:
    return [] if callable(config.block) else [BLOCKS[str(block)] for block in config.stage_blocks]
