"""`augmentation`: the varied images and the mixed batches of a recipe, repeatable by seeds.

Keras has layers of these names, but none of a resized crop, and others than the recipes': `MixUp`
has a weight for each image, `CutMix` draws alpha, `RandomErasing(factor=p)` erases with a
probability of p / 2, and `RandAugment` has its own strengths. And the results of layers with a
state depend on the order of calls, which a parallel `tf.data.Dataset.map` changes.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import log

import keras
import numpy as np
from keras import ops, random

from ..common import checks
from ..model.keras_layers import Tensor
from .fields import Augment
from .image_operations import (
    RAND_AUGMENT,
    TRIVIAL_AUGMENT,
    Row,
    brightness,
    colour,
    contrast,
    identity,
)
from .recipes import Recipe, recipe_of

Seed = int | Sequence[int] | Tensor
Change = Callable[[Tensor], Tensor]

# ImageNet's mean, of values from 0 to 255 (torchvision).
MEAN = (123.675, 116.28, 103.53)

# Area and ratio of sides of a resized crop (arXiv:1409.4842, 6) and of an erased rectangle
# (arXiv:1708.04896, 5.2; torchvision's RandomErasing).
CROP_AREAS, CROP_SIDES = (0.08, 1.0), (3 / 4, 4 / 3)
ERASED_AREAS, ERASED_SIDES = (0.02, 0.33), (0.3, 3.3)

ATTEMPTS = 10  # of a crop that fits; torchvision's number

OPERATION_PROBABILITY = 0.5  # of RandAugment (timm's rand_augment_ops)


class _Draws(random.SeedGenerator):  # type: ignore[misc]
    """Seeds of any number of draws from one seed, without a state.

    On PyTorch, Keras adds the two numbers of a seed. Draws are therefore far from one another, so
    that the second draw of an image is not the first one of the next image.
    """

    def __init__(self, seed: Seed) -> None:
        self.dtype = "uint32" if keras.backend.backend() == "jax" else "int32"
        numbers = ops.reshape(ops.cast(ops.convert_to_tensor(seed), self.dtype), (-1,))
        self.seed = numbers if numbers.shape[0] == 2 else ops.pad(numbers, (0, 1))
        self.draws = 0

    def next(self, ordered: bool = True) -> Tensor:
        """The seed of the next draw."""
        self.draws += 1
        return self.seed + ops.convert_to_tensor([self.draws * 15_485_863, 0], self.dtype)

    def uniform(self, low: float = 0.0, high: float = 1.0) -> Tensor:
        """A number between two numbers."""
        return random.uniform((), low, high, seed=self)

    def integer(self, below: Tensor) -> Tensor:
        """An integer from 0 on."""
        number = ops.floor(self.uniform() * ops.cast(below, "float32"))
        return ops.minimum(ops.cast(number, "int32"), below - 1)

    def happens(self, probability: float) -> Tensor:
        """Whether something with a probability happens."""
        return self.uniform() < probability

    def beta(self, alpha: float) -> Tensor:
        """A number of the distribution Beta(alpha, alpha)."""
        parts = random.gamma((2,), alpha, seed=self)
        total = ops.sum(parts)
        # For a small alpha, both may be too small for float32.
        tiny = total < 1e-37
        return ops.where(tiny, 0.5, parts[0] / ops.where(tiny, 1.0, total))


def _rectangle(
    draws: _Draws, image: Tensor, areas: tuple[float, float], sides: tuple[float, float]
) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
    """Top, left, height and width of a random rectangle in the image, and whether one fits.

    The area is uniform, and so is the logarithm of width : height. It is the first of ten that
    fits, or the largest in the middle that has allowed sides, as torchvision's.
    """
    height, width = (ops.cast(size, "float32") for size in ops.shape(image)[:2])
    area = height * width * random.uniform((ATTEMPTS,), *areas, seed=draws)
    ratio = ops.exp(random.uniform((ATTEMPTS,), *map(log, sides), seed=draws))
    rows, columns = ops.round(ops.sqrt(area / ratio)), ops.round(ops.sqrt(area * ratio))
    fits = (rows <= height) & (columns <= width) & (rows > 0) & (columns > 0)
    first = ops.argmax(ops.cast(fits, "int32"))
    rows, columns = (ops.cast(ops.take(sizes, first), "int32") for sizes in (rows, columns))
    found = ops.any(fits)
    most = ops.minimum(height, ops.round(width / sides[0]))
    rows = ops.where(found, rows, ops.cast(most, "int32"))
    most = ops.minimum(width, ops.round(height * sides[1]))
    columns = ops.where(found, columns, ops.cast(most, "int32"))
    free = [ops.cast(height, "int32") - rows, ops.cast(width, "int32") - columns]
    top, left = (ops.where(found, draws.integer(space + 1), space // 2) for space in free)
    return top, left, rows, columns, found


@dataclass(frozen=True)
class Augmentation:
    """The augmentation of a recipe for one size of images, which `augmentation` makes.

    Attributes:
        recipe: the recipe.
        input_shape: (rows, columns, channels) of the images that it makes.
        fill: a pixel for what has no image: around padded and rotated ones, in erased rectangles.

    Example:
        >>> import numpy as np
        >>> from resnet_builder import augmentation
        >>> augment = augmentation("he2015_cifar", (32, 32, 3))
        >>> augment.settings.crop, augment.settings.flip
        ('padded', True)
        >>> image = augment.image(np.zeros((32, 32, 3), "uint8"), seed=[0, 1])
        >>> tuple(image.shape)
        (32, 32, 3)
    """

    recipe: Recipe
    input_shape: tuple[int, int, int]
    fill: tuple[float, ...]

    @property
    def settings(self) -> Augment:
        """What is done."""
        return self.recipe.augment

    def image(self, image: Tensor, seed: Seed) -> Tensor:
        """Vary an image.

        Args:
            image: (rows, columns, channels), of values from 0 to 255, of any size.
            seed: an integer, or two; the same seed gives the same variant. Within a data set, give
                `[seed, number]`, with a number for each image and epoch.

        Returns:
            An image of `input_shape` with values from 0 to 255, in float32.
        """
        draws, of = _Draws(seed), self.settings
        fill = ops.convert_to_tensor(self.fill, "float32")
        image = self._cropped(ops.convert_to_tensor(image), draws, fill)
        if of.flip:
            image = _if(draws.happens(0.5), lambda image: ops.flip(image, axis=1), image)
        if of.jitter:
            image = _jittered(image, of.jitter, draws)
        if of.policy == "rand_augment":
            for _ in range(2):
                strength = random.normal((), of.magnitude, of.magnitude_std, seed=draws) / 10
                image = _one_of(RAND_AUGMENT, image, strength, draws, fill, OPERATION_PROBABILITY)
        if of.policy == "trivial_augment":
            strength = ops.cast(draws.integer(31), "float32") / 30  # torchvision's bins
            image = _one_of(TRIVIAL_AUGMENT, image, strength, draws, fill)
        if of.erase:
            image = _erased(image, of.erase, draws, fill)
        return image

    def _cropped(self, image: Tensor, draws: _Draws, fill: Tensor) -> Tensor:
        *size, channels = self.input_shape
        if self.settings.crop == "resized":
            top, left, rows, columns, _ = _rectangle(draws, image, CROP_AREAS, CROP_SIDES)
            if keras.backend.backend() != "tensorflow":
                top, left, rows, columns = map(int, (top, left, rows, columns))
            image = image[top : top + rows, left : left + columns]
        image = ops.cast(image, "float32")
        if self.settings.crop == "resized" or tuple(image.shape[:2]) != tuple(size):
            # Of a size that a graph does not know.
            resized = ops.image.resize(image, size, antialias=True, data_format="channels_last")
            image = ops.clip(ops.round(resized), 0, 255)
        if self.settings.crop == "padded":
            border = [max(1, side // 8) for side in size]
            around = [*((b, b) for b in border), (0, 0)]
            is_inside = ops.pad(ops.ones_like(image), around) > 0
            padded = ops.where(is_inside, ops.pad(image, around), fill)
            start = [draws.integer(2 * b + 1) for b in border]
            image = ops.slice(
                padded, ops.stack([*start, ops.zeros((), "int32")]), (*size, channels)
            )
        return ops.reshape(image, self.input_shape)

    def batch(self, images: Tensor, labels: Tensor, seed: Seed) -> tuple[Tensor, Tensor]:
        """Mix a batch by mixup or CutMix, with its labels as the recipe's loss takes them.

        Each image is mixed with the one as far from the other end of the batch, with one weight for
        all, as in timm. With a binary crossentropy, labels are smoothed, mixed, and compared with
        the recipe's threshold; with a crossentropy the loss smooths them.

        Args:
            images: (batch, rows, columns, channels), normalised or not.
            labels: (batch, classes), one-hot.
            seed: an integer, or two; the same seed mixes alike.

        Returns:
            Mixed images and labels, in float32. The labels of an image sum to 1 unless there is a
            threshold.

        Raises:
            ValueError: labels that are not (batch, classes).
        """
        labels = ops.cast(labels, "float32")
        if len(labels.shape) != 2:
            raise ValueError(
                f"labels must be one-hot, (batch, classes), got the shape {tuple(labels.shape)}: "
                "give keras.utils.to_categorical(labels, classes)"
            )
        draws, of, recipe = _Draws(seed), self.settings, self.recipe
        images = ops.cast(images, "float32")
        is_binary = recipe.loss == "binary_crossentropy"
        if is_binary and recipe.label_smoothing:
            share = recipe.label_smoothing
            labels = (1 - share) * labels + share / labels.shape[1]
        if of.mixes:
            images, weight = _mixed(images, of, draws)
            labels = weight * labels + (1 - weight) * ops.flip(labels, axis=0)
        if is_binary and recipe.target_threshold:
            labels = ops.cast(labels > recipe.target_threshold, "float32")
        return images, labels


def _switch(number: Tensor, branches: Sequence[Change], image: Tensor) -> Tensor:
    """What one of the branches makes of an image.

    In a graph of TensorFlow the number is unknown. Elsewhere it is known, and JAX would compile all
    branches anew for every image.
    """
    if keras.backend.backend() == "tensorflow":
        return ops.switch(number, branches, image)
    return branches[int(number)](image)


def _if(happens: Tensor, change: Change, image: Tensor) -> Tensor:
    """The changed image, which is computed only if it happens, or the image."""
    return _switch(ops.cast(happens, "int32"), [lambda image: image, change], image)


def _jittered(image: Tensor, most: float, draws: _Draws) -> Tensor:
    """Change brightness, contrast and saturation by random factors, in random order."""
    changes = [draws.uniform(-most, most) for _ in range(3)]
    changing = (brightness, contrast, colour)
    orders = [(0, 1, 2), (0, 2, 1), (1, 0, 2), (1, 2, 0), (2, 0, 1), (2, 1, 0)]

    def in_order(order: tuple[int, ...]) -> Change:
        def change(image: Tensor) -> Tensor:
            for number in order:
                image = changing[number](image, changes[number], image)
            return image

        return change

    return _switch(draws.integer(6), [in_order(order) for order in orders], image)


def _one_of(
    rows: tuple[Row, ...],
    image: Tensor,
    strength: Tensor,
    draws: _Draws,
    fill: Tensor,
    probability: float = 1.0,
) -> Tensor:
    """The image after one of the operations, or, if none happens, as it is."""
    strength = ops.clip(strength, 0.0, 1.0)
    sign = ops.where(draws.happens(0.5), -1.0, 1.0)

    def operation(row: Row) -> Change:
        def change(image: Tensor) -> Tensor:
            argument = row.weakest + (row.strongest - row.weakest) * strength
            changed = row.change(image, sign * argument if row.signed else argument, fill)
            return ops.cast(ops.reshape(changed, ops.shape(image)), "float32")

        return change

    number = ops.where(draws.happens(probability), draws.integer(len(rows)), len(rows))
    return _switch(number, [operation(row) for row in (*rows, Row(identity))], image)


def _inside(image: Tensor, top: Tensor, left: Tensor, rows: Tensor, columns: Tensor) -> Tensor:
    """(rows, columns, 1) of booleans: which pixels are in a rectangle."""
    height, width = ops.shape(image)[:2]
    row, column = ops.arange(height, dtype="int32"), ops.arange(width, dtype="int32")
    in_rows = (row >= top) & (row < top + rows)
    in_columns = (column >= left) & (column < left + columns)
    return (in_rows[:, None] & in_columns[None, :])[..., None]


def _erased(image: Tensor, probability: float, draws: _Draws, fill: Tensor) -> Tensor:
    *rectangle, found = _rectangle(draws, image, ERASED_AREAS, ERASED_SIDES)
    return _if(
        found & draws.happens(probability),
        lambda image: ops.where(_inside(image, *rectangle), fill, image),
        image,
    )


def _mixed(images: Tensor, of: Augment, draws: _Draws) -> tuple[Tensor, Tensor]:
    """Mixed images, and the share of an image in its mixture."""
    mixup, cutmix = draws.beta(of.mixup or 1.0), draws.beta(of.cutmix or 1.0)
    box, shown = _cutmix_box(images[0], cutmix, draws)

    def blended(images: Tensor) -> Tensor:
        return mixup * images + (1 - mixup) * ops.flip(images, axis=0)

    def cut(images: Tensor) -> Tensor:
        return ops.where(box, ops.flip(images, axis=0), images)

    if not of.cutmix:
        return blended(images), mixup
    is_cut = draws.happens(0.5 if of.mixup else 1.0)
    number = ops.cast(is_cut, "int32")
    return _switch(number, [blended, cut], images), ops.where(is_cut, shown, mixup)


def _cutmix_box(image: Tensor, weight: Tensor, draws: _Draws) -> tuple[Tensor, Tensor]:
    """Where the other image is, and the share of this one (arXiv:1905.04899, 3.1).

    The box has sides of sqrt(1 - weight) of the image's, about a point that is uniform in the
    image, and ends at its border. The share is that of the pixels that are left.
    """
    height, width = ops.shape(image)[:2]
    extent = ops.sqrt(1 - weight)
    sides = [
        ops.cast(ops.floor(extent * ops.cast(side, "float32")), "int32") for side in (height, width)
    ]
    top, left = (
        draws.integer(ops.convert_to_tensor(side, "int32")) - length // 2
        for side, length in zip((height, width), sides, strict=True)
    )
    box = _inside(image, top, left, *sides)
    return box, 1 - ops.mean(ops.cast(box, "float32"))


def augmentation(
    recipe: str | Recipe,
    input_shape: Sequence[int],
    *,
    fill: float | Sequence[float] | None = None,
) -> Augmentation:
    """Build the augmentation of a recipe: one function of an image, one of a batch.

    `augmentation(...).image(image, seed)` crops, mirrors and changes one image, and
    `.batch(images, labels, seed)` mixes a batch with its one-hot labels. Both are made of
    `keras.ops`, and depend on their arguments alone: with TensorFlow they are mapped over a
    `tf.data.Dataset`, and on every backend they take the NumPy arrays of any loader.

    Args:
        recipe: a name in `RECIPES`, or a `Recipe` of your own.
        input_shape: (rows, columns, channels) of the network's input.
        fill: value, or values of the channels, from 0 to 255, of pixels without an image. Default:
            ImageNet's mean for three channels, and its mean for others.

    Returns:
        The augmentation. What it does is `recipe.augment`. Repeated augmentation is a matter of the
        order of images: with `repeats` of 3, show each of a third of them three times in a batch.

    Raises:
        ValueError: an unknown recipe, or a shape that is not (rows, columns, channels).
        TypeError: sizes that are not integers.

    Example:
        >>> import numpy as np
        >>> from resnet_builder import augmentation
        >>> augment = augmentation("rsb_a2", (32, 32, 3))
        >>> photo = np.zeros((48, 64, 3), "uint8")
        >>> images = np.stack([augment.image(photo, [0, number]) for number in range(4)])
        >>> images, labels = augment.batch(images, np.eye(4), seed=0)
        >>> tuple(images.shape), tuple(labels.shape)
        ((4, 32, 32, 3), (4, 4))
    """
    found = recipe_of(recipe)
    shape = tuple(input_shape)
    if len(shape) != 3:
        raise ValueError(f"input_shape must be (rows, columns, channels), got {input_shape}")
    sides = tuple(checks.positive_int(size, "a size of input_shape") for size in shape)
    channels = sides[2]
    if fill is None:
        fill = MEAN if channels == 3 else sum(MEAN) / 3
    pixel = np.broadcast_to(np.asarray(fill, "float32"), (channels,))
    return Augmentation(found, (sides[0], sides[1], channels), tuple(map(float, pixel)))
