"""An ONNX graph while it is written: nodes, constants, and how ONNX stores the axes of Keras.

Convolutions and pools of ONNX have the channels second, those of a Keras model mostly last. A value
is stored either way, and transposed where an operation needs the other one: once after an image,
and once before a feature map that the model returns.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from inspect import signature
from pathlib import Path

import keras
import numpy as np
import numpy.typing as npt
import onnx
from onnx import helper, numpy_helper

from ..model.graph import BatchShape, calls_of, functional
from ..model.keras_limits import room_for
from .folds import has_graph
from .formats import Array

# Of 2023: what onnxruntime 1.14 and newer reads.
OPSET, FILE_VERSION = 18, 8
# A file of protobuf has at most 2 GiB; larger weights are in a second file.
LARGEST = 2**31 - 2**24

Attribute = int | float | str | Sequence[int] | Sequence[float]


@dataclass(frozen=True)
class Value:
    """A tensor of the Keras model in the ONNX graph.

    Attributes:
        name: of the ONNX tensor.
        moved: whether ONNX stores the last axis as the second, (batch, channels, rows, columns).
        shape: in the order of the Keras model.
        dtype: its name in Keras.
    """

    name: str
    moved: bool = False
    shape: BatchShape = ()
    dtype: str = "float32"

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
    def dtype(self) -> str:
        """Of what it returns."""
        return str(self.output.dtype)

    def refuse(self, reason: str) -> ValueError:
        """The error that this layer cannot be written."""
        return ValueError(f"{layer_words(self.operation)} cannot be written as ONNX: {reason}")


# Write the nodes of a call, and return its value; the shape and dtype are filled in later.
Writer = Callable[["Graph", Call], Value]


def layer_words(operation: keras.Operation, path: str = "") -> str:
    """A layer by its name, after the names of the models that it is inside of, and its class."""
    name = f"{path}{operation.name}"
    return f"the layer {name!r} ({type(operation).__name__})"


class Graph:
    """Nodes and constants in the order in which they are written."""

    def __init__(self) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.constants: dict[str, Array] = {}
        self.scope = ""
        self._names: dict[str, int] = {}
        self._stored: dict[tuple[str, bool], str] = {}
        self._weights: dict[int, str] = {}

    # Names and constants -------------------------------------------------------------------------

    def unique(self, name: str) -> str:
        """A name that no other tensor and node has."""
        count = self._names[name] = self._names.get(name, 0) + 1
        return name if count == 1 else self.unique(f"{name}_{count}")

    def constant(self, array: npt.ArrayLike, dtype: str | None = None) -> str:
        """The name of an array in the graph."""
        name = self.unique(f"{self.scope}/constant")
        self.constants[name] = np.asarray(array, dtype)
        return name

    def weight(self, variable: keras.Variable, array: Array) -> str:
        """The name of a variable's array, which is the variable's; a shared one is written once."""
        if id(variable) not in self._weights:
            name = self._weights[id(variable)] = self.unique(variable.path)
            self.constants[name] = np.ascontiguousarray(array, "float32")
        return self._weights[id(variable)]

    # Nodes ---------------------------------------------------------------------------------------

    def node(self, kind: str, *inputs: str | npt.ArrayLike, **attributes: Attribute) -> str:
        """Write a node with one output, whose name is returned; arrays become constants."""
        names = [value if isinstance(value, str) else self.constant(value) for value in inputs]
        name = self.unique(f"{self.scope}/{kind}")
        node = helper.make_node(kind, names, [name], name=name)
        node.attribute.extend(helper.make_attribute(*of) for of in sorted(attributes.items()))
        self.nodes.append(node)
        return name

    def rename(self, value: Value, name: str, since: int) -> Value:
        """Give the node of a value, if it is among those written since, a name of its own."""
        for node in self.nodes[since:]:
            if node.output[0] == value.name:
                node.name = node.output[0] = self.unique(name)
                return Value(node.name, value.moved)
        return value

    def cast(self, value: Value, dtype: str) -> Value:
        """A value as another type of numbers."""
        if value.dtype == dtype:
            return value
        to = helper.np_dtype_to_tensor_dtype(np.dtype(dtype))
        return Value(self.node("Cast", value.name, to=to), value.moved, value.shape, dtype)

    def stored(self, value: Value, *, moved: bool) -> Value:
        """A value with its channels second (`moved`) or in Keras's order; transposed once."""
        if value.moved == moved:
            return value
        key = value.name, moved
        other = Value(value.name, moved, value.shape, value.dtype)
        if key not in self._stored:
            perm = [value.order.index(axis) for axis in other.order]
            self._stored[key] = self.node("Transpose", value.name, perm=perm)
        return Value(self._stored[key], moved, value.shape, value.dtype)

    def plain(self, value: Value) -> str:
        """The name of a value in Keras's order."""
        return self.stored(value, moved=False).name

    def aligned(self, operands: Sequence[Argument], dtype: str) -> tuple[list[str], bool]:
        """Names of operands that are broadcast against each other, and whether they are moved."""
        values = [operand for operand in operands if isinstance(operand, Value)]
        ranks = {len(value.shape) for value in values}
        moved = len(ranks) == 1 and any(value.moved for value in values)
        names = []
        for operand in operands:
            if isinstance(operand, Value):
                names.append(self.cast(self.stored(operand, moved=moved), dtype).name)
                continue
            array = np.asarray(operand, dtype)
            if moved and array.ndim:
                [rank] = ranks
                array = np.moveaxis(array.reshape((1,) * (rank - array.ndim) + array.shape), -1, 1)
            names.append(self.constant(array))
        return names, moved


# From a Keras model -----------------------------------------------------------------------------


def onnx_model(model: keras.Model, writer_of: Mapping[object, Writer]) -> tuple[Graph, "Ends"]:
    """Write the calls of a model, and of the models inside it, as a graph.

    Raises:
        ValueError: as in `functional`, or layers that cannot be written, by name.
    """
    function = functional(model)
    with room_for(len(model.layers)):
        _check(function, writer_of)
        graph, values = Graph(), {}
        inputs = [Value(graph.unique(x.name), False, tuple(x.shape), x.dtype) for x in model.inputs]
        values = {id(x): value for x, value in zip(function.inputs, inputs, strict=True)}
        _write_calls(graph, function, values, "", writer_of)
    outputs: list[Value] = []
    for name, tensor in _named_outputs(model):
        graph.scope, value = name, values[id(tensor)]
        end = graph.plain(value)
        if end != name or name in {of.name for of in (*inputs, *outputs)}:
            named = graph.unique(name)
            graph.nodes.append(helper.make_node("Identity", [end], [named], name=named))
            end = named
        outputs.append(Value(end, False, value.shape, value.dtype))
    return graph, Ends(inputs, outputs)


@dataclass(frozen=True)
class Ends:
    """The inputs and outputs of a graph."""

    inputs: list[Value]
    outputs: list[Value]


def _named_outputs(model: keras.Model) -> list[tuple[str, keras.KerasTensor]]:
    """The outputs with the keys of a dict of outputs, or the names of the layers."""
    tensors = functional(model).outputs
    if isinstance(model.output, dict):
        names = keras.tree.flatten({name: name for name in model.output})
        return list(zip(names, keras.tree.flatten(model.output), strict=True))
    return list(zip(_makers(model), tensors, strict=True))


def _makers(model: keras.Model) -> list[str]:
    """The names of the layers that make the outputs of a model, inside of a model too."""
    names: dict[int, str] = {}
    for call in calls_of(model):
        inside = has_graph(call.operation)
        own = _makers(call.operation) if inside else [call.operation.name]
        names |= dict(zip(map(id, call.output_tensors), own, strict=True))
    return [names[id(tensor)] for tensor in functional(model).outputs]


def _check(model: keras.Model, writer_of: Mapping[object, Writer]) -> None:
    """Raise a ValueError that names all layers that cannot be written."""
    if refused := list(dict.fromkeys(_obstacles(model, writer_of))):
        raise ValueError(f"{model.name!r} cannot be written as ONNX: {'; '.join(refused)}")


def _obstacles(
    model: keras.Model, writer_of: Mapping[object, Writer], path: str = ""
) -> Iterator[str]:
    """Why calls of a model, and of the models inside it, cannot be written."""
    for call in calls_of(model):
        operation = call.operation
        layer = layer_words(operation, path)
        dtype = getattr(operation, "compute_dtype", "float32")
        if has_graph(operation):
            yield from _obstacles(functional(operation), writer_of, f"{path}{operation.name}/")
        elif kind_of(operation) not in writer_of:
            yield f"{layer} has no counterpart here"
        elif call.arguments.kwargs.get("training"):
            yield f"{layer} is called with training=True: call it without"
        elif dtype != "float32":
            yield (
                f"{layer} computes in {dtype}: build the network with "
                "dtype='float32' and weights=model"
            )


def kind_of(operation: keras.Operation) -> object:
    """Of a layer its class, of an operation of keras.ops the name of its class."""
    kind = type(operation)
    is_of_keras = kind.__module__.startswith("keras.src.ops.")
    return kind.__name__ if is_of_keras and not isinstance(operation, keras.Layer) else kind


def _write_calls(
    graph: Graph,
    function: keras.Model,
    values: dict[int, Value],
    path: str,
    writer_of: Mapping[object, Writer],
) -> None:
    """Write the calls of a model.

    Args:
        values: those of its inputs, by id, to which the others are added.
        path: what the names of operations begin with.
    """
    for record in calls_of(function):
        operation = record.operation
        if isinstance(operation, keras.layers.InputLayer):
            continue
        given = _given(record, values)
        inputs = [value for value in keras.tree.flatten(given) if isinstance(value, Value)]
        if has_graph(operation):
            inner = functional(operation)
            inside = {id(x): value for x, value in zip(inner.inputs, inputs, strict=True)}
            _write_calls(graph, inner, inside, f"{operation.name}/", writer_of)
            for own, end in zip(record.output_tensors, inner.outputs, strict=True):
                values[id(own)] = inside[id(end)]
            continue
        [output] = record.output_tensors
        # Operations have numbers for names, which layers of other models have too.
        is_layer = isinstance(operation, keras.Layer)
        graph.scope = operation.name if is_layer else path + operation.name
        since = len(graph.nodes)
        made = writer_of[kind_of(operation)](graph, Call(operation, given, inputs, output))
        named = graph.rename(made, graph.scope, since)
        values[id(output)] = Value(named.name, named.moved, tuple(output.shape), str(output.dtype))


def _given(record: keras.Operation, values: dict[int, Value]) -> list[Argument]:
    """The arguments of a call in the order of the parameters."""
    arguments, operation = record.arguments, record.operation
    if isinstance(operation, keras.Model):
        given = [*arguments.args, *arguments.kwargs.values()]
    else:
        bound = signature(operation.call).bind(*arguments.args, **arguments.kwargs)
        given = list(bound.arguments.values())
    return list(
        keras.tree.map_structure(
            lambda x: values[id(x)] if isinstance(x, keras.KerasTensor) else x, given
        )
    )


# To a file --------------------------------------------------------------------------------------


def write_onnx(model: keras.Model, path: Path, writer_of: Mapping[object, Writer]) -> None:
    """Write a model to a file; weights of more than 2 GiB to a second one, `path` and `.data`.

    Raises:
        ValueError: layers that cannot be written, by name.
    """
    graph, ends = onnx_model(model, writer_of)
    size = sum(array.nbytes for array in graph.constants.values())
    if size > LARGEST:
        tensors = _beside(graph.constants, path.with_name(f"{path.name}.data"))
    else:
        tensors = [numpy_helper.from_array(of, name) for name, of in graph.constants.items()]
    made = helper.make_graph(
        graph.nodes, model.name, _described(ends.inputs), _described(ends.outputs), tensors
    )
    opset = helper.make_opsetid("", OPSET)
    whole = helper.make_model(
        made, opset_imports=[opset], ir_version=FILE_VERSION, producer_name="resnet_builder"
    )
    path.write_bytes(whole.SerializeToString())


def _described(values: list[Value]) -> list[onnx.ValueInfoProto]:
    """Inputs or outputs with their types and shapes; the batch and unknown sizes have names."""
    return [
        helper.make_tensor_value_info(
            value.name,
            helper.np_dtype_to_tensor_dtype(np.dtype(value.dtype)),
            [
                size or ("batch" if axis == 0 else f"{value.name}_{axis}")
                for axis, size in enumerate(value.shape)
            ],
        )
        for value in values
    ]


def _beside(constants: dict[str, Array], data: Path) -> list[onnx.TensorProto]:
    """Write arrays to a file of their own, and describe where each is in it."""
    tensors, offset = [], 0
    with data.open("wb") as file:
        for name, array in constants.items():
            if array.dtype.kind != "f":  # sizes and axes, which a reader needs at once
                tensors.append(numpy_helper.from_array(array, name))
                continue
            tensor = onnx.TensorProto(
                name=name,
                dims=array.shape,
                data_type=helper.np_dtype_to_tensor_dtype(array.dtype),
                data_location=onnx.TensorProto.EXTERNAL,
            )
            place = {"location": data.name, "offset": offset, "length": array.nbytes}
            for field, number in place.items():
                tensor.external_data.add(key=field, value=str(number))
            file.write(array.tobytes())
            offset += array.nbytes
            tensors.append(tensor)
    return tensors
