"""The steps of decoders: tensors in, tensors out, by core Keras layers and `keras.ops`."""

from typing import Literal

from keras import layers, ops

from ..model.keras_layers import INSIDE, Style, Tensor, operation
from ..plan.names import DEPTHWISE, At


def conv_norm_relu(
    x: Tensor,
    filters: int,
    at: At,
    style: Style,
    *,
    kernel: int = 3,
    dilation: int = 1,
    separable: bool = False,
    norm: Literal["bn", "gn"] = "bn",
) -> Tensor:
    """A convolution, if it is separable after one of each channel for itself, norm and ReLU."""
    spatial = {"dilation_rate": dilation, "padding": "same", "use_bias": False} | INSIDE
    if separable:
        x = layers.DepthwiseConv2D(
            kernel, depthwise_initializer="he_normal", **spatial, **style.common(at(DEPTHWISE))
        )(x)
        kernel, spatial = 1, spatial | {"dilation_rate": 1}
    x = layers.Conv2D(
        filters, kernel, kernel_initializer="he_normal", **spatial, **style.common(at("conv"))
    )(x)
    return norm_relu(x, at, style, norm=norm)


def norm_relu(x: Tensor, at: At, style: Style, *, norm: Literal["bn", "gn"] = "bn") -> Tensor:
    """Batch norm with PyTorch's settings, or group norm of 32 groups, and ReLU."""
    if norm == "bn":
        of_norm = layers.BatchNormalization(epsilon=1e-5, momentum=0.9, **style.common(at("bn")))
    else:
        of_norm = layers.GroupNormalization(32, epsilon=1e-5, **style.common(at("gn")))
    return layers.Activation("relu", **style.common(at("act")))(of_norm(x))


def upsampled(x: Tensor, factor: int, like: Tensor, at: At, style: Style) -> Tensor:
    """A map with repeated pixels, of the size of a finer one.

    The stride between them is `factor`. Strides round up, so that the repeated pixels may be more
    than fit.
    """
    if factor > 1:
        x = layers.UpSampling2D(factor, **INSIDE, **style.common(at("up")))(x)
    if None in like.shape[1:3] or x.shape[1:3] != like.shape[1:3]:
        x = fitted(x, like, at("fit"), style)
    return x


def fitted(x: Tensor, like: Tensor, name: str, style: Style) -> Tensor:
    """A map without the last rows and columns that another has not, or with the last repeated."""

    def fit(like: Tensor, x: Tensor) -> Tensor:
        for axis in (1, 2):
            given, wanted = _numbers(x, axis), _numbers(like, axis)
            x = ops.take(x, ops.minimum(wanted, ops.max(given)), axis=axis)
        return x

    return operation(fit, name, style)([like, x])


def bilinear(x: Tensor, like: Tensor, name: str, style: Style) -> Tensor:
    """A map resized to the size of another, whose corners lie on its corners.

    No layer of Keras does: it is `align_corners=True` of PyTorch's interpolate.
    """

    def resize(like: Tensor, x: Tensor) -> Tensor:
        for axis in (1, 2):
            wanted, last = _numbers(like, axis), ops.max(_numbers(x, axis))
            place = ops.cast(wanted * last, "float32") / ops.cast(
                ops.maximum(ops.max(wanted), 1), "float32"
            )
            before = ops.floor(place)
            share = ops.cast(ops.reshape(place - before, (-1, *[1] * (3 - axis))), x.dtype)
            first = ops.cast(before, "int32")
            low = ops.take(x, first, axis=axis)
            high = ops.take(x, ops.minimum(first + 1, last), axis=axis)
            x = low + (high - low) * share
        return x

    return operation(resize, name, style)([like, x])


def _numbers(x: Tensor, axis: int) -> Tensor:
    """The numbers of a map's rows (axis 1) or columns (axis 2), from 0."""
    line = x[0, :, 0, 0] if axis == 1 else x[0, 0, :, 0]
    return ops.cumsum(ops.ones_like(line, dtype="int32")) - 1
