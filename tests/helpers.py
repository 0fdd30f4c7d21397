"""The one of each helper that tests of several files share. Importing it imports no Keras."""

import io
import os
import re
import traceback
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pytest

import resnet_builder
from resnet_builder import PRESETS, ResnetConfig

if TYPE_CHECKING:
    import h5py
    import keras

    from resnet_builder.plan.layers import Layer
    from resnet_builder.plan.network import Plan

Array = npt.NDArray[Any]

FLOAT64 = pytest.param(
    "float64",
    marks=pytest.mark.skipif(
        os.environ.get("KERAS_BACKEND") == "jax", reason="JAX has it with JAX_ENABLE_X64=1 only"
    ),
)

# Prefixes of layers' names that a pattern might take for something else: one without an underscore,
# with signs, with the name of a part, of a block, of a layer, and that begins with an underscore.
PREFIXES = (
    "left",
    "a.b-",
    "my_stage1_net_",
    "stem_net_",
    "head_",
    "stage1_block1_",
    "_1.",
    "stem_conv",
)

# Networks -----------------------------------------------------------------------------------------

SMALL: dict[str, Any] = {
    "input_shape": (16, 16, 3),
    "classes": 5,
    "repetitions": (1, 1),
    "filters": 8,
}
TINY: dict[str, Any] = SMALL | {"input_shape": (8, 8, 3), "repetitions": (1,), "filters": 4}


def small(preset: str = "resnet18", **options: Any) -> "keras.Model":
    """A network of two narrow stages of a block each, or as the options say."""
    from resnet_builder import ResnetBuilder

    changes = SMALL | options
    features = options.get("features")
    is_headless = isinstance(features, tuple | list) and "predictions" not in features
    if is_headless and "classes" not in options:
        del changes["classes"]
    return ResnetBuilder.from_preset(preset, **changes)


def tiny(**options: Any) -> "keras.Model":
    """A network of one block, for what any network shows."""
    return small(**TINY | options)


def tiny_cifar(**options: Any) -> "keras.Model":
    """A network of one block, with a stem that does not stride, for what is trained."""
    return tiny(**{"stem": "cifar", "classes": 4} | options)


def _narrow_and_shallow(config: ResnetConfig) -> ResnetConfig:
    """With at most two blocks in a stage, because the others are like the second."""
    repetitions = [min(blocks, 2) for blocks in config.repetitions]
    widths = config.widths and tuple(stage[:2] for stage in config.widths)
    if isinstance(config.filters, int):
        filters, group_width = min(config.filters, 64), config.group_width
    else:
        repetitions, filters = [2] * len(repetitions), 64
        group_width = 8 if isinstance(config.group_width, int) else config.group_width
    return config.replace(
        repetitions=repetitions, widths=widths, filters=filters, group_width=group_width
    )


# For each kind of network, a narrow and shallow one, and the first preset of that kind.
KINDS: dict[ResnetConfig, str] = {}
for _name, _config in PRESETS.items():
    KINDS.setdefault(_narrow_and_shallow(_config), _name)

# The presets that differ by more than depth and width.
DIFFERENT = tuple(KINDS.values())


def cases(presets: Iterable[str] = PRESETS) -> list[Any]:
    """Presets to parametrize a test with; those that are like another in `DIFFERENT` are slow."""
    return [
        pytest.param(name, marks=[] if name in DIFFERENT else pytest.mark.slow) for name in presets
    ]


# One preset of each kind of block, order of norm and activation, and stem.
KINDS_OF_BLOCK = (
    *("resnet18", "resnet50", "resnetv2_50", "keras_resnet18", "resnet20_cifar"),
    *("seresnet50", "resnest50d", "skresnet18", "res2net50_26w_4s", "regnety_002"),
)


def randomised(model: "keras.Model") -> "keras.Model":
    """The model with random weights throughout, batch-norm statistics included."""
    rng = np.random.Generator(np.random.PCG64(0))
    values = []
    for weight in model.weights:
        if weight.name == "kernel":
            fan_in = np.prod(weight.shape[:-1])
            values.append(rng.standard_normal(weight.shape) * fan_in**-0.5)
        elif weight.name in ("gamma", "moving_variance"):
            values.append(rng.uniform(0.5, 1.5, weight.shape))
        else:
            values.append(0.1 * rng.standard_normal(weight.shape))
    model.set_weights(values)
    return model


def image_batch(*shape: int) -> npt.NDArray[np.float32]:
    """Standard normal numbers, the same for a shape every time."""
    numbers = np.random.Generator(np.random.PCG64(0)).standard_normal(shape)
    return numbers.astype("float32")


# Comparisons --------------------------------------------------------------------------------------


def trainable_parameters(model: "keras.Model") -> int:
    return sum(int(np.prod(weight.shape)) for weight in model.trainable_weights)


def assert_same_weights(model: "keras.Model", other: "keras.Model | list[Array]") -> None:
    """Bit by bit, as in another model or as `get_weights` gave them."""
    expected = other if isinstance(other, list) else other.get_weights()
    for ours, theirs in zip(model.get_weights(), expected, strict=True):
        np.testing.assert_array_equal(ours, theirs)


def relative_error(ours: Array, theirs: Array) -> float:
    """Judged by the largest answer: max |ours - theirs| / max |theirs|."""
    return float(np.abs(ours - theirs).max() / np.abs(theirs).max())


def _in_keras_order(plan: "Plan") -> "list[Layer]":
    """The layers as Keras lists them: by their distance from the output, shortcuts first."""
    layers = list(plan.layers)
    distance = {layer.name: 0 for layer in layers}
    for layer in reversed(layers):
        for source in layer.inputs:
            distance[source] = max(distance[source], distance[layer.name] + 1)
    visited: dict[str, None] = {}
    named = {layer.name: layer for layer in layers}
    ways = [layers[-1].name]
    while ways:
        name = ways.pop()
        if name not in visited:
            visited[name] = None
            ways += reversed(named[name].inputs)
    order = list(visited)
    return sorted(layers, key=lambda layer: (-distance[layer.name], order.index(layer.name)))


def assert_built_as_planned(plan: "Plan", model: "keras.Model") -> None:
    """Names, their order, shapes of outputs, and names and shapes of weights."""
    described = [
        (layer.name, layer.output_shape, list(layer.weights.items()))
        for layer in _in_keras_order(plan)
    ]
    built = [
        (
            layer.name,
            tuple(layer.output.shape[1:]),
            [(weight.name, tuple(weight.shape)) for weight in layer.weights],
        )
        for layer in model.layers
    ]
    assert built == described


def assert_named(error: Exception, given: Iterable[str]) -> None:
    """The refusal is raised by this package, and names what was given."""
    package, raised = (
        Path(resnet_builder.__file__).parent,
        traceback.extract_tb(error.__traceback__),
    )
    assert Path(raised[-1].filename).is_relative_to(package), raised[-1]
    assert set(re.findall(r"\w+", str(error))) & set(given), str(error)


def png_size(png: bytes) -> tuple[int, int]:
    """(width, height) in pixels of a PNG that can be decoded."""
    from PIL import Image

    with Image.open(io.BytesIO(png), formats=["PNG"]) as image:
        image.load()
        return image.size


def without_layer_names(file: "h5py.File") -> None:
    """Make a file one of Keras before 3.6, which wrote the same without this attribute."""

    def forget(_: str, item: "h5py.Group | h5py.Dataset") -> None:
        item.attrs.pop("name", None)

    file.visititems(forget)
