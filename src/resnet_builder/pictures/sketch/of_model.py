"""Keras models as sketches: the kinds of their layers, and the words for them."""

import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import replace
from itertools import repeat
from typing import Any

import keras

from ...common import words
from ...common.words import Description
from ...costs.models import ModelReading, profile_reading, read_model
from ...model.graph import PERMUTED
from ...model.record import RECORDS
from ...plan.names import own_name
from ...weights.load import target_of
from ...weights.naming import Origin
from .boxes import DrawnGraph, LayerBox, drawn_layers, known_origins, open_box, settings
from .panels import sketch_boxes
from .sketch import DrawnLayer, Sketch

# By class: operations such as `a + b` have classes of the same names.
CLASSES_OF_KIND = {
    "conv": "(Depthwise|Separable)?Conv[123]D(Transpose)?",
    "norm": "(Batch|Layer|Group|RMS|Unit)Normalization",
    "activation": "Activation|ReLU|LeakyReLU|PReLU|ELU|Softmax|Relu|Relu6|LeakyRelu|Elu|Selu|Gelu|"
    "Silu|HardSilu|Tanh|Sigmoid|HardSigmoid",
    "pool": "(Global)?(Max|Average)Pooling[123]D",
    "merge": "Add|Subtract|Multiply|Concatenate|Average|Maximum|Minimum",
    "dense": "(Einsum)?Dense",
}
SHORT = {
    "BatchNormalization": "BN",
    "LayerNormalization": "LN",
    "GroupNormalization": "GN",
    "RMSNormalization": "RMS norm",
    "Add": "+",
    "Multiply": "×",
    "Subtract": "−",
    "Identity": "",
}


def sketch_model(model: keras.Model) -> Sketch:
    """Sketch a model: sections by this package's layer names, by size for others."""
    read = read_model(model)
    shapes = [tuple(tensor.shape[1:]) for tensor in model.inputs]
    boxes = list(boxes_of_model(read))
    return sketch_boxes(boxes, profile_reading(read), shapes, in_parts=read.has_network)


def boxes_of_model(read: ModelReading) -> Iterator[LayerBox]:
    """Yield the boxes of a model, each after those that feed it, and none in two blocks."""
    described = [describe_layer(node.layer, node.output_shape) for node in read.graph]
    parts = read.sections if read.has_network else repeat(None)
    groups = list(zip(read.places, parts, strict=False))
    graph, known = DrawnGraph(read.graph, described, groups), _planned_layers(read)
    origins = dict(_origins(read.model))
    for numbers, cells, inputs in graph.boxes():
        place, section = read.places[numbers[-1]], read.sections[numbers[-1]]
        title = "" if section.is_size else section.name
        layers = {number: _layer(read, number, origins, known) for number in numbers}
        opened = layers if cells[0].kind == "scale" else {}
        inside = open_box(opened, graph.inputs, dict(enumerate(described)))
        yield LayerBox(cells, tuple(layers.values()), inputs, place, (title, section), inside)


def _origins(model: keras.Model) -> Iterator[tuple[str, tuple[str, Origin]]]:
    """Yield the libraries that have the model's only network: the prefix of its layers, and names.

    There are none for a model without a network, or with several.
    """
    with suppress(ValueError):
        target = target_of(model)
        for library, origin in known_origins(target.expected):
            yield library, (target.prefix, origin)


def _planned_layers(read: ModelReading) -> dict[str, DrawnLayer]:
    """The layers of the plans of the networks that were built here, by name in the model."""
    records = {id(of): of for node in read.graph if (of := RECORDS.get(node.layer))}
    return {
        record.options["layer_prefix"] + name: layer
        for record in records.values()
        if (plan := record.plan()).is_known
        for name, layer in drawn_layers(plan, {})  # the names are read from the model
    }


def _layer(
    read: ModelReading,
    number: int,
    origins: Mapping[str, tuple[str, Origin]],
    planned: Mapping[str, DrawnLayer],
) -> DrawnLayer:
    """A layer with what its plan knows beside, if that has the same shape."""
    node, cost = read.graph[number], read.costs[number]
    name, shape, before = node.layer.name, node.output_shape, node.input_shapes
    weights = {
        weight.path.removeprefix(f"{name}/"): tuple(weight.shape)
        for weight in getattr(node.layer, "weights", ())
    }
    tensors = {
        library: tuple(origin.whole_tensor((own_name(name, prefix), weight)) for weight in weights)
        for library, (prefix, origin) in origins.items()
    }
    drawn = DrawnLayer(
        name,
        before[0][1:] if len(before) == 1 else None,
        None if isinstance(shape, list) else shape[1:],
        weights,
        cost.parameters,
        cost.macs,
        dict(settings(node.layer)),
        tensors=tensors,
    )
    known = planned.get(name, drawn)
    is_alike = known.output_shape == drawn.output_shape
    return replace(drawn, view=known.view, kept=known.kept) if is_alike else drawn


# Words ------------------------------------------------------------------------------------------


def kind(layer: keras.Operation) -> str:
    """Return `"conv"`, `"norm"`, `"activation"`, `"pool"`, `"merge"`, `"dense"` or `"other"`."""
    name = type(layer).__name__
    kinds = (kind for kind, names in CLASSES_OF_KIND.items() if re.fullmatch(names, name))
    return next(kinds, "other")


def describe_layer(layer: keras.Operation, shape: Any) -> list[Description]:
    """The words for a layer, as in 3×3 conv, 64, stride 2, and for its activation.

    There are none for a layer that does nothing, or only pads an image.
    """
    noun = _noun(layer, shape)
    if not noun:
        return []
    described = _with_settings(layer, noun)
    if described.kind in ("conv", "pool"):
        described = replace(described, window=window(layer))
    if type(layer).__name__.startswith("Depthwise"):
        # It has no `filters`; its output has channels.
        channels = shape[1 if layer.data_format == "channels_first" else -1]
        described = replace(described, count=str(channels))
    own = activation_words(layer) if described.kind in ("conv", "dense") else ""
    return [described, *[Description("activation", own)] * bool(own)]


def layer_title(layer: keras.Operation) -> str:
    """The words for a layer under its name in Keras: Conv2D, 3×3, 64, stride 2, ReLU."""
    own = activation_words(layer) if hasattr(layer, "activation") else ""
    settings = _with_settings(layer, "").settings()
    return ", ".join(filter(None, [type(layer).__name__, words.by(window(layer)), *settings, own]))


def _with_settings(layer: keras.Operation, noun: str) -> Description:
    """A description with the settings that distinguish a layer from others of its kind."""
    if kind(layer) == "norm":
        return Description("norm", noun)
    counts = [getattr(layer, name, None) for name in ("filters", "units")]
    if not drops_paths(layer):
        counts.append(getattr(layer, "rate", None))
    return Description(
        kind(layer),
        noun,
        count=", ".join(str(count) for count in counts if count is not None),
        groups=getattr(layer, "groups", None) or 1,
        dilation=_numbers(getattr(layer, "dilation_rate", 1)),
        strides=_numbers(getattr(layer, "strides", 1)),
    )


def window(layer: keras.Operation) -> tuple[int, ...]:
    """The size of the kernel or of the pooling window; empty if there is none."""
    size = getattr(layer, "kernel_size", None) or getattr(layer, "pool_size", None)
    return _numbers(size) if size else ()


def _numbers(value: Any) -> tuple[int, ...]:
    """One or several numbers as a tuple."""
    return tuple(value) if isinstance(value, tuple | list) else (value,)


def _noun(layer: keras.Operation, shape: Any) -> str:
    """The name of a layer in a picture; empty if it does nothing, or only pads an image."""
    name, of_kind = type(layer).__name__, kind(layer)
    if name in SHORT and not isinstance(shape, list):
        return SHORT[name]
    if name in ("Functional", "Sequential"):
        return str(layer.name)
    if name == "InputLayer":
        return f"input {words.by(shape[1:])}"
    if name.startswith("ZeroPadding"):
        # Padding along one axis may add channels to a shortcut.
        is_silent = name == "ZeroPadding2D" and all(map(any, layer.padding))
        return "" if is_silent else f"zeros up to {words.by(shape[1:])}"
    if getattr(layer, "dims", None) in PERMUTED:
        return ""
    if drops_paths(layer):
        return "drop path"
    if of_kind == "activation":
        return activation_words(layer)
    # The name as words: GlobalAveragePooling2D -> global average pooling.
    spaced = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", re.sub("[123]D", "", name)).lower()
    if of_kind == "pool":
        return spaced.replace("average", "avg").replace("pooling", "pool")
    return spaced.replace("conv transpose", "transposed conv")


def activation_words(layer: keras.Operation) -> str:
    """The activation of a layer as written in papers; empty for none."""
    if type(layer).__name__ == "ReLU":
        return _relu(layer)
    function = getattr(layer, "activation", None)
    if function is None:
        return words.activation(type(layer).__name__)
    if not hasattr(function, "__name__"):  # a layer, as in Activation(ReLU(6))
        return activation_words(function)
    return "" if function.__name__ == "linear" else words.activation(function.__name__)


def _relu(layer: keras.Operation) -> str:
    name = "leaky ReLU" if layer.negative_slope else "ReLU"
    limit = "" if layer.max_value is None else f"{layer.max_value:g}"
    threshold = f", threshold {layer.threshold:g}" if layer.threshold else ""
    return f"{name}{limit}{threshold}"


def drops_paths(layer: keras.Operation) -> bool:
    """Whether a dropout layer drops whole images (stochastic depth)."""
    noise = getattr(layer, "noise_shape", None)
    return type(layer).__name__ == "DropPath" or bool(noise and set(noise[1:]) == {1})
