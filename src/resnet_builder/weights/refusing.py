"""The message for a checkpoint that does not fit a network. Does not import Keras."""

from collections.abc import Iterable, Iterator
from dataclasses import replace

from ..common.checks import shortened
from .expected import ExpectedWeights
from .matching import Match, Problem, fitting_presets, match
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
    if any(problem.kind == "setting" for problem in problems):
        lines.append(
            "A dict of the arrays alone, or a .weights.h5, loads whatever the layers compute."
        )
        return "\n".join(lines)
    include_top = expected.has_classifier
    if include_top and found.checkpoint.without_head:
        lines.append(found.checkpoint.without_head)
    presets = fitting_presets(found, adapt=False, include_top=include_top)
    if not adapted.problems:
        lines.append(f"With {adapt_argument}=True it fits: {', '.join(adapted.adapted)}.")
    elif presets:
        lines.append(f"It fits {' or '.join(presets)}.")
    elif presets := fitting_presets(found, adapt=True, include_top=include_top):
        lines.append(f"With {adapt_argument}=True it fits {' or '.join(presets)}.")
    elif include_top and not match(found, _without_classifier(expected), adapt=False).problems:
        lines.append("It fits the network without its classifier (include_top=False).")
    return "\n".join(lines)


def _without_classifier(expected: ExpectedWeights) -> ExpectedWeights:
    shapes = {weight: shape for weight, shape in expected.shapes.items() if weight[0] != CLASSIFIER}
    return replace(expected, shapes=shapes)


def _problem_lines(problems: Iterable[Problem]) -> Iterator[str]:
    """A line for each problem, and the number of those of a kind beyond `LISTED`."""
    of_kind: dict[str, list[str]] = {}
    for kind, words in problems:
        of_kind.setdefault(kind, []).append(f"{kind}: {shortened(words)}")
    for kind, lines in of_kind.items():
        yield from lines[:LISTED]
        if len(lines) > LISTED:
            yield f"{kind}: {len(lines) - LISTED} more"
