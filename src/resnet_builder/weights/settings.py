"""Comparison of what the layers of a file and of a model compute, which no shape shows."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Set
from dataclasses import replace
from itertools import permutations
from math import inf, prod
from operator import itemgetter
from typing import Any

from ..files.checkpoint import Checkpoint, refused
from ..files.described_graph import (
    COMMUTATIVE,
    CONVOLUTIONS,
    GLOBAL_POOLS,
    INPUT,
    Computation,
    DescribedGraph,
    Key,
    is_own_layer,
    settings_of,
)
from ..model.keras_limits import room_for
from ..plan.names import CLASSIFIER
from .expected import Target
from .match import Match, Problem, Recognised
from .naming import TensorShape
from .recognise import shapes_by_layer

Shapes = Mapping[str, Mapping[str, TensorShape]]  # of variables, by layer

# The most inputs of an addition that are compared in every order.
REORDERED = 4

# More comparisons of tensors than any network needs.
MOST_COMPARED = 10**6


class GraphComparison:
    """The comparison of a model's graph and a file's.

    Strides that have become dilation are no difference.

    Attributes:
        pairs: layers with weights, and the file's layers that are loaded into them.
        differences: the differences, in words.
        epsilons: the epsilons of the file's batch norms, by the model's layer.
        before: the file's layers that give its network the input.
        notes: options of the model that the file's network has otherwise, as sentences: the pool
            of a model without a classifier, and the classifier's activation.
    """

    def __init__(
        self,
        here: DescribedGraph,
        there: DescribedGraph,
        *,
        pairs: Mapping[str, str] | None = None,
        shapes: tuple[Shapes, Shapes] = ({}, {}),
        same_names: bool = False,
        paths: bool = True,
    ) -> None:
        """Compare two graphs.

        Args:
            here, there: the model's graph, and the file's.
            pairs: as the attribute. Default: the layers that have the same place in both graphs and
                the same `shapes` of their weights.
            same_names: whether the file's layers have the names of the model's.
            paths: whether to compare what lies between the pairs, too.
        """
        self._here, self._there, self._shapes = here, there, shapes
        self._same_names, self._is_pairing = same_names, pairs is None
        with room_for(len(here.calls)):
            for self._lenient in (True, False):
                self.pairs = dict(pairs or {})
                self.before: dict[str, None] = {}
                self.notes: dict[str, None] = {}
                self._equal: dict[tuple[Key, Key], None] = {
                    ((layer, 0), (in_file, 0)): None for layer, in_file in self.pairs.items()
                }
                self._compared, self._deepest = 0, (0, [""])
                found = list(self._all(paths))
                if self._is_dilated:
                    break
        if self._is_pairing and found:
            found = self._deepest[1]
        self.differences = tuple(dict.fromkeys(found))
        self.epsilons = {
            layer: _epsilon(node)
            for layer, in_file in self.pairs.items()
            if (node := there.node((in_file, 0))).kind == "BatchNormalization"
        }

    @property
    def _is_dilated(self) -> bool:
        """Whether the file's network has the larger stride."""
        here = prod(_stride(self._here.node(own)) for own, _ in self._equal)
        return here < prod(_stride(self._there.node(other)) for _, other in self._equal)

    def _all(self, paths: bool) -> Iterator[str]:
        for here, there in self.pairs.items():
            own, other = self._here.node((here, 0)), self._there.node((there, 0))
            found = list(self._of_settings(own, other))
            yield from found or (self._of_inputs(own, other) if paths else ())
        for end in self._here.outputs() if paths else ():
            yield from self._of_end(end)

    def _of_end(self, end: Key) -> list[str]:
        """The difference of what follows the last weights."""
        own, pool = self._here.node(end := self._here.source(end)), ""
        while own.kind in GLOBAL_POOLS:  # an option of a model without a classifier
            pool = own.kind
            own = self._here.node(end := self._here.source(own.inputs[0]))
        ends = list(reversed(self._there.calls))
        if own.layer in self.pairs:
            ends = [(self.pairs[own.layer], 0)]
        elif self._same_names and own.name in self._there.names:
            ends = [(self._there.names[own.name], 0)]
        found = _best(self._between(end, there) for there in ends)
        if pool and not found:
            self._note_pool(pool, {there for here, there in self._equal if here == end})
        return found

    def _note_pool(self, own: str, maps: Set[Key]) -> None:
        """Remember how the file's network pools its map, if the model pools it in another way."""
        nodes = map(self._there.node, self._there.calls)
        pools = {
            node.kind: None
            for node in nodes
            if node.kind in GLOBAL_POOLS and self._there.source(node.inputs[0]) in maps
        }
        if pools and own not in pools:
            note = f"the file's network ends in {' and '.join(pools)}; the model does not"
            self.notes[note] = None

    # One pair of calls ---------------------------------------------------------------------------

    def _between(self, here: Key, there: Key) -> list[str]:
        """The differences of two tensors, the first that are found."""
        pair = self._here.source(here), self._there.source(there)
        if pair in self._equal:
            return []
        self._compared += 1
        if self._compared > MOST_COMPARED:
            raise ValueError("its layers can be joined in too many ways")
        known: tuple[dict[Any, Any], ...] = (self.pairs, self.before, self._equal)
        before = [len(of) for of in known]
        found = self._of_nodes(self._here.node(pair[0]), self._there.node(pair[1]))
        if not found:
            self._equal[pair] = None
        elif self._is_pairing:
            # The attempt that paired most layers is the one to report.
            self._deepest = max(self._deepest, (sum(before), found), key=itemgetter(0))
            for of, count in zip(known, before, strict=True):
                while len(of) > count:
                    of.popitem()
        return found

    def _of_nodes(self, own: Computation, other: Computation) -> list[str]:
        here, there = own.layer, other.layer
        if own.kind == INPUT and there not in self.pairs.values():
            self.before |= {} if other.kind == INPUT else {there: None}
            return []
        if here in self.pairs or there in self.pairs.values():
            return [] if self.pairs.get(here) == there else [self._unlike(own, other)]
        wanted, given = self._shapes[0].get(here, {}), dict(self._shapes[1].get(there, {}))
        if own.kind in CONVOLUTIONS and "bias" not in wanted:
            given.pop("bias", None)  # it is folded
        if wanted != given:
            return [self._unlike(own, other)]
        if self._is_pairing and wanted:
            self.pairs[here] = there
        return list(self._of_settings(own, other)) or self._of_inputs(own, other)

    def _of_inputs(self, own: Computation, other: Computation) -> list[str]:
        if len(own.inputs) != len(other.inputs):
            numbers = f"{len(other.inputs)} inputs there and {len(own.inputs)} here"
            return [f"{own.name} has {numbers}"]
        is_any_order = own.kind in COMMUTATIVE and len(own.inputs) <= REORDERED
        return _best(
            next(filter(None, map(self._between, own.inputs, order)), [])
            for order in (permutations(other.inputs) if is_any_order else [other.inputs])
        )

    def _of_settings(self, own: Computation, other: Computation) -> Iterator[str]:
        if own.kind != other.kind:
            yield self._unlike(own, other)
            return
        ignored = {"dilation_rate"}  # a checkpoint does not decide it
        if own.kind == "BatchNormalization":
            ignored.add("epsilon")  # it is corrected in the variance
        if self._lenient and _stride(own) == 1 < _stride(other):
            ignored |= {"strides", "padding", "pool_size"}
        for setting in dict.fromkeys((*own.settings, *other.settings)):
            here, there = own.settings.get(setting), other.settings.get(setting)
            if setting in ignored or here == there:
                continue
            if setting == "activation" and own.name == CLASSIFIER:
                note = f"the file's classifier has activation={there}, the model's {here}"
                self.notes[note] = None
                continue
            if setting == "padding" and own.written.get(setting) != other.written.get(setting):
                here, there = own.written.get(setting), other.written.get(setting)
            yield f"{own.name} has {setting}={there} there and {here} here"

    def _unlike(self, own: Computation, other: Computation) -> str:
        if self._same_names and own.name not in self._there.names:
            return f"{own.name} is not in the file"
        if self._same_names and other.name not in self._here.names:
            return f"{other.name} is only in the file"
        return f"{other.name} ({other.kind}) is there where {own.name} ({own.kind}) is here"


def _best(alternatives: Iterable[list[str]]) -> list[str]:
    """No differences if an alternative has none, else the differences of the first."""
    first: list[str] = []
    for found in alternatives:
        if not found:
            return []
        first = first or found
    return first


def _epsilon(norm: Computation) -> float:
    epsilon = float(norm.settings["epsilon"])
    if not 0 <= epsilon < inf:
        raise ValueError(f"{norm.layer} has the epsilon {epsilon}")
    return epsilon


def _stride(node: Computation) -> int:
    """The product of both strides; 1 for a layer without strides."""
    strides = node.settings.get("strides", 1)
    return prod(strides) if isinstance(strides, list) else int(strides)


# Files and models --------------------------------------------------------------------------------


def by_connections(target: Target, found: Recognised) -> tuple[Recognised, GraphComparison]:
    """Name the tensors of a file by the places of its layers in its graph.

    Raises:
        ValueError: the graph is not the model's, or has the model's several times.
    """
    name, checkpoint, weights = target.model.name, found.checkpoint, target.weights
    here = {f"{layer.name}/{name}": tuple(of.shape) for (_, name), (of, layer) in weights.items()}

    def compare(tensors: Mapping[str, TensorShape]) -> GraphComparison:
        shapes = (shapes_by_layer(here), shapes_by_layer(tensors))
        return _compared(target, checkpoint, shapes=shapes)

    compared = compare(checkpoint.shapes)
    if compared.differences:
        raise refused(
            checkpoint.name,
            f"{found.unknown}\nBy their connections, too, its layers differ from the layers of "
            f"{name!r}: {compared.differences[0]}",
        )
    given = shapes_by_layer(checkpoint.shapes)
    own_names = {layer.name: own for (own, _), (_, layer) in weights.items()}
    names = {
        f"{own_names[layer]}/{variable}": f"{in_file}/{variable}"
        for layer, in_file in compared.pairs.items()
        for variable in given[in_file]
    }
    named = replace(found, names=names)
    if len(named.beside) >= len(names) and not (other := compare(named.beside)).differences:
        first = " and ".join(next(iter(of.pairs.values())) for of in (other, compared))
        raise refused(
            checkpoint.name,
            f"it holds several networks like {name!r}, with the layers {first}: leave out the "
            "tensors of all but one with load_weights(..., skip=)",
        )
    return named, compared


def by_names(
    target: Target, found: Recognised, matched: Match, *, paths: bool
) -> GraphComparison | None:
    """Compare the layers that have the same weights and, with `paths`, those between them.

    Returns None if the file describes none of these layers.
    """
    checkpoint = found.checkpoint
    pairs = {}
    for assignment in matched.assignments:
        layer = checkpoint.in_file[assignment.tensor].removesuffix(f"/{assignment.weight[1]}")
        while layer and not is_own_layer(layer, checkpoint.settings):
            layer = layer.rpartition("/")[0]
        if layer:
            pairs[target.weights[assignment.weight][1].name] = layer
    if not pairs:
        return None
    options = {"pairs": pairs, "same_names": found.origin.is_own, "paths": paths}
    return _compared(target, checkpoint, found.prefix, **options)


def _compared(
    target: Target, checkpoint: Checkpoint, prefix: str = "", **options: Any
) -> GraphComparison:
    """Compare a model and a file, whose description may not be as Keras writes it."""
    try:
        here = DescribedGraph(settings_of(target.model), target.prefix)
        return GraphComparison(here, DescribedGraph(checkpoint.settings, prefix), **options)
    except Exception as error:  # a broken description can lead to any error
        words = f"its description of its layers is broken ({error})"
        raise refused(checkpoint.name, words) from error


def with_settings(
    matched: Match, target: Target, found: Recognised, compared: GraphComparison, *, epsilons: bool
) -> Match:
    """Add what a comparison found: differences, notes and, if asked, the file's epsilons."""
    known = compared.epsilons if epsilons else {}
    changed: Counter[tuple[float, float]] = Counter()
    for of in matched.assignments:
        layer = target.weights[of.weight][1]
        if of.weight[1] == "moving_variance" and layer.name in known:
            usual = layer.epsilon if found.origin.epsilon is None else found.origin.epsilon
            changed[known[layer.name], layer.epsilon] += known[layer.name] != usual
    adapted = (f"epsilon {a} of {n} batch norms to {b}" for (a, b), n in changed.items() if n)
    before = ", ".join(compared.before)
    input_note = [f"the file's network is given the output of {before}"] if before else []
    problems = (Problem("setting", words) for words in compared.differences)
    return replace(
        matched,
        epsilons=known,
        notes=(*input_note, *compared.notes),
        adapted=(*matched.adapted, *adapted),
        problems=(*matched.problems, *problems),
    )
