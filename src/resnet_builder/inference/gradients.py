"""The gradient of a function of arrays, under each of Keras's backends."""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext

import keras

from ..model.keras_layers import Tensor

Scalar = Callable[[Tensor], Tensor]


def gradient(function: Scalar, point: Tensor) -> Tensor:
    """The gradient of a function that returns one number.

    Raises:
        RuntimeError: a backend that computes no gradients.
    """
    backend = keras.backend.backend()
    if backend not in GRADIENTS:
        raise RuntimeError(f'the backend {backend} computes no gradients: give method="cam"')
    return GRADIENTS[backend](function, point)


def _of_tensorflow(function: Scalar, point: Tensor) -> Tensor:
    import tensorflow as tf

    with tf.GradientTape() as tape:
        tape.watch(point)
        value = function(point)
    return tape.gradient(value, point)


def _of_jax(function: Scalar, point: Tensor) -> Tensor:
    import jax

    return jax.grad(function)(point)


def _of_torch(function: Scalar, point: Tensor) -> Tensor:
    import torch

    point = point.detach().requires_grad_()
    with torch.enable_grad():
        return torch.autograd.grad(function(point), point)[0]


GRADIENTS = {"tensorflow": _of_tensorflow, "jax": _of_jax, "torch": _of_torch}


def no_gradients() -> AbstractContextManager[object]:
    """Keep PyTorch from keeping what only gradients need; the others do so by themselves."""
    if keras.backend.backend() != "torch":
        return nullcontext()
    import torch

    keeps_nothing: AbstractContextManager[object] = torch.no_grad()
    return keeps_nothing
