"""The matching of a checkpoint's tensors and a network's weights."""

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import takewhile
from math import isqrt
from typing import NamedTuple

from ..files.checkpoint import Checkpoint
from ..plan.names import CLASSIFIERS, FIRST_CONVS
from .expected import ExpectedWeights
from .naming import (
    CLASSIFIER_KERNEL,
    POSITIONS,
    WITH_BIAS,
    Layout,
    Origin,
    TensorShape,
    WeightName,
    branch,
)
from .origins import DETECTOR, is_never_weight


@dataclass(frozen=True)
class Recognised:
    """A checkpoint under its origin's names.

    Attributes:
        source: the checkpoint with all its tensors, whose variables have names and not numbers.
        origin: the library that the names are from.
        names: names of the network's tensors, without the prefix, and those in `source`.
        prefix: prefix of the network's names in the file.
        left: prefixes of other networks of the same shapes in it.
        unknown: why the names are of no known origin, if the layers' connections have to be used.
    """

    source: Checkpoint
    origin: Origin
    names: Mapping[str, str]
    prefix: str = ""
    left: tuple[str, ...] = ()
    unknown: str = ""

    @cached_property
    def checkpoint(self) -> Checkpoint:
        """The network's tensors under the origin's names."""
        return self.source.renamed(self.names)

    @cached_property
    def beside(self) -> dict[str, TensorShape]:
        """The names and shapes of the other tensors of `source`."""
        inside = set(self.names.values())
        return {name: shape for name, shape in self.source.shapes.items() if name not in inside}

    def shape(self, weight: WeightName) -> TensorShape | None:
        """The shape of a weight's tensor in Keras's order of axes; None if there is no tensor."""
        shape = self.checkpoint.shapes.get(self.origin.tensor(weight))
        if shape is None and weight[1] in self.origin.constants:
            return self.shape((weight[0], "beta"))
        return None if shape is None else self.origin.layout.keras_shape(weight, shape)

    @property
    def classes(self) -> int | None:
        """The number of classes; None if the checkpoint does not show it."""
        kernels = self._of_rank(2) if self.unknown else [self.shape(CLASSIFIER_KERNEL)]
        return kernels[-1][-1] if kernels and kernels[-1] else None

    @property
    def channels(self) -> int | None:
        """The number of input channels; None if the checkpoint does not show it."""
        stems = (self.shape((stem, "kernel")) for stem in FIRST_CONVS)
        kernels = self._of_rank(4) if self.unknown else list(filter(None, stems))
        return kernels[0][2] if kernels else None

    def striding(self, in_3x3: bool | None) -> "Recognised":
        """The same, if it is known whether its bottlenecks stride in their 3x3 convolution."""
        if in_3x3 is None:
            return self
        return replace(self, origin=replace(self.origin, stride_in_3x3=in_3x3))

    def _of_rank(self, rank: int) -> list[TensorShape]:
        """The shapes of the kernels of that rank, in the order of the layers."""
        return [shape for shape in self.checkpoint.shapes.values() if len(shape) == rank]

    def is_of_another(self, name: str) -> bool:
        """Return whether a tensor or layer of `source` is beside one of `left`, and not beside it.

        Of the prefixes, the one that shares the most parts with the name says it.
        """

        def nearness(prefix: str) -> tuple[int, int]:
            parts = re.split("[./]", prefix)[:-1]
            pairs = zip(parts, re.split("[./]", name), strict=False)
            shared = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], pairs))
            return shared, shared - len(parts)

        return any(nearness(prefix) > nearness(self.prefix) for prefix in self.left)

    @property
    def borrowed_head(self) -> str:
        """The name in the file of a classifier beside one of `left`, which a user gave this one."""
        kernel = self.checkpoint.in_file.get(self.origin.tensor(CLASSIFIER_KERNEL), "")
        return self.origin.layout.split(kernel)[0] if self.is_of_another(kernel) else ""

    @property
    def is_frozen_detector(self) -> bool:
        """Whether it is a detector of torchvision whose batch norms do not count their batches."""
        counts = any(name.endswith(".num_batches_tracked") for name in self.checkpoint.shapes)
        return DETECTOR.fullmatch(self.prefix) is not None and not counts


@dataclass(frozen=True)
class Assignment:
    """A weight and its tensor; `bias` is the one to subtract, if any.

    The tensor of a weight with a constant value is empty.
    """

    weight: WeightName
    tensor: str
    shape: TensorShape
    bias: str | None = None


class Classifier(NamedTuple):
    """A layer of the shape of a classifier, under its name in the file."""

    layer: str
    classes: int


class Problem(NamedTuple):
    """A tensor that is missing, unexpected or misshapen, or another reason for rejection."""

    kind: str
    words: str


@dataclass(frozen=True)
class Match:
    """The result of matching a checkpoint and a network.

    Attributes:
        assignments: weights and their tensors; complete only if there are no problems.
        left_random: weights that are not loaded.
        adapted: adaptations of the checkpoint, in words.
        unused: names of the tensors that are left: later stages, heads, tensors beside the network.
        problems: mismatches, in the order of the network, then of the tensors' names.
        classifiers: layers that may be the classifier, where there is none of its name.
        epsilons: epsilons of batch norms that the file tells, by the model's layer.
        notes: what the user is told of the layers' settings, in sentences.
    """

    assignments: tuple[Assignment, ...]
    left_random: tuple[WeightName, ...]
    adapted: tuple[str, ...]
    unused: tuple[str, ...]
    problems: tuple[Problem, ...]
    classifiers: tuple[Classifier, ...]
    epsilons: Mapping[str, float] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


def match(
    found: Recognised, expected: ExpectedWeights, *, adapt: bool, keep: bool = False
) -> Match:
    """Compare a checkpoint with the weights that a network needs.

    Args:
        adapt: whether the classifier and the input channels may differ.
        keep: whether weights that the checkpoint lacks are left as they are.
    """
    tensors = {weight: found.origin.tensor(weight) for weight in expected.shapes}
    present = {weight for weight in tensors if found.shape(weight) is not None}
    shapes = found.checkpoint.shapes
    other_head = _other_head(found, expected) if adapt else ""
    left = {
        weight: None
        for weight in expected.shapes
        if (other_head and weight[0] == expected.classifier) or (keep and weight not in present)
    }
    wanted = {weight: shape for weight, shape in expected.shapes.items() if weight not in left}
    resized = _resized(found, wanted, adapt=adapt)
    biases = _folded_biases(found, expected)
    used = {tensors[weight] for weight in wanted} | set(biases.values())
    others = [
        tensor for tensor in shapes if tensor not in used and not found.origin.is_ignored(tensor)
    ]
    has_head = expected.classifier and not other_head
    last_stage = None if has_head else expected.last_stage
    unused, unexpected = _others(found, others, last_stage)
    assignments = tuple(
        Assignment(weight, tensor if tensor in shapes else "", shape, biases.get(tensor))
        for weight, shape in wanted.items()
        if weight in present and (tensor := tensors[weight])
    )
    problems = (*_mismatches(found, wanted, resized), *unexpected, *_of_origin(found, expected))
    if not assignments and not problems:
        problems = (Problem("missing", "every weight of the network"),)
    return Match(
        assignments,
        tuple(left),
        tuple(_adapted(expected, left, other_head, resized, len(biases))),
        unused,
        problems,
        tuple(_classifiers(found, expected, others)),
    )


def _other_head(found: Recognised, expected: ExpectedWeights) -> str:
    """The difference of the checkpoint's classifier in words; empty if there is none to leave."""
    of_kernel, of_bias = ((expected.classifier, variable) for variable in WITH_BIAS)
    wanted = expected.shapes.get(of_kernel)
    kernel, bias = found.shape(of_kernel), found.shape(of_bias)
    if wanted is None:
        return ""
    if kernel is None and bias is None:
        return "the checkpoint has none"
    if kernel is None or bias is None:
        return "the checkpoint has another kind"
    fits = kernel[:-1] == wanted[:-1] and kernel[-1:] == bias
    return "other classes" if fits and kernel != wanted else ""


def _resized(
    found: Recognised, wanted: Mapping[WeightName, TensorShape], *, adapt: bool
) -> dict[WeightName, TensorShape]:
    """The weights that are adapted to another shape, and the shapes in the checkpoint.

    They are an attention pool's positions, if they are of a square, and, with `adapt`, first
    convolutions.
    """
    resized = {}
    positions, shape = found.shape(POSITIONS), wanted.get(POSITIONS)
    if positions and shape and positions != shape and positions[1:] == shape[1:]:
        pixels = positions[0] - 1
        if pixels > 0 and isqrt(pixels) ** 2 == pixels:
            resized[POSITIONS] = positions
    for kernel in ((stem, "kernel") for stem in FIRST_CONVS if adapt):
        given, shape = found.shape(kernel), wanted.get(kernel)
        if given and shape and _differ_in_channels(given, shape):
            resized[kernel] = given
    return resized


def _differ_in_channels(given: TensorShape, shape: TensorShape) -> bool:
    is_same_otherwise = given[:2] + given[3:] == shape[:2] + shape[3:]
    return is_same_otherwise and given[2] != shape[2] and given[2] > 0


def _folded_biases(found: Recognised, expected: ExpectedWeights) -> dict[str, str]:
    """Biases of convolutions without bias here, by the mean that they are folded into."""
    tensor, shapes = found.origin.tensor, found.checkpoint.shapes
    return {
        tensor((norm, "moving_mean")): bias
        for conv, norm in expected.norms.items()
        if (conv, "bias") not in expected.shapes
        and (bias := tensor((conv, "bias"))) in shapes
        and found.shape((norm, "moving_mean")) == shapes[bias]
    }


def _others(
    found: Recognised, others: Collection[str], last_stage: int | None
) -> tuple[tuple[str, ...], list[Problem]]:
    """The tensors that are left, by their names in the file, and those that are unexpected.

    Args:
        others: the network's tensors in the checkpoint that are no weights here.
        last_stage: the stage after which tensors are left, as other heads' tensors are; None if
            the network has the checkpoint's classifier.
    """
    inside = {t for t in others if last_stage is None or found.origin.is_inside(t, last_stage)}
    beside = {t for t in found.beside if not found.origin.is_ignored(t)}
    is_beside = re.compile(found.origin.beside).fullmatch
    branches = tuple(branch(prefix, found.prefix) for prefix in found.left)
    left = {
        t
        for t in beside
        if last_stage is not None or is_never_weight(t) or is_beside(t) or t.startswith(branches)
    }
    place = f", beside {found.prefix!r}" if found.prefix else ""
    unexpected = [
        *(f"{t} {found.checkpoint.shapes[t]}" for t in sorted(inside)),
        *(f"{t} {found.beside[t]}{place}" for t in sorted(beside - left)),
    ]
    unused = (*sorted(found.names[t] for t in set(others) - inside), *sorted(left))
    return unused, [Problem("unexpected", words) for words in unexpected]


def _mismatches(
    found: Recognised, wanted: Mapping[WeightName, TensorShape], resized: Collection[WeightName]
) -> Iterator[Problem]:
    """The missing and misshapen tensors; those of `resized` may have another shape."""
    for weight, shape in wanted.items():
        tensor, given = found.origin.tensor(weight), found.shape(weight)
        name = "/".join(weight)
        own = found.checkpoint.shapes.get(tensor)
        if own is None:
            if weight[1] not in found.origin.constants:
                yield Problem("missing", f"{tensor}, for {name} {shape}")
        elif given != shape and weight not in resized:
            in_order = "" if given == own else f" is {given} in Keras's order"
            yield Problem("shape", f"{tensor} {own}{in_order}; {name} needs {shape}")


# By `stride_in_3x3`.
PLACES_OF_STRIDES = {True: "3x3 convolution", False: "first 1x1 convolution"}


def _of_origin(found: Recognised, expected: ExpectedWeights) -> Iterator[Problem]:
    """What all networks of an origin compute in another way, which no name or shape shows."""
    origin, here = found.origin, expected.stride_in_3x3
    if None not in (here, origin.stride_in_3x3) and here != origin.stride_in_3x3:
        own, other = PLACES_OF_STRIDES[bool(here)], PLACES_OF_STRIDES[not here]
        yield Problem(
            "strides",
            f"bottlenecks stride in their {own}, and in {origin.name} in the {other}; the names "
            "and shapes do not show it",
        )
    if origin.pads_stem_pool and not expected.pads_stem_pool:
        words = f"{origin.name} pads zeros before its pool, as stem_pool='max_ceil' does"
        yield Problem("stem", words)
    if origin.pads_as_keras and expected.pads_stem:
        words = f"{origin.name} pads as Keras does: build the network with padding='same'"
        yield Problem("padding", words)


def _adapted(
    expected: ExpectedWeights,
    left: Collection[WeightName],
    other_head: str,
    resized: Mapping[WeightName, TensorShape],
    biases: int,
) -> Iterator[str]:
    """The adaptations of the checkpoint, in words."""
    if kept := [layer for layer, _ in left if layer not in CLASSIFIERS]:
        layers = list(dict.fromkeys(kept))
        more = ", ..." if len(layers) > 5 else ""
        yield f"left as they were: {len(kept)} weights of {', '.join(layers[:5])}{more}"
    if other_head:
        yield f"the classifier is left as it was: {other_head}"
    for weight, given in resized.items():
        axis, what = (0, "positions") if weight == POSITIONS else (2, "input channels")
        yield f"{given[axis]} {what} to {expected.shapes[weight][axis]}"
    if biases:
        yield f"{biases} bias{'es' * (biases > 1)} of convolutions into batch norm"


def _classifiers(
    found: Recognised, expected: ExpectedWeights, others: Collection[str]
) -> Iterator[Classifier]:
    """The layers of another name that have the shape of a classifier, if there is none of its own.

    Layers beside another network and the layers of a projection are left out: in `fc.0` and `fc.2`,
    one takes what the other gives.
    """
    wanted, layout = expected.shapes.get(CLASSIFIER_KERNEL), found.origin.layout
    if wanted is None or (found.shape(CLASSIFIER_KERNEL) and not found.borrowed_head):
        return
    inside = {found.names[name]: found.checkpoint.shapes[name] for name in others}
    shapes = inside | found.beside
    kernels = {
        layer: layout.keras_shape(CLASSIFIER_KERNEL, shape)
        for name, shape in shapes.items()
        if len(shape) > 1 and name == layout.tensor(layer := layout.split(name)[0], "kernel")
    }
    for layer, kernel in kernels.items():
        bias = shapes.get(layout.tensor(layer, "bias"))
        is_one = kernel[:1] == wanted[:1] and kernel[1:] == bias
        if is_one and not found.is_of_another(layer) and not _is_in_a_row(layer, kernels, layout):
            yield Classifier(layer, kernel[1])


def _is_in_a_row(layer: str, kernels: Mapping[str, TensorShape], layout: Layout) -> bool:
    """Return whether a numbered layer takes what one beside it gives, or gives what it takes."""
    first, number = layout.split(layer)
    beside = (
        kernel
        for name, kernel in kernels.items()
        if name != layer and layout.split(name)[0] == first and number.isdigit()
    )
    inputs, outputs = kernels[layer]
    return any(kernel[0] == outputs or kernel[-1] == inputs for kernel in beside)
