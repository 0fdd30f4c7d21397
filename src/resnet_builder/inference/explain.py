"""explain: where a network saw a class, as a heat map over the image."""

from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Literal, NamedTuple, get_args

import keras
import numpy as np
import numpy.typing as npt
from keras import ops

from ..common.checks import choice, described
from ..common.shapes import fits
from ..files.checkpoint import Array
from ..model.keras_layers import Tensor
from ..model.locate import check_model
from ..model.record import RECORDS
from ..presets.checkpoints import PublishedWeights
from .explanation import Explanation, trust_in
from .gradients import gradient
from .images import labels_of, names_in
from .replay import Values
from .scores import ChosenClass, ScoredModel

Method = Literal["cam", "grad_cam", "integrated_gradients"]
# Of the Gauss-Legendre quadrature that integrates the gradients.
STEPS = 32


def explain(
    model: keras.Model,
    images: npt.ArrayLike,
    classes: int | Sequence[int] | None = None,
    *,
    stage: str | None = None,
    method: Method | None = None,
    class_names: Sequence[str] | None = None,
) -> Explanation:
    """Show where a network saw a class, and how much that says.

    * `"cam"`: the class activation map (arXiv:1512.04150). A network that ends in average pooling
      and a dense layer computes the score of a class as the mean of a map: the last feature map
      times the class's weights. It needs no gradient.
    * `"grad_cam"`: Grad-CAM (arXiv:1610.02391) weights the channels of any feature map by the mean
      gradient of the class's score. At the last map of a network for `"cam"` it is the same map.
    * `"integrated_gradients"` (arXiv:1703.01365): the gradient of the score at every pixel,
      integrated from an image of zeros to the image, so that the pixels' shares add up to the
      difference of the two scores. An image of zeros is black, or the mean colour of images that
      are normalised.

    The score of a class is what softmax or sigmoid takes; after it the classes would be mixed. A
    network for segmentation has a score for every pixel: they are added where the class is the
    answer (arXiv:2002.11434), and its probability is the mean over these pixels; over all pixels
    where it is predicted nowhere. Both look at the same pixels when some of the image is removed.

    Args:
        model: any functional or sequential Keras model that gives scores or probabilities of
            classes, for an image or for every pixel of it. It may be inside another one, loaded
            from a file, or folded.
        images: (batch, rows, columns, channels), or the model's order of axes, as the model takes
            them: prepared by `preprocessing`, and not by a crop inside the model, since a map is
            stretched over the whole image. One image may be without the batch.
        classes: number of the class, for all images or for each. Default: the most probable.
        stage: with `"grad_cam"`, a name of `feature_info(model)`, such as `"stage3"`, or of any
            layer with a feature map. Default: the last map before the scores; for segmentation, the
            last one of the encoder.
        method: as above. Default: `"cam"` if the network is made for it and no stage is given, else
            `"grad_cam"`.
        class_names: names in the order of the classes, as in `decode`. Default: those of the
            checkpoint that the model was built from.

    Returns:
        The maps in the size of the images, with the classes, their probabilities, and the
        `Trust` in each map. It shows itself in a notebook, and `save` writes it as a PNG.

    Raises:
        TypeError: not a Keras model, or images that are not numbers.
        ValueError: images of another shape, an unknown class or stage, `"cam"` for a network that
            has no such head, or a model with several inputs or outputs, or without a graph.
        RuntimeError: gradients under a backend that computes none.

    Example:
        >>> import numpy as np
        >>> from resnet_builder import ResnetBuilder, explain
        >>> model = ResnetBuilder.from_preset("resnet18", (64, 64, 3), classes=10)
        >>> images = np.random.default_rng(0).random((2, 64, 64, 3))
        >>> seen = explain(model, images, classes=3)
        >>> seen.maps.shape, seen.method
        ((2, 64, 64), 'cam')
    """
    check_model(model)
    scored = ScoredModel(model)
    method = _method(method, stage, scored)
    names = _names(model, class_names, scored.classes)
    images = _checked(images, model, scored.order)
    number = _place(method, stage, scored, model)
    values = scored.forward(images, scored.needed_after(number))
    probabilities = scored.probabilities(values)
    chosen = ChosenClass(scored, _numbers(classes, probabilities), probabilities)
    asked = Asked(scored, images, values, number, chosen)
    raw = METHODS[method](asked)
    maps, found = _normalised(raw, images.shape[1:3]), chosen.probabilities(probabilities)
    return Explanation(
        images=pictures(images, _settings(model)),
        maps=maps,
        classes=tuple(chosen.classes),
        names=tuple(names[number] if names else f"class {number}" for number in chosen.classes),
        probabilities=tuple(found.tolist()),
        trust=trust_in(maps, images, values, scored, chosen),
        method=method,
        stage=stage or scored.layer_of(number),
        raw=raw,
        completeness=_completeness(asked, raw) if method == "integrated_gradients" else (),
    )


# What was asked for -----------------------------------------------------------------------------


def _method(given: Method | None, stage: str | None, scored: ScoredModel) -> Method:
    has_cam = scored.pooled is not None
    method = given or ("cam" if has_cam and stage is None else "grad_cam")
    choice(method, get_args(Method), "method")
    if method == "cam" and not has_cam:
        raise ValueError(
            f'{scored.name!r} does not end in average pooling and one dense layer, as "cam" '
            'needs: give method="grad_cam"'
        )
    if stage is not None and method != "grad_cam":
        raise ValueError(f'stage is for method="grad_cam", got {stage!r} with {method!r}')
    return method


def _place(method: Method, stage: str | None, scored: ScoredModel, model: keras.Model) -> int:
    """The number of the map that a method looks at; for integrated gradients, the images."""
    if method == "cam" and scored.pooled is not None:
        return scored.pooled
    return scored.map_of(stage, model) if method == "grad_cam" else scored.replay.input


def _names(model: keras.Model, given: Sequence[str] | None, classes: int) -> Sequence[str]:
    """The names of the classes; none if they are not known."""
    if given is not None:
        names = names_in(given, "class_names must be")
        if len(names) != classes:
            raise ValueError(f"the network has {classes} classes, and class_names {len(names)}")
        return names
    known: Sequence[str] = ()
    if _settings(model):
        with suppress(ValueError):  # the checkpoint does not say them
            known = labels_of(model)
    return known if len(known) == classes else ()


def _settings(model: keras.Model) -> PublishedWeights | None:
    """The checkpoint that a model was built from; None if it is not known."""
    record = RECORDS.get(model)
    return record.checkpoint if record else None


def _checked(given: npt.ArrayLike, model: keras.Model, order: str) -> Array:
    """The images with channels last, in the input's type, with a batch."""
    symbol = model.inputs[0]
    if len(symbol.shape) != 4:
        raise ValueError(f"{model.name!r} takes {tuple(symbol.shape)}, and not a batch of images")
    dtype = symbol.dtype if symbol.dtype.startswith("float") else "float32"
    try:
        images = ops.convert_to_numpy(given).astype(dtype)
    except (TypeError, ValueError):
        raise TypeError(f"images must be an array of numbers, got {described(given)}") from None
    images = images[np.newaxis] if images.ndim == len(symbol.shape) - 1 else images
    expected = tuple(symbol.shape[1:])
    if not (fits(images.shape, symbol.shape) and len(images)):
        raise ValueError(
            f"images must be (batch, {', '.join(map(str, expected))}) for {model.name!r}, got "
            f"{images.shape}: preprocessing prepares them"
        )
    if not np.isfinite(images).all():
        raise ValueError("images must be finite numbers, got NaN or infinity")
    return np.moveaxis(images, 1, -1) if order == "channels_first" else images


def _numbers(given: int | Sequence[int] | None, probabilities: Array) -> list[int]:
    """The class of every image."""
    images, _, classes = probabilities.shape
    if given is None:
        return [int(number) for number in probabilities.mean(axis=1).argmax(axis=1)]
    numbers = np.asarray(given)
    if numbers.dtype.kind not in "iu":
        raise TypeError(f"classes must be numbers of classes, got {given!r}")
    if numbers.shape not in ((), (images,)):
        raise ValueError(f"classes must be one number or {images}, one for each image: {given!r}")
    if numbers.min() < 0 or numbers.max() >= classes:
        raise ValueError(f"classes must be from 0 to {classes - 1}, got {given!r}")
    return [int(number) for number in np.broadcast_to(numbers, (images,))]


# The methods ------------------------------------------------------------------------------------


class Asked(NamedTuple):
    """A network after a run, the number of the map to look at, and the classes to look for."""

    scored: ScoredModel
    images: Array
    values: Values
    number: int
    chosen: ChosenClass

    @property
    def map(self) -> Array:
        """The map with channels last."""
        return self.scored.channels_last(self.values[self.number], self.number)


def _cam(asked: Asked) -> Array:
    raw: Array = np.einsum("nrck,kn->nrc", asked.map, asked.scored.kernel[:, asked.chosen.classes])
    return raw


def _grad_cam(asked: Asked) -> Array:
    scored, _, values, number, chosen = asked
    calls = scored.replay.after(number)

    def score(feature_map: Tensor) -> Tensor:
        return chosen.score(scored.replay.run(calls, {**values, number: feature_map}))

    slopes = scored.channels_last(gradient(score, values[number]), number)
    raw: Array = np.einsum("nrck,nk->nrc", asked.map, slopes.mean(axis=(1, 2)))
    return raw


def _integrated_gradients(asked: Asked) -> Array:
    """The shares of the pixels."""
    replay, images = asked.scored.replay, asked.images

    def score(given: Tensor) -> Tensor:
        return asked.chosen.score(replay.run(replay.calls, {replay.input: given}))

    slopes = np.zeros(images.shape)
    for place, weight in zip(*np.polynomial.legendre.leggauss(STEPS), strict=True):
        at = asked.scored.tensor(((place + 1) / 2 * images).astype(images.dtype))
        slopes += weight / 2 * asked.scored.channels_last(gradient(score, at), replay.input)
    shares: Array = (slopes * images).sum(axis=-1).astype("float32")
    return shares


def _completeness(asked: Asked, shares: Array) -> tuple[float, ...]:
    """How far the sums of the shares are from what the scores gain, as a fraction of it."""
    zeros = asked.scored.forward(np.zeros_like(asked.images))
    gained = asked.chosen.scores(asked.values) - asked.chosen.scores(zeros)
    missed = np.abs(shares.sum(axis=(1, 2)) - gained) / np.maximum(np.abs(gained), 1e-12)
    return tuple(missed.tolist())


METHODS: dict[str, Callable[[Asked], Array]] = {
    "cam": _cam,
    "grad_cam": _grad_cam,
    "integrated_gradients": _integrated_gradients,
}


# What is shown ----------------------------------------------------------------------------------


def _normalised(raw: Array, size: tuple[int, int]) -> Array:
    """What speaks for the class, from 0 to 1, in the size of the images."""
    positive = np.maximum(raw, 0)[..., np.newaxis]
    resized = ops.image.resize(positive, size, data_format="channels_last")
    maps: Array = np.array(ops.convert_to_numpy(resized)[..., 0])  # JAX's is read-only
    largest = maps.max(axis=(1, 2), keepdims=True)
    np.divide(maps, largest, out=maps, where=largest > 0)
    return maps


def pictures(images: Array, settings: PublishedWeights | None) -> Array:
    """Images of channels last in grey levels from 0 to 255, (batch, rows, columns, 3).

    The normalisation of a checkpoint is undone; without one, an image is from its least to its
    largest number.
    """
    images = images.astype("float64")
    if settings and len(settings.std) == images.shape[-1]:
        images = images[..., ::-1] if settings.channels == "BGR" else images
        images = images * settings.std + settings.mean
    else:
        least, most = (of(images, axis=(1, 2, 3), keepdims=True) for of in (np.min, np.max))
        images = (images - least) / np.maximum(most - least, 1e-12)
    if images.shape[-1] != 3:
        images = images.mean(axis=-1, keepdims=True).repeat(3, axis=-1)
    levels: Array = np.round(255 * images.clip(0, 1)).astype("uint8")
    return levels
