"""preprocessing: the image preprocessing of a checkpoint, or of other data, as a Keras model."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from importlib import resources
from typing import Any, NamedTuple

import keras
import numpy as np
import numpy.typing as npt
from keras import layers, ops

from ..common.checks import choice, described, positive_int, unknown
from ..common.shapes import AXIS_ORDERS, in_order
from ..model.keras_layers import Tensor
from ..model.record import RECORDS
from ..presets.checkpoints import CLASSES, PublishedWeights, recommended
from ..presets.networks import find_preset
from ..presets.resolve import find_published
from .resizing import KERNELS, grey, resized

# timm/data/constants.py and timm/data/config.py, version 1.0.31
CROP_PCT, INTERPOLATION = 0.875, "bicubic"
LIBRARIES_OF_KERAS = ("keras-hub", "keras.applications", "tf.keras")  # with a crop of their own
IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


def preprocessing(
    source: str | keras.Model | None = None,
    *,
    size: int | Sequence[int] | None = None,
    mean: float | Sequence[float] | None = None,
    std: float | Sequence[float] | None = None,
    crop_pct: float | None = None,
    interpolation: str | None = None,
    channels: str | None = None,
    data_format: str | None = None,
) -> keras.Model:
    """Build the resize, crop and normalisation of images as one model of core operations.

    It prepares images as the library of a checkpoint does when it measures the accuracy, or as
    timm does with settings of your own. It is a functional Keras model in float32, so it can be
    called, mapped over a `tf.data.Dataset` on TensorFlow, put before a network and saved with it.

    * timm, torchvision, transformers and own settings: the shorter side is resized to the input's
      divided by `crop_pct`, with antialiasing and to whole grey levels, and the centre is cropped.
      The result is the library's with Pillow. In noise, at most some pixels in a hundred are one or
      two grey levels off, where a value lies between two levels; photographs are equal but for one
      in a thousand. (Since version 13 Pillow resizes some portraits in another order.)
    * keras-hub: the largest centred part of the input's proportions is resized without
      antialiasing.
    * keras.applications leaves the resizing to its user: it is keras-hub's, with antialiasing.

    Then the mean is subtracted, the result is divided by the standard deviation, and for
    keras.applications' `resnet50_v1` and its like it is turned to BGR.

    Args:
        source: a name of `list_weights()` such as `"resnet50.a1_in1k"`; a preset's name for its
            `weights="imagenet"` checkpoint; or a repository of the Hugging Face Hub, such as
            `"timm/resnet18.tv_in1k"`, whose `config.json` is read if it is not in the table (and
            `preprocessor_config.json`, if it is transformers'); a local folder with its files, or
            that `save_pretrained` wrote; or the model that was built from one of these names.
        size: instead of `source`, the input size of a network: one side, or rows and columns.
        mean: with `size`, the mean of each channel for values from 0 to 1. Default: ImageNet's.
        std: with `size`, the standard deviations likewise.
        crop_pct: with `size`, the input's share of the side that images are resized to. Default:
            0.875, as in timm; 1 crops only what is longer than the input.
        interpolation: with `size`, `"bilinear"` or `"bicubic"`. Default: `"bicubic"`, as in timm.
        channels: with `size`, the order of the network's channels: `"RGB"`, or `"BGR"` as in the
            networks of Caffe, detectron2 and OpenCV; `mean` and `std` remain those of red, green
            and blue, and the images are in RGB. Default: `"RGB"`.
        data_format: order of axes of the images. Default: `keras.config.image_data_format()`.

    Returns:
        A model from RGB images of any size, (batch, rows, columns, 3), with integers or floats from
        0 to 255, to (batch, *size, channels), or with channels first. One image needs an axis of
        the batch: `image[np.newaxis]`. A grey image, (batch, rows, columns, 1), is three times the
        same channel; a network of one channel sees colours as Pillow's grey. Other numbers of
        channels, such as images with transparency have, are refused when it is called, and so
        is any other than the network's with channels first.

    Raises:
        ValueError: neither a checkpoint nor a preset with ImageNet weights, a checkpoint for bands
            of a satellite, a repository without preprocessing settings, both or neither of `source`
            and `size`, or an invalid setting.
        TypeError: a setting of the wrong type.
        OSError, ImportError: as in `load_weights`.

    Example:
        >>> import numpy as np
        >>> from resnet_builder import preprocessing
        >>> image = np.full((1, 300, 400, 3), 255)
        >>> prepare = preprocessing("resnet50.a1_in1k", data_format="channels_last")
        >>> tuple(prepare(image).shape)
        (1, 224, 224, 3)
        >>> own = preprocessing(size=64, mean=0.5, std=0.25, data_format="channels_last")
        >>> float(own(image)[0, 0, 0, 0])
        2.0
    """
    settings = image_settings(
        source,
        size=size,
        mean=mean,
        std=std,
        crop_pct=crop_pct,
        interpolation=interpolation,
        channels=channels,
    )
    order = data_format or keras.config.image_data_format()
    return preprocessing_of(settings, choice(order, AXIS_ORDERS, "data_format"))


def image_settings(
    source: str | keras.Model | Mapping[str, object] | None, **own: object
) -> PublishedWeights:
    """The settings of a checkpoint, or own settings as those of a checkpoint; as `preprocessing`.

    Args:
        source: as in `preprocessing`; or own settings as a dict.
        **own: own settings.

    Raises:
        TypeError, ValueError, OSError, ImportError: as in `preprocessing`.
    """
    if isinstance(source, Mapping):
        return image_settings(None, **source)
    given = [name for name, value in own.items() if value is not None]
    if source is not None and given:
        raise ValueError(
            f"give a source, or settings of your own: got source={source!r} and {', '.join(given)}"
        )
    if source is None and own.get("size") is None:
        raise ValueError(
            "preprocessing needs a checkpoint, such as preprocessing('resnet50.a1_in1k'), or a "
            "size, such as preprocessing(size=224)" + (f"; got {', '.join(given)}" * bool(given))
        )
    known = [name for name in preprocessing.__kwdefaults__ or () if name != "data_format"]
    for name in own:
        if name not in known:
            raise TypeError(unknown("setting of preprocessing", name, known))
    if source is None:
        return _own_settings(**own)
    settings = checkpoint_of(source) or recommended(source)
    named = _named(source)
    if not settings.crop_mode:
        raise ValueError(
            f"{named} takes bands of a satellite, and not images: give its network "
            "(bands / 255 - mean) / std, with the mean and std of "
            f"list_weights({settings.name!r}).rows[0], in the order of its library's bands"
        )
    if not settings.std:
        raise ValueError(
            f"{named} does not say how images are prepared, or says what has no equal "
            "here: give size=, mean= and std="
        )
    return settings


def at_size_of(model: keras.Model, settings: PublishedWeights, order: str) -> PublishedWeights:
    """The settings at the input size of a model, if it is fixed."""
    sizes = model.input_shape[2:] if order == "channels_first" else model.input_shape[1:3]
    rows, columns = (own or of for own, of in zip(sizes, settings.input_size, strict=True))
    size = rows, columns
    return settings.at(size) or replace(settings, input_size=size)


def checkpoint_of(source: object) -> PublishedWeights | None:
    """The checkpoint of a name, repository or folder, or that a model was built from.

    Raises:
        ValueError: a model that was not built from a checkpoint by name.
        OSError, ImportError: as in `preprocessing`.
    """
    if isinstance(source, keras.Model):
        record = RECORDS.get(source)
        if record is None or record.checkpoint is None:
            raise ValueError(
                f"the model {source.name!r} was not built from the name of a checkpoint, a "
                "repository or a folder: give the name"
            )
        return record.checkpoint
    return find_published(source) if isinstance(source, str) else None


def _named(source: object) -> str:
    record = RECORDS.get(source) if isinstance(source, keras.Model) else None
    return repr(record.checkpoint.source if record and record.checkpoint else source)


def _own_settings(
    size: Any,
    mean: Any = None,
    std: Any = None,
    crop_pct: Any = None,
    interpolation: object = None,
    channels: object = None,
) -> PublishedWeights:
    """The settings as those of a checkpoint that no library publishes."""
    sides = [size, size] if np.ndim(size) == 0 else list(size)
    if len(sides) != 2:
        raise ValueError(f"size must be one side, or rows and columns, got {size!r}")
    mean, std = IMAGENET_MEAN if mean is None else mean, IMAGENET_STD if std is None else std
    colours = np.zeros(3 if np.ndim(mean) == np.ndim(std) == 0 else 1)
    got = f"got mean={mean!r} and std={std!r}"
    try:
        means, deviations, _ = np.broadcast_arrays(np.float64(mean), np.float64(std), colours)
    except (TypeError, ValueError):
        rule = "mean and std must be numbers, one for all channels or one for each"
        raise ValueError(f"{rule}; {got}") from None
    if means.ndim > 1 or not (
        np.all((means >= 0) & (means <= 1)) and np.all((deviations > 0) & (deviations <= 1))
    ):
        rule = "mean must be from 0 to 1, and std more than 0 and at most 1, as for values from 0"
        raise ValueError(f"{rule} to 1; {got}")
    if crop_pct is not None and not (isinstance(crop_pct, int | float) and 0 < crop_pct <= 1):
        raise ValueError(f"crop_pct must be more than 0 and at most 1, got {crop_pct!r}")
    return PublishedWeights(
        library="",
        preset="",
        tag="",
        source="",
        classes=0,
        input_size=(positive_int(sides[0], "size"), positive_int(sides[1], "size")),
        crop_pct=crop_pct or CROP_PCT,
        interpolation=choice(interpolation or INTERPOLATION, KERNELS, "interpolation"),
        channels=choice(channels or "RGB", ("RGB", "BGR"), "channels"),
        mean=tuple(means.tolist()),
        std=tuple(deviations.tolist()),
    )


def preprocessing_of(settings: PublishedWeights, data_format: str) -> keras.Model:
    """The preprocessing of a checkpoint's settings."""
    channels, first = len(settings.mean), data_format == "channels_first"
    # With channels last, Keras lets one channel pass where it expects three, but not the reverse.
    expected = 3 if channels == 1 and not first else channels
    shape = in_order((None, None, expected), data_format)
    given = keras.Input(shape, dtype="float32", name="images")
    images = given if first else ops.transpose(given, (0, 3, 1, 2))
    if expected == 3:
        images = images[:, :3]  # where a dataset does not know the number: no transparency
    if expected > channels:
        images = grey(images)
    is_of_keras = settings.library in LIBRARIES_OF_KERAS
    images = (_as_keras_hub if is_of_keras else _as_timm)(images, settings)
    images = images if first else ops.transpose(images, (0, 2, 3, 1))
    images = _normalisation(settings, data_format)(images)
    if settings.channels == "BGR":
        images = ops.flip(images, 1 if first else 3)
    return keras.Model(given, images, name="preprocessing")


def _as_timm(images: Tensor, settings: PublishedWeights) -> Tensor:
    colour = [round(255 * mean) for mean in settings.mean] if settings.crop_mode == "border" else 0
    return resized(
        images,
        settings.input_size,
        settings.crop_pct or CROP_PCT,
        settings.interpolation or INTERPOLATION,
        settings.crop_mode,
        border=colour,
    )


def _as_keras_hub(images: Tensor, settings: PublishedWeights) -> Tensor:
    """The largest part of the input's proportions, as keras_hub.layers.ImageConverter cuts it."""
    return layers.Resizing(
        *settings.input_size,
        settings.interpolation or "bilinear",
        crop_to_aspect_ratio=True,
        antialias=settings.library != "keras-hub",
        data_format="channels_first",
        dtype="float32",
    )(images)


def _normalisation(settings: PublishedWeights, data_format: str) -> keras.layers.Layer:
    # Keras's Normalization takes the variance, and before 3.13 only the last axis: this is the same
    # in one multiplication and one addition.
    axes = (-1, 1, 1) if data_format == "channels_first" else (1, 1, -1)
    mean, deviation = (np.array(values).reshape(axes) for values in (settings.mean, settings.std))
    return layers.Rescaling(
        scale=(1 / 255 / deviation).tolist(),
        offset=(-mean / deviation).tolist(),
        dtype="float32",
    )


# WordNet's number and first word for each of ILSVRC 2012's classes, in the order of the classes:
# timm/data/_info/imagenet_synsets.txt and imagenet_synset_to_lemma.txt, commit aa4b5850.
IMAGENET_CLASSES = "imagenet_classes.txt"
# The classes of other libraries' checkpoints. Places365's folder and name of each: CSAILVision/
# places365, categories_places365.txt, commit 0621862; copyright 2017 Bolei Zhou and MIT CSAIL, MIT.
OTHER_CLASSES = {"places365": "places365_classes.txt"}


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
    predictions: Any,
    source: str | keras.Model | None = None,
    *,
    top: int = 5,
    class_names: Sequence[str] | None = None,
) -> list[list[Guess]]:
    """Return the names of the top classes of every image, the best first.

    Args:
        predictions: probabilities or logits, (batch, classes), or (classes,) for one image.
        source: the checkpoint that the network has, as in `preprocessing`: Places365's, and
            repositories and folders of transformers and of `save_pretrained`, have the names of
            their classes.
        top: number of classes for each image.
        class_names: names in the order of the predictions. Default: those of `source`, or the 1000
            of ImageNet, some of which are the same word: a crane is a bird and a machine.

    Returns:
        For each image, its top classes with their scores.

    Raises:
        ValueError: predictions of another shape or with NaN, another number of names, or a source
            without names that has not ImageNet's classes.
        TypeError: predictions that are not numbers, such as the dict of a model with several
            outputs; names that are not text; a `top` that is no integer.

    Example:
        >>> import numpy as np
        >>> from resnet_builder import decode
        >>> decode(np.array([[0.2, 0.7, 0.1]]), top=2, class_names=["cat", "dog", "eel"])
        [[Guess(name='dog', score=0.7), Guess(name='cat', score=0.2)]]
    """
    scores = _as_numbers(predictions)
    names = (
        labels_of(source) if class_names is None else names_in(class_names, "class_names must be")
    )
    if scores.ndim != 2 or scores.shape[1] != len(names):
        is_own = class_names is not None
        own = "" if is_own else "; for classes of your own give class_names"
        of = "" if source is None or class_names else f" of {_named(source)}"
        raise ValueError(
            f"predictions must be (batch, {len(names)}) for {len(names)} names{of}, got "
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


def names_in(given: object, rule: str) -> list[str]:
    """The names of classes that a caller gave; `rule` begins the message."""
    names = []
    if isinstance(given, Iterable) and not isinstance(given, str | Mapping):
        names = list(given)
    if not names or not all(isinstance(name, str) for name in names):
        raise TypeError(f"{rule} a list of names, got {described(given)}")
    return names


def labels_of(source: str | keras.Model | None) -> Sequence[str]:
    """The names of a checkpoint's classes, or ImageNet's.

    Raises:
        ValueError: they are not known.
    """
    return [name for _, name in folders_and_labels_of(source)]


def folders_and_labels_of(source: str | keras.Model | None) -> list[tuple[str, str]]:
    """The folder of each class in its data set, and its name; as `labels_of`.

    The folders of ImageNet are WordNet's numbers. Without such folders, both are the name.
    """
    found = checkpoint_of(source)
    if found and found.labels:
        return [(label, label) for label in found.labels]
    file = OTHER_CLASSES.get(found.library) if found else None
    if source is not None and not file and (found or find_preset(str(source))).classes != CLASSES:
        named = _named(source)
        raise ValueError(f"{named} does not say the names of its classes: give class_names")
    names = resources.files(__package__).joinpath(file or IMAGENET_CLASSES)
    text = names.read_text(encoding="utf-8")
    return [(line.partition(" ")[0], line.partition(" ")[2]) for line in text.splitlines()]
