"""write_onnx: a Keras model as an ONNX file, translated layer by layer.

It is done here because no other way is right for all networks: on TensorFlow Keras exports by
tf2onnx, which cannot write grouped convolutions, and on PyTorch it exports fixed sizes. The tables
of `onnx_layers` and `onnx_operations` have what networks, heads and preprocessing consist of, and
the layers of a usual classifier; any other is refused by its name.
"""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from inspect import signature
from pathlib import Path

import keras
import numpy as np
import onnx
from onnx import helper, numpy_helper

from ..model.graph import calls_of, functional
from ..model.keras_limits import room_for
from .folds import has_graph
from .formats import Array
from .onnx_graph import Argument, Call, Graph, Value, Writer, layer_words
from .onnx_layers import LAYERS
from .onnx_operations import OPERATIONS

# Of 2023: what onnxruntime 1.14 and newer reads.
OPSET, FILE_VERSION = 18, 8
# A file of protobuf has at most 2 GiB; larger weights are in a second file.
LARGEST = 2**31 - 2**24


def write_onnx(model: keras.Model, path: Path) -> None:
    """Write a model to a file; weights of more than 2 GiB to a second one, `path` and `.data`.

    Raises:
        ValueError: as in `functional`, or layers that cannot be written, by name.
    """
    graph = Graph()
    with room_for(len(model.layers)):
        _check(model)
        inputs, outputs = _write_model(graph, model)
    size = sum(array.nbytes for array in graph.constants.values())
    if size > LARGEST:
        tensors = _beside(graph.constants, path.with_name(f"{path.name}.data"))
    else:
        tensors = [numpy_helper.from_array(of, name) for name, of in graph.constants.items()]
    starts, ends = ([_described(value) for value in values] for values in (inputs, outputs))
    made = helper.make_graph(graph.nodes, model.name, starts, ends, tensors)
    opset = helper.make_opsetid("", OPSET)
    whole = helper.make_model(
        made, opset_imports=[opset], ir_version=FILE_VERSION, producer_name="resnet_builder"
    )
    path.write_bytes(whole.SerializeToString())


# What cannot be written ---------------------------------------------------------------------------


def _check(model: keras.Model) -> None:
    """Raise a ValueError that names all layers that cannot be written."""
    unknown: dict[str, str] = {}
    others: dict[str, str] = {}
    for call, layer in _flat_calls(model):
        dtype = getattr(call.operation, "compute_dtype", "float32")
        if type(call.operation).__name__ not in _writers(call.operation):
            unknown[layer] = f"{layer} has no counterpart here"
        elif call.arguments.kwargs.get("training"):
            others[layer] = f"{layer} is called with training=True: call it without"
        elif dtype != "float32":
            others[layer] = (
                f"{layer} computes in {dtype}: build the network with "
                "dtype='float32' and weights=model"
            )
    way = (
        f". Build these parts of {', '.join(sorted(LAYERS.keys() - {'InputLayer'}))}; or load the "
        "model with Keras on PyTorch (KERAS_BACKEND=torch), call it once, and use "
        "model.export(path, format='onnx'), which writes other layers too, at a fixed size"
    )
    if refused := "; ".join([*unknown.values(), *others.values()]):
        raise ValueError(
            f"{model.name!r} cannot be written as ONNX: {refused}{way if unknown else ''}"
        )


def _flat_calls(model: keras.Model, path: str = "") -> Iterator[tuple[keras.Operation, str]]:
    """Keras's records of the calls of a model, and of the models inside it; each layer in words."""
    for call in calls_of(model):
        operation = call.operation
        if has_graph(operation):
            yield from _flat_calls(operation, f"{path}{operation.name}/")
        else:
            yield call, layer_words(operation, path)


def _writers(operation: keras.Operation) -> Mapping[str, Writer]:
    """The table for a layer or operation; it has no classes of users, which differ from Keras's."""
    if not type(operation).__module__.startswith("keras.src."):
        return {}
    return LAYERS if isinstance(operation, keras.Layer) else OPERATIONS


# From the calls of a model to nodes ---------------------------------------------------------------


def _write_model(graph: Graph, model: keras.Model) -> tuple[list[Value], list[Value]]:
    """Write the calls of a model, and of the models inside it; return its inputs and outputs."""
    function = functional(model)
    inputs = [Value(graph.unique(x.name), tuple(x.shape), str(x.dtype)) for x in model.inputs]
    values = dict(zip(map(id, function.inputs), inputs, strict=True))
    _write_calls(graph, function, values)
    outputs: list[Value] = []
    for name, tensor in _named_outputs(model):
        graph.scope = name
        end = graph.plain(values[id(tensor)])
        if end.name != name or end.name in {of.name for of in (*inputs, *outputs)}:
            since = len(graph.nodes)
            end = graph.rename(graph.node("Identity", end), name, since)
        outputs.append(end)
    return inputs, outputs


def _named_outputs(model: keras.Model) -> list[tuple[str, keras.KerasTensor]]:
    """The outputs with the keys of a dict of outputs, or the names of the layers."""
    names = _makers(model)
    if isinstance(model.output, dict):
        names = keras.tree.flatten({name: name for name in model.output})
    return list(zip(names, functional(model).outputs, strict=True))


def _makers(model: keras.Model) -> list[str]:
    """The names of the layers that make the outputs of a model, inside of a model too."""
    names: dict[int, str] = {}
    for call in calls_of(model):
        inside = has_graph(call.operation)
        own = _makers(call.operation) if inside else [call.operation.name]
        names |= dict(zip(map(id, call.output_tensors), own, strict=True))
    return [names[id(tensor)] for tensor in functional(model).outputs]


def _write_calls(
    graph: Graph, function: keras.Model, values: dict[int, Value], path: str = ""
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
            inside = dict(zip(map(id, inner.inputs), inputs, strict=True))
            _write_calls(graph, inner, inside, f"{operation.name}/")
            for own, end in zip(record.output_tensors, inner.outputs, strict=True):
                values[id(own)] = inside[id(end)]
            continue
        [output] = record.output_tensors
        # Operations have numbers for names, which layers of other models have too.
        is_layer = isinstance(operation, keras.Layer)
        graph.scope = operation.name if is_layer else path + operation.name
        since, write = len(graph.nodes), _writers(operation)[type(operation).__name__]
        made = write(graph, Call(operation, given, inputs, output))
        named = graph.rename(made, graph.scope, since)
        values[id(output)] = replace(named, shape=tuple(output.shape), dtype=str(output.dtype))


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


# To a file ----------------------------------------------------------------------------------------


def _described(value: Value) -> onnx.ValueInfoProto:
    """An input or output with its type and shape; the batch and unknown sizes have names."""
    sizes = [
        size or ("batch" if axis == 0 else f"{value.name}_{axis}")
        for axis, size in enumerate(value.shape)
    ]
    dtype = helper.np_dtype_to_tensor_dtype(np.dtype(value.dtype))
    return helper.make_tensor_value_info(value.name, dtype, sizes)


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
