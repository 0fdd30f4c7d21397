"""The result of loading a checkpoint. Does not import Keras."""

import re
from collections import Counter
from dataclasses import dataclass

from ..common.checks import shortened

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

    def __str__(self) -> str:
        first = f"{self.tensors} tensors from {self.source}, named as in {self.origin}"
        return "\n".join(
            [first, *(f"- {line}" for line in (*self.adapted, *self._groups, *self.notes))]
        )

    @property
    def _groups(self) -> list[str]:
        """The unused tensors by the first part of their names that is not the network's too."""
        counts = Counter(_group(name, self.prefix) for name in self.unused)
        lines = [f"unused: {_tensors(count)} of {shortened(g)}" for g, count in counts.items()]
        more = sum(list(counts.values())[LISTED:])
        return [*lines[:LISTED], *([f"unused: {_tensors(more)} of others"] if more else [])]


def _group(name: str, prefix: str) -> str:
    """The first parts of a name, to the first that is not the network's too.

    Example:
        >>> [_group(name, "backbone.body.") for name in ("backbone.fpn.p6.bias", "rpn.conv.bias")]
        ['backbone.fpn', 'rpn']
    """
    end = 0
    for part in re.finditer(r"[^./]*[./]?", name):
        end = part.end()
        if not prefix.startswith(name[:end]):
            break
    return name[:end].rstrip("./")


def _tensors(count: int) -> str:
    return f"{count} tensor" + "s" * (count != 1)
