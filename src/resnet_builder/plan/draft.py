"""A network under construction: layers are added in order, each after its inputs."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from ..config import ResnetConfig
from .layers import Activation, BatchNorm, Conv, Input, Layer, MaxPool, Pair, Subsample, ZeroPad
from .orders import Step, Steps

L = TypeVar("L", bound=Layer)

# Layers that form a group: a box in a picture, a line in a table.
Unit = tuple[Layer, ...]


@dataclass(frozen=True)
class ConvSpec:
    """The settings of one convolution of a block or stem."""

    filters: int
    kernel_size: int
    strides: Pair = (1, 1)
    groups: int = 1
    dilation: int = 1
    zero_gamma: bool = False


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
        for step in steps:
            x = STEPS[step](self, x, names, spec)
        return self.since(start)

    def max_pool(self, x: Layer, name: str, pool_size: int, strides: Pair) -> Layer:
        """Add a max pool, padded as in the config."""
        if self.config.padding == "same":
            return self.add(MaxPool, name, x, pool_size=pool_size, strides=strides)
        # Symmetric padding with minus infinity, correct for any input: Keras pads so at stride 1,
        # and the strides then select the windows. It is as fast as zero padding before the pool.
        x = self.add(MaxPool, name, x, pool_size=pool_size)
        return self.add(Subsample, f"{name}_strides", x, strides=strides)


def _conv(draft: Draft, x: Layer, names: str, spec: Any) -> Layer:
    config, name, padding = draft.config, names.format("conv"), "same"
    if spec.filters < 1:
        raise ValueError(
            "a convolution has no filters: increase filters, stem_filters or width_per_group"
        )
    # At stride 1 "same" is symmetric; with strides it pads more at the bottom right.
    if config.padding == "symmetric" and spec.strides != (1, 1) and spec.kernel_size > 1:
        x = draft.add(ZeroPad, f"{name}_pad", x, size=spec.kernel_size // 2)
        padding = "valid"
    return draft.add(
        Conv,
        name,
        x,
        filters=spec.filters,
        kernel_size=spec.kernel_size,
        strides=spec.strides,
        groups=spec.groups,
        dilation=spec.dilation,
        padding=padding,
        use_bias=config.use_bias,
        initializer=config.kernel_initializer,
        weight_decay=config.weight_decay,
    )


def _norm(draft: Draft, x: Layer, names: str, spec: Any) -> Layer:
    return draft.add(
        BatchNorm,
        names.format("bn"),
        x,
        epsilon=draft.config.batch_norm_epsilon,
        momentum=draft.config.batch_norm_momentum,
        zero_gamma=spec is not None and spec.zero_gamma,
    )


def _act(draft: Draft, x: Layer, names: str, spec: Any) -> Layer:
    return draft.add(Activation, names.format("act"), x, function=draft.config.activation)


STEPS: dict[Step, Callable[[Draft, Layer, str, Any], Layer]] = {
    "conv": _conv,
    "norm": _norm,
    "act": _act,
}
