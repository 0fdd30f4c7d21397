"""Pictures of networks: `plot`. Keras is loaded only for models, and to draw every layer."""

import os
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from inspect import signature
from pathlib import Path
from typing import TYPE_CHECKING, Any, Unpack

import pydot

from ..common.checks import boolean
from ..config import ResnetConfig
from ..plan.network import make_plan
from ..presets.resolve import Named, resolve
from .browser.document import CLOSED, FOLDED, WHOLE, document
from .cards import draw_layers, draw_stages
from .diagram import Diagram, check_path
from .options import Detail, Direction, PlotModelOptions, check_size, read_options
from .page.dot import draw_page
from .page.page_layout import lay_out_page, lay_out_side_by_side
from .sketch.panels import sketch_plan
from .sketch.sketch import Sketch
from .sketch.transforms import folded, mark_differences
from .style import fit_to_size

if TYPE_CHECKING:
    import keras


def plot(
    source: "str | ResnetConfig | keras.Model",
    to_file: str | os.PathLike[str] | None = None,
    *,
    detail: Detail | None = None,
    input_shape: Any = None,
    classes: int | None = None,
    direction: Direction | None = None,
    fold: bool = True,
    size: tuple[int, int] | None = None,
    **of_plot_model: Unpack[PlotModelOptions],
) -> Diagram:
    """Draw a network: on one page, for a slide, layer by layer, or as a page for the browser.

    Presets and configs are drawn from their plan, without Keras. Graphviz's `dot` draws the picture
    if it is installed, otherwise the package graphviz-pure.

    An .html file needs neither. It is one file that loads nothing: stages and blocks fold and
    unfold, boxes show the shapes, parameters, multiply-adds and weights of their layers, and layers
    are found by name.

    In a model that contains networks of this package, such as a U-Net upon feature maps, the layers
    of a network are in its stages, and the others in sections by the size of their output. That
    also holds for the only network that is a layer of the model.

    Args:
        source: a name of `list_presets()` or `list_weights()`, a `ResnetConfig`, or any functional
            or sequential Keras model.
        to_file: path of the file to write: .png, .svg, .pdf, .dot, .gv or .html. A PDF needs
            Graphviz's `dot`. Default: no file.
        detail: `"block"`, the default, one page for any depth: equal consecutive blocks are drawn
            once, with their number; `"stage"`, a card for every stage; `"layer"`, a box for every
            layer. An .html file has them all, and opens with stages closed (`"stage"`), equal
            blocks drawn once (`"block"`), or every block drawn (`"layer"`).
        input_shape: input shape for a preset or config, as in `ResnetBuilder.from_preset`.
        classes: number of classes for a preset or config.
        direction: `"TB"`, top to bottom, or `"LR"`, left to right. Default: left to right for
            `"stage"`, top to bottom for the others. Has no effect on an .html file.
        fold: whether to draw equal consecutive blocks once. If False, every block is drawn, in
            one column; an .html file then opens so. Has no effect with `detail="layer"`.
        size: (width, height) of the PNG in pixels, in which the picture is centred, as large as
            it fits: (1200, 630) is that of the picture in a link's preview, for which
            `detail="stage"` is best. At most 16,384 a side and 134 million in all. Default: the
            picture's own, scaled down to 16,384 a side if need be. Has no effect on an .html file.
        **of_plot_model: arguments of `keras.utils.plot_model`. `rankdir` is the direction; `dpi` is
            the resolution of a PNG, by default 96 pixels per inch; `show_layer_names=True` draws
            every layer; `show_layer_names=False` and `show_shapes=False` leave these out there.
            Activations are always drawn, and the only network in a model is always opened. What
            has no meaning here is refused, with what to use instead.

    Returns:
        The diagram, displayed automatically as the last line of a notebook cell.

    Raises:
        TypeError: `source` is not a name, config or Keras model; `input_shape` or `classes` is
            given with a model; `fold` is not a bool, or `size` not two whole numbers; an unknown
            argument; `size` and `dpi` together.
        ValueError: unknown name, option or file extension; a size that is not positive or too
            large; an argument of `plot_model` without a meaning here; or a model without a graph of
            layers.
        OSError: `to_file` cannot be written.
        RuntimeError: Graphviz is not installed, or failed.

    Warns:
        UserWarning: the PNG is scaled down to a size that viewers can open.

    Example:
        >>> diagram = plot("resnet18")
        >>> "3×3 conv, 512, stride 2" in diagram.dot
        True
    """
    asked = read_options(of_plot_model, detail, direction, OPTIONS)
    _check_options(to_file, fold)
    check_size(size, asked.dpi)
    sketch, model = _read(source, input_shape, classes)

    def draw() -> pydot.Dot:
        if asked.detail == "layer":
            graph = draw_layers(model(), asked.direction, names=asked.names, shapes=asked.shapes)
        else:
            shown = folded(sketch) if fold else sketch
            if asked.detail == "stage":
                graph = draw_stages(shown, asked.direction)
            else:
                graph = draw_page(lay_out_page(shown, asked.direction, in_one_column=not fold))
        return graph if size is None else fit_to_size(graph, size)

    states = {"stage": CLOSED, "block": FOLDED if fold else WHOLE, "layer": WHOLE}
    write_page = partial(document, [sketch], state=states[asked.detail])
    return _saved(Diagram(draw, write_page, alt=sketch.in_words, dpi=asked.dpi), to_file)


OPTIONS = [name for name, one in signature(plot).parameters.items() if one.kind != one.VAR_KEYWORD]


def plot_side_by_side(
    networks: Sequence[tuple[str, ResnetConfig]],
    to_file: str | os.PathLike[str] | None,
    *,
    fold: bool,
) -> Diagram:
    """Draw two networks under their names, with the differences in thick frames."""
    _check_options(to_file, fold)
    sketches = [replace(_read(config)[0], name=name) for name, config in networks]
    note = "Thick frames and underlined numbers: not so in the other network."

    def draw() -> pydot.Dot:
        drawn = map(folded, sketches) if fold else sketches
        page = lay_out_side_by_side(mark_differences(*drawn), in_one_column=not fold, note=note)
        return draw_page(page)

    write_page = partial(document, sketches, state=FOLDED if fold else WHOLE, note=note)
    alt = " ".join(sketch.in_words for sketch in sketches)
    return _saved(Diagram(draw, write_page, alt=alt), to_file)


def _check_options(to_file: str | os.PathLike[str] | None, fold: bool) -> None:
    boolean(fold, "fold")
    if to_file is not None:
        check_path(Path(to_file))


def _saved(diagram: Diagram, to_file: str | os.PathLike[str] | None) -> Diagram:
    if to_file is not None:
        diagram.save(to_file)
    return diagram


def _read(
    source: object, input_shape: Any = None, classes: int | None = None
) -> "tuple[Sketch, Callable[[], keras.Model]]":
    """The sketch of a network, and a function that returns its Keras model."""
    if not isinstance(source, str | ResnetConfig | Named):
        from ..model.locate import check_source
        from .sketch.of_model import sketch_model

        check_source(source)
        if (input_shape, classes) != (None, None):
            raise TypeError(
                "input_shape and classes are of a preset or config; a model has its own"
            )
        return sketch_model(source), lambda: source
    named = resolve(source, input_shape, classes)
    plan = make_plan(named.config, output_stride=named.output_stride)

    def model() -> "keras.Model":
        from ..model.assemble import model_of

        return model_of(plan, named.name)

    if plan.is_known:
        return sketch_plan(plan, named.name), model
    from .sketch.of_model import sketch_model

    return sketch_model(model()), model
