"""Images from files, decoded as the libraries of the checkpoints do."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt

ENDINGS = (".jpg", ".jpeg", ".png", ".gif", ".bmp")


def photograph(path: Path) -> npt.NDArray[np.uint8]:
    """Read an image, (rows, columns, 3); of a film, the first one.

    JPEGs have the grey levels that Pillow gives, with which timm and torchvision measure.

    Raises:
        OSError: the file cannot be read.
        ValueError: it is no image in one of the formats.
    """
    import tensorflow as tf

    content = path.read_bytes()
    try:
        with tf.device("CPU"):
            if content.startswith(b"\xff\xd8"):
                image = tf.io.decode_jpeg(content, channels=3, dct_method="INTEGER_ACCURATE")
            else:
                image = tf.io.decode_image(content, channels=3, expand_animations=False)
    except tf.errors.InvalidArgumentError:
        raise ValueError(
            f"{path} is no image in a format that can be read: JPEG, PNG, GIF or BMP"
        ) from None
    pixels: npt.NDArray[np.uint8] = image.numpy()
    return pixels


def photographs_in(folder: Path) -> Iterator[Path]:
    """The files in a folder, at every depth, with the ending of an image, in the order of names."""
    for path in sorted(folder.rglob("*")):
        if path.suffix.lower() in ENDINGS and not path.name.startswith("."):
            yield path
