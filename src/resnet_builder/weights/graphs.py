"""What the layers of a file compute, compared with a model's."""

from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import keras

from ..files.described_graph import DescribedGraph, is_own_layer, settings_of
from .match import Match, Problem, Recognised
from .naming import WeightName
from .origins import BY_CONNECTIONS
from .recognise import shapes_by_layer
from .settings import Comparison

# Variables and their layers by name without the `layer_prefix`.
Weights = dict[WeightName, tuple[Any, Any]]


def by_connections(
    model: keras.Model, prefix: str, found: Recognised, weights: Weights
) -> tuple[Recognised, Comparison]:
    """Name the tensors of a file by the places of its layers in its graph.

    Raises:
        ValueError: the graph is not the model's, or has the model's several times.
    """
    here = {
        f"{layer.name}/{variable}": tuple(value.shape)
        for (_, variable), (value, layer) in weights.items()
    }
    checkpoint = found.checkpoint

    def compare(shapes: Mapping[str, tuple[int, ...]]) -> Comparison:
        with _readable(checkpoint.name):
            return Comparison(
                DescribedGraph(settings_of(model)),
                DescribedGraph(checkpoint.settings),
                shapes=(shapes_by_layer(here), shapes_by_layer(shapes)),
                prefixes=(prefix, ""),
            )

    compared = compare(checkpoint.shapes)
    if compared.differences:
        raise ValueError(
            f"cannot load {checkpoint.name}: {found.unknown}\nBy their connections, too, its "
            f"layers are not those of {model.name!r}: {compared.differences[0]}"
        )
    given = shapes_by_layer(checkpoint.shapes)
    own_names = {layer.name: own for (own, _), (_, layer) in weights.items()}
    names = {
        BY_CONNECTIONS.tensor((own, variable)): f"{compared.pairs[layer]}/{variable}"
        for layer, own in own_names.items()
        if layer in compared.pairs
        for variable in given[compared.pairs[layer]]
    }
    inside = set(names.values())
    beside = {name: shape for name, shape in checkpoint.shapes.items() if name not in inside}
    if len(beside) >= len(inside) and not (other := compare(beside)).differences:
        first = " and ".join(next(iter(of.pairs.values())) for of in (other, compared))
        raise ValueError(
            f"cannot load {checkpoint.name}: it holds several networks like {model.name!r}, with "
            f"the layers {first}: leave out the tensors of all but one with load_weights(..., "
            "skip=)"
        )
    named = replace(found, checkpoint=checkpoint.renamed(names), names=names, beside=beside)
    return named, compared


def by_names(
    model: keras.Model,
    prefix: str,
    found: Recognised,
    weights: Weights,
    matched: Match,
    settings: Mapping[str, Any],
    in_file: Mapping[str, str],
    *,
    paths: bool,
) -> Comparison | None:
    """Compare the layers that have the same weights and, with `paths`, those between them.

    Returns None if the file describes none of these layers.

    Args:
        in_file: names in the file, by those after `rename`.
    """
    pairs = {}
    for assignment in matched.assignments:
        layer = in_file[found.names[assignment.tensor]].removesuffix(f"/{assignment.weight[1]}")
        while layer and not is_own_layer(layer, settings):
            layer = layer.rpartition("/")[0]
        if layer:
            pairs[weights[assignment.weight][1].name] = layer
    if not pairs:
        return None
    with _readable(found.checkpoint.name):
        return Comparison(
            DescribedGraph(settings_of(model)),
            DescribedGraph(settings),
            pairs=pairs,
            prefixes=(prefix, found.prefix),
            same_names=found.origin.is_own,
            paths=paths,
        )


@contextmanager
def _readable(name: str) -> Iterator[None]:
    """Reject a description of layers that Keras does not write."""
    try:
        yield
    except Exception as error:  # a broken description can lead to any error
        raise ValueError(
            f"cannot load {name}: its description of its layers is broken ({error})"
        ) from error


def with_settings(
    matched: Match,
    found: Recognised,
    weights: Weights,
    compared: Comparison,
    epsilon: float | None,
) -> Match:
    """Add what a comparison found: the differences, and the epsilons of the file.

    Args:
        epsilon: the epsilon that the caller gave instead.
    """
    epsilons = compared.epsilons if epsilon is None else {}
    assignments = tuple(
        replace(of, epsilon=epsilons.get(weights[of.weight][1].name)) for of in matched.assignments
    )
    other: Counter[tuple[float, Any]] = Counter()
    for of in assignments:
        own = getattr(weights[of.weight][1], "epsilon", None)
        known = own if found.origin.epsilon is None else found.origin.epsilon
        if of.weight[1] == "moving_variance" and of.epsilon is not None and of.epsilon != known:
            other[of.epsilon, own] += 1
    adapted = (f"epsilon {a} of {count} batch norms to {b}" for (a, b), count in other.items())
    problems = (Problem("setting", words) for words in compared.differences)
    return replace(
        matched,
        assignments=assignments,
        adapted=(*matched.adapted, *adapted),
        problems=(*matched.problems, *problems),
    )
