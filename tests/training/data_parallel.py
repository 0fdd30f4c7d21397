"""Ten steps of training with JAX on one device, and on eight with an interruption, for the tests.

Usage: python data_parallel.py FOLDER

What each run ends with is written to FOLDER/DEVICES.npz.
"""

import os
import sys
from pathlib import Path

os.environ |= {
    "KERAS_BACKEND": "jax",
    "XLA_FLAGS": "--xla_force_host_platform_device_count=8",
}

import keras
import numpy as np

from resnet_builder import (
    EpochBackup,
    MovingAverage,
    ResnetBuilder,
    compile_recipe,
    rematerialize,
    restore_backup,
    synchronize_batch_norm,
)

STEPS, BATCH, EPOCHS = 5, 16, 2

# Each device's share of a batch has other statistics.
RANDOM = np.random.Generator(np.random.PCG64(0))
SPREAD = 1 + np.arange(STEPS * BATCH).reshape(-1, 1, 1, 1) % BATCH
IMAGES = (RANDOM.standard_normal((STEPS * BATCH, 8, 8, 1)) * SPREAD / 8).astype("float32")
LABELS = RANDOM.integers(0, 10, STEPS * BATCH)


def make_model() -> keras.Model:
    keras.utils.set_random_seed(0)
    model = ResnetBuilder.from_preset(
        "resnet18",
        (8, 8, 1),
        10,
        stem="cifar",
        repetitions=(1, 1),
        filters=4,
        drop_path_rate=0.2,
    )
    synchronize_batch_norm(model)
    compile_recipe(
        model,
        "he2015_cifar",
        epochs=EPOCHS,
        steps_per_epoch=STEPS,
        batch_size=BATCH,
        rates={"stem": 0.5, "head": 2.0},
    )
    return rematerialize(model, ["stage1"])


def train(folder: Path, stops: list[int]) -> None:
    """Train until each of the epochs in turn, with a new model that goes on from the backup."""
    losses: list[float] = []
    for stop in stops:
        model, average = make_model(), MovingAverage(0.9)
        backup = folder / f"{len(stops)}.weights.h5"
        finished = restore_backup(model, backup, average)
        history = model.fit(
            IMAGES,
            LABELS,
            batch_size=BATCH,
            initial_epoch=finished,
            epochs=stop,
            shuffle=False,
            callbacks=[average, EpochBackup(backup, average)],
            verbose=0,
        )
        losses += history.history["loss"]
    devices = len(model.weights[0].value.sharding.device_set)
    values = [*model.get_weights(), *average.get_weights()]
    np.savez(folder / f"{devices}.npz", *values, loss=np.array(losses))


if __name__ == "__main__":
    train(Path(sys.argv[1]), [EPOCHS])
    with keras.distribution.DataParallel().scope():
        train(Path(sys.argv[1]), [1, EPOCHS])
