"""The arguments of timm's networks that a repository's `config.json` may state.

timm models/resnet.py and resnetv2.py; layers/create_act.py, create_norm.py, create_attn.py and
blur_pool.py. To add one, add a row to `ARGUMENTS`.
"""

from collections.abc import Callable, Mapping
from typing import Any

from ..config import ResnetConfig


class RepositoryError(ValueError):
    """The error that names a repository, its file and the setting."""


# Names of activations that compute what the Keras activation of the value does; timm's leaky_relu
# has another slope.
_ACTIVATIONS = {
    **{name: name for name in ("relu", "relu6", "silu", "elu", "selu", "celu", "gelu", "mish")},
    **{name: name for name in ("sigmoid", "tanh", "hard_sigmoid")},
    "swish": "silu",
    "hard_swish": "hard_silu",
    "identity": "linear",
}
_NORMS = {"batchnorm": "batch", "batchnorm2d": "batch", "groupnorm": "group"}  # of 32 groups
_ANTI_ALIASING = {
    **dict.fromkeys(("avg", "avgpool", "avgpool2d"), "avg"),
    **dict.fromkeys(("blur", "blurpool", "blurpool2d"), "blur"),
    "": None,
}
_ATTENTIONS: dict[str, Mapping[str, object]] = {
    "se": {"se_ratio": 1 / 16, "eca": False},
    "eca": {"eca": True, "se_ratio": 0.0},
}

STEM_WIDTH = 64  # timm's default for ResNet

# A function of a value that returns fields of `ResnetConfig`, or options of
# `ResnetBuilder.from_preset`. It fails if the value has no equal here.
Translation = Callable[[Any], Mapping[str, object]]


def _as_is(field: str) -> Translation:
    return lambda value: {field: value}


def _named(field: str, values: Mapping[Any, object]) -> Translation:
    return lambda value: {field: values[value]}


def _block_arguments(arguments: Any) -> Mapping[str, object]:
    [(name, attention)] = arguments.items()
    return {"attn_layer": _ATTENTIONS}[name][attention]


ARGUMENTS: dict[str, Translation] = {
    "act_layer": _named("activation", _ACTIVATIONS),
    "norm_layer": _named("norm", _NORMS),
    "aa_layer": _named("anti_aliasing", _ANTI_ALIASING),
    "block_args": _block_arguments,
    "layers": _as_is("repetitions"),
    "cardinality": _as_is("groups"),
    "base_width": _as_is("width_per_group"),
    "block_reduce_first": _as_is("reduce_first"),
    "down_kernel_size": _as_is("projection_kernel"),
    "avg_down": _named("projection", {False: "conv", True: "avg_pool"}),
    "stem_type": _named("stem", {"": "imagenet", "deep": "deep", "deep_tiered": "deep_tiered"}),
    "stem_width": lambda width: {"stem_filters": 2 * width},  # of a deep stem
    "replace_stem_pool": _named("stem_pool", {False: "max", True: "conv"}),
    "drop_path_rate": _as_is("drop_path_rate"),
    "zero_init_last": _as_is("zero_init_last"),
    "num_classes": _as_is("classes"),
    "in_chans": _as_is("channels"),
    "drop_rate": _as_is("dropout_rate"),
    "output_stride": _as_is("output_stride"),
    "global_pool": _named("pooling", {"avg": "avg", "max": "max"}),
}


def translated(
    arguments: Mapping[str, object], repository: str, preset: ResnetConfig | None
) -> dict[str, Any]:
    """Translate `model_args`; None stands for timm's default, as in timm.

    Args:
        preset: the network that the arguments change, if it is known.

    Raises:
        ValueError: an argument or a value that has no equal here.
    """
    changes: dict[str, Any] = {}
    for name, value in arguments.items():
        if value is None:
            continue
        try:
            changes |= ARGUMENTS[name](value)
        except (KeyError, TypeError, ValueError, AttributeError):
            known = ", ".join(ARGUMENTS)
            raise RepositoryError(
                f"the config.json of {repository!r} has {name}={value!r} in its model_args, which "
                f"has no equal here (known are: {known}). Give a config of the network, and the "
                "repository as weights"
            ) from None
    if preset and changes.get("stem", preset.stem) == "imagenet":
        changes.pop("stem_filters", None)  # its width is not an option
    elif preset and preset.stem == "imagenet" and preset.activation_order == "post":
        changes.setdefault("stem_filters", 2 * STEM_WIDTH)
    return changes
