"""feature_info: what it reads in a plan or a model is what the feature maps are."""

import json
from dataclasses import replace
from typing import Any

import keras
import pytest

from resnet_builder import PRESETS, FeatureLevel, ResnetBuilder, ResnetConfig, feature_info

SMALL: dict[str, Any] = {"repetitions": (1, 2, 1), "filters": 8, "input_shape": (64, 32, 3)}

# Preset, changes, output stride: every way to divide the size.
NETWORKS: dict[str, tuple[dict[str, Any], int | None]] = {
    "resnet18": ({}, None),
    "resnet50d": ({"se_ratio": 0.25}, None),
    "resnetv2_50": ({}, 8),
    "resnetrs50": ({}, None),
    "resnetblur50": ({}, None),
    "legacy_seresnet18": ({}, None),
    "resnet50_v2": ({}, None),
    "resnest14d": ({}, 4),
    "resnet20_cifar": ({}, None),
    "keras_resnet34": ({}, 4),
}


@pytest.mark.parametrize("preset", NETWORKS)
def test_levels_are_the_layers_strides_and_channels_of_the_maps(preset: str) -> None:
    changes, output_stride = NETWORKS[preset]
    config = PRESETS[preset].replace(**SMALL, **changes)
    levels = feature_info(config, output_stride=output_stride)
    assert list(levels) == ["stem", "stage1", "stage2", "stage3"]
    model = ResnetBuilder.from_config(config, features=tuple(levels), output_stride=output_stride)
    assert feature_info(model) == levels
    for name, level in levels.items():
        assert model.output[name] is model.get_layer(level.layer).output
        size = (64 // level.stride, 32 // level.stride)
        assert model.output[name].shape == (None, *size, level.channels)


# A preset of every kind of stem and block.
KINDS = [
    *(
        "resnet18",
        "resnet50d",
        "resnet50t",
        "resnetv2_50",
        "resnetv2_50x1_bit",
        "resnetv2_50d_evos",
    ),
    *("resnetrs50", "legacy_seresnet50", "resnetblur50", "resnetaa50d", "resnet50_v2"),
    *("res2net50d", "skresnet18", "resnest14d", "resnet20_cifar", "keras_resnet18"),
]


@pytest.mark.parametrize("name", KINDS)
def test_the_order_of_the_axes_changes_nothing(name: str) -> None:
    """Of the model as built, nor of one whose origin is unknown."""
    small: dict[str, Any] = {"repetitions": (1, 1), "filters": 16}
    if PRESETS[name].norm != "batch":
        small["norm_groups"] = 4
    config = PRESETS[name].replace(**small)
    levels = feature_info(config)
    model = ResnetBuilder.from_config(
        config,
        (3, 64, 48),
        data_format="channels_first",
        features=tuple(levels),
        layer_prefix="a_",
    )
    expected = {part: replace(level, layer=f"a_{level.layer}") for part, level in levels.items()}
    assert feature_info(model) == feature_info(keras.models.clone_model(model)) == expected


def test_a_model_has_the_levels_that_it_was_built_with() -> None:
    model = ResnetBuilder.from_preset("resnet18", features=("stage1",), layer_prefix="a_", **SMALL)
    assert feature_info(model) == {
        "stem": FeatureLevel("a_stem_act", 2, 8),
        "stage1": FeatureLevel("a_stage1_block1_out", 4, 8),
    }


def test_the_levels_of_two_networks_in_one_model_have_their_prefixes() -> None:
    """In any order of axes: the maps inside are channels_last."""
    options = {**SMALL, "features": ("stage1",), "input_shape": (3, None, None)}
    left, right = (
        ResnetBuilder.from_preset(
            "resnet18", layer_prefix=prefix, data_format="channels_first", **options
        )
        for prefix in ("left_", "right_")
    )
    both = keras.Model([left.input, right.input], [left.output, right.output])
    assert feature_info(both) == {
        f"{side}_{part}": FeatureLevel(f"{side}_{layer}", stride, 8)
        for side in ("left", "right")
        for part, layer, stride in (("stem", "stem_act", 2), ("stage1", "stage1_block1_out", 4))
    }


def test_strides_are_those_from_the_models_input() -> None:
    image = x = keras.Input((64, 64, 3))
    for layer in (
        keras.layers.AveragePooling2D(2, name="smaller"),
        keras.layers.Conv2D(4, 3, 2, padding="same", name="stem_conv"),
        keras.layers.MaxPooling2D(2, name="stem_pool"),
        keras.layers.Activation("relu", name="stage1_block1_out"),
        keras.layers.MaxPooling2D(2, name="own"),
    ):
        x = layer(x)
    assert feature_info(keras.Model(image, x)) == {
        "stem": FeatureLevel("stem_conv", 4, 4),
        "stage1": FeatureLevel("stage1_block1_out", 8, 4),
    }


@pytest.mark.parametrize(
    ("kind", "arguments", "expected"),
    [
        (keras.layers.AveragePooling2D, (2,), [8, 16]),
        (keras.layers.Resizing, (48, 48), [2, 4]),
        (keras.layers.UpSampling2D, (2,), [2, 4]),
        (keras.layers.Conv2DTranspose, (3, 3, 2), [2, 4]),
    ],
)
def test_strides_begin_where_images_are_resized(
    kind: Any, arguments: Any, expected: list[int]
) -> None:
    class Own(keras.layers.Layer):
        strides = 1

        def call(self, x: Any) -> Any:
            return x

    base = ResnetBuilder.from_preset("resnet18", **SMALL | {"input_shape": (None, None, 3)})
    before = [keras.Input((64, 64, 3)), keras.layers.AveragePooling2D(2), Own()]
    levels = feature_info(keras.Sequential([*before, kind(*arguments), base]))
    assert [levels[name].stride for name in ("stem", "stage1")] == expected


def test_blocks_of_ones_own_are_built_to_be_read() -> None:
    def block(filters: int, init_strides: Any, **_: Any) -> Any:
        return keras.layers.Conv2D(3 * filters, 3, init_strides, padding="same")

    config = ResnetConfig(block=block, repetitions=(1, 1), filters=8, input_shape=(32, 32, 3))
    levels = {name: (level.stride, level.channels) for name, level in feature_info(config).items()}
    assert levels == {"stem": (2, 8), "stage1": (4, 24), "stage2": (8, 48)}


def test_refused() -> None:
    with pytest.raises(ValueError, match="output_stride must be one of 4, 8, 16, 32"):
        feature_info("resnet18", output_stride=3)
    model = ResnetBuilder.from_preset("resnet18", features=("stage1",), **SMALL)
    with pytest.raises(TypeError, match="a model has its own"):
        feature_info(model, output_stride=8)
    with pytest.raises(TypeError, match="a ResnetConfig or a Keras model, got 7"):
        feature_info(7)
    with pytest.raises(ValueError, match="such as stem_conv or stage1_block1_out"):
        feature_info(keras.Sequential([keras.Input((4,)), keras.layers.Dense(2)]))


def test_the_levels_are_a_dict_and_a_table() -> None:
    levels = feature_info("resnet18")
    assert levels == dict(levels)
    assert json.loads(json.dumps(list(levels))) == list(levels)
    assert str(levels).splitlines()[-1].split() == ["stage4", "stage4_block2_out", "32", "512"]
    assert '<th scope="row" style="text-align: left">stem</th>' in levels._repr_html_()
    assert repr(levels).startswith("{'stem': FeatureLevel(layer='stem_act', stride=2")
