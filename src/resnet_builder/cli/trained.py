"""The commands on a trained network: an image explained, the accuracy on a folder of images.

What can be checked without Keras is checked before it is loaded.
"""

import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from ..common.checks import unknown
from ..pictures.heat_maps import check_picture
from ..presets.checkpoints import find_recommended, recommended
from ..presets.resolve import Named, find_published
from .source import source_of

if TYPE_CHECKING:
    import keras

    from ..inference.evaluate import Evaluation
    from ..inference.explain import Method
    from ..inference.explanation import Explanation


class Trained(NamedTuple):
    """A network to load.

    Attributes:
        network: the network.
        weights: its weights, as in `ResnetBuilder.from_preset`.
        checkpoint: name of the checkpoint that says what the classes are and what is published.
        images: how images are prepared: the checkpoint's name, or own settings.
        size: rows and columns of the input. Default: the network's own.
    """

    network: Named
    weights: str | None
    checkpoint: str | None
    images: str | Mapping[str, object]
    size: tuple[int, ...] | None = None

    def load(self) -> "keras.Model":
        """Build the network and load it."""
        from ..builder import ResnetBuilder

        network: Any = self.network
        given = {"weights": self.weights, "name": self.network.name, **self.network.options}
        if self.size:
            given["input_shape"] = (*self.size, self.network.config.input_shape[-1])
        return ResnetBuilder.from_preset(network, data_format="channels_last", **given)


def trained(
    name: str,
    weights: str | None = None,
    *,
    size: Sequence[int] | None = None,
    mean: Sequence[float] | None = None,
    std: Sequence[float] | None = None,
) -> Trained:
    """Find a network, its weights and its checkpoint.

    Args:
        name: as in `source_of`.
        weights: as in `ResnetBuilder.from_preset`. Default: the checkpoint of the name; of a
            preset, its `"imagenet"`.
        size: rows and columns of the input. Default: the network's own.
        mean: own mean and standard deviation of the channels, as in `preprocessing`. Default: the
            checkpoint's; of a network without one, ImageNet's if `size` or `std` is given.
        std: likewise.

    Raises:
        TypeError, ValueError, OSError, ImportError: as in `source_of`; nothing says how images are
            prepared, or which weights the network has.
    """
    network = source_of(name)
    checkpoint = network.source
    if weights and not Path(weights).is_file():
        with suppress(ValueError):  # from_preset says what it does not know
            checkpoint = weights if find_published(weights) else checkpoint
    if network.source and network.checkpoint is None and checkpoint == network.source:
        if not weights:
            recommended(network.source)
            weights = "imagenet"
        elif not find_recommended(network.source):
            checkpoint = None
    if checkpoint is None and not weights:
        raise ValueError(f"{name} has no weights: give them with --weights")
    if checkpoint is None and not (size or mean or std):
        raise ValueError(
            f"{name} does not say how images are prepared: give --size, --mean and --std, or "
            "a preset, a checkpoint or a folder of save_pretrained as NAME"
        )
    *sides, channels = network.config.input_shape
    own = {"size": size or sides, "mean": _each(mean, channels), "std": _each(std, channels)}
    images = own if mean or std or not checkpoint else checkpoint
    return Trained(network, weights, checkpoint, images, tuple(size) if size else None)


def _each(given: Sequence[float] | None, channels: int | None) -> Sequence[float] | None:
    """One number for every channel."""
    return [*given] * (channels or 1) if given and len(given) == 1 else given


def explained(
    image: str,
    network: Trained,
    file: str,
    of_class: str | None = None,
    stage: str | None = None,
    method: "Method | None" = None,
) -> "Explanation":
    """Explain what a network sees in an image file, and write the picture.

    Args:
        image: the image, which is prepared as the network's checkpoint wants it.
        network: the network.
        file: the .png to write.
        of_class: number or name of the class. Default: the most probable.
        stage: as in `explain`.
        method: as in `explain`.

    Raises:
        TypeError, ValueError, OSError, ImportError, RuntimeError: as in `explain`, `preprocessing`
            and `Explanation.save`; an unknown class, or an image that cannot be read.
    """
    check_picture(Path(file))
    if not Path(image).is_file():
        raise FileNotFoundError(f"there is no image {image!r}")
    from ..inference.explain import explain, pictures
    from ..inference.images import at_size_of, image_settings, labels_of, preprocessing_of
    from ..inference.photographs import photograph

    pixels = photograph(Path(image))[None]
    model = network.load()
    names: list[str] = []
    with suppress(ValueError):  # the checkpoint does not say them
        names = list(labels_of(network.checkpoint)) if network.checkpoint else []
    names = names if len(names) == model.output_shape[-1] else []
    number = None if of_class is None else _number(of_class, names)
    settings = at_size_of(model, image_settings(network.images), "channels_last")
    prepared = np.asarray(preprocessing_of(settings, "channels_last")(pixels))
    found = explain(model, prepared, number, stage=stage, method=method, class_names=names or None)
    shown = replace(found, images=pictures(prepared, settings))
    shown.save(file)
    return shown


def _number(of_class: str, names: list[str]) -> int:
    """The number of a class that is given by its number or its name."""
    if of_class.isdecimal():
        return int(of_class)
    if names.count(of_class) != 1:
        raise ValueError(unknown("class", of_class, names, "give its name, or its number"))
    return names.index(of_class)


def evaluated(
    network: Trained, data: str, limit: int | None = None, batch_size: int = 32
) -> "Evaluation":
    """Load a network and measure it, with a progress bar; as `evaluate`."""
    from rich.console import Console
    from rich.progress import Progress

    if not Path(data).is_dir():
        raise NotADirectoryError(f"{data} is no folder: give one with a folder for each class")
    from ..inference.evaluate import evaluate

    model = network.load()
    with Progress(console=Console(stderr=True), disable=not sys.stderr.isatty()) as bar:
        task = bar.add_task("images", total=None)
        return evaluate(
            model,
            data,
            network.images,
            limit=limit,
            batch_size=batch_size,
            progress=lambda done, total: bar.update(task, completed=done, total=total),
        )
