"""The names of a network's weights. No Keras."""

import re

WeightName = tuple[str, str]  # layer and variable

HEAD = "predictions"
STEMS = ("stem_conv", "stem_conv1")  # the first convolution, by stem

_CONV = ("kernel", "bias")
_BATCH_NORM = ("gamma", "beta", "moving_mean", "moving_variance")


def _named(layers: str, variables: tuple[str, ...]) -> tuple[WeightName, ...]:
    return tuple((layer, variable) for layer in layers.split() for variable in variables)


# All that a network may have: layers in a block by the end of their names, and those outside.
WEIGHTS_IN_A_BLOCK = (
    *_named("conv1 conv2 conv3 shortcut_conv se_reduce se_expand", _CONV),
    *_named("eca_conv", ("kernel",)),
    *_named("bn1 bn2 bn3 shortcut_bn", _BATCH_NORM),
)
OTHER_WEIGHTS = (
    *_named(f"stem_conv stem_conv1 stem_conv2 stem_conv3 {HEAD}", _CONV),
    *_named("stem_bn stem_bn1 stem_bn2 stem_bn3 head_bn", _BATCH_NORM),
)


def is_known(weight: WeightName) -> bool:
    """Whether a weight is of a layer named here, and not in a block function of the user's."""
    layer, variable = weight
    in_block = re.fullmatch(r"stage\d+_block\d+_(.+)", layer)
    if in_block:
        return (in_block[1], variable) in WEIGHTS_IN_A_BLOCK
    return weight in OTHER_WEIGHTS
