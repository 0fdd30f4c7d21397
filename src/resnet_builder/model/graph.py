"""The layers of any Keras model and how they are connected, as plain data."""

from dataclasses import dataclass
from typing import Any

import keras

# What a Permute layer converts: the order of axes before it and after it.
PERMUTED: dict[Any, tuple[str, str]] = {
    (2, 3, 1): ("channels_first", "channels_last"),
    (3, 1, 2): ("channels_last", "channels_first"),
}


@dataclass(frozen=True)
class Node:
    """One call of a layer; `inputs` are the positions of those that feed it.

    `is_output` where a model answers with it, among others or on the way to another.
    """

    layer: Any
    input_shapes: list[Any]
    output_shape: Any
    inputs: tuple[int, ...]
    is_output: bool


def model_graph(model: keras.Model) -> list[Node]:
    """The layers of a functional or sequential model, each behind the layers that feed it.

    A layer that is called several times stands there several times.

    Raises:
        ValueError: a model whose layers are not known before it is called: a subclass of
            `keras.Model` with a `call` of its own, or a sequential model not yet built.
    """
    # What keras.utils.model_to_dot reads: Keras has no public way to a model's graph.
    function = getattr(model, "_functional", None) or model
    by_depth = getattr(function, "_nodes_by_depth", None)
    if not by_depth:
        raise ValueError(
            f"{model.name!r} ({type(model).__name__}) has no graph of layers: give a functional "
            "model, or a sequential one that begins with keras.Input; the layers of a subclass "
            "of keras.Model are connected only while its own call method runs"
        )
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
        )
        for call in calls
    ]


def _shape(tensors: list[Any]) -> Any:
    shapes = [tuple(tensor.shape) for tensor in tensors]
    return shapes[0] if len(shapes) == 1 else shapes
