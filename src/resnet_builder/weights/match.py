"""Matching of a checkpoint's tensors and a network's weights. Does not import Keras."""

from collections.abc import Iterable, Iterator, Mapping, Set
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, NamedTuple

from ..common.checks import shortened
from ..config import ResnetConfig
from ..plan.names import CLASSIFIER, FIRST_CONVS, HEAD, LayerName
from ..plan.network import Head, make_plan
from ..presets.networks import PRESETS
from .expected import ExpectedWeights, expected_weights
from .naming import TensorShape, WeightName
from .origins import Origin, is_never_weight
from .recognise import Recognised
from .report import LISTED

CLASSIFIER_KERNEL = (CLASSIFIER, "kernel")


@dataclass(frozen=True)
class Assignment:
    """A weight and its tensor.

    Attributes:
        bias: the bias to subtract, if any.
        epsilon: epsilon of the checkpoint's batch norm; None if it is the network's.
    """

    weight: WeightName
    tensor: str
    shape: TensorShape
    bias: str | None = None
    epsilon: float | None = None


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
        unused: the file's names of the tensors that are left.
        problems: mismatches.
        classifiers: layers that may be the classifier, where there is none of its name.
    """

    assignments: tuple[Assignment, ...]
    left_random: tuple[WeightName, ...]
    adapted: tuple[str, ...]
    unused: tuple[str, ...]
    problems: tuple[Problem, ...]
    classifiers: tuple[Classifier, ...] = ()


def match(
    found: Recognised, expected: ExpectedWeights, *, adapt: bool, keep: bool = False
) -> Match:
    """Compare a checkpoint with the weights that a network needs.

    Args:
        adapt: whether the classifier and the input channels may differ.
        keep: whether weights that the checkpoint lacks are left as they are.
    """
    pair = _Pair(found, expected, adapt, keep)
    return Match(
        assignments=tuple(pair.assignments()),
        left_random=pair.left_random,
        adapted=tuple(pair.adapted()),
        unused=tuple(pair.unused),
        problems=tuple(pair.problems()),
        classifiers=tuple(pair.classifiers()) if CLASSIFIER_KERNEL in pair.lacking else (),
    )


def fitting_presets(found: Recognised, *, include_top: bool) -> dict[bool, list[str]]:
    """The presets that a checkpoint fits, by whether it must be adapted.

    To plan all takes seconds: the others are left out by their blocks, and by the first of them.
    """
    fitting: dict[bool, list[str]] = {False: [], True: []}
    blocks = found.origin.blocks(found.checkpoint.shapes)
    for name, config in PRESETS.items():
        if config.repetitions == blocks and _begins(found, config):
            expected = expected_weights(make_plan(config, Head(include_top=include_top)))
            for adapt in fitting:
                if not any(_Pair(found, expected, adapt).problems()):
                    fitting[adapt].append(name)
                    break
    return fitting


def _begins(found: Recognised, config: ResnetConfig) -> bool:
    """Whether the stem and the first block of a network are in a checkpoint."""
    first: dict[str, Any] = {
        "repetitions": (1,),
        "block": config.stage_blocks[:1],
        "filters": config.stage_filters[:1],
        "widths": config.widths and (config.widths[0][:1],),
    }
    try:
        layers = make_plan(config.replace(**first), Head(include_top=False)).layers
    except ValueError:  # a field has no meaning for a single block
        return True
    shapes = {
        (layer.name, variable): shape
        for layer in layers
        for variable, shape in layer.weights.items()
        if (name := LayerName.parse(layer.name)) and name.place != HEAD
    }
    expected = ExpectedWeights(shapes, stride_in_3x3=None)
    pair = _Pair(found, expected, adapt=True)
    return not any(pair.missing_and_misshapen())


@dataclass(frozen=True)
class _Pair:
    """The arguments of `match`, and the values derived from them."""

    found: Recognised
    expected: ExpectedWeights
    adapt: bool
    keep: bool = False

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
        if kept := [weight for weight in self.left_random if not self._is_head(weight)]:
            layers = list(dict.fromkeys(layer for layer, _ in kept))
            more = ", ..." if len(layers) > 5 else ""
            yield f"left as they were: {len(kept)} weights of {', '.join(layers[:5])}{more}"
        if self._other_head:
            yield f"the classifier is left as it was: {self._other_head}"
        for weight, (_, _, given, _) in self._stems_of_other_channels.items():
            yield f"{given} input channels to {self.expected.shapes[weight][2]}"
        if self._folded_biases:
            count = len(self._folded_biases)
            yield f"{count} bias{'es' * (count > 1)} of convolutions into batch norm"

    def problems(self) -> Iterator[Problem]:
        """The mismatches, in the order of the network, then of the tensors' names."""
        yield from self.missing_and_misshapen()
        yield from self._unexpected()
        if self._other_strides:
            yield Problem("strides", self._other_strides)
        if self.origin.pads_stem_pool and not self.expected.pads_stem_pool:
            words = f"{self.origin.name} pads zeros before its pool, as stem_pool='max_ceil' does"
            yield Problem("stem", words)

    @cached_property
    def left_random(self) -> tuple[WeightName, ...]:
        """Weights that are not loaded."""
        return tuple(
            weight
            for weight in self.expected.shapes
            if (self._other_head and self._is_head(weight))
            or (self.keep and weight in self.lacking)
        )

    @cached_property
    def lacking(self) -> Set[WeightName]:
        """Weights that the checkpoint does not have."""
        return {w for w in self.expected.shapes if self.origin.tensor(w) not in self.checkpoint}

    def _is_head(self, weight: WeightName) -> bool:
        return weight[0] == CLASSIFIER

    @cached_property
    def _wanted(self) -> dict[WeightName, TensorShape]:
        shapes = self.expected.shapes
        return {name: shape for name, shape in shapes.items() if name not in self.left_random}

    def _given(self, weight: WeightName) -> TensorShape | None:
        """The shape of a weight's tensor, in Keras's order of axes."""
        shape = self.checkpoint.get(self.origin.tensor(weight))
        return None if shape is None else self.origin.layout.keras_shape(weight, shape)

    def missing_and_misshapen(self) -> Iterator[Problem]:
        """The problems of the network's own weights."""
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
        tensor = self.origin.tensor
        biases = {
            tensor((norm, "moving_mean")): tensor((conv, "bias"))
            for conv, norm in self.expected.norms.items()
            if (conv, "bias") not in self.expected.shapes
        }
        return {
            mean: bias
            for mean, bias in biases.items()
            if bias in self.checkpoint and self.checkpoint.get(mean) == self.checkpoint[bias]
        }

    @cached_property
    def _other_head(self) -> str:
        """The difference of the checkpoint's classifier in words, if it may differ; else empty."""
        wanted = self.expected.shapes.get(CLASSIFIER_KERNEL)
        if not self.adapt or wanted is None:
            return ""
        kernel, bias = self._given(CLASSIFIER_KERNEL), self._given((CLASSIFIER, "bias"))
        if kernel is None and bias is None:
            return "the checkpoint has none"
        if kernel is None or bias is None:
            return "the checkpoint has another kind"
        fits = kernel[:1] == wanted[:1] and kernel[1:] == bias
        return "other classes" if fits and kernel != wanted else ""

    def classifiers(self) -> Iterator[Classifier]:
        """The layers of another name that have the shape of a classifier."""
        wanted, layout = self.expected.shapes.get(CLASSIFIER_KERNEL), self.origin.layout
        inside = {self.found.names[name]: self.checkpoint[name] for name in self._not_needed}
        others = inside | dict(self.found.beside)
        for name, shape in others.items():
            layer = layout.layer(name)
            bias = others.get(layout.tensor(layer, "bias"))
            if wanted is None or bias is None or name != layout.tensor(layer, "kernel"):
                continue
            kernel = layout.keras_shape(CLASSIFIER_KERNEL, shape) if len(shape) > 1 else ()
            if kernel[:1] == wanted[:1] and kernel[1:] == bias:
                yield Classifier(layer, bias[0])

    @cached_property
    def unused(self) -> tuple[str, ...]:
        """What is left: later stages, heads, tensors beside the network."""
        left = (self.found.names[name] for name in self._not_needed if self._is_left(name))
        beside = (n for n in self._beside if self._leaves_heads or is_never_weight(n))
        return (*sorted(left), *beside)

    def _unexpected(self) -> Iterator[Problem]:
        for tensor in sorted(self._not_needed):
            if not self._is_left(tensor):
                yield Problem("unexpected", f"{tensor} {self.checkpoint[tensor]}")
        for tensor in () if self._leaves_heads else self._beside:
            if not is_never_weight(tensor):
                beside = f", beside {self.found.prefix!r}" if self.found.prefix else ""
                yield Problem("unexpected", f"{tensor} {self.found.beside[tensor]}{beside}")

    @cached_property
    def _leaves_heads(self) -> bool:
        """Whether the network has no classifier, or the checkpoint's own is not used."""
        return bool(self._other_head) or not self.expected.has_classifier

    def _is_left(self, tensor: str) -> bool:
        return self._leaves_heads and not self._inside(tensor)

    def _inside(self, tensor: str) -> bool:
        return self.origin.is_inside(tensor, self.expected.last_stage)

    @cached_property
    def _not_needed(self) -> Set[str]:
        used = {self.origin.tensor(weight) for weight in self._wanted}
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
            f"{places[there]}; the names and shapes do not show it"
        )


def _differ_in_channels(given: TensorShape, shape: TensorShape) -> bool:
    comparable = len(given) == 4 and given[2] > 0 and given[2] != shape[2]
    return comparable and (given[:2], given[3]) == (shape[:2], shape[3])


def does_not_fit(
    matched: Match,
    found: Recognised,
    expected: ExpectedWeights,
    model_name: str,
    adapt_argument: str,
) -> str:
    """List what does not fit, and what would.

    Args:
        adapt_argument: name of the caller's argument for `adapt`.
    """
    after = f", after {found.prefix!r}" if found.prefix else ""
    lines = [
        f"cannot load {found.checkpoint.name} (named as in {found.origin.name}{after}) into "
        f"{model_name!r}:"
    ]
    adapted = match(found, expected, adapt=True)
    # The settings tell nothing more where the weights are those of another network.
    problems = [of for of in matched.problems if of.kind != "setting" or not adapted.problems]
    lines += _problem_lines(problems)
    kinds = {problem.kind for problem in problems}
    if "setting" in kinds:
        lines.append(
            "A dict of the arrays alone, or a .weights.h5, loads whatever the layers compute."
        )
    else:
        lines += _what_would_fit(matched, adapted, found, expected, adapt_argument, kinds)
    return "\n".join(lines)


def _what_would_fit(
    matched: Match,
    adapted: Match,
    found: Recognised,
    expected: ExpectedWeights,
    adapt_argument: str,
    kinds: set[str],
) -> Iterator[str]:
    include_top = expected.has_classifier
    if include_top and found.checkpoint.without_head:
        yield found.checkpoint.without_head
    if not match(replace(found, beside={}), expected, adapt=False).problems:
        yield "Without these tensors it fits: leave them out with load_weights(..., skip=)."
    elif matched.classifiers and not _body_problems(found, expected):
        yield _rename(matched.classifiers, found, expected)
    elif not adapted.problems:
        yield f"With {adapt_argument}=True it fits: {', '.join(adapted.adapted)}."
        if adapted.left_random and not _body_problems(found, expected):
            yield "It fits the network without its classifier (include_top=False)."
    else:
        presets = fitting_presets(found, include_top=include_top)
        if kinds == {"strides"} and len(presets[False]) != 1:
            strides = found.origin.stride_in_3x3
            yield f"It fits the network with stride_in_3x3={strides} in ResnetBuilder.from_preset."
        elif presets[False]:
            yield f"It fits {' or '.join(presets[False])}."
        elif presets[True]:
            yield f"With {adapt_argument}=True it fits {' or '.join(presets[True])}."


def _rename(
    classifiers: tuple[Classifier, ...], found: Recognised, expected: ExpectedWeights
) -> str:
    """How to name the layer that may be the classifier."""
    classes = expected.shapes[CLASSIFIER, "kernel"][1]
    same = [of for of in classifiers if of.classes == classes] or classifiers
    name = found.prefix + found.origin.layer(CLASSIFIER)
    calls = [
        f"load_weights(model, ..., rename={{{of.layer!r}: {name!r}}})"
        + (f" with classes={of.classes}" if of.classes != classes else "")
        for of in same[:5]
    ]
    layers = " and ".join(repr(of.layer) for of in same[:5])
    have = "has" if len(same) == 1 else "have"
    return (
        f"Its {layers} {have} the shape of a classifier: build the model, and {' or '.join(calls)}."
    )


def _body_problems(found: Recognised, expected: ExpectedWeights) -> tuple[Problem, ...]:
    """The problems of the network without its classifier."""
    shapes = {weight: shape for weight, shape in expected.shapes.items() if weight[0] != CLASSIFIER}
    return match(found, replace(expected, shapes=shapes), adapt=False).problems


def _problem_lines(problems: Iterable[Problem]) -> Iterator[str]:
    """A line for each problem, and the number of those of a kind beyond `LISTED`."""
    of_kind: dict[str, list[str]] = {}
    for kind, words in problems:
        of_kind.setdefault(kind, []).append(f"{kind}: {shortened(words)}")
    for kind, lines in of_kind.items():
        yield from lines[:LISTED]
        if len(lines) > LISTED:
            yield f"{kind}: {len(lines) - LISTED} more"
