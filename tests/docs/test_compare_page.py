"""The page that compares two presets, in Chromium from a folder, against `compare`."""

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from resnet_builder import compare, plot
from website.compare_page import DATA, compare_pages

Wait: Any = pytest.importorskip("selenium.webdriver.support.ui", reason="needs it").WebDriverWait

NAMES = ["resnet18", "resnet34", "resnet50", "resnet56_cifar", "seresnet50", "skresnet50"]
STYLE = "<style>iframe { width: 1200px; height: 800px }</style>"
SCRIPT = Path(__file__).parents[2] / "docs" / "assets" / "compare.js"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The files of the page, as the site has them, without its theme."""
    found = tmp_path_factory.mktemp("gallery")
    for path, content in compare_pages({name: page(name) for name in NAMES}).items():
        file = found / Path(path).name
        if file.suffix == ".md":
            body = content.rpartition("---")[2].replace("asset:gallery/architecture/", "")
            options = "".join(f"<option>{name}</option>" for name in NAMES)
            body = re.sub(r"<optgroup.*?</select>", f"{options}</select>", body)
            language = "zh" if ".zh" in file.name else "en"
            content = f'<html lang="{language}"><meta charset="utf-8"><title></title>{STYLE}{body}'
            content += f"<script>{SCRIPT.read_text(encoding='utf-8')}</script>"
            file = file.with_suffix(".html")
        file.write_text(content, encoding="utf-8")
    return found


def page(name: str) -> str:
    return plot(name).render("html").decode()


@pytest.fixture
def opened(driver: Any, folder: Path) -> Iterator[Callable[..., Any]]:
    def open_page(address: str) -> Any:
        driver.execute_cdp_cmd("Emulation.setFocusEmulationEnabled", {"enabled": True})
        driver.get("about:blank")
        driver.get(f"{(folder / 'compare.html').as_uri()}{address}")
        return shown(driver)

    yield open_page
    driver.switch_to.default_content()
    assert driver.get_log("browser") == []


def shown(driver: Any) -> Any:
    """The driver in the frame, as soon as it has the networks of the menus."""
    driver.switch_to.default_content()
    menus = "return [...document.querySelectorAll('select')].map((menu) => menu.value).join(', ')"
    names = driver.execute_script(menus)
    driver.switch_to.frame("compared")
    ready = "return document.title === arguments[0] && document.querySelector('.lane') !== null"
    Wait(driver, 10).until(lambda d: d.execute_script(ready, names))
    return driver


MARKED = """
    return ['.cell.marked + text', '.underlined'].map((selector) =>
        [...document.querySelectorAll(selector)].map((one) => one.textContent))
"""


@pytest.mark.parametrize(
    "pair",
    [
        ("resnet50", "seresnet50"),
        ("resnet18", "resnet34"),
        ("resnet34", "resnet56_cifar"),
        ("resnet50", "resnet50"),
    ],
)
def test_the_differences_are_those_of_compare(
    opened: Callable[..., Any], tmp_path: Path, pair: tuple[str, str]
) -> None:
    driver = opened(f"#{','.join(pair)}")
    compare(*pair).plot(tmp_path / "net.html")
    for key in "213":
        press = f"document.querySelector('[aria-keyshortcuts=\"{key}\"]').click()"
        driver.execute_script(press)
        marked = driver.execute_script(MARKED)
        driver.switch_to.new_window("tab")
        driver.get((tmp_path / "net.html").as_uri())
        driver.execute_script(press)
        assert marked == driver.execute_script(MARKED)
        driver.close()
        driver.switch_to.window(driver.window_handles[0])
        driver.switch_to.frame("compared")


def test_layers_of_both_networks_are_told(opened: Callable[..., Any]) -> None:
    driver = opened("#seresnet50,skresnet50")
    told = {}
    for side in (0, 1):
        box = f"[...document.querySelectorAll('.box[aria-expanded]')].slice({-side})[0]"
        driver.execute_script(f"{box}.focus()")
        told[side] = driver.find_element("id", "details").text
        enter = "new KeyboardEvent('keydown', {key: 'Enter', bubbles: true})"
        driver.execute_script(f"document.activeElement.dispatchEvent({enter})")
        inside = [of.text for of in driver.find_elements("css selector", ".inset .box")]
        assert any("sigmoid" in words for words in inside) == (side == 0)
    # Of stage 1 on the left: 256 / 16 channels; of the last stage on the right: 512 / 16, at least
    # 8 and a multiple of it.
    assert "1×1×256×16" in told[0]
    assert "stage1_block1_se_reduce" in told[0]
    assert "1×1×512×32" in told[1]
    assert "stage4_block2_sk_reduce2" in told[1]


def test_a_menu_shows_another_network(opened: Callable[..., Any]) -> None:
    driver = opened("#resnet18,unknown")
    title = "return document.title"
    # The page's own second network is not in this folder, so it is the first one.
    assert driver.execute_script(title) == "resnet18, resnet18"
    driver.switch_to.default_content()
    change = "menu.value = 'seresnet50'; menu.dispatchEvent(new Event('change'))"
    driver.execute_script(f"const [menu] = document.querySelectorAll('select'); {change}")
    assert shown(driver).execute_script(title) == "seresnet50, resnet18"
    driver.switch_to.default_content()
    assert driver.execute_script("return location.hash") == "#seresnet50,resnet18"


def test_the_chinese_page_has_a_chinese_frame(driver: Any, folder: Path) -> None:
    driver.get((folder / "compare.zh.html").as_uri())
    assert shown(driver).find_element("css selector", "[data-state='0']").text == "阶段"
    driver.switch_to.default_content()


def test_the_data_is_that_of_the_page() -> None:
    pages = {"resnet56_cifar": page("resnet56_cifar")}
    files = compare_pages(pages)
    name, data = files["gallery/architecture/resnet56_cifar.js"].split(", ", 1)
    found = DATA.search(pages["resnet56_cifar"])
    assert found
    assert name == 'compare.network("resnet56_cifar"'
    own, original = json.loads(data.strip().removesuffix(");")), json.loads(found[2])
    assert {**own, "networks": ()} == {**original, "networks": ()}
    # Every block of a stage on its own.
    assert [len(of["views"][2]["panels"]) for of in own["networks"][0]["sections"][1:4]] == [9] * 3
    assert "resnet56" not in files["gallery/architecture/frame.js"]
