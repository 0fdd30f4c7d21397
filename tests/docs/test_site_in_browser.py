"""The site in Chromium, from a server on this machine; skipped without browser and driver."""

import functools
import json
import threading
from collections.abc import Callable, Iterator
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from resnet_builder import PRESETS, profile

Keys: Any = pytest.importorskip("selenium.webdriver.common.keys", reason="needs selenium").Keys
Wait: Any = pytest.importorskip("selenium.webdriver.support.ui").WebDriverWait

pytestmark = pytest.mark.slow


class Handler(SimpleHTTPRequestHandler):
    """Serves files without a log."""

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture(scope="module")
def address(site: Path) -> Iterator[str]:
    """The address of the site."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Handler, directory=site))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


@pytest.fixture
def opened(driver: Any, address: str) -> Iterator[Callable[..., Any]]:
    """Open a page; in the end nothing was complained of, and only this server was asked."""
    driver.get_log("performance")

    def open_page(page: str, width: int = 1400) -> Any:
        metrics = {"width": width, "height": 800, "deviceScaleFactor": 1, "mobile": False}
        driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
        driver.get(f"{address}/{page}")
        return driver

    yield open_page
    assert driver.get_log("browser") == []
    events = [json.loads(entry["message"])["message"] for entry in driver.get_log("performance")]
    asked = {
        urlsplit(event["params"]["request"]["url"]).netloc
        for event in events
        if event["method"] == "Network.requestWillBeSent"
    }
    assert asked <= {urlsplit(address).netloc, ""}  # data: has no host


def column(driver: Any, number: int) -> list[str]:
    """The words in a column of the rows that are shown."""
    script = """
        return [...document.querySelectorAll('#overview tbody tr')].filter((row) => !row.hidden)
            .map((row) => row.cells[arguments[0]].textContent)
    """
    return list(driver.execute_script(script, number))


def press(driver: Any, *keys: str) -> None:
    driver.switch_to.active_element.send_keys(*keys)


def focused(driver: Any) -> str:
    """The words of the focused part, seen or about to be."""
    return str(driver.execute_script("return document.activeElement.textContent.trim()"))


def test_the_overview_sorts_by_the_keyboard(opened: Callable[..., Any]) -> None:
    driver = opened("gallery/index.html")
    assert column(driver, 0) == list(PRESETS)
    by_size = sorted(PRESETS, key=lambda name: profile(name).parameters)
    head = "const [head] = [...document.querySelectorAll('#overview th')].slice(2, 3);"
    driver.execute_script(f"{head} head.querySelector('button').focus()")
    press(driver, Keys.ENTER)
    sizes = [profile(name).parameters for name in column(driver, 0)]
    assert sizes == [profile(name).parameters for name in by_size]
    assert driver.execute_script(f"{head} return head.ariaSort") == "ascending"
    press(driver, Keys.SPACE)
    assert [profile(name).parameters for name in column(driver, 0)] == sizes[::-1]
    assert driver.execute_script(f"{head} return head.ariaSort") == "descending"
    # The next head is one key away.
    press(driver, Keys.TAB)
    press(driver, Keys.ENTER)
    macs = [profile(name).macs or 0 for name in column(driver, 0)]
    assert macs == sorted(macs)


@pytest.mark.parametrize("times", [1, 2])
def test_presets_without_an_accuracy_stay_last(opened: Callable[..., Any], times: int) -> None:
    driver = opened("gallery/index.html")
    for _ in range(times):
        driver.find_element("css selector", "#overview th:last-child button").click()
    cells = column(driver, 4)
    known = [float(cell.split()[0]) for cell in cells if cell]
    assert known == sorted(known, reverse=times == 2)
    assert cells[len(known) :] == [""] * (len(PRESETS) - len(known))
    assert 0 < len(known) < len(PRESETS)


def test_the_overview_filters(opened: Callable[..., Any]) -> None:
    driver = opened("gallery/index.html")
    driver.find_element("id", "filter").send_keys("CIFAR pre-activation")
    expected = ["resnetv2_110_cifar", "resnetv2_164_cifar", "resnetv2_1001_cifar"]
    assert column(driver, 0) == expected
    driver.find_element("id", "filter").send_keys(Keys.BACKSPACE * 20)
    assert column(driver, 0) == list(PRESETS)


def test_a_point_of_the_chart_is_a_link_for_the_keyboard(opened: Callable[..., Any]) -> None:
    driver = opened("gallery/index.html")
    driver.execute_script("document.querySelector('.chart a[href=\"resnet50.html\"]').focus()")
    press(driver, Keys.ENTER)
    Wait(driver, 10).until(lambda d: d.current_url.endswith("/gallery/resnet50.html"))
    assert driver.title.startswith("resnet50")


def test_the_keyboard_finds_its_way(opened: Callable[..., Any]) -> None:
    """The first stop skips to the content; the tabs are links in their order."""
    driver = opened("reference/numbers.html")
    press(driver, Keys.TAB)
    assert focused(driver) == "Skip to content"
    words: list[str] = []
    while "Reference" not in words and len(words) < 30:
        press(driver, Keys.TAB)
        words.append(focused(driver))
    assert words.index("Installation") < words.index("Gallery") < words.index("Reference")


@pytest.mark.parametrize(
    ("page", "words", "found"),
    [
        ("index.html", "resnet50", "/gallery/resnet50.html"),
        ("index.html", "wide_resnet50_2", "/gallery/wide_resnet50_2.html"),
        ("index.html", "folding_report", "/reference/inference.html"),
        # A part of a sentence, which has no spaces.
        ("zh/index.html", "权重", "/zh/"),
    ],
)
def test_search(opened: Callable[..., Any], page: str, words: str, found: str) -> None:
    driver = opened(page)
    press(driver, "/")
    press(driver, words)
    selector = ".md-search-result__link"
    Wait(driver, 20).until(lambda d: d.find_elements("css selector", selector))
    first = driver.find_element("css selector", selector).get_attribute("href")
    assert found in first


def test_the_language_is_switched_on_the_page(opened: Callable[..., Any]) -> None:
    driver = opened("gallery/resnet18.html")
    link = driver.find_element("css selector", "a[hreflang=zh]").get_attribute("href")
    driver.get(link)
    assert driver.current_url.endswith("/zh/gallery/resnet18.html")
    assert driver.find_element("css selector", ".md-tabs").text.splitlines()[0] == "首页"


@pytest.mark.parametrize("width", [400, 1400])
@pytest.mark.parametrize(
    "page",
    [
        "index.html",
        "installation.html",
        "gallery/index.html",
        "gallery/resnet50.html",
        "gallery/ecaresnet50d_pruned.html",
        "gallery/resnet1202_cifar.html",
        "reference/config.html",
        "reference/command-line.html",
        "parity.html",
    ],
)
def test_no_page_is_wider_than_the_window(
    opened: Callable[..., Any], page: str, width: int
) -> None:
    driver = opened(page, width)
    wide = "return document.documentElement.scrollWidth - document.documentElement.clientWidth"
    assert driver.execute_script(wide) == 0


def test_the_architecture_is_shown_in_the_page(opened: Callable[..., Any]) -> None:
    driver = opened("gallery/resnet18.html")
    frame = driver.find_element("css selector", "iframe.architecture")
    driver.execute_script("arguments[0].scrollIntoView()", frame)
    driver.switch_to.frame(frame)
    try:
        Wait(driver, 20).until(lambda d: d.find_elements("css selector", ".panel"))
    finally:
        driver.switch_to.default_content()
