"""Normalisation layers. Does not import Keras.

To add a norm, write a function that adds its layers, and add a row to `NORMS`.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from .layers import (
    Activation,
    BatchNorm,
    ChannelScale,
    Divide,
    GroupDeviation,
    GroupNorm,
    Layer,
    Multiply,
)

if TYPE_CHECKING:
    from .draft import Draft


def batch_norm(draft: "Draft", x: Layer, name: str, zero_gamma: bool) -> Layer:
    """Batch normalisation (arXiv:1502.03167)."""
    return draft.add(
        BatchNorm,
        name,
        x,
        epsilon=draft.config.batch_norm_epsilon,
        momentum=draft.config.batch_norm_momentum,
        zero_gamma=zero_gamma,
    )


def group_norm(draft: "Draft", x: Layer, name: str, zero_gamma: bool) -> Layer:
    """Group normalisation (arXiv:1803.08494)."""
    groups, epsilon = _groups(draft, x), draft.config.batch_norm_epsilon
    return draft.add(GroupNorm, name, x, groups=groups, epsilon=epsilon, zero_gamma=zero_gamma)


def evonorm_s0(draft: "Draft", x: Layer, name: str, zero_gamma: bool) -> Layer:
    """x sigmoid(v x) / (deviation of x's group) * gamma + beta (arXiv:2004.02967, Table 2)."""
    groups, epsilon = _groups(draft, x), draft.config.batch_norm_epsilon
    y: Layer = draft.add(ChannelScale, f"{name}_v", x)
    y = draft.add(Activation, f"{name}_gate", y, function="sigmoid")
    y = draft.add(Multiply, f"{name}_product", x, y)
    deviation = draft.add(GroupDeviation, f"{name}_deviation", x, groups=groups, epsilon=epsilon)
    y = draft.add(Divide, f"{name}_divide", y, deviation)
    return draft.add(ChannelScale, name, y, use_bias=True)


def _groups(draft: "Draft", x: Layer) -> int:
    check_groups(draft.config.norm_groups, x.output_channels, x.name)
    return draft.config.norm_groups


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
        plan: function that adds its layers, the last under the given name.
        role: kind of layer in its name.
        in_words: description for `compare`.
        activates: whether it is also the activation that would follow.
    """

    plan: "Callable[[Draft, Layer, str, bool], Layer]"
    role: str
    in_words: str
    activates: bool = False


NORMS = {
    "batch": Norm(batch_norm, "bn", "batch norm"),
    "group": Norm(group_norm, "gn", "group norm"),
    "evonorm_s0": Norm(evonorm_s0, "evonorm", "EvoNorm-S0", activates=True),
}
