"""Tensor names and orders of axes of weights in other libraries. Does not import Keras."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from .names import CLASSIFIER, WeightName

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
