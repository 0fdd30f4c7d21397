"""Initial weights: the initialisers of a plan's layers, and the kernels that they draw."""

from collections.abc import Callable, Container, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from math import prod, sqrt
from typing import Any, Self

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
    layers: Iterable[Layer], dtype: str, *, blank: bool
) -> Iterator[Callable[[Any], Any]]:
    """The initialisers of a plan's kernels while Keras creates its layers.

    They spare Keras the drawing of random numbers: NumPy draws them in other threads, or, with
    `blank`, the kernels are zeros, which a checkpoint replaces. `restore_initializers` then gives
    the layers those of the plan.

    Args:
        dtype: dtype of the weights.
    """
    if blank:
        yield lambda layer: "zeros"
    else:
        with DrawnKernels(layers, dtype) as kernels:
            yield kernels


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


class DrawnKernels:
    """The random kernels of a plan, drawn by NumPy in other threads while Keras creates layers.

    Called with a layer, it returns the initialiser for Keras. For ResNet-152 on two cores, Keras
    draws for 1.5 s of CPU time between the layers, NumPy for 0.9 s beside them.
    """

    def __init__(self, layers: Iterable[Layer], dtype: str) -> None:
        self._coming = (layer for layer in layers if hasattr(layer, "initializer"))
        self._dtype: Any = "float64" if dtype == "float64" else "float32"
        self._drawn: dict[str, Future[npt.NDArray[Any]] | Any] = {}
        self._pool = ThreadPoolExecutor()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._pool.shutdown(cancel_futures=True)

    def __call__(self, layer: Any) -> Any:
        """Return the initialiser of a layer's kernel; layers come in the order of the plan."""
        while len(self._drawn) < AHEAD and (coming := next(self._coming, None)):
            chosen, shape = initializer(coming), coming.weights["kernel"]
            # Keras draws what does not scale the variance, and what has an unknown shape.
            here = isinstance(chosen, keras.initializers.VarianceScaling) and all(shape)
            self._drawn[coming.name] = (
                self._pool.submit(_scaled, chosen, shape, self._dtype) if here else chosen
            )
        drawn = self._drawn.pop(layer.name)
        if not isinstance(drawn, Future):
            return drawn

        def values(shape: Any, dtype: Any = None) -> Any:
            kernel = drawn.result()
            if kernel.shape != tuple(shape):
                raise RuntimeError(
                    f"the kernel of {layer.name} was planned with the shape {kernel.shape}, and "
                    f"Keras asks for {tuple(shape)}: please report this"
                )
            return keras.ops.convert_to_tensor(kernel, dtype)

        return values


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
