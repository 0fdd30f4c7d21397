"""decode: predictions as class names. Does not import Keras."""

from collections.abc import Sequence
from importlib import resources
from typing import Any, NamedTuple

import numpy as np

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
        ValueError: predictions of another shape, or another number of names.

    Example:
        >>> import numpy as np
        >>> from resnet_builder import decode
        >>> decode(np.array([[0.2, 0.7, 0.1]]), top=2, class_names=["cat", "dog", "eel"])
        [[Guess(name='dog', score=0.7), Guess(name='cat', score=0.2)]]
    """
    scores = np.atleast_2d(np.asarray(predictions))
    names = _imagenet_classes() if class_names is None else list(class_names)
    if scores.ndim != 2 or scores.shape[1] != len(names):
        own = "" if class_names else "; for classes of your own give class_names"
        raise ValueError(
            f"predictions must be (batch, {len(names)}) for {len(names)} names, got "
            f"{np.shape(predictions)}{own}"
        )
    if top < 1:
        raise ValueError(f"top must be at least 1, got {top}")
    best = np.argsort(-scores, axis=1, kind="stable")[:, :top]
    return [
        [Guess(names[number], float(score[number])) for number in numbers]
        for score, numbers in zip(scores, best, strict=True)
    ]


def _imagenet_classes() -> list[str]:
    text = resources.files(__package__).joinpath(IMAGENET_CLASSES).read_text(encoding="utf-8")
    return [line.partition(" ")[2] for line in text.splitlines()]
