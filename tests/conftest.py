"""Fixtures shared by the tests."""

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


PEAK = {"bytes": 0}  # of this process, when garbage was last collected
MOST_GARBAGE = 50 * 2**20


def peak_memory() -> int:
    """The largest resident size of this process so far, in bytes; 0 where Python cannot tell."""
    try:
        import resource
    except ImportError:  # Windows
        return 0
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else 1024 * peak


@pytest.fixture(autouse=True)
def _no_models_pile_up() -> Iterator[None]:
    """Collect the garbage of tests that reach a new peak of memory.

    Keras models refer to themselves: they are garbage for the collector, which counts objects and
    not the bytes of their weights. It takes longer than many a test, so not after each one.
    """
    yield
    if peak_memory() > PEAK["bytes"] + MOST_GARBAGE:
        gc.collect()
        PEAK["bytes"] = peak_memory()


@pytest.fixture(autouse=True)
def _clean_keras() -> None:
    """Names and seeds begin anew in every test, once a test has imported Keras."""
    if keras := sys.modules.get("keras"):
        keras.utils.clear_session(free_memory=False)  # a collection takes longer than many a test
        keras.utils.set_random_seed(0)
