"""preprocessing: the image preprocessing of a checkpoint, as Keras layers."""

from typing import Any

import keras
import numpy as np

from ..common.shapes import in_order
from ..presets.published_weights import PublishedWeights
from ..presets.repositories import find_published
from .imagenet import recommended


def preprocessing(source: str, *, data_format: str | None = None) -> keras.Sequential:
    """Build the resize, crop and normalisation of a checkpoint as one model of core layers.

    The model maps RGB images of any size with values from 0 to 255 to normalised inputs: the
    largest centred rectangle of the input's proportions is resized to the input size divided by
    `crop_pct`, the centre is cropped, the mean is subtracted, the result is divided by the standard
    deviation, and for keras.applications' `resnet50_v1` and its like it is turned to BGR. If the
    library states neither, `crop_pct` is 1 and the interpolation is bilinear. Keras's resize
    differs from Pillow's in the last bits.

    Args:
        source: a name of `list_weights()` such as `"resnet50.a1_in1k"`; a preset's name for its
            `weights="imagenet"` checkpoint; or a repository of the Hugging Face Hub, such as
            `"timm/resnet18.tv_in1k"`, whose `config.json` is read if it is not in the table, or a
            local folder with its files.
        data_format: order of axes of the images. Default: `keras.config.image_data_format()`.

    Returns:
        A model from (batch, rows, columns, 3) to (batch, size, size, 3), or with channels first.

    Raises:
        ValueError: neither a checkpoint nor a preset with ImageNet weights, or a repository
            without preprocessing settings.
        OSError, ImportError: as in `load_weights`.

    Example:
        >>> import numpy as np
        >>> from resnet_builder import preprocessing
        >>> image = np.full((1, 300, 400, 3), 255)
        >>> preprocessing("resnet50.a1_in1k", data_format="channels_last")(image).shape
        TensorShape([1, 224, 224, 3])
    """
    named = find_published(source) if isinstance(source, str) else None
    weights = named or recommended(source)
    return _layers(weights, data_format or keras.config.image_data_format())


def _layers(weights: PublishedWeights, data_format: str) -> keras.Sequential:
    order: Any = {"data_format": data_format}
    crop_pct = weights.crop_pct or 1
    layers = [
        keras.layers.Resizing(
            *(int(side / crop_pct) for side in weights.input_size),
            weights.interpolation or "bilinear",
            crop_to_aspect_ratio=True,
            antialias=True,
            **order,
        ),
        keras.layers.CenterCrop(*weights.input_size, **order),
        _normalisation(weights, data_format),
    ]
    if weights.channels == "BGR":
        layers.append(_reversal(in_order(weights.input_shape, data_format), data_format))
    return keras.Sequential(layers, name="preprocessing")


def _normalisation(weights: PublishedWeights, data_format: str) -> keras.layers.Layer:
    # Keras's Normalization takes the variance, and before 3.13 only the last axis: this is the same
    # in one multiplication and one addition.
    axes = (-1, 1, 1) if data_format == "channels_first" else (1, 1, -1)
    mean, deviation = (np.array(values).reshape(axes) for values in (weights.mean, weights.std))
    return keras.layers.Rescaling(
        scale=(1 / 255 / deviation).tolist(), offset=(-mean / deviation).tolist()
    )


def _reversal(shape: tuple[int | None, ...], data_format: str) -> keras.Model:
    """A model that reverses the order of the channels, as Keras has no layer for it."""
    image = keras.Input(shape)
    channels = 1 if data_format == "channels_first" else -1
    return keras.Model(image, keras.ops.flip(image, channels), name="reversed_channels")
