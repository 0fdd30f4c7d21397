"""The weights that a network needs from a checkpoint. Does not import Keras."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

from ..plan.layers import Conv
from ..plan.names import LayerName, Place
from ..plan.network import Plan
from .layouts import TensorShape
from .names import CLASSIFIER, WeightName


@dataclass(frozen=True)
class ExpectedWeights:
    """The weights that a network needs from a checkpoint.

    Attributes:
        shapes: shapes by name, kernels as (rows, columns, in, out) or (features, classes).
        stride_in_3x3: whether its bottlenecks halve the size in or after their 3x3 convolution, and
            not before it, which the shapes do not show; None if no bottleneck halves it.
        pads_stem_pool: whether zeros are padded before the stem's pool.
    """

    shapes: Mapping[WeightName, TensorShape]
    stride_in_3x3: bool | None
    pads_stem_pool: bool = False

    @cached_property
    def has_classifier(self) -> bool:
        """Whether the network has its classifier."""
        return any(layer == CLASSIFIER for layer, _ in self.shapes)

    @cached_property
    def last_stage(self) -> int:
        """The number of the last stage; 0 for a stem alone."""
        read = map(LayerName.parse, {layer for layer, _ in self.shapes})
        return max((name.place.stage for name in read if name), default=0)


def expected_weights(plan: Plan) -> ExpectedWeights:
    """The weights of a plan's network."""
    shapes = {
        (layer.name, variable): shape
        for layer in plan.layers
        for variable, shape in layer.weights.items()
    }
    strides = {layer.name: layer.strides for layer in plan.layers if isinstance(layer, Conv)}
    pads_stem_pool = any(layer.name == STEM_POOL_PAD for layer in plan.layers)
    return ExpectedWeights(shapes, stride_in_3x3(strides), pads_stem_pool)


STEM_POOL_PAD = "stem_pool_pad"


def stride_in_3x3(strides: Mapping[str, tuple[int, int]]) -> bool | None:
    """Compute `ExpectedWeights.stride_in_3x3` from the strides of the convolutions by name."""
    blocks: dict[Place, dict[str, tuple[int, int]]] = {}
    for name, of_conv in strides.items():
        if (read := LayerName.parse(name)) and read.place.block:
            blocks.setdefault(read.place, {})[read.role] = of_conv
    for convs in blocks.values():
        is_bottleneck = {"conv1", "conv2", "conv3"} <= convs.keys()
        # Of an anti-aliased block, only the projection strides: a pool follows its 3x3 convolution.
        if is_bottleneck and any(max(strides) > 1 for strides in convs.values()):
            return max(convs["conv1"]) == 1
    return None
