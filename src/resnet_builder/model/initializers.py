"""Initial weights: the initialisers of a plan's layers, and the kernels that they draw."""

from collections.abc import Callable, Container, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from math import prod, sqrt
from typing import Any

import keras
import numpy as np
import numpy.typing as npt

from ..common.keras_names import INITIALIZERS, Initializer
from ..plan.layers import Layer

# Kernels that are drawn before Keras asks for them: enough for every thread, and little memory.
AHEAD = 16
# Of the standard normal distribution between -2 and 2 (keras.initializers.VarianceScaling).
TRUNCATED_DEVIATION = 0.87962566103423978


def initializer(layer: Any) -> Any:
    """Create a new initialiser: a shared one would give equal values to equal shapes."""
    chosen: str | Initializer = layer.initializer
    record = INITIALIZERS[chosen] if isinstance(chosen, str) else chosen
    return getattr(keras.initializers, record.class_name)(**dict(record.config))


@contextmanager
def quick_kernels(
    layers: Iterable[Layer], dtype: str, *, blank: bool = False
) -> Iterator[Callable[[Layer], Any]]:
    """The initialisers of a plan's kernels while Keras creates its layers, in their order.

    NumPy draws the kernels in other threads while Keras creates layers, or, with `blank`, they are
    zeros, which a checkpoint replaces. For ResNet-152 on two cores, Keras draws for 1.5 s of CPU
    time between the layers, NumPy for 0.9 s beside them. `restore_initializers` then gives the
    layers the initialisers of the plan.

    Args:
        dtype: dtype of the weights.
    """
    if blank:
        yield lambda layer: "zeros"
        return
    coming = iter([layer for layer in layers if hasattr(layer, "initializer")])
    ready: dict[str, Any] = {}
    pool = ThreadPoolExecutor()

    def next_kernel(layer: Layer) -> Any:
        while len(ready) < AHEAD and (ahead := next(coming, None)):
            ready[ahead.name] = _drawn(ahead, dtype, pool)
        return ready.pop(layer.name)

    try:
        yield next_kernel
    finally:
        pool.shutdown(cancel_futures=True)


def _drawn(layer: Layer, dtype: str, pool: ThreadPoolExecutor) -> Any:
    """The initialiser of a layer's kernel, which returns the numbers that `pool` draws."""
    chosen, planned = initializer(layer), layer.weights["kernel"]
    # Keras draws what does not scale the variance, and what has an unknown shape.
    if not (isinstance(chosen, keras.initializers.VarianceScaling) and all(planned)):
        return chosen
    drawn = pool.submit(_scaled, chosen, planned, "float64" if dtype == "float64" else "float32")

    def values(shape: Any, dtype: Any = None) -> Any:
        if tuple(shape) != planned:
            raise RuntimeError(
                f"the kernel of {layer.name} was planned with the shape {planned}, and Keras asks "
                f"for {tuple(shape)}: please report this"
            )
        return keras.ops.convert_to_tensor(drawn.result(), dtype)

    return values


def restore_initializers(model: keras.Model, layers: Iterable[Layer], prefix: str) -> None:
    """Give the layers of a model the initialisers of its plan.

    Args:
        prefix: prefix of the names of the model's layers.
    """
    built = {layer.name: layer for layer in model.layers}
    for layer in layers:
        if hasattr(layer, "initializer") and (of_keras := built.get(prefix + layer.name)):
            of_keras.kernel_initializer = initializer(layer)


def draw_kernels(model: keras.Model, names: Container[str]) -> None:
    """Give some layers of a model new random kernels."""
    for layer in model.layers:
        if layer.name in names and hasattr(layer, "kernel_initializer"):
            layer.kernel.assign(layer.kernel_initializer(layer.kernel.shape, layer.kernel.dtype))


def _scaled(chosen: Any, shape: tuple[int, ...], dtype: Any) -> npt.NDArray[Any]:
    """Random numbers of a `VarianceScaling`, from its own seed."""
    random = np.random.default_rng(chosen.seed)
    *window, inputs, outputs = shape
    fans: dict[str, float] = {"fan_in": prod(window) * inputs, "fan_out": prod(window) * outputs}
    fans["fan_avg"] = sum(fans.values()) / 2
    deviation = sqrt(chosen.scale / max(1.0, fans[chosen.mode]))
    if chosen.distribution == "uniform":
        values = 2 * random.random(shape, dtype) - 1
        deviation *= sqrt(3)
    else:
        values = random.standard_normal(shape, dtype)
    if chosen.distribution == "truncated_normal":
        deviation /= TRUNCATED_DEVIATION
        while (beyond := np.abs(values) > 2).any():
            values[beyond] = random.standard_normal(np.count_nonzero(beyond), dtype)
    values *= deviation
    return values
