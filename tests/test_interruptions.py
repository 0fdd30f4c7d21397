"""Threads, processes, and what is stopped at any moment: everything is whole, old or new.

The moments are drawn at random; the message of a failure has their seed.
"""

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Barrier
from typing import Any

import keras
import numpy as np
import pytest

from resnet_builder import EpochBackup, ResnetBuilder, load_weights, restore_backup, write_weights

from . import writing
from .helpers import assert_same_weights
from .processes import started
from .writing import WRITERS, fill, filled, network, number_in

pytestmark = [
    pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="no such signals on Windows"),
    # A file whose opening is interrupted is closed by Python.
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]
INTERRUPTS = 300


# Threads ------------------------------------------------------------------------------------------

NETWORKS: list[dict[str, Any]] = [
    {"preset": "resnet18"},
    {"preset": "resnet50", "filters": 8},
    {"preset": "resnet50d", "se_ratio": 0.25, "filters": 8},
    {"preset": "resnetv2_50", "filters": 8, "norm": "group", "norm_groups": 4},
    {"preset": "regnety_002", "filters": (8, 16), "group_width": 8},
    {"preset": "res2net50_26w_4s", "filters": 8},
    {"preset": "resnet18", "features": ("stage1", "stage2")},
    {"preset": "resnest14d", "filters": 8},
]


def build(number: int) -> keras.Model:
    seeded = {"class_name": "HeNormal", "config": {"seed": number}}
    options: dict[str, Any] = {"input_shape": (32, 32, 3), "repetitions": (1, 1)}
    options["name"] = f"net{number}"
    if "features" not in NETWORKS[number]:
        options |= {"classes": 5, "classifier_initializer": seeded}
    return ResnetBuilder.from_preset(**options | {"kernel_initializer": seeded} | NETWORKS[number])


@pytest.mark.parametrize(
    "times", [pytest.param(1, id="once"), pytest.param(20, id="often", marks=pytest.mark.slow)]
)
def test_eight_threads_build_what_one_builds(times: int) -> None:
    expected = [build(number) for number in range(8)]
    limit, together = sys.getrecursionlimit(), Barrier(8, timeout=60)

    def build_with_others(number: int) -> keras.Model:
        together.wait()
        return build(number)

    for _ in range(times):
        with ThreadPoolExecutor(8) as pool:
            for model, other in zip(pool.map(build_with_others, range(8)), expected, strict=True):
                assert model.get_config() == other.get_config()
                assert_same_weights(model, other)
    assert sys.getrecursionlimit() == limit


# An interrupt of this process ---------------------------------------------------------------------
# Slow, though some take no time: TensorFlow may end the process when its own code is interrupted.


@contextmanager
def interrupted(after: float) -> Iterator[None]:
    """Raise a KeyboardInterrupt after some seconds, as Ctrl+C does."""

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGALRM, interrupt)
    try:
        with suppress(KeyboardInterrupt, SystemError):  # which TensorFlow makes of some
            signal.setitimer(signal.ITIMER_REAL, max(after, 1e-6))
            yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def moments(act: Callable[[], object]) -> Iterator[tuple[float, str]]:
    """Moments of an action, in seconds, with what a message says of each."""
    began = time.perf_counter()
    act()
    took = time.perf_counter() - began
    for seed in range(INTERRUPTS):
        moment = random.Random(seed).random() ** 0.5 * took  # it writes at the end
        yield moment, f"{moment} s, seed {seed} of an action of {took} s"


@pytest.mark.slow
@pytest.mark.parametrize("name", WRITERS)
def test_an_interrupt_leaves_the_file_before_or_the_new_one(name: str, tmp_path: Path) -> None:
    (write, check), folder = WRITERS[name], tmp_path / "files"
    folder.mkdir()
    write(folder, 1)
    number, files = 1, {of.name for of in folder.iterdir()}
    for moment, said in moments(lambda: write(folder, 1)):
        number = 3 - number
        with interrupted(moment):
            write(folder, number)
        try:
            check(folder)
        except Exception as error:
            raise AssertionError(said) from error
        # Its own folder is left if the interrupt comes while that is made or removed.
        more = {of.name for of in folder.iterdir()} - files
        assert all(of.startswith("unfinished_") for of in more), said


@pytest.mark.slow
def test_an_interrupt_leaves_the_model_before_or_the_new_one(tmp_path: Path) -> None:
    file, model = tmp_path / "net.npz", network()
    write_weights(filled(2), file)
    seen = set()
    for moment, said in moments(lambda: load_weights(model, file)):
        fill(model, 1)
        with interrupted(moment):
            load_weights(model, file)
        try:
            seen.add(number_in(model))
        except ValueError:
            raise AssertionError(said) from None
    assert seen <= {1, 2}


@pytest.mark.slow
def test_an_interrupt_leaves_the_run_before_or_the_new_one(tmp_path: Path) -> None:
    model = writing.training()
    for path, number in ((tmp_path / "run.weights.h5", 2), (tmp_path / "before.weights.h5", 1)):
        for variable in (*model.weights, *model.optimizer.variables):
            variable.assign(keras.ops.full(variable.shape, number, variable.dtype))
        backup = EpochBackup(path)
        backup.set_model(model)
        backup.on_epoch_end(0)
    for moment, said in moments(lambda: restore_backup(model, tmp_path / "run.weights.h5")):
        restore_backup(model, tmp_path / "before.weights.h5")
        with interrupted(moment):
            restore_backup(model, tmp_path / "run.weights.h5")
        variables = (*model.weights, *model.optimizer.variables)
        values = {float(of) for each in variables for of in np.unique(each)}
        assert values in ({1}, {2}), said


# A process that is stopped or killed --------------------------------------------------------------


@contextmanager
def writer(folder: Path, *names: str) -> Iterator[subprocess.Popen[str]]:
    """A process that writes without end; it has written each file once."""
    with started([str(Path(writing.__file__)), str(folder), *names], folder, 1) as [process]:
        assert process.stdout
        printed = ""
        while not printed.endswith("ready\n"):
            line = process.stdout.readline()
            assert line, printed
            printed += line
        yield process


@pytest.mark.parametrize(
    ("count", "names"),
    [
        pytest.param(3, ["npz"], id="few"),
        pytest.param(200, [*WRITERS], id="many", marks=pytest.mark.slow),
    ],
)
def test_a_killed_process_leaves_whole_files(count: int, names: list[str], tmp_path: Path) -> None:
    """A process that is stopped has left what one that is killed then leaves: it is killed last."""
    folder, chance = tmp_path / "files", random.Random(0)
    folder.mkdir()
    with writer(folder, *names) as process:
        for number in range(count):
            time.sleep(chance.random() / 4)
            process.send_signal(signal.SIGSTOP)
            os.waitpid(process.pid, os.WUNTRACED)
            check_all(names, folder, f"moment {number} of seed 0")
            process.send_signal(signal.SIGCONT)
        process.kill()
        process.wait()
        check_all(names, folder, "killed")
    for name in names:
        write, check = WRITERS[name]
        write(folder, 1)
        check(folder)


def check_all(names: list[str], folder: Path, said: str) -> None:
    for name in names:
        try:
            WRITERS[name][1](folder)
        except Exception as error:
            raise AssertionError(f"{name}: {said}") from error


@pytest.mark.slow
def test_two_processes_write_the_same_files(tmp_path: Path) -> None:
    """Both go on, and every file is whole at any moment."""
    names = [name for name in WRITERS if name != "train"]
    folder, chance = tmp_path / "files", random.Random(0)
    folder.mkdir()
    with writer(folder, *names) as one, writer(folder, *names) as other:
        for number in range(100):
            time.sleep(chance.random() / 4)
            check_all(names, folder, f"moment {number} of seed 0")
            assert one.poll() is None
            assert other.poll() is None
