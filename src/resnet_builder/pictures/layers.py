"""Every layer of a Keras model as a box, laid out by Graphviz."""

from typing import Any

import keras
import pydot

from ..common import words
from ..costs.models import read_model
from ..model.graph import Node
from .sketch.layer_words import activation_words, description, kind, window
from .style import COLOURS, FONT, escape, one_column, titled_graph


def draw_layers(
    model: keras.Model, direction: str, *, names: bool = True, shapes: bool = True
) -> pydot.Dot:
    """Draw a box for every layer: its description, its name and its output shape."""
    distances = {"ranksep": "0.2", "nodesep": "0.3"}
    graph = titled_graph(f"<B>{escape(model.name)}</B>", direction, distances)
    graph.set_node_defaults(
        shape="box",
        style="filled",
        color="#777777",
        width="2.4",
        margin="0.05,0.02",
        fontname=FONT,
        fontsize="11",
    )
    graph.set_edge_defaults(arrowsize="0.6", color="#444444")
    for number, node in enumerate(read_model(model).graph):
        colour = COLOURS[kind(node.layer)]
        graph.add_node(
            pydot.Node(f"n{number}", label=_layer_label(node, names, shapes), fillcolor=colour)
        )
        for source in node.inputs:
            graph.add_edge(pydot.Edge(f"n{source}", f"n{number}"))
    return graph


def _layer_label(node: Node, names: bool, shapes: bool) -> str:
    layer = node.layer
    described = description(layer)
    activation = activation_words(layer) if hasattr(layer, "activation") else ""
    what = [described.noun, words.by(window(layer)), *described.settings(), activation]
    lines = [
        f"<B>{escape(', '.join(filter(None, what)))}</B>",
        *[escape(layer.name)] * names,
        *[_shape_words(node.output_shape)] * shapes,
        *["<B>output</B>"] * node.is_output,
    ]
    return one_column(lines)


def _shape_words(shape: Any) -> str:
    """The shape without the batch; several shapes are separated by commas."""
    if isinstance(shape, list):
        return ", ".join(map(_shape_words, shape))
    return words.by(shape[1:])
