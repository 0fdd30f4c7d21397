"""The contenders: how each builds, compiles and loads. Libraries are imported on first use."""

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import resnet_builder

from .plan import FOLDED, MATRIX_PRODUCT, OURS, PLAIN_COMPILE, RANDOM_FIRST, Task


def plain_compile(model: Any) -> None:
    """What `compile_recipe` sets, but for the weight decay, by Keras's own `compile`."""
    import keras

    optimizer = keras.optimizers.SGD(0.1, momentum=0.9)
    model.compile(optimizer, "sparse_categorical_crossentropy", metrics=["accuracy"])


def compile_recipe(model: Any) -> None:
    """Compile by the recipe of the paper."""
    resnet_builder.compile_recipe(model, "he2015", epochs=90, steps_per_epoch=5000)


def load_keras(contender: "Contender", task: Task, file: Path) -> Any:
    """Build with random weights, then load."""
    model = contender.build(task)
    model.load_weights(file)
    return model


def load_torch(contender: "Contender", task: Task, file: Path) -> Any:
    """Build with random weights, then load."""
    from safetensors.torch import load_file

    model = contender.build(task)
    model.load_state_dict(load_file(file))
    return model


def load_ours(contender: "Contender", task: Task, file: Path) -> Any:
    """Build and load at once."""
    return resnet_builder.ResnetBuilder.from_preset(task.network, shape(task), weights=file)


def load_after_random(contender: "Contender", task: Task, file: Path) -> Any:
    """Build with random weights, then load."""
    model = contender.build(task)
    resnet_builder.load_weights(model, file)
    return model


def save_keras(model: Any, folder: Path) -> Path:
    """Write Keras's own file."""
    file = folder / "model.weights.h5"
    model.save_weights(file)
    return file


def save_torch(model: Any, folder: Path) -> Path:
    """Write safetensors."""
    from safetensors.torch import save_file

    file = folder / "model.safetensors"
    save_file(model.state_dict(), file)
    return file


def save_as_torchvision(model: Any, folder: Path) -> Path:
    """Write safetensors with torchvision's and timm's names and order of axes."""
    import numpy as np
    from safetensors.numpy import save_file

    from resnet_builder.weights.origins import ORIGINS

    arrays = {}
    for weight in model.weights:
        layer, _, variable = weight.path.rpartition("/")
        array = weight.numpy()
        if variable == "kernel":
            array = array.transpose(-1, -2, *range(array.ndim - 2))
        arrays[ORIGINS[0].tensor((layer, variable))] = np.ascontiguousarray(array)
    file = folder / "model.safetensors"
    save_file(arrays, file)
    return file


@dataclass(frozen=True, kw_only=True)
class Contender:
    """A library, or a way of using this one.

    Attributes:
        engine: a name in `engines.ENGINES`.
        modules: modules to be installed.
        build: function from a task to a model with random weights.
        compile: function that compiles a model for training (Keras).
        save: function that writes a model's weights into a folder and returns the file.
        load: function from such a file to a model.
    """

    engine: str = "keras"
    modules: tuple[str, ...] = ()
    build: Callable[[Task], Any]
    compile: Callable[[Any], None] = plain_compile
    save: Callable[[Any, Path], Path] = save_keras
    load: Callable[["Contender", Task, Path], Any] = load_keras


def shape(task: Task) -> tuple[int, int, int]:
    """The input shape."""
    return task.image, task.image, 3


def depth(task: Task) -> int:
    """The number of layers in a preset's name."""
    [number] = re.findall(r"resnet(\d+)", task.network)
    return int(number)


def build_ours(task: Task) -> Any:
    """This library's network."""
    return resnet_builder.ResnetBuilder.from_preset(task.network, shape(task), task.classes)


def build_folded(task: Task) -> Any:
    """This library's network with batch norms folded into convolutions."""
    return resnet_builder.fold_batch_norm(build_ours(task))


def build_keras_applications(task: Task) -> Any:
    """The network of keras.applications."""
    import keras

    network = getattr(keras.applications, f"ResNet{depth(task)}")
    return network(weights=None, input_shape=shape(task), classes=task.classes)


def build_keras_hub(task: Task) -> Any:
    """The network of keras-hub."""
    import keras_hub

    preset = resnet_builder.PRESETS[task.network]
    backbone = keras_hub.models.ResNetBackbone(
        input_conv_filters=[64],
        input_conv_kernel_sizes=[7],
        stackwise_num_filters=[64, 128, 256, 512],
        stackwise_num_blocks=list(preset.repetitions),
        stackwise_num_strides=[1, 2, 2, 2],
        block_type={"basic_block": "basic_block", "bottleneck": "bottleneck_block"}[
            str(preset.block)
        ],
        image_shape=shape(task),
    )
    return keras_hub.models.ResNetImageClassifier(
        backbone, num_classes=task.classes, activation="softmax"
    )


def build_article(task: Task) -> Any:
    """The article's network."""
    from . import article

    return article.build(depth(task), shape(task), task.classes)


def build_torchvision(task: Task) -> Any:
    """The network of torchvision."""
    from torchvision import models

    return getattr(models, task.network)(num_classes=task.classes)


def build_timm(task: Task) -> Any:
    """The network of timm."""
    import timm

    return timm.create_model(task.network, num_classes=task.classes)


def build_nothing(task: Task) -> None:
    """A matrix product has no model."""


_ours = Contender(
    build=build_ours, compile=compile_recipe, save=save_as_torchvision, load=load_ours
)
_torch = partial(Contender, engine="torch", save=save_torch, load=load_torch)

CONTENDERS = {
    OURS: _ours,
    PLAIN_COMPILE: replace(_ours, compile=plain_compile),
    RANDOM_FIRST: replace(_ours, load=load_after_random),
    FOLDED: replace(_ours, build=build_folded),
    "keras.applications": Contender(build=build_keras_applications),
    "keras-hub": Contender(build=build_keras_hub, modules=("keras_hub",)),
    "the article": Contender(build=build_article),
    "torchvision": _torch(build=build_torchvision, modules=("torch", "torchvision")),
    "timm": _torch(build=build_timm, modules=("torch", "timm")),
    MATRIX_PRODUCT: Contender(engine="matrix", build=build_nothing),
}

# Modules that a measure needs.
NEEDED = {"load": ("safetensors",)}


def reason_to_skip(task: Task) -> str:
    """Why a task cannot be measured; empty if it can."""
    contender = CONTENDERS.get(task.contender)
    modules = (*(contender.modules if contender else ()), *NEEDED.get(task.measure, ()))
    missing = [module for module in modules if find_spec(module) is None]
    if missing:
        return f"{' and '.join(missing)} not installed"
    if task.contender == FOLDED and "fold_batch_norm" not in resnet_builder.__all__:
        return "this version has no fold_batch_norm"
    return ""
