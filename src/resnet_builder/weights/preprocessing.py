"""preprocessing: the image preprocessing of a checkpoint, as Keras layers."""

import json
from collections.abc import Mapping
from typing import Any

import keras
import numpy as np

from .hub import download, is_repository
from .imagenet import recommended

WANTED = ("input_size", "crop_pct", "interpolation", "mean", "std")


def preprocessing(source: str, *, data_format: str | None = None) -> keras.Sequential:
    """Build the resize, crop and normalisation of a checkpoint as one model of core layers.

    The model maps images of any size with values from 0 to 255 to normalised inputs: the shorter
    side is resized to the input size divided by `crop_pct`, the centre is cropped, the mean is
    subtracted, and the result is divided by the standard deviation. The settings are read from the
    repository's `config.json`, as written by timm. Keras's resize differs from Pillow's in the last
    bits.

    Args:
        source: a repository of the Hugging Face Hub, such as `"timm/resnet18.tv_in1k"`, or a
            preset's name for its `weights="imagenet"` checkpoint.
        data_format: order of axes of the images. Default: `keras.config.image_data_format()`.

    Returns:
        A model from (batch, rows, columns, 3) to (batch, size, size, 3), or with channels first.

    Raises:
        ValueError: neither a repository nor a preset with ImageNet weights, or a repository
            without preprocessing settings.
        OSError, ImportError: as in `load_weights`.

    Example:
        >>> from resnet_builder import preprocessing
        >>> preprocessing("resnet200d_nowhere")
        Traceback (most recent call last):
        ValueError: unknown preset with ImageNet weights 'resnet200d_nowhere': did you mean ...
    """
    if not is_repository(source):
        source = recommended(source).repository
    settings = json.loads(download(source, ["config.json"]).read_text(encoding="utf-8"))
    # Older repositories have the settings at the top level.
    settings = settings.get("pretrained_cfg", settings)
    missing = [name for name in WANTED if name not in settings]
    if missing:
        raise ValueError(f"the config.json of {source!r} does not say {', '.join(missing)}")
    return _layers(settings, data_format or keras.config.image_data_format())


def _layers(settings: Mapping[str, Any], data_format: str) -> keras.Sequential:
    _, *size = settings["input_size"]
    scaled = [int(side / settings["crop_pct"]) for side in size]
    order: Any = {"data_format": data_format}
    # Keras's Normalization takes the variance, and before 3.13 only the last axis: this is the same
    # in one multiplication and one addition.
    channels = (3, 1, 1) if data_format == "channels_first" else (1, 1, 3)
    mean, deviation = (np.reshape(settings[name], channels) for name in ("mean", "std"))
    return keras.Sequential(
        [
            keras.layers.Resizing(
                *scaled,
                settings["interpolation"],
                crop_to_aspect_ratio=True,
                antialias=True,
                **order,
            ),
            keras.layers.CenterCrop(*size, **order),
            keras.layers.Rescaling(
                scale=(1 / 255 / deviation).tolist(), offset=(-mean / deviation).tolist()
            ),
        ],
        name="preprocessing",
    )
