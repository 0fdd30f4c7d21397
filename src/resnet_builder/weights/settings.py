"""Comparison of what the layers of a file and of a network compute, which no shape shows."""

from collections.abc import Iterator, Mapping
from itertools import permutations
from math import inf, prod
from operator import itemgetter
from typing import Any

from ..files.described_graph import (
    COMMUTATIVE,
    CONVOLUTIONS,
    GLOBAL_POOLS,
    INPUT,
    DescribedGraph,
    Key,
    Node,
    default,
)
from ..model.deep import room_for
from ..plan.names import CLASSIFIER

Shapes = Mapping[str, Mapping[str, tuple[int, ...]]]  # of variables, by layer

# The most inputs of an addition that are compared in every order.
REORDERED = 4

# More comparisons of tensors than any network needs.
MOST_COMPARED = 10**6


class Comparison:
    """The comparison of a network's graph and a file's.

    Strides that have become dilation are no difference.

    Attributes:
        pairs: layers with weights, and the file's layers that are loaded into them.
        differences: the differences, in words.
        epsilons: the epsilons of the file's batch norms, by the network's layer.
        before: the file's layers that give its network the input.
        notes: options of the model that the file's network has otherwise, as sentences: the pool
            of a model without a classifier, and the classifier's activation.
    """

    notes: tuple[str, ...] = ()

    def __init__(
        self,
        here: DescribedGraph,
        there: DescribedGraph,
        *,
        pairs: Mapping[str, str] | None = None,
        shapes: tuple[Shapes, Shapes] = ({}, {}),
        prefixes: tuple[str, str] = ("", ""),
        same_names: bool = False,
        paths: bool = True,
    ) -> None:
        """Compare two graphs.

        Args:
            here, there: the network's graph, and the file's.
            pairs: as the attribute. Default: the layers that have the same place in both graphs and
                the same `shapes` of their weights.
            prefixes: prefixes of the names of the network's layers, here and there.
            same_names: whether the file's layers have the names of the network's.
            paths: whether to compare what lies between the pairs, too.
        """
        self._here, self._there, self._shapes = here, there, shapes
        self._prefixes, self._same_names = prefixes, same_names
        self._is_pairing = pairs is None
        self._compared = 0
        with room_for(sum(1 for _ in here.calls())):
            for self._lenient in (True, False):
                self.pairs = dict(pairs or {})
                self.before: dict[str, None] = {}
                self._deepest = (0, [""])
                self._equal: dict[tuple[Key, Key], None] = {}
                self.differences = tuple(dict.fromkeys(self._all(paths)))
                if self._is_pairing and self.differences:
                    self.differences = tuple(self._deepest[1])
                if self._is_dilated:
                    break
        nodes = {layer: there.node((of_file, 0)) for layer, of_file in self.pairs.items()}
        self.epsilons = {
            layer: _epsilon(node)
            for layer, node in nodes.items()
            if node.kind == "BatchNormalization"
        }

    @property
    def _is_dilated(self) -> bool:
        """Whether the file's network has the larger stride."""
        pairs = [((here, 0), (there, 0)) for here, there in self.pairs.items()]
        equal = list(dict.fromkeys([*self._equal, *pairs]))
        here = prod(_stride(self._here.node(own)) for own, _ in equal)
        return here < prod(_stride(self._there.node(other)) for _, other in equal)

    def _all(self, paths: bool) -> Iterator[str]:
        for here, there in self.pairs.items():
            own, other = self._here.node((here, 0)), self._there.node((there, 0))
            found = list(self._of_settings(own, other))
            yield from found or (self._of_inputs(own, other) if paths else ())
        for end in self._here.outputs() if paths else ():
            yield from self._of_end(end)

    def _of_end(self, end: Key) -> list[str]:
        """The difference of what follows the last weights."""
        own = self._here.node(end := self._here.source(end))
        pool = ""
        while own.kind in GLOBAL_POOLS:  # an option of a model without a classifier
            pool, (end, *_) = own.kind, own.inputs
            own = self._here.node(end := self._here.source(end))
        if own.layer in self.pairs:
            self._note_pool(pool, (self.pairs[own.layer], 0))
            return []
        same = self._prefixes[1] + self._name(own, 0)
        ends = [(same, 0)] if self._same_names and same in self._there else self._there.calls()
        first: list[str] = []
        for there in reversed(list(ends)):
            found = self._between(end, there)
            if not found:
                self._note_pool(pool, there)
                return []
            first = first or found
        return first

    def _note_pool(self, own: str, there: Key) -> None:
        """Remember how the file's network pools a map, if the model pools it in another way."""
        nodes = (self._there.node(key) for key in self._there.calls())
        pools = {
            node.kind: None
            for node in nodes
            if node.kind in GLOBAL_POOLS
            and self._there.source(node.inputs[0]) == self._there.source(there)
        }
        if own and pools and own not in pools:
            self._note(f"the file's network ends in {' and '.join(pools)}; the model does not")

    def _note(self, sentence: str) -> None:
        self.notes = tuple(dict.fromkeys((*self.notes, sentence)))

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

    def _of_nodes(self, own: Node, other: Node) -> list[str]:
        here, there = own.layer, other.layer
        if own.kind == INPUT and there not in self.pairs.values():
            self.before |= {} if other.kind == INPUT else {there: None}
            return []
        if here in self.pairs or there in self.pairs.values():
            return [] if self.pairs.get(here) == there else [self._unlike(own, other)]
        shapes = [of.get(layer, {}) for of, layer in zip(self._shapes, (here, there), strict=True)]
        is_folded = own.kind in CONVOLUTIONS and "bias" not in shapes[0]
        given = {name: of for name, of in shapes[1].items() if not (is_folded and name == "bias")}
        if own.kind != other.kind or shapes[0] != given:
            return [self._unlike(own, other)]
        if self._is_pairing and shapes[0]:
            self.pairs[here] = there
        return list(self._of_settings(own, other)) or self._of_inputs(own, other)

    def _of_inputs(self, own: Node, other: Node) -> list[str]:
        if len(own.inputs) != len(other.inputs):
            numbers = f"{len(other.inputs)} inputs there and {len(own.inputs)} here"
            return [f"{self._name(own, 0)} has {numbers}"]
        is_any_order = own.kind in COMMUTATIVE and len(own.inputs) <= REORDERED
        first: list[str] = []
        for order in permutations(other.inputs) if is_any_order else [other.inputs]:
            pairs = zip(own.inputs, order, strict=True)
            found = next(filter(None, (self._between(*pair) for pair in pairs)), [])
            if not found:
                return []
            first = first or found
        return first

    def _of_settings(self, own: Node, other: Node) -> Iterator[str]:
        if own.kind != other.kind:
            yield self._unlike(own, other)
            return
        ignored = {"dilation_rate"}  # a checkpoint does not decide it
        if own.kind == "BatchNormalization":
            ignored.add("epsilon")  # it is corrected in the variance
        if self._name(own, 0) == CLASSIFIER:
            ignored.add("activation")
            here, there = _value(own, "activation"), _value(other, "activation")
            if here != there:
                self._note(f"the file's classifier has activation={there}, the model's {here}")
        if self._lenient and _stride(own) == 1 < _stride(other):
            ignored |= {"strides", "padding", "pool_size"}
        for setting in dict.fromkeys((*own.settings, *other.settings)):
            here, there = _value(own, setting), _value(other, setting)
            if setting not in ignored and here != there:
                if setting == "padding" and own.written.get(setting) != other.written.get(setting):
                    here, there = own.written.get(setting), other.written.get(setting)
                yield f"{self._name(own, 0)} has {setting}={there} there and {here} here"

    # Words ---------------------------------------------------------------------------------------

    def _name(self, node: Node, of: int) -> str:
        return node.layer.removeprefix(self._prefixes[of])

    def _unlike(self, own: Node, other: Node) -> str:
        here, there = self._name(own, 0), self._name(other, 1)
        if self._same_names and self._prefixes[1] + here not in self._there:
            return f"{here} is not in the file"
        if self._same_names and self._prefixes[0] + there not in self._here:
            return f"{there} is only in the file"
        return f"{there} ({other.kind}) is there where {here} ({own.kind}) is here"


def _value(node: Node, setting: str) -> Any:
    return node.settings[setting] if setting in node.settings else default(node.kind, setting)


def _epsilon(norm: Node) -> float:
    epsilon = float(_value(norm, "epsilon"))
    if not 0 <= epsilon < inf:
        raise ValueError(f"{norm.layer} has the epsilon {epsilon}")
    return epsilon


def _stride(node: Node) -> int:
    """The product of both strides; 1 for a layer without strides."""
    strides = node.settings.get("strides", 1)
    return prod(strides) if isinstance(strides, list) else int(strides)
