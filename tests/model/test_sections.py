"""Sections of models that contain networks of this package."""

from typing import Any

import keras
import pytest

from resnet_builder import ResnetBuilder, plot, profile
from resnet_builder.pictures.sketch.of_model import sketch_model

from ..helpers import trainable_parameters
from ..models import BUILT_UPON, SMALL_NETWORK

layers = keras.layers

NETWORK = ["stem", "stage1", "stage2"]
SECTIONS = {
    "unet": [*NETWORK, "16x16", "32x32", "64x64"],
    "feature_pyramid": [*NETWORK, "8x8", "16x16"],
    "two_towers": [f"{side}_{part}" for side in ("left", "right") for part in (*NETWORK, "head")]
    + ["head"],
    "siamese": ["vectors"],
    "with_separable_blocks": [*NETWORK, "stage3", "head"],
}


@pytest.mark.parametrize("name", BUILT_UPON)
def test_the_sections_add_up_to_the_model(name: str) -> None:
    model = BUILT_UPON[name]()
    counts = profile(model)
    assert [row.name for row in counts.stages] == SECTIONS[name]
    assert sum(row.total_parameters for row in counts.stages) == model.count_params()
    assert sum(row.parameters for row in counts.stages) == trainable_parameters(model)
    assert sum(row.macs or 0 for row in counts.stages) == counts.macs


@pytest.mark.parametrize("name", BUILT_UPON)
def test_a_picture_has_the_sections_of_the_profile(name: str) -> None:
    model = BUILT_UPON[name]()
    drawn = [
        (section.title, section.parameters, section.macs)
        for section in sketch_model(model).sections
        if section.macs
    ]
    rows = [row for row in profile(model).stages if row.macs]
    assert [costs for _, *costs in drawn] == [[row.parameters, row.macs] for row in rows]
    for (title, *_), row in zip(drawn, rows, strict=True):
        assert title.startswith(row.name.replace("x", "×")) or row.name == "vectors"
    for detail in ("stage", "block"):
        text = plot(model, detail=detail).dot
        assert all(title in text for title, *_ in drawn)


def test_the_parameters_of_a_decoder() -> None:
    rows = {row.name: row for row in profile(BUILT_UPON["unet"]()).stages}
    # Two 3x3 convolutions to 8 channels, of the 16 + 8 and the 8 + 8 that are joined, each with a
    # batch norm of 2 trained and 2 other weights for a channel; a 1x1 convolution to 3 classes.
    assert rows["16x16"].parameters == 9 * 24 * 8 + 9 * 8 * 8 + 2 * 2 * 8
    assert rows["16x16"].total_parameters == rows["16x16"].parameters + 2 * 2 * 8
    assert rows["32x32"].parameters == 9 * 16 * 8 + 9 * 8 * 8 + 2 * 2 * 8
    assert rows["64x64"].parameters == 8 * 3 + 3
    assert rows["16x16"].macs == 16 * 16 * (9 * 24 * 8 + 9 * 8 * 8)


def test_the_stages_of_a_network_are_the_same_with_a_decoder_upon_it() -> None:
    alone = profile(ResnetBuilder.from_preset("resnet18", include_top=False, **SMALL_NETWORK))
    for name in ("unet", "feature_pyramid"):
        assert profile(BUILT_UPON[name]()).stages[:3] == alone.stages[:3]


def test_layers_beside_a_network() -> None:
    network = ResnetBuilder.from_preset("resnet18", include_top=False, **SMALL_NETWORK)
    facts = keras.Input((7,), name="facts")
    joined = [layers.GlobalAveragePooling2D()(network.output), layers.Dense(4)(facts)]
    output = layers.Dense(2)(layers.Concatenate()(joined))
    counts = profile(keras.Model([network.input, facts], output))
    assert [row.name for row in counts.stages] == [*NETWORK, "vectors", "head"]
    # 7 to 4; 16 + 4 to 2.
    assert [row.parameters for row in counts.stages[-2:]] == [7 * 4 + 4, 20 * 2 + 2]


def test_a_section_is_complete_before_the_next_one() -> None:
    network = ResnetBuilder.from_preset(
        "resnet18", include_top=False, pooling="avg", **SMALL_NETWORK
    )
    facts = keras.Input((7,), name="facts")
    joined = layers.Concatenate()([network.output, layers.Dense(4)(facts)])
    model = keras.Model([network.input, facts], layers.Dense(2)(joined))
    # The head, which begins with the network's pool, waits for what is beside the network.
    titles = [section.title for section in sketch_model(model).sections]
    assert titles == [*NETWORK, "4 values", "head"]


def test_a_decoder_for_images_of_any_size_has_a_section_for_every_level() -> None:
    network = ResnetBuilder.from_preset(
        "resnet18", **SMALL_NETWORK | {"input_shape": (None, None, 3)}, include_top=False
    )
    x = network.output
    for filters in (4, 2):
        x = layers.Conv2D(filters, 3, padding="same")(layers.UpSampling2D()(x))
    x = layers.Conv2DTranspose(2, 2, strides=4)(x)
    rows = profile(keras.Model(network.input, x)).stages[3:]
    levels = [
        ("?x? at 1/4", 9 * 16 * 4 + 4),
        ("?x? at 1/2", 9 * 4 * 2 + 2),
        ("?x? at 2", 4 * 4 + 2),
    ]
    assert [(row.name, row.parameters) for row in rows] == levels


def gated_decoder() -> keras.Model:
    """A decoder with a squeeze-and-excitation, which computes vectors on its way."""
    network = ResnetBuilder.from_preset("resnet18", include_top=False, **SMALL_NETWORK)
    x = layers.UpSampling2D()(network.output)
    gate: Any = layers.GlobalAveragePooling2D(keepdims=True)(x)
    gate = layers.Conv2D(16, 1, activation="sigmoid")(layers.Conv2D(4, 1)(gate))
    return keras.Model(network.input, layers.Conv2D(2, 1)(layers.Multiply()([x, gate])))


def test_a_gate_is_in_the_section_of_what_it_scales() -> None:
    assert [row.name for row in profile(gated_decoder()).stages] == [*NETWORK, "16x16"]


def test_layers_between_two_networks_are_of_neither() -> None:
    image = x = keras.Input((8, 8, 3))
    for prefix, after in (("a_", "between"), ("b_", "own")):
        x = layers.Conv2D(4, 3, padding="same", use_bias=False, name=f"{prefix}stem_conv")(x)
        y = layers.Conv2D(4, 1, use_bias=False, name=f"{prefix}stage1_block1_conv1")(x)
        x = layers.Add(name=f"{prefix}stage1_block1_out")([x, y])
        x = layers.Conv2D(2, 1, use_bias=False, name=after)(x)
    rows = [(row.name, row.parameters) for row in profile(keras.Model(image, x)).stages]
    first = [("a_stem", 9 * 3 * 4), ("a_stage1", 4 * 4), ("8x8", 4 * 2)]
    assert rows == [*first, ("b_stem", 9 * 2 * 4), ("b_stage1", 4 * 4), ("8x8", 4 * 2)]
