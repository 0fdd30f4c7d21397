"""The benchmarks, with the smallest sizes; no time is asserted."""

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from benchmarks import __main__ as command
from benchmarks import article, engines, report, runs
from benchmarks.contenders import CONTENDERS, Contender, load_torch, reason_to_skip, save_torch
from benchmarks.engines import ENGINES
from benchmarks.machine import Machine
from benchmarks.measures import MEASURES
from benchmarks.plan import (
    COMMANDS,
    FOLDED,
    FULL,
    IMPORT_KERAS,
    IN_QUICK,
    MATRIX_PRODUCT,
    OURS,
    PLAIN_COMPILE,
    PLANS,
    QUICK,
    RANDOM_FIRST,
    Task,
    prediction,
)
from benchmarks.worker import Command, MeasureError

import resnet_builder
from resnet_builder import ResnetBuilder, basic_block, bottleneck, profile

from ..helpers import image_batch, png_size, randomised

ROOT = Path(__file__).parents[2]
TINY = Task(measure="", network="resnet8_cifar", image=16, batch=2, classes=10, samples=2)


@pytest.fixture(autouse=True)
def small_matrices(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engines, "MATRICES", {"cpu": (32, 8), "gpu": (32, 8)})


@pytest.fixture(autouse=True)
def _policy() -> Iterator[None]:
    yield
    keras.config.set_dtype_policy("float32")


@pytest.mark.parametrize(
    ("block", "ours"), [(article.basic_block, basic_block), (article.bottleneck, bottleneck)]
)
def test_the_network_of_the_article(block: Any, ours: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(article.NETWORKS, 0, (block, (2, 1)))
    model = article.build(0, (32, 48, 3), 10)
    expected = randomised(ResnetBuilder.build((3, 32, 48), 10, ours, [2, 1]))
    assert [weight.shape for weight in model.weights] == [w.shape for w in expected.weights]
    model.set_weights(expected.get_weights())
    images = image_batch(2, 32, 48, 3)
    np.testing.assert_allclose(model(images), expected(images), atol=1e-6)
    assert len(model.losses) == len(expected.losses)


def quantities(contender: Contender, task: Task) -> list[str]:
    """What is measured, in turn."""
    samples = [*MEASURES[task.measure](contender, task)]
    assert all(value > 0 for sample in samples for value in sample.values())
    return [name for sample in samples for name in sample]


TRAINING = ["first training step", *["training step"] * 2, "peak memory, training"]
PREDICTION = ["first prediction", *["prediction"] * 2, "peak memory, prediction"]
QUANTITIES = {
    "build": ["build"] * 2,
    "load": ["build and load"] * 2,
    "layers": ["build, per layer"] * 2,
    "training": TRAINING,
    "prediction": PREDICTION,
}


def expected_quantities(measure: str, *, has_memory: bool) -> list[str]:
    return [name for name in QUANTITIES[measure] if has_memory or "memory" not in name]


@pytest.fixture
def has_memory() -> bool:
    """Whether Python can tell the peak memory; not so on Windows."""
    try:
        import resource  # noqa: F401
    except ImportError:
        return False
    return True


@pytest.mark.parametrize("measure", QUANTITIES)
def test_measures(measure: str, has_memory: bool) -> None:
    found = quantities(CONTENDERS[OURS], replace(TINY, measure=measure))
    assert found == expected_quantities(measure, has_memory=has_memory)


@pytest.mark.parametrize("name", [PLAIN_COMPILE, RANDOM_FIRST])
def test_other_ways(name: str, has_memory: bool) -> None:
    measure = {PLAIN_COMPILE: "training", RANDOM_FIRST: "load"}[name]
    found = quantities(CONTENDERS[name], replace(TINY, measure=measure))
    assert found == expected_quantities(measure, has_memory=has_memory)


@pytest.mark.parametrize("measure", ["load", "training", "prediction"])
@pytest.mark.parametrize("precision", ["float32", "tf32", "bfloat16"])
def test_pytorch(measure: str, precision: str, has_memory: bool) -> None:
    torch = pytest.importorskip("torch")

    def build(task: Task) -> Any:
        return torch.nn.Sequential(
            torch.nn.Conv2d(3, 4, 3), torch.nn.Flatten(), torch.nn.LazyLinear(task.classes)
        )

    def built(task: Task) -> Any:
        model = build(task)
        model(torch.zeros(1, 3, task.image, task.image))
        return model

    contender = Contender(engine="torch", build=built, save=save_torch, load=load_torch)
    task = replace(TINY, measure=measure, precision=precision)
    ENGINES["torch"].prepare(task)
    found = quantities(contender, task)
    assert found == expected_quantities(measure, has_memory=has_memory)


@pytest.mark.parametrize(
    ("measure", "precision"),
    [("training", "bfloat16"), ("prediction", "float32"), ("prediction", "tf32")],
)
def test_the_groups_of_a_gpu_run_on_a_cpu(measure: str, precision: str, has_memory: bool) -> None:
    size = replace(QUICK, gpu_batches=(2,), prediction=(16, 2), precisions=(precision,))
    [group] = PLANS["gpu"][measure](size)
    assert {*group.tasks} >= {OURS, "torchvision", "timm", MATRIX_PRODUCT}
    assert group.alone
    for name in (OURS, MATRIX_PRODUCT):
        task = replace(group.tasks[name], network="resnet8_cifar", classes=10, samples=2)
        ENGINES[CONTENDERS[name].engine].prepare(task)
        expected = expected_quantities(measure, has_memory=has_memory)
        if name == MATRIX_PRODUCT:
            expected = [quantity for quantity in expected if quantity == expected[1]]
        assert quantities(CONTENDERS[name], task) == expected
        if name == OURS:
            policy = CONTENDERS[name].build(task).layers[1].dtype_policy.name
            assert policy == ("mixed_bfloat16" if precision == "bfloat16" else "float32")


def test_plans() -> None:
    groups = [group for of_measure in PLANS["cpu"].values() for group in of_measure(FULL)]
    for group in groups:
        assert {name for pair in group.pairs for name in pair} <= group.tasks.keys()
        for name, task in group.tasks.items():
            assert task.measure == "start" or task.contender in CONTENDERS
            assert task.contender == name or task.measure == "layers"
    [loaded] = [g for g in groups if (g.task.measure, g.task.network) == ("load", "resnet18")]
    assert "keras.applications" not in loaded.tasks
    networks = {group.task.network for group in groups if group.task.measure == "build"}
    assert networks == {
        *(f"resnet{depth}" for depth in (18, 50, 152)),
        *(f"keras_resnet{depth}" for depth in (18, 50, 152)),
        "resnet50_v1",
        "resnet152_v1",
    }


def test_commands(monkeypatch: pytest.MonkeyPatch) -> None:
    task = Task(measure="start", contender="resnet-builder show", samples=2)
    assert [list(sample) for sample in Command(task, {})] == [["process start"]] * 2
    monkeypatch.setitem(COMMANDS, "resnet-builder show", ("show", "resnet51"))
    with pytest.raises(MeasureError, match="unknown preset 'resnet51'"):
        Command(task, {}).wait_until_ready()


def test_two_processes_by_turns(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    options = ["--only", "layers", "--cifar-depths", "8", "14", "--samples", "1"]
    command.main(["--quick", *options, "--onednn", "off", "--out", str(tmp_path)])
    printed = capsys.readouterr().out
    assert "oneDNN off (TF_ENABLE_ONEDNN_OPTS=0)" in printed
    [row] = [line for line in printed.splitlines() if line.startswith("build, per layer")]
    assert row.split()[3:6] == ["resnet*_cifar", "14", "layers"]
    assert row.endswith(" 1")
    text = (tmp_path / "RESULTS.md").read_text(encoding="utf-8")
    assert f"keras {keras.__version__}" in text
    assert "runs: 1, samples in each: 1" in text
    assert png_size((tmp_path / "RESULTS.png").read_bytes())[0] == 990


SECONDS = {OURS: 1.0, FOLDED: 0.5, "keras.applications": 2.0, MATRIX_PRODUCT: 0.25}


class Scripted:
    """Samples without a process: two for each contender, in seconds."""

    def __init__(self, task: Task, environment: Mapping[str, str]) -> None:
        seconds = SECONDS[task.contender]
        self.samples = iter([{"prediction": seconds}, {"prediction": 3 * seconds}])
        self.fails = False

    def wait_until_ready(self) -> None:
        if self.fails:
            raise MeasureError("out of memory")

    def __next__(self) -> Mapping[str, float]:
        return next(self.samples)

    def close(self) -> None:
        pass


PREDICTION_GROUP = next(prediction(QUICK))


def measured(sampler: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> runs.Measured:
    """The group of predictions, run twice."""
    monkeypatch.setattr(runs, "sampler", sampler)
    found = runs.Measured(PREDICTION_GROUP)
    for _ in range(2):
        found.run({}, lambda task: "")
    return found


def test_tables(monkeypatch: pytest.MonkeyPatch) -> None:
    section = report.Section("oneDNN on", [measured(Scripted, monkeypatch)])
    network = "resnet50_v1, 224 px, batch 4"
    ours, folded, theirs = "2.00 s (1.00 to 3.00)", "1.00 s (0.50 to 1.50)", "4.00 s (2.00 to 6.00)"
    half, quarter = "0.50 (0.50 to 0.50)", "0.25 (0.25 to 0.25)"
    assert report.pair_table(section).rows == (
        ("prediction", network, OURS, ours, "keras.applications", theirs, half, 4),
        ("prediction", network, FOLDED, folded, OURS, ours, half, 4),
        ("prediction", network, FOLDED, folded, "keras.applications", theirs, quarter, 4),
    )
    # Four images, and eight products of matrices of 32x32, which take a quarter of the time.
    macs = 4 * (profile("resnet50_v1").macs or 0) / (8 * 32**3)
    assert report.rate_table(section).rows == (
        ("prediction", network, OURS, "2.0", f"{100 * macs / 4:.0f}%"),
        ("prediction", network, "keras.applications", "1.0", f"{100 * macs / 8:.0f}%"),
        ("prediction", network, FOLDED, "4.0", f"{100 * macs / 2:.0f}%"),
    )
    assert report.short_table(section).rows == (
        ("prediction", "0.50"),
        ("prediction, folded", "0.25"),
    )


def test_the_short_table_keeps_precisions_apart() -> None:
    seconds = {OURS: 2.0, FOLDED: 1.0, "torchvision": 4.0, "timm": 4.0}
    size = replace(QUICK, precisions=("tf32", "bfloat16"), device="gpu")
    found = [runs.Measured(group) for group in PLANS["gpu"]["prediction"](size)]
    for measured, factor in zip(found, (1, 2), strict=True):
        samples = {name: [value] for name, value in seconds.items()}
        samples[OURS] = [factor * seconds[OURS]]
        measured.samples["prediction"] = samples
    assert report.short_table(report.Section("GPU", found)).rows == (
        ("prediction, tf32", "0.50", "0.50"),
        ("prediction, tf32, folded", "0.25", "0.25"),
        ("prediction, bfloat16", "1.00", "1.00"),
        ("prediction, bfloat16, folded", "0.25", "0.25"),
    )


def test_ratios_beside_those_of_the_last_release(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(report, "RELEASED", tmp_path / "released.json")
    monkeypatch.delenv("GITHUB_ACTIONS", raising=False)
    found = measured(Scripted, monkeypatch)
    found.samples["first prediction"] = found.samples["prediction"]  # too few to be compared
    sections = [report.Section("oneDNN on", [found])]
    command.compare_with_release(sections, keep=True)
    assert "warning" not in capsys.readouterr().out
    monkeypatch.setitem(SECONDS, FOLDED, 0.61)  # of 0.5: more than 1.2 times as much
    now = [report.Section("oneDNN on", [measured(Scripted, monkeypatch)])]
    command.compare_with_release(now, keep=False)
    printed = capsys.readouterr().out.splitlines()
    version = resnet_builder.__version__
    assert [line for line in printed if line.startswith("warning: ")] == [
        f"warning: prediction: {FOLDED} / {OURS} is 0.61, and was 0.50 in {version}",
        f"warning: prediction: {FOLDED} / keras.applications is 0.30, and was 0.25 in {version}",
    ]
    rows = report.beside_release(report.ratios(now))[0].rows
    assert rows[0] == (f"prediction: {OURS} / keras.applications", "0.50", "0.50", "1.00")
    assert rows[1] == (f"prediction: {FOLDED} / {OURS}", "0.61", "0.50", "1.22")
    assert len(rows) == 3


def test_the_ratios_of_the_last_release_are_those_that_a_quick_run_compares() -> None:
    pairs = {
        (measure, *pair)
        for measure in IN_QUICK["cpu"]
        for group in PLANS["cpu"][measure](QUICK)
        for pair in group.pairs
    }
    pairs |= {("peak memory, prediction", a, b) for of, a, b in pairs if of == "prediction"}
    kept = json.loads(report.RELEASED.read_text(encoding="utf-8"))["ratios"]
    assert kept.keys() == {f"{quantity}: {a} / {b}" for quantity, a, b in pairs}


def test_who_fails_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def sampler(task: Task, environment: Mapping[str, str]) -> Scripted:
        samples = Scripted(task, environment)
        samples.fails = task.contender == FOLDED
        return samples

    section = report.Section("oneDNN on", [measured(sampler, monkeypatch)])
    [row] = report.pair_table(section).rows
    assert row[2:5:2] == (OURS, "keras.applications")
    failed = ("prediction", row[1], FOLDED, "failed: out of memory")
    assert report.skipped_table(section).rows == (failed,)


def test_a_process_start_is_noted_below_the_short_table(monkeypatch: pytest.MonkeyPatch) -> None:
    seconds = dict.fromkeys(COMMANDS, 0.1) | {IMPORT_KERAS: 2.0}
    found = runs.Measured(next(PLANS["cpu"]["start"](QUICK)))
    found.samples["process start"] = {name: [value] for name, value in seconds.items()}
    note = report.short_table(report.Section("", [found])).note
    assert note.startswith("A command takes 0.05 (`show`), 0.05 (`compare`)")


def test_what_is_not_installed_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("benchmarks.contenders.find_spec", lambda module: None)
    assert reason_to_skip(Task(measure="build", contender="timm")) == (
        "torch and timm not installed"
    )
    assert reason_to_skip(Task(measure="load")) == "safetensors not installed"
    assert not reason_to_skip(Task(measure="build"))
    monkeypatch.setattr("resnet_builder.__all__", ["ResnetBuilder"])
    why = reason_to_skip(Task(measure="prediction", contender=FOLDED))
    assert why == "this version has no fold_batch_norm"


def test_without_a_gpu(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    found = Machine("two cores", "versions", gpus={"keras": (), "torch": ()})
    monkeypatch.setattr("benchmarks.machine.describe", lambda device: found)
    monkeypatch.setattr("benchmarks.contenders.find_spec", lambda module: True)
    arguments = ["--quick", "--device", "gpu", "--out", str(tmp_path)]
    gpu = command.effort(command.parsed(arguments))
    command.main(arguments)
    text = (tmp_path / "RESULTS_GPU.md").read_text(encoding="utf-8")
    assert "two cores" in text
    assert "oneDNN" not in text
    assert (tmp_path / "RESULTS_GPU.png").exists()
    for network in ("float32", "tf32", "bfloat16"):
        assert f"resnet50, 224 px, batch 64, {network}" in text
    groups = [group for groups_of in PLANS["gpu"].values() for group in groups_of(gpu)]
    tasks = [task for group in groups for task in group.tasks.values()]
    of_torch = [task for task in tasks if CONTENDERS[task.contender].engine == "torch"]
    assert 0 < len(of_torch) < len(tasks)
    assert text.count("skipped: PyTorch finds no GPU") == len(of_torch)
    assert text.count("skipped: Keras finds no GPU") == len(tasks) - len(of_torch)
    with pytest.raises(SystemExit):
        command.main(["--device", "gpu", "--only", "start"])
    assert "--device gpu measures training, prediction, not start" in capsys.readouterr().err


def test_settings_of_tensorflow() -> None:
    assert command.settings(command.parsed(["--onednn", "both"])) == {
        "oneDNN on (TF_ENABLE_ONEDNN_OPTS=1)": {"TF_ENABLE_ONEDNN_OPTS": "1"},
        "oneDNN off (TF_ENABLE_ONEDNN_OPTS=0)": {"TF_ENABLE_ONEDNN_OPTS": "0"},
    }
    assert command.settings(command.parsed(["--device", "gpu"])) == {"GPU": {}}


def test_the_effort_of_a_command_line() -> None:
    options = command.parsed(["--quick", "--depths", "18", "152", "--runs", "2"])
    assert command.effort(options) == replace(QUICK, depths=(18, 152), runs=2)
    with pytest.raises(SystemExit):
        command.parsed(["--runs", "0"])


def test_without_matplotlib(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(command, "find_spec", lambda module: None)
    monkeypatch.setattr(command, "measure", lambda title, *rest: report.Section(title, []))
    command.main(["--out", str(tmp_path)])
    [file] = tmp_path.iterdir()
    text = file.read_text(encoding="utf-8")
    assert "* no chart: matplotlib not installed" in text
    assert "![" not in text


def test_a_busy_machine_is_stated(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.cpu_count", lambda: 2)
    assert command.disturbance(0.1) == "load before: 0.1"
    assert "busy with other work" in command.disturbance(1.5)


def test_the_readme_has_the_benchmarks_table() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    _, _, rest = readme.partition(report.BEGIN)
    table, end, _ = rest.partition(report.END)
    assert end
    file = ROOT / "benchmarks" / "RESULTS.md"
    results = file.read_text(encoding="utf-8") if file.exists() else ""
    assert table.strip() in results
    written = report.with_short_tables(readme, "| a table |")
    assert f"{report.BEGIN}\n| a table |\n{report.END}" in written
    assert report.with_short_tables(written, table.strip()) == readme
    with pytest.raises(ValueError, match="the README needs the lines"):
        report.with_short_tables("nothing", "")
