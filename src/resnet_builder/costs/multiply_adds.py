"""Multiply-adds of Keras layers. To count another kind of layer, add a row to `COUNTERS`."""

from collections.abc import Callable
from math import prod
from typing import Any

import keras
from keras import layers

from ..common.lazy_tensorflow import without_tensorflow
from ..common.shapes import known_product, known_sum
from ..model.graph import BatchShape
from .counts import Cost

Shapes = list[BatchShape]  # of a call's inputs


def multiply_adds(layer: keras.Layer, inputs: Shapes, output: Any) -> Cost:
    """The multiply-adds of one call of a layer, or its name if they are unknown."""
    for kinds, count in COUNTERS.items():
        if isinstance(layer, kinds):
            return Cost(macs=count(layer, inputs, output))
    multiplies = any(len(weight.shape) > 1 for weight in getattr(layer, "weights", ()))
    if multiplies or type(layer).__name__ in PRODUCTS:
        return Cost(uncounted=(layer.name,))
    return Cost()


def _places_of(layer: keras.Layer, shape: BatchShape) -> BatchShape:
    """The sizes of a shape without its batch and its channels."""
    first = getattr(layer, "data_format", None) == "channels_first"
    return shape[2:] if first else shape[1:-1]


def _kernel_elements(layer: keras.Layer) -> int:
    return sum(prod(weight.shape) for weight in layer.weights if len(weight.shape) > 1)


def _at_every_output(layer: keras.Layer, inputs: Shapes, output: BatchShape) -> int | None:
    return known_product(_kernel_elements(layer), *_places_of(layer, output))


def _at_every_input(layer: keras.Layer, inputs: Shapes, output: BatchShape) -> int | None:
    return known_product(_kernel_elements(layer), *_places_of(layer, inputs[0]))


def _einsum_macs(layer: keras.Layer, inputs: Shapes, output: BatchShape) -> int | None:
    """The product of all indices of the equation except the batch."""
    operand, kernel = layer.equation.split("->")[0].split(",")
    sizes: dict[str, int | None] = dict(zip(kernel, layer.kernel.shape, strict=True))
    before, ellipsis, after = operand.partition("...")
    shape = inputs[0]
    sizes |= zip(before, shape, strict=False)
    if after:
        sizes |= zip(after, shape[-len(after) :], strict=True)
    batch = before[0] if before else ""
    hidden = shape[len(before) or 1 : len(shape) - len(after)] if ellipsis else ()
    return known_product(*(size for index, size in sizes.items() if index != batch), *hidden)


def _attention_macs(layer: keras.Layer, inputs: Shapes, output: Any) -> int | None:
    """Projections of query, key, value and output, and the two products between them."""
    with without_tensorflow():
        config = layer.get_config()
    query, value = inputs[:2]
    kernels = {
        weight.path.split("/")[-2]: prod(weight.shape)
        for weight in layer.weights
        if weight.name == "kernel"
    }
    heads = config.get("num_heads") or config["num_query_heads"]
    key_dim = config.get("key_dim") or config["head_dim"]
    value_dim = config.get("value_dim") or key_dim
    axes = tuple(config.get("attention_axes") or range(1, len(query) - 1))
    attended = [known_product(*(shape[axis] for axis in axes)) for shape in (query, value)]
    beside = [query[axis] for axis in range(1, len(query) - 1) if axis not in axes]
    return known_sum(
        [
            known_product(*query[1:-1], kernels["query"] + kernels["attention_output"]),
            known_product(*value[1:-1], kernels["key"] + kernels["value"]),
            known_product(*attended, *beside, heads, key_dim + value_dim),
        ]
    )


# Keras layers and operations that multiply without weights of their own.
PRODUCTS = {
    *("Attention", "AdditiveAttention", "DotProductAttention"),
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
    ): _at_every_output,
    (layers.Conv1DTranspose, layers.Conv2DTranspose, layers.Conv3DTranspose): _at_every_input,
    layers.Dense: _at_every_output,
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
