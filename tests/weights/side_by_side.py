"""Compare networks with the library of their origin, side by side, and write the relative errors.

Needs timm, torchvision and keras-hub. Every network has weights from
tests/weights/checkpoint_recipe.py. Run it from the top of the repository; without patterns, for all
published networks:

    python -m tests.weights.side_by_side [PATTERN ...]

It updates src/resnet_builder/weights/parity.csv: the largest relative error of the logits, for two
images of each of `SIZES` on which the origin itself runs.
"""

import csv
import sys
from collections.abc import Callable
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import keras
import numpy as np

import resnet_builder
from resnet_builder import PRESETS, ResnetBuilder
from resnet_builder.weights.published import published

from ..helpers import image_batch
from .checkpoint_recipe import relative_error, tensor
from .test_parity import keras_applications_error

PARITY = Path(resnet_builder.__file__).parent / "weights" / "parity.csv"
HEADER = ("library", "preset", "relative_error")

# (rows, columns), even and odd.
SIZES = ((64, 64), (75, 107), (97, 65))


def timm_error(preset: str) -> float:
    import timm

    return torch_error(timm.create_model(preset), preset)


def torchvision_error(preset: str) -> float:
    import torchvision

    return torch_error(getattr(torchvision.models, preset)(), preset)


def torch_error(original: Any, preset: str) -> float:
    """The largest relative error of a preset's logits from those of a PyTorch network."""
    import torch

    original.eval()
    shapes = {key: tuple(value.shape) for key, value in original.state_dict().items()}
    weights = {key: tensor(key, shape) for key, shape in shapes.items()}
    original.load_state_dict({key: torch.tensor(value) for key, value in weights.items()})
    model = ResnetBuilder.from_preset(
        preset, (None, None, 3), classifier_activation=None, weights=weights
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


def keras_error(preset: str) -> float:
    depth, version = preset.removeprefix("resnet").split("_")
    return keras_applications_error(f"ResNet{depth}{'V2' * (version == 'v2')}", preset)


DEEP_STEM = {"input_conv_filters": [32, 32, 64], "input_conv_kernel_sizes": [3, 3, 3]}
STEM = {"input_conv_filters": [64], "input_conv_kernel_sizes": [7]}


def keras_hub_options(preset: str) -> dict[str, Any]:
    """The arguments of keras-hub's ResNetBackbone."""
    deep = PRESETS[preset].stem == "deep"
    kind = {"basic_block": "basic_block", "bottleneck": "bottleneck_block"}[
        str(PRESETS[preset].block)
    ]
    v2 = PRESETS[preset].activation_order == "pre"
    stem = DEEP_STEM if deep else STEM
    return {"block_type": f"{kind}{'_vd' * deep}", "use_pre_activation": v2, **stem}


def keras_hub_network(preset: str) -> keras.Model:
    """A network of keras-hub, with weights from the recipe."""
    import keras_hub

    network = keras_hub.models.ResNetImageClassifier(
        backbone=keras_hub.models.ResNetBackbone(
            stackwise_num_filters=[64, 128, 256, 512],
            stackwise_num_blocks=list(PRESETS[preset].repetitions),
            stackwise_num_strides=[1, 2, 2, 2],
            image_shape=(32, 48, 3),
            **keras_hub_options(preset),
        ),
        num_classes=5,
        activation=None,
    )
    for weight in network.weights:
        weight.assign(tensor(weight.path, tuple(weight.shape)))
    return network


def keras_hub_error(preset: str) -> float:
    original = keras_hub_network(preset)
    weights = {weight.path: weight.numpy() for weight in original.weights}
    images = image_batch(2, 32, 48, 3)
    model = ResnetBuilder.from_preset(
        preset, (32, 48, 3), classes=5, classifier_activation=None, weights=weights
    )
    return relative_error(np.asarray(model(images)), np.asarray(original(images)))


ERRORS: dict[str, Callable[[str], float]] = {
    "timm": timm_error,
    "torchvision": torchvision_error,
    "keras.applications": keras_error,
    "keras-hub": keras_hub_error,
}


def write(errors: dict[tuple[str, str], float]) -> None:
    """Replace or add rows of the table."""
    rows: dict[tuple[str, ...], str] = {}
    if PARITY.exists():
        with PARITY.open(encoding="utf-8", newline="") as file:
            rows = {tuple(row[:-1]): row[-1] for row in list(csv.reader(file))[1:]}
    rows |= {key: f"{error:.1e}" for key, error in errors.items()}
    with PARITY.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(HEADER)
        writer.writerows((*key, error) for key, error in sorted(rows.items()))


def main(patterns: list[str]) -> None:
    for library, preset in dict.fromkeys((row.library, row.preset) for row in published()):
        name = f"{library}/{preset}"
        # In timm, it is the name of a checkpoint without a network.
        lost = name == "timm/resnext101_32x48d"
        if not lost and any(fnmatchcase(name, pattern) for pattern in patterns or ["*"]):
            error = ERRORS[library](preset)
            print(f"{name}: {error:.1e}", flush=True)
            write({(library, preset): error})
            keras.backend.clear_session()


if __name__ == "__main__":
    main(sys.argv[1:])
