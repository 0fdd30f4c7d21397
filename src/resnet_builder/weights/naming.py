"""How a library names the weights of a network, and in which order of axes it keeps them."""

import fnmatch
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache, cached_property, lru_cache
from itertools import product
from typing import TYPE_CHECKING, NamedTuple

from ..plan.names import (
    CLASSIFIER,
    ELSEWHERE,
    HEAD,
    PLAIN_CONV,
    STANDARDIZED_CONV,
    STEM,
    At,
    LayerName,
    Place,
    is_depthwise,
    plain,
)

if TYPE_CHECKING:
    from ..files.checkpoint import Array

WeightName = tuple[str, str]  # layer and variable
TensorShape = tuple[int, ...]

CLASSIFIER_KERNEL: WeightName = (CLASSIFIER, "kernel")
OF_POOL = At(HEAD).inside("attention")
POSITIONS: WeightName = (OF_POOL("positions"), "embeddings")


@dataclass(frozen=True, kw_only=True)
class Layout:
    """The layout of one library.

    Attributes:
        separator: text between the names of a layer and of its variable.
        outputs_first: whether a kernel is (outputs, inputs, ...) as in PyTorch, and not
            (..., inputs, outputs) as in Keras.
        variables: names of variables by Keras name; other variables have the same name.
        counter: name of the number of batches that a batch norm counts; empty if it does not.
    """

    separator: str
    outputs_first: bool = False
    variables: Mapping[str, str] = field(default_factory=dict)
    counter: str = ""

    def tensor(self, layer: str, variable: str) -> str:
        """The tensor name of a layer's variable, given by Keras name."""
        return f"{layer}{self.separator}{self.variables.get(variable, variable)}"

    def split(self, tensor: str) -> WeightName:
        """The name of a tensor's layer, which may be empty, and of its variable."""
        layer, _, variable = tensor.rpartition(self.separator)
        return layer, variable

    def keras_shape(self, weight: WeightName, shape: TensorShape) -> TensorShape:
        """Convert a tensor's shape to Keras's order of axes."""
        if weight[1] == "kernel" and len(shape) == 1:
            # A factor for every channel, which is a depthwise convolution here.
            return (1, 1, *shape, 1)
        in_order = tuple(shape[axis] for axis in self.axes(weight, len(shape)))
        # Some classifiers are 1x1 convolutions.
        is_dense = weight == CLASSIFIER_KERNEL and in_order[:-2] == (1, 1)
        return in_order[2:] if is_dense else in_order

    def keras_array(self, weight: WeightName, array: "Array") -> "Array":
        """Convert an array to Keras's order of axes."""
        in_order = array.transpose(self.axes(weight, array.ndim))
        return in_order.reshape(self.keras_shape(weight, array.shape))

    def axes(self, weight: WeightName, rank: int) -> tuple[int, ...]:
        """Where Keras's axes are in a tensor."""
        if weight[1] == "kernel" and self.outputs_first and rank > 1:
            # Of a depthwise convolution, both have the one filter of every channel beside it.
            return (*range(2, rank), *((0, 1) if is_depthwise(weight[0]) else (1, 0)))
        return tuple(range(rank))


KERAS = Layout(separator="/")
TORCH = Layout(
    separator=".",
    outputs_first=True,
    variables={
        "kernel": "weight",
        "gamma": "weight",
        "beta": "bias",
        "moving_mean": "running_mean",
        "moving_variance": "running_var",
    },
    counter="num_batches_tracked",
)
# Caffe2's names of blobs: detectron2/checkpoint/c2_model_loading.py.
CAFFE2 = Layout(
    separator="_",
    outputs_first=True,
    variables={
        "kernel": "w",
        "bias": "b",
        "moving_mean": "running_mean",
        "moving_variance": "running_var",
    },
)

# First parts of the names of stems and stages, in networks that are not built here as well.
OF_ANY_STEM = re.compile(r"(stem|conv|bn|maxpool|layer)\d*")


class TensorPlace(NamedTuple):
    """The place of a tensor in a network: the prefix of its name, and whether it is in a block."""

    prefix: str
    in_block: bool


@dataclass(frozen=True, kw_only=True)
class Origin:
    """The names of one origin of checkpoints.

    Attributes:
        name: name for messages.
        layout: names of variables and order of axes.
        block: its form of `stage1_block1_`.
        first_stage, first_block: its numbers of the first stage and of the first block.
        layers: its names of other layers, or the ends of the names in a block; layers that are not
            listed have the same name.
        bare: ends of the names of layers here whose only weight has no name of a variable there.
        ignored: pattern of tensor names that are not weights here, and not worth a word.
        is_own: whether it is this package: its names tell kinds of norms and convolutions apart,
            and its kernels are already standardised.
        has_names: whether its layers are known by their names, and not by their order.
        library: the `names` of `write_weights` that it is for; empty for none.
        module: the module that the network is in there, of those in `heads`; empty for none.
        unshown: fields of a config that its networks do not have and its names do not show.
        marks: patterns of names, in a block without its place, of layers that all its networks
            have, and that tell them from other networks of the library; of layers that none has,
            after "!". "|" is between alternatives.
        lacks: patterns of layers without weights that none of its networks has.
        has_biases: whether convolutions before a norm have biases there.
        has_conv_classifier: whether its classifier is a 1x1 convolution.
        epsilon: epsilon of its batch norm; None if it is the network's.
        stride_in_3x3: whether its bottlenecks halve the size in their 3x3 convolution; None if it
            is as in the network.
        pads_stem_pool: whether zeros are padded before the stem's pool in all its networks.
        pads_as_keras: whether all its networks have `padding="same"`.
        heads: its names of layers beside the network, a classifier or those of a task, by the end
            of the network's prefix.
        constants: values of variables that its files may lack.
        standardizing_epsilon: what its weight standardisation adds to a kernel's variance; the
            default is of timm's BiT networks (models/resnetv2.py).
        beside: pattern of names of other networks that its files hold beside this one.
        images: how images are prepared for its networks where that is unusual, as a sentence.
    """

    name: str
    layout: Layout
    block: str
    first_stage: int = 1
    first_block: int = 1
    layers: Mapping[str, str]
    bare: tuple[str, ...] = ()
    ignored: str = ""
    is_own: bool = False
    has_names: bool = True
    library: str = ""
    module: str = ""
    unshown: tuple[str, ...] = ()
    marks: tuple[str, ...] = ()
    lacks: tuple[str, ...] = ()
    has_biases: bool = False
    has_conv_classifier: bool = False
    epsilon: float | None = 1e-5
    stride_in_3x3: bool | None = True
    pads_stem_pool: bool = False
    pads_as_keras: bool = False
    heads: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    constants: Mapping[str, float] = field(default_factory=dict)
    standardizing_epsilon: float = 1e-8
    beside: str = ""
    images: str = ""

    def layer(self, name: str) -> str:
        """The origin's name for a layer."""
        before, role = self._parts(name)
        return before + self._named(role)

    def tensor(self, weight: WeightName) -> str:
        """The origin's name for a weight."""
        before, role = self._parts(weight[0])
        return before + self._end(role, weight[1])

    def whole_tensor(self, weight: WeightName) -> str:
        """The name for a weight in a file of the library's whole network."""
        layer, variable = weight
        if beside := self._beside.get(plain(layer)):
            return self.layout.tensor(beside, variable)
        return self.module + self.tensor(weight)

    def around(self, module: str) -> "Origin":
        """The same with the names of the layers beside the network in a module."""
        return replace(self, layers={**self.layers, **self.heads[module]})

    def has(self, layer: str) -> bool:
        """Return whether the origin has a name for a layer with weights."""
        role = plain(self._parts(layer)[1])
        return self.is_own or role in {*self.layers, *self._beside, *_NUMBERED}

    def lacks_bias(self, layer: str) -> bool:
        """Return whether a layer is a convolution that has no bias in the origin's networks."""
        role = plain(self._parts(layer)[1])
        return self.layout is TORCH and role in _CONVS

    def matching(self, patterns: Iterable[str], layers: Iterable[str]) -> dict[str, str]:
        """The patterns of `marks` or `lacks` that layers match, and the first layer of each."""
        roles = {self._parts(layer)[1]: layer for layer in reversed(list(layers))}
        found = {
            pattern: [role for one in pattern.split("|") for role in fnmatch.filter(roles, one)]
            for pattern in patterns
        }
        return {pattern: roles[of[-1]] for pattern, of in found.items() if of}

    def is_marked(self, layers: Iterable[str]) -> bool:
        """Return whether layers are of one of its networks."""
        marks = {mark.removeprefix("!"): not mark.startswith("!") for mark in self.marks}
        found = self.matching(marks, layers)
        return all((mark in found) == is_there for mark, is_there in marks.items())

    def array(self, weight: WeightName, array: "Array") -> "Array":
        """Convert an array from Keras's order of axes to the origin's."""
        name = LayerName.parse(weight[0])
        if name and name.is_evonorm and weight[1] == "kernel":
            return array.reshape(-1)  # a factor for every channel, as in `Layout.keras_shape`
        if weight == CLASSIFIER_KERNEL and self.has_conv_classifier:
            array = array[None, None]
        axes = self.layout.axes(weight, array.ndim)
        return array.transpose(sorted(range(array.ndim), key=axes.__getitem__))

    def place(self, tensor: str) -> TensorPlace | None:
        """The place of a tensor; None if its name, without a prefix, is not this origin's."""
        found = self._tensors.fullmatch(tensor)
        return found and TensorPlace(found["prefix"], found["in_block"] is not None)

    def is_ignored(self, tensor: str) -> bool:
        """Return whether a tensor of that name is ignored."""
        return re.fullmatch(self.ignored, tensor) is not None

    def is_inside(self, tensor: str, stage: int) -> bool:
        """Return whether a tensor's name is of the stem, or of a stage up to that number.

        Names that no network has, such as a bias in a block, are inside too.
        """
        place, _ = self._cut(tensor)
        if place:
            return place.stage <= stage
        first = _first_part(tensor)
        if first in self._stem:  # a stem's map is the one before its pool
            return stage > 0 or not self._stem[first]
        return OF_ANY_STEM.fullmatch(first) is not None

    def repetitions(self, tensors: Iterable[str]) -> tuple[int, ...]:
        """The number of blocks of each stage of the network that tensors are of.

        Empty if the blocks after the first of a stage differ in their tensors, as in no network;
        biases do not count, which may be folded into norms.
        """
        stages: dict[int, dict[int, set[str]]] = {}
        for tensor in tensors:
            place, end = self._cut(tensor)
            if place and self.layout.split(tensor)[1] != "bias" and not self.is_ignored(tensor):
                stages.setdefault(place.stage, {}).setdefault(place.block, set()).add(end)
        for blocks in stages.values():
            _, *others = (names for _, names in sorted(blocks.items()))
            if any(names != others[0] for names in others):
                return ()
        return tuple(len(blocks) for _, blocks in sorted(stages.items()))

    @property
    def _beside(self) -> Mapping[str, str]:
        """The names of the layers beside the network in `module`."""
        return self.heads.get(self.module, {})

    def _parts(self, layer: str) -> tuple[str, str]:
        """The beginning of a name, which is empty outside of blocks, and the layer's role."""
        name = _read_name(layer)
        if not name or not name.place.block:
            return "", layer
        stage = name.place.stage - 1 + self.first_stage
        block = name.place.block - 1 + self.first_block
        return self.block.format(stage=stage, block=block), name.role

    def _named(self, role: str) -> str:
        if not self.is_own:
            role = plain(role)
        return self.layers.get(role, role)

    def _end(self, role: str, variable: str) -> str:
        """The end of the name of a weight in a block, or its whole name."""
        name = self._named(role)
        return name if role.endswith(self.bare) else self.layout.tensor(name, variable)

    def _cut(self, tensor: str) -> tuple[Place | None, str]:
        """The place of the block that a tensor is in, if any, and the rest of its name."""
        if not (found := re.match(self._any_block, tensor)):
            return None, tensor
        stage = int(found["stage"]) + 1 - self.first_stage
        block = int(found["block"]) + 1 - self.first_block
        return Place("stage", stage, block), tensor[found.end() :]

    @cached_property
    def _any_block(self) -> str:
        """The pattern of `block`."""
        pattern = re.escape(self.block)
        for name in ("stage", "block"):
            first, *others = re.split(rf"\\{{{name}[:\w]*\\}}", pattern)
            pattern = rf"{first}(?P<{name}>\d+){f'(?P={name})'.join(others)}"
        return pattern

    @cached_property
    def _stem(self) -> dict[str, bool]:
        """The first parts of the names in stems, and whether they are of the pool."""
        return {
            _first_part(self.tensor(weight)): name.role.startswith("pool")
            for weight in known_weights()[1]
            if (name := LayerName.parse(weight[0])) and name.place == STEM
        }

    @cached_property
    def _tensors(self) -> re.Pattern[str]:
        """The pattern of all tensor names, with the shortest possible prefix."""
        in_block, others = (
            "|".join(map(re.escape, sorted({self._end(*weight) for weight in weights})))
            for weights in known_weights()
        )
        own_name = rf"(?P<in_block>{self._any_block}(?:{in_block}))|{others}"
        # A network's name in a PyTorch module is a whole part, and in Keras any text.
        prefix = ".*?" if self.layout is KERAS else r"(?:.*?[./])??"
        return re.compile(rf"(?P<prefix>{prefix})(?:{own_name})", re.DOTALL)


# A network's names are read anew for every library and pattern: resnest269e, which has 2,258
# layers, is sketched in 0.18 s, and without this in 0.39 s.
_read_name = lru_cache(maxsize=2**13)(LayerName.parse)


def _first_part(tensor: str) -> str:
    return re.split("[./]", tensor)[0]


def branch(name: str, prefix: str) -> str:
    """The first parts of a name, to the first that a prefix does not have.

    Example:
        >>> [branch(name, "backbone.body.") for name in ("backbone.fpn.p6.bias", "rpn.conv.bias")]
        ['backbone.fpn.', 'rpn.']
    """
    end = 0
    for part in re.finditer(r"[^./]*[./]?", name):
        end = part.end()
        if not prefix.startswith(name[:end]):
            break
    return name[:end]


def is_known(weight: WeightName) -> bool:
    """Return whether a weight is of a layer of this package, not of a user's block function."""
    in_a_block, others = known_weights()
    name = LayerName.parse(weight[0])
    if name and name.place.block:
        return (name.role, weight[1]) in in_a_block
    return weight in others


# The largest number of parts of a Res2Net block that has a name in another library.
MOST_SPLITS = 8

# The roles in a block that have the same name in many libraries.
_NUMBERED = frozenset(f"{kind}{number}" for kind in ("conv", "bn") for number in (1, 2, 3))

_CONVS = frozenset(("conv1", "conv2", "conv3", "stem_conv", "shortcut_conv"))

# The variables of layers with weights, by kind.
WITH_BIAS, WITHOUT_BIAS = ("kernel", "bias"), ("kernel",)
BATCH_NORM = ("gamma", "beta", "moving_mean", "moving_variance")
CONVS = {PLAIN_CONV: WITH_BIAS, STANDARDIZED_CONV: WITH_BIAS}
ATTENTION_POOL = {
    **dict.fromkeys(("query", "key", "value"), WITH_BIAS),
    "positions": POSITIONS[1:],
}
NORMS = {"bn": BATCH_NORM, "gn": BATCH_NORM[:2], "evonorm": WITH_BIAS}


@cache
def known_weights() -> tuple[frozenset[WeightName], frozenset[WeightName]]:
    """All possible weights of networks: those in a block, by role of their layers, and others."""
    block, stem = At(ELSEWHERE), At(STEM)
    first, second, third = map(block.numbered, (1, 2, 3))
    splat, selective = second.inside("splat"), [first.inside("sk"), second.inside("sk")]
    paths = [*map(first.numbered, (1, 2)), *map(second.numbered, range(1, MOST_SPLITS))]
    convs = [first, second, third, *paths, splat, block.inside("shortcut")]
    of_stem = [stem, stem.inside("pool"), *map(stem.numbered, (1, 2, 3, 4))]
    # Attention at the end of a block, and after the second of three convolutions.
    se, eca, context = ([at.inside(of) for at in (block, second)] for of in ("se", "eca", "gc"))
    final = At(HEAD).inside("final")
    in_a_block = [
        *_weights(convs, CONVS),
        *_weights([*se, splat], {"reduce": WITH_BIAS, "expand": WITH_BIAS}),
        *_weights(selective, {"reduce": WITHOUT_BIAS, "expand": WITHOUT_BIAS}),
        *_weights(eca, {"conv": WITHOUT_BIAS}),
        *_weights(context, dict.fromkeys(("conv", "reduce", "expand"), WITH_BIAS)),
        *_weights([at.inside("reduce") for at in context], {"gn": NORMS["gn"]}),
        *_norms([*convs, *(at.inside("reduce") for at in (splat, *selective))]),
    ]
    others = [
        *_weights([*of_stem, final], CONVS),
        *_norms([*of_stem, final, At(HEAD)]),
        *_weights([OF_POOL], ATTENTION_POOL),
        *((CLASSIFIER, variable) for variable in WITH_BIAS),
    ]
    return frozenset(in_a_block), frozenset(others)


def _weights(places: Iterable[At], variables: Mapping[str, Iterable[str]]) -> Iterator[WeightName]:
    for at, (kind, of_kind) in product(places, variables.items()):
        yield from ((at(kind), variable) for variable in of_kind)


def _norms(places: Sequence[At]) -> Iterator[WeightName]:
    yield from _weights(places, NORMS)
    yield from ((at("evonorm", "v"), "kernel") for at in places)
