"""examples/train.py and its data."""

import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import ModuleType
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

EXAMPLES = Path(__file__).parents[1] / "examples"
SHORT = ["--epochs", "4", "--batch-size", "256", "--seed", "3"]


@pytest.fixture
def training_data(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(EXAMPLES))
    import training_data

    return training_data


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


def refused(folder: Path, *arguments: str) -> str:
    process = start(folder, *arguments)
    printed, _ = process.communicate(timeout=300)
    assert process.returncode == 2, printed
    return printed.splitlines()[-1]


def test_killed_and_resumed(tmp_path: Path) -> None:
    train(tmp_path, *SHORT, "--out", "whole")
    log = tmp_path / "killed" / "log.csv"
    process = start(tmp_path, *SHORT, "--out", "killed")
    deadline = time.monotonic() + 240
    while not (log.exists() and len(log.read_text().splitlines()) >= 3):
        assert time.monotonic() < deadline
        assert process.poll() is None
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert not (tmp_path / "killed" / "model.keras").exists()

    assert "go on with it by --resume" in refused(tmp_path, *SHORT, "--out", "killed")
    other = ["--out", "killed", "--resume", "--seed", "4"]
    assert "--seed was 3, now it is 4" in refused(tmp_path, *SHORT, *other)

    printed = train(tmp_path, *SHORT, "--out", "killed", "--resume")
    assert re.search("[12] of 4 epochs are done", printed)
    ours, theirs = (
        keras.models.load_model(tmp_path / n / "model.keras") for n in ("killed", "whole")
    )
    for one, other_one in zip(ours.weights, theirs.weights, strict=True):
        np.testing.assert_array_equal(one.numpy(), other_one.numpy())
    assert log.read_text() == (tmp_path / "whole" / "log.csv").read_text()
    curves = tf.io.decode_png((tmp_path / "killed" / "curves.png").read_bytes())
    assert curves.shape[1] == 1350


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
    options = ["--data", "photos", "--preset", "resnet20_cifar", "--recipe", "bag_of_tricks"]
    more = ["--epochs", "8", "--batch-size", "9", "--mixed-precision"]
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
        (["--recipe", "he2016"], "unknown recipe 'he2016': did you mean 'he2015'"),
        (["--data", "nowhere"], "no folder nowhere; --data is digits, cifar10, cifar100 or a"),
        (["--strategy", "multiworker"], "needs the addresses of all machines in TF_CONFIG"),
        (["--batch-size", "5000"], "a batch of 5000 is more than the 1437 images to train on"),
    ],
)
def test_refusals(
    arguments: list[str],
    message: str,
    training_data: ModuleType,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
) -> None:
    import train

    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("TF_CONFIG", raising=False)
    monkeypatch.setattr(train, "make_repeatable", lambda options: None)
    monkeypatch.setattr(sys, "argv", ["train.py", *arguments])
    with pytest.raises(SystemExit):
        train.main()
    assert message in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_folders_without_images(training_data: ModuleType, tmp_path: Path) -> None:
    with pytest.raises(
        ValueError, match="must have a folder of images for each class, two or more"
    ):
        training_data.class_folders(tmp_path, (8, 8, 3))
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    with pytest.raises(ValueError, match="a has no images"):
        training_data.class_folders(tmp_path, (8, 8, 3))


class Context:
    """One of several workers, each with one replica."""

    def __init__(self, workers: int = 1, worker: int = 0) -> None:
        self.num_input_pipelines, self.input_pipeline_id = workers, worker
        self.num_replicas_in_sync = workers

    def get_per_replica_batch_size(self, size: int) -> int:
        return size // self.num_replicas_in_sync


def batches(data: Any, module: ModuleType, seed: int, epochs: range, context: Any) -> list[Any]:
    dataset = module.training_batches(data, 100, seed, epochs)(context)
    return [tuple(part.numpy() for part in batch) for batch in dataset]


def test_batches_depend_on_the_seed_and_the_epoch_alone(training_data: ModuleType) -> None:
    data = training_data.digits()
    whole = batches(data, training_data, 1, range(2), Context())
    assert len(whole) == 2 * 14
    resumed = batches(data, training_data, 1, range(1, 2), Context())
    for ours, theirs in zip(whole[14:], resumed, strict=True):
        np.testing.assert_array_equal(ours[0], theirs[0])
        np.testing.assert_array_equal(ours[1], theirs[1])
    assert np.any(whole[0][1] != whole[14][1])
    assert np.any(whole[0][1] != batches(data, training_data, 2, range(1), Context())[0][1])


def test_workers_share_every_batch(training_data: ModuleType) -> None:
    data = training_data.digits()
    whole = batches(data, training_data, 1, range(1), Context())
    shares = [batches(data, training_data, 1, range(1), Context(2, n)) for n in (0, 1)]
    for batch, *parts in zip(whole, *shares, strict=True):
        for element in (0, 1):
            joined = np.concatenate([part[element] for part in parts])
            np.testing.assert_array_equal(joined, batch[element])


@pytest.mark.parametrize("workers", [1, 2, 3])
def test_validation_is_of_all_images(workers: int, training_data: ModuleType) -> None:
    data = training_data.digits()
    labels, counts = [], []
    for worker in range(workers):
        dataset = training_data.validation_batches(data, 64)(Context(workers, worker))
        found = [label.numpy() for _, label in dataset]
        counts.append(len(found))
        labels += found
    assert len(set(counts)) == 1
    assert sorted(np.concatenate(labels)) == sorted(data.validation.labels)
