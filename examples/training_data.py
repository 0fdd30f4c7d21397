"""Images to train on: the handwritten digits, CIFAR, or a folder with a folder for each class.

TensorFlow prepares them. Where Keras has another backend, it does so in a process of its own, since
the augmentation computes with Keras's backend.

A batch depends only on the seed and the epoch's number, so a resumed run sees the images that the
uninterrupted run would have seen, and every process of a cluster sees its share of the same
batches.
"""

import multiprocessing
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from multiprocessing.connection import Connection
from pathlib import Path
from time import perf_counter
from typing import Any
from unittest.mock import patch

import keras
import numpy as np
import tensorflow as tf
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

from resnet_builder import Augmentation, Recipe, augmentation

Shape = tuple[int | None, ...]
Tensor = Any  # of TensorFlow, which publishes no types
Batches = Callable[[Any], Any]  # from a tf.distribute.InputContext to a tf.data.Dataset
FILES = {".jpg", ".jpeg", ".png", ".bmp", ".gif"}
# The channels' mean and standard deviation over ImageNet, of pixels from 0 to 1 (torchvision).
IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)

MOST_WAITING = 0.1  # of the time, while the network is what takes long


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
        shape: (rows, columns, channels) of what the network is shown in validation.
        classes: how many classes there are.
        show: from an image or its file to what the network is shown.
        load: from an image or its file to pixels from 0 to 255.
        normal: from such pixels to what the network is shown.
        augmentation: the recipe's, from pixels to pixels, in training.
    """

    train: Examples
    validation: Examples
    shape: Shape
    classes: int
    show: Callable[[Tensor], Tensor]
    load: Callable[[Tensor], Tensor]
    normal: Callable[[Tensor], Tensor]
    augmentation: Augmentation

    def augment(self, image: Tensor, seed: Tensor) -> Tensor:
        """From an image or its file, and a seed, to some variant of it."""
        return self.normal(self.augmentation.image(self.load(image), seed))


def load_data(name: str, image_shape: Shape, recipe: Recipe) -> Data:
    """The digits, CIFAR, or a directory's images, which are cut to `image_shape`."""
    if name == "digits":
        return digits(recipe)
    if name in ("cifar10", "cifar100"):
        return cifar(name, recipe)
    return class_folders(Path(name), image_shape, recipe)


def one_hot(data: Data) -> Data:
    """The same with labels as (classes,) of zeros and a one."""

    def hot(examples: Examples) -> Examples:
        return replace(examples, labels=keras.utils.to_categorical(examples.labels, data.classes))

    return replace(data, train=hot(data.train), validation=hot(data.validation))


# The data sets ----------------------------------------------------------------------------------


def digits(recipe: Recipe) -> Data:
    """scikit-learn's 1,797 handwritten digits of 8x8 pixels; a fifth are for validation."""
    images, labels = load_digits(return_X_y=True)
    images = images.reshape(-1, 8, 8, 1).astype("uint8")
    train_x, test_x, train_y, test_y = train_test_split(
        images, labels, test_size=0.2, stratify=labels, random_state=0
    )
    # A 2 in the mirror is no digit. And a digit's values are from 0 to 16.
    train, test = Examples(train_x * 15, train_y), Examples(test_x * 15, test_y)
    return _arrays(train, test, 10, replace(recipe, augment=replace(recipe.augment, flip=False)))


def cifar(name: str, recipe: Recipe) -> Data:
    """CIFAR-10 or CIFAR-100, downloaded once by Keras."""
    module = {"cifar10": keras.datasets.cifar10, "cifar100": keras.datasets.cifar100}[name]
    (train_x, train_y), (test_x, test_y) = module.load_data()
    train, test = Examples(train_x, train_y.ravel()), Examples(test_x, test_y.ravel())
    return _arrays(train, test, int(name.removeprefix("cifar")), recipe)


def class_folders(folder: Path, shape: Shape, recipe: Recipe) -> Data:
    """A folder with a folder of images for each class, or two such folders `train` and `val`.

    Without `val` every tenth image is for validation. Images in training are as much smaller than
    in validation as the recipe's.
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
    rows, columns = shape[0] or 224, shape[1] or 224
    smaller = recipe.train_size / recipe.test_size if recipe.test_size else 1
    return Data(
        train=train,
        validation=validation,
        shape=(rows, columns, 3),
        classes=len(classes),
        show=partial(_central_crop, size=(rows, columns), share=recipe.test_crop),
        load=_decode,
        normal=_like_imagenet,
        augmentation=augmentation(recipe, (round(rows * smaller), round(columns * smaller), 3)),
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


def _arrays(train: Examples, validation: Examples, classes: int, recipe: Recipe) -> Data:
    mean = train.images.mean(axis=(0, 1, 2)).astype("float32")
    deviation = train.images.std(axis=(0, 1, 2)).astype("float32")
    show = partial(_normal, mean=mean, deviation=deviation)
    if recipe.augment.crop == "resized":
        # 8% of so few pixels show nothing: they are shifted (He et al. 2015, 4.2).
        recipe = replace(recipe, augment=replace(recipe.augment, crop="padded"))
    shape = train.images.shape[1:]
    return Data(
        train=train,
        validation=validation,
        shape=shape,
        classes=classes,
        show=show,
        load=tf.identity,
        normal=show,
        augmentation=augmentation(recipe, shape, fill=mean),
    )


# What is shown ------------------------------------------------------------------------------------


def _central_crop(file: Tensor, size: tuple[int, int], share: float) -> Tensor:
    """Resized so that a share of its shorter side is the crop, as 256 to 224; the crop."""
    image = _decode(file)
    rows, columns = size
    sides = tf.cast(tf.shape(image)[:2], "float32")
    scale = tf.reduce_max(tf.constant([rows, columns], "float32") / sides) / share
    image = tf.image.resize(image, tf.cast(tf.round(sides * scale), "int32"), antialias=True)
    return _like_imagenet(tf.image.resize_with_crop_or_pad(image, rows, columns))


def _decode(file: Tensor) -> Tensor:
    return tf.io.decode_image(tf.io.read_file(file), channels=3, expand_animations=False)


def _normal(image: Tensor, mean: Any, deviation: Any) -> Tensor:
    return (tf.cast(image, "float32") - mean) / deviation


_like_imagenet = partial(
    _normal,
    mean=255 * np.array(IMAGENET_MEAN, "float32"),
    deviation=255 * np.array(IMAGENET_STD, "float32"),
)


# Batches ----------------------------------------------------------------------------------------


def training_batches(data: Data, batch_size: int, seed: int, epochs: range) -> Batches:
    """From a `tf.distribute.InputContext` to a worker's batches of some epochs.

    Every epoch is shuffled anew; images that do not fill a batch are left out. With repeated
    augmentation, an epoch shows fewer images, each of them several times in a batch.
    """
    return partial(_training_batches, data, batch_size, seed, epochs)


def _training_batches(
    data: Data, batch_size: int, seed: int, epochs: range, context: Any
) -> tf.data.Dataset:
    examples = data.train
    steps = steps_per_epoch(data, batch_size)
    repeats = data.augmentation.settings.repeats
    images, labels = tf.constant(examples.images), tf.constant(examples.labels)

    def shares(epoch: Tensor) -> tf.data.Dataset:
        order = tf.random.experimental.stateless_shuffle(
            tf.range(len(examples), dtype="int64"), [seed, epoch]
        )
        order = tf.repeat(order, repeats)[: steps * batch_size]
        numbers = epoch * len(examples) + tf.range(steps * batch_size, dtype="int64")
        # A batch is split into as many parts as there are workers; this worker takes one.
        parts = tf.reshape(
            tf.stack([numbers, order], 1), [steps, context.num_input_pipelines, -1, 2]
        )
        mine = tf.reshape(parts[:, context.input_pipeline_id], [-1, 2])
        return tf.data.Dataset.from_tensor_slices(mine)

    def example(pair: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        number, index = tf.unstack(pair)
        image = data.augment(tf.gather(images, index), [seed, number])
        return image, tf.gather(labels, index), number

    def mixed(images: Tensor, labels: Tensor, numbers: Tensor) -> tuple[Tensor, Tensor]:
        if len(labels.shape) == 1:
            return images, labels
        return data.augmentation.batch(images, labels, [seed, -1 - numbers[0]])

    return (
        tf.data.Dataset.range(epochs.start, epochs.stop)
        .flat_map(shares)
        .map(example, tf.data.AUTOTUNE, deterministic=True)
        .batch(context.get_per_replica_batch_size(batch_size), drop_remainder=True)
        .map(mixed, tf.data.AUTOTUNE, deterministic=True)
        .prefetch(tf.data.AUTOTUNE)
    )


def steps_per_epoch(data: Data, batch_size: int) -> int:
    """How many whole batches the training images make."""
    steps = len(data.train) // batch_size
    if not steps:
        raise ValueError(
            f"a batch of {batch_size} is more than the {len(data.train)} images to train on"
        )
    return steps


def validation_batches(data: Data, batch_size: int) -> Batches:
    """From a `tf.distribute.InputContext` to a worker's batches of all validation images.

    Every replica has the same number of batches, as they take their steps together; so the
    batches' sizes differ by one where the images cannot be shared out evenly.
    """
    return partial(_validation_batches, data, batch_size)


def _validation_batches(data: Data, batch_size: int, context: Any) -> tf.data.Dataset:
    examples = data.validation
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


def of_one_size(batches: Iterator[Any], size: int, count: int) -> Iterator[Any]:
    """The validation batches with weights: images of weight 0 fill them up to one size.

    Several devices share a batch evenly. The weights of all images have a mean of 1, as Keras
    divides the sum of their losses by their number.

    Args:
        batches: validation batches, in which all images are once, or again and again.
        size: images per batch.
        count: how many images there are.
    """
    numbers, steps = np.arange(size), -(-count // size)
    for images, labels in batches:
        kept = numbers % len(images)
        weights = np.where(numbers < len(images), steps * size / count, 0).astype("float32")
        yield images[kept], labels[kept], weights


# For Keras with another backend, and how long it waits ------------------------------------------


def from_process(batches: Batches, *, is_endless: bool = False) -> Iterator[Any]:
    """The batches as arrays, which a process with TensorFlow as Keras's backend makes.

    It is ahead by the batches that TensorFlow prefetches. It does not take a GPU.
    """
    context = multiprocessing.get_context("spawn")
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(target=_send, args=(sender, batches, is_endless), daemon=True)
    with patch.dict(os.environ, KERAS_BACKEND="tensorflow", CUDA_VISIBLE_DEVICES=""):
        process.start()
    sender.close()
    with suppress(EOFError):
        while True:
            yield receiver.recv()
    process.join()
    if process.exitcode:
        raise RuntimeError("the process that prepares the images has failed: see above")


def _send(sender: Connection, batches: Batches, is_endless: bool) -> None:
    dataset = batches(tf.distribute.InputContext())
    for batch in (dataset.repeat() if is_endless else dataset).as_numpy_iterator():
        sender.send(batch)


class Waiting(keras.callbacks.Callback):  # type: ignore[misc]
    """Measures how much of the time of training is waiting for images, a column of the log.

    `fit_distributed` fetches a batch between two steps, and Keras's `fit` during a step, from
    `timed(batches)`. Each step is finished before the next batch is fetched.
    """

    def __init__(self, batch_size: int) -> None:
        super().__init__()
        self.batch_size = batch_size
        self.is_timed = False
        self.images = 0
        self.began = self.ended = self.waited = 0.0

    def timed(self, batches: Iterator[Any]) -> Iterator[Any]:
        """The batches; what time they take is waited."""
        self.is_timed = True
        while True:
            asked = perf_counter()
            batch = next(batches, None)
            self.waited += perf_counter() - asked
            if batch is None:
                return
            yield batch

    def on_epoch_begin(self, epoch: int, logs: Mapping[str, float] | None = None) -> None:
        """Begin to measure."""
        self.began = self.ended = perf_counter()
        self.waited, self.images = 0.0, 0

    def on_train_batch_begin(self, batch: int, logs: Mapping[str, float] | None = None) -> None:
        """The time since the last step was for the batch."""
        if not self.is_timed:
            self.waited += perf_counter() - self.ended

    def on_train_batch_end(self, batch: int, logs: Mapping[str, float] | None = None) -> None:
        """Time until here is that of steps."""
        self.ended = perf_counter()
        self.images += self.batch_size

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Add the share to the log."""
        if logs is not None:
            logs["waiting"] = self.share

    @property
    def share(self) -> float:
        """What part of the time the last epoch's training waited for images."""
        return self.waited / (self.ended - self.began)

    def report(self) -> str:
        """Which is slower, the images or the network, in the last epoch."""
        seconds = self.ended - self.began
        slower = "images" if self.share > MOST_WAITING else "network"
        return (
            f"It trained on {self.images / seconds:,.0f} images a second, and waited for images in "
            f"{self.share:.0%} of the time: the {slower} set the pace. Without waiting it would be "
            f"{self.images / (seconds - self.waited):,.0f} a second."
        )
