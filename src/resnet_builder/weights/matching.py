"""Matching of a checkpoint's tensors and a network's weights. Does not import Keras."""

from collections.abc import Iterator, Mapping, Set
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

from ..plan.names import LayerName
from ..plan.network import Head, make_plan
from ..presets.networks import PRESETS
from .expected import ExpectedWeights, expected_weights
from .layouts import TensorShape
from .library_names import Origin
from .names import CLASSIFIER, FIRST_CONVS, WeightName
from .recognising import Recognised


@dataclass(frozen=True)
class Assignment:
    """A weight and its tensor, and the bias to subtract, if any."""

    weight: WeightName
    tensor: str
    shape: TensorShape
    bias: str | None = None


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
        unused: the file's names of the tensors that a network without a classifier leaves.
        problems: mismatches.
    """

    assignments: tuple[Assignment, ...]
    left_random: tuple[WeightName, ...]
    adapted: tuple[str, ...]
    unused: tuple[str, ...]
    problems: tuple[Problem, ...]


def match(found: Recognised, expected: ExpectedWeights, *, adapt: bool) -> Match:
    """Compare a checkpoint with the weights that a network needs.

    Args:
        adapt: whether the classifier and the input channels may differ.
    """
    pair = _Pair(found, expected, adapt)
    return Match(
        assignments=tuple(pair.assignments()),
        left_random=pair.left_random,
        adapted=tuple(pair.adapted()),
        unused=tuple(pair.unused),
        problems=tuple(pair.problems()),
    )


def fitting_presets(found: Recognised, *, adapt: bool, include_top: bool) -> list[str]:
    """The presets that a checkpoint fits, with or without their classifier."""
    head = Head(include_top=include_top)
    plans = ((name, make_plan(config, head)) for name, config in PRESETS.items())
    pairs = ((name, _Pair(found, expected_weights(plan), adapt)) for name, plan in plans)
    return [name for name, pair in pairs if not any(pair.problems())]


@dataclass(frozen=True)
class _Pair:
    """The arguments of `match`, and the values derived from them."""

    found: Recognised
    expected: ExpectedWeights
    adapt: bool

    @property
    def origin(self) -> Origin:
        return self.found.origin

    @property
    def checkpoint(self) -> Mapping[str, TensorShape]:
        """Shapes by name, in the origin's own order of axes."""
        return self.found.checkpoint.shapes

    def assignments(self) -> Iterator[Assignment]:
        """The tensors present in the checkpoint, also misshapen ones."""
        for weight, shape in self._wanted.items():
            tensor = self.origin.tensor(weight)
            if tensor in self.checkpoint:
                yield Assignment(weight, tensor, shape, self._folded_biases.get(tensor))

    def adapted(self) -> Iterator[str]:
        """The adaptations of the checkpoint, in words."""
        if self._other_head:
            yield f"the classifier is left as it was: {self._other_head}"
        for weight, (_, _, given, _) in self._stems_of_other_channels.items():
            yield f"{given} input channels to {self.expected.shapes[weight][2]}"
        if self._folded_biases:
            yield f"{len(self._folded_biases)} biases of convolutions into batch norm"

    def problems(self) -> Iterator[Problem]:
        """The mismatches, in the order of the network, then of the tensors' names."""
        yield from self._missing_and_misshapen()
        yield from self._unexpected()
        if self._other_strides:
            yield Problem("strides", self._other_strides)
        if self.origin.pads_stem_pool and not self.expected.pads_stem_pool:
            words = f"{self.origin.name} pads zeros before its pool, as stem_pool='max_ceil' does"
            yield Problem("stem", words)

    @cached_property
    def left_random(self) -> tuple[WeightName, ...]:
        """Weights that are not loaded."""
        head = (weight for weight in self.expected.shapes if weight[0] == CLASSIFIER)
        return tuple(head) if self._other_head else ()

    @cached_property
    def _wanted(self) -> dict[WeightName, TensorShape]:
        shapes = self.expected.shapes
        return {name: shape for name, shape in shapes.items() if name not in self.left_random}

    def _given(self, weight: WeightName) -> TensorShape | None:
        """The shape of a weight's tensor, in Keras's order of axes."""
        shape = self.checkpoint.get(self.origin.tensor(weight))
        return None if shape is None else self.origin.layout.keras_shape(weight, shape)

    def _missing_and_misshapen(self) -> Iterator[Problem]:
        for weight, shape in self._wanted.items():
            tensor, given = self.origin.tensor(weight), self._given(weight)
            if given is None:
                yield Problem("missing", f"{tensor}, for {'/'.join(weight)} {shape}")
            elif given != shape and weight not in self._stems_of_other_channels:
                yield Problem(
                    "shape",
                    f"{tensor} {self.checkpoint[tensor]} is {given} here, and "
                    f"{'/'.join(weight)} is {shape}",
                )

    @cached_property
    def _stems_of_other_channels(self) -> dict[WeightName, TensorShape]:
        """First convolutions that can be adapted to the input's channels: the given shapes."""
        kernels = ((stem, "kernel") for stem in FIRST_CONVS if self.adapt)
        given = {kernel: self._given(kernel) for kernel in kernels if kernel in self._wanted}
        return {
            kernel: shape
            for kernel, shape in given.items()
            if shape and _differ_in_channels(shape, self._wanted[kernel])
        }

    @cached_property
    def _folded_biases(self) -> dict[str, str]:
        """Biases of convolutions without bias here, by the mean that they are folded into."""
        if not self.origin.folds_biases:
            return {}
        weights, tensor = self.expected.shapes, self.origin.tensor
        biases = {
            tensor((layer, variable)): tensor((conv, "bias"))
            for layer, variable in weights
            if variable == "moving_mean"
            and (name := LayerName.parse(layer))
            and (conv := str(name.companion("conv")), "bias") not in weights
        }
        return {
            mean: bias
            for mean, bias in biases.items()
            if bias in self.checkpoint and self.checkpoint.get(mean) == self.checkpoint[bias]
        }

    @cached_property
    def _other_head(self) -> str:
        """The difference of the checkpoint's classifier in words, if it may differ; else empty."""
        wanted = self.expected.shapes.get((CLASSIFIER, "kernel"))
        if not self.adapt or wanted is None:
            return ""
        kernel, bias = self._given((CLASSIFIER, "kernel")), self._given((CLASSIFIER, "bias"))
        if kernel is None and bias is None:
            return "the checkpoint has none"
        if kernel is None or bias is None:
            return ""
        fits = kernel[:1] == wanted[:1] and kernel[1:] == bias
        return "other classes" if fits and kernel != wanted else ""

    @cached_property
    def unused(self) -> tuple[str, ...]:
        """What a network without a classifier leaves: later stages, heads, tensors beside it."""
        if self.expected.has_classifier:
            return ()
        after = (self.found.prefix + name for name in self._not_needed if not self._inside(name))
        return (*sorted(after), *self._beside)

    def _unexpected(self) -> Iterator[Problem]:
        for tensor in sorted(self._not_needed):
            if self.expected.has_classifier or self._inside(tensor):
                yield Problem("unexpected", f"{tensor} {self.checkpoint[tensor]}")
        for tensor in self._beside if self.expected.has_classifier else ():
            words = f"{tensor} {self.found.beside[tensor]}, beside {self.found.prefix!r}"
            yield Problem("unexpected", words)

    def _inside(self, tensor: str) -> bool:
        return self.origin.is_inside(tensor, self.expected.last_stage)

    @cached_property
    def _not_needed(self) -> Set[str]:
        used = {self.origin.tensor(weight) for weight in self.expected.shapes}
        used.update(self._folded_biases.values())
        return {name for name in self.checkpoint.keys() - used if not self.origin.is_ignored(name)}

    @cached_property
    def _beside(self) -> tuple[str, ...]:
        return tuple(sorted(n for n in self.found.beside if not self.origin.is_ignored(n)))

    @cached_property
    def _other_strides(self) -> str:
        here, there = self.expected.stride_in_3x3, self.origin.stride_in_3x3
        if here is None or there is None or here == there:
            return ""
        places = {True: "3x3 convolution", False: "first 1x1 convolution"}
        return (
            f"bottlenecks stride in their {places[here]}, and in {self.origin.name} in the "
            f"{places[there]}"
        )


def _differ_in_channels(given: TensorShape, shape: TensorShape) -> bool:
    comparable = len(given) == 4 and given[2] > 0 and given[2] != shape[2]
    return comparable and (given[:2], given[3]) == (shape[:2], shape[3])
