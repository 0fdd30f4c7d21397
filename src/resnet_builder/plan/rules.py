"""Combinations of a config's fields that are invalid, and why. Does not import Keras."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields
from functools import partial
from typing import get_args

from ..common.checks import choice
from ..common.keras_names import ACTIVATIONS, INITIALIZERS
from ..config import Biases, Padding, ResnetConfig
from .anti_aliasing import ANTI_ALIASING
from .attention import ATTENTIONS
from .blocks import BLOCKS, BlockKind
from .norms import NORMS
from .orders import ORDERS
from .shortcuts import PROJECTIONS
from .stems import STEM_POOLS, STEMS


def check_config(config: ResnetConfig) -> None:
    """Reject a config that cannot be planned.

    Raises:
        ValueError: an unknown name, or fields that contradict each other.
    """
    _check_choices(config)
    for refusal in (*REFUSALS, *_inside_own_block(config)):
        if refusal.applies(config):
            raise ValueError(f"this has no meaning: {refusal.why(config)}")


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
        lambda c: c.projection != "conv" and not c.shortcuts,
        lambda c: f"projection={c.projection!r}: there are no shortcuts",
    ),
    Refusal(
        lambda c: (c.groups, c.width_per_group) != (1, 64) and _without_bottleneck(c),
        lambda c: "groups and width_per_group: they apply to a bottleneck, not to a basic_block",
    ),
    Refusal(
        lambda c: c.activate_residual and c.activation_order != "post",
        lambda c: "activate_residual: a pre-activated residual branch ends in a convolution",
    ),
    Refusal(
        lambda c: NORMS[c.norm].activates and c.activation_order != "pre",
        lambda c: f"norm={c.norm!r}: it is its own activation; use activation_order='pre'",
    ),
    Refusal(
        lambda c: c.stem_pool != "max" and not STEMS[c.stem].pooled,
        lambda c: f"stem_pool={c.stem_pool!r}: the stem {c.stem!r} has no pool",
    ),
    Refusal(
        lambda c: c.stem_pool.startswith("max_") and c.anti_aliasing is not None,
        lambda c: f"stem_pool={c.stem_pool!r}: anti_aliasing replaces the stem's pool",
    ),
    Refusal(
        lambda c: c.projection_kernel != 1 and c.projection != "conv",
        lambda c: (
            f"projection_kernel: projection={c.projection!r} does not stride in a convolution"
        ),
    ),
    Refusal(
        lambda c: c.splits < 2 and "res2net_bottleneck" in c.stage_blocks,
        lambda c: "splits=1: a res2net_bottleneck has 2 parts or more",
    ),
    Refusal(
        lambda c: not c.se_ratio and any(kind.own_attention for kind in _kinds(c)),
        lambda c: f"se_ratio=0: it is the width of the attention inside {c.block!r}",
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


def _without_bottleneck(config: ResnetConfig) -> bool:
    kinds = _kinds(config)
    return bool(kinds) and not any(kind.is_bottleneck for kind in kinds)


# Fields that only apply to the layers inside a block.
INSIDE_A_BLOCK = (
    *("widths", "groups", "width_per_group", "reduce_first"),
    *("splits", "split_input", "pool_first"),
    *("activate_residual", "shortcuts", "projection", "projection_kernel", "project_first"),
    *(*ATTENTIONS, "se_divisor"),
    *("drop_path_rate", "zero_init_last"),
)


def _inside_own_block(config: ResnetConfig) -> Iterator[Refusal]:
    if not callable(config.block):
        return
    for field in fields(config):
        if field.name in INSIDE_A_BLOCK and getattr(config, field.name) != field.default:
            why = f"{field.name}: it applies inside a block, and the block is a custom function"
            yield Refusal(lambda _: True, partial(_same, why))


def _same(why: str, config: ResnetConfig) -> str:
    return why
