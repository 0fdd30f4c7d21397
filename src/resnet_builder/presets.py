"""PRESETS: a preset's name -> its config, one line each. No Keras here."""

from collections.abc import Mapping
from fnmatch import fnmatchcase
from types import MappingProxyType
from typing import Any

from .config import ORIGINAL, ResnetConfig
from .errors import look_up


def _basic(*repetitions: int) -> ResnetConfig:
    return ResnetConfig(block="basic_block", repetitions=repetitions)


def _bottleneck(*repetitions: int) -> ResnetConfig:
    return ResnetConfig(block="bottleneck", repetitions=repetitions)


# He et al. 2015, arXiv:1512.03385, Table 1, with PyTorch's conventions ("v1.5": the stride in the
# 3x3 convolution), as in torchvision models/resnet.py and timm models/resnet.py.
_RESNETS = {
    "resnet18": _basic(2, 2, 2, 2),
    "resnet34": _basic(3, 4, 6, 3),
    "resnet50": _bottleneck(3, 4, 6, 3),
    "resnet101": _bottleneck(3, 4, 23, 3),
    "resnet152": _bottleneck(3, 8, 36, 3),
}


def _family(pattern: str, names: str, **changes: Any) -> dict[str, ResnetConfig]:
    """The networks of the paper called `names`, renamed by `pattern` and changed alike."""
    return {pattern.format(name): _RESNETS[name].replace(**changes) for name in names.split()}


PRESETS: Mapping[str, ResnetConfig] = MappingProxyType(
    _RESNETS
    # The article's own networks (raghakot/keras-resnet, resnet.py).
    | _family("keras_{}", "resnet18 resnet34 resnet50 resnet101 resnet152", **ORIGINAL)
)


def list_presets(pattern: str = "*") -> list[str]:
    """Names of the presets that match a shell pattern, in the order of the table.

    Example:
        >>> list_presets("*50")
        ['resnet50', 'keras_resnet50']
    """
    return [name for name in PRESETS if fnmatchcase(name, pattern)]


def find_config(source: str | ResnetConfig) -> ResnetConfig:
    """The config that a preset's name stands for; a config stands for itself.

    Raises:
        TypeError: neither a name nor a config.
        ValueError: a name that is not in `PRESETS`; the message lists the near ones.
    """
    return source if isinstance(source, ResnetConfig) else look_up(PRESETS, source, "preset")
