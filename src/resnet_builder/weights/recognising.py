"""The origin of a checkpoint, recognised by its names. Does not import Keras."""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Set
from dataclasses import dataclass, field
from itertools import islice

from ..common.checks import shortened
from .by_order import ARTICLE, is_by_order, named_by_number, named_by_order
from .checkpoints import Checkpoint
from .expected import ExpectedWeights
from .keras_hub import CONFIG_FILE
from .layouts import TensorShape
from .library_names import ORIGINS, Origin
from .names import WeightName, is_known

# An origin is recognised if it explains this fraction of the checkpoint's names, or if this
# fraction of the network's weights is in the checkpoint under its names.
ENOUGH = 0.5

# A prefix is another network's if it has this fraction of the largest network's tensors in blocks.
ANOTHER_NETWORK = 0.1


@dataclass(frozen=True)
class Recognised:
    """A checkpoint under its origin's names.

    Attributes:
        checkpoint: the network's tensors, without the prefix.
        origin: the library that the names are from.
        prefix: prefix of the network's names in the file.
        beside: names and shapes of the file's other tensors.
    """

    checkpoint: Checkpoint
    origin: Origin
    prefix: str = ""
    beside: Mapping[str, TensorShape] = field(default_factory=dict)


def recognise(checkpoint: Checkpoint, expected: ExpectedWeights) -> Recognised:
    """Recognise a checkpoint's origin, and return the checkpoint under the origin's names.

    Args:
        expected: the weights of the network to load into.

    Raises:
        ValueError: no origin fits, there are several networks, or the layers have no names.
    """
    if not checkpoint.has_layer_names:
        raise ValueError(
            f"cannot load {checkpoint.name}: its layers have no names, as Keras wrote before 3.6. "
            "Load it with model.load_weights into the network that wrote it, and save it with a "
            f"newer Keras; a preset of keras-hub loads as a folder with its {CONFIG_FILE}"
        )
    if is_by_order(checkpoint):
        return Recognised(named_by_order(checkpoint, expected.shapes), ARTICLE)
    checkpoint = named_by_number(checkpoint, expected.shapes)
    unknown = [weight for weight in expected.shapes if not is_known(weight)]
    fits = [_fit(origin, checkpoint.shapes, unknown) for origin in ORIGINS]
    best = max(fits, key=lambda fit: fit.explained)
    if problem := _problem(best, checkpoint, expected):
        raise ValueError(f"cannot load {checkpoint.name}: {problem}")
    names = _names(best, checkpoint.shapes)
    inside = set(names.values())
    beside = {name: shape for name, shape in checkpoint.shapes.items() if name not in inside}
    return Recognised(checkpoint.renamed(names), best.origin, best.prefix, beside)


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


def _present(fit: _Fit, checkpoint: Checkpoint, expected: ExpectedWeights) -> float:
    """The fraction of a network's weights that are in a checkpoint; `others` do not count."""
    names = [
        fit.prefix + fit.origin.tensor(weight) for weight in expected.shapes if is_known(weight)
    ]
    return len(checkpoint.shapes.keys() & set(names)) / len(names) if names else 0.0


def _problem(best: _Fit, checkpoint: Checkpoint, expected: ExpectedWeights) -> str:
    if max(best.explained, _present(best, checkpoint, expected)) < ENOUGH:
        names = ", ".join(map(shortened, islice(checkpoint.shapes, 5)))
        known = "; ".join(origin.name for origin in (*ORIGINS, ARTICLE))
        return (
            f"its names are not of a known origin. It has {names}, ...; the known origins are: "
            f"{known}"
        )
    if len(best.networks) > 1:
        prefixes = [shortened(prefix) or "no prefix" for prefix in best.networks]
        more = ", ..." if len(prefixes) > 5 else ""
        return (
            f"it holds several networks; their names begin with {', '.join(prefixes[:5])}{more}: "
            f"leave out all but one with load_weights(..., skip={_all_but_one(best)})"
        )
    return ""


def _names(fit: _Fit, tensors: Collection[str]) -> dict[str, str]:
    """The names of the network's tensors without the prefix, and in the file."""
    inside = {
        name.removeprefix(fit.prefix): name for name in tensors if name.startswith(fit.prefix)
    }
    return inside | {name: name for name in tensors if name in fit.others}


def _all_but_one(fit: _Fit) -> str:
    """Patterns for `skip` that leave one of several networks."""
    kept = "" if "" in fit.networks else fit.prefix
    return shortened(str([f"{prefix}*" for prefix in fit.networks if prefix != kept]))
