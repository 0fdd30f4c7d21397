"""Where each field of a config has an effect. Does not import Keras.

A field that is not in `EFFECTS` has an effect in every network.
"""

from collections.abc import Callable, Container, Sequence
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from .config import ResnetConfig

RES2NET, RESNEST = "res2net_bottleneck", "resnest_bottleneck"
SELECTIVE_KERNELS = ("sk_basic_block", "sk_bottleneck")
BOTTLENECKS = ("bottleneck", RES2NET, "sk_bottleneck", RESNEST)


class Facts(NamedTuple):
    """What decides whether a field has an effect in a block.

    Attributes:
        kind: the kind of block.
        opens_stage: whether it is the first block of its stage.
        strides: whether it halves the size.
        widens: whether it changes the number of channels.
    """

    kind: str
    opens_stage: bool
    strides: bool
    widens: bool


Blocks = Sequence[Facts]


def block_facts(config: "ResnetConfig") -> list[Facts]:
    """The facts of every block; none if the block is a custom function."""
    if callable(config.block):
        return []
    channels = [config.stem_filters or config.stage_filters[0]]
    facts = []
    for stage, count in enumerate(config.repetitions):
        kind = str(config.stage_blocks[stage])
        width = config.stage_filters[stage] * (4 if kind in BOTTLENECKS else 1)
        strided = block_strides(config, stage)
        for block in range(count):
            channels.append(config.widths[stage][block][-1] if config.widths else width)
            widens = channels[-1] != channels[-2]
            facts.append(Facts(kind, block == 0, strided[block] > 1, widens))
    return facts


def block_strides(config: "ResnetConfig", stage: int) -> list[int]:
    """The stride of every block of a stage, which is counted from 0."""
    strides = [1] * config.repetitions[stage]
    if config.stride_in_last_block:
        strides[-1] = 1 if stage == len(config.repetitions) - 1 else 2
    else:
        strides[0] = 1 if stage == 0 else 2
    return strides


def _has(*kinds: str) -> "Condition":
    return lambda config, blocks: any(block.kind in kinds for block in blocks)


def _strided_3x3(config: "ResnetConfig", blocks: Blocks) -> bool:
    """Whether a 3x3 convolution strides; in a ResNeSt block, a pool does in its place."""
    without = (RESNEST,) if config.stride_in_3x3 else BOTTLENECKS
    return any(block.strides and block.kind not in without for block in blocks)


def _strided_conv(config: "ResnetConfig", blocks: Blocks) -> bool:
    """Whether a convolution of a residual branch strides."""
    without = (RESNEST,) if config.stride_in_3x3 else ()
    return any(block.strides and block.kind not in without for block in blocks)


def _needs_projection(config: "ResnetConfig", block: Facts) -> bool:
    """Whether a shortcut is neither an identity nor subsampled alone."""
    return block.widens or (block.strides and not config.stride_in_last_block)


def _projected(config: "ResnetConfig", blocks: Blocks) -> list[Facts]:
    """The blocks with a projection."""
    every_first = config.project_first
    return [
        block
        for block in blocks
        if config.shortcuts
        and (_needs_projection(config, block) or (every_first and block.opens_stage))
    ]


def _projection(config: "ResnetConfig", blocks: Blocks) -> bool:
    projected = _projected(config, blocks)
    if config.projection == "avg_pool":  # a convolution alone where nothing strides
        return any(block.strides for block in projected)
    return bool(projected)


def _projection_kernel(config: "ResnetConfig", blocks: Blocks) -> bool:
    return config.projection == "conv" and any(b.strides for b in _projected(config, blocks))


def _project_first(config: "ResnetConfig", blocks: Blocks) -> bool:
    return (
        config.shortcuts
        and config.projection != "pad"
        and any(block.opens_stage and not _needs_projection(config, block) for block in blocks)
    )


def _padding(config: "ResnetConfig", blocks: Blocks) -> bool:
    return (
        config.stem in POOLED_STEMS
        or (_strided_3x3(config, blocks) and not config.anti_aliasing)
        or (config.projection_kernel > 1 and _projection_kernel(config, blocks))
    )


def _use_bias(config: "ResnetConfig", blocks: Blocks) -> bool:
    order = config.activation_order
    return config.use_bias is True or order == "pre" or (order == "pre_raw" and bool(blocks))


Condition = Callable[["ResnetConfig", Blocks], bool]

POOLED_STEMS = ("imagenet", "deep", "deep_tiered")


@dataclass(frozen=True)
class Effect:
    """The networks in which a field has an effect.

    Attributes:
        needs: what a network needs for it, in words.
        applies: whether a network has that. The facts are those of the blocks of this package.
        follows: whether `ResnetConfig.replace` sets the field back to its default if another field
            takes its effect away, because it only says how something is done. A field that says
            what a network has is refused instead.
    """

    needs: str
    applies: Condition
    follows: bool = False


NAMED_BLOCKS = Effect(
    "blocks of this package, not a custom function", lambda _, blocks: bool(blocks)
)

EFFECTS = {
    "filters": Effect(
        "convolutions whose filters neither widths nor stem_filters give",
        lambda config, _: not config.widths or config.stem_filters is None or config.eca,
        follows=True,
    ),
    "widths": NAMED_BLOCKS,
    "groups": Effect("a bottleneck", _has(*BOTTLENECKS)),
    "width_per_group": Effect(
        "a bottleneck, and no widths",
        lambda config, blocks: not config.widths and _has(*BOTTLENECKS)(config, blocks),
    ),
    "reduce_first": Effect(
        "blocks of this package, and no widths",
        lambda config, blocks: not config.widths and bool(blocks),
        follows=True,
    ),
    "splits": Effect(f"a {RES2NET} or a {RESNEST}", _has(RES2NET, RESNEST), follows=True),
    "split_input": Effect(
        f"a block of the kind {' or '.join(SELECTIVE_KERNELS)}",
        _has(*SELECTIVE_KERNELS),
        follows=True,
    ),
    "pool_first": Effect(
        f"a {RESNEST} that strides after its first convolution",
        lambda config, blocks: (
            config.stride_in_3x3
            and any(block.strides and block.kind == RESNEST for block in blocks)
        ),
        follows=True,
    ),
    "stem_pool": Effect(
        f"a stem with a pool, {' or '.join(POOLED_STEMS)}",
        lambda config, _: config.stem in POOLED_STEMS,
        follows=True,
    ),
    "activation": Effect(
        "a norm that is not its own activation",
        lambda config, _: config.norm != "evonorm_s0",
        follows=True,
    ),
    "activate_residual": Effect(
        "activation_order='post' and blocks of this package: others end in a convolution",
        lambda config, blocks: config.activation_order == "post" and bool(blocks),
    ),
    "norm_groups": Effect(
        "norm='group' or 'evonorm_s0'", lambda config, _: config.norm != "batch", follows=True
    ),
    "anti_aliasing": Effect(
        "a stem with a pool, or a convolution that strides in a block",
        lambda config, blocks: config.stem in POOLED_STEMS or _strided_conv(config, blocks),
        follows=True,
    ),
    "shortcuts": NAMED_BLOCKS,
    "projection": Effect(
        "a shortcut that changes the shape ('avg_pool': the size)", _projection, follows=True
    ),
    "projection_kernel": Effect(
        "projection='conv' in a shortcut that strides", _projection_kernel, follows=True
    ),
    "project_first": Effect(
        "projection='conv' or 'avg_pool', and a stage whose first block keeps the shape",
        _project_first,
        follows=True,
    ),
    "stride_in_last_block": Effect(
        "two stages or more", lambda config, _: len(config.repetitions) > 1, follows=True
    ),
    "stride_in_3x3": Effect(
        "a bottleneck that strides",
        lambda _, blocks: any(block.strides and block.kind in BOTTLENECKS for block in blocks),
        follows=True,
    ),
    "se_ratio": NAMED_BLOCKS,
    "se_divisor": Effect("an attention of se_ratio", lambda c, _: c.se_ratio > 0, follows=True),
    "eca": NAMED_BLOCKS,
    "drop_path_rate": Effect(
        "two blocks or more, as the first is never dropped",
        lambda _, blocks: len(blocks) > 1,
    ),
    "zero_init_last": NAMED_BLOCKS,
    "padding": Effect(
        "a convolution larger than 1x1 or a pool that strides", _padding, follows=True
    ),
    "use_bias": Effect(
        "a convolution that no norm follows, as in activation_order='pre'", _use_bias, follows=True
    ),
    "batch_norm_momentum": Effect(
        "norm='batch'", lambda config, _: config.norm == "batch", follows=True
    ),
}


def without_effect(config: "ResnetConfig") -> dict[str, Any]:
    """The fields that differ from their defaults and have no effect, with their defaults."""
    if config.widths is not None and tuple(map(len, config.widths)) != config.repetitions:
        return {}  # not a network
    blocks = block_facts(config)
    return {
        name: default
        for name, default in _changed(config).items()
        if not EFFECTS[name].applies(config, blocks)
    }


def following(
    before: "ResnetConfig", after: "ResnetConfig", named: Container[str]
) -> dict[str, Any]:
    """The fields that follow a change, which has left them without effect, with their defaults.

    Args:
        named: the fields that the change names.
    """
    changed = _changed(after)
    if not any(EFFECTS[name].follows and name not in named for name in changed):
        return {}
    idle, idle_before = without_effect(after), without_effect(before)
    return {
        name: default
        for name, default in idle.items()
        if EFFECTS[name].follows and name not in named and name not in idle_before
    }


def _changed(config: "ResnetConfig") -> dict[str, Any]:
    """The fields of `EFFECTS` that differ from their defaults, with these."""
    return {
        field.name: field.default
        for field in fields(config)
        if field.name in EFFECTS and getattr(config, field.name) != field.default
    }
