"""evaluate: the top-1 and top-5 accuracy of a network, beside what is published."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from math import sqrt
from pathlib import Path

import keras
import numpy as np
from keras import ops

from ..common.checks import positive_int, shortened
from ..common.tables import Table, Tabular
from ..common.words import by
from ..files.checkpoint import Array
from ..model.locate import check_model
from ..plan.names import CLASSIFIER
from ..presets.checkpoints import PublishedWeights
from .images import at_size_of, folders_and_labels_of, image_settings, preprocessing_of
from .photographs import photograph, photographs_in
from .scores import ScoredModel

TOP = 5


@dataclass(frozen=True)
class Evaluation(Tabular):
    """The accuracy of a network on the images of a folder, in percent.

    Attributes:
        name: name of the network.
        top1: share of the images whose class is the most probable one.
        top5: share of those whose class is among the five most probable ones; None for a network
            of five classes or fewer.
        images: number of images that were read.
        found: number of images in the folder.
        classes: number of classes that have images.
        of_classes: number of classes of the network.
        input_size: rows and columns of the network's input.
        published: the checkpoint with the published accuracy; None if it is not known.
        unreadable: the files that could not be read; they are not counted.

    Example:
        >>> from resnet_builder import Evaluation
        >>> measured = Evaluation("net", 75.0, None, 300, 300, 2, 2, (64, 64))
        >>> round(measured.standard_error(75.0), 2)
        2.5
    """

    name: str
    top1: float
    top5: float | None
    images: int
    found: int
    classes: int
    of_classes: int
    input_size: tuple[int, int]
    published: PublishedWeights | None = None
    unreadable: tuple[str, ...] = ()

    def standard_error(self, percent: float) -> float:
        """That of an accuracy measured on so many images, in percent."""
        return sqrt(percent * (100 - percent) / self.images)

    @property
    def published_top1(self) -> float | None:
        """The published top-1 at the network's input size; None if none is known."""
        row = self.published and self.published.at(self.input_size)
        return row.top1 if row else None

    def table(self) -> Table:
        """Published and measured, side by side."""
        header = ("accuracy", "published", "measured", "difference", "standard error")
        rows = [
            (
                name,
                published,
                round(measured, 3),
                published and round(measured - published, 3),
                round(self.standard_error(measured), 2),
            )
            for name, published, measured in (
                ("top-1", self.published_top1, self.top1),
                ("top-5", None, self.top5),
            )
            if measured is not None
        ]
        title = f"{self.name} at {by(self.input_size, 'x')}"
        return Table(header=header, rows=tuple(rows), title=title, note="\n".join(self._notes()))

    def _notes(self) -> Iterator[str]:
        yield f"{self.images:,} images of {self.classes:,} classes"
        if self.images + len(self.unreadable) < self.found:
            yield f"a part of the {self.found:,} images in the folder"
        if self.classes < self.of_classes:
            yield (
                f"{self.classes:,} of the network's {self.of_classes:,} classes: "
                "published figures are of all"
            )
        row = self.published
        sizes = row and ((row.input_size, row.top1), (row.test_input_size, row.test_top1))
        for size, top1 in sizes or ():
            if size and size != self.input_size and top1 is not None:
                yield f"published at {by(size, 'x')}: top-1 {top1}"
        if self.published_top1 is not None and row:
            yield f"published by {row.top1_source}"
        if self.unreadable:
            yield f"not readable, and not counted: {shortened(', '.join(self.unreadable), 1000)}"


def evaluate(
    model: keras.Model,
    data: str | Path,
    source: str | Mapping[str, object] | None = None,
    *,
    limit: int | None = None,
    batch_size: int = 32,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Evaluation:
    """Measure the top-1 and top-5 accuracy of a network on the images of a folder.

    The images are prepared as the checkpoint's library does when it measures the accuracy that it
    publishes, at the input size of the model. They are read batch by batch.

    Args:
        model: a model that gives scores or probabilities of classes.
        data: a folder with a folder of images for each class: JPEG, PNG, GIF or BMP. Folders are
            named as the classes are, or by their WordNet number if they are ImageNet's (such as
            `n01440764`), or by the number of the class. Some of the classes are enough. If the
            names of a network's classes are not known, each has a folder, in the order of the
            folders' names, as in torchvision's ImageFolder.
        source: the checkpoint that the model has, as in `preprocessing`; or, for a model of your
            own, the settings that `preprocessing` takes, such as `{"size": 64, "mean": 0.5, "std":
            0.5}`. Default: the checkpoint that the model was built from.
        limit: the largest number of images, taken evenly from all. Default: all.
        batch_size: images that are in memory at once.
        progress: called with the number of images that are done, and of all, after each batch.

    Returns:
        The accuracies, beside the published top-1 if it is known for the checkpoint.

    Raises:
        TypeError, ValueError, OSError, ImportError: as in `preprocessing`; a folder without images,
            folders that are no class of the network, or another number of classes.

    Example:
        >>> from pathlib import Path
        >>> from tempfile import mkdtemp
        >>> import keras
        >>> import numpy as np
        >>> from resnet_builder import ResnetBuilder, evaluate, save_pretrained
        >>> model = ResnetBuilder.from_preset("resnet18", (32, 32, 3), 2)
        >>> settings, pets, data = {"size": 32, "mean": 0.5, "std": 0.25}, mkdtemp(), mkdtemp()
        >>> folder = save_pretrained(model, pets, labels=["cat", "dog"], preprocessing=settings)
        >>> for label in ("cat", "dog"):
        ...     Path(data, label).mkdir()
        ...     keras.utils.save_img(f"{data}/{label}/1.png", np.zeros((32, 32, 3)))
        >>> evaluate(model, data, pets).top1
        50.0
    """
    check_model(model)
    scored = ScoredModel(model)
    if scored.is_map:
        raise ValueError(f"{model.name!r} gives classes for every pixel, and not for an image")
    settings = image_settings(source or model)
    prepared = at_size_of(model, settings, scored.order)
    prepare = preprocessing_of(prepared, scored.order)
    named = source if isinstance(source, str) else model
    files = _labelled(Path(data), _numbers(named, scored.classes), scored.classes)
    chosen = _evenly(files, limit)
    ranks, unreadable = [], []
    batch = positive_int(batch_size, "batch_size")
    for start in range(0, len(chosen), batch):
        found, broken = _batch_ranks(model, prepare, chosen[start : start + batch])
        ranks += found
        unreadable += [path.relative_to(data).as_posix() for path in broken]
        progress(min(len(chosen), start + batch), len(chosen))
    if not ranks:
        raise ValueError(f"no image can be read: {shortened(', '.join(unreadable))}")
    return Evaluation(
        name=source if isinstance(source, str) else _name(settings, model),
        top1=_share(ranks, 1),
        top5=_share(ranks, TOP) if scored.classes > TOP else None,
        images=len(ranks),
        found=len(files),
        classes=len({of_class for _, of_class in chosen}),
        of_classes=scored.classes,
        input_size=prepared.input_size,
        published=settings if settings.top1 is not None else None,
        unreadable=tuple(unreadable),
    )


def _name(settings: PublishedWeights, model: keras.Model) -> str:
    """The checkpoint's name, the folder or repository that has none, or the model's."""
    return settings.name if settings.tag else settings.source or model.name


# The images -------------------------------------------------------------------------------------


def _numbers(source: str | keras.Model, classes: int) -> dict[str, int]:
    """The numbers of the classes by the names that a folder may have; none if they are not known.

    Names that several classes have are left out.
    """
    try:
        known = folders_and_labels_of(source)
    except ValueError:
        return {}
    if len(known) != classes:
        return {}
    names = [(_plain(name), number) for number, pair in enumerate(known) for name in {*pair}]
    counts = Counter(name for name, _ in names)
    return {name: number for name, number in names if counts[name] == 1}


def _plain(name: str) -> str:
    """A name as a folder may write it: great_white_shark."""
    return name.casefold().replace("_", " ")


def _labelled(data: Path, numbers: dict[str, int], classes: int) -> list[tuple[Path, int]]:
    """The images in the folders of the classes, each with the number of its class."""
    if not data.is_dir():
        raise NotADirectoryError(f"{data} is no folder: give one with a folder for each class")
    folders = sorted(path for path in data.iterdir() if path.is_dir())
    of_folder = _classes_of([path.name for path in folders], numbers, classes, data)
    files = [
        (path, of_class)
        for folder, of_class in zip(folders, of_folder, strict=True)
        for path in photographs_in(folder)
    ]
    if not files:
        raise ValueError(f"{data} has no folders with images: a folder for each class is needed")
    return files


def _classes_of(names: list[str], numbers: dict[str, int], classes: int, data: Path) -> list[int]:
    """The classes of folders by their names."""
    if numbers and all(_plain(name) in numbers for name in names):
        return [numbers[_plain(name)] for name in names]
    if all(name.isdecimal() and int(name) < classes for name in names):
        return [int(name) for name in names]
    if numbers:
        unknown = [name for name in names if _plain(name) not in numbers]
        raise ValueError(
            f"folders of {data} are no class of the network, or of several: "
            f"{shortened(', '.join(unknown))}. Name them as the classes are, such as "
            f"{next(iter(numbers))!r}, or by their numbers from 0 to {classes - 1}"
        )
    if len(names) != classes:
        raise ValueError(
            f"the network has {classes} classes, whose names are not known, and {data} has "
            f"{len(names)} folders: it needs a folder for each class in their order, or folders "
            f"with the numbers of classes, from 0 to {classes - 1}"
        )
    return list(range(classes))


def _evenly(files: list[tuple[Path, int]], limit: int | None) -> list[tuple[Path, int]]:
    """At most so many of the files, from all classes."""
    count = min(len(files), len(files) if limit is None else positive_int(limit, "limit"))
    return [files[number * len(files) // count] for number in range(count)]


# The predictions ----------------------------------------------------------------------------------


def _batch_ranks(
    model: keras.Model, prepare: keras.Model, files: list[tuple[Path, int]]
) -> tuple[list[int], list[Path]]:
    """The ranks of the images that can be read, and the others."""
    images, of_classes, broken = [], [], []
    for path, of_class in files:
        try:
            images.append(prepare(photograph(path)[np.newaxis]))
            of_classes.append(of_class)
        except (OSError, ValueError):
            broken.append(path)
    if not images:
        return [], broken
    return _ranks(model.predict_on_batch(ops.concatenate(images)), of_classes), broken


def _ranks(predictions: Array | dict[str, Array], of_classes: list[int]) -> list[int]:
    """How many classes are more probable than the right one, for each image."""
    scores = predictions[CLASSIFIER] if isinstance(predictions, dict) else predictions
    scores = np.asarray(scores).reshape(len(of_classes), -1)
    if np.isnan(scores).any():
        raise ValueError("the network gives NaN: are its weights those of its checkpoint?")
    order = np.argsort(-scores, axis=1, kind="stable")
    places = (order == np.array(of_classes)[:, np.newaxis]).argmax(axis=1)
    return [int(place) for place in places]


def _share(ranks: list[int], top: int) -> float:
    """The share of the images whose class is among the first, in percent."""
    return 100 * sum(rank < top for rank in ranks) / len(ranks)
