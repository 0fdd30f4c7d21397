"""Resize and centre crop as torchvision and timm do with Pillow, in operations of Keras.

Pillow resizes by a matrix for each axis, the columns first, and rounds to whole grey levels after
each (ImagingResample in src/libImaging/Resample.c, version 12.0.0). Version 13 may take the rows
first.
"""

from collections.abc import Callable, Sequence

import numpy as np
from keras import ops

from ..common.checks import choice, look_up
from ..model.keras_layers import Tensor

Kernel = Callable[[Tensor], Tensor]

CROP_MODES = ("center", "center_floor", "border", "squash")


def resized(
    images: Tensor,
    size: tuple[int, int],
    crop_pct: float,
    interpolation: str,
    crop_mode: str = "center",
    border: float | Sequence[float] = 0,
) -> Tensor:
    """Resize images of any size, (batch, channels, rows, columns), and crop their centre.

    Args:
        images: values from 0 to 255.
        size: rows and columns of the result.
        crop_pct: its share of the rows and columns that the images are resized to.
        interpolation: a key of `KERNELS`.
        crop_mode: timm's (transforms_imagenet_eval in timm/data/transforms_factory.py, version
            1.0.31). "center" keeps the proportions and fills the result, "border" keeps them and
            shows the whole image, "squash" does not keep them. And "center_floor", transformers'
            "center", which rounds half a pixel down.
        border: the grey level around a smaller image, one for all or one for each channel.
    """
    kernel = look_up(KERNELS, interpolation, "interpolation")
    choice(crop_mode, CROP_MODES, "crop_mode")
    level = np.reshape(border, (-1, 1, 1)).astype("float32")
    # Pixels outside of the image are zeros in the matrices, and so at the level of the border.
    images = images - level if level.any() else images
    pixels = [_numbers(images, axis) for axis in (2, 3)]
    # At least 1, which an empty batch does not show.
    lengths = [ops.maximum(ops.max(numbers) + 1, 1) for numbers in pixels]
    scaled = [int(side / crop_pct) for side in size]
    wholes = _sides(lengths, scaled, crop_mode)
    rounding = ops.floor if crop_mode == "center_floor" else ops.round
    of_rows, of_columns = (
        _matrix(*of_axis, kernel, rounding)
        for of_axis in zip(pixels, lengths, wholes, size, strict=True)
    )
    images = _grey_levels(ops.matmul(images, ops.transpose(of_columns)), level)
    images = _grey_levels(ops.matmul(of_rows, images), level)
    return images + level if level.any() else images


def grey(images: Tensor) -> Tensor:
    """Turn (batch, 1 or 3, rows, columns) to one channel, as Pillow's convert("L") does."""
    # L24 in src/libImaging/Convert.c; whole numbers below 2**24, exact in float32
    shares = np.array([19595, 38470, 7471], "float32").reshape(3, 1, 1)
    return rounded(ops.sum(images * shares, axis=1, keepdims=True) / 2**16)


def rounded(values: Tensor) -> Tensor:
    """Round halves up, as Pillow does; the gradient passes through."""
    return values + ops.stop_gradient(ops.floor(values + 0.5) - values)


def _numbers(images: Tensor, axis: int) -> Tensor:
    """The numbers 0, 1, 2, ... along an axis, whose length may be unknown to Keras."""
    one = tuple(slice(None) if number == axis else slice(1) for number in range(4))
    others = tuple(number for number in range(4) if number != axis)
    return ops.cumsum(ops.sum(ops.ones_like(images[one], dtype="int32"), axis=others)) - 1


def _sides(lengths: list[Tensor], scaled: list[int], crop_mode: str) -> list[Tensor]:
    """Rows and columns of the whole resized image."""
    if crop_mode == "squash":
        return scaled
    rows, columns = lengths
    wider = columns * scaled[0] - rows * scaled[1]
    # The shorter side decides, or with a border the longer one.
    rows_decide = wider <= 0 if crop_mode == "border" else wider >= 0
    wanted, given = ops.where(rows_decide, *scaled), ops.where(rows_decide, rows, columns)
    if crop_mode != "border" and scaled[0] == scaled[1]:
        # torchvision.transforms.Resize
        return [length * wanted // given for length in lengths]
    # timm.data.transforms.ResizeKeepRatio
    return [ops.round(length * wanted / given) for length in lengths]


def _matrix(
    pixels: Tensor, length: Tensor, whole: Tensor, side: int, kernel: Kernel, rounding: Kernel
) -> Tensor:
    """From the pixels along an axis to the middle ones, `side` in number, of the `whole`."""
    pixels, length, whole = (ops.cast(value, "float32") for value in (pixels, length, whole))
    half = (whole - side) / 2
    # torchvision.transforms.functional.center_crop: int(round(half)), where Python's round takes
    # the even number of two; a smaller image has the smaller half of its border first.
    start = ops.where(half < 0, ops.ceil(half), rounding(half))
    places = ops.add(start, np.arange(side, dtype="float32")[:, np.newaxis])
    inside = ops.logical_and(places >= 0, places < whole)
    # Between the centres of two pixels, times twice both numbers of pixels: whole numbers, so that
    # float32 is exact up to 2**24, which is 32768 pixels at 256.
    # Not by `*`: JAX's arrays, as pixels are, take no symbolic `whole`.
    distances = ops.multiply(2 * pixels + 1, whole) - ops.multiply(2 * places + 1, length)
    # The kernel is as wide as a pixel of the smaller of the two images, which is antialiasing.
    weights = kernel(ops.abs(distances) / (2 * ops.maximum(whole, length)))
    total = ops.sum(weights, axis=1, keepdims=True)
    return ops.where(inside, ops.divide_no_nan(weights, total), 0.0)


def _grey_levels(values: Tensor, border: Tensor) -> Tensor:
    """Whole numbers from 0 to 255, less the border."""
    return ops.minimum(ops.maximum(rounded(values), -border), 255 - border)


def _triangle(distances: Tensor) -> Tensor:
    return ops.maximum(1 - distances, 0.0)


def _cubic(distances: Tensor) -> Tensor:
    """Keys's cubic convolution (1981, doi:10.1109/TASSP.1981.1163711) with a = -1/2."""
    near = (1.5 * distances - 2.5) * distances**2 + 1
    far = ((-0.5 * distances + 2.5) * distances - 4) * distances + 2
    return ops.where(distances < 1, near, ops.where(distances < 2, far, 0.0))


KERNELS: dict[str, Kernel] = {"bilinear": _triangle, "bicubic": _cubic}
