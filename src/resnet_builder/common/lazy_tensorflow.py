"""Keep Keras from importing TensorFlow under other backends, which takes seconds."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def without_tensorflow() -> Iterator[None]:
    """Let Keras serialise layers under JAX and PyTorch without importing TensorFlow.

    Keras compares every object with `tf.TensorShape`, and imports TensorFlow for that if it is
    installed (serialize_keras_object in keras/src/saving/serialization_lib.py, Keras 3.12 to
    3.15). Before the import no object can be one.
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
