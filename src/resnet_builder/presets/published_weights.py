"""The published checkpoints, read from `published_weights.csv`. Does not import Keras.

`tests/presets/make_published_weights.py` writes the file from the libraries' own tables.
"""

import csv
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from importlib import resources
from typing import Any

from ..common.shapes import ImageShape
from ..common.words import by

TABLE = "published_weights.csv"


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
        training_data: the images it was trained on, in words.
        input_size: rows and columns of the input in training.
        crop_pct: the input's share of the rows and columns that an image is resized to.
        interpolation: `"bilinear"` or `"bicubic"`.
        crop_mode: how the input is cut from an image of other proportions: timm's name for it.
        channels: order of the colours, `"RGB"` or `"BGR"`.
        mean: mean of red, green and blue, for values from 0 to 1.
        std: standard deviation of red, green and blue, likewise.
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
        return bool(self.licence) and "-nc" not in self.licence  # Creative Commons' abbreviation

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
    text = resources.files(__package__).joinpath(TABLE).read_text(encoding="utf-8")
    return tuple(map(_row, csv.DictReader(text.splitlines())))


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
    return PublishedWeights(**values)
