"""An ONNX graph while it is written: nodes, constants, and how ONNX stores the axes of Keras.

Convolutions and pools of ONNX have the channels second, those of a Keras model mostly last. A value
is stored either way, and transposed where an operation needs the other one: once after an image,
and once before a feature map that the model returns.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import keras
import numpy as np
import numpy.typing as npt
import onnx
from onnx import helper

from ..model.graph import BatchShape
from .formats import Array

Attribute = int | float | str | Sequence[int] | Sequence[float] | onnx.TensorProto


@dataclass(frozen=True)
class Value:
    """A tensor of the Keras model in the ONNX graph.

    Attributes:
        name: of the ONNX tensor.
        shape: in the order of the Keras model.
        dtype: its name in Keras.
        moved: whether ONNX stores the last axis as the second, (batch, channels, rows, columns).
    """

    name: str
    shape: BatchShape
    dtype: str
    moved: bool = False

    @property
    def order(self) -> list[int]:
        """The axes of Keras in the order that ONNX stores."""
        axes = list(range(len(self.shape)))
        return [0, axes[-1], *axes[1:-1]] if self.moved else axes

    def axis(self, axis: int) -> int:
        """Where ONNX stores an axis of Keras."""
        return self.order.index(axis % len(self.shape))


# What a call is given: tensors of the graph, numbers, arrays, slices and None.
Argument = object


@dataclass(frozen=True)
class Call:
    """A call of a layer or an operation.

    Attributes:
        operation: the layer or operation.
        given: its arguments in the order of its parameters, tensors as values.
        inputs: the values among them.
        output: what it returns in Keras.
    """

    operation: keras.Operation
    given: list[Argument]
    inputs: list[Value]
    output: keras.KerasTensor

    @property
    def input(self) -> Value:
        """The only value."""
        [x] = self.tensors(1)
        return x

    def tensors(self, count: int) -> list[Value]:
        """The values, which are so many.

        Raises:
            ValueError: there are more, such as a mask, or less, as one is a constant.
        """
        if len(self.inputs) != count:
            raise self.refuse(f"its tensors are {len(self.inputs)} in number, and not {count}")
        return self.inputs

    @property
    def dtype(self) -> str:
        """Of what it returns."""
        return str(self.output.dtype)

    def refuse(self, reason: str) -> ValueError:
        """The error that this layer cannot be written."""
        return ValueError(f"{layer_words(self.operation)} cannot be written as ONNX: {reason}")


# Write the nodes of a call, and return its value; the shape and dtype are those of Keras.
Writer = Callable[["Graph", Call], Value]


def layer_words(operation: keras.Operation, path: str = "") -> str:
    """A layer by its name, after the names of the models that it is inside of, and its class."""
    name = f"{path}{operation.name}"
    return f"the layer {name!r} ({type(operation).__name__})"


def numpy_of(variable: keras.Variable) -> Array:
    """The numbers of a variable."""
    array: Array = keras.ops.convert_to_numpy(variable)
    return array


class Graph:
    """Nodes and constants in the order in which they are written.

    Attributes:
        nodes: of ONNX.
        constants: arrays by their names.
        scope: what the names of new nodes begin with.
    """

    def __init__(self) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.constants: dict[str, Array] = {}
        self.scope = ""
        self._names: dict[str, int] = {}
        self._stored: dict[tuple[str, bool], Value] = {}
        self._weights: dict[int, str] = {}

    def unique(self, name: str) -> str:
        """A name that no other tensor and node has."""
        count = self._names[name] = self._names.get(name, 0) + 1
        return name if count == 1 else self.unique(f"{name}_{count}")

    def constant(self, array: npt.ArrayLike) -> str:
        """The name of an array in the graph."""
        name = self.unique(f"{self.scope}/constant")
        self.constants[name] = np.asarray(array)
        return name

    def weight(self, variable: keras.Variable, array: Array | None = None) -> str:
        """The name of a variable, which is its path; a shared one is written once.

        Args:
            array: its numbers in the order of ONNX, if that is another one.
        """
        if id(variable) not in self._weights:
            name = self._weights[id(variable)] = self.unique(variable.path)
            array = numpy_of(variable) if array is None else array
            self.constants[name] = np.ascontiguousarray(array, "float32")
        return self._weights[id(variable)]

    def node(
        self, kind: str, *inputs: Value | str | Array | np.generic, **attributes: Attribute
    ) -> Value:
        """Write a node with one output, which has the axes of the first value of the inputs.

        Args:
            inputs: values, names of constants, and arrays, which become constants.
        """
        names = [self._name(given) for given in inputs]
        name = self.unique(f"{self.scope}/{kind}")
        node = helper.make_node(kind, names, [name], name=name)
        node.attribute.extend(helper.make_attribute(*of) for of in sorted(attributes.items()))
        self.nodes.append(node)
        first = next(of for of in inputs if isinstance(of, Value))
        return replace(first, name=name)

    def _name(self, given: Value | str | Array | np.generic) -> str:
        if isinstance(given, Value):
            return given.name
        return given if isinstance(given, str) else self.constant(given)

    def rename(self, value: Value, name: str, since: int) -> Value:
        """Give the node of a value, if it is among those written since, a name of its own."""
        for node in self.nodes[since:]:
            if node.output[0] == value.name:
                node.name = node.output[0] = self.unique(name)
                return replace(value, name=node.name)
        return value

    def cast(self, value: Value, dtype: str) -> Value:
        """A value as another type of numbers."""
        if value.dtype == dtype:
            return value
        to = helper.np_dtype_to_tensor_dtype(np.dtype(dtype))
        return replace(self.node("Cast", value, to=to), dtype=dtype)

    def stored(self, value: Value, *, moved: bool) -> Value:
        """A value with its channels second (`moved`) or in Keras's order; transposed once."""
        if value.moved == moved:
            return value
        key = value.name, moved
        if key not in self._stored:
            order = replace(value, moved=moved).order
            perm = [value.order.index(axis) for axis in order]
            self._stored[key] = replace(self.node("Transpose", value, perm=perm), moved=moved)
        return self._stored[key]

    def plain(self, value: Value) -> Value:
        """A value in Keras's order."""
        return self.stored(value, moved=False)

    def aligned(self, operands: Sequence[Argument], *dtypes: str) -> list[Value | Array]:
        """Operands that are broadcast against each other, stored alike.

        Args:
            dtypes: of each operand, or one for all.
        """
        values = [of for of in operands if isinstance(of, Value)]
        rank = max(
            len(of.shape) if isinstance(of, Value) else np.asarray(of).ndim for of in operands
        )
        moved = any(of.moved for of in values) and all(len(of.shape) == rank for of in values)

        def align(operand: Argument, dtype: str) -> Value | Array:
            if isinstance(operand, Value):
                return self.cast(self.stored(operand, moved=moved), dtype)
            array = np.asarray(operand, dtype)
            if not moved or array.ndim == 0:
                return array
            return np.moveaxis(array.reshape((1,) * (rank - array.ndim) + array.shape), -1, 1)

        each = dtypes if len(dtypes) > 1 else dtypes * len(operands)
        return [align(*pair) for pair in zip(operands, each, strict=True)]
