"""Tensor names and orders of axes of weights in other libraries."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from itertools import product
from typing import Any

from ..plan.names import (
    CLASSIFIER,
    ELSEWHERE,
    HEAD,
    PLAIN_CONV,
    STANDARDIZED_CONV,
    STEM,
    At,
    LayerName,
)

WeightName = tuple[str, str]  # layer and variable
TensorShape = tuple[int, ...]


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
    return name is not None and name.is_standardized


# The largest number of parts of a Res2Net block that has a name in another library.
MOST_SPLITS = 8

# The variables of layers with weights, by kind.
WITH_BIAS, WITHOUT_BIAS = ("kernel", "bias"), ("kernel",)
BATCH_NORM = ("gamma", "beta", "moving_mean", "moving_variance")
CONVS = {PLAIN_CONV: WITH_BIAS, STANDARDIZED_CONV: WITH_BIAS}
NORMS = {"bn": BATCH_NORM, "gn": BATCH_NORM[:2], "evonorm": WITH_BIAS}


@cache
def known_weights() -> tuple[frozenset[WeightName], frozenset[WeightName]]:
    """All possible weights of networks: those in a block, by role of their layers, and others."""
    block, stem = At(ELSEWHERE), At(STEM)
    first, second, third = map(block.numbered, (1, 2, 3))
    splat, selective = second.inside("splat"), [first.inside("sk"), second.inside("sk")]
    paths = [*map(first.numbered, (1, 2)), *map(second.numbered, range(1, MOST_SPLITS))]
    convs = [first, second, third, *paths, splat, block.inside("shortcut")]
    of_stem = [stem, stem.inside("pool"), *map(stem.numbered, (1, 2, 3))]
    in_a_block = [
        *_weights(convs, CONVS),
        *_weights([block.inside("se"), splat], {"reduce": WITH_BIAS, "expand": WITH_BIAS}),
        *_weights(selective, {"reduce": WITHOUT_BIAS, "expand": WITHOUT_BIAS}),
        *_weights([block.inside("eca")], {"conv": WITHOUT_BIAS}),
        *_norms([*convs, *(at.inside("reduce") for at in (splat, *selective))]),
    ]
    others = [
        *_weights(of_stem, CONVS),
        *_norms([*of_stem, At(HEAD)]),
        *((CLASSIFIER, variable) for variable in WITH_BIAS),
    ]
    return frozenset(in_a_block), frozenset(others)


def _weights(places: Iterable[At], variables: Mapping[str, Iterable[str]]) -> Iterator[WeightName]:
    for at, (kind, of_kind) in product(places, variables.items()):
        yield from ((at(kind), variable) for variable in of_kind)


def _norms(places: Sequence[At]) -> Iterator[WeightName]:
    yield from _weights(places, NORMS)
    yield from ((at("evonorm", "v"), "kernel") for at in places)
