"""The convolutions and the pool at the start of a network.

To add a stem, write a function that lists its convolutions, and add a row to `STEMS`; for a pool,
write a function that adds its layers, and add a row to `STEM_POOLS`.
"""

from collections.abc import Callable
from dataclasses import dataclass

from ..common.words import argument
from .draft import Draft, Unit
from .layers import AvgPool, Layer, MaxPool, Pair, Subsample, ZeroPad
from .names import STEM, At
from .units import ANTI_ALIASING, CONV, CONV_BN_RELU, ORDERS, ConvSpec, add_unit


def imagenet_stem(filters: int) -> list[ConvSpec]:
    """7x7 convolution that halves the size (He et al. 2015, Table 1)."""
    return [ConvSpec(filters, 7, (2, 2))]


def deep_stem(filters: int) -> list[ConvSpec]:
    """Three 3x3 convolutions, the first of which halves the size (arXiv:1812.01187, Figure 2)."""
    return [ConvSpec(filters // 2, 3, (2, 2)), ConvSpec(filters // 2, 3), ConvSpec(filters, 3)]


def tiered_stem(filters: int) -> list[ConvSpec]:
    """The deep stem with fewer filters in its first convolution (timm models/resnet.py)."""
    first, *others = deep_stem(filters)
    return [first._replace(filters=3 * (filters // 8)), *others]


def quad_stem(filters: int) -> list[ConvSpec]:
    """Four 3x3 convolutions, the first and last of which halve the size (timm's "quad2")."""
    first, *others = (filters // divisor for divisor in (8, 4, 2, 1))
    *middle, last = (ConvSpec(count, 3) for count in others)
    return [ConvSpec(first, 3, (2, 2)), *middle, last._replace(strides=(2, 2))]


def regnet_stem(filters: int) -> list[ConvSpec]:
    """3x3 convolution that halves the size (arXiv:2003.13678, section 3.2)."""
    return [ConvSpec(filters, 3, (2, 2))]


def cifar_stem(filters: int) -> list[ConvSpec]:
    """3x3 convolution that keeps the size (He et al. 2015, section 4.2)."""
    return [ConvSpec(filters, 3)]


@dataclass(frozen=True)
class Stem:
    """A kind of stem.

    Attributes:
        convs: function that returns its convolutions for a number of filters.
        in_words: description for `compare`.
        linear: number of convolutions at its start without norm and activation.
    """

    convs: Callable[[int], list[ConvSpec]]
    in_words: str
    linear: int = 0


STEMS = {
    "imagenet": Stem(imagenet_stem, "a stem of one 7x7 convolution and a pool"),
    "deep": Stem(deep_stem, "a stem of three 3x3 convolutions and a pool"),
    "deep_tiered": Stem(tiered_stem, "a stem of three wider and wider 3x3 convolutions"),
    "cifar": Stem(cifar_stem, "a stem of one 3x3 convolution"),
    "quad": Stem(quad_stem, "a stem of four 3x3 convolutions, the first two linear", linear=2),
    "regnet": Stem(regnet_stem, "a stem of one 3x3 convolution that strides, as the first stage"),
}


# Pools ------------------------------------------------------------------------------------------


def max_pool(draft: Draft, x: Layer, at: At) -> None:
    """3x3 max pool (He et al. 2015, Table 1), or the anti-aliasing in its place."""
    kind = draft.config.anti_aliasing
    if not kind:
        _max_pool(draft, x, at, "pool", (2, 2))
    elif ANTI_ALIASING[kind].replaces_stem_pool:
        # Without incomplete windows (timm models/resnet.py: nn.AvgPool2d(2)).
        draft.add(AvgPool, at("pool"), x, kernel_size=2, strides=(2, 2), padding="valid")
    else:
        x = _max_pool(draft, x, at.inside("pool"), "max", (1, 1))
        ANTI_ALIASING[kind].add(draft, x, at, (2, 2))


def _max_pool(draft: Draft, x: Layer, at: At, kind: str, strides: Pair) -> Layer:
    """A 3x3 max pool, padded as in the config."""
    if draft.config.padding == "same":
        return draft.add(MaxPool, at(kind), x, kernel_size=3, strides=strides)
    # Symmetric padding with minus infinity, correct for any input: Keras pads so at stride 1, and
    # the strides then select the windows. Zero padding and a valid pool are equal only where
    # nothing is negative; they take as long forward, and with the gradient on a CPU 0.6 of the
    # time with oneDNN and 0.3 without.
    x = draft.add(MaxPool, at(kind), x, kernel_size=3)
    return draft.add(Subsample, at(kind, "strides"), x, strides=strides)


def zero_padded_max_pool(draft: Draft, x: Layer, at: At) -> None:
    """3x3 max pool of a map with zeros around it (BiT: timm models/resnetv2.py, stem "fixed")."""
    x = draft.add(ZeroPad, at("pool", "pad"), x, size=1)
    draft.add(MaxPool, at("pool"), x, kernel_size=3, strides=(2, 2), padding="valid")


def ceil_max_pool(draft: Draft, x: Layer, at: At) -> None:
    """3x3 max pool whose last window may be incomplete (Caffe; timm models/senet.py)."""
    x = draft.add(ZeroPad, at("pool", "pad"), x, size=1, before=0)
    draft.add(MaxPool, at("pool"), x, kernel_size=3, strides=(2, 2), padding="valid")


@dataclass(frozen=True)
class StemPool:
    """A kind of pool after the stem's convolutions.

    Attributes:
        add: function that adds its layers; None if a convolution of the stem strides.
        in_words: description for `compare`.
    """

    add: Callable[[Draft, Layer, At], None] | None
    in_words: str


STEM_POOLS = {
    "max": StemPool(max_pool, "a max pool in the stem"),
    "max_zeros": StemPool(zero_padded_max_pool, "a max pool of a zero-padded map in the stem"),
    "max_ceil": StemPool(ceil_max_pool, "a max pool with a last incomplete window in the stem"),
    "conv": StemPool(None, "a 3x3 convolution in place of the stem's pool"),
    "stride": StemPool(None, "a stride in the stem's last convolution in place of the pool"),
}


def add_stem(draft: Draft, x: Layer) -> tuple[list[Unit], list[Unit]]:
    """Add the stem after `x`: the units of its convolutions, and the unit of its pool if any."""
    config, at = draft.config, At(STEM)
    stem, add_pool = STEMS[config.stem], STEM_POOLS[config.stem_pool].add
    filters = config.stem_filters or config.stage_filters[0]
    specs, places = stem.convs(filters), [at]
    if len(specs) > 1:
        places = [at.numbered(number) for number in range(1, len(specs) + 1)]
    if config.pools_in_stem and not add_pool:
        specs.append(ConvSpec(filters, 3, (2, 2), anti_aliased=config.anti_aliasing is not None))
        places.append(at.inside("pool"))
    elif config.stem_pool == "stride" and len(specs) > 1:
        specs[-1] = specs[-1]._replace(strides=(2, 2))
    steps = [CONV_BN_RELU] * (len(specs) - 1) + [ORDERS[config.activation_order].last_of_stem]
    steps[: stem.linear] = [CONV] * stem.linear
    units = []
    for spec, place, of_conv in zip(specs, places, steps, strict=True):
        units.append(add_unit(draft, x, place, of_conv, spec))
        x = units[-1][-1]
    if config.pools_in_stem and add_pool:
        start = len(draft.layers)
        add_pool(draft, x, at)
        units.append(draft.since(start))
        if 0 in draft.layers[-1].output_shape:
            raise ValueError(
                f"{argument('input_shape', config.input_shape)} is too small: nothing is left "
                "after the stem's pool. Give 3x3 or more, or change stem_pool or anti_aliasing"
            )
    last = len(units) - config.pools_in_stem
    return units[:last], units[last:]
