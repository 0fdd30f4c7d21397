"""The stages of RegNet, by the quantised linear rule of arXiv:2003.13678."""

import pytest

from resnet_builder import PRESETS, profile
from resnet_builder.plan.layers import Add, Conv
from resnet_builder.plan.network import make_plan
from resnet_builder.presets.resolve import check_published, resolve

# Blocks and filters of the stages, and filters of a group: tf_keras/applications/regnet.py,
# MODEL_CONFIGS; the last of Y, transformers 4.19 models/regnet/convert_regnet_to_pytorch.py and,
# of 2560, timm 1.0.31; with "tv", torchvision 0.28.
STAGES = {
    "regnetx_002": ((1, 1, 4, 7), (24, 56, 152, 368), 8),
    "regnetx_004": ((1, 2, 7, 12), (32, 64, 160, 384), 16),
    "regnetx_004_tv": ((1, 2, 7, 12), (32, 64, 160, 400), 16),
    "regnetx_006": ((1, 3, 5, 7), (48, 96, 240, 528), 24),
    "regnetx_008": ((1, 3, 7, 5), (64, 128, 288, 672), 16),
    "regnetx_016": ((2, 4, 10, 2), (72, 168, 408, 912), 24),
    "regnetx_032": ((2, 6, 15, 2), (96, 192, 432, 1008), 48),
    "regnetx_040": ((2, 5, 14, 2), (80, 240, 560, 1360), 40),
    "regnetx_064": ((2, 4, 10, 1), (168, 392, 784, 1624), 56),
    "regnetx_080": ((2, 5, 15, 1), (80, 240, 720, 1920), 120),
    "regnetx_120": ((2, 5, 11, 1), (224, 448, 896, 2240), 112),
    "regnetx_160": ((2, 6, 13, 1), (256, 512, 896, 2048), 128),
    "regnetx_320": ((2, 7, 13, 1), (336, 672, 1344, 2520), 168),
    "regnety_002": ((1, 1, 4, 7), (24, 56, 152, 368), 8),
    "regnety_004": ((1, 3, 6, 6), (48, 104, 208, 440), 8),
    "regnety_006": ((1, 3, 7, 4), (48, 112, 256, 608), 16),
    "regnety_008": ((1, 3, 8, 2), (64, 128, 320, 768), 16),
    "regnety_008_tv": ((1, 3, 8, 2), (64, 144, 320, 784), 16),
    "regnety_016": ((2, 6, 17, 2), (48, 120, 336, 888), 24),
    "regnety_032": ((2, 5, 13, 1), (72, 216, 576, 1512), 24),
    "regnety_040": ((2, 6, 12, 2), (128, 192, 512, 1088), 64),
    "regnety_064": ((2, 7, 14, 2), (144, 288, 576, 1296), 72),
    "regnety_080": ((2, 4, 10, 1), (168, 448, 896, 2016), 56),
    "regnety_080_tv": ((2, 4, 10, 1), (224, 448, 896, 2016), 56),
    "regnety_120": ((2, 5, 11, 1), (224, 448, 896, 2240), 112),
    "regnety_160": ((2, 4, 11, 1), (224, 448, 1232, 3024), 112),
    "regnety_320": ((2, 5, 12, 1), (232, 696, 1392, 3712), 232),
    "regnety_640": ((2, 5, 12, 1), (328, 984, 1968, 4920), 328),
    "regnety_1280": ((2, 7, 17, 1), (528, 1056, 2904, 7392), 264),
    "regnety_2560": ((2, 7, 17, 1), (746, 1492, 4103, 10444), 373),
}


@pytest.mark.parametrize("preset", STAGES)
def test_the_stages_are_the_published_ones(preset: str) -> None:
    config = PRESETS[preset]
    assert (config.repetitions, config.filters, config.group_width) == STAGES[preset]


def test_every_regnet_of_the_table_is_tested() -> None:
    assert STAGES.keys() == {name for name in PRESETS if name.startswith(("regnetx", "regnety"))}


def convs(preset: str) -> dict[str, Conv]:
    layers = make_plan(PRESETS[preset]).layers
    return {layer.name: layer for layer in layers if isinstance(layer, Conv)}


def test_every_stage_strides_and_the_stem_has_no_pool() -> None:
    plan = make_plan(PRESETS["regnetx_002"])
    sizes = [feature.output_shape[:2] for feature in plan.features.values()]
    assert sizes == [(112, 112), (56, 56), (28, 28), (14, 14), (7, 7)]


def test_the_groups_have_one_width_unless_the_stage_is_narrower() -> None:
    of = convs("regnetx_080")
    groups = [of[f"stage{stage}_block1_conv2"].groups for stage in (1, 2, 3, 4)]
    assert groups == [1, 2, 6, 16]  # 80, 240, 720 and 1920 filters in groups of 120


def test_the_squeeze_is_a_quarter_of_the_blocks_input() -> None:
    of = convs("regnety_004")
    names = [f"stage{stage}_block1_se_reduce2" for stage in (1, 2, 3, 4)]
    # A quarter of the stem's 32 filters, and of the stages before.
    assert [of[name].filters for name in names] == [8, 12, 26, 52]
    # Halves are rounded to the even number: a quarter of 746 is 186.5.
    assert convs("regnety_2560")["stage2_block1_se_reduce2"].filters == 186
    assert of["stage1_block1_conv3"].inputs == ("stage1_block1_se_scale2",)


def test_identities_of_regnetv_are_activated() -> None:
    plan = make_plan(PRESETS["regnetv_040"])
    [_, second, *_] = plan.stages[0].blocks
    [added] = [layer for layer in second.layers if isinstance(layer, Add)]
    assert added.inputs[0] == "stage1_block2_act1"
    assert [layer.name for layer in plan.head[0]] == ["head_act"]


def test_a_table_has_the_range_of_the_squeezes_of_a_stage() -> None:
    block = profile("regnety_004").stages[2].block
    assert block == ("1x1, 104", "3x3, 104, 13 groups", "SE, 12-26", "1x1, 104")


def test_a_checkpoint_of_tf_keras_has_its_padding() -> None:
    named = resolve("regnety_002.imagenet")
    assert named.config == PRESETS["regnety_002"].replace(padding="same")
    check_published(named)
