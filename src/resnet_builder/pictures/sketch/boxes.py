"""The boxes of a plan, which has them as units, and of a graph, whose layers are gathered.

A box is a convolution with its batch norm and activation, a sum with the activation after it, or a
squeeze-and-excitation.
"""

from collections import defaultdict
from collections.abc import Container, Hashable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import chain, pairwise, permutations
from typing import TYPE_CHECKING

from ...common.words import Description, by
from ...plan.describe import describe
from ...plan.draft import Unit
from ...plan.names import HEAD, STEM, Place
from ...plan.network import Plan
from .sketch import Box, Cell, DrawnLayer

if TYPE_CHECKING:
    from ...model.graph import Node

SUM, PRODUCT = Description("merge", "+"), Description("merge", "×")
MEANS = Description("pool", "global avg pool")
OUTPUT = Cell(Description("output", "output"))


@dataclass(frozen=True)
class LayerBox:
    """A box as it is read from a plan or a model.

    Attributes:
        cells: what is drawn.
        layers: the layers of the box.
        inputs: numbers of the boxes that feed it.
        place: place in a network of this package.
        section: title of its section, and a key that differs between sections.
    """

    cells: Box
    layers: tuple[DrawnLayer, ...]
    inputs: tuple[int, ...]
    place: Place
    section: tuple[str, Hashable]


# Of a plan --------------------------------------------------------------------------------------


def boxes_of_plan(plan: Plan) -> Iterator[LayerBox]:
    """Yield the boxes of a plan, each after those that feed it."""
    box_of: dict[str, int] = {}
    for number, (place, units) in enumerate(_placed_units(plan)):
        layers = list(chain.from_iterable(units))
        box_of |= {layer.name: number for layer in layers}
        inputs = dict.fromkeys(box_of[source] for layer in layers for source in layer.inputs)
        words = list(chain.from_iterable(map(describe, units)))
        if not number:
            words = [Description("other", f"input {by(plan.image.output_shape)}")]
        yield LayerBox(
            cells=tuple(map(Cell, words)),
            layers=tuple(
                DrawnLayer(x.name, x.output_shape, x.weights, x.parameters, x.macs) for x in layers
            ),
            inputs=tuple(source for source in inputs if source != number),
            place=place,
            section=(place.part, place.part),
        )


def _placed_units(plan: Plan) -> Iterator[tuple[Place, tuple[Unit, ...]]]:
    """Yield the place and the units of every box; the first one is the input."""
    for unit in ((plan.image,), *plan.stem):
        yield STEM, (unit,)
    for block in chain.from_iterable(stage.blocks for stage in plan.stages):
        units = [block.shared, *block.residual, *(block.shortcut or ()), block.end]
        boxes: list[tuple[Unit, ...]] = [(unit,) for unit in units if unit]
        if block.shortcut is None:  # without a sum, the activation is in the box before it
            boxes[-2:] = [(block.residual[-1], block.end)]
        yield from ((block.spec.place, of_box) for of_box in boxes)
    for unit in plan.head:
        yield HEAD, (unit,)


# Of a graph -------------------------------------------------------------------------------------


class DrawnGraph:
    """The layers of a graph that are drawn.

    Args:
        graph: the layers; those with one input and without words are not drawn.
        words: words of each layer.
        groups: group of each layer, such as its block: no box is in two.

    Attributes:
        words: words of every layer.
        inputs: the layers that are drawn, with those that feed them.
        inner: the layers that only feed one other, of the same group.
        marked: the layers that are marked as outputs; a single one at the end is not.
    """

    def __init__(
        self,
        graph: Sequence["Node"],
        words: Sequence[list[Description]],
        groups: Sequence[Hashable],
    ) -> None:
        self.words = words
        self.inputs: dict[int, tuple[int, ...]] = {}
        stands_for: list[int] = []
        for number, node in enumerate(graph):
            sources = tuple(stands_for[source] for source in node.inputs)
            is_drawn = len(sources) != 1 or bool(words[number])
            stands_for.append(number if is_drawn else sources[0])
            if is_drawn:
                self.inputs[number] = sources
        outputs = {stands_for[number] for number, node in enumerate(graph) if node.is_output}
        consumers: defaultdict[int, list[int]] = defaultdict(list)
        for layer, sources in self.inputs.items():
            for source in sources:
                consumers[source].append(layer)
        self.inner = {
            layer
            for layer, (consumer, *others) in consumers.items()
            if not others and layer not in outputs and groups[layer] == groups[consumer]
        }
        self.marked = outputs if len(outputs) > 1 else outputs & consumers.keys()

    def boxes(self) -> Iterator[tuple[list[int], Box, tuple[int, ...]]]:
        """Yield the layers of each box, its cells, and the numbers of the boxes that feed it."""
        excitations = list(self._excitations())
        chains = self._chains(without=set(chain.from_iterable(excitations)))
        boxes = sorted([*excitations, *chains], key=lambda layers: layers[-1])
        box_of = {layer: number for number, layers in enumerate(boxes) for layer in layers}
        for number, layers in enumerate(boxes):
            words = _box_words([word for layer in layers for word in self.words[layer]])
            cells = *map(Cell, words), *[OUTPUT] * (layers[-1] in self.marked)
            inputs = dict.fromkeys(box_of[s] for layer in layers for s in self.inputs[layer])
            yield layers, cells, tuple(source for source in inputs if source != number)

    def _excitations(self) -> Iterator[list[int]]:
        """Yield the layers of each squeeze-and-excitation: a pool, its chain and the product."""
        for layer, sources in self.inputs.items():
            if self.words[layer] == [PRODUCT] and len(sources) == 2:
                for scaled, scale in permutations(sources):
                    gate = self._chain_between(scaled, scale)
                    if gate and self.words[gate[0]] == [MEANS]:
                        yield [*gate, layer]

    def _chain_between(self, start: int, end: int) -> list[int]:
        """The chain of layers from after `start` to `end`; empty if there is none."""
        layers: list[int] = []
        while end != start:
            if end not in self.inner or len(self.inputs[end]) != 1:
                return []
            layers.insert(0, end)
            [end] = self.inputs[end]
        return layers

    def _chains(self, without: Container[int]) -> Iterator[list[int]]:
        """Yield layers in a row that share a box."""
        chains: dict[int, list[int]] = {}  # by last layer
        for layer, sources in self.inputs.items():
            if layer in without:
                continue
            before = chains.get(sources[0]) if len(sources) == 1 else None
            if before and before[-1] in self.inner and self._may_share(before, layer):
                del chains[before[-1]]
                chains[layer] = [*before, layer]
            else:
                chains[layer] = [layer]
        for layers in chains.values():
            # A box for every convolution; if the last layer is one, batch norm comes before it.
            kinds = list(map(self._kind, layers))
            norm_first = kinds[-1] == "conv"
            cuts = [number + norm_first for number, kind in enumerate(kinds) if kind == "conv"]
            yield from (layers[a:b] for a, b in pairwise(sorted({0, *cuts, len(layers)})))

    def _may_share(self, before: list[int], layer: int) -> bool:
        first, last, this = map(self._kind, (before[0], before[-1], layer))
        if last == this == "pool":  # which only strides
            return set(self.words[layer][0].window) == {1}
        return this in GOES_ON.get(last, ()) and not (first == "merge" and len(before) > 1)

    def _kind(self, layer: int) -> str:
        return self.words[layer][0].kind


# The kinds of layers that a box may go on with, by the kind of its last layer.
CONV_UNIT = ("conv", "norm", "activation")
GOES_ON = dict.fromkeys(CONV_UNIT, CONV_UNIT) | {
    "dense": ("norm", "activation"),
    "merge": ("activation",),
}


def _box_words(words: list[Description]) -> list[Description]:
    """The words for a box of layers with some words."""
    if len(words) > 1 and words[-1] == PRODUCT:  # a squeeze-and-excitation
        for word in words:
            if word.kind == "conv" and len(word.window) == 1:  # along the channels
                return [Description("scale", "channel attention", count=str(word.window[0]))]
        counts = (word.count for word in words if word.kind in ("conv", "dense") and word.count)
        return [Description("scale", "squeeze-excite", count=next(counts, ""))]
    if [word.kind for word in words] == ["pool", "pool"]:  # the second one only strides
        return [replace(words[0], strides=words[1].strides)]
    return words
