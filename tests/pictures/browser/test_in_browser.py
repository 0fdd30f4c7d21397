"""The page in Chromium, which is asked for by Selenium and its driver; skipped without them."""

import json
import struct
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from resnet_builder import PRESETS, compare, plot, profile, without_blocks
from resnet_builder.costs.activations import views
from resnet_builder.plan.network import make_plan

from ...models import two_towers, unet

webdriver = pytest.importorskip("selenium.webdriver", reason="needs selenium")
Keys: Any = pytest.importorskip("selenium.webdriver.common.keys").Keys
Wait: Any = pytest.importorskip("selenium.webdriver.support.ui").WebDriverWait

CLIPBOARD = ["clipboardReadWrite", "clipboardSanitizedWrite"]


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

    def wait(self, condition: str) -> None:
        """Wait until a condition holds."""
        Wait(self.driver, 10).until(lambda driver: driver.execute_script(f"return {condition}"))

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
    # The language is asked for in the address; what is saved has an address of its own.
    assert {one.split("?")[0] for one in asked if not one.startswith("blob:")} == {path.as_uri()}


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


def test_a_click_on_a_heading_unfolds_and_folds(opened: Callable[..., Page]) -> None:
    page = opened("resnet50", detail="stage")
    counts = []
    for _ in range(3):
        page.click(".heading[aria-label^='stage2']")
        counts.append(page.count(".panel"))
    # The first block and a pile; four blocks; closed.
    assert counts == [2, 4, 0]
    assert page.focused.startswith("stage2")


def test_a_narrow_window_begins_with_stages(opened: Callable[..., Page]) -> None:
    page = opened("resnet50")
    assert page.count(".panel") == 2 * 4
    page.size(400)
    page.driver.refresh()
    assert page.count(".panel") == 0
    assert page.count(".box") > 0


def test_a_click_on_a_closed_stage_or_on_a_pile_unfolds_it(opened: Callable[..., Page]) -> None:
    page = opened("resnet50", detail="stage")
    page.click(".box[aria-label^='stage1']")
    assert page.count(".panel") == 2
    # A box of an open stage shows its details, and stays as it is.
    page.click(".box[aria-label^='stage1, block1, 3×3 conv']")
    assert page.count(".panel") == 2
    assert "stage1_block1_conv2" in page.text("#details")
    page.run("document.querySelector('.panel.pile').dispatchEvent(new MouseEvent('click'))")
    assert page.count(".panel") == 3


def test_equal_views_have_one_button(opened: Callable[..., Page]) -> None:
    """No two blocks of a pruned network are alike."""
    page = opened("ecaresnet50d_pruned")
    pressed = page.driver.find_elements("css selector", "[aria-pressed=true]:not([hidden])")
    assert [button.text for button in pressed] == ["Blocks"]
    assert page.count("[data-state]:not([hidden])") == 2


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
    for _ in range(18):
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
    assert page.text("#found") == "stage2_block77_conv23×3 conv, 32, BN"
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


def test_layers_are_found_by_words_and_sizes(opened: Callable[..., Page]) -> None:
    page = opened("resnet50")
    page.press("/")
    page.press("3x3 512 stride")
    assert page.text("#found").startswith("stage4_block1_conv2")
    assert page.text("#place") == "1"
    page.press(Keys.CONTROL, "a")
    page.press("stage4 7x7x2048")
    # The last convolution, the sum and their shortcut; the first convolution, which is given that
    # size, in two blocks of three; and the head's pool is not of stage 4.
    assert page.text("#place") == "9"
    page.press(Keys.ENTER)
    assert page.text("#place") == "1 / 9"
    assert page.focused == "stage4, block1, 1×1 conv, 2048, BN"
    page.press("n", "n")
    assert page.text("#place") == "3 / 9"
    assert page.focused == "stage4, block1, +, ReLU"
    page.press("N", "N", "N")
    assert page.text("#place") == "9 / 9"
    page.click("#search [data-by='1']")
    assert page.text("#place") == "1 / 9"


def test_the_address_names_the_layer(opened: Callable[..., Page], tmp_path: Path) -> None:
    page = opened("resnet50")
    page.focus("stage2, block1, 3×3 conv")
    page.wait("location.hash === '#stage2_block1_conv2'")
    page.run("location.hash = 'stage3_block4_conv2'")
    page.wait("document.activeElement.ariaLabel === 'stage3, block4, 3×3 conv, 256, BN, ReLU'")
    page.run("location.hash = 'stage4'")
    page.wait("document.activeElement.ariaLabel.startsWith('stage4, 7×7×2048')")
    page.driver.refresh()
    assert page.focused.startswith("stage4, 7×7×2048")


def test_a_box_tells_settings_and_names(opened: Callable[..., Page]) -> None:
    page = opened("resnet50", fold=False)
    page.focus("stage3, block4, 3×3 conv")
    terms = """
        const [list] = [...document.querySelectorAll('#details h3 + dl')];
        return Object.fromEntries([...list.querySelectorAll('dt')].map(
            (term) => [term.textContent, term.nextSibling.textContent]))
    """
    seen = views(make_plan(PRESETS["resnet50"]))["stage3_block4_conv2"]
    told = page.run(terms)
    expected = {"input": "14×14×256", "stride": "1", "padding": "same", "groups": "1"}
    assert expected.items() <= told.items()
    assert told["receptive field"] == f"{seen.receptive_field} pixels"
    assert told["stride of the map"] == "16 pixels"
    assert "epsilon" in page.text("#details")
    assert "layer3.3.conv2.weight" not in page.text("#details")
    page.click("#details summary")
    names = page.text("#details details").splitlines()
    assert names[0] == "Names in timm, torchvision, transformers"
    assert "layer3.3.conv2.weight" in page.text("#details details")
    # Shown for the next box as well.
    page.focus("stage3, block4, 1×1 conv, 1024")
    page.wait("document.querySelector('#details details').open")
    assert page.text("#told") == "1×1 conv, 1024, BN"


def test_a_name_is_copied(opened: Callable[..., Page]) -> None:
    page = opened("resnet18")
    page.focus("stage1, block1 – block2, 3×3 conv")
    assert page.count("#details .copy") == 0  # of several blocks
    page.press("3")
    page.driver.execute_cdp_cmd("Browser.grantPermissions", {"permissions": CLIPBOARD})
    assert copied(page, "#details h3 .copy") == "stage1_block1_conv1"
    assert copied(page, "#details h3 .copy + .copy") == 'model.get_layer("stage1_block1_conv1")'


def copied(page: Page, button: str) -> str:
    """What is in the clipboard after a button is pressed."""
    page.click(button)
    page.wait(f"document.querySelector('{button}').textContent === '✓'")
    read = "navigator.clipboard.readText().then(arguments[0])"
    return str(page.driver.execute_async_script(read))


def test_code_removes_the_block(opened: Callable[..., Page]) -> None:
    page = opened(two_towers(), fold=False)
    page.driver.execute_cdp_cmd("Browser.grantPermissions", {"permissions": CLIPBOARD})
    page.focus("left_stage2, block2, 3×3 conv")
    code = copied(page, "#details p .copy")
    model = two_towers()
    lesioned = eval(code, {"model": model, "without_blocks": without_blocks})
    gone = {layer.name for layer in model.layers} - {layer.name for layer in lesioned.layers}
    assert {name[: len("left_stage2_block2")] for name in gone} == {"left_stage2_block2"}


def test_blocks_that_cannot_be_removed_have_no_code(opened: Callable[..., Page]) -> None:
    page = opened("plain34", fold=False)
    code = "without_blocks("
    page.focus("stage2, block1, 3×3 conv")  # halves the size, without a shortcut
    assert code not in page.text("#details")
    page.focus("stage2, block2, 3×3 conv")
    assert code in page.text("#details")
    page.focus("stem, 7×7 conv")
    assert code not in page.text("#details")
    page.press("1")
    page.focus("stage2")
    assert code not in page.text("#details")


OPENED = {
    "skresnet18": "3×3 conv, 64, dilation 2, BN, ReLU",
    "resnest50d": "1×1 conv, 128, softmax",
    "res2net50_26w_4s": "concatenate",
    "seresnet18": "1×1 conv, 64, sigmoid",
    "ecaresnet50d": "conv along channels, 5, sigmoid",
}


@pytest.mark.parametrize("name", OPENED)
def test_a_box_opens_and_closes(opened: Callable[..., Page], name: str) -> None:
    page = opened(name)
    box = ".box[aria-expanded]"
    page.run(f"document.querySelector('{box}').focus()")
    label = page.focused
    page.press(Keys.ENTER)
    inside = "return [...document.querySelectorAll('.inset .box')].map((b) => b.ariaLabel)"
    assert any(words.endswith(OPENED[name]) for words in page.run(inside))
    expanded = f"return document.querySelector('{box}').ariaExpanded"
    assert page.run(expanded) == "true"
    # The arrow keys stay inside, and the drawing has room for it.
    page.press(Keys.END)
    assert page.focused == page.run(inside)[-1]
    assert page.text("#details h3")
    fits = """
        const [inner, outer] = ['.inset', '#drawing'].map(
            (part) => document.querySelector(part).getBoundingClientRect());
        return outer.left <= inner.left && inner.right <= outer.right + 1
            && inner.bottom <= outer.bottom + 1
    """
    assert page.run(fits)
    page.press(Keys.ESCAPE)
    assert page.count(".inset") == 0
    assert page.focused == label
    assert page.run(expanded) == "false"
    page.click(box)
    assert page.count(".inset") == 1
    page.click(".heading .bold")  # elsewhere
    assert page.count(".inset") == 0


def test_boxes_on_no_path_through_a_box_fade(opened: Callable[..., Page]) -> None:
    page = opened("resnet50")
    faded = "return [...document.querySelectorAll('.box.off')].map((b) => b.ariaLabel)"
    residual = ["1×1 conv, 64, BN, ReLU", "3×3 conv, 64, BN, ReLU", "1×1 conv, 256, BN"]
    # The projection comes after them.
    page.run("[...document.querySelectorAll('.box[aria-label$=\"1×1 conv, 256, BN\"]')][1].focus()")
    assert page.run(faded) == [f"stage1, block1, {words}" for words in residual]
    assert page.count(".way .line.projection") == 2
    assert page.count(".off .line.projection") == 0
    page.press(Keys.HOME)
    assert page.count(".off, .way") == 0


def test_colours_show_the_costs(opened: Callable[..., Page]) -> None:
    page = opened("resnet18")
    heat = """
        const [measure] = document.querySelectorAll('#measure');
        measure.value = arguments[0];
        measure.dispatchEvent(new Event('change'));
        const heat = (box) => parseFloat(box.style.getPropertyValue('--heat'));
        const boxes = [...document.querySelectorAll('.box')];
        return boxes.sort((a, b) => heat(b) - heat(a))[0].ariaLabel
    """
    assert page.run(heat, "parameters").startswith("stage4")
    # The last convolution of every one but the first block: 3·3·512·512 and 2 · 512 of its norm.
    assert page.text("#most") == f"{9 * 512 * 512 + 2 * 512:,}"
    counts = profile("resnet18")
    shares = page.run("return [...document.querySelectorAll('.share')].map((s) => s.textContent)")
    assert len(shares) == 6
    assert shares[-2] == f"{100 * counts.stages[-2].parameters / counts.parameters:.0f}%"
    assert page.run(heat, "kept").startswith("stem")
    assert page.run(heat, "macs").startswith("stem")
    # A block of a pile, not the pile: 3·3·64·64 at 56·56 positions, of 7·7·3·64 at 112·112.
    pile = "document.querySelector('.box[aria-label^=\"stage1, block1 – block2, 3×3\"]')"
    share = 3 * 3 * 64 * 64 * 56 * 56 / (7 * 7 * 3 * 64 * 112 * 112)
    own = page.run(f"return {pile}.style.getPropertyValue('--heat')")
    assert own == f"{100 * share:.0f}%"
    page.press("1")
    assert page.count(".share") == 6
    page.run("return document.querySelector('#measure').value = ''")
    page.run("document.querySelector('#measure').dispatchEvent(new Event('change'))")
    assert page.count(".share, .heat") == 0


def test_unknown_memory_is_not_coloured(opened: Callable[..., Page]) -> None:
    page = opened(unet())
    assert page.run("return document.querySelector('#measure [value=kept]').disabled")


@pytest.mark.parametrize("ending", ["svg", "png"])
def test_the_drawing_is_saved(opened: Callable[..., Page], tmp_path: Path, ending: str) -> None:
    page = opened("skresnet18")
    command = {"behavior": "allow", "downloadPath": str(tmp_path)}
    page.driver.execute_cdp_cmd("Page.setDownloadBehavior", command)
    page.run("document.querySelector('.box[aria-expanded]').focus()")
    page.press(Keys.ENTER)
    page.click(f"[data-save={ending}]")
    file = waited_for(tmp_path / f"skresnet18.{ending}")
    if ending == "png":
        assert file.read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"
        rows, columns = struct.unpack(">II", file.read_bytes()[16:24])[::-1]
        assert rows > columns > 500
        return
    root = ElementTree.parse(file).getroot()
    assert {"skresnet18", "softmax"} <= {(part.text or "").strip() for part in root.iter()}
    # It needs no style sheet, and has no colour that only browsers read.
    fills = {part.get("fill") for part in root.iter()} - {None}
    assert {"rgb(187, 204, 238)", "none"} <= fills
    assert not [fill for fill in fills if fill and "color" in fill]
    assert not [part for part in root.iter() if part.get("class")]


def test_the_page_works_in_the_frame_of_a_notebook(driver: Any, tmp_path: Path) -> None:
    """It is sandboxed: nothing of the notebook is open to it, nor has it an address."""
    path = tmp_path / "notebook.html"
    path.write_text(plot("resnet18").interactive()._repr_html_(), encoding="utf-8")
    driver.get_log("browser")
    page = Page(driver, path)
    command = {"behavior": "allow", "downloadPath": str(tmp_path)}
    driver.execute_cdp_cmd("Page.setDownloadBehavior", command)
    driver.switch_to.frame(0)
    try:
        page.focus("stage2, block1, 3×3 conv")
        assert "stage2_block1_conv1" in page.text("#details")
        page.click("[data-save=png]")
        waited_for(tmp_path / "resnet18.png")
    finally:
        driver.switch_to.default_content()
    assert driver.get_log("browser") == []


def waited_for(file: Path) -> Path:
    """A file, as soon as it is there."""
    for _ in range(100):
        if file.exists() and file.stat().st_size:
            return file
        time.sleep(0.1)
    raise AssertionError(f"no {file}")


def test_the_page_speaks_chinese(opened: Callable[..., Page]) -> None:
    page = opened("resnet18")
    english = page.text("header")
    page.click("#language")
    assert page.run("return document.documentElement.lang") == "zh"
    assert page.text("[data-state='0']") == "阶段"
    assert page.text("#details").splitlines()[1].startswith("把鼠标移到一个框上")
    assert "参数量 11.7 M" in page.text("#drawing")
    page.focus("stage1, block1 – block2, 3×3 conv")
    assert "感受野" in page.text("#details")
    page.click("#language")
    assert page.text("header") == english
    page.driver.get(page.driver.current_url.split("#")[0] + "?zh")
    assert page.text("[data-state='0']") == "阶段"


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
