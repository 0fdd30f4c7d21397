"""The description of a residual network: one small frozen record."""

import dataclasses
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from types import NoneType, UnionType
from typing import TYPE_CHECKING, Any, Literal, Union, Unpack, get_args, get_origin

from . import field_effects as effects
from .common.checks import fraction, positive_int, unknown
from .common.files import parsed_json
from .common.keras_names import Initializer
from .common.shapes import ImageShape, image_shape
from .field_effects import Effect, idle_fields

if TYPE_CHECKING:
    from .options import Changes, ConfigFields

# A custom block: block(filters=, init_strides=, is_first_block_of_first_layer=)(tensor).
BlockFunction = Callable[..., Any]

# The attribute with the name of a block function of this package.
BLOCK_NAME = "_resnet_builder_block"

# The allowed names, for editors and type checkers. At run time the tables of `plan` decide, and a
# test compares the two.
BlockName = Literal[
    "basic_block",
    "bottleneck",
    "early_attention_bottleneck",
    "regnet_bottleneck",
    "res2net_bottleneck",
    "sk_basic_block",
    "sk_bottleneck",
    "resnest_bottleneck",
]
PooledStemName = Literal["imagenet", "deep", "deep_tiered"]
StemName = Literal[PooledStemName, "cifar", "quad", "regnet"]
StemPoolName = Literal["max", "max_zeros", "max_ceil", "conv", "stride"]
ActivationOrder = Literal["post", "pre", "pre_raw", "pre_shared"]
NormName = Literal["batch", "group", "evonorm_s0"]
AntiAliasingName = Literal["avg", "blur"]
ProjectionName = Literal["conv", "avg_pool", "pad"]
HeadPoolName = Literal["avg", "attention"]
Padding = Literal["symmetric", "same"]
Biases = Literal["unless_normalized"]
# Every name of keras.activations (3.12 and newer) except `glu`, which halves the channels, and
# `threshold`, which needs arguments.
# fmt: off
ActivationName = Literal[
    "celu", "elu", "exponential", "gelu", "hard_shrink", "hard_sigmoid", "hard_silu",
    "hard_swish", "hard_tanh", "leaky_relu", "linear", "log_sigmoid", "log_softmax", "mish",
    "relu", "relu6", "selu", "sigmoid", "silu", "soft_shrink", "softmax", "softplus",
    "softsign", "sparse_plus", "sparse_sigmoid", "sparsemax", "squareplus", "swish", "tanh",
    "tanh_shrink",
]
# fmt: on

# Filters of every convolution, by stage and block.
Widths = tuple[tuple[tuple[int, ...], ...], ...]

# Effects that depend on the names above; those that depend on the blocks are in `field_effects`.
POOL_IN_STEM = Effect(
    f"a stem with a pool, {' or '.join(get_args(PooledStemName))}",
    lambda net: net.config.stem in get_args(PooledStemName),
)
ACTIVATION_LAYER = Effect(
    "a norm that is not its own activation", lambda net: net.config.norm != "evonorm_s0"
)
FREE_FILTERS = Effect(
    "convolutions whose filters neither widths nor stem_filters give",
    lambda net: not net.config.widths or net.config.stem_filters is None or net.config.eca,
)


# Checks of fields -------------------------------------------------------------------------------

# A function of the value and the name of a field, which returns the value as the config keeps it.
Check = Callable[[Any, str], object]


# A hundred thousand layers: to plan more takes minutes, which a stranger's config should not.
MOST_STAGES, MOST_BLOCKS = 32, 10**4


def repetition_list(repetitions: object, name: str = "repetitions") -> tuple[int, ...]:
    """The number of blocks of each stage, for at least one stage, as a tuple."""
    example = "for example [2, 2, 2, 2]; got"
    if isinstance(repetitions, str) or not isinstance(repetitions, Sequence):
        raise TypeError(
            f"{name} must be the number of blocks of each stage, {example} {repetitions!r}"
        )
    if not repetitions:
        raise ValueError(f"{name} must have at least one stage, {example} none")
    numbers = _positive_ints(tuple(repetitions), name)
    if len(numbers) > MOST_STAGES or sum(numbers) > MOST_BLOCKS:
        most = f"at most {MOST_STAGES} stages of {MOST_BLOCKS:,} blocks in all"
        raise ValueError(f"{name} must be {most}, got {len(numbers):,} of {sum(numbers):,}")
    return numbers


def _positive_ints(numbers: Sequence[object], name: str) -> tuple[int, ...]:
    return tuple(map(partial(positive_int, what=f"each of {name} {numbers}"), numbers))


def _blocks(block: object, name: str) -> object:
    """A kind of block, or one for each stage; a block function of this package by its name."""
    if isinstance(block, list | tuple):
        kinds = tuple(_blocks(kind, name) for kind in block)
        if not all(isinstance(kind, str) for kind in kinds):
            raise TypeError(f"a block for each stage must be a name, got {block!r}")
        return kinds
    block = getattr(block, BLOCK_NAME, block)
    if not (isinstance(block, str) or callable(block)):
        raise TypeError(f"{name} must be a name or a function, got {block!r}")
    return block


def _filters(filters: object, name: str) -> int | tuple[int, ...]:
    """A number of filters, or one for each stage."""
    if isinstance(filters, list | tuple):
        return _positive_ints(filters, name)
    return positive_int(filters, name)


def _widths(widths: object, name: str) -> Widths:
    message = (
        f"{name} must be the filters of every convolution by stage and block, such as "
        f"(((8, 8, 32), (8, 8, 32)), ...); got {widths!r}"
    )

    def items(collection: object) -> Sequence[object]:
        if isinstance(collection, str) or not isinstance(collection, Sequence):
            raise TypeError(message)
        if not collection:
            raise ValueError(message)
        return collection

    return tuple(
        tuple(
            tuple(positive_int(conv, f"each of {name}") for conv in items(block))
            for block in items(stage)
        )
        for stage in items(widths)
    )


def _instance(types: Any, value: object, name: str) -> object:
    """Return `value` if it is of one of the types; names are of type str."""
    union = get_args(types) if get_origin(types) in (Union, UnionType) else (types,)
    classes = tuple(str if get_origin(kind) is Literal else kind for kind in union)
    if not isinstance(value, classes):
        expected = " or ".join("None" if kind is NoneType else kind.__name__ for kind in classes)
        raise TypeError(f"{name} must be {expected}, got {value!r}")
    return value


# Type -> the check of a field that has no other; the fields of other types are names and bools.
CHECKS: dict[object, Check] = {
    int: positive_int,
    int | None: positive_int,
    float: fraction,
    str | Initializer: Initializer.of,
    ImageShape: lambda shape, _: image_shape(shape),
}


def checked(value: object, field: dataclasses.Field[Any]) -> object:
    """The value of a field as the config keeps it.

    Raises:
        TypeError, ValueError: a value of the wrong type, or out of range.
    """
    check = field.metadata.get("check") or CHECKS.get(field.type) or partial(_instance, field.type)
    return check(value, field.name)


# The record -------------------------------------------------------------------------------------


def option(
    default: object = dataclasses.MISSING,
    effect: Effect | None = None,
    *,
    follows: bool = False,
    unseen: bool = False,
    check: Check | None = None,
) -> Any:
    """A field of a config.

    Args:
        effect: what a network needs for it to have an effect. Default: it has one in every network.
        follows: whether `ResnetConfig.replace` sets the field back to its default if another field
            takes its effect away, because it only says how something is done. A field that says
            what a network has is refused instead.
        unseen: whether no name or shape of a weight shows it.
        check: function of value and name that returns the value as it is kept. Default: the check
            of the field's type.
    """
    metadata = {"effect": effect, "follows": follows, "unseen": unseen, "check": check}
    return dataclasses.field(default=default, metadata=metadata)


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
            `"bottleneck"`; `"early_attention_bottleneck"`, whose attention comes before its last
            convolution (timm's byobnet); `"regnet_bottleneck"`, whose output is as wide as its
            3x3 convolution, and whose squeeze-and-excitation, before its last convolution, is as
            wide as the block's input times `se_ratio` (RegNet, arXiv:2003.13678);
            `"res2net_bottleneck"` (Res2Net, arXiv:1904.01169); `"sk_basic_block"`
            and `"sk_bottleneck"` (selective kernels, arXiv:1903.06586, with timm's split input);
            `"resnest_bottleneck"` (split attention, arXiv:2004.08955); or a custom function with
            the signature of `basic_block`. A custom block defines its own layers; no field changes
            them.
        filters: filters of the first stage, which double at each stage after it; or a tuple of the
            filters of all stages.
        widths: filters of every convolution of the residual branches, by stage and block, in place
            of those that `filters` gives (pruned networks). Default: None.
        groups: groups of a bottleneck's 3x3 convolution (ResNeXt, arXiv:1611.05431).
        group_width: filters of each group of a bottleneck's 3x3 convolution, in place of `groups`
            (RegNet, arXiv:2003.13678); or a tuple with those of all stages. Default: None.
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
            first with three quarters of the filters; timm's "t" networks), `"cifar"` (3x3
            convolution, stride 1), `"quad"` (four 3x3 convolutions of rising widths, together
            stride 4, the first two without norm and activation; timm's resnet51q), or `"regnet"`
            (3x3 convolution, stride 2; the first stage strides as well, arXiv:2003.13678).
        stem_filters: filters of the stem's last convolution. Default: those of the first stage.
        stem_pool: `"max"`; `"max_zeros"`, padded with zeros on all sides (BiT, keras.applications
            V2); `"max_ceil"`, padded with zeros at the bottom right where the size needs it (the
            original SENets, from Caffe); `"conv"`, a strided 3x3 convolution (ResNet-RS,
            arXiv:2103.07579); or `"stride"`, no pool, and a stride in the last convolution of a
            deep stem (timm's byobnet).
        activation_order: `"post"`, batch norm and activation after each convolution (He et al.
            2015, arXiv:1512.03385); `"pre"`, before it (He et al. 2016, arXiv:1603.05027);
            `"pre_shared"`, before it, and all shortcuts take the activated input, identities as
            well (timm's regnetv); or
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
        gc_ratio: width of the global context block of every residual branch, as a fraction of its
            channels (arXiv:1904.11492); 0 for none.
        head_filters: filters of a 1x1 convolution, with norm and activation, after the last block;
            None for no convolution.
        head_pool: the pool before the classifier: `"avg"`, or `"attention"`, multi-head attention
            of the last map's mean over its pixels, with learned positions (CLIP, arXiv:2103.00020).
        embedding: whether the last dense layer projects to an embedding and not to classes, and so
            has no activation (CLIP). Another number of `classes` makes it a classifier.
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

    repetitions: tuple[int, ...] = option(check=repetition_list)
    block: BlockName | BlockFunction | tuple[BlockName, ...] = option(check=_blocks)
    filters: int | tuple[int, ...] = option(64, FREE_FILTERS, follows=True, check=_filters)
    widths: Widths | None = option(None, effects.PACKAGE_BLOCK, check=_widths)
    groups: int = option(1, effects.BOTTLENECK)
    group_width: int | tuple[int, ...] | None = option(None, effects.BOTTLENECK, check=_filters)
    width_per_group: int = option(64, effects.FREE_BOTTLENECK)
    reduce_first: int = option(1, effects.FREE_BLOCK, follows=True)
    splits: int = option(4, effects.SPLIT_BLOCK, follows=True)
    split_input: bool = option(True, effects.SELECTIVE_BLOCK, follows=True)
    pool_first: bool = option(False, effects.STRIDED_RESNEST, follows=True, unseen=True)
    stem: StemName = "imagenet"
    stem_filters: int | None = None
    stem_pool: StemPoolName = option("max", POOL_IN_STEM, follows=True, unseen=True)
    activation_order: ActivationOrder = "post"
    activation: ActivationName = option("relu", ACTIVATION_LAYER, follows=True, unseen=True)
    activate_residual: bool = option(False, effects.LAST_ACTIVATION, unseen=True)
    norm: NormName = "batch"
    norm_groups: int = option(32, effects.NORM_OF_GROUPS, follows=True, unseen=True)
    weight_standardization: bool = option(False, unseen=True)
    anti_aliasing: AntiAliasingName | None = option(
        None, effects.STRIDED_CONV_OR_STEM_POOL, follows=True, unseen=True
    )
    shortcuts: bool = option(True, effects.PACKAGE_BLOCK)
    projection: ProjectionName = option("conv", effects.PROJECTION, follows=True)
    projection_kernel: int = option(1, effects.STRIDED_CONV_PROJECTION, follows=True)
    project_first: bool = option(False, effects.FREE_FIRST_SHORTCUT, follows=True)
    stride_in_last_block: bool = option(False, effects.SEVERAL_STAGES, follows=True, unseen=True)
    stride_in_3x3: bool = option(True, effects.STRIDED_BOTTLENECK, follows=True, unseen=True)
    se_ratio: float = option(0.0, effects.PACKAGE_BLOCK, check=partial(fraction, limit=2))
    se_divisor: int = option(8, effects.SQUEEZE, follows=True)
    eca: bool = option(False, effects.PACKAGE_BLOCK)
    gc_ratio: float = option(0.0, effects.PACKAGE_BLOCK)
    head_filters: int | None = None
    head_pool: HeadPoolName = "avg"
    embedding: bool = False
    drop_path_rate: float = option(0.0, effects.SEVERAL_BLOCKS)
    zero_init_last: bool = option(False, effects.PACKAGE_BLOCK)
    padding: Padding = option("symmetric", effects.STRIDED_WINDOW, follows=True, unseen=True)
    use_bias: bool | Biases = option(False, effects.CONV_WITHOUT_NORM, follows=True)
    batch_norm_epsilon: float = 1e-5
    batch_norm_momentum: float = option(0.9, effects.BATCH_NORM, follows=True)
    kernel_initializer: str | Initializer = "he_normal_fan_out"
    classifier_initializer: str | Initializer = "torch_linear"
    weight_decay: float = 0.0
    input_shape: ImageShape = (224, 224, 3)
    classes: int = 1000

    if TYPE_CHECKING:  # at run time `dataclass` writes it

        def __init__(self, **fields: Unpack["ConfigFields"]) -> None: ...

    def __post_init__(self) -> None:
        for field in dataclasses.fields(self):
            if (value := getattr(self, field.name)) is not field.default:
                object.__setattr__(self, field.name, checked(value, field))
        for name in ("block", "filters", "group_width"):
            value = getattr(self, name)
            if isinstance(value, tuple) and len(value) != len(self.repetitions):
                raise ValueError(
                    f"{name} must have one value for each of {len(self.repetitions)} stages of "
                    f"repetitions, got {value}"
                )

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
    def stage_group_widths(self) -> tuple[int | None, ...]:
        """The filters of each group of a bottleneck's 3x3 convolution, of each stage."""
        width = self.group_width
        return width if isinstance(width, tuple) else (width,) * len(self.repetitions)

    @property
    def has_custom_block(self) -> bool:
        """Whether the blocks are a custom function, with layers that are not in a plan."""
        return callable(self.block)

    @property
    def pools_in_stem(self) -> bool:
        """Whether a pool follows the convolutions of the stem."""
        return self.stem in get_args(PooledStemName) and self.stem_pool != "stride"

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

        With another number of `classes`, an embedding becomes a classifier. A field that is not
        named, and that only says how something is done which the changed network no longer does,
        such as the momentum of batch norms in a network without them, is set back to its default.

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
        if changes.get("classes", self.classes) != self.classes:
            fields = {"embedding": False} | changes
        changed = dataclasses.replace(self, **fields)
        if not (idle := idle_fields(changed)):
            return changed
        was_idle = idle_fields(self)
        followers: dict[str, Any] = {
            field.name: field.default
            for field in idle
            if field.metadata["follows"] and field.name not in changes and field not in was_idle
        }
        return dataclasses.replace(changed, **followers)

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

        Raises:
            TypeError, ValueError: no JSON, no object, or fields that `ResnetConfig` refuses.

        Example:
            >>> ResnetConfig.from_json('{"block": "bottleneck", "repetitions": [3, 4, 6]}').filters
            64
        """
        return config_of_fields(parsed_json(text))


def _as_given(value: object) -> object:
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


def config_of_fields(fields: object) -> ResnetConfig:
    """The config of fields as `json` reads them; missing fields have their defaults."""
    if not isinstance(fields, dict):
        raise TypeError(f"the JSON of a ResnetConfig is an object of its fields, got {fields!r}")
    _check_field_names(fields)
    return ResnetConfig(**fields)


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
    idle: dict[str, Any] = {field.name: field.default for field in idle_fields(config)}
    return dataclasses.replace(config, **idle)


FIELDS = {field.name: field for field in dataclasses.fields(ResnetConfig)}

# The fields that only matter in training, or that are given beside a network.
BESIDE = (
    *("input_shape", "classes", "drop_path_rate", "zero_init_last", "weight_decay"),
    *("kernel_initializer", "classifier_initializer", "batch_norm_momentum"),
)

# The fields that no name or shape of a weight shows.
UNSEEN = tuple(name for name, field in FIELDS.items() if field.metadata.get("unseen"))


def _check_field_names(names: Iterable[str]) -> None:
    for name in names:
        if name not in FIELDS:
            raise TypeError(unknown("field of ResnetConfig", name, FIELDS))
