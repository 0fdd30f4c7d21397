"""The article's helpers as functions of tensors (raghakot/keras-resnet, resnet.py).

    image ─► _conv_bn_relu, 7x7 ─► pool ─► basic_block or bottleneck, ... ─► BN, ReLU, pool, dense
                                              │
                                              ├─► _bn_relu_conv ─► _bn_relu_conv ─┐
                                              └────────────────────────────── _shortcut ─►

`ResnetBuilder.build` makes the same layers: it plans the whole network first (plan/network.py), and
each block as here (plan/blocks.py); `basic_block` and `bottleneck` below plan one block.
"""

from collections.abc import Callable
from typing import Any, TypeVar

import keras

from ..common.checks import positive_int
from ..common.shapes import image_shape
from ..config import ORIGINAL, ResnetConfig
from ..plan.blocks import BlockSpec, plan_block, plan_shortcut
from ..plan.draft import ConvSpec, Draft
from ..plan.layers import Identity, Layer, Pair
from ..plan.orders import BN_RELU_CONV, CONV_BN_RELU, Steps
from .assemble import apply_layers
from .layers import Style, Tensor

T = TypeVar("T", bound=Callable[..., Any])


def _conv_bn_relu(x: Tensor, filters: int, kernel_size: int, strides: Any = (1, 1)) -> Tensor:
    """Convolution, batch norm, ReLU: (h, w, c) -> (h/strides, w/strides, filters)."""
    return _unit(x, CONV_BN_RELU, filters, kernel_size, strides)


def _bn_relu_conv(x: Tensor, filters: int, kernel_size: int, strides: Any = (1, 1)) -> Tensor:
    """Batch norm, ReLU, convolution (He et al. 2016, arXiv:1603.05027, Figure 4(e))."""
    return _unit(x, BN_RELU_CONV, filters, kernel_size, strides)


def _shortcut(x: Tensor, residual: Tensor, strides: Any = (1, 1)) -> Tensor:
    """x + residual, after a 1x1 convolution of x if its shape is another.

    Args:
        strides: by which the residual branch has divided the size of x.
    """
    channels = residual.shape[1 if _style().data_format == "channels_first" else -1]
    shortcut = _planned([x], lambda draft, start: plan_shortcut(draft, start, channels, _pair(strides)))
    return keras.layers.Add()([shortcut, residual])


def _unit(x: Tensor, steps: Steps, filters: int, kernel_size: int, strides: Any) -> Tensor:
    spec = ConvSpec(positive_int(filters, "filters"), kernel_size, _pair(strides))
    return _planned(x, lambda draft, start: draft.unit(start, "{}", steps, spec))
