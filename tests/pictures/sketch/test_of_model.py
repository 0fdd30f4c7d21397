"""Keras models as sketches: boxes, blocks, sections and folding."""

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import keras
import pytest

from resnet_builder import PRESETS, ResnetBuilder, profile
from resnet_builder.costs.models import read_model
from resnet_builder.pictures.sketch.of_model import boxes_of_model, sketch_model
from resnet_builder.pictures.sketch.panels import sketch_plan
from resnet_builder.pictures.sketch.sketch import ENTRY, Panel, Sketch
from resnet_builder.pictures.sketch.transforms import folded
from resnet_builder.plan.names import ELSEWHERE, Place
from resnet_builder.plan.network import make_plan
from resnet_builder.presets.resolve import resolve

from ...models import SMALL_NETWORK, two_branches

layers = keras.layers


def text_of(panel: Panel, box: int) -> str:
    return "entry" if box == ENTRY else " | ".join(cell.words for cell in panel.boxes[box])


def read(sketch: Sketch) -> list[Any]:
    """The content of a sketch; the edges of a panel are compared without their order."""
    return [sketch.input_shapes, sketch.parameters, sketch.macs] + [
        (
            section.name,
            section.output_shapes,
            section.parameters,
            section.macs,
            [
                (
                    panel.title,
                    panel.repeats,
                    Counter(
                        (text_of(panel, edge.source), text_of(panel, edge.target), edge.role)
                        for edge in panel.edges
                    ),
                )
                for panel in section.panels
            ],
        )
        for section in sketch.sections
    ]


# In other presets the boxes differ: a model has two layers for option A's shortcut, a stride and a
# padding; a deep stem without a last batch norm can be split into boxes in two ways.
@pytest.mark.parametrize(
    "name",
    [
        "keras_resnet34",
        "resnet18",
        "resnet50",
        "resnet50_v1",
        "resnetv2_18",
        "resnetv2_50",
        "resnet50d",
        "seresnext50_32x4d",
        "ecaresnetlight",
        "wrn16_4",
        "plain18",
        "resnetv2_110_cifar",
    ],
)
def test_a_plan_and_its_model_have_equal_sketches(name: str) -> None:
    config = resolve(name).config.replace(filters=16)
    model = ResnetBuilder.from_config(config)
    assert read(folded(sketch_model(model))) == read(folded(sketch_plan(make_plan(config), name)))


def test_a_plan_and_its_model_have_equal_sketches_with_options() -> None:
    options: dict[str, Any] = {"drop_path_rate": 0.1, "se_ratio": 0.25, "activation": "silu"}
    model = ResnetBuilder.from_preset("resnet18", (64, 48, 3), 7, **options)
    config = PRESETS["resnet18"].replace(input_shape=(64, 48, 3), classes=7, **options)
    sketch = folded(sketch_plan(make_plan(config), "resnet18"))
    assert read(folded(sketch_model(model))) == read(sketch)
    # Blocks that differ only in their rate of stochastic depth are equal.
    assert [panel.repeats for panel in sketch.sections[1].panels] == [1, 1]
    assert len(sketch.sections[3].panels) == 2


def blocks(model: keras.Model) -> list[tuple[str, int]]:
    sections = folded(sketch_model(model)).sections
    return [(p.title, p.repeats) for section in sections for p in section.panels if p.title]


def test_blocks_of_resnet50_of_keras_applications() -> None:
    model = keras.applications.ResNet50(weights=None)
    # 3, 4, 6 and 3 blocks, the first of each with a projection: He et al. 2015, Table 1.
    assert blocks(model)[1:] == [
        ("conv2_block2 – conv2_block3", 2),
        ("conv3_block1", 1),
        ("conv3_block2 – conv3_block4", 3),
        ("conv4_block1", 1),
        ("conv4_block2 – conv4_block6", 5),
        ("conv5_block1", 1),
        ("conv5_block2 – conv5_block3", 2),
    ]
    sketch = sketch_model(model)
    assert sum(section.parameters for section in sketch.sections) == profile(model).parameters
    assert sum(section.macs or 0 for section in sketch.sections) == profile(model).macs
    [first] = [
        u for section in sketch.sections for u in section.panels if u.title == "conv2_block1"
    ]
    assert [edge.role for edge in first.edges if edge.source == ENTRY] == ["", "projection"]


def test_blocks_of_mobilenet_v2() -> None:
    # Sandler et al. 2018 (arXiv:1801.04381), Table 2: 2, 3, 4, 3, 3 blocks of stages 2 to 6, the
    # first of each without a shortcut.
    model = keras.applications.MobileNetV2(weights=None)
    assert blocks(model) == [
        ("block_2", 1),
        ("block_4 – block_5", 2),
        ("block_7 – block_9", 3),
        ("block_11 – block_12", 2),
        ("block_14 – block_15", 2),
    ]


def test_densely_connected_blocks_are_folded() -> None:
    # Huang et al. 2016 (arXiv:1608.06993), Table 1: 6, 12, 24 and 16.
    model = keras.applications.DenseNet121(weights=None)
    assert [repeats for _, repeats in blocks(model)] == [6, 12, 24, 16]


def boxes(model: keras.Model) -> list[str]:
    found = boxes_of_model(read_model(model))
    return [" | ".join(cell.words for cell in box.cells) for box in found]


def test_batch_norm_before_or_after_a_convolution_is_in_its_box() -> None:
    image = keras.Input((8, 8, 3))
    after = before = image
    for filters in (4, 5):
        after = layers.Conv2D(filters, 3)(after)
        after = layers.ReLU()(layers.BatchNormalization()(after))
        before = layers.ReLU()(layers.BatchNormalization()(before))
        before = layers.Conv2D(filters, 3)(before)
    assert boxes(keras.Model(image, after))[1:] == [
        "3×3 conv, 4 | BN | ReLU",
        "3×3 conv, 5 | BN | ReLU",
    ]
    assert boxes(keras.Model(image, before))[1:] == [
        "BN | ReLU | 3×3 conv, 4",
        "BN | ReLU | 3×3 conv, 5",
    ]


def test_layers_that_do_nothing_are_not_drawn() -> None:
    image = keras.Input((8, 8, 3))
    x = layers.Conv2D(4, 3, strides=2)(layers.ZeroPadding2D()(image))
    x = layers.Identity()(layers.Activation("linear")(x))
    assert boxes(keras.Model(image, x)) == ["input 8×8×3", "3×3 conv, 4, stride 2"]


def test_squeeze_and_excitation_is_one_box() -> None:
    image = keras.Input((8, 8, 16))
    weights = layers.GlobalAveragePooling2D(keepdims=True)(image)
    weights = layers.Conv2D(4, 1, activation="relu")(weights)
    weights = layers.Conv2D(16, 1, activation="sigmoid")(weights)
    scaled = layers.Multiply()([image, weights])
    assert boxes(keras.Model(image, scaled)) == ["input 8×8×16", "squeeze-excite, 4"]
    # A product of two branches that do not begin with a pool is not an excitation.
    gate = layers.Conv2D(16, 1, activation="sigmoid")(image)
    assert boxes(keras.Model(image, layers.Multiply()([image, gate])))[1:] == [
        "1×1 conv, 16 | sigmoid",
        "×",
    ]


def gated(image: Any, **names: str) -> tuple[Any, Any]:
    """A squeeze-and-excitation: its gate and its output."""
    gate = layers.GlobalAveragePooling2D(keepdims=True)(image)
    gate = layers.Conv2D(4, 1, activation="relu")(gate)
    gate = layers.Conv2D(16, 1, activation="sigmoid", **names)(gate)
    return gate, layers.Multiply()([image, gate])


def test_an_excitation_whose_gate_is_an_output_is_drawn_in_full() -> None:
    image = keras.Input((8, 8, 16))
    gate, scaled = gated(image)
    assert boxes(keras.Model(image, [scaled, gate]))[1:] == [
        "global avg pool",
        "1×1 conv, 4 | ReLU",
        "1×1 conv, 16 | sigmoid | output",
        "× | output",
    ]


def test_no_box_is_in_two_blocks() -> None:
    image = keras.Input((8, 8, 16))
    _, scaled = gated(image, name="gate")
    read = read_model(keras.Model(image, scaled))
    block = Place("stage", 1, 1)
    places = [block if node.layer.name == "gate" else ELSEWHERE for node in read.graph]
    found = [
        [layer.name for layer in box.layers] for box in boxes_of_model(replace(read, places=places))
    ]
    assert len(found) == 5
    assert [names for names in found if "gate" in names] == [["gate"]]


def test_the_cost_of_a_section_is_that_of_its_layers() -> None:
    # Keras lists the layers of the branches alternately, and some of them are not drawn.
    image = keras.Input((8, 8, 16))
    _, scaled = gated(image)
    beside = layers.Conv2D(16, 1)(layers.Identity()(layers.Conv2D(16, 1)(image)))
    half = layers.Conv2D(4, 3, strides=2)(layers.ZeroPadding2D()(layers.Add()([scaled, beside])))
    whole, halved = sketch_model(keras.Model(image, half)).sections
    assert whole.parameters == (16 * 4 + 4) + (4 * 16 + 16) + 2 * (16 * 16 + 16)
    assert halved.parameters == 3 * 3 * 16 * 4 + 4
    assert whole.macs == 16 * 4 + 4 * 16 + 2 * 8 * 8 * 16 * 16
    assert halved.macs == 4 * 4 * (halved.parameters - 4)


def test_every_input_and_output_has_a_box() -> None:
    assert sorted(boxes(two_branches())) == [
        "ReLU | output",
        "concatenate | output",
        "dense, 3",
        "dense, 3",
        "dense, 8 | ReLU",
        "input 4",
        "input 8",
    ]


def test_an_output_of_a_layer_that_is_not_drawn_is_marked_at_its_source() -> None:
    # The feature maps of a pre-activated network are named by identities.
    options: dict[str, Any] = {"repetitions": (1, 1), "filters": 8}
    model = ResnetBuilder.from_preset("resnetv2_18", features=("stage1", "stage2"), **options)
    assert boxes(model).count("+ | output") == 2


def test_a_shortcut_that_pads_channels_is_a_resized_identity() -> None:
    model = ResnetBuilder.from_preset("resnet20_cifar")
    [block] = [panel for panel in sketch_model(model).sections[2].panels if panel.title == "block1"]
    beside = [
        text_of(block, edge.target) for edge in block.edges if edge.role == "resized identity"
    ]
    assert beside == ["1×1 max pool, stride 2", "zeros up to 16×16×32", "+ | ReLU"]


def test_a_projection_is_a_shortcut_past_branches_that_join() -> None:
    """As in a ResNeSt block, where the way from the last join is not longer than the projection."""
    image = keras.Input((8, 8, 3))
    x = layers.Conv2D(4, 1)(layers.Conv2D(3, 1)(image))
    x = layers.Add()([layers.Conv2D(4, 1)(x), layers.Conv2D(4, 1)(x)])
    x = layers.Conv2D(5, 1, name="last")(x)
    x = layers.Add()([layers.Conv2D(5, 1, name="beside")(image), x])
    [section] = sketch_model(keras.Model(image, x)).sections
    projections = [
        text_of(panel, edge.target)
        for panel in section.panels
        for edge in panel.edges
        if edge.role == "projection"
    ]
    assert projections == ["1×1 conv, 5", "+"]


def test_a_sum_of_equal_branches_has_no_shortcut() -> None:
    image = keras.Input((8, 8, 3))
    sides = [layers.Conv2D(4, 3)(image) for _ in range(2)]
    [section] = sketch_model(keras.Model(image, layers.Add()(sides))).sections
    assert {edge.role for panel in section.panels for edge in panel.edges} == {""}


def heads(*units: int, image_output: bool = False) -> keras.Model:
    """A network with a dense head for each number of units, and perhaps with its feature map."""
    network = ResnetBuilder.from_preset("resnet18", features=("stage2",), **SMALL_NETWORK)
    pooled = layers.GlobalAveragePooling2D()(network.output["stage2"])
    outputs = {f"head{n}": layers.Dense(count)(pooled) for n, count in enumerate(units)}
    maps = {"map": layers.Conv2D(3, 1)(network.output["stage2"])} if image_output else {}
    return keras.Model(network.input, outputs | maps)


@pytest.mark.parametrize(
    ("model", "sizes"),
    [
        (partial(heads, 1), ["1 value"]),
        (partial(heads, 5, 1), ["1 value, 5 values"]),
        (partial(heads, 1, 1), ["1 value, 1 value"]),
        (partial(heads, 1, 2, 3, 4), ["4 outputs"]),
        # The network's stage 2 halves 16x16, the size after the stem.
        (partial(heads, 2, 1, image_output=True), ["1 value, 2 values", "8×8×3"]),
    ],
)
def test_a_head_of_several_outputs_has_all_their_sizes(
    model: Callable[[], keras.Model], sizes: list[str]
) -> None:
    sections = sketch_model(model()).sections[3:]
    assert [", ".join(sorted(section.size.split(", "))) for section in sections] == sizes
