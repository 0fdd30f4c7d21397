"""The examples, run as a new user runs them."""

import re
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

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
