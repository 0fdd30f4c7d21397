from typing import Any

import pytest

from resnet_builder import PRESETS, ResnetBuilder, list_presets
from resnet_builder.presets.networks import family_of
from resnet_builder.presets.resolve import resolve

# One line for each family.
FAMILIES = """
keras_resnet18 keras_resnet34 keras_resnet50 keras_resnet101 keras_resnet152
resnet18 resnet26 resnet34 resnet50 resnet101 resnet152 resnet200
resnet50_v1 resnet101_v1 resnet152_v1 resnet50_v2 resnet101_v2 resnet152_v2
resnetv2_18 resnetv2_34 resnetv2_50 resnetv2_101 resnetv2_152
resnet50c resnet101c resnet152c resnet50s resnet101s resnet152s
resnet18d resnet26d resnet34d resnet50d resnet101d resnet152d resnet200d
resnet10t resnet14t resnet26t resnet50t
resnetv2_18d resnetv2_34d resnetv2_50d resnetv2_101d resnetv2_152d resnetv2_50t
resnet18_vd resnet34_vd resnet200_vd
resnet50_gn resnetv2_50d_gn resnetv2_50d_evos
resnetv2_50x1_bit resnetv2_50x3_bit resnetv2_101x1_bit resnetv2_101x3_bit
resnetv2_152x2_bit resnetv2_152x4_bit
seresnet18 seresnet34 seresnet50 seresnet101 seresnet152 seresnet152d seresnet200d seresnet269d
seresnet50t seresnext26d_32x4d seresnext26t_32x4d seresnext50_32x4d seresnext101_32x4d
seresnext101_32x8d seresnext101_64x4d seresnext101d_32x8d senet154
ecaresnetlight ecaresnet50d ecaresnet101d ecaresnet200d ecaresnet269d ecaresnet26t ecaresnet50t
ecaresnet50d_pruned ecaresnet101d_pruned ecaresnext26t_32x4d ecaresnext50t_32x4d
resnext50_32x4d resnext101_32x4d resnext101_32x8d resnext101_32x16d resnext101_32x32d
resnext101_32x48d resnext101_64x4d resnext50d_32x4d
resnetaa50 resnetaa34d resnetaa50d resnetaa101d seresnetaa50d
seresnextaa101d_32x8d seresnextaa201d_32x8d
resnet50_clip resnet101_clip resnet50x4_clip resnet50x16_clip resnet50x64_clip
resnet50_clip_gap resnet101_clip_gap resnet50x4_clip_gap resnet50x16_clip_gap resnet50x64_clip_gap
resnetblur18 resnetblur50 resnetblur50d resnetblur101d
resnetrs50 resnetrs101 resnetrs152 resnetrs200 resnetrs270 resnetrs350 resnetrs420
legacy_seresnet18 legacy_seresnet34 legacy_seresnet50 legacy_seresnet101 legacy_seresnet152
legacy_seresnext26_32x4d legacy_seresnext50_32x4d legacy_seresnext101_32x4d legacy_senet154
res2net50_26w_4s res2net101_26w_4s res2net50_26w_6s res2net50_26w_8s res2net50_48w_2s
res2net50_14w_8s res2next50 res2net50d res2net101d
skresnet18 skresnet34 skresnet50 skresnet50d skresnext50_32x4d
resnest14d resnest26d resnest50d resnest101e resnest200e resnest269e
resnest50d_4s2x40d resnest50d_1s4x24d
regnetx_002 regnetx_004 regnetx_004_tv regnetx_006 regnetx_008 regnetx_016 regnetx_032
regnetx_040 regnetx_064 regnetx_080 regnetx_120 regnetx_160 regnetx_320
regnety_002 regnety_004 regnety_006 regnety_008 regnety_008_tv regnety_016 regnety_032
regnety_040 regnety_064 regnety_080 regnety_080_tv regnety_120 regnety_160 regnety_320
regnety_640 regnety_1280 regnety_2560 regnetv_040 regnetv_064
resnext26ts seresnext26ts eca_resnext26ts gcresnext26ts gcresnext50ts
resnet32ts resnet33ts seresnet33ts eca_resnet33ts gcresnet33ts gcresnet50t resnet51q
test_resnet
wide_resnet50_2 wide_resnet101_2
wrn16_4 wrn16_8 wrn22_8 wrn28_2 wrn28_10 wrn40_1 wrn40_2 wrn40_4 wrn40_8
resnet20_cifar resnet32_cifar resnet44_cifar resnet56_cifar resnet110_cifar resnet1202_cifar
resnetv2_110_cifar resnetv2_164_cifar resnetv2_1001_cifar
plain18 plain34 plain20_cifar plain32_cifar plain44_cifar plain56_cifar
"""


def test_every_family_is_there() -> None:
    assert sorted(PRESETS) == sorted(FAMILIES.split())


@pytest.mark.parametrize(
    ("name", "repetitions", "filters"),
    [("resnet14_cifar", 2, 16), ("plain110_cifar", 18, 16), ("wrn34_3", 5, 48)],
)
def test_members_are_read_from_the_rule(name: str, repetitions: int, filters: int) -> None:
    config = resolve(name).config
    assert (config.repetitions, config.filters) == ((repetitions,) * 3, filters)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("resnet21_cifar", "6n[+]2; the nearest: resnet20_cifar, resnet26_cifar"),
        ("plain2_cifar", "the nearest: plain8_cifar"),
        ("wrn41_2", "wrnD_2 is 6n[+]4; the nearest: wrn40_2, wrn46_2"),
        ("wrn40_0", "unknown preset 'wrn40_0': did you mean 'wrn40_"),
        ("resnet020_cifar", "did you mean 'resnet20_cifar'"),
    ],
)
def test_depths_that_break_the_rule(name: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        resolve(name)


def test_list_presets() -> None:
    assert list_presets() == list(PRESETS)
    assert list_presets("keras_*10?") == ["keras_resnet101"]
    assert list_presets("vgg*") == []


def test_presets_cannot_be_changed() -> None:
    with pytest.raises(TypeError):
        PRESETS["resnet18"] = PRESETS["resnet34"]  # type: ignore[index]


def test_an_unknown_name_lists_the_near_ones() -> None:
    with pytest.raises(ValueError, match="did you mean 'resnet50'"):
        ResnetBuilder.from_preset("resnet5O")
    with pytest.raises(TypeError, match="got 50"):
        ResnetBuilder.from_preset(50)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("preset", "changes", "family"),
    [
        ("regnetx_002", {}, "RegNetX"),
        ("regnety_002", {}, "RegNetY"),
        ("resnet50", {"groups": 2}, "ResNeXt"),
        ("resnet50", {"groups": 2, "width_per_group": 128}, "ResNeXt"),
        ("wide_resnet50_2", {}, "wide ResNet"),
        ("wrn16_4", {}, "pre-activation wide ResNet"),
        ("ecaresnet50t", {}, "ECA-ResNet-T"),
        ("gcresnext50ts", {}, "GC-ResNeXt"),
        ("plain34", {}, "plain ResNet"),
        ("resnetv2_50d_gn", {}, "pre-activation group-norm ResNet-D"),
        ("resnet50_clip", {}, "anti-aliased attention-pooled ResNet-D"),
    ],
)
def test_a_family_is_named_by_its_differences(
    preset: str, changes: dict[str, Any], family: str
) -> None:
    assert family_of(PRESETS[preset].replace(**changes)) == family
