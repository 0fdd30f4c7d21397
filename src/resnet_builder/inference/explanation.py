"""What `explain` returns: heat maps over images, and how much they say."""

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import numpy as np

from ..common.files import whole_file
from ..common.tables import Table, Tabular
from ..files.checkpoint import Array
from ..pictures.heat_maps import Caption, check_picture, sheet
from .answers import Answers, ChosenClass

# The share of the pixels that is removed, and the number of random places.
REMOVED, DRAWS = 0.1, 5


class Trust(NamedTuple):
    """What the probability of a class loses when a tenth of the pixels is removed.

    Pixels are removed by giving them the mean colour of the image. The random ones have the form of
    the important ones, moved to random places: the loss is their mean over five places.

    Attributes:
        important: the loss without the tenth that the map says is the most important.
        random: the loss without a random tenth.

    Example:
        >>> from resnet_builder import Trust
        >>> Trust(important=0.75, random=0.25).difference
        0.5

    Deletion: Petsiuk, Das and Saenko 2018 (arXiv:1806.07421); against random pixels: Hooker et al.
    2018 (arXiv:1806.10758).
    """

    important: float
    random: float

    @property
    def difference(self) -> float:
        """How much more the important pixels matter: near 0, or less, the map says nothing."""
        return self.important - self.random


def trust_in(
    maps: Array, images: Array, before: Array, answers: Answers, chosen: ChosenClass
) -> tuple[Trust, ...]:
    """The trust in the map of every image; `before` are the probabilities of the whole images."""
    count = max(1, round(REMOVED * maps[0].size))
    order = np.argsort(-maps.reshape(len(maps), -1), axis=1, kind="stable")
    important = np.zeros(order.shape, bool)
    np.put_along_axis(important, order[:, :count], values=True, axis=1)
    important = important.reshape(maps.shape)
    colour = images.mean(axis=(1, 2), keepdims=True, dtype="float64").astype(images.dtype)

    def probabilities(removed: Array) -> Array:
        changed = np.where(removed[..., np.newaxis], colour, images)
        return chosen.probabilities(answers.probabilities(answers.forward(changed)))

    rng = np.random.Generator(np.random.PCG64(0))
    draws = [
        probabilities(np.roll(important, rng.integers(maps.shape[1:]), axis=(1, 2)))
        for _ in range(DRAWS)
    ]
    losses = before - probabilities(important), before - np.mean(draws, axis=0)
    return tuple(Trust(*pair) for pair in zip(*(loss.tolist() for loss in losses), strict=True))


@dataclass(frozen=True, eq=False)
class Explanation(Tabular):
    """Where a network saw a class in each image.

    Attributes:
        images: the images in grey levels, (batch, rows, columns, 3), as they are drawn.
        maps: what speaks for the class, from 0 to 1, (batch, rows, columns).
        classes: number of the class in each image.
        names: name of the class in each image; `"class 3"` if it is not known.
        probabilities: probability of the class in each image; for segmentation, its mean over the
            pixels where the class is the answer.
        trust: the `Trust` in each map.
        method: `"cam"`, `"grad_cam"` or `"integrated_gradients"`.
        raw: the maps in their own size, what speaks against the class as negative numbers.
        completeness: of integrated gradients, how far the sum of a raw map is from the difference
            of the scores, relative to it: near 0.

    Example:
        >>> import numpy as np
        >>> from resnet_builder import ResnetBuilder, explain
        >>> model = ResnetBuilder.from_preset("resnet18", (64, 64, 3), classes=10)
        >>> seen = explain(model, np.ones((1, 64, 64, 3)), classes=3)
        >>> seen.names, seen.images.shape
        (('class 3',), (1, 64, 64, 3))
    """

    images: Array = field(repr=False)
    maps: Array = field(repr=False)
    classes: tuple[int, ...]
    names: tuple[str, ...]
    probabilities: tuple[float, ...]
    trust: tuple[Trust, ...]
    method: str
    raw: Array = field(repr=False)
    completeness: tuple[float, ...] = ()

    def table(self) -> Table:
        """A row for every image."""
        header = ("class", "probability", "lost without the top tenth", "without a random tenth")
        rows = tuple(
            (name, round(probability, 4), round(trust.important, 4), round(trust.random, 4))
            for name, probability, trust in zip(
                self.names, self.probabilities, self.trust, strict=True
            )
        )
        return Table(header=header, rows=rows)

    def render(self) -> bytes:
        """The picture as PNG: each image, and its map over it.

        Raises:
            RuntimeError: Graphviz is not installed, or failed.
        """
        captions = map(Caption, self.names, self.probabilities, *zip(*self.trust, strict=True))
        return sheet(self.images, self.maps, list(captions))

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the picture to a .png: the whole file or nothing.

        Raises:
            ValueError: another ending.
            OSError: the folder does not exist or is not writable.
            RuntimeError: Graphviz is not installed, or failed.
        """
        path = Path(path)
        check_picture(path)
        content = self.render()
        with whole_file(path) as unfinished:
            unfinished.write_bytes(content)

    def _repr_png_(self) -> tuple[bytes, dict[str, str]]:
        return self.render(), {"alt": f"Where the network saw {', '.join(self.names)}"}
