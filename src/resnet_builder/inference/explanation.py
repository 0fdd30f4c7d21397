"""What `explain` returns: heat maps over images, and how much they say."""

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import numpy as np

from ..common.files import whole_file
from ..common.tables import Table, Tabular
from ..files.checkpoint import Array
from ..pictures.heat_maps import check_picture, sheet
from .replay import Values
from .scores import ChosenClass, ScoredModel

# The share of the pixels that is removed, and the number of random places.
REMOVED, DRAWS = 0.1, 5


class Trust(NamedTuple):
    """What a class loses when a tenth of the pixels is removed: how much the map says.

    Pixels are removed by giving them the mean colour of the image. The random ones have the form of
    the important ones, moved to random places: the loss is their mean over five places.

    A network that is sure has a probability of nearly 1 with and without the pixels. So the loss is
    given in log-odds as well, ln(p / (1 - p)), which go on changing: 2.3 make the odds a tenth.

    Attributes:
        important: the probability lost without the tenth that the map says is the most important.
        random: the probability lost without a random tenth.
        important_log_odds: the log-odds lost likewise.
        random_log_odds: the log-odds lost likewise.
        stands_out: whether more log-odds are lost without the most important tenth than without
            each of the five random ones. By chance, one map in six stands out.

    Example:
        >>> from resnet_builder import Trust
        >>> trust = Trust(0.75, 0.25, 3.5, 1.0, stands_out=True)
        >>> trust.difference
        0.5
        >>> trust.reading
        'the top tenth matters more than each of 5 random tenths'

    Deletion: Petsiuk, Das and Saenko 2018 (arXiv:1806.07421); against random pixels: Hooker et al.
    2018 (arXiv:1806.10758).
    """

    important: float
    random: float
    important_log_odds: float
    random_log_odds: float
    stands_out: bool

    @property
    def difference(self) -> float:
        """How much more probability the important pixels cost: near 0, or less, see the reading."""
        return self.important - self.random

    @property
    def reading(self) -> str:
        """What the losses say, in words."""
        if self.stands_out:
            return f"the top tenth matters more than each of {DRAWS} random tenths"
        return "the top tenth matters no more than a random tenth"


def trust_in(
    maps: Array, images: Array, values: Values, scored: ScoredModel, chosen: ChosenClass
) -> tuple[Trust, ...]:
    """The trust in the map of every image; `values` are of a run of the whole images."""
    count = max(1, round(REMOVED * maps[0].size))
    order = np.argsort(-maps.reshape(len(maps), -1), axis=1, kind="stable")
    important = np.zeros(order.shape, bool)
    np.put_along_axis(important, order[:, :count], values=True, axis=1)
    important = important.reshape(maps.shape)
    colour = images.mean(axis=(1, 2), keepdims=True, dtype="float64").astype(images.dtype)

    def measured(values: Values) -> Array:
        """The probability and the log-odds of each image, (2, batch)."""
        probabilities = chosen.probabilities(scored.probabilities(values))
        return np.stack([probabilities, chosen.log_odds(values)])

    def lost(removed: Array) -> Array:
        changed = np.where(removed[..., np.newaxis], colour, images)
        return whole - measured(scored.forward(changed))

    whole = measured(values)
    rng = np.random.Generator(np.random.PCG64(0))
    draws = np.stack(
        [lost(np.roll(important, rng.integers(maps.shape[1:]), axis=(1, 2))) for _ in range(DRAWS)]
    )
    top = lost(important)
    stands_out = top[1] > draws[:, 1].max(axis=0)
    losses = np.stack([top, draws.mean(axis=0)], axis=1).reshape(4, -1)
    return tuple(map(Trust, *losses.tolist(), stands_out.tolist()))


@dataclass(frozen=True, eq=False)
class Explanation(Tabular):
    """Where a network saw a class in each image.

    Attributes:
        images: the images in grey levels, (batch, rows, columns, 3), as they are drawn.
        maps: what speaks for the class, from 0 to 1, (batch, rows, columns).
        classes: number of the class in each image.
        names: name of the class in each image; `"class 3"` if it is not known.
        probabilities: probability of the class in each image; for segmentation, its mean over the
            pixels where the class is predicted.
        trust: the `Trust` in each map.
        method: `"cam"`, `"grad_cam"` or `"integrated_gradients"`.
        stage: the stage that was given, or the layer whose map it is; empty for the image itself.
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
    stage: str
    raw: Array = field(repr=False)
    completeness: tuple[float, ...] = ()

    def table(self) -> Table:
        """A row for every image."""
        header = (
            "class",
            "probability",
            "lost without the top tenth",
            "without a random tenth",
            "log-odds lost",
            "by a random tenth",
            "the top tenth matters",
        )
        rows = tuple(
            (
                name,
                *(round(number, 4) for number in (probability, trust.important, trust.random)),
                *(round(number, 2) for number in trust[2:4]),
                "more" if trust.stands_out else "no more",
            )
            for name, probability, trust in zip(
                self.names, self.probabilities, self.trust, strict=True
            )
        )
        return Table(header=header, rows=rows, title=self._how)

    @property
    def _how(self) -> str:
        return ", ".join(filter(None, (self.method, self.stage)))

    def _captions(self) -> Iterator[tuple[str, ...]]:
        for name, probability, trust in zip(
            self.names, self.probabilities, self.trust, strict=True
        ):
            yield (
                name,
                f"probability {probability:.4f}",
                f"lost without the top tenth {trust.important:.4f}, "
                f"in log-odds {trust.important_log_odds:.2f}",
                f"lost without a random tenth {trust.random:.4f}, "
                f"in log-odds {trust.random_log_odds:.2f}",
                trust.reading,
                self._how,
            )

    def render(self) -> bytes:
        """The picture as PNG: each image, and its map over it.

        Raises:
            RuntimeError: Graphviz is not installed, or failed.
        """
        return sheet(self.images, self.maps, list(self._captions()))

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
