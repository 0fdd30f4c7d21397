"""preprocessing: what a checkpoint wants done to its images, as layers of Keras."""

import json
from collections.abc import Mapping
from typing import Any

import keras
import numpy as np

from .hub import download, is_repository
from .imagenet import recommended

WANTED = ("input_size", "crop_pct", "interpolation", "mean", "std")


def preprocessing(source: str, *, data_format: str | None = None) -> keras.Sequential:
    """The resize, crop and normalisation that go with a checkpoint, as one model of core layers.

    It takes images of any size with values from 0 to 255, and answers what the network wants: the
    shorter side is resized to the input size over `crop_pct`, the middle is cut out, and the mean
    is subtracted and divided by the standard deviation. The figures are read from the repository's
    `config.json`, where timm writes them. Keras's resize is not Pillow's to the last bit.

    Args:
        source: a repository of the Hugging Face Hub, such as `"timm/resnet18.tv_in1k"`, or a
            preset's name for the checkpoint that `weights="imagenet"` is.
        data_format: of the images. Default: `keras.config.image_data_format()`.

    Returns:
        A model from (batch, rows, columns, 3) to (batch, size, size, 3), or with channels first.

    Raises:
        ValueError: neither a repository nor a preset with ImageNet weights, or a repository that
            does not say how to prepare images.
        OSError, ImportError: as `load_weights`.

    Example:
        >>> from resnet_builder import preprocessing
        >>> preprocessing("resnet200d_nowhere")
        Traceback (most recent call last):
        ValueError: unknown preset with ImageNet weights 'resnet200d_nowhere': did you mean ...
    """
    if not is_repository(source):
        source = recommended(source).repository
    settings = json.loads(download(source, ["config.json"]).read_text(encoding="utf-8"))
    # Older repositories have the figures at the top.
    settings = settings.get("pretrained_cfg", settings)
    missing = [name for name in WANTED if name not in settings]
    if missing:
        raise ValueError(f"the config.json of {source!r} does not say {', '.join(missing)}")
    return _layers(settings, data_format or keras.config.image_data_format())


def _layers(settings: Mapping[str, Any], data_format: str) -> keras.Sequential:
    _, *size = settings["input_size"]
    scaled = [int(side / settings["crop_pct"]) for side in size]
    order: Any = {"data_format": data_format}
    # Keras's Normalization takes the variance, and before 3.13 no axis but the last: this is the
    # same in one multiplication and one addition.
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
