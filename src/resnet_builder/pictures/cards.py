"""Pictures that Graphviz lays out: a card for every section, or for every layer."""

from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import groupby
from typing import TYPE_CHECKING, Any

import pydot

from ..common.words import Description, by
from .sketch.sketch import Panel, Section, Sketch, skips
from .style import COLOURS, FONT, ROLES, SKIP, escape, table

if TYPE_CHECKING:
    import keras

MOST_LINES = 10  # for layers in a card
LINE_HEIGHT = 18  # in points, room for the largest font


def _empty_graph(title: str, direction: str, look: dict[str, str]) -> pydot.Dot:
    """A graph with a title in Graphviz's markup above."""
    label = {"label": f"<{title}>", "labelloc": "t", "fontname": FONT}
    return pydot.Dot("network", rankdir=direction, **look, **label)


# Stages -----------------------------------------------------------------------------------------


def draw_stages(sketch: Sketch, direction: str) -> pydot.Dot:
    """Draw a card for every section: its size, its layers and its costs."""
    page = {"ranksep": "0.3", "pad": "0.15", "fontsize": "16", "bgcolor": "white"}
    graph = _empty_graph(_title(sketch, direction), direction, page)
    card = {"style": "rounded,filled", "fillcolor": "#F4F4F4", "color": "#999999"}
    graph.set_node_defaults(shape="box", **card, fontname=FONT, fontsize="12", margin="0.08")
    graph.set_edge_defaults(arrowsize="0.8", color="#444444", penwidth="1.5")
    lines = [list(_made_of(section.panels)) for section in sketch.sections]
    followed: list[tuple[int, int]] = []
    for number, (section, made_of) in enumerate(zip(sketch.sections, lines, strict=True)):
        # Cards side by side are equally high.
        room = min(max(map(len, [made_of] if direction == "TB" else lines)), MOST_LINES)
        graph.add_node(pydot.Node(f"s{number}", label=_card(section, made_of, room)))
        if number and section.panels[0].follows:
            followed.append((number - 1, number))
            graph.add_edge(pydot.Edge(f"s{number - 1}", f"s{number}"))
    pairs = ((start, end) for _, start, end in skips(one.panels for one in sketch.sections))
    drawn = [(a, b) for a, b in dict.fromkeys(pairs) if a != b and (a, b) not in followed]
    for source, target in drawn:
        steps = {(number, number + 1) for number in range(source, target)}
        # Over the sections between, so that these hang below: the finest level is on top.
        over = direction == "LR" and len(steps) > 1 and steps <= {*followed, *drawn}
        look = ROLES[SKIP] | ({"tailport": "n", "headport": "n"} if over else {})
        graph.add_edge(pydot.Edge(f"s{source}", f"s{target}", **look))
    return graph


def _title(sketch: Sketch, direction: str) -> str:
    between = "<BR/>" if direction == "TB" else "&#160; "
    totals = ("&#160;" * 3).join(map(escape, filter(None, sketch.totals.values())))
    return f'<B>{escape(sketch.name)}</B>{between}<FONT POINT-SIZE="12">{totals}</FONT>'


def _card(section: Section, made_of: list[str], room: int) -> str:
    """The label of a card, with `room` lines for layers."""
    if len(made_of) > room:
        made_of = [*made_of[: room - 1], "…"]
    title = f'<FONT POINT-SIZE="15"><B>{escape(section.title)}</B></FONT>'
    heading = [title if section.title else "", escape(section.details["size"]), ""]
    costs = [_small_text(section.details[field]) for field in ("parameters", "macs")]
    lines = [*heading, *made_of, *[""] * (room - len(made_of) + 1), *costs]
    return table((f'<TD HEIGHT="{LINE_HEIGHT}">{line or " "}</TD>' for line in lines), padding=1)


def _made_of(panels: Iterable[Panel]) -> Iterator[str]:
    """Yield the lines for layers; blocks that differ only in strides and shortcuts are counted."""
    for without_strides, group in groupby(panels, _without_strides):
        alike = list(group)
        count = sum(panel.repeats for panel in alike)
        lines = without_strides if count > 1 else [layer.words for layer in _main_layers(alike[0])]
        yield from map(escape, lines)
        if count > 1:
            yield f"<B>× {count}</B>"
        roles: Counter[str] = Counter()
        for panel in alike:
            roles.update({role: n * panel.repeats for role, n in panel.shortcuts.items()})
        if count > 1 and (strides := _first_strides(alike[0])):
            yield _small_text(f"stride {strides} in the first")
        if roles:
            yield _small_text(", ".join(f"{times} {role}" for role, times in roles.items()))


def _without_strides(panel: Panel) -> list[str]:
    in_a_block = bool(panel.title)
    return [layer.text_with(strides=not in_a_block) for layer in _main_layers(panel)]


def _first_strides(panel: Panel) -> str:
    """The first strides other than 1, in words; empty if there are none."""
    strided = (layer.strides for layer in _main_layers(panel) if set(layer.strides) - {1})
    strides = next(strided, ())
    return by(strides[:1] if len(set(strides)) == 1 else strides)


def _main_layers(panel: Panel) -> list[Description]:
    return [cell.description for cell in panel.main_cells]


def _small_text(text: str) -> str:
    return f'<FONT POINT-SIZE="10">{text}</FONT>'


# Layers -----------------------------------------------------------------------------------------


def draw_layers(
    model: "keras.Model", direction: str, *, names: bool = True, shapes: bool = True
) -> pydot.Dot:
    """Draw a card for every layer: its words, its name and its output shape."""
    from ..costs.models import read_model
    from .sketch.of_model import kind, layer_title

    distances = {"ranksep": "0.2", "nodesep": "0.3"}
    graph = _empty_graph(f"<B>{escape(model.name)}</B>", direction, distances)
    card = {"style": "filled", "color": "#777777", "width": "2.4", "margin": "0.05,0.02"}
    graph.set_node_defaults(shape="box", **card, fontname=FONT, fontsize="11")
    graph.set_edge_defaults(arrowsize="0.6", color="#444444")
    for number, node in enumerate(read_model(model).graph):
        lines = [
            f"<B>{escape(layer_title(node.layer))}</B>",
            *[escape(node.layer.name)] * names,
            *[_shape_words(node.output_shape)] * shapes,
            *["<B>output</B>"] * node.is_output,
        ]
        label = table((f"<TD>{line}</TD>" for line in lines), padding=1)
        graph.add_node(pydot.Node(f"n{number}", label=label, fillcolor=COLOURS[kind(node.layer)]))
        for source in node.inputs:
            graph.add_edge(pydot.Edge(f"n{source}", f"n{number}"))
    return graph


def _shape_words(shape: Any) -> str:
    """The shape without the batch; several shapes are separated by commas."""
    if isinstance(shape, list):
        return ", ".join(map(_shape_words, shape))
    return by(shape[1:])
