"""The description of a residual network: one small frozen record. Does not import Keras."""

import dataclasses
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from types import NoneType, UnionType
from typing import (
    TYPE_CHECKING,
    Any,
    Literal,
    NotRequired,
    TypedDict,
    Union,
    Unpack,
    get_args,
    get_origin,
)

from .common.checks import fraction, positive_int, unknown
from .common.keras_names import Initializer
from .common.shapes import ImageShape, image_shape
from .effects import following, without_effect

# A custom block: block(filters=, init_strides=, is_first_block_of_first_layer=)(tensor).
BlockFunction = Callable[..., Any]

# The attribute with the name of a block function of this package.
BLOCK_NAME = "_resnet_builder_block"

# The allowed names, for editors and type checkers. At run time the tables of `plan` decide, and a
# test compares the two.
BlockName = Literal[
    "basic_block",
    "bottleneck",
    "res2net_bottleneck",
    "sk_basic_block",
    "sk_bottleneck",
    "resnest_bottleneck",
]
StemName = Literal["imagenet", "deep", "deep_tiered", "cifar"]
StemPoolName = Literal["max", "max_zeros", "max_ceil", "conv"]
ActivationOrder = Literal["post", "pre", "pre_raw"]
NormName = Literal["batch", "group", "evonorm_s0"]
AntiAliasingName = Literal["avg", "blur"]
ProjectionName = Literal["conv", "avg_pool", "pad"]
Padding = Literal["symmetric", "same"]
Biases = Literal["unless_normalized"]

# Filters of every convolution, by stage and block.
Widths = tuple[tuple[tuple[int, ...], ...], ...]


@dataclass(frozen=True, kw_only=True, repr=False)
class ResnetConfig:
    """The description of a residual network: frozen, hashable, to and from JSON.

    The defaults are PyTorch's conventions (torchvision `models/resnet.py`). Every field is also an
    option of `ResnetBuilder.from_preset`.

    Every field is obeyed or refused: when a network is built, a value that differs from its default
    and has no effect on the network, such as `splits=8` without a block that splits, is refused
    with what it needs.

    Attributes:
        repetitions: blocks per stage; at every stage after the first the filters double and the
            size halves.
        block: the kind of block, or a tuple with one for each stage: `"basic_block"`,
            `"bottleneck"`; `"res2net_bottleneck"` (Res2Net, arXiv:1904.01169); `"sk_basic_block"`
            and `"sk_bottleneck"` (selective kernels, arXiv:1903.06586, with timm's split input);
            `"resnest_bottleneck"` (split attention, arXiv:2004.08955); or a custom function with
            the signature of `basic_block`. A custom block defines its own layers; no field changes
            them.
        filters: filters of the first stage, which double at each stage after it; or a tuple of the
            filters of all stages.
        widths: filters of every convolution of the residual branches, by stage and block, in place
            of those that `filters` gives (pruned networks). Default: None.
        groups: groups of a bottleneck's 3x3 convolution (ResNeXt, arXiv:1611.05431).
        width_per_group: filters of each of these groups if `filters` is 64 (ResNeXt, and
            torchvision's wide networks, after arXiv:1605.07146).
        reduce_first: divisor of the filters of a block's first convolution (SENet-154,
            arXiv:1709.01507).
        splits: number of parts of the 3x3 convolution of a `"res2net_bottleneck"` (the paper's
            scale) or a `"resnest_bottleneck"` (its radix).
        split_input: whether each kernel of a selective-kernel block takes its share of the input's
            channels and not all of them (timm).
        pool_first: whether a strided `"resnest_bottleneck"` pools before its 3x3 convolution and
            not after it.
        stem: `"imagenet"` (7x7 convolution and max pool, together stride 4), `"deep"` (three 3x3
            convolutions in place of the 7x7, arXiv:1812.01187), `"deep_tiered"` (the same, the
            first with three quarters of the filters; timm's "t" networks), or `"cifar"` (3x3
            convolution, stride 1).
        stem_filters: filters of the stem's last convolution. Default: those of the first stage.
        stem_pool: `"max"`; `"max_zeros"`, padded with zeros on all sides (BiT, keras.applications
            V2); `"max_ceil"`, padded with zeros at the bottom right where the size needs it (the
            original SENets, from Caffe); or `"conv"`, a strided 3x3 convolution (ResNet-RS,
            arXiv:2103.07579).
        activation_order: `"post"`, batch norm and activation after each convolution (He et al.
            2015, arXiv:1512.03385); `"pre"`, before it (He et al. 2016, arXiv:1603.05027); or
            `"pre_raw"`, before it as in the article's code, in which the stem's output is already
            activated and projections take a block's raw input.
        activation: name of a Keras activation.
        activate_residual: whether an activation also ends the residual branch, before attention and
            sum (timm's legacy SE-ResNet-18 and 34).
        norm: `"batch"`; `"group"`, group normalisation (arXiv:1803.08494); or `"evonorm_s0"`, a
            norm that is its own activation (arXiv:2004.02967).
        norm_groups: groups of channels of the last two.
        weight_standardization: whether checkpoints of the network hold the kernels before weight
            standardisation (arXiv:1903.10520; BiT, arXiv:1912.11370). They are standardised when
            they are loaded, which is exact for inference. Training does not standardise them: the
            convolutions are plain ones.
        anti_aliasing: what strides in place of convolutions and of the stem's pool: `"avg"`, an
            average pool, or `"blur"`, the fixed kernel [1, 2, 1] of arXiv:1904.11486; None for
            neither.
        shortcuts: whether blocks have shortcuts; without them the network is plain.
        projection: the shortcut of a block that changes the shape: `"conv"` (1x1 convolution),
            `"avg_pool"` (average pool, then 1x1 convolution, arXiv:1812.01187), or `"pad"`
            (subsample and pad with zero channels: option A of He et al. 2015, section 3.3).
        projection_kernel: kernel size of strided 1x1 convolutions of shortcuts (3 in SENet-154).
        project_first: whether the first block of every stage has a projection, even where the
            shape does not change (PaddleClas's and keras-hub's "vd" networks).
        stride_in_last_block: whether the last block of a stage halves the size, with a subsampled
            shortcut, and not the first of the next (keras.applications V2).
        stride_in_3x3: whether a bottleneck halves the size in its 3x3 convolution ("v1.5") or in
            its first 1x1 (the 2015 paper).
        se_ratio: width of the squeeze-and-excitation at the end of every residual branch, as a
            fraction of its channels (arXiv:1709.01507); 0 for none. In a selective-kernel or
            ResNeSt block, width of the attention over its parts.
        se_divisor: number that this width is rounded to a multiple of (8 as in timm; 1: not
            rounded).
        eca: whether every residual branch ends in efficient channel attention, a 1D convolution
            along the channels' means (arXiv:1910.03151).
        drop_path_rate: probability that the last residual branch is dropped during training,
            rising linearly from 0 at the first (stochastic depth, arXiv:1603.09382).
        zero_init_last: whether to initialise gamma of the last batch norm of every residual
            branch to 0 (arXiv:1706.02677, section 5.1).
        padding: padding of strided convolutions and pools: `"symmetric"` as in PyTorch, or
            Keras's `"same"`, which pads an even size more at the bottom right.
        use_bias: whether convolutions have a bias; `"unless_normalized"`: those that no norm
            follows (keras.applications V2).
        batch_norm_epsilon: number added to the variance, in every kind of norm.
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
        >>> config
        ResnetConfig(repetitions=(2, 2, 2, 2), block='basic_block')
        >>> ResnetConfig.from_json(config.to_json()) == config
        True
    """

    repetitions: tuple[int, ...]
    block: BlockName | BlockFunction | tuple[BlockName, ...]
    filters: int | tuple[int, ...] = 64
    widths: Widths | None = None
    groups: int = 1
    width_per_group: int = 64
    reduce_first: int = 1
    splits: int = 4
    split_input: bool = True
    pool_first: bool = False
    stem: StemName = "imagenet"
    stem_filters: int | None = None
    stem_pool: StemPoolName = "max"
    activation_order: ActivationOrder = "post"
    activation: str = "relu"
    activate_residual: bool = False
    norm: NormName = "batch"
    norm_groups: int = 32
    weight_standardization: bool = False
    anti_aliasing: AntiAliasingName | None = None
    shortcuts: bool = True
    projection: ProjectionName = "conv"
    projection_kernel: int = 1
    project_first: bool = False
    stride_in_last_block: bool = False
    stride_in_3x3: bool = True
    se_ratio: float = 0.0
    se_divisor: int = 8
    eca: bool = False
    drop_path_rate: float = 0.0
    zero_init_last: bool = False
    padding: Padding = "symmetric"
    use_bias: bool | Biases = False
    batch_norm_epsilon: float = 1e-5
    batch_norm_momentum: float = 0.9
    kernel_initializer: str | Initializer = "he_normal_fan_out"
    classifier_initializer: str | Initializer = "torch_linear"
    weight_decay: float = 0.0
    input_shape: ImageShape = (224, 224, 3)
    classes: int = 1000

    if TYPE_CHECKING:  # at run time `dataclass` writes it

        def __init__(self, **fields: Unpack["ConfigFields"]) -> None: ...

    def __post_init__(self) -> None:
        for name, types in _checked_types().items():
            if not isinstance(value := getattr(self, name), types):
                expected = " or ".join("None" if t is NoneType else t.__name__ for t in types)
                raise TypeError(f"{name} must be {expected}, got {value!r}")
        repetitions = repetition_list(self.repetitions)
        normal: dict[str, Any] = {
            "repetitions": repetitions,
            "block": _blocks(self.block, len(repetitions)),
            "filters": _filters(self.filters, len(repetitions)),
            "widths": None if self.widths is None else _widths(self.widths),
            "input_shape": image_shape(self.input_shape),
            "se_ratio": fraction(self.se_ratio, "se_ratio", 2),
        }
        for name in FRACTIONS:
            normal[name] = fraction(getattr(self, name), name)
        for name in ("kernel_initializer", "classifier_initializer"):
            normal[name] = Initializer.of(getattr(self, name), name)
        for name in NUMBERS:
            if not (name == "stem_filters" and self.stem_filters is None):
                normal[name] = positive_int(getattr(self, name), name)
        for name, value in normal.items():
            object.__setattr__(self, name, value)

    @property
    def stage_blocks(self) -> tuple[BlockName | BlockFunction, ...]:
        """The kind of block of each stage."""
        block = self.block
        return block if isinstance(block, tuple) else (block,) * len(self.repetitions)

    @property
    def stage_filters(self) -> tuple[int, ...]:
        """The filters of each stage."""
        filters = self.filters
        if isinstance(filters, tuple):
            return filters
        return tuple(filters * 2**stage for stage in range(len(self.repetitions)))

    @property
    def has_custom_block(self) -> bool:
        """Whether the blocks are a custom function, with layers that are not in a plan."""
        return callable(self.block)

    def __repr__(self) -> str:
        """The call that makes the config, without the fields that have their defaults."""
        values = ((field, getattr(self, field.name)) for field in dataclasses.fields(self))
        given = (
            f"{field.name}={_as_given(value)!r}"
            for field, value in values
            if value != field.default
        )
        return f"ResnetConfig({', '.join(given)})"

    def replace(self, **changes: Unpack["Changes"]) -> "ResnetConfig":
        """Return the same network with some fields changed.

        A field that is not named, and that only says how something is done which the changed
        network no longer does, such as the momentum of batch norms in a network without them,
        is set back to its default.

        Raises:
            TypeError: an unknown field; the message suggests similar names.

        Example:
            >>> narrow = ResnetConfig(block="bottleneck", repetitions=(1, 1)).replace(filters=16)
            >>> narrow.filters
            16
            >>> narrow.replace(batch_norm_momentum=0.99).replace(norm="group").batch_norm_momentum
            0.9
        """
        _check_field_names(changes)
        fields: Any = changes
        changed = dataclasses.replace(self, **fields)
        return dataclasses.replace(changed, **following(self, changed, changes))

    def to_json(self) -> str:
        """Return the record as JSON text for `from_json`.

        Raises:
            TypeError: the block is a function, which JSON cannot represent.

        Example:
            >>> ResnetConfig(block="basic_block", repetitions=(1, 2)).to_json()[:24]
            '{"repetitions": [1, 2], '
        """
        return json.dumps(fields_of(self))

    @classmethod
    def from_json(cls, text: str) -> "ResnetConfig":
        """Read a record written by `to_json`; fields missing from the text have their defaults.

        Example:
            >>> ResnetConfig.from_json('{"block": "bottleneck", "repetitions": [3, 4, 6]}').filters
            64
        """
        return config_of_fields(json.loads(text))


def _as_given(value: Any) -> Any:
    """The value of a field in a form that Python can read."""
    if isinstance(value, Initializer):
        return {"class_name": value.class_name, "config": dict(value.config)}
    return value


def fields_of(config: ResnetConfig) -> dict[str, Any]:
    """The fields of a config as `json` writes them.

    Raises:
        TypeError: the block is a function, which JSON cannot represent.
    """
    if config.has_custom_block:
        raise TypeError(f"a config with a block function ({config.block!r}) has no JSON form")
    return dataclasses.asdict(config)


def config_of_fields(fields: Any) -> ResnetConfig:
    """The config of fields as `json` reads them; missing fields have their defaults."""
    if not isinstance(fields, dict):
        raise TypeError(f"the JSON of a ResnetConfig is an object of its fields, got {fields!r}")
    _check_field_names(fields)
    return ResnetConfig(**fields)


class Variations(TypedDict, total=False):
    """The fields of `ResnetConfig` but for the blocks and for the defaults of a built model.

    This and the types below are for editors and type checkers: what the fields take, which may be
    more than what they hold.
    """

    filters: int | list[int] | tuple[int, ...]
    widths: Sequence[Sequence[Sequence[int]]] | None
    groups: int
    width_per_group: int
    reduce_first: int
    splits: int
    split_input: bool
    pool_first: bool
    stem: StemName
    stem_filters: int | None
    stem_pool: StemPoolName
    activation_order: ActivationOrder
    activation: str
    activate_residual: bool
    norm: NormName
    norm_groups: int
    weight_standardization: bool
    anti_aliasing: AntiAliasingName | None
    shortcuts: bool
    projection: ProjectionName
    projection_kernel: int
    project_first: bool
    stride_in_last_block: bool
    stride_in_3x3: bool
    se_ratio: float
    se_divisor: int
    eca: bool
    drop_path_rate: float
    zero_init_last: bool
    padding: Padding
    use_bias: bool | Biases
    batch_norm_epsilon: float
    batch_norm_momentum: float
    kernel_initializer: Any
    classifier_initializer: Any
    weight_decay: float


Blocks = BlockName | BlockFunction | list[BlockName] | tuple[BlockName, ...]


class ConfigChanges(Variations, total=False):
    """The fields that `ResnetBuilder.from_preset` can change."""

    repetitions: Sequence[int]
    block: Blocks


class Changes(ConfigChanges, total=False):
    """All fields, for `ResnetConfig.replace`."""

    input_shape: Sequence[int | None]
    classes: int


class ConfigFields(Variations):
    """All fields, for `ResnetConfig`."""

    repetitions: Sequence[int]
    block: Blocks
    input_shape: NotRequired[Sequence[int | None]]
    classes: NotRequired[int]


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


def obeyed(config: ResnetConfig) -> ResnetConfig:
    """The same network, with the defaults of all fields that have no effect on it."""
    return dataclasses.replace(config, **without_effect(config))


# Fields that are numbers of at least 0 and less than 1, and that are positive integers.
FRACTIONS = ("drop_path_rate", "batch_norm_epsilon", "batch_norm_momentum", "weight_decay")
NUMBERS = (
    *("groups", "width_per_group", "reduce_first", "splits", "stem_filters", "norm_groups"),
    *("projection_kernel", "se_divisor", "classes"),
)


@cache
def _checked_types() -> dict[str, tuple[type, ...]]:
    """The types of fields of names, bools or None; numbers and collections are checked apart."""
    checked = {}
    for field in dataclasses.fields(ResnetConfig):
        union = get_origin(field.type) in (Union, UnionType)
        kinds: Any = get_args(field.type) if union else (field.type,)
        types = tuple(str if get_origin(kind) is Literal else kind for kind in kinds)
        if set(types) <= {bool, str, NoneType}:
            checked[field.name] = types
    return checked


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


def _blocks(block: Any, stages: int) -> Any:
    """A kind of block, or one for each stage."""
    if not isinstance(block, list | tuple):
        return _block_name(block)
    names = tuple(map(_block_name, block))
    if not all(isinstance(name, str) for name in names):
        raise TypeError(f"a block for each stage must be a name, got {block!r}")
    return _one_per_stage(names, stages, "block")


def _block_name(block: Any) -> str | BlockFunction:
    """The name of a block of this package given as a function, or the block as it is."""
    block = getattr(block, BLOCK_NAME, block)
    if not (isinstance(block, str) or callable(block)):
        raise TypeError(f"block must be a name or a function, got {block!r}")
    name_or_function: str | BlockFunction = block
    return name_or_function


def _filters(filters: Any, stages: int) -> int | tuple[int, ...]:
    """A number of filters, or one for each stage."""
    if not isinstance(filters, list | tuple):
        return positive_int(filters, "filters")
    numbers = tuple(positive_int(number, f"each of filters {filters}") for number in filters)
    return _one_per_stage(numbers, stages, "filters")


def _one_per_stage(values: tuple[Any, ...], stages: int, field: str) -> tuple[Any, ...]:
    if len(values) != stages:
        raise ValueError(
            f"{field} must have one value for each of {stages} stages of repetitions, got {values}"
        )
    return values


def _widths(widths: Any) -> Widths:
    message = (
        "widths must be the filters of every convolution by stage and block, such as "
        f"(((8, 8, 32), (8, 8, 32)), ...); got {widths!r}"
    )

    def items(collection: Any) -> Sequence[Any]:
        if isinstance(collection, str) or not isinstance(collection, Sequence):
            raise TypeError(message)
        if not collection:
            raise ValueError(message)
        return collection

    return tuple(
        tuple(
            tuple(positive_int(conv, "each of widths") for conv in items(block))
            for block in items(stage)
        )
        for stage in items(widths)
    )


def _check_field_names(names: Iterable[str]) -> None:
    known = [field.name for field in dataclasses.fields(ResnetConfig)]
    for name in names:
        if name not in known:
            raise TypeError(unknown("field of ResnetConfig", name, known))
