"""A network as plain data: its stages, blocks and convolutions with names, shapes and costs.

The plan is the one description of a network: `planner` makes it from a config, and the Keras model,
the counts and the pictures are readings of it. No Keras here.

Every part knows what it costs: `parameters` are trained; `statistics` are the moving means and
variances of batch norm; `macs` are the multiply-adds of convolutions and dense layers, for one
image (None where the size of the image is unknown).
"""

from collections.abc import Iterator
from dataclasses import dataclass

from ..common.shapes import UNKNOWN, Shape, known_product
from ..config import ResnetConfig

Pair = tuple[int, int]


@dataclass(frozen=True, kw_only=True)
class Part:
    """One step on the way from the image to the answer."""

    name: str
    input_shape: Shape
    strides: Pair = (1, 1)

    @property
    def output_shape(self) -> Shape:
        """(rows, columns, channels) behind it: sizes are divided by the strides and rounded up."""
        rows, columns = (
            None if size is None else -(-size // stride)
            for size, stride in zip(self.input_shape[:2], self.strides, strict=True)
        )
        return rows, columns, self.output_channels

    @property
    def output_channels(self) -> int:
        """Channels behind it."""
        return self.input_shape[2]

    @property
    def parameters(self) -> int:
        """Weights that are trained."""
        return 0

    @property
    def statistics(self) -> int:
        """Moving means and variances."""
        return 0

    @property
    def macs(self) -> int | None:
        """Multiply-adds for one image."""
        return 0


@dataclass(frozen=True, kw_only=True)
class BnRelu(Part):
    """Batch norm and activation."""

    activation_name: str

    @property
    def parameters(self) -> int:
        """Gamma and beta."""
        return 2 * self.input_shape[2]

    @property
    def statistics(self) -> int:
        """Moving mean and variance."""
        return 2 * self.input_shape[2]


@dataclass(frozen=True, kw_only=True)
class Conv(Part):
    """A convolution with the batch norm and the activation that go with it.

    `unit` is their order: `"conv"`, `"conv_bn"`, `"conv_bn_relu"` or `"bn_relu_conv"`.
    """

    filters: int
    kernel_size: int
    unit: str
    groups: int = 1
    dilation: int = 1
    use_bias: bool = False
    zero_gamma: bool = False

    @property
    def output_channels(self) -> int:
        """Channels behind it."""
        return self.filters

    @property
    def _kernel(self) -> int:
        return self.kernel_size**2 * self.input_shape[2] // self.groups * self.filters

    @property
    def parameters(self) -> int:
        """Kernel, bias, gamma and beta."""
        return self._kernel + self.use_bias * self.filters + self.statistics

    @property
    def statistics(self) -> int:
        """Moving mean and variance of its batch norm, which are as many as gamma and beta."""
        normalised = {"conv": 0, "bn_relu_conv": self.input_shape[2]}
        return 2 * normalised.get(self.unit, self.filters)

    @property
    def macs(self) -> int | None:
        """Multiply-adds for one image."""
        return known_product(self._kernel, *self.output_shape[:2])

    def companion(self, kind: str) -> str:
        """Name of the layer of another kind that goes with this one: block1_conv2 -> block1_bn2."""
        before, _, number = self.name.rpartition("conv")
        return f"{before}{kind}{number}"


@dataclass(frozen=True, kw_only=True)
class Pool(Part):
    """A pool over windows: `kind` is `"max"` or `"avg"`."""

    kind: str
    pool_size: int


@dataclass(frozen=True, kw_only=True)
class ChannelPad(Part):
    """Every `strides`-th place, with zero channels on both sides up to `filters`."""

    filters: int

    @property
    def output_channels(self) -> int:
        """Channels behind it."""
        return self.filters


@dataclass(frozen=True, kw_only=True)
class SqueezeExcite(Part):
    """Channels weighed by what two 1x1 convolutions with biases make of their means."""

    reduced: int

    @property
    def parameters(self) -> int:
        """Two kernels and two biases."""
        return 2 * self.input_shape[2] * self.reduced + self.reduced + self.input_shape[2]

    @property
    def macs(self) -> int | None:
        """Multiply-adds for one image."""
        return 2 * self.input_shape[2] * self.reduced


@dataclass(frozen=True, kw_only=True)
class DropPath(Part):
    """In training, all of the tensor is dropped with probability `rate`."""

    rate: float


@dataclass(frozen=True, kw_only=True)
class GlobalPool(Part):
    """A number per channel: `kind` is `"max"` or `"avg"`."""

    kind: str

    @property
    def output_shape(self) -> Shape:
        """One place."""
        return (1, 1, self.input_shape[2])


@dataclass(frozen=True, kw_only=True)
class Dropout(Part):
    """In training, features are dropped with probability `rate`."""

    rate: float


@dataclass(frozen=True, kw_only=True)
class Classifier(Part):
    """The dense layer that answers with a number per class."""

    classes: int
    activation: str | None

    @property
    def output_channels(self) -> int:
        """Units."""
        return self.classes

    @property
    def parameters(self) -> int:
        """Kernel and bias."""
        return (self.input_shape[2] + 1) * self.classes

    @property
    def macs(self) -> int | None:
        """Multiply-adds for one image."""
        return self.input_shape[2] * self.classes


@dataclass(frozen=True, kw_only=True)
class Block:
    """x + f(x): a residual branch and a shortcut, over an activation of x that both may share.

    `shortcut` is empty for the identity, and None in a plain network. The inside of a block
    function of a user's own is unknown: `residual` is empty.
    """

    name: str
    filters: int
    strides: Pair
    opens_network: bool
    shared: BnRelu | None = None
    residual: tuple[Part, ...] = ()
    shortcut: tuple[Part, ...] | None = None
    ends_in_activation: bool = False

    @property
    def parts(self) -> Iterator[Part]:
        """Everything in it."""
        yield from (self.shared,) if self.shared else ()
        yield from self.residual
        yield from self.shortcut or ()

    @property
    def output_shape(self) -> Shape:
        """(rows, columns, channels) behind it."""
        return self.residual[-1].output_shape if self.residual else UNKNOWN


@dataclass(frozen=True)
class Stage:
    """Blocks of one size."""

    name: str
    blocks: tuple[Block, ...]

    @property
    def parts(self) -> Iterator[Part]:
        """Everything in it."""
        for block in self.blocks:
            yield from block.parts


@dataclass(frozen=True)
class Plan:
    """A whole network at the input shape and number of classes of its config.

    `stem` are convolutions and perhaps a pool behind them; `head` is what follows the last stage.
    """

    config: ResnetConfig
    stem: tuple[Part, ...]
    stages: tuple[Stage, ...]
    head: tuple[Part, ...]

    @property
    def parts(self) -> Iterator[Part]:
        """Everything in it."""
        yield from self.stem
        for stage in self.stages:
            yield from stage.parts
        yield from self.head
