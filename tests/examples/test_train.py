"""examples/train.py, run as a new user runs it."""

import re
import subprocess
import sys
import time
from collections.abc import Callable
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


def start(folder: Path, *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, str(EXAMPLES / "train.py"), *arguments],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def train(folder: Path, *arguments: str) -> str:
    process = start(folder, *arguments)
    printed, _ = process.communicate(timeout=300)
    assert process.returncode == 0, printed
    return printed


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
    assert log.read_text() == (tmp_path / "whole" / "log.csv").read_text()
    assert png_size((tmp_path / "killed" / "curves.png").read_bytes())[0] == 1350


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
    options = ["--data", "photos", "--preset", "resnet8_cifar", "--recipe", "bag_of_tricks"]
    more = ["--epochs", "2", "--batch-size", "9", "--mixed-precision"]
    printed = train(tmp_path, *options, *more)
    assert "The trained network is run/model.keras" in printed
    model = keras.models.load_model(tmp_path / "run" / "model.keras")
    assert model.input_shape == (None, 32, 32, 3)
    assert model.output_shape == (None, 3)
    assert model.layers[1].compute_dtype == "bfloat16"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--preset", "resnet19"], "unknown preset 'resnet19'"),
        (["--recipe", "he2016"], "argument --recipe: invalid choice: 'he2016' (choose from"),
        (["--data", "nowhere"], "no folder nowhere; --data is digits, cifar10, cifar100 or a"),
        (["--strategy", "multiworker"], "needs the addresses of all machines in TF_CONFIG"),
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
