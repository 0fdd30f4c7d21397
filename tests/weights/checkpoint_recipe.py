"""Checkpoints of other people's networks, made of a recipe instead of being stored.

Every tensor is drawn from its name and shape alone, as tests/data/README.md says.
"""

import gzip
import json
import re
import tarfile
import zlib
from functools import lru_cache
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from resnet_builder import ResnetConfig
from resnet_builder.plan.network import Head, make_plan
from resnet_builder.weights.expected import expected_weights
from resnet_builder.weights.origins import ORIGINS

from ..helpers import image_batch

DATA = Path(__file__).parents[1] / "data"
PARITY = DATA / "parity"
DIALECTS = DATA / "dialects"
KERAS_HUB = DATA / "keras_hub"
NETWORKS = sorted(path.name.partition(".")[0] for path in PARITY.glob("*.logits.npy"))

Array = npt.NDArray[Any]

TORCHVISION = next(origin for origin in ORIGINS if origin.name.startswith("torchvision"))


# The presets of networks whose names are not timm's.
PRESET_OF = {
    "torchvision_regnet_x_400mf": "regnetx_004_tv",
    "torchvision_regnet_y_400mf": "regnety_004",
    "transformers_regnet_y_040": "regnety_040",
    "tfkeras_RegNetX002": "regnetx_002",
    "tfkeras_RegNetY002": "regnety_002",
}


def preset_of(network: str) -> str:
    """timm_resnet50d -> resnet50d."""
    return PRESET_OF.get(network, network.partition("_")[2])


def description(network: str) -> dict[str, Any]:
    folder = DIALECTS if (DIALECTS / f"{network}.json.gz").exists() else PARITY
    plain, packed = (folder / f"{network}{ending}" for ending in (".json", ".json.gz"))
    content = plain.read_bytes() if plain.exists() else gzip.decompress(packed.read_bytes())
    found: dict[str, Any] = json.loads(content)
    return found


def shapes_of(network: str) -> dict[str, tuple[int, ...]]:
    """The names and shapes of a network's tensors in the other library."""
    found = description(network)
    if "state_dict" in found:
        return {name: tuple(shape) for name, shape in found["state_dict"].items()}
    # Of Keras 2, as its .h5 files list them.
    return {name: tuple(shape) for _, weights in found["h5_layers"] for name, shape in weights}


def checkpoint(network: str) -> dict[str, Array]:
    """The weights that the other library had."""
    return dict(_checkpoint(network))


@lru_cache(1)
def _checkpoint(network: str) -> dict[str, Array]:
    # Keras 2 ends every name in ":0", which files are read without.
    arrays = {name: tensor(name, shape) for name, shape in shapes_of(network).items()}
    return {name.removesuffix(":0"): array for name, array in arrays.items()}


def tensor(name: str, shape: tuple[int, ...]) -> Any:
    """Of PyTorch, `layer.weight` and (out, in, rows, columns), or of Keras, `layer/kernel`."""
    rng = np.random.Generator(np.random.PCG64(zlib.crc32(name.encode())))
    last = re.split("[./]", name.removesuffix(":0"))[-1]
    inputs = shape[:-1] if last == "kernel" else shape[1:]
    if last == "num_batches_tracked":
        return np.zeros(shape, np.int64)
    if last in ("running_var", "moving_variance"):
        values = rng.uniform(0.5, 1.5, shape)
    elif last in ("running_mean", "moving_mean", "bias", "beta"):
        values = 0.1 * rng.standard_normal(shape)
    elif len(shape) == 1:
        values = rng.uniform(0.5, 1.5, shape)
    else:
        values = rng.standard_normal(shape) * np.sqrt(1 / prod(inputs))
    return np.asarray(values, np.float32)


def as_torchvision(config: ResnetConfig, *, include_top: bool = True) -> dict[str, Array]:
    """The state dict of a network under the names of torchvision."""
    plan = make_plan(config, Head(include_top=include_top))
    arrays = {}
    for weight, shape in expected_weights(plan).shapes.items():
        name = TORCHVISION.tensor(weight)
        order = {4: (3, 2, 0, 1), 2: (1, 0), 1: (0,)}[len(shape)]
        arrays[name] = tensor(name, tuple(shape[axis] for axis in order))
        if weight[1] == "moving_variance":
            count = name.replace("running_var", "num_batches_tracked")
            arrays[count] = tensor(count, ())
    return arrays


def images(network: str) -> Any:
    return image_batch(*description(network)["input_shape_nhwc"])


def logits(network: str) -> Array:
    """What the other library answered."""
    folder = DIALECTS if (DIALECTS / f"{network}.logits.npy").exists() else PARITY
    answered: Array = np.load(folder / f"{network}.logits.npy")
    return answered


def unpacked(preset: str, folder: Path) -> Path:
    """The folder that keras-hub saved of a network."""
    with tarfile.open(KERAS_HUB / f"{preset}_folder.tar.xz") as archive:
        archive.extractall(folder, filter="data")
    return folder / preset
