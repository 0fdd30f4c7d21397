"""The layers of any Keras model and their connections, as plain data."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from inspect import signature
from typing import Any

import keras

# A shape with the batch; None for an unknown size.
BatchShape = tuple[int | None, ...]

# Dimensions of a Permute layer -> the order of axes before it and after it.
PERMUTED: Mapping[object, tuple[str, str]] = {
    (2, 3, 1): ("channels_first", "channels_last"),
    (3, 1, 2): ("channels_last", "channels_first"),
}


@dataclass(frozen=True)
class Node:
    """One call of a layer; `inputs` are the positions of its input nodes.

    `is_output` is True for every output of the model, even if other layers use it too;
    `in_training` is True if the call itself says `training=True`.
    """

    layer: keras.Operation
    input_shapes: list[BatchShape]
    output_shape: Any
    inputs: tuple[int, ...]
    is_output: bool
    in_training: bool


def functional(model: keras.Model) -> keras.Model:
    """Return a functional model itself, and of a sequential one the functional model inside it.

    Raises:
        ValueError: a model with layers that are unknown before it is called: a subclass of
            `keras.Model` with its own `call`, or a sequential model that is not yet built.
    """
    # As in keras.utils.model_to_dot: Keras has no public access to a model's graph.
    function = getattr(model, "_functional", None) or model
    if not getattr(function, "_nodes_by_depth", None):
        raise ValueError(
            f"{model.name!r} ({type(model).__name__}) has no graph of layers: give a functional "
            "model, or a sequential one that begins with keras.Input; the layers of a subclass "
            "of keras.Model are connected only while its own call method runs"
        )
    return function


def calls_of(model: keras.Model) -> Iterator[Any]:
    """Keras's records of the calls of a model's layers, each after its inputs."""
    by_depth = functional(model)._nodes_by_depth
    return (call for depth in sorted(by_depth, reverse=True) for call in by_depth[depth])


# From a layer and the shapes of its inputs to the model inside it whose layers are listed in its
# place; None for the layer itself.
Opens = Callable[[keras.Operation, list[BatchShape]], keras.Model | None]


def model_graph(model: keras.Model, opens: Opens = lambda layer, shapes: None) -> list[Node]:
    """List the layers of a functional or sequential model, each after its inputs.

    A layer that is called several times is listed several times.

    Raises:
        ValueError: as in `functional`.
    """
    function = functional(model)
    graph: list[Node] = []
    _list_calls(function, opens, graph, {}, {id(tensor) for tensor in function.outputs})
    return graph


def _list_calls(
    function: keras.Model,
    opens: Opens,
    graph: list[Node],
    position: dict[int, int],
    outputs: set[int],
) -> None:
    """Add the calls of a model to a graph.

    Args:
        position: of the node that computes each tensor, by the tensor's id; a tensor of a model
            inside the model has the position of its caller's.
        outputs: ids of the tensors that are outputs of the whole model.
    """
    for call in calls_of(function):
        given = _input_tensors(call)
        shapes = [tuple(tensor.shape) for tensor in given]
        own_ids = [id(tensor) for tensor in call.output_tensors]
        if isinstance(call.operation, keras.layers.InputLayer) and own_ids[0] in position:
            continue  # an input of a model inside the model
        if inside := opens(call.operation, shapes):
            inner = functional(inside)
            position |= {
                id(image): position[id(source)]
                for image, source in zip(inner.inputs, call.input_tensors, strict=True)
            }
            same = list(zip(own_ids, map(id, inner.outputs), strict=True))
            _list_calls(inner, opens, graph, position, {end for own, end in same if own in outputs})
            position |= {own: position[end] for own, end in same}
            continue
        position |= dict.fromkeys(own_ids, len(graph))
        graph.append(
            Node(
                layer=call.operation,
                input_shapes=shapes,
                output_shape=_shape(call.output_tensors),
                inputs=tuple(position[id(tensor)] for tensor in given),
                is_output=not outputs.isdisjoint(own_ids),
                in_training=bool(call.arguments.kwargs.get("training")),
            )
        )


def _input_tensors(call: Any) -> list[keras.KerasTensor]:
    """The tensors of a call in the order of the layer's parameters; Keras sorts keywords."""
    arguments = call.arguments
    if not any(_is_tensor(value) for value in keras.tree.flatten(arguments.kwargs)):
        return list(call.input_tensors)
    bound = signature(call.operation.call).bind(*arguments.args, **arguments.kwargs)
    return [value for value in keras.tree.flatten([*bound.arguments.values()]) if _is_tensor(value)]


def _is_tensor(value: object) -> bool:
    """Whether a value is a tensor of a functional model."""
    return isinstance(value, keras.KerasTensor)


def _shape(tensors: list[keras.KerasTensor]) -> Any:
    shapes = [tuple(tensor.shape) for tensor in tensors]
    return shapes[0] if len(shapes) == 1 else shapes
