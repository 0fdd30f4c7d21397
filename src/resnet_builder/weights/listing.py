"""list_weights: the published checkpoints as a table. Does not import Keras."""

from collections.abc import Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase

from ..common.tables import Table, TableCell, Tabular
from ..presets.published_weights import PublishedWeights, published
from .imagenet import CLASSES, find_recommended


@dataclass(frozen=True)
class WeightsList(Tabular):
    """Published checkpoints; prints as a table.

    Attributes:
        rows: one row for each checkpoint.

    Example:
        >>> from resnet_builder import list_weights
        >>> [weights.name for weights in list_weights("resnet26?").rows]
        ['resnet26d.bt_in1k', 'resnet26t.ra2_in1k']
    """

    rows: tuple[PublishedWeights, ...]

    def table(self) -> Table:
        """A row for every checkpoint, then the sources of the accuracies."""
        presets = dict.fromkeys(row.preset for row in self.rows)
        found = {best.name for preset in presets if (best := find_recommended(preset))}
        is_best = [row.name in found for row in self.rows]
        return Table(
            header=("checkpoint", "top-1, %", "licence", "training data", "library"),
            rows=tuple(map(_cells, self.rows, is_best)),
            note="\n".join(_notes(self.rows, is_best)),
            kinds=tuple("best" if best else "" for best in is_best),
        )


def list_weights(pattern: str = "*") -> WeightsList:
    """List the published checkpoints of timm, torchvision, keras.applications and keras-hub.

    Args:
        pattern: a shell pattern of names, such as `"resnet50.*"`, or of presets.

    Returns:
        The checkpoints, which print as a table: name, accuracies and the input sizes that they
        were measured at (the first is that of the training), licence, training data, and library.
        A name can be given to `ResnetBuilder.from_preset`, `load_weights` and `preprocessing`.

    Example:
        >>> from resnet_builder import list_weights
        >>> print(list_weights("resnet26"))
        checkpoint          top-1, %                      licence     training data    library
        ------------------  ----------------------------  ----------  ---------------  ---------
        resnet26.bt_in1k *  75.298 at 224, 76.384 at 288  apache-2.0  ImageNet-1k      timm
        * the one for weights="imagenet"
        top-1 by timm: results/results-imagenet.csv, commit aa4b5850
    """
    rows = published()
    return WeightsList(
        tuple(row for row in rows if any(fnmatchcase(n, pattern) for n in (row.name, row.preset)))
    )


def _cells(row: PublishedWeights, is_best: bool) -> tuple[TableCell, ...]:
    return (
        f"{row.name} *" if is_best else row.name,
        _accuracies(row),
        f"{row.licence} !" if row.licence and not row.is_free else row.licence or None,
        _training(row),
        row.library,
    )


def _accuracies(row: PublishedWeights) -> str:
    """The accuracies and the sides of the inputs that they were measured at: 80.382 at 224."""
    measured = [(row.top1, row.input_size), (row.test_top1, row.test_input_size)]
    return ", ".join(
        f"{'?' if top1 is None else top1} at {size[0]}" for top1, size in measured if size
    )


def _training(row: PublishedWeights) -> str:
    """The training data, and the number of classes if it is another than ImageNet's."""
    words = {0: " (no classifier)", CLASSES: ""}
    return (row.training_data or "?") + words.get(row.classes, f" ({row.classes:,} classes)")


def _notes(rows: tuple[PublishedWeights, ...], is_best: list[bool]) -> Iterator[str]:
    """The meaning of the signs, and the sources."""
    if not rows:
        yield "no checkpoint matches"
    if any(is_best):
        yield '* the one for weights="imagenet"'
    if any(row.licence and not row.is_free for row in rows):
        yield "! not for commercial use"
    yield from dict.fromkeys(f"top-1 by {row.top1_source}" for row in rows if row.top1_source)
