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
from typing import Any, Literal, NamedTuple, get_args

from ..common.checks import choice, unknown
from ..common.shapes import ImageShape
from ..common.tables import Table, TableCell, Tabular
from ..common.words import by
from .networks import PRESETS

TABLE = Path(__file__).with_name("checkpoints.csv")

CLASSES = 1000  # of ImageNet
Kind = Literal["supervised", "self-supervised", "robust", "CLIP"]
Key = Literal["name", "top1"]


@dataclass(frozen=True, kw_only=True)
class PublishedWeights:
    """A published checkpoint. An unknown number is None, an unknown text is empty.

    Attributes:
        library: library that publishes it.
        module: timm's module of its network, such as `"resnetv2"`; empty for other libraries.
        preset: its network.
        tag: its name in the library.
        kind: how it was trained: `"supervised"`, `"self-supervised"` (without classes),
            `"robust"` (on images that were changed to deceive it), or `"CLIP"` (with texts).
        good_for: words, separated by a blank, for what publications say that it suits:
            `"features"`, frozen ones, as `weights="features"` takes it; `"int8"`, quantisation
            after training (timm #1412). Else empty.
        source: repository of the Hugging Face Hub, or URL.
        classes: number of classes; 0 if it has no classifier.
        labels: names of the classes in their order, where its repository has them.
        training_data: the images it was trained on, in words.
        input_size: rows and columns of the input in training.
        crop_pct: the input's share of the rows and columns that an image is resized to.
        interpolation: `"bilinear"` or `"bicubic"`.
        crop_mode: how the input is cut from an image of other proportions: timm's name for it.
            Empty for bands of a satellite, whose preparation is left to the user.
        channels: order of the colours, `"RGB"` or `"BGR"`; empty for bands of a satellite.
        mean: mean of red, green and blue, for values from 0 to 1; of bands, for the values that
            the library takes, divided by 255.
        std: standard deviation of red, green and blue, likewise; empty if its repository does not
            say how images are prepared.
        top1: accuracy on ImageNet's validation images at `input_size`, in percent; without a
            classifier, of a linear one that was trained on the frozen features.
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
    kind: str = "supervised"
    good_for: str = ""
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
    def training(self) -> str:
        """The training data, and the kind and the outputs if they are not the usual ones."""
        is_embedding = self.preset in PRESETS and PRESETS[self.preset].embedding
        others = f"embedding of {self.classes:,}" if is_embedding else f"{self.classes:,} classes"
        outputs = {0: "no classifier", CLASSES: ""}.get(self.classes, others)
        kind = "" if self.kind == "supervised" else self.kind
        other = ", ".join(filter(None, (kind, outputs)))
        return (self.training_data or "?") + f" ({other})" * bool(other)

    @property
    def is_free(self) -> bool:
        """Whether the licence is known and does not exclude commercial use."""
        # Creative Commons' abbreviation; SEER's licence is for research that is not commercial.
        return bool(self.licence) and not any(of in self.licence for of in ("-nc", "seer"))

    @property
    def recommended_for(self) -> tuple[str, ...]:
        """The words for `weights` that take it for its preset: `("imagenet",)`."""
        best = {word: find_recommended(self.preset, word) for word in PURPOSES}
        return tuple(word for word, row in best.items() if row and row.name == self.name)

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
    return read_table(TABLE)


def read_table(path: Path) -> tuple[PublishedWeights, ...]:
    """The rows of a file with columns of the table."""
    with path.open(encoding="utf-8", newline="") as file:
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
    "changes": json.loads,
}
# Of an empty cell in one of them; None elsewhere.
EMPTY: dict[str, Any] = {"changes": {}}


def _row(cells: Mapping[str, str]) -> PublishedWeights:
    values: dict[str, Any] = dict(cells)
    for column in READERS.keys() & cells:
        cell = cells[column]
        values[column] = READERS[column](cell) if cell else EMPTY.get(column)
    return PublishedWeights(**values)


class Purpose(NamedTuple):
    """What a checkpoint is recommended for.

    Attributes:
        noun: such checkpoints.
        needs: what they are.
        sign: after the name of the recommended one in a list.
        meaning: of the sign.
        suits: whether a checkpoint is one.
        rank: the larger, the better.
    """

    noun: str
    needs: str
    sign: str
    meaning: str
    suits: Callable[[PublishedWeights], bool]
    rank: Callable[[PublishedWeights], Any]


# By the word for `weights`.
PURPOSES: Mapping[str, Purpose] = {
    "imagenet": Purpose(
        "ImageNet weights",
        "of ImageNet's classes",
        "*",
        'the one for weights="imagenet"',
        lambda row: row.classes == CLASSES,
        lambda row: row.top1 or 0,
    ),
    "features": Purpose(
        "weights for features",
        "known to suit frozen features",
        "+",
        'the one for weights="features": frozen features, similarity, retrieval',
        lambda row: "features" in row.good_for.split(),
        lambda row: (row.kind == "self-supervised", row.top1 or 0),
    ),
}


def recommended(preset: object, purpose: str = "imagenet") -> PublishedWeights:
    """Return the checkpoint of a preset for a purpose, among those that are free to use.

    `"imagenet"`: with ImageNet's classes, the one with the highest top-1 at the preset's own input
    size; if none was tested at it, at the size that each was trained at. The result's input size
    is that size.

    `"features"`: for a classifier on frozen features, for similarity and for retrieval. The highest
    top-1 is a poor guide there: label smoothing, mixup and most other losses raise it, and yield
    features that transfer worse (arXiv:1805.08974, arXiv:2010.16402; reports on such weights:
    timm #691, torchvision #8382). A self-supervised one is preferred, the one with the highest
    top-1 of a linear classifier: on most of 40 tasks the best self-supervised ResNet-50s exceed
    the supervised one, and this top-1 correlates with their accuracy on other images
    (arXiv:2011.13377). Else it is one that was trained with plain softmax cross-entropy, or on
    more images (arXiv:1912.11370, arXiv:2103.00020). `tools/make_published_weights.py` says which.

    Raises:
        ValueError: there is none for the preset, or a config is given instead of a preset.
    """
    wanted = PURPOSES[purpose]
    if not isinstance(preset, str):
        raise ValueError(f'weights="{purpose}" needs a preset: give its name, or give a checkpoint')
    if best := find_recommended(preset, purpose):
        return best
    rows = [row for row in published() if not row.changes]
    if others := [row.name for row in rows if row.preset == preset]:
        raise ValueError(
            f"none of the weights of {preset!r} are {wanted.needs} and known to be free to "
            f"use: see list_weights({preset!r}), and give one by its name, such as {others[0]!r}"
        )
    known = " (it is a preset, but none are published for it)" if preset in PRESETS else ""
    presets = dict.fromkeys(row.preset for row in rows if wanted.suits(row))
    kind, where = f"preset with {wanted.noun}", "list_weights() lists them all"
    raise ValueError(unknown(kind, preset, presets, where) + known)


def find_recommended(preset: str, purpose: str = "imagenet") -> PublishedWeights | None:
    """As `recommended`, but None if there is none."""
    if preset not in PRESETS:
        return None
    size, wanted = PRESETS[preset].input_shape[:2], PURPOSES[purpose]
    rows = [row for row in published() if row.preset == preset and not row.changes]
    free = [row for row in rows if row.is_free and wanted.suits(row)]
    tested = [row for weights in free if (row := weights.at(size)) and row.top1]
    return max(tested or free, key=wanted.rank, default=None)


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
        """A row for every checkpoint, then what the signs mean, and the sources."""
        presets = dict.fromkeys(row.preset for row in self.rows)
        found = {
            word: {best.name for preset in presets if (best := find_recommended(preset, word))}
            for word in PURPOSES
        }
        signs = [
            "".join(f" {of.sign}" for word, of in PURPOSES.items() if row.name in found[word])
            for row in self.rows
        ]
        return Table(
            header=("checkpoint", "top-1, %", "licence", "training data", "library"),
            rows=tuple(map(_cells, self.rows, signs)),
            note="\n".join(_notes(self.rows, signs)),
            kinds=tuple("best" if "*" in of else "" for of in signs),
        )


def list_weights(
    pattern: str = "*", *, kind: Kind | None = None, sort: Key = "name"
) -> WeightsList:
    """List the published checkpoints of residual networks, of libraries and of projects.

    Args:
        pattern: a shell pattern of names, such as `"resnet50.*"`, or of presets.
        kind: `"supervised"`, `"self-supervised"`, `"robust"` or `"CLIP"`: only those that were
            trained so. Default: all.
        sort: `"top1"` for the highest top-1 at the size in training first, and those without one
            last. Default: the order of the table.

    Returns:
        The checkpoints, which print as a table: name, accuracies and the input sizes that they
        were measured at (the first is the size in training), licence, training data, and library.
        `*` and `+` mark those that `weights="imagenet"` and `weights="features"` take; the rows
        say it as `recommended_for`, and as `good_for` what else suits, such as `"int8"`.
        A name can be given to `ResnetBuilder.from_preset`, `load_weights` and `preprocessing`.

    Raises:
        ValueError: an unknown kind or order.

    Example:
        >>> from resnet_builder import list_weights
        >>> print(list_weights("resnet26.bt*"))
        checkpoint          top-1, %                      licence     training data    library
        ------------------  ----------------------------  ----------  ---------------  ---------
        resnet26.bt_in1k *  75.298 at 224, 76.384 at 288  apache-2.0  ImageNet-1k      timm
        * the one for weights="imagenet"
        top-1 by timm: results/results-imagenet.csv, commit aa4b5850
    """
    rows = published()
    if kind is not None:
        choice(kind, get_args(Kind), "kind")
        rows = tuple(row for row in rows if row.kind == kind)
    if choice(sort, get_args(Key), "sort") == "top1":
        rows = tuple(sorted(rows, key=lambda row: row.top1 or 0, reverse=True))
    return WeightsList(
        tuple(row for row in rows if any(fnmatchcase(n, pattern) for n in (row.name, row.preset)))
    )


def _cells(row: PublishedWeights, signs: str) -> tuple[TableCell, ...]:
    return (
        row.name + signs,
        _accuracies(row),
        f"{row.licence} !" if row.licence and not row.is_free else row.licence or None,
        row.training,
        row.library,
    )


def _accuracies(row: PublishedWeights) -> str:
    """The accuracies and the sides of the inputs that they were measured at: 80.382 at 224."""
    measured = [(row.top1, row.input_size), (row.test_top1, row.test_input_size)]
    return ", ".join(
        f"{'?' if top1 is None else top1} at {size[0]}" for top1, size in measured if size
    )


def _notes(rows: tuple[PublishedWeights, ...], signs: list[str]) -> Iterator[str]:
    """The meaning of the signs, and the sources."""
    if not rows:
        yield "no checkpoint matches"
    for purpose in PURPOSES.values():
        if any(purpose.sign in of for of in signs):
            yield f"{purpose.sign} {purpose.meaning}"
    if any(row.licence and not row.is_free for row in rows):
        yield "! not for commercial use"
    yield from dict.fromkeys(f"top-1 by {row.top1_source}" for row in rows if row.top1_source)
