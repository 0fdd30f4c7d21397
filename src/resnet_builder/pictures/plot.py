"""Pictures of networks: `plot`. Keras is loaded only for models, and to draw every layer."""

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from inspect import signature
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypedDict, Unpack, get_args

import pydot

from ..common.checks import boolean, choice, real_number, unknown
from ..common.words import argument
from ..config import ResnetConfig
from ..plan.network import make_plan
from ..presets.resolve import Named, resolve
from .browser import CLOSED, FOLDED, WHOLE, document
from .cards import draw_layers, draw_stages
from .diagram import MOST_PIXELS, MOST_PIXELS_IN_ALL, Diagram, check_path, fit_to_size
from .page.dot import draw_page
from .page.page_layout import lay_out_page
from .sketch.panels import sketch_plan
from .sketch.sketch import Sketch
from .sketch.transforms import folded, mark_differences

if TYPE_CHECKING:
    import keras

Detail = Literal["stage", "block", "layer"]
Direction = Literal["TB", "LR"]

MOST_DPI = 1200


class PlotModelOptions(TypedDict, total=False):
    """Keyword arguments of `keras.utils.plot_model` that `plot` understands."""

    rankdir: Literal["TB", "LR"]
    dpi: float
    show_shapes: bool
    show_layer_names: bool
    show_layer_activations: bool
    expand_nested: bool
    splines: Literal["ortho"]


# Argument -> the value for what is drawn anyway, and what to use instead of other values.
ANYWAY: dict[str, tuple[object, str]] = {
    "show_layer_activations": (True, "activations are always drawn: leave it out"),
    "expand_nested": (
        True,
        "the only network in a model is always opened, and others are boxes: leave it out",
    ),
    "splines": ("ortho", "lines run along the rows and columns: leave it out"),
    "show_dtype": (False, "pictures have no dtypes: read model.dtype_policy, or layer.dtype"),
    "show_trainable": (False, "use model.summary(show_trainable=True)"),
    "subgraph": (False, "give a to_file= and use the Diagram's .dot"),
    "layer_range": (
        None,
        "draw a model of these layers: plot(keras.Model(first.input, last.output))",
    ),
}
OTHERS = ("rankdir", "dpi", "show_shapes", "show_layer_names")


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

    An .html file needs neither. It is one file that loads nothing, in English and Chinese: stages
    and blocks fold and unfold, and boxes of several paths open, such as squeeze-and-excitation.
    Boxes tell the settings, shapes, costs and weights of their layers; of presets and configs also
    the receptive field, the memory that training keeps, and the names of the weights in other
    libraries. They are coloured by these costs, found by names, words and sizes, and named in the
    page's address; the drawing is saved as SVG or PNG.

    In a model that contains networks of this package, the layers of a network are in its stages,
    the decoders of `unet`, `fpn` and `deeplab` in sections by the names of their layers, such as
    `decoder_block1`, and the others in sections by the size of their output. That also holds for
    the only network that is a layer of the model.

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
            it fits: (1200, 630) is the size of the picture in a link's preview, for which
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
    kind, towards, dpi, shapes, names = _plot_options(of_plot_model, detail, direction)
    _check_options(to_file, fold)
    _check_size(size, dpi)
    sketch, model = _read(source, input_shape, classes)

    def draw() -> pydot.Dot:
        if kind == "layer":
            graph = draw_layers(model(), towards, names=names, shapes=shapes)
        elif kind == "stage":
            graph = draw_stages(folded(sketch) if fold else sketch, towards)
        else:
            graph = _draw_blocks([sketch], towards, fold=fold)
        return graph if size is None else fit_to_size(graph, size)

    states = {"stage": CLOSED, "block": FOLDED if fold else WHOLE, "layer": WHOLE}
    return _diagram([sketch], draw, to_file, state=states[kind], dpi=dpi)


def plot_side_by_side(
    networks: Sequence[tuple[str, ResnetConfig]],
    to_file: str | os.PathLike[str] | None,
    *,
    fold: bool,
) -> Diagram:
    """Draw two networks under their names, with the differences in thick frames."""
    _check_options(to_file, fold)
    sketches = [replace(_read(config)[0], name=name) for name, config in networks]
    note = "Thick frames and underlined numbers: different in the other network."
    draw = partial(_draw_blocks, sketches, fold=fold, note=note)
    return _diagram(sketches, draw, to_file, state=FOLDED if fold else WHOLE, note=note)


def _draw_blocks(
    sketches: Sequence[Sketch], direction: str = "TB", *, fold: bool, note: str = ""
) -> pydot.Dot:
    shown = mark_differences([folded(sketch) if fold else sketch for sketch in sketches])
    return draw_page(lay_out_page(shown, direction, in_one_column=not fold, note=note))


def _diagram(
    sketches: Sequence[Sketch],
    draw: Callable[[], pydot.Dot],
    to_file: str | os.PathLike[str] | None,
    *,
    state: int,
    note: str = "",
    dpi: float | None = None,
) -> Diagram:
    """The diagram of one or two networks, which is also saved if there is a file."""
    write_page = partial(document, sketches, state=state, note=note)
    diagram = Diagram(draw, write_page, alt=" ".join(s.in_words for s in sketches), dpi=dpi)
    if to_file is not None:
        diagram.save(to_file)
    return diagram


def _read(
    source: object, input_shape: Any = None, classes: int | None = None
) -> "tuple[Sketch, Callable[[], keras.Model]]":
    """The sketch of a network, and a function that returns its Keras model."""
    if isinstance(source, str | ResnetConfig | Named):
        named = resolve(source, input_shape, classes)
        plan = make_plan(named.config, output_stride=named.output_stride)

        def model() -> "keras.Model":
            from ..model.assemble import model_of

            return model_of(plan, named.name)

        if plan.is_known:
            return sketch_plan(plan, named.name), model
        source, input_shape, classes = model(), None, None
    from ..model.locate import check_source
    from .sketch.of_model import sketch_model

    check_source(source)
    if (input_shape, classes) != (None, None):
        raise TypeError("input_shape and classes are of a preset or config; a model has its own")
    return sketch_model(source), lambda: source


# Options ----------------------------------------------------------------------------------------


def _check_options(to_file: str | os.PathLike[str] | None, fold: bool) -> None:
    boolean(fold, "fold")
    if to_file is not None:
        check_path(Path(to_file))


def _plot_options(
    given: Mapping[str, object], detail: object, direction: object
) -> tuple[str, str, float | None, bool, bool]:
    """Read arguments of `plot_model`, beside the `detail` and `direction` of `plot`.

    Returns:
        The detail, the direction, the dpi, and whether layers show their shapes and names.
    """
    own = [name for name, one in signature(plot).parameters.items() if one.kind != one.VAR_KEYWORD]
    for name, value in given.items():
        if name not in (*ANYWAY, *OTHERS):
            raise TypeError(unknown("argument of plot", name, (*own, *OTHERS, *ANYWAY)))
        if name in ANYWAY and value != ANYWAY[name][0]:
            raise ValueError(f"plot takes no {name}={value!r}: {ANYWAY[name][1]}")
    if direction is not None and given.get("rankdir", direction) != direction:
        raise ValueError(f"direction={direction!r} and rankdir={given['rankdir']!r}: give one")
    if detail is None:
        detail = "layer" if given.get("show_layer_names") else "block"
    shapes, names = (_shown(given, name, detail) for name in ("show_shapes", "show_layer_names"))
    dpi = _dpi(given.get("dpi"))
    shown = choice(detail, get_args(Detail), "detail")
    towards = given.get("rankdir", direction)
    if towards is None:
        towards = "LR" if shown == "stage" else "TB"
    return shown, choice(towards, get_args(Direction), "direction"), dpi, shapes, names


def _shown(given: Mapping[str, object], name: str, detail: object) -> bool:
    """Whether the boxes of layers show something: as in `plot`, unless another value is given."""
    shown = boolean(given.get(name, True), name)
    drawn_otherwise = name == "show_shapes" and shown  # the sizes of sections
    if name in given and detail != "layer" and not drawn_otherwise:
        raise ValueError(
            f'{name}={shown} is of detail="layer", which has a box for every layer, '
            f"not of detail={detail!r}"
        )
    return shown


def _dpi(dpi: object) -> float | None:
    if dpi is None:
        return None
    number = real_number(dpi, "dpi")
    if not 1 <= number <= MOST_DPI:
        raise ValueError(f"dpi must be from 1 to {MOST_DPI:,} pixels per inch, got {dpi!r}")
    return number


def _check_size(size: object, dpi: float | None) -> None:
    """Check the width and height of a picture in pixels; None is the picture's own size."""
    if size is None:
        return
    if not (isinstance(size, tuple | list) and [type(side) for side in size] == [int, int]):
        raise TypeError(f"size must be (width, height) in whole pixels, got {size!r}")
    if min(size) < 1:
        raise ValueError(
            f"size must be positive, got {size!r}: write {argument('size', (1200, 630))}"
        )
    if max(size) > MOST_PIXELS or size[0] * size[1] > MOST_PIXELS_IN_ALL:
        raise ValueError(
            f"size must be at most {MOST_PIXELS:,} pixels a side and {MOST_PIXELS_IN_ALL:,} in "
            f"all, got {size!r}: an .svg can be zoomed without limit"
        )
    if dpi is not None:
        raise TypeError(f"size={size!r} and dpi={dpi:g} both set the number of pixels: give one")
