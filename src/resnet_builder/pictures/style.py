"""The font and the colours of all pictures."""

from collections.abc import Mapping
from typing import Any

import pydot

from ..common.words import argument

FONT = "Arial"

# Paul Tol's pale, light and vibrant qualitative colours, which colour-blind readers can tell apart;
# lightness and words tell apart what grey does not. https://personal.sron.nl/~pault/
COLOURS = {
    "conv": "#BBCCEE",
    "norm": "#EEEEBB",
    "activation": "#FFCCCC",
    "pool": "#CCEEFF",
    "merge": "#CCDDAA",
    "scale": "#E0D0EC",
    "dense": "#DDDDDD",
    "other": "#FFFFFF",
    "output": "#FFFFFF",
}

# The lines: of the main path, of shortcuts by role, and of skips from one section to another.
SKIP = "skip"
ROLES: dict[str, dict[str, Any]] = {
    "": {"color": "#444444"},
    "identity": {"color": "#0077BB", "penwidth": "1.8"},
    "resized identity": {"color": "#0077BB", "penwidth": "1.4", "style": "dashed"},
    "projection": {"color": "#CC3311", "penwidth": "1.4", "style": "dashed"},
    SKIP: {"color": "#009988", "penwidth": "1.4"},
}


DPI = 96  # pixels in an inch, which has 72 points

# The largest texture of common graphics processors, which limits many viewers of images; and a
# number of pixels that is drawn in 1 GB of memory.
MOST_PIXELS = 16_384
MOST_PIXELS_IN_ALL = MOST_PIXELS * MOST_PIXELS // 2


def check_size(size: Any) -> None:
    """Check the width and height of a picture in pixels."""
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


def fit_to_size(graph: pydot.Dot, size: tuple[int, int]) -> None:
    """Scale a graph, and centre it in a picture of (width, height) pixels."""
    width, height = (side * 72 / DPI for side in size)
    graph.set("dpi", str(DPI))
    graph.set("size", f"{width / 72},{height / 72}!")
    graph.set("viewport", f"{width},{height}")


def titled_graph(
    title: str, direction: str, distances: Mapping[str, str], **look: str
) -> pydot.Dot:
    """An empty graph, laid out by Graphviz, with a title in its markup above."""
    return pydot.Dot(
        "network",
        rankdir=direction,
        **distances,
        label=f"<{title}>",
        labelloc="t",
        fontname=FONT,
        **look,
    )
