"""Conditions under which a field of a config has an effect on the network."""

from collections.abc import Callable, Sequence
from dataclasses import Field, fields
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from .config import ResnetConfig

RES2NET, RESNEST = "res2net_bottleneck", "resnest_bottleneck"
SELECTIVE_KERNELS = ("sk_basic_block", "sk_bottleneck")
BOTTLENECKS = ("bottleneck", RES2NET, "sk_bottleneck", RESNEST)


# Blocks -----------------------------------------------------------------------------------------


class BlockFacts(NamedTuple):
    """What decides whether a field has an effect in a block.

    Attributes:
        kind: the kind of block.
        opens_stage: whether it is the first block of its stage.
        strided: what halves the size in its residual branch: `"1x1"` or `"3x3"`, a convolution, or
            `"pool"`; empty if nothing does.
        reshapes: whether its shortcut can be neither an identity nor only subsampled.
        projects: whether its shortcut is a projection.
    """

    kind: str
    opens_stage: bool
    strided: str
    reshapes: bool
    projects: bool


def block_facts(config: "ResnetConfig") -> list[BlockFacts]:
    """The facts of every block; none if the block is a custom function."""
    if callable(config.block):
        return []
    facts, channels = [], config.stem_filters or config.stage_filters[0]
    for stage, (kind, filters) in enumerate(
        zip(config.stage_blocks, config.stage_filters, strict=True)
    ):
        for block, stride in enumerate(block_strides(config, stage)):
            before, channels = channels, filters * (4 if kind in BOTTLENECKS else 1)
            if config.widths:
                channels = config.widths[stage][block][-1]
            is_strided, opens = stride > 1, block == 0
            reshapes = channels != before or (is_strided and not config.stride_in_last_block)
            projects = config.shortcuts and (reshapes or (config.project_first and opens))
            strided = _strided(str(kind), config.stride_in_3x3) if is_strided else ""
            facts.append(BlockFacts(str(kind), opens, strided, reshapes, projects))
    return facts


def block_strides(config: "ResnetConfig", stage: int) -> list[int]:
    """The stride of every block of a stage, which is counted from 0."""
    strides = [1] * config.repetitions[stage]
    if config.stride_in_last_block:
        strides[-1] = 1 if stage == len(config.repetitions) - 1 else 2
    else:
        strides[0] = 1 if stage == 0 else 2
    return strides


def _strided(kind: str, stride_in_3x3: bool) -> str:
    if kind not in BOTTLENECKS:
        return "3x3"
    if not stride_in_3x3:
        return "1x1"
    return "pool" if kind == RESNEST else "3x3"


# Conditions -------------------------------------------------------------------------------------

Blocks = Sequence[BlockFacts]
Condition = Callable[["ResnetConfig", Blocks], bool]


class Effect(NamedTuple):
    """What a network needs for a field to have an effect.

    Attributes:
        needs: the condition in words.
        applies: the condition. The facts are those of the blocks of this package.
    """

    needs: str
    applies: Condition


def _has(*kinds: str) -> Condition:
    return lambda config, blocks: any(block.kind in kinds for block in blocks)


def _projects(blocks: Blocks, *, strided: bool) -> bool:
    return any(block.projects and (block.strided or not strided) for block in blocks)


PACKAGE_BLOCK = Effect(
    "blocks of this package, not a custom function", lambda config, blocks: bool(blocks)
)
BOTTLENECK = Effect("a bottleneck", _has(*BOTTLENECKS))
FREE_BOTTLENECK = Effect(
    "a bottleneck, and no widths",
    lambda config, blocks: not config.widths and BOTTLENECK.applies(config, blocks),
)
FREE_BLOCK = Effect(
    "blocks of this package, and no widths",
    lambda config, blocks: not config.widths and bool(blocks),
)
SPLIT_BLOCK = Effect(f"a {RES2NET} or a {RESNEST}", _has(RES2NET, RESNEST))
SELECTIVE_BLOCK = Effect(
    f"a block of the kind {' or '.join(SELECTIVE_KERNELS)}", _has(*SELECTIVE_KERNELS)
)
STRIDED_RESNEST = Effect(
    f"a {RESNEST} that strides after its first convolution",
    lambda config, blocks: any(block.strided == "pool" for block in blocks),
)
STRIDED_BOTTLENECK = Effect(
    "a bottleneck that strides",
    lambda config, blocks: any(block.strided and block.kind in BOTTLENECKS for block in blocks),
)
STRIDED_CONV_OR_STEM_POOL = Effect(
    "a stem with a pool, or a convolution that strides in a block",
    lambda config, blocks: (
        config.pools_in_stem or any(block.strided in ("1x1", "3x3") for block in blocks)
    ),
)
LAST_ACTIVATION = Effect(
    "activation_order='post' and blocks of this package: others end in a convolution",
    lambda config, blocks: config.activation_order == "post" and bool(blocks),
)
BATCH_NORM = Effect("norm='batch'", lambda config, blocks: config.norm == "batch")
NORM_OF_GROUPS = Effect(
    "norm='group' or 'evonorm_s0'", lambda config, blocks: config.norm != "batch"
)
PROJECTION = Effect(
    "a shortcut that changes the shape ('avg_pool': the size)",
    # Where nothing strides, an "avg_pool" projection is the convolution of "conv".
    lambda config, blocks: _projects(blocks, strided=config.projection == "avg_pool"),
)
STRIDED_CONV_PROJECTION = Effect(
    "projection='conv' in a shortcut that strides",
    lambda config, blocks: config.projection == "conv" and _projects(blocks, strided=True),
)
FREE_FIRST_SHORTCUT = Effect(
    "projection='conv' or 'avg_pool', and a stage whose first block keeps the shape",
    lambda config, blocks: (
        config.shortcuts
        and config.projection != "pad"
        and any(block.opens_stage and not block.reshapes for block in blocks)
    ),
)
SEVERAL_STAGES = Effect("two stages or more", lambda config, blocks: len(config.repetitions) > 1)
SEVERAL_BLOCKS = Effect(
    "two blocks or more, as the first is never dropped", lambda config, blocks: len(blocks) > 1
)
SQUEEZE = Effect("an attention of se_ratio", lambda config, blocks: config.se_ratio > 0)
STRIDED_WINDOW = Effect(
    "a convolution larger than 1x1 or a pool that strides",
    lambda config, blocks: (
        config.pools_in_stem
        or (not config.anti_aliasing and any(block.strided == "3x3" for block in blocks))
        or (config.projection_kernel > 1 and STRIDED_CONV_PROJECTION.applies(config, blocks))
    ),
)
CONV_WITHOUT_NORM = Effect(
    "a convolution that no norm follows, as in activation_order='pre'",
    lambda config, blocks: (
        config.use_bias is True
        or config.activation_order == "pre"
        or (config.activation_order == "pre_raw" and bool(blocks))
    ),
)


def idle_fields(config: "ResnetConfig") -> list[Field[Any]]:
    """The fields that differ from their defaults and have no effect."""
    changed = [
        field
        for field in fields(config)
        if field.metadata.get("effect") and getattr(config, field.name) != field.default
    ]
    if not changed or (config.widths and tuple(map(len, config.widths)) != config.repetitions):
        return []  # no other field, or no network
    blocks = block_facts(config)
    return [field for field in changed if not field.metadata["effect"].applies(config, blocks)]
