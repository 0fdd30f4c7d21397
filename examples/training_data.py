"""Images to train on: the handwritten digits, CIFAR, or a folder with a folder for each class.

A batch depends only on the seed and the epoch's number, so a resumed run sees the images that the
uninterrupted run would have seen, and every process of a cluster sees its share of the same
batches.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

Shape = tuple[int | None, ...]
Tensor = Any  # of TensorFlow, which publishes no types
FILES = {".jpg", ".jpeg", ".png", ".bmp", ".gif"}
# The channels' mean and standard deviation over ImageNet, of pixels from 0 to 1 (torchvision).
IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


@dataclass(frozen=True)
class Examples:
    """Images, or the files they are in, and the number of each one's class."""

    images: Any
    labels: Any

    def __len__(self) -> int:
        return len(self.labels)


@dataclass(frozen=True, kw_only=True)
class Data:
    """Images to train on and images to validate with, and how a network is shown them.

    Attributes:
        train: what is trained on.
        validation: what is not.
        shape: (rows, columns, channels) of what the network is shown.
        classes: how many classes there are.
        show: from an image or its file to what the network is shown.
        augment: the same in training: from an image and a seed to some variant of it.
    """

    train: Examples
    validation: Examples
    shape: Shape
    classes: int
    show: Callable[[Tensor], Tensor]
    augment: Callable[[Tensor, Tensor], Tensor]


def load_data(name: str, image_shape: Shape) -> Data:
    """The digits, CIFAR, or a directory's images, which are cut to `image_shape`."""
    if name == "digits":
        return digits()
    if name in ("cifar10", "cifar100"):
        return cifar(name)
    return class_folders(Path(name), image_shape)


def one_hot(data: Data) -> Data:
    """The same with labels as (classes,) of zeros and a one."""

    def hot(examples: Examples) -> Examples:
        return replace(examples, labels=keras.utils.to_categorical(examples.labels, data.classes))

    return replace(data, train=hot(data.train), validation=hot(data.validation))


# The data sets ----------------------------------------------------------------------------------


def digits() -> Data:
    """scikit-learn's 1,797 handwritten digits of 8x8 pixels; a fifth are for validation."""
    images, labels = load_digits(return_X_y=True)
    images = images.reshape(-1, 8, 8, 1).astype("uint8")
    train_x, test_x, train_y, test_y = train_test_split(
        images, labels, test_size=0.2, stratify=labels, random_state=0
    )
    # A 2 in the mirror is no digit: they are shifted only, by as much as 8 pixels have room for.
    return _arrays(Examples(train_x, train_y), Examples(test_x, test_y), 10, padding=1, flip=False)


def cifar(name: str) -> Data:
    """CIFAR-10 or CIFAR-100, downloaded once by Keras, augmented as in He et al. 2015, 4.2."""
    module = {"cifar10": keras.datasets.cifar10, "cifar100": keras.datasets.cifar100}[name]
    (train_x, train_y), (test_x, test_y) = module.load_data()
    train, test = Examples(train_x, train_y.ravel()), Examples(test_x, test_y.ravel())
    return _arrays(train, test, int(name.removeprefix("cifar")), padding=4, flip=True)


def class_folders(folder: Path, shape: Shape) -> Data:
    """A folder with a folder of images for each class, or two such folders `train` and `val`.

    Without `val` every tenth image is for validation.
    """
    if not folder.is_dir():
        raise ValueError(f"no folder {folder}; --data is digits, cifar10, cifar100 or a folder")
    parts = [folder / "train", folder / "val"]
    if all(part.is_dir() for part in parts):
        classes = _classes(parts[0])
        train, validation = (_listed(part, classes) for part in parts)
    else:
        classes = _classes(folder)
        listed = _listed(folder, classes)
        held_out = np.arange(len(listed)) % 10 == 9
        train, validation = (
            Examples(listed.images[kept], listed.labels[kept]) for kept in (~held_out, held_out)
        )
    if not len(validation):
        raise ValueError(f"{folder} has too few images: every tenth is for validation")
    size = (shape[0] or 224, shape[1] or 224)
    show = partial(_central_crop, size=size)
    augment = partial(_random_crop, size=size)
    return Data(
        train=train,
        validation=validation,
        shape=(*size, 3),
        classes=len(classes),
        show=show,
        augment=augment,
    )


def _classes(folder: Path) -> list[str]:
    classes = sorted(path.name for path in folder.iterdir() if path.is_dir())
    if len(classes) < 2:
        raise ValueError(
            f"{folder} must have a folder of images for each class, two or more; it has "
            f"{', '.join(classes) or 'none'}"
        )
    return classes


def _listed(folder: Path, classes: list[str]) -> Examples:
    files = [
        (str(path), label)
        for label, name in enumerate(classes)
        for path in sorted((folder / name).rglob("*"))
        if path.suffix.lower() in FILES
    ]
    found = {label for _, label in files}
    for label, name in enumerate(classes):
        if label not in found:
            raise ValueError(f"{folder / name} has no images ({', '.join(sorted(FILES))})")
    paths, labels = zip(*files, strict=True)
    return Examples(np.array(paths), np.array(labels))


def _arrays(
    train: Examples, validation: Examples, classes: int, *, padding: int, flip: bool
) -> Data:
    mean = train.images.mean(axis=(0, 1, 2)).astype("float32")
    deviation = train.images.std(axis=(0, 1, 2)).astype("float32")

    def show(image: Tensor) -> Tensor:
        return (tf.cast(image, "float32") - mean) / deviation

    def augment(image: Tensor, seed: Tensor) -> Tensor:
        return _shifted(show(image), seed, padding, flip=flip)

    return Data(
        train=train,
        validation=validation,
        shape=train.images.shape[1:],
        classes=classes,
        show=show,
        augment=augment,
    )


# Augmentation -----------------------------------------------------------------------------------


def _shifted(image: Tensor, seed: Tensor, padding: int, *, flip: bool) -> Tensor:
    """Padded with zeros and cut out again somewhere; mirrored or not."""
    shift, mirror = tf.unstack(tf.random.split(seed, 2))
    padded = tf.pad(image, [[padding, padding], [padding, padding], [0, 0]])
    image = tf.image.stateless_random_crop(padded, image.shape, shift)
    return tf.image.stateless_random_flip_left_right(image, mirror) if flip else image


def _random_crop(file: Tensor, seed: Tensor, size: tuple[int, int]) -> Tensor:
    """From 8% to all of the image, 3:4 to 4:3, resized; mirrored or not (arXiv:1409.4842, 6)."""
    crop, mirror = tf.unstack(tf.random.split(seed, 2))
    image = _decode(file)
    begin, extent, _ = tf.image.stateless_sample_distorted_bounding_box(
        tf.shape(image),
        tf.zeros([1, 0, 4]),
        crop,
        min_object_covered=0.0,
        aspect_ratio_range=(3 / 4, 4 / 3),
        area_range=(0.08, 1.0),
        use_image_if_no_bounding_boxes=True,
    )
    image = tf.image.resize(tf.slice(image, begin, extent), size)
    return _normal(tf.image.stateless_random_flip_left_right(image, mirror))


def _central_crop(file: Tensor, size: tuple[int, int]) -> Tensor:
    """Resized so that 7/8 of its shorter side is the crop, as 256 to 224; the crop."""
    image = _decode(file)
    rows, columns = size
    sides = tf.cast(tf.shape(image)[:2], "float32")
    scale = tf.reduce_max(tf.constant([rows, columns], "float32") / sides) * 8 / 7
    image = tf.image.resize(image, tf.cast(tf.round(sides * scale), "int32"), antialias=True)
    return _normal(tf.image.resize_with_crop_or_pad(image, rows, columns))


def _decode(file: Tensor) -> Tensor:
    return tf.io.decode_image(tf.io.read_file(file), channels=3, expand_animations=False)


def _normal(image: Tensor) -> Tensor:
    return (image / 255 - IMAGENET_MEAN) / IMAGENET_STD


# Batches ----------------------------------------------------------------------------------------


def training_batches(
    data: Data, batch_size: int, seed: int, epochs: range
) -> Callable[[Any], tf.data.Dataset]:
    """From a `tf.distribute.InputContext` to a worker's batches of some epochs.

    Every epoch is shuffled anew; images that do not fill a batch are left out.
    """
    examples = data.train
    steps = steps_per_epoch(data, batch_size)

    def batches(context: Any) -> tf.data.Dataset:
        images, labels = tf.constant(examples.images), tf.constant(examples.labels)

        def shares(epoch: Tensor) -> tf.data.Dataset:
            order = tf.random.experimental.stateless_shuffle(
                tf.range(len(examples), dtype="int64"), [seed, epoch]
            )
            # A batch is split into as many parts as there are workers; one of them is ours.
            parts = tf.reshape(
                order[: steps * batch_size], [steps, context.num_input_pipelines, -1]
            )
            mine = tf.reshape(parts[:, context.input_pipeline_id], [-1])
            return tf.data.Dataset.from_tensor_slices(mine).map(lambda index: (epoch, index))

        def example(epoch: Tensor, index: Tensor) -> tuple[Tensor, Tensor]:
            image_seed = [seed, epoch * len(examples) + index]
            return data.augment(tf.gather(images, index), image_seed), tf.gather(labels, index)

        return (
            tf.data.Dataset.range(epochs.start, epochs.stop)
            .flat_map(shares)
            .map(example, tf.data.AUTOTUNE, deterministic=True)
            .batch(context.get_per_replica_batch_size(batch_size), drop_remainder=True)
            .prefetch(tf.data.AUTOTUNE)
        )

    return batches


def steps_per_epoch(data: Data, batch_size: int) -> int:
    """How many whole batches the training images make."""
    steps = len(data.train) // batch_size
    if not steps:
        raise ValueError(
            f"a batch of {batch_size} is more than the {len(data.train)} images to train on"
        )
    return steps


def validation_batches(data: Data, batch_size: int) -> Callable[[Any], tf.data.Dataset]:
    """From a `tf.distribute.InputContext` to a worker's batches of all validation images.

    Every replica has the same number of batches, as they take their steps together; so the
    batches' sizes differ by one where the images cannot be shared out evenly.
    """
    examples = data.validation

    def batches(context: Any) -> tf.data.Dataset:
        images, labels = tf.constant(examples.images), tf.constant(examples.labels)
        replicas = context.num_replicas_in_sync
        steps = min(-(-len(examples) // batch_size), len(examples) // replicas)
        if not steps:
            raise ValueError(
                f"{len(examples)} images are too few to validate with on {replicas} devices"
            )
        bounds = np.linspace(0, len(examples), steps * replicas + 1).astype("int64")
        pairs = np.stack([bounds[:-1], bounds[1:]], axis=1).reshape(
            steps, context.num_input_pipelines, -1, 2
        )
        mine = pairs[:, context.input_pipeline_id].reshape(-1, 2)

        def batch(bounds: Tensor) -> tf.data.Dataset:
            part = tf.data.Dataset.range(bounds[0], bounds[1]).map(example, tf.data.AUTOTUNE)
            return part.batch(bounds[1] - bounds[0])

        def example(index: Tensor) -> tuple[Tensor, Tensor]:
            return data.show(tf.gather(images, index)), tf.gather(labels, index)

        batches = tf.data.Dataset.from_tensor_slices(mine).flat_map(batch)
        return batches.apply(tf.data.experimental.assert_cardinality(len(mine))).prefetch(2)

    return batches
