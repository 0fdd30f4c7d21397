"""Shapes of images: (rows, columns, channels) internally, converted at the public interface."""

from collections.abc import Callable, Iterable, Sequence
from math import prod
from typing import Any

from .checks import positive_int
from .words import INTERFACE

# Rows and columns may be unknown until the model is called; the channels may not.
ImageShape = tuple[int | None, int | None, int]

# The shape of any tensor, for one image.
Shape = tuple[int | None, ...]

AXIS_ORDERS = {
    "channels_last": "(rows, columns, channels)",
    "channels_first": "(channels, rows, columns)",
}


def image_shape(
    given: Any,
    order: str = "channels_last",
    corrected_call: Callable[[tuple[int | None, ...]], str] | None = None,
) -> ImageShape:
    """Convert a shape in `order` to (rows, columns, channels).

    With `corrected_call`, a shape that looks as if in the other order is rejected, and the message
    shows the corrected call that `corrected_call` returns.
    """
    interface = INTERFACE.get()
    example = interface.value(in_order((224, 224, 3), order))
    rule = f"{interface.name('input_shape')} is {AXIS_ORDERS[order]}, for example {example}"
    try:
        sizes = () if isinstance(given, str) else tuple(given)
    except TypeError:
        raise TypeError(f"{rule}; got {given!r}") from None
    if len(sizes) != 3:
        raise ValueError(f"{rule}, without the batch; got {given!r}")
    given = tuple(
        None if size is None else positive_int(size, f"{rule}; got {sizes}: every size")
        for size in sizes
    )
    likely = _likely_order(given)
    if corrected_call and likely not in (None, order):
        corrected = in_order(_rows_columns_channels(given, str(likely)), order)
        raise ValueError(
            f"{rule}; got {interface.value(given)}, which looks like {AXIS_ORDERS[str(likely)]}: "
            f"write {corrected_call(corrected)}"
        )
    shape = _rows_columns_channels(given, order)
    if shape[2] is None:
        raise ValueError(f"{rule}; got {given}: rows and columns may be None, channels may not")
    return shape


def in_order(shape: ImageShape, order: str) -> tuple[int | None, ...]:
    """Convert (rows, columns, channels) to `order`."""
    rows, columns, channels = shape
    return (channels, rows, columns) if order == "channels_first" else shape


def known_product(*sizes: int | None) -> int | None:
    """The product, or None if it is unknown; one with a factor of 0 is known."""
    if 0 in sizes:
        return 0
    return None if None in sizes else prod(size for size in sizes if size is not None)


def known_sum(numbers: Iterable[int | None]) -> int | None:
    """The sum, or None if any number is unknown."""
    known = list(numbers)
    return None if None in known else sum(number for number in known if number is not None)


def _rows_columns_channels(given: tuple[Any, ...], order: str) -> ImageShape:
    first, middle, last = given
    return (middle, last, first) if order == "channels_first" else (first, middle, last)


def _likely_order(given: tuple[int | None, ...]) -> str | None:
    """The order that `given` seems to have: 1 to 4 channels and two sides of an image."""
    first, middle, last = given
    few = range(1, 5)
    if last in few and first not in few and _like_sides(first, middle):
        return "channels_last"
    if first in few and last not in few and _like_sides(middle, last):
        return "channels_first"
    return None


def _like_sides(a: int | None, b: int | None) -> bool:
    # Beyond 4:1 it is more likely a signal: 64 electrodes x 1000 samples x 1 is a valid input.
    return a is None or b is None or max(a, b) <= 4 * min(a, b)


def fits(shape: Sequence[int | None], expected: Sequence[int | None]) -> bool:
    """Whether a shape is the expected one, in which None is any size."""
    return len(shape) == len(expected) and all(
        size in (None, own) for own, size in zip(shape, expected, strict=True)
    )
