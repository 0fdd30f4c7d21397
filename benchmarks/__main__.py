"""Measure this library beside its alternatives, pair by pair.

Run it from the top of the repository, on a machine that does nothing else. What is not installed is
skipped, with the reason in the table: pip install ".[examples,weights]" keras-hub torchvision timm
"""

import argparse
import os
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from . import machine, report
from .contenders import CONTENDERS, reason_to_skip
from .plan import FULL, PLANS, QUICK, Effort, Task
from .report import Section
from .runs import Measured, Reason
from .worker import ROOT

README = ROOT / "README.md"


def parsed(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--quick", action="store_true", help="under three minutes: ResNet-50 alone")
    parser.add_argument("--device", choices=PLANS, default="cpu")
    parser.add_argument(
        "--onednn",
        choices=("on", "off", "both"),
        default="on",
        help="TF_ENABLE_ONEDNN_OPTS, TensorFlow's other convolutions",
    )
    parser.add_argument("--only", nargs="+", choices=PLANS["cpu"], help="measures; default: all")
    for name, what in (
        ("depths", "numbers of layers"),
        ("cifar-depths", "numbers of layers for the cost per layer, 6n + 2"),
        ("gpu-batches", "batch sizes of --device gpu"),
    ):
        parser.add_argument(f"--{name}", nargs="+", type=int, help=what)
    parser.add_argument("--runs", type=int, help="runs of everything")
    parser.add_argument("--samples", type=int, help="samples in each run")
    parser.add_argument("--out", type=Path, default=ROOT / "benchmarks", help="a folder")
    parser.add_argument("--readme", action="store_true", help="write the README's table as well")
    options = parser.parse_args(arguments)
    available = PLANS[options.device]
    if unavailable := set(options.only or ()) - set(available):
        parser.error(
            f"--device {options.device} measures {', '.join(available)}, "
            f"not {', '.join(sorted(unavailable))}"
        )
    return options


def effort(options: argparse.Namespace) -> Effort:
    """How much to measure."""
    fields = ("depths", "cifar_depths", "gpu_batches", "runs", "samples")
    given = {name: getattr(options, name) for name in fields}
    changes: dict[str, Any] = {
        name: tuple(value) if isinstance(value, list) else value
        for name, value in given.items()
        if value is not None
    }
    return replace(QUICK if options.quick else FULL, device=options.device, **changes)


def reason_with(found: machine.Machine) -> Reason:
    """`reason_to_skip`, which knows the machine's GPUs."""

    def reason(task: Task) -> str:
        if why := reason_to_skip(task):
            return why
        if task.device == "gpu":
            engine = CONTENDERS[task.contender].engine
            library = "torch" if engine == "torch" else "keras"
            if not found.gpus.get(library):
                return f"{'PyTorch' if library == 'torch' else 'TensorFlow'} finds no GPU"
        return ""

    return reason


def measure(
    title: str, options: argparse.Namespace, environment: dict[str, str], reason: Reason
) -> Section:
    """Run all groups."""
    size = effort(options)
    plan = PLANS[options.device]
    measured = [Measured(group) for name in options.only or plan for group in plan[name](size)]
    for number in range(size.runs):
        for group in measured:
            begin = time.perf_counter()
            group.run(environment, reason)
            print(
                f"run {number + 1} of {size.runs}: {group.group.task.measure} "
                f"{report.settings(group)}: {time.perf_counter() - begin:.0f} s",
                flush=True,
            )
    return Section(title, measured)


def disturbance(before: float | None) -> str:
    """What else ran when it began."""
    if before is None:
        return "load before: unknown"
    busy = before > 0.25 * (os.cpu_count() or 1)
    warning = "; the machine was busy with other work: do not rely on these figures" * busy
    return f"load before: {before:.1f}{warning}"


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, print, draw and write."""
    options = parsed(arguments)
    before = machine.load()
    found = machine.describe(options.device)
    sections = []
    for setting in ("on", "off") if options.onednn == "both" else (options.onednn,):
        environment = machine.ONEDNN[setting]
        [(name, value)] = environment.items()
        title = f"oneDNN {setting} ({name}={value})"
        sections.append(
            measure(title, options, {**environment, **machine.QUIET}, reason_with(found))
        )
    size = effort(options)
    notes = [
        f"runs: {size.runs}, samples in each: {size.samples}, {time.strftime('%Y-%m-%d')}"
        + ", --quick" * options.quick,
        disturbance(before),
    ]
    for section in sections:
        print(f"\n{report.pair_table(section).to_text()}")
        if (rates := report.rate_table(section)).rows:
            print(f"\n{rates.to_text()}")
    options.out.mkdir(parents=True, exist_ok=True)
    report.draw(sections, options.out / "RESULTS.png")
    text = report.results(sections, found, notes)
    (options.out / "RESULTS.md").write_text(text, encoding="utf-8")
    print(f"\n{found.hardware}\n{found.versions}\n" + "\n".join(notes))
    print(f"wrote {options.out / 'RESULTS.md'}")
    if options.readme:
        old = README.read_text(encoding="utf-8")
        new = report.with_short_tables(old, report.short(sections))
        README.write_text(new, encoding="utf-8")


if __name__ == "__main__":
    main()
