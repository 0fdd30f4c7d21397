"""The weights that a network wants of a checkpoint. No Keras."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from ..plan import BnRelu, Classifier, Conv, Part, Plan, SqueezeExcite
from .layouts import Shape
from .names import WeightName


@dataclass(frozen=True)
class ExpectedWeights:
    """The weights that a network wants of a checkpoint.

    Attributes:
        shapes: by name, kernels as (rows, columns, in, out) or (features, classes).
        stride_in_3x3: whether its bottlenecks halve the size in their 3x3 convolution, which no
            shape tells; None where no bottleneck does.
    """

    shapes: Mapping[WeightName, Shape]
    stride_in_3x3: bool | None


def expected_weights(plan: Plan) -> ExpectedWeights:
    """The weights of a plan's network."""
    shapes = {name: shape for part in plan.parts for name, shape in _weights(part).items()}
    strides = {part.name: part.strides for part in plan.parts if isinstance(part, Conv)}
    return ExpectedWeights(shapes, stride_in_3x3(strides))


def stride_in_3x3(strides: Mapping[str, tuple[int, int]]) -> bool | None:
    """`ExpectedWeights.stride_in_3x3`, from the strides of the convolutions by their names."""
    for name, first in strides.items():
        block = re.fullmatch(r"(stage\d+_block1_)conv1", name)
        if block and f"{block[1]}conv3" in strides:
            second = strides[f"{block[1]}conv2"]
            if first != second:
                return max(second) > 1
    return None


def _weights(part: Part) -> dict[WeightName, Shape]:
    channels = part.input_shape[2]
    match part:
        case Conv():
            return _conv(part, channels)
        case BnRelu():
            return _batch_norm(part.name, channels)
        case SqueezeExcite():
            reduce = _dense(f"{part.name}_reduce", (1, 1, channels, part.reduced))
            return reduce | _dense(f"{part.name}_expand", (1, 1, part.reduced, channels))
        case Classifier():
            return _dense(part.name, (channels, part.classes))
        case _:
            return {}


def _conv(conv: Conv, channels: int) -> dict[WeightName, Shape]:
    kernel = (conv.kernel_size, conv.kernel_size, channels // conv.groups, conv.filters)
    weights = _dense(conv.name, kernel)
    if not conv.use_bias:
        del weights[conv.name, "bias"]
    if conv.unit == "conv":
        return weights
    normalised = channels if conv.unit == "bn_relu_conv" else conv.filters
    return weights | _batch_norm(conv.companion("bn"), normalised)


def _dense(layer: str, kernel: Shape) -> dict[WeightName, Shape]:
    return {(layer, "kernel"): kernel, (layer, "bias"): kernel[-1:]}


def _batch_norm(layer: str, channels: int) -> dict[WeightName, Shape]:
    variables = ("gamma", "beta", "moving_mean", "moving_variance")
    return {(layer, variable): (channels,) for variable in variables}
