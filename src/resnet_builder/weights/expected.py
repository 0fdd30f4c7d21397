"""The weights that a network needs from a checkpoint."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from ..config import ORIGINAL, ResnetConfig, obeyed
from ..plan.layers import BatchNorm, Conv
from ..plan.names import CLASSIFIER, STEM, At, LayerName, Place
from ..plan.network import Plan
from .naming import TensorShape, WeightName


@dataclass(frozen=True)
class ExpectedWeights:
    """The weights that a network needs from a checkpoint.

    Attributes:
        shapes: shapes by name, kernels as (rows, columns, in, out) or (features, classes).
        stride_in_3x3: whether its bottlenecks halve the size in or after their 3x3 convolution, and
            not before it, which the shapes do not show; None if no bottleneck halves it.
        pads_stem_pool: whether zeros are padded before the stem's pool.
        norms: convolutions, and the batch norms that come directly after them and nothing else.
        is_original: whether it is a network of the article's original code.
    """

    shapes: Mapping[WeightName, TensorShape]
    stride_in_3x3: bool | None
    pads_stem_pool: bool = False
    norms: Mapping[str, str] = field(default_factory=dict)
    is_original: bool = False

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
    inputs = [(layer.name, name) for layer in plan.layers for name in layer.inputs]
    of_norms = {layer.name for layer in plan.layers if isinstance(layer, BatchNorm)}
    return ExpectedWeights(
        shapes,
        stride_in_3x3(strides),
        pads_stem_pool,
        norms_after(inputs, strides, of_norms),
        is_original(plan.config),
    )


STEM_POOL_PAD = At(STEM)("pool", "pad")


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


def norms_after(
    inputs: Iterable[tuple[str, str]], convolutions: Collection[str], norms: Collection[str]
) -> dict[str, str]:
    """Compute `ExpectedWeights.norms`.

    Args:
        inputs: pairs of a layer and one of its inputs.
    """
    after: dict[str, list[str]] = {}
    for layer, source in inputs:
        after.setdefault(source, []).append(layer)
    return {
        conv: norm
        for conv in convolutions
        for norm in after.get(conv, ())[:1]
        if norm in norms and len(after[conv]) == 1
    }


# Fields that differ among the original's networks, and that only matter in training.
_FREE = (
    *("block", "repetitions", "filters", "input_shape", "classes", "drop_path_rate"),
    *("kernel_initializer", "classifier_initializer", "weight_decay", "batch_norm_momentum"),
    "zero_init_last",
)


def is_original(config: ResnetConfig) -> bool:
    """Whether a network is one of the article's original code."""
    fields: Any = {**ORIGINAL, **{field: getattr(config, field) for field in _FREE}}
    return config == obeyed(ResnetConfig(**fields))
