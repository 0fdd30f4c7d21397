"""Types of options for type checkers and editors, written by `tools/option_types.py`."""

from collections.abc import Sequence
from typing import Any, NotRequired, TypedDict

from .config import (
    ActivationName,
    ActivationOrder,
    AntiAliasingName,
    Biases,
    BlockFunction,
    BlockName,
    HeadPoolName,
    NormName,
    Padding,
    ProjectionName,
    StemName,
    StemPoolName,
)
from .plan.network import Pooling

class EncoderVariations(TypedDict, total=False):
    filters: int | list[int] | tuple[int, ...]
    widths: Sequence[Sequence[Sequence[int]]] | None
    groups: int
    group_width: int | tuple[int, ...] | None
    width_per_group: int
    reduce_first: int
    splits: int
    split_input: bool
    pool_first: bool
    stem: StemName
    stem_filters: int | None
    stem_pool: StemPoolName
    activation_order: ActivationOrder
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
    gc_ratio: float
    head_filters: int | None
    head_pool: HeadPoolName
    embedding: bool
    drop_path_rate: float
    zero_init_last: bool
    padding: Padding
    use_bias: bool | Biases
    batch_norm_epsilon: float
    batch_norm_momentum: float
    kernel_initializer: Any
    classifier_initializer: Any
    weight_decay: float

class Variations(EncoderVariations, total=False):
    activation: ActivationName

class ConfigChanges(Variations, total=False):
    repetitions: Sequence[int]
    block: BlockName | BlockFunction | list[BlockName] | tuple[BlockName, ...]

class Changes(ConfigChanges, total=False):
    input_shape: Sequence[int | None]
    classes: int

class ConfigFields(Variations):
    repetitions: Sequence[int]
    block: BlockName | BlockFunction | list[BlockName] | tuple[BlockName, ...]
    input_shape: NotRequired[Sequence[int | None]]
    classes: NotRequired[int]

class BuildOptions(Variations, total=False):
    include_top: bool
    pooling: Pooling | None
    classifier_activation: ActivationName | None
    weights: Any
    adapt_weights: bool
    dropout_rate: float
    data_format: str | None
    dtype: Any
    name: str | None
    layer_prefix: str
    features: list[str] | tuple[str, ...] | None
    output_stride: int | None
    dilate_first: bool
    remat: bool | list[str] | tuple[str, ...]

class PresetOptions(BuildOptions, ConfigChanges, total=False): ...

class JsonOptions(PresetOptions, total=False):
    input_shape: Sequence[int | None]
    classes: int

class EncoderOptions(EncoderVariations, total=False):
    repetitions: Sequence[int]
    block: BlockName | BlockFunction | list[BlockName] | tuple[BlockName, ...]
    adapt_weights: bool
    data_format: str | None
    dtype: Any
    name: str | None
    layer_prefix: str

class CompileOptions(TypedDict, total=False):
    beta_2: float
    epsilon: float
    amsgrad: bool
    clipnorm: float | None
    clipvalue: float | None
    global_clipnorm: float | None
    use_ema: bool
    ema_momentum: float
    ema_overwrite_frequency: int | None
    loss_scale_factor: float | None
    gradient_accumulation_steps: int | None
    name: str
    loss_weights: Any
    run_eagerly: bool
    steps_per_execution: int
    auto_scale_loss: bool
