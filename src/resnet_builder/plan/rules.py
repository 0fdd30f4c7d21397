"""Combinations of a config's fields that are invalid, and why. Does not import Keras."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields
from functools import partial
from typing import get_args

from ..common.checks import choice
from ..common.keras_names import ACTIVATIONS, INITIALIZERS
from ..config import Padding, ResnetConfig
from .attention import ATTENTIONS
from .blocks import BLOCKS, PROJECTIONS
from .orders import ORDERS
from .stems import STEMS


def check_config(config: ResnetConfig) -> None:
    """Reject a config that cannot be planned.

    Raises:
        ValueError: an unknown name, or fields that contradict each other.
    """
    _check_names(config)
    for refusal in (*REFUSALS, *_inside_own_block(config)):
        if refusal.applies(config):
            raise ValueError(f"this has no meaning: {refusal.why(config)}")


def _check_names(config: ResnetConfig) -> None:
    choice(config.activation_order, ORDERS, "activation_order")
    choice(config.projection, PROJECTIONS, "projection")
    choice(config.padding, get_args(Padding), "padding")
    choice(config.stem, STEMS, "stem")
    choice(config.activation, ACTIVATIONS, "activation")
    if not callable(config.block):
        choice(config.block, BLOCKS, "block")
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
        lambda c: c.block == "basic_block" and (c.groups, c.width_per_group) != (1, 64),
        lambda c: "groups and width_per_group: they apply to a bottleneck, not to a basic_block",
    ),
    Refusal(
        lambda c: len(_attentions(c)) > 1,
        lambda c: f"{' and '.join(_attentions(c))}: a branch ends in one kind of attention",
    ),
)


def _attentions(config: ResnetConfig) -> list[str]:
    return [field for field in ATTENTIONS if getattr(config, field)]


# Fields that only apply to the layers inside a block.
INSIDE_A_BLOCK = (
    "groups",
    "width_per_group",
    *ATTENTIONS,
    "drop_path_rate",
    "zero_init_last",
    "shortcuts",
    "projection",
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
