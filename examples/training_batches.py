"""Batches of images, in an order that depends on the seed and the number of the epoch alone.

So a run that is resumed sees the images that the uninterrupted run would have seen, and every
process of a cluster its share of the same batches.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf
from training_data import Data, Tensor


def training_batches(
    data: Data, batch_size: int, seed: int, epochs: range
) -> Callable[[Any], tf.data.Dataset]:
    """From a `tf.distribute.InputContext` to a worker's batches of some epochs; labels are one-hot.

    Every epoch has a shuffled order of its own; the images that do not fill a batch are left out.
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
            image = data.augment(tf.gather(images, index), image_seed)
            return image, tf.one_hot(tf.gather(labels, index), data.classes)

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
            image = data.show(tf.gather(images, index))
            return image, tf.one_hot(tf.gather(labels, index), data.classes)

        batches = tf.data.Dataset.from_tensor_slices(mine).flat_map(batch)
        return batches.apply(tf.data.experimental.assert_cardinality(len(mine))).prefetch(2)

    return batches
