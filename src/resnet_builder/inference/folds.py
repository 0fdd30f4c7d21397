"""Which batch norms of a model fold into a layer next to them, and why others do not."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

import keras
import numpy as np
import numpy.typing as npt
from keras import layers

from ..common.tables import Table, Tabular
from ..model.graph import Node, functional, model_graph
from ..model.locate import check_model

Float64 = npt.NDArray[np.float64]
BatchNormalization = layers.BatchNormalization


@dataclass(frozen=True)
class FoldingRow:
    """What becomes of one batch norm.

    Attributes:
        batch_norm: its name, after the names of the models that contain it: `"body/stem_bn"`.
        into: name of the layer that takes it in; empty if none can.
        reason: why it stays; empty if it does not.
    """

    batch_norm: str
    into: str
    reason: str


@dataclass(frozen=True)
class FoldingReport(Tabular):
    """The batch norms of a model, and what `fold_batch_norm` does with each; prints as a table.

    Attributes:
        name: name of the model.
        rows: one for each batch norm.

    Example:
        >>> from resnet_builder import ResnetBuilder, folding_report
        >>> small = {"repetitions": (1,), "filters": 8, "input_shape": (8, 8, 3)}
        >>> report = folding_report(ResnetBuilder.from_preset("wrn16_4", **small))
        >>> {row.batch_norm: row.into for row in report.rows if row.into}
        {'stage1_block1_bn1': 'stem_conv', 'stage1_block1_bn2': 'stage1_block1_conv1'}
        >>> report.rows[-1].reason
        'after stage1_block1_add (Add); before head_act (Activation)'
    """

    name: str
    rows: tuple[FoldingRow, ...]

    @property
    def summary(self) -> str:
        """The numbers in words."""
        if not self.rows:
            return "no batch norms"
        folded = sum(not row.reason for row in self.rows)
        return f"{folded} of {len(self.rows)} batch norms folded"

    def table(self) -> Table:
        """A row for each batch norm."""
        return Table(
            title=f"{self.name}: {self.summary}",
            header=("batch norm", "folded into", "stays because it is"),
            rows=tuple((row.batch_norm, row.into, row.reason) for row in self.rows),
        )


def folding_report(model: keras.Model) -> FoldingReport:
    """Say which batch norms `fold_batch_norm` folds, and why it leaves the others.

    Raises:
        TypeError, ValueError: as in `fold_batch_norm`.

    Example:
        >>> from resnet_builder import ResnetBuilder, folding_report
        >>> folding_report(ResnetBuilder.from_preset("resnet18")).summary
        '20 of 20 batch norms folded'
    """
    check_model(model)
    rows = (
        FoldingRow(fold.path, fold.into.name if fold.into else "", fold.obstacle)
        for fold in find_folds(model)
    )
    return FoldingReport(model.name, tuple(rows))


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
        ValueError: a model without a graph of layers, or with its own `call` method.
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
    if type(norm) is not BatchNormalization:
        obstacle = f"of type {_kind(norm)}, which may compute something else"
    elif calls[id(norm)] > 1:
        obstacle = "called several times"
    elif graph.in_training or node.in_training:
        obstacle = "called with training=True, so that it normalises by its batch"
    else:
        before, not_before = _layer_before(graph, position, calls)
        if not not_before:
            return Fold(norm, path, into=before)
        after, not_after = _layer_after(graph, position, calls)
        if not not_after:
            return Fold(norm, path, into=after, comes_first=True)
        obstacle = f"{not_before}; {not_after}"
    return Fold(norm, path, obstacle=obstacle)


def _layer_before(graph: _Graph, position: int, calls: Counter[int]) -> Neighbour:
    norm = graph.nodes[position]
    rank = len(norm.output_shape)
    source = norm.inputs[0]
    while graph.used_once(source) and _selects(graph.nodes[source].layer, _axis(norm), rank):
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
    elif _pads(node.layer) and affine(norm.layer).shift.any():
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
    if _axis(norm) != _channel_axis(layer, rank):
        return ", whose channels are on another axis"
    if norm.layer.dtype_policy.name != policy:
        return f", which computes in {policy}"
    if getattr(layer, "lora_enabled", False):
        return ", which has LoRA weights"
    if _channel_axis(layer, rank) < rank - 1 and shape[1] > 1 and shape[-1] in (None, shape[1]):
        # keras.ops.add on TensorFlow (Keras 3.15), as in model/keras_layers.py.
        return ", whose bias Keras adds to the columns if there are as many as channels"
    return ""


def _axis(norm: Node) -> int:
    """The axis that a batch norm normalises, counted from the first."""
    return int(norm.layer.axis % len(norm.output_shape))


def _kind(layer: keras.Layer) -> str:
    return type(layer).__name__


# Linear layers -----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Linear:
    """A kind of linear layer.

    Attributes:
        outputs: the axes of its kernel that count output channels.
        inputs: those that count input channels; empty for layers that take in only what is after
            them.
    """

    outputs: tuple[int, ...]
    inputs: tuple[int, ...] = ()


_CONV = Linear(outputs=(-1,), inputs=(-2,))
_DEPTHWISE = Linear(outputs=(-2, -1), inputs=(-2,))
# The input meets another kernel.
_SEPARABLE = Linear(outputs=(-1,))
# A pixel at the border of the output comes from fewer pixels, and so from less of a shift.
_TRANSPOSED = Linear(outputs=(-2,))

# Subclasses of these may compute something else.
LINEAR: dict[type, Linear] = {
    layers.Conv1D: _CONV,
    layers.Conv2D: _CONV,
    layers.Conv3D: _CONV,
    layers.DepthwiseConv1D: _DEPTHWISE,
    layers.DepthwiseConv2D: _DEPTHWISE,
    layers.SeparableConv1D: _SEPARABLE,
    layers.SeparableConv2D: _SEPARABLE,
    layers.Conv1DTranspose: _TRANSPOSED,
    layers.Conv2DTranspose: _TRANSPOSED,
    layers.Conv3DTranspose: _TRANSPOSED,
    layers.Dense: _CONV,
}

_POOLS = {layers.MaxPooling1D, layers.MaxPooling2D, layers.MaxPooling3D}


@dataclass(frozen=True)
class Affine:
    """A function x -> scale * x + shift of each channel."""

    scale: Float64
    shift: Float64


def affine(norm: keras.Layer) -> Affine:
    """What a batch norm computes outside of training."""
    mean, variance = _as_float64(norm.moving_mean), _as_float64(norm.moving_variance)
    scale = 1 / np.sqrt(variance + norm.epsilon)
    if norm.scale:
        scale *= _as_float64(norm.gamma)
    shift = -mean * scale
    if norm.center:
        shift += _as_float64(norm.beta)
    return Affine(scale, shift)


def _pads(layer: keras.Layer) -> bool:
    """Return whether a layer adds zeros around its input."""
    kernel_size = getattr(layer, "kernel_size", (1,))
    return getattr(layer, "padding", "valid") != "valid" and set(kernel_size) != {1}


def _channel_axis(layer: keras.Layer, rank: int) -> int:
    """The axis of the channels in the input and output of a layer."""
    return 1 if getattr(layer, "data_format", None) == "channels_first" else rank - 1


def _selects(layer: keras.Layer, axis: int, rank: int) -> bool:
    """Return whether a layer only selects pixels, so that channels may be scaled before it too."""
    if type(layer) is layers.Identity:
        return True
    one = type(layer) in _POOLS and set(layer.pool_size) == {1}
    return one and _channel_axis(layer, rank) == axis


def _as_float64(variable: keras.Variable) -> Float64:
    """The value of a variable as an array."""
    return np.asarray(keras.ops.convert_to_numpy(variable), "float64")
