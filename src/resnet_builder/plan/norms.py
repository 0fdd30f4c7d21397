"""Normalisation layers.

To add a norm, write a function that adds its layers, and add a row to `NORMS`.
"""

from collections.abc import Callable
from dataclasses import dataclass

from . import layers
from .draft import Draft
from .layers import Layer
from .names import At


def batch_norm(draft: Draft, x: Layer, at: At, zero_gamma: bool) -> Layer:
    """Batch normalisation (arXiv:1502.03167)."""
    return draft.add(
        layers.BatchNorm,
        at("bn"),
        x,
        epsilon=draft.config.batch_norm_epsilon,
        momentum=draft.config.batch_norm_momentum,
        zero_gamma=zero_gamma,
    )


def group_norm(draft: Draft, x: Layer, at: At, zero_gamma: bool) -> Layer:
    """Group normalisation (arXiv:1803.08494)."""
    return draft.add(layers.GroupNorm, at("gn"), x, zero_gamma=zero_gamma, **_grouping(draft, x))


def evonorm_s0(draft: Draft, x: Layer, at: At, zero_gamma: bool) -> Layer:
    """x sigmoid(v x) / (deviation of x's group) * gamma + beta (arXiv:2004.02967, Table 2)."""
    grouping = _grouping(draft, x)
    y: Layer = draft.add(layers.ChannelScale, at("evonorm", "v"), x)
    y = draft.add(layers.Activation, at("evonorm", "gate"), y, function="sigmoid")
    y = draft.add(layers.Multiply, at("evonorm", "product"), x, y)
    deviation = draft.add(layers.GroupDeviation, at("evonorm", "deviation"), x, **grouping)
    y = draft.add(layers.Divide, at("evonorm", "divide"), y, deviation)
    return draft.add(layers.ChannelScale, at("evonorm"), y, use_bias=True)


def _grouping(draft: Draft, x: Layer) -> dict[str, float]:
    check_groups(draft.config.norm_groups, x.output_channels, x.name)
    return {"groups": draft.config.norm_groups, "epsilon": draft.config.batch_norm_epsilon}


def check_groups(groups: int, channels: int, name: str) -> None:
    """Refuse groups that do not divide the channels of a layer, which are 0 if unknown."""
    if channels % groups:
        raise ValueError(
            f"norm_groups={groups} does not divide the {channels} channels of {name}: choose a "
            "divisor of all filters"
        )


@dataclass(frozen=True)
class Norm:
    """A kind of normalisation.

    Attributes:
        add: function that adds its layers.
        in_words: description for `compare`.
        activates: whether it is also the activation that would follow.
    """

    add: Callable[[Draft, Layer, At, bool], Layer]
    in_words: str
    activates: bool = False


NORMS = {
    "batch": Norm(batch_norm, "batch norm"),
    "group": Norm(group_norm, "group norm"),
    "evonorm_s0": Norm(evonorm_s0, "EvoNorm-S0", activates=True),
}
