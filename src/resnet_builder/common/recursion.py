"""Room for Keras to walk very deep graphs."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def room_for(layers: int) -> Iterator[None]:
    """Allow what Keras needs to make a functional model of so many layers.

    Keras finds a model's layers by recursion from the output to the input, which Python stops after
    a thousand calls: some three hundred blocks.
    """
    before = sys.getrecursionlimit()
    sys.setrecursionlimit(max(before, 1000 + 4 * layers))
    try:
        yield
    finally:
        sys.setrecursionlimit(before)
