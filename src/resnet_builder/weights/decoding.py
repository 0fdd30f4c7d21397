"""decode: predictions as class names. Does not import Keras."""

from collections.abc import Iterable, Mapping, Sequence
from importlib import resources
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from ..common.checks import described, positive_int

# WordNet's number and first word for each of ILSVRC 2012's classes, in the order of the classes:
# timm/data/_info/imagenet_synsets.txt and imagenet_synset_to_lemma.txt, commit aa4b5850.
IMAGENET_CLASSES = "imagenet_classes.txt"


class Guess(NamedTuple):
    """A class and its score: a probability or a logit.

    Example:
        >>> from resnet_builder import decode
        >>> best = decode([0.25, 0.75], class_names=["cat", "dog"])[0][0]
        >>> best.name, best.score
        ('dog', 0.75)
    """

    name: str
    score: float


def decode(
    predictions: Any, *, top: int = 5, class_names: Sequence[str] | None = None
) -> list[list[Guess]]:
    """Return the names of the top classes of every image, the best first.

    Args:
        predictions: probabilities or logits, (batch, classes), or (classes,) for one image.
        top: number of classes for each image.
        class_names: names in the order of the predictions. Default: the 1000 of ImageNet, some of
            which are the same word: a crane is a bird and a machine.

    Returns:
        For each image, its top classes with their scores.

    Raises:
        ValueError: predictions of another shape or with NaN, or another number of names.
        TypeError: predictions that are not numbers, such as the dict of a model with several
            outputs; names that are not text; a `top` that is no integer.

    Example:
        >>> import numpy as np
        >>> from resnet_builder import decode
        >>> decode(np.array([[0.2, 0.7, 0.1]]), top=2, class_names=["cat", "dog", "eel"])
        [[Guess(name='dog', score=0.7), Guess(name='cat', score=0.2)]]
    """
    scores = _as_numbers(predictions)
    names = _imagenet_classes() if class_names is None else _checked(class_names)
    if scores.ndim != 2 or scores.shape[1] != len(names):
        own = "" if class_names is not None else "; for classes of your own give class_names"
        raise ValueError(
            f"predictions must be (batch, {len(names)}) for {len(names)} names, got "
            f"{scores.shape}{own}"
        )
    if np.isnan(scores).any():
        images = np.flatnonzero(np.isnan(scores).any(axis=1))
        raise ValueError(f"predictions must be numbers, got NaN for image {images[0]}")
    top = positive_int(top, "top")
    best = np.argsort(-scores, axis=1, kind="stable")[:, :top]
    return [
        [Guess(names[number], float(score[number])) for number in numbers]
        for score, numbers in zip(scores, best, strict=True)
    ]


def _as_numbers(predictions: Any) -> npt.NDArray[np.float64]:
    """The predictions, for one image as a batch of one."""
    if isinstance(predictions, Mapping):
        keys = ", ".join(map(repr, predictions))
        raise TypeError(f"predictions must be one array, got a dict of {keys}: give one of them")
    if hasattr(predictions, "detach"):  # a tensor of PyTorch, which may have a gradient
        predictions = predictions.detach().cpu().double()
    try:
        # Not in their own type: the negative of an integer need not be in it.
        return np.atleast_2d(np.asarray(predictions, "float64"))
    except (TypeError, ValueError):
        raise TypeError(
            f"predictions must be an array of numbers, got {described(predictions)}"
        ) from None


def _checked(class_names: Any) -> list[str]:
    listed = isinstance(class_names, Iterable) and not isinstance(class_names, str | Mapping)
    names = list(class_names) if listed else []
    if not names or not all(isinstance(name, str) for name in names):
        raise TypeError(f"class_names must be a list of names, got {described(class_names)}")
    return names


def _imagenet_classes() -> list[str]:
    text = resources.files(__package__).joinpath(IMAGENET_CLASSES).read_text(encoding="utf-8")
    return [line.partition(" ")[2] for line in text.splitlines()]
