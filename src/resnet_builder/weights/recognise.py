"""The origin of a checkpoint, recognised by its names, and which of them are meant."""

import re
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass
from itertools import islice

from ..common.checks import boolean, described, shortened
from ..common.words import loading
from ..files.checkpoint import Checkpoint, refused
from ..files.keras_hub import CONFIG_FILE
from .expected import ExpectedWeights
from .match import Recognised, match
from .naming import KERAS, Origin, TensorShape, WeightName, branch, is_known
from .origins import (
    ARTICLE,
    BY_CONNECTIONS,
    COPY,
    COUNTED,
    ORIGINS,
    averages,
    is_never_weight,
    strides_in,
)

# An origin is recognised if it explains this fraction of the checkpoint's names, or if this
# fraction of the network's weights is in the checkpoint under its names.
ENOUGH = 0.5

# A prefix is another network's if it has this fraction of the largest network's tensors in blocks.
ANOTHER_NETWORK = 0.1

# Names that Keras gives, of which only the order tells which layer is which.
NAMED_BY_KERAS = re.compile(r"(conv2d|batch_normalization|dense)(_\d+)?/\w+")

WITHOUT_LAYER_NAMES = (
    "its layers have no names, as Keras wrote before 3.6. Load it with model.load_weights into the "
    "network that wrote it, and save it with a newer Keras; a preset of keras-hub loads as a "
    f"folder with its {CONFIG_FILE}"
)
WITHOUT_OWN_NAMES = (
    "its layers have the names that Keras gives, and it does not say what they compute; by their "
    "order alone, only the networks of ResnetBuilder.build are loaded. Save the whole model where "
    "it was made, model.save('net.keras'), and load that"
)


Rename = Mapping[str, str] | Callable[[str], str | None] | None


def recognise(
    checkpoint: Checkpoint,
    expected: ExpectedWeights,
    given: Set[str] = frozenset(),
    *,
    ema: bool = False,
) -> Recognised:
    """Recognise a checkpoint's origin, and return the checkpoint under the origin's names.

    Args:
        expected: the weights of the network to load into.
        given: names that the user gave, which may be the network's without its prefix.
        ema: whether to take the moving average of the network.

    Raises:
        ValueError: no origin fits, there are several networks, or the layers have no names.
    """
    if not checkpoint.has_layer_names:
        raise refused(checkpoint.name, WITHOUT_LAYER_NAMES)
    if not checkpoint.shapes:
        raise refused(checkpoint.name, "it has no tensors, or all are skipped")
    only_ordered = checkpoint.in_order and all(map(NAMED_BY_KERAS.fullmatch, checkpoint.shapes))
    if only_ordered and not checkpoint.settings:
        return _by_order(checkpoint, expected)
    names = named_by_number(checkpoint.shapes, expected.shapes)
    uncounted = {COUNTED.sub("", new): old for new, old in names.items()}
    numbered = checkpoint.renamed(uncounted if len(uncounted) == len(names) else names)
    tensors = [name for name in numbered.shapes if not is_never_weight(name)]
    known = list(filter(is_known, expected.shapes))
    unknown = expected.shapes.keys() - known
    best = _best_fit(tensors, unknown)
    # Names outside of blocks, such as conv1 and conv2, may be of any network.
    explained = best.explained if best.networks or best.origin.is_own else 0.0
    if max(explained, _present(best, numbered, known)) < ENOUGH:
        problem = _of_no_origin(checkpoint)
        if not checkpoint.settings:
            raise refused(checkpoint.name, problem)
        as_they_are = {name: name for name in checkpoint.shapes}
        return Recognised(checkpoint, BY_CONNECTIONS, as_they_are, unknown=problem)
    prefix = best.prefix
    if ema or len(best.networks) > 1:
        if ema and not averages(best.networks):
            raise refused(checkpoint.name, _of_no_average(best))
        meant = _meant(best, numbered, ema)
        if meant is None:
            raise refused(checkpoint.name, _of_several(best, numbered, expected))
        prefix = meant
    return _under(prefix, best, numbered, given).striding(strides_in(checkpoint.meta))


def _under(
    prefix: str, fit: "_Fit", checkpoint: Checkpoint, given: Set[str] = frozenset()
) -> Recognised:
    """The part of a checkpoint whose names have a prefix."""
    origin = fit.origin
    tensors = [name for name in checkpoint.shapes if not is_never_weight(name)]
    left = tuple(other for other in fit.networks if other != prefix and prefix in fit.networks)
    within = tuple(branch(other, prefix) for other in left if other.startswith(prefix))
    names = {
        name.removeprefix(prefix): name
        for name in tensors
        if name.startswith(prefix) and not name.startswith(within)
    }
    names |= {name: name for name in tensors if name in fit.others}
    for name in given & checkpoint.shapes.keys():
        place = origin.place(name)
        if place and not place.prefix:
            names.setdefault(name, name)
    for module in filter(prefix.endswith, fit.origin.heads):
        outside, heads = prefix.removesuffix(module), fit.origin.heads[module].values()
        known = tuple(f"{outside}{there}." for there in heads)
        if any(name.startswith(known) for name in tensors):
            parts = tuple({f"{outside}{there.partition('.')[0]}." for there in heads})
            beside = (name for name in tensors if name.startswith(parts))
            names |= {
                new: name for name in beside if (new := name.removeprefix(outside)) not in names
            }
            origin = fit.origin.around(module)
    return Recognised(checkpoint, origin, names, prefix, left)


@dataclass(frozen=True)
class _Fit:
    """The fit of an origin's names to a checkpoint.

    Attributes:
        prefix: prefix of most names: `layer_prefix`, or the network's attribute name in the module
            around it, such as "module.".
        networks: prefixes of all networks in the checkpoint.
        others: names of tensors of layers without prefix, in a user's block function.
        explained: fraction of the checkpoint's names that are the origin's or among `others`.
    """

    origin: Origin
    prefix: str
    networks: tuple[str, ...]
    others: Set[str]
    explained: float


def _best_fit(tensors: Sequence[str], unknown: Collection[WeightName]) -> _Fit:
    fits = []
    for origin in ORIGINS:
        if origin.has_names:
            fits.append(_fit(origin, tensors, unknown))
            if fits[-1].explained == 1:  # no other is better, and each pattern takes time
                break
    return max(fits, key=lambda fit: fit.explained)


def _fit(origin: Origin, tensors: Iterable[str], unknown: Iterable[WeightName]) -> _Fit:
    others = {origin.tensor(weight) for weight in unknown}
    names = [name for name in tensors if not origin.is_ignored(name)]
    places = [None if name in others else origin.place(name) for name in names]
    counts = Counter(place.prefix for place in places if place)
    in_blocks = Counter(place.prefix for place in places if place and place.in_block)
    least = ANOTHER_NETWORK * max(in_blocks.values(), default=0)
    networks = tuple(prefix for prefix, count in in_blocks.items() if count >= least)
    prefix = max(counts, key=counts.__getitem__, default="")
    explained = sum(
        (place is not None and place.prefix == prefix) or name in others
        for name, place in zip(names, places, strict=True)
    )
    share = explained / len(names) if names else 0.0
    return _Fit(origin, prefix, networks, others, share)


def _present(fit: _Fit, checkpoint: Checkpoint, weights: Iterable[WeightName]) -> float:
    """The fraction of some weights that are in a checkpoint."""
    names = {fit.prefix + fit.origin.tensor(weight) for weight in weights}
    return len(checkpoint.shapes.keys() & names) / len(names) if names else 0.0


def _of_no_origin(checkpoint: Checkpoint) -> str:
    some = ", ".join(map(shortened, islice(checkpoint.shapes, 5)))
    known = "; ".join(origin.name for origin in ORIGINS)
    return (
        f"its names are not of a known origin. It has {some}, ...; the known origins are: {known}. "
        "If it is one of them but for its names, give load_weights(..., rename=) a dict, such as "
        "{'head.fc': 'fc'}, or a function from each name to the origin's"
    )


# skip= and rename= ------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class Choice:
    """The arguments of `load_weights` of these names.

    Raises:
        TypeError: an argument of another type.
    """

    skip: str | Sequence[str] = ()
    rename: Rename = None
    ema: bool = False
    stride_in_3x3: bool | None = None

    def __post_init__(self) -> None:
        _patterns(self.skip)
        boolean(self.ema, "ema")
        if self.stride_in_3x3 is not None:
            boolean(self.stride_in_3x3, "stride_in_3x3")

    def of(self, whole: Checkpoint, expected: ExpectedWeights) -> Recognised:
        """Return what is chosen of a checkpoint, under its origin's names.

        Raises:
            TypeError, ValueError: as in `load_weights`.
        """
        taken = whole.skipping(_patterns(self.skip))
        names = _new_names(taken, self.rename)
        given = {new for new, old in names.items() if new != old}
        found = recognise(taken.renamed(names), expected, given, ema=self.ema)
        return found.striding(self.stride_in_3x3)


def _patterns(skip: object) -> tuple[str, ...]:
    given = (skip,) if isinstance(skip, str) or not isinstance(skip, Sequence) else tuple(skip)
    for pattern in given:
        if not isinstance(pattern, str):
            raise TypeError(
                f"skip takes patterns of names, such as 'head.*', not {described(pattern)}"
            )
    return given


def _new_names(checkpoint: Checkpoint, rename: object) -> dict[str, str]:
    """The new names of a checkpoint's tensors, and their names in the file.

    Raises:
        TypeError: neither a dict of names nor a function that returns names.
        ValueError: two tensors would have one name, or a part of `rename` changes nothing.
    """
    if rename is None:
        return {name: name for name in checkpoint.shapes}
    if callable(rename):
        renamed = {old: _returned(rename, old) for old in checkpoint.shapes}
    else:
        renamed = _with_other_beginnings(checkpoint, rename)
    names: dict[str, str] = {}
    for old, new in renamed.items():
        if new in names:
            raise ValueError(
                f"rename gives {shortened(names[new])} and {shortened(old)} of {checkpoint.name} "
                f"the same name {shortened(new)!r}"
            )
        names[new] = old
    if all(new == old for new, old in names.items()):
        raise ValueError(f"rename changes no name in {checkpoint.in_words}")
    return names


def _returned(rename: Callable[[str], object], old: str) -> str:
    new = rename(old)
    if not (new is None or isinstance(new, str)):
        raise TypeError(f"rename returned {described(new)} for {old!r}, not a name or None")
    return old if new is None else new


def _with_other_beginnings(checkpoint: Checkpoint, rename: object) -> dict[str, str]:
    """The names with other first parts, for the longest that match, by the old names."""
    if not isinstance(rename, Mapping) or not all(
        isinstance(name, str) for pair in rename.items() for name in pair
    ):
        raise TypeError(
            "rename takes a dict of the file's names, or their first parts, and what they become, "
            f"such as {{'head.fc': 'fc'}}, or a function of a name; not {described(rename)}"
        )
    olds: dict[str, str] = {old.rstrip("./"): new.rstrip("./") for old, new in rename.items()}
    unused = dict(olds)
    names = {name: name for name in checkpoint.shapes}
    for name in names:
        first_parts = [
            old for old in olds if name == old or name.startswith((f"{old}.", f"{old}/"))
        ]
        if first_parts:
            old = max(first_parts, key=len)
            unused.pop(old, None)
            names[name] = (olds[old] + name.removeprefix(old)).lstrip("./")
    if unused:
        old = next(iter(unused))
        raise ValueError(f"rename={{{old!r}: ...}} begins no name in {checkpoint.in_words}")
    return names


# Several networks --------------------------------------------------------------------------------


def _meant(fit: _Fit, checkpoint: Checkpoint, ema: bool) -> str | None:
    """The prefix of the network that is meant among some of equal shapes; None if none is."""
    blocks: dict[str, dict[str, TensorShape]] = {prefix: {} for prefix in fit.networks}
    for name, shape in checkpoint.shapes.items():
        place = fit.origin.place(name)
        if place and place.in_block and place.prefix in blocks:
            blocks[place.prefix][name.removeprefix(place.prefix)] = shape
    first, *others = blocks.values()
    of_average = averages(blocks)
    asked = [prefix for prefix in blocks if (prefix in of_average) == ema]
    meant = [prefix for prefix in asked if not COPY.search(prefix)] or asked
    return meant[0] if len(meant) == 1 and all(of == first for of in others) else None


def _of_no_average(fit: _Fit) -> str:
    begin = ", ".join(shortened(prefix) or "no prefix" for prefix in fit.networks[:5])
    return (
        f"ema=True loads a moving average, and it has none: its names begin with {begin}, and not "
        "with a part such as ema, state_dict_ema or teacher"
    )


def _of_several(fit: _Fit, checkpoint: Checkpoint, expected: ExpectedWeights) -> str:
    called = {prefix: shortened(prefix) or "no prefix" for prefix in fit.networks}
    more = ", ..." if len(called) > 5 else ""
    first = ", ".join(islice(called.values(), 5))
    begin = f"it holds several networks; their names begin with {first}"
    fitting = [
        prefix
        for prefix in fit.networks
        if not match(_under(prefix, fit, checkpoint), expected.body, adapt=True).problems
    ]
    which = " and ".join(called[prefix] for prefix in fitting)
    if not fitting:
        of_fit = "; none of them fits"
    else:
        of_fit = "" if len(fitting) == len(called) else f", of which {which} fits"
    skips = {prefix: _all_but(prefix, fit, checkpoint.shapes) for prefix in fitting[:5]}
    calls = [
        f"{loading('skip', skip)} for {called[of]}"
        for of, skip in skips.items()
        if str(skip) == shortened(str(skip))
    ]
    words = ", or ".join(calls or [loading("skip")])
    return f"{begin}{more}{of_fit}: leave out all but one with {words}"


def _all_but(kept: str, fit: _Fit, tensors: Iterable[str]) -> list[str]:
    """Patterns for `skip` that leave one of several networks."""
    patterns: list[str] = []
    for prefix in fit.networks:
        if not kept.startswith(prefix):
            patterns.append(f"{prefix}*")
        elif prefix != kept:
            separator = fit.origin.layout.separator
            inside = (n for n in tensors if (at := fit.origin.place(n)) and at.prefix == prefix)
            parts = (name.removeprefix(prefix).partition(separator)[0] for name in inside)
            patterns += dict.fromkeys(f"{prefix}{part}{separator}*" for part in parts)
    return patterns


# Layers with names that Keras gives -------------------------------------------------------------


def _by_order(checkpoint: Checkpoint, expected: ExpectedWeights) -> Recognised:
    """A checkpoint of the article's code, whose layers are in the order of the network's."""
    if not expected.is_original:
        raise refused(checkpoint.name, WITHOUT_OWN_NAMES)
    layers = list(dict.fromkeys(layer for layer, _ in expected.shapes))
    given = shapes_by_layer(checkpoint.shapes)
    if len(layers) != len(given):
        words = f"{len(given)} of its layers have weights, and {len(layers)} of the network's"
        raise refused(checkpoint.name, words)
    names = {
        KERAS.tensor(here, variable): KERAS.tensor(there, variable)
        for here, (there, variables) in zip(layers, given.items(), strict=True)
        for variable in variables
    }
    return Recognised(checkpoint, ARTICLE, names)


def named_by_number(
    tensors: Mapping[str, TensorShape], weights: Mapping[WeightName, TensorShape]
) -> dict[str, str]:
    """Names of variables for their numbers, where the network has a layer of that name."""
    here = shapes_by_layer({KERAS.tensor(*weight): shape for weight, shape in weights.items()})
    given = shapes_by_layer(tensors)
    names = {}
    for tensor in tensors:
        layer, variable = KERAS.split(tensor)
        own = next((list(here[name]) for name in _ends(layer) if name in here), [])
        if own and list(given[layer]) == [str(number) for number in range(len(own))]:
            variable = own[int(variable)]
        names[KERAS.tensor(layer, variable) if layer else variable] = tensor
    return names


def _ends(layer: str) -> Iterator[str]:
    """The name of a layer, and without the names of the models around it."""
    parts = layer.split("/")
    yield from ("/".join(parts[start:]) for start in range(len(parts)))


def shapes_by_layer(shapes: Mapping[str, TensorShape]) -> dict[str, dict[str, TensorShape]]:
    """The shapes of each layer's variables, from names such as `layer/variable`."""
    layers: dict[str, dict[str, TensorShape]] = {}
    for name, shape in shapes.items():
        layer, variable = KERAS.split(name)
        layers.setdefault(layer, {})[variable] = shape
    return layers
