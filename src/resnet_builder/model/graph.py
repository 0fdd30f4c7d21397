"""The layers of any Keras model and their connections, as plain data."""

from dataclasses import dataclass
from typing import Any

import keras

# Dimensions of a Permute layer -> the order of axes before it and after it.
PERMUTED: dict[Any, tuple[str, str]] = {
    (2, 3, 1): ("channels_first", "channels_last"),
    (3, 1, 2): ("channels_last", "channels_first"),
}


@dataclass(frozen=True)
class Node:
    """One call of a layer; `inputs` are the positions of its input nodes.

    `is_output` is True for every output of the model, even if other layers use it too;
    `in_training` is True if the call itself says `training=True`.
    """

    layer: Any
    input_shapes: list[Any]
    output_shape: Any
    inputs: tuple[int, ...]
    is_output: bool
    in_training: bool


def functional(model: keras.Model) -> Any:
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


def model_graph(model: keras.Model) -> list[Node]:
    """List the layers of a functional or sequential model, each after its inputs.

    A layer that is called several times is listed several times.

    Raises:
        ValueError: as in `functional`.
    """
    function = functional(model)
    by_depth = function._nodes_by_depth
    calls = [call for depth in sorted(by_depth, reverse=True) for call in by_depth[depth]]
    outputs = {id(tensor) for tensor in function.outputs}
    position = {id(tensor): n for n, call in enumerate(calls) for tensor in call.output_tensors}
    return [
        Node(
            layer=call.operation,
            input_shapes=[tuple(tensor.shape) for tensor in call.input_tensors],
            output_shape=_shape(call.output_tensors),
            inputs=tuple(position[id(tensor)] for tensor in call.input_tensors),
            is_output=any(id(tensor) in outputs for tensor in call.output_tensors),
            in_training=bool(call.arguments.kwargs.get("training")),
        )
        for call in calls
    ]


def _shape(tensors: list[Any]) -> Any:
    shapes = [tuple(tensor.shape) for tensor in tensors]
    return shapes[0] if len(shapes) == 1 else shapes
