"""The files of the site that are not in docs/: pages of presets and families, and pictures."""

from concurrent.futures import ThreadPoolExecutor
from functools import cache
from itertools import chain

from resnet_builder import PRESETS, plot

from .annotated import drawings_of_blocks
from .chinese import in_chinese
from .compare_page import compare_pages
from .excerpts import notebook_pictures
from .families import FAMILIES
from .family_page import family_drawings, family_pages
from .howto_pictures import PICTURES
from .overview import overview_page
from .preset_page import preset_page


@cache
def generated() -> dict[str, str | bytes]:
    """Path in docs/ -> content."""
    # Two threads: half of the time is Graphviz's, a process of its own.
    with ThreadPoolExecutor(2) as pool:
        pictures = dict(zip(PRESETS, pool.map(_pictures, PRESETS), strict=True))
        titles = (family.title for family in FAMILIES)
        drawings = dict(chain.from_iterable(map(dict.items, pool.map(family_drawings, titles))))
        drawings |= dict(
            zip(PICTURES, pool.map(lambda draw: draw(), PICTURES.values()), strict=True)
        )
    drawings |= drawings_of_blocks()
    files: dict[str, str | bytes] = {
        **notebook_pictures("tour.ipynb"),
        **family_pages(),
        **drawings,
    }
    gallery = {"index": overview_page()} | {name: preset_page(name) for name in PRESETS}
    for name, page in gallery.items():
        files |= {f"gallery/{name}.md": page, f"gallery/{name}.zh.md": in_chinese(page)}
    for name in PRESETS:
        picture, page = pictures[name]
        files[f"gallery/architecture/{name}.svg"] = picture
        files[f"gallery/architecture/{name}.html"] = page
    files |= compare_pages({name: page for name, (_, page) in pictures.items()})
    for direction in ("LR", "TB"):
        stages = plot("resnet50", detail="stage", direction=direction)
        files[f"assets/stages_{direction}.svg"] = stages.render("svg").decode()
    return files


def _pictures(name: str) -> tuple[str, str]:
    """The picture and the interactive page of a preset."""
    diagram = plot(name)
    return diagram.render("svg").decode(), diagram.render("html").decode()
