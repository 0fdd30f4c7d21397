"""The page in Chromium, which is asked for by Selenium and its driver; skipped without them."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from resnet_builder import compare, plot

from ...models import two_towers, unet

webdriver = pytest.importorskip("selenium.webdriver", reason="needs selenium")
Keys: Any = pytest.importorskip("selenium.webdriver.common.keys").Keys


class Page:
    """A page in the browser, at 1000 by 800 pixels."""

    def __init__(self, driver: Any, path: Path) -> None:
        self.driver = driver
        driver.execute_cdp_cmd("Emulation.setFocusEmulationEnabled", {"enabled": True})
        driver.get(path.as_uri())
        self.size(1000)

    def size(self, width: int, height: int = 800) -> None:
        metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
        frames = "requestAnimationFrame(() => requestAnimationFrame(arguments[0]))"
        self.driver.execute_async_script(frames)

    def run(self, script: str, *arguments: Any) -> Any:
        return self.driver.execute_script(script, *arguments)

    def press(self, *keys: str) -> None:
        self.driver.switch_to.active_element.send_keys(*keys)

    def click(self, selector: str) -> None:
        self.driver.find_element("css selector", selector).click()

    def count(self, selector: str) -> int:
        return len(self.driver.find_elements("css selector", selector))

    def text(self, selector: str) -> str:
        return str(self.driver.find_element("css selector", selector).text)

    @property
    def focused(self) -> str:
        """The label of the focused part."""
        return str(self.run("return document.activeElement.getAttribute('aria-label')"))

    @property
    def scale(self) -> int:
        return int(self.text("#fit").removesuffix("%"))

    def focus(self, label: str) -> None:
        self.run("document.querySelector(`svg [aria-label^='${arguments[0]}']`).focus()", label)


@pytest.fixture
def opened(driver: Any, tmp_path: Path) -> Iterator[Callable[..., Page]]:
    """Open the page of a network; in the end nothing was complained of and nothing asked for."""
    path = tmp_path / "net.html"
    driver.get_log("performance")

    def open_page(source: Any, **options: Any) -> Page:
        plot(source, path, **options)
        return Page(driver, path)

    yield open_page
    assert driver.get_log("browser") == []
    events = [json.loads(entry["message"])["message"] for entry in driver.get_log("performance")]
    asked = {
        event["params"]["request"]["url"]
        for event in events
        if event["method"] == "Network.requestWillBeSent"
    }
    assert asked == {path.as_uri()}


def test_blocks_unfold_and_fold(opened: Callable[..., Page]) -> None:
    page = opened("resnet50")
    # The first block of every stage, and the others: 2 · 4.
    assert page.count(".panel") == 2 * 4
    page.click(".panel ~ .bold")
    assert page.count(".panel") == 2 * 4 + 1  # 3 blocks in stage 1
    page.press("3")
    assert page.count(".panel") == 3 + 4 + 6 + 3
    assert page.count(".line.projection") == 2 * 4
    assert page.count(".line.identity") == 2 + 3 + 5 + 2
    page.press("1")
    assert page.count(".panel") == 0
    assert page.count(".line.projection") == 4
    assert page.count(".line.identity") == 4
    assert page.run("return document.querySelector('[data-state=\"0\"]').ariaPressed") == "true"


def test_a_stage_is_unfolded_by_the_keyboard(opened: Callable[..., Page]) -> None:
    page = opened("resnet34", detail="stage")
    page.press(Keys.TAB * 8)  # past the toolbar
    page.focus("stage2")
    page.press(Keys.ENTER)
    assert page.count(".panel") == 2
    assert page.focused.startswith("stage2")
    page.press(Keys.ENTER)
    assert page.count(".panel") == 4
    page.press(Keys.ARROW_DOWN)
    assert page.focused == "stage2, block1, 3×3 conv, 128, stride 2, BN, ReLU"
    page.press(Keys.BACKSPACE, Keys.BACKSPACE)
    assert page.count(".panel") == 0
    assert page.focused.startswith("stage2, block1, 3×3 conv")


def test_the_tab_key_reaches_the_drawing_and_leaves_it(opened: Callable[..., Page]) -> None:
    page = opened("resnet18")
    page.press(Keys.TAB)
    labels = []
    for _ in range(12):
        page.press(Keys.TAB)
        labels.append(page.focused)
    assert sum(label.startswith("stem, 56") for label in labels) == 1
    page.focus("stem, 56")
    page.press(Keys.ARROW_DOWN)
    assert page.count("svg [tabindex='0']") == 1
    assert page.focused == "stem, input 224×224×3"


def test_a_box_tells_its_layers(opened: Callable[..., Page]) -> None:
    page = opened("resnet18", fold=False)
    page.focus("stage1, block2, 3×3 conv")
    told = page.text("#details")
    for words in (
        "stage1_block2_conv1",
        "56×56×64",
        "3×3×64×64",
        "36,864",
        "115,605,504",  # 3·3·64·64 at 56·56 positions
        "stage1_block2_bn1",
        "moving_variance",
    ):
        assert words in told
    page.press("2")
    folded = page.text("#details")
    assert "stage1_block1_conv1 … stage1_block2_conv1" in folded
    assert "2 times" in folded
    assert "231,211,008" in folded


def test_the_pointer_tells_too(opened: Callable[..., Page]) -> None:
    page = opened("resnet18")
    box = page.driver.find_element("css selector", ".box[aria-label^='stem, 7×7 conv'] rect")
    webdriver.ActionChains(page.driver).move_to_element(box).perform()
    assert "stem_conv" in page.text("#details")


def test_zoom_and_pan(opened: Callable[..., Page]) -> None:
    page = opened("resnet152", fold=False)
    before = page.scale
    page.click("#in")
    assert page.scale == pytest.approx(before * 1.25, abs=1)
    page.press("-", "-")
    assert page.scale == pytest.approx(before / 1.25, abs=1)
    page.press("0")
    assert page.scale == before
    view = page.driver.find_element("css selector", "#view")
    drag = webdriver.ActionChains(page.driver).move_to_element(view).click_and_hold()
    drag.move_by_offset(0, -120).release().perform()
    assert page.run("return document.getElementById('view').scrollTop") == 120
    zoom = "dispatchEvent(new WheelEvent('wheel', {deltaY: -200, ctrlKey: true, cancelable: true}))"
    page.run(f"document.getElementById('view').{zoom}")
    assert page.scale > before


def test_the_drawing_fits_the_window(opened: Callable[..., Page]) -> None:
    page = opened("resnet50")
    scales = []
    for width in (1600, 900, 1200):
        page.size(width)
        scales.append(page.scale)
        fits = "const v = document.getElementById('view'); return v.scrollWidth <= v.clientWidth"
        assert page.run(fits)
        assert page.run("return document.body.scrollWidth") == width
    assert scales[0] > scales[2] > scales[1]


def test_a_layer_is_found(opened: Callable[..., Page]) -> None:
    page = opened("resnet1202_cifar", detail="stage")
    page.press("/")
    page.press("stage2_BLOCK77_conv2")
    assert page.text("#found") == "stage2_block77_conv2"
    page.press(Keys.ENTER)
    assert page.focused == "stage2, block77, 3×3 conv, 32, BN"
    assert "stage2_block77_conv2" in page.text("#details")
    seen = """
        const box = document.activeElement.getBoundingClientRect();
        const view = document.getElementById('view').getBoundingClientRect();
        return view.top <= box.top && box.bottom <= view.bottom && view.left <= box.left
    """
    assert page.run(seen)
    assert page.count(".panel") == 200  # the other stages stay closed
    page.press("/")
    page.press(Keys.CONTROL, "a")
    page.press("conv9999")
    assert page.text("#found") == "no such layer"
    page.press(Keys.ESCAPE)
    assert page.text("#found") == ""


def test_light_and_dark(opened: Callable[..., Page]) -> None:
    page = opened("resnet18")
    colour = "return getComputedStyle(document.body).backgroundColor"
    light = page.run(colour)
    assert light == "rgb(255, 255, 255)"
    page.click("#theme")
    dark = page.run(colour)
    assert dark != light
    page.press("d")
    assert page.run(colour) == light
    features = [{"name": "prefers-color-scheme", "value": "dark"}]
    page.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})
    try:
        page.driver.refresh()
        assert page.run(colour) == dark
        page.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "print"})
        assert page.run(colour) == light
    finally:
        page.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "", "features": []})


def test_two_networks_unfold_together(
    opened: Callable[..., Page], driver: Any, tmp_path: Path
) -> None:
    path = tmp_path / "net.html"
    compare("resnet34", "resnet50").plot(path)
    page = Page(driver, path)
    # Stage 1 of ResNet-34 has no projection, and its blocks are one panel.
    assert page.count(".panel") == 7 + 8
    third = (
        "[...document.querySelectorAll('.heading')].filter(h => h.ariaLabel.startsWith('stage3'))"
    )
    page.run(f"{third}[0].focus()")
    page.press(Keys.ENTER)
    assert page.count(".panel") == 7 + 8 + 4 + 4  # 6 blocks instead of 2 panels, in both
    tops = page.run(f"return {third}.map(h => h.getBoundingClientRect().top)")
    assert tops[0] == tops[1]
    inside = """
        const bottom = (part) => part.getBoundingClientRect().bottom;
        return [...document.querySelectorAll('.panel')].every((panel) =>
            bottom(panel) < bottom(panel.parentNode.parentNode.querySelector('.lane')))
    """
    assert page.run(inside)


def test_skips_are_drawn_in_every_state(opened: Callable[..., Page]) -> None:
    page = opened(unet())
    for key in "123":
        page.press(key)
        assert page.count(".line.skip") == 2
        assert page.count(".tip.skip") == 2
        # Beside the sections, and within the drawing.
        left, right, lanes, width = page.run("""
            const box = (part) => part.getBBox(), svg = document.querySelector("#drawing");
            const skips = [...svg.querySelectorAll(".line.skip")].map(box);
            const ends = skips.map((area) => area.x + area.width);
            const lanes = [...svg.querySelectorAll(".lane")].map((lane) => box(lane).width);
            const width = svg.viewBox.baseVal.width;
            return [Math.min(...ends), Math.max(...ends), Math.max(...lanes), width];
        """)
        assert lanes < left < right < width


def test_two_networks_in_one_model_are_not_joined_by_a_line(opened: Callable[..., Page]) -> None:
    page = opened(two_towers(), detail="stage")
    sections = page.count(".heading")
    assert sections == 2 * 4 + 1
    # The lines between sections: none from the left head to the right stem.
    assert page.run("return document.querySelectorAll('#drawing > g > .line.flow').length") == 7
    assert page.count(".line.skip") == 1
