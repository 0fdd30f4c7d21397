"""Compare networks with the library of their origin, side by side, and write the relative errors.

Needs timm, torchvision, transformers, tf_keras and keras-hub. Every network has weights from
tests/weights/checkpoint_recipe.py. Run it from the top of the repository; without patterns, for all
published networks:

    python -m tools.side_by_side [PATTERN ...]

It updates src/resnet_builder/costs/parity.csv: the largest relative error of the logits in
float32, for two images of each of `SIZES` on which the origin itself runs. Very deep networks with
random weights are so sensitive that the logits of the origin in float32 are as far from those in
float64; where the error is above `SENSITIVE`, the error in float64 is written as well. The column
`written` is the error of the origin's network with the weights that `write_weights` wrote for it.
"""

import csv
import sys
from collections.abc import Callable
from contextlib import suppress
from fnmatch import fnmatchcase
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import keras
import numpy as np

import resnet_builder
from resnet_builder import PRESETS, ResnetBuilder, load_weights, write_weights
from resnet_builder.presets.checkpoints import published
from tests.helpers import image_batch, randomised, relative_error
from tests.weights.checkpoint_recipe import tensor
from tools.make_published_weights import TORCHVISION_REGNETS

PARITY = Path(resnet_builder.__file__).parent / "costs" / "parity.csv"
HEADER = ("library", "preset", "relative_error", "in_float64", "written")

# The float32 error above which float64 decides.
SENSITIVE = 5e-6

# Errors in float32; where it is above `SENSITIVE`, in float64; and with weights that were written.
Errors = tuple[float, float | None, float | None]

# (rows, columns), even and odd.
SIZES = ((64, 64), (75, 107), (97, 65))


def timm_errors(preset: str) -> Errors:
    import timm

    original = timm.create_model(preset, num_classes=PRESETS[preset].classes)
    return torch_errors("timm", original, preset)


def torchvision_errors(preset: str) -> Errors:
    import torchvision

    name = next((theirs for theirs, ours in TORCHVISION_REGNETS.items() if ours == preset), preset)
    return torch_errors("torchvision", getattr(torchvision.models, name)(), preset)


def transformers_errors(preset: str) -> Errors:
    import transformers

    config = PRESETS[preset]
    if config.group_width:
        regnet = transformers.RegNetConfig(
            depths=config.repetitions,
            hidden_sizes=config.filters,
            groups_width=config.group_width,
            layer_type="y" if config.se_ratio else "x",
            num_labels=config.classes,
        )
        original = transformers.RegNetForImageClassification(regnet)
        return torch_errors("transformers", original, preset)
    is_basic = config.block == "basic_block"
    resnet = transformers.ResNetConfig(
        depths=config.repetitions,
        hidden_sizes=[filters if is_basic else 4 * filters for filters in config.stage_filters],
        layer_type="basic" if is_basic else "bottleneck",
        num_labels=config.classes,
    )
    original = transformers.ResNetForImageClassification(resnet)
    return torch_errors("transformers", original, preset)


def torch_errors(library: str, original: Any, preset: str) -> Errors:
    """The largest relative errors of a preset's logits from those of a PyTorch network."""
    import torch

    original.eval()
    shapes = {key: tuple(value.shape) for key, value in original.state_dict().items()}
    weights = {key: tensor(key, shape) for key, shape in shapes.items()}
    original.load_state_dict({key: torch.tensor(value) for key, value in weights.items()})
    has_fixed_size = PRESETS[preset].head_pool == "attention"
    sizes = SIZES[:1] if has_fixed_size else SIZES
    input_shape = (*SIZES[0], 3) if has_fixed_size else (None, None, 3)
    model = network(preset, weights, "float32", input_shape=input_shape)
    errors = []
    for size in sizes:
        # Some average pools of odd maps fail in timm, because the sizes then differ.
        with suppress(RuntimeError):
            errors.append(torch_error(original, model, size))
    in_float64 = None
    if max(errors) >= SENSITIVE:
        wide = network(preset, weights, "float64", input_shape=input_shape)
        in_float64 = torch_error(original.double(), wide, SIZES[0])
        original.float()
    own_size: Any = SIZES[0]
    if has_fixed_size:  # the original has positions for its own size
        *own_size, channels = PRESETS[preset].input_shape
        model = network(preset, weights, "float32", input_shape=(*own_size, channels))
    with TemporaryDirectory() as folder:
        path = Path(folder) / "ours.npz"
        is_two = preset == "resnext26ts" or preset.endswith("_clip_gap")
        write_weights(model, path, names="timm.byobnet" if is_two else library)
        written = {key: torch.tensor(value) for key, value in np.load(path).items()}
    original.load_state_dict(written)
    return max(errors), in_float64, torch_error(original, model, own_size)


def torch_error(original: Any, model: keras.Model, size: tuple[int, int]) -> float:
    """The relative error of a model's logits from those of a PyTorch network, at an input size."""
    import torch

    images = image_batch(2, *size, 3).astype(model.compute_dtype)
    with torch.no_grad():
        answered = original(torch.tensor(images.transpose(0, 3, 1, 2).copy()))
    expected = getattr(answered, "logits", answered).numpy()
    return relative_error(np.asarray(model(images)), expected)


def network(preset: str, weights: Any, dtype: str, **changes: Any) -> keras.Model:
    options = {"input_shape": (None, None, 3), "classifier_activation": None} | changes
    return ResnetBuilder.from_preset(preset, weights=weights, dtype=dtype, **options)


def keras_applications_error(original: keras.Model, model: keras.Model) -> float:
    """Of a network of keras.applications and the same of this package, computed side by side."""
    randomised(original)
    with TemporaryDirectory() as folder:
        path = Path(folder) / "theirs.weights.h5"
        original.save_weights(path)
        report = load_weights(model, path)
    # Every convolution of V1 has a bias; those of V2 are biases here too.
    convolutions = sum(isinstance(layer, keras.layers.Conv2D) for layer in original.layers)
    is_v2 = any(layer.name == "post_bn" for layer in original.layers)
    folded = () if is_v2 else (f"{convolutions} biases of convolutions into batch norm",)
    assert report.adapted == folded
    assert report.tensors == len(original.weights)
    x = image_batch(2, *model.input_shape[1:])
    ours_and_theirs = (keras.ops.convert_to_numpy(net(x)) for net in (model, original))
    return relative_error(*ours_and_theirs)


def keras_errors(preset: str) -> Errors:
    depth, version = preset.removeprefix("resnet").split("_")
    make = getattr(keras.applications, f"ResNet{depth}{'V2' * (version == 'v2')}")
    options: dict[str, Any] = {"input_shape": (64, 64, 3), "classifier_activation": None}
    model = ResnetBuilder.from_preset(preset, **options)
    error = keras_applications_error(make(weights=None, **options), model)
    with TemporaryDirectory() as folder:
        path = Path(folder) / "ours.h5"
        write_weights(model, path, names="keras.applications")
        written = make(weights=path, **options)
    images = image_batch(2, 64, 64, 3)
    found = relative_error(*(np.asarray(net(images)) for net in (model, written)))
    return error, None, found


def tf_keras_errors(preset: str) -> Errors:
    import tf_keras

    family, kind, changes = "regnet", "RegNet", {"padding": "same"}
    if preset.startswith("resnetrs"):
        family, kind, changes = "resnet_rs", "ResNetRS", {}
    network_name = preset.removeprefix(kind.lower()).upper().replace("_", "")
    theirs = getattr(getattr(tf_keras.applications, family), f"{kind}{network_name}")
    errors = []
    for rows, columns in SIZES:
        original = theirs(
            weights=None,
            input_shape=(rows, columns, 3),
            classifier_activation=None,
            include_preprocessing=False,
        )
        for weight in original.weights:
            weight.assign(tensor(weight.name, tuple(weight.shape)))
        with TemporaryDirectory() as folder:
            path = Path(folder) / "theirs.h5"
            original.save_weights(path)
            model = network(preset, path, "float32", **changes)
        images = image_batch(2, rows, columns, 3)
        errors.append(relative_error(np.asarray(model(images)), np.asarray(original(images))))
    return max(errors), None, None


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


def keras_hub_errors(preset: str) -> Errors:
    original = keras_hub_network(preset)
    weights = {weight.path: weight.numpy() for weight in original.weights}
    images = image_batch(2, 32, 48, 3)
    model = ResnetBuilder.from_preset(
        preset, (32, 48, 3), classes=5, classifier_activation=None, weights=weights
    )
    return relative_error(np.asarray(model(images)), np.asarray(original(images))), None, None


ERRORS: dict[str, Callable[[str], Errors]] = {
    "timm": timm_errors,
    "torchvision": torchvision_errors,
    "transformers": transformers_errors,
    "tf.keras": tf_keras_errors,
    "keras.applications": keras_errors,
    "keras-hub": keras_hub_errors,
}


def write(library: str, preset: str, errors: Errors) -> None:
    """Replace or add a row of the table."""
    rows: dict[tuple[str, ...], list[str]] = {}
    if PARITY.exists():
        with PARITY.open(encoding="utf-8", newline="") as file:
            rows = {tuple(row[:2]): row[2:] for row in list(csv.reader(file))[1:]}
    rows[library, preset] = ["" if error is None else f"{error:.1e}" for error in errors]
    with PARITY.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(HEADER)
        writer.writerows((*key, *row) for key, row in sorted(rows.items()))


def main(patterns: list[str]) -> None:
    for library, preset in dict.fromkeys((row.library, row.preset) for row in published()):
        name = f"{library}/{preset}"
        # In timm, it is the name of a checkpoint without a network.
        lost = name == "timm/resnext101_32x48d"
        if (
            library in ERRORS
            and not lost
            and any(fnmatchcase(name, pattern) for pattern in patterns or ["*"])
        ):
            errors = ERRORS[library](preset)
            print(name, *(f"{error:.1e}" for error in errors if error is not None), flush=True)
            write(library, preset, errors)
            keras.backend.clear_session()


if __name__ == "__main__":
    main(sys.argv[1:])
