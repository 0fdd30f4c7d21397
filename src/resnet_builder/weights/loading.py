"""load_weights: load a checkpoint into a model, completely or not at all."""

from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import replace
from typing import Any

import keras

from ..common.checks import described, fraction
from ..model.network import networks_of
from ..plan.names import LayerName
from .expected import STEM_POOL_PAD, ExpectedWeights, stride_in_3x3
from .fetching import opened
from .matching import Match, Problem, match
from .names import WeightName
from .recognising import Recognised, recognise
from .refusing import does_not_fit
from .report import WeightsReport
from .restoring import restored_on_failure
from .settings import other_settings
from .values import to_weight


def load_weights(
    model: keras.Model,
    source: Any,
    *,
    adapt: bool = False,
    skip: str | Sequence[str] = (),
    epsilon: float | None = None,
) -> WeightsReport:
    """Load a checkpoint into a model of this package, completely or not at all.

    The origin is recognised by the names in the checkpoint: torchvision, timm (ResNet, D, SE,
    ResNeXt, wide, ResNetV2), keras.applications' ResNet50, 101 and 152 (into `resnet50_v1` and the
    other `_v1` presets: the biases of the convolutions are folded exactly into batch norm's means),
    keras-hub, this package, or, by the order of the layers, the article's original under Keras 2.
    The names may all have a prefix, such as `module.`.

    A model with `include_top=False` or `features=` also loads from a larger network around a
    residual one: from detectors and segmentation networks (`backbone.` or `backbone.body.` before
    the names), self-supervised networks (MoCo, DINO, SimCLR, SwAV), or networks with a head of
    their own. What lies after the model's last stage or beside the network is left, and named in
    the report. Dilation is not in a checkpoint: torchvision's DeepLab and FCN want a model with
    `output_stride=8`.

    After any error, including an interrupt, the model is unchanged.

    Args:
        model: a model of `ResnetBuilder`. To join several networks in one model, load each of them
            first.
        source: a file: safetensors, PyTorch's (if PyTorch is installed), or .weights.h5, .h5 or
            .keras, recognised by its content; a folder with a model.safetensors or a
            pytorch_model.bin, or a preset of keras-hub; a name of `list_weights()` such as
            `"resnet18.tv_in1k"`; a repository of the Hugging Face Hub such as
            `"timm/resnet18.tv_in1k"`, optionally with `@` and a revision; or a dict of NumPy, Keras
            or PyTorch arrays under the names of any of these. Nothing in a file is executed.
        adapt: whether the checkpoint may differ in the number of classes or have no classifier (the
            model's classifier is then left as it is), and in the number of input channels (one:
            summed; others: repeated and rescaled, as in timm).
        skip: patterns of names of the checkpoint's tensors to leave, such as `"head.*"`. `*` stands
            for any text. Of several networks in a checkpoint, skip all but one.
        epsilon: epsilon of the checkpoint's batch norms: the model's are adapted exactly. Default:
            that of the origin's classifiers. torchvision's COCO_V1 detectors have 0
            (torchvision/models/detection/faster_rcnn.py).

    Returns:
        A report of the loaded tensors, the adaptations, and the unused tensors.

    Raises:
        TypeError: a source of another type.
        ValueError: a broken file, a file of unknown content, values that are not finite, a pattern
            that matches nothing, or a checkpoint that does not fit: the message lists the missing,
            unexpected and misshapen tensors, the first twenty of each, and the presets that would
            fit.
        OSError: a file, folder or repository that does not exist or cannot be read or reached.
        ImportError: the package that reads such files is not installed.

    Example:
        >>> from resnet_builder import ResnetBuilder
        >>> small = {"repetitions": (1,), "filters": 8, "input_shape": (8, 8, 3)}
        >>> model = ResnetBuilder.from_preset("resnet18", include_top=False, **small)
        >>> arrays = {f"encoder/{weight.path}": weight for weight in model.weights}
        >>> head = {"decoder/kernel": model.weights[0], "decoder/bias": model.weights[1]}
        >>> print(load_weights(model, arrays | head))
        15 tensors from the dict, named as in resnet_builder
        - unused: 2 tensors of decoder
    """
    return load_checkpoint(model, source, adapt=adapt, skip=skip, epsilon=epsilon)[0]


def load_checkpoint(
    model: keras.Model,
    source: Any,
    *,
    adapt: bool,
    adapt_argument: str = "adapt",
    skip: str | Sequence[str] = (),
    epsilon: float | None = None,
    restore: bool = True,
) -> tuple[WeightsReport, tuple[WeightName, ...]]:
    """Load as `load_weights` does; also return the names of the weights that were not loaded.

    Args:
        source: as for `load_weights`, or an opened checkpoint.
        adapt_argument: name of the caller's argument for `adapt`, for messages.
        restore: whether to restore the model after an error; if not, loading is quicker.
    """
    if not isinstance(model, keras.Model):
        raise TypeError(f"load_weights loads into a Keras model, not {described(model)}")
    if isinstance(source, str) and source == "imagenet":
        raise ValueError(
            'weights="imagenet" needs a preset: ResnetBuilder.from_preset(..., weights="imagenet")'
        )
    weights = _weights_by_name(model)
    expected = ExpectedWeights(
        {name: tuple(variable.shape) for name, (variable, _) in weights.items()},
        stride_in_3x3({name: layer.strides for name, layer in _convolutions(weights).items()}),
        any(layer.name.endswith(STEM_POOL_PAD) for layer in model.layers),
    )
    with opened(source) as whole:
        checkpoint = whole.skipping(_patterns(skip))
        found = recognise(checkpoint, expected)
        if epsilon is not None:
            of_file = fraction(epsilon, "epsilon")
            found = replace(found, origin=replace(found.origin, epsilon=of_file))
        matched = match(found, expected, adapt=adapt)
        if found.origin.is_own and whole.settings:
            prefix = networks_of(model)[0].prefix
            others = other_settings(model, prefix, whole.settings, found.prefix)
            problems = (Problem("setting", words) for words in others)
            matched = replace(matched, problems=(*matched.problems, *problems))
        if matched.problems:
            message = does_not_fit(matched, found, expected, model.name, adapt_argument)
            raise ValueError(message)
        _assign(weights, found, matched, restore=restore)
    skipped = (name for name in whole.shapes if name not in checkpoint.shapes)
    report = WeightsReport(
        source=checkpoint.name,
        origin=found.origin.name,
        tensors=sum(1 + bool(assignment.bias) for assignment in matched.assignments),
        adapted=matched.adapted,
        left_random=tuple("/".join(name) for name in matched.left_random),
        unused=(*matched.unused, *skipped, *whole.others),
        prefix=found.prefix,
        notes=(EPSILON_OF_DETECTORS,) if epsilon is None and _is_frozen_detector(found) else (),
    )
    return report, matched.left_random


def _patterns(skip: Any) -> tuple[str, ...]:
    patterns = (skip,) if isinstance(skip, str) else tuple(skip)
    for pattern in patterns:
        if not isinstance(pattern, str):
            raise TypeError(
                f"skip takes patterns of names, such as 'head.*', not {described(pattern)}"
            )
    return patterns


# Variables and their layers by name without the `layer_prefix`.
Weights = dict[WeightName, tuple[Any, Any]]


def _weights_by_name(model: keras.Model) -> Weights:
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


# torchvision/models/detection/_utils.py, overwrite_eps.
EPSILON_OF_DETECTORS = (
    "the names are those of a detector of torchvision with frozen batch norm: if it is a COCO_V1, "
    "or was fine-tuned from one, its epsilon is 0: load it with epsilon=0"
)


def _is_frozen_detector(found: Recognised) -> bool:
    counts = any(name.endswith(".num_batches_tracked") for name in found.checkpoint.shapes)
    return found.prefix.endswith("backbone.body.") and not counts
