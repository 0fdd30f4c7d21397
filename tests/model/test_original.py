"""With no options, the network is the article's: its counts, its weights, its conventions."""

import json
import re
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from resnet_builder import ResnetBuilder, basic_block, bottleneck, profile
from resnet_builder.model.graph import model_graph

from ..helpers import image_batch, trainable_parameters

DATA = Path(__file__).parents[1] / "data" / "original"
PRESET_COUNTS = json.loads((DATA / "original_presets.json").read_text(encoding="utf-8"))


def arguments(call: str) -> tuple[str, tuple[int, ...], int]:
    """The depth, the shape with the channels first, and the classes of `build_resnet_18(...)`."""
    depth, *shape, classes = re.findall(r"\d+", call)
    return depth, tuple(map(int, shape)), int(classes)


@pytest.mark.parametrize("call", PRESET_COUNTS)
def test_parameter_counts(call: str) -> None:
    depth, (channels, *size), classes = arguments(call)
    counts = profile(f"keras_resnet{depth}", (*size, channels), classes)
    assert counts.total_parameters == PRESET_COUNTS[call]["total"]
    assert counts.parameters == PRESET_COUNTS[call]["trainable"]


def default_or_slow(call: str) -> Any:
    """The smallest network of either block at 224x224, and the smallest at other sizes."""
    is_default = "resnet_18" in call or ("resnet_50" in call and "224" in call)
    return call if is_default else pytest.param(call, marks=pytest.mark.slow)


@pytest.mark.parametrize("call", [default_or_slow(call) for call in PRESET_COUNTS])
def test_parameter_counts_of_models(call: str) -> None:
    depth, shape, classes = arguments(call)
    model = getattr(ResnetBuilder, f"build_resnet_{depth}")(shape, classes)
    assert model.count_params() == PRESET_COUNTS[call]["total"]
    assert trainable_parameters(model) == PRESET_COUNTS[call]["trainable"]


def build_like(original: dict[str, Any]) -> keras.Model:
    return ResnetBuilder.build(
        original["input_shape_channels_rows_cols"],
        original["num_outputs"],
        original["block_fn"],
        original["repetitions"],
    )


@pytest.mark.convolutions
@pytest.mark.parametrize("name", ["basic_1_1", "bottleneck_1_1"])
def test_weights_saved_under_keras_2(name: str) -> None:
    original = json.loads((DATA / f"original_{name}.json").read_text(encoding="utf-8"))
    model = build_like(original)
    model.load_weights(DATA / f"original_{name}.weights_keras2.h5")
    channels, rows, columns = original["input_shape_channels_rows_cols"]
    answer = model.predict(image_batch(2, rows, columns, channels), verbose=0)
    expected = np.load(DATA / f"original_{name}.probabilities.npy")
    assert np.abs(answer - expected).max() <= 1e-6


@pytest.mark.parametrize("name", ["basic_1_1", "bottleneck_1_1"])
def test_layers_with_weights_come_in_the_same_order(name: str) -> None:
    original = json.loads((DATA / f"original_{name}.json").read_text(encoding="utf-8"))
    weighted = {"Conv2D", "BatchNormalization", "Dense"}
    ours = [type(layer).__name__ for layer in build_like(original).layers if layer.weights]
    assert ours == [kind for kind in original["layers"] if kind in weighted]


@pytest.fixture(scope="module", params=["basic_block", "bottleneck"])
def model(request: pytest.FixtureRequest) -> keras.Model:
    return ResnetBuilder.build((3, 64, 64), 5, request.param, [2, 2])


def of_kind(model: keras.Model, kind: type) -> list[Any]:
    found = [layer for layer in model.layers if isinstance(layer, kind)]
    assert found
    return found


def test_initialisers(model: keras.Model) -> None:
    for layer in of_kind(model, keras.layers.Conv2D) + of_kind(model, keras.layers.Dense):
        assert isinstance(layer.kernel_initializer, keras.initializers.HeNormal)
        assert isinstance(layer.bias_initializer, keras.initializers.Zeros)


def test_l2_on_convolution_kernels_only(model: keras.Model) -> None:
    convolutions = of_kind(model, keras.layers.Conv2D)
    for layer in convolutions:
        assert isinstance(layer.kernel_regularizer, keras.regularizers.L2)
        assert float(layer.kernel_regularizer.l2) == pytest.approx(1e-4)
        assert layer.bias_regularizer is None
    assert model.get_layer("predictions").kernel_regularizer is None
    penalty = 1e-4 * sum(float(np.sum(np.square(layer.get_weights()[0]))) for layer in convolutions)
    assert float(sum(model.losses)) == pytest.approx(penalty, rel=1e-4)


def test_batch_norm_has_the_defaults_of_keras_2(model: keras.Model) -> None:
    for layer in of_kind(model, keras.layers.BatchNormalization):
        assert (layer.momentum, layer.epsilon) == (0.99, 1e-3)
        assert layer.center
        assert layer.scale


def test_strides_and_padding(model: keras.Model) -> None:
    strided = {
        layer.name: layer.strides
        for layer in of_kind(model, keras.layers.Conv2D)
        if layer.strides != (1, 1)
    }
    # The article strides in a block's first convolution: in a bottleneck that is the first 1x1.
    two = (2, 2)
    assert strided == {
        "stem_conv": two,
        "stage2_block1_conv1": two,
        "stage2_block1_shortcut_conv": two,
    }
    pool = model.get_layer("stem_pool")
    assert (pool.pool_size, pool.strides) == ((3, 3), (2, 2))
    for layer in [pool, *of_kind(model, keras.layers.Conv2D)]:
        # A 1x1 convolution pads nothing: the projections' "valid" and "same" are one.
        assert layer.padding == "same"
    assert not [layer for layer in model.layers if isinstance(layer, keras.layers.ZeroPadding2D)]


def test_projections_take_the_raw_input(model: keras.Model) -> None:
    graph = model_graph(model)
    named = {node.layer.name: node for node in graph}
    sources = {name: [graph[n].layer.name for n in named[name].inputs] for name in named}
    assert sources["stage2_block1_shortcut_conv"] == ["stage1_block2_out"]
    assert sources["stage1_block2_out"] == ["stage1_block2_add"]
    assert sources["stage2_block1_bn1"] == ["stage1_block2_out"]
    # The stem has normalised already: the first block begins with its convolution.
    assert sources["stage1_block1_conv1"] == ["stem_pool"]


def test_the_articles_blocks_as_functions_are_the_named_ones() -> None:
    for function in (basic_block, bottleneck):
        by_function = ResnetBuilder.build((3, 32, 32), 5, function, [1, 2])
        keras.utils.clear_session()
        by_name = ResnetBuilder.build((3, 32, 32), 5, function.__name__, [1, 2])
        assert by_function.to_json() == by_name.to_json()
