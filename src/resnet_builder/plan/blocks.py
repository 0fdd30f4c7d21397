"""Residual blocks: the residual branch, the shortcut and their sum. Does not import Keras.

To add a kind of block, write a function that lists its convolutions, and add a row to `BLOCKS`.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from math import prod

from ..common.checks import look_up
from ..config import BlockFunction, BlockName, ResnetConfig
from .attention import ATTENTIONS, plan_attention
from .draft import ConvSpec, Draft, Unit
from .layers import Activation, Add, DropPath, Identity, Layer, OwnBlock, Pair
from .multipath import multi_scale, selective_kernels, split_attention
from .names import Place
from .orders import BN_RELU, CONV, ORDERS, Steps
from .shortcuts import Change, shape_change


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
        block: the kind of block.
        filters: filters of the block; a bottleneck's output has four times as many.
        widths: filters of each convolution; empty for those of its kind.
        strides: strides of the block.
        opens_network: whether it is the first block.
        dilations: dilation before and after the strided convolution. If they differ, the block
            dilates instead of striding.
        drop_path_rate: rate of its stochastic depth.
    """

    place: Place
    block: BlockName | BlockFunction
    filters: int
    widths: tuple[int, ...] = ()
    strides: Pair = (1, 1)
    opens_network: bool = False
    dilations: Pair = (1, 1)
    drop_path_rate: float = 0.0

    @property
    def name(self) -> str:
        """The prefix of its layers' names: `"stage1_block1"`."""
        return str(self.place)

    @property
    def opens_stage(self) -> bool:
        """Whether it is the first block of its stage."""
        return self.place.block == 1


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
        ConvSpec(width, 3, second, config.groups),
        ConvSpec(4 * spec.filters, 1),
    ]


def res2net_bottleneck(config: ResnetConfig, spec: BlockSpec) -> list[ConvSpec]:
    """A bottleneck with a multi-scale 3x3 convolution (arXiv:1904.01169)."""
    reduce, conv, expand = bottleneck(config, spec)
    plan = partial(multi_scale, is_first=spec.opens_stage or conv.strides != (1, 1))
    width = conv.filters * config.splits
    return [reduce._replace(filters=width), conv._replace(filters=width, plan=plan), expand]


def sk_basic_block(config: ResnetConfig, spec: BlockSpec) -> list[ConvSpec]:
    """A basic block with selective kernels in its first convolution (timm models/sknet.py)."""
    first, second = basic_block(config, spec)
    return [first._replace(plan=selective_kernels), second]


def sk_bottleneck(config: ResnetConfig, spec: BlockSpec) -> list[ConvSpec]:
    """A bottleneck with selective kernels in its 3x3 convolution (arXiv:1903.06586)."""
    reduce, conv, expand = bottleneck(config, spec)
    return [reduce, conv._replace(plan=selective_kernels), expand]


def resnest_bottleneck(config: ResnetConfig, spec: BlockSpec) -> list[ConvSpec]:
    """A bottleneck with split attention in its 3x3 convolution (arXiv:2004.08955)."""
    reduce, conv, expand = bottleneck(config, spec)
    return [reduce, conv._replace(plan=split_attention), expand]


@dataclass(frozen=True)
class BlockKind:
    """A kind of block.

    Attributes:
        convs: function that returns the convolutions of the residual branch; the order adds norms,
            activations and names.
        own_attention: the attention field that applies to its own attention; empty for none.
    """

    convs: Callable[[ResnetConfig, BlockSpec], list[ConvSpec]]
    own_attention: str = ""


BLOCKS = {
    "basic_block": BlockKind(basic_block),
    "bottleneck": BlockKind(bottleneck),
    "res2net_bottleneck": BlockKind(res2net_bottleneck),
    "sk_basic_block": BlockKind(sk_basic_block, "se_ratio"),
    "sk_bottleneck": BlockKind(sk_bottleneck, "se_ratio"),
    "resnest_bottleneck": BlockKind(resnest_bottleneck, "se_ratio"),
}


def plan_block(draft: Draft, x: Layer, spec: BlockSpec) -> Block:
    """Add a block after `x`."""
    config = draft.config
    if callable(spec.block):
        return _plan_own_block(draft, x, spec)
    order = ORDERS[config.activation_order]
    kind = look_up(BLOCKS, spec.block, "block")
    of_kind = kind.convs(config, spec)
    convs = _varied(config, spec, of_kind)
    change = _change(config, x, spec, convs)
    shared: Unit = ()
    if order.shares_activation and change and change.projection.is_weighted:
        shared = draft.unit(x, f"{spec.name}_{{}}1", BN_RELU)
        x = shared[-1]
    steps = _steps(config, spec, len(convs), is_activated=bool(shared))
    residual: list[Unit] = []
    y = x
    next_steps = [*(of_conv[0] for of_conv in steps[1:]), ""]
    numbered = enumerate(zip(convs, steps, next_steps, strict=True), start=1)
    for number, (conv, of_conv, next_step) in numbered:
        if next_step == "norm":
            conv = conv._replace(normalized=True)
        names = f"{spec.name}_{{}}{number}"
        several = conv.plan and conv.plan(draft, y, names, of_conv, conv)
        residual += several or [draft.unit(y, names, of_conv, conv)]
        y = residual[-1][-1]
    residual += _after_convs(draft, y, spec, kind, of_kind[-1].filters)
    shortcut = change.plan(draft, x) if change else ()
    return Block(
        spec=spec,
        shared=shared,
        residual=tuple(residual),
        end=_end(draft, x, residual[-1][-1], shortcut, spec.name),
        shortcut=shortcut if config.shortcuts else None,
    )


def _plan_own_block(draft: Draft, x: Layer, spec: BlockSpec) -> Block:
    block = draft.add(
        OwnBlock,
        spec.name,
        x,
        function=spec.block,
        filters=spec.filters,
        strides=spec.strides,
        opens_network=spec.opens_network,
    )
    out = draft.add(Identity, f"{spec.name}_out", block)
    return Block(spec=spec, residual=((block,),), shortcut=None, end=(out,))


def _varied(config: ResnetConfig, spec: BlockSpec, own: list[ConvSpec]) -> list[ConvSpec]:
    """The convolutions of the block's kind with the config's variations."""
    convs = list(own)
    if spec.widths:
        if len(spec.widths) != len(own):
            raise ValueError(
                f"widths: {spec.name} has {len(own)} convolutions, and widths are {spec.widths}"
            )
        convs = [c._replace(filters=f) for c, f in zip(own, spec.widths, strict=True)]
    if config.anti_aliasing:
        convs = [conv._replace(anti_aliased=conv.strides != (1, 1)) for conv in convs]
    if spec.dilations != (1, 1):
        convs = list(_dilated(convs, *spec.dilations))
    if config.zero_init_last:
        convs[-1] = convs[-1]._replace(zero_gamma=True)
    return convs


def _dilated(convs: list[ConvSpec], dilation: int, wider: int) -> Iterator[ConvSpec]:
    """The convolutions with a dilation, which is wider after one that has lost its stride."""
    for conv in convs:
        own = dilation if conv.kernel_size > 1 else 1
        if conv.strides != (1, 1) and wider != dilation:
            conv, dilation = conv._replace(strides=(1, 1)), wider
        yield conv._replace(dilation=own)


def _change(
    config: ResnetConfig, x: Layer, spec: BlockSpec, convs: list[ConvSpec]
) -> Change | None:
    """The change of shape that the block's shortcut makes."""
    rows, columns = (prod(conv.strides[axis] for conv in convs) for axis in (0, 1))
    return shape_change(
        config,
        x,
        filters=convs[-1].filters,
        strides=(rows, columns),
        wanted_strides=spec.strides,
        dilation=spec.dilations[0],
        names=f"{spec.name}_shortcut_{{}}",
        always=config.project_first and spec.opens_stage,
    )


def _steps(config: ResnetConfig, spec: BlockSpec, count: int, *, is_activated: bool) -> list[Steps]:
    """The steps of every convolution; the first has only its own if its input is activated."""
    order = ORDERS[config.activation_order]
    last = order.residual if config.activate_residual else order.last_of_residual
    steps = [order.residual] * (count - 1) + [last]
    if spec.opens_network:
        steps[0] = order.first_of_network
    if is_activated:
        steps[0] = CONV
    return steps


def _after_convs(
    draft: Draft, y: Layer, spec: BlockSpec, kind: BlockKind, channels: int
) -> Iterator[Unit]:
    """Attention and stochastic depth at the end of the residual branch."""
    for field, attention in ATTENTIONS.items():
        if getattr(draft.config, field) and kind.own_attention != field:
            unit = plan_attention(draft, y, attention, spec.name, channels)
            y = unit[-1]
            yield unit
    if spec.drop_path_rate:
        yield (draft.add(DropPath, f"{spec.name}_drop_path", y, rate=spec.drop_path_rate),)


def _end(draft: Draft, x: Layer, y: Layer, shortcut: tuple[Unit, ...], block: str) -> Unit:
    """The sum, and the activation or the identity that is the block's output."""
    start = len(draft.layers)
    if draft.config.shortcuts:
        # The shortcut comes first: the order in which Keras 2 files list weights depends on it.
        y = draft.add(Add, f"{block}_add", shortcut[-1][-1] if shortcut else x, y)
    if ORDERS[draft.config.activation_order].ends_in_activation:
        draft.add(Activation, f"{block}_out", y, function=draft.config.activation)
    else:
        draft.add(Identity, f"{block}_out", y)
    return draft.since(start)
