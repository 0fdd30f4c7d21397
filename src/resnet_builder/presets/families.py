"""The family of a network in words, made of what its config says. Does not import Keras."""

from ..config import ResnetConfig

# Block -> the name of its networks.
NAMES = {
    "res2net_bottleneck": "Res2Net",
    "sk_basic_block": "SKNet",
    "sk_bottleneck": "SKNet",
    "resnest_bottleneck": "ResNeSt",
}
# Stem and projection -> the letter of "Bag of tricks" (arXiv:1812.01187), or timm's.
LETTERS = {
    ("deep", "conv"): "-C",
    ("deep", "avg_pool"): "-D",
    ("deep_tiered", "avg_pool"): "-T",
}


def family_of(config: ResnetConfig) -> str:
    """The name of the networks that differ from a network in depth: SE-ResNeXt-D.

    Example:
        >>> from resnet_builder import PRESETS
        >>> family_of(PRESETS["seresnext26d_32x4d"]), family_of(PRESETS["wrn28_10"])
        ('SE-ResNeXt-D', 'pre-activation wide ResNet')
    """
    block = str(config.stage_blocks[0])
    name = NAMES.get(block, "ResNeXt" if config.groups > 1 else "ResNet")
    if block not in NAMES:
        name = ("ECA-" if config.eca else "SE-" if config.se_ratio else "") + name
    words = {
        "plain": not config.shortcuts,
        "pre-activation": config.activation_order != "post",
        "group-norm": config.norm == "group",
        "EvoNorm": config.norm == "evonorm_s0",
        "anti-aliased": config.anti_aliasing is not None,
        "wide": _is_wide(config),
    }
    letter = LETTERS.get((config.stem, config.projection), "")
    return " ".join([*(word for word, holds in words.items() if holds), name + letter])


def _is_wide(config: ResnetConfig) -> bool:
    if config.stem == "cifar":
        return config.stage_filters[0] > (config.stem_filters or config.stage_filters[0])
    return config.groups == 1 and (config.width_per_group > 64 or config.stage_filters[0] > 64)
