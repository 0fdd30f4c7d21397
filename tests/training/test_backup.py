"""A backup is whole, and gives a model back all that training goes on from."""

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from resnet_builder import ResnetBuilder, compile_recipe
from resnet_builder.training.backup import EpochBackup, restore


def small(**options: Any) -> keras.Model:
    arguments: dict[str, Any] = {"stem": "cifar", "repetitions": (1, 1), "filters": 4}
    model = ResnetBuilder.from_preset(
        "resnet18", (8, 8, 1), 10, drop_path_rate=0.3, dropout_rate=0.2, **arguments | options
    )
    return compile_recipe(model, "he2015", epochs=4, steps_per_epoch=2)


def train(model: keras.Model, epochs: range, path: Path) -> None:
    rng = np.random.Generator(np.random.PCG64(0))
    images, labels = rng.standard_normal((8, 8, 8, 1)), np.arange(8)
    model.fit(
        images,
        labels,
        batch_size=4,
        shuffle=False,
        initial_epoch=epochs.start,
        epochs=epochs.stop,
        callbacks=[EpochBackup(path)],
        verbose=0,
    )


def test_a_restored_run_ends_as_one_that_was_not_interrupted(tmp_path: Path) -> None:
    whole, begun = small(), small()
    begun.set_weights(whole.get_weights())
    seeds = [v for v in whole.variables if "seed" in v.path]
    assert seeds
    for ours, theirs in zip([v for v in begun.variables if "seed" in v.path], seeds, strict=True):
        ours.assign(theirs)
    train(whole, range(4), tmp_path / "whole.weights.h5")
    path = tmp_path / "run.weights.h5"
    assert restore(begun, path) == 0
    train(begun, range(2), path)
    # Another process, with other weights and other seeds.
    again = small()
    assert restore(again, path) == 2
    train(again, range(2, 4), path)
    for ours, theirs in zip(again.weights, whole.weights, strict=True):
        np.testing.assert_allclose(ours.numpy(), theirs.numpy(), atol=1e-5)
    assert restore(small(), path) == 4


def test_a_kill_while_writing_leaves_the_backup_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "run.weights.h5"
    train(small(), range(1), path)
    before = path.read_bytes()

    def killed(model: keras.Model, path: Path) -> None:
        path.write_bytes(b"half of it")
        raise KeyboardInterrupt

    monkeypatch.setattr(keras.Model, "save_weights", killed)
    with pytest.raises(KeyboardInterrupt):
        train(small(), range(1, 2), path)
    assert path.read_bytes() == before


def test_refusals(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"must end in \.weights\.h5, got run\.keras"):
        EpochBackup("run.keras")
    small().save_weights(tmp_path / "run.weights.h5")
    with pytest.raises(ValueError, match="is not a backup of a training run"):
        restore(small(), tmp_path / "run.weights.h5")
