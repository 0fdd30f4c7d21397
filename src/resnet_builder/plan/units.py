"""Units of layers: a convolution with its norm and activation, in the order of the config.

To add an order, add a row to `ORDERS`. To add a kind of anti-aliasing, write a function that adds
its layers, and add a row to `ANTI_ALIASING`.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, NamedTuple

from . import layers
from .draft import Draft, Unit
from .layers import Layer, Pair
from .names import PLAIN_CONV, STANDARDIZED_CONV, At
from .norms import NORMS

# Orders ------------------------------------------------------------------------------------------

Step = Literal["conv", "norm", "act"]
Steps = tuple[Step, ...]

CONV: Steps = ("conv",)
CONV_BN: Steps = ("conv", "norm")
CONV_BN_RELU: Steps = ("conv", "norm", "act")
BN_RELU: Steps = ("norm", "act")
BN_RELU_CONV: Steps = ("norm", "act", "conv")


@dataclass(frozen=True, kw_only=True)
class Order:
    """The steps at each place of a network.

    Attributes:
        residual: steps of the convolutions of a residual branch.
        last_of_residual: steps of its last convolution.
        first_of_network: steps of the first convolution of the network's first block.
        last_of_stem: steps of the stem's last convolution; those before it are `CONV_BN_RELU`.
        projection: steps of a shortcut's convolution.
        ends_in_activation: whether an activation follows the sum of a block.
        head: steps before the head's pool.
        shares_activation: whether a block with a projection begins with a `BN_RELU` that the
            residual branch and the shortcut share.
        activates_identity: whether all blocks do, those with an identity as well.
        in_words: description for `compare`.
    """

    in_words: str
    residual: Steps
    last_of_residual: Steps
    first_of_network: Steps
    last_of_stem: Steps
    projection: Steps
    ends_in_activation: bool = False
    head: Steps = BN_RELU
    shares_activation: bool = False
    activates_identity: bool = False


ORDERS = {
    # He et al. 2015, Figure 2.
    "post": Order(
        in_words="batch norm and activation after each convolution",
        residual=CONV_BN_RELU,
        last_of_residual=CONV_BN,
        first_of_network=CONV_BN_RELU,
        last_of_stem=CONV_BN_RELU,
        projection=CONV_BN,
        ends_in_activation=True,
        head=(),
    ),
    # He et al. 2016, Figure 4(e). A projection takes the activated input and an identity the raw
    # one, in the first block too (timm models/resnetv2.py; the paper's appendix activates before
    # its first block splits).
    "pre": Order(
        in_words="batch norm and activation before each convolution",
        residual=BN_RELU_CONV,
        last_of_residual=BN_RELU_CONV,
        first_of_network=BN_RELU_CONV,
        last_of_stem=CONV,
        projection=CONV,
        shares_activation=True,
    ),
    # The article's code: the stem has activated the input of the first block.
    "pre_raw": Order(
        in_words="batch norm and activation before each convolution except projections",
        residual=BN_RELU_CONV,
        last_of_residual=BN_RELU_CONV,
        first_of_network=CONV,
        last_of_stem=CONV_BN_RELU,
        projection=CONV,
    ),
    # timm models/regnet.py, PreBottleneck.
    "pre_shared": Order(
        in_words="batch norm and activation before each convolution, and before every shortcut",
        residual=BN_RELU_CONV,
        last_of_residual=BN_RELU_CONV,
        first_of_network=BN_RELU_CONV,
        last_of_stem=CONV,
        projection=CONV,
        head=("act",),
        activates_identity=True,
    ),
}

# Anti-aliasing -----------------------------------------------------------------------------------


def average(draft: Draft, x: Layer, at: At, strides: Pair) -> Layer:
    """An average pool of the size of its strides (timm models/resnet.py, aa_layer=AvgPool2d)."""
    if strides == (1, 1):
        return x
    return draft.add(layers.AvgPool, at("pool"), x, kernel_size=2, strides=strides)


def blur(draft: Draft, x: Layer, at: At, strides: Pair) -> Layer:
    """[1, 2, 1] / 4 along both axes (arXiv:1904.11486; timm layers/blur_pool.py)."""
    x = draft.add(layers.ReflectPad, at("pool", "pad"), x)
    x = draft.add(layers.HalfBlur, at("pool", "half"), x, kernel_size=2, padding="valid")
    return draft.add(layers.Blur, at("pool"), x, kernel_size=2, strides=strides, padding="valid")


@dataclass(frozen=True)
class AntiAliasing:
    """A kind of pool that strides in place of convolutions.

    Attributes:
        add: function that adds its layers.
        replaces_stem_pool: whether it takes the place of the stem's max pool; if not, it follows
            the pool, which then does not stride.
        in_words: description for `compare`.
    """

    add: Callable[[Draft, Layer, At, Pair], Layer]
    replaces_stem_pool: bool
    in_words: str


ANTI_ALIASING = {
    "avg": AntiAliasing(average, True, "average pools that stride"),
    "blur": AntiAliasing(blur, False, "blurs that stride"),
}

# Units -------------------------------------------------------------------------------------------


class ConvSpec(NamedTuple):
    """The settings of one convolution of a block or stem.

    Attributes:
        anti_aliased: whether a pool strides after it, and the convolution does not.
        normalized: whether a norm follows at the start of the next unit.
        add: function that adds several convolutions in its place, as one or more units.
        then: function that adds a unit after it.
    """

    filters: int
    kernel_size: int
    strides: Pair = (1, 1)
    groups: int = 1
    dilation: int = 1
    zero_gamma: bool = False
    anti_aliased: bool = False
    normalized: bool = False
    add: "Callable[[Draft, Layer, At, Steps, ConvSpec], list[Unit]] | None" = None
    then: Callable[[Draft, Layer], Unit] | None = None


def add_unit(draft: Draft, x: Layer, at: At, steps: Steps, spec: ConvSpec | None = None) -> Unit:
    """Add a convolution with its norm and activation, or some of these.

    Args:
        steps: the steps, in order.
        spec: settings of the convolution, if there is one.
    """
    start, norm = len(draft.layers), NORMS[draft.config.norm]
    for number, step in enumerate(steps):
        if step == "norm":
            x = norm.add(draft, x, at, spec is not None and spec.zero_gamma)
        elif step == "act":
            if not (norm.activates and "norm" in steps):
                x = draft.add(layers.Activation, at("act"), x, function=draft.config.activation)
        elif spec:
            x = _add_conv(draft, x, at, spec, spec.normalized or "norm" in steps[number:])
    if spec and spec.anti_aliased:
        ANTI_ALIASING[str(draft.config.anti_aliasing)].add(draft, x, at, spec.strides)
    return draft.since(start)


def _add_conv(draft: Draft, x: Layer, at: At, spec: ConvSpec, is_normalized: bool) -> Layer:
    config, strides, padding = draft.config, spec.strides, "same"
    kind = STANDARDIZED_CONV if config.weight_standardization else PLAIN_CONV
    if spec.filters < 1:
        raise ValueError(
            f"{at(kind)} has no filters: increase filters, stem_filters or width_per_group, or "
            "reduce reduce_first"
        )
    if x.output_channels % spec.groups or spec.filters % spec.groups:
        raise ValueError(
            f"{at(kind)}: its {x.output_channels} input channels and {spec.filters} filters are "
            f"not both multiples of its {spec.groups} groups: change groups, filters, "
            "width_per_group, widths or splits"
        )
    # Keras has no convolution that strides and is dilated.
    subsampled = spec.dilation > 1 and strides != (1, 1)
    if subsampled or spec.anti_aliased:
        strides = (1, 1)
    # At stride 1 "same" is symmetric; with strides it pads more at the bottom right.
    if config.padding == "symmetric" and strides != (1, 1) and spec.kernel_size > 1:
        x = draft.add(layers.ZeroPad, at(kind, "pad"), x, size=spec.kernel_size // 2)
        padding = "valid"
    x = draft.add_conv(
        at(kind),
        x,
        spec.filters,
        kernel_size=spec.kernel_size,
        strides=strides,
        groups=spec.groups,
        dilation=spec.dilation,
        padding=padding,
        standardized=config.weight_standardization,
        use_bias=config.use_bias is True or (bool(config.use_bias) and not is_normalized),
    )
    if subsampled and not spec.anti_aliased:
        x = draft.add(layers.Subsample, at(kind, "strides"), x, strides=spec.strides)
    return x
