"""Tensor names and orders of axes of weights in other libraries."""

from collections.abc import Collection, Iterable, Mapping
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

WITH_BIAS = ("kernel", "bias")
BATCH_NORM = ("gamma", "beta", "moving_mean", "moving_variance")


@cache
def known_weights() -> tuple[frozenset[WeightName], frozenset[WeightName]]:
    """All possible weights of networks: those in a block, by role of their layers, and others."""
    block, stem = At(ELSEWHERE), At(STEM)
    numbered = [block.numbered(number) for number in (1, 2, 3)]
    first, second, _ = numbered
    paths = [first.numbered(path) for path in (1, 2)]
    paths += [second.numbered(path) for path in range(1, MOST_SPLITS)]
    splat, *selective = (second.inside("splat"), first.inside("sk"), second.inside("sk"))
    convs = [*numbered, *paths, block.inside("shortcut"), splat]
    of_stem = [stem, stem.inside("pool"), *map(stem.numbered, (1, 2, 3))]
    in_a_block = [
        *_of_convs(convs),
        *_of_norms([*convs, *(at.inside("reduce") for at in (splat, *selective))]),
        *_of(WITH_BIAS, [block.inside("se"), splat], ("reduce", "expand")),
        *_of(("kernel",), selective, ("reduce", "expand")),
        *_of(("kernel",), [block.inside("eca")], ("conv",)),
    ]
    others = [
        *_of_convs(of_stem),
        *_of_norms([*of_stem, At(HEAD)]),
        *((CLASSIFIER, variable) for variable in WITH_BIAS),
    ]
    return frozenset(in_a_block), frozenset(others)


def _of(variables: Iterable[str], places: Iterable[At], kinds: Iterable[str]) -> list[WeightName]:
    return [(at(kind), name) for at, kind, name in product(places, kinds, variables)]


def _of_convs(places: Iterable[At]) -> list[WeightName]:
    return _of(WITH_BIAS, places, (PLAIN_CONV, STANDARDIZED_CONV))


def _of_norms(places: Collection[At]) -> list[WeightName]:
    factors = [(at("evonorm", "v"), "kernel") for at in places]
    return [
        *_of(BATCH_NORM, places, ("bn",)),
        *_of(BATCH_NORM[:2], places, ("gn",)),
        *_of(WITH_BIAS, places, ("evonorm",)),
        *factors,
    ]
