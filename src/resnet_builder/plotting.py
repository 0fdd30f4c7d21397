"""plot: a network as a picture."""

import os
from html import escape
from pathlib import Path
from typing import Any

import keras
import pydot

from .builder import ResnetBuilder
from .config import ResnetConfig
from .diagram import Diagram, output_format
from .errors import look_up
from .graph import Node, model_graph

DIRECTIONS = {"TB": "top to bottom", "LR": "left to right"}

# Paul Tol's pale and light qualitative colours, which stay apart for the colour-blind; the text in
# every box says what it is where there is no colour.
# https://personal.sron.nl/~pault/
COLOURS = {
    "Conv2D": "#BBCCEE",
    "DepthwiseConv2D": "#BBCCEE",
    "SeparableConv2D": "#BBCCEE",
    "BatchNormalization": "#EEEEBB",
    "Activation": "#FFCCCC",
    "ReLU": "#FFCCCC",
    "MaxPooling2D": "#CCEEFF",
    "AveragePooling2D": "#CCEEFF",
    "GlobalAveragePooling2D": "#CCEEFF",
    "GlobalMaxPooling2D": "#CCEEFF",
    "Add": "#CCDDAA",
    "Dense": "#DDDDDD",
}


def plot(
    source: keras.Model | ResnetConfig | str,
    to_file: str | os.PathLike[str] | None = None,
    *,
    detail: str = "layer",
    input_shape: Any = None,
    classes: int | None = None,
    direction: str = "TB",
) -> Diagram:
    """Draw a network, layer by layer.

    Drawn by Graphviz's `dot` where it is installed, else by the package graphviz-pure.

    Args:
        source: any functional or sequential Keras model, a preset's name, or a `ResnetConfig`.
        to_file: where to save the picture: .png, .svg, .dot or .gv. Default: nowhere.
        detail: `"layer"`: a box for every layer.
        input_shape: of a preset or config, as in `ResnetBuilder.from_preset`.
        classes: of a preset or config.
        direction: `"TB"`, top to bottom, or `"LR"`, left to right.

    Returns:
        The diagram, which shows itself as the last line of a notebook cell.

    Raises:
        TypeError: a source of another kind.
        ValueError: an unknown name or ending, or a model whose layers cannot be known.
        FileNotFoundError: the folder of `to_file` does not exist.
        RuntimeError: no Graphviz is there.

    Example:
        >>> diagram = plot("resnet18", input_shape=(32, 32, 3))
        >>> "stem_conv" in diagram.dot
        True
    """
    draw = look_up(DETAILS, detail, "detail")
    look_up(DIRECTIONS, direction, "direction")
    if to_file is not None:
        output_format(Path(to_file))
    if isinstance(source, str | ResnetConfig):
        source = ResnetBuilder.from_preset(source, input_shape, classes)
    elif input_shape is not None or classes is not None:
        raise TypeError("input_shape and classes are of a preset or config; a model has its own")
    elif not isinstance(source, keras.Model):
        raise TypeError(
            f"plot draws a Keras model, a preset's name or a ResnetConfig, not {source!r}"
        )
    diagram = Diagram(draw(source, direction))
    if to_file is not None:
        diagram.save(to_file)
    return diagram


def layer_diagram(model: keras.Model, direction: str) -> pydot.Dot:
    """A box for every layer: what it does, its name and the shape of its output."""
    font = {"fontname": "Helvetica", "fontsize": "11"}
    graph = pydot.Dot(
        "network",
        rankdir=direction,
        ranksep="0.2",
        nodesep="0.3",
        label=f"<<B>{escape(model.name)}</B>>",
        labelloc="t",
        fontname="Helvetica",
    )
    graph.set_node_defaults(
        shape="box", style="filled", color="#777777", width="2.4", margin="0.05,0.02", **font
    )
    graph.set_edge_defaults(arrowsize="0.6", color="#444444")
    for number, node in enumerate(model_graph(model)):
        colour = COLOURS.get(type(node.layer).__name__, "#FFFFFF")
        graph.add_node(pydot.Node(f"n{number}", label=_label(node), fillcolor=colour))
        for source in node.inputs:
            graph.add_edge(pydot.Edge(f"n{source}", f"n{number}"))
    return graph


DETAILS = {"layer": layer_diagram}


def _label(node: Node) -> str:
    what = ", ".join([type(node.layer).__name__, *_settings(node.layer)])
    lines = [f"<B>{escape(what)}</B>", escape(node.layer.name), _size(node.output_shape)]
    # Rows of a table keep their distance also where Graphviz has to do with another font.
    rows = "".join(f"<TR><TD>{line}</TD></TR>" for line in lines)
    return f'<<TABLE BORDER="0" CELLSPACING="0" CELLPADDING="1">{rows}</TABLE>>'


def _settings(layer: Any) -> list[str]:
    """What tells a layer from others of its kind, such as 3×3, 64, stride 2."""
    settings = []
    window = getattr(layer, "kernel_size", None) or getattr(layer, "pool_size", None)
    if window:
        settings.append("×".join(map(str, window)))
    for attribute in ("filters", "units"):
        if hasattr(layer, attribute):
            settings.append(str(getattr(layer, attribute)))
    for attribute, word in (
        ("strides", "stride"),
        ("dilation_rate", "dilation"),
        ("groups", "groups"),
    ):
        value = getattr(layer, attribute, 1)
        numbers = value if isinstance(value, tuple) else (value,)
        numbers = numbers[:1] if len(set(numbers)) == 1 else numbers
        if numbers != (1,):
            settings.append(f"{word} {'×'.join(map(str, numbers))}")
    if hasattr(layer, "rate"):
        settings.append(str(layer.rate))
    activation = getattr(layer, "activation", None)
    name = getattr(activation, "__name__", type(activation).__name__)
    if activation is not None and name != "linear":
        settings.append(name)
    return settings


def _size(shape: Any) -> str:
    """A shape without its batch: 56×56×64; of several tensors, one after the other."""
    if isinstance(shape, list):
        return ", ".join(map(_size, shape))
    return "×".join("?" if size is None else str(size) for size in shape[1:])
