"""Names of other projects: those of torchvision by the project's own rule, into a small network."""

import re
from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
import pytest

from resnet_builder import ResnetBuilder, load_weights
from resnet_builder.presets.resolve import resolve
from resnet_builder.weights.origins import ORIGINS

from ..helpers import assert_same_weights
from .checkpoint_recipe import TORCHVISION, Array, as_torchvision, tensor

SMALL: dict[str, Any] = {
    "repetitions": (2, 1),
    "filters": 8,
    "input_shape": (32, 32, 3),
    "classes": 5,
}
CAFFE: dict[str, Any] = {"stride_in_3x3": False}

# Patterns of torchvision's names and what they become, in this order.
Rule = Sequence[tuple[str, str]]


def _number(text: str, shift: int) -> str:
    return re.sub(r"#(\d)", lambda found: str(int(found[1]) + shift), text)


def renamed(name: str, rule: Rule, shift: int = 0) -> str:
    """The name by a rule; a number after # is shifted."""
    for pattern, new in rule:
        name = re.sub(pattern, new, name)
    return _number(name, shift)


# The modules of transformers/models/resnet/modeling_resnet.py.
TRANSFORMERS: Rule = (
    (r"^conv1", "embedder.embedder.convolution"),
    (r"^bn1", "embedder.embedder.normalization"),
    (r"^layer(\d)\.(\d+)\.downsample\.0", r"encoder.stages.#\1.layers.\2.shortcut.convolution"),
    (r"^layer(\d)\.(\d+)\.downsample\.1", r"encoder.stages.#\1.layers.\2.shortcut.normalization"),
    (r"^layer(\d)\.(\d+)\.conv(\d)", r"encoder.stages.#\1.layers.\2.layer.#\3.convolution"),
    (r"^layer(\d)\.(\d+)\.bn(\d)", r"encoder.stages.#\1.layers.\2.layer.#\3.normalization"),
    (r"^(e)", r"resnet.\1"),
    (r"^fc", "classifier.1"),
)
# detectron2/tools/convert-torchvision-to-d2.py, and ResNet.linear of modeling/backbone/resnet.py.
DETECTRON2: Rule = (
    (r"layer(\d)", r"res#\1"),
    (r"bn(\d)", r"conv\1.norm"),
    (r"downsample\.0", "shortcut"),
    (r"downsample\.1", "shortcut.norm"),
    (r"^conv1", "stem.conv1"),
    (r"^fc", "linear"),
)
# The inverse of detectron2/checkpoint/c2_model_loading.py, convert_basic_c2_names.
BLOBS: Rule = (
    (r"^conv1\.weight", "conv1_w"),
    (r"^bn1", "res_conv1_bn"),
    (r"^layer(\d)\.(\d)", r"res#\1_\2"),
    (r"\.downsample\.0", "_branch1"),
    (r"\.downsample\.1", "_branch1_bn"),
    *(
        (rf"\.{kind}{n}", f"_branch2{'abc'[n - 1]}{end}")
        for n in (1, 2, 3)
        for kind, end in (("conv", ""), ("bn", "_bn"))
    ),
    (r"^fc\.", "fc1000_"),
)
MSRA: Rule = (
    *BLOBS,
    (r"bn\.weight", "bn_gamma"),
    (r"bn\.bias", "bn_beta"),
    (r"bn\.running", "bn_running"),
    (r"[._]weight", "_w"),
    (r"[._]bias", "_b"),
)
AFFINE: Rule = (*BLOBS, (r"bn\.weight", "bn_s"), (r"[._]weight", "_w"), (r"[._]bias", "_b"))
# fastai/vision/learner.py, create_body: nn.Sequential(*children) without pool and classifier.
SEQUENTIAL: Rule = ((r"^conv1", "0"), (r"^bn1", "1"), (r"^layer(\d)", r"#\1"))


def checkpoint(preset: str = "resnet50", **fields: Any) -> dict[str, Array]:
    """The state dict of the small network under torchvision's names."""
    arrays = as_torchvision(resolve(preset).config.replace(**SMALL | fields))
    return {name: array for name, array in arrays.items() if "num_batches" not in name}


def small(preset: str = "resnet50", **options: Any) -> keras.Model:
    return ResnetBuilder.from_preset(preset, **SMALL | options)


def body_of(arrays: dict[str, Array]) -> dict[str, Array]:
    return {name: array for name, array in arrays.items() if not name.startswith("fc.")}


# mmpretrain/models/classifiers/image.py; backbones/resnet.py, _make_stem_layer.
MMPRETRAIN: Rule = ((r"^(?!fc)", "backbone."), (r"^fc", "head.fc"))
V1C: Rule = ((r"^conv1\.", "stem."), (r"^bn1\.", "stem.7."), *MMPRETRAIN)


def test_the_blocks_of_each_stage_are_counted_without_biases() -> None:
    names = checkpoint()
    assert TORCHVISION.repetitions(names) == SMALL["repetitions"]
    assert TORCHVISION.repetitions([*names, "layer1.0.conv1.bias"]) == SMALL["repetitions"]
    assert TORCHVISION.repetitions(checkpoint(repetitions=(1, 3))) == (1, 3)
    # Of two blocks after the first, one with another tensor: of no network.
    assert TORCHVISION.repetitions([*checkpoint(repetitions=(3, 1)), "layer1.1.bn9.weight"]) == ()


# The preset, the rule, the shift of numbers, and the origin.
NAMINGS: Sequence[tuple[str, Rule, int, str]] = (
    ("resnet18", TRANSFORMERS, -1, "transformers' ResNet or RegNetX"),
    ("resnet50", TRANSFORMERS, -1, "transformers' ResNet or RegNetX"),
    ("resnet18", DETECTRON2, 1, "detectron2's ResNet"),
    ("resnet50", DETECTRON2, 1, "detectron2's ResNet"),
    ("resnet50", MSRA, 1, "MSRA's ResNet in detectron2"),
    ("resnet50", MMPRETRAIN, 0, "torchvision's or timm's ResNet"),
    ("resnet50c", V1C, 0, "mmpretrain's ResNetV1c"),
    ("resnet50d", V1C, 0, "mmpretrain's ResNetV1c"),
)


@pytest.mark.parametrize(("preset", "rule", "shift", "origin"), NAMINGS)
def test_a_network_with_its_classifier(preset: str, rule: Rule, shift: int, origin: str) -> None:
    arrays = checkpoint(preset)
    theirs = {renamed(name, rule, shift): array for name, array in arrays.items()}
    is_caffe = "detectron2" in origin and preset == "resnet50"
    fields: dict[str, Any] = CAFFE if is_caffe else {}
    model = small(preset, **fields)
    report = load_weights(model, theirs)
    expected = small(preset, **fields)
    load_weights(expected, arrays, **fields)
    assert_same_weights(model, expected)
    assert (report.origin, report.tensors, report.unused) == (origin, len(arrays), ())
    assert not report.adapted
    assert ('channels="BGR"' in str(report)) == ("detectron2" in origin)
    built = small(preset, **fields, weights=theirs)
    assert_same_weights(built, expected)


@pytest.mark.parametrize(
    ("rule", "shift", "before", "others"),
    [
        (TRANSFORMERS[:-2], -1, "", ()),  # ResNetModel and ResNetBackbone
        (
            TRANSFORMERS,
            -1,
            "model.backbone.conv_encoder.model.",
            ("class_labels_classifier.weight",),
        ),
        (DETECTRON2, 1, "backbone.bottom_up.", ("backbone.fpn_lateral2.weight", "pixel_mean")),
        (SEQUENTIAL, 3, "", ()),
        (SEQUENTIAL, 3, "0.", ("1.2.weight", "1.2.running_mean", "1.4.weight", "1.8.weight")),
        (SEQUENTIAL, 3, "backbone.", ("projection_head.layers.0.weight",)),  # lightly
    ],
)
def test_a_network_without_its_classifier(
    rule: Rule, shift: int, before: str, others: tuple[str, ...]
) -> None:
    fields: dict[str, Any] = CAFFE if rule is DETECTRON2 else {}
    arrays = body_of(checkpoint())
    theirs = {before + renamed(name, rule, shift): array for name, array in arrays.items()}
    theirs |= {name: tensor(name, (3, 3)) for name in others}
    model, expected = (small(include_top=False, **fields) for _ in range(2))
    report = load_weights(model, theirs)
    load_weights(expected, arrays, **fields)
    assert_same_weights(model, expected)
    assert report.tensors == len(arrays)
    assert set(report.unused) == set(others)
    with pytest.raises(ValueError, match=r"missing: .*for predictions/kernel"):
        load_weights(small(**fields), theirs)


def test_batch_norms_of_a_scale_and_a_bias() -> None:
    arrays = checkpoint()
    theirs = {
        renamed(name, AFFINE, 1): array for name, array in arrays.items() if "running" not in name
    }
    theirs |= {"conv1_b": tensor("conv1_b", (8,)), "conv1_w_momentum": np.zeros((8, 3, 7, 7))}
    model = small(**CAFFE)
    report = load_weights(model, theirs)
    assert (report.origin, report.tensors) == ("Detectron's ResNet", len(theirs) - 1)
    assert report.adapted == ("1 bias of convolutions into batch norm",)
    for layer in model.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            mean = -theirs["conv1_b"] if layer.name == "stem_bn" else np.zeros_like(layer.gamma)
            np.testing.assert_array_equal(layer.moving_mean, mean)
            np.testing.assert_allclose(layer.moving_variance.numpy() + layer.epsilon, 1, rtol=1e-7)
    np.testing.assert_array_equal(model.get_layer("stem_bn").gamma, arrays["bn1.weight"])
    kernel = arrays["layer1.0.downsample.0.weight"].transpose(2, 3, 1, 0)
    np.testing.assert_array_equal(model.get_layer("stage1_block1_shortcut_conv").kernel, kernel)
    lacking = {name: array for name, array in theirs.items() if name != "res2_0_branch2a_bn_b"}
    with pytest.raises(ValueError, match="cannot load") as raised:
        load_weights(model, lacking)
    assert str(raised.value).splitlines()[1:] == [
        "missing: res2_0_branch2a_bn_b, for stage1_block1_bn1/beta (8,)"
    ]
    bent = theirs | {"res2_0_branch2a_bn_b": np.zeros(9, np.float32)}
    with pytest.raises(ValueError, match=r"shape: res2_0_branch2a_bn_b \(9,\); stage1") as raised:
        load_weights(model, bent)
    assert len(str(raised.value).splitlines()) == 2
    detector = theirs | {
        "conv_rpn_w": np.zeros((1, 1, 3, 3)),
        "fpn_inner_res5_2_sum_w": np.zeros(3),
    }
    report = load_weights(small(**CAFFE, include_top=False), detector)
    assert set(report.unused) == {"conv_rpn_w", "fpn_inner_res5_2_sum_w", "fc1000_w", "fc1000_b"}


def test_strides_of_detectron() -> None:
    theirs = {renamed(name, DETECTRON2, 1): array for name, array in checkpoint().items()}
    with pytest.raises(ValueError, match=r"in detectron2's ResNet in the first 1x1") as raised:
        load_weights(small(), theirs)
    assert str(raised.value).endswith("load it with load_weights(..., stride_in_3x3=True).")
    assert load_weights(small(), theirs, stride_in_3x3=True).tensors == len(theirs)


# What OpenMMLab's files say ----------------------------------------------------------------------

NAMES = ("ant", "bee", "cat", "dog", "eel")


@pytest.mark.parametrize(
    "meta",
    [
        # mmdet 2, mmdet/apis/train.py
        {"config": "backbone=dict(type='ResNet', style='caffe')", "CLASSES": NAMES},
        # mmengine/runner/runner.py, save_checkpoint
        {
            "cfg": 'model = dict(backbone=dict(style="caffe"))',
            "dataset_meta": {"classes": [*NAMES]},
        },
        {"cfg": "style='caffe'", "dataset_meta": {"CLASSES": NAMES}, "epoch": 3},
    ],
)
def test_the_style_and_the_classes_of_openmmlab(meta: dict[str, Any]) -> None:
    arrays = {renamed(name, MMPRETRAIN): array for name, array in checkpoint().items()}
    file = {"meta": meta, "state_dict": arrays}
    model = small(**CAFFE)
    report = load_weights(model, file)
    assert report.labels == NAMES
    assert 'channels="BGR"' in str(report)
    assert_same_weights(small(**CAFFE, weights=file), model)
    with pytest.raises(ValueError, match="in their 3x3 convolution, and in torchvision"):
        load_weights(small(), file)
    report = load_weights(small(), file, stride_in_3x3=True)
    assert report.tensors == len(arrays)
    for other in ({"cfg": "style='pytorch'"}, {"epoch": 3, "CLASSES": [1, 2]}, "unknown", None):
        report = load_weights(small(), {"meta": other, "state_dict": arrays})
        assert (report.labels, report.notes) == ((), ())


def test_the_epsilon_of_standardised_kernels() -> None:
    # bit_pytorch/models.py, StdConv2d; timm/layers/std_conv.py.
    found = {of.name: of.standardizing_epsilon for of in ORIGINS if "BiT" in of.name}
    assert found["Google's BiT"] == found["Google's BiT for TensorFlow 2"] == 1e-10
    others = {of.standardizing_epsilon for of in ORIGINS if of.name not in found}
    assert others == {1e-8}
