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
    """A map with repeated pixels, of the size of a finer one; their strides differ by `factor`.

    Strides round up, so that there may be a row or column too many, which is cropped; after pools
    without incomplete windows they round down.
    """
    if factor > 1:
        x = layers.UpSampling2D(factor, **INSIDE, **style.common(at("up")))(x)
    if None in like.shape[1:3] or x.shape[1:3] != like.shape[1:3]:
        x = nearest(x, like, at("crop"), style)
    return x


def nearest(x: Tensor, like: Tensor, name: str, style: Style) -> Tensor:
    """A map resized to the size of another by the nearest pixel above and to the left.

    If the other is a row and a column smaller, those are cropped.
    """

    def resize(like: Tensor, x: Tensor) -> Tensor:
        for axis in (1, 2):
            (wanted, size), (_, given) = _numbers(like, axis), _numbers(x, axis)
            x = ops.take(x, wanted * given // size, axis=axis)
        return x

    return operation(resize, name, style)([like, x])


def bilinear(x: Tensor, like: Tensor, name: str, style: Style) -> Tensor:
    """A map resized to the size of another, whose corners lie on its corners.

    No layer of Keras does: it is `align_corners=True` of PyTorch's interpolate.
    """

    def resize(like: Tensor, x: Tensor) -> Tensor:
        for axis in (1, 2):
            (wanted, size), (_, given) = _numbers(like, axis), _numbers(x, axis)
            last = ops.maximum(size - 1, 1)
            place = wanted * (given - 1)  # times `last`, which is exact
            share = ops.cast(place % last, "float32") / ops.cast(last, "float32")
            share = ops.reshape(share, (-1, *[1] * (3 - axis)))
            low = ops.take(x, place // last, axis=axis)
            high = ops.take(x, ops.minimum(place // last + 1, given - 1), axis=axis)
            x = low + (high - low) * ops.cast(share, x.dtype)
        return x

    return operation(resize, name, style)([like, x])


def _numbers(x: Tensor, axis: int) -> tuple[Tensor, Tensor]:
    """The numbers of a map's rows (axis 1) or columns (axis 2), from 0, and how many there are.

    They are counted, because a shape that is not known yet is no tensor in a model of Keras.
    """
    line = x[0, :, 0, 0] if axis == 1 else x[0, 0, :, 0]
    counted = ops.cumsum(ops.ones_like(line, dtype="int32"))
    return counted - 1, counted[-1]
