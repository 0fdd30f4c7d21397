"""The pictures of the page's figures, for print, for readers without JavaScript, and the README.

Run it with: python -m tools.figure_stills SITE, the folder of a built site (needs Chromium and
Selenium, and a Chinese font). Writes docs/assets/figures/*.png, and moving pictures of "Break it",
docs/break_it*.gif. With --only-moving it writes these alone.
"""

import argparse
import time
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

from PIL import Image
from selenium import webdriver
from selenium.webdriver.support.ui import WebDriverWait

DOCS = Path(__file__).parents[1] / "docs"
FIGURES = DOCS / "assets" / "figures"
PAGES = {"understanding.html": "", "zh/understanding.html": ".zh"}
# What is clicked in a figure, by its place among the figure's buttons.
CLICKS = {
    "deeper": [1],
    "learn": [0, 1],
    "break": [19],
    "unravel": [0, 2],
    "gradient": [0],
    "inside": [],
}
# What is clicked before each frame of the moving picture: three blocks are removed, one by one; all
# come back; then two change places.
BLOCK, BACK, EXCHANGE = ".block.resnet", ".controls > button", ".choice button"
STEPS: tuple[list[tuple[str, int]], ...] = (
    [],
    [(BLOCK, 8)],
    [(BLOCK, 3)],
    [(BLOCK, 13)],
    [(BACK, 1)],
    [(EXCHANGE, 1), (BLOCK, 1), (BLOCK, 3)],
)
DIGIT = 117  # of the test digits, the one that is shown
MILLISECONDS = 2500
COLOURS = 128
# What is for readers who can click is left out.
BARE = """
    .md-header, .live .pad, .live button:not(.block), .live .input + .note, .controls + .note,
    .live .choice { display: none !important; }
    .live .block { transition: none; } .live .bar { transition: none !important; }
"""
# Long enough for a small training, and for both networks to answer for all test digits.
SECONDS = 25


def opened() -> webdriver.Chrome:
    """Chromium without a window."""
    options = webdriver.ChromeOptions()
    for argument in (
        "--headless=new",
        "--no-sandbox",
        "--hide-scrollbars",
        "--window-size=1100,1400",
    ):
        options.add_argument(argument)
    return webdriver.Chrome(options)


def picture(driver: webdriver.Chrome, name: str, file: Path) -> None:
    """Bring a figure to where it says something, and write what is seen."""
    figure = driver.find_element("id", f"figure-{name}")
    driver.execute_script("arguments[0].scrollIntoView()", figure)
    time.sleep(5)
    for number in CLICKS[name]:
        button = figure.find_elements("css selector", "button")[number]
        driver.execute_script("arguments[0].click()", button)
    time.sleep(SECONDS if name in ("break", "learn") else 2)
    file.write_bytes(figure.screenshot_as_png)


def frames(driver: webdriver.Chrome, page: Path) -> Iterator[Image.Image]:
    """The figure "Break it" at first, and after each of the steps."""
    driver.set_window_size(840, 1400)
    driver.get(page.resolve().as_uri())
    driver.execute_script(f"Math.random = () => {(DIGIT - 0.5) / 360}")
    style = "Object.assign(document.createElement('style'), {textContent: arguments[0]})"
    driver.execute_script(f"document.head.append({style})", BARE)
    figure = driver.find_element("id", "figure-break")
    driver.execute_script("arguments[0].scrollIntoView()", figure)

    def counted(_: webdriver.Chrome) -> bool:
        return bool(figure.get_attribute("data-errors"))

    WebDriverWait(driver, 60).until(counted)
    for clicks in STEPS:
        for selector, number in clicks:
            button = figure.find_elements("css selector", selector)[number]
            driver.execute_script("arguments[0].click()", button)
        WebDriverWait(driver, 300).until(counted)
        yield Image.open(BytesIO(figure.screenshot_as_png)).convert("RGB")


def write_moving(driver: webdriver.Chrome, page: Path, file: Path) -> None:
    """Write the frames as one picture; the first one, which has no removed block, is the lowest."""
    taken = list(frames(driver, page))
    area = (0, 0, taken[0].width, max(frame.height for frame in taken))
    palette = taken[-1].quantize(COLOURS)
    first, *others = (
        frame.crop(area).quantize(palette=palette, dither=Image.Dither.NONE) for frame in taken
    )
    first.save(file, save_all=True, append_images=others, duration=MILLISECONDS, loop=0)


def main() -> None:
    """Read the command line, and take all pictures."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("site", type=Path, help="the folder of a built site")
    parser.add_argument("--only-moving", action="store_true")
    options = parser.parse_args()
    with opened() as driver:
        for page, language in PAGES.items():
            write_moving(driver, options.site / page, DOCS / f"break_it{language}.gif")
            if options.only_moving:
                continue
            driver.get((options.site / page).resolve().as_uri())
            # Nothing hides a part of a figure.
            driver.execute_script("document.querySelector('.md-header').remove()")
            for name in CLICKS:
                picture(driver, name, FIGURES / f"{name}{language}.png")
                print(f"{name}{language}.png", flush=True)


if __name__ == "__main__":
    main()
