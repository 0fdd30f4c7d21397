"""The inside of one block, every layer of it, as Graphviz draws it."""

from collections.abc import Iterator
from typing import Any

import pydot

from resnet_builder import PRESETS
from resnet_builder.common.words import Description, by
from resnet_builder.pictures.diagram import drawn
from resnet_builder.pictures.style import COLOURS, FONT, ROLES, escape, table
from resnet_builder.plan import layers
from resnet_builder.plan.blocks import Block
from resnet_builder.plan.describe import describe_inside
from resnet_builder.plan.layers import Layer
from resnet_builder.plan.network import make_plan

# Layers of EvoNorm, which is one box elsewhere.
NORM_WORDS = {
    layers.Divide: Description("scale", "÷"),
    layers.GroupDeviation: Description("norm", "deviation of groups"),
}
NORM_AND_ACTIVATION = ("norm", "activation")
INPUT = "x"


def block_drawing(preset: str, stage: int = 1, number: int = 0, *, has_words: bool = True) -> str:
    """The SVG of a block of a preset.

    Args:
        preset: its name.
        stage: number of the stage, from 1.
        number: of the block, from 1; 0 for the last one.
        has_words: whether the boxes say what they are; without, it is for a small picture.
    """
    block = make_plan(PRESETS[preset]).stages[stage - 1].blocks[number - 1]
    picture = drawn(str(_graph(block, has_words).to_string()), "svg").decode()
    label = f"The layers of {block.name} of {preset}"
    return picture.replace("<svg", f'<svg role="img" aria-label="{label}"', 1)


def _graph(block: Block, has_words: bool) -> pydot.Dot:
    graph = pydot.Dot("block", rankdir="TB", ranksep="0.25", nodesep="0.3", bgcolor="white")
    card = {"style": "filled", "color": "#777777", "margin": "0.1,0.05"}
    if not has_words:
        card |= {"label": "", "fixedsize": "true", "width": "0.5", "height": "0.16"}
    graph.set_node_defaults(shape="box", **card, fontname=FONT, fontsize="11")
    graph.set_edge_defaults(arrowsize="0.6", color="#444444")
    boxes = list(_boxes(block))
    box_of = {layer.name: number for number, box in enumerate(boxes) for layer in box}
    stands_for = _stand_ins(block, box_of)
    look_of_input: dict[str, Any] = {"label": "x"} if has_words else {"height": "0.01"}
    graph.add_node(pydot.Node(INPUT, shape="plaintext", style="", **look_of_input))
    for number, box in enumerate(boxes):
        words = [word for layer in box for word in _words(layer)]
        shape = f'<FONT POINT-SIZE="9">{by(box[-1].output_shape)}</FONT>'
        lines = [escape(", ".join(word.words for word in words)), shape]
        label = table((f"<TD>{line}</TD>" for line in lines), padding=1)
        kinds = [word.kind for word in words]
        colour = COLOURS["conv" if "conv" in kinds else kinds[0]]
        look: dict[str, Any] = {"label": label} if has_words else {}
        graph.add_node(pydot.Node(f"b{number}", fillcolor=colour, **look))
        for name in box[0].inputs:
            line = ROLES[_role(box[0], name, block)]
            graph.add_edge(pydot.Edge(stands_for.get(name, INPUT), f"b{number}", **line))
    return graph


def _words(layer: Layer) -> list[Description]:
    """The words of a layer; none for those that only pad, name or reshape."""
    if type(layer) in NORM_WORDS:
        return [NORM_WORDS[type(layer)]]
    return describe_inside(layer)


def _boxes(block: Block) -> Iterator[list[Layer]]:
    """Layers in a row that share a box: a convolution or a sum with its norm and activation."""
    shown = [layer for layer in block.layers if _words(layer)]
    consumers = [name for layer in block.layers for name in layer.inputs]
    norm_first = _words(shown[0])[0].kind in NORM_AND_ACTIVATION
    box: list[Layer] = []
    for layer in shown:
        kind = _words(layer)[0].kind
        follows = (
            bool(box) and layer.inputs == (box[-1].name,) and consumers.count(box[-1].name) == 1
        )
        kinds = [_words(each)[0].kind for each in box]
        if follows and (
            (kind in NORM_AND_ACTIVATION and not (norm_first and "conv" in kinds))
            or (kind == "conv" and set(kinds) <= {*NORM_AND_ACTIVATION})
        ):
            box.append(layer)
            continue
        if box:
            yield box
        box = [layer]
    yield box


def _stand_ins(block: Block, box_of: dict[str, int]) -> dict[str, str]:
    """The node of every layer, or of what feeds it if it is not shown."""
    found: dict[str, str] = {}
    for layer in block.layers:
        shown = f"b{box_of[layer.name]}" if layer.name in box_of else None
        found[layer.name] = shown or found.get(layer.inputs[0], INPUT)
    return found


def _role(target: Layer, source: str, block: Block) -> str:
    """The role of a line: of a shortcut, whether it is the identity, resizes or convolves."""
    shortcut = {layer.name: layer for unit in block.shortcut or () for layer in unit}
    convolves = any(layer.parameters for layer in shortcut.values())
    resizing = "projection" if convolves else "resized identity"
    if target.name in shortcut:
        return resizing
    if target.name != block.end[0].name:
        return ""
    if source in shortcut:
        return resizing
    residual = {layer.name for unit in block.residual for layer in unit}
    return "" if source in residual else "identity"
