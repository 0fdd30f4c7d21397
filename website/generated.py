"""The files of the site that are not in docs/: the gallery's pages and pictures."""

from concurrent.futures import ThreadPoolExecutor
from functools import cache

from resnet_builder import PRESETS, plot

from .overview import overview_page
from .preset_page import preset_page


@cache
def generated() -> dict[str, str]:
    """Path in docs/ -> content."""
    # Two threads: half of the time is Graphviz's, a process of its own.
    with ThreadPoolExecutor(2) as pool:
        pictures = dict(zip(PRESETS, pool.map(_pictures, PRESETS), strict=True))
    files = {"gallery/index.md": overview_page()}
    for name in PRESETS:
        picture, page = pictures[name]
        files[f"gallery/{name}.md"] = preset_page(name)
        files[f"gallery/architecture/{name}.svg"] = picture
        files[f"gallery/architecture/{name}.html"] = page
    for direction in ("LR", "TB"):
        stages = plot("resnet50", detail="stage", direction=direction)
        files[f"assets/stages_{direction}.svg"] = stages.render("svg").decode()
    return files


def _pictures(name: str) -> tuple[str, str]:
    """The picture and the interactive page of a preset."""
    diagram = plot(name)
    return diagram.render("svg").decode(), diagram.render("html").decode()
