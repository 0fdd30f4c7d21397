"""Which tensor of a checkpoint goes into which weight, and what does not fit. No Keras."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from math import prod

from ..plan.network import make_plan
from ..presets import PRESETS
from .networks import Network, Shape, network_of
from .origins import Origin, WeightName

HEAD = "predictions"
STEMS = ("stem_conv", "stem_conv1")


@dataclass(frozen=True)
class Pair:
    """A weight and the tensor that goes into it, and perhaps the bias that is subtracted."""

    weight: WeightName
    tensor: str
    shape: Shape
    bias: str | None = None


@dataclass
class Matching:
    """A checkpoint of an origin against a network: what goes where, and what does not fit.

    Attributes:
        checkpoint: the shapes of its tensors, in the origin's own order of axes.
        adapt: whether the classifier, the input channels and the place of the strides may differ.
    """

    origin: Origin
    network: Network
    checkpoint: Mapping[str, Shape]
    adapt: bool
    pairs: list[Pair] = field(default_factory=list)
    left_random: list[WeightName] = field(default_factory=list)
    adapted: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        folded = self._folded_biases()
        head = [weight for weight in self.network.weights if weight[0] == HEAD]
        other_head = self.adapt and self._other_head()
        if other_head:
            self.left_random += head
            self.adapted.append(f"the classifier is left as it was: {other_head}")
        for weight in self.network.weights:
            if weight not in self.left_random:
                self._pair(weight, folded)
        self._unexpected(set(folded.values()))
        self._strides()
        if folded:
            self.adapted.append(f"{len(folded)} biases of convolutions into batch norm")

    def _pair(self, weight: WeightName, folded: Mapping[str, str]) -> None:
        tensor, shape = self.origin.tensor(weight), self.network.weights[weight]
        if tensor not in self.checkpoint:
            self.problems.append(f"missing: {tensor}, for {'/'.join(weight)} {shape}")
            return
        given = as_here(self.checkpoint[tensor], weight, self.origin)
        if self.adapt and weight[0] in STEMS and _differ_in_channels(given, shape):
            self.adapted.append(f"{given[2]} input channels to {shape[2]}")
        elif given != shape:
            self.problems.append(
                f"shape: {tensor} {self.checkpoint[tensor]} is {given} here, and "
                f"{'/'.join(weight)} is {shape}"
            )
        self.pairs.append(Pair(weight, tensor, shape, folded.get(tensor)))

    def _folded_biases(self) -> dict[str, str]:
        """Biases of convolutions that have none here, by the mean that they go into."""
        if not self.origin.folds_biases:
            return {}
        biases = {}
        for layer, variable in self.network.weights:
            conv = layer.replace("_bn", "_conv")
            if variable == "moving_mean" and (conv, "bias") not in self.network.weights:
                bias = self.origin.tensor((conv, "bias"))
                if bias in self.checkpoint:
                    biases[self.origin.tensor((layer, variable))] = bias
        return {
            mean: bias
            for mean, bias in biases.items()
            if self.checkpoint.get(mean) == self.checkpoint[bias]
        }

    def _other_head(self) -> str:
        """In which way the checkpoint's classifier is not ours, where that may be."""
        kernel, bias = (
            self.checkpoint.get(self.origin.tensor((HEAD, variable)))
            for variable in ("kernel", "bias")
        )
        if kernel is None and bias is None:
            return "the checkpoint has none"
        ours = self.network.weights.get((HEAD, "kernel"))
        if kernel is None or bias is None or ours is None:
            return ""
        given = as_here(kernel, (HEAD, "kernel"), self.origin)
        fits = given[:1] == ours[:1] and given[1:] == bias
        return "other classes" if fits and given != ours else ""

    def _unexpected(self, folded: set[str]) -> None:
        used = {self.origin.tensor(weight) for weight in self.network.weights} | folded
        stages = [re.match(r"stage(\d+)_", layer) for layer, _ in self.network.weights]
        last = max((int(stage[1]) for stage in stages if stage), default=0)
        has_head = any(layer == HEAD for layer, _ in self.network.weights)
        for tensor in sorted(set(self.checkpoint) - used):
            follows = not has_head and self.origin.follows(tensor, last)
            if not follows and not re.fullmatch(self.origin.ignored, tensor):
                self.problems.append(f"unexpected: {tensor} {self.checkpoint[tensor]}")

    def _strides(self) -> None:
        here, there = self.network.stride_in_3x3, self.origin.stride_in_3x3
        if here is None or there is None or here == there:
            return
        places = {True: "3x3 convolution", False: "first 1x1 convolution"}
        line = f"bottlenecks stride in their {places[here]}, and in {self.origin.name} in the "
        (self.adapted if self.adapt else self.problems).append(f"{line}{places[there]}")


def _differ_in_channels(given: Shape, shape: Shape) -> bool:
    comparable = len(given) == 4 and given[2] > 0 and given[2] != shape[2]
    return comparable and (given[:2], given[3]) == (shape[:2], shape[3])


def as_here(shape: Shape, weight: WeightName, origin: Origin) -> Shape:
    """A tensor's shape in Keras's order: (out, in, rows, columns) -> (rows, columns, in, out)."""
    if not origin.is_torch or weight[1] != "kernel" or len(shape) < 2:
        return shape
    if weight[0] == HEAD:
        # Some classifiers are 1x1 convolutions.
        return (prod(shape[1:]), shape[0])
    return (*shape[2:], shape[1], shape[0]) if len(shape) == 4 else shape


def fitting_presets(origin: Origin, checkpoint: Mapping[str, Shape], *, adapt: bool) -> list[str]:
    """The presets whose weights a checkpoint has."""
    return [
        name
        for name, config in PRESETS.items()
        if not Matching(origin, network_of(make_plan(config)), checkpoint, adapt).problems
    ]
