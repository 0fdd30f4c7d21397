"""Fixtures shared by the tests."""

import ctypes
import gc
import os
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType
from typing import Any

import numpy as np
import pytest

pytest.register_assert_rewrite("tests.helpers")

TESTS = Path(__file__).parent
GOLDEN = TESTS / "golden"
BACKEND = os.environ.get("KERAS_BACKEND") or "tensorflow"
# Scripts that import TensorFlow, or say what Keras computes with.
collect_ignore = ["training/replica.py", "training/data_parallel.py"]
collect_ignore += ["examples"] if BACKEND != "tensorflow" else []


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--update-golden",
        action="store_true",
        help="write the text goldens anew instead of comparing",
    )


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip tests of TensorFlow on other backends, and tests of the source tree without one."""
    no_sources = pytest.mark.skip(reason="needs the source tree")
    for item in items if not (TESTS.parent / "src").exists() else []:
        if item.get_closest_marker("sources"):
            item.add_marker(no_sources)
    skip = pytest.mark.skip(reason=f"TensorFlow's, and Keras runs on {BACKEND}")
    for item in items if BACKEND != "tensorflow" else []:
        is_example = isinstance(item, pytest.DoctestItem) and (
            "resnet_builder.training.distributed" in item.name
            or any("tensorflow" in line.source for line in item.dtest.examples)
        )
        if is_example or item.get_closest_marker("tensorflow"):
            item.add_marker(skip)


def pytest_collection_finish() -> None:
    """Spare the garbage collector TensorFlow, whose objects it would look through every time."""
    gc.freeze()


@pytest.fixture
def golden(request: pytest.FixtureRequest) -> Callable[[str, str], None]:
    """Compare a text with `tests/golden/NAME`, or write it there with --update-golden."""

    def check(name: str, text: str) -> None:
        path = GOLDEN / name
        if request.config.getoption("--update-golden"):
            path.write_text(text, encoding="utf-8")
        assert text == path.read_text(encoding="utf-8")

    return check


@pytest.fixture(scope="module")
def driver() -> Iterator[Any]:
    """Chromium, driven by Selenium, with logs of its console and network; skips without them."""
    webdriver = pytest.importorskip("selenium.webdriver", reason="needs selenium")
    names = ("chromium", "chromium-browser", "chrome")
    chromium = next(filter(None, map(shutil.which, names)), None)
    chromedriver = shutil.which("chromedriver")
    if not (chromium and chromedriver):
        pytest.skip("needs chromium and chromedriver")
    options = webdriver.ChromeOptions()
    options.binary_location = chromium
    for argument in ("--headless=new", "--no-sandbox", "--disable-dev-shm-usage"):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    driver = webdriver.Chrome(options, webdriver.ChromeService(chromedriver))
    yield driver
    driver.quit()


if IS_GLIBC := sys.platform == "linux" and hasattr(libc := ctypes.CDLL(None), "mallopt"):
    # Arrays of a mebibyte and more get mappings of their own, which are given back when they are
    # freed. Without it glibc raises this bound to the largest array, and keeps what is freed.
    libc.mallopt(-3, 2**20)  # M_MMAP_THRESHOLD

STATM = Path("/proc/self/statm")
MOST_GARBAGE = 50 * 2**20
AFTER_COLLECTION = {"bytes": 0}


def memory() -> int:
    """The resident size of this process in bytes; 0 where it cannot be read."""
    return 4096 * int(STATM.read_text().split()[1]) if STATM.exists() else 0


@pytest.fixture(autouse=True)
def _no_models_pile_up() -> Iterator[None]:
    """Collect the garbage of tests after which the process is larger.

    Keras models refer to themselves: they are garbage for the collector, which counts objects and
    not the bytes of their weights. It takes longer than many a test, so not after each one.
    """
    yield
    if memory() > AFTER_COLLECTION["bytes"] + MOST_GARBAGE:
        gc.collect()
        if IS_GLIBC:
            libc.malloc_trim(0)  # else it keeps what lies between arrays that are still in use
        AFTER_COLLECTION["bytes"] = memory()


@pytest.fixture(autouse=True)
def _clean_keras() -> None:
    """Names and seeds begin anew in every test, once a test has imported Keras."""
    if keras := sys.modules.get("keras"):
        keras.utils.clear_session(free_memory=False)  # a collection takes longer than many a test
        keras.utils.set_random_seed(0)


if BACKEND == "torch":
    import torch

    TENSOR: Any = torch.Tensor
    of_library = TENSOR.__array__

    def as_array(self: Any, dtype: Any = None, copy: bool | None = None) -> Any:
        """A test reads outputs as arrays, which PyTorch refuses while they track gradients.

        What the library reads is not helped.
        """
        frame: FrameType | None = sys._getframe(1)
        while frame and "numpy" in Path(frame.f_code.co_filename).parts:
            frame = frame.f_back
        is_test = frame and Path(frame.f_code.co_filename).is_relative_to(TESTS)
        return np.array(of_library(self.detach() if is_test else self, dtype), copy=copy)

    TENSOR.__array__ = as_array
