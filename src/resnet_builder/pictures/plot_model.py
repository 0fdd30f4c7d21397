"""The arguments of `keras.utils.plot_model`, as `plot` takes them."""

from collections.abc import Iterable, Mapping
from numbers import Real
from typing import Any, Literal, NamedTuple, TypedDict

from ..common.checks import boolean, unknown

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
ANYWAY: dict[str, tuple[Any, str]] = {
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


class Asked(NamedTuple):
    """What the arguments of `plot_model` ask of `plot`."""

    detail: Any
    direction: Any
    dpi: float | None
    shapes: bool
    names: bool


def read_options(
    given: Mapping[str, Any], detail: Any, direction: Any, own: Iterable[str]
) -> Asked:
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
    return Asked(detail, given.get("rankdir", direction), _dpi(given.get("dpi")), shapes, names)


def _shown(given: Mapping[str, Any], name: str, detail: Any) -> bool:
    """Whether the boxes of layers show something: as in `plot`, unless another value is given."""
    shown = boolean(given.get(name, True), name)
    drawn_otherwise = name == "show_shapes" and shown  # the sizes of sections
    if name in given and detail != "layer" and not drawn_otherwise:
        raise ValueError(
            f'{name}={shown} is of detail="layer", which has a box for every layer, '
            f"not of detail={detail!r}"
        )
    return shown


def _dpi(dpi: Any) -> float | None:
    if dpi is None:
        return None
    if isinstance(dpi, bool) or not isinstance(dpi, Real):
        raise TypeError(f"dpi must be a number, got {dpi!r}")
    if not 1 <= float(dpi) <= MOST_DPI:
        raise ValueError(f"dpi must be from 1 to {MOST_DPI:,} pixels per inch, got {dpi!r}")
    return float(dpi)
