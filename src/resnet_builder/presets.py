"""PRESETS: name -> config, one line each, and the rules of depth. Does not import Keras."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from types import MappingProxyType
from typing import Any

from .common.checks import unknown
from .common.shapes import image_shape
from .config import ORIGINAL, ResnetConfig

# This module of `weights` is data and does not depend on the presets.
from .weights.published import PublishedWeights, find_published


def _basic(*repetitions: int, **changes: Any) -> ResnetConfig:
    return ResnetConfig(block="basic_block", repetitions=repetitions, **changes)


def _bottleneck(*repetitions: int, **changes: Any) -> ResnetConfig:
    return ResnetConfig(block="bottleneck", repetitions=repetitions, **changes)


# He et al. 2015, arXiv:1512.03385, Table 1, with PyTorch's conventions ("v1.5": the stride in the
# 3x3 convolution), as in torchvision and timm models/resnet.py.
_RESNETS = {
    "resnet18": _basic(2, 2, 2, 2),
    "resnet26": _bottleneck(2, 2, 2, 2),  # timm
    "resnet34": _basic(3, 4, 6, 3),
    "resnet50": _bottleneck(3, 4, 6, 3),
    "resnet101": _bottleneck(3, 4, 23, 3),
    "resnet152": _bottleneck(3, 8, 36, 3),
    "resnet200": _bottleneck(3, 24, 36, 3),  # He et al. 2016, arXiv:1603.05027, Table 5
}


def _family(pattern: str, depths: str, **changes: Any) -> dict[str, ResnetConfig]:
    """The networks above of some depths, renamed by `pattern`, with the same changes."""
    return {
        pattern.format(depth): _RESNETS[f"resnet{depth}"].replace(**changes)
        for depth in depths.split()
    }


# Bag of Tricks, arXiv:1812.01187, Figure 2, variants C and D.
_D = {"stem": "deep", "projection": "avg_pool"}
_SE = {"se_ratio": 1 / 16}  # Hu et al. 2017, arXiv:1709.01507: the reduction ratio 16

_IMAGENET = (
    _RESNETS
    # The article's networks (raghakot/keras-resnet, resnet.py).
    | _family("keras_resnet{}", "18 34 50 101 152", **ORIGINAL)
    # To the letter of the 2015 paper; also keras.applications' ResNet50, 101 and 152.
    | _family("resnet{}_v1", "50 101 152", stride_in_3x3=False)
    # He et al. 2016, arXiv:1603.05027; timm models/resnetv2.py.
    | _family("resnetv2_{}", "18 34 50 101 152", activation_order="pre")
    | _family("resnet{}d", "18 34 50 101 152 200", **_D)
    | _family("resnetv2_{}d", "50", activation_order="pre", **_D)
    | _family("seresnet{}", "18 34 50 101 152", **_SE)
    # Xie et al. 2016, arXiv:1611.05431; torchvision and timm models/resnet.py.
    | _family("resnext{}_32x4d", "50 101", groups=32, width_per_group=4)
    | _family("resnext{}_32x8d", "101", groups=32, width_per_group=8)
    | _family("resnext{}_64x4d", "101", groups=64, width_per_group=4)
    | _family("seresnext{}_32x4d", "50 101", groups=32, width_per_group=4, **_SE)
    # Wang et al. 2019, arXiv:1910.03151; timm models/resnet.py.
    | {"ecaresnetlight": _bottleneck(1, 1, 11, 3, projection="avg_pool", eca=True)}
    # Zagoruyko and Komodakis 2016, arXiv:1605.07146; torchvision models/resnet.py.
    | _family("wide_resnet{}_2", "50 101", width_per_group=128)
    # The paper's plain networks, Table 1 without the shortcuts.
    | _family("plain{}", "18 34", shortcuts=False)
)

# He et al. 2015, section 4.2: three stages of 16, 32 and 64 filters for images of 32x32.
_CIFAR: dict[str, Any] = {
    "stem": "cifar",
    "filters": 16,
    "input_shape": (32, 32, 3),
    "classes": 10,
}


@dataclass(frozen=True)
class Rule:
    """A family of depths `blocks` * n + `others`, with n blocks in each stage."""

    pattern: str
    blocks: int
    others: int
    config: Callable[..., ResnetConfig]
    listed: tuple[str, ...]

    def names(self) -> list[str]:
        """Names of the members that `list_presets` shows."""
        return [self.pattern.format(*member.split("_")) for member in self.listed]

    def find(self, name: str) -> ResnetConfig | None:
        """The member with that name; None if the name is not of this family."""
        match = re.fullmatch(self.pattern.replace("{}", r"([1-9]\d*)"), name)
        if not match:
            return None
        depth, *widths = map(int, match.groups())
        n, rest = divmod(depth - self.others, self.blocks)
        if rest or n < 1:
            nearest = {self.blocks * max(1, near) + self.others for near in (n, n + 1)}
            near_names = [self.pattern.format(near, *widths) for near in sorted(nearest)]
            raise ValueError(
                f"unknown preset {name!r}: the depth of {self.pattern.format('D', *widths)} is "
                f"{self.blocks}n+{self.others}; the nearest: {', '.join(near_names)}"
            )
        return self.config(n, *widths)


RULES = (
    # Option A shortcuts, without parameters (He et al. 2015, section 4.2).
    Rule(
        "resnet{}_cifar",
        6,
        2,
        lambda n: _basic(n, n, n, projection="pad", **_CIFAR),
        ("20", "32", "44", "56", "110", "1202"),
    ),
    Rule(
        "plain{}_cifar",
        6,
        2,
        lambda n: _basic(n, n, n, shortcuts=False, **_CIFAR),
        ("20", "32", "44", "56"),
    ),
    # Zagoruyko and Komodakis 2016, arXiv:1605.07146, Table 1: the stem keeps its 16 filters.
    Rule(
        "wrn{}_{}",
        6,
        4,
        lambda n, k: _basic(
            n, n, n, activation_order="pre", stem_filters=16, **_CIFAR | {"filters": 16 * k}
        ),
        ("16_4", "16_8", "22_8", "28_2", "28_10", "40_1", "40_2", "40_4", "40_8"),
    ),
)

# He et al. 2016, arXiv:1603.05027, Table 4 and appendix; their depths follow no single rule. The
# bottlenecks stride in their first 1x1 convolution (KaimingHe/resnet-1k-layers); the 110 layers of
# basic blocks have projections, as osmr/imgclsmob's PreResNet-110.
_PREACTIVATION_CIFAR = {
    "resnetv2_110_cifar": _basic(18, 18, 18, activation_order="pre", **_CIFAR),
} | {
    f"resnetv2_{9 * n + 2}_cifar": _bottleneck(
        n, n, n, activation_order="pre", stride_in_3x3=False, **_CIFAR
    )
    for n in (18, 111)
}


def _member(name: str) -> ResnetConfig | None:
    """The network that a rule finds for a name."""
    return next((found for rule in RULES if (found := rule.find(name))), None)


PRESETS: Mapping[str, ResnetConfig] = MappingProxyType(
    _IMAGENET
    | {name: found for rule in RULES for name in rule.names() if (found := rule.find(name))}
    | _PREACTIVATION_CIFAR
)


def list_presets(pattern: str = "*") -> list[str]:
    """List the presets that match a shell pattern, in the order of the table.

    Other members of a family, such as `resnet74_cifar` (6n+2) or `wrn34_5` (6n+4), can be built as
    well, although they are not listed.

    Example:
        >>> list_presets("resnet50*")
        ['resnet50', 'resnet50_v1', 'resnet50d']
    """
    return [name for name in PRESETS if fnmatchcase(name, pattern)]


@dataclass(frozen=True)
class Named:
    """A config, the name for its model, table or picture, and the checkpoint that it is of."""

    name: str
    config: ResnetConfig
    checkpoint: PublishedWeights | None = None


def resolve(
    source: str | ResnetConfig,
    input_shape: Any = None,
    classes: int | None = None,
    *,
    data_format: str = "channels_last",
    corrected_call: Callable[[tuple[int | None, ...]], str] | None = "input_shape={}".format,
    **changes: Any,
) -> Named:
    """Return the config of a name, or a given config, with some fields changed.

    Args:
        source: a preset's name, a checkpoint's name or repository (its network, with its input
            size and number of classes), or a config.
        input_shape: input shape in the order of `data_format`. Default: the config's own.
        classes: number of classes. Default: the config's own.
        corrected_call: function that writes the corrected call for a shape that looks as if in
            the other order, for the message; None accepts such a shape.
        **changes: fields of `ResnetConfig`.

    Raises:
        TypeError: a source of another type, or an unknown field.
        ValueError: an unknown preset or checkpoint; the message suggests similar names.
        OSError, ImportError: the `config.json` of an unknown repository cannot be read.
    """
    named = _find(source)
    if input_shape is not None:
        changes["input_shape"] = image_shape(input_shape, data_format, corrected_call)
    if classes is not None:
        changes["classes"] = classes
    return replace(named, config=named.config.replace(**changes)) if changes else named


def _find(source: str | ResnetConfig) -> Named:
    if isinstance(source, ResnetConfig):
        return Named("resnet", source)
    if not isinstance(source, str):
        raise TypeError(f"source must be a preset's name or a ResnetConfig, got {source!r}")
    checkpoint = find_published(source)
    if checkpoint is None:
        return Named(source, _preset(source))
    config = _preset(checkpoint.preset).replace(input_shape=checkpoint.input_shape)
    if checkpoint.classes:
        config = config.replace(classes=checkpoint.classes)
    return Named(checkpoint.name, config, checkpoint)


def _preset(name: str) -> ResnetConfig:
    found = PRESETS.get(name) or _member(name)
    if not found:
        raise ValueError(unknown("preset", name, PRESETS, "list_presets() names them all"))
    return found
