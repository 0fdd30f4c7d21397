"""The convolutions and the pool at the start of a network. Does not import Keras.

To add a stem, write a function that lists its convolutions, and add a row to `STEMS`; for a pool,
write a function that adds its layers, and add a row to `STEM_POOLS`.
"""

from collections.abc import Callable
from dataclasses import dataclass

from ..common.checks import look_up
from ..common.words import argument
from ..config import ResnetConfig
from .anti_aliasing import ANTI_ALIASING
from .draft import ConvSpec, Draft, Unit
from .layers import AvgPool, Layer, MaxPool, ZeroPad
from .orders import CONV_BN_RELU, ORDERS


def imagenet_stem(filters: int) -> list[ConvSpec]:
    """7x7 convolution that halves the size (He et al. 2015, Table 1)."""
    return [ConvSpec(filters, 7, (2, 2))]


def deep_stem(filters: int) -> list[ConvSpec]:
    """Three 3x3 convolutions, the first of which halves the size (arXiv:1812.01187, Figure 2)."""
    return [ConvSpec(filters // 2, 3, (2, 2)), ConvSpec(filters // 2, 3), ConvSpec(filters, 3)]


def tiered_stem(filters: int) -> list[ConvSpec]:
    """The deep stem with fewer filters in its first convolution (timm models/resnet.py)."""
    first, *others = deep_stem(filters)
    return [ConvSpec(3 * (filters // 8), 3, first.strides), *others]


def cifar_stem(filters: int) -> list[ConvSpec]:
    """3x3 convolution that keeps the size (He et al. 2015, section 4.2)."""
    return [ConvSpec(filters, 3)]


@dataclass(frozen=True)
class Stem:
    """A kind of stem.

    Attributes:
        convs: function that returns its convolutions for a number of filters.
        pooled: whether a pool of stride 2 follows.
        in_words: description for `compare`.
    """

    convs: Callable[[int], list[ConvSpec]]
    pooled: bool
    in_words: str


STEMS = {
    "imagenet": Stem(imagenet_stem, True, "a stem of one 7x7 convolution and a pool"),
    "deep": Stem(deep_stem, True, "a stem of three 3x3 convolutions and a pool"),
    "deep_tiered": Stem(tiered_stem, True, "a stem of three wider and wider 3x3 convolutions"),
    "cifar": Stem(cifar_stem, False, "a stem of one 3x3 convolution"),
}


# Pools ------------------------------------------------------------------------------------------


def max_pool(draft: Draft, x: Layer, name: str) -> None:
    """3x3 max pool (He et al. 2015, Table 1), or the anti-aliasing in its place."""
    kind = draft.config.anti_aliasing
    if not kind:
        draft.max_pool(x, name, 3, (2, 2))
    elif ANTI_ALIASING[kind].replaces_stem_pool:
        # Without incomplete windows (timm models/resnet.py: nn.AvgPool2d(2)).
        draft.add(AvgPool, name, x, pool_size=2, strides=(2, 2), padding="valid")
    else:
        x = draft.max_pool(x, f"{name}_max", 3, (1, 1))
        draft.anti_alias(x, name, (2, 2))


def zero_padded_max_pool(draft: Draft, x: Layer, name: str) -> None:
    """3x3 max pool of a map with zeros around it (BiT: timm models/resnetv2.py, stem "fixed")."""
    x = draft.add(ZeroPad, f"{name}_pad", x, size=1)
    draft.add(MaxPool, name, x, pool_size=3, strides=(2, 2), padding="valid")


def ceil_max_pool(draft: Draft, x: Layer, name: str) -> None:
    """3x3 max pool whose last window may be incomplete (Caffe; timm models/senet.py)."""
    x = draft.add(ZeroPad, f"{name}_pad", x, size=1, before=0)
    draft.add(MaxPool, name, x, pool_size=3, strides=(2, 2), padding="valid")


@dataclass(frozen=True)
class StemPool:
    """A kind of pool after the stem's convolutions.

    Attributes:
        plan: function that adds its layers; None if it is one more convolution of the stem.
        in_words: description for `compare`.
    """

    plan: Callable[[Draft, Layer, str], None] | None
    in_words: str


STEM_POOLS = {
    "max": StemPool(max_pool, "a max pool in the stem"),
    "max_zeros": StemPool(zero_padded_max_pool, "a max pool of a zero-padded map in the stem"),
    "max_ceil": StemPool(ceil_max_pool, "a max pool with a last incomplete window in the stem"),
    "conv": StemPool(None, "a 3x3 convolution in place of the stem's pool"),
}


@dataclass(frozen=True)
class PlannedStem:
    """The units of a stem.

    Attributes:
        convs: a unit for each convolution before the pool.
        pool: the unit of the pool, if there is one.
    """

    convs: tuple[Unit, ...]
    pool: tuple[Unit, ...]

    @property
    def units(self) -> tuple[Unit, ...]:
        """All units, in order."""
        return self.convs + self.pool


def plan_stem(draft: Draft, x: Layer) -> PlannedStem:
    """Add the stem after `x`."""
    config = draft.config
    stem = look_up(STEMS, config.stem, "stem")
    pool = STEM_POOLS[config.stem_pool].plan
    filters = config.stem_filters or config.stage_filters[0]
    specs, names = stem.convs(filters), ["stem_{}"]
    if len(specs) > 1:
        names = [f"stem_{{}}{number}" for number in range(1, len(specs) + 1)]
    if stem.pooled and not pool:
        specs.append(ConvSpec(filters, 3, (2, 2), anti_aliased=config.anti_aliasing is not None))
        names.append("stem_pool_{}")
    steps = [CONV_BN_RELU] * (len(specs) - 1) + [ORDERS[config.activation_order].last_of_stem]
    units = []
    for spec, name, order in zip(specs, names, steps, strict=True):
        units.append(draft.unit(x, name, order, spec))
        x = units[-1][-1]
    if stem.pooled and pool:
        start = len(draft.layers)
        pool(draft, x, "stem_pool")
        units.append(draft.since(start))
        _check_size(config, units[-1][-1])
    last = len(units) - stem.pooled
    return PlannedStem(tuple(units[:last]), tuple(units[last:]))


def _check_size(config: ResnetConfig, pool: Layer) -> None:
    if any(size is not None and size < 1 for size in pool.output_shape):
        raise ValueError(
            f"{argument('input_shape', config.input_shape)} is too small: nothing is left after "
            "the stem's pool. Give 3x3 or more, or change stem_pool or anti_aliasing"
        )
