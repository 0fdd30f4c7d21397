"""Segment images: find handwritten digits on photographs, pixel by pixel, with a U-Net.

The images are drawn from what scikit-learn ships: its digits in a random colour, size and place on
pieces of its two photographs. Digits and pieces that the network is tested on are not among those
that it learns from. Two minutes on two cores.

Run it with: python examples/segment.py
or, from a checkpoint, with another decoder: python examples/segment.py --preset resnet34 \\
    --weights imagenet --head deeplab

With --photographs docs/segmented.jpg it draws the picture of the README as well: digits on the
whole part of the photographs that is for testing, and what the network finds there.
"""

import argparse
import functools
import os
from collections.abc import Callable
from typing import Any, NamedTuple

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # TensorFlow says less; errors are raised

import keras
import numpy as np
import numpy.typing as npt
from PIL import Image
from sklearn.datasets import load_digits, load_sample_images
from sklearn.model_selection import train_test_split

from resnet_builder import deeplab, fpn, unet

Array = npt.NDArray[Any]

HEADS: dict[str, Callable[..., keras.Model]] = {"unet": unet, "fpn": fpn, "deeplab": deeplab}
SIZE = 48
CLASSES = 4  # the background, and the digits 0, 1 and 2
# Of the background and the digits: colours that the colour-blind tell apart, by hue and lightness.
COLOURS = np.array([(0, 0, 0), (230, 159, 0), (86, 180, 233), (240, 228, 66)], np.uint8)


def drawn(
    digits: Array, labels: Array, photographs: list[Array], count: int, seed: int
) -> tuple[Array, Array]:
    """Images from 0 to 1, and masks with the class of each pixel."""
    rng = np.random.default_rng(seed)
    images = np.zeros((count, SIZE, SIZE, 3), "float32")
    masks = np.zeros((count, SIZE, SIZE), "int32")
    for image, mask in zip(images, masks, strict=True):
        photograph = photographs[rng.integers(len(photographs))]
        top, left = (rng.integers(side - SIZE) for side in photograph.shape[:2])
        image[:] = photograph[top : top + SIZE, left : left + SIZE] / 255
        for half, number in enumerate(rng.integers(len(digits), size=2)):
            place = slice(None), slice(half * SIZE // 2, (half + 1) * SIZE // 2)
            write(image[place], mask[place], digits[number], labels[number], rng)
    return images, masks


def write(image: Array, mask: Array, digit: Array, label: int, rng: np.random.Generator) -> None:
    """Write a digit in a random colour, size and place on a part of an image, and on its mask."""
    rows, columns = mask.shape
    side = int(rng.integers(16, columns + 1))
    grey = Image.fromarray((digit * 255 / 16).astype("uint8"))
    ink = np.asarray(grey.resize((side, side), Image.Resampling.BICUBIC)) / 255
    top, left = rng.integers(rows - side + 1), rng.integers(columns - side + 1)
    place = slice(top, top + side), slice(left, left + side)
    colour = (image[place].mean((0, 1)) + rng.uniform(0.3, 0.7, size=3)) % 1
    image[place] += ink[..., np.newaxis] * (colour - image[place])
    mask[place][ink > 0.5] = label + 1


def written_on(
    photograph: Array, digits: Array, labels: Array, rng: np.random.Generator
) -> tuple[Array, Array]:
    """A whole photograph with digits here and there, from 0 to 1, and its mask."""
    image, mask = photograph / np.float32(255), np.zeros(photograph.shape[:2], "int32")
    rows, columns = photograph.shape[:2]
    for top in range(0, rows - SIZE + 1, SIZE):
        for left in range(0, columns - SIZE // 2 + 1, 2 * SIZE // 3):
            number = rng.integers(len(digits))
            place = slice(top, top + SIZE), slice(left, left + SIZE // 2)
            write(image[place], mask[place], digits[number], labels[number], rng)
    return image, mask


class Part(NamedTuple):
    """The digits, their labels, and the pieces of photographs for training, or for testing."""

    digits: Array
    labels: Array
    photographs: list[Array]


def parts() -> tuple[Part, Part]:
    """For training: three quarters of the photographs, and most digits; and for testing."""
    photographs = load_sample_images().images
    border = 3 * photographs[0].shape[1] // 4
    pieces = [[of[:, :border] for of in photographs], [of[:, border:] for of in photographs]]
    digits, labels = load_digits(n_class=CLASSES - 1, return_X_y=True)
    split = train_test_split(digits.reshape(-1, 8, 8), labels, test_size=0.2, random_state=0)
    training, test = (Part(split[part], split[part + 2], pieces[part]) for part in (0, 1))
    return training, test


def data(count: int) -> list[tuple[Array, Array]]:
    """Images to learn from, and a fifth as many to test on."""
    counts = (count, max(count // 5, 1))
    return [drawn(*part, counts[seed], seed=seed) for seed, part in enumerate(parts())]


def intersections_over_unions(masks: Array, predicted: Array) -> list[float]:
    """For each class that is there: the pixels of both, as a fraction of the pixels of either."""
    found = []
    for label in np.unique(masks):
        truth, answer = masks == label, predicted == label
        found.append(float((truth & answer).sum() / (truth | answer).sum()))
    return found


def draw(images: Array, masks: Array, predicted: Array, file: str) -> None:
    """A row for every image: the image, its mask, and what the network predicts."""
    columns = [(255 * images).astype("uint8"), COLOURS[masks], COLOURS[predicted]]
    framed = [
        np.pad(column, ((0, 0), (2, 2), (2, 2), (0, 0)), constant_values=127) for column in columns
    ]
    rows = np.concatenate(framed, axis=2)
    picture = Image.fromarray(rows.reshape(-1, *rows.shape[2:]))
    picture.resize([3 * side for side in picture.size], Image.Resampling.NEAREST).save(file)


def draw_photographs(model: keras.Model, file: str) -> None:
    """The test part of each photograph with digits on it, and beside it those that are found."""
    rng, test = np.random.default_rng(0), parts()[1]
    pictures, masks, predicted = [], [], []
    for photograph in test.photographs:
        image, mask = written_on(photograph, test.digits, test.labels, rng)
        classes = model.predict(image[np.newaxis], verbose=0)[0].argmax(axis=-1)
        found = np.where(classes[..., np.newaxis], COLOURS[classes], 255 * image / 3)
        pictures += [255 * image, found]
        masks.append(mask)
        predicted.append(classes)
    scores = intersections_over_unions(np.stack(masks), np.stack(predicted))
    print(f"Mean IoU: {np.mean(scores):.1%} on {len(masks)} photographs of {masks[0].shape}")
    framed = [np.pad(one, ((0, 0), (0, 4), (0, 0)), constant_values=255) for one in pictures]
    joined = Image.fromarray(np.concatenate(framed, axis=1)[:, :-4].round().astype("uint8"))
    joined.save(file, quality=88)


def main() -> None:
    """Read the command line, train, and test."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--preset", default="resnet18")
    parser.add_argument("--head", choices=HEADS, default="unet")
    parser.add_argument(
        "--weights", help="a checkpoint of the encoder; default: a narrow, random one"
    )
    parser.add_argument("--images", type=int, default=800)
    parser.add_argument("--epochs", type=int, default=16)
    parser.add_argument("--learning-rate", type=float, default=0.005)
    parser.add_argument("--picture", default="segmented.png")
    parser.add_argument("--photographs", help="a second picture, of whole photographs")
    options = parser.parse_args()
    keras.utils.set_random_seed(0)
    (images, masks), (test_images, test_masks) = data(options.images)
    narrow = {} if options.weights else {"filters": 16}
    build = functools.partial(HEADS[options.head], options.preset, classes=CLASSES, **narrow)
    model = build((SIZE, SIZE, 3), weights=options.weights)
    print(f"{model.name}: {model.count_params():,} parameters, {len(images)} images to learn from")

    batch_size = 16
    steps = options.epochs * -(-len(images) // batch_size)
    rate = keras.optimizers.schedules.CosineDecay(options.learning_rate, steps)
    model.compile(keras.optimizers.Adam(rate), loss="sparse_categorical_crossentropy")
    model.fit(images, masks, batch_size, options.epochs, verbose=2)
    predicted = model.predict(test_images, verbose=0).argmax(axis=-1)
    found = intersections_over_unions(test_masks, predicted)
    print("IoU of each class:", " ".join(f"{iou:.0%}" for iou in found))
    print(f"Mean IoU: {np.mean(found):.1%} on {len(test_images)} other images")
    draw(test_images[:6], test_masks[:6], predicted[:6], options.picture)
    print(f"Image, truth and prediction are side by side in {options.picture}")
    if options.photographs:
        whole = build((None, None, 3))  # of any size
        whole.set_weights(model.get_weights())
        draw_photographs(whole, options.photographs)


if __name__ == "__main__":
    main()
