"""Counts of presets against published numbers and built models; counts of any Keras model."""

import json
from contextlib import suppress
from dataclasses import fields
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from resnet_builder import PRESETS, ResnetBuilder, ResnetConfig, profile
from resnet_builder.costs.models import read_model
from resnet_builder.costs.profile import listed_costs, total_cost
from resnet_builder.plan.network import make_plan
from resnet_builder.presets.resolve import resolve

from ..helpers import KINDS, cases, trainable_parameters
from .reference_numbers import REFERENCE, REFERENCE_MEGA_MACS, REFERENCE_WITHOUT_TOP, Row


@pytest.mark.parametrize("row", REFERENCE, ids=lambda row: "-".join([row[0], *map(str, row[1])]))
def test_counts_are_the_published_ones(row: Row) -> None:
    name, changes, trainable, total, macs, _ = row
    counts = profile(resolve(name).config.replace(**changes))
    assert counts.parameters == trainable
    assert total in (None, counts.total_parameters)
    assert macs in (None, counts.macs)


@pytest.mark.parametrize("name", REFERENCE_MEGA_MACS)
def test_multiply_adds_are_the_published_ones_in_millions(name: str) -> None:
    macs = profile(name).macs
    assert macs is not None
    assert f"{macs / 1e6:.2f}" == REFERENCE_MEGA_MACS[name]


@pytest.mark.parametrize("name", REFERENCE_WITHOUT_TOP)
def test_parameters_without_the_classifier_are_the_published_ones(name: str) -> None:
    *stages, head = profile(name).stages
    assert sum(stage.parameters for stage in stages) == REFERENCE_WITHOUT_TOP[name]
    assert head.name == "head"


@pytest.mark.parametrize("name", cases())
def test_every_block_is_counted(name: str) -> None:
    plan = make_plan(PRESETS[name])
    layers = list(plan.layers)
    counts = profile(name)
    assert counts.parameters == sum(layer.parameters for layer in layers)
    assert counts.total_parameters - counts.parameters == sum(lr.counts[1] for lr in layers)
    assert counts.macs == sum(layer.macs or 0 for layer in layers)
    assert [row.repeats for row in counts.stages[1:-1]] == [len(s.blocks) for s in plan.stages]


def test_the_listed_costs_are_those_of_the_plans() -> None:
    """`python -m tools.counts` writes them."""
    assert listed_costs().keys() == PRESETS.keys()
    for name, cost in listed_costs().items():
        counts = profile(name)
        assert cost == (counts.parameters, counts.macs, counts.total_parameters, ())


def assert_counts_are_the_models(source: ResnetConfig) -> None:
    counts = profile(source)
    model = ResnetBuilder.from_config(source)
    assert counts.total_parameters == model.count_params()
    assert counts.parameters == trainable_parameters(model)
    of_model = profile(model)
    assert of_model.macs == counts.macs
    assert of_model.stages == counts.stages


# Fields that may have a value for each stage.
OF_STAGES = ("repetitions", "block", "filters", "widths", "group_width")


def narrow(config: ResnetConfig) -> ResnetConfig:
    """Its first two stages, with the fewest filters that its groups allow."""
    values = {name: getattr(config, name) for name in OF_STAGES}
    cut: dict[str, Any] = {name: of[:2] for name, of in values.items() if isinstance(of, tuple)}
    config = config.replace(**cut)
    if isinstance(config.filters, int):
        for filters in (16, 32):
            with suppress(ValueError):
                found = config.replace(filters=min(filters, config.filters))
                make_plan(found)
                return found
    return config


# Fields that no count depends on, and those of which it depends by a product.
ALIKE = {
    *("input_shape", "classes", "filters", "stem_filters", "groups", "width_per_group"),
    *("kernel_initializer", "classifier_initializer", "weight_decay", "batch_norm_momentum"),
}
# For each kind of network, a narrow one, and the first preset of that kind.
NARROW: dict[tuple[Any, ...], tuple[ResnetConfig, str]] = {}
for _config, _name in KINDS.items():
    _narrow = narrow(_config).replace(input_shape=(64, 96, 3))
    _values = [getattr(_narrow, of.name) for of in fields(_narrow) if of.name not in ALIKE]
    NARROW.setdefault((*_values, _narrow.groups > 1), (_narrow, _name))


@pytest.mark.parametrize(
    "config", [pytest.param(config, id=name) for config, name in NARROW.values()]
)
def test_the_counts_of_a_plan_are_those_of_its_model(config: ResnetConfig) -> None:
    assert_counts_are_the_models(config)


@pytest.mark.slow
@pytest.mark.parametrize("name", [n for n in PRESETS if profile(n).parameters < 100_000_000])
def test_the_counts_of_a_whole_plan_are_those_of_its_model(name: str) -> None:
    assert_counts_are_the_models(PRESETS[name])


@pytest.mark.parametrize("direct", [True, False])
def test_input_shape_and_classes_change_the_counts(direct: bool) -> None:
    counts = profile("keras_resnet18", (32, 32, 3), 10)
    if not direct:
        model = ResnetBuilder.from_preset("keras_resnet18", (None, None, 3), 10)
        assert profile(model).macs is None
        counts = profile(model, (32, 32, 3))
        assert str(counts) == str(profile("keras_resnet18", (32, 32, 3), 10))
        assert model.input_shape == (None, None, None, 3)  # the model itself is unchanged
    # original_presets.json
    assert (counts.parameters, counts.total_parameters) == (11_184_650, 11_192_458)
    assert counts.stages[-2].output_size == (1, 1)
    # Computed by hand for the original code's network: 37.0 M.
    assert counts.macs is not None
    assert f"{counts.macs / 1e6:.1f}" == "37.0"


# Total parameters: summaries of keras.applications. Trained parameters of MobileNetV2,
# EfficientNetB0 and ConvNeXt-T, and their multiply-adds in G: torchvision's weights metadata
# (num_params, _ops). The other numbers of the ResNets: arithmetic.
APPLICATIONS = {
    "ResNet50": (25_583_592, 25_636_712, "3.858"),
    "ResNet50V2": (25_568_360, 25_613_800, "3.482"),
    "MobileNetV2": (3_504_872, 3_538_984, "0.301"),
    "EfficientNetB0": (5_288_548, 5_330_571, "0.386"),
    "ConvNeXtTiny": (28_589_128, 28_589_128, "4.456"),
}


@pytest.mark.parametrize("name", APPLICATIONS)
def test_counts_of_keras_applications(name: str) -> None:
    model = getattr(keras.applications, name)(weights=None)
    counts = profile(model)
    assert counts.macs is not None
    found = (counts.parameters, counts.total_parameters, f"{counts.macs / 1e9:.3f}")
    assert found == APPLICATIONS[name]
    assert not counts.uncounted
    cost = total_cost(read_model(model).costs)
    assert (cost.parameters, cost.total_parameters) == APPLICATIONS[name][:2]


LAYERS: dict[str, tuple[tuple[int | None, ...], Any, int]] = {
    # kernel elements x positions of the output
    "conv1d": ((10, 3), keras.layers.Conv1D(4, 3, padding="same"), 3 * 3 * 4 * 10),
    "conv2d": ((8, 6, 3), keras.layers.Conv2D(5, 3, strides=2, padding="same"), 27 * 5 * 4 * 3),
    "conv3d": ((4, 4, 4, 2), keras.layers.Conv3D(3, 2), 8 * 2 * 3 * 27),
    "grouped": ((8, 6, 4), keras.layers.Conv2D(6, 3, groups=2), 9 * 2 * 6 * 6 * 4),
    "first": ((3, 8, 6), keras.layers.Conv2D(5, 1, data_format="channels_first"), 3 * 5 * 8 * 6),
    "depthwise": ((8, 6, 3), keras.layers.DepthwiseConv2D(3, depth_multiplier=2), 9 * 3 * 2 * 24),
    "depthwise1d": ((9, 3), keras.layers.DepthwiseConv1D(3), 3 * 3 * 7),
    # depthwise 3x3, then 1x1
    "separable": ((8, 6, 3), keras.layers.SeparableConv2D(5, 3), (9 * 3 + 3 * 5) * 6 * 4),
    # kernel elements x positions of the input
    "transposed": ((8, 6, 3), keras.layers.Conv2DTranspose(5, 3, strides=2), 9 * 3 * 5 * 8 * 6),
    "dense": ((7,), keras.layers.Dense(4), 28),
    "dense on a sequence": ((10, 7), keras.layers.Dense(4), 280),
    "einsum": ((10, 8), keras.layers.EinsumDense("abc,cde->abde", (None, 2, 3)), 10 * 8 * 2 * 3),
    "einsum ...": ((5, 10, 8), keras.layers.EinsumDense("...x,xy->...y", 3), 5 * 10 * 8 * 3),
    # An index after "..." that the kernel lacks: 10 x 8 x 3 for each of 5.
    "einsum x": ((5, 10, 8), keras.layers.EinsumDense("...xy,yz->...xz", (10, 3)), 5 * 10 * 8 * 3),
    "time": ((5, 8, 6, 3), keras.layers.TimeDistributed(keras.layers.Conv2D(2, 1)), 5 * 48 * 6),
    # Kernel elements x positions of each of 5 inputs.
    "time transposed": (
        (5, 8, 6, 3),
        keras.layers.TimeDistributed(keras.layers.Conv2DTranspose(2, 3, strides=2)),
        5 * 9 * 3 * 2 * 48,
    ),
    "steps of a number that is unknown": (
        (None, 8, 6, 3),
        keras.layers.TimeDistributed(keras.layers.GlobalAveragePooling2D()),
        0,
    ),
    "nested": (
        (8, 6, 3),
        keras.Sequential([keras.Input((None, None, 3)), keras.layers.Conv2D(2, 1)]),
        8 * 6 * 6,
    ),
    "batch norm": ((8, 6, 3), keras.layers.BatchNormalization(), 0),
    "prelu": ((8, 6, 3), keras.layers.PReLU(), 0),
}


@pytest.mark.parametrize("name", LAYERS)
def test_multiply_adds_of_a_layer(name: str) -> None:
    shape, layer, macs = LAYERS[name]
    image = keras.Input(shape)
    counts = profile(keras.Model(image, layer(image)))
    assert counts.macs == macs
    assert not counts.uncounted


def test_multiply_adds_of_attention() -> None:
    query, value = keras.Input((5, 12)), keras.Input((7, 10))
    layer = keras.layers.MultiHeadAttention(num_heads=3, key_dim=4, value_dim=6)
    counts = profile(keras.Model([query, value], layer(query, value)))
    # Projections of query, key, value and output; query x key, and weights x value.
    projections = 5 * 12 * 3 * 4 + 7 * 10 * 3 * 4 + 7 * 10 * 3 * 6 + 5 * 3 * 6 * 12
    assert counts.macs == projections + 3 * 5 * 7 * (4 + 6)


def test_multiply_adds_of_attention_whose_arguments_are_given_by_name() -> None:
    """Keras sorts them by name, and the mask and the key come first."""
    query, value, key = keras.Input((5, 12)), keras.Input((7, 10)), keras.Input((7, 11))
    mask = keras.Input((5, 7))
    layer = keras.layers.MultiHeadAttention(num_heads=3, key_dim=4)
    output = layer(query=query, value=value, key=key, attention_mask=mask)
    counts = profile(keras.Model([query, value, key, mask], output))
    projections = 5 * 12 * 12 + 7 * 11 * 12 + 7 * 10 * 12 + 5 * 12 * 12
    assert counts.macs == projections + 3 * 5 * 7 * (4 + 4)


def test_multiply_adds_of_attention_with_a_mask_and_of_attention_along_an_axis() -> None:
    query, value, mask = keras.Input((5, 12)), keras.Input((7, 10)), keras.Input((5, 7))
    layer = keras.layers.MultiHeadAttention(3, 4, value_dim=6, output_shape=(3, 4))
    outputs = layer(query, value, attention_mask=mask, return_attention_scores=True)
    projections = 5 * 12 * 3 * 4 + 7 * 10 * 3 * 4 + 7 * 10 * 3 * 6 + 5 * 3 * 6 * (3 * 4)
    counts = profile(keras.Model([query, value, mask], outputs))
    assert counts.macs == projections + 3 * 5 * 7 * (4 + 6)
    image = keras.Input((6, 5, 8))
    rows = keras.layers.MultiHeadAttention(2, 4, attention_axes=(2,))
    counts = profile(keras.Model(image, rows(image, image)))
    assert counts.macs == 4 * 30 * 8 * 8 + 6 * 2 * 5 * 5 * (4 + 4)


def test_multiply_adds_of_grouped_attention() -> None:
    query, value = keras.Input((5, 12)), keras.Input((7, 12))
    layer = keras.layers.GroupQueryAttention(head_dim=4, num_query_heads=6, num_key_value_heads=3)
    counts = profile(keras.Model([query, value], layer(query, value)))
    projections = 5 * 12 * 6 * 4 + 2 * 7 * 12 * 3 * 4 + 5 * 6 * 4 * 12
    assert counts.macs == projections + 6 * 5 * 7 * (4 + 4)


def test_layers_that_are_not_counted_are_listed() -> None:
    image = keras.Input((5, 3))
    counts = profile(keras.Model(image, keras.layers.LSTM(4, name="memory")(image)))
    assert counts.uncounted == ("memory",)
    assert "not counted: memory" in str(counts)


def test_layers_of_nested_models_that_are_not_counted_are_listed() -> None:
    steps = keras.Input((5, 3))
    inner = keras.Model(steps, keras.layers.LSTM(4, name="memory")(steps))

    class Subclassed(keras.Model):
        def call(self, x: Any) -> Any:
            return x

    outer = keras.Input((5, 3))
    x = keras.ops.matmul(outer, keras.ops.transpose(outer, (0, 2, 1)))
    joined = keras.layers.Concatenate()([inner(outer), keras.layers.Flatten()(x)])
    model = keras.Model(outer, Subclassed(name="hidden")(joined))
    assert set(profile(model).uncounted) == {"memory", "matmul", "hidden"}


def test_operations_and_wrappers_that_multiply_are_counted_or_listed() -> None:
    image = keras.Input((8, 8, 3))
    x = keras.ops.conv(image, np.ones((3, 3, 3, 4), "float32"))
    x = keras.ops.conv_transpose(x, np.ones((3, 3, 4, 4), "float32"), 1)
    x = keras.layers.SpectralNormalization(keras.layers.Conv2D(2, 3), name="spectral")(x)
    x = keras.layers.Reshape((-1, 2))(x)
    x = keras.layers.Bidirectional(keras.layers.GRU(3), name="both_ways")(x)
    x = keras.layers.Dense(2)(x)
    counts = profile(keras.Model(image, x))
    assert counts.uncounted == ("conv", "conv_transpose", "spectral", "both_ways")
    assert counts.macs == 12


def test_a_nested_model_that_cannot_be_cloned_is_counted_at_its_own_size() -> None:
    inner_image = keras.Input((16, 16, 3))
    custom = keras.layers.Lambda(lambda x: x * 2)(inner_image)
    inner = keras.Model(inner_image, keras.layers.Conv2D(2, 1)(custom))
    image = keras.Input((16, 16, 3))
    assert profile(keras.Model(image, inner(image))).macs == 16 * 16 * 6


def test_frozen_weights_are_not_parameters() -> None:
    model = ResnetBuilder.from_preset("resnet20_cifar")
    model.trainable = False
    counts = profile(model)
    assert (counts.parameters, counts.total_parameters) == (0, 271_098)
    assert "271,098 parameters in all; 271,098 are not trained" in str(counts)


def test_a_channels_first_model_has_the_same_rows() -> None:
    counts = profile(
        ResnetBuilder.from_preset("resnet20_cifar", (3, 32, 32), data_format="channels_first")
    )
    last = profile(ResnetBuilder.from_preset("resnet20_cifar"))
    assert counts.stages == last.stages
    assert [row.output_size for row in counts.stages[:-1]] == [(32, 32), (32, 32), (16, 16), (8, 8)]


def test_a_layer_used_at_two_sizes_is_in_the_row_of_the_first() -> None:
    layer = keras.layers.Conv2D(4, 3, padding="same")
    image = keras.Input((16, 16, 4))
    small = layer(keras.layers.MaxPooling2D()(layer(image)))
    counts = profile(keras.Model(image, small))
    assert [row.parameters for row in counts.stages] == [148, 0]
    assert counts.macs == 144 * (256 + 64)


def test_a_shared_layer_counts_its_weights_once_and_its_multiply_adds_twice() -> None:
    shared = keras.layers.Dense(4)
    left, right = keras.Input((3,)), keras.Input((3,))
    both = keras.layers.Add()([shared(left), shared(right)])
    counts = profile(keras.Model([left, right], both))
    assert (counts.parameters, counts.macs) == (16, 24)


def test_a_network_of_custom_blocks_is_counted_from_its_model() -> None:
    def block(filters: int, **_: Any) -> Any:
        return keras.layers.Conv2D(filters, 1, use_bias=False)

    config = ResnetConfig(block=block, repetitions=(1, 1), filters=8, input_shape=(32, 32, 3))
    counts = profile(config, classes=5)
    assert counts.parameters == (7 * 7 * 3 * 8 + 16) + 8 * 8 + 8 * 16 + 17 * 5
    rows = [(row.block, row.repeats) for row in counts.stages[1:3]]
    assert rows == [(("1 Conv2D",), 1)] * 2


def test_the_table_is_table_1_of_the_paper() -> None:
    counts = profile("resnet50")
    assert max(map(len, str(counts).splitlines())) <= 100
    assert "⎢3x3, 256 ⎥ x 6" in str(counts)
    markdown = counts.to_markdown()
    assert "| [1x1, 256<br>3x3, 256<br>1x1, 1024] x 6 " in markdown
    latex = counts.to_latex()
    assert r"\text{3x3, 256}" in latex
    assert r"\right] \times 6$" in latex
    assert "[1x1, 256<br>3x3, 256<br>1x1, 1024] x 6" in counts._repr_html_()


@pytest.mark.parametrize("name", cases())
def test_every_table_fits_a_terminal_of_100_columns(name: str) -> None:
    lines = str(profile(name)).splitlines()
    assert max(map(len, lines)) <= 100
    # The last line tells the weights that are not trained, if there are any.
    assert "total" in [line.split()[0] for line in lines[-2:]]


def test_invalid_arguments_are_rejected() -> None:
    with pytest.raises(ValueError, match=r"write input_shape=\(224, 224, 3\)"):
        profile("resnet18", (3, 224, 224))
    both = [keras.Input((3,)), keras.Input((3,))]
    model = keras.Model(both, keras.layers.Add()(both))
    with pytest.raises(ValueError, match="has 2 inputs"):
        profile(model, (4,))
    with pytest.raises(TypeError, match="got 50"):
        profile(50)
    with pytest.raises(TypeError, match="a model has its own"):
        profile(ResnetBuilder.from_preset("resnet18"), classes=10)
    with pytest.raises(ValueError, match="did you mean 'resnet50'"):
        profile("resnet5O")


def test_parameters_of_every_network_of_timm() -> None:
    # sum(p.numel() for p in timm.create_model(name).parameters()), timm 1.0.31.
    path = Path(__file__).parents[1] / "data" / "timm_parameters.json"
    published = json.loads(path.read_text(encoding="utf-8"))
    assert {name: profile(name).parameters for name in published} == published


def test_only_the_last_block_of_a_stage_of_resnet50_v2_strides() -> None:
    # keras.applications, ResNet50V2: stack_resnet_v2 gives stride1 to the last block alone.
    stage = profile("resnet50_v2").stages[1]
    assert (stage.output_size, stage.block) == ((28, 28), ("1x1, 64", "3x3, 64", "1x1, 256"))


def test_filters_that_differ_between_the_blocks_of_a_pruned_stage_are_a_range() -> None:
    # timm's ecaresnet50d_pruned has (47, 18, 19), (52, 22, 19) and (64, 35, 19) in its first stage.
    assert profile("ecaresnet50d_pruned").stages[1].block == (
        "1x1, 47-64",
        "3x3, 18-35",
        "1x1, 19",
        "ECA, 5",
    )
