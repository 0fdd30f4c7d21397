"""A network under construction: layers are added in order, each after its inputs."""

from collections.abc import Callable, Iterable
from typing import Any, NamedTuple, TypeVar

from ..common.words import Description
from ..config import ResnetConfig
from .anti_aliasing import ANTI_ALIASING
from .layers import Activation, Add, Conv, Input, Layer, MaxPool, Pair, Subsample, ZeroPad
from .norms import NORMS
from .orders import Step, Steps

L = TypeVar("L", bound=Layer)

# Layers that form a group: a box in a picture, a line in a table.
Unit = tuple[Layer, ...]


class Composite(tuple[Layer, ...]):
    """A unit of layers with several paths.

    Attributes:
        shown: layers and descriptions that tables and pictures show for it.
    """

    shown: tuple[Layer | Description, ...]

    def __new__(cls, layers: Iterable[Layer], *shown: Layer | Description) -> "Composite":
        """Group layers under what is shown for them."""
        unit = super().__new__(cls, layers)
        unit.shown = shown
        return unit


class ConvSpec(NamedTuple):
    """The settings of one convolution of a block or stem.

    Attributes:
        anti_aliased: whether a pool strides after it, and the convolution does not.
        normalized: whether a norm follows at the start of the next unit.
        plan: function that adds its unit, or several units; None for one convolution.
    """

    filters: int
    kernel_size: int
    strides: Pair = (1, 1)
    groups: int = 1
    dilation: int = 1
    zero_gamma: bool = False
    anti_aliased: bool = False
    normalized: bool = False
    plan: "Callable[[Draft, Layer, str, Steps, ConvSpec], tuple[Unit, ...]] | None" = None


class Draft:
    """The layers of a network or of a block, with the conventions of its config.

    Attributes:
        config: config of the network.
        layers: the layers added so far, in order.
    """

    def __init__(self, config: ResnetConfig) -> None:
        self.config = config
        self.layers: list[Layer] = []

    def add(self, kind: type[L], name: str, *inputs: Layer, **fields: Any) -> L:
        """Add a layer with the given input layers."""
        if kind is Add and len({x.output_shape for x in inputs}) > 1:
            shapes = " and ".join(f"{x.name} {x.output_shape}" for x in inputs)
            raise RuntimeError(
                f"{name} has inputs of different shapes, {shapes}: please report this"
            )
        layer = kind(
            name=name,
            inputs=tuple([layer.name for layer in inputs]),
            input_shape=inputs[0].output_shape,
            **fields,
        )
        self.layers.append(layer)
        return layer

    def input(self) -> Input:
        """Add the input image."""
        image = Input(name="input", inputs=(), input_shape=self.config.input_shape)
        self.layers.append(image)
        return image

    def since(self, start: int) -> Unit:
        """The layers added after the first `start`, as one unit."""
        return tuple(self.layers[start:])

    def unit(self, x: Layer, names: str, steps: Steps, spec: ConvSpec | None = None) -> Unit:
        """Add a convolution with its norm and activation, or some of these.

        Args:
            names: names of the layers, with {} for the kind: `"stage1_block1_{}2"`.
            steps: the steps, in order.
            spec: settings of the convolution, if there is one.
        """
        start = len(self.layers)
        if spec and "norm" in steps[steps.index("conv") :]:
            spec = spec._replace(normalized=True)
        activates = "norm" in steps and NORMS[self.config.norm].activates
        for step in steps:
            if not (step == "act" and activates):
                x = STEPS[step](self, x, names, spec)
        if spec and spec.anti_aliased:
            self.anti_alias(x, names.format("pool"), spec.strides)
        return self.since(start)

    def anti_alias(self, x: Layer, name: str, strides: Pair) -> Layer:
        """Add the pool of the config's anti-aliasing."""
        return ANTI_ALIASING[str(self.config.anti_aliasing)].plan(self, x, name, strides)

    def max_pool(self, x: Layer, name: str, pool_size: int, strides: Pair) -> Layer:
        """Add a max pool, padded as in the config."""
        if self.config.padding == "same":
            return self.add(MaxPool, name, x, pool_size=pool_size, strides=strides)
        # Symmetric padding with minus infinity, correct for any input: Keras pads so at stride 1,
        # and the strides then select the windows. Zero padding and a valid pool are equal only
        # where nothing is negative; they take as long forward, and with the gradient on a CPU 0.6
        # of the time with oneDNN and 0.3 without.
        x = self.add(MaxPool, name, x, pool_size=pool_size)
        return self.add(Subsample, f"{name}_strides", x, strides=strides)


def _add_conv(draft: Draft, x: Layer, names: str, spec: Any) -> Layer:
    config, kind = draft.config, "stdconv" if draft.config.weight_standardization else "conv"
    name, padding, strides = names.format(kind), "same", spec.strides
    if spec.filters < 1:
        raise ValueError(
            f"{name} has no filters: increase filters, stem_filters or width_per_group, or reduce "
            "reduce_first"
        )
    if x.output_channels % spec.groups or spec.filters % spec.groups:
        raise ValueError(
            f"{name}: its {x.output_channels} input channels and {spec.filters} filters are not "
            f"both multiples of its {spec.groups} groups: change groups, filters, width_per_group, "
            "widths or splits"
        )
    # Keras has no convolution that strides and is dilated.
    subsampled = spec.dilation > 1 and strides != (1, 1)
    if subsampled or spec.anti_aliased:
        strides = (1, 1)
    # At stride 1 "same" is symmetric; with strides it pads more at the bottom right.
    if config.padding == "symmetric" and strides != (1, 1) and spec.kernel_size > 1:
        x = draft.add(ZeroPad, f"{name}_pad", x, size=spec.kernel_size // 2)
        padding = "valid"
    x = draft.add(
        Conv,
        name,
        x,
        filters=spec.filters,
        kernel_size=spec.kernel_size,
        strides=strides,
        groups=spec.groups,
        dilation=spec.dilation,
        padding=padding,
        use_bias=config.use_bias is True or (bool(config.use_bias) and not spec.normalized),
        initializer=config.kernel_initializer,
        weight_decay=config.weight_decay,
    )
    if subsampled and not spec.anti_aliased:
        x = draft.add(Subsample, f"{name}_strides", x, strides=spec.strides)
    return x


def _norm(draft: Draft, x: Layer, names: str, spec: Any) -> Layer:
    norm = NORMS[draft.config.norm]
    return norm.plan(draft, x, names.format(norm.role), spec is not None and spec.zero_gamma)


def _act(draft: Draft, x: Layer, names: str, spec: Any) -> Layer:
    return draft.add(Activation, names.format("act"), x, function=draft.config.activation)


STEPS: dict[Step, Callable[[Draft, Layer, str, Any], Layer]] = {
    "conv": _add_conv,
    "norm": _norm,
    "act": _act,
}
