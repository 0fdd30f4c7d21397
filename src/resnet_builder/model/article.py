"""The parts of a residual network, tensors in and tensors out, as the plan says them."""

from collections.abc import Callable, Iterable
from typing import Any

import keras

from ..common.checks import positive_int
from ..common.shapes import image_shape
from ..config import ORIGINAL, ResnetConfig
from ..plan.blocks import plan_block
from ..plan.layers import (
    Block,
    BnRelu,
    ChannelPad,
    Classifier,
    Conv,
    Dropout,
    DropPath,
    GlobalPool,
    Pair,
    Part,
    Pool,
    SqueezeExcite,
)
from .layers import LayerMaker, Tensor

# Parts ------------------------------------------------------------------------------------------


def _bn_relu(x: Tensor, part: BnRelu, make: LayerMaker) -> Tensor:
    return make.activation(make.batch_norm(x, part.name), part.activation_name)


def _bn(x: Tensor, conv: Conv, make: LayerMaker) -> Tensor:
    return make.batch_norm(x, conv.companion("bn"), zero_gamma=conv.zero_gamma)


def _conv(x: Tensor, conv: Conv, make: LayerMaker) -> Tensor:
    return make.conv2d(x, conv)


def _conv_bn(x: Tensor, conv: Conv, make: LayerMaker) -> Tensor:
    return _bn(make.conv2d(x, conv), conv, make)


def _conv_bn_relu(x: Tensor, conv: Conv, make: LayerMaker) -> Tensor:
    return make.activation(_conv_bn(x, conv, make), conv.companion("act"))


def _bn_relu_conv(x: Tensor, conv: Conv, make: LayerMaker) -> Tensor:
    x = make.activation(_bn(x, conv, make), conv.companion("act"))
    return make.conv2d(x, conv)


UNITS: dict[str, Callable[[Tensor, Conv, LayerMaker], Tensor]] = {
    "conv": _conv,
    "conv_bn": _conv_bn,
    "conv_bn_relu": _conv_bn_relu,
    "bn_relu_conv": _bn_relu_conv,
}

SIMPLE_PARTS: dict[type[Part], Callable[[LayerMaker, Tensor, Any], Tensor]] = {
    Pool: LayerMaker.pool,
    ChannelPad: LayerMaker.pad_channels,
    SqueezeExcite: LayerMaker.squeeze_excite,
    DropPath: LayerMaker.drop_path,
    GlobalPool: LayerMaker.global_pool,
    Dropout: LayerMaker.dropout,
    Classifier: LayerMaker.classifier,
}


def apply_part(x: Tensor, part: Part, make: LayerMaker) -> Tensor:
    """What a part of the plan makes of a tensor."""
    if isinstance(part, Conv):
        return UNITS[part.unit](x, part, make)
    if isinstance(part, BnRelu):
        return _bn_relu(x, part, make)
    return SIMPLE_PARTS[type(part)](make, x, part)


def apply_parts(x: Tensor, parts: Iterable[Part], make: LayerMaker) -> Tensor:
    """What parts of the plan, one behind the other, make of a tensor."""
    for part in parts:
        x = apply_part(x, part, make)
    return x


# Blocks -----------------------------------------------------------------------------------------


def residual_block(x: Tensor, block: Block, make: LayerMaker) -> Tensor:
    """x + f(x), and an activation where the block ends in one."""
    if block.shared:
        x = apply_part(x, block.shared, make)
    x = _shortcut(x, apply_parts(x, block.residual, make), block, make)
    return make.activation(x, f"{block.name}_out") if block.ends_in_activation else x


def _shortcut(x: Tensor, residual: Tensor, block: Block, make: LayerMaker) -> Tensor:
    if block.shortcut is None:
        return residual
    # The shortcut comes first: the order in which Keras 2 files list the weights depends on it.
    return make.add([apply_parts(x, block.shortcut, make), residual], f"{block.name}_add")


def basic_block(
    filters: int, init_strides: Any = (1, 1), is_first_block_of_first_layer: bool = False
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
        A function from a 4D tensor, in the order of `keras.config.image_data_format()`, to one.

    Raises:
        TypeError, ValueError: filters or strides that are not positive integers.

    Example:
        >>> import keras
        >>> basic_block(64, init_strides=(2, 2))(keras.Input((56, 56, 32))).shape
        (None, 28, 28, 64)
    """
    return _article_block("basic_block", filters, init_strides, is_first_block_of_first_layer)


def bottleneck(
    filters: int, init_strides: Any = (1, 1), is_first_block_of_first_layer: bool = False
) -> Callable[[Tensor], Tensor]:
    """1x1, 3x3 and 1x1 convolutions and a shortcut: (h, w, c) -> (h/strides, w/strides, 4*filters).

    The article's block for networks of 50 layers and more, strided in its first convolution. See
    `basic_block` for the arguments, the source and the errors.

    Example:
        >>> import keras
        >>> bottleneck(64)(keras.Input((56, 56, 64))).shape
        (None, 56, 56, 256)
    """
    return _article_block("bottleneck", filters, init_strides, is_first_block_of_first_layer)


def _article_block(
    kind: str, filters: int, init_strides: Any, opens_network: bool
) -> Callable[[Tensor], Tensor]:
    config = ResnetConfig(block=kind, repetitions=(1,), **ORIGINAL)
    filters = positive_int(filters, "filters")
    strides = _pair(init_strides)

    def apply(x: Tensor) -> Tensor:
        make = LayerMaker(config, keras.config.image_data_format())
        shape = image_shape(tuple(x.shape[1:]), make.data_format)
        block = plan_block(config, "", shape, filters, strides=strides, opens_network=opens_network)
        return make.leave(residual_block(make.enter(x, ""), block, make), "")

    return apply


def _pair(strides: Any) -> Pair:
    try:
        rows, columns = strides
    except TypeError:
        rows = columns = strides
    except ValueError:
        raise ValueError(
            f"init_strides must be (rows, columns) or one number, got {strides!r}"
        ) from None
    return positive_int(rows, "init_strides"), positive_int(columns, "init_strides")
