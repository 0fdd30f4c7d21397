"""PRESETS: name -> config, one line each, and the rules of depth."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from fnmatch import fnmatchcase
from math import floor, log
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..common.checks import Catalogue, unknown
from ..common.words import INTERFACE
from ..config import ORIGINAL, ResnetConfig, obeyed

if TYPE_CHECKING:
    from ..options import Changes

# The filters of pruned networks, by stage, block and convolution: the shapes of the kernels in timm
# models/_pruned/ecaresnet50d_pruned.txt and ecaresnet101d_pruned.txt.
_PRUNED = json.loads(Path(__file__).with_name("pruned.json").read_text(encoding="utf-8"))


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

# Further depths, which are only published with variations.
_DEPTHS = _RESNETS | {
    "resnet10": _basic(1, 1, 1, 1),  # timm
    "resnet14": _bottleneck(1, 1, 1, 1),  # timm
    "resnet154": _RESNETS["resnet152"],  # SENet-154, whose name counts the stem's three
    "resnet269": _bottleneck(3, 30, 48, 8),  # timm
    # timm models/byobnet.py.
    "resnet32": _bottleneck(2, 3, 3, 2, filters=(64, 128, 384, 384)),
    "resnet33": _bottleneck(2, 3, 3, 2, filters=(64, 128, 384, 384), head_filters=1280),
    # Bello et al. 2021, arXiv:2103.07579, Table 10.
    "resnet270": _bottleneck(4, 29, 53, 4),
    "resnet350": _bottleneck(4, 36, 72, 4),
    "resnet420": _bottleneck(4, 44, 87, 4),
}


def _family(pattern: str, depths: str, **changes: Any) -> dict[str, ResnetConfig]:
    """The networks above of some depths, renamed by `pattern`, with the same changes."""
    return {
        pattern.format(depth): _DEPTHS[f"resnet{depth}"].replace(**changes)
        for depth in depths.split()
    }


def _x(groups: int, width: int) -> Changes:
    """Xie et al. 2016, arXiv:1611.05431."""
    return {"groups": groups, "width_per_group": width}


# Bag of Tricks, arXiv:1812.01187, Figure 2, variants C and D; the others are of the MXNet Gluon
# networks and timm models/resnet.py.
_C: Changes = {"stem": "deep"}
_D: Changes = {"stem": "deep", "projection": "avg_pool"}
_E: Changes = _D | {"stem_filters": 128}
_S: Changes = {"stem": "deep", "stem_filters": 128}
_T: Changes = {"stem": "deep_tiered", "projection": "avg_pool"}
_SE: Changes = {"se_ratio": 1 / 16}  # Hu et al. 2017, arXiv:1709.01507: the reduction ratio 16
_ECA: Changes = {"eca": True}  # Wang et al. 2019, arXiv:1910.03151
_AA: Changes = {"anti_aliasing": "avg"}
_BLUR: Changes = {"anti_aliasing": "blur"}  # Zhang 2019, arXiv:1904.11486
_V2: Changes = {"activation_order": "pre"}  # He et al. 2016, arXiv:1603.05027
_GN: Changes = {"norm": "group"}  # Wu and He 2018, arXiv:1803.08494
# Hu et al. 2017, appendix: SENet-154.
_SENET: Changes = {"projection_kernel": 3, "reduce_first": 2, **_S, **_SE, **_x(64, 4)}
# Kolesnikov et al. 2019, arXiv:1912.11370; timm models/resnetv2.py.
_BIT: Changes = _V2 | _GN | {"weight_standardization": True, "stem_pool": "max_zeros"}
_V: Changes = {"activation_order": "pre_shared", "activation": "silu"}  # timm's regnetv
# Bello et al. 2021, arXiv:2103.07579.
_RS: Changes = _D | {"stem_pool": "conv", "se_ratio": 1 / 4}
# The original SENets, from Caffe: timm models/senet.py.
_LEGACY: Changes = {"stem_pool": "max_ceil", "se_ratio": 1 / 16, "se_divisor": 1}
# Gao et al. 2019, arXiv:1904.01169; timm models/res2net.py.
_RES2NET: Changes = {"block": "res2net_bottleneck", "width_per_group": 26}
# Li et al. 2019, arXiv:1903.06586; timm models/sknet.py.
_SK: Changes = {"block": "sk_basic_block", "se_ratio": 1 / 8, "se_divisor": 16}
_SK_BOTTLENECK: Changes = {"block": "sk_bottleneck", "se_ratio": 1 / 16}
# Zhang et al. 2020, arXiv:2004.08955; timm models/resnest.py.
_RESNEST: Changes = _D | {"block": "resnest_bottleneck", "splits": 2, "se_ratio": 1 / 4}
# keras.applications, keras/src/applications/resnet.py and resnet_v2.py.
_KERAS_APPLICATIONS_V2: Changes = _V2 | {
    "stem_pool": "max_zeros",
    "stride_in_last_block": True,
    "use_bias": "unless_normalized",
    "batch_norm_epsilon": 1.001e-5,
}
# timm models/byobnet.py.
_TS: Changes = {"stem": "deep_tiered", "stem_pool": "stride", "activation": "silu"}
_XTS: Changes = _TS | {"stem_pool": "max", "group_width": 32}
_EARLY: Changes = {"block": "early_attention_bottleneck"}
_GC: Changes = _EARLY | {"gc_ratio": 1 / 8}  # Cao et al. 2019, arXiv:1904.11492
# PaddleClas, ppcls/arch/backbone/legendary_models/resnet.py; keras-hub.
_VD: Changes = _D | {"project_first": True}


# Radosavovic et al. 2020, arXiv:2003.13678: blocks, w_0, w_a, w_m, and filters of a group, as in
# pycls configs/dds_baselines; the last three Y are of SEER, arXiv:2103.01988.
_REGNETS = {
    "regnetx_002": (13, 24, 36.44, 2.49, 8),
    "regnetx_004": (22, 24, 24.48, 2.54, 16),
    "regnetx_006": (16, 48, 36.97, 2.24, 24),
    "regnetx_008": (16, 56, 35.73, 2.28, 16),
    "regnetx_016": (18, 80, 34.01, 2.25, 24),
    "regnetx_032": (25, 88, 26.31, 2.25, 48),
    "regnetx_040": (23, 96, 38.65, 2.43, 40),
    "regnetx_064": (17, 184, 60.83, 2.07, 56),
    "regnetx_080": (23, 80, 49.56, 2.88, 120),
    "regnetx_120": (19, 168, 73.36, 2.37, 112),
    "regnetx_160": (22, 216, 55.59, 2.1, 128),
    "regnetx_320": (23, 320, 69.86, 2.0, 168),
    "regnety_002": (13, 24, 36.44, 2.49, 8),
    "regnety_004": (16, 48, 27.89, 2.09, 8),
    "regnety_006": (15, 48, 32.54, 2.32, 16),
    "regnety_008": (14, 56, 38.84, 2.4, 16),
    "regnety_016": (27, 48, 20.71, 2.65, 24),
    "regnety_032": (21, 80, 42.63, 2.66, 24),
    "regnety_040": (22, 96, 31.41, 2.24, 64),
    "regnety_064": (25, 112, 33.22, 2.27, 72),
    "regnety_080": (17, 192, 76.82, 2.19, 56),
    "regnety_120": (19, 168, 73.36, 2.37, 112),
    "regnety_160": (18, 200, 106.23, 2.48, 112),
    "regnety_320": (20, 232, 115.89, 2.53, 232),
    "regnety_640": (20, 352, 147.48, 2.4, 328),
    "regnety_1280": (27, 456, 160.83, 2.52, 264),
    "regnety_2560": (27, 640, 230.83, 2.53, 373),
}


def _regnet(name: str, *, torchvision: bool = False, **changes: Any) -> ResnetConfig:
    """The network of a row of the table, its stages by the quantised linear rule (eq. 2 to 4).

    Args:
        torchvision: whether a width of an odd number of half groups is rounded up, and no width
            loses more than a tenth (models/_utils.py, _make_divisible).
    """
    blocks, initial, slope, factor, group_width = _REGNETS[name]
    steps = (round(log((initial + slope * j) / initial) / log(factor)) for j in range(blocks))
    stages = Counter(8 * round(initial * factor**step / 8) for step in steps)

    def in_groups(width: int) -> int:
        of_group = min(group_width, width)
        groups = round(width / of_group)
        if torchvision:
            groups = floor(width / of_group + 0.5)
            groups += groups * of_group < 0.9 * width
        return groups * of_group

    squeeze: Changes = {"se_ratio": 1 / 4, "se_divisor": 1} if "regnety" in name else {}
    return ResnetConfig(
        block="regnet_bottleneck",
        repetitions=tuple(stages.values()),
        filters=tuple(map(in_groups, stages)),
        group_width=group_width,
        stem="regnet",
        stem_filters=32,
    ).replace(**squeeze, **changes)


def _clip(
    name: str, *repetitions: int, side: int, embedding: int, filters: int
) -> dict[str, ResnetConfig]:
    """A network of CLIP with its attention pool, and with an average pool and classes.

    Radford et al. 2021, arXiv:2103.00020; openai/CLIP clip/model.py; timm models/byobnet.py.
    """
    shape = (side, side, 3)
    body = _bottleneck(*repetitions, filters=filters, input_shape=shape).replace(**_D | _AA)
    whole = body.replace(head_pool="attention", classes=embedding, embedding=True)
    return {f"{name}_clip": whole, f"{name}_clip_gap": body}


_IMAGENET = (
    _RESNETS
    # The article's networks (raghakot/keras-resnet, resnet.py).
    | {
        name: obeyed(config)
        for name, config in _family("keras_resnet{}", "18 34 50 101 152", **ORIGINAL).items()
    }
    # To the letter of the 2015 paper; also keras.applications' ResNet50, 101 and 152.
    | _family("resnet{}_v1", "50 101 152", stride_in_3x3=False)
    # keras.applications' ResNet50V2, 101V2 and 152V2.
    | _family("resnet{}_v2", "50 101 152", **_KERAS_APPLICATIONS_V2)
    # timm models/resnetv2.py.
    | _family("resnetv2_{}", "18 34 50 101 152", **_V2)
    | _family("resnet{}c", "50 101 152", **_C)
    | _family("resnet{}d", "18 26 34 50 101 152 200", **_D)
    | _family("resnet{}s", "50 101 152", **_S)
    | _family("resnet{}t", "10 14 26 50", **_T)
    | _family("resnetv2_{}d", "18 34 50 101 152", **_V2 | _D)
    | _family("resnetv2_{}t", "50", **_V2 | _T)
    | _family("resnet{}_vd", "18 34", **_VD)
    | {"resnet200_vd": _bottleneck(3, 12, 48, 3).replace(**_D)}
    | _family("resnet{}_gn", "50", **_GN)
    | _family("resnetv2_{}d_gn", "50", **_V2 | _D | _GN)
    | _family("resnetv2_{}d_evos", "50", **_V2 | _D, norm="evonorm_s0")
    | _family("resnetv2_{}x1_bit", "50 101", **_BIT)
    | _family("resnetv2_{}x2_bit", "152", **_BIT, filters=128)
    | _family("resnetv2_{}x3_bit", "50 101", **_BIT, filters=192)
    | _family("resnetv2_{}x4_bit", "152", **_BIT, filters=256)
    | _family("seresnet{}", "18 34 50 101 152", **_SE)
    | _family("seresnet{}d", "152 200 269", **_D | _SE)
    | _family("seresnet{}t", "50", **_T | _SE)
    | _family("ecaresnet{}d", "50 101 200 269", **_D | _ECA)
    | _family("ecaresnet{}t", "26 50", **_T | _ECA)
    | {"ecaresnetlight": _bottleneck(1, 1, 11, 3, projection="avg_pool", eca=True)}
    | _family("ecaresnet{}d_pruned", "50", **_D | _ECA, widths=_PRUNED["ecaresnet50d_pruned"])
    | _family("ecaresnet{}d_pruned", "101", **_D | _ECA, widths=_PRUNED["ecaresnet101d_pruned"])
    | _family("resnext{}_32x4d", "50 101", **_x(32, 4))
    | _family("resnext{}d_32x4d", "50", **_D | _x(32, 4))
    | _family("resnext{}_32x8d", "101", **_x(32, 8))
    | _family("resnext{}_32x16d", "101", **_x(32, 16))
    | _family("resnext{}_32x32d", "101", **_x(32, 32))
    | _family("resnext{}_32x48d", "101", **_x(32, 48))
    | _family("resnext{}_64x4d", "101", **_x(64, 4))
    | _family("seresnext{}d_32x4d", "26", **_D | _SE | _x(32, 4))
    | _family("seresnext{}t_32x4d", "26", **_T | _SE | _x(32, 4))
    | _family("seresnext{}_32x4d", "50 101", **_SE | _x(32, 4))
    | _family("seresnext{}_32x8d", "101", **_SE | _x(32, 8))
    | _family("seresnext{}d_32x8d", "101", **_D | _SE | _x(32, 8))
    | _family("seresnext{}_64x4d", "101", **_SE | _x(64, 4))
    | _family("ecaresnext{}t_32x4d", "26 50", **_T | _ECA | _x(32, 4))
    | _family("senet{}", "154", **_SENET)
    | _family("resnetaa{}", "50", **_AA)
    | _family("resnetaa{}d", "34 50 101", **_D | _AA)
    | _family("seresnetaa{}d", "50", **_D | _AA | _SE)
    | _family("seresnextaa{}d_32x8d", "101", **_D | _AA | _SE | _x(32, 8))
    | {"seresnextaa201d_32x8d": _bottleneck(3, 24, 36, 4).replace(**_E | _AA | _SE | _x(32, 8))}
    | _clip("resnet50", 3, 4, 6, 3, filters=64, side=224, embedding=1024)
    | _clip("resnet101", 3, 4, 23, 3, filters=64, side=224, embedding=512)
    | _clip("resnet50x4", 4, 6, 10, 6, filters=80, side=288, embedding=640)
    | _clip("resnet50x16", 6, 8, 18, 8, filters=96, side=384, embedding=768)
    | _clip("resnet50x64", 3, 15, 36, 10, filters=128, side=448, embedding=1024)
    | _family("resnetblur{}", "18 50", **_BLUR)
    | _family("resnetblur{}d", "50 101", **_D | _BLUR)
    | _family("resnetrs{}", "50 101 152 200 270 350 420", **_RS)
    | _family("legacy_seresnet{}", "18 34", **_LEGACY, activate_residual=True)
    | _family("legacy_seresnet{}", "50 101 152", **_LEGACY, stride_in_3x3=False)
    | _family("legacy_seresnext{}_32x4d", "26 50 101", **_LEGACY | _x(32, 4))
    | _family("legacy_senet{}", "154", **_LEGACY | _SENET)
    | _family("res2net{}_26w_4s", "50 101", **_RES2NET)
    | _family("res2net{}_26w_6s", "50", **_RES2NET, splits=6)
    | _family("res2net{}_26w_8s", "50", **_RES2NET, splits=8)
    | _family("res2net{}_48w_2s", "50", **_RES2NET | {"width_per_group": 48}, splits=2)
    | _family("res2net{}_14w_8s", "50", **_RES2NET | {"width_per_group": 14}, splits=8)
    | _family("res2next{}", "50", **_RES2NET | _x(8, 4))
    | _family("res2net{}d", "50 101", **_D | _RES2NET)
    | _family("skresnet{}", "18 34", **_SK)
    | _family("skresnet{}", "50", **_SK_BOTTLENECK)
    | _family("skresnet{}d", "50", **_D | _SK_BOTTLENECK)
    | _family(
        "skresnext{}_32x4d", "50", **_SK_BOTTLENECK | _x(32, 4), se_divisor=32, split_input=False
    )
    | _family("resnest{}d", "14 26 50", **_RESNEST)
    | _family("resnest{}e", "101 200 269", **_RESNEST, stem_filters=128)
    | _family("resnest{}d_4s2x40d", "50", **_RESNEST | _x(2, 40) | {"splits": 4}, pool_first=True)
    | _family("resnest{}d_1s4x24d", "50", **_RESNEST | _x(4, 24) | {"splits": 1}, pool_first=True)
    # Zagoruyko and Komodakis 2016, arXiv:1605.07146; torchvision models/resnet.py.
    | _family("wide_resnet{}_2", "50 101", width_per_group=128)
    | {
        "test_resnet": ResnetConfig(  # timm
            block=("basic_block", "basic_block", "bottleneck", "basic_block"),
            repetitions=(1, 1, 1, 1),
            filters=(32, 48, 48, 96),
        ).replace(**_D)
    }
    | {name: _regnet(name) for name in _REGNETS}
    # torchvision's rounding, where it makes a difference.
    | {
        f"{name}_tv": _regnet(name, torchvision=True)
        for name in ("regnetx_004", "regnety_008", "regnety_080")
    }
    # timm models/regnet.py.
    | {
        "regnetv_040": _regnet("regnety_040", **_V),
        "regnetv_064": _regnet("regnety_064", **_V, projection="avg_pool"),
    }
    # timm models/byobnet.py.
    | _family("resnext{}ts", "26", **_XTS)
    | _family("seresnext{}ts", "26", **_XTS | _EARLY | _SE)
    | _family("eca_resnext{}ts", "26", **_XTS | _EARLY | _ECA)
    | _family("gcresnext{}ts", "26 50", **_XTS | _GC)
    | _family("gcresnet{}t", "50", **_TS | _GC | {"activation": "relu"})
    | _family("resnet{}ts", "32", **_TS)
    | _family("resnet{}ts", "33", **_TS)
    | _family("seresnet{}ts", "33", **_TS | _EARLY | _SE)
    | _family("eca_resnet{}ts", "33", **_TS | _EARLY | _ECA)
    | _family("gcresnet{}ts", "33", **_TS | _GC)
    | {
        "resnet51q": ResnetConfig(
            block=("bottleneck",) * 3 + ("regnet_bottleneck",),
            repetitions=(2, 4, 6, 4),
            filters=(64, 128, 384, 1536),
            group_width=(32, 32, 32, 1),
            stem="quad",
            stem_filters=128,
            activation="silu",
            head_filters=2048,
        )
    }
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
    """A family for images of 32x32: three stages of n blocks of two convolutions.

    Attributes:
        pattern: its names, with {} for the depth and for every number after it.
        others: layers outside the blocks; a depth is 6n + `others`.
        config: function of n and of the numbers after the depth.
        listed: the numbers in the names that `list_presets` shows.
    """

    pattern: str
    others: int
    config: Callable[..., ResnetConfig]
    listed: tuple[tuple[int, ...], ...]

    def member(self, depth: int, *numbers: int) -> ResnetConfig:
        """The network with these numbers in its name.

        Raises:
            ValueError: a depth that breaks the rule; the message has the nearest names.
        """
        n, rest = divmod(depth - self.others, 6)
        if rest or n < 1:
            name, family = self.pattern.format(depth, *numbers), self.pattern.format("D", *numbers)
            depths = sorted({6 * max(1, near) + self.others for near in (n, n + 1)})
            nearest = ", ".join(self.pattern.format(near, *numbers) for near in depths)
            raise ValueError(
                f"unknown preset {name!r}: the depth of {family} is 6n+{self.others}; the nearest: "
                f"{nearest}"
            )
        return self.config(n, *numbers)

    def find(self, name: str) -> ResnetConfig | None:
        """The member with that name; None if the name is not of this family."""
        match = re.fullmatch(self.pattern.replace("{}", r"([1-9]\d*)"), name)
        return self.member(*map(int, match.groups())) if match else None


RULES = (
    # Option A shortcuts, without parameters (He et al. 2015, section 4.2).
    Rule(
        "resnet{}_cifar",
        2,
        lambda n: _basic(n, n, n, projection="pad", **_CIFAR),
        listed=((20,), (32,), (44,), (56,), (110,), (1202,)),
    ),
    Rule(
        "plain{}_cifar",
        2,
        lambda n: _basic(n, n, n, shortcuts=False, **_CIFAR),
        listed=((20,), (32,), (44,), (56,)),
    ),
    # Zagoruyko and Komodakis 2016, arXiv:1605.07146, Table 1: the stem keeps its 16 filters.
    Rule(
        "wrn{}_{}",
        4,
        lambda n, k: _basic(
            n, n, n, activation_order="pre", stem_filters=16, **_CIFAR | {"filters": 16 * k}
        ),
        listed=((16, 4), (16, 8), (22, 8), (28, 2), (28, 10), (40, 1), (40, 2), (40, 4), (40, 8)),
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


class Presets(Catalogue[ResnetConfig]):
    """The configs of the preset networks by name: a read-only mapping.

    `ResnetBuilder.from_preset` builds them, `list_presets` lists their names by pattern,
    `list_weights` their checkpoints, and `compare` says how two of them differ. The names are those
    of timm and torchvision where these have the network; the sources are in presets/networks.py.

    Example:
        >>> from resnet_builder import PRESETS, list_presets
        >>> PRESETS["resnet34"].repetitions
        (3, 4, 6, 3)
        >>> sum(config.se_ratio > 0 for config in PRESETS.values()) > 20
        True
        >>> list_presets("wide*")
        ['wide_resnet50_2', 'wide_resnet101_2']
    """


PRESETS = Presets(
    _IMAGENET
    | {
        rule.pattern.format(*numbers): rule.member(*numbers)
        for rule in RULES
        for numbers in rule.listed
    }
    | _PREACTIVATION_CIFAR
)
"""The presets: name -> config. The mapping is read-only."""


def list_presets(pattern: str = "*") -> list[str]:
    """List the presets that match a shell pattern, in the order of the table.

    Other members of a family, such as `resnet74_cifar` (6n+2) or `wrn34_5` (6n+4), can be built as
    well, although they are not listed.

    Example:
        >>> list_presets("resnet50?")
        ['resnet50c', 'resnet50d', 'resnet50s', 'resnet50t']
    """
    return [name for name in PRESETS if fnmatchcase(name, pattern)]


def find_preset(name: str) -> ResnetConfig:
    """Return the config of a preset, or of another member of a family.

    Raises:
        ValueError: an unknown name, or a depth that breaks the family's rule.
    """
    if name in PRESETS:
        return PRESETS[name]
    for rule in RULES:
        if found := rule.find(name):
            return found
    raise ValueError(unknown("preset", name, PRESETS, f"{INTERFACE.get().presets} names them all"))


# Families in words -------------------------------------------------------------------------------

# Block -> the name of its networks.
_NETWORK_OF_BLOCK = {
    "res2net_bottleneck": "Res2Net",
    "sk_basic_block": "SKNet",
    "sk_bottleneck": "SKNet",
    "resnest_bottleneck": "ResNeSt",
    "regnet_bottleneck": "RegNet",
}
# Stem and projection -> the letter of "Bag of tricks" (arXiv:1812.01187), or timm's.
_LETTERS = {
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
    is_grouped = config.groups > 1 or config.group_width is not None
    name = _NETWORK_OF_BLOCK.get(block, "ResNeXt" if is_grouped else "ResNet")
    if block == "regnet_bottleneck":
        name += "Y" if config.se_ratio else "X"
    elif block not in _NETWORK_OF_BLOCK:
        attentions = {"ECA-": config.eca, "SE-": config.se_ratio, "GC-": config.gc_ratio}
        name = "".join(prefix for prefix, holds in attentions.items() if holds) + name
    words = {
        "plain": not config.shortcuts,
        "pre-activation": config.activation_order != "post",
        "group-norm": config.norm == "group",
        "EvoNorm": config.norm == "evonorm_s0",
        "anti-aliased": config.anti_aliasing is not None,
        "attention-pooled": config.head_pool == "attention",
        "wide": _is_wide(config),
    }
    letter = _LETTERS.get((config.stem, config.projection), "")
    return " ".join([*(word for word, holds in words.items() if holds), name + letter])


def _is_wide(config: ResnetConfig) -> bool:
    if config.stem == "cifar":
        return config.stage_filters[0] > (config.stem_filters or config.stage_filters[0])
    if config.groups > 1 or config.group_width:
        return False
    return config.width_per_group > 64 or config.stage_filters[0] > 64
