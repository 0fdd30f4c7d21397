"""Fixtures shared by the tests."""

from collections.abc import Callable
from pathlib import Path

import keras
import numpy as np
import numpy.typing as npt
import pytest

GOLDEN = Path(__file__).parent / "golden"


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--update-golden",
        action="store_true",
        help="write the text goldens anew instead of comparing",
    )


@pytest.fixture
def golden(request: pytest.FixtureRequest) -> Callable[[str, str], None]:
    """Compare a text with `tests/golden/NAME`, or write it there with --update-golden."""

    def check(name: str, text: str) -> None:
        path = GOLDEN / name
        if request.config.getoption("--update-golden"):
            path.write_text(text, encoding="utf-8")
        assert text == path.read_text(encoding="utf-8")

    return check


@pytest.fixture(autouse=True)
def _clean_keras() -> None:
    """Names and seeds begin anew in every test."""
    keras.utils.clear_session()
    keras.utils.set_random_seed(0)


def image_batch(*shape: int) -> npt.NDArray[np.float32]:
    """Standard normal numbers, the same for a shape every time."""
    numbers = np.random.Generator(np.random.PCG64(0)).standard_normal(shape)
    return numbers.astype("float32")


def trainable_parameters(model: keras.Model) -> int:
    return sum(int(np.prod(weight.shape)) for weight in model.trainable_weights)
