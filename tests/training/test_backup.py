"""Backups of a training run."""

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from resnet_builder import ResnetBuilder, compile_recipe
from resnet_builder.training.backup import EpochBackup, restore

from ..helpers import assert_same_weights

pytestmark = pytest.mark.once

EPOCHS = 4


def make_model(filters: int = 4) -> keras.Model:
    """A network with dropout and stochastic depth, and an optimizer with a state."""
    keras.utils.set_random_seed(0)
    model = ResnetBuilder.from_preset(
        "resnet18",
        (4, 4, 1),
        classes=3,
        stem="cifar",
        repetitions=(2,),
        filters=filters,
        drop_path_rate=0.5,
        dropout_rate=0.5,
    )
    return compile_recipe(model, "wrn2016", epochs=EPOCHS, steps_per_epoch=2, batch_size=16)


def train(model: keras.Model, first: int, last: int, *callbacks: Any) -> None:
    """Train from epoch `first` to before `last`; the images depend on the epoch."""

    def images(epoch: Any) -> Any:
        return (
            tf.random.stateless_normal([2, 16, 4, 4, 1], [0, epoch]),
            tf.random.stateless_uniform([2, 16], [1, epoch], 0, 3, "int32"),
        )

    batches = tf.data.Dataset.range(first, last).map(images).unbatch()
    model.fit(
        batches,
        epochs=last,
        initial_epoch=first,
        steps_per_epoch=2,
        callbacks=list(callbacks),
        shuffle=False,
        verbose=0,
    )


def test_a_restored_run_ends_like_an_uninterrupted_one(tmp_path: Path) -> None:
    path = tmp_path / "run.weights.h5"
    whole = make_model()
    train(whole, 0, EPOCHS)
    first = make_model()
    train(first, 0, 2, EpochBackup(path))
    second = make_model()
    assert restore(second, path) == 2
    train(second, 2, EPOCHS)
    pairs = [*zip(whole.variables, second.variables, strict=True)]
    pairs += zip(whole.optimizer.variables, second.optimizer.variables, strict=True)
    for expected, found in pairs:
        np.testing.assert_array_equal(found, expected)


def test_an_interrupted_write_leaves_the_backup_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "run.weights.h5"
    model = make_model()
    train(model, 0, 1, EpochBackup(path))
    written = path.read_bytes()

    def half(unfinished: Path) -> None:
        unfinished.write_bytes(b"half")
        raise KeyboardInterrupt

    monkeypatch.setattr(model, "save_weights", half)
    with pytest.raises(KeyboardInterrupt):
        train(model, 1, 2, EpochBackup(path))
    assert path.read_bytes() == written
    assert restore(make_model(), path) == 1


def test_a_backup_is_a_keras_weights_file(tmp_path: Path) -> None:
    path = tmp_path / "run.weights.h5"
    model = make_model()
    train(model, 0, 1, EpochBackup(path))
    other = make_model()
    other.load_weights(path)
    assert_same_weights(model, other)


def test_without_a_file_no_epoch_is_finished(tmp_path: Path) -> None:
    assert restore(make_model(), tmp_path / "none.weights.h5") == 0


# Keras warns of parts that it skips before it rejects the file.
@pytest.mark.filterwarnings("ignore:Skipping nested container")
def test_a_file_of_another_run_is_rejected(tmp_path: Path) -> None:
    path = tmp_path / "run.weights.h5"
    make_model().save_weights(path)
    with pytest.raises(ValueError, match="is not a backup of a training run"):
        restore(make_model(), path)
    train(make_model(filters=8), 0, 1, EpochBackup(path))
    with pytest.raises(ValueError, match="is the backup of another network or optimiser"):
        restore(make_model(), path)
    with pytest.raises(ValueError, match="compile 'resnet18' before restore"):
        restore(ResnetBuilder.from_preset("resnet18", classes=3), path)
    with pytest.raises(ValueError, match=r"must end in \.weights\.h5, got run\.h5"):
        EpochBackup("run.h5")
