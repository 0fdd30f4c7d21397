"""Attention at the end of a residual branch: channels weighed by what is seen of all. No Keras."""

from math import log2

from ..common.keras_names import Initializer
from .draft import Draft, Unit
from .layers import Activation, ChannelConv, Conv, GlobalPool, Layer, Multiply, Reshape


def plan_attention(draft: Draft, x: Layer, block: str) -> Unit:
    """The attention that the config asks for; no layers if it asks for none."""
    start = len(draft.layers)
    if draft.config.se_ratio:
        squeeze_excite(draft, x, f"{block}_se")
    if draft.config.eca:
        efficient_channel_attention(draft, x, f"{block}_eca")
    return draft.since(start)


def squeeze_excite(draft: Draft, x: Layer, name: str) -> Layer:
    """Means, two 1x1 convolutions with biases, sigmoid (Hu et al. 2017, arXiv:1709.01507)."""
    # Rounded to a multiple of 8, as timm does (layers/squeeze_excite.py).
    reduced = max(8, int(x.output_channels * draft.config.se_ratio + 4) // 8 * 8)

    def conv(y: Layer, role: str, filters: int, activation: str) -> Layer:
        return draft.add(
            Conv,
            f"{name}_{role}",
            y,
            filters=filters,
            kernel_size=1,
            use_bias=True,
            activation=activation,
            initializer=draft.config.kernel_initializer,
            weight_decay=draft.config.weight_decay,
        )

    means = draft.add(GlobalPool, f"{name}_pool", x, keeps_axes=True)
    y = conv(means, "reduce", reduced, "relu")
    y = conv(y, "expand", x.output_channels, "sigmoid")
    return draft.add(Multiply, f"{name}_scale", x, y)


def efficient_channel_attention(draft: Draft, x: Layer, name: str) -> Layer:
    """Means, a 1D convolution over neighbouring channels, sigmoid (arXiv:1910.03151).

    The kernel's size is (log2 C + 1) / 2 made odd, at least 3 (equation 12; timm layers/eca.py).
    """
    channels = x.output_channels
    size = int(log2(channels) + 1) // 2
    size = max(3, size + 1 - size % 2)
    y: Layer = draft.add(GlobalPool, f"{name}_pool", x)
    y = draft.add(Reshape, f"{name}_channels", y, shape=(channels, 1))
    initializer: str | Initializer = draft.config.kernel_initializer
    y = draft.add(ChannelConv, f"{name}_conv", y, kernel_size=size, initializer=initializer)
    y = draft.add(Activation, f"{name}_act", y, function="sigmoid")
    y = draft.add(Reshape, f"{name}_expand", y, shape=(1, 1, channels))
    return draft.add(Multiply, f"{name}_scale", x, y)
