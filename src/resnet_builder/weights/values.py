"""The numbers of a checkpoint, as they go into a network's weights."""

import ml_dtypes
import numpy as np

from .checkpoints import Array, Checkpoint
from .matching import HEAD, STEMS, Pair
from .origins import Origin

FLOATS = ("float16", "bfloat16", "float32", "float64")


def value(
    checkpoint: Checkpoint, pair: Pair, origin: Origin, *, dtype: str, epsilon: float
) -> Array:
    """What a weight becomes.

    Args:
        dtype: of the weight.
        epsilon: of the batch norm that it is of.

    Raises:
        ValueError: it cannot be read, is not of floats, or has values that are not finite.
    """
    array = _read(checkpoint, pair.tensor)
    layer, variable = pair.weight
    if variable == "kernel" and origin.is_torch:
        array = array.reshape(len(array), -1).T if layer == HEAD else array.transpose(2, 3, 1, 0)
    if layer in STEMS and variable == "kernel" and array.shape != pair.shape:
        array = _adapt_channels(array, pair.shape[2])
    if pair.bias:
        # gamma * (x + bias - mean) / ... is a batch norm of x alone, whose mean is less the bias.
        array = array - _read(checkpoint, pair.bias)
    if variable == "moving_variance" and origin.epsilon is not None:
        # A variance that with our epsilon gives what it gives with the origin's.
        array = array + np.float32(origin.epsilon - epsilon)
    with np.errstate(over="ignore"):
        array = array.astype(getattr(ml_dtypes, dtype, dtype))
    if not np.isfinite(array).all():
        raise ValueError(
            f"cannot load {checkpoint.name}: {pair.tensor} has values that are not finite in "
            f"{dtype}"
        )
    return array


def _read(checkpoint: Checkpoint, name: str) -> Array:
    try:
        array = checkpoint.read(name)
    except Exception as error:  # what a format raises for a tensor that NumPy cannot hold
        raise ValueError(
            f"cannot load {checkpoint.name}: {name} cannot be read: {error}"
        ) from error
    if array.dtype.name not in FLOATS:
        raise ValueError(f"cannot load {checkpoint.name}: {name} is {array.dtype}, not floats")
    return array.astype(np.float32) if array.dtype.itemsize < 4 else array


def _adapt_channels(kernel: Array, channels: int) -> Array:
    """A stem for another number of channels, as timm makes it (models/_manipulate.py).

    One channel sees the sum; others repeat what is there, rescaled to keep the size of the output.
    (rows, columns, given, filters) -> (rows, columns, channels, filters).
    """
    given = kernel.shape[2]
    if channels == 1:
        summed: Array = kernel.sum(axis=2, keepdims=True)
        return summed
    repeated = np.tile(kernel, (1, 1, -(-channels // given), 1))[:, :, :channels]
    return repeated * np.float32(given / channels)
