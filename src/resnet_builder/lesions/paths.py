"""Number and lengths of the paths through a network, from its plan. Does not import Keras."""

from collections import Counter

from ..config import ResnetConfig
from ..plan.network import make_plan
from ..presets.resolve import resolve


def path_lengths(source: str | ResnetConfig) -> dict[int, int]:
    """Count the paths of each length from the input to the output of a network.

    At every block with a shortcut, also a projection, a path takes either the residual branch or
    the shortcut: n such blocks make 2^n paths, of which n over k take k branches (Veit, Wilber and
    Belongie 2016, arXiv:1605.06431, section 3). A block without a shortcut is on every path: a
    plain network is a single path, with the number of its blocks as length.

    Args:
        source: a preset's name or a `ResnetConfig`.

    Returns:
        The number of paths, as an exact int, by length: the number of residual branches on the
        path; shortest first.

    Raises:
        TypeError: neither a name nor a config.
        ValueError: an unknown name, or a network of custom blocks, with unknown layers.

    Example:
        >>> path_lengths("resnet18")
        {0: 1, 1: 8, 2: 28, 3: 56, 4: 70, 5: 56, 6: 28, 7: 8, 8: 1}
        >>> path_lengths("plain18")
        {8: 1}
    """
    plan = make_plan(resolve(source).config)
    if not plan.is_known:
        raise ValueError(f"the paths inside a custom block are unknown: {plan.config.block!r}")
    counts = Counter({0: 1})
    for stage in plan.stages:
        for block in stage.blocks:
            longer = Counter({length + 1: count for length, count in counts.items()})
            counts = longer if block.shortcut is None else counts + longer
    return dict(sorted(counts.items()))
