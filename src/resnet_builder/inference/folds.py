"""Which batch norms of a model fold into a layer next to them, and why others do not."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

import keras

from ..model.graph import Node, functional, model_graph
from .linear import LINEAR, affine, channel_axis, pads, selects

BatchNormalization = keras.layers.BatchNormalization


@dataclass(frozen=True)
class Fold:
    """A batch norm and the layer that it folds into.

    Attributes:
        norm: the batch norm.
        path: its name, after the names of the models that it is inside of.
        into: the linear layer that it folds into; None if it does not.
        comes_first: whether the batch norm is before that layer.
        obstacle: why it does not fold; empty if it does.
    """

    norm: keras.Layer
    path: str
    into: keras.Layer | None = None
    comes_first: bool = False
    obstacle: str = ""


# A layer next to a batch norm, and why the batch norm does not fold into it.
Neighbour = tuple[keras.Layer | None, str]


class _Graph:
    """The graph of a model, or of a model inside it.

    Attributes:
        path: the names of the models that it is inside of, each with a slash.
        nodes: its nodes.
        in_training: whether it is called with `training=True`.
        users: for each node, those that use its output, once for each use.
    """

    def __init__(self, path: str, nodes: list[Node], in_training: bool):
        self.path, self.nodes, self.in_training = path, nodes, in_training
        self.users: list[list[Node]] = [[] for _ in nodes]
        for node in nodes:
            for source in node.inputs:
                self.users[source].append(node)

    def used_once(self, position: int) -> bool:
        """Whether nothing but one node uses the output of a node."""
        return len(self.users[position]) == 1 and not self.nodes[position].is_output


def find_folds(model: keras.Model) -> list[Fold]:
    """One for every batch norm of a model and of the models inside it.

    Raises:
        ValueError: a model without a graph of layers, or with a `call` method of its own.
    """
    graphs: dict[int, _Graph] = {}
    _add_graphs(graphs, functional(model), "", in_training=False)
    if not has_graph(model):
        raise ValueError(
            f"{model.name!r} ({type(model).__name__}) has a call method of its own, which may "
            "compute something else than its graph of layers: give the functional model in it"
        )
    calls = Counter(id(node.layer) for graph in graphs.values() for node in graph.nodes)
    folds: dict[int, Fold] = {}
    for graph in graphs.values():
        for position in range(len(graph.nodes)):
            for fold in _folds_at(graph, position, calls):
                folds.setdefault(id(fold.norm), fold)
    return list(folds.values())


def has_graph(layer: keras.Layer) -> bool:
    """Return whether a layer is a model that computes what its graph of layers says."""
    if not isinstance(layer, keras.Model):
        return False
    calls = next(base for base in type(layer).__mro__ if "call" in vars(base))
    if calls.__module__.partition(".")[0] != "keras":
        return False
    try:
        functional(layer)
    except ValueError:
        return False
    return True


def _add_graphs(
    graphs: dict[int, _Graph], model: keras.Model, path: str, *, in_training: bool
) -> None:
    """Add the graph of a model and of those inside it, each once, in training if any call is."""
    known = graphs.get(id(model))
    if known and known.in_training >= in_training:
        return
    graph = graphs[id(model)] = _Graph(path, model_graph(model), in_training)
    for node in graph.nodes:
        if has_graph(node.layer):
            inner = f"{path}{node.layer.name}/"
            _add_graphs(graphs, node.layer, inner, in_training=in_training or node.in_training)


def _folds_at(graph: _Graph, position: int, calls: Counter[int]) -> Iterator[Fold]:
    """The folds of a node: one if it is a batch norm, one for each that it hides."""
    layer = graph.nodes[position].layer
    if isinstance(layer, BatchNormalization):
        yield _fold(graph, position, calls)
    elif isinstance(layer, keras.Layer) and not has_graph(layer):
        # Keras has no public way to all layers inside a layer.
        for inner in layer._flatten_layers(include_self=False):
            if isinstance(inner, BatchNormalization):
                path = f"{graph.path}{layer.name}/{inner.name}"
                obstacle = f"inside {layer.name} ({_kind(layer)}), which calls its layers itself"
                yield Fold(inner, path, obstacle=obstacle)


def _fold(graph: _Graph, position: int, calls: Counter[int]) -> Fold:
    node = graph.nodes[position]
    norm, path = node.layer, f"{graph.path}{node.layer.name}"
    if obstacle := _own_obstacle(graph, node, calls):
        return Fold(norm, path, obstacle=obstacle)
    before, not_before = _layer_before(graph, position, calls)
    if not not_before:
        return Fold(norm, path, into=before)
    after, not_after = _layer_after(graph, position, calls)
    if not not_after:
        return Fold(norm, path, into=after, comes_first=True)
    return Fold(norm, path, obstacle=f"{not_before}; {not_after}")


def _own_obstacle(graph: _Graph, node: Node, calls: Counter[int]) -> str:
    if type(node.layer) is not BatchNormalization:
        return f"of type {_kind(node.layer)}, which may compute something else"
    if calls[id(node.layer)] > 1:
        return "called several times"
    if graph.in_training or node.in_training:
        return "called with training=True, so that it normalises by its batch"
    return ""


def _layer_before(graph: _Graph, position: int, calls: Counter[int]) -> Neighbour:
    norm = graph.nodes[position]
    rank = len(norm.output_shape)
    source = norm.inputs[0]
    while graph.used_once(source) and selects(graph.nodes[source].layer, _axis(norm), rank):
        source = graph.nodes[source].inputs[0]
    node = graph.nodes[source]
    if type(node.layer) not in LINEAR:
        why = f" ({_kind(node.layer)})"
    elif not graph.used_once(source):
        why = ", whose output is used elsewhere too"
    elif node.layer.activation is not keras.activations.linear:
        why = ", which has an activation"
    else:
        why = _mismatch(node, norm, calls)
    return node.layer, why and f"after {node.layer.name}{why}"


def _layer_after(graph: _Graph, position: int, calls: Counter[int]) -> Neighbour:
    norm, users = graph.nodes[position], graph.users[position]
    if not graph.used_once(position):
        return None, "an output of the model" if norm.is_output else "used by several layers"
    [node] = users
    kind = LINEAR.get(type(node.layer))
    if not kind or not kind.inputs:
        why = f" ({_kind(node.layer)})"
    elif pads(node.layer) and affine(norm.layer).shift.any():
        why = ", which pads with zeros what the batch norm has shifted"
    else:
        why = _mismatch(node, norm, calls)
    return node.layer, why and f"before {node.layer.name}{why}"


def _mismatch(linear: Node, norm: Node, calls: Counter[int]) -> str:
    """Why a linear layer and a batch norm next to it cannot be one layer, whatever their order."""
    layer, shape = linear.layer, linear.output_shape
    rank = len(shape)
    policy = layer.dtype_policy.name
    if calls[id(layer)] > 1:
        return ", which is called several times"
    if _axis(norm) != channel_axis(layer, rank):
        return ", whose channels are on another axis"
    if norm.layer.dtype_policy.name != policy:
        return f", which computes in {policy}"
    if getattr(layer, "lora_enabled", False):
        return ", which has LoRA weights"
    if channel_axis(layer, rank) < rank - 1 and shape[1] > 1 and shape[-1] in (None, shape[1]):
        # keras.ops.add on TensorFlow (Keras 3.15), as in model/keras_layers.py.
        return ", whose bias Keras adds to the columns if there are as many as channels"
    return ""


def _axis(norm: Node) -> int:
    """The axis that a batch norm normalises, counted from the first."""
    return int(norm.layer.axis % len(norm.output_shape))


def _kind(layer: keras.Layer) -> str:
    return type(layer).__name__
