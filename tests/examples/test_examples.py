"""The examples, run as a new user runs them."""

import csv
import re
import subprocess
import sys
from pathlib import Path
from statistics import mean

import accuracy_chart
import degradation
import keras
import live_networks
import numpy as np
import pytest
import segment

from resnet_builder import profile

from ..helpers import assert_same_weights, png_size

EXAMPLES = Path(__file__).parents[2] / "examples"


def run(example: str, folder: Path, *arguments: str) -> str:
    """What an example prints, run in a new folder."""
    folder.mkdir(exist_ok=True)
    command = [sys.executable, str(EXAMPLES / example), *arguments]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.slow
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


@pytest.mark.slow
def test_fine_tune(tmp_path: Path) -> None:
    printed = run("fine_tune.py", tmp_path)
    learnt, fine_tuned, random = (
        float(share) for share in re.findall(r"([\d.]+)% accuracy", printed)
    )
    assert learnt > 95
    assert fine_tuned > max(random, 75)
    assert "the classifier is left as it was: other classes" in printed
    assert (tmp_path / "digits_0_to_6.keras").exists()


@pytest.mark.slow
@pytest.mark.parametrize("head", ["unet", "fpn", "deeplab"])
def test_segment(head: str, tmp_path: Path) -> None:
    quick = ("--images", "48", "--epochs", "1", "--head", head, "--picture", "few.png")
    printed = run("segment.py", tmp_path, *quick)
    [mean] = re.findall(r"Mean IoU: ([\d.]+)% on 9 other images", printed)
    of_classes = [float(iou) for iou in re.findall(r"(\d+)%", printed.split("class:")[1])[:4]]
    assert float(mean) == pytest.approx(sum(of_classes) / 4, abs=1)
    # Three pictures of 52 pixels beside each other, and six below each other, each enlarged.
    assert png_size((tmp_path / "few.png").read_bytes()) == (3 * 3 * 52, 3 * 6 * 52)


def test_the_data_and_the_score_of_segment() -> None:
    (images, masks), (others, _) = segment.data(10)
    assert (images.shape, others.shape) == ((10, 48, 48, 3), (2, 48, 48, 3))
    assert 0 <= images.min() < images.max() <= 1
    assert set(np.unique(masks)) == {0, 1, 2, 3}
    truth, answer = np.array([0, 0, 1, 1, 3]), np.array([0, 1, 1, 2, 3])
    assert segment.intersections_over_unions(truth, answer) == [1 / 2, 1 / 3, 1]


@pytest.mark.slow
def test_degradation(tmp_path: Path) -> None:
    printed = run(
        "degradation.py", tmp_path, "--depths", "8", "14", "--epochs", "2", "--seeds", "1"
    )
    with (tmp_path / "degradation" / "degradation.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [(row["kind"], row["depth"]) for row in rows] == [
        ("plain", "8"),
        ("plain", "14"),
        ("resnet", "8"),
        ("resnet", "14"),
    ]
    # 1,437 digits make 22 batches of 64.
    assert {row["iterations"] for row in rows} == {"22 44"}
    for row in rows:
        error = float(row["training_errors"].split()[-1])
        [cell] = re.findall(rf"\| {row['kind']}{row['depth']}_cifar +\| (\S+) ", printed)
        assert float(cell) == pytest.approx(error, abs=0.006)
        for when in ("before", "after"):
            norms = [float(norm) for norm in row[f"gradients_{when}"].split()]
            assert len(norms) == (int(row["depth"]) - 2) / 2  # blocks of two layers
            assert min(norms) > 0
    assert printed.count("degradation, ") == 2
    picture = (tmp_path / "degradation" / "degradation.png").read_bytes()
    assert png_size(picture)[0] == 1350


def test_the_table_of_degradation_is_over_the_seeds() -> None:
    errors = {("plain", 20): (1.0, 4.0), ("plain", 56): (20.0, 40.0), ("resnet", 20): (0.5, 0.5)}
    runs = [
        degradation.Run(kind, depth, seed, [22, 44], [50.0, error], 0.25 + seed, 10.0, 1.0)
        for (kind, depth), of_seeds in {**errors, ("resnet", 56): (0.0, 1.0)}.items()
        for seed, error in enumerate(of_seeds)
    ]
    experiment = degradation.Experiment("digits", (20, 56), epochs=2, seeds=2, batch_size=64)
    rows = [
        [cell.strip() for cell in line.split("|")[1:-1]]
        for line in degradation.table(runs, experiment).splitlines()[2:]
    ]
    rest = ["0.750 (0.250 to 1.250)", "10.00 (10.00 to 10.00)"]
    assert rows == [
        ["plain20_cifar", "2.50 (1.00 to 4.00)", *rest],
        ["plain56_cifar", "30.00 (20.00 to 40.00)", *rest],
        ["resnet20_cifar", "0.50 (0.50 to 0.50)", *rest],
        ["resnet56_cifar", "0.50 (0.00 to 1.00)", *rest],
    ]


@pytest.mark.parametrize("page", ["understanding.md", "understanding.zh.md"])
def test_the_page_has_what_was_measured(page: str) -> None:
    docs = EXAMPLES.parent / "docs"
    with (docs / "assets" / "figures" / "degradation.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    text = (docs / page).read_text(encoding="utf-8")
    page_has = {}
    for row in re.findall(r"^\| (\d.*) \|$", text, re.MULTILINE):
        layers, [average], spread = (re.findall(r"[\d.]+", cell) for cell in row.split(" | "))
        for depth in layers:
            page_has[depth] = [float(average), float(spread[0]), float(spread[-1])]
    measured = {}
    for depth in ("8", "14", "20", "32", "44", "56", "110"):
        plain, resnet = (
            [
                float(row["training_errors"].split()[-1])
                for row in rows
                if (row["kind"], row["depth"]) == (kind, depth)
            ]
            for kind in ("plain", "resnet")
        )
        assert (len(plain), resnet) == (3, [0, 0, 0])
        measured[depth] = pytest.approx([mean(plain), min(plain), max(plain)], abs=0.0051)
    assert page_has == measured


def test_a_layer_is_written_in_letters() -> None:
    layer = keras.layers.Dense(3)
    layer.build((None, 40))
    kernel, _ = layer.get_weights()
    layer.set_weights([kernel, np.array([0.5, -1.25, 1 / 3])])
    written = live_networks.written(layer)
    assert (written["bias"], len(written["weights"])) == ([0.5, -1.25, 0.33333], 120)
    steps = np.array([live_networks.LETTERS.index(letter) - 46 for letter in written["weights"]])
    assert (steps.min() < 0, np.abs(steps).max()) == (True, 46)
    off = steps.reshape(kernel.shape) * written["scale"] - kernel
    assert (np.abs(off) <= 0.5001 * np.array(written["scale"])).all()


@pytest.mark.slow
def test_live_networks(tmp_path: Path) -> None:
    printed = run("live_networks.py", tmp_path, "--epochs", "2", "--draws", "1", "--out", "live")
    rounded = re.findall(r"(\d+) of 360 answers differ; (\d+) kB", printed)
    assert [int(size) < 500 for _, size in rounded] == [True, True]
    assert max(int(differing) for differing, _ in rounded) < 20
    with (tmp_path / "live" / "paths.csv").open(encoding="utf-8") as file:
        norms = [float(row["norm"]) for row in csv.DictReader(file)]
    assert len(norms) == 16
    assert norms[0] > norms[-1] > 0


def test_the_points_of_the_accuracy_chart_are_those_of_the_tables() -> None:
    points = {point.preset: point for point in accuracy_chart.measured("resnet26*")}
    # timm's results-imagenet.csv: resnet26.bt_in1k, resnet26d.bt_in1k at 224, resnet26t.ra2_in1k
    # at 256.
    assert {name: point.top1 for name, point in points.items()} == {
        "resnet26": 75.298,
        "resnet26d": 76.698,
        "resnet26t": 77.878,
    }
    assert points["resnet26t"].macs == (profile("resnet26t", (256, 256, 3)).macs or 0) / 1e9
    assert [p.preset for p in accuracy_chart.frontier(points.values())] == sorted(points)


def test_accuracy_chart(tmp_path: Path) -> None:
    printed = run("accuracy_chart.py", tmp_path, "chart.png", "--pattern", "resnet*")
    assert re.search(r"wrote chart\.png: \d\d points", printed)
    assert png_size((tmp_path / "chart.png").read_bytes()) == (1500, 975)


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
