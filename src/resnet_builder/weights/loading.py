"""load_weights: a checkpoint into a model, all of it or nothing."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import keras

from .checkpoints import Checkpoint, opened
from .hub import download, is_repository
from .matching import HEAD, Match, Matching, fitting_presets, match, value
from .origins import ORIGINS, Origin, WeightName, find_origin

OUR_LAYER = re.compile(r"(?:.*?)((?:stem|stage\d+_block\d+|head)_.*|predictions)")


@dataclass(frozen=True)
class WeightsReport:
    """What was loaded.

    Attributes:
        source: the file, or `"the dict"`.
        origin: whose names the checkpoint has.
        tensors: how many went into the model.
        adapted: what was done to make it fit, in words; empty where nothing was.
        left_random: weights that stay as they were.

    Example:
        >>> from resnet_builder import ResnetBuilder, load_weights
        >>> small = {"repetitions": (1,), "filters": 8, "input_shape": (8, 8, 3)}
        >>> trained = ResnetBuilder.from_preset("resnet18", **small)
        >>> arrays = {f"{w.path}": w.numpy() for w in trained.weights}
        >>> print(load_weights(ResnetBuilder.from_preset("resnet18", **small), arrays))
        17 tensors from the dict, named as in resnet_builder
    """

    source: str
    origin: str
    tensors: int
    adapted: tuple[str, ...] = ()
    left_random: tuple[str, ...] = ()

    def __str__(self) -> str:
        first = f"{self.tensors} tensors from {self.source}, named as in {self.origin}"
        return "\n".join([first, *(f"- {line}" for line in self.adapted)])


def load_weights(model: keras.Model, source: Any, *, adapt: bool = False) -> WeightsReport:
    """Load a checkpoint into a model that was built here, all of it or nothing.

    The origin is recognised by the names in the checkpoint: torchvision, timm (ResNet, D, SE,
    ResNeXt, wide, ResNetV2), keras.applications' ResNet50, 101 and 152 (into `resnet50_v1` and its
    like: the biases of its convolutions go into batch norm's means, which is exact), keras-hub, or
    this package.

    Args:
        model: a model of `ResnetBuilder`.
        source: a path that ends in .safetensors, .pth, .pt, .bin (PyTorch wanted), .weights.h5,
            .h5 or .keras; a repository of the Hugging Face Hub such as `"timm/resnet18.tv_in1k"`,
            perhaps with `@` and a revision; or a dict of arrays. Nothing in a file is executed.
        adapt: let the checkpoint differ in the number of classes (the classifier then stays as it
            is) and of input channels (one: summed; others: repeated and rescaled, as timm does).

    Returns:
        What was loaded and what was adapted.

    Raises:
        TypeError: a source of another kind.
        ValueError: a broken file, values that are not finite, or a checkpoint that does not fit:
            the message lists every missing, unexpected and misshapen tensor and names the presets
            that would fit. The model is then as it was.
        OSError: a file or repository that is not there or cannot be read or reached.
        ImportError: a package that reads such files is not installed.

    Example:
        >>> from resnet_builder import ResnetBuilder
        >>> small = {"repetitions": (1,), "filters": 8, "input_shape": (8, 8, 3)}
        >>> model = ResnetBuilder.from_preset("resnet18", **small)
        >>> load_weights(model, "resnet18-f37072fd.pth")
        Traceback (most recent call last):
        FileNotFoundError: cannot load resnet18-f37072fd.pth: there is no such file
    """
    if not isinstance(model, keras.Model):
        raise TypeError(f"load_weights loads into a Keras model, not {model!r}")
    return load(model, source, adapt=adapt)


def load(
    model: keras.Model,
    source: Any,
    *,
    adapt: bool,
    known: Iterable[WeightName] = ((HEAD, "kernel"), (HEAD, "bias")),
) -> WeightsReport:
    """`load_weights`, where a checkpoint may also have what is `known` and not in the model."""
    if isinstance(source, str) and source == "imagenet":
        raise ValueError(
            'weights="imagenet" are of a preset: ResnetBuilder.from_preset(..., weights="imagenet")'
        )
    weights = _weights(model)
    with opened(download(source) if is_repository(source) else source) as checkpoint:
        origin = find_origin(checkpoint.shapes)
        if origin is None:
            raise ValueError(_no_origin(checkpoint))
        shapes = {name: tuple(variable.shape) for name, (variable, _) in weights.items()}
        unused = {origin.tensor(name) for name in known} - {origin.tensor(name) for name in shapes}
        wanted = {n: shape for n, shape in checkpoint.shapes.items() if n not in unused}
        found = match(origin, shapes, wanted, adapt=adapt)
        if found.problems:
            raise ValueError(_does_not_fit(found, checkpoint, origin, model, adapt))
        # Everything is read once before anything is changed.
        for one in found.matches:
            value(checkpoint, found, one, origin)
        for one in found.matches:
            variable, layer = weights[one.weight]
            array = value(checkpoint, found, one, origin)
            variable.assign(_with_epsilon(array, one, layer, origin))
        return WeightsReport(
            source=checkpoint.name,
            origin=origin.name,
            tensors=len(found.matches) + len(found.biases),
            adapted=tuple(found.adapted),
            left_random=tuple("/".join(name) for name in found.left_random),
        )


def _with_epsilon(array: Any, match: Match, layer: Any, origin: Origin) -> Any:
    """A variance that with our epsilon gives what it gives with the origin's."""
    if match.weight[1] != "moving_variance" or origin.epsilon is None:
        return array
    return array + (origin.epsilon - layer.epsilon)


def _weights(model: keras.Model) -> dict[WeightName, tuple[Any, Any]]:
    """Variables and layers by name, without what `layer_prefix` put before it."""
    weights = {}
    for layer in model.layers:
        found = OUR_LAYER.fullmatch(layer.name)
        for variable in layer.weights:
            name = found[1] if found else layer.name
            weights[name, variable.name] = variable, layer
    return weights


def _no_origin(checkpoint: Checkpoint) -> str:
    names = ", ".join(list(checkpoint.shapes)[:5]) or "nothing"
    known = "; ".join(origin.name for origin in ORIGINS)
    return (
        f"cannot load {checkpoint.name}: nothing in it tells whose network it is. It has {names}, "
        f"...; known are the names of: {known}"
    )


def _does_not_fit(
    found: Matching, checkpoint: Checkpoint, origin: Origin, model: keras.Model, adapt: bool
) -> str:
    lines = [f"cannot load {checkpoint.name} (named as in {origin.name}) into {model.name!r}:"]
    lines += found.problems
    presets = fitting_presets(origin, checkpoint.shapes)
    if presets:
        lines.append(f"It fits {' or '.join(presets)}.")
    if not adapt:
        lines.append("Another number of classes or input channels is taken with adapt=True.")
    return "\n".join(lines)
