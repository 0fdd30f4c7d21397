"""What RandAugment and TrivialAugment do to an image: (rows, columns, channels) from 0 to 255.

The operations are Pillow's, on which both are defined. Their strengths are those of timm
(data/auto_augment.py, the "increasing" operations) and of torchvision (transforms/autoaugment.py).
Keras's own layers have others: `RandAugment(factor=0.5)` rotates by up to 180 degrees.
"""

from collections.abc import Callable
from dataclasses import dataclass
from math import pi

from keras import ops

from ..model.keras_layers import Tensor

Operation = Callable[[Tensor, Tensor, Tensor], Tensor]

GREY = (0.299, 0.587, 0.114)  # of red, green and blue, as Pillow's "L"


def grey_of(image: Tensor) -> Tensor:
    """The grey of an image, (rows, columns, 1); the mean of channels that are not RGB."""
    channels = image.shape[-1]
    weights = GREY if channels == 3 else (1 / channels,) * channels
    # Not by `matmul`, which has fewer bits on some devices.
    return ops.round(sum(w * image[..., n : n + 1] for n, w in enumerate(weights)))


def blend(image: Tensor, other: Tensor, change: Tensor) -> Tensor:
    """Move an image away from another one, or, for a change below 0, towards it."""
    return ops.clip(other + (1 + change) * (image - other), 0, 255)


def brightness(image: Tensor, change: Tensor, fill: Tensor) -> Tensor:
    """Multiply by 1 + change."""
    return ops.clip((1 + change) * image, 0, 255)


def colour(image: Tensor, change: Tensor, fill: Tensor) -> Tensor:
    """Multiply the distance from grey by 1 + change."""
    return blend(image, grey_of(image), change)


def contrast(image: Tensor, change: Tensor, fill: Tensor) -> Tensor:
    """Multiply the distance from the mean grey by 1 + change."""
    return blend(image, ops.round(ops.mean(grey_of(image))), change)


def sharpness(image: Tensor, change: Tensor, fill: Tensor) -> Tensor:
    """Multiply the distance from a smoothed image by 1 + change; the border stays."""
    total = 4 * image[1:-1, 1:-1]
    rows, columns = ops.shape(image)[0], ops.shape(image)[1]
    for row in range(3):
        for column in range(3):
            total = total + image[row : rows - 2 + row, column : columns - 2 + column]
    inner = blend(image[1:-1, 1:-1], ops.round(total / 13), change)
    middle = ops.concatenate([image[1:-1, :1], inner, image[1:-1, -1:]], axis=1)
    return ops.concatenate([image[:1], middle, image[-1:]], axis=0)


def posterize(image: Tensor, bits: Tensor, fill: Tensor) -> Tensor:
    """Set the lowest bits to 0."""
    step = ops.power(2.0, ops.floor(bits))
    return ops.floor(image / step) * step


def solarize(image: Tensor, threshold: Tensor, fill: Tensor) -> Tensor:
    """Invert the values from a threshold on."""
    return ops.where(image < threshold, image, 255 - image)


def solarize_add(image: Tensor, addition: Tensor, fill: Tensor) -> Tensor:
    """Add to the values below 128."""
    return ops.where(image < 128, ops.minimum(image + ops.floor(addition), 255), image)


def invert(image: Tensor, strength: Tensor, fill: Tensor) -> Tensor:
    """The negative."""
    return 255 - image


def identity(image: Tensor, strength: Tensor, fill: Tensor) -> Tensor:
    """The image."""
    return image


def auto_contrast(image: Tensor, strength: Tensor, fill: Tensor) -> Tensor:
    """Stretch each channel to all values from 0 to 255."""
    low = ops.min(image, axis=(0, 1), keepdims=True)
    extent = ops.max(image, axis=(0, 1), keepdims=True) - low
    stretched = (image - low) * 255 / ops.maximum(extent, 1)
    return ops.where(extent < 1, image, stretched)


def equalize(image: Tensor, strength: Tensor, fill: Tensor) -> Tensor:
    """Make the values of each channel equally frequent."""
    levels = ops.cast(ops.clip(image, 0, 255), "int32")
    channels = image.shape[-1]
    places = levels + 256 * ops.arange(channels, dtype="int32")
    counts = ops.bincount(ops.reshape(places, (-1,)), minlength=256 * channels)
    counts = ops.reshape(ops.cast(counts, "int32")[: 256 * channels], (channels, 256))
    below = ops.cumsum(counts, axis=-1)
    numbers = ops.arange(256, dtype="int32")
    highest = ops.max(ops.where(counts > 0, numbers, 0), axis=-1, keepdims=True)
    last = ops.take_along_axis(counts, highest, axis=-1)
    step = (below[:, -1:] - last) // 255
    new = (below - counts + step // 2) // ops.maximum(step, 1)
    new = ops.where(step > 0, ops.clip(new, 0, 255), numbers)
    return ops.cast(ops.take(ops.reshape(new, (-1,)), places), "float32")


def _moved(image: Tensor, fill: Tensor, rows: tuple[Tensor, ...]) -> Tensor:
    """Take each pixel from where an affine map of (column, row) says, or `fill` from outside."""
    numbers = [ops.cast(number, "float32") for number in (*rows, 0.0, 0.0)]
    moved = ops.image.affine_transform(
        image - fill, ops.stack(numbers), data_format="channels_last"
    )
    return moved + fill


def shear_x(image: Tensor, slope: Tensor, fill: Tensor) -> Tensor:
    """Shift each row by the slope times its distance from the upper border."""
    return _moved(image, fill, (1.0, slope, slope / 2, 0.0, 1.0, 0.0))


def shear_y(image: Tensor, slope: Tensor, fill: Tensor) -> Tensor:
    """Shift each column by the slope times its distance from the left border."""
    return _moved(image, fill, (1.0, 0.0, 0.0, slope, 1.0, slope / 2))


def _side(image: Tensor, axis: int) -> Tensor:
    return ops.cast(ops.shape(image)[axis], "float32")


def translate_x(image: Tensor, part: Tensor, fill: Tensor) -> Tensor:
    """Shift by a part of the width."""
    return _moved(image, fill, (1.0, 0.0, part * _side(image, 1), 0.0, 1.0, 0.0))


def translate_y(image: Tensor, part: Tensor, fill: Tensor) -> Tensor:
    """Shift by a part of the height."""
    return _moved(image, fill, (1.0, 0.0, 0.0, 0.0, 1.0, part * _side(image, 0)))


def rotate(image: Tensor, degrees: Tensor, fill: Tensor) -> Tensor:
    """Rotate about the middle, to the left."""
    angle = -degrees * (pi / 180)
    cos, sin = ops.cos(angle), ops.sin(angle)
    x, y = (_side(image, 1) - 1) / 2, (_side(image, 0) - 1) / 2
    return _moved(image, fill, (cos, sin, x - cos * x - sin * y, -sin, cos, y + sin * x - cos * y))


@dataclass(frozen=True)
class Row:
    """An operation of a policy.

    Attributes:
        change: from an image, an argument and a pixel for what is outside, to an image.
        weakest: argument for a strength of 0.
        strongest: argument for a strength of 1.
        signed: whether the argument is negative in half of the cases.
    """

    change: Operation
    weakest: float = 0.0
    strongest: float = 0.0
    signed: bool = False


RAND_AUGMENT = (
    Row(auto_contrast),
    Row(equalize),
    Row(invert),
    Row(rotate, 0, 30, signed=True),
    Row(posterize, 4, 8),
    Row(solarize, 256, 0),
    Row(solarize_add, 0, 110),
    Row(colour, 0, 0.9, signed=True),
    Row(contrast, 0, 0.9, signed=True),
    Row(brightness, 0, 0.9, signed=True),
    Row(sharpness, 0, 0.9, signed=True),
    Row(shear_x, 0, 0.3, signed=True),
    Row(shear_y, 0, 0.3, signed=True),
    Row(translate_x, 0, 0.45, signed=True),
    Row(translate_y, 0, 0.45, signed=True),
)

TRIVIAL_AUGMENT = (
    Row(identity),
    Row(shear_x, 0, 0.99, signed=True),
    Row(shear_y, 0, 0.99, signed=True),
    # 32 of 224 pixels; torchvision shifts images of every size by up to 32 pixels.
    Row(translate_x, 0, 32 / 224, signed=True),
    Row(translate_y, 0, 32 / 224, signed=True),
    Row(rotate, 0, 135, signed=True),
    Row(brightness, 0, 0.99, signed=True),
    Row(colour, 0, 0.99, signed=True),
    Row(contrast, 0, 0.99, signed=True),
    Row(sharpness, 0, 0.99, signed=True),
    Row(posterize, 0.5, 6.5),  # rounded, since `posterize` takes the integer below
    Row(solarize, 255, 0),
    Row(auto_contrast),
    Row(equalize),
)
