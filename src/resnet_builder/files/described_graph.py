"""The graph of a model's layers, in a form that does not depend on how it is written.

It is made from a config, which is the same in a file and in memory. A ReLU layer becomes an
activation, padding becomes part of the convolution that follows it, and layers that compute nothing
in inference are left out.
"""

import inspect
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cache
from itertools import chain

import keras
import numpy as np

from ..model.keras_limits import without_tensorflow
from .checkpoint import Array, Checkpoint, Json, refused
from .keras_files import from_tensors, layers_inside

# Settings that do not change what a layer computes from given weights in inference, or that the
# shapes of its weights show.
# fmt: off
HARMLESS = frozenset((
    "name", "trainable", "dtype", "autocast", "seed", "momentum", "synchronized", "sparse",
    "batch_shape", "batch_input_shape", "ragged", "optional", "fused", "input_shape", "renorm",
    "renorm_clipping", "renorm_momentum", "virtual_batch_size", "adjustment", "filters", "units",
    "kernel_size", "depth_multiplier", "use_bias", "quantization_config", "lora_rank",
    "lora_alpha", "layers",
))
HARMLESS_ENDINGS = ("_initializer", "_regularizer", "_constraint")

# Layers that compute nothing in inference.
TRANSPARENT = frozenset((
    "Identity", "Dropout", "SpatialDropout1D", "SpatialDropout2D", "GaussianDropout",
    "GaussianNoise", "AlphaDropout", "ActivityRegularization",
))
# fmt: on
COMMUTATIVE = ("Add", "Multiply", "Maximum", "Minimum", "Average")
CONVOLUTIONS = ("Conv2D", "DepthwiseConv2D")
POOLS = ("MaxPooling2D", "AveragePooling2D")
GLOBAL_POOLS = ("GlobalAveragePooling2D", "GlobalMaxPooling2D")
NORMS = ("BatchNormalization", "GroupNormalization", "LayerNormalization")
INPUT = "InputLayer"

# Layers and functions of Keras that are an activation with its default settings.
ACTIVATIONS = {"ReLU": "relu", "ELU": "elu", "Softmax": "softmax"}
ACTIVATIONS |= {name.title(): name for name in ("relu", "silu", "gelu", "sigmoid", "tanh")}
# Functions of TensorFlow that Keras 2 writes as layers of the class TFOpLambda.
OPERATIONS = {"math.multiply": "Multiply", "__operators__.add": "Add"}
SYNONYMS = {"swish": "silu", "hard_swish": "hard_silu"}

# Orders of axes that a network is entered and left with.
ENTERS_OR_LEAVES = ([2, 3, 1], [3, 1, 2])

Key = tuple[str, int]  # a call: the path of the layer, and the number of the call


@dataclass(frozen=True)
class Computation:
    """One call of a layer, with what it computes.

    Attributes:
        layer: path of the layer in the file.
        name: the path without the prefix of the network's layers.
        kind: name of its class.
        settings: what it computes, but for its weights; defaults are filled in.
        written: its settings as they are written.
        inputs: the calls that it takes the results of.
        size: rows and columns of its input, if the file says them.
    """

    layer: str
    name: str
    kind: str
    settings: Json
    written: Json
    inputs: tuple[Key, ...]
    size: list[int] | None = None


class DescribedGraph:
    """The calls of serialised layers by path, such as `teacher/stem_conv`.

    The layers of a model inside the model are part of the graph.

    Attributes:
        names: the paths of the network's layers by those without the prefix.
        calls: all calls as they are written, in the order of the file.
    """

    def __init__(self, layers: Mapping[str, Json], prefix: str) -> None:
        """Read the calls.

        Args:
            layers: the serialised layers, a model before the layers in it.
            prefix: the prefix of the paths of the network's layers.
        """
        self.names = {of.removeprefix(prefix): of for of in layers if of.startswith(prefix)}
        self.calls: dict[Key, Computation] = {}
        self._layers, self._prefix = layers, prefix
        self._nodes: dict[Key, Computation] = {}
        self._children: dict[str, list[str]] = {}
        # The inputs of each layer's first call, and other arguments of models and the ones around.
        self._inputs: dict[str, tuple[Key, ...]] = {"": ()}
        self._arguments: dict[str, list[object]] = {"": []}
        for path in layers:
            if is_own_layer(path, layers):
                self._children.setdefault(path.rpartition("/")[0], []).append(path)
        for path, layer in layers.items():
            self._read(path, layer)

    def _read(self, path: str, layer: Json) -> None:
        parent, calls = path.rpartition("/")[0], layer.get("inbound_nodes") or [None]
        inputs = [
            tuple(self._resolved(parent, *reference) for reference in _references(call))
            for call in calls
        ]
        if calls == [None]:
            inputs = [self._unconnected(path, parent)]
        constants = [_constants(call) for call in calls]
        around = self._arguments.get(parent, [])
        self._inputs[path], self._arguments[path] = inputs[0], [*chain(*constants), *around]
        is_norm = layer.get("class_name") == "BatchNormalization"  # training=True is passed on
        for number, call in enumerate(calls if path not in self._children else []):
            arguments = constants[number] + (around if is_norm else [])
            config = layer.get("config") or {}
            computed = _computed(layer["class_name"], config, arguments)
            name = path.removeprefix(self._prefix)
            node = Computation(path, name, *computed, config, inputs[number], _size(call))
            self.calls[path, number] = node

    def outputs(self) -> list[Key]:
        """The calls that the whole model ends in."""
        used = {key for call in self.calls.values() for key in call.inputs}
        return [key for key in self.calls if key not in used]

    def node(self, key: Key) -> Computation:
        """A call in its simplest form."""
        if key not in self._nodes:
            self._nodes[key] = self._simplified(self.calls[key])
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

    def _before(self, node: Computation) -> Computation:
        return self.node(self.source(node.inputs[0]))

    def _is_transparent(self, node: Computation) -> bool:
        if node.kind == "Permute":
            return node.settings.get("dims") in ENTERS_OR_LEAVES
        if node.kind == "Flatten":
            return self._before(node).kind in GLOBAL_POOLS
        is_linear = node.kind == "Activation" and node.settings["activation"] == "linear"
        is_inside = node.kind == INPUT  # with an input: of a nested model
        return is_linear or is_inside or node.kind in TRANSPARENT or node.kind.startswith("Random")

    # Connections ---------------------------------------------------------------------------------

    def _resolved(self, parent: str, name: str, number: int) -> Key:
        """The call that a reference in a model refers to: of a nested model, the last one in it."""
        path = f"{parent}/{name}" if parent else name
        if path not in self._children:
            return path, number
        if not (ends := self._layers[path]["config"].get("output_layers")):
            return self._resolved(path, self._children[path][-1].rpartition("/")[2], 0)
        [first, *_] = _references(ends)
        return self._resolved(path, *first)

    def _unconnected(self, path: str, parent: str) -> tuple[Key, ...]:
        """The input of a layer whose config has none: in a Sequential, or the input of a model."""
        siblings = self._children.get(parent, [path])
        is_sequence = not self._layers.get(parent, {"config": {}})["config"].get("output_layers")
        if is_sequence and self._layers[path].get("class_name") != INPUT and siblings[0] != path:
            before = siblings[siblings.index(path) - 1]
            return (self._resolved(parent, before.rpartition("/")[2], 0),)
        inputs = [of for of in siblings if self._layers[of].get("class_name") == INPUT]
        place = inputs.index(path) if path in inputs else 0
        return self._inputs.get(parent, ())[place : place + 1]

    # Simplifying ---------------------------------------------------------------------------------

    def _simplified(self, node: Computation) -> Computation:
        if not node.inputs:
            return node
        if node.kind == "Flatten":
            pool = self._before(node)
            if pool.kind == "AveragePooling2D" and _pools_all(pool):
                return replace(pool, kind="GlobalAveragePooling2D", settings={"keepdims": False})
        if node.settings.get("target_shape", [])[:2] == [1, 1]:
            pool = self._before(node)
            if node.kind == "Reshape" and pool.kind in GLOBAL_POOLS:
                return replace(pool, settings={"keepdims": True})
        if node.kind in CONVOLUTIONS + POOLS:
            node = self._with_padding(node)
        if node.kind in POOLS and _largest(node.settings["pool_size"]) == 1:
            # Every n-th window of a pool at stride 1 is a pool of stride n.
            pool = self._before(node)
            if pool.kind == "MaxPooling2D" and _largest(pool.settings["strides"]) == 1:
                strides = {"strides": node.settings["strides"]}
                return replace(pool, settings={**pool.settings, **strides})
            return replace(node, kind="Subsample")
        return node

    def _with_padding(self, node: Computation) -> Computation:
        """Add the padding layer before a node to it, and call padding of half the kernel "half"."""
        settings, inputs, padding = node.settings, node.inputs, node.settings["padding"]
        size = _pair(node.written.get("kernel_size", settings.get("pool_size")))
        dilation = _pair(settings.get("dilation_rate") or 1)
        widths = [d * (k - 1) for d, k in zip(dilation, size, strict=True)]
        half = [[width // 2, width - width // 2] for width in widths]
        if padding == "valid":
            before = self._before(node)
            if before.kind == "ZeroPadding2D" and self._may_pad(before, node):
                padding, inputs = before.settings["padding"], before.inputs
        elif max(size) == 1:
            padding = "valid"
        elif _largest(settings["strides"]) == 1 and padding == "same":
            padding = half
        padding = "half" if padding == half and max(size) > 1 else padding
        return replace(node, settings={**settings, "padding": padding}, inputs=inputs)

    def _may_pad(self, zeros: Computation, node: Computation) -> bool:
        """Whether zeros before a convolution, or before a max pool of values >= 0, are padding."""
        if zeros.settings["data_format"] != node.written.get("data_format", "channels_last"):
            return False  # they are channels
        if node.kind in CONVOLUTIONS:
            return True
        before = self._before(zeros).settings.get("activation")
        return node.kind == "MaxPooling2D" and before in ("relu", "relu6", "sigmoid", "softplus")


def is_own_layer(path: str, layers: Mapping[str, Json]) -> bool:
    """Whether a path is of a layer of a model, and not of one inside another kind of layer."""
    parent = path.rpartition("/")[0]
    return path in layers and (not parent or "layers" in layers.get(parent, {}).get("config", {}))


# Settings ----------------------------------------------------------------------------------------


def _computed(kind: str, config: Json, arguments: list[object]) -> tuple[str, Json]:
    """The kind and the settings of a layer, the same for layers that compute the same."""
    if kind == "TFOpLambda" and config.get("function") in OPERATIONS:
        return OPERATIONS[config["function"]], {}
    defaults = _defaults(kind)
    settings = _computing(config)
    settings |= {name: value for name, value in defaults.items() if name not in settings}
    if arguments:
        settings["arguments"] = _as_json(arguments)
    if name := ACTIVATIONS.get(kind):
        changed = {n: v for n, v in settings.items() if v != defaults.get(n)}
        if changed in ({}, {"max_value": 6}):
            return "Activation", {"activation": name + ("6" if changed else "")}
    unseen: tuple[str, ...] = ()
    if kind in NORMS:
        unseen = ("axis", "center", "scale")  # which the shapes of the weights show
    elif kind in CONVOLUTIONS + POOLS + GLOBAL_POOLS:
        unseen = ("data_format",)  # an order of axes, in which the kernel is the same
    elif kind == "ZeroPadding2D":
        settings["data_format"] = settings["data_format"] or "channels_last"
    if kind in POOLS:
        settings["strides"] = settings["strides"] or settings["pool_size"]
    return kind, {name: value for name, value in settings.items() if name not in unseen}


@cache
def _defaults(kind: str) -> Json:
    layer = getattr(keras.layers, kind, None)
    parameters = inspect.signature(layer.__init__).parameters.values() if layer else ()
    return _computing({of.name: of.default for of in parameters if of.default is not of.empty})


def _computing(config: Json) -> Json:
    """The settings that change what a layer computes."""
    return {
        name: _as_json(value)
        for name, value in config.items()
        if name not in HARMLESS and not name.endswith(HARMLESS_ENDINGS)
    }


def _as_json(value: object) -> object:
    """A value as JSON has it, a function by its name, and a layer without harmless settings."""
    match value:
        case list() | tuple():
            return list(map(_as_json, value))
        case {"class_name": "function", "config": function}:
            return _as_json(function)
        case dict():
            return [value.get("class_name"), _computing(value.get("config") or {})]
        case str():
            return SYNONYMS.get(value, value)
    return value


def _pair(value: object) -> list[int]:
    return list(value) if isinstance(value, list | tuple) else [value] * 2  # type: ignore[list-item]


def _largest(value: object) -> int:
    return max(_pair(value))


def _pools_all(pool: Computation) -> bool:
    """Whether an average pool before a Flatten is a global one.

    At stride 1 it is if one position is left, as many features as channels: the shape of the next
    kernel shows that.
    """
    settings = pool.settings
    is_whole = _largest(settings["strides"]) == 1 or pool.size == _pair(settings["pool_size"])
    return settings["padding"] == "valid" and is_whole


# The arguments of a call -------------------------------------------------------------------------


def _references(call: object) -> Iterator[tuple[str, int]]:
    """The names of layers and the numbers of their calls in a call's arguments, in order.

    Keras 3 writes them as {"class_name": "__keras_tensor__", ...}, Keras 2 as [name, call, output,
    other arguments].
    """
    match call:
        case {"class_name": "__keras_tensor__", "config": {"keras_history": [name, number, _]}}:
            yield name, number
        case [str(name), int(number), int(), *others]:
            yield name, number
            yield from _references(others)
        case dict() | list() | tuple():
            for part in call.values() if isinstance(call, dict) else call:
                yield from _references(part)


def _size(call: object) -> list[int] | None:
    """The rows and columns of a call's first argument, which Keras 3 writes."""
    match call:
        case {"args": [{"config": {"shape": [_, rows, columns, _]}}, *_]}:
            return [rows, columns]
    return None


def _constants(call: object) -> list[object]:
    """The other arguments of a call, such as the number in an addition."""
    if not isinstance(call, Mapping):
        return []
    named = [
        [name, value]
        for name, value in (call.get("kwargs") or {}).items()
        if not (name == "mask" or value is None or (name, value) == ("training", False))
    ]
    return [of for of in (*call.get("args", ()), *named) if not list(_references(of))]


# Models in memory --------------------------------------------------------------------------------


def of_model(model: keras.Model) -> Checkpoint:
    """The checkpoint of a model in memory, named as in a file of it."""
    name, settings = f"the model {model.name!r}", settings_of(model)
    try:
        return from_tensors(name, _variables(model), _array, settings=settings)
    except ValueError as error:
        remedy = "save_weights to a .weights.h5 gives them different names, and that can be loaded"
        raise refused(name, f"{error}; {remedy}") from None


def _array(variable: keras.Variable) -> Array:
    return np.asarray(keras.ops.convert_to_numpy(variable))


def _variables(layer: keras.Layer, path: str = "") -> Iterator[tuple[str, keras.Variable]]:
    """The variables of a layer and of the layers in it, at every depth."""
    inner = layer._flatten_layers(include_self=False, recursive=False)
    of_inner = {id(variable) for of in inner for variable in of.weights}
    yield from ((path + of.name, of) for of in layer.weights if id(of) not in of_inner)
    for of in inner:
        yield from _variables(of, f"{path}{of.name}/")


@without_tensorflow()
def settings_of(model: keras.Model) -> dict[str, Json]:
    """The serialised layers of a model by path; empty for a subclass without a config."""
    try:
        return layers_inside({"config": model.get_config()})
    except Exception:  # a subclass may raise any error
        return {}
