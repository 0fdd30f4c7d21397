"""Tensor names and orders of axes of weights in other libraries. Does not import Keras."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from itertools import product
from typing import Any

from ..config import ResnetConfig, obeyed
from ..plan.attention import ATTENTIONS
from ..plan.blocks import BLOCKS
from ..plan.names import LayerName
from ..plan.network import Plan, make_plan
from ..plan.norms import NORMS
from ..plan.orders import ORDERS
from ..plan.stems import STEM_POOLS, STEMS

WeightName = tuple[str, str]  # layer and variable
TensorShape = tuple[int, ...]

CLASSIFIER = "predictions"


@dataclass(frozen=True, kw_only=True)
class Layout:
    """The layout of one library.

    Attributes:
        separator: text between the names of a layer and of its variable.
        outputs_first: whether a kernel is (outputs, inputs, ...) as in PyTorch, and not
            (..., inputs, outputs) as in Keras.
        variables: names of variables by Keras name; other variables have the same name.
    """

    separator: str
    outputs_first: bool = False
    variables: Mapping[str, str] = field(default_factory=dict)

    def tensor(self, layer: str, variable: str) -> str:
        """The tensor name of a layer's variable, given by Keras name."""
        return f"{layer}{self.separator}{self.variables.get(variable, variable)}"

    def layer(self, tensor: str) -> str:
        """The name of a tensor's layer."""
        return tensor.rpartition(self.separator)[0]

    def keras_shape(self, weight: WeightName, shape: TensorShape) -> TensorShape:
        """Convert a tensor's shape to Keras's order of axes."""
        if weight[1] == "kernel" and len(shape) == 1:
            # A factor for every channel, which is a depthwise convolution here.
            return (1, 1, *shape, 1)
        in_order = tuple(shape[axis] for axis in self._axes(weight, len(shape)))
        # Some classifiers are 1x1 convolutions.
        is_dense = weight == (CLASSIFIER, "kernel") and in_order[:-2] == (1, 1)
        return in_order[2:] if is_dense else in_order

    def keras_array(self, weight: WeightName, array: Any) -> Any:
        """Convert an array to Keras's order of axes."""
        in_order = array.transpose(self._axes(weight, array.ndim))
        return in_order.reshape(self.keras_shape(weight, array.shape))

    def _axes(self, weight: WeightName, rank: int) -> tuple[int, ...]:
        if weight[1] == "kernel" and self.outputs_first and rank > 1:
            return (*range(2, rank), 1, 0)
        return tuple(range(rank))


KERAS = Layout(separator="/")
TORCH = Layout(
    separator=".",
    outputs_first=True,
    variables={
        "kernel": "weight",
        "gamma": "weight",
        "beta": "bias",
        "moving_mean": "running_mean",
        "moving_variance": "running_var",
    },
)


# The first convolution, by stem; the second pair is of networks with standardised kernels.
FIRST_CONVS = ("stem_conv", "stem_conv1", "stem_stdconv", "stem_stdconv1")


def is_known(weight: WeightName) -> bool:
    """Return whether a weight is of a layer of this package, not of a user's block function."""
    in_a_block, others = known_weights()
    name = LayerName.parse(weight[0])
    if name and name.place.block:
        return (name.role, weight[1]) in in_a_block
    return weight in others


def is_standardized(layer: str) -> bool:
    """Return whether a layer is a convolution with weight standardisation."""
    name = LayerName.parse(layer)
    return name is not None and "stdconv" in name.role


@cache
def known_weights() -> tuple[frozenset[WeightName], frozenset[WeightName]]:
    """All possible weights of networks: those in a block, by role of their layers, and others."""
    in_a_block, others = set(), set()
    for plan in _kinds_of_network():
        for layer in plan.layers:
            name = LayerName.parse(layer.name)
            in_block = name is not None and name.place.block > 0
            for variable in layer.weights:
                if name and in_block:
                    in_a_block.add((name.role, variable))
                else:
                    others.add((layer.name, variable))
    return frozenset(in_a_block), frozenset(others)


def _kinds_of_network() -> Iterator[Plan]:
    """Small networks that together have every name of a layer with weights."""
    kinds: list[dict[str, Any]] = [
        *({"block": block} for block in BLOCKS),
        *({"stem": stem} for stem in STEMS),
        *({"stem_pool": pool} for pool in STEM_POOLS),
        *({field: kind.example} for field, kind in ATTENTIONS.items()),
    ]
    for kind, order, norm, standardized in product(kinds, ORDERS, NORMS, (False, True)):
        if order == "pre" or not NORMS[norm].activates:
            yield _small(
                **kind, activation_order=order, norm=norm, weight_standardization=standardized
            )


def _small(**fields: Any) -> Plan:
    """A network of one block, which has a projection, with the longest lists of splits."""
    if "block" in fields and BLOCKS[fields["block"]].own_attention:
        fields["se_ratio"] = 0.25
    common: dict[str, Any] = {"block": "basic_block", "use_bias": True, "norm_groups": 1}
    common |= {"repetitions": (1,), "stem_filters": 32, "splits": MOST_SPLITS}
    return make_plan(obeyed(ResnetConfig(**common | fields)))


# The largest number of parts of a Res2Net block that has a name in another library.
MOST_SPLITS = 8
