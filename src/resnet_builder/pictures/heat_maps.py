"""Heat maps over images, as one PNG, with captions that Graphviz sets."""

import io
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

from ..common.files import check_place
from .diagram import DPI, drawn
from .style import FONT, FONT_SIZE, escape, table

Pixels = npt.NDArray[np.uint8]
Numbers = npt.NDArray[np.floating]

# Nine of the 256 colours of matplotlib's viridis (CC0), which colour-blind readers can read.
VIRIDIS = np.array(
    [
        (68, 1, 84),
        (71, 44, 122),
        (59, 81, 139),
        (44, 113, 142),
        (33, 144, 141),
        (39, 173, 129),
        (92, 200, 99),
        (170, 220, 50),
        (253, 231, 37),
    ]
)
SMALLEST = 224  # pixels of the longer side of an image; smaller ones are magnified
GAP = 8  # pixels around it


def check_picture(path: Path) -> None:
    """Check that a picture can be written to a path, before it is computed."""
    if path.suffix.lower() != ".png":
        raise ValueError(f"cannot write {str(path)!r}: its ending must be .png")
    check_place(path)


# The lines beside an image; the first is a title.
Caption = Sequence[str]


def sheet(images: Pixels, maps: Numbers, captions: list[Caption]) -> bytes:
    """Draw each image, and its map over it, in a row with its caption, as PNG.

    Args:
        images: (batch, rows, columns, 3).
        maps: (batch, rows, columns), from 0 to 1.
        captions: of each image.
    """
    rows = [
        np.concatenate([_framed(image), _framed(overlaid(image, heat))], axis=1)
        for image, heat in zip(images, maps, strict=True)
    ]
    words = _words(captions, len(rows[0]))
    pixels = np.concatenate(rows)
    height = max(len(words), len(pixels))
    blank = np.full((height, GAP, 3), 255, "uint8")
    return png(np.concatenate([_filled(pixels, height), _filled(words, height), blank], axis=1))


def _framed(image: Pixels) -> Pixels:
    """An image, magnified if it is small, in a white frame; its height in points is whole."""
    times = -(-SMALLEST // max(image.shape[:2]))
    image = image.repeat(times, axis=0).repeat(times, axis=1)
    below = GAP - (len(image) + 2 * GAP) % -4
    return np.pad(image, ((GAP, below), (GAP, GAP), (0, 0)), constant_values=255)


def _filled(image: Pixels, height: int) -> Pixels:
    """An image with white rows below."""
    return np.pad(image, ((0, height - len(image)), (0, 0), (0, 0)), constant_values=255)


def _words(captions: list[Caption], height: int) -> Pixels:
    """The captions, in rows of so many pixels."""
    # Graphviz sets the text only: graphviz-pure leaves images out.
    points = height * 72 // DPI
    rows = [
        f'<TD HEIGHT="{points}" ALIGN="LEFT" BALIGN="LEFT">{_lines(caption)}</TD>'
        for caption in captions
    ]
    look = f'node [shape=plain fontname="{FONT}" fontsize={FONT_SIZE}]'
    dot = f'digraph {{ bgcolor="white" pad=0 {look}; captions [label={table(rows)}] }}'
    with Image.open(io.BytesIO(drawn(dot, "png", f"-Gdpi={DPI}"))) as words:
        return np.asarray(words.convert("RGB"))


def _lines(caption: Caption) -> str:
    title, *lines = map(escape, caption)
    return "<BR/>".join([f"<B>{title}</B>", *lines])


def overlaid(image: Pixels, heat: Numbers) -> Pixels:
    """The image in grey under a map's colours, from violet to yellow.

    The hundredth of the pixels with the largest numbers is yellow: single ones do not darken the
    others, which matters for integrated gradients.
    """
    heat = (heat / (np.percentile(heat, 99) or 1)).clip(0, 1)
    grey = image @ np.array([0.299, 0.587, 0.114])  # ITU-R BT.601
    colours = viridis(heat)
    mixed: Numbers = 0.45 * grey[..., np.newaxis] + 0.55 * colours
    return mixed.round().astype("uint8")


def viridis(heat: Numbers) -> Numbers:
    """The colours of numbers from 0 to 1, (..., 3)."""
    places = np.linspace(0, 1, len(VIRIDIS))
    return np.stack([np.interp(heat, places, channel) for channel in VIRIDIS.T], axis=-1)


def png(pixels: Pixels) -> bytes:
    """An image, (rows, columns, 3), as a PNG file."""
    content = io.BytesIO()
    Image.fromarray(pixels).save(content, "png")
    return content.getvalue()
