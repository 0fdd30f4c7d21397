"""The kinds of Keras layers, and their words in a picture."""

import re
from dataclasses import replace
from typing import Any

from ...common import words
from ...common.words import Description
from .sketch import Cell

# By class: operations such as `a + b` have classes of the same names.
CLASSES_OF_KIND = {
    "conv": "Conv1D Conv2D Conv3D DepthwiseConv1D DepthwiseConv2D SeparableConv1D SeparableConv2D "
    "Conv1DTranspose Conv2DTranspose Conv3DTranspose",
    "norm": "BatchNormalization LayerNormalization GroupNormalization RMSNormalization "
    "UnitNormalization",
    "activation": "Activation ReLU LeakyReLU PReLU ELU Softmax Relu Relu6 LeakyRelu Elu Selu Gelu "
    "Silu HardSilu Tanh Sigmoid HardSigmoid",
    "pool": "MaxPooling1D MaxPooling2D MaxPooling3D AveragePooling1D AveragePooling2D "
    "AveragePooling3D GlobalAveragePooling1D GlobalAveragePooling2D GlobalAveragePooling3D "
    "GlobalMaxPooling1D GlobalMaxPooling2D GlobalMaxPooling3D",
    "merge": "Add Subtract Multiply Concatenate Average Maximum Minimum",
    "dense": "Dense EinsumDense",
}
_KIND_OF = {name: kind for kind, names in CLASSES_OF_KIND.items() for name in names.split()}
SHORT = {
    "BatchNormalization": "BN",
    "LayerNormalization": "LN",
    "GroupNormalization": "GN",
    "RMSNormalization": "RMS norm",
    "Add": "+",
    "Multiply": "×",
    "Subtract": "−",
    "Concatenate": "concatenate",
}


def kind(layer: Any) -> str:
    """Return `"conv"`, `"norm"`, `"activation"`, `"pool"`, `"merge"`, `"dense"` or `"other"`."""
    return _KIND_OF.get(type(layer).__name__, "other")


def cells(layer: Any, shape: Any) -> list[Cell]:
    """The cells of a layer: itself, as in 3×3 conv, 64, stride 2, and its activation."""
    what = Description(kind(layer), _noun(layer, shape), window=_shown_window(layer))
    if what.kind != "norm":
        what = replace(what, **_settings(layer, shape))
    return [Cell(what), *_last(layer)]


def description(layer: Any) -> Description:
    """The description of a layer with its name in Keras: Conv2D, 3×3, 64, stride 2."""
    name = type(layer).__name__
    if kind(layer) == "norm":
        return Description("norm", name)
    return Description(kind(layer), name, **_settings(layer, None))


def _settings(layer: Any, shape: Any) -> dict[str, Any]:
    """The settings that distinguish a layer from others of its kind."""
    counts = [getattr(layer, name, None) for name in ("filters", "units")]
    if not drops_paths(layer):
        counts.append(getattr(layer, "rate", None))
    if shape is not None and type(layer).__name__.startswith("Depthwise"):
        # A depthwise layer has no `filters`; its output has channels.
        counts.insert(0, shape[1 if layer.data_format == "channels_first" else -1])
    return {
        "count": ", ".join(str(count) for count in counts if count is not None),
        "groups": getattr(layer, "groups", None) or 1,
        "dilation": numbers(getattr(layer, "dilation_rate", 1)),
        "strides": numbers(getattr(layer, "strides", 1)),
    }


def _shown_window(layer: Any) -> tuple[int, ...]:
    return window(layer) if kind(layer) in ("conv", "pool") else ()


def window(layer: Any) -> tuple[int, ...]:
    """The size of the kernel or of the pooling window; empty if there is none."""
    size = getattr(layer, "kernel_size", None) or getattr(layer, "pool_size", None)
    return numbers(size) if size else ()


def activation_words(layer: Any) -> str:
    """The activation of a layer as written in papers; empty for none."""
    if type(layer).__name__ == "ReLU":
        return _relu(layer)
    function = getattr(layer, "activation", None)
    if function is None:
        return words.activation(type(layer).__name__)
    if not hasattr(function, "__name__"):  # a layer, as in Activation(ReLU(6))
        return activation_words(function)
    return "" if function.__name__ == "linear" else words.activation(function.__name__)


def _relu(layer: Any) -> str:
    name = "leaky ReLU" if layer.negative_slope else "ReLU"
    limit = "" if layer.max_value is None else f"{layer.max_value:g}"
    threshold = f", threshold {layer.threshold:g}" if layer.threshold else ""
    return f"{name}{limit}{threshold}"


def drops_paths(layer: Any) -> bool:
    """Whether a dropout layer drops whole images (stochastic depth)."""
    noise = getattr(layer, "noise_shape", None)
    return type(layer).__name__ == "DropPath" or bool(noise and set(noise[1:]) == {1})


def _noun(layer: Any, shape: Any) -> str:
    name = type(layer).__name__
    if name in SHORT:
        return SHORT[name]
    if name in ("Functional", "Sequential"):
        return str(layer.name)
    if name == "InputLayer":
        return f"input {words.by(shape[1:])}"
    if name.startswith("ZeroPadding"):
        return f"zeros up to {words.by(shape[1:])}"
    if drops_paths(layer):
        return "drop path"
    if kind(layer) == "activation":
        return activation_words(layer)
    if kind(layer) == "conv":
        special = _spaced(layer).replace("conv", "").strip().replace("transpose", "transposed")
        return f"{special} conv".strip()
    if kind(layer) == "pool":
        return _spaced(layer).replace("average", "avg").replace("pooling", "pool")
    return _spaced(layer)


def _last(layer: Any) -> list[Cell]:
    """The activation of a convolution or a dense layer as a cell, if there is one."""
    if kind(layer) not in ("conv", "dense") or not activation_words(layer):
        return []
    return [Cell(Description("activation", activation_words(layer)))]


def _spaced(layer: Any) -> str:
    """The name of a class as words: GlobalAveragePooling2D -> global average pooling."""
    name = re.sub(r"[123]D", "", type(layer).__name__)
    return re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name).lower()


def numbers(value: Any) -> tuple[int, ...]:
    """One or several numbers as a tuple."""
    return tuple(value) if isinstance(value, tuple | list) else (value,)
