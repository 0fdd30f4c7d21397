"""The examples, run as a new user runs them."""

import json
import re
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf
import train
from run_folder import RunFolder

from .training.processes import cluster, finish, running, wait_until

EXAMPLES = Path(__file__).parents[1] / "examples"


def run_quickstart(folder: Path) -> str:
    folder.mkdir()
    command = [sys.executable, str(EXAMPLES / "quickstart.py")]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_quickstart(tmp_path: Path) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    printed = run_quickstart(first)
    [accuracy] = re.findall(r"Test accuracy: ([\d.]+)%", printed)
    assert float(accuracy) >= 97
    predicted, labels = re.findall(r"\[(\d(?: \d)+)\]", printed)
    assert predicted == labels
    assert 600 < tf.io.decode_png((first / "ResNet.png").read_bytes()).shape[0] <= 2400
    # The same result on every run.
    run_quickstart(second)
    weights = [
        keras.models.load_model(run / "digits.keras").get_weights() for run in (first, second)
    ]
    for ours, theirs in zip(*weights, strict=True):
        np.testing.assert_array_equal(ours, theirs)


# train.py ---------------------------------------------------------------------------------------

TRAIN = EXAMPLES / "train.py"
SHORT = ["--epochs", "3", "--batch-size", "256", "--recipe", "bag_of_tricks"]


def assert_same_end(ours: Path, theirs: Path) -> None:
    """The same weights and the same log, to the bit."""
    weights = [keras.models.load_model(run / "model.keras").get_weights() for run in (ours, theirs)]
    for our, their in zip(*weights, strict=True):
        np.testing.assert_array_equal(our, their)
    assert (ours / "log.csv").read_bytes() == (theirs / "log.csv").read_bytes()


def test_train_goes_on_after_a_kill(tmp_path: Path) -> None:
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    with running(TRAIN, ({}, [*SHORT, "--out", whole])) as [process]:
        assert f"The trained network is {whole}" in finish(process)
    with running(TRAIN, ({}, [*SHORT, "--out", killed])) as [process]:
        # The second epoch is logged, and perhaps not yet in the backup.
        wait_until(lambda: lines(killed / "log.csv") == 3, process)
        process.kill()
    assert not (killed / "model.keras").exists()
    with running(TRAIN, ({}, [*SHORT, "--out", killed, "--resume"])) as [process]:
        assert re.search("[12] of 3 epochs are done", finish(process))
    assert_same_end(whole, killed)
    assert tf.io.decode_png((killed / "curves.png").read_bytes()).shape[0] > 300


def lines(path: Path) -> int:
    return path.read_bytes().count(b"\n") if path.exists() else 0


@pytest.mark.slow
def test_train_learns_the_digits(tmp_path: Path) -> None:
    with running(TRAIN, ({}, ["--out", tmp_path])) as [process]:
        finish(process)
    *_, last = (tmp_path / "log.csv").read_text().splitlines()
    assert float(last.split(",")[3]) >= 0.98  # 98.9% was measured


@pytest.mark.slow
@pytest.mark.parametrize("killed", [0, 1])
def test_two_processes_go_on_after_one_was_killed(tmp_path: Path, killed: int) -> None:
    run = [*SHORT, "--strategy", "multiworker", "--out", tmp_path / "run"]
    with running(TRAIN, *((environment, run) for environment in cluster(2))) as processes:
        wait_until((tmp_path / "run" / "state.weights.h5").exists, processes[0])
        processes[killed].kill()
        survivor = processes[1 - killed]
        _, errors = survivor.communicate(timeout=120)
        assert survivor.returncode == 1
        assert "Start all of them again with --resume." in errors
    calls = [(environment, [*run, "--resume"]) for environment in cluster(2)]
    with running(TRAIN, *calls) as processes:
        assert re.search("[12] of 3 epochs are done", finish(processes[0]))
        assert "epochs are done" not in finish(processes[1])
    assert lines(tmp_path / "run" / "log.csv") == 4


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--preset", "resnet51"], "unknown preset 'resnet51': did you mean 'resnet50'"),
        (["--strategy", "multiworker"], "needs the addresses of all machines in TF_CONFIG"),
        (["--epochs", "0"], "must be 1 or more, got 0"),
        (["--tensorboard"], "--tensorboard needs: pip install tensorboard"),
    ],
)
def test_train_refuses(
    arguments: list[str],
    message: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(sys, "argv", ["train.py", *arguments])
    monkeypatch.setattr(train, "find_spec", lambda module: None)
    monkeypatch.delenv("TF_CONFIG", raising=False)
    with pytest.raises(SystemExit, match="2"):
        train.main()
    assert message in capsys.readouterr().err


def test_a_folder_has_one_run(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path / "new" / "run")
    folder.open({"epochs": 3}, resume=True)
    assert json.loads(folder.settings.read_text()) == {"epochs": 3}
    folder.open({"epochs": 3}, resume=True)
    with pytest.raises(ValueError, match="has a run already: go on with it by --resume"):
        folder.open({"epochs": 3}, resume=False)
    with pytest.raises(ValueError, match="other settings: --epochs was 3, now it is 4"):
        folder.open({"epochs": 4}, resume=True)


def test_a_log_has_the_finished_epochs(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)
    folder.trim_log(0)
    folder.log.write_bytes(b"epoch,loss\n0,3\r\n1,2\r\n2,1")
    folder.trim_log(2)
    assert folder.log.read_bytes() == b"epoch,loss\n0,3\r\n1,2\r\n"
