"""What makes one residual network differ from another: one small frozen record. No Keras here."""

import dataclasses
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from .errors import positive_int, unknown
from .shapes import Shape, image_shape

# A block of a user's own: block(filters=, init_strides=, is_first_block_of_first_layer=)(tensor).
BlockFunction = Callable[..., Callable[[Any], Any]]

PADDINGS = ("symmetric", "same")


@dataclass(frozen=True, kw_only=True)
class ResnetConfig:
    """One residual network, apart from the size of its input. Frozen, hashable, to and from JSON.

    The defaults are PyTorch's conventions (torchvision `models/resnet.py`); `ORIGINAL` holds the
    article's. Every field is also an option of `ResnetBuilder.from_preset`.

    Attributes:
        repetitions: blocks per stage; at every stage after the first the filters double and the
            size halves.
        block: `"basic_block"`, `"bottleneck"`, or a function with their signature.
        filters: filters of the first stage and of the stem.
        groups: of a bottleneck's 3x3 convolution (ResNeXt, arXiv:1611.05431).
        width_per_group: filters of each of these groups in the first stage (ResNeXt, and wide
            networks, arXiv:1605.07146).
        stem: `"imagenet"` (7x7 convolution and max pool, together stride 4) or `"cifar"` (3x3
            convolution, stride 1).
        activation: name of a Keras activation.
        preactivation: batch norm and activation before each convolution (He et al. 2016,
            arXiv:1603.05027) instead of after it (He et al. 2015, arXiv:1512.03385).
        stride_in_3x3: where a bottleneck halves the size: in its 3x3 convolution ("v1.5"), or in
            its first 1x1 (the 2015 paper).
        padding: of strided convolutions and pools: `"symmetric"` as in PyTorch, or Keras's
            `"same"`, which pads an even size more at the bottom right.
        use_bias: whether convolutions have a bias.
        batch_norm_epsilon: added to the variance.
        batch_norm_momentum: of the moving statistics, in Keras's sense (0.9 is PyTorch's 0.1).
        kernel_initializer: of the convolutions: a name of Keras, or `"he_normal_fan_out"`.
        classifier_initializer: of the dense layer: a name of Keras, or `"torch_linear"`.
        weight_decay: factor of the L2 penalty (`keras.regularizers.L2`) on convolution kernels.
        input_shape: (rows, columns, channels) the network was made for: the default of a build.
        classes: number of classes it was made for: the default of a build.

    Raises:
        TypeError: a field of the wrong kind.
        ValueError: a field out of its range.

    Example:
        >>> config = ResnetConfig(block="basic_block", repetitions=[2, 2, 2, 2])
        >>> config.repetitions
        (2, 2, 2, 2)
        >>> ResnetConfig.from_json(config.to_json()) == config
        True
    """

    repetitions: tuple[int, ...]
    block: str | BlockFunction
    filters: int = 64
    groups: int = 1
    width_per_group: int = 64
    stem: str = "imagenet"
    activation: str = "relu"
    preactivation: bool = False
    stride_in_3x3: bool = True
    padding: str = "symmetric"
    use_bias: bool = False
    batch_norm_epsilon: float = 1e-5
    batch_norm_momentum: float = 0.9
    kernel_initializer: str = "he_normal_fan_out"
    classifier_initializer: str = "torch_linear"
    weight_decay: float = 0.0
    input_shape: Shape = (224, 224, 3)
    classes: int = 1000

    def __post_init__(self) -> None:
        if not (isinstance(self.block, str) or callable(self.block)):
            raise TypeError(f"block must be a name or a function, got {self.block!r}")
        for field in dataclasses.fields(self):
            _check_kind(field.name, field.type, getattr(self, field.name))
        if self.padding not in PADDINGS:
            raise ValueError(unknown("padding", self.padding, PADDINGS))
        normal: dict[str, Any] = {
            "repetitions": repetition_list(self.repetitions),
            "input_shape": image_shape(self.input_shape),
        }
        for name in ("filters", "groups", "width_per_group", "classes"):
            normal[name] = positive_int(getattr(self, name), name)
        for name, value in normal.items():
            object.__setattr__(self, name, value)

    def replace(self, **changes: Any) -> "ResnetConfig":
        """The same network with some fields changed.

        Raises:
            TypeError: an unknown field; the message names the near ones.

        Example:
            >>> narrow = ResnetConfig(block="bottleneck", repetitions=(1, 1)).replace(filters=16)
            >>> narrow.filters
            16
        """
        known = [field.name for field in dataclasses.fields(self)]
        for name in changes:
            if name not in known:
                raise TypeError(unknown("field of ResnetConfig", name, known))
        return dataclasses.replace(self, **changes)

    def to_json(self) -> str:
        """This record as JSON text that `from_json` reads back.

        Raises:
            TypeError: the block is a function, for which JSON has no word.

        Example:
            >>> ResnetConfig(block="basic_block", repetitions=(1, 2)).to_json()[:24]
            '{"repetitions": [1, 2], '
        """
        if callable(self.block):
            raise TypeError(f"a config whose block is a function ({self.block!r}) has no JSON form")
        return json.dumps(dataclasses.asdict(self))

    @classmethod
    def from_json(cls, text: str) -> "ResnetConfig":
        """The record that `to_json` wrote; fields that are not in the text have their defaults.

        Example:
            >>> ResnetConfig.from_json('{"block": "bottleneck", "repetitions": [3, 4, 6]}').filters
            64
        """
        return cls(**json.loads(text))


# How the article's code differs from PyTorch's conventions, and so from the defaults above
# (raghakot/keras-resnet, resnet.py, under Keras 2; batch norm has Keras's own defaults).
ORIGINAL: Mapping[str, Any] = {
    "preactivation": True,
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
    """The blocks of each stage, one stage or more, as a tuple."""
    try:
        blocks = tuple(repetitions)
    except TypeError:
        raise TypeError(
            "repetitions must be the number of blocks of each stage, "
            f"for example [2, 2, 2, 2]; got {repetitions!r}"
        ) from None
    if not blocks:
        raise ValueError(
            "repetitions must name one stage or more, for example [2, 2, 2, 2]; got none"
        )
    return tuple(positive_int(number, f"each of repetitions {blocks}") for number in blocks)


def _check_kind(name: str, kind: Any, value: Any) -> None:
    """The plain fields hold what their annotation says; a float is a number of 0 or more."""
    if kind is float:
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise TypeError(f"{name} must be a number, got {value!r}")
        if not value >= 0:
            raise ValueError(f"{name} must be 0 or more, got {value!r}")
    elif kind in (bool, str) and not isinstance(value, kind):
        raise TypeError(f"{name} must be {kind.__name__}, got {value!r}")
