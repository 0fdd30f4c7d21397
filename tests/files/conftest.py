"""Fixtures of the tests of files."""

import keras
import pytest

from ..helpers import tiny
from .tensor_recipe import arrays


@pytest.fixture(scope="module")
def model() -> keras.Model:
    """What files are loaded into."""
    return tiny()


@pytest.fixture(scope="module")
def plain() -> keras.Model:
    return tiny(weights=arrays())
