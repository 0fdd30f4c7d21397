"""The convolutions and the pool at the start of a network. Does not import Keras.

To add a stem, write a function that lists its convolutions, and add a row to `STEMS`.
"""

from collections.abc import Callable
from dataclasses import dataclass

from ..common.checks import look_up
from .draft import ConvSpec, Draft, Unit
from .layers import Layer
from .orders import CONV_BN_RELU, ORDERS


def imagenet_stem(filters: int) -> list[ConvSpec]:
    """7x7 convolution that halves the size (He et al. 2015, Table 1)."""
    return [ConvSpec(filters, 7, (2, 2))]


def deep_stem(filters: int) -> list[ConvSpec]:
    """Three 3x3 convolutions, the first of which halves the size (arXiv:1812.01187, Figure 2)."""
    return [ConvSpec(filters // 2, 3, (2, 2)), ConvSpec(filters // 2, 3), ConvSpec(filters, 3)]


def cifar_stem(filters: int) -> list[ConvSpec]:
    """3x3 convolution that keeps the size (He et al. 2015, section 4.2)."""
    return [ConvSpec(filters, 3)]


@dataclass(frozen=True)
class Stem:
    """A kind of stem.

    Attributes:
        convs: function that returns its convolutions for a number of filters.
        pooled: whether a 3x3 max pool of stride 2 follows.
        in_words: description for `compare`.
    """

    convs: Callable[[int], list[ConvSpec]]
    pooled: bool
    in_words: str


STEMS = {
    "imagenet": Stem(imagenet_stem, True, "a stem of one 7x7 convolution and a pool"),
    "deep": Stem(deep_stem, True, "a stem of three 3x3 convolutions and a pool"),
    "cifar": Stem(cifar_stem, False, "a stem of one 3x3 convolution"),
}


def plan_stem(draft: Draft, x: Layer) -> tuple[Unit, ...]:
    """The units of the stem: one for each convolution, and one for the pool if there is one."""
    config = draft.config
    stem = look_up(STEMS, config.stem, "stem")
    specs = stem.convs(config.stem_filters or config.filters)
    last = ORDERS[config.activation_order].last_of_stem
    units = []
    for number, spec in enumerate(specs, start=1):
        names = f"stem_{{}}{number}" if len(specs) > 1 else "stem_{}"
        steps = last if number == len(specs) else CONV_BN_RELU
        units.append(draft.unit(x, names, steps, spec))
        x = units[-1][-1]
    if stem.pooled:
        start = len(draft.layers)
        draft.max_pool(x, "stem_pool", 3, (2, 2))
        units.append(draft.since(start))
    return tuple(units)
