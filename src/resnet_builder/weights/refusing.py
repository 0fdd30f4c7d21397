"""The message for a checkpoint that does not fit a network. Does not import Keras."""

from collections.abc import Iterable, Iterator
from dataclasses import replace

from ..common.checks import shortened
from .expected import ExpectedWeights
from .matching import Classifier, Match, Problem, fitting_presets, match
from .names import CLASSIFIER
from .recognising import Recognised
from .report import LISTED


def does_not_fit(
    matched: Match,
    found: Recognised,
    expected: ExpectedWeights,
    model_name: str,
    adapt_argument: str,
) -> str:
    """List what does not fit, and what would.

    Args:
        adapt_argument: name of the caller's argument for `adapt`.
    """
    after = f", after {found.prefix!r}" if found.prefix else ""
    lines = [
        f"cannot load {found.checkpoint.name} (named as in {found.origin.name}{after}) into "
        f"{model_name!r}:"
    ]
    adapted = match(found, expected, adapt=True)
    # The settings tell nothing more where the weights are those of another network.
    problems = [of for of in matched.problems if of.kind != "setting" or not adapted.problems]
    lines += _problem_lines(problems)
    kinds = {problem.kind for problem in problems}
    if "setting" in kinds:
        lines.append(
            "A dict of the arrays alone, or a .weights.h5, loads whatever the layers compute."
        )
    else:
        lines += _what_would_fit(matched, adapted, found, expected, adapt_argument, kinds)
    return "\n".join(lines)


def _what_would_fit(
    matched: Match,
    adapted: Match,
    found: Recognised,
    expected: ExpectedWeights,
    adapt_argument: str,
    kinds: set[str],
) -> Iterator[str]:
    include_top = expected.has_classifier
    if include_top and found.checkpoint.without_head:
        yield found.checkpoint.without_head
    if not match(replace(found, beside={}), expected, adapt=False).problems:
        yield "Without these tensors it fits: leave them out with load_weights(..., skip=)."
    elif matched.classifiers and not _body_problems(found, expected):
        yield _rename(matched.classifiers, found, expected)
    elif not adapted.problems:
        yield f"With {adapt_argument}=True it fits: {', '.join(adapted.adapted)}."
        if adapted.left_random and not _body_problems(found, expected):
            yield "It fits the network without its classifier (include_top=False)."
    else:
        presets = fitting_presets(found, include_top=include_top)
        if kinds == {"strides"} and len(presets[False]) != 1:
            strides = found.origin.stride_in_3x3
            yield f"It fits the network with stride_in_3x3={strides} in ResnetBuilder.from_preset."
        elif presets[False]:
            yield f"It fits {' or '.join(presets[False])}."
        elif presets[True]:
            yield f"With {adapt_argument}=True it fits {' or '.join(presets[True])}."


def _rename(
    classifiers: tuple[Classifier, ...], found: Recognised, expected: ExpectedWeights
) -> str:
    """How to name the layer that may be the classifier."""
    classes = expected.shapes[CLASSIFIER, "kernel"][1]
    same = [of for of in classifiers if of.classes == classes] or classifiers
    name = found.prefix + found.origin.layer(CLASSIFIER)
    calls = [
        f"load_weights(model, ..., rename={{{of.layer!r}: {name!r}}})"
        + (f" with classes={of.classes}" if of.classes != classes else "")
        for of in same[:5]
    ]
    layers = " and ".join(repr(of.layer) for of in same[:5])
    have = "has" if len(same) == 1 else "have"
    return (
        f"Its {layers} {have} the shape of a classifier: build the model, and {' or '.join(calls)}."
    )


def _body_problems(found: Recognised, expected: ExpectedWeights) -> tuple[Problem, ...]:
    """The problems of the network without its classifier."""
    shapes = {weight: shape for weight, shape in expected.shapes.items() if weight[0] != CLASSIFIER}
    return match(found, replace(expected, shapes=shapes), adapt=False).problems


def _problem_lines(problems: Iterable[Problem]) -> Iterator[str]:
    """A line for each problem, and the number of those of a kind beyond `LISTED`."""
    of_kind: dict[str, list[str]] = {}
    for kind, words in problems:
        of_kind.setdefault(kind, []).append(f"{kind}: {shortened(words)}")
    for kind, lines in of_kind.items():
        yield from lines[:LISTED]
        if len(lines) > LISTED:
            yield f"{kind}: {len(lines) - LISTED} more"
