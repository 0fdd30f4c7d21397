"""The site in Chromium, from a server on this machine; skipped without browser and driver."""

import csv
import functools
import json
import threading
from collections.abc import Callable, Iterator
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import keras
import numpy as np
import pytest
from live_networks import OUT as LIVE
from live_networks import read
from training_data import Data, load_data

from resnet_builder import (
    PRESETS,
    RECIPES,
    path_lengths,
    profile,
    reordered,
    without_blocks,
)

Keys: Any = pytest.importorskip("selenium.webdriver.common.keys", reason="needs selenium").Keys
ActionChains: Any = pytest.importorskip("selenium.webdriver").ActionChains
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
    points = driver.find_elements("css selector", ".chart a")
    assert len(points) > 100
    # None of these three has an accuracy on ImageNet.
    assert len(driver.find_elements("css selector", ".chart a.faint")) == len(points)
    driver.find_element("id", "filter").send_keys(Keys.BACKSPACE * 20)
    assert not driver.find_elements("css selector", ".chart a.faint")
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
    assert words.index("Start") < words.index("Gallery") < words.index("Reference")


def searched(driver: Any, words: str) -> list[str]:
    """The addresses of the pages found, best first."""
    press(driver, "/")
    press(driver, words)
    selector = ".md-search-result__item > .md-search-result__link"
    Wait(driver, 20).until(lambda d: d.find_elements("css selector", selector))
    found = driver.find_elements("css selector", selector)
    return [link.get_attribute("href") for link in found]


@pytest.mark.parametrize(
    ("page", "words", "found"),
    [
        ("index.html", "resnet50", "/gallery/resnet50.html"),
        ("index.html", "wide_resnet50_2", "/gallery/wide_resnet50_2.html"),
        ("index.html", "folding_report", "/reference/inference.html"),
        ("zh/index.html", "resnet50", "/zh/gallery/resnet50.html"),
    ],
)
def test_search(opened: Callable[..., Any], page: str, words: str, found: str) -> None:
    assert found in searched(opened(page), words)[0]


@pytest.mark.parametrize(
    ("words", "page"),
    [
        ("恒等映射", "understanding"),
        ("残差块", "understanding"),
        ("检查点", "howto/checkpoints"),
        ("批归一化", "understanding"),
        ("学习率", "howto/fine_tuning"),
        ("全连接层", "howto/numbers"),
    ],
)
def test_chinese_words_are_found_in_sentences_without_spaces(
    opened: Callable[..., Any], words: str, page: str
) -> None:
    links = searched(opened("zh/index.html"), words)
    assert any(f"/zh/{page}.html" in link for link in links[:3])
    assert len(links) < 20  # and not all pages that have some letter of it


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
        "annotated.html",
        "zh/annotated.html",
        "gallery/index.html",
        "zh/gallery/resnet50.html",
        "gallery/compare.html",
        "gallery/resnet50.html",
        "gallery/ecaresnet50d_pruned.html",
        "gallery/resnet1202_cifar.html",
        "families/resnest.html",
        "howto/which_network.html",
        "coming_from.html",
        "zh/glossary.html",
        "zh/tour.html",
        "reference/config.html",
        "reference/command-line.html",
        "parity.html",
        "understanding.html",
        "zh/understanding.html",
    ],
)
def test_no_page_is_wider_than_the_window(
    opened: Callable[..., Any], page: str, width: int
) -> None:
    driver = opened(page, width)
    # The theme's script shows one of the palette's buttons, sometimes after the page has loaded.
    # Before, the button of the languages is at the edge, and its hidden list beyond it.
    button = "label[for^=__palette]:not([hidden])"
    Wait(driver, 20).until(lambda d: d.find_elements("css selector", button))
    wide = "return document.documentElement.scrollWidth - document.documentElement.clientWidth"
    assert driver.execute_script(wide) == 0


def test_a_picture_is_seen_as_a_whole_on_a_phone_and_opens(opened: Callable[..., Any]) -> None:
    driver = opened("howto/pictures.html", 400)
    picture = driver.find_element("css selector", "article a.picture > img")
    assert 300 < picture.rect["width"] <= 400 - picture.rect["x"]
    link = picture.find_element("xpath", "..").get_attribute("href")
    assert link == picture.get_attribute("src")


def test_links_in_text_are_underlined(opened: Callable[..., Any]) -> None:
    driver = opened("presets.html")
    links = "[...document.querySelectorAll('article :is(p, td) a:not(.headerlink)')]"
    lines = driver.execute_script(
        f"return {links}.map((a) => getComputedStyle(a).textDecorationLine)"
    )
    assert len(lines) > len(PRESETS)
    assert set(lines) == {"underline"}


def test_the_architecture_is_shown_in_the_page(opened: Callable[..., Any]) -> None:
    driver = opened("gallery/resnet18.html")
    frame = driver.find_element("css selector", "iframe.architecture")
    driver.execute_script("arguments[0].scrollIntoView()", frame)
    driver.switch_to.frame(frame)
    try:
        Wait(driver, 20).until(lambda d: d.find_elements("css selector", ".panel"))
    finally:
        driver.switch_to.default_content()


# The figures of "understanding": one breaks two networks, which the page runs by itself ----------

FIGURES = LIVE.parent / "figures"
KINDS = ("resnet", "plain")
INTACT = list(range(15))
ANSWERS = """
    const [places, done] = arguments;
    networks.load().then((nets) => done(Object.values(nets).map((net) =>
        live.digits.images.map((_, n) =>
            networks.answer(net, networks.shown(networks.counts(n)), places)))));
"""


@functools.cache
def live_network(kind: str) -> keras.Model:
    return read(LIVE / f"{kind}32_cifar.js")


def broken(kind: str, places: list[int]) -> keras.Model:
    """The network with another block in each place, or none (-1)."""
    names = [f"stage{stage}_block{block}" for stage in (1, 2, 3) for block in range(1, 6)]
    # A removed block's place keeps it until it is removed.
    order = [block if block >= 0 else place for place, block in enumerate(places)]
    model = live_network(kind)
    for stage in (slice(0, 5), slice(6, 10), slice(11, 15)):
        model = reordered(model, [names[block] for block in order[stage]])
    opening = () if kind == "resnet" else (5, 10)  # nothing else there halves the size
    gone = [place for place, block in enumerate(places) if block < 0 and place not in opening]
    return without_blocks(model, [names[place] for place in gone])


@functools.cache
def digits() -> Data:
    return load_data("digits", (8, 8, 1), RECIPES["he2015_cifar"])


def keras_answers(model: keras.Model) -> Any:
    data = digits()
    return keras.ops.convert_to_numpy(model(data.show(data.validation.images), training=False))


def wrong_answers(places: list[int]) -> str:
    """How many test digits the residual and the plain network take for others."""
    labels = digits().validation.labels
    found = [np.argmax(keras_answers(broken(kind, places)), axis=1) != labels for kind in KINDS]
    return " ".join(str(np.sum(wrong)) for wrong in found)


def moved_to(driver: Any, name: str, part: str) -> Any:
    """A figure, once such a part of it is there."""
    figure = driver.find_element("id", f"figure-{name}")
    driver.execute_script("arguments[0].scrollIntoView()", figure)
    Wait(driver, 60).until(lambda _: figure.find_elements("css selector", part))
    return figure


def press_button(driver: Any, figure: Any, words: str) -> None:
    buttons = figure.find_elements("css selector", "button")
    [found] = [button for button in buttons if button.text == words]
    driver.execute_script("arguments[0].focus()", found)
    press(driver, Keys.ENTER)


def slide(driver: Any, figure: Any, *keys: str) -> None:
    slider = figure.find_element("css selector", "input[type=range]")
    driver.execute_script("arguments[0].focus()", slider)
    press(driver, *keys)


@pytest.fixture
def break_it(opened: Callable[..., Any]) -> Callable[[str], Any]:
    """Open the page, and wait until its networks are there."""

    def open_figure(page: str) -> Any:
        driver = opened(page)
        moved_to(driver, "break", ".block")
        return driver

    return open_figure


def errors_shown(driver: Any) -> str:
    """The counts of wrong answers, once all test digits are counted."""
    figure = driver.find_element("id", "figure-break")
    return str(Wait(driver, 120).until(lambda _: figure.get_attribute("data-errors")))


@pytest.mark.parametrize(
    "places",
    [INTACT, [0, 2, 1, -1, 4, -1, 6, 9, 8, 7, -1, 11, 12, -1, 14]],
    ids=["whole", "broken"],
)
def test_networks_in_the_page_answer_as_in_keras(
    break_it: Callable[[str], Any], places: list[int]
) -> None:
    driver = break_it("understanding.html")
    driver.set_script_timeout(120)
    found = np.array(driver.execute_async_script(ANSWERS, places))
    expected = np.array([keras_answers(broken(kind, places)) for kind in KINDS])
    assert found.shape == (2, 360, 10)
    assert np.array_equal(np.argmax(found, axis=-1), np.argmax(expected, axis=-1))
    assert np.abs(found - expected).max() < 1e-4


@pytest.mark.parametrize("page", ["understanding.html", "zh/understanding.html"])
def test_a_click_removes_a_block_and_two_exchange_blocks(
    break_it: Callable[[str], Any], page: str
) -> None:
    driver = break_it(page)
    places = list(INTACT)
    blocks = driver.find_elements("css selector", ".block.resnet")
    assert errors_shown(driver) == wrong_answers(places)
    driver.execute_script("arguments[0].focus()", blocks[3])
    press(driver, Keys.SPACE)
    assert blocks[3].get_attribute("aria-pressed") == "false"
    places[3] = -1
    assert errors_shown(driver) == wrong_answers(places)
    driver.find_elements("css selector", "#figure-break .choice button")[1].click()
    blocks[7].click()
    blocks[9].click()
    places[7], places[9] = 9, 7
    assert errors_shown(driver) == wrong_answers(places)
    # Blocks of different sizes stay where they are.
    blocks[0].click()
    blocks[14].click()
    assert errors_shown(driver) == wrong_answers(places)
    # The plain network keeps the two blocks that halve the size.
    driver.find_elements("css selector", "#figure-break .choice button")[0].click()
    driver.find_elements("css selector", ".block.plain")[5].click()
    places[5] = -1
    assert errors_shown(driver) == wrong_answers(places)
    gone = driver.find_elements("css selector", ".block.gone")
    assert [block.get_attribute("class") for block in gone] == [
        "block resnet gone",
        "block plain gone",
        "block resnet gone",
    ]


def test_a_drawn_digit_is_seen(break_it: Callable[[str], Any]) -> None:
    driver = break_it("understanding.html")
    pad = driver.find_element("css selector", "#figure-break .pad")
    driver.execute_script("arguments[0].scrollIntoView({block: 'center'})", pad)
    draw = ActionChains(driver, duration=20).move_to_element_with_offset(pad, 0, -50)
    draw.click_and_hold().move_by_offset(0, 50).move_by_offset(0, 50).release().perform()
    assert "Your own digit" in driver.find_element("css selector", ".what").text
    said = driver.find_elements("css selector", "#figure-break .digit")
    assert [digit.text for digit in said] == ["1", "1"]
    # A wide stroke is made narrower, and leaves the edges free, as the digits of the data do.
    press_button(driver, driver.find_element("id", "figure-break"), "Clear, and draw")
    draw = ActionChains(driver, duration=20).move_to_element_with_offset(pad, -60, 0)
    draw.click_and_hold().move_by_offset(120, 0).release().perform()
    darkness = [
        float(pixel.value_of_css_property("fill-opacity"))
        for pixel in driver.find_elements("css selector", ".seen rect")
    ]
    assert max(darkness[::8]) < 0.3 < max(darkness[1::8])


def runs(kind: str, depth: int, column: str) -> Any:
    """What was measured, a row for each seed."""
    with (FIGURES / "degradation.csv").open(encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file) if row["kind"] == kind]
    return np.array([row[column].split() for row in rows if row["depth"] == str(depth)], float)


def test_depth_is_guessed_and_then_shown(opened: Callable[..., Any]) -> None:
    driver = opened("understanding.html")
    figure = moved_to(driver, "deeper", ".guess button")
    assert not figure.find_elements("css selector", "svg")
    told = driver.find_element("css selector", "#figure-deeper + p")
    assert "degradation" not in told.text
    press_button(driver, figure, "The one with 56 layers")
    assert "You guessed: The one with 56 layers. That is wrong." in figure.text
    assert "degradation" in told.text
    ends = runs("plain", 56, "training_errors")[:, -1]
    assert f"56 layers gets {ends.mean():.0f}% of the digits wrong" in figure.text
    assert f"{ends.mean():.1f}% of the training digits are wrong" in figure.text
    slide(driver, figure, Keys.END)
    ends = runs("plain", 110, "training_errors")[:, -1]
    assert f"110 layers, without shortcuts: in the end {ends.mean():.1f}%" in figure.text
    press_button(driver, figure, "with shortcuts")
    assert not runs("resnet", 110, "training_errors")[:, -1].any()
    assert "110 layers, with shortcuts: in the end all training digits are right" in figure.text


def test_the_gradient_is_guessed_and_then_shown(opened: Callable[..., Any]) -> None:
    driver = opened("zh/understanding.html")
    figure = moved_to(driver, "gradient", ".guess button")
    press_button(driver, figure, "不断变大")
    assert "猜对了" in figure.text
    for kind, ending in (("plain", "倍；"), ("resnet", "倍。")):
        norms = runs(kind, 56, "gradients_before")
        growth = float(f"{np.exp(np.log(norms[:, 0] / norms[:, -1]).mean()):.2g}")
        assert f"{growth:,.10g} {ending}" in figure.find_element("css selector", "p").text
    before = figure.find_element("css selector", "svg .bold").get_attribute("d")
    press_button(driver, figure, "训练之后")
    assert figure.find_element("css selector", "svg .bold").get_attribute("d") != before
    losses = [runs(kind, 56, "training_loss").mean() for kind in ("plain", "resnet")]
    assert "没有捷径 {:.1g}，有捷径 {:.1g}".format(*losses) in figure.text
    slide(driver, figure, Keys.END)
    assert "没有捷径时梯度缩小到 1/100,000" in figure.text


def test_paths_unfold_and_are_cut(opened: Callable[..., Any]) -> None:
    driver = opened("understanding.html")
    figure = moved_to(driver, "unravel", "svg")
    assert "The signal has 8 paths" in figure.text
    press_button(driver, figure, "Unfold into eight paths")
    press_button(driver, figure, "Remove block 2")
    assert "4 of 8 paths are left" in figure.text
    press_button(driver, figure, "Remove block 1")
    press_button(driver, figure, "Remove block 3")
    assert "1 of 8 paths is left" in figure.text
    assert len(figure.find_elements("css selector", ".path.dead")) == 7
    press_button(driver, figure, "Put block 3 back")
    assert len(figure.find_elements("css selector", ".path.dead")) == 6
    slide(driver, figure, Keys.HOME)
    assert "1: 2 paths" in figure.text
    press_button(driver, figure, "share of the gradient")
    assert len(figure.find_elements("css selector", "svg .ghost")) == 16
    paths = path_lengths("resnet32_cifar")
    with (LIVE / "paths.csv").open(encoding="utf-8") as file:
        norms = {int(row["length"]): float(row["norm"]) for row in csv.DictReader(file)}
    carried = {length: paths[length] * norms[length] for length in paths}
    share, part = (
        100 * sum(values[length] for length in range(6)) / sum(values.values())
        for values in (paths, carried)
    )
    said = f"at most 5 of 15 blocks are {share:.0f}% of all paths, and carry {part:.0f}%"
    assert said in figure.text
    assert not figure.find_element("css selector", "input[type=range]").is_displayed()


def test_a_small_network_is_trained_in_the_page(opened: Callable[..., Any]) -> None:
    driver = opened("understanding.html")
    figure = moved_to(driver, "learn", "svg")
    slide(driver, figure, Keys.HOME)
    assert "5.1 → 5.0, a change of −2%" in figure.text
    assert "0.1 → 0.0, a change of −100%" in figure.text
    rows = "table tr.plain, table tr.resnet"
    plain, residual = (
        [cell.text for cell in row.find_elements("css selector", "td")]
        for row in figure.find_elements("css selector", rows)
    )
    assert float(residual[0]) < float(plain[0])
    assert plain[1:] == residual[1:] == ["…"] * 4
    press_button(driver, figure, "Train both")
    Wait(driver, 60).until(lambda _: figure.find_elements("css selector", "[data-done]"))
    for row in figure.find_elements("css selector", rows):
        ends = [float(cell.text) for cell in row.find_elements("css selector", "td")]
        assert len(ends) == 5
        assert ends[-1] < 0.1 < float(plain[0])
    press_button(driver, figure, "Measure a trained network of 15 blocks")
    Wait(driver, 60).until(lambda _: len(figure.find_elements("css selector", "svg .fill")) > 15)


def test_a_digit_goes_through_the_blocks(opened: Callable[..., Any]) -> None:
    driver = opened("understanding.html")
    figure = moved_to(driver, "inside", ".channels")
    assert "Eight of 16 channels, 8×8 pixels" in figure.text
    slide(driver, figure, Keys.END)
    assert len(figure.find_elements("css selector", ".bar")) == 10
    said = int(np.argmax(keras_answers(live_network("resnet"))[0]))
    assert f"It says {said}." in figure.text
    slide(driver, figure, Keys.ARROW_LEFT)
    assert "stage 3, block 5" in figure.text
    assert "Eight of 64 channels, 2×2 pixels" in figure.text
    # Three rows of eight channels, before, added, and after.
    assert len(figure.find_elements("css selector", ".channels svg")) == 24
    slide(driver, figure, Keys.HOME, *[Keys.ARROW_RIGHT] * 5)
    assert "stage 2, block 1" in figure.text
    first = figure.find_elements("css selector", ".channels svg:first-of-type")
    sides = [channel.get_dom_attribute("viewBox") for channel in first]
    assert sides == ["0 0 8 8", "0 0 4 4", "0 0 4 4"]


def test_a_printed_guess_is_answered(opened: Callable[..., Any]) -> None:
    driver = opened("understanding.html")
    figure = moved_to(driver, "deeper", ".guess button")
    driver.execute_script("dispatchEvent(new Event('beforeprint'))")
    assert figure.find_elements("css selector", "svg")
    assert "You guessed" not in figure.text
