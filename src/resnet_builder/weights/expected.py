"""The weights that a network needs from a checkpoint, read from its plan."""

from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, NamedTuple

from ..config import ORIGINAL, ResnetConfig, obeyed
from ..plan.layers import BatchNorm, Conv
from ..plan.names import LayerName, Place
from ..plan.network import Plan
from .naming import CLASSIFIER, TensorShape, WeightName


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


def expected_weights(plan: Plan, built: Container[str] | None = None) -> ExpectedWeights:
    """The weights of a plan's network.

    Args:
        built: names of the layers that a model has of it. Default: all.
    """
    layers = [layer for layer in plan.layers if built is None or layer.name in built]
    return expected_of(
        {(of.name, variable): shape for of in layers for variable, shape in of.weights.items()},
        [
            LayerFacts(
                layer.name,
                layer.inputs,
                strides=layer.strides if isinstance(layer, Conv) else None,
                is_norm=isinstance(layer, BatchNorm),
            )
            for layer in layers
        ],
        is_original=is_original(plan.config),
    )


class LayerFacts(NamedTuple):
    """What is read of a layer, planned or built.

    Attributes:
        name: name without the `layer_prefix`.
        inputs: names of the layers before it.
        strides: strides of a convolution with weights; None for other layers.
        is_norm: whether it is a batch norm.
    """

    name: str
    inputs: Sequence[str]
    strides: tuple[int, int] | None
    is_norm: bool


def expected_of(
    shapes: Mapping[WeightName, TensorShape], layers: Sequence[LayerFacts], *, is_original: bool
) -> ExpectedWeights:
    """The weights of a network with given layers; `shapes` are those of `ExpectedWeights`."""
    return ExpectedWeights(
        shapes,
        _stride_in_3x3({of.name: of.strides for of in layers if of.strides}),
        any(of.name == STEM_POOL_PAD for of in layers),
        _norms_after(layers),
        is_original,
    )


STEM_POOL_PAD = "stem_pool_pad"


def _stride_in_3x3(strides: Mapping[str, tuple[int, int]]) -> bool | None:
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


def _norms_after(layers: Sequence[LayerFacts]) -> dict[str, str]:
    """Compute `ExpectedWeights.norms`."""
    after: dict[str, list[LayerFacts]] = {}
    for layer in layers:
        for source in layer.inputs:
            after.setdefault(source, []).append(layer)
    convs = [layer.name for layer in layers if layer.strides]
    followers = {conv: after.get(conv, []) for conv in convs}
    return {conv: of[0].name for conv, of in followers.items() if len(of) == 1 and of[0].is_norm}


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
