"""The boxes of a plan, which has them as units, and of a graph, whose layers are gathered.

A box is a convolution with its batch norm and activation, a sum with the activation after it, or a
squeeze-and-excitation.
"""

from collections import defaultdict
from collections.abc import Container, Hashable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from itertools import chain, pairwise, permutations
from typing import TYPE_CHECKING, NamedTuple, TypeVar

from ...common.words import Description, by
from ...costs.activations import kept_for_training, views
from ...plan.describe import describe, describe_inside
from ...plan.draft import Composite, Unit
from ...plan.names import ELSEWHERE, HEAD, STEM, Place
from ...plan.network import Plan
from ...weights.expected import ExpectedWeights, expected_weights
from ...weights.naming import Origin
from ...weights.origins import origin_in
from .sketch import Box, Cell, DrawnLayer

if TYPE_CHECKING:
    from ...model.graph import Node

Key = TypeVar("Key", bound=Hashable)

SHOWN_LIBRARIES = ("timm", "torchvision", "transformers", "keras.applications", "smp")
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
        inside: the boxes of its layers, after one for its input, if it stands for several paths.
    """

    cells: Box
    layers: tuple[DrawnLayer, ...]
    inputs: tuple[int, ...]
    place: Place
    section: tuple[str, Hashable]
    inside: "tuple[LayerBox, ...]" = ()


# Of a plan --------------------------------------------------------------------------------------


def boxes_of_plan(plan: Plan) -> Iterator[LayerBox]:
    """Yield the boxes of a plan, each after those that feed it."""
    box_of: dict[str, int] = {}
    drawn = dict(drawn_layers(plan, dict(known_origins(expected_weights(plan)))))
    for number, (place, units) in enumerate(_placed_units(plan)):
        layers = list(chain.from_iterable(units))
        box_of |= {layer.name: number for layer in layers}
        inputs = dict.fromkeys(box_of[source] for layer in layers for source in layer.inputs)
        words = list(chain.from_iterable(map(describe, units)))
        if not number:
            words = [Description("other", f"input {by(plan.image.output_shape)}")]
        opened = next((unit for unit in units if isinstance(unit, Composite)), ())
        yield LayerBox(
            cells=tuple(map(Cell, words)),
            layers=tuple(drawn[layer.name] for layer in layers),
            inputs=tuple(source for source in inputs if source != number),
            place=place,
            section=(place.part, place.part),
            inside=open_box(
                {layer.name: drawn[layer.name] for layer in opened},
                {layer.name: layer.inputs for layer in opened},
                {layer.name: describe_inside(layer) for layer in opened},
            ),
        )


def drawn_layers(plan: Plan, origins: Mapping[str, Origin]) -> Iterator[tuple[str, DrawnLayer]]:
    """Yield what is drawn of each layer by its name, with the names of some libraries."""
    seen, kept = views(plan), kept_for_training(plan)
    for layer in plan.layers:
        tensors = {
            library: tuple(origin.whole_tensor((layer.name, weight)) for weight in layer.weights)
            for library, origin in origins.items()
        }
        yield (
            layer.name,
            DrawnLayer(
                layer.name,
                layer.input_shape if layer.inputs else None,
                layer.output_shape,
                layer.weights,
                layer.parameters,
                layer.macs,
                dict(settings(layer)),
                seen[layer.name],
                None if kept is None else kept.get(layer.name, 0),
                tensors,
            ),
        )


def known_origins(expected: ExpectedWeights) -> Iterator[tuple[str, Origin]]:
    """Yield the libraries that have a network, each with its names."""
    for library in SHOWN_LIBRARIES:
        with suppress(ValueError):
            yield library, origin_in(library, expected)


# Setting -> the attributes that it is in, of layers of a plan or of Keras.
SETTINGS = {
    "window": ("kernel_size", "pool_size"),
    "stride": ("strides",),
    "padding": ("padding",),
    "size": ("size",),
    "dilation": ("dilation", "dilation_rate"),
    "groups": ("groups",),
    "epsilon": ("epsilon",),
    "momentum": ("momentum",),
    "activation": ("activation", "function"),
    "rate": ("rate",),
    "standardised kernel": ("standardized",),
}


def settings(layer: object) -> Iterator[tuple[str, str]]:
    """Yield the settings of a layer of a plan or of Keras: name and words."""
    for name, attributes in SETTINGS.items():
        for value in (getattr(layer, attribute, None) for attribute in attributes):
            if value is None or value is False or (words := _in_words(value)) == "linear":
                continue
            yield name, words


def _in_words(value: object) -> str:
    """A setting in words; equal sizes of rows and columns are one number."""
    if isinstance(value, tuple | list):
        parts = list(map(_in_words, value))
        return parts[0] if len(set(parts)) == 1 else "×".join(parts)
    if isinstance(value, int | float | str):
        return str(value)
    return str(getattr(value, "__name__", type(value).__name__))


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


# Of the layers inside a box ---------------------------------------------------------------------


class InnerNode(NamedTuple):
    """A layer inside a box, with the positions of those that feed it."""

    inputs: tuple[int, ...]
    is_output: bool = False


def open_box(
    layers: Mapping[Key, DrawnLayer],
    inputs: Mapping[Key, Iterable[Key]],
    words: Mapping[Key, list[Description]],
) -> tuple[LayerBox, ...]:
    """The boxes of the layers inside a box, after one for its input; none of no layers.

    Args:
        layers: the layers in their order.
        inputs: what feeds each of them, which may be outside.
        words: the words for each of them.
    """
    if not layers:
        return ()
    numbers = {key: number for number, key in enumerate(layers, start=1)}
    shape = next(iter(layers.values())).input_shape or ()
    sources = [dict.fromkeys(numbers.get(one, 0) for one in inputs[key]) for key in layers]
    graph = [InnerNode(()), *(InnerNode(tuple(of)) for of in sources)]
    entry = Description("other", f"input {by(shape)}")
    drawn = DrawnGraph(graph, [[entry], *(words[key] for key in layers)], [0] * len(graph))
    told = list(layers.values())
    return tuple(
        LayerBox(cells, tuple(told[n - 1] for n in of_box if n), before, ELSEWHERE, ("", 0))
        for of_box, cells, before in drawn.boxes(gathered=False)
    )


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
        graph: "Sequence[Node | InnerNode]",
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

    def boxes(self, *, gathered: bool = True) -> Iterator[tuple[list[int], Box, tuple[int, ...]]]:
        """Yield the layers of each box, its cells, and the numbers of the boxes that feed it.

        With `gathered`, a squeeze-and-excitation is one box.
        """
        excitations = list(self._excitations()) if gathered else []
        chains = self._chains(without=set(chain.from_iterable(excitations)))
        boxes = sorted([*excitations, *chains], key=lambda layers: layers[-1])
        box_of = {layer: number for number, layers in enumerate(boxes) for layer in layers}
        for number, layers in enumerate(boxes):
            words = [word for layer in layers for word in self.words[layer]]
            words = _box_words(words) if gathered else words
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
