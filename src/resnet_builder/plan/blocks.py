"""Residual blocks: the residual branch, the shortcut and their sum.

To add a kind of block, write a function that lists its convolutions, and add a row to `BLOCKS`.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

from ..config import BlockFunction, BlockName, ResnetConfig
from .attention import ATTENTIONS
from .draft import Draft, Unit
from .layers import Activation, Add, DropPath, Identity, Layer, OwnBlock, Pair
from .multipath import multi_scale, selective_kernels, split_attention
from .names import ADD, OUT, At, Place
from .shortcuts import Change, projection_of
from .units import BN_RELU, CONV, ORDERS, ConvSpec, add_unit


@dataclass(frozen=True, kw_only=True)
class BlockSpec:
    """The settings of one block of a network.

    Attributes:
        place: numbers of its stage and block.
        block: the kind of block.
        filters: filters of the block; the output of most bottlenecks has four times as many.
        widths: filters of each convolution; empty for the filters of its kind.
        group_width: filters of each group of a bottleneck's 3x3 convolution; None for the config's
            `groups`.
        strides: strides of the block.
        opens_network: whether it is the first block.
        dilations: dilation before and after the strided convolution. If they differ, the block
            dilates instead of striding.
        dilates_first: whether the convolution that would have been strided, and those before it,
            have the wider dilation already.
        drop_path_rate: rate of its stochastic depth.
    """

    place: Place
    block: BlockName | BlockFunction
    filters: int
    widths: tuple[int, ...] = ()
    group_width: int | None = None
    strides: Pair
    opens_network: bool = False
    dilations: Pair = (1, 1)
    dilates_first: bool = False
    drop_path_rate: float = 0.0


@dataclass(frozen=True, kw_only=True)
class Block:
    """x + f(x), after an activation of x that both may share.

    Attributes:
        spec: the specification that it was planned from.
        residual: units of f, in order.
        shortcut: units of the shortcut; empty for the identity, None in a plain network.
        end: the sum, and the activation or the identity that is the block's output.
        shared: unit before both; may be empty.
        layers: all layers, in the order of their creation.
    """

    spec: BlockSpec
    residual: tuple[Unit, ...]
    shortcut: tuple[Unit, ...] | None
    end: Unit
    shared: Unit = ()
    layers: tuple[Layer, ...]

    @property
    def name(self) -> str:
        """The block's name, such as `"stage1_block1"`."""
        return str(self.spec.place)

    @property
    def output(self) -> Layer:
        """The layer with the block's output."""
        return self.end[-1]


# Kinds of block ---------------------------------------------------------------------------------


def basic_block(config: ResnetConfig, spec: BlockSpec) -> list[ConvSpec]:
    """3x3, 3x3 (He et al. 2015, Figure 5 left)."""
    filters = spec.filters
    return [ConvSpec(filters // config.reduce_first, 3, spec.strides), ConvSpec(filters, 3)]


def bottleneck(config: ResnetConfig, spec: BlockSpec) -> list[ConvSpec]:
    """1x1 reduce, 3x3, 1x1 expand to 4 x filters (He et al. 2015, Figure 5 right)."""
    # For ResNeXt and wide networks the width is torchvision's (models/resnet.py, Bottleneck).
    width = spec.filters * config.width_per_group // 64 * config.groups
    first, second = (spec.strides, (1, 1)) if not config.stride_in_3x3 else ((1, 1), spec.strides)
    return [
        ConvSpec(width // config.reduce_first, 1, first),
        ConvSpec(width, 3, second, _groups(config, spec, width)),
        ConvSpec(4 * spec.filters, 1),
    ]


def _groups(config: ResnetConfig, spec: BlockSpec, width: int) -> int:
    """The groups of a bottleneck's 3x3 convolution, which has `width` filters if not pruned."""
    if spec.group_width is None:
        return config.groups
    [width] = spec.widths[1:2] or (width,)
    # Filters that are fewer than a group's are one group (pycls models/blocks.py).
    if width > spec.group_width and width % spec.group_width:
        raise ValueError(
            f"{spec.place}: the {width} filters of its 3x3 convolution are not a multiple of "
            f"group_width={spec.group_width}: change group_width, filters or widths"
        )
    return max(1, width // spec.group_width)


def regnet_bottleneck(config: ResnetConfig, spec: BlockSpec) -> list[ConvSpec]:
    """A bottleneck as wide at its end as in its middle (arXiv:2003.13678, section 3.2)."""
    reduce, conv, expand = bottleneck(config, spec)
    return [reduce, conv, expand._replace(filters=spec.filters)]


def res2net_bottleneck(config: ResnetConfig, spec: BlockSpec) -> list[ConvSpec]:
    """A bottleneck with a multi-scale 3x3 convolution (arXiv:1904.01169)."""
    reduce, conv, expand = bottleneck(config, spec)
    add = partial(multi_scale, is_first=spec.place.block == 1 or conv.strides != (1, 1))
    width = conv.filters * config.splits
    return [reduce._replace(filters=width), conv._replace(filters=width, add=add), expand]


def sk_basic_block(config: ResnetConfig, spec: BlockSpec) -> list[ConvSpec]:
    """A basic block with selective kernels in its first convolution (timm models/sknet.py)."""
    first, second = basic_block(config, spec)
    return [first._replace(add=selective_kernels), second]


def sk_bottleneck(config: ResnetConfig, spec: BlockSpec) -> list[ConvSpec]:
    """A bottleneck with selective kernels in its 3x3 convolution (arXiv:1903.06586)."""
    reduce, conv, expand = bottleneck(config, spec)
    return [reduce, conv._replace(add=selective_kernels), expand]


def resnest_bottleneck(config: ResnetConfig, spec: BlockSpec) -> list[ConvSpec]:
    """A bottleneck with split attention in its 3x3 convolution (arXiv:2004.08955)."""
    reduce, conv, expand = bottleneck(config, spec)
    return [reduce, conv._replace(add=split_attention), expand]


@dataclass(frozen=True)
class BlockKind:
    """A kind of block.

    Attributes:
        convs: function that returns the convolutions of the residual branch; the order adds norms,
            activations and names.
        own_attention: the attention field that applies to its own attention; empty for none.
        attends_early: whether attention comes before its last convolution, and not after it.
        squeezes_input: whether its squeeze-and-excitation is as wide as a fraction of its input.
    """

    convs: Callable[[ResnetConfig, BlockSpec], list[ConvSpec]]
    own_attention: str = ""
    attends_early: bool = False
    squeezes_input: bool = False


BLOCKS = {
    "basic_block": BlockKind(basic_block),
    "bottleneck": BlockKind(bottleneck),
    "early_attention_bottleneck": BlockKind(bottleneck, attends_early=True),
    "regnet_bottleneck": BlockKind(regnet_bottleneck, attends_early=True, squeezes_input=True),
    "res2net_bottleneck": BlockKind(res2net_bottleneck),
    "sk_basic_block": BlockKind(sk_basic_block, "se_ratio"),
    "sk_bottleneck": BlockKind(sk_bottleneck, "se_ratio"),
    "resnest_bottleneck": BlockKind(resnest_bottleneck, "se_ratio"),
}


# The layers of a block --------------------------------------------------------------------------


def add_block(draft: Draft, x: Layer, spec: BlockSpec) -> Block:
    """Add a block after `x`."""
    if callable(spec.block):
        return _add_own_block(draft, x, spec)
    config, order, at = draft.config, ORDERS[draft.config.activation_order], At(spec.place)
    start, kind = len(draft.layers), BLOCKS[spec.block]
    unpruned = kind.convs(config, spec)
    convs = _varied(config, spec, unpruned)
    last = -1 - kind.attends_early
    where = at.numbered(len(convs) - 1) if kind.attends_early else at
    source = x if kind.squeezes_input else None
    for field, attend in ATTENTIONS.items():
        if getattr(config, field) and kind.own_attention != field:
            then = partial(attend, at=where, channels=unpruned[last].filters, source=source)
            convs[last] = convs[last]._replace(then=then)
    dilation, wider = spec.dilations
    strides = spec.strides if dilation == wider else (1, 1)
    change = Change(convs[-1].filters, strides, spec.strides, dilation)
    always = config.project_first and spec.place.block == 1
    projection = projection_of(config, x, change, always=always)
    shared: Unit = ()
    if order.activates_identity or (
        order.shares_activation and projection and projection.is_weighted
    ):
        shared = add_unit(draft, x, at.numbered(1), BN_RELU)
        x = shared[-1]
    residual = _add_convs(draft, x, spec, convs, is_activated=bool(shared))
    y = residual[-1][-1]
    if spec.drop_path_rate:
        y = draft.add(DropPath, at("drop_path"), y, rate=spec.drop_path_rate)
        residual.append((y,))
    shortcut = projection.add(draft, x, at.inside("shortcut"), change) if projection else []
    return Block(
        spec=spec,
        shared=shared,
        residual=tuple(residual),
        end=_add_end(draft, shortcut[-1][-1] if shortcut else x, y, at),
        shortcut=tuple(shortcut) if config.shortcuts else None,
        layers=draft.since(start),
    )


def _add_own_block(draft: Draft, x: Layer, spec: BlockSpec) -> Block:
    block = draft.add(
        OwnBlock,
        str(spec.place),
        x,
        function=spec.block,
        filters=spec.filters,
        strides=spec.strides,
        opens_network=spec.opens_network,
    )
    out = draft.add(Identity, At(spec.place)(OUT), block)
    return Block(spec=spec, residual=((block,),), shortcut=None, end=(out,), layers=(block, out))


def _varied(config: ResnetConfig, spec: BlockSpec, convs: list[ConvSpec]) -> list[ConvSpec]:
    """The convolutions of the block's kind with the config's variations."""
    if spec.widths:
        if len(spec.widths) != len(convs):
            raise ValueError(
                f"widths: {spec.place} has {len(convs)} convolutions, and widths are {spec.widths}"
            )
        convs = [c._replace(filters=f) for c, f in zip(convs, spec.widths, strict=True)]
    if config.anti_aliasing:
        convs = [conv._replace(anti_aliased=conv.strides != (1, 1)) for conv in convs]
    if spec.dilations != (1, 1):
        convs = list(_dilated(convs, spec))
    return [*convs[:-1], convs[-1]._replace(zero_gamma=config.zero_init_last)]


def _dilated(convs: list[ConvSpec], spec: BlockSpec) -> Iterator[ConvSpec]:
    """The convolutions with a dilation, which is wider after one that has lost its stride."""
    narrow, wide = spec.dilations
    dilation = wide if spec.dilates_first else narrow
    for conv in convs:
        own = dilation if conv.kernel_size > 1 else 1
        if conv.strides != (1, 1) and wide != narrow:
            conv, dilation = conv._replace(strides=(1, 1)), wide
        yield conv._replace(dilation=own)


def _add_convs(
    draft: Draft, x: Layer, spec: BlockSpec, convs: list[ConvSpec], *, is_activated: bool
) -> list[Unit]:
    """Add the convolutions of the residual branch; the first is bare if its input is activated."""
    config, order, at = draft.config, ORDERS[draft.config.activation_order], At(spec.place)
    last = order.residual if config.activate_residual else order.last_of_residual
    steps = [order.residual] * (len(convs) - 1) + [last]
    if spec.opens_network:
        steps[0] = order.first_of_network
    if is_activated:
        steps[0] = CONV
    units: list[Unit] = []
    for number, (conv, of_conv) in enumerate(zip(convs, steps, strict=True), start=1):
        if number < len(convs) and order.residual[0] == "norm":
            conv = conv._replace(normalized=True)
        if conv.add:
            units += conv.add(draft, x, at.numbered(number), of_conv, conv)
        else:
            units.append(add_unit(draft, x, at.numbered(number), of_conv, conv))
        x = units[-1][-1]
        if conv.then:
            units.append(conv.then(draft, x))
            x = units[-1][-1]
    return units


def _add_end(draft: Draft, shortcut: Layer, y: Layer, at: At) -> Unit:
    """The sum, and the activation or the identity that is the block's output."""
    start, config = len(draft.layers), draft.config
    if config.shortcuts:
        if shortcut.output_shape != y.output_shape:
            raise RuntimeError(
                f"{at(ADD)} has inputs of different shapes, {shortcut.name} "
                f"{shortcut.output_shape} and {y.name} {y.output_shape}: please report this"
            )
        # The shortcut comes first: the order in which Keras 2 files list weights depends on it.
        y = draft.add(Add, at(ADD), shortcut, y)
    if ORDERS[config.activation_order].ends_in_activation:
        draft.add(Activation, at(OUT), y, function=config.activation)
    else:
        draft.add(Identity, at(OUT), y)
    return draft.since(start)
