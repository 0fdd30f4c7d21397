"""Images from files, decoded as the libraries of the checkpoints do."""

import io
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

from ..files.checkpoint import check_regular

FORMATS = ("JPEG", "PNG", "GIF", "BMP")
ENDINGS = (".jpg", ".jpeg", ".png", ".gif", ".bmp")


def photograph(path: Path) -> npt.NDArray[np.uint8]:
    """Read an image, (rows, columns, 3); of a film, the first one.

    It is decoded by Pillow, with which timm and torchvision measure.

    Raises:
        OSError: the file cannot be read.
        ValueError: it is no file, no image in one of the formats, or one of too many pixels.
    """
    check_regular(path)
    content = io.BytesIO(path.read_bytes())
    try:
        with Image.open(content, formats=FORMATS) as image:
            if image.mode.startswith("I"):  # 16 bits, which Pillow would cut off at 255
                levels = (np.asarray(image) >> 8).astype(np.uint8)
                return np.stack([levels] * 3, axis=-1)
            return np.asarray(image.convert("RGB"))
    # SyntaxError: of a damaged PNG; DecompressionBombError: of more pixels than a photograph has.
    except (OSError, SyntaxError, Image.DecompressionBombError):
        raise ValueError(
            f"{path} is no image in a format that can be read: JPEG, PNG, GIF or BMP"
        ) from None


def photographs_in(folder: Path) -> Iterator[Path]:
    """The files in a folder, at every depth, with the ending of an image, in the order of names."""
    for path in sorted(folder.rglob("*")):
        if path.suffix.lower() in ENDINGS and not path.name.startswith("."):
            yield path
