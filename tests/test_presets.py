import pytest

from resnet_builder import PRESETS, ResnetBuilder, list_presets
from resnet_builder.presets import resolve

pytestmark = pytest.mark.once

# One line for each family.
FAMILIES = """
keras_resnet18 keras_resnet34 keras_resnet50 keras_resnet101 keras_resnet152
resnet18 resnet26 resnet34 resnet50 resnet101 resnet152 resnet200
resnet50_v1 resnet101_v1 resnet152_v1
resnetv2_18 resnetv2_34 resnetv2_50 resnetv2_101 resnetv2_152
resnet18d resnet34d resnet50d resnet101d resnet152d resnet200d resnetv2_50d
seresnet18 seresnet34 seresnet50 seresnet101 seresnet152 seresnext50_32x4d seresnext101_32x4d
resnext50_32x4d resnext101_32x4d resnext101_32x8d resnext101_64x4d
ecaresnetlight
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
