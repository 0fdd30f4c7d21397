"""Activations of Keras as nodes of ONNX."""

from collections.abc import Callable
from functools import partial

import numpy as np
from keras import activations

from .onnx_graph import Attribute, Call, Graph, Value, Writer

# From a value to what an activation makes of it.
Activate = Callable[[Graph, Value], Value]


def single(kind: str, *constants: float, **attributes: Attribute) -> Activate:
    """An activation that is one node, with constants as its further inputs."""

    def activate(graph: Graph, x: Value) -> Value:
        return graph.node(kind, x, *map(np.float32, constants), **attributes)

    return activate


def same(graph: Graph, x: Value) -> Value:
    """No node."""
    return x


def _silu(graph: Graph, x: Value) -> Value:
    return graph.node("Mul", x, graph.node("Sigmoid", x))


def _mish(graph: Graph, x: Value) -> Value:
    return graph.node("Mul", x, graph.node("Tanh", graph.node("Softplus", x)))


def _gelu(graph: Graph, x: Value) -> Value:
    """arXiv:1606.08415, without its approximation."""
    bent = graph.node("Erf", graph.node("Mul", x, np.float32(np.sqrt(0.5))))
    half = graph.node("Mul", x, np.float32(0.5))
    return graph.node("Mul", half, graph.node("Add", bent, np.float32(1)))


def _softmax(graph: Graph, x: Value, axis: int = -1, kind: str = "Softmax") -> Value:
    return graph.node(kind, x, axis=x.axis(axis))


ACTIVATIONS: dict[object, Activate] = {
    activations.linear: same,
    activations.relu: single("Relu"),
    activations.relu6: single("Clip", 0, 6),
    activations.leaky_relu: single("LeakyRelu", alpha=0.2),
    activations.sigmoid: single("Sigmoid"),
    activations.hard_sigmoid: single("HardSigmoid", alpha=1 / 6, beta=0.5),
    activations.silu: _silu,
    activations.hard_silu: single("HardSwish"),
    activations.mish: _mish,
    activations.gelu: _gelu,
    activations.tanh: single("Tanh"),
    activations.elu: single("Elu"),
    activations.selu: single("Selu"),
    activations.softplus: single("Softplus"),
    activations.softsign: single("Softsign"),
    activations.exponential: single("Exp"),
    activations.softmax: _softmax,
    activations.log_softmax: partial(_softmax, kind="LogSoftmax"),
}


def unary(activate: Activate) -> Writer:
    """A layer or an operation that is an activation without settings."""
    return lambda graph, call: activate(graph, call.input)


def activated(graph: Graph, call: Call, x: Value) -> Value:
    """What the activation of a layer makes of what the layer has computed."""
    function = call.operation.activation
    if function not in ACTIVATIONS:
        name = getattr(function, "__name__", function)
        raise call.refuse(f"its activation {name} is none of Keras's that ONNX has")
    return ACTIVATIONS[function](graph, x)


def activate(graph: Graph, call: Call) -> Value:
    """The layer Activation."""
    return activated(graph, call, call.input)


def relu(graph: Graph, call: Call) -> Value:
    """The layers ReLU and LeakyReLU, with a slope or a largest value."""
    layer = call.operation
    slope, most = layer.negative_slope, getattr(layer, "max_value", None)
    if getattr(layer, "threshold", 0) or (slope and most is not None):
        raise call.refuse("it has a threshold, or both a slope and a largest value")
    if most is not None:
        return single("Clip", 0, most)(graph, call.input)
    kind = single("LeakyRelu", alpha=float(slope)) if slope else single("Relu")
    return kind(graph, call.input)


def softmax(graph: Graph, call: Call) -> Value:
    """The layer Softmax, over an axis or several."""
    x, axis = call.input, call.operation.axis
    if isinstance(axis, int):
        return _softmax(graph, x, axis)
    axes = np.array([x.axis(number) for number in axis], "int64")
    powers = graph.node("Exp", graph.node("Sub", x, graph.node("ReduceMax", x, axes)))
    return graph.node("Div", powers, graph.node("ReduceSum", powers, axes))
