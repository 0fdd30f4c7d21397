"""examples/train.py, run as a new user runs it."""

import csv
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import train as train_script
from PIL import Image
from run_folder import RunFolder

from ..helpers import assert_same_weights, png_size
from ..processes import SECONDS, ended, started

EXAMPLES = Path(__file__).parents[2] / "examples"
SHORT = ["--preset", "resnet8_cifar", "--epochs", "4", "--batch-size", "256", "--seed", "3"]


def start(folder: Path, *arguments: str, **environment: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, str(EXAMPLES / "train.py"), *arguments],
        cwd=folder,
        env=os.environ | environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def train(folder: Path, *arguments: str, **environment: str) -> str:
    process = start(folder, *arguments, **environment)
    printed, _ = process.communicate(timeout=300)
    assert process.returncode == 0, printed
    return printed


def logged(log: Path) -> list[dict[str, str]]:
    """The lines of a log without the times of this run."""
    with log.open(newline="") as file:
        return [row | {"waiting": ""} for row in csv.DictReader(file)]


Refuse = Callable[..., str]


@pytest.fixture
def refused(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> Refuse:
    """From a command line, run in a folder, to what it is refused with; in this process."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("TF_CONFIG", raising=False)
    monkeypatch.setattr(train_script, "make_repeatable", lambda options: None)

    def refused(*arguments: str) -> str:
        monkeypatch.setattr(sys, "argv", ["train.py", *arguments])
        with pytest.raises(SystemExit, match="2"):
            train_script.main()
        return capsys.readouterr().err

    return refused


@pytest.mark.slow
def test_killed_and_resumed(tmp_path: Path, refused: Refuse) -> None:
    train(tmp_path, *SHORT, "--out", "whole")
    log = tmp_path / "killed" / "log.csv"
    process = start(tmp_path, *SHORT, "--out", "killed")
    deadline = time.monotonic() + 240
    while not (log.exists() and len(log.read_text().splitlines()) >= 3):
        assert time.monotonic() < deadline
        assert process.poll() is None
        time.sleep(0.02)
    process.kill()
    process.communicate()
    assert not (tmp_path / "killed" / "model.keras").exists()

    assert "go on with it by --resume" in refused(*SHORT, "--out", "killed")
    other = ["--out", "killed", "--resume", "--seed", "4"]
    assert "--seed was 3, now it is 4" in refused(*SHORT, *other)

    printed = train(tmp_path, *SHORT, "--out", "killed", "--resume")
    assert re.search("[12] of 4 epochs are done", printed)
    killed, whole = (
        keras.models.load_model(tmp_path / n / "model.keras") for n in ("killed", "whole")
    )
    assert_same_weights(killed, whole)
    assert logged(log) == logged(tmp_path / "whole" / "log.csv")
    again = train(tmp_path, *SHORT, "--out", "killed", "--resume")
    assert "4 of 4 epochs are done" in again
    assert "It trained on" not in again
    assert png_size((tmp_path / "killed" / "curves.png").read_bytes())[0] == 1350


@pytest.mark.slow
@pytest.mark.skipif(find_spec("jax") is None, reason="needs jax")
def test_eight_devices_of_jax_train_like_tensorflow(tmp_path: Path) -> None:
    command = ["--preset", "resnet8_cifar", "--epochs", "1", "--batch-size", "256"]
    train(tmp_path, *command, "--out", "one")
    printed = train(
        tmp_path,
        *command,
        *("--strategy", "data_parallel", "--out", "eight"),
        KERAS_BACKEND="jax",
        XLA_FLAGS="--xla_force_host_platform_device_count=8",
    )
    assert re.search(r"waited for images in \d+% of the time: the (images|network) set", printed)
    [one], [eight] = (logged(tmp_path / name / "log.csv") for name in ("one", "eight"))
    for name in ("loss", "accuracy", "val_loss", "val_accuracy"):
        assert float(eight[name]) == pytest.approx(float(one[name]), abs=0.01), name


def test_a_batch_is_shared_out_evenly(monkeypatch: pytest.MonkeyPatch, refused: Refuse) -> None:
    monkeypatch.setattr(keras.backend, "backend", lambda: "jax")
    monkeypatch.setattr(keras.distribution, "list_devices", lambda: ["cpu:0"] * 8)
    message = "--batch-size 100 cannot be shared out evenly over the 8 devices that JAX has"
    assert message in refused("--strategy", "data_parallel", "--batch-size", "100")


def make_class_folders(folder: Path) -> None:
    """Three colours in as many folders, ten photographs of different sizes each."""
    rng = np.random.Generator(np.random.PCG64(0))
    for channel, name in enumerate(("red", "green", "blue")):
        (folder / name).mkdir(parents=True)
        for number in range(10):
            pixels = rng.integers(0, 60, (40 + number, 60 - number, 3), dtype=np.uint8)
            pixels[..., channel] += 190
            Image.fromarray(pixels).save(folder / name / f"{number}.png")


def test_folders_of_classes(tmp_path: Path) -> None:
    make_class_folders(tmp_path / "photos")
    options = ["--data", "photos", "--preset", "resnet8_cifar", "--recipe", "torchvision_v2"]
    more = ["--epochs", "2", "--batch-size", "9", "--mixed-precision"]
    printed = train(tmp_path, *options, *more)
    assert "The trained network is run/model.keras" in printed
    assert re.search(r"the weights, run/average\.keras: [01]\.\d{4}$", printed.strip())
    model, averaged = (
        keras.models.load_model(tmp_path / "run" / f"{name}.keras") for name in ("model", "average")
    )
    pairs = zip(model.get_weights(), averaged.get_weights(), strict=True)
    assert any(np.any(one != other) for one, other in pairs)
    # It trains on 25 pixels, and is validated on 32, as on 176 and 224.
    assert model.input_shape == (None, None, None, 3)
    assert model.output_shape == (None, 3)
    assert model.layers[1].compute_dtype == "bfloat16"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--preset", "resnet19"], "unknown preset 'resnet19'"),
        (["--recipe", "he2016"], "argument --recipe: invalid choice: 'he2016' (choose from"),
        (["--data", "nowhere"], "no folder nowhere; --data is digits, cifar10, cifar100 or a"),
        (["--strategy", "multiworker"], "needs the addresses of all machines in TF_CONFIG"),
        (["--strategy", "data_parallel"], "data_parallel is of jax: install it, and set the"),
        (["--measure", "--strategy", "mirrored"], "--measure is of one process: leave out --str"),
        (["--batch-size", "5000"], "a batch of 5000 is more than the 1437 images to train on"),
    ],
)
def test_refusals(arguments: list[str], message: str, refused: Refuse, tmp_path: Path) -> None:
    assert message in refused(*arguments)
    assert not list(tmp_path.iterdir())


def test_an_error_of_training_is_not_taken_for_one_of_the_command(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def broken(*arguments: Any) -> None:
        raise ValueError("in the middle of training")

    monkeypatch.setattr(train_script, "make_repeatable", lambda options: None)
    monkeypatch.setattr(train_script, "train", broken)
    monkeypatch.setattr(sys, "argv", ["train.py", "--out", str(tmp_path)])
    with pytest.raises(ValueError, match="in the middle of training"):
        train_script.main()


@pytest.mark.slow
def test_two_processes_go_on_after_one_was_killed(tmp_path: Path) -> None:
    command = [str(EXAMPLES / "train.py"), *SHORT, "--strategy", "multiworker"]
    with started(command, tmp_path, workers=2) as (chief, other):
        deadline = time.monotonic() + SECONDS
        while not (tmp_path / "run" / "state.weights.h5").exists():
            assert time.monotonic() < deadline
            time.sleep(0.05)
        other.kill()
        assert "Start all of them again with --resume." in ended(chief, status=1)
    with started([*command, "--resume"], tmp_path, workers=2) as processes:
        printed, silent = (ended(process) for process in processes)
    assert re.search("[123] of 4 epochs are done", printed)
    assert "epochs are done" not in silent
    assert len((tmp_path / "run" / "log.csv").read_text().splitlines()) == 1 + 4


def test_a_log_has_the_finished_epochs(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)
    folder.trim_log(0)
    folder.log.write_bytes(b"epoch,loss\n0,3\r\n1,2\r\n2,1")
    folder.trim_log(2)
    assert folder.log.read_bytes() == b"epoch,loss\n0,3\r\n1,2\r\n"
    assert list(tmp_path.iterdir()) == [folder.log]
