"""load_weights: load a checkpoint into a model, completely or not at all."""

import tempfile
from collections.abc import Iterable, Iterator, Sequence, Set
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, replace
from typing import Any, Literal

import keras
import numpy as np

from ..common.checks import choice, fraction
from ..files.checkpoint import Checkpoint
from ..files.keras_files import IN_MEMORY_BYTES
from ..files.opening import opened
from ..model.graph import model_graph
from ..model.initializers import draw_kernels
from ..model.locate import check_model, networks_of
from ..model.record import RECORDS
from ..plan.names import own_name
from ..plan.network import Plan
from ..presets.checkpoints import PURPOSES
from .expected import (
    ExpectedWeights,
    LayerFacts,
    Target,
    expected_weights,
    is_original,
    variable_name,
)
from .match import Match, Recognised, match
from .naming import KERAS, POSITIONS
from .origins import CAFFE_IMAGES, SMP_NETWORKS, averages, is_caffe, labels_in
from .recognise import Choice, Rename
from .report import WeightsReport, refusal
from .settings import by_connections, by_names, with_settings
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
    stride_in_3x3: bool | None = None,
    ema: bool = False,
) -> WeightsReport:
    """Load a checkpoint into a model of this package, completely or not at all.

    The origin is recognised by the names in the checkpoint: torchvision, timm (ResNet, D, SE,
    ResNeXt, wide, ResNetV2), transformers' ResNet, detectron2 and Detectron, TRADES' wide ResNet
    and others for CIFAR, keras.applications' ResNet50, 101 and 152 (into `resnet50_v1` and the
    other `_v1` presets: the biases of the convolutions are folded exactly into batch norm's means),
    keras-hub, RegNet of timm, torchvision, transformers, tf.keras and pycls, CLIP of OpenAI,
    open_clip and timm, tf.keras' ResNet-RS, Google's BiT, this package, or, by the order of the
    layers, the article's original under Keras 2. The positions of CLIP's attention pool are
    interpolated to the model's input size, as in timm.
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
    checkpoint: torchvision's DeepLab and FCN need a model with `output_stride=8`.

    A model of `unet`, `fpn` or `deeplab` loads the state dict of segmentation_models.pytorch's
    Unet, FPN or DeepLabV3Plus, encoder and decoder. The rest of a state dict, such as the weights
    of `aux_params` or of `decoder_attention_type`, is refused: leave it out with `skip`, if the
    outputs do not depend on it.

    After any error, including an interrupt, the model is unchanged.

    Args:
        model: a model of `ResnetBuilder`, or of `unet`, `fpn` or `deeplab`. To join several
            networks in one model, load each of them first.
        source: a file: safetensors, PyTorch's, .npz, .pkl, or .weights.h5, .h5 or
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
            for any text. Of several networks in a checkpoint, skip all but one, if they are not a
            network and its moving average.
        rename: what the checkpoint's names become, after `skip`: a dict of names, or of their first
            parts, such as `{"head.fc": "fc"}` (the longest applies), or a function of a name that
            returns another, or None to keep it.
        missing: `"refuse"`, or `"keep"` to leave weights as they are that the checkpoint lacks. The
            paths between the layers are then not compared.
        epsilon: epsilon of the checkpoint's batch norms: the model's are adapted exactly. Default:
            the file's own, or the usual one of the origin. torchvision's COCO_V1 detectors have 0
            (torchvision/models/detection/faster_rcnn.py).
        stride_in_3x3: whether the checkpoint's bottlenecks halve the size in their 3x3 convolution,
            or (False) in the first 1x1 as Caffe's. Names and shapes do not show it. Default: as the
            file says, or as is usual for the origin.
        ema: whether to load the moving average of the weights, such as `state_dict_ema`, DINO's
            teacher, MoCo's key encoder, or what Lightning has beside `current_model_state`, and not
            the network beside it.

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
    check_model(model)
    if isinstance(source, str) and source in PURPOSES:
        word = f'weights="{source}"'
        raise ValueError(f"{word} needs a preset: ResnetBuilder.from_preset(..., {word})")
    chosen = Choice(skip=skip, rename=rename, ema=ema, stride_in_3x3=stride_in_3x3)
    options = LoadOptions(
        adapt=adapt,
        keep=choice(missing, ("refuse", "keep"), "missing") == "keep",
        epsilon=None if epsilon is None else fraction(epsilon, "epsilon"),
    )
    target = target_of(model)
    with opened(source) as whole:
        found = chosen.of(whole, target.expected)
        report, _ = _load(target, whole, found, options, restore=True)
    return report


def load_blank(
    model: keras.Model, plan: Plan, prefix: str, found: Recognised, *, adapt: bool
) -> None:
    """Load a recognised checkpoint into a new model of a plan, whose kernels are not drawn yet.

    Args:
        prefix: prefix of the names of the model's layers.
        adapt: as in `load_weights`; the weights that are not loaded are then random.
    """
    built = {own_name(layer.name, prefix) for layer in model.layers}
    target = Target(model, prefix, expected_weights(plan, built))
    options = LoadOptions(adapt=adapt, adapt_argument="adapt_weights")
    _, matched = _load(target, found.source, found, options, restore=False)
    draw_kernels(model, {prefix + layer for layer, _ in matched.left_random})


@dataclass(frozen=True, kw_only=True)
class LoadOptions:
    """How a checkpoint may differ from a network.

    Attributes:
        adapt, epsilon: as in `load_weights`.
        adapt_argument: name of the caller's argument for `adapt`, for messages.
        keep: whether weights that the checkpoint lacks are left as they are.
    """

    adapt: bool
    adapt_argument: str = "adapt"
    keep: bool = False
    epsilon: float | None = None


# The model --------------------------------------------------------------------------------------


def target_of(model: keras.Model) -> Target:
    """The only network in a model."""
    networks = networks_of(model)
    if len(networks) > 1:
        prefixes = ", ".join(repr(network.prefix) for network in networks)
        raise ValueError(
            f"{model.name!r} holds {len(networks)} networks, with the prefixes {prefixes}: load "
            "into each before they are joined"
        )
    prefix = networks[0].prefix
    graph = model_graph(model)
    inputs: dict[str, list[str]] = {}
    for node in graph:
        before = (graph[source].layer for source in node.inputs)
        inputs.setdefault(node.layer.name, []).extend(
            own_name(layer.name, prefix) for layer in before
        )
    layers = [
        LayerFacts(
            own_name(layer.name, prefix),
            inputs.get(layer.name, []),
            {variable_name(of, layer): tuple(of.shape) for of in layer.weights},
            strides=getattr(layer, "strides", None) if layer.weights else None,
            is_norm=isinstance(layer, keras.layers.BatchNormalization),
        )
        for layer in model.layers
    ]
    record = RECORDS.get(model)
    is_article = record is not None and is_original(record.config)
    return Target(model, prefix, ExpectedWeights(layers, is_article))


# Loading ----------------------------------------------------------------------------------------


def _load(
    target: Target, whole: Checkpoint, found: Recognised, options: LoadOptions, *, restore: bool
) -> tuple[WeightsReport, Match]:
    """Load a recognised checkpoint.

    Args:
        whole: the checkpoint as it was opened, also with what is skipped.
        restore: whether to restore the model after an error; if not, loading is quicker.
    """
    found, matched = _matched(target, found, options)
    if matched.problems:
        raise ValueError(refusal(target, found, matched, options.adapt_argument))
    taken = set(found.source.in_file.values())
    skipped = (name for name in whole.shapes if name not in taken)
    unused = (*(found.source.in_file[name] for name in matched.unused), *skipped, *whole.others)
    read = {tensor for of in matched.assignments for tensor in (of.tensor, of.bias) if tensor}
    known = {found.checkpoint.in_file[tensor] for tensor in read}.union(unused)
    _check_nothing_is_lost(whole, found, known)
    _assign(target, found, matched, restore=restore)
    whole_network = _network_of_smp(found, matched)
    report = WeightsReport(
        source=whole.name,
        origin=f"segmentation_models.pytorch's {whole_network[0]}"
        if whole_network
        else found.origin.name,
        tensors=len(read),
        adapted=matched.adapted,
        left_random=tuple(KERAS.tensor(*weight) for weight in matched.left_random),
        unused=unused,
        prefix=found.prefix,
        notes=tuple(_notes(found, matched, options)),
        labels=labels_in(whole.meta),
    )
    return report, matched


def _matched(target: Target, found: Recognised, options: LoadOptions) -> tuple[Recognised, Match]:
    """The match of a checkpoint and a network, with what their layers compute."""
    compared = None
    if found.unknown:
        found, compared = by_connections(target, found)
    if options.epsilon is not None:
        found = replace(found, origin=replace(found.origin, epsilon=options.epsilon))
    matched = match(found, target.expected, adapt=options.adapt, keep=options.keep)
    if found.source.settings and found.origin.layout is KERAS:
        compared = compared or by_names(target, found, matched, paths=not options.keep)
    if compared:
        epsilons = options.epsilon is None
        matched = with_settings(matched, target, found, compared, epsilons=epsilons)
    elif found.origin.is_own:
        matched = replace(matched, notes=(NO_SETTINGS,))
    return found, matched


def _check_nothing_is_lost(whole: Checkpoint, found: Recognised, known: Set[str]) -> None:
    """Every tensor of a file is loaded, reported or ignored; if not, this package is at fault."""
    lost = [name for name in whole.shapes.keys() - known if not found.origin.is_ignored(name)]
    if lost:
        raise AssertionError(f"neither loaded nor reported, of {whole.name}: {sorted(lost)[:5]}")


def _assign(target: Target, found: Recognised, matched: Match, *, restore: bool) -> None:
    # Each tensor is read once, so that the checked values are the assigned values.
    variables = (target.weights[of.weight][0] for of in matched.assignments)
    with restored_on_failure(variables) if restore else nullcontext():
        for of in matched.assignments:
            variable, layer = target.weights[of.weight]
            in_file = matched.epsilons.get(layer.name, found.origin.epsilon)
            shift = 0 if in_file is None else in_file - getattr(layer, "epsilon", 0)
            dtype = variable.dtype
            grid = target.grid if of.weight == POSITIONS else (0, 0)
            value = to_weight(
                found.checkpoint, of, found.origin, dtype=dtype, shift=shift, grid=grid
            )
            variable.assign(value)


NO_SETTINGS = "it does not say what its layers compute (activation, padding, strides, epsilon, ...)"
# torchvision/models/detection/_utils.py, overwrite_eps.
EPSILON_OF_DETECTORS = (
    "the names are names of a detector of torchvision with frozen batch norm: if it is a COCO_V1, "
    "or was fine-tuned from one, its epsilon is 0: load it with epsilon=0"
)


def _notes(found: Recognised, matched: Match, options: LoadOptions) -> Iterator[str]:
    if found.left:
        loaded, *others = (prefix or "no prefix" for prefix in (found.prefix, *found.left))
        average = set(averages((found.prefix, *found.left))) - {found.prefix}
        how = "; ema=True loads the moving average" * bool(average)
        yield f"of its equal networks, {loaded} was loaded, and {', '.join(others)} left{how}"
    if found.borrowed_head:
        yield f"the classifier is {found.borrowed_head}, of another network than {found.prefix}"
    if images := found.origin.images or (CAFFE_IMAGES if is_caffe(found.source.meta) else ""):
        yield images
    if options.epsilon is None and found.is_frozen_detector:
        yield EPSILON_OF_DETECTORS
    if network := _network_of_smp(found, matched):
        yield f"the names do not show whether its encoder and decoder have {network[1]}, as here"
    yield from matched.notes
    for layer in matched.classifiers if matched.left_random else ():
        yield f"its {layer.layer}, of {layer.classes} classes, may be the classifier: see rename="


def _network_of_smp(found: Recognised, matched: Match) -> tuple[str, str] | None:
    """The whole network of segmentation_models.pytorch that is loaded, if it is one."""
    if found.origin.layout is KERAS:
        return None
    layers = {of.weight[0] for of in matched.assignments}
    return next((network for layer, network in SMP_NETWORKS.items() if layer in layers), None)


@contextmanager
def restored_on_failure(variables: Iterable[keras.Variable]) -> Iterator[None]:
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
