"""Residual blocks: the residual branch, the shortcut and their sum. Does not import Keras.

To add a kind of block, write a function that lists its convolutions, and add a row to `BLOCKS`; for
a projection, do the same with `PROJECTIONS`.
"""

from collections.abc import Callable, Hashable, Iterator
from dataclasses import dataclass, replace
from math import prod

from ..common.checks import look_up
from ..config import ResnetConfig
from .attention import plan_attention
from .draft import ConvSpec, Draft, Unit
from .layers import (
    Activation,
    Add,
    AvgPool,
    ChannelPad,
    DropPath,
    Identity,
    Layer,
    OwnBlock,
    Pair,
    Subsample,
)
from .names import Place
from .orders import BN_RELU, CONV, ORDERS, Steps


@dataclass(frozen=True, kw_only=True)
class Block:
    """x + f(x), after an activation of x that both may share.

    Attributes:
        spec: the specification that it was planned from.
        residual: units of f, in order.
        shortcut: units of the shortcut; empty for the identity, None in a plain network.
        end: the sum, and the activation or the identity that is the block's output.
        shared: unit before both; may be empty.
    """

    spec: "BlockSpec"
    residual: tuple[Unit, ...]
    shortcut: tuple[Unit, ...] | None
    end: Unit
    shared: Unit = ()

    @property
    def name(self) -> str:
        """The block's name, such as `"stage1_block1"`."""
        return self.spec.name

    @property
    def kind(self) -> Hashable:
        """A key that is equal for blocks that differ only in names and stochastic depth."""
        spec, first = self.spec, next(self.layers)
        return (first.input_shape, spec.filters, spec.strides, spec.opens_network, spec.dilations)

    @property
    def layers(self) -> Iterator[Layer]:
        """All layers, in the order of their creation."""
        yield from self.shared
        for unit in self.residual:
            yield from unit
        for unit in self.shortcut or ():
            yield from unit
        yield from self.end

    @property
    def output(self) -> Layer:
        """The layer with the block's output."""
        return self.end[-1]


@dataclass(frozen=True, kw_only=True)
class BlockSpec:
    """The settings of one block of a network.

    Attributes:
        place: numbers of its stage and block.
        filters: filters of the block; a bottleneck's output has four times as many.
        strides: strides of the block.
        opens_network: whether it is the first block.
        dilations: dilation before and after the strided convolution. If they differ, the block
            dilates instead of striding.
        drop_path_rate: rate of its stochastic depth.
    """

    place: Place
    filters: int
    strides: Pair = (1, 1)
    opens_network: bool = False
    dilations: Pair = (1, 1)
    drop_path_rate: float = 0.0

    @property
    def name(self) -> str:
        """The prefix of its layers' names: `"stage1_block1"`."""
        return str(self.place)


# Kinds of block ---------------------------------------------------------------------------------


def basic_block(config: ResnetConfig, filters: int, strides: Pair) -> list[ConvSpec]:
    """3x3, 3x3 (He et al. 2015, Figure 5 left)."""
    return [ConvSpec(filters, 3, strides), ConvSpec(filters, 3)]


def bottleneck(config: ResnetConfig, filters: int, strides: Pair) -> list[ConvSpec]:
    """1x1 reduce, 3x3, 1x1 expand to 4 x filters (He et al. 2015, Figure 5 right)."""
    # For ResNeXt and wide networks the width is torchvision's (models/resnet.py, Bottleneck).
    width = filters * config.width_per_group // 64 * config.groups
    first, second = ((1, 1), strides) if config.stride_in_3x3 else (strides, (1, 1))
    return [
        ConvSpec(width, 1, first),
        ConvSpec(width, 3, second, config.groups),
        ConvSpec(4 * filters, 1),
    ]


# name -> convolutions of the residual branch; the order adds norms, activations and names.
BLOCKS: dict[str, Callable[[ResnetConfig, int, Pair], list[ConvSpec]]] = {
    "basic_block": basic_block,
    "bottleneck": bottleneck,
}


def plan_block(draft: Draft, x: Layer, spec: BlockSpec) -> Block:
    """Add a block after `x`."""
    config = draft.config
    if callable(config.block):
        return _own_block(draft, x, spec)
    order = ORDERS[config.activation_order]
    convs = _convs(config, spec)
    change = shape_change(
        config,
        x,
        filters=convs[-1].filters,
        strides=(prod(conv.strides[0] for conv in convs), prod(c.strides[1] for c in convs)),
        wanted_strides=spec.strides,
        names=f"{spec.name}_shortcut_{{}}",
    )
    steps = [order.residual] * (len(convs) - 1) + [order.last_of_residual]
    if spec.opens_network:
        steps[0] = order.first_of_network
    shared: Unit = ()
    if order.shares_activation and change and change.projection.is_weighted:
        shared = draft.unit(x, f"{spec.name}_{{}}1", BN_RELU)
        x, steps[0] = shared[-1], CONV
    residual = _residual(draft, x, spec, convs, steps)
    shortcut = change.plan(draft, x) if change else ()
    end = _end(draft, x, residual, shortcut, spec.name)
    return Block(
        spec=spec,
        shared=shared,
        residual=residual,
        shortcut=shortcut if config.shortcuts else None,
        end=end,
    )


def _own_block(draft: Draft, x: Layer, spec: BlockSpec) -> Block:
    block = draft.add(
        OwnBlock,
        spec.name,
        x,
        function=draft.config.block,
        filters=spec.filters,
        strides=spec.strides,
        opens_network=spec.opens_network,
    )
    out = draft.add(Identity, f"{spec.name}_out", block)
    return Block(spec=spec, residual=((block,),), shortcut=None, end=(out,))


def _convs(config: ResnetConfig, spec: BlockSpec) -> list[ConvSpec]:
    """The convolutions of the residual branch, dilated if the block dilates."""
    convs = look_up(BLOCKS, config.block, "block")(config, spec.filters, spec.strides)
    if spec.dilations != (1, 1):
        convs = list(_dilated(convs, *spec.dilations))
    if config.zero_init_last:
        convs[-1] = replace(convs[-1], zero_gamma=True)
    return convs


def _dilated(convs: list[ConvSpec], dilation: int, wider: int) -> Iterator[ConvSpec]:
    """The convolutions with a dilation, which is wider after one that has lost its stride."""
    for conv in convs:
        own = dilation if conv.kernel_size > 1 else 1
        if conv.strides != (1, 1) and wider != dilation:
            conv, dilation = replace(conv, strides=(1, 1)), wider
        yield replace(conv, dilation=own)


def _residual(
    draft: Draft, x: Layer, spec: BlockSpec, convs: list[ConvSpec], steps: list[Steps]
) -> tuple[Unit, ...]:
    units, name = [], spec.name
    for number, (conv, order) in enumerate(zip(convs, steps, strict=True), start=1):
        units.append(draft.unit(x, f"{name}_{{}}{number}", order, conv))
        x = units[-1][-1]
    if attention := plan_attention(draft, x, name):
        units.append(attention)
        x = attention[-1]
    if spec.drop_path_rate:
        drop = draft.add(DropPath, f"{name}_drop_path", x, rate=spec.drop_path_rate)
        units.append((drop,))
    return tuple(units)


def _end(
    draft: Draft, x: Layer, residual: tuple[Unit, ...], shortcut: tuple[Unit, ...], block: str
) -> Unit:
    """The sum, and the activation or the identity that is the block's output."""
    start = len(draft.layers)
    y = residual[-1][-1]
    if draft.config.shortcuts:
        # The shortcut comes first: the order in which Keras 2 files list weights depends on it.
        y = draft.add(Add, f"{block}_add", shortcut[-1][-1] if shortcut else x, y)
    if ORDERS[draft.config.activation_order].ends_in_activation:
        draft.add(Activation, f"{block}_out", y, function=draft.config.activation)
    else:
        draft.add(Identity, f"{block}_out", y)
    return draft.since(start)


# Shortcuts --------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Change:
    """The change of shape that a shortcut makes, and its projection.

    Attributes:
        projection: the kind of shortcut.
        names: names of its layers, with {} for the kind of layer.
        filters: channels of its output.
        strides: strides of the residual branch.
        wanted_strides: the strides before they became dilation.
    """

    projection: "Projection"
    names: str
    filters: int
    strides: Pair
    wanted_strides: Pair

    def plan(self, draft: Draft, x: Layer) -> tuple[Unit, ...]:
        """Add the layers of the shortcut."""
        return self.projection.plan(draft, x, self)


def conv_projection(draft: Draft, x: Layer, change: Change) -> tuple[Unit, ...]:
    """A 1x1 convolution (option B of He et al. 2015, section 3.3)."""
    spec = ConvSpec(change.filters, 1, change.strides)
    steps = ORDERS[draft.config.activation_order].projection
    return (draft.unit(x, change.names, steps, spec),)


def avg_pool_projection(draft: Draft, x: Layer, change: Change) -> tuple[Unit, ...]:
    """An average pool that strides, then the 1x1 convolution (arXiv:1812.01187, section 4.2)."""
    if change.wanted_strides == (1, 1):
        return conv_projection(draft, x, change)
    # If the stride has become dilation, the pool stays and does not stride (timm, resnet.py).
    name = change.names.format("pool")
    pool = draft.add(AvgPool, name, x, pool_size=2, strides=change.strides)
    return ((pool,), *conv_projection(draft, pool, replace(change, strides=(1, 1))))


def pad_projection(draft: Draft, x: Layer, change: Change) -> tuple[Unit, ...]:
    """Subsample and pad with zero channels (option A of He et al. 2015, section 3.3)."""
    if change.filters < x.output_channels:
        raise ValueError(
            f"projection='pad' only adds channels; it cannot make {change.filters} "
            f"of {x.output_channels}: increase filters or reduce stem_filters"
        )
    start, name = len(draft.layers), change.names.format("pad")
    if change.strides != (1, 1):
        x = draft.add(Subsample, f"{name}_strides", x, strides=change.strides)
    draft.add(ChannelPad, name, x, filters=change.filters)
    return (draft.since(start),)


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


def shape_change(
    config: ResnetConfig,
    x: Layer,
    filters: int,
    strides: Pair,
    wanted_strides: Pair | None = None,
    names: str = "shortcut_{}",
) -> Change | None:
    """The change that a shortcut makes to `x`; None for an identity or no shortcut."""
    wanted = wanted_strides or strides
    if not config.shortcuts or (filters, wanted) == (x.output_channels, (1, 1)):
        return None
    return Change(PROJECTIONS[config.projection], names, filters, strides, wanted)
