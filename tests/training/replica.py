"""One process of a training run under tf.distribute, for the tests.

Usage: python replica.py STRATEGIES FOLDER EPOCHS PAUSE

STRATEGIES are none, mirrored, both with a comma between them, or multiworker. An epoch has 5 steps
of 16 images, and a pause of PAUSE seconds after it. The run of a strategy continues from
FOLDER/STRATEGY.weights.h5 if there is such a file; its weights and its history are written to
FOLDER/STRATEGY_TASK.npz.
"""

import json
import os
import sys
import time
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from resnet_builder import (
    EpochBackup,
    Recipe,
    ResnetBuilder,
    compile_recipe,
    fit_distributed,
    is_chief,
    restore_backup,
    synchronize_batch_norm,
)

STEPS, BATCH = 5, 16


def make_strategy(name: str) -> Any:
    if name == "multiworker":
        return tf.distribute.MultiWorkerMirroredStrategy()
    if name == "mirrored":
        return tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])
    return tf.distribute.get_strategy()


def halve_the_cpu() -> None:
    """Make two devices of it, before TensorFlow first computes."""
    [cpu] = tf.config.list_physical_devices("CPU")
    halves = [tf.config.LogicalDeviceConfiguration()] * 2
    tf.config.set_logical_device_configuration(cpu, halves)


def make_model() -> keras.Model:
    model = ResnetBuilder.from_preset(
        "resnet18", (8, 8, 1), 10, stem="cifar", repetitions=(1, 1), filters=4
    )
    synchronize_batch_norm(model)
    return compile_recipe(
        model,
        Recipe(weight_decay=0.02),
        epochs=1,
        steps_per_epoch=STEPS,
        learning_rate=0.05,
        schedule="constant",
        global_clipnorm=10.0,
    )


def images(count: int) -> tuple[Any, Any]:
    """Random images of different spread, so that the halves of a batch have other statistics."""
    random = np.random.Generator(np.random.PCG64(0))
    spread = 1 + np.arange(count).reshape(-1, 1, 1, 1) % BATCH
    pixels = random.standard_normal((count, 8, 8, 1)) * spread / 8
    return pixels.astype("float32"), random.integers(0, 10, count)


def share(dataset: Any, context: Any, batch: int) -> Any:
    """Split a batch over the replicas, in order."""
    batches = dataset.batch(batch // context.num_replicas_in_sync)
    if context.num_input_pipelines == 1:
        return batches
    return batches.shard(context.num_input_pipelines, context.input_pipeline_id)


def main(name: str, folder: Path, epochs: int, pause: float) -> None:
    strategy = make_strategy(name)
    keras.utils.set_random_seed(0)
    with strategy.scope():
        model = make_model()
    finished = restore_backup(model, folder / f"{name}.weights.h5")
    dataset = tf.data.Dataset.from_tensor_slices(images(epochs * STEPS * BATCH))
    remaining = dataset.skip(finished * STEPS * BATCH)
    wait = keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: time.sleep(pause))
    writers = [EpochBackup(folder / f"{name}.weights.h5")] if is_chief(strategy) else []
    history = fit_distributed(
        model,
        lambda context: share(remaining, context, BATCH),
        epochs=epochs,
        steps_per_epoch=STEPS,
        initial_epoch=finished,
        # 38 images: batches of 8, 8 and 3 for each of two replicas.
        validation_batches=lambda context: (
            share(dataset.take(38), context, 16)
            if context.num_replicas_in_sync == 1
            else share(dataset.take(32), context, 16).concatenate(
                share(dataset.skip(32).take(6), context, 6)
            )
        ),
        callbacks=[*writers, wait],
        verbose=0,
    )
    task = json.loads(os.environ.get("TF_CONFIG", "{}")).get("task", {}).get("index", 0)
    history_of_all: dict[str, Any] = {
        key: np.array(values) for key, values in history.history.items()
    }
    np.savez(folder / f"{name}_{task}.npz", *model.get_weights(), **history_of_all)


if __name__ == "__main__":
    strategies = sys.argv[1].split(",")
    if "mirrored" in strategies:
        halve_the_cpu()
    for strategy in strategies:
        main(strategy, Path(sys.argv[2]), int(sys.argv[3]), float(sys.argv[4]))
