"""How many paths of which length lead through a network, read from its plan. No Keras."""

from collections import Counter

from ..config import ResnetConfig
from ..plan.network import make_plan
from ..presets import resolve


def path_lengths(source: str | ResnetConfig) -> dict[int, int]:
    """How many paths of each length lead from the image to the answer.

    At every block with a shortcut, a projection too, a path either passes the residual branch or
    takes the shortcut: n such blocks make 2^n paths, of which n over k pass k branches (Veit,
    Wilber and Belongie 2016, arXiv:1605.06431, section 3). A block without a shortcut lies on every
    path: a plain network is one path, as long as it has blocks.

    Args:
        source: a preset's name or a `ResnetConfig`.

    Returns:
        The number of paths, an exact int however large, by their length: the number of residual
        branches that they pass; shortest first.

    Raises:
        TypeError: neither a name nor a config.
        ValueError: an unknown name, or a network of blocks of your own, whose inside is unknown.

    Example:
        >>> path_lengths("resnet18")
        {0: 1, 1: 8, 2: 28, 3: 56, 4: 70, 5: 56, 6: 28, 7: 8, 8: 1}
        >>> path_lengths("plain18")
        {8: 1}
    """
    plan = make_plan(resolve(source).config)
    if not plan.is_known:
        raise ValueError(f"the paths inside a block of your own are unknown: {plan.config.block!r}")
    counts = Counter({0: 1})
    for stage in plan.stages:
        for block in stage.blocks:
            longer = Counter({length + 1: count for length, count in counts.items()})
            counts = longer if block.shortcut is None else counts + longer
    return dict(sorted(counts.items()))
