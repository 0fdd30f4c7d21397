"""The description of a residual network: one small frozen record. Does not import Keras."""

import dataclasses
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypedDict, Unpack, get_origin

from .common.checks import fraction, positive_int, unknown
from .common.keras_names import Initializer
from .common.shapes import ImageShape, image_shape

# A custom block: block(filters=, init_strides=, is_first_block_of_first_layer=)(tensor).
BlockFunction = Callable[..., Any]

# The attribute with the name of a block function of this package.
BLOCK_NAME = "_resnet_builder_block"

# The allowed names, for editors and type checkers. At run time the tables of `plan` decide, and a
# test compares the two.
BlockName = Literal["basic_block", "bottleneck"]
StemName = Literal["imagenet", "deep", "cifar"]
ActivationOrder = Literal["post", "pre", "pre_raw"]
ProjectionName = Literal["conv", "avg_pool", "pad"]
Padding = Literal["symmetric", "same"]


@dataclass(frozen=True, kw_only=True)
class ResnetConfig:
    """The description of a residual network: frozen, hashable, to and from JSON.

    The defaults are PyTorch's conventions (torchvision `models/resnet.py`). Every field is also an
    option of `ResnetBuilder.from_preset`.

    Attributes:
        repetitions: blocks per stage; at every stage after the first the filters double and the
            size halves.
        block: `"basic_block"`, `"bottleneck"`, or a custom function with the same signature. A
            custom block defines its own layers; no field changes them.
        filters: filters of the first stage.
        groups: groups of a bottleneck's 3x3 convolution (ResNeXt, arXiv:1611.05431).
        width_per_group: filters of each of these groups if `filters` is 64 (ResNeXt, and
            torchvision's wide networks, after arXiv:1605.07146).
        stem: `"imagenet"` (7x7 convolution and max pool, together stride 4), `"deep"` (three 3x3
            convolutions in place of the 7x7, arXiv:1812.01187), or `"cifar"` (3x3 convolution,
            stride 1).
        stem_filters: filters of the stem's last convolution. Default: `filters`.
        activation_order: `"post"`, batch norm and activation after each convolution (He et al.
            2015, arXiv:1512.03385); `"pre"`, before it (He et al. 2016, arXiv:1603.05027); or
            `"pre_raw"`, before it as in the article's code, in which the stem's output is already
            activated and projections take a block's raw input.
        activation: name of a Keras activation.
        shortcuts: whether blocks have shortcuts; without them the network is plain.
        projection: the shortcut of a block that changes the shape: `"conv"` (1x1 convolution),
            `"avg_pool"` (average pool, then 1x1 convolution, arXiv:1812.01187), or `"pad"`
            (subsample and pad with zero channels: option A of He et al. 2015, section 3.3).
        stride_in_3x3: whether a bottleneck halves the size in its 3x3 convolution ("v1.5") or in
            its first 1x1 (the 2015 paper).
        se_ratio: width of the squeeze-and-excitation at the end of every residual branch, as a
            fraction of its channels (arXiv:1709.01507); 0 for none.
        eca: whether every residual branch ends in efficient channel attention, a 1D convolution
            along the channels' means (arXiv:1910.03151).
        drop_path_rate: probability that the last residual branch is dropped during training,
            rising linearly from 0 at the first (stochastic depth, arXiv:1603.09382).
        zero_init_last: whether to initialise gamma of the last batch norm of every residual
            branch to 0 (arXiv:1706.02677, section 5.1).
        padding: padding of strided convolutions and pools: `"symmetric"` as in PyTorch, or
            Keras's `"same"`, which pads an even size more at the bottom right.
        use_bias: whether convolutions have a bias.
        batch_norm_epsilon: number added to the variance.
        batch_norm_momentum: momentum of the moving statistics, as defined by Keras (0.9 is
            PyTorch's 0.1).
        kernel_initializer: initialiser of the convolutions: a Keras name such as `"he_normal"`,
            PyTorch's `"he_normal_fan_out"`, or an object of `keras.initializers`, which is stored
            as data.
        classifier_initializer: initialiser of the dense layer: the same, or PyTorch's
            `"torch_linear"`.
        weight_decay: factor of the L2 penalty (`keras.regularizers.L2`) on convolution kernels.
        input_shape: default input shape of a built model: (rows, columns, channels).
        classes: default number of classes of a built model.

    Raises:
        TypeError: a field of the wrong type.
        ValueError: a number out of range. Unknown names and invalid combinations are rejected
            when the network is built.

    Example:
        >>> config = ResnetConfig(block="basic_block", repetitions=[2, 2, 2, 2])
        >>> config.repetitions
        (2, 2, 2, 2)
        >>> ResnetConfig.from_json(config.to_json()) == config
        True
    """

    repetitions: tuple[int, ...]
    block: BlockName | BlockFunction
    filters: int = 64
    groups: int = 1
    width_per_group: int = 64
    stem: StemName = "imagenet"
    stem_filters: int | None = None
    activation_order: ActivationOrder = "post"
    activation: str = "relu"
    shortcuts: bool = True
    projection: ProjectionName = "conv"
    stride_in_3x3: bool = True
    se_ratio: float = 0.0
    eca: bool = False
    drop_path_rate: float = 0.0
    zero_init_last: bool = False
    padding: Padding = "symmetric"
    use_bias: bool = False
    batch_norm_epsilon: float = 1e-5
    batch_norm_momentum: float = 0.9
    kernel_initializer: str | Initializer = "he_normal_fan_out"
    classifier_initializer: str | Initializer = "torch_linear"
    weight_decay: float = 0.0
    input_shape: ImageShape = (224, 224, 3)
    classes: int = 1000

    def __post_init__(self) -> None:
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            kind = str if get_origin(field.type) is Literal else field.type
            if kind in (bool, str) and not isinstance(value, kind):
                raise TypeError(f"{field.name} must be {kind.__name__}, got {value!r}")
        normal: dict[str, Any] = {
            "repetitions": repetition_list(self.repetitions),
            "block": _block_name(self.block),
            "input_shape": image_shape(self.input_shape),
            "drop_path_rate": fraction(self.drop_path_rate, "drop_path_rate"),
            "se_ratio": fraction(self.se_ratio, "se_ratio", 2),
            "batch_norm_epsilon": fraction(self.batch_norm_epsilon, "batch_norm_epsilon"),
            "batch_norm_momentum": fraction(self.batch_norm_momentum, "batch_norm_momentum"),
            "weight_decay": fraction(self.weight_decay, "weight_decay"),
        }
        for name in ("kernel_initializer", "classifier_initializer"):
            normal[name] = Initializer.of(getattr(self, name), name)
        numbers = ["filters", "groups", "width_per_group", "classes"]
        if self.stem_filters is not None:
            numbers.append("stem_filters")
        for name in numbers:
            normal[name] = positive_int(getattr(self, name), name)
        for name, value in normal.items():
            object.__setattr__(self, name, value)

    def replace(self, **changes: Unpack["Changes"]) -> "ResnetConfig":
        """Return the same network with some fields changed.

        Raises:
            TypeError: an unknown field; the message suggests similar names.

        Example:
            >>> narrow = ResnetConfig(block="bottleneck", repetitions=(1, 1)).replace(filters=16)
            >>> narrow.filters
            16
        """
        _check_names(changes)
        fields: Any = changes
        return dataclasses.replace(self, **fields)

    def to_json(self) -> str:
        """Return the record as JSON text for `from_json`.

        Raises:
            TypeError: the block is a function, which JSON cannot represent.

        Example:
            >>> ResnetConfig(block="basic_block", repetitions=(1, 2)).to_json()[:24]
            '{"repetitions": [1, 2], '
        """
        if callable(self.block):
            raise TypeError(f"a config with a block function ({self.block!r}) has no JSON form")
        return json.dumps(dataclasses.asdict(self))

    @classmethod
    def from_json(cls, text: str) -> "ResnetConfig":
        """Read a record written by `to_json`; fields missing from the text have their defaults.

        Example:
            >>> ResnetConfig.from_json('{"block": "bottleneck", "repetitions": [3, 4, 6]}').filters
            64
        """
        fields = json.loads(text)
        if not isinstance(fields, dict):
            raise TypeError(f"the JSON of a ResnetConfig is an object of its fields, got {text!r}")
        _check_names(fields)
        return cls(**fields)


class ConfigChanges(TypedDict, total=False):
    """Config fields that `ResnetBuilder.from_preset` can change, for editors and type checkers."""

    repetitions: Sequence[int]
    block: BlockName | BlockFunction
    filters: int
    groups: int
    width_per_group: int
    stem: StemName
    stem_filters: int | None
    activation_order: ActivationOrder
    activation: str
    shortcuts: bool
    projection: ProjectionName
    stride_in_3x3: bool
    se_ratio: float
    eca: bool
    drop_path_rate: float
    zero_init_last: bool
    padding: Padding
    use_bias: bool
    batch_norm_epsilon: float
    batch_norm_momentum: float
    kernel_initializer: Any
    classifier_initializer: Any
    weight_decay: float


class Changes(ConfigChanges, total=False):
    """All fields of `ResnetConfig`."""

    input_shape: Sequence[int | None]
    classes: int


# The differences of the article's code from PyTorch's conventions, which are the defaults above
# (raghakot/keras-resnet, resnet.py, under Keras 2; batch norm has Keras's own defaults).
ORIGINAL: Mapping[str, Any] = {
    "activation_order": "pre_raw",
    "stride_in_3x3": False,
    "padding": "same",
    "use_bias": True,
    "batch_norm_epsilon": 1e-3,
    "batch_norm_momentum": 0.99,
    "kernel_initializer": "he_normal",
    "classifier_initializer": "he_normal",
    "weight_decay": 1e-4,
}


def repetition_list(repetitions: Any) -> tuple[int, ...]:
    """The number of blocks of each stage, for at least one stage, as a tuple."""
    if isinstance(repetitions, str) or not isinstance(repetitions, Sequence):
        raise TypeError(
            "repetitions must be the number of blocks of each stage, "
            f"for example [2, 2, 2, 2]; got {repetitions!r}"
        )
    blocks = tuple(repetitions)
    if not blocks:
        raise ValueError(
            "repetitions must have at least one stage, for example [2, 2, 2, 2]; got none"
        )
    return tuple(positive_int(number, f"each of repetitions {blocks}") for number in blocks)


def _block_name(block: Any) -> str | BlockFunction:
    """The name of a block of this package given as a function, or the block as it is."""
    block = getattr(block, BLOCK_NAME, block)
    if not (isinstance(block, str) or callable(block)):
        raise TypeError(f"block must be a name or a function, got {block!r}")
    name_or_function: str | BlockFunction = block
    return name_or_function


def _check_names(names: Iterable[str]) -> None:
    known = [field.name for field in dataclasses.fields(ResnetConfig)]
    for name in names:
        if name not in known:
            raise TypeError(unknown("field of ResnetConfig", name, known))
