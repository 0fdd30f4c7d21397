"""Compare networks with the library of their origin, side by side, and write the relative errors.

Needs timm (`pip install timm`). Every network has weights from tests/weights/checkpoint_recipe.py.
Run it from the top of the repository; without patterns, for all presets that timm has:

    python -m tests.weights.side_by_side [PATTERN ...]

It updates src/resnet_builder/weights/parity.csv: the largest relative error of the logits, for two
images of each of `SIZES` on which the origin itself runs.
"""

import csv
import sys
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import keras
import numpy as np

import resnet_builder
from resnet_builder import PRESETS, ResnetBuilder

from ..helpers import image_batch
from .checkpoint_recipe import relative_error, tensor

PARITY = Path(resnet_builder.__file__).parent / "weights" / "parity.csv"
HEADER = ("library", "architecture", "preset", "relative_error")

# (rows, columns), even and odd.
SIZES = ((64, 64), (75, 107), (97, 65))


def timm_error(name: str) -> float:
    """The largest relative error of a preset's logits from those of timm's network of that name."""
    import timm
    import torch

    original = timm.create_model(name).eval()
    shapes = {key: tuple(value.shape) for key, value in original.state_dict().items()}
    weights = {key: tensor(key, shape) for key, shape in shapes.items()}
    original.load_state_dict({key: torch.tensor(value) for key, value in weights.items()})
    model = ResnetBuilder.from_preset(
        name, (None, None, 3), classifier_activation=None, weights=weights
    )
    errors = []
    for size in SIZES:
        images = image_batch(2, *size, 3)
        try:
            with torch.no_grad():
                expected = original(torch.tensor(images.transpose(0, 3, 1, 2).copy())).numpy()
        except RuntimeError:  # average pools of odd maps, whose sizes then differ
            continue
        errors.append(relative_error(np.asarray(model(images)), expected))
    return max(errors)


def write(errors: dict[tuple[str, str, str], float]) -> None:
    """Replace or add rows of the table."""
    rows: dict[tuple[str, ...], str] = {}
    if PARITY.exists():
        with PARITY.open(encoding="utf-8", newline="") as file:
            rows = {tuple(row[:3]): row[3] for row in list(csv.reader(file))[1:]}
    rows |= {key: f"{error:.1e}" for key, error in errors.items()}
    with PARITY.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(HEADER)
        writer.writerows((*key, error) for key, error in sorted(rows.items()))


def main(patterns: list[str]) -> None:
    import timm

    originals: Any = timm.list_models()
    names = [name for name in PRESETS if name in originals]
    for name in names:
        if any(fnmatchcase(name, pattern) for pattern in patterns or ["*"]):
            error = timm_error(name)
            print(f"{name}: {error:.1e}", flush=True)
            write({("timm", name, name): error})
            keras.backend.clear_session()


if __name__ == "__main__":
    main(sys.argv[1:])
