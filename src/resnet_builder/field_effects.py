"""Conditions under which a field of a config has an effect on the network."""

from collections.abc import Callable
from dataclasses import Field, fields
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from .config import ResnetConfig

RES2NET, RESNEST, REGNET = "res2net_bottleneck", "resnest_bottleneck", "regnet_bottleneck"
EARLY_ATTENTION = "early_attention_bottleneck"
SELECTIVE_KERNELS = ("sk_basic_block", "sk_bottleneck")
# Filters of the output of a bottleneck, as a multiple of its filters.
EXPANSIONS = dict.fromkeys(("bottleneck", EARLY_ATTENTION, RES2NET, "sk_bottleneck", RESNEST), 4)
EXPANSIONS[REGNET] = 1
BOTTLENECKS = tuple(EXPANSIONS)


# Facts ------------------------------------------------------------------------------------------


class BlockFacts(NamedTuple):
    """What decides whether a field has an effect in a block.

    Attributes:
        kind: the kind of block.
        opens_stage: whether it is the first block of its stage.
        strided: what halves the size in its residual branch: a convolution, `"1x1"` or `"3x3"`, or
            a `"pool"`; empty if nothing does.
        reshapes: whether its shortcut must be more than an identity or a subsampling.
        projects: whether its shortcut is a projection.
    """

    kind: str
    opens_stage: bool
    strided: str
    reshapes: bool
    projects: bool


class Facts(NamedTuple):
    """What decides whether a field has an effect in a network.

    Attributes:
        config: config of the network.
        blocks: the facts of every block; none if the block is a custom function.
    """

    config: "ResnetConfig"
    blocks: list[BlockFacts]

    def has(self, *kinds: str) -> bool:
        """Whether a block is of one of these kinds."""
        return any(block.kind in kinds for block in self.blocks)

    def strides_by(self, *means: str) -> bool:
        """Whether one of these halves the size in a block."""
        return any(block.strided in means for block in self.blocks)

    def projects(self, *, strided: bool) -> bool:
        """Whether a shortcut is a projection, or one that strides."""
        return any(block.projects and (block.strided or not strided) for block in self.blocks)


def facts_of(config: "ResnetConfig") -> Facts:
    """The facts of a network, before its layers are planned."""
    blocks: list[BlockFacts] = []
    channels = config.stem_filters or config.stage_filters[0]
    for stage, kind in enumerate(config.stage_blocks):
        if callable(kind):
            break
        for block, stride in enumerate(block_strides(config, stage)):
            before, opens = channels, block == 0
            channels = config.stage_filters[stage] * EXPANSIONS.get(kind, 1)
            if config.widths:
                channels = config.widths[stage][block][-1]
            strided = "" if stride == 1 else _strided(kind, config.stride_in_3x3)
            reshapes = channels != before or (stride > 1 and not config.stride_in_last_block)
            projects = config.shortcuts and (reshapes or (config.project_first and opens))
            blocks.append(BlockFacts(kind, opens, strided, reshapes, projects))
    return Facts(config, blocks)


def block_strides(config: "ResnetConfig", stage: int) -> list[int]:
    """The stride of every block of a stage, which is counted from 0."""
    strides = [1] * config.repetitions[stage]
    if config.stride_in_last_block:
        strides[-1] = 1 if stage == len(config.repetitions) - 1 else 2
    else:
        strides[0] = 1 if stage == 0 and config.stem != "regnet" else 2
    return strides


def _strided(kind: str, stride_in_3x3: bool) -> str:
    if kind not in BOTTLENECKS:
        return "3x3"
    if not stride_in_3x3:
        return "1x1"
    return "pool" if kind == RESNEST else "3x3"


# Conditions -------------------------------------------------------------------------------------


class Effect(NamedTuple):
    """What a network needs for a field to have an effect: in words, and as a condition."""

    needs: str
    applies: Callable[[Facts], bool]


PACKAGE_BLOCK = Effect(
    "blocks of this package, not a custom function", lambda net: bool(net.blocks)
)
FREE_BLOCK = Effect(
    "blocks of this package, and no widths", lambda net: bool(net.blocks) and not net.config.widths
)
BOTTLENECK = Effect("a bottleneck", lambda net: net.has(*BOTTLENECKS))
FREE_BOTTLENECK = Effect(
    "a bottleneck, and no widths", lambda net: net.has(*BOTTLENECKS) and not net.config.widths
)
SPLIT_BLOCK = Effect(f"a {RES2NET} or a {RESNEST}", lambda net: net.has(RES2NET, RESNEST))
SELECTIVE_BLOCK = Effect(
    f"a block of the kind {' or '.join(SELECTIVE_KERNELS)}", lambda net: net.has(*SELECTIVE_KERNELS)
)
SEVERAL_STAGES = Effect("two stages or more", lambda net: len(net.config.repetitions) > 1)
SEVERAL_BLOCKS = Effect(
    "two blocks or more, as the first is never dropped", lambda net: len(net.blocks) > 1
)
STRIDED_BOTTLENECK = Effect(
    "a bottleneck that strides",
    lambda net: any(block.strided and block.kind in BOTTLENECKS for block in net.blocks),
)
STRIDED_RESNEST = Effect(
    f"a {RESNEST} that strides after its first convolution", lambda net: net.strides_by("pool")
)
STRIDED_CONV_OR_STEM_POOL = Effect(
    "a stem with a pool, or a convolution that strides in a block",
    lambda net: net.config.pools_in_stem or net.strides_by("1x1", "3x3"),
)
PROJECTION = Effect(
    "a shortcut that changes the shape ('avg_pool': the size)",
    # Where nothing strides, "avg_pool" is "conv".
    lambda net: net.projects(strided=net.config.projection == "avg_pool"),
)
STRIDED_CONV_PROJECTION = Effect(
    "projection='conv' in a shortcut that strides",
    lambda net: net.config.projection == "conv" and net.projects(strided=True),
)
STRIDED_WINDOW = Effect(
    "a convolution larger than 1x1 or a pool that strides",
    lambda net: (
        net.config.stem != "cifar"
        or (net.strides_by("3x3") and not net.config.anti_aliasing)
        or (net.config.projection_kernel > 1 and STRIDED_CONV_PROJECTION.applies(net))
    ),
)
FREE_FIRST_SHORTCUT = Effect(
    "projection='conv' or 'avg_pool', and a stage whose first block keeps the shape",
    lambda net: (
        net.config.shortcuts
        and net.config.projection != "pad"
        and any(block.opens_stage and not block.reshapes for block in net.blocks)
    ),
)
BATCH_NORM = Effect("norm='batch'", lambda net: net.config.norm == "batch")
NORM_OF_GROUPS = Effect("norm='group' or 'evonorm_s0'", lambda net: net.config.norm != "batch")
LAST_ACTIVATION = Effect(
    "activation_order='post' and blocks of this package: others end in a convolution",
    lambda net: net.config.activation_order == "post" and bool(net.blocks),
)
CONV_WITHOUT_NORM = Effect(
    "a convolution that no norm follows, as in activation_order='pre'",
    lambda net: (
        net.config.use_bias is True
        or net.config.stem == "quad"
        or net.config.activation_order in ("pre", "pre_shared")
        or (net.config.activation_order == "pre_raw" and bool(net.blocks))
    ),
)
SQUEEZE = Effect("an attention of se_ratio", lambda net: net.config.se_ratio > 0)


def idle_fields(config: "ResnetConfig") -> list[Field[Any]]:
    """The fields that differ from their defaults and have no effect."""
    changed = [
        field
        for field in fields(config)
        if field.metadata.get("effect") and getattr(config, field.name) != field.default
    ]
    if not changed or (config.widths and tuple(map(len, config.widths)) != config.repetitions):
        return []  # no other field, or no network
    facts = facts_of(config)
    return [field for field in changed if not field.metadata["effect"].applies(facts)]
