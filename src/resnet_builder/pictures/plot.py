"""Pictures of networks: `plot`. Keras is loaded for models, and to draw all layers by Graphviz."""

import os
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from inspect import signature
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Unpack, get_args

import pydot

from ..common.checks import boolean, choice
from ..config import ResnetConfig
from ..plan.network import make_plan
from ..presets.resolve import Named, resolve
from .browser.document import CLOSED, FOLDED, WHOLE, document
from .diagram import Diagram, check_path
from .page.dot import draw_page
from .page.page_layout import lay_out_page, lay_out_side_by_side
from .plot_model import PlotModelOptions, read_options
from .sketch.differences import mark_differences
from .sketch.folding import folded
from .sketch.of_plan import sketch_plan
from .sketch.sketch import Sketch
from .stages import draw_stages
from .style import check_size, fit_to_size

if TYPE_CHECKING:
    import keras

Detail = Literal["stage", "block", "layer"]
Direction = Literal["TB", "LR"]


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
    shown = choice(asked.detail, get_args(Detail), "detail")
    default = "LR" if shown == "stage" else "TB"
    towards = choice(
        default if asked.direction is None else asked.direction, get_args(Direction), "direction"
    )
    _check_options(to_file, fold)
    if size is not None:
        check_size(size)
        if asked.dpi is not None:
            raise TypeError(
                f"size={size!r} and dpi={asked.dpi:g} both set the number of pixels: give one"
            )
    sketch = _sketch(source, input_shape, classes)

    def draw() -> pydot.Dot:
        graph = draw_at_its_own_size()
        if size is not None:
            fit_to_size(graph, size)
        return graph

    def draw_at_its_own_size() -> pydot.Dot:
        if shown == "layer":
            from .layers import draw_layers

            model = _model(source, input_shape, classes)
            return draw_layers(model, towards, names=asked.names, shapes=asked.shapes)
        drawn = folded(sketch) if fold else sketch
        if shown == "stage":
            return draw_stages(drawn, towards)
        return draw_page(lay_out_page(drawn, towards, in_one_column=not fold))

    states = {"stage": CLOSED, "block": FOLDED if fold else WHOLE, "layer": WHOLE}
    write_page = partial(document, [sketch], state=states[shown])
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
    sketches = [replace(_sketch(config), name=name) for name, config in networks]
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


def _sketch(source: Any, input_shape: Any = None, classes: int | None = None) -> Sketch:
    if isinstance(source, str | ResnetConfig | Named):
        named = resolve(source, input_shape, classes)
        plan = make_plan(named.config, output_stride=named.output_stride)
        if plan.is_known:
            return sketch_plan(plan, named.name)
    from .sketch.of_model import sketch_model

    return sketch_model(_model(source, input_shape, classes))


def _model(source: Any, input_shape: Any, classes: int | None) -> "keras.Model":
    from ..model.assemble import model_of
    from ..model.locate import check_source

    if isinstance(source, str | ResnetConfig | Named):
        named = resolve(source, input_shape, classes)
        plan = make_plan(named.config, output_stride=named.output_stride)
        return model_of(plan, named.name)
    check_source(source)
    if input_shape is not None or classes is not None:
        raise TypeError("input_shape and classes are of a preset or config; a model has its own")
    return source
