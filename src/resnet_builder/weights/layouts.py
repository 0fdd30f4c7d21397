"""How libraries store a weight: the name of its tensor, and the order of its axes. No Keras."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from .names import HEAD, WeightName

Shape = tuple[int, ...]


@dataclass(frozen=True, kw_only=True)
class Layout:
    """The layout of one library.

    Attributes:
        separator: stands between the names of a layer and of its variable.
        kernel_axes: where a convolution's kernel has its rows, columns, inputs and outputs.
        dense_axes: where a dense layer's kernel has its inputs and outputs.
        variables: names of variables by Keras's; those that are not here have the same name.
    """

    separator: str
    kernel_axes: tuple[int, int, int, int] = (0, 1, 2, 3)
    dense_axes: tuple[int, int] = (0, 1)
    variables: Mapping[str, str] = field(default_factory=dict)

    def tensor(self, layer: str, variable: str) -> str:
        """The name of a layer's variable, which is named as in Keras."""
        return f"{layer}{self.separator}{self.variables.get(variable, variable)}"

    def layer(self, tensor: str) -> str:
        """The name of the layer that a tensor is of."""
        return tensor.rpartition(self.separator)[0]

    def keras_shape(self, weight: WeightName, shape: Shape) -> Shape:
        """A tensor's shape in Keras's order of axes."""
        in_order = tuple(shape[axis] for axis in self._axes(weight, len(shape)))
        # Some classifiers are 1x1 convolutions.
        is_dense = weight == (HEAD, "kernel") and in_order[:-2] == (1, 1)
        return in_order[2:] if is_dense else in_order

    def keras_array(self, weight: WeightName, array: Any) -> Any:
        """An array in Keras's order of axes."""
        in_order = array.transpose(self._axes(weight, array.ndim))
        return in_order.reshape(self.keras_shape(weight, array.shape))

    def _axes(self, weight: WeightName, rank: int) -> tuple[int, ...]:
        of_kernel = {4: self.kernel_axes, 2: self.dense_axes} if weight[1] == "kernel" else {}
        return of_kernel.get(rank, tuple(range(rank)))


KERAS = Layout(separator="/")
TORCH = Layout(
    separator=".",
    kernel_axes=(2, 3, 1, 0),
    dense_axes=(1, 0),
    variables={
        "kernel": "weight",
        "gamma": "weight",
        "beta": "bias",
        "moving_mean": "running_mean",
        "moving_variance": "running_var",
    },
)
