"""Two replicas, on one machine or as two processes, train as one does with all the images."""

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from resnet_builder.training.distributed import is_chief

REPLICA = Path(__file__).parent / "replica.py"
SECONDS = 240  # after which a process is taken to hang


def two_free_ports() -> list[int]:
    sockets = [socket.create_server(("localhost", 0)) for _ in range(2)]
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports


@contextmanager
def started(
    command: list[str], folder: Path, workers: int
) -> Iterator[list[subprocess.Popen[str]]]:
    """The processes of a cluster, of which none outlives the test."""
    cluster = {"worker": [f"localhost:{port}" for port in two_free_ports()]}
    processes = []
    for index in range(workers):
        task = {"cluster": cluster, "task": {"type": "worker", "index": index}}
        environment = {**os.environ, "TF_NUM_INTEROP_THREADS": "1"}
        if workers > 1:
            environment["TF_CONFIG"] = json.dumps(task)
        processes.append(
            subprocess.Popen(
                [sys.executable, *command],
                cwd=folder,
                env=environment,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
            )
        )
    try:
        yield processes
    finally:
        for process in processes:
            process.kill()
            process.communicate()


def ended(process: subprocess.Popen[str], status: int = 0) -> str:
    """What a process printed, after it ended as expected."""
    printed, _ = process.communicate(timeout=SECONDS)
    assert process.returncode == status, printed
    return printed


def run(strategy: str, folder: Path, epochs: int) -> list[dict[str, Any]]:
    """The weights and the history that each process ended with."""
    workers = 2 if strategy == "multiworker" else 1
    command = [str(REPLICA), strategy, str(folder), str(epochs), "0"]
    with started(command, folder, workers) as processes:
        for process in processes:
            ended(process)
    return [dict(np.load(folder / f"{strategy}_{task}.npz")) for task in range(workers)]


def assert_close(ours: dict[str, Any], theirs: dict[str, Any]) -> None:
    assert ours.keys() == theirs.keys()
    for name in ours:
        # An accuracy counts whole images, of which one or two in 80 may be near a tie.
        atol = 2 / 80 + 1e-4 if name.endswith("accuracy") else 1e-4
        np.testing.assert_allclose(ours[name], theirs[name], atol=atol, err_msg=name)


@pytest.fixture(scope="module")
def one(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What one process ends with after four epochs of five steps."""
    [one] = run("none", tmp_path_factory.mktemp("one"), 4)
    return one


@pytest.mark.once  # batches and gradients are compared, not convolutions
@pytest.mark.parametrize("strategy", ["mirrored", "multiworker"])
def test_as_one_process_with_the_same_batches(
    strategy: str, tmp_path: Path, one: dict[str, Any]
) -> None:
    more = run(strategy, tmp_path, 4)
    assert {"loss", "accuracy", "val_loss", "val_accuracy"} < one.keys()
    for replica in more:
        assert_close(replica, one)
    # All processes of a cluster have the same weights, to the bit.
    for name in more[0]:
        np.testing.assert_array_equal(more[0][name], more[-1][name])


@pytest.mark.slow
@pytest.mark.parametrize("victim", [0, 1])
def test_a_worker_is_killed_and_all_are_started_again(victim: int, tmp_path: Path) -> None:
    folders = [tmp_path / "whole", tmp_path / "killed"]
    for folder in folders:
        folder.mkdir()
    whole = run("multiworker", folders[0], 4)
    command = [str(REPLICA), "multiworker", str(folders[1]), "4", "1"]
    with started(command, folders[1], 2) as processes:
        backup = folders[1] / "run.weights.h5"
        deadline = time.monotonic() + SECONDS
        while not backup.exists() and time.monotonic() < deadline:
            time.sleep(0.1)
        processes[victim].kill()
        # The other one does not wait for ever, and does not go on alone.
        processes[1 - victim].communicate(timeout=SECONDS)
        assert processes[1 - victim].returncode != 0
    assert not (folders[1] / "multiworker_0.npz").exists()
    again = run("multiworker", folders[1], 4)
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
        ((None, None), [], True),
    ],
)
def test_the_chief(task: tuple[Any, Any], jobs: list[str], expected: bool) -> None:
    addresses = tf.train.ClusterSpec({job: ["one:1", "two:1"] for job in jobs})
    resolver = SimpleNamespace(task_type=task[0], task_id=task[1], cluster_spec=lambda: addresses)
    assert is_chief(SimpleNamespace(cluster_resolver=resolver)) is expected


def test_one_device_is_its_own_chief() -> None:
    assert is_chief(tf.distribute.get_strategy())
