"""Time networks on this machine's processor beside ResNet-50, and write website/speed.csv.

    python -m tools.speed            # those that are in the table; some minutes
    python -m tools.speed resnet152  # this one too, or anew

Each network predicts one image of the size that its top-1 is for, compiled by Keras, by turns with
ResNet-50 at 224x224. Of each round the shortest times count, and of the rounds the median ratio: on
a machine that does something else, networks of many small convolutions wait longer for its cores.
"""

import csv
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from statistics import median
from typing import Any

import numpy as np
from benchmarks.machine import describe

from website.accuracy import accuracy
from website.speed import TABLE, Speed, speeds

REFERENCE = "resnet50"
ROUNDS, PAIRS = 5, 9


def predictor(preset: str, rows: int) -> Callable[[], float]:
    """A function that predicts one image and returns the seconds that it took."""
    from resnet_builder import ResnetBuilder

    model: Any = ResnetBuilder.from_preset(preset, (rows, rows, 3))
    image = np.zeros((1, rows, rows, 3), "float32")

    def predict() -> float:
        start = time.perf_counter()
        model.predict_on_batch(image)
        return time.perf_counter() - start

    predict()  # compiles
    predict()
    return predict


def measured(preset: str, reference: Callable[[], float]) -> Speed:
    """A network by turns with the reference."""
    found = accuracy(preset)
    if found is None:
        raise ValueError(f"{preset!r} has no checkpoint with a published top-1: it is not compared")
    predict = predictor(preset, found.rows)
    rounds = [[(predict(), reference()) for _ in range(PAIRS)] for _ in range(ROUNDS)]
    shortest = [tuple(map(min, zip(*pairs, strict=True))) for pairs in rounds]
    return Speed(
        preset=preset,
        rows=found.rows,
        milliseconds=round(1000 * min(own for own, _ in shortest), 1),
        ratio=round(median(own / other for own, other in shortest), 2),
        date=datetime.now(UTC).date().isoformat(),
        machine=describe("cpu").hardware,
    )


def main(arguments: list[str]) -> None:
    known = speeds()
    reference = predictor(REFERENCE, 224)
    for preset in arguments or list(known):
        known[preset] = measured(preset, reference)
        print(known[preset], flush=True)
        with TABLE.open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(Speed._fields)
            writer.writerows(known.values())


if __name__ == "__main__":
    main(sys.argv[1:])
