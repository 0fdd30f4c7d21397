"""Shortcuts: the identity, or a projection where the shape changes.

To add a projection, write a function that adds its layers, and add a row to `PROJECTIONS`.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

from ..config import ResnetConfig
from .draft import Draft, Unit
from .layers import AvgPool, ChannelPad, Layer, Pair, Subsample
from .names import At
from .units import ORDERS, ConvSpec, add_unit


class Change(NamedTuple):
    """The change of shape that a residual branch makes, and its shortcut too.

    Attributes:
        filters: channels of its output.
        strides: its strides.
        wanted_strides: the strides before they became dilation.
        dilation: dilation of a 3x3 convolution.
    """

    filters: int
    strides: Pair
    wanted_strides: Pair
    dilation: int = 1


def conv_projection(draft: Draft, x: Layer, at: At, change: Change) -> list[Unit]:
    """A 1x1 convolution (option B of He et al. 2015, section 3.3)."""
    spec = ConvSpec(change.filters, 1, change.strides)
    if change.wanted_strides != (1, 1) and draft.config.projection_kernel > 1:
        size = draft.config.projection_kernel
        spec = spec._replace(kernel_size=size, dilation=change.dilation)
    return [add_unit(draft, x, at, ORDERS[draft.config.activation_order].projection, spec)]


def avg_pool_projection(draft: Draft, x: Layer, at: At, change: Change) -> list[Unit]:
    """An average pool that strides, then the 1x1 convolution (arXiv:1812.01187, section 4.2)."""
    if change.wanted_strides == (1, 1):
        return conv_projection(draft, x, at, change)
    # If the stride has become dilation, the pool stays and does not stride (timm, resnet.py).
    pool = draft.add(AvgPool, at("pool"), x, kernel_size=2, strides=change.strides)
    change = change._replace(strides=(1, 1), wanted_strides=(1, 1))
    return [(pool,), *conv_projection(draft, pool, at, change)]


def pad_projection(draft: Draft, x: Layer, at: At, change: Change) -> list[Unit]:
    """Subsample and pad with zero channels (option A of He et al. 2015, section 3.3)."""
    if change.filters < x.output_channels:
        raise ValueError(
            f"projection='pad' only adds channels; it cannot make {change.filters} "
            f"of {x.output_channels}: increase filters, or reduce stem_filters or widths"
        )
    start = len(draft.layers)
    if change.strides != (1, 1):
        x = draft.add(Subsample, at("pad", "strides"), x, strides=change.strides)
    draft.add(ChannelPad, at("pad"), x, filters=change.filters)
    return [draft.since(start)]


def subsampled(draft: Draft, x: Layer, at: At, change: Change) -> list[Unit]:
    """Every other row and column (keras.applications' ResNetV2)."""
    return [(draft.add(Subsample, at("pool"), x, strides=change.strides),)]


@dataclass(frozen=True)
class Projection:
    """A kind of shortcut for a change of shape.

    Attributes:
        add: function that adds its layers.
        is_weighted: whether they have weights.
        in_words: description for `compare`.
    """

    add: Callable[[Draft, Layer, At, Change], list[Unit]]
    is_weighted: bool
    in_words: str


PROJECTIONS = {
    "conv": Projection(conv_projection, True, "projections by 1x1 convolution"),
    "avg_pool": Projection(
        avg_pool_projection, True, "projections by average pool and 1x1 convolution"
    ),
    "pad": Projection(pad_projection, False, "projections by padding with zero channels"),
}

SUBSAMPLED = Projection(subsampled, False, "subsampled shortcuts")


def projection_of(
    config: ResnetConfig, x: Layer, change: Change, *, always: bool = False
) -> Projection | None:
    """The projection of a shortcut from `x`; None for an identity or no shortcut.

    Args:
        always: whether a projection with weights stands even where the shape does not change.
    """
    projection = PROJECTIONS[config.projection]
    always = always and projection.is_weighted
    same_channels = change.filters == x.output_channels
    if not config.shortcuts or (same_channels and change.wanted_strides == (1, 1) and not always):
        return None
    if same_channels and config.stride_in_last_block and not always:
        # None if the stride has become dilation.
        return SUBSAMPLED if change.strides != (1, 1) else None
    return projection
