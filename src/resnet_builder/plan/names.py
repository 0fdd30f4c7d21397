"""Layer names: written and read only in this module.

A name gives the layer's place in the network and its role there:

    stem     input, stem_conv, stem_bn, stem_act, stem_pool
    stage2   stage2_block1_conv1, stage2_block1_shortcut_bn, stage2_block1_add, stage2_block1_out
    head     head_bn, head_act, head_pool, predictions

Around a network, the layers of a task (heads/) are named in the same way:

    decoder_block1_conv1, decoder_conv, aspp_conv1, p2_lateral, p2_out, segmentation_conv

A role is a kind of layer, such as "conv", with the groups before it, its number, and the part of a
layer that consists of several: "splat_conv2", "conv2_pad". All names of a network begin with its
`layer_prefix`, which may be any text, even one that looks like the name of a layer.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import NamedTuple, Self

# Kinds of layers that other modules use; the last layer of every block is its "out".
ADD, OUT = "add", "out"

# The layers at the two ends of a network, which are named by role only.
IMAGE, CLASSIFIER = "input", "predictions"

# Kinds of layers that are named by their variant, and the plain kind.
PLAIN_CONV, STANDARDIZED_CONV = "conv", "stdconv"
EVONORM = "evonorm"
DEPTHWISE = "depthwise"
PLAIN_KINDS = {STANDARDIZED_CONV: PLAIN_CONV, "gn": "bn", EVONORM: "bn"}


@dataclass(frozen=True)
class Place:
    """The stem, the head, or a block of a stage.

    Attributes:
        kind: `"stem"`, `"stage"` or `"head"`; that of a task's layers; empty for other layers
            outside of a network.
        stage, block: numbers from 1; 0 in the stem and the head.

    Example:
        >>> block = Place("stage", 2, 1)
        >>> print(block, block.part, block.in_stage)
        stage2_block1 stage2 block1
    """

    kind: str
    stage: int = 0
    block: int = 0

    def __str__(self) -> str:
        return f"{self.part}_block{self.block}" if self.block else self.part

    @property
    def part(self) -> str:
        """The part of the network: `"stem"`, `"stage1"`, `"stage2"`, ..., `"head"`."""
        return f"{self.kind}{self.stage}" if self.stage else self.kind

    @property
    def in_stage(self) -> str:
        """The block's name within its stage, such as `"block1"`; empty in the stem and the head."""
        return f"block{self.block}" if self.block else ""


STEM, HEAD, ELSEWHERE = Place("stem"), Place("head"), Place("")

ENDS = {IMAGE: STEM, CLASSIFIER: HEAD}

# The parts of a task around a network: a decoder, ASPP, the levels of a feature pyramid, and the
# classes of the pixels.
DECODER, ASPP, PYRAMID, SEGMENTATION = Place("decoder"), Place("aspp"), "p", Place("segmentation")

# The layers that have the classes, of images and of pixels.
CLASSIFIERS = (CLASSIFIER, f"{SEGMENTATION}_{PLAIN_CONV}")


class At(NamedTuple):
    """A place where layers are added; called with a kind of layer, it writes the layer's name.

    Attributes:
        place: the stem, the head or a block.
        groups: the groups of layers before the kind.
        number: the number after the kind; empty for none.

    Example:
        >>> at = At(Place("stage", 1, 1)).numbered(2)
        >>> print(at("conv"), at("conv", "pad"), at.inside("splat")("reduce"))
        stage1_block1_conv2 stage1_block1_conv2_pad stage1_block1_splat_reduce2
        >>> print(at.numbered(1)("conv"))
        stage1_block1_conv2_1
    """

    place: Place
    groups: tuple[str, ...] = ()
    number: str = ""

    def __call__(self, kind: str, part: str | int = "") -> str:
        """Return the name of the layer of a kind, or of a part of it."""
        parts = str(self.place), *self.groups, kind + self.number, str(part)
        return "_".join(filter(None, parts))

    def inside(self, group: str) -> "At":
        """The place of a group of layers."""
        return self._replace(groups=(*self.groups, group))

    def numbered(self, number: int) -> "At":
        """The place with a number, after the one that it may have."""
        return self._replace(number=f"{self.number}_{number}" if self.number else str(number))


# The first convolution of a stem of one convolution and of several, plain and standardised.
FIRST_CONVS = tuple(
    at(kind) for kind in (PLAIN_CONV, STANDARDIZED_CONV) for at in (At(STEM), At(STEM).numbered(1))
)


@dataclass(frozen=True)
class LayerName:
    """The name of a layer, written by `str` and read by `parse`.

    Attributes:
        place: the stem, the head or a block.
        role: the rest of the name: `"conv1"`, `"shortcut_bn"`, `"out"`.
        prefix: the network's `layer_prefix`.

    Example:
        >>> name = LayerName(Place("stage", 2, 1), "conv1", prefix="left_")
        >>> print(name, name.without_prefix)
        left_stage2_block1_conv1 stage2_block1_conv1
        >>> LayerName.parse("left_stage2_block1_conv1", prefix="left_") == name
        True
    """

    place: Place
    role: str
    prefix: str = ""

    def __str__(self) -> str:
        stands_alone = ENDS.get(self.role) == self.place
        return self.prefix + (self.role if stands_alone else f"{self.place}_{self.role}")

    @classmethod
    def parse(cls, name: str, prefix: str = "") -> Self | None:
        """Read a name; None if it is not a name that `str` writes with that prefix."""
        own = name.removeprefix(prefix)
        if own in ENDS:
            place, role = ENDS[own], own
        elif found := NAME.fullmatch(own):
            place = Place(
                found["end"] or "stage", int(found["stage"] or 0), int(found["block"] or 0)
            )
            role = found["role"]
        else:
            return None
        read = cls(place, role, prefix)
        return read if str(read) == name else None

    @property
    def without_prefix(self) -> Self:
        """The layer's name in a network without a prefix."""
        return replace(self, prefix="")

    @property
    def is_standardized(self) -> bool:
        """Whether the layer is a convolution with weight standardisation."""
        return STANDARDIZED_CONV in self.role

    @property
    def is_evonorm(self) -> bool:
        """Whether the layer is of EvoNorm, with a kernel of a factor for every channel."""
        return EVONORM in self.role


NUMBER = "[1-9][0-9]*"
NAME = re.compile(
    rf"(?:(?P<end>stem|head)|stage(?P<stage>{NUMBER})_block(?P<block>{NUMBER}))_(?P<role>.+)",
    re.DOTALL,
)
VARIANTS = re.compile("|".join(PLAIN_KINDS))
OF_TASK = re.compile(
    rf"(?P<part>{DECODER}(?:_block{NUMBER})?|{ASPP}|{SEGMENTATION}|{PYRAMID}(?P<level>{NUMBER}))"
    rf"_(?P<of_map>(?:{STEM}|stage{NUMBER})_)?(?P<role>.+)",
    re.DOTALL,
)

# Layers of every network, after its prefix: the first convolution, and the ends of blocks.
STEM_CONV = re.compile(rf"(.*)(?:{'|'.join(FIRST_CONVS)})", re.DOTALL)
BLOCK_END = re.compile(rf"(.*)stage{NUMBER}_block{NUMBER}_{OUT}", re.DOTALL)


def plain(name: str) -> str:
    """A name or role with the plain kinds of convolutions and norms: stdconv2 -> conv2."""
    return VARIANTS.sub(lambda found: PLAIN_KINDS[found[0]], name)


def is_of_task(name: str) -> bool:
    """Whether a layer is of a task around a network; the name is without the `layer_prefix`."""
    return OF_TASK.fullmatch(name) is not None


def is_depthwise(name: str) -> bool:
    """Whether a layer is a convolution of each channel for itself."""
    found = OF_TASK.fullmatch(name)
    return found is not None and DEPTHWISE in found["role"]


def is_before_pool(role: str) -> bool:
    """Whether a role in the stem is of its convolutions, and not of the image or the pool."""
    return not role.startswith((IMAGE, "pool"))


def own_name(name: str, prefix: str) -> str:
    """The name of a layer of a network, or of a task around it, without the `layer_prefix`.

    Example:
        >>> [own_name(name, "left_") for name in ("left_p2_out", "left_stem_conv", "left_dense")]
        ['p2_out', 'stem_conv', 'left_dense']
    """
    own = name.removeprefix(prefix)
    is_own = LayerName.parse(name, prefix) or OF_TASK.fullmatch(own)
    return own if is_own else name


def task_part(name: str, prefix: str) -> str:
    """The part of a task that a layer is in, such as `"decoder_block1"` or `"P2"`.

    The numbered layers of a level, which lead from it to the classes, are in the segmentation. The
    part is empty for other layers, and for those that activate a map of the encoder: they are in
    the part that reads the map.

    Example:
        >>> names = ("left_decoder_block1_conv1", "left_p2_out", "left_p2_conv1", "p2_out")
        >>> [task_part(name, "left_") for name in names]
        ['decoder_block1', 'P2', 'segmentation', '']
    """
    found = OF_TASK.fullmatch(name, len(prefix)) if name.startswith(prefix) else None
    if not found or found["of_map"]:
        return ""
    if not found["level"]:
        return found["part"]
    return SEGMENTATION.part if found["role"][-1].isdigit() else found["part"].upper()


def pyramid_level(name: str, prefix: str) -> str:
    """The level of a feature pyramid, such as `"P2"`, that a layer is the end of; empty if none."""
    found = OF_TASK.fullmatch(name.removeprefix(prefix))
    is_end = found and found["level"] and found["role"] == OUT
    return task_part(name, prefix) if is_end else ""


def read_names(names: Iterable[str]) -> dict[str, LayerName]:
    """Read the names of a model's layers that belong to residual networks.

    The prefix of a network is the text before both the name of its first convolution and the names
    of the ends of its blocks. In a model that was cut from a network, one of the two is enough.

    Example:
        >>> for name in read_names(["leftstem_conv", "leftstage1_block1_out", "dense"]).values():
        ...     print(name.prefix, name.place, name.role)
        left stem conv
        left stage1_block1 out
    """
    names = list(names)
    firsts, ends = (
        {found[1] for found in map(last.fullmatch, names) if found}
        for last in (STEM_CONV, BLOCK_END)
    )
    # The longest prefix last, so that it takes precedence: one prefix may begin with another.
    prefixes = sorted(firsts & ends or ends or firsts, key=len)
    return {
        name: read
        for prefix in prefixes
        for name in names
        if (read := LayerName.parse(name, prefix))
    }
