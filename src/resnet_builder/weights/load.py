"""load_weights: load a checkpoint into a model, completely or not at all."""

import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from typing import Any, Literal

import keras
import numpy as np

from ..common.checks import choice, described, fraction
from ..files.checkpoint import Checkpoint
from ..files.keras_files import IN_MEMORY_BYTES
from ..files.opening import opened
from ..model.graph import model_graph
from ..model.locate import NetworkLayers, networks_of
from ..model.record import BUILD_RECORDS
from ..plan.names import LayerName
from .choosing import Rename, new_names, patterns
from .expected import STEM_POOL_PAD, ExpectedWeights, is_original, norms_after, stride_in_3x3
from .match import Match, Problem, does_not_fit, match
from .naming import KERAS, WeightName
from .recognise import BY_CONNECTIONS, Recognised, recognise
from .report import WeightsReport
from .settings import GraphComparison, Weights, by_connections, by_names, with_settings
from .tensors import to_weight


def load_weights(
    model: keras.Model,
    source: Any,
    *,
    adapt: bool = False,
    skip: str | Sequence[str] = (),
    rename: Rename = None,
    missing: Literal["refuse", "keep"] = "refuse",
    epsilon: float | None = None,
) -> WeightsReport:
    """Load a checkpoint into a model of this package, completely or not at all.

    The origin is recognised by the names in the checkpoint: torchvision, timm (ResNet, D, SE,
    ResNeXt, wide, ResNetV2), keras.applications' ResNet50, 101 and 152 (into `resnet50_v1` and the
    other `_v1` presets: the biases of the convolutions are folded exactly into batch norm's means),
    keras-hub, this package, or, by the order of the layers, the article's original under Keras 2.
    The names may all have a prefix, such as `module.`. Layers with the names that Keras gives are
    identified by their connections, where the file describes them.

    A .keras, a .h5 of a whole model and a Keras model describe their layers. The description is
    compared with the model, and every difference other than batch norm's epsilon is refused. A
    .weights.h5 and a dict have no description; the report notes it.

    A model with `include_top=False` or `features=` also loads from a larger network around a
    residual one: from detectors and segmentation networks (`backbone.` or `backbone.body.` before
    the names), self-supervised networks (MoCo, DINO, SimCLR, SwAV), or networks with a head of
    their own. What lies after the model's last stage or beside the network is left, and named in
    the report; so are an optimizer's state and other tensors of training, for every model. Biases
    of convolutions that a batch norm follows are folded exactly into its mean. Dilation is not in a
    checkpoint: torchvision's DeepLab and FCN want a model with `output_stride=8`.

    After any error, including an interrupt, the model is unchanged.

    Args:
        model: a model of `ResnetBuilder`. To join several networks in one model, load each of them
            first.
        source: a file: safetensors, PyTorch's (if PyTorch is installed), or .weights.h5, .h5 or
            .keras, recognised by its content; a folder with a model.safetensors or a
            pytorch_model.bin, or a preset of keras-hub; a name of `list_weights()` such as
            `"resnet18.tv_in1k"`; a repository of the Hugging Face Hub such as
            `"timm/resnet18.tv_in1k"`, optionally with `@` and a revision; or a dict of NumPy, Keras
            or PyTorch arrays under the names of any of these; or a Keras model. Nothing in a file
            is executed.
        adapt: whether the checkpoint may differ in the number of classes or have no classifier (the
            model's classifier is then left as it is), and in the number of input channels (one:
            summed; others: repeated and rescaled, as in timm). Other heads are left.
        skip: patterns of names of the checkpoint's tensors to leave, such as `"head.*"`. `*` stands
            for any text. Of several networks in a checkpoint, skip all but one.
        rename: what the checkpoint's names become, after `skip`: a dict of names, or of their first
            parts, such as `{"head.fc": "fc"}` (the longest applies), or a function of a name that
            returns another, or None to keep it.
        missing: `"refuse"`, or `"keep"` to leave weights as they are that the checkpoint lacks. The
            paths between the layers are then not compared.
        epsilon: epsilon of the checkpoint's batch norms: the model's are adapted exactly. Default:
            the file's own, or the usual one of the origin. torchvision's COCO_V1 detectors have 0
            (torchvision/models/detection/faster_rcnn.py).

    Returns:
        A report of the loaded tensors, the adaptations, and the unused tensors.

    Raises:
        TypeError: a source of another type.
        ValueError: a broken file, a file of unknown content, values that are not finite, a pattern
            or a name that matches nothing, or a checkpoint that does not fit: the message lists the
            missing, unexpected and misshapen tensors, the first twenty of each, and the presets
            that would fit.
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
        - it does not say what its layers compute (activation, padding, strides, epsilon, ...)
    """
    options: Any = {"skip": skip, "rename": rename, "missing": missing, "epsilon": epsilon}
    return load_checkpoint(model, source, adapt=adapt, **options)[0]


def load_checkpoint(
    model: keras.Model,
    source: Any,
    *,
    adapt: bool,
    adapt_argument: str = "adapt",
    skip: str | Sequence[str] = (),
    rename: Rename = None,
    missing: str = "refuse",
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
    skipped = patterns(skip)
    keep = choice(missing, ("refuse", "keep"), "missing") == "keep"
    of_file = None if epsilon is None else fraction(epsilon, "epsilon")
    prefix = _network_of(model).prefix
    weights = _weights_by_name(model, prefix)
    expected = _expected(model, prefix, weights)
    with opened(source) as whole:
        taken = whole.skipping(skipped)
        in_file = new_names(taken, rename)
        given = {new for new, old in in_file.items() if new != old}
        found = recognise(taken.renamed(in_file), expected, given)
        compared = None
        if found.origin is BY_CONNECTIONS:
            found, compared = by_connections(model, prefix, found, weights)
        if of_file is not None:
            found = replace(found, origin=replace(found.origin, epsilon=of_file))
        matched = match(found, expected, adapt=adapt, keep=keep)
        if taken.settings and found.origin.layout is KERAS:
            compared = compared or by_names(model, prefix, found, weights, matched, paths=not keep)
            if compared:
                matched = with_settings(matched, found, weights, compared, of_file)
        if not matched.assignments and not matched.problems:
            nothing = Problem("missing", "every weight of the network")
            matched = replace(matched, problems=(nothing,))
        if matched.problems:
            message = does_not_fit(matched, found, expected, model.name, adapt_argument)
            raise ValueError(message)
        skipped_names = (name for name in whole.shapes if name not in taken.shapes)
        unused = (*(in_file[name] for name in matched.unused), *skipped_names, *whole.others)
        _check_nothing_is_lost(whole, found, matched, in_file, unused)
        _assign(weights, found, matched, restore=restore)
    report = WeightsReport(
        source=whole.name,
        origin=found.origin.name,
        tensors=sum(1 + bool(assignment.bias) for assignment in matched.assignments),
        adapted=matched.adapted,
        left_random=tuple("/".join(name) for name in matched.left_random),
        unused=unused,
        prefix=found.prefix,
        notes=tuple(_notes(found, matched, compared, epsilon)),
    )
    return report, matched.left_random


def _network_of(model: keras.Model) -> NetworkLayers:
    networks = networks_of(model)
    if len(networks) > 1:
        prefixes = ", ".join(repr(network.prefix) for network in networks)
        raise ValueError(
            f"{model.name!r} holds {len(networks)} networks, with the prefixes {prefixes}: load "
            "into each before they are joined"
        )
    return networks[0]


def _weights_by_name(model: keras.Model, prefix: str) -> Weights:
    return {
        (_own_name(layer, prefix), _variable_name(variable, layer)): (variable, layer)
        for layer in model.layers
        for variable in layer.weights
    }


def _variable_name(variable: Any, layer: Any) -> str:
    """The variable's name in the layer: `kernel`, or `query/kernel` in a layer inside the layer."""
    _, of_layer, inside = f"/{variable.path}".partition(f"/{layer.name}/")
    return inside if of_layer else str(variable.name)


def _own_name(layer: Any, prefix: str) -> str:
    own = LayerName.parse(layer.name, prefix)
    return str(own.without_prefix) if own else str(layer.name)


def _expected(model: keras.Model, prefix: str, weights: Weights) -> ExpectedWeights:
    strides = {name: layer.strides for name, layer in _convolutions(weights).items()}
    graph = model_graph(model)
    names = [_own_name(node.layer, prefix) for node in graph]
    inputs = [
        (name, names[source])
        for name, node in zip(names, graph, strict=True)
        for source in node.inputs
    ]
    norms = {
        name
        for (name, _), (_, layer) in weights.items()
        if isinstance(layer, keras.layers.BatchNormalization)
    }
    record = BUILD_RECORDS.get(model)
    return ExpectedWeights(
        {name: tuple(variable.shape) for name, (variable, _) in weights.items()},
        stride_in_3x3(strides),
        STEM_POOL_PAD in names,
        norms_after(inputs, strides, norms),
        record is not None and is_original(record.config),
    )


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


def _check_nothing_is_lost(
    whole: Checkpoint,
    found: Recognised,
    matched: Match,
    in_file: Mapping[str, str],
    unused: Iterable[str],
) -> None:
    """Every tensor of a file is loaded, reported or ignored; if not, this package is at fault."""
    read = {tensor for of in matched.assignments for tensor in (of.tensor, of.bias) if tensor}
    known = {in_file[found.names[tensor]] for tensor in read}.union(unused)
    lost = [name for name in whole.shapes.keys() - known if not found.origin.is_ignored(name)]
    if lost:
        raise AssertionError(f"neither loaded nor reported, of {whole.name}: {sorted(lost)[:5]}")


def _notes(
    found: Recognised, matched: Match, compared: GraphComparison | None, epsilon: float | None
) -> Iterator[str]:
    if epsilon is None and _is_frozen_detector(found):
        yield EPSILON_OF_DETECTORS
    if found.origin.is_own and not compared:
        yield NO_SETTINGS
    if compared and compared.before:
        yield f"the file's network is given the output of {', '.join(compared.before)}"
    yield from compared.notes if compared else ()
    for layer in matched.classifiers if matched.left_random else ():
        yield f"its {layer.layer}, of {layer.classes} classes, may be the classifier: see rename="


NO_SETTINGS = "it does not say what its layers compute (activation, padding, strides, epsilon, ...)"


# torchvision/models/detection/_utils.py, overwrite_eps.
EPSILON_OF_DETECTORS = (
    "the names are those of a detector of torchvision with frozen batch norm: if it is a COCO_V1, "
    "or was fine-tuned from one, its epsilon is 0: load it with epsilon=0"
)


def _is_frozen_detector(found: Recognised) -> bool:
    counts = any(name.endswith(".num_batches_tracked") for name in found.checkpoint.shapes)
    return found.prefix.endswith("backbone.body.") and not counts


@contextmanager
def restored_on_failure(variables: Iterable[Any]) -> Iterator[None]:
    """Restore the current values of variables if the `with` block raises, even an interrupt.

    The values are kept on disk, because a second copy of a network may not fit in memory.
    """
    with tempfile.SpooledTemporaryFile(IN_MEMORY_BYTES) as file:
        kept = []
        for variable in variables:
            value = variable.numpy()
            file.write(value.tobytes())
            kept.append((variable, value.dtype, value.shape))
            del value
        file.flush()
        try:
            yield
        except BaseException:
            file.seek(0)
            for variable, dtype, shape in kept:
                content = file.read(int(np.prod(shape)) * dtype.itemsize)
                variable.assign(np.frombuffer(content, dtype).reshape(shape))
            raise
