"""The examples, run as a new user runs them."""

import csv
import re
import subprocess
import sys
from pathlib import Path

import keras
import pytest

from .helpers import assert_same_weights, png_size

EXAMPLES = Path(__file__).parents[1] / "examples"


def run(example: str, folder: Path, *arguments: str) -> str:
    """What an example prints, run in a new folder."""
    folder.mkdir(exist_ok=True)
    command = [sys.executable, str(EXAMPLES / example), *arguments]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_quickstart(tmp_path: Path) -> None:
    printed = run("quickstart.py", tmp_path)
    [accuracy] = re.findall(r"Test accuracy: ([\d.]+)%", printed)
    assert float(accuracy) >= 97
    predicted, labels = re.findall(r"\[(\d(?: \d)+)\]", printed)
    assert predicted == labels
    assert 600 < png_size((tmp_path / "ResNet.png").read_bytes())[1] <= 2400


# What is bit by bit the same in two processes is so in test_train.py too.
@pytest.mark.slow
def test_quickstart_ends_in_the_same_network_every_time(tmp_path: Path) -> None:
    models = []
    for folder in (tmp_path / "first", tmp_path / "second"):
        run("quickstart.py", folder)
        models.append(keras.models.load_model(folder / "digits.keras"))
    assert_same_weights(*models)


def test_fine_tune(tmp_path: Path) -> None:
    printed = run("fine_tune.py", tmp_path)
    learnt, fine_tuned, random = (float(share) for share in re.findall(r"([\d.]+)% right", printed))
    assert learnt > 95
    assert fine_tuned > max(random, 75)
    assert "the classifier is left as it was: other classes" in printed
    assert (tmp_path / "digits_0_to_6.keras").exists()


def test_degradation(tmp_path: Path) -> None:
    printed = run(
        "degradation.py", tmp_path, "--depths", "8", "14", "--epochs", "2", "--seeds", "2"
    )
    with (tmp_path / "degradation" / "degradation.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 8
    plain = [row for row in rows if (row["kind"], row["depth"]) == ("plain", "8")]
    first, second = (float(row["training_errors"].split()[-1]) for row in plain)
    # 1,437 digits make 22 batches of 64.
    assert {row["iterations"] for row in rows} == {"22 44"}
    [cells] = re.findall(r"\| plain8_cifar +\| (\S+) \((\S+) to (\S+)\)", printed)
    expected = [(first + second) / 2, min(first, second), max(first, second)]
    assert [float(cell) for cell in cells] == pytest.approx(expected, abs=0.011)
    assert printed.count("degradation, ") == 2
    picture = (tmp_path / "degradation" / "degradation.png").read_bytes()
    assert png_size(picture)[0] == 1350


@pytest.mark.slow
def test_lesion_study(tmp_path: Path) -> None:
    printed = run("lesion_study.py", tmp_path, "--quick")
    rows = dict(re.findall(r"\| (resnet32_cifar|plain32_cifar) +\| ([\d.]+)% ", printed))
    assert max(map(float, rows.values())) < 10
    means = dict(re.findall(r"\| (\S+32_cifar) +\| [\d.]+% +\| ([\d.]+)% ", printed))
    # Section 4.1 of the paper: residual networks do without a block, plain ones do not.
    assert float(means["resnet32_cifar"]) < 25
    assert float(means["plain32_cifar"]) > 60
    # The binomial distribution of 15 blocks; the gradient comes along shorter paths.
    assert "At least 95% of the paths: lengths 4 to 11 of 15 blocks" in printed
    [longest] = re.findall(r"95% of the gradient: lengths \d+ to (\d+) of", printed)
    assert int(longest) < 11
    names = ["blocks_removed.png", "blocks_shuffled.png", "one_block_removed.png", "paths.png"]
    assert sorted(path.name for path in (tmp_path / "lesions").iterdir()) == names
