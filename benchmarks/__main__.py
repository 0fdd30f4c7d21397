"""Measure this library beside its alternatives, pair by pair.

Run it from the top of the repository, on a machine that does nothing else. What is not installed is
skipped, with the reason in the table: pip install ".[examples,weights]" keras-hub torchvision timm
"""

import argparse
import os
import time
from collections.abc import Iterable, Sequence
from dataclasses import fields, replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import resnet_builder
from resnet_builder.common.checks import positive_int

from . import machine, report
from .contenders import CONTENDERS, reason_to_skip
from .plan import COMPUTING, FULL, IN_QUICK, PLANS, QUICK, Effort, Task
from .report import Section
from .runs import Measured, Reason
from .worker import ROOT

README = ROOT / "README.md"

# Device -> file of the results.
FILES = {"cpu": "RESULTS.md", "gpu": "RESULTS_GPU.md"}


def positive(text: str) -> int:
    """A positive number of the command line."""
    return positive_int(int(text), "a number")


def parsed(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--quick",
        action="store_true",
        help="half a minute: ResNet-50 alone, beside the ratios of the last release",
    )
    parser.add_argument(
        "--release", action="store_true", help="with --quick: keep its ratios as this release's"
    )
    parser.add_argument("--device", choices=PLANS, default="cpu")
    parser.add_argument(
        "--onednn",
        choices=("on", "off", "both"),
        default="on",
        help="TF_ENABLE_ONEDNN_OPTS, TensorFlow's other convolutions; of both, only training and "
        "prediction are measured twice",
    )
    parser.add_argument("--only", nargs="+", choices=PLANS["cpu"], help="measures; default: all")
    for name, what in (
        ("depths", "numbers of layers"),
        ("computing-depths", "numbers of layers for training and prediction; default: --depths"),
        ("cifar-depths", "numbers of layers for the cost per layer, 6n + 2"),
        ("gpu-batches", "batch sizes of --device gpu"),
    ):
        parser.add_argument(f"--{name}", nargs="+", type=positive, help=what)
    parser.add_argument(
        "--precisions", nargs="+", choices=FULL.precisions, help="precisions of --device gpu"
    )
    parser.add_argument("--runs", type=positive, help="runs of everything")
    parser.add_argument("--samples", type=positive, help="samples in each run")
    parser.add_argument(
        "--out", type=Path, help="a folder; default: benchmarks, or none of --quick"
    )
    parser.add_argument("--readme", action="store_true", help="write the README's table as well")
    options = parser.parse_args(arguments)
    options.out = options.out or (None if options.quick else ROOT / "benchmarks")
    available = PLANS[options.device]
    if unavailable := set(options.only or ()) - set(available):
        parser.error(
            f"--device {options.device} measures {', '.join(available)}, "
            f"not {', '.join(sorted(unavailable))}"
        )
    if options.readme and options.device == "gpu":
        parser.error("--readme writes the table of --device cpu")
    return options


def effort(options: argparse.Namespace) -> Effort:
    """How much to measure."""
    given = {field.name: getattr(options, field.name, None) for field in fields(Effort)}
    changes: dict[str, Any] = {
        name: tuple(value) if isinstance(value, list) else value
        for name, value in given.items()
        if value is not None
    }
    return replace(QUICK if options.quick else FULL, **changes)


def reason_with(found: machine.Machine) -> Reason:
    """`reason_to_skip`, which knows the machine's GPUs."""

    def reason(task: Task) -> str:
        if why := reason_to_skip(task):
            return why
        if task.device == "gpu":
            engine = CONTENDERS[task.contender].engine
            library = "torch" if engine == "torch" else "keras"
            if not found.gpus.get(library):
                return f"{'PyTorch' if library == 'torch' else 'Keras'} finds no GPU"
        return ""

    return reason


def measure(
    title: str,
    options: argparse.Namespace,
    environment: dict[str, str],
    reason: Reason,
    names: Iterable[str],
) -> Section:
    """Run all groups of the measures."""
    size = effort(options)
    plan = PLANS[options.device]
    measured = [Measured(group) for name in names for group in plan[name](size)]
    for number in range(size.runs):
        for group in measured:
            begin = time.perf_counter()
            group.run(environment, reason)
            print(
                f"run {number + 1} of {size.runs}: {group.group.task.measure} "
                f"{report.settings(group)}: {time.perf_counter() - begin:.0f} s",
                flush=True,
            )
            if (rates := report.rate_table(Section("", [group]))).rows:
                print(rates.to_text(), flush=True)
    return Section(title, measured)


def settings(options: argparse.Namespace) -> dict[str, dict[str, str]]:
    """TensorFlow's settings: title and environment of each."""
    if options.device == "gpu":
        return {"GPU": {}}
    chosen = {
        name: value for name, value in machine.ONEDNN.items() if options.onednn in (name, "both")
    }
    return {
        f"oneDNN {name} (TF_ENABLE_ONEDNN_OPTS={value})": {"TF_ENABLE_ONEDNN_OPTS": value}
        for name, value in chosen.items()
    }


def disturbance(before: float | None) -> str:
    """What else ran when it began."""
    if before is None:
        return "load before: unknown"
    busy = before > 0.25 * (os.cpu_count() or 1)
    warning = "; the machine was busy with other work: do not rely on these figures" * busy
    return f"load before: {before:.1f}{warning}"


def compare_with_release(sections: Sequence[Section], *, keep: bool) -> None:
    """Print the ratios beside the last release's, and warn of each that has grown; or keep them."""
    now = report.ratios(sections)
    if keep:
        report.keep_as_released(now, resnet_builder.__version__)
    table, slower = report.beside_release(now)
    print(f"\n{table.to_text()}")
    sign = "::warning::" if "GITHUB_ACTIONS" in os.environ else "warning: "  # shown by the job
    for message in slower:
        print(f"{sign}{message}")


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, print, draw and write."""
    options = parsed(arguments)
    before = machine.load()
    found = machine.describe(options.device)
    reason = reason_with(found)
    sections: list[Section] = []
    of_device = [*PLANS[options.device]]
    names = options.only or (options.quick and IN_QUICK.get(options.device)) or of_device
    for title, environment in settings(options).items():
        sections.append(measure(title, options, {**environment, **machine.QUIET}, reason, names))
        names = [name for name in names if name in COMPUTING]
    for section in sections:
        print(f"\n{section.title}")
        for table in report.tables(section):
            print(f"\n{table.to_text()}")
    if options.quick and options.device == "cpu":
        compare_with_release(sections, keep=options.release)
    if options.out is None:
        return
    size = effort(options)
    notes = [
        f"runs: {size.runs}, samples in each: {size.samples}, {time.strftime('%Y-%m-%d')}"
        + ", --quick" * options.quick,
        f"Keras on {machine.backend()}",
        disturbance(before),
    ]
    options.out.mkdir(parents=True, exist_ok=True)
    file = options.out / FILES[options.device]
    if find_spec("matplotlib"):
        picture = file.with_suffix(".png")
        report.draw(sections, picture)
        text = report.results(sections, found, notes, picture.name)
    else:
        notes.append("no chart: matplotlib not installed")
        text = report.results(sections, found, notes, "")
    file.write_text(text, encoding="utf-8")
    print("\n" + "\n".join((found.hardware, found.versions, *notes, f"wrote {file}")))
    if options.readme:
        old = README.read_text(encoding="utf-8")
        new = report.with_short_tables(old, report.short(sections))
        README.write_text(new, encoding="utf-8")


if __name__ == "__main__":
    main()
