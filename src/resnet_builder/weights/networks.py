"""A network's weights by name and shape, read from its plan. No Keras."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from ..plan.layers import Conv
from ..plan.network import Plan
from .origins import WeightName

Shape = tuple[int, ...]


@dataclass(frozen=True)
class Network:
    """What a checkpoint has to fit.

    Attributes:
        weights: shapes by name, kernels as (rows, columns, in, out) or (features, classes).
        stride_in_3x3: whether its bottlenecks halve the size in their 3x3 convolution, which no
            shape tells; None where no bottleneck does.
    """

    weights: Mapping[WeightName, Shape]
    stride_in_3x3: bool | None


def network_of(plan: Plan) -> Network:
    """What a plan's network wants of a checkpoint."""
    weights = {
        (layer.name, variable): shape
        for layer in plan.layers
        for variable, shape in layer.weights.items()
    }
    strides = {layer.name: layer.strides for layer in plan.layers if isinstance(layer, Conv)}
    return Network(weights, stride_in_3x3(strides))


def stride_in_3x3(strides: Mapping[str, tuple[int, int]]) -> bool | None:
    """`Network.stride_in_3x3`, from the strides of the convolutions by their names."""
    for name, first in strides.items():
        block = re.fullmatch(r"(stage\d+_block1_)conv1", name)
        if block and f"{block[1]}conv3" in strides:
            second = strides[f"{block[1]}conv2"]
            if first != second:
                return max(second) > 1
    return None
