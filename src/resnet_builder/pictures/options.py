"""The options of `plot`, among them the arguments of `keras.utils.plot_model`."""

from collections.abc import Iterable, Mapping
from numbers import Real
from typing import Literal, NamedTuple, TypedDict, get_args

from ..common.checks import boolean, choice, unknown
from ..common.words import argument
from .style import MOST_PIXELS, MOST_PIXELS_IN_ALL

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


# Argument -> the value that asks for what is drawn anyway, and what to use instead of others.
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


class Options(NamedTuple):
    """What `plot` is asked for, with the defaults."""

    detail: str
    direction: str
    dpi: float | None
    shapes: bool
    names: bool


def read_options(
    given: Mapping[str, object], detail: object, direction: object, own: Iterable[str]
) -> Options:
    """Read arguments of `plot_model`, beside the `detail` and `direction` of `plot`.

    `own` are the names of `plot`'s own arguments, for the message on an unknown one.
    """
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
    return Options(shown, choice(towards, get_args(Direction), "direction"), dpi, shapes, names)


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
    if isinstance(dpi, bool) or not isinstance(dpi, Real):
        raise TypeError(f"dpi must be a number, got {dpi!r}")
    if not 1 <= float(dpi) <= MOST_DPI:
        raise ValueError(f"dpi must be from 1 to {MOST_DPI:,} pixels per inch, got {dpi!r}")
    return float(dpi)


def check_size(size: object, dpi: float | None) -> None:
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
