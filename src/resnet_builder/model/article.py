"""The article's helpers as functions of tensors (raghakot/keras-resnet, resnet.py).

    image ─► _conv_bn_relu, 7x7 ─► pool ─► basic_block or bottleneck, ... ─► BN, ReLU, pool, dense
                                              │
                                              ├─► _bn_relu_conv ─► _bn_relu_conv ─┐
                                              └────────────────────────────── _shortcut ─►

`ResnetBuilder.build` creates the same layers: it first plans the whole network (plan/network.py),
and each block as here (plan/blocks.py); `basic_block` and `bottleneck` below plan one block.
"""

from collections.abc import Callable
from typing import Any

import keras

from ..common.checks import positive_int
from ..common.shapes import image_shape
from ..config import BLOCK_NAME, ORIGINAL, BlockName, ResnetConfig
from ..plan.blocks import BlockSpec, add_block
from ..plan.draft import Draft
from ..plan.layers import Input, Layer, Pair
from ..plan.names import IMAGE, STEM, At, Place
from ..plan.shortcuts import Change, projection_of
from ..plan.units import BN_RELU_CONV, CONV_BN_RELU, ConvSpec, Steps, add_unit
from .assemble import apply_layers
from .keras_layers import Style, Tensor

Strides = int | Pair


def _conv_bn_relu(x: Tensor, filters: int, kernel_size: int, strides: Strides = (1, 1)) -> Tensor:
    """Convolution, batch norm, ReLU: (h, w, c) -> (h/strides, w/strides, filters)."""
    return _unit(x, CONV_BN_RELU, filters, kernel_size, strides)


def _bn_relu_conv(x: Tensor, filters: int, kernel_size: int, strides: Strides = (1, 1)) -> Tensor:
    """Batch norm, ReLU, convolution (He et al. 2016, arXiv:1603.05027, Figure 4(e))."""
    return _unit(x, BN_RELU_CONV, filters, kernel_size, strides)


def _shortcut(x: Tensor, residual: Tensor, strides: Strides = (1, 1)) -> Tensor:
    """x + residual, after a 1x1 convolution of x if its shape differs.

    Args:
        strides: strides by which the residual branch has divided the size of x.
    """
    channels = residual.shape[1 if keras.config.image_data_format() == "channels_first" else -1]
    given = _pair(strides, "strides")
    change = Change(channels, given, given)

    def add(draft: Draft, start: Layer) -> None:
        if projection := projection_of(draft.config, start, change):
            projection.add(draft, start, At(STEM), change)

    return keras.layers.Add()([_applied(x, add), residual])


def basic_block(
    filters: int, init_strides: Strides = (1, 1), is_first_block_of_first_layer: bool = False
) -> Callable[[Tensor], Tensor]:
    """Two 3x3 convolutions and a shortcut: (h, w, c) -> (h/strides, w/strides, filters).

    The article's block, with pre-activation (He et al. 2016, arXiv:1603.05027): usable in any
    functional model, and as the `block_fn` of `ResnetBuilder.build`.

    Args:
        filters: filters of both convolutions.
        init_strides: strides of the first convolution: (rows, columns), or one number for both.
        is_first_block_of_first_layer: leave out the first batch norm and ReLU, because the stem
            has just applied them.

    Returns:
        A function from a 4D tensor, in the order of `keras.config.image_data_format()`, to a 4D
        tensor.

    Raises:
        TypeError, ValueError: filters or strides that are not positive integers.

    Example:
        >>> import keras
        >>> basic_block(64, init_strides=(2, 2))(keras.Input((56, 56, 32))).shape
        (None, 28, 28, 64)
    """
    return _block("basic_block", filters, init_strides, is_first_block_of_first_layer)


def bottleneck(
    filters: int, init_strides: Strides = (1, 1), is_first_block_of_first_layer: bool = False
) -> Callable[[Tensor], Tensor]:
    """1x1, 3x3 and 1x1 convolutions and a shortcut: (h, w, c) -> (h/strides, w/strides, 4*filters).

    The article's block for networks of 50 layers and more, strided in its first convolution. See
    `basic_block` for the arguments, the source and the errors.

    Example:
        >>> import keras
        >>> bottleneck(64)(keras.Input((56, 56, 64))).shape
        (None, 56, 56, 256)
    """
    return _block("bottleneck", filters, init_strides, is_first_block_of_first_layer)


# The names that a config uses for them, if they are given to it as functions.
for _function in (basic_block, bottleneck):
    setattr(_function, BLOCK_NAME, _function.__name__)


def _block(
    kind: BlockName, filters: int, init_strides: Strides, opens_network: bool
) -> Callable[[Tensor], Tensor]:
    spec = BlockSpec(
        place=Place("stage", 1, 1),
        block=kind,
        filters=positive_int(filters, "filters"),
        strides=_pair(init_strides, "init_strides"),
        opens_network=opens_network,
    )

    def add(draft: Draft, start: Layer) -> None:
        add_block(draft, start, spec)
        draft.layers.pop()  # the identity that only names the output

    return lambda x: _applied(x, add, kind)


def _unit(x: Tensor, steps: Steps, filters: int, kernel_size: int, strides: Strides) -> Tensor:
    spec = ConvSpec(positive_int(filters, "filters"), kernel_size, _pair(strides, "strides"))
    return _applied(x, lambda draft, start: add_unit(draft, start, At(STEM), steps, spec))


def _applied(
    x: Tensor, add: Callable[[Draft, Layer], object], block: BlockName = "basic_block"
) -> Tensor:
    """Apply the layers that `add` adds after x, with names from Keras."""
    config = ResnetConfig(block=block, repetitions=(1,), **ORIGINAL)
    style = Style(keras.config.image_data_format(), prefix=None)
    shape = image_shape(tuple(x.shape[1:]), style.data_format)
    draft = Draft(config.replace(input_shape=shape))
    start = draft.add(Input, IMAGE)
    add(draft, start)
    tensors = {start.name: style.enter(x, "")}
    apply_layers(draft.layers[1:], tensors, style)
    return style.leave(tensors[draft.layers[-1].name], "")


def _pair(strides: Any, what: str) -> Pair:
    try:
        rows, columns = strides
    except TypeError:
        rows = columns = strides
    except ValueError:
        raise ValueError(f"{what} must be (rows, columns) or one number, got {strides!r}") from None
    return positive_int(rows, what), positive_int(columns, what)
