"""The plan and the Keras model, layer by layer: one describes the other completely."""

import warnings
from dataclasses import replace
from importlib.util import find_spec, module_from_spec
from typing import Any, get_args

import keras
import numpy as np
import pytest

from resnet_builder import PRESETS, ResnetBuilder, ResnetConfig, config
from resnet_builder.model.assemble import apply_layers
from resnet_builder.model.graph import model_graph
from resnet_builder.model.initializers import quick_kernels
from resnet_builder.model.keras_layers import KERAS_LAYERS, Style
from resnet_builder.plan import layers as plan_layers
from resnet_builder.plan.blocks import BLOCKS
from resnet_builder.plan.describe import WORDS
from resnet_builder.plan.draft import Draft
from resnet_builder.plan.layers import Input, Layer, OwnBlock
from resnet_builder.plan.names import IMAGE, STEM, At
from resnet_builder.plan.network import Plan, make_plan
from resnet_builder.plan.norms import NORMS
from resnet_builder.plan.shortcuts import PROJECTIONS
from resnet_builder.plan.stems import STEM_POOLS, STEMS
from resnet_builder.plan.units import ANTI_ALIASING, ORDERS

from ..helpers import assert_built_as_planned, image_batch, randomised

# Together they have every kind of layer, and each kind of block, order, norm, stem, projection and
# anti-aliasing.
NETWORKS: dict[str, dict[str, Any]] = {
    "resnet18": {},
    "resnet50": {"groups": 4, "zero_init_last": True},
    "keras_resnet50": {},
    "keras_resnet18": {"shortcuts": False},
    "resnetv2_50": {},
    "resnet50d": {"eca": True},
    "resnetv2_50d": {"projection": "pad"},
    "seresnet18": {"drop_path_rate": 0.2, "weight_decay": 1e-4},
    "resnet20_cifar": {},
    "plain18": {"activation": "silu"},
    "resnet14t": {"anti_aliasing": "avg"},
    "resnet50_clip": {},
    "resnetblur50": {},
    "resnetrs50": {"anti_aliasing": "blur"},
    "resnet50_gn": {"norm_groups": 4},
    "resnetv2_50x1_bit": {"norm_groups": 4},
    "resnetv2_50d_evos": {"norm_groups": 2},
    "resnet50_v2": {},
    "resnet18_vd": {},
    "legacy_seresnet18": {},
    "senet154": {"groups": 2, "width_per_group": 64},
    "ecaresnet50d_pruned": {"widths": (((8, 4, 19),), ((5, 6, 7), (8, 9, 7)))},
    "test_resnet": {"block": ("basic_block", "bottleneck"), "filters": (8, 12)},
    "res2net50_14w_8s": {"width_per_group": 26},
    "skresnet18": {},
    "skresnext50_32x4d": {"groups": 2, "width_per_group": 64},
    "resnest50d": {},
    "resnest50d_4s2x40d": {"width_per_group": 64},
    "resnest50d_1s4x24d": {"width_per_group": 32},
    "regnety_002": {},
    "regnetv_064": {"group_width": 4},
    "gcresnet50t": {},
    "resnet51q": {
        "block": ("bottleneck", "regnet_bottleneck"),
        "filters": (8, 12),
        "group_width": (4, 1),
        "head_filters": 8,
    },
}


def small_config(name: str) -> ResnetConfig:
    shape: dict[str, Any] = {"input_shape": (33, 40, 3), "repetitions": (1, 2), "filters": 8}
    # A stem of its own width would be wide.
    narrow = {"stem_filters": 8} if PRESETS[name].stem_filters else {}
    return PRESETS[name].replace(**shape | narrow | NETWORKS[name])


@pytest.fixture(scope="module", params=NETWORKS)
def planned_and_built(request: pytest.FixtureRequest) -> tuple[Plan, keras.Model]:
    config = small_config(request.param)
    return make_plan(config), ResnetBuilder.from_config(config)


def test_names_order_weights_and_shapes(planned_and_built: tuple[Plan, keras.Model]) -> None:
    assert_built_as_planned(*planned_and_built)


def test_connections_and_costs(planned_and_built: tuple[Plan, keras.Model]) -> None:
    plan, model = planned_and_built
    graph = model_graph(model)
    feeds = {node.layer.name: [graph[n].layer.name for n in node.inputs] for node in graph}
    assert feeds == {layer.name: list(layer.inputs) for layer in plan.layers}
    trained = sum(int(np.prod(weight.shape)) for weight in model.trainable_weights)
    assert sum(layer.parameters for layer in plan.layers) == trained
    assert trained + sum(layer.counts[1] for layer in plan.layers) == model.count_params()


def kinds_of_layer() -> list[type[Layer]]:
    bases = {plan_layers.Layer, plan_layers.Strided, plan_layers.Pool, plan_layers.Rechanneled}
    found = vars(plan_layers).values()
    kinds = [kind for kind in found if isinstance(kind, type) and issubclass(kind, Layer)]
    return [kind for kind in dict.fromkeys(kinds) if kind not in bases]


def test_every_kind_of_layer_has_a_keras_layer_and_words() -> None:
    kinds = set(kinds_of_layer())
    assert len(kinds) >= 19
    assert kinds == set(KERAS_LAYERS)
    assert set(WORDS) <= kinds
    # Layers that only pad, name or reshape a tensor, or are inside a norm or an attention.
    assert {kind.__name__ for kind in kinds - set(WORDS)} == {
        *("Input", "OwnBlock", "Identity", "ZeroPad", "ReflectPad", "HalfBlur", "Subsample"),
        *("ChannelConv", "ChannelSlice", "Concatenate", "Reshape", "Transpose", "Softmax"),
        *("Multiply", "Divide", "GroupDeviation", "WeightedSum"),
        *("Tokens", "TokenNumbers", "Embedding", "FirstToken", "TokenDense", "Attention"),
    }


def test_the_networks_here_have_every_kind_of_layer() -> None:
    found = {type(layer) for name in NETWORKS for layer in small_plan(name).layers}
    dropout = plan_layers.Dropout  # an option of the head
    assert found | {OwnBlock, dropout} == set(kinds_of_layer())


def small_plan(name: str) -> Plan:
    return make_plan(small_config(name))


def test_types_of_fields_name_what_the_tables_have() -> None:
    tables: dict[Any, Any] = {
        config.BlockName: BLOCKS,
        config.StemName: STEMS,
        config.StemPoolName: STEM_POOLS,
        config.NormName: NORMS,
        config.AntiAliasingName: ANTI_ALIASING,
        config.ActivationOrder: ORDERS,
        config.ProjectionName: PROJECTIONS,
    }
    for names, table in tables.items():
        assert list(get_args(names)) == list(table)


@pytest.mark.parametrize(("version", "is_told"), [("3.15.9", False), ("3.16.0.dev0", True)])
def test_a_keras_that_is_newer_than_the_tested_one_is_told_at_the_import(
    version: str, is_told: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keras, "__version__", version)
    found = find_spec("resnet_builder.model.keras_layers")
    assert found
    assert found.loader
    with warnings.catch_warnings(record=True) as told:
        found.loader.exec_module(module_from_spec(found))
    message = f"Keras {version} is newer than 3.15, the newest that this resnet_builder was tested"
    assert [message in str(one.message) for one in told] == [True] * is_told


def test_a_shape_that_differs_from_the_plan_is_an_error() -> None:
    """Of an output, and of a kernel, which is drawn before Keras asks for it."""
    plan = make_plan(small_config("resnet18"))
    wrong = [
        replace(layer, input_shape=(32, 40, 3)) if layer.name == "stem_conv" else layer
        for layer in plan.layers
    ]
    with pytest.raises(RuntimeError, match=r"stem_conv was planned with the shape \(13, 17, 8\)"):
        apply_layers(wrong, {}, Style("channels_last"))
    with (
        quick_kernels(plan.layers, "float32") as kernels,
        pytest.raises(
            RuntimeError, match=r"kernel of stem_conv .* \(7, 7, 3, 8\), .* \(7, 7, 3, 9"
        ),
    ):
        kernels(plan.stem[0][1])((7, 7, 3, 9))


# Sides of one pixel, and sizes that are only known at the call.
SIZES = [(1, 1), (1, 7), (2, 2), (3, 5)]


@pytest.mark.convolutions
@pytest.mark.parametrize(
    ("preset", "changes"),
    [
        ("resnetblur18", {}),
        ("resnetblur50", {"stem": "cifar"}),
        ("resnest50d_4s2x40d", {"width_per_group": 64}),
        ("res2net50d", {"stride_in_last_block": True, "repetitions": (2, 1)}),
    ],
)
def test_every_size_computes(preset: str, changes: dict[str, Any]) -> None:
    small: dict[str, Any] = {"repetitions": (1, 1), "filters": 8, "classes": 3}
    config = PRESETS[preset].replace(**small | changes)
    any_size = randomised(ResnetBuilder.from_config(config, (None, None, 3)))
    for size in SIZES:
        model = ResnetBuilder.from_config(config, (*size, 3))
        model.set_weights(any_size.get_weights())
        images = image_batch(2, *size, 3)
        expected = keras.ops.convert_to_numpy(any_size(images))
        assert np.isfinite(expected).all()
        np.testing.assert_allclose(model(images), expected, rtol=1e-5)


def test_a_side_of_one_pixel_is_blurred_as_its_repetition() -> None:
    """Padded with its reflection where there is one: the edge itself is not repeated."""
    draft = Draft(ResnetConfig(block="basic_block", repetitions=(1,), input_shape=(None, None, 1)))
    ANTI_ALIASING["blur"].add(draft, draft.add(Input, IMAGE), At(STEM), (1, 1))
    tensors: dict[str, Any] = {}
    apply_layers(draft.layers, tensors, Style("channels_last"))
    blur = keras.Model(tensors[IMAGE], tensors["stem_pool"])
    for row in ([5.0], [1.0, 4.0], [1.0, 4.0, 2.0]):
        padded = np.pad(row, 1, mode="reflect" if len(row) > 1 else "edge")
        expected = np.convolve(padded, [0.25, 0.5, 0.25], mode="valid")
        for shape in ((1, 1, -1, 1), (1, -1, 1, 1)):
            result = keras.ops.convert_to_numpy(blur(np.reshape(row, shape).astype("float32")))
            np.testing.assert_allclose(result.ravel(), expected, rtol=1e-6)
