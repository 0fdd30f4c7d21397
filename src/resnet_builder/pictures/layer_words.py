"""What a Keras layer is called in a picture, and its kind."""

import re
from typing import Any

from ..common import words
from .sketch import Cell

# By class: operations such as `a + b` have classes of the same names.
KINDS = {
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
_KIND_OF = {name: kind for kind, names in KINDS.items() for name in names.split()}
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
    """`"conv"`, `"norm"`, `"activation"`, `"pool"`, `"merge"`, `"dense"` or `"other"`."""
    return _KIND_OF.get(type(layer).__name__, "other")


def cells(layer: Any, shape: Any) -> list[Cell]:
    """What a box says of a layer with that output: 3×3 conv, 64, stride 2, and its activation."""
    written = [_noun(layer, shape), *settings(layer)]
    if type(layer).__name__.startswith("Depthwise"):  # whose filters are not given but come out
        written.insert(1, str(shape[1 if layer.data_format == "channels_first" else -1]))
    return [Cell(kind(layer), ", ".join(written)), *_last(layer)]


def settings(layer: Any) -> list[str]:
    """What tells a layer from others of its kind: 64, 32 groups, stride 2."""
    counts = [getattr(layer, name, None) for name in ("filters", "units")]
    if kind(layer) == "norm":
        return []
    settings = [str(count) for count in counts if count is not None]
    settings += words.settings(
        groups=getattr(layer, "groups", None) or 1,
        dilation=_numbers(getattr(layer, "dilation_rate", 1)),
        strides=_numbers(getattr(layer, "strides", 1)),
    )
    rate = getattr(layer, "rate", None)
    if rate is not None and not drops_paths(layer):
        settings.append(str(rate))
    return settings


def window(layer: Any) -> tuple[int, ...]:
    """The kernel or the pool's window, if there is one."""
    size = getattr(layer, "kernel_size", None) or getattr(layer, "pool_size", None)
    return _numbers(size) if size else ()


def activation_words(layer: Any) -> str:
    """The activation that a layer applies, as papers write it; empty for none."""
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
    """Whether a dropout drops whole images: stochastic depth."""
    noise = getattr(layer, "noise_shape", None)
    return type(layer).__name__ == "DropPath" or bool(noise and set(noise[1:]) == {1})


def _noun(layer: Any, shape: Any) -> str:
    name = type(layer).__name__
    size = words.by(window(layer))
    if name in SHORT:
        return SHORT[name]
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
        return " ".join(filter(None, [size, special, "conv"]))
    if kind(layer) == "pool":
        words_of_pool = _spaced(layer).replace("average", "avg").replace("pooling", "pool")
        return " ".join(filter(None, [size, words_of_pool]))
    return _spaced(layer)


def _last(layer: Any) -> list[Cell]:
    """The activation that belongs to a convolution or a dense layer."""
    if kind(layer) not in ("conv", "dense") or not activation_words(layer):
        return []
    return [Cell("activation", activation_words(layer))]


def _spaced(layer: Any) -> str:
    """A class's name as words: GlobalAveragePooling2D -> global average pooling."""
    name = re.sub(r"[123]D", "", type(layer).__name__)
    return re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name).lower()


def _numbers(value: Any) -> tuple[int, ...]:
    return tuple(value) if isinstance(value, tuple | list) else (value,)
