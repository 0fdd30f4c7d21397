"""The published checkpoints, read from `checkpoints.csv`.

`tools/make_published_weights.py` writes the file from the libraries' own tables.
"""

import csv
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path
from typing import Any

from ..common.checks import unknown
from ..common.shapes import ImageShape
from ..common.tables import Table, TableCell, Tabular
from ..common.words import by
from .networks import PRESETS

TABLE = Path(__file__).with_name("checkpoints.csv")


@dataclass(frozen=True, kw_only=True)
class PublishedWeights:
    """A published checkpoint. An unknown number is None, an unknown text is empty.

    Attributes:
        library: library that publishes it.
        module: timm's module of its network, such as `"resnetv2"`; empty for other libraries.
        preset: its network.
        tag: its name in the library.
        source: repository of the Hugging Face Hub, or URL.
        classes: number of classes; 0 if it has no classifier.
        labels: names of the classes in their order, where its repository has them.
        training_data: the images it was trained on, in words.
        input_size: rows and columns of the input in training.
        crop_pct: the input's share of the rows and columns that an image is resized to.
        interpolation: `"bilinear"` or `"bicubic"`.
        crop_mode: how the input is cut from an image of other proportions: timm's name for it.
        channels: order of the colours, `"RGB"` or `"BGR"`.
        mean: mean of red, green and blue, for values from 0 to 1.
        std: standard deviation of red, green and blue, likewise; empty if its repository does not
            say how images are prepared.
        top1: accuracy on ImageNet's validation images at `input_size`, in percent.
        test_input_size: larger input size at which it was tested as well.
        test_crop_pct: `crop_pct` at that size.
        test_top1: accuracy at that size, in percent.
        top1_source: publication of the accuracies.
        parameters: published number of trained weights, with its unit and its digits.
        licence: licence of the weights.
        checksum: algorithm and beginning of the hexadecimal digest of the file at a URL.
        changes: what its network has other than its preset: fields of `ResnetConfig`, and options
            of `ResnetBuilder.from_preset`.

    Example:
        >>> from resnet_builder import list_weights
        >>> [weights] = list_weights("resnet50.a1_in1k").rows
        >>> weights.source, weights.top1, weights.licence
        ('timm/resnet50.a1_in1k', 80.382, 'apache-2.0')
    """

    library: str
    module: str = ""
    preset: str
    tag: str
    source: str
    classes: int
    labels: tuple[str, ...] = ()
    training_data: str = ""
    input_size: tuple[int, int]
    crop_pct: float | None = None
    interpolation: str = ""
    crop_mode: str = "center"
    channels: str = "RGB"
    mean: tuple[float, ...]
    std: tuple[float, ...]
    top1: float | None = None
    test_input_size: tuple[int, int] | None = None
    test_crop_pct: float | None = None
    test_top1: float | None = None
    top1_source: str = ""
    parameters: str = ""
    licence: str = ""
    checksum: str = ""
    changes: Mapping[str, Any] = field(default_factory=dict, hash=False)

    @property
    def name(self) -> str:
        """Preset and tag: `"resnet50.a1_in1k"`."""
        return f"{self.preset}.{self.tag}" if self.tag else self.preset

    def __str__(self) -> str:
        parts = [self.name]
        if self.top1 is not None:
            parts.append(f"top-1 {self.top1}% at {by(self.input_size, 'x')}")
        return ", ".join([*parts, self.licence or "licence unknown"])

    @property
    def input_shape(self) -> ImageShape:
        """(rows, columns, channels)."""
        return (*self.input_size, len(self.mean))

    @property
    def is_free(self) -> bool:
        """Whether the licence is known and does not exclude commercial use."""
        # Creative Commons' abbreviation; SEER's licence is for research that is not commercial.
        return bool(self.licence) and not any(of in self.licence for of in ("-nc", "seer"))

    def at(self, size: tuple[int | None, int | None]) -> "PublishedWeights | None":
        """The weights at one of the input sizes that they were tested at; None for another."""
        if size == self.input_size:
            return self
        if size != self.test_input_size:
            return None
        return replace(
            self,
            input_size=size,
            crop_pct=self.test_crop_pct,
            top1=self.test_top1,
            test_input_size=None,
            test_crop_pct=None,
            test_top1=None,
        )


def in_table(source: str) -> PublishedWeights | None:
    """Return the row with a name or source; None if there is none."""
    return _index().get(source)


@cache
def _index() -> dict[str, PublishedWeights]:
    """The rows by name and by source."""
    return {key: row for row in published() for key in (row.name, row.source)}


@cache
def published() -> tuple[PublishedWeights, ...]:
    """All rows of the table."""
    with TABLE.open(encoding="utf-8", newline="") as file:
        return tuple(map(_row, csv.DictReader(file)))


def _size(cell: str) -> tuple[int, ...]:
    return tuple(map(int, cell.split("x")))


def _numbers_of(cell: str) -> tuple[float, ...]:
    return tuple(map(float, cell.split()))


# Columns that are not text.
READERS: dict[str, Callable[[str], Any]] = {
    "classes": int,
    **dict.fromkeys(("input_size", "test_input_size"), _size),
    **dict.fromkeys(("crop_pct", "top1", "test_crop_pct", "test_top1"), float),
    **dict.fromkeys(("mean", "std"), _numbers_of),
}


def _row(cells: Mapping[str, str]) -> PublishedWeights:
    values: dict[str, Any] = dict(cells)
    for column, read in READERS.items():
        values[column] = read(cells[column]) if cells[column] else None
    return PublishedWeights(**values | {"changes": json.loads(cells["changes"] or "{}")})


CLASSES = 1000


def recommended(preset: object) -> PublishedWeights:
    """Return the best checkpoint of a preset for ImageNet's classes that is free to use.

    The best has the highest top-1 at the preset's own input size; if none was tested at it, at the
    size that each was trained at. The result's input size is that size.

    Raises:
        ValueError: there is none for the preset, or a config is given instead of a preset.
    """
    if not isinstance(preset, str):
        raise ValueError('weights="imagenet" needs a preset: give its name, or give a checkpoint')
    if best := find_recommended(preset):
        return best
    if others := [row.name for row in published() if row.preset == preset]:
        raise ValueError(
            f"none of the weights of {preset!r} are of ImageNet's classes and known to be free to "
            f"use: see list_weights({preset!r}), and give one by its name, such as {others[0]!r}"
        )
    known = " (it is a preset, but none are published for it)" if preset in PRESETS else ""
    presets = dict.fromkeys(row.preset for row in published())
    kind, where = "preset with ImageNet weights", "list_weights() lists them all"
    raise ValueError(unknown(kind, preset, presets, where) + known)


def find_recommended(preset: str) -> PublishedWeights | None:
    """As `recommended`, but None if there is none."""
    if preset not in PRESETS:
        return None
    size = PRESETS[preset].input_shape[:2]
    free = [row for row in published() if row.preset == preset and row.is_free]
    free = [row for row in free if row.classes == CLASSES]
    at_size = [row for weights in free if (row := weights.at(size))]
    return max(at_size or free, key=lambda row: row.top1 or 0, default=None)


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
    """List the published checkpoints of timm, torchvision, transformers, Keras and keras-hub.

    Args:
        pattern: a shell pattern of names, such as `"resnet50.*"`, or of presets.

    Returns:
        The checkpoints, which print as a table: name, accuracies and the input sizes that they
        were measured at (the first is the size in training), licence, training data, and library.
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
    is_embedding = row.preset in PRESETS and PRESETS[row.preset].embedding
    others = f" (embedding of {row.classes:,})" if is_embedding else f" ({row.classes:,} classes)"
    return (row.training_data or "?") + words.get(row.classes, others)


def _notes(rows: tuple[PublishedWeights, ...], is_best: list[bool]) -> Iterator[str]:
    """The meaning of the signs, and the sources."""
    if not rows:
        yield "no checkpoint matches"
    if any(is_best):
        yield '* the one for weights="imagenet"'
    if any(row.licence and not row.is_free for row in rows):
        yield "! not for commercial use"
    yield from dict.fromkeys(f"top-1 by {row.top1_source}" for row in rows if row.top1_source)
