"""The origin of a checkpoint, recognised by its names. Does not import Keras."""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Set
from dataclasses import dataclass, field, replace
from itertools import islice

from ..common.checks import shortened
from ..files.checkpoint import Checkpoint
from ..files.keras_hub import CONFIG_FILE
from ..plan.names import CLASSIFIER, FIRST_CONVS
from ..plan.network import Plan
from .expected import ExpectedWeights, expected_weights
from .naming import TensorShape, WeightName, is_known
from .origins import ORIGINS, OWN, Origin, is_never_weight

# An origin is recognised if it explains this fraction of the checkpoint's names, or if this
# fraction of the network's weights is in the checkpoint under its names.
ENOUGH = 0.5

# A prefix is another network's if it has this fraction of the largest network's tensors in blocks.
ANOTHER_NETWORK = 0.1

# Libraries whose names are known and not read: a pattern of a name, and the library.
NOT_READ = (
    (r"(.*\.)?encoder\.stages\.\d+\.layers\.\d+\..*convolution\.weight", "transformers' ResNet"),
)


@dataclass(frozen=True)
class Recognised:
    """A checkpoint under its origin's names.

    Attributes:
        checkpoint: the network's tensors, without the prefix.
        origin: the library that the names are from.
        prefix: prefix of the network's names in the file.
        names: names of the network's tensors, and those in the file.
        beside: names and shapes of the file's other tensors.
        unknown: why the names are of no known origin, if the layers' connections have to be used.
    """

    checkpoint: Checkpoint
    origin: Origin
    prefix: str = ""
    names: Mapping[str, str] = field(default_factory=dict)
    beside: Mapping[str, TensorShape] = field(default_factory=dict)
    unknown: str = ""


def recognise(
    checkpoint: Checkpoint, expected: ExpectedWeights, given: Set[str] = frozenset()
) -> Recognised:
    """Recognise a checkpoint's origin, and return the checkpoint under the origin's names.

    Args:
        expected: the weights of the network to load into.
        given: names that the user gave, which may be the network's without its prefix.

    Raises:
        ValueError: no origin fits, there are several networks, or the layers have no names.
    """
    if not checkpoint.has_layer_names:
        raise ValueError(
            f"cannot load {checkpoint.name}: its layers have no names, as Keras wrote before 3.6. "
            "Load it with model.load_weights into the network that wrote it, and save it with a "
            f"newer Keras; a preset of keras-hub loads as a folder with its {CONFIG_FILE}"
        )
    if not checkpoint.shapes:
        raise ValueError(f"cannot load {checkpoint.name}: it has no tensors, or all are skipped")
    if is_by_order(checkpoint) and not checkpoint.settings:
        return _original(checkpoint, expected)
    in_file = named_by_number(checkpoint.shapes, expected.shapes)
    shapes = {name: checkpoint.shapes[old] for name, old in in_file.items()}
    tensors = [name for name in shapes if not is_never_weight(name)]
    unknown = [weight for weight in expected.shapes if not is_known(weight)]
    fits = [_fit(origin, tensors, unknown) for origin in ORIGINS]
    best = max(fits, key=lambda fit: fit.explained)
    if max(best.explained, _present(best, shapes, expected)) < ENOUGH:
        problem = _of_no_origin(checkpoint)
        if not checkpoint.settings:
            raise ValueError(f"cannot load {checkpoint.name}: {problem}")
        return Recognised(checkpoint, BY_CONNECTIONS, unknown=problem)
    if len(best.networks) > 1:
        problem = _of_several(best, shapes, expected)
        raise ValueError(f"cannot load {checkpoint.name}: {problem}")
    names = {
        name.removeprefix(best.prefix): name for name in tensors if name.startswith(best.prefix)
    }
    names |= {name: name for name in tensors if name in best.others}
    for name in given & shapes.keys():
        place = best.origin.place(name)
        if place and not place.prefix:
            names.setdefault(name, name)
    inside = set(names.values())
    names = {name: in_file[old] for name, old in names.items()}
    beside = {in_file[name]: shape for name, shape in shapes.items() if name not in inside}
    return Recognised(checkpoint.renamed(names), best.origin, best.prefix, names, beside)


def _original(checkpoint: Checkpoint, expected: ExpectedWeights) -> Recognised:
    if not expected.is_original:
        raise ValueError(
            f"cannot load {checkpoint.name}: its layers have the names that Keras gives, and it "
            "does not say what they compute; by their order alone, only the networks of "
            "ResnetBuilder.build are loaded. Save the whole model where it was made, "
            "model.save('net.keras'), and load that"
        )
    names = named_by_order(checkpoint, expected.shapes)
    return Recognised(checkpoint.renamed(names), ARTICLE, names=names)


@dataclass(frozen=True)
class _Fit:
    """The fit of an origin's names to a checkpoint.

    Attributes:
        prefix: prefix of most names: `layer_prefix`, or the network's attribute name in the module
            around it, such as "module.".
        networks: prefixes of all networks in the checkpoint.
        others: names of tensors of layers without prefix: those of a user's block function.
        explained: fraction of the checkpoint's names that are the origin's or among `others`.
    """

    origin: Origin
    prefix: str
    networks: tuple[str, ...]
    others: Set[str]
    explained: float


def _fit(origin: Origin, tensors: Iterable[str], unknown: Iterable[WeightName]) -> _Fit:
    others = {origin.tensor(weight) for weight in unknown}
    names = [name for name in tensors if not origin.is_ignored(name)]
    places = [None if name in others else origin.place(name) for name in names]
    counts = Counter(place.prefix for place in places if place)
    in_blocks = Counter(place.prefix for place in places if place and place.in_block)
    prefix = max(counts, key=counts.__getitem__, default="")
    explained = sum(
        (place is not None and place.prefix == prefix) or name in others
        for name, place in zip(names, places, strict=True)
    )
    share = explained / len(names) if names else 0.0
    return _Fit(origin, prefix, _networks(in_blocks), others, share)


def _networks(in_blocks: Mapping[str, int]) -> tuple[str, ...]:
    least = ANOTHER_NETWORK * max(in_blocks.values(), default=0)
    return tuple(prefix for prefix, count in in_blocks.items() if count >= least)


def _present(fit: _Fit, shapes: Mapping[str, TensorShape], expected: ExpectedWeights) -> float:
    """The fraction of a network's weights that are in a checkpoint; `others` do not count."""
    names = [
        fit.prefix + fit.origin.tensor(weight) for weight in expected.shapes if is_known(weight)
    ]
    return len(shapes.keys() & set(names)) / len(names) if names else 0.0


def _of_no_origin(checkpoint: Checkpoint) -> str:
    some = ", ".join(map(shortened, islice(checkpoint.shapes, 5)))
    for pattern, library in NOT_READ:
        if any(re.fullmatch(pattern, name) for name in checkpoint.shapes):
            return (
                f"its names are those of {library}, such as {some}, ..., which are not read yet. "
                "Give load_weights(..., rename=) a function from them to torchvision's names: "
                "docs/howto/checkpoints.md has it"
            )
    known = "; ".join(origin.name for origin in (*ORIGINS, ARTICLE))
    return (
        f"its names are not of a known origin. It has {some}, ...; the known origins are: {known}. "
        "If it is one of them but for its names, give load_weights(..., rename=) a dict, such as "
        "{'head.fc': 'fc'}, or a function from each name to the origin's"
    )


# Several networks --------------------------------------------------------------------------------


def _of_several(fit: _Fit, shapes: Mapping[str, TensorShape], expected: ExpectedWeights) -> str:
    called = {prefix: shortened(prefix) or "no prefix" for prefix in fit.networks}
    more = ", ..." if len(called) > 5 else ""
    first = ", ".join(islice(called.values(), 5))
    begin = f"it holds several networks; their names begin with {first}"
    fitting = [prefix for prefix in fit.networks if _has_all(fit, prefix, shapes, expected)]
    which = " and ".join(called[prefix] for prefix in fitting)
    if not fitting:
        of_fit = "; none of them fits"
    else:
        of_fit = "" if len(fitting) == len(called) else f", of which {which} fits"
    skips = {prefix: str(_all_but(prefix, fit, shapes)) for prefix in fitting[:5]}
    calls = [
        f"load_weights(..., skip={skip}) for {called[of]}"
        for of, skip in skips.items()
        if skip == shortened(skip)
    ]
    words = ", or ".join(calls or ["load_weights(..., skip=)"])
    return f"{begin}{more}{of_fit}: leave out all but one with {words}"


def _has_all(
    fit: _Fit, prefix: str, shapes: Mapping[str, TensorShape], expected: ExpectedWeights
) -> bool:
    """Whether the network of a prefix is the expected one, but for its ends."""
    origin = fit.origin
    wanted = {
        prefix + origin.tensor(weight): weight
        for weight in expected.shapes
        if weight[0] != CLASSIFIER
    }
    if not wanted.keys() <= shapes.keys() or any(
        origin.layout.keras_shape(weight, shapes[name]) != expected.shapes[weight]
        for name, weight in wanted.items()
        if weight[0] not in FIRST_CONVS
    ):
        return False
    places = {name: origin.place(name) for name in shapes}
    in_blocks = {
        name
        for name, place in places.items()
        if place and place.in_block and place.prefix == prefix
        if origin.is_inside(name.removeprefix(prefix), expected.last_stage)
        if not origin.is_ignored(name)
    }
    biases = {prefix + origin.tensor((conv, "bias")) for conv in expected.norms}
    return in_blocks <= wanted.keys() | biases


def _all_but(kept: str, fit: _Fit, shapes: Mapping[str, TensorShape]) -> list[str]:
    """Patterns for `skip` that leave one of several networks."""
    patterns: list[str] = []
    for prefix in fit.networks:
        if not kept.startswith(prefix):
            patterns.append(f"{prefix}*")
        elif prefix != kept:
            separator = fit.origin.layout.separator
            inside = (n for n in shapes if (at := fit.origin.place(n)) and at.prefix == prefix)
            parts = (name.removeprefix(prefix).partition(separator)[0] for name in inside)
            patterns += dict.fromkeys(f"{prefix}{part}{separator}*" for part in parts)
    return patterns


NAMED_BY_KERAS = re.compile(r"(conv2d|batch_normalization|dense)(_\d+)?/\w+")

ARTICLE, BY_CONNECTIONS = (
    replace(OWN, name=name)
    for name in (
        "raghakot's keras-resnet, by the order of its layers",
        "a network of Keras, by the connections of its layers",
    )
)


def is_by_order(checkpoint: Checkpoint) -> bool:
    """Return whether a checkpoint's layers can only be identified by their order."""
    return checkpoint.in_order and all(map(NAMED_BY_KERAS.fullmatch, checkpoint.shapes))


def named_by_order(checkpoint: Checkpoint, weights: Iterable[WeightName]) -> dict[str, str]:
    """The network's names, which are in the order of its layers, and the checkpoint's.

    Raises:
        ValueError: the numbers of layers differ.
    """
    layers = list(dict.fromkeys(layer for layer, _ in weights))
    given = list(dict.fromkeys(name.rpartition("/")[0] for name in checkpoint.shapes))
    if len(layers) != len(given):
        raise ValueError(
            f"cannot load {checkpoint.name}: {len(given)} of its layers have weights, and "
            f"{len(layers)} of the network's"
        )
    layer_here = dict(zip(given, layers, strict=True))
    names = {}
    for tensor in checkpoint.shapes:
        layer, _, variable = tensor.rpartition("/")
        names[f"{layer_here[layer]}/{variable}"] = tensor
    return names


def named_by_number(
    tensors: Mapping[str, TensorShape], weights: Mapping[WeightName, TensorShape]
) -> dict[str, str]:
    """Names of variables for their numbers, where the network has a layer of that name."""
    here = shapes_by_layer({"/".join(weight): shape for weight, shape in weights.items()})
    given = shapes_by_layer(tensors)
    names = {}
    for tensor in tensors:
        layer, _, variable = tensor.rpartition("/")
        own = next((list(here[name]) for name in _ends(layer) if name in here), [])
        if own and list(given[layer]) == [str(number) for number in range(len(own))]:
            variable = own[int(variable)]
        names[f"{layer}/{variable}" if layer else variable] = tensor
    return names


def _ends(layer: str) -> Iterator[str]:
    """The name of a layer, and without the names of the models around it."""
    parts = layer.split("/")
    yield from ("/".join(parts[start:]) for start in range(len(parts)))


def shapes_by_layer(shapes: Mapping[str, TensorShape]) -> dict[str, dict[str, TensorShape]]:
    """The shapes of each layer's variables, from names such as `layer/variable`."""
    layers: dict[str, dict[str, TensorShape]] = {}
    for name, shape in shapes.items():
        layer, _, variable = name.rpartition("/")
        layers.setdefault(layer, {})[variable] = shape
    return layers


@dataclass(frozen=True)
class Contents:
    """The numbers of classes and of input channels of a checkpoint; None if it does not show."""

    classes: int | None
    channels: int | None


def contents(checkpoint: Checkpoint, plan: Plan) -> Contents:
    """Read the numbers from the shapes of the classifier and of the first convolution.

    Args:
        plan: the network that the checkpoint is of, with any classes and channels.

    Raises:
        ValueError: the checkpoint is not recognised, as in `load_weights`.
    """
    found = recognise(checkpoint, expected_weights(plan))
    shapes, origin = found.checkpoint.shapes, found.origin
    if origin is BY_CONNECTIONS:  # whose first convolution and last dense layer are the network's
        dense, convs = ([s for s in shapes.values() if len(s) == rank] for rank in (2, 4))
        return Contents(dense[-1][1] if dense else None, convs[0][2] if convs else None)
    kernels = {
        layer: origin.layout.keras_shape(kernel, shapes[tensor])
        for layer in (*FIRST_CONVS, CLASSIFIER)
        if (tensor := origin.tensor(kernel := (layer, "kernel"))) in shapes
    }
    channels = (kernels[stem][2] for stem in FIRST_CONVS if stem in kernels)
    return Contents(
        kernels[CLASSIFIER][-1] if CLASSIFIER in kernels else None, next(channels, None)
    )
