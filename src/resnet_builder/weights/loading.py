"""load_weights: load a checkpoint into a model, completely or not at all."""

from collections.abc import Iterable, Iterator
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any

import keras

from ..common.checks import described, shortened
from ..model.network import networks_of
from ..plan.names import LayerName
from .expected import ExpectedWeights, stride_in_3x3
from .hub import download, is_repository
from .matching import Match, Problem, fitting_presets, match
from .names import HEAD, WeightName
from .recognising import Recognised, recognise
from .restoring import restored_on_failure
from .sources import open_checkpoint
from .values import to_weight

# Maximum number of missing, unexpected and misshapen tensors in a message, of each kind.
LISTED = 20


@dataclass(frozen=True)
class WeightsReport:
    """The result of loading a checkpoint.

    Attributes:
        source: the file, or `"the dict"`.
        origin: the library that the checkpoint's names are from.
        tensors: number of tensors loaded into the model.
        adapted: adaptations of the checkpoint, in words; empty if there were none.
        left_random: names of the weights that were not loaded.

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
    """Load a checkpoint into a model of this package, completely or not at all.

    The origin is recognised by the names in the checkpoint: torchvision, timm (ResNet, D, SE,
    ResNeXt, wide, ResNetV2), keras.applications' ResNet50, 101 and 152 (into `resnet50_v1` and the
    other `_v1` presets: the biases of the convolutions are folded exactly into batch norm's means),
    keras-hub, this package, or, by the order of the layers, the article's original under Keras 2.

    Args:
        model: a model of `ResnetBuilder`. If it has `include_top=False` or `features=`, the
            checkpoint may have further weights after the model's last stage. To join several
            networks in one model, load each of them first.
        source: a file: safetensors, PyTorch's (if PyTorch is installed), or .weights.h5, .h5 or
            .keras, recognised by its content; a folder with a model.safetensors or a
            pytorch_model.bin, or a preset of keras-hub; a repository of the Hugging Face Hub such
            as `"timm/resnet18.tv_in1k"`, optionally with `@` and a revision; or a dict of NumPy,
            Keras or PyTorch arrays under the names of any of these. Nothing in a file is executed.
        adapt: whether the checkpoint may differ in the number of classes or have no classifier (the
            model's classifier is then left as it is), and in the number of input channels (one:
            summed; others: repeated and rescaled, as in timm).

    Returns:
        A report of the loaded tensors and the adaptations.

    Raises:
        TypeError: a source of another type.
        ValueError: a broken file, a file of unknown content, values that are not finite, or a
            checkpoint that does not fit: the message lists the missing, unexpected and misshapen
            tensors, the first twenty of each, and the presets that would fit.
        OSError: a file, folder or repository that does not exist or cannot be read or reached.
        ImportError: the package that reads such files is not installed.

        After any error, including an interrupt, the model is unchanged.

    Example:
        >>> from resnet_builder import ResnetBuilder
        >>> small = {"repetitions": (1,), "filters": 8, "input_shape": (8, 8, 3)}
        >>> model = ResnetBuilder.from_preset("resnet18", **small)
        >>> load_weights(model, "resnet18-f37072fd.pth")
        Traceback (most recent call last):
        FileNotFoundError: cannot load 'resnet18-f37072fd.pth': there is no such file or folder
    """
    return load_checkpoint(model, source, adapt=adapt)[0]


def load_checkpoint(
    model: keras.Model,
    source: Any,
    *,
    adapt: bool,
    adapt_argument: str = "adapt",
    restore: bool = True,
) -> tuple[WeightsReport, tuple[WeightName, ...]]:
    """Load as `load_weights` does; also return the names of the weights that were not loaded.

    Args:
        adapt_argument: name of the caller's argument for `adapt`, for messages.
        restore: whether to restore the model after an error; if not, loading is quicker.
    """
    if not isinstance(model, keras.Model):
        raise TypeError(f"load_weights loads into a Keras model, not {described(model)}")
    if isinstance(source, str) and source == "imagenet":
        raise ValueError(
            'weights="imagenet" needs a preset: ResnetBuilder.from_preset(..., weights="imagenet")'
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
            raise ValueError(_does_not_fit(matched, found, expected, model.name, adapt_argument))
        _assign(weights, found, matched, restore=restore)
    report = WeightsReport(
        source=checkpoint.name,
        origin=found.origin.name,
        tensors=sum(1 + bool(assignment.bias) for assignment in matched.assignments),
        adapted=matched.adapted,
        left_random=tuple("/".join(name) for name in matched.left_random),
    )
    return report, matched.left_random


# Variables and their layers by name without the `layer_prefix`.
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
            weights[name, _variable_name(variable, layer)] = variable, layer
    return weights


def _variable_name(variable: Any, layer: Any) -> str:
    """The variable's name in the layer: `kernel`, or `query/kernel` in a layer inside the layer."""
    _, of_layer, inside = f"/{variable.path}".partition(f"/{layer.name}/")
    return inside if of_layer else str(variable.name)


def _convolutions(weights: Weights) -> dict[str, Any]:
    return {name: layer for (name, _), (_, layer) in weights.items() if hasattr(layer, "strides")}


def _assign(weights: Weights, found: Recognised, matched: Match, *, restore: bool) -> None:
    # Each tensor is read once, so that the checked values are the assigned values.
    targets = [(assignment, *weights[assignment.weight]) for assignment in matched.assignments]
    variables = (variable for _, variable, _ in targets)
    with restored_on_failure(variables) if restore else nullcontext():
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
    matched: Match,
    found: Recognised,
    expected: ExpectedWeights,
    model_name: str,
    adapt_argument: str,
) -> str:
    origin, shapes = found.origin, found.checkpoint.shapes
    after = f", after {found.prefix!r}" if found.prefix else ""
    lines = [
        f"cannot load {found.checkpoint.name} (named as in {origin.name}{after}) into "
        f"{model_name!r}:"
    ]
    lines += _listed(matched.problems)
    if (HEAD, "kernel") in expected.shapes and found.checkpoint.without_head:
        lines.append(found.checkpoint.without_head)
    adapted = match(origin, shapes, expected, adapt=True)
    presets = fitting_presets(origin, shapes, adapt=False)
    if presets:
        lines.append(f"It fits {' or '.join(presets)}.")
    if not adapted.problems:
        lines.append(f"With {adapt_argument}=True it fits: {', '.join(adapted.adapted)}.")
    elif not presets and (presets := fitting_presets(origin, shapes, adapt=True)):
        lines.append(f"With {adapt_argument}=True it fits {' or '.join(presets)}.")
    return "\n".join(lines)


def _listed(problems: Iterable[Problem]) -> Iterator[str]:
    """A line for each problem, and the number of those of a kind beyond `LISTED`."""
    of_kind: dict[str, list[str]] = {}
    for kind, words in problems:
        of_kind.setdefault(kind, []).append(f"{kind}: {shortened(words)}")
    for kind, lines in of_kind.items():
        yield from lines[:LISTED]
        if len(lines) > LISTED:
            yield f"{kind}: {len(lines) - LISTED} more"
