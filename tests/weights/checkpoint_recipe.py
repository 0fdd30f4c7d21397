"""Checkpoints of other people's networks, made of a recipe instead of being stored.

Every tensor is drawn from its name and shape alone, as tests/data/README.md says.
"""

import json
import zlib
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

PARITY = Path(__file__).parents[1] / "data" / "parity"
NETWORKS = sorted(path.stem for path in PARITY.glob("*.json"))

Array = npt.NDArray[Any]


def preset_of(network: str) -> str:
    """timm_resnet50d -> resnet50d."""
    return network.partition("_")[2]


def description(network: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((PARITY / f"{network}.json").read_text(encoding="utf-8"))
    return found


def checkpoint(network: str) -> dict[str, Array]:
    """The state dict that the other library had."""
    shapes = description(network)["state_dict"]
    return {name: tensor(name, tuple(shape)) for name, shape in shapes.items()}


def tensor(name: str, shape: tuple[int, ...]) -> Any:
    rng = np.random.Generator(np.random.PCG64(zlib.crc32(name.encode())))
    last = name.rpartition(".")[2]
    if last == "num_batches_tracked":
        return np.zeros(shape, np.int64)
    if last == "running_var":
        values = rng.uniform(0.5, 1.5, shape)
    elif last in ("running_mean", "bias"):
        values = 0.1 * rng.standard_normal(shape)
    elif len(shape) == 1:
        values = rng.uniform(0.5, 1.5, shape)
    else:
        values = rng.standard_normal(shape) * np.sqrt(1 / prod(shape[1:]))
    return np.asarray(values, np.float32)


def images(network: str) -> Any:
    shape = description(network)["input_shape_nhwc"]
    numbers = np.random.Generator(np.random.PCG64(0)).standard_normal(shape)
    return numbers.astype(np.float32)


def logits(network: str) -> Array:
    """What the other library answered."""
    answered: Array = np.load(PARITY / f"{network}.logits.npy")
    return answered


def relative_error(ours: Array, theirs: Array) -> float:
    """Judged by the largest answer: max |ours - theirs| / max |theirs|."""
    return float(np.abs(ours - theirs).max() / np.abs(theirs).max())
