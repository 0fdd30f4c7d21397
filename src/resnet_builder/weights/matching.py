"""Which tensor of a checkpoint goes into which weight, and what does not fit. No Keras."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from math import prod

import numpy as np

from ..plan import BnRelu, Classifier, Conv, Plan, SqueezeExcite
from ..planner import make_plan
from ..presets import PRESETS
from .checkpoints import Array, Checkpoint
from .origins import Origin, WeightName

Shape = tuple[int, ...]
HEAD = "predictions"
FLOATS = ("float16", "bfloat16", "float32", "float64")


@dataclass(frozen=True)
class Match:
    """A weight, the tensor that it is made of, and what is done to that."""

    weight: WeightName
    tensor: str
    shape: Shape
    adapted_channels: bool = False


@dataclass
class Matching:
    """What goes where, and what does not fit."""

    matches: list[Match] = field(default_factory=list)
    biases: dict[str, str] = field(default_factory=dict)  # of a moving mean's tensor
    left_random: list[WeightName] = field(default_factory=list)
    adapted: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)


def match(
    origin: Origin,
    weights: Mapping[WeightName, Shape],
    checkpoint: Mapping[str, Shape],
    *,
    adapt: bool,
) -> Matching:
    """Match a network's weights with a checkpoint's tensors.

    With `adapt`, a classifier of another size stays as it is, and the stem's kernel is adapted to
    another number of input channels.
    """
    found = Matching()
    unused = {name for name in checkpoint if not re.fullmatch(origin.ignored, name)}
    for weight, shape in weights.items():
        tensor = origin.tensor(weight)
        if tensor not in checkpoint:
            found.problems.append(f"missing: {tensor}, for {'/'.join(weight)} {shape}")
            continue
        unused.discard(tensor)
        given = as_here(checkpoint[tensor], weight, origin)
        if given == shape:
            found.matches.append(Match(weight, tensor, shape))
        elif adapt and weight[0] == HEAD:
            found.left_random.append(weight)
        elif adapt and _differ_in_channels(weight, given, shape):
            found.matches.append(Match(weight, tensor, shape, adapted_channels=True))
            found.adapted.append(f"{given[2]} input channels to {shape[2]}")
        else:
            found.problems.append(
                f"shape: {tensor} {checkpoint[tensor]} is {given} here, and {'/'.join(weight)} is "
                f"{shape}"
            )
    for tensor in sorted(unused):
        mean = tensor.replace("_conv/bias", "_bn/moving_mean")
        if not origin.is_torch and mean != tensor and mean in checkpoint:
            found.biases[mean] = tensor
        else:
            found.problems.append(f"unexpected: {tensor} {checkpoint[tensor]}")
    if found.biases:
        found.adapted.append(f"{len(found.biases)} biases of convolutions into batch norm")
    if found.left_random:
        found.adapted.append("the classifier is left as it was: other classes")
    return found


def _differ_in_channels(weight: WeightName, given: Shape, shape: Shape) -> bool:
    opens = weight[0] in ("stem_conv", "stem_conv1")
    return opens and len(given) == 4 and (given[:2], given[3]) == (shape[:2], shape[3])


def as_here(shape: Shape, weight: WeightName, origin: Origin) -> Shape:
    """The shape of a tensor in Keras's order of axes."""
    if not origin.is_torch or weight[1] != "kernel":
        return shape
    if weight[0] == HEAD:
        # Some classifiers are 1x1 convolutions.
        return (prod(shape[1:]), shape[0])
    return (*shape[2:], shape[1], shape[0]) if len(shape) == 4 else shape


def value(checkpoint: Checkpoint, found: Matching, match: Match, origin: Origin) -> Array:
    """What a weight becomes, in float32 or the checkpoint's own wider dtype."""
    array = _finite(checkpoint, match.tensor)
    layer, variable = match.weight
    if variable == "kernel" and origin.is_torch:
        array = array.reshape(len(array), -1).T if layer == HEAD else array.transpose(2, 3, 1, 0)
    if match.adapted_channels:
        array = _adapt_channels(array, match.shape[2])
    if match.tensor in found.biases:
        # gamma * (x + bias - mean) / ... is a batch norm of x alone, whose mean is less the bias.
        array = array - _finite(checkpoint, found.biases[match.tensor])
    return array


def _finite(checkpoint: Checkpoint, name: str) -> Array:
    array = checkpoint.read(name)
    if array.dtype.name not in FLOATS:
        raise ValueError(f"cannot load {checkpoint.name}: {name} is {array.dtype}, not floats")
    if array.dtype.itemsize < 4:
        array = array.astype(np.float32)
    if not np.isfinite(array).all():
        raise ValueError(f"cannot load {checkpoint.name}: {name} has values that are not finite")
    return array


def _adapt_channels(kernel: Array, channels: int) -> Array:
    """A stem for another number of channels, as timm makes it (models/_manipulate.py).

    One channel sees the sum; others repeat what is there, rescaled to keep the size of the output.
    """
    given = kernel.shape[2]
    if channels == 1:
        summed: Array = kernel.sum(axis=2, keepdims=True)
        return summed
    repeated = np.tile(kernel, (1, 1, -(-channels // given), 1))[:, :, :channels]
    return repeated * np.float32(given / channels)


# Presets ----------------------------------------------------------------------------------------


def fitting_presets(origin: Origin, checkpoint: Mapping[str, Shape]) -> list[str]:
    """The presets whose weights a checkpoint has, whatever the number of classes."""
    return [
        name
        for name, config in PRESETS.items()
        if not match(origin, weights_of(make_plan(config)), checkpoint, adapt=True).problems
    ]


def weights_of(plan: Plan) -> dict[WeightName, Shape]:
    """The names and shapes of a network's weights."""
    weights: dict[WeightName, Shape] = {}

    def batch_norm(layer: str, channels: int) -> None:
        for variable in ("gamma", "beta", "moving_mean", "moving_variance"):
            weights[layer, variable] = (channels,)

    for part in plan.parts:
        channels = part.input_shape[2]
        match part:
            case Conv():
                size, filters = (part.kernel_size,) * 2, part.filters
                weights[part.name, "kernel"] = (*size, channels // part.groups, filters)
                if part.use_bias:
                    weights[part.name, "bias"] = (filters,)
                if part.unit != "conv":
                    before = part.unit == "bn_relu_conv"
                    batch_norm(part.companion("bn"), channels if before else filters)
            case BnRelu():
                batch_norm(part.name, channels)
            case SqueezeExcite():
                for layer, shape in (
                    ("reduce", (channels, part.reduced)),
                    ("expand", (part.reduced, channels)),
                ):
                    weights[f"{part.name}_{layer}", "kernel"] = (1, 1, *shape)
                    weights[f"{part.name}_{layer}", "bias"] = shape[1:]
            case Classifier():
                weights[part.name, "kernel"] = (channels, part.classes)
                weights[part.name, "bias"] = (part.classes,)
    return weights
