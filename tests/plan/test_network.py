from collections.abc import Iterable
from typing import Any

import pytest

from resnet_builder import PRESETS, ResnetConfig
from resnet_builder.plan.blocks import Block
from resnet_builder.plan.describe import describe
from resnet_builder.plan.layers import ChannelConv, Conv, Dense, DropPath, Layer, MaxPool, Strided
from resnet_builder.plan.network import Head, make_plan

SMALL = ResnetConfig(
    block="basic_block", repetitions=(1, 1, 1), filters=8, stem="cifar", input_shape=(33, 20, 3)
)

RES2NET: dict[str, Any] = {"block": "res2net_bottleneck", "width_per_group": 64}
AA = {"stem": "deep", "anti_aliasing": "avg"}


def convs(block: Block) -> list[Conv]:
    return [layer for unit in block.residual for layer in unit if isinstance(layer, Conv)]


def kinds(layers: Iterable[Layer]) -> list[str]:
    return [type(layer).__name__ for layer in layers]


def test_sizes_are_halved_and_rounded_up() -> None:
    plan = make_plan(SMALL)
    outputs = [stage.blocks[-1].output.output_shape for stage in plan.stages]
    assert outputs == [(33, 20, 8), (17, 10, 16), (9, 5, 32)]


def test_unknown_sizes_stay_unknown() -> None:
    plan = make_plan(SMALL.replace(input_shape=(None, 20, 3)))
    assert plan.stages[2].blocks[0].output.output_shape == (None, 5, 32)


def test_projections_stand_only_where_the_shape_changes() -> None:
    # He et al. 2015, Table 1: ResNet-34's first stage keeps the stem's 64 channels, ResNet-50's
    # widens them to 256.
    def projections(name: str) -> list[str]:
        blocks = [block for stage in make_plan(PRESETS[name]).stages for block in stage.blocks]
        return [block.name for block in blocks if block.shortcut]

    assert projections("resnet34") == ["stage2_block1", "stage3_block1", "stage4_block1"]
    assert projections("resnet50") == [f"stage{n}_block1" for n in (1, 2, 3, 4)]


@pytest.mark.parametrize("v15", [True, False])
def test_where_a_bottleneck_strides(v15: bool) -> None:
    plan = make_plan(PRESETS["resnet50"].replace(stride_in_3x3=v15))
    strides = [conv.strides[0] for conv in convs(plan.stages[1].blocks[0])]
    assert strides == ([1, 2, 1] if v15 else [2, 1, 1])


def test_only_strided_kernels_larger_than_a_pixel_are_padded() -> None:
    """Those at stride 1 are padded evenly by themselves; a 1x1 kernel has no margin."""
    block = make_plan(PRESETS["resnet50_v1"]).stages[1].blocks[0]
    assert [kinds(unit)[0] for unit in (*block.residual, *(block.shortcut or ()))] == ["Conv"] * 4
    strided = make_plan(PRESETS["resnet50"]).stages[1].blocks[0]
    assert [kinds(unit)[0] for unit in (*strided.residual, *(strided.shortcut or ()))] == [
        *("Conv", "ZeroPad", "Conv"),
        "Conv",
    ]


@pytest.mark.parametrize("padding", ["same", "symmetric"])
def test_the_pool_of_the_stem_is_3x3(padding: Any) -> None:
    layers = make_plan(SMALL.replace(stem="imagenet", padding=padding)).layers
    assert [layer.kernel_size for layer in layers if isinstance(layer, MaxPool)] == [3]


def test_the_head() -> None:
    [*_, (classifier,)] = make_plan(SMALL, Head(classifier_activation=None)).head
    assert isinstance(classifier, Dense)
    assert classifier.activation is None
    for include_top, ends in ((True, ["predictions"]), (False, [])):
        plan = make_plan(SMALL, Head(include_top=include_top, pooling="max"))
        assert list(plan.outputs) == ["stem", "stage1", "stage2", "stage3", *ends]


def test_a_res2net_block_that_strides_pools_its_last_part() -> None:
    """As timm models/res2net.py (`is_first`): parts of another size cannot be added."""
    changes: dict[str, Any] = {"repetitions": (2, 1), "stride_in_last_block": True}
    plan = make_plan(SMALL.replace(**RES2NET, **changes))
    first, last = plan.stages[0].blocks
    for block, size in ((first, (33, 20, 32)), (last, (17, 10, 32))):
        assert not [layer for layer in block.layers if "_sum2_" in layer.name]
        assert [layer for layer in block.layers if layer.name.endswith("_pool2")]
        assert block.output.output_shape == size
    in_reduction = make_plan(SMALL.replace(**RES2NET, **changes, stride_in_3x3=False))
    assert [layer for layer in in_reduction.stages[0].blocks[1].layers if "_sum2_" in layer.name]


def test_the_first_block_projects_although_the_last_one_strides() -> None:
    changes: dict[str, Any] = {"repetitions": (2, 1), "stride_in_last_block": True}
    blocks = make_plan(SMALL.replace(**changes, project_first=True)).stages[0].blocks
    assert [[kinds(unit) for unit in block.shortcut or ()] for block in blocks] == [
        [["Conv", "BatchNorm"]],
        [["Subsample"]],
    ]


def test_dilation_begins_behind_the_convolution_that_would_stride() -> None:
    plan = make_plan(PRESETS["resnet34"], output_stride=8)
    dilations = [
        [[conv.dilation for conv in convs(block)] for block in stage.blocks[:2]]
        for stage in plan.stages
    ]
    assert dilations == [
        [[1, 1], [1, 1]],
        [[1, 1], [1, 1]],
        [[1, 2], [2, 2]],
        [[2, 4], [4, 4]],
    ]
    assert plan.stages[3].blocks[-1].output.output_shape == (28, 28, 512)
    # torchvision/models/resnet.py: a first block has the previous_dilation in its 3x3 convolution.
    plan = make_plan(PRESETS["resnet50"], output_stride=8)
    firsts = [convs(stage.blocks[0])[1] for stage in plan.stages]
    assert [(conv.kernel_size, conv.dilation) for conv in firsts] == [
        (3, 1),
        (3, 1),
        (3, 1),
        (3, 2),
    ]


@pytest.mark.parametrize("preset", ["resnet34", "resnet50"])
def test_dilation_begins_at_that_convolution(preset: str) -> None:
    """segmentation_models_pytorch/encoders/_utils.py, replace_strides_with_dilation."""
    plan = make_plan(PRESETS[preset], output_stride=8, dilate_first=True)
    dilations = [
        {conv.dilation for block in stage.blocks for conv in convs(block) if conv.kernel_size == 3}
        for stage in plan.stages
    ]
    assert dilations == [{1}, {1}, {2}, {4}]
    assert plan.stages[3].blocks[-1].output.output_shape[:2] == (28, 28)
    with pytest.raises(ValueError, match="dilate_first needs an output_stride"):
        make_plan(PRESETS[preset], dilate_first=True)


def test_widths_of_resnext_and_wide_networks() -> None:
    # torchvision: width = int(planes * (base_width / 64.0)) * groups
    def widths(**changes: Any) -> list[tuple[int, int]]:
        block = make_plan(PRESETS["resnet50"].replace(**changes)).stages[0].blocks[0]
        return [(conv.filters, conv.groups) for conv in convs(block)]

    assert widths(groups=32, width_per_group=4) == [(128, 1), (128, 32), (256, 1)]
    assert widths(width_per_group=128) == [(128, 1), (128, 1), (256, 1)]


def test_stochastic_depth_rises_linearly() -> None:
    # Huang et al. 2016, equation 4, from 0 at the first block, as timm counts.
    plan = make_plan(SMALL.replace(repetitions=(2, 2, 1), drop_path_rate=0.2))
    rates = [layer.rate for layer in plan.layers if isinstance(layer, DropPath)]
    assert rates == pytest.approx([0.05, 0.1, 0.15, 0.2])


def test_squeeze_excitation_is_at_least_8_wide_and_a_multiple_of_8() -> None:
    # timm layers/squeeze_excite.py: make_divisible(channels / 16, 8).
    plan = make_plan(PRESETS["seresnet18"])
    widths = [
        layer.filters
        for layer in plan.layers
        if layer.name.endswith("se_reduce") and isinstance(layer, Conv)
    ]
    assert widths == [8, 8, 8, 8, 16, 16, 32, 32]


def test_squeeze_excitation_of_narrow_networks() -> None:
    plan = make_plan(SMALL.replace(se_ratio=1 / 16))
    widths = [
        layer.filters
        for layer in plan.layers
        if layer.name.endswith("se_reduce") and isinstance(layer, Conv)
    ]
    assert widths == [8, 8, 8]


@pytest.mark.parametrize(
    ("channels", "size"), [(8, 3), (64, 3), (128, 5), (256, 5), (512, 5), (1024, 5), (2048, 7)]
)
def test_the_kernel_of_efficient_channel_attention(channels: int, size: int) -> None:
    # timm layers/eca.py: t = int((log2(channels) + 1) / 2), and t + 1 if it is even; at least 3.
    plan = make_plan(SMALL.replace(eca=True, filters=channels, repetitions=(1,)))
    [conv] = [layer for layer in plan.layers if isinstance(layer, ChannelConv)]
    assert conv.weights == {"kernel": (size, 1, 1)}
    assert conv.macs == size * channels
    assert conv.name == "stage1_block1_eca_conv"


@pytest.mark.parametrize("output_stride", [32, 16, 8])
def test_average_pooled_projections(output_stride: int) -> None:
    # timm models/resnet.py, downsample_avg: the pool strides; dilated, it stays with stride 1.
    plan = make_plan(PRESETS["resnet50d"], output_stride=output_stride)
    shortcuts = [stage.blocks[0].shortcut for stage in plan.stages]
    assert [kinds(unit[0] for unit in units or ()) for units in shortcuts] == [
        ["Conv"],
        *[["AvgPool", "Conv"]] * 3,
    ]
    pools = [units[0][0] for units in shortcuts[1:] if units]
    assert [pool.strides[0] for pool in pools if isinstance(pool, Strided)] == {
        32: [2, 2, 2],
        16: [2, 2, 1],
        8: [2, 1, 1],
    }[output_stride]


def test_the_words_of_a_shortcut_that_pads_have_its_strides() -> None:
    plan = make_plan(SMALL.replace(projection="pad"))
    words = [describe(unit) for stage in plan.stages for unit in stage.blocks[0].shortcut or ()]
    pads = [[(word.noun, word.strides) for word in of] for of in words]
    assert pads == [[("zeros up to 16", (2, 2))], [("zeros up to 32", (2, 2))]]


def test_units_of_a_preactivated_deep_stem() -> None:
    *units, pool = make_plan(PRESETS["resnetv2_50d"]).stem
    assert [kinds(unit) for unit in units] == [
        ["ZeroPad", "Conv", "BatchNorm", "Activation"],
        ["Conv", "BatchNorm", "Activation"],
        ["Conv"],
    ]
    assert kinds(pool) == ["MaxPool", "Subsample"]
    names = [layer.name for unit in units for layer in unit if isinstance(layer, Conv)]
    assert names == ["stem_conv1", "stem_conv2", "stem_conv3"]


def test_preactivated_projections_share_the_activation() -> None:
    blocks = make_plan(PRESETS["resnetv2_50"]).stages[1].blocks
    assert [layer.name for layer in blocks[0].shared] == ["stage2_block1_bn1", "stage2_block1_act1"]
    assert [kinds(unit) for unit in blocks[0].residual] == [
        ["Conv"],
        ["BatchNorm", "Activation", "ZeroPad", "Conv"],
        ["BatchNorm", "Activation", "Conv"],
    ]
    assert blocks[1].shared == ()
    assert kinds(blocks[1].residual[0]) == ["BatchNorm", "Activation", "Conv"]


@pytest.mark.parametrize(
    ("changes", "options", "message"),
    [
        (
            {"stem": "vgg"},
            {},
            "'vgg': choose from 'imagenet', 'deep', 'deep_tiered', 'cifar'",
        ),
        ({"padding": "valid"}, {}, "choose from 'symmetric', 'same'"),
        ({"activation_order": "prior"}, {}, "choose from 'post', 'pre', 'pre_raw'"),
        ({"projection": "avgpool"}, {}, "did you mean 'avg_pool'"),
        ({"shortcuts": False, "projection": "pad"}, {}, "a shortcut that changes"),
        ({"shortcuts": False, "drop_path_rate": 0.1}, {}, "no other path"),
        ({"shortcuts": False, "zero_init_last": True}, {}, "without shortcuts would be 0"),
        ({"activation_order": "pre", "zero_init_last": True}, {}, "branches end in a batch norm"),
        ({"projection": "pad", "stem_filters": 32}, {}, "only adds channels"),
        ({"block": "bottleneck", "width_per_group": 4}, {}, "has no filters"),
        ({"block": lambda **_: None, "se_ratio": 0.1}, {}, "se_ratio=0.1 .* not a custom function"),
        ({"block": "basicblock"}, {}, "did you mean 'basic_block'"),
        ({"groups": 2}, {}, "groups=2 has no effect: it needs a bottleneck. Leave it at 1"),
        ({"eca": True, "se_ratio": 0.1}, {}, "se_ratio and eca: a branch ends in one kind"),
        ({"block": lambda **_: None, "eca": True}, {}, "eca=True .* not a custom function"),
        ({"block": "bottleneck", "groups": 3, "reduce_first": 5}, {}, "its 4 input channels and"),
        ({"norm": "instance"}, {}, "choose from 'batch', 'group', 'evonorm_s0'"),
        ({"norm": "group", "norm_groups": 5}, {}, "norm_groups=5 does not divide the 8 channels"),
        ({"norm": "evonorm_s0"}, {}, "use activation_order='pre'"),
        ({"anti_aliasing": "sinc"}, {}, "choose from 'avg', 'blur'"),
        ({"anti_aliasing": 2}, {}, "anti_aliasing must be str or None, got 2"),
        (
            {"stem": "deep", "anti_aliasing": "avg", "stem_pool": "max_zeros"},
            {},
            "replaces the stem's pool",
        ),
        ({"stem_pool": "min"}, {}, "choose from 'max', 'max_zeros', 'max_ceil', 'conv'"),
        ({"stem": "cifar", "stem_pool": "conv"}, {}, "needs a stem with a pool, imagenet or"),
        ({"use_bias": "some"}, {}, "choose from 'unless_normalized'"),
        ({"use_bias": 1}, {}, "use_bias must be bool or str, got 1"),
        (
            {"projection": "pad", "projection_kernel": 3},
            {},
            "needs projection='conv' in a shortcut",
        ),
        ({"activation_order": "pre", "activate_residual": True}, {}, "end in a convolution"),
        ({"block": ("basic_block",)}, {}, "block must have one value for each of 3 stages"),
        ({"block": ("basic_block", "basic_block", "vgg")}, {}, "unknown block 'vgg'"),
        ({"block": ("basic_block",) * 2 + (lambda **_: None,)}, {}, "each stage must be a name"),
        ({"filters": (8, 16, 0)}, {}, "each of filters"),
        ({"filters": (8, 16)}, {}, "filters must have one value for each of 3 stages"),
        ({"widths": 8}, {}, "by stage and block"),
        ({"widths": (((8, 8),),)}, {}, "widths: they are of"),
        ({"widths": (((8, 8),), ((8, 8, 8),), ((8, 8),))}, {}, "stage2_block1 has 2 convolutions"),
        ({"block": "sk_basic_block"}, {}, "se_ratio=0: it is the width of the attention"),
        ({"block": "res2net_bottleneck", "splits": 1}, {}, "has 2 parts or more"),
        ({"block": "sk_basic_block", "se_ratio": 0.1, "filters": 9}, {}, "have no 2 equal parts"),
        (
            RES2NET | {"widths": (((16, 32, 8),),) * 3},
            {},
            "first two widths of a res2net_bottleneck",
        ),
        (RES2NET | {"widths": (((18, 18, 8),),) * 3}, {}, "equal multiples of splits=4"),
        (RES2NET | {"reduce_first": 2}, {}, "reduce_first=2: the parts of a res2net_bottleneck"),
        (
            {"block": "resnest_bottleneck", "se_ratio": 0.1, "groups": 3, "filters": 12},
            {},
            "the 32 channels of the attention in stage1_block1_splat2 are not a multiple of its "
            "groups=3",
        ),
        (
            {"block": "bottleneck", "filters": 12, "group_width": 8},
            {},
            "the 12 filters of its 3x3 convolution are not a multiple of group_width=8",
        ),
        (
            {"block": "bottleneck", "groups": 2, "group_width": 8},
            {},
            "groups=2: group_width=8 gives the groups",
        ),
        (
            {"block": "bottleneck", "group_width": (8, 8)},
            {},
            "group_width must have one value for each of 3 stages",
        ),
        ({"block": "early_attention_bottleneck"}, {}, "it needs one of se_ratio, eca, gc_ratio"),
        (
            {"stem": "imagenet", "stem_pool": "stride"},
            {},
            "the only convolution of stem='imagenet' strides already",
        ),
        (
            {"stem": "regnet", "stride_in_last_block": True},
            {},
            "the first block of the first stage strides",
        ),
        ({**AA, "input_shape": (2, 2, 3)}, {}, "too small"),
        ({}, {"output_stride": 8}, "must be one of 1, 2, 4 for this network, got 8"),
        ({"block": lambda **_: None}, {"output_stride": 2}, "custom block function"),
    ],
)
def test_refused(changes: dict[str, Any], options: dict[str, Any], message: str) -> None:
    with pytest.raises((TypeError, ValueError), match=message):
        make_plan(SMALL.replace(**changes), **options)


def test_an_attention_pool_needs_a_size() -> None:
    plan = make_plan(SMALL.replace(head_pool="attention", filters=16, input_shape=(None, 32, 3)))
    with pytest.raises(ValueError, match="a side of input_shape is unknown: give both sides"):
        [layer.counts for layer in plan.layers]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"pooling": "mean"}, "choose from 'avg', 'max'"),
        ({"dropout_rate": 1.0}, "less than 1, got 1.0"),
        ({"dropout_rate": "0.5"}, "must be a number"),
        ({"dropout_rate": 0.5, "include_top": False}, "only to a network with a classifier"),
    ],
)
def test_refused_heads(options: dict[str, Any], message: str) -> None:
    with pytest.raises((TypeError, ValueError), match=message):
        Head(**options)


@pytest.mark.parametrize(
    ("preset", "part", "names"),
    [
        ("resnet50_clip", "head_attention_", "tokens numbers positions sum mean query key value"),
        (
            "gcresnext26ts",
            "stage1_block1_gc_",
            "conv2 softmax2 pool2 reduce2 reduce_gn2 act2 expand2 add2",
        ),
        ("resnetblur18", "stage2_block1_pool1_", "pad half"),
        ("regnety_002", "stage1_block1_se_", "pool2 reduce2 expand2 scale2"),
    ],
)
def test_names_inside_a_part(preset: str, part: str, names: str) -> None:
    layers = make_plan(PRESETS[preset]).layers
    found = [layer.name.removeprefix(part) for layer in layers if layer.name.startswith(part)]
    assert found == names.split()


def test_kinds_of_parts() -> None:
    """They are the colours of pictures."""
    clip, context = (make_plan(PRESETS[name]) for name in ("resnet50_clip", "gcresnext26ts"))
    assert [words.kind for words in describe(clip.head[0])] == ["pool"]
    units = context.stages[0].blocks[0].residual
    assert [words.kind for words in describe(units[2])] == ["scale"]


@pytest.mark.parametrize("divisor", [1, 8])
def test_the_least_width_of_a_squeeze(divisor: int) -> None:
    """The divisor, and not 0 (pycls models/anynet.py)."""
    plan = make_plan(PRESETS["regnety_002"].replace(se_ratio=0.001, se_divisor=divisor))
    reduced = {of.filters for of in plan.layers if isinstance(of, Conv) and "reduce" in of.name}
    assert reduced == {divisor}


def test_an_attention_pool_has_whole_heads() -> None:
    clip = PRESETS["resnet50_clip"].replace(filters=15)
    with pytest.raises(ValueError, match="heads of 64 channels, and the last map has 480 channels"):
        make_plan(clip)


def test_the_last_norm_of_a_branch_alone_begins_with_zeros() -> None:
    for preset in ("gcresnext26ts", "resnet50_gn"):
        plan = make_plan(PRESETS[preset].replace(zero_init_last=True))
        zero = [layer.name for layer in plan.layers if getattr(layer, "zero_gamma", False)]
        assert len(zero) == sum(len(stage.blocks) for stage in plan.stages)
        assert not any("_gc_" in name for name in zero)
