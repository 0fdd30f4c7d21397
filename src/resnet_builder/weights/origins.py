"""The origins of checkpoints: the names that other libraries give to this package's weights.

To add an origin, add a row to `ORIGINS`.
"""

import re
from collections.abc import Collection, Mapping
from dataclasses import replace
from functools import partial

from ..plan.names import ADD, CLASSIFIER
from .expected import ExpectedWeights
from .naming import CAFFE2, KERAS, MOST_SPLITS, TORCH, Origin

# The names of torchvision models/resnet.py.
_TORCHVISION = {
    "stem_conv": "conv1",
    "stem_bn": "bn1",
    "shortcut_conv": "downsample.0",
    "shortcut_bn": "downsample.1",
    "predictions": "fc",
}
# The names of timm models/resnet.py.
_TORCH = _TORCHVISION | {
    # The deep stem.
    **{f"stem_conv{n}": f"conv1.{3 * n - 3}" for n in (1, 2, 3)},
    **{f"stem_bn{n}": f"conv1.{3 * n - 2}" for n in (1, 2)},
    "stem_bn3": "bn1",
    "stem_pool_conv": "maxpool.0",
    "stem_pool_bn": "maxpool.1",
    "se_reduce": "se.fc1",
    "se_expand": "se.fc2",
    "eca_conv": "se.conv",
    # timm models/res2net.py.
    **{f"conv2_{n}": f"convs.{n - 1}" for n in range(1, MOST_SPLITS)},
    **{f"bn2_{n}": f"bns.{n - 1}" for n in range(1, MOST_SPLITS)},
    # timm models/resnest.py.
    "splat_conv2": "conv2.conv",
    "splat_bn2": "conv2.bn0",
    "splat_reduce2": "conv2.fc1",
    "splat_reduce_bn2": "conv2.bn1",
    "splat_expand2": "conv2.fc2",
}
# The average pool, or the identity in its place, is downsample.0.
_TORCH_D = _TORCH | {"shortcut_conv": "downsample.1", "shortcut_bn": "downsample.2"}
_SELECTIVE_KERNELS = {
    here.format(n): f"conv{n}.{there}"
    for n in (1, 2, 3)
    for here, there in (
        ("conv{}", "conv"),
        ("bn{}", "bn"),
        ("conv{}_1", "paths.0.conv"),
        ("conv{}_2", "paths.1.conv"),
        ("bn{}_1", "paths.0.bn"),
        ("bn{}_2", "paths.1.bn"),
        ("sk_reduce{}", "attn.fc_reduce"),
        ("sk_reduce_bn{}", "attn.bn"),
        ("sk_expand{}", "attn.fc_select"),
    )
}
_ATTENTION_POOL = ("query", "key", "value")
_CLIP = {
    **{f"stem_{kind}{n}": f"{kind}{n}" for kind in ("conv", "bn") for n in (1, 2, 3)},
    **{f"head_attention_{part}": f"attnpool.{part[0]}_proj" for part in _ATTENTION_POOL},
    "head_attention_positions": "attnpool.positional_embedding",
    "predictions": "attnpool.c_proj",
}
# google-research/big_transfer, bit_pytorch/models.py and bit_jax/tf2jax.py, reads Google's files.
_BIT = {
    "stem_conv": "root_block/standardized_conv2d",
    **{f"conv{n}": f"{letter}/standardized_conv2d" for n, letter in enumerate("abc", 1)},
    **{f"bn{n}": f"{letter}/group_norm" for n, letter in enumerate("abc", 1)},
    "shortcut_conv": "a/proj/standardized_conv2d",
    "head_bn": "group_norm",
    "predictions": "head/conv2d",
}
_LEGACY_SENET = {
    "stem_conv": "layer0.conv1",
    "stem_bn": "layer0.bn1",
    **{f"stem_{kind}{n}": f"layer0.{kind}{n}" for kind in ("conv", "bn") for n in (1, 2, 3)},
    "se_reduce": "se_module.fc1",
    "se_expand": "se_module.fc2",
    "predictions": "last_linear",
}
_KERAS = {
    "stem_conv": "conv1_conv",
    **{f"stem_{kind}{n}": f"conv{n}_{kind}" for kind in ("conv", "bn") for n in (1, 2, 3)},
    **{f"conv{n}": f"{n}_conv" for n in (1, 2, 3)},
    "shortcut_conv": "0_conv",
    "predictions": "predictions",
}
_KERAS_V1 = _KERAS | {
    "stem_bn": "conv1_bn",
    **{f"bn{n}": f"{n}_bn" for n in (1, 2, 3)},
    "shortcut_bn": "0_bn",
}
_KERAS_V2 = _KERAS | {"bn2": "1_bn", "bn3": "2_bn", "head_bn": "post_bn"}

# detectron2/modeling/backbone/resnet.py.
_DETECTRON2 = {
    "stem_conv": "stem.conv1",
    "stem_bn": "stem.conv1.norm",
    **{f"bn{n}": f"conv{n}.norm" for n in (1, 2, 3)},
    "shortcut_conv": "shortcut",
    "shortcut_bn": "shortcut.norm",
    "predictions": "linear",
}
# Detectron's blobs: detectron2/checkpoint/c2_model_loading.py.
_DETECTRON = {
    "stem_conv": "conv1",
    "stem_bn": "res_conv1_bn",
    **{f"conv{n}": f"branch2{letter}" for n, letter in enumerate("abc", 1)},
    **{f"bn{n}": f"branch2{letter}_bn" for n, letter in enumerate("abc", 1)},
    "shortcut_conv": "branch1",
    "shortcut_bn": "branch1_bn",
    "predictions": "fc1000",
}
_SHORTCUT = {"shortcut_conv": "shortcut.0", "shortcut_bn": "shortcut.1"}


def _bottlenecks(
    stem: str, convs: str, of: str, shortcut: str, squeeze: str, classifier: str
) -> dict[str, str]:
    """The names of bottlenecks whose squeeze-and-excitation comes before the last convolution.

    Args:
        stem, convs, shortcut: the names of a convolution and of its norm; those of `convs` have {}
            for the word of `of` for each convolution.
        squeeze: the names of the two convolutions of squeeze-and-excitation.
    """
    names = {"predictions": classifier}
    for place, pair in (("stem_", stem), ("shortcut_", shortcut)):
        names |= zip((f"{place}conv", f"{place}bn"), pair.split(), strict=True)
    for number, word in enumerate(of.split(), start=1):
        pair = convs.replace("{}", word)
        names |= zip((f"conv{number}", f"bn{number}"), pair.split(), strict=True)
    return names | dict(zip(("se_reduce2", "se_expand2"), squeeze.split(), strict=True))


# timm models/regnet.py.
_REGNET = _bottlenecks(
    stem="stem.conv stem.bn",
    convs="conv{}.conv conv{}.bn",
    of="1 2 3",
    shortcut="downsample.conv downsample.bn",
    squeeze="se.fc1 se.fc2",
    classifier="head.fc",
)
_REGNETV = _REGNET | {
    "stem_conv": "stem",
    **{f"conv{n}": f"conv{n}" for n in (1, 2, 3)},
    **{f"bn{n}": f"norm{n}" for n in (1, 2, 3)},
    "shortcut_conv": "downsample",
}
# pycls models/anynet.py, and torchvision models/regnet.py.
_PYCLS = _bottlenecks(
    stem="stem.conv stem.bn",
    convs="f.{} f.{}_bn",
    of="a b c",
    shortcut="proj bn",
    squeeze="f.se.f_ex.0 f.se.f_ex.2",
    classifier="head.fc",
)
_TORCHVISION_REGNET = _bottlenecks(
    stem="stem.0 stem.1",
    convs="f.{}.0 f.{}.1",
    of="a b c",
    shortcut="proj.0 proj.1",
    squeeze="f.se.fc1 f.se.fc2",
    classifier="fc",
)
# transformers models/regnet/modeling_regnet.py: Y, whose layer.2 is the squeeze-and-excitation.
_TRANSFORMERS_REGNET = _bottlenecks(
    stem="embedder.embedder.convolution embedder.embedder.normalization",
    convs="layer.{}.convolution layer.{}.normalization",
    of="0 1 3",
    shortcut="shortcut.convolution shortcut.normalization",
    squeeze="layer.2.attention.0 layer.2.attention.2",
    classifier="classifier.1",
)
_TRANSFORMERS_X = _TRANSFORMERS_REGNET | {
    "conv3": "layer.2.convolution",
    "bn3": "layer.2.normalization",
}
# timm models/byobnet.py; layers/squeeze_excite.py, eca.py and global_context.py.
_BYOBNET = _bottlenecks(
    stem="stem.conv stem.bn",
    convs="conv{}.conv conv{}.bn",
    of="1_1x1 2_kxk 3_1x1",
    shortcut="shortcut.conv shortcut.bn",
    squeeze="attn.fc1 attn.fc2",
    classifier="head.fc",
) | {
    **{f"stem_{kind}{n}": f"stem.conv{n}.{kind}" for kind in ("conv", "bn") for n in range(1, 5)},
    "eca_conv2": "attn.conv",
    "gc_conv2": "attn.conv_attn",
    "gc_reduce2": "attn.mlp_add.fc1",
    "gc_reduce_bn2": "attn.mlp_add.norm",
    "gc_expand2": "attn.mlp_add.fc2",
    "head_final_conv": "final_conv.conv",
    "head_final_bn": "final_conv.bn",
}
# The same file, downsample="avg"; layers/attention_pool2d.py.
_BYOBNET_CLIP = _BYOBNET | {
    **{f"shortcut_{kind}": f"shortcut.conv.{kind}" for kind in ("conv", "bn")},
    **{f"head_attention_{part}": f"head.{part[0]}" for part in _ATTENTION_POOL},
    "head_attention_positions": "head.pos_embed",
}
# tf_keras/applications/regnet.py.
_KERAS_REGNET = _bottlenecks(
    stem="stem_conv stem_bn",
    convs="conv_{} conv_{}_bn",
    of="1x1_1 3x3 1x1_2",
    shortcut="skip_1x1 skip_bn",
    squeeze="squeeze_and_excite_squeeze squeeze_and_excite_excite",
    classifier="head_dense",
)

# Layers of variants of which torchvision, transformers and keras.applications have no network.
_OF_VARIANTS = ("shortcut_p*", "pool?", "act3", "head_act", "stem_pool_pad")


# segmentation_models_pytorch/decoders/: unet, fpn, and the DeepLabV3Plus of deeplabv3.
_SMP = {
    "segmentation_conv": "segmentation_head.0",
    **{
        f"decoder_block{block + 1}_{kind}{conv}": f"decoder.blocks.{block}.conv{conv}.{index}"
        for block in range(5)
        for conv in (1, 2)
        for index, kind in enumerate(("conv", "bn"))
    },
    "p5_lateral": "decoder.p5",
    **{f"p{level}_lateral": f"decoder.p{level}.skip_conv" for level in (2, 3, 4)},
    **{
        f"p{level}_{kind}{step + 1}": f"decoder.seg_blocks.{5 - level}.block.{step}.block.{index}"
        for level in (2, 3, 4, 5)
        for step in range(3)
        for index, kind in enumerate(("conv", "bn"))
    },
    "aspp_conv1": "decoder.aspp.0.convs.0.0",
    "aspp_bn1": "decoder.aspp.0.convs.0.1",
    **{
        f"aspp_{kind}{rate + 1}": f"decoder.aspp.0.convs.{rate}.{end}"
        for rate in (1, 2, 3)
        for kind, end in (("depthwise", "0.0"), ("conv", "0.1"), ("bn", "1"))
    },
    "aspp_pool_conv": "decoder.aspp.0.convs.4.1",
    "aspp_pool_bn": "decoder.aspp.0.convs.4.2",
    "aspp_project_conv": "decoder.aspp.0.project.0",
    "aspp_project_bn": "decoder.aspp.0.project.1",
    "aspp_out_depthwise": "decoder.aspp.1.0",
    "aspp_out_conv": "decoder.aspp.1.1",
    "aspp_out_bn": "decoder.aspp.2",
    "decoder_skip_conv": "decoder.block1.0",
    "decoder_skip_bn": "decoder.block1.1",
    "decoder_depthwise": "decoder.block2.0.0",
    "decoder_conv": "decoder.block2.0.1",
    "decoder_bn": "decoder.block2.1",
}
# Networks of the same package by a layer of theirs, and what a state dict does not show.
SMP_NETWORKS = {
    "decoder_block1_conv1": ("Unet", "decoder_interpolation='nearest'"),
    "p5_lateral": ("FPN", "decoder_interpolation='nearest'"),
    "aspp_conv1": ("DeepLabV3Plus", "this output_stride"),
}

_torch = partial(
    Origin,
    layout=TORCH,
    block="layer{stage}.{block}.",
    first_block=0,
    ignored=r".*\.num_batches_tracked",
    lacks=("shortcut_pad*",),
    heads={
        # mmpretrain/models/classifiers/image.py and heads/linear_head.py.
        "backbone.": {CLASSIFIER: "head.fc"},
        # segmentation_models_pytorch/encoders/: its own, and timm_universal.py.
        **dict.fromkeys(("encoder.", "encoder.model."), _SMP),
    },
)
# detectron2/config/defaults.py, MODEL.PIXEL_MEAN; configs/_base_ of mmdetection with style="caffe".
CAFFE_IMAGES = (
    "networks of Caffe take images in BGR, less a mean and not divided by a deviation, if the "
    'file\'s own config does not say otherwise: see preprocessing(..., channels="BGR")'
)
_detectron = partial(_torch, first_stage=2, stride_in_3x3=False, images=CAFFE_IMAGES)
_REGNET_MARKS = ("stem_conv_pad", "!stem_pool*")
_regnet = partial(_torch, block="s{stage}.b{block}.", first_block=1, library="timm")
_byobnet = partial(_torch, block="stages.{stage}.{block}.", first_stage=0, library="timm")
_transformers = partial(
    _torch,
    block="encoder.stages.{stage}.layers.{block}.",
    first_stage=0,
    heads={module: {CLASSIFIER: "classifier.1"} for module in ("resnet.", "regnet.")},
)
_keras_regnet = partial(
    Origin, layout=KERAS, first_stage=0, first_block=0, layers=_KERAS_REGNET, pads_as_keras=True
)
_keras_applications = partial(
    Origin, layout=KERAS, block="conv{stage}_block{block}_", first_stage=2, epsilon=1.001e-5
)
_bit = partial(
    Origin,
    layout=KERAS,
    block="block{stage}/unit{block:02}/",
    standardizing_epsilon=1e-10,
)
_keras_hub = partial(
    Origin,
    layout=KERAS,
    block="stack{stage}_block{block}_",
    first_stage=0,
    first_block=0,
    ignored="normalization/.*",
)

OWN = Origin(
    name="resnet_builder",
    layout=KERAS,
    block="stage{stage}_block{block}_",
    layers={},
    library="keras",
    is_own=True,
    epsilon=None,
    stride_in_3x3=None,
)
ARTICLE = replace(
    OWN, library="", name="raghakot's keras-resnet, by the order of its layers", has_names=False
)
# Not in the table: the description of a file's layers tells which of them is which.
BY_CONNECTIONS = replace(
    OWN, name="a network of Keras, by the connections of its layers", has_names=False
)

# A checkpoint's origin is the one that explains most of its names, the first if several do, or
# that of networks whose layers have only the names that Keras gives.
ORIGINS = (
    # torchvision models/resnet.py; timm models/resnet.py, resnest.py and res2net.py.
    _torch(name="torchvision's or timm's ResNet", layers=_TORCH, library="timm"),
    # timm models/resnet.py, downsample_avg.
    _torch(name="timm's ResNet-D", layers=_TORCH_D, library="timm", marks=("shortcut_pool",)),
    # timm models/sknet.py.
    _torch(
        name="timm's SKNet",
        layers=_TORCH | _SELECTIVE_KERNELS,
        library="timm",
        marks=("sk_reduce?",),
    ),
    _torch(
        name="timm's SKNet-D",
        layers=_TORCH_D | _SELECTIVE_KERNELS,
        library="timm",
        marks=("sk_reduce?", "shortcut_pool"),
    ),
    # timm models/senet.py. Bottlenecks stride in their 3x3 convolution if it has groups.
    _torch(
        name="timm's legacy SENet",
        layers=_TORCH | _LEGACY_SENET,
        library="timm",
        marks=("stem_pool_pad", "se_reduce"),
        stride_in_3x3=None,
        pads_stem_pool=True,
    ),
    # timm models/resnetv2.py.
    _torch(
        name="timm's ResNetV2",
        library="timm",
        marks=("head_[!p]*",),  # a norm before the pool
        has_conv_classifier=True,
        block="stages.{stage}.blocks.{block}.",
        first_stage=0,
        layers={
            **{f"bn{n}": f"norm{n}" for n in (1, 2, 3)},
            **{f"bn{n}_v": f"norm{n}.v" for n in (1, 2, 3)},
            **{f"stem_conv{n}": f"stem.conv{n}" for n in (1, 2, 3)},
            **{f"stem_bn{n}": f"stem.norm{n}" for n in (1, 2)},
            **{f"stem_bn{n}_v": f"stem.norm{n}.v" for n in (1, 2)},
            "stem_conv": "stem.conv",
            "shortcut_conv": "downsample.conv",
            "head_bn": "norm",
            "head_bn_v": "norm.v",
            "predictions": "head.fc",
        },
        bare=("_v",),
    ),
    # mmpretrain/models/backbones/resnet.py, _make_stem_layer.
    _torch(
        name="mmpretrain's ResNetV1c",
        layers=_TORCH
        | {f"stem_conv{n}": f"stem.{3 * n - 3}" for n in (1, 2, 3)}
        | {f"stem_bn{n}": f"stem.{3 * n - 2}" for n in (1, 2, 3)},
    ),
    # Networks of its default, STRIDE_IN_1X1 (detectron2/config/defaults.py), as MSRA's are.
    _detectron(name="detectron2's ResNet", block="res{stage}.{block}.", layers=_DETECTRON2),
    # MSRA's R-50.pkl and R-101.pkl of detectron2, with moving statistics.
    _detectron(
        name="MSRA's ResNet in detectron2",
        layout=CAFFE2,
        block="res{stage}_{block}_",
        layers=_DETECTRON,
    ),
    # facebookresearch/Detectron: batch norm is a scale and a bias.
    _detectron(
        name="Detectron's ResNet",
        layout=replace(CAFFE2, variables={**CAFFE2.variables, "gamma": "s", "beta": "b"}),
        block="res{stage}_{block}_",
        layers=_DETECTRON,
        ignored=".*_momentum",
        epsilon=0.0,
        constants={"moving_mean": 0.0, "moving_variance": 1.0},
    ),
    # xternalz/WideResNet-pytorch; yaodongyu/TRADES models/wideresnet.py, whose `forward` does not
    # call `sub_block1`; RobustBench model_zoo/architectures/wide_resnet.py.
    _torch(
        name="TRADES' or RobustBench's wide ResNet",
        block="block{stage}.layer.{block}.",
        layers={
            "stem_conv": "conv1",
            "shortcut_conv": "convShortcut",
            "head_bn": "bn1",
            "predictions": "fc",
        },
        ignored=r".*\.num_batches_tracked|(.*\.)?sub_block1\..*",
    ),
    # akamaster/pytorch_resnet_cifar10 resnet.py; kuangliu/pytorch-cifar models/resnet.py.
    _torch(
        name="akamaster's or kuangliu's ResNet",
        layers=_TORCH | _SHORTCUT | {"predictions": "linear"},
    ),
    # weiaicunzai/pytorch-cifar100 models/resnet.py.
    _torch(
        name="weiaicunzai's ResNet",
        block="conv{stage}_x.{block}.",
        first_stage=2,
        layers={
            "stem_conv": "conv1.0",
            "stem_bn": "conv1.1",
            **{f"conv{n}": f"residual_function.{3 * n - 3}" for n in (1, 2, 3)},
            **{f"bn{n}": f"residual_function.{3 * n - 2}" for n in (1, 2, 3)},
            **_SHORTCUT,
            "predictions": "fc",
        },
    ),
    # nn.Sequential(*resnet.children()), as in fastai/vision/learner.py, create_body.
    _torch(
        name="torchvision's ResNet, numbered by nn.Sequential",
        block="{stage}.{block}.",
        first_stage=4,
        layers=_TORCH | {"stem_conv": "0", "stem_bn": "1"},
    ),
    # timm models/regnet.py; the average pool of a projection is downsample.0.
    _regnet(name="timm's RegNet", layers=_REGNET, marks=_REGNET_MARKS),
    _regnet(name="timm's RegNetV", layers=_REGNETV, marks=(*_REGNET_MARKS, "head_act")),
    _regnet(
        name="timm's RegNetV-D",
        layers=_REGNETV | {"shortcut_conv": "downsample.1"},
        marks=(*_REGNET_MARKS, "head_act", "shortcut_pool"),
    ),
    # pycls/models/anynet.py.
    _regnet(name="pycls's RegNet", layers=_PYCLS, library=""),
    # torchvision models/regnet.py.
    _torch(
        name="torchvision's RegNet",
        block="trunk_output.block{stage}.block{stage}-{block}.",
        layers=_TORCHVISION_REGNET,
        library="torchvision",
        marks=_REGNET_MARKS,
        lacks=("head_act", "shortcut_pool"),
    ),
    # transformers models/resnet/modeling_resnet.py, whose bottlenecks stride in their first 1x1
    # convolution if the config has downsample_in_bottleneck; models/regnet/modeling_regnet.py.
    _transformers(
        name="transformers' ResNet or RegNetX",
        layers=_TRANSFORMERS_X,
    ),
    _transformers(name="transformers' RegNetY", layers=_TRANSFORMERS_REGNET),
    # timm models/byobnet.py; the first two convolutions of a "quad2" stem have no norm.
    _byobnet(
        name="timm's ByobNet", layers=_BYOBNET, marks=("stem_conv3", "stem_conv3_pad|?*_pool2")
    ),
    _byobnet(
        name="timm's ByobNet, quad2",
        layers=_BYOBNET | {f"stem_conv{n}": f"stem.conv{n}" for n in (1, 2)},
        marks=("stem_conv4",),
    ),
    _byobnet(
        name="timm's CLIP ResNet",
        layers=_BYOBNET_CLIP | {"predictions": "head.proj"},
        bare=("_positions",),
        marks=("head_attention_query", "stem_conv3", "shortcut_pool"),
    ),
    _byobnet(name="timm's CLIP ResNet with an average pool", layers=_BYOBNET_CLIP, library=""),
    # open_clip src/open_clip/modified_resnet.py, as openai/CLIP clip/model.py.
    _torch(
        name="OpenAI's or open_clip's CLIP ResNet",
        layers=_TORCH | _CLIP,
        bare=("_positions",),
        # The text's network and sizes: openai/CLIP clip/model.py, open_clip src/open_clip/model.py.
        beside=r"(text|transformer|token_embedding|ln_final)\..*|positional_embedding"
        r"|text_projection|logit_(scale|bias)|input_resolution|context_length|vocab_size",
    ),
    # keras.applications: keras/src/applications/resnet.py.
    _keras_applications(
        name="keras.applications' ResNet",
        layers=_KERAS_V1,
        library="keras.applications",
        marks=("conv3",),
        lacks=_OF_VARIANTS,
        has_biases=True,
        stride_in_3x3=False,
    ),
    # The same file; in its stack_residual_blocks_v2 the last block of a stage strides.
    _keras_applications(
        name="keras.applications' ResNetV2",
        layers=_KERAS_V2 | {"bn1": "preact_bn"},
        library="keras.applications",
        marks=("conv3", "head_act", "stem_pool_pad", "shortcut_pool"),
    ),
    # keras-hub 0.32: keras_hub/src/models/resnet/resnet_backbone.py.
    _keras_hub(name="keras-hub's ResNet", layers=_KERAS_V1),
    _keras_hub(name="keras-hub's ResNetV2", layers=_KERAS_V2 | {"bn1": "pre_activation_bn"}),
    OWN,
    # tf_keras 2.21: tf_keras/src/applications/resnet_rs.py.
    Origin(
        name="tf.keras' ResNet-RS",
        layout=KERAS,
        block="BlockGroup{stage}__block_{block}_",
        first_stage=2,
        first_block=0,
        layers={
            **{f"stem_conv{n}": f"stem_conv_{n}" for n in (1, 2, 3)},
            **{f"stem_bn{n}": f"stem_batch_norm_{n}" for n in (1, 2, 3)},
            "stem_pool_conv": "stem_conv_4",
            "stem_pool_bn": "stem_batch_norm_4",
            **{f"conv{n}": f"_conv_{n}" for n in (1, 2, 3)},
            "bn1": "batch_norm_1",
            **{f"bn{n}": f"_batch_norm_{n}" for n in (2, 3)},
            "se_reduce": "_se_se_reduce",
            "se_expand": "_se_se_expand",
            "shortcut_conv": "_projection_conv",
            "shortcut_bn": "_projection_batch_norm",
        },
    ),
    _bit(name="Google's BiT", layers=_BIT),
    # google-research/big_transfer, bit_tf2/models.py.
    _bit(name="Google's BiT for TensorFlow 2", layers=_BIT | {"predictions": "head/dense"}),
    # tf_keras/applications/regnet.py; its stem is named as here.
    _keras_regnet(name="tf.keras' RegNetX", block="Stage_{stage}_XBlock_{block}_"),
    _keras_regnet(name="tf.keras' RegNetY", block="Stage_{stage}_YBlock_{block}_"),
    ARTICLE,
)

# Names that several libraries or networks share, for each of those that have them.
TORCHVISION = _torch(
    name="torchvision's ResNet", layers=_TORCHVISION, library="torchvision", lacks=_OF_VARIANTS
)
_written = partial(_transformers, library="transformers")
WRITTEN = (
    *ORIGINS,
    TORCHVISION,
    _torch(
        name="segmentation_models.pytorch's ResNet",
        layers=_TORCHVISION,
        library="smp",
        module="encoder.",
        marks=("segmentation_conv",),
        lacks=_OF_VARIANTS,
    ),
    # timm models/byobnet.py, of networks that are ResNets of timm models/resnet.py, too.
    _byobnet(name="timm's ByobNet", layers=_BYOBNET, library="timm.byobnet", marks=("stem_conv3",)),
    _byobnet(
        name="timm's CLIP ResNet with an average pool",
        layers=_BYOBNET_CLIP,
        library="timm.byobnet",
        marks=("stem_conv3", "shortcut_pool"),
    ),
    _written(
        name="transformers' ResNet",
        layers=_TRANSFORMERS_X,
        module="resnet.",
        lacks=_OF_VARIANTS,
        unshown=("groups", "width_per_group", "group_width"),
    ),
    _written(
        name="transformers' RegNetX",
        layers=_TRANSFORMERS_X,
        module="regnet.",
        marks=_REGNET_MARKS,
        lacks=("head_act", "shortcut_pool"),
    ),
    _written(
        name="transformers' RegNetY",
        layers=_TRANSFORMERS_REGNET,
        module="regnet.",
        marks=(*_REGNET_MARKS, "se_reduce?"),
        lacks=("head_act", "shortcut_pool"),
    ),
)

LIBRARIES = tuple(dict.fromkeys(origin.library for origin in WRITTEN if origin.library))
"""The `names` of `write_weights`."""


def origin_in(library: str, expected: ExpectedWeights) -> Origin:
    """The names that a library gives to the weights of a network.

    Raises:
        ValueError: the library has no such network; the message says why.
    """
    layers = [layer.name for layer in expected.layers]
    of_library = [origin for origin in WRITTEN if origin.library == library]
    marked = [of for of in of_library if of.is_marked(layers)]
    if not marked:
        raise ValueError("it has no such network")
    origin = sorted(marked, key=lambda of: len(of.marks))[-1]
    if not (origin.is_own or origin.matching([ADD], layers)):
        raise ValueError("its networks have shortcuts")
    layers_of_variants = origin.matching(origin.lacks, layers).values()
    unnamed = [of.name for of in expected.layers if of.weights and not origin.has(of.name)]
    if nameless := [*unnamed, *layers_of_variants]:
        more = f" and {len(nameless) - 5} more" if len(nameless) > 5 else ""
        raise ValueError(f"it has no layer for {', '.join(nameless[:5])}{more}")
    biased = [layer for layer, of in expected.shapes if of == "bias"]
    if biased := list(filter(origin.lacks_bias, biased)):
        raise ValueError(
            f"its convolutions have no bias, and {biased[0]} has one, as folded networks have"
        )
    strides = expected.stride_in_3x3
    if None not in (strides, origin.stride_in_3x3) and strides != origin.stride_in_3x3:
        where = {True: "3x3", False: "first 1x1"}
        raise ValueError(
            f"its bottlenecks stride in their {where[not strides]} convolution, these in the "
            f"{where[bool(strides)]}"
        )
    return origin


# tf_keras counts the stems of ResNet-RS in a process, stem_1_stem_conv_1; and the classifiers of
# RegNet, 1head_dense, with the model's name before all other layers, regnetx002_stem_conv.
COUNTED = re.compile(
    r"(?<![^/])(stem_\d+_(?=stem_(conv|batch_norm)_)|regnet[xy]\d+_|\d+(?=head_dense/))"
)

# torchvision models/detection: the prefix of a detector's backbone.
DETECTOR = re.compile(r".*backbone\.body\.", re.DOTALL)


# Parts of the names of what training keeps beside a network, and last parts of the names of
# counters, in any checkpoint: they never are weights.
_OF_TRAINING = re.compile(
    r"optimizers?(_state|_states|_state_dict|_dict)?|optim|opt|opt_state"
    r"|(lr_)?schedulers?(_state_dict)?|((grad|loss)_)?scaler(_state_dict)?|loss_scale"
    r"|criterions?|loss|losses|loss_(fn|func|function)|(cuda_)?rng_states?"
    r"|((train|val|valid|test)_)?metrics"
)
# The statistics that prepare images: of keras.layers.Normalization, of MadryLab/robustness
# (tools/helpers.py, InputNormalize) and of detectron2 (modeling/meta_arch/rcnn.py).
_OF_INPUT = re.compile(
    r"(^|/)normalization(_\d+)?/(mean|variance|count)$|(^|\.)(new|pixel)_(mean|std)$"
)
_COUNTERS = frozenset(
    (
        # thop; torch.optim.swa_utils; ema_pytorch; torchmetrics
        *("total_ops", "total_params", "n_averaged", "num_updates", "initted", "step", "steps"),
        *("tp", "fp", "tn", "fn", "correct", "total", "confmat", "mean_value", "sum_value"),
    )
)


# In the prefix of a network, what says that it is the moving average of one beside it: EMAs, the
# second networks of MoCo and BYOL, the teachers of DINO and of mean teachers.
_AVERAGE = re.compile(
    r"(^|[./])((\w+_)?ema(_\w+)?|\w*teacher(_\w+)?|encoder_k|momentum_\w+|\w+_momentum|target_\w+)"
    r"[./]",
    re.IGNORECASE,
)
# ema_pytorch (ema_pytorch.py) keeps the network itself beside its average, too.
_ONLINE = r"(^|[./])online_model[./]"
# The same of a network that a file has twice: MadryLab/robustness attacker.py, AttackerModel.
COPY = re.compile(rf"(^|\.)attacker\.|{_ONLINE}")
# Lightning's WeightAveraging (pytorch/callbacks/weight_averaging.py) writes the network under the
# first, and its average where the network usually is.
_CURRENT, _AVERAGED = "current_model_state.", "state_dict."


def averages(prefixes: Collection[str]) -> list[str]:
    """The prefixes, of those of a checkpoint's networks, that are of a moving average."""
    is_lightning = any(prefix.startswith(_CURRENT) for prefix in prefixes)
    return [
        prefix
        for prefix in prefixes
        if (is_lightning and prefix.startswith(_AVERAGED))
        or (_AVERAGE.search(prefix) and not re.search(_ONLINE, prefix))
    ]


# The style of a ResNet (mmpretrain/models/backbones/resnet.py) in the text of the training's
# config, which mmcv and mmengine save with a checkpoint (mmengine/runner/runner.py).
_STYLE = re.compile(r"\bstyle=['\"](caffe|pytorch)['\"]")


def strides_in(meta: Mapping[str, object]) -> bool | None:
    """Whether bottlenecks stride in their 3x3 convolution, as a file says; None if it does not."""
    if isinstance(stated := meta.get("stride_in_3x3"), bool):
        return stated
    return None if (style := _style(meta)) is None else style == "pytorch"


def is_caffe(meta: Mapping[str, object]) -> bool:
    """Return whether a file says that its network has Caffe's style."""
    return _style(meta) == "caffe"


def _style(meta: Mapping[str, object]) -> str | None:
    found = _STYLE.search(str(meta.get("cfg") or meta.get("config")))
    return found and found[1]


def labels_in(meta: Mapping[str, object]) -> tuple[str, ...]:
    """The names of the classes that a file states: `CLASSES`, or those of `dataset_meta`."""
    data = meta.get("dataset_meta")
    stated = {**meta, **(data if isinstance(data, Mapping) else {})}
    labels = stated.get("classes") or stated.get("CLASSES") or ()
    is_list = isinstance(labels, list | tuple) and all(isinstance(name, str) for name in labels)
    return tuple(labels) if is_list else ()


def is_never_weight(tensor: str) -> bool:
    """Return whether a tensor of that name is not a network's weight, in any library's file."""
    parts = re.split("[./]", tensor)
    is_of_input = _OF_INPUT.search(tensor) is not None
    return is_of_input or parts[-1] in _COUNTERS or any(map(_OF_TRAINING.fullmatch, parts))
