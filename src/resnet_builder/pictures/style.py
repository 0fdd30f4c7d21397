"""The font and the colours of all pictures."""

from collections.abc import Mapping

import pydot

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
ROLES = {
    "": {"color": "#444444"},
    "identity": {"color": "#0077BB", "penwidth": "1.8"},
    "resized identity": {"color": "#0077BB", "penwidth": "1.4", "style": "dashed"},
    "projection": {"color": "#CC3311", "penwidth": "1.4", "style": "dashed"},
    SKIP: {"color": "#009988", "penwidth": "1.4"},
}


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
