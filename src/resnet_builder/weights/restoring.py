"""Restoration of a model's variables if loading fails."""

import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from .keras_files import IN_MEMORY_BYTES


@contextmanager
def restored_on_failure(variables: Iterable[Any]) -> Iterator[None]:
    """Restore the current values of variables if the `with` block raises, even an interrupt.

    The values are kept on disk, because a second copy of a network may not fit in memory.
    """
    with tempfile.SpooledTemporaryFile(IN_MEMORY_BYTES) as file:
        kept = []
        for variable in variables:
            value = variable.numpy()
            file.write(value.tobytes())
            kept.append((variable, value.dtype, value.shape))
            del value
        file.flush()
        try:
            yield
        except BaseException:
            file.seek(0)
            for variable, dtype, shape in kept:
                content = file.read(int(np.prod(shape)) * dtype.itemsize)
                variable.assign(np.frombuffer(content, dtype).reshape(shape))
            raise
