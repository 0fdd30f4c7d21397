"""The moving average of weights and statistics, computed by hand, in `fit` and in backups."""

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from resnet_builder import EpochBackup, MovingAverage, compile_recipe, restore_backup

Array = Any


def network() -> keras.Model:
    keras.utils.set_random_seed(0)
    x = keras.Input((3,))
    y = keras.layers.BatchNormalization(momentum=0.5)(keras.layers.Dense(4)(x))
    model = keras.Model(x, keras.layers.Dense(2)(y))
    return compile_recipe(model, "wrn2016", epochs=4, steps_per_epoch=4, batch_size=128)


def data() -> tuple[Array, Array]:
    rng = np.random.Generator(np.random.PCG64(0))
    return rng.normal(3, 2, (16, 3)), rng.integers(0, 2, 16)


class Recorder(keras.callbacks.Callback):
    """The weights after every step."""

    def __init__(self) -> None:
        super().__init__()
        self.steps: list[list[Array]] = []

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        getattr(self.model, "jax_state_sync", lambda: None)()
        self.steps.append(self.model.get_weights())


def by_hand(first: list[Array], steps: list[list[Array]], decay: float, start: int) -> list[Array]:
    average = [value.astype("float64") for value in first]
    for number, weights in enumerate(steps, start=1):
        share = 0.0 if number <= start else decay
        average = [share * a + (1 - share) * w for a, w in zip(average, weights, strict=True)]
    return average


def assert_close(found: list[Array], expected: list[Array]) -> None:
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("start", [0, 3])
def test_weights_and_statistics_are_averaged(start: int) -> None:
    model, recorder, average = network(), Recorder(), MovingAverage(0.8, start=start)
    first = model.get_weights()
    model.fit(*data(), batch_size=4, epochs=2, callbacks=[recorder, average], verbose=0)
    expected = by_hand(first, recorder.steps, 0.8, start)
    assert len(recorder.steps) == 8
    assert_close(average.get_weights(), expected)
    names = [weight.name for weight in model.weights]
    mean = names.index("moving_mean")
    assert np.abs(average.get_weights()[mean] - model.get_weights()[mean]).max() > 1e-3

    trained = model.get_weights()
    with average.applied() as averaged:
        assert averaged is model
        assert_close(model.get_weights(), expected)
    assert_close(model.get_weights(), trained)


@pytest.mark.parametrize("together", [{"steps_per_execution": 4}, {"every": 4}])
def test_several_steps_at_once_decay_as_often(together: dict[str, int]) -> None:
    if "steps_per_execution" in together and keras.backend.backend() == "torch":
        pytest.skip("Keras on PyTorch takes one step at a time")
    model, recorder = network(), Recorder()
    average = MovingAverage(0.8, every=together.get("every", 1))
    model.compile("sgd", "sparse_categorical_crossentropy", steps_per_execution=1)
    compile_recipe(
        model,
        "wrn2016",
        epochs=4,
        steps_per_epoch=4,
        steps_per_execution=together.get("steps_per_execution", 1),
    )
    first = model.get_weights()
    model.fit(*data(), batch_size=4, epochs=2, callbacks=[recorder, average], verbose=0)
    ends = recorder.steps if len(recorder.steps) == 2 else recorder.steps[3::4]
    assert len(ends) == 2
    assert_close(average.get_weights(), by_hand(first, ends, 0.8**4, 0))


def test_an_error_leaves_the_trained_weights() -> None:
    model, average = network(), MovingAverage(0.5)
    model.fit(*data(), batch_size=4, callbacks=[average], verbose=0)
    trained = model.get_weights()
    with pytest.raises(KeyboardInterrupt), average.applied():
        raise KeyboardInterrupt
    assert_close(model.get_weights(), trained)


def test_a_resumed_run_has_the_average_of_an_uninterrupted_one(tmp_path: Path) -> None:
    path = tmp_path / "run.weights.h5"

    def train(epochs: range, path: Path) -> tuple[keras.Model, MovingAverage]:
        model, average = network(), MovingAverage(0.9, start=2)
        assert restore_backup(model, path, average) == epochs.start
        model.fit(
            *data(),
            batch_size=4,
            epochs=epochs.stop,
            initial_epoch=epochs.start,
            shuffle=False,
            callbacks=[average, EpochBackup(path, average)],
            verbose=0,
        )
        return model, average

    _, whole = train(range(3), tmp_path / "whole.weights.h5")
    train(range(1), path)
    _, resumed = train(range(1, 3), path)
    assert_close(resumed.get_weights(), whole.get_weights())
    # The file is a Keras weights file still.
    network().load_weights(path)


def test_a_backup_without_an_average_starts_one(tmp_path: Path) -> None:
    path = tmp_path / "run.weights.h5"
    model, average = network(), MovingAverage(0.9)
    model.fit(*data(), batch_size=4, callbacks=[EpochBackup(path)], verbose=0)
    assert restore_backup(model, path, average) == 1
    average.set_model(model)
    average.on_train_begin()
    assert_close(average.get_weights(), model.get_weights())


def test_the_average_of_a_recipe_is_that_of_torchvision() -> None:
    """references/classification/train.py with --model-ema: 32 steps at once."""
    epochs, batch_size, images = 600, 1024, 1_281_167
    alpha = (1 - 0.99998) * batch_size * 32 / epochs
    steps = images / batch_size
    average = MovingAverage.by_recipe("torchvision_v2", epochs=epochs, steps_per_epoch=round(steps))
    assert 1 - average.decay**32 == pytest.approx(alpha, rel=1e-3)
    assert average.start == 5 * round(steps)
    # tensorflow/models: average_decay 0.9999 from step 1,560.
    average = MovingAverage.by_recipe("ra4_like", epochs=1, steps_per_epoch=3_002_368)
    assert (round(average.decay, 9), average.start) == (0.9999, 1560)


def test_what_cannot_be_is_rejected() -> None:
    with pytest.raises(ValueError, match="decay must be at least 0 and less than 1, got 1"):
        MovingAverage(1)
    with pytest.raises(ValueError, match="every must be 1 or more, got 0"):
        MovingAverage(0.9, every=0)
    with pytest.raises(ValueError, match="no moving average, as 'torchvision_v2', 'ra4_like' have"):
        MovingAverage.by_recipe("he2015", epochs=1, steps_per_epoch=1)
    with pytest.raises(ValueError, match="nothing is averaged yet: give the callback to fit"):
        MovingAverage(0.9).get_weights()
    with pytest.raises(ValueError, match="nothing is averaged yet"), MovingAverage(0.9).applied():
        pass
