"""The measures: each is a generator of samples, dicts of values by quantity.

Times are in seconds, memory in bytes. What is not measured happens before a sample is timed.
"""

import gc
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from .contenders import Contender, depth
from .engines import ENGINES, seconds
from .plan import MATRIX_PRODUCT, Task

Samples = Iterator[Mapping[str, float]]

# Steps of training in one sample.
STEPS = 2

# Quantities that a matrix product has as well.
STEADY = ("training step", "prediction")


def build(contender: Contender, task: Task) -> Samples:
    """Building with random weights, after the first model of the process."""
    for _, time in zip(range(task.samples), repeated(lambda: contender.build(task)), strict=False):
        yield {"build": time}


def layers(contender: Contender, task: Task) -> Samples:
    """The time of building, per layer."""
    for sample in build(contender, task):
        yield {"build, per layer": sample["build"] / depth(task)}


def load(contender: Contender, task: Task) -> Samples:
    """Building and loading from a file of random weights, which is written first."""
    with tempfile.TemporaryDirectory() as folder:
        file = contender.save(contender.build(task), Path(folder))
        work = repeated(lambda: contender.load(contender, task, file))
        for _, time in zip(range(task.samples), work, strict=False):
            yield {"build and load": time}


def repeated(work: Callable[[], Any]) -> Iterator[float]:
    """The time of each call but the first."""
    work()
    while True:
        gc.collect()
        yield seconds(work)


def training(contender: Contender, task: Task) -> Samples:
    """From a built model to the end of the first step; later steps; the peak memory."""
    engine = ENGINES[contender.engine]
    model = contender.build(task)
    train: list[Callable[[int], None]] = []

    def first_step() -> None:
        train.append(engine.trainer(contender, model, task))
        train[0](1)

    first = seconds(first_step)
    yield named(task, "first training step", first)
    train[0](1)
    for _ in range(task.samples):
        yield named(task, "training step", seconds(lambda: train[0](STEPS)) / STEPS)
    yield named(task, "peak memory, training", peak_memory(task))


def prediction(contender: Contender, task: Task) -> Samples:
    """The first prediction, later ones, and the peak memory."""
    predict = ENGINES[contender.engine].predictor(contender.build(task), task)
    yield named(task, "first prediction", seconds(predict))
    predict()
    for _ in range(task.samples):
        yield named(task, "prediction", seconds(predict))
    yield named(task, "peak memory, prediction", peak_memory(task))


def named(task: Task, quantity: str, value: float | None) -> Mapping[str, float]:
    """A sample of one quantity; none if it is unknown, or not that of a matrix product."""
    if value is None or (task.contender == MATRIX_PRODUCT and quantity not in STEADY):
        return {}
    return {quantity: value}


def peak_memory(task: Task) -> float | None:
    """The most memory that this process has had; None for a GPU's, and on Windows."""
    if sys.platform == "win32" or task.device == "gpu":
        return None
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else 1024 * peak


MEASURES: dict[str, Callable[[Contender, Task], Samples]] = {
    "build": build,
    "layers": layers,
    "load": load,
    "training": training,
    "prediction": prediction,
}
