"""The options of `ResnetBuilder.from_preset`, for editors and type checkers."""

from collections.abc import Sequence
from typing import Any

from .config import ConfigChanges, Variations
from .plan.network import Pooling


class BuildOptions(Variations, total=False):
    """The options of `ResnetBuilder.build`, which has the blocks as arguments."""

    include_top: bool
    pooling: Pooling | None
    classifier_activation: str | None
    weights: Any
    adapt_weights: bool
    dropout_rate: float
    data_format: str | None
    dtype: Any
    name: str | None
    layer_prefix: str
    features: Sequence[str] | None
    output_stride: int | None


class PresetOptions(BuildOptions, ConfigChanges, total=False):
    """All options."""
