"""What surrounds the traversal of large graphs by Keras: recursion limit, imports."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock

# The limit is one for the whole process: with networks in several threads, the highest is set.
_limits: list[int] = []
_lock = Lock()


@contextmanager
def room_for(layers: int) -> Iterator[None]:
    """Raise the recursion limit as needed for a functional model of so many layers.

    Keras finds a model's layers by recursion from the output to the input, which Python stops after
    a thousand calls: about three hundred blocks. The last to leave sets the limit that the first
    one found.
    """
    needed = 1000 + 4 * layers
    with _lock:
        if not _limits:
            _limits.append(sys.getrecursionlimit())
        _limits.append(needed)
        sys.setrecursionlimit(max(_limits))
    try:
        yield
    finally:
        with _lock:
            _limits.remove(needed)
            sys.setrecursionlimit(max(_limits))
            if len(_limits) == 1:
                _limits.clear()


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
