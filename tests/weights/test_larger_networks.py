"""A residual network inside a detector, a segmentation network or a self-supervised one."""

from typing import Any

import keras
import numpy as np
import pytest

from resnet_builder import ResnetBuilder, load_weights
from resnet_builder.presets.resolve import resolve

from ..helpers import assert_same_weights
from .checkpoint_recipe import Array, as_torchvision, tensor

SMALL: dict[str, Any] = {"repetitions": (1, 1, 1, 1), "filters": 4, "input_shape": (32, 32, 3)}

BATCH_NORM = ("weight", "bias", "running_mean", "running_var", "num_batches_tracked")
AFFINE = ("weight", "bias")

# The other modules of networks: torchvision 0.29 (models/segmentation, models/detection), MoCo
# (facebookresearch/moco, moco/builder.py), DINO (facebookresearch/dino, main_dino.py), SimCLR
# (sthalles/SimCLR, models/resnet_simclr.py), SwAV (facebookresearch/swav, src/resnet50.py), Barlow
# Twins and VICReg (facebookresearch/barlowtwins and vicreg, main.py and main_vicreg.py), VISSL
# (facebookresearch/vissl, models/trunks/resnext.py), SparK (keyu-tian/SparK, pretrain/spark.py),
# segmentation_models.pytorch (decoders/unet/model.py) and DETR (facebookresearch/detr,
# models/detr.py and backbone.py).
FPN = [f"backbone.fpn.{part}_blocks.{n}.0" for part in ("inner", "layer") for n in range(4)]
TOWERS = [
    f"head.{task}_head.conv.{n}.0" for task in ("classification", "regression") for n in "0123"
]
ASPP = [f"classifier.0.convs.{n}." for n in range(4)]
MODULES: dict[str, dict[tuple[str, ...], list[str]]] = {
    "deeplabv3_resnet50": {
        ("weight",): [f"{convs}0" for convs in ASPP]
        + ["classifier.0.convs.4.1", "classifier.0.project.0", "classifier.1", "aux_classifier.0"],
        BATCH_NORM: [f"{convs}1" for convs in ASPP]
        + ["classifier.0.convs.4.2", "classifier.0.project.1", "classifier.2", "aux_classifier.1"],
        AFFINE: ["classifier.4", "aux_classifier.4"],
    },
    "fcn_resnet50": {
        ("weight",): ["classifier.0", "aux_classifier.0"],
        BATCH_NORM: ["classifier.1", "aux_classifier.1"],
        AFFINE: ["classifier.4", "aux_classifier.4"],
    },
    "fasterrcnn_resnet50_fpn": {
        AFFINE: [
            *FPN,
            *("rpn.head.conv.0.0", "rpn.head.cls_logits", "rpn.head.bbox_pred"),
            *("roi_heads.box_head.fc6", "roi_heads.box_head.fc7"),
            *("roi_heads.box_predictor.cls_score", "roi_heads.box_predictor.bbox_pred"),
        ],
    },
    "retinanet_resnet50_fpn": {
        AFFINE: [
            *(name for name in FPN if ".3." not in name),
            *("backbone.fpn.extra_blocks.p6", "backbone.fpn.extra_blocks.p7"),
            *TOWERS,
            *("head.classification_head.cls_logits", "head.regression_head.bbox_reg"),
        ],
    },
    "SimCLR": {AFFINE: ["backbone.fc.0", "backbone.fc.2"]},
    "SwAV": {
        AFFINE: ["module.projection_head.0", "module.projection_head.3"],
        BATCH_NORM: ["module.projection_head.1"],
        ("weight",): ["module.prototypes"],
    },
    "Barlow Twins": {
        ("weight",): ["module.projector.0", "module.projector.3"],
        BATCH_NORM: ["module.projector.1"],
        ("running_mean", "running_var"): ["module.bn"],
    },
    "VICReg": {AFFINE: ["module.projector.0"], BATCH_NORM: ["module.projector.1"]},
    "VISSL": {
        AFFINE: ["classy_state_dict.base_model.model.heads.0.clf.0"],
        ("momentum_buffer",): ["classy_state_dict.optimizer.state.0"],
    },
    "SparK": {
        AFFINE: ["densify_projs.0", "dense_decoder.proj", "dense_decoder.dec.0.up_sample"],
        BATCH_NORM: ["densify_norms.0", "dense_decoder.dec.0.conv.1"],
        ("0", "1"): ["mask_tokens"],
    },
    "DINO's backbone": {("weight",): ["head.last_layer"]},
    "Unet": {
        ("weight",): ["decoder.blocks.0.conv1.0", "decoder.blocks.0.conv2.0"],
        BATCH_NORM: ["decoder.blocks.0.conv1.1", "decoder.blocks.0.conv2.1"],
        AFFINE: ["segmentation_head.0"],
    },
    "DETR": {
        AFFINE: ["transformer.encoder.layers.0.linear1", "class_embed", "bbox_embed.layers.0"]
        + [f"transformer.decoder.layers.{n}.norm{m}" for n in range(6) for m in (1, 2, 3)],
        ("weight",): ["query_embed", "input_proj"],
    },
    "MoCo": {
        AFFINE: [f"module.encoder_{which}.fc.{n}" for which in "qk" for n in (0, 2)],
        ("queue", "queue_ptr"): ["module"],
    },
}
PREFIX_OF = {
    "deeplabv3_resnet50": "backbone.",
    "fcn_resnet50": "backbone.",
    "fasterrcnn_resnet50_fpn": "backbone.body.",
    "retinanet_resnet50_fpn": "backbone.body.",
    "SimCLR": "backbone.",
    "SwAV": "module.",
    "Barlow Twins": "module.backbone.",
    "VICReg": "module.backbone.",
    "VISSL": "classy_state_dict.base_model.model.trunk._feature_blocks.",
    "SparK": "sparse_encoder.sp_cnn.",
    "DINO's backbone": "backbone.",
    "Unet": "encoder.",
    "DETR": "backbone.0.body.",
}


def resnet50(**options: Any) -> keras.Model:
    return ResnetBuilder.from_preset("resnet50", **SMALL | {"include_top": False} | options)


def body() -> dict[str, Array]:
    config = resolve("resnet50").config.replace(**SMALL)
    return as_torchvision(config, include_top=False)


def other_modules(network: str) -> dict[str, Array]:
    return {
        f"{module}.{variable}": tensor(f"{module}.{variable}", (3,))
        for variables, modules in MODULES[network].items()
        for module in modules
        for variable in variables
    }


def larger(network: str) -> dict[str, Array]:
    """The state dict of a network around the small one; the shapes of the rest are no matter."""
    inside = {PREFIX_OF[network] + name: array for name, array in body().items()}
    return inside | other_modules(network)


@pytest.fixture(scope="module")
def plain() -> keras.Model:
    """The network with the weights of its own state dict."""
    return resnet50(weights=body())


@pytest.mark.parametrize("network", PREFIX_OF)
def test_it_loads_and_the_rest_is_reported(network: str, plain: keras.Model) -> None:
    model = resnet50()
    report = load_weights(model, larger(network))
    assert_same_weights(model, plain)
    assert report.tensors == len(model.weights)
    rest = {name for name in other_modules(network) if "num_batches_tracked" not in name}
    assert set(report.unused) == rest
    assert len(report.unused) == len(rest)


def test_the_report_groups_what_was_left() -> None:
    report = load_weights(resnet50(), larger("fasterrcnn_resnet50_fpn"))
    [first, *lines] = str(report).splitlines()
    assert first == f"{report.tensors} tensors from the dict, named as in {report.origin}"
    assert lines == [
        "- unused: 16 tensors of backbone.fpn",
        "- unused: 8 tensors of roi_heads",
        "- unused: 6 tensors of rpn",
    ]
    report = load_weights(resnet50(), larger("SimCLR"))
    assert str(report).splitlines()[1:] == ["- unused: 4 tensors of backbone.fc"]
    many = {f"head{number}.weight": np.zeros(1) for number in range(25)}
    lines = str(load_weights(resnet50(), body() | many)).splitlines()[1:]
    assert len(lines) == 21
    assert lines[0] == "- unused: 1 tensor of head0"
    assert lines[-1] == "- unused: 5 tensors of others"


def test_feature_maps_leave_later_stages_as_well(plain: keras.Model) -> None:
    maps = resnet50(features=("stage1", "stage2"), include_top=True)
    report = load_weights(maps, larger("deeplabv3_resnet50"))
    last = plain.get_layer("stage2_block1_out").output
    assert_same_weights(maps, keras.Model(plain.input, last))
    assert "backbone.layer3.0.conv1.weight" in report.unused
    # Three convolutions and the projection, each with four tensors of batch norm.
    assert "- unused: 20 tensors of backbone.layer4" in str(report)


@pytest.mark.parametrize("network", PREFIX_OF)
def test_a_network_with_a_classifier_refuses_it(network: str) -> None:
    model = resnet50(include_top=True)
    before = model.get_weights()
    with pytest.raises(ValueError, match=r"missing: fc\.weight") as raised:
        load_weights(model, larger(network))
    lines = str(raised.value).splitlines()
    assert lines[-1] == "It fits the network without its classifier (include_top=False)."
    assert any(line.startswith("unexpected: ") for line in lines)
    assert_same_weights(model, before)


@pytest.mark.parametrize(
    "name",
    ["layer2.0.gamma", "layer1.3.conv1.weight", "conv1.bias", "maxpool.0.weight", "bn2.bias"],
)
def test_what_the_network_itself_lacks_is_refused(name: str) -> None:
    arrays = larger("fcn_resnet50") | {f"backbone.{name}": np.zeros(3, np.float32)}
    with pytest.raises(ValueError, match=rf"\nunexpected: {name} \(3,\)$"):
        load_weights(resnet50(), arrays)


# Several networks -------------------------------------------------------------------------------


# The network that is meant, and its moving average or copy: torchvision's names begin so in MoCo
# (facebookresearch/moco and moco-v3, moco/builder.py), timm (utils/checkpoint_saver.py), mmengine
# (hooks/ema_hook.py), YOLO-like trainers, DINO (main_dino.py), Unbiased Teacher
# (facebookresearch/unbiased-teacher, modeling/meta_arch/ts_ensemble.py), torch.compile, lightly
# (examples/pytorch/moco.py), robustness (MadryLab/robustness, attacker.py), ema_pytorch
# (lucidrains/ema-pytorch, ema_pytorch.py) and WeightAveraging of Lightning
# (src/lightning/pytorch/callbacks/weight_averaging.py).
DOUBLED = {
    "MoCo": ("module.encoder_q.", "module.encoder_k."),
    "MoCo v3": ("state_dict.module.base_encoder.", "state_dict.module.momentum_encoder."),
    "timm": ("state_dict.", "state_dict_ema."),
    "mmengine": ("state_dict.backbone.", "ema_state_dict.module.backbone."),
    "EMA within": ("net.", "net.module.ema."),
    "EMA beside": ("", "ema."),
    "model_ema": ("model.", "model_ema."),
    "DINO": ("student.module.backbone.", "teacher.backbone."),
    "Unbiased Teacher": ("modelStudent.backbone.", "modelTeacher.backbone."),
    "torch.compile": ("model._orig_mod.", "ema_model._orig_mod."),
    "lightly": ("backbone.", "backbone_momentum."),
    "robustness": ("module.model.", "module.attacker.model."),
    "ema_pytorch": ("online_model.", "ema_model."),
    "Lightning": ("current_model_state.net.", "state_dict.net."),
}


def doubled(kind: str, arrays: dict[str, Array]) -> dict[str, Array]:
    """Two networks of a checkpoint, the second of other values."""
    first, second = DOUBLED[kind]
    other = {f"{second}{name}": array + 1 for name, array in arrays.items()}
    return {f"{first}{name}": array for name, array in arrays.items()} | other


@pytest.mark.parametrize("kind", DOUBLED)
def test_of_two_networks_the_one_that_is_meant_is_loaded(kind: str, plain: keras.Model) -> None:
    first, second = DOUBLED[kind]
    arrays = doubled(kind, body()) | {"optimizer.state.0.exp_avg": np.zeros(3)}
    model = resnet50()
    report = load_weights(model, arrays)
    assert_same_weights(model, plain)
    assert (report.prefix, report.tensors) == (first, len(model.weights))
    words = f"of its equal networks, {first or 'no prefix'} was loaded, and {second} left"
    if kind == "robustness":
        assert report.notes == (words,)
        with pytest.raises(
            ValueError, match=r"moving average, and it has none: .* module\.model\."
        ):
            load_weights(model, arrays, ema=True)
        return
    assert report.notes == (f"{words}; ema=True loads the moving average",)
    average = load_weights(model, arrays, ema=True)
    np.testing.assert_array_equal(model.get_layer("stem_bn").gamma, body()["bn1.weight"] + 1)
    assert (average.prefix, average.tensors) == (second, report.tensors)
    assert set(report.unused) ^ set(average.unused) >= {
        f"{prefix}bn1.weight" for prefix in (first, second)
    }
    assert f"{second} was loaded, and {first or 'no prefix'} left" in str(average)


@pytest.mark.parametrize("kind", ["timm", "EMA beside", "EMA within", "robustness"])
@pytest.mark.parametrize("ema", [False, True])
def test_a_network_with_a_classifier_and_another(kind: str, ema: bool) -> None:
    config = resolve("resnet50").config.replace(**SMALL, classes=7)
    arrays = doubled(kind, as_torchvision(config))
    first, second = DOUBLED[kind]
    if kind == "robustness":  # robustness/tools/helpers.py, InputNormalize
        modules = ("module.normalizer", "module.attacker.normalize")
        names = (f"{module}.new_{part}" for module in modules for part in ("mean", "std"))
        arrays |= {name: np.zeros((3, 1, 1), np.float32) for name in names}
        ema = False
    model = resnet50(include_top=True, classes=7)
    report = load_weights(model, arrays, ema=ema)
    kernel = arrays[f"{second if ema else first}fc.weight"].T
    np.testing.assert_array_equal(model.get_layer("predictions").kernel, kernel)
    assert f"{first if ema else second}fc.weight" in report.unused
    counted = {name for name in arrays if "num_batches_tracked" not in name}
    assert report.tensors + len(report.unused) == len(counted)


def test_a_network_that_its_average_keeps_too(plain: keras.Model) -> None:
    """A module of Lightning with `self.net` and `self.ema = EMA(self.net)` of ema_pytorch."""
    arrays = {f"net.{name}": array for name, array in body().items()}
    arrays |= {f"ema.online_model.{name}": array for name, array in body().items()}
    arrays |= {f"ema.ema_model.{name}": array + 1 for name, array in body().items()}
    model = resnet50()
    assert load_weights(model, arrays).prefix == "net."
    assert_same_weights(model, plain)
    assert load_weights(model, arrays, ema=True).prefix == "ema.ema_model."
    np.testing.assert_array_equal(model.get_layer("stem_bn").gamma, body()["bn1.weight"] + 1)


def test_several_networks_of_which_none_is_meant() -> None:
    model, arrays = resnet50(), body()
    for others, message in (
        (("left.", "right."), "several networks; their names begin with left., right."),
        (("net.", "ema.", "teacher."), "several networks"),
    ):
        several = {f"{prefix}{name}": array for prefix in others for name, array in arrays.items()}
        with pytest.raises(ValueError, match=message):
            load_weights(model, several, ema="ema." in others)
    with pytest.raises(ValueError, match=r"it has none: its names begin with no prefix, and not"):
        load_weights(model, arrays, ema=True)
    only = {f"state_dict_ema.{name}": array for name, array in arrays.items()}
    assert not load_weights(model, only, ema=True).notes
    assert load_weights(model, only).prefix == "state_dict_ema."
    with pytest.raises(TypeError, match="ema must be True or False, got 1"):
        load_weights(model, arrays, ema=1)  # type: ignore[arg-type]


# Skipping ---------------------------------------------------------------------------------------


def test_a_classifier_of_another_name() -> None:
    arrays = body() | {name: np.zeros(3, np.float32) for name in ("cls.weight", "cls.bias")}
    model = resnet50(include_top=True, classes=7)
    assert load_weights(model, arrays, adapt=True).unused == ("cls.bias", "cls.weight")
    report = load_weights(model, arrays, adapt=True, skip="cls.*")
    assert report.unused == ("cls.weight", "cls.bias")
    assert report.left_random == ("predictions/kernel", "predictions/bias")
    assert load_weights(resnet50(), arrays).unused == ("cls.bias", "cls.weight")


def test_patterns_that_make_no_sense() -> None:
    with pytest.raises(
        ValueError, match=r"skip='head\.\*' matches no name in the dict, which has "
    ):
        load_weights(resnet50(), body(), skip="head.*")
    with pytest.raises(ValueError, match=r"missing: layer1\.0\.conv1\.weight"):
        load_weights(resnet50(), body(), skip="layer1.0.conv1.*")
    with pytest.raises(TypeError, match=r"skip takes patterns of names, such as .*, not 3"):
        load_weights(resnet50(), body(), skip=[3])  # type: ignore[list-item]


# torchvision's detectors ------------------------------------------------------------------------


def frozen_detector() -> dict[str, Array]:
    """Frozen batch norm does not count batches; one variance is small, so that epsilon shows."""
    arrays = larger("retinanet_resnet50_fpn")
    arrays["backbone.body.bn1.running_var"][:] = 1e-6
    return {name: array for name, array in arrays.items() if "num_batches_tracked" not in name}


@pytest.mark.parametrize(("given", "epsilon"), [({"epsilon": 0.0}, 0.0), ({}, 1e-5)])
def test_the_epsilon_of_a_detector(given: dict[str, Any], epsilon: float) -> None:
    model = resnet50()
    report = load_weights(model, frozen_detector(), **given)
    batch_norm = model.get_layer("stem_bn")
    total = batch_norm.moving_variance.numpy() + batch_norm.epsilon
    np.testing.assert_allclose(total, 1e-6 + epsilon, rtol=1e-5)
    assert ("load it with epsilon=0" in str(report)) is (not given)


def test_only_a_detector_with_frozen_batch_norm_is_asked_about() -> None:
    for network in PREFIX_OF:
        assert not load_weights(resnet50(), larger(network)).notes
    with pytest.raises(ValueError, match="epsilon must be at least 0 and less than 1, got -1"):
        load_weights(resnet50(), body(), epsilon=-1)
