"""Conversion of a checkpoint's tensors to a network's weights."""

from math import isqrt

import ml_dtypes
import numpy as np

from ..files.checkpoint import Array, Checkpoint, refused
from ..plan.names import FIRST_CONVS, LayerName
from .match import Assignment
from .naming import POSITIONS, Origin

FLOATS = ("float16", "bfloat16", "float32", "float64")


def to_weight(
    checkpoint: Checkpoint,
    assignment: Assignment,
    origin: Origin,
    *,
    dtype: str,
    shift: float,
    grid: tuple[int, int],
) -> Array:
    """Read the value of a weight.

    Args:
        dtype: dtype of the weight.
        shift: what is added to a variance: the epsilon in the file minus the network's.
        grid: rows and columns of the positions of an attention pool.

    Raises:
        ValueError: a tensor that cannot be read, is not of floats, has another shape than the
            checkpoint states, or has values that are not finite.
    """
    layer, variable = assignment.weight
    if assignment.tensor:
        array = _read(checkpoint, assignment.tensor)
    else:
        array = np.full(assignment.shape, origin.constants[variable], np.float32)
    array = origin.layout.keras_array(assignment.weight, array)
    if layer in FIRST_CONVS and variable == "kernel" and array.shape != assignment.shape:
        array = _adapt_channels(array, assignment.shape[2])
    if assignment.weight == POSITIONS and array.shape != assignment.shape:
        array = _resampled(array, grid)
    name = LayerName.parse(layer)
    if name and name.is_standardized and variable == "kernel" and not origin.is_own:
        array = _standardized(array, origin.standardizing_epsilon)
    if assignment.bias:
        # gamma * (x + bias - mean) / ... is a batch norm of x with the mean (mean - bias).
        array = array - _read(checkpoint, assignment.bias)
    with np.errstate(over="ignore", invalid="ignore"):
        if variable == "moving_variance":
            # Variance + epsilon is then the same with the network's epsilon as with the file's.
            array = array + np.float32(shift)
        array = array.astype(getattr(ml_dtypes, dtype, dtype))
    if not np.isfinite(array).all():
        words = f"{assignment.tensor} has values that are not finite in {dtype}"
        raise refused(checkpoint.name, words)
    return array


def _standardized(kernel: Array, epsilon: float) -> Array:
    """Weight standardisation: each filter with mean 0 and variance 1 (arXiv:1903.10520).

    timm layers/std_conv.py.
    """
    wide = kernel.astype(np.float64)
    mean, variance = (of(wide, axis=(0, 1, 2), keepdims=True) for of in (np.mean, np.var))
    standardized: Array = (wide - mean) / np.sqrt(variance + epsilon)
    return standardized


def _read(checkpoint: Checkpoint, name: str) -> Array:
    try:
        array = checkpoint.read(name)
    except Exception as error:  # any error of a format, if NumPy cannot hold the tensor
        raise refused(checkpoint.name, f"{name} cannot be read: {error}") from error
    if array.shape != (stated := checkpoint.shapes[name]):
        was = f"and was of shape {stated} before it was read"
        raise refused(checkpoint.name, f"{name} is an array of shape {array.shape}, {was}")
    if array.dtype.name not in FLOATS:
        raise refused(checkpoint.name, f"{name} is {array.dtype}, not floats")
    return array.astype(np.float32) if array.dtype.itemsize < 4 else array


def _adapt_channels(kernel: Array, channels: int) -> Array:
    """Adapt a stem's kernel to another number of channels, as timm (models/_manipulate.py).

    For one channel the kernel is summed; for others it is repeated and rescaled to keep the scale
    of the output.
    (rows, columns, given, filters) -> (rows, columns, channels, filters).
    """
    given = kernel.shape[2]
    if channels == 1:
        summed: Array = kernel.sum(axis=2, keepdims=True)
        return summed
    repeated = np.tile(kernel, (1, 1, -(-channels // given), 1))[:, :, :channels]
    return repeated * np.float32(given / channels)


def _resampled(positions: Array, grid: tuple[int, int]) -> Array:
    """Positions of a mean and of a square's pixels for another grid, as timm interpolates them.

    timm layers/pos_embed.py, resample_abs_pos_embed: bicubic, with antialiasing.
    """
    mean, pixels = positions[:1], positions[1:]
    side = isqrt(len(pixels))
    of_rows, of_columns = (_bicubic(side, wanted) for wanted in grid)
    square = pixels.reshape(side, side, -1).astype(np.float64)
    resized = np.einsum("ri,cj,ijd->rcd", of_rows, of_columns, square, optimize=True)
    return np.concatenate([mean, resized.reshape(-1, pixels.shape[1])])


def _bicubic(given: int, wanted: int) -> Array:
    """The matrix that resizes an axis: Keys 1981 (doi:10.1109/TASSP.1981.1163711), a = -1/2."""
    # The kernel is as wide as a pixel of the smaller of the two grids, which is antialiasing.
    places = (np.arange(wanted)[:, np.newaxis] + 0.5) * given / wanted
    distances = np.abs(np.arange(given) + 0.5 - places) / max(1, given / wanted)
    near = (1.5 * distances - 2.5) * distances**2 + 1
    far = ((-0.5 * distances + 2.5) * distances - 4) * distances + 2
    weights = np.where(distances < 1, near, np.where(distances < 2, far, 0.0))
    matrix: Array = weights / weights.sum(axis=1, keepdims=True)
    return matrix
