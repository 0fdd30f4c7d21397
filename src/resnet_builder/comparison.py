"""compare: the differences of two networks and their costs."""

import os
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from textwrap import fill
from typing import TYPE_CHECKING, Any

from .common.checks import shortened
from .common.tables import Table, TableCell, Tabular
from .config import FIELDS, ResnetConfig
from .costs.profile import Profile, profile
from .plan.rules import KINDS
from .presets.resolve import resolve

if TYPE_CHECKING:
    from .pictures.diagram import Diagram


@dataclass(frozen=True)
class Difference:
    """One field in which two networks differ.

    Attributes:
        field: name of the `ResnetConfig` field.
        first: value in the first network.
        second: value in the second network.
        parameters: change in the number of parameters if the first network takes the second's
            value, after the differences before this one; None if the network in between is invalid.
        macs: change in the number of multiply-adds, likewise.
    """

    field: str
    first: Any
    second: Any
    parameters: int | None
    macs: int | None

    @property
    def in_words(self) -> str:
        """The difference in words."""
        if words := FIELD_WORDS.get(self.field):
            return f"{words[self.second]} instead of {words[self.first]}"
        first, second = (
            shortened(str(getattr(value, "__name__", value)), 60)
            for value in (self.first, self.second)
        )
        return f"{self.field} {second} instead of {first}"


@dataclass(frozen=True)
class Comparison(Tabular):
    """Two networks and their differences; prints as a table.

    Attributes:
        first: costs of the first network.
        second: costs of the second network.
        differences: the differences, in the order of `ResnetConfig`'s fields.
        configs: the configs of both.

    Example:
        >>> [difference.field for difference in compare("resnet50", "seresnet50").differences]
        ['se_ratio']
    """

    first: Profile
    second: Profile
    differences: tuple[Difference, ...]
    configs: tuple[ResnetConfig, ResnetConfig]

    def plot(
        self, to_file: str | os.PathLike[str] | None = None, *, fold: bool = True
    ) -> "Diagram":
        """Draw the two networks side by side, with thick frames around differences.

        Args:
            to_file: file to save the picture to, as in `plot`.
            fold: whether to draw repeated blocks once; False draws every block.

        Raises:
            TypeError: `fold` is not a bool.
            ValueError: an unsupported file ending.
            OSError: `to_file` cannot be written.
            RuntimeError: Graphviz is not installed, or it failed.

        Example:
            >>> "squeeze-excite" in compare("resnet50", "seresnet50").plot().dot
            True
        """
        # Imported here, because printing a comparison does not need the drawing modules.
        from .pictures.plot import plot_side_by_side

        names = self.first.name, self.second.name
        return plot_side_by_side(list(zip(names, self.configs, strict=True)), to_file, fold=fold)

    def table(self) -> Table:
        """The first network's costs, the cost of each difference, and the second's costs."""
        rows: list[tuple[TableCell, ...]] = [
            (self.first.name, self.first.parameters, self.first.macs)
        ]
        free = []
        for difference in self.differences:
            if difference.parameters == difference.macs == 0:
                free.append(difference.in_words)
            else:
                cost = _signed(difference.parameters), _signed(difference.macs)
                rows.append((f"- {difference.in_words}", *cost))
        rows.append((self.second.name, self.second.parameters, self.second.macs))
        note = "" if self.differences else "The two networks are the same."
        if free:
            lines = [fill(f"- {words}", 96, subsequent_indent="  ") for words in free]
            note = "\n".join(["At no cost:", *lines])
        header = ("network", "parameters", "multiply-adds")
        return Table(header=header, rows=tuple(rows), note=note, wrap=60)


def compare(
    first: str | ResnetConfig,
    second: str | ResnetConfig,
    *,
    names: tuple[str, str] | None = None,
) -> Comparison:
    """Compare two networks field by field, with the cost of each difference.

    The differences are applied one after the other, in the order of `ResnetConfig`'s fields, so
    that their costs add up to the total if every network in between is valid. A field that has no
    effect after the differences before it, such as the momentum of batch norms in a network without
    them, is no difference. Each network has its own input size and number of classes.

    Args:
        first: a name of `list_presets()` or `list_weights()`, or a `ResnetConfig`.
        second: the other name or `ResnetConfig`.
        names: their names in the table and in the picture. Default: their own; a config is called
            resnet.

    Returns:
        The comparison, which prints as a table.

    Raises:
        TypeError: an argument of another type.
        ValueError: an unknown name, or not two of `names`.

    Example:
        >>> for difference in compare("resnet50_v1", "resnet50").differences:
        ...     print(difference.field, difference.first, difference.second, difference.macs)
        stride_in_3x3 False True 231211008
        >>> print(compare("plain18", "resnet18"))
        network                                parameters    multiply-adds
        -----------------------------------  ------------  ---------------
        plain18                                11,515,688    1,794,805,760
        - shortcuts instead of no shortcuts      +173,824      +19,267,584
        resnet18                               11,689,512    1,814,073,344
    """
    configs = resolve(first).config, resolve(second).config
    costs = profile(first), profile(second)
    if names is not None:
        if not (isinstance(names, tuple | list) and [type(name) for name in names] == [str, str]):
            raise ValueError(f'names must be two texts, such as ("before", "after"), got {names!r}')
        costs = replace(costs[0], name=names[0]), replace(costs[1], name=names[1])
    return Comparison(*costs, tuple(_differences(*configs)), configs)


def _differences(first: ResnetConfig, second: ResnetConfig) -> Iterator[Difference]:
    between, before = first, _counts_of(first)
    changes: dict[str, Any] = {}
    # Twice, because a change may give an effect to a field before it.
    for name in [*FIELDS] * 2:
        value = getattr(second, name)
        if getattr(between, name) == value:
            continue  # from the beginning, or because the value has lost its effect
        changes[name] = value
        after: Counts = None, None
        with suppress(TypeError, ValueError):  # the network in between may be invalid
            between = first.replace(**changes)
            after = _counts_of(between)
        costs = [
            None if old is None or new is None else new - old
            for old, new in zip(before, after, strict=True)
        ]
        yield Difference(name, getattr(first, name), value, *costs)
        before = after


def _counts_of(config: ResnetConfig) -> "Counts":
    counts = profile(config)
    return counts.parameters, counts.macs


# Parameters and multiply-adds.
Counts = tuple[int | None, int | None]


def _signed(change: int | None) -> str:
    return "?" if change is None else f"{change:+,}"


# The words for the values of a field; other fields are shown by name and value.
FIELD_WORDS: dict[str, dict[Any, str]] = {
    "shortcuts": {True: "shortcuts", False: "no shortcuts"},
    "stride_in_3x3": {
        True: "stride in the bottlenecks' 3x3 convolution",
        False: "stride in the bottlenecks' first 1x1 convolution",
    },
    "padding": {
        "symmetric": "equal padding on both sides, as in PyTorch",
        "same": "more padding at the bottom right, as in Keras",
    },
    "use_bias": {
        True: "convolutions with biases",
        False: "convolutions without biases",
        "unless_normalized": "biases in convolutions that no norm follows",
    },
    "weight_standardization": {True: "standardised kernels", False: "free kernels"},
    "head_pool": {
        "avg": "an average pool in the head",
        "attention": "an attention pool in the head",
    },
    "embedding": {True: "an embedding in the end", False: "a classifier in the end"},
    "stride_in_last_block": {
        True: "strides in the last block of a stage",
        False: "strides in the first block of a stage",
    },
    **{
        field: {name: kind.in_words for name, kind in kinds.items()}
        for field, kinds in KINDS.items()
    },
}
FIELD_WORDS["anti_aliasing"][None] = "strided convolutions"
