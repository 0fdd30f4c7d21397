"""What was loaded of a checkpoint, or why it does not fit and what would, in words."""

from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from ..common.checks import shortened
from ..common.words import loading
from ..files.opening import FOLDER_FILES
from ..plan.names import CLASSIFIER
from ..plan.network import Head, make_plan
from ..presets.networks import PRESETS
from ..presets.resolve import find_published
from .expected import ExpectedWeights, Target, expected_weights
from .match import PLACES_OF_STRIDES, Match, Problem, Recognised, match
from .naming import CLASSIFIER_KERNEL, KERAS, branch

# Maximum number of lines about one kind of tensors in a message.
LISTED = 20


@dataclass(frozen=True)
class WeightsReport:
    """The result of loading a checkpoint.

    Attributes:
        source: the file or folder, or `"the dict"`.
        origin: the library that the checkpoint's names are from.
        tensors: number of tensors loaded into the model.
        adapted: adaptations of the checkpoint, in words; empty if there were none.
        left_random: names of the weights that were not loaded.
        unused: the checkpoint's names of the tensors that were not loaded: those that were skipped,
            that a network without a classifier leaves, or that are no weights.
        prefix: prefix of the network's names in the checkpoint, such as `"backbone."`.
        notes: what to check, in sentences.
        labels: names of the classes, where the checkpoint has them (mmpretrain's `meta`).

    Example:
        >>> from resnet_builder import ResnetBuilder, load_weights
        >>> small = {"repetitions": (1,), "filters": 8, "input_shape": (8, 8, 3)}
        >>> trained = ResnetBuilder.from_preset("resnet18", **small)
        >>> arrays = {f"{w.path}": w.numpy() for w in trained.weights}
        >>> body = ResnetBuilder.from_preset("resnet18", include_top=False, **small)
        >>> print(load_weights(body, arrays))
        15 tensors from the dict, named as in resnet_builder
        - unused: 2 tensors of predictions
        - it does not say what its layers compute (activation, padding, strides, epsilon, ...)
    """

    source: str
    origin: str
    tensors: int
    adapted: tuple[str, ...] = ()
    left_random: tuple[str, ...] = ()
    unused: tuple[str, ...] = ()
    prefix: str = ""
    notes: tuple[str, ...] = ()
    labels: tuple[str, ...] = ()

    def __str__(self) -> str:
        first = f"{self.tensors} tensors from {self.source}, named as in {self.origin}"
        return "\n".join(
            [first, *(f"- {line}" for line in (*self.adapted, *self._groups, *self.notes))]
        )

    @property
    def _groups(self) -> list[str]:
        """The unused tensors by the first part of their names that is not the network's too."""
        counts = Counter(branch(name, self.prefix).rstrip("./") for name in self.unused)
        lines = [f"unused: {_tensors(count)} of {shortened(g)}" for g, count in counts.items()]
        more = sum(list(counts.values())[LISTED:])
        return [*lines[:LISTED], *([f"unused: {_tensors(more)} of others"] if more else [])]


def _tensors(count: int) -> str:
    return f"{count} tensor" + "s" * (count != 1)


# Refusals ---------------------------------------------------------------------------------------


def refusal(target: Target, found: Recognised, matched: Match, adapt_argument: str) -> str:
    """List what does not fit, and what would.

    Args:
        adapt_argument: name of the caller's argument for `adapt`.
    """
    after = f", after {found.prefix!r}" if found.prefix else ""
    names = f"named as in {found.origin.name}{after}"
    lines = [f"cannot load {found.checkpoint.name} ({names}) into {target.model.name!r}:"]
    adapted = match(found, target.expected, adapt=True)
    # The settings tell nothing more if the weights belong to another network.
    if adapted.problems:
        problems = tuple(of for of in matched.problems if of.kind != "setting")
        matched = replace(matched, problems=problems)
    lines += _problem_lines(matched.problems)
    if any(problem.kind == "setting" for problem in matched.problems):
        lines.append(
            "A dict of only the arrays, or a .weights.h5, loads whatever the layers compute."
        )
    else:
        lines += _what_would_fit(found, target.expected, matched, adapted, adapt_argument)
    return "\n".join(lines)


def _problem_lines(problems: Iterable[Problem]) -> Iterator[str]:
    """A line for each problem, and for each kind the number of problems beyond `LISTED`."""
    of_kind: dict[str, list[str]] = {}
    for kind, words in problems:
        of_kind.setdefault(kind, []).append(f"{kind}: {shortened(words)}")
    for kind, lines in of_kind.items():
        yield from lines[:LISTED]
        if len(lines) > LISTED:
            yield f"{kind}: {len(lines) - LISTED} more"


def _what_would_fit(
    found: Recognised,
    expected: ExpectedWeights,
    matched: Match,
    adapted: Match,
    adapt_argument: str,
) -> Iterator[str]:
    fits_without_classifier = not match(found, expected.body, adapt=False).problems
    if expected.classifier and found.checkpoint.without_head:
        yield found.checkpoint.without_head
    inside = found.checkpoint
    alone = replace(found, source=inside, names={name: name for name in inside.shapes})
    if not matched.classifiers and not match(alone, expected, adapt=False).problems:
        yield f"Without these tensors it fits: leave them out with {loading('skip')}."
    elif matched.classifiers and fits_without_classifier:
        yield _rename(found, expected, matched)
    elif not adapted.problems:
        yield f"With {adapt_argument}=True it fits: {', '.join(adapted.adapted)}."
        if adapted.left_random and fits_without_classifier and not expected.has_task:
            yield "It fits the network without its classifier (include_top=False)."
    elif expected.has_task and not match(found, expected.encoder, adapt=False).problems:
        yield (
            "Its encoder fits; its decoder is another, or has other filters: of "
            "segmentation_models.pytorch, Unet, FPN and DeepLabV3Plus are built, without attention."
        )
    else:
        presets, adaptable = fitting_presets(found, include_top=expected.classifier == CLASSIFIER)
        is_strides_alone = {of.kind for of in matched.problems} == {"strides"}
        if is_strides_alone:
            yield from _strides(found, expected, presets or adaptable)
        elif presets:
            yield f"It fits {' or '.join(presets)}."
        elif adaptable:
            yield f"With {adapt_argument}=True it fits {' or '.join(adaptable)}."
        elif described := _described(found.source.name):
            yield f"ResnetBuilder.from_preset({described!r}) builds its network."


def _described(file: str) -> str:
    """The folder of a file, if the config.json in it describes a network; else empty."""
    folder = str(Path(file).parent)
    with suppress(ValueError, OSError):
        return folder if Path(file).name in FOLDER_FILES and find_published(folder) else ""
    return ""


def _strides(found: Recognised, expected: ExpectedWeights, presets: list[str]) -> Iterator[str]:
    """Which network has the file's strides, and how to say that the file has the model's."""
    here, there = (PLACES_OF_STRIDES[bool(of.stride_in_3x3)] for of in (expected, found.origin))
    network = " or ".join(presets) or "the network that is built with the other stride_in_3x3"
    yield f"It fits {network}, whose bottlenecks stride in their {there}."
    if found.origin.layout is not KERAS:
        yield (
            f"If the file's bottlenecks stride in their {here}, which only its source can say, "
            f"load it with {loading('stride_in_3x3', expected.stride_in_3x3)}."
        )


def _rename(found: Recognised, expected: ExpectedWeights, matched: Match) -> str:
    """How to name the layer that may be the classifier."""
    classes = expected.shapes[CLASSIFIER_KERNEL][1]
    same = [of for of in matched.classifiers if of.classes == classes] or matched.classifiers
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


def fitting_presets(found: Recognised, *, include_top: bool) -> tuple[list[str], list[str]]:
    """The presets that a checkpoint fits, and those that it fits with `adapt`.

    Only those with the checkpoint's number of blocks, which its names tell, are planned.
    """
    presets: list[str] = []
    adaptable: list[str] = []
    blocks = found.origin.repetitions(found.checkpoint.shapes)
    for name, config in PRESETS.items():
        if config.repetitions != blocks:
            continue
        expected = expected_weights(make_plan(config, Head(include_top=include_top)))
        if any(found.shape(weight) is None for weight in expected.body.shapes):
            continue
        if not match(found, expected, adapt=False).problems:
            presets.append(name)
        elif not match(found, expected, adapt=True).problems:
            adaptable.append(name)
    return presets, adaptable
