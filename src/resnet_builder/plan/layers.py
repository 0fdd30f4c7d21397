"""The layers of a network as plain data, a class for each kind.

A layer has the names of its input layers, its shapes, weights and multiply-adds. To add a kind,
write a class here, and add a row to `KERAS_LAYERS` in model/keras_layers.py and to `WORDS` in
describe.py.
"""

from dataclasses import dataclass
from math import prod
from typing import Any

from ..common.keras_names import Initializer
from ..common.shapes import Shape, known_product, known_sum

Pair = tuple[int, int]
WeightShape = tuple[int, ...]

# Weights that are not trained.
STATISTICS = ("moving_mean", "moving_variance")


@dataclass(frozen=True, kw_only=True, slots=True)
class Layer:
    """One layer.

    Attributes:
        name: name without the network's `layer_prefix`.
        inputs: names of its input layers.
        input_shape: shape of its first input for one image: (rows, columns, channels) or
            (features,).
    """

    name: str
    inputs: tuple[str, ...]
    input_shape: Shape

    @property
    def channels(self) -> int:
        """Channels of the input; 0 after a custom block."""
        return self.input_shape[-1] or 0

    @property
    def output_shape(self) -> Shape:
        """Shape of the output for one image."""
        return self.input_shape

    @property
    def output_channels(self) -> int:
        """Channels of the output; 0 if unknown."""
        return self.output_shape[-1] or 0

    @property
    def weights(self) -> dict[str, WeightShape]:
        """Shapes of the weights by Keras name, in Keras's order."""
        return {}

    @property
    def counts(self) -> tuple[int, int]:
        """Number of weights that are trained and that are not."""
        sizes = {name: prod(shape) for name, shape in self.weights.items()}
        fixed = sum(sizes.get(name, 0) for name in STATISTICS)
        return sum(sizes.values()) - fixed, fixed

    @property
    def parameters(self) -> int:
        """Number of trained weights."""
        return self.counts[0]

    @property
    def macs(self) -> int | None:
        """Multiply-adds of the kernel for one image; None if unknown."""
        kernel = self.weights.get("kernel")
        return known_product(prod(kernel), *self.output_shape[:-1]) if kernel else 0


class Input(Layer):
    """The image."""


def _resized(shape: Shape, added: int, strides: Pair = (1, 1)) -> Shape:
    """Rows and columns with an addition, divided by the strides and rounded up; and channels."""
    rows, columns, channels = shape
    return (
        None if rows is None else -(-(rows + added) // strides[0]),
        None if columns is None else -(-(columns + added) // strides[1]),
        channels,
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class ZeroPad(Layer):
    """Zero padding: `size` rows and columns at the bottom right, and `before` at the top left.

    `before` is the same as `size` if it is None.
    """

    size: int
    before: int | None = None

    @property
    def output_shape(self) -> Shape:
        """(rows, columns, channels) with the padding."""
        before = self.size if self.before is None else self.before
        return _resized(self.input_shape, before + self.size)


@dataclass(frozen=True, kw_only=True, slots=True)
class ReflectPad(Layer):
    """Padding on each side with the row or column next to the outermost."""

    @property
    def output_shape(self) -> Shape:
        """(rows + 2, columns + 2, channels)."""
        return _resized(self.input_shape, 2)


@dataclass(frozen=True, kw_only=True, slots=True)
class Strided(Layer):
    """A layer whose window moves over the map by its strides.

    Attributes:
        padding: `"same"`, which divides the size by the strides and rounds up, or `"valid"`, none.
        filters: channels of the output; None for as many as the input has.
    """

    kernel_size: int = 1
    strides: Pair = (1, 1)
    dilation: int = 1
    padding: str = "same"
    filters: int | None = None

    @property
    def output_shape(self) -> Shape:
        """(rows / strides, columns / strides, channels), without incomplete windows if valid."""
        margin = 0 if self.padding == "same" else (self.kernel_size - 1) * self.dilation
        *size, channels = _resized(self.input_shape, -margin, self.strides)
        return (*size, self.filters or channels)


@dataclass(frozen=True, kw_only=True, slots=True)
class Conv(Strided):
    """A convolution.

    Attributes:
        standardized: whether checkpoints hold the kernel before weight standardisation.
        activation: activation of the layer itself; None for none.
        weight_decay: factor of the L2 penalty on the kernel.
    """

    filters: int
    initializer: str | Initializer
    groups: int = 1
    standardized: bool = False
    use_bias: bool = False
    activation: str | None = None
    weight_decay: float

    @property
    def weights(self) -> dict[str, WeightShape]:
        """Kernel (rows, columns, in, out), and bias."""
        kernel = (self.kernel_size, self.kernel_size, self.channels // self.groups, self.filters)
        return {"kernel": kernel} | ({"bias": (self.filters,)} if self.use_bias else {})


@dataclass(frozen=True, kw_only=True, slots=True)
class ChannelConv(Layer):
    """A 1D convolution along (channels, 1), without bias."""

    kernel_size: int
    initializer: str | Initializer

    @property
    def weights(self) -> dict[str, WeightShape]:
        """Kernel (channels, in, out)."""
        return {"kernel": (self.kernel_size, 1, 1)}


@dataclass(frozen=True, kw_only=True, slots=True)
class BatchNorm(Layer):
    """Batch normalisation over the channels; gamma is initialised to 0 if `zero_gamma`."""

    epsilon: float
    momentum: float
    zero_gamma: bool = False

    @property
    def weights(self) -> dict[str, WeightShape]:
        """Gamma, beta, and the moving statistics."""
        return dict.fromkeys(("gamma", "beta", *STATISTICS), (self.channels,))


@dataclass(frozen=True, kw_only=True, slots=True)
class GroupNorm(Layer):
    """Group normalisation: each image's statistics over groups of channels (arXiv:1803.08494)."""

    groups: int
    epsilon: float
    zero_gamma: bool = False

    @property
    def weights(self) -> dict[str, WeightShape]:
        """Gamma and beta."""
        return dict.fromkeys(("gamma", "beta"), (self.channels,))


@dataclass(frozen=True, kw_only=True, slots=True)
class GroupDeviation(Layer):
    """The standard deviation of every group of channels, for each of its channels."""

    groups: int
    epsilon: float

    @property
    def output_shape(self) -> Shape:
        """(1, 1, channels)."""
        return (1, 1, self.channels)


class Divide(Layer):
    """The quotient of its two inputs."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ChannelScale(Layer):
    """A factor for every channel, and a bias: a 1x1 depthwise convolution."""

    use_bias: bool = False

    @property
    def weights(self) -> dict[str, WeightShape]:
        """Kernel (1, 1, channels, 1), and bias."""
        kernel = {"kernel": (1, 1, self.channels, 1)}
        return kernel | ({"bias": (self.channels,)} if self.use_bias else {})


@dataclass(frozen=True, kw_only=True, slots=True)
class Activation(Layer):
    """An activation, by Keras name."""

    function: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Softmax(Layer):
    """Softmax along an axis or axes of the image's tensor, counted from 1 as in Keras."""

    axis: int | tuple[int, ...]


class WeightedSum(Layer):
    """The sum of a map's pixels, each weighted by the pixel of another map of one channel."""

    @property
    def output_shape(self) -> Shape:
        """(1, 1, channels)."""
        return (1, 1, self.channels)


class Pool(Strided):
    """Pooling."""


class MaxPool(Pool):
    """Max pooling."""


class AvgPool(Pool):
    """Average pooling; the means exclude the padding."""


class HalfBlur(AvgPool):
    """The first of the two average pools of a blur, which is [1, 1] * [1, 1] = [1, 2, 1]."""


class Blur(AvgPool):
    """The second of the two average pools of a blur."""


class Subsample(Strided):
    """Subsampling: every `strides`-th row and column."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Rechanneled(Layer):
    """A layer that changes the number of channels to `filters`, and nothing else of the shape."""

    filters: int

    @property
    def output_shape(self) -> Shape:
        """(rows, columns, filters)."""
        return (*self.input_shape[:2], self.filters)


class ChannelPad(Rechanneled):
    """Padding with zero channels on both sides."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ChannelSlice(Rechanneled):
    """Some neighbouring channels."""

    first: int


class Concatenate(Rechanneled):
    """The channels of its inputs, one after the other."""


@dataclass(frozen=True, kw_only=True, slots=True)
class GlobalPool(Layer):
    """Global pooling: the mean (`pooling="avg"`) or maximum (`"max"`) of every channel."""

    pooling: str = "avg"
    keeps_axes: bool = False

    @property
    def output_shape(self) -> Shape:
        """(channels,), or (1, 1, channels)."""
        return (1, 1, self.channels) if self.keeps_axes else (self.channels,)


def known_tokens(sequence: Shape) -> int:
    """The number of tokens of a sequence's shape.

    Raises:
        ValueError: it is unknown.
    """
    if sequence[0] is None:
        raise ValueError(
            "an attention pool (pooling or head_pool) has a position for every pixel of the last "
            "map, and a side of input_shape is unknown: give both sides, or pool otherwise"
        )
    return sequence[0]


class Tokens(Layer):
    """The mean of a map, and its pixels, as a sequence."""

    @property
    def output_shape(self) -> Shape:
        """(1 + rows * columns, channels)."""
        return (known_sum([1, known_product(*self.input_shape[:-1])]), self.channels)


class TokenNumbers(Layer):
    """The numbers of a sequence's tokens: 0, 1, 2, ..."""

    @property
    def output_shape(self) -> Shape:
        """(tokens,)."""
        return self.input_shape[:1]


@dataclass(frozen=True, kw_only=True, slots=True)
class Embedding(Layer):
    """A learned vector for the number of every token."""

    filters: int

    @property
    def output_shape(self) -> Shape:
        """(tokens, filters)."""
        return (*self.input_shape, self.filters)

    @property
    def weights(self) -> dict[str, WeightShape]:
        """Embeddings (tokens, filters); of no tokens if their number is unknown."""
        return {"embeddings": (self.input_shape[0] or 0, self.filters)}

    @property
    def counts(self) -> tuple[int, int]:
        """Number of weights, which are trained."""
        return known_tokens(self.input_shape) * self.filters, 0


class FirstToken(Layer):
    """The first token of a sequence."""

    @property
    def output_shape(self) -> Shape:
        """(1, channels)."""
        return (1, self.channels)


@dataclass(frozen=True, kw_only=True, slots=True)
class Attention(Layer):
    """Scaled dot-product attention of one query over keys and values (arXiv:1706.03762).

    Attributes:
        tokens: number of the keys; None if unknown.
        heads: parts of the channels, each with its own attention.
    """

    tokens: int | None
    heads: int

    @property
    def output_shape(self) -> Shape:
        """(channels,)."""
        return (self.channels,)

    @property
    def macs(self) -> int | None:
        """The products of query and keys, and of their weights and the values."""
        return known_product(2, self.tokens, self.channels)


@dataclass(frozen=True, kw_only=True, slots=True)
class Reshape(Layer):
    """A change of shape."""

    shape: tuple[int, ...]

    @property
    def output_shape(self) -> Shape:
        """The new shape."""
        return self.shape


@dataclass(frozen=True, kw_only=True, slots=True)
class Transpose(Layer):
    """The axes of the image's tensor in another order, counted from 1 as in Keras."""

    axes: tuple[int, ...]

    @property
    def output_shape(self) -> Shape:
        """The sizes in the new order."""
        return tuple(self.input_shape[axis - 1] for axis in self.axes)


class Add(Layer):
    """The sum of its inputs."""


class Multiply(Layer):
    """The product of a map and another one, or a factor for each of its channels."""


class Identity(Layer):
    """A name for a tensor."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Dropout(Layer):
    """Dropout: drops features with probability `rate` during training."""

    rate: float


class DropPath(Dropout):
    """Stochastic depth: drops the whole tensor of each image."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Dense(Layer):
    """A dense layer with bias; its output is in full precision under a mixed policy."""

    units: int
    activation: str | None
    initializer: str | Initializer

    @property
    def output_shape(self) -> Shape:
        """(units,), or (tokens, units)."""
        return (*self.input_shape[:-1], self.units)

    @property
    def weights(self) -> dict[str, WeightShape]:
        """Kernel (features, units) and bias."""
        return {"kernel": (self.channels, self.units), "bias": (self.units,)}


class TokenDense(Dense):
    """A dense layer for every token, in the precision of the policy."""


@dataclass(frozen=True, kw_only=True, slots=True)
class OwnBlock(Layer):
    """A user-supplied block function; the shape of its output is unknown."""

    function: Any
    filters: int
    strides: Pair
    opens_network: bool

    @property
    def output_shape(self) -> Shape:
        """Unknown."""
        return (None, None, 0)
