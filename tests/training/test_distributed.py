"""Training on two replicas, in one process or in two, compared with a single device."""

import logging
import time
from importlib.util import find_spec
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import keras
import numpy as np
import pytest

from resnet_builder import fit_distributed, is_chief, synchronize_batch_norm
from resnet_builder.training.distributed import values_of_chief

from ..helpers import relative_error
from ..processes import SECONDS, ended, started

pytestmark = pytest.mark.tensorflow
tf = pytest.importorskip("tensorflow", reason="tf.distribute")
REPLICA = Path(__file__).parent / "replica.py"


def run(strategies: str, folder: Path, epochs: int) -> dict[str, list[dict[str, Any]]]:
    """Run the processes, and return the weights and the history of each, by strategy."""
    workers = 2 if strategies == "multiworker" else 1
    command = [str(REPLICA), strategies, str(folder), str(epochs), "0"]
    with started(command, folder, workers) as processes:
        for process in processes:
            ended(process)
    return {
        name: [dict(np.load(folder / f"{name}_{task}.npz")) for task in range(workers)]
        for name in strategies.split(",")
    }


def assert_close(found: dict[str, Any], expected: dict[str, Any]) -> None:
    assert found.keys() == expected.keys()
    for name in found:
        # One or two of 80 images may be near a tie.
        atol = 2 / 80 + 1e-4 if name.endswith("accuracy") else 1e-4
        np.testing.assert_allclose(found[name], expected[name], atol=atol, err_msg=name)


def test_replicas_train_like_one_process(tmp_path: Path) -> None:
    found = run("none,mirrored", tmp_path, 4) | run("multiworker", tmp_path, 4)
    [one] = found.pop("none")
    assert {"loss", "accuracy", "val_loss", "val_accuracy"} < one.keys()
    for replicas in found.values():
        for replica in replicas:
            assert_close(replica, one)
    # All processes of a cluster have bit-identical weights.
    first, second = found["multiworker"]
    for name in first:
        np.testing.assert_array_equal(first[name], second[name])


@pytest.mark.skipif(find_spec("jax") is None, reason="needs jax")
def test_eight_devices_of_jax_train_like_one(tmp_path: Path) -> None:
    script = str(Path(__file__).parent / "data_parallel.py")
    with started([script, str(tmp_path)], tmp_path, workers=1) as [process]:
        ended(process)
    one, eight = (np.load(tmp_path / f"{devices}.npz") for devices in (1, 8))
    assert one.files == eight.files
    for name in one.files:
        assert relative_error(eight[name], one[name]) < 1e-5, name


def test_the_chief_sends_its_values_and_warns_of_nothing(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logging.getLogger("tensorflow"), "propagate", True)
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    values = [variable.value for variable in model.weights]
    *sent, epochs = values_of_chief(tf.distribute.get_strategy(), [*values, 3])
    np.testing.assert_array_equal(sent[0], model.get_weights()[0])
    assert int(epochs) == 3
    assert caplog.messages == []


def test_callbacks_are_given_the_number_of_the_epoch() -> None:
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    model.compile("sgd", "mse")
    batches = tf.data.Dataset.from_tensors((np.zeros((4, 2)), np.zeros((4, 1)))).repeat()
    begun: list[int] = []
    note = keras.callbacks.LambdaCallback(on_epoch_begin=lambda epoch, logs: begun.append(epoch))
    options: dict[str, Any] = {
        "initial_epoch": 1,
        "steps_per_epoch": 1,
        "callbacks": [note],
        "verbose": 0,
    }
    fit_distributed(model, lambda context: batches, epochs=3, **options)
    assert begun == [1, 2]


@pytest.mark.slow
@pytest.mark.parametrize("victim", [0, 1])
def test_a_cluster_with_a_killed_worker_continues_when_restarted(
    victim: int, tmp_path: Path
) -> None:
    folders = [tmp_path / "whole", tmp_path / "killed"]
    for folder in folders:
        folder.mkdir()
    whole = run("multiworker", folders[0], 4)["multiworker"]
    command = [str(REPLICA), "multiworker", str(folders[1]), "4", "1"]
    with started(command, folders[1], 2) as processes:
        backup = folders[1] / "multiworker.weights.h5"
        deadline = time.monotonic() + SECONDS
        while not backup.exists() and time.monotonic() < deadline:
            time.sleep(0.1)
        processes[victim].kill()
        # The other process ends with an error.
        processes[1 - victim].communicate(timeout=SECONDS)
        assert processes[1 - victim].returncode != 0
    assert not (folders[1] / "multiworker_0.npz").exists()
    again = run("multiworker", folders[1], 4)["multiworker"]
    names = [name for name in again[0] if name.startswith("arr_")]
    for name in names:
        np.testing.assert_array_equal(again[0][name], whole[0][name])


@pytest.mark.parametrize(
    ("task", "jobs", "expected"),
    [
        (("worker", 0), ["worker"], True),
        (("worker", 1), ["worker"], False),
        (("worker", 0), ["chief", "worker"], False),
        (("chief", 0), ["chief", "worker"], True),
        (("ps", 0), ["ps", "worker"], False),
        (("evaluator", 0), ["evaluator", "worker"], False),
        ((None, None), [], True),
    ],
)
def test_the_chief_is_the_first_process(
    task: tuple[Any, Any], jobs: list[str], expected: bool
) -> None:
    addresses = tf.train.ClusterSpec({job: ["one:1", "two:1"] for job in jobs})
    resolver = SimpleNamespace(task_type=task[0], task_id=task[1], cluster_spec=lambda: addresses)
    assert is_chief(SimpleNamespace(cluster_resolver=resolver)) is expected


def test_batch_norms_of_models_in_the_model_are_synchronised() -> None:
    image, norm = keras.Input((4, 4, 3)), keras.layers.BatchNormalization()
    body = keras.Sequential([keras.Input((4, 4, 3)), norm])
    synchronize_batch_norm(keras.Model(image, body(image)))
    assert norm.synchronized


def test_jax_needs_no_synchronised_batch_norm(monkeypatch: pytest.MonkeyPatch) -> None:
    norm = keras.layers.BatchNormalization()
    monkeypatch.setattr(keras.backend, "backend", lambda: "jax")
    synchronize_batch_norm(keras.Sequential([keras.Input((4, 4, 3)), norm]))
    assert not norm.synchronized


def test_refusals(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(TypeError, match="model must be a Keras model, got 'resnet18'"):
        synchronize_batch_norm("resnet18")
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    monkeypatch.setattr(keras.backend, "backend", lambda: "jax")
    with pytest.raises(ValueError, match="needs the backend tensorflow of Keras, not jax"):
        fit_distributed(model, lambda context: None, epochs=1, steps_per_epoch=1)


def test_a_single_process_is_the_chief() -> None:
    assert is_chief(tf.distribute.get_strategy())
