"""The page for the browser: one HTML file, which asks for nothing from anywhere."""

import html
import json
from collections.abc import Sequence
from importlib import resources
from string import Template

from ..sketch.differences import mark_differences
from ..sketch.folding import folded, unfolded
from ..sketch.sketch import Sketch
from ..style import COLOURS, ROLES
from .data import PageData


def document(sketches: Sequence[Sketch], *, state: int, note: str = "") -> str:
    """A page with one network, or with two side by side and their differences marked.

    `state` is that of the sections at first; `note` is written below the networks.
    """
    states = [[change(sketch) for sketch in sketches] for change in (folded, unfolded)]
    if len(sketches) == 2:
        states = [list(mark_differences(*pair)) for pair in states]
    data = PageData().of(zip(*states, strict=True), state=state, note=note)
    text = json.dumps(data, ensure_ascii=False, separators=(",", ":"))
    return Template(_file("page.html")).substitute(
        title=html.escape(", ".join(sketch.name for sketch in sketches)),
        style=_colours() + _file("page.css"),
        data=text.replace("<", "\\u003c"),
        script=_file("page.js"),
    )


def _file(name: str) -> str:
    return resources.files(__package__).joinpath(name).read_text(encoding="utf-8")


def _colours() -> str:
    """The colours of boxes and of lines as variables and classes."""
    boxes = (f".{kind}{{--fill:{colour}}}" for kind, colour in COLOURS.items())
    lines = (
        f".{role.replace(' ', '-') or 'flow'}{{--line:{look['color']};"
        f"--dash:{'5 2' if 'style' in look else 'none'};--wide:{look.get('penwidth', 1)}}}"
        for role, look in ROLES.items()
    )
    return "".join([*boxes, *lines])
