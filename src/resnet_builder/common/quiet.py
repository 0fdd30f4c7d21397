"""Silence around libraries that print what a user cannot act on."""

import logging
import os
import sys
import warnings
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, redirect_stderr, redirect_stdout
from tempfile import TemporaryFile


@contextmanager
def quiet() -> Iterator[None]:
    """Keep everything from the output, that of C++ too, while a converter runs.

    It holds for the whole process: what other threads print meanwhile is lost.
    """
    level = logging.root.manager.disable
    for stream in (sys.stdout, sys.stderr):
        if stream:
            stream.flush()
    with ExitStack() as stack:
        bin_ = stack.enter_context(TemporaryFile("w+", encoding="utf-8"))
        for number in (1, 2):
            try:
                kept = os.dup(number)
            except OSError:  # it is closed
                continue
            stack.callback(os.close, kept)
            stack.callback(os.dup2, kept, number)
            os.dup2(bin_.fileno(), number)
        stack.enter_context(redirect_stdout(bin_))
        stack.enter_context(redirect_stderr(bin_))
        stack.enter_context(warnings.catch_warnings())
        warnings.simplefilter("ignore")
        logging.disable(logging.WARNING)
        stack.callback(logging.disable, level)
        yield
