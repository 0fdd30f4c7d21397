"""The sections of a Keras model: the parts of the networks in it, and what is around them.

Layers of a network of this package are in its parts: the stem, the stages and the head; those of a
task around it are in the task's, such as the blocks of a decoder. Other layers are in sections by
the size of their output; layers that compute vectors from a network are a head. In a model without
such a network all sections are by size.
"""

from collections.abc import Container, Iterable, Iterator, Sequence
from dataclasses import replace
from fractions import Fraction
from graphlib import TopologicalSorter
from typing import NamedTuple

import keras

from ..common.words import by
from ..plan.names import ELSEWHERE, HEAD, Place, task_part
from .graph import Node
from .locate import Names, after_named, named_next, owners

VECTORS = "vectors"  # the section of layers that compute no images

# (rows, columns); None for an unknown size.
Size = tuple[int | None, int | None]


class LayerSection(NamedTuple):
    """A section: its name, which may be the size of its output.

    Sections of one name have different numbers.
    """

    name: str
    is_size: bool
    number: int = 0


class Sectioned(NamedTuple):
    """The nodes of a model in the order of its sections, with the place and section of each.

    `has_network` is False for a model without a network of this package: its nodes are as they
    were, and a section may then be in several pieces.
    """

    graph: list[Node]
    places: list[Place]
    sections: list[LayerSection]
    has_network: bool


def in_sections(
    graph: list[Node], sizes: Sequence[Size | None], layers: Iterable[keras.Layer]
) -> Sectioned:
    """Find the section of every node, and put the nodes of one section side by side.

    Several networks come in the order of their first layer in `layers`, the model's.
    """
    names = owners(graph)
    if not any(name and name.place.block for name in names):
        by_size = [LayerSection(_size_name(size) or VECTORS, is_size=True) for size in sizes]
        return Sectioned(graph, [ELSEWHERE] * len(graph), by_size, has_network=False)
    name_of = {node.layer.name: name for node, name in zip(graph, names, strict=True)}
    known = (name for layer in layers if (name := name_of.get(layer.name)))
    ranks = {prefix: rank for rank, prefix in enumerate(dict.fromkeys(n.prefix for n in known))}
    parts = list(_side_parts(graph, names, sizes, ranks))
    order = list(_order(graph, parts))
    new = {old: position for position, old in enumerate(order)}
    moved = [
        replace(graph[old], inputs=tuple(new[source] for source in graph[old].inputs))
        for old in order
    ]
    places = [name.place if name else ELSEWHERE for name in (names[old] for old in order)]
    sections = list(_as_sections(parts[old] for old in order))
    return Sectioned(moved, places, sections, has_network=True)


def _size_name(size: Size | None) -> str:
    return by(size, "x") if size else ""


# Parts ------------------------------------------------------------------------------------------


class _SidePart(NamedTuple):
    """The part of a model that a node is in.

    `rank` is the number of the network that it is in or before; parts after all networks come last.
    """

    rank: int
    side: str  # "before", "in" or "after" a network, or "beside" all
    name: str
    is_size: bool = False


def _side_parts(
    graph: list[Node],
    names: Names,
    sizes: Sequence[Size | None],
    ranks: dict[str, int],
) -> Iterator[_SidePart]:
    several = len(ranks) > 1
    nodes = zip(
        graph,
        names,
        named_next(graph, names),
        after_named(graph, names),
        _map_names(graph, names, sizes),
        _task_parts(graph, ranks),
        strict=True,
    )
    for node, name, following, after, map_name, of_task in nodes:
        own = name if node.inputs else following  # users name inputs as they like
        if own:
            part = own.place.part
            yield _SidePart(ranks[own.prefix], "in", own.prefix + part if several else part)
        elif following:
            yield _SidePart(ranks[following.prefix], "before", map_name or VECTORS, is_size=True)
        elif not after:
            yield _SidePart(len(ranks), "beside", map_name or VECTORS, is_size=True)
        elif of_task:
            prefix, part = of_task
            yield _SidePart(len(ranks), "after", prefix + part if several else part)
        elif map_name:
            yield _SidePart(len(ranks), "after", map_name, is_size=True)
        else:
            side = (len(ranks), "after") if several else (0, "in")
            yield _SidePart(*side, HEAD.part)


def _task_parts(graph: list[Node], prefixes: Iterable[str]) -> list[tuple[str, str] | None]:
    """The prefix and the part of the task that every node is in, or that reads its output."""
    found: list[tuple[str, str] | None] = [
        next(((p, part) for p in prefixes if (part := task_part(node.layer.name, p))), None)
        for node in graph
    ]
    for position, node in reversed(list(enumerate(graph))):
        for source in node.inputs:
            found[source] = found[source] or found[position]
    return found


def _map_names(graph: list[Node], names: Names, sizes: Sequence[Size | None]) -> list[str]:
    """The size of every node's feature map, or of the one that it scales; empty for a vector.

    A gate, as in squeeze-and-excitation, computes vectors, or maps of one pixel.
    """
    found = [_size_name(size) if size != (1, 1) else "" for size in sizes]
    if any(size and None in size for size in sizes):
        # The levels of a decoder are told apart by their share of the image's rows.
        shares = zip(found, sizes, _scales(graph), strict=True)
        found = [
            f"{name} at {scale}" if size and None in size else name for name, size, scale in shares
        ]
    for position, node in reversed(list(enumerate(graph))):
        if not names[position]:
            for source in node.inputs:
                found[source] = found[source] or found[position]
    return found


def _scales(graph: list[Node]) -> list[Fraction]:
    """The rows of every node's output as a share of the image's, if the layers before it tell."""
    found: list[Fraction] = []
    for node in graph:
        scale = found[node.inputs[0]] if node.inputs else Fraction(1)
        layer, kind = node.layer, type(node.layer).__name__
        factor = getattr(layer, "size" if kind.startswith("UpSampling") else "strides", None) or 1
        rows = factor[0] if isinstance(factor, tuple | list) else factor
        grows = kind.startswith("UpSampling") or kind.endswith("Transpose")
        found.append(scale * rows if grows else scale / rows)
    return found


# Order ------------------------------------------------------------------------------------------


def _order(graph: list[Node], parts: list[_SidePart]) -> Iterator[int]:
    """The positions of the nodes, each after its inputs; a part is left when nothing is ready.

    The next part is one that can be completed, if there is one: of the first network, then one that
    begins with an input or that the latest part leads to, then the one that comes first in the
    graph.
    """
    sorter = TopologicalSorter({number: node.inputs for number, node in enumerate(graph)})
    sorter.prepare()
    ready: dict[_SidePart, set[int]] = {part: set() for part in parts}
    done: dict[int, int] = {}  # the number of parts before each node's
    part, number = None, 0
    while sorter.is_active():
        for position in sorter.get_ready():
            ready[parts[position]].add(position)
        if part is None or not ready[part]:
            waiting = set(_waiting(graph, parts, done))
            latest = {
                other: max((done[n] for p in positions for n in graph[p].inputs), default=number)
                for other, positions in ready.items()
                if positions
            }
            part = min(latest, key=lambda p: (p in waiting, p.rank, -latest[p], min(ready[p])))
            number += 1
        position = min(ready[part])
        ready[part].remove(position)
        done[position] = number
        sorter.done(position)
        yield position


def _waiting(
    graph: list[Node], parts: list[_SidePart], done: Container[int]
) -> Iterator[_SidePart]:
    """The parts that need something first that another part has not computed yet."""
    for node, part in zip(graph, parts, strict=True):
        if any(source not in done and parts[source] != part for source in node.inputs):
            yield part


def _as_sections(parts: Iterable[_SidePart]) -> Iterator[LayerSection]:
    """The sections of nodes in order: a new one where the part changes."""
    last, number = None, -1
    for part in parts:
        number += part != last
        last = part
        yield LayerSection(part.name, part.is_size, number)
