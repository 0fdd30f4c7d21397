"""Keras without its import of TensorFlow under other backends, which takes seconds for nothing."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def without_tensorflow() -> Iterator[None]:
    """Let Keras serialise layers under JAX and PyTorch without importing TensorFlow.

    It asks of every object whether it is a `tf.TensorShape`, and to ask imports TensorFlow if that
    is installed (serialize_keras_object in keras/src/saving/serialization_lib.py, Keras 3.12 to
    3.15). Nothing can be one before the import.
    """
    if "tensorflow" in sys.modules:
        yield
        return
    from keras.src.utils.module_utils import tensorflow

    tensorflow._available = False
    try:
        yield
    finally:
        tensorflow._available = None  # not known: asked when it is needed
