"""Fixtures shared by the tests."""

import ctypes
import gc
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.register_assert_rewrite("tests.helpers")

GOLDEN = Path(__file__).parent / "golden"


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--update-golden",
        action="store_true",
        help="write the text goldens anew instead of comparing",
    )


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
