"""load_weights: a checkpoint into a model, all of it or nothing."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import keras

from ..common.checks import described, shortened
from ..model.network import networks_of
from ..plan.names import LayerName
from .checkpoints import open_checkpoint
from .expected import ExpectedWeights, stride_in_3x3
from .hub import download, is_repository
from .matching import Match, Problem, fitting_presets, match
from .names import WeightName
from .recognising import Recognised, recognise
from .restoring import restored_on_failure
from .values import to_weight

# How many missing, unexpected and misshapen tensors a message lists of each kind.
LISTED = 20


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
    like: the biases of its convolutions go into batch norm's means, which is exact), keras-hub,
    this package, or, by the order of the layers, the article's original under Keras 2.

    Args:
        model: a model of `ResnetBuilder`, whole or with `include_top=False` or `features=`, for
            which the checkpoint may go on behind the model's last stage. A network that is joined
            with others is loaded before.
        source: a path that ends in .safetensors, .pth, .pt, .bin (PyTorch wanted), .weights.h5,
            .h5 or .keras; a repository of the Hugging Face Hub such as `"timm/resnet18.tv_in1k"`,
            perhaps with `@` and a revision; or a dict of arrays, of NumPy, Keras or PyTorch, under
            the names of any of these. Nothing in a file is executed.
        adapt: let the checkpoint differ in the number of classes or have no classifier (it then
            stays as it is here), in the number of input channels (one: summed; others: repeated
            and rescaled, as timm does), and in where bottlenecks have their strides.

    Returns:
        What was loaded and what was adapted.

    Raises:
        TypeError: a source of another kind.
        ValueError: a broken file, values that are not finite, or a checkpoint that does not fit:
            the message lists the missing, unexpected and misshapen tensors, the first twenty of
            each, and names the presets that would fit.
        OSError: a file or repository that is not there or cannot be read or reached.
        ImportError: a package that reads such files is not installed.

        Whatever is raised, an interrupt too, the model is then as it was.

    Example:
        >>> from resnet_builder import ResnetBuilder
        >>> small = {"repetitions": (1,), "filters": 8, "input_shape": (8, 8, 3)}
        >>> model = ResnetBuilder.from_preset("resnet18", **small)
        >>> load_weights(model, "resnet18-f37072fd.pth")
        Traceback (most recent call last):
        FileNotFoundError: cannot load resnet18-f37072fd.pth: there is no such file
    """
    return load_checkpoint(model, source, adapt=adapt)[0]


def load_checkpoint(
    model: keras.Model, source: Any, *, adapt: bool
) -> tuple[WeightsReport, tuple[WeightName, ...]]:
    """`load_weights`, which also returns the names of the weights that stay as they were."""
    if not isinstance(model, keras.Model):
        raise TypeError(f"load_weights loads into a Keras model, not {described(model)}")
    if isinstance(source, str) and source == "imagenet":
        raise ValueError(
            'weights="imagenet" are of a preset: ResnetBuilder.from_preset(..., weights="imagenet")'
        )
    weights = _weights(model)
    expected = ExpectedWeights(
        {name: tuple(variable.shape) for name, (variable, _) in weights.items()},
        stride_in_3x3({name: layer.strides for name, layer in _convolutions(weights).items()}),
    )
    with open_checkpoint(download(source) if is_repository(source) else source) as checkpoint:
        found = recognise(checkpoint, expected)
        matched = match(found.origin, found.checkpoint.shapes, expected, adapt=adapt)
        if matched.problems:
            raise ValueError(_does_not_fit(matched, found, expected, model.name))
        _assign(weights, found, matched)
    report = WeightsReport(
        source=checkpoint.name,
        origin=found.origin.name,
        tensors=sum(1 + bool(assignment.bias) for assignment in matched.assignments),
        adapted=matched.adapted,
        left_random=tuple("/".join(name) for name in matched.left_random),
    )
    return report, matched.left_random


# Variables and their layers by name, without what `layer_prefix` put before it.
Weights = dict[WeightName, tuple[Any, Any]]


def _weights(model: keras.Model) -> Weights:
    networks = networks_of(model)
    if len(networks) > 1:
        prefixes = ", ".join(repr(network.prefix) for network in networks)
        raise ValueError(
            f"{model.name!r} holds {len(networks)} networks, with the prefixes {prefixes}: load "
            "into each before they are joined"
        )
    weights = {}
    for layer in model.layers:
        own = LayerName.parse(layer.name, networks[0].prefix)
        name = str(own.without_prefix) if own else layer.name
        for variable in layer.weights:
            weights[name, variable.name] = variable, layer
    return weights


def _convolutions(weights: Weights) -> dict[str, Any]:
    return {name: layer for (name, _), (_, layer) in weights.items() if hasattr(layer, "strides")}


def _assign(weights: Weights, found: Recognised, matched: Match) -> None:
    # Each tensor is read once: what is checked is what is assigned.
    targets = [(assignment, *weights[assignment.weight]) for assignment in matched.assignments]
    with restored_on_failure(variable for _, variable, _ in targets):
        for assignment, variable, layer in targets:
            value = to_weight(
                found.checkpoint,
                assignment,
                found.origin,
                dtype=variable.dtype,
                epsilon=getattr(layer, "epsilon", 0),
            )
            variable.assign(value)


def _does_not_fit(
    matched: Match, found: Recognised, expected: ExpectedWeights, model_name: str
) -> str:
    origin, shapes = found.origin, found.checkpoint.shapes
    after = f", after {found.prefix!r}" if found.prefix else ""
    lines = [
        f"cannot load {found.checkpoint.name} (named as in {origin.name}{after}) into "
        f"{model_name!r}:"
    ]
    lines += _listed(matched.problems)
    adapted = match(origin, shapes, expected, adapt=True)
    presets = fitting_presets(origin, shapes, adapt=False)
    if presets:
        lines.append(f"It fits {' or '.join(presets)}.")
    if not adapted.problems:
        lines.append(f"With adapt=True it goes in: {', '.join(adapted.adapted)}.")
    elif not presets and (presets := fitting_presets(origin, shapes, adapt=True)):
        lines.append(f"With adapt=True it fits {' or '.join(presets)}.")
    return "\n".join(lines)


def _listed(problems: Iterable[Problem]) -> Iterator[str]:
    """A line for each problem, and for those of a kind beyond `LISTED` their number."""
    of_kind: dict[str, list[str]] = {}
    for kind, words in problems:
        of_kind.setdefault(kind, []).append(f"{kind}: {shortened(words)}")
    for kind, lines in of_kind.items():
        yield from lines[:LISTED]
        if len(lines) > LISTED:
            yield f"{kind}: {len(lines) - LISTED} more"
