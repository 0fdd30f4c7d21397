"""The graph of the layers in a model's config, in a form that does not depend on how it is written.

A ReLU layer becomes an activation, padding becomes part of the convolution that follows it, and
layers that compute nothing in inference are left out.
"""

import inspect
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

import keras
import numpy as np

from .checkpoint import Checkpoint
from .keras_files import layers_inside, quantized

# Settings that do not change what a layer computes from given weights in inference, or that the
# shapes of its weights show.
HARMLESS = frozenset(
    (
        *("name", "trainable", "dtype", "autocast", "seed", "momentum", "synchronized", "sparse"),
        *("batch_shape", "batch_input_shape", "ragged", "optional", "fused", "input_shape"),
        *("renorm", "renorm_clipping", "renorm_momentum", "virtual_batch_size", "adjustment"),
        *("filters", "units", "kernel_size", "depth_multiplier", "use_bias"),
        *("quantization_config", "lora_rank", "lora_alpha"),
    )
)
HARMLESS_ENDINGS = ("_initializer", "_regularizer", "_constraint")

# Layers that compute nothing in inference.
TRANSPARENT = frozenset(
    (
        *("Identity", "Dropout", "SpatialDropout1D", "SpatialDropout2D", "GaussianDropout"),
        *("GaussianNoise", "AlphaDropout", "ActivityRegularization"),
    )
)
COMMUTATIVE = ("Add", "Multiply", "Maximum", "Minimum", "Average")
CONVOLUTIONS = ("Conv2D", "DepthwiseConv2D")
POOLS = ("MaxPooling2D", "AveragePooling2D")
GLOBAL_POOLS = ("GlobalAveragePooling2D", "GlobalMaxPooling2D")
NORMS = ("BatchNormalization", "GroupNormalization", "LayerNormalization")
INPUT = "InputLayer"

# Layers and functions of Keras that are an activation with its default settings.
ACTIVATIONS = {"ReLU": "relu", "ELU": "elu", "Softmax": "softmax", "PReLU": None, "LeakyReLU": None}
SYNONYMS = {"swish": "silu", "hard_swish": "hard_silu"}

# Orders of axes that a network is entered and left with.
ENTERS_OR_LEAVES = ([2, 3, 1], [3, 1, 2])


@dataclass(frozen=True)
class Node:
    """One call of a layer.

    Attributes:
        layer: path of the layer in the file.
        kind: name of its class.
        settings: what it computes, but for its weights.
        written: its settings as they are written.
        inputs: the nodes that it is called on.
        size: rows and columns of its input, if the file says them.
    """

    layer: str
    kind: str
    settings: Mapping[str, Any]
    written: Mapping[str, Any]
    inputs: tuple["Key", ...]
    size: list[int] | None = None


Key = tuple[str, int]  # layer, and the number of its call


class DescribedGraph:
    """The graph of serialised layers by path, such as `teacher/stem_conv`.

    The layers of a model inside the model are part of the graph.
    """

    def __init__(self, layers: Mapping[str, Any]) -> None:
        self.layers = layers
        self._children: dict[str, list[str]] = {}
        for path in layers:
            if is_own_layer(path, layers):
                self._children.setdefault(path.rpartition("/")[0], []).append(path)
        self._nodes: dict[Key, Node] = {}

    def calls(self) -> Iterator[Key]:
        """All calls, in the order of the file."""
        for path, layer in self.layers.items():
            if not self._children.get(path):
                yield from ((path, number) for number in range(len(_calls(layer)) or 1))

    def __contains__(self, layer: object) -> bool:
        return layer in self.layers

    def outputs(self) -> list[Key]:
        """The calls that the whole model ends in."""
        used = {key for node in map(self._read, self.calls()) for key in node.inputs}
        return [key for key in self.calls() if key not in used]

    def node(self, key: Key) -> Node:
        """A call in its simplest form."""
        if key not in self._nodes:
            self._nodes[key] = self._simplified(self._read(key))
        return self._nodes[key]

    def source(self, key: Key) -> Key:
        """The call, or the one before it that computes something."""
        passed = set()
        while (node := self.node(key)).inputs and self._is_transparent(node):
            passed.add(key)
            [key] = node.inputs
            if key in passed:
                raise ValueError(f"{key[0]} is its own input")
        return key

    def _source(self, key: Key) -> Node:
        return self.node(self.source(key))

    def _is_transparent(self, node: Node) -> bool:
        if node.kind == "Permute":
            return node.settings.get("dims") in ENTERS_OR_LEAVES
        if node.kind == "Flatten":
            return self._source(node.inputs[0]).kind in GLOBAL_POOLS
        is_linear = node.kind == "Activation" and node.settings["activation"] == "linear"
        is_inside = node.kind == INPUT  # with an input: of a nested model
        return is_linear or is_inside or node.kind in TRANSPARENT or node.kind.startswith("Random")

    # Reading -------------------------------------------------------------------------------------

    def _read(self, key: Key) -> Node:
        path, number = key
        layer, parent = self.layers[path], path.rpartition("/")[0]
        calls = _calls(layer)
        call: Any = calls[number] if number < len(calls) else []
        inputs = tuple(self._resolved(parent, *reference) for reference in _references(call))
        if not calls:
            inputs = self._before(path, parent)
        config = layer.get("config") or {}
        constants = _constants(call)
        while parent and layer["class_name"] == "BatchNormalization":  # training=True is passed on
            constants += [c for of in _calls(self.layers.get(parent, {})) for c in _constants(of)]
            parent = parent.rpartition("/")[0]
        kind, settings = _canonical(layer["class_name"], config, constants)
        return Node(path, kind, settings, config, inputs, _size(call))

    def _resolved(self, parent: str, name: str, number: int) -> Key:
        """The call that a reference in a model refers to: of a nested model, the last one in it."""
        path = f"{parent}/{name}" if parent else name
        children = self._children.get(path)
        if not children:
            return path, number
        ends = self.layers[path]["config"].get("output_layers")
        if not ends:
            return self._resolved(path, children[-1].rpartition("/")[2], 0)
        [first, *_] = _references(ends)
        return self._resolved(path, *first)

    def _before(self, path: str, parent: str) -> tuple[Key, ...]:
        """The input of a layer whose config has none: in a Sequential, or the input of a model."""
        siblings = self._children.get(parent, [path])
        position = siblings.index(path)
        is_sequence = parent not in self.layers or not (
            self.layers[parent]["config"].get("output_layers")
        )
        if self.layers[path]["class_name"] != INPUT and is_sequence and position:
            return (self._resolved(parent, siblings[position - 1].rpartition("/")[2], 0),)
        if not parent:
            return ()
        around = parent.rpartition("/")[0]
        calls = _calls(self.layers[parent])
        if not calls:
            return self._before(parent, around)
        given = [self._resolved(around, *reference) for reference in _references(calls[0])]
        inputs = [p for p in siblings if self.layers[p]["class_name"] == INPUT]
        place = inputs.index(path) if path in inputs else 0
        return (given[place],) if place < len(given) else ()

    # Simplifying ---------------------------------------------------------------------------------

    def _simplified(self, node: Node) -> Node:
        if node.kind == "Flatten" and node.inputs:
            pool = self._source(node.inputs[0])
            if pool.kind == "AveragePooling2D" and _pools_all(pool):
                settings = {"keepdims": False}
                return replace(pool, kind="GlobalAveragePooling2D", settings=settings)
        if node.kind in CONVOLUTIONS + POOLS and node.inputs:
            node = self._with_padding(node)
        is_subsampling = node.kind in POOLS and _first(node.settings["pool_size"]) == 1
        if is_subsampling and node.inputs:
            # Every n-th window of a pool at stride 1 is a pool of stride n.
            pool = self._source(node.inputs[0])
            if pool.kind == "MaxPooling2D" and _first(pool.settings["strides"]) == 1:
                strides = {"strides": node.settings["strides"]}
                return replace(pool, settings={**pool.settings, **strides})
            return replace(node, kind="Subsample")
        return node

    def _with_padding(self, node: Node) -> Node:
        """Add the padding layer before a node to it, and call padding of half the kernel "half"."""
        settings, config = dict(node.settings), node.written
        size = _pair(config.get("kernel_size", config.get("pool_size")))
        strides, dilation = _pair(settings["strides"]), _pair(config.get("dilation_rate") or 1)
        half = [
            [d * (k - 1) // 2, d * (k - 1) - d * (k - 1) // 2]
            for d, k in zip(dilation, size, strict=True)
        ]
        inputs, padding = node.inputs, settings["padding"]
        if padding == "valid":
            before = self._source(node.inputs[0])
            if before.kind == "ZeroPadding2D" and self._may_pad(before, node):
                padding, inputs = before.settings["padding"], before.inputs
        elif max(size) == 1:
            padding = "valid"
        elif max(strides) == 1 and padding == "same":
            padding = half
        settings["padding"] = "half" if padding == half and max(size) > 1 else padding
        return replace(node, settings=settings, inputs=inputs)

    def _may_pad(self, zeros: Node, node: Node) -> bool:
        """Whether zeros before a convolution, or before a max pool of values >= 0, are padding."""
        if zeros.settings["data_format"] != node.written.get("data_format", "channels_last"):
            return False  # they are channels
        if node.kind in CONVOLUTIONS:
            return True
        before = self._source(zeros.inputs[0]).settings.get("activation")
        return node.kind == "MaxPooling2D" and before in ("relu", "relu6", "sigmoid", "softplus")


def is_own_layer(path: str, layers: Mapping[str, Any]) -> bool:
    """Whether a path is of a layer of a model, and not of one inside another kind of layer."""
    parent = path.rpartition("/")[0]
    return path in layers and (not parent or "layers" in layers.get(parent, {}).get("config", {}))


def default(kind: str, setting: str) -> Any:
    """The value of a setting that a layer's config does not name."""
    return _defaults(kind).get(setting)


@cache
def _defaults(kind: str) -> dict[str, Any]:
    layer = getattr(keras.layers, kind, None)
    parameters = inspect.signature(layer.__init__).parameters if layer else {}
    return {
        name: _as_json(parameter.default)
        for name, parameter in parameters.items()
        if parameter.default is not inspect.Parameter.empty
    }


def _canonical(kind: str, config: Mapping[str, Any], constants: Any) -> tuple[str, dict[str, Any]]:
    settings = _computing(config)
    if kind in NORMS:
        for shown in ("axis", "center", "scale"):  # by the shapes of its weights
            settings.pop(shown, None)
    if constants:
        settings["arguments"] = constants
    if kind in ACTIVATIONS and (name := ACTIVATIONS[kind]):
        changed = {n: v for n, v in settings.items() if v != default(kind, n)}
        if changed in ({}, {"max_value": 6}):
            return "Activation", {"activation": name + ("6" if changed else "")}
    if kind in ("Relu", "Silu", "Gelu", "Sigmoid", "Tanh") and not settings:
        return "Activation", {"activation": kind.lower()}
    if kind in CONVOLUTIONS + POOLS + ("ZeroPadding2D",):
        settings.setdefault("data_format", "channels_last")
    if kind in CONVOLUTIONS + POOLS:
        settings.setdefault("padding", "valid")
        settings["strides"] = settings.get("strides") or config.get("pool_size", [1, 1])
    if kind in CONVOLUTIONS + POOLS + GLOBAL_POOLS:
        settings.pop("data_format", None)  # an order of axes, in which the kernel is the same
    return kind, settings


def _computing(config: Mapping[str, Any]) -> dict[str, Any]:
    """The settings that change what a layer computes."""
    return {
        name: _as_json(value)
        for name, value in config.items()
        if name not in HARMLESS and not name.endswith(HARMLESS_ENDINGS) and name != "layers"
    }


def _as_json(value: Any) -> Any:
    """A value as JSON has it, a function by its name, and a layer without harmless settings."""
    if isinstance(value, list | tuple):
        return list(map(_as_json, value))
    if isinstance(value, dict) and value.get("class_name") == "function":
        value = value.get("config")
    if isinstance(value, dict):
        return [value.get("class_name"), _computing(value.get("config") or {})]
    return SYNONYMS.get(value, value) if isinstance(value, str) else value


def _pair(value: Any) -> list[int]:
    return list(value) if isinstance(value, list | tuple) else [value] * 2


def _pools_all(pool: Node) -> bool:
    """Whether an average pool before a Flatten is a global one.

    At stride 1 it is if one position is left, as many features as channels: the shape of the next
    kernel shows that.
    """
    size = _pair(pool.settings["pool_size"])
    is_whole = _first(pool.settings["strides"]) == 1 or pool.size == size
    return pool.settings["padding"] == "valid" and is_whole


def _first(value: Any) -> Any:
    return max(_pair(value))


# Calls -------------------------------------------------------------------------------------------


def _calls(layer: Mapping[str, Any]) -> list[Any]:
    return layer.get("inbound_nodes") or []


def _references(call: Any) -> Iterator[tuple[str, int]]:
    """The names of layers and the numbers of their calls in a call's arguments, in order.

    Keras 3 writes them as {"class_name": "__keras_tensor__", ...}, Keras 2 as [name, call, output].
    """
    if isinstance(call, Mapping):
        if call.get("class_name") == "__keras_tensor__":
            name, number, _ = call["config"]["keras_history"]
            yield name, number
        else:
            yield from _references(list(call.values()))
    elif isinstance(call, list | tuple):
        if _is_reference(call):
            yield call[0], call[1]
        else:
            for part in call:
                yield from _references(part)


def _size(call: Any) -> list[int] | None:
    """The rows and columns of a call's first argument, which Keras 3 writes."""
    try:
        shape = call["args"][0]["config"]["shape"]
        return list(shape[1:3]) if len(shape) == 4 else None
    except (KeyError, IndexError, TypeError):
        return None


def _is_reference(call: Any) -> bool:
    return (
        len(call) >= 3 and isinstance(call[0], str) and all(isinstance(n, int) for n in call[1:3])
    )


def _constants(call: Any) -> list[Any]:
    """The other arguments of a call, such as the number in an addition."""
    if not isinstance(call, Mapping):
        return []
    named = call.get("kwargs", {})
    plain = [argument for argument in call.get("args", ()) if not list(_references(argument))]
    return plain + [
        [name, value]
        for name, value in named.items()
        if not (name == "mask" or value is None or (name, value) == ("training", False))
        if not list(_references(value))
    ]


def of_model(model: keras.Model) -> Checkpoint:
    """The checkpoint of a model in memory, named as in a file of it."""
    variables: dict[str, Any] = {}
    for name, variable in _variables(model):
        if variables.setdefault(name, variable) is not variable:
            raise ValueError(
                f"cannot load the model {model.name!r}: two of its tensors are named {name}; "
                "save_weights to a .weights.h5 gives them different names, and that can be loaded"
            )
    shapes = {name: tuple(variable.shape) for name, variable in variables.items()}
    return Checkpoint(
        f"the model {model.name!r}",
        shapes,
        lambda name: np.asarray(keras.ops.convert_to_numpy(variables[name])),
        settings=settings_of(model),
        without_head=quantized(variables.values()),
    )


def _variables(layer: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """The variables of a layer and of the layers in it, at every depth."""
    inner = layer._flatten_layers(include_self=False, recursive=False)
    of_inner = {id(variable) for of in inner for variable in of.weights}
    yield from ((path + of.name, of) for of in layer.weights if id(of) not in of_inner)
    for of in inner:
        yield from _variables(of, f"{path}{of.name}/")


def settings_of(model: keras.Model) -> dict[str, Any]:
    """The serialised layers of a model by path; empty for a subclass without a config."""
    try:
        return layers_inside({"config": model.get_config()})
    except Exception:  # a subclass may raise any error
        return {}
