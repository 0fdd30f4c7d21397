"""The weights that a network needs from a checkpoint, read from its plan."""

from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple

from ..config import BESIDE, ORIGINAL, ResnetConfig, obeyed
from ..plan.layers import BatchNorm, Conv
from ..plan.names import CLASSIFIERS, STEM, At, LayerName, Place, is_of_task, own_name
from ..plan.network import Plan
from .naming import OF_POOL, TensorShape, WeightName

if TYPE_CHECKING:
    import keras

STEM_PAD, STEM_POOL_PAD = At(STEM)("conv", "pad"), At(STEM)("pool", "pad")


class LayerFacts(NamedTuple):
    """What is read of a layer, planned or built.

    Attributes:
        name: name without the `layer_prefix`.
        inputs: names of the layers before it.
        weights: shapes of its weights: kernels as (rows, columns, in, out) or (features, classes).
        strides: strides of a convolution with weights; None for other layers.
        is_norm: whether it is a batch norm.
    """

    name: str
    inputs: Sequence[str]
    weights: Mapping[str, TensorShape]
    strides: tuple[int, int] | None
    is_norm: bool


@dataclass(frozen=True)
class ExpectedWeights:
    """The weights that a network needs from a checkpoint.

    Attributes:
        layers: its layers, in their order.
        is_original: whether it is a network of the article's original code.
    """

    layers: Sequence[LayerFacts]
    is_original: bool

    @property
    def body(self) -> "ExpectedWeights":
        """Those of the network without its classifier."""
        return replace(
            self, layers=[layer for layer in self.layers if layer.name not in CLASSIFIERS]
        )

    @property
    def encoder(self) -> "ExpectedWeights":
        """Those of the network without the layers of a task around it."""
        return replace(self, layers=[of for of in self.layers if not is_of_task(of.name)])

    @property
    def has_task(self) -> bool:
        """Whether there are layers of a task around the network."""
        return any(is_of_task(layer) for layer, _ in self.shapes)

    @cached_property
    def shapes(self) -> dict[WeightName, TensorShape]:
        """The shapes by name."""
        return {
            (of.name, variable): of.weights[variable]
            for of in self.layers
            for variable in of.weights
        }

    @cached_property
    def classifier(self) -> str:
        """The layer with the classes, of images or of pixels; empty if there is none."""
        return next((layer for layer, _ in self.shapes if layer in CLASSIFIERS), "")

    @cached_property
    def last_stage(self) -> int:
        """The number of the last stage; 0 for only a stem."""
        read = map(LayerName.parse, {layer for layer, _ in self.shapes})
        return max((name.place.stage for name in read if name), default=0)

    @property
    def pads_stem_pool(self) -> bool:
        """Whether zeros are padded before the stem's pool."""
        return any(layer.name == STEM_POOL_PAD for layer in self.layers)

    @property
    def pads_stem(self) -> bool:
        """Whether zeros are padded before a stem of one convolution."""
        return any(layer.name == STEM_PAD for layer in self.layers)

    @cached_property
    def stride_in_3x3(self) -> bool | None:
        """Whether its bottlenecks halve the size in or after their 3x3 convolution, and not before.

        The shapes do not show it. None if no bottleneck halves the size.
        """
        blocks: dict[Place, dict[str, tuple[int, int]]] = {}
        for layer in self.layers:
            if layer.strides and (read := LayerName.parse(layer.name)) and read.place.block:
                blocks.setdefault(read.place, {})[read.role] = layer.strides
        for convs in blocks.values():
            is_bottleneck = {"conv1", "conv2", "conv3"} <= convs.keys()
            # Of an anti-aliased block, only the projection strides: a pool follows its 3x3
            # convolution.
            if is_bottleneck and any(max(strides) > 1 for strides in convs.values()):
                return max(convs["conv1"]) == 1
        return None

    @cached_property
    def norms(self) -> dict[str, str]:
        """Convolutions, and the batch norms that come directly after them and nothing else."""
        after: dict[str, list[LayerFacts]] = {}
        for layer in self.layers:
            for source in layer.inputs:
                after.setdefault(source, []).append(layer)
        convs = {layer.name: after.get(layer.name, []) for layer in self.layers if layer.strides}
        return {conv: of[0].name for conv, of in convs.items() if len(of) == 1 and of[0].is_norm}


def expected_weights(plan: Plan, built: Container[str] | None = None) -> ExpectedWeights:
    """The weights of a plan's network.

    Args:
        built: names of the layers that a model has of it. Default: all.
    """
    layers = [
        LayerFacts(
            layer.name,
            layer.inputs,
            layer.weights,
            strides=layer.strides if isinstance(layer, Conv) else None,
            is_norm=isinstance(layer, BatchNorm),
        )
        for layer in plan.layers
        if built is None or layer.name in built
    ]
    return ExpectedWeights(layers, is_original(plan.config))


@dataclass(frozen=True)
class Target:
    """A network to load into.

    Attributes:
        model: the model that it is.
        prefix: prefix of the names of its layers.
        expected: the weights that it needs.
    """

    model: "keras.Model"
    prefix: str
    expected: ExpectedWeights

    @property
    def grid(self) -> tuple[int, int]:
        """Rows and columns of the map that an attention pool pools."""
        rows, columns = self.model.get_layer(self.prefix + OF_POOL("tokens")).inputs[0].shape[1:3]
        return rows, columns

    @cached_property
    def weights(self) -> "dict[WeightName, tuple[keras.Variable, keras.Layer]]":
        """The variables and their layers."""
        return {
            (own_name(layer.name, self.prefix), variable_name(variable, layer)): (variable, layer)
            for layer in self.model.layers
            for variable in layer.weights
        }


def variable_name(variable: "keras.Variable", layer: "keras.Layer") -> str:
    """The variable's name in the layer: `kernel`, or `query/kernel` in a layer inside the layer."""
    _, of_layer, inside = f"/{variable.path}".partition(f"/{layer.name}/")
    return inside if of_layer else str(variable.name)


# Fields that differ among the original's networks, or that they may have of any value.
_FREE = ("block", "repetitions", "filters", *BESIDE)


def is_original(config: ResnetConfig) -> bool:
    """Whether a network is one of the article's original code."""
    fields: Any = {**ORIGINAL, **{field: getattr(config, field) for field in _FREE}}
    return config == obeyed(ResnetConfig(**fields))
