"""Which origin a checkpoint is of, by how many of its names fit."""

import json
from itertools import product
from typing import Any

import keras
import numpy as np
import pytest

from resnet_builder import PRESETS, ResnetBuilder, ResnetConfig, load_weights
from resnet_builder.config import obeyed
from resnet_builder.files.checkpoint import Checkpoint
from resnet_builder.plan.attention import ATTENTIONS
from resnet_builder.plan.blocks import BLOCKS
from resnet_builder.plan.network import make_plan
from resnet_builder.plan.norms import NORMS
from resnet_builder.plan.stems import STEM_POOLS, STEMS
from resnet_builder.plan.units import ORDERS
from resnet_builder.weights.expected import ExpectedWeights, expected_weights
from resnet_builder.weights.match import Recognised
from resnet_builder.weights.naming import MOST_SPLITS, Origin, is_known, known_weights
from resnet_builder.weights.origins import ARTICLE, COUNTED, ORIGINS
from resnet_builder.weights.recognise import recognise

from .checkpoint_recipe import KERAS_HUB, NETWORKS, Array, preset_of, shapes_of

BY_NAME = {origin.name: origin for origin in ORIGINS}
TORCHVISION = BY_NAME["torchvision's or timm's ResNet"]
KERAS_APPLICATIONS = BY_NAME["keras.applications' ResNet"]


def expected(preset: str) -> ExpectedWeights:
    return expected_weights(make_plan(PRESETS[preset]))


def names_of(origin: Origin, preset: str) -> list[str]:
    return [origin.tensor(weight) for weight in expected(preset).shapes]


def recognised(names: Any, preset: str = "resnet50") -> Recognised:
    def read(name: str) -> Array:
        raise AssertionError(f"{name} was read")

    checkpoint = Checkpoint("the dict", dict.fromkeys(names, (1,)), read)
    return recognise(checkpoint, expected(preset))


def test_every_weight_of_every_preset_has_a_known_name() -> None:
    weights = (weight for preset in PRESETS for weight in expected(preset).shapes)
    assert all(map(is_known, weights))
    assert not is_known(("conv2d", "kernel"))
    assert not is_known(("stage1_block1_own_conv", "kernel"))


def test_the_blocks_of_every_stage_are_counted_by_the_names() -> None:
    for number, (preset, config) in enumerate(PRESETS.items()):
        origin = ORIGINS[number % len(ORIGINS)]
        assert origin.repetitions(names_of(origin, preset)) == config.repetitions
    lacking = names_of(TORCHVISION, "resnet50")
    lacking.remove("layer3.1.conv1.weight")
    assert TORCHVISION.repetitions(lacking) == ()  # as in no network


def planned_weights() -> set[tuple[str, str]]:
    """The weights of small networks of every kind, with a projection and the most splits."""
    kinds: list[dict[str, Any]] = [
        *(
            {"block": block, "se_ratio": 0.25 if kind.own_attention or kind.attends_early else 0}
            for block, kind in BLOCKS.items()
        ),
        *({"stem": stem} for stem in STEMS),
        *({"stem": "deep", "stem_pool": pool} for pool in STEM_POOLS),
        *(
            {field: True if field == "eca" else 1 / 4, "block": block}
            for field in ATTENTIONS
            for block in ("basic_block", "early_attention_bottleneck")
        ),
        {"head_filters": 8},
        {"head_pool": "attention"},
    ]
    common: dict[str, Any] = {"block": "basic_block", "use_bias": True, "norm_groups": 1}
    common |= {"repetitions": (1,), "stem_filters": 32, "splits": MOST_SPLITS}
    weights: set[tuple[str, str]] = set()
    for kind, order, norm, standardized in product(kinds, ORDERS, NORMS, (False, True)):
        if order == "pre" or not NORMS[norm].activates:
            fields = {
                "activation_order": order,
                "norm": norm,
                "weight_standardization": standardized,
            }
            config = obeyed(ResnetConfig(**common | kind | fields))
            weights |= expected_weights(make_plan(config)).shapes.keys()
    return weights


def test_every_weight_of_every_kind_of_network_is_known_and_few_others() -> None:
    planned = planned_weights()
    assert all(map(is_known, planned))
    in_blocks, others = known_weights()
    block = "stage1_block1_"
    known = {(block + role, variable) for role, variable in in_blocks} | others
    # The norm that activates is planned in one order only, and not after every convolution.
    assert all("evonorm" in layer for layer, _ in known - planned)


KINDS = {
    "timm_resnetv2": "timm's ResNetV2",
    "timm_legacy": "timm's legacy SENet",
    "timm_sk": "timm's SKNet",
    "transformers_resnet": "transformers' ResNet or RegNetX",
    "timm_regnetv": "timm's RegNetV",
    "timm_regnet": "timm's RegNet",
    "timm_gcresnet": "timm's ByobNet",
    "timm_resnet51q": "timm's ByobNet, quad2",
    "torchvision_regnet": "torchvision's RegNet",
    "transformers_regnet_y": "transformers' RegNetY",
    "tfkeras_RegNetX": "tf.keras' RegNetX",
    "tfkeras_RegNetY": "tf.keras' RegNetY",
    "trades": "TRADES' or RobustBench's wide ResNet",
    "akamaster": "akamaster's or kuangliu's ResNet",
    "kuangliu": "akamaster's or kuangliu's ResNet",
    "weiaicunzai": "weiaicunzai's ResNet",
}


@pytest.mark.parametrize("network", NETWORKS)
def test_real_names_whatever_the_network(network: str) -> None:
    names = [name.removesuffix(":0") for name in shapes_of(network)]
    # downsample.2 follows the pool of an average-pooled projection.
    d = "timm's ResNet-D" if any("downsample.2" in name for name in names) else TORCHVISION.name
    kind = next((kind for part, kind in KINDS.items() if network.startswith(part)), d)
    inside = f"{preset_of(network)[:6]}." if network.startswith("transformers") else ""
    module = "" if network.startswith("tfkeras") else "module."
    for preset in ("resnet18", "resnetv2_50", "resnet50d", "wrn16_4"):
        found = recognised([f"{module}{name}" for name in names], preset)
        assert (found.origin.name, found.prefix) == (kind, module + inside)
        own = [COUNTED.sub("", name).removeprefix(inside) for name in names]
        assert list(found.checkpoint.shapes) == own


@pytest.mark.parametrize("preset", sorted(path.stem for path in KERAS_HUB.glob("*.json")))
def test_names_of_keras_hub(preset: str) -> None:
    names = json.loads((KERAS_HUB / f"{preset}.json").read_text(encoding="utf-8"))
    version = "keras-hub's ResNetV2" if "v2" in preset else "keras-hub's ResNet"
    for other in ("resnet18", "resnetv2_50"):
        assert recognised(names, other).origin.name == version


PRESET_OF_ORIGIN = {
    "timm's ResNet-D": "resnet50d",
    "timm's legacy SENet": "legacy_seresnet50",
    "timm's SKNet": "skresnet18",
    "timm's SKNet-D": "skresnet50d",
    "TRADES' or RobustBench's wide ResNet": "wrn16_4",
    "mmpretrain's ResNetV1c": "resnet50c",
    "timm's RegNetV": "regnetv_040",
    "timm's RegNetV-D": "regnetv_064",
    **dict.fromkeys(
        (
            "timm's RegNet",
            "torchvision's RegNet",
            "pycls's RegNet",
            "tf.keras' RegNetY",
            "transformers' RegNetY",
        ),
        "regnety_002",
    ),
    "tf.keras' RegNetX": "regnetx_002",
    "timm's ByobNet": "seresnet33ts",
    "timm's ByobNet, quad2": "resnet51q",
}


@pytest.mark.parametrize(
    "origin", [of for of in ORIGINS if of is not ARTICLE], ids=lambda origin: origin.name
)
def test_no_one_name_matters(origin: Origin) -> None:
    v2 = "resnetv2_50" if "V2" in origin.name else "resnet50"
    preset = PRESET_OF_ORIGIN.get(origin.name, v2)
    names = names_of(origin, preset)
    for left_out in names[::10]:
        rest = [name for name in names if name != left_out]
        assert recognised(rest, preset).origin is origin, left_out


def test_a_first_kernel_that_is_missing_is_named() -> None:
    small: dict[str, Any] = {"repetitions": (1, 1), "filters": 8, "input_shape": (16, 16, 3)}
    model = ResnetBuilder.from_preset("resnet18", **small)
    layout = TORCHVISION.layout
    arrays = {}
    for layer in model.layers:
        for weight in layer.weights:
            name = (layer.name, weight.name)
            axes = {4: (3, 2, 0, 1), 2: (1, 0), 1: (0,)}[len(weight.shape)]
            arrays[TORCHVISION.tensor(name)] = weight.numpy().transpose(axes)
            assert layout.keras_shape(name, arrays[TORCHVISION.tensor(name)].shape) == weight.shape
    del arrays["layer1.0.conv1.weight"]
    with pytest.raises(ValueError, match="cannot load the dict") as raised:
        load_weights(model, {f"backbone.{name}": array for name, array in arrays.items()})
    assert str(raised.value).splitlines() == [
        "cannot load the dict (named as in torchvision's or timm's ResNet, after 'backbone.') into "
        "'resnet18':",
        "missing: layer1.0.conv1.weight, for stage1_block1_conv1/kernel (3, 3, 8, 8)",
    ]


def test_keras_applications_version_2_is_told_from_version_1() -> None:
    arrays = {
        version: {of.path: np.broadcast_to(np.float32(0), of.shape) for of in network.weights}
        for version, network in (
            (1, keras.applications.ResNet50(weights=None, input_shape=(32, 32, 3))),
            (2, keras.applications.ResNet50V2(weights=None, input_shape=(32, 32, 3))),
        )
    }
    assert recognised(arrays[1]).origin is KERAS_APPLICATIONS
    for preset in ("resnet50_v1", "resnetv2_50", "resnet50_v2"):
        assert recognised(arrays[2], preset).origin.name == "keras.applications' ResNetV2"
    for preset in ("resnet50_v1", "resnetv2_50"):
        model = ResnetBuilder.from_preset(preset, (32, 32, 3))
        with pytest.raises(ValueError, match=r"ResNetV2\)(.|\n)*It fits resnet50_v2\."):
            load_weights(model, arrays[2])


NOBODYS = {
    "VGG": ["features.0.weight", "features.0.bias", "classifier.6.weight", "classifier.6.bias"],
    "LeNet": [f"{n}.{v}" for n in ("conv1", "conv2", "fc1", "fc2") for v in ("weight", "bias")],
    "EfficientNet": ["conv_stem.weight", "bn1.weight", "bn1.bias"]
    + [f"blocks.{n}.0.{part}.weight" for n in range(6) for part in ("conv_pw", "bn1", "se.fc")],
    "Dense": ["dense/kernel", "dense/bias", "dense_1/kernel", "dense_1/bias"],
}


@pytest.mark.parametrize("network", NOBODYS)
def test_nothing_known(network: str) -> None:
    with pytest.raises(ValueError, match=r"its names are not of a known origin\. It has "):
        recognised(NOBODYS[network])


def test_several_networks() -> None:
    small, large = names_of(TORCHVISION, "resnet18"), names_of(TORCHVISION, "resnet152")
    both = [*large, *(f"ema.{name}" for name in small)]
    with pytest.raises(ValueError, match=r"several networks; their names begin with no prefix, em"):
        recognised(both)
    # Without the one tensor by which a network was once told.
    both.remove("ema.layer1.0.conv1.weight")
    with pytest.raises(ValueError, match="several networks"):
        recognised(both)


def test_a_network_inside_another() -> None:
    names = [f"backbone.body.{name}" for name in names_of(TORCHVISION, "resnet50")]
    others = [f"rpn.head.{n}.weight" for n in range(40)]
    found = recognised([*others, *names])
    assert (found.origin, found.prefix) == (TORCHVISION, "backbone.body.")
    assert list(found.checkpoint.shapes) == names_of(TORCHVISION, "resnet50")
    assert list(found.beside) == others


def test_one_name_with_a_prefix_and_without() -> None:
    names = [f"module.{name}" for name in names_of(TORCHVISION, "resnet50")]
    found = recognised([*names, "fc.bias"])
    assert "fc.bias" in found.checkpoint.shapes
    assert list(found.beside) == ["fc.bias"]


# This package's own networks ---------------------------------------------------------------------


def own_block(filters: int, init_strides: Any, is_first_block_of_first_layer: bool) -> Any:
    def apply(x: Any) -> Any:
        x = keras.layers.Conv2D(filters, 3, strides=init_strides, padding="same")(x)
        return keras.layers.BatchNormalization()(x)

    return apply


# Prefix, odd config, options.
OWN_NETWORKS: dict[str, tuple[str, dict[str, Any], dict[str, Any]]] = {
    "one stage": ("", {"repetitions": (1,)}, {}),
    "stem alone": ("left", {"stem": "deep"}, {"features": ("stem",)}),
    "pre-activated deep stem": ("a.b-", {"stem": "deep", "activation_order": "pre"}, {}),
    "excited, without a head": (
        "my_stage1_net_",
        {"se_ratio": 0.5, "stem": "cifar"},
        {"include_top": False},
    ),
    "plain, with biases": (
        "stem_net_",
        {"shortcuts": False, "use_bias": True},
        {"dropout_rate": 0.5},
    ),
    "own block": ("layer1.0.", {"block": own_block, "activation_order": "pre_raw"}, {}),
    "own block, deep stem": (
        "conv2_block1_",
        {"block": own_block, "stem": "deep"},
        {"include_top": False},
    ),
}


@pytest.mark.parametrize("network", OWN_NETWORKS)
def test_own_networks(network: str) -> None:
    prefix, changes, options = OWN_NETWORKS[network]
    if keras.backend.backend() == "torch":  # whose names have no dots
        prefix = prefix.replace(".", "_")
    small: dict[str, Any] = {
        "block": "basic_block",
        "repetitions": (1, 1),
        "filters": 8,
        "classes": 3,
    }
    config = ResnetConfig(**small | {"input_shape": (8, 8, 3)} | changes)
    models = []
    for _ in range(2):
        keras.utils.clear_session()  # a block function's layers are named by Keras
        models.append(ResnetBuilder.from_config(config, layer_prefix=prefix, **options))
    trained, model = models
    arrays = {weight.path: weight.numpy() + 1 for weight in trained.weights}
    assert load_weights(model, arrays).origin == "resnet_builder"
    for weight in model.weights:
        np.testing.assert_array_equal(weight.numpy(), arrays[weight.path])
