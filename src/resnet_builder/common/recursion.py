"""A recursion limit that is high enough for Keras to traverse very deep graphs."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def room_for(layers: int) -> Iterator[None]:
    """Raise the recursion limit as needed for a functional model of so many layers.

    Keras finds a model's layers by recursion from the output to the input, which Python stops after
    a thousand calls: about three hundred blocks.
    """
    before = sys.getrecursionlimit()
    sys.setrecursionlimit(max(before, 1000 + 4 * layers))
    try:
        yield
    finally:
        sys.setrecursionlimit(before)
