"""Multiply-adds of Keras layers. To count another kind of layer, add a row to `COUNTERS`."""

from collections.abc import Callable
from math import prod
from typing import Any

import keras
from keras import layers

from ..common.shapes import known_product, known_sum
from ..model.graph import BatchShape
from ..model.keras_limits import without_tensorflow
from .profile import Cost

Shapes = list[BatchShape]  # of a call's inputs


def multiply_adds(layer: keras.Layer, inputs: Shapes, output: Any) -> Cost:
    """The multiply-adds of one call of a layer, or its name if they are unknown."""
    for kinds, count in COUNTERS.items():
        if isinstance(layer, kinds):
            return Cost(macs=count(layer, inputs, output))
    if type(layer).__name__ == "DotProductAttention":  # an operation, whose class is not public
        (_, queries, heads, size), (_, keys, *_) = inputs[:2]
        return Cost(macs=known_product(2, queries, keys, heads, size))
    multiplies = any(len(weight.shape) > 1 for weight in getattr(layer, "weights", ()))
    if multiplies or type(layer).__name__ in PRODUCTS:
        return Cost(uncounted=(layer.name,))
    return Cost()


def _at_every_place(layer: keras.Layer, shape: BatchShape) -> int | None:
    """The elements of a layer's kernels, at every place of a shape with batch and channels."""
    elements = sum(prod(weight.shape) for weight in layer.weights if len(weight.shape) > 1)
    first = getattr(layer, "data_format", None) == "channels_first"
    return known_product(elements, *(shape[2:] if first else shape[1:-1]))


def _einsum_macs(layer: keras.Layer, inputs: Shapes, output: BatchShape) -> int | None:
    """The product of all indices of the equation except the batch, which is the first."""
    [shape] = inputs
    operand, kernel = layer.equation.split("->")[0].split(",")
    indices = operand.replace("...", "." * (len(shape) - len(operand) + len("...")))
    beside = [
        size for index, size in zip(indices[1:], shape[1:], strict=True) if index not in kernel
    ]
    return known_product(*layer.kernel.shape, *beside)


def _attention_macs(layer: keras.Layer, inputs: Shapes, output: Any) -> int | None:
    """Projections of query, key, value and output, and the two products between them."""
    query, value = inputs[:2]
    shapes = {
        weight.path.split("/")[-2]: weight.shape
        for weight in layer.weights
        if weight.name == "kernel"
    }
    elements = {name: prod(shape) for name, shape in shapes.items()}
    _, heads, key_dim = shapes["query"]
    with without_tensorflow():
        chosen = layer.get_config().get("attention_axes")
    axes = tuple(chosen or range(1, len(query) - 1))
    attended = [known_product(*(shape[axis] for axis in axes)) for shape in (query, value)]
    beside = [query[axis] for axis in range(1, len(query) - 1) if axis not in axes]
    return known_sum(
        [
            known_product(*query[1:-1], elements["query"] + elements["attention_output"]),
            known_product(*value[1:-1], elements["key"] + elements["value"]),
            known_product(*attended, *beside, heads, key_dim + shapes["value"][-1]),
        ]
    )


# Keras layers and operations that multiply but have no weights.
PRODUCTS = {
    *("Attention", "AdditiveAttention"),
    *("Conv", "ConvTranspose", "DepthwiseConv", "SeparableConv"),
    *("Dot", "Einsum", "Inner", "Kron", "Matmul", "Outer", "Tensordot", "Vdot"),
}

# The output's shape is a list of shapes for a layer with several outputs.
COUNTERS: dict[Any, Callable[[keras.Layer, Shapes, Any], int | None]] = {
    (
        layers.Conv1D,
        layers.Conv2D,
        layers.Conv3D,
        layers.DepthwiseConv1D,
        layers.DepthwiseConv2D,
        layers.SeparableConv1D,
        layers.SeparableConv2D,
        layers.Dense,
    ): lambda layer, inputs, output: _at_every_place(layer, output),
    (
        layers.Conv1DTranspose,
        layers.Conv2DTranspose,
        layers.Conv3DTranspose,
    ): lambda layer, inputs, output: _at_every_place(layer, inputs[0]),
    layers.EinsumDense: _einsum_macs,
    (layers.MultiHeadAttention, layers.GroupQueryAttention): _attention_macs,
    # Weights that are looked up or multiplied place by place.
    (
        layers.Embedding,
        layers.PReLU,
        layers.Normalization,
        layers.LayerNormalization,
    ): lambda layer, inputs, output: 0,
}
