"""Shortcuts: the identity, or a projection where the shape changes. Does not import Keras.

To add a projection, write a function that adds its layers, and add a row to `PROJECTIONS`.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

from ..config import ResnetConfig
from .draft import ConvSpec, Draft, Unit
from .layers import AvgPool, ChannelPad, Layer, Pair, Subsample
from .orders import ORDERS


@dataclass(frozen=True)
class Change:
    """The change of shape that a shortcut makes, and its projection.

    Attributes:
        projection: the kind of shortcut.
        names: names of its layers, with {} for the kind of layer.
        filters: channels of its output.
        strides: strides of the residual branch.
        wanted_strides: the strides before they became dilation.
        dilation: dilation of a 3x3 convolution.
    """

    projection: "Projection"
    names: str
    filters: int
    strides: Pair
    wanted_strides: Pair
    dilation: int

    def plan(self, draft: Draft, x: Layer) -> tuple[Unit, ...]:
        """Add the layers of the shortcut."""
        return self.projection.plan(draft, x, self)


def conv_projection(draft: Draft, x: Layer, change: Change) -> tuple[Unit, ...]:
    """A 1x1 convolution (option B of He et al. 2015, section 3.3)."""
    spec = ConvSpec(change.filters, 1, change.strides)
    if change.wanted_strides != (1, 1) and draft.config.projection_kernel > 1:
        size = draft.config.projection_kernel
        spec = spec._replace(kernel_size=size, dilation=change.dilation)
    steps = ORDERS[draft.config.activation_order].projection
    return (draft.unit(x, change.names, steps, spec),)


def avg_pool_projection(draft: Draft, x: Layer, change: Change) -> tuple[Unit, ...]:
    """An average pool that strides, then the 1x1 convolution (arXiv:1812.01187, section 4.2)."""
    if change.wanted_strides == (1, 1):
        return conv_projection(draft, x, change)
    # If the stride has become dilation, the pool stays and does not stride (timm, resnet.py).
    name = change.names.format("pool")
    pool = draft.add(AvgPool, name, x, pool_size=2, strides=change.strides)
    change = replace(change, strides=(1, 1), wanted_strides=(1, 1))
    return ((pool,), *conv_projection(draft, pool, change))


def pad_projection(draft: Draft, x: Layer, change: Change) -> tuple[Unit, ...]:
    """Subsample and pad with zero channels (option A of He et al. 2015, section 3.3)."""
    if change.filters < x.output_channels:
        raise ValueError(
            f"projection='pad' only adds channels; it cannot make {change.filters} "
            f"of {x.output_channels}: increase filters, or reduce stem_filters or widths"
        )
    start, name = len(draft.layers), change.names.format("pad")
    if change.strides != (1, 1):
        x = draft.add(Subsample, f"{name}_strides", x, strides=change.strides)
    draft.add(ChannelPad, name, x, filters=change.filters)
    return (draft.since(start),)


def subsampled(draft: Draft, x: Layer, change: Change) -> tuple[Unit, ...]:
    """Every other row and column (keras.applications' ResNetV2)."""
    return ((draft.add(Subsample, change.names.format("pool"), x, strides=change.strides),),)


@dataclass(frozen=True)
class Projection:
    """A kind of shortcut for a change of shape.

    Attributes:
        plan: function that adds its layers.
        is_weighted: whether they have weights.
        in_words: description for `compare`.
    """

    plan: Callable[[Draft, Layer, Change], tuple[Unit, ...]]
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


def shape_change(
    config: ResnetConfig,
    x: Layer,
    filters: int,
    strides: Pair,
    *,
    wanted_strides: Pair | None = None,
    dilation: int = 1,
    names: str = "shortcut_{}",
    always: bool = False,
) -> Change | None:
    """The change that a shortcut makes to `x`; None for an identity or no shortcut.

    Args:
        always: whether a projection stands even where the shape does not change.
    """
    wanted = wanted_strides or strides
    same_channels = filters == x.output_channels
    projection = PROJECTIONS[config.projection]
    always = always and projection.is_weighted
    if not config.shortcuts or (same_channels and wanted == (1, 1) and not always):
        return None
    if same_channels and config.stride_in_last_block and not always:
        if strides == (1, 1):  # the stride has become dilation
            return None
        projection = SUBSAMPLED
    return Change(projection, names, filters, strides, wanted, dilation)
