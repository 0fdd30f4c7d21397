"""Residual networks for Keras: exact, fast, and a pleasure to read.

The public names are listed in `__init__.pyi` and loaded on first use, so that importing the package
costs nothing; only building or reading a Keras model loads Keras.
"""

import lazy_loader

__version__ = "0.7.0"

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
