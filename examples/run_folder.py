"""The folder of one training run: its settings, its log, its curves, and what it goes on from."""

import csv
import json
from pathlib import Path
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator


class RunFolder:
    """Where the files of a run are."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.settings = path / "settings.json"
        self.state = path / "state.weights.h5"
        self.log = path / "log.csv"
        self.curves = path / "curves.png"
        self.model = path / "model.keras"
        self.average = path / "average.keras"
        self.tensorboard = path / "tensorboard"

    def open(self, settings: dict[str, Any], *, resume: bool) -> None:
        """Make the folder, or see that it is of a run with these settings.

        Raises:
            ValueError: it has a run that is not to be resumed, or that has other settings.
        """
        if not self.settings.exists():
            self.path.mkdir(parents=True, exist_ok=True)
            _replace(self.settings, f"{json.dumps(settings, indent=4)}\n".encode())
            return
        if not resume:
            raise ValueError(
                f"{self.path} has a run already: go on with it by --resume, or choose another --out"
            )
        begun = json.loads(self.settings.read_text(encoding="utf-8"))
        changed = [
            f"--{name.replace('_', '-')} was {begun.get(name)}, now it is {value}"
            for name, value in settings.items()
            if begun.get(name) != value
        ]
        if changed:
            raise ValueError(
                f"the run in {self.path} was begun with other settings: {'; '.join(changed)}"
            )

    def trim_log(self, finished: int) -> None:
        """Keep the lines of the finished epochs; a run killed after logging has one more."""
        if self.log.exists():
            header_and_epochs = self.log.read_bytes().splitlines(keepends=True)
            _replace(self.log, b"".join(header_and_epochs[: 1 + finished]))

    def draw_curves(self) -> None:
        """Draw loss and accuracy over the epochs, in training and in validation."""
        with self.log.open(encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
        figure = Figure(figsize=(9, 3.5), layout="constrained")
        for axes, quantity in zip(figure.subplots(1, 2), ("loss", "accuracy"), strict=True):
            _draw(axes, rows, quantity)
        figure.savefig(self.curves, dpi=150)


def _replace(path: Path, content: bytes) -> None:
    """Write a file whole: a run that is killed leaves the one before."""
    unfinished = path.with_name(f"unfinished_{path.name}")
    unfinished.write_bytes(content)
    unfinished.replace(path)


def _draw(axes: Axes, rows: list[dict[str, str]], quantity: str) -> None:
    epochs = [int(row["epoch"]) + 1 for row in rows]
    for column, label in ((quantity, "training"), (f"val_{quantity}", "validation")):
        axes.plot(epochs, [float(row[column]) for row in rows], label=label, marker=".")
    axes.set(xlabel="epoch", ylabel=quantity, yscale="log" if quantity == "loss" else "linear")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.grid(alpha=0.3)
    axes.legend()
