"""Memory of activations, strides, receptive fields and sizes of files: against real ones."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from resnet_builder import (
    PRESETS,
    ResnetBuilder,
    ResnetConfig,
    feature_info,
    profile,
    write_weights,
)
from resnet_builder.common.shapes import known_product
from resnet_builder.plan.layers import MaxPool, Subsample, ZeroPad
from resnet_builder.plan.network import make_plan

from ..helpers import SMALL, small

pytestmark = pytest.mark.convolutions

# Strides and receptive fields ---------------------------------------------------------------------

# The table of https://distill.pub/2019/computing-receptive-fields/, whose networks stride in the
# last block of a stage, as these do.
PUBLISHED = {"resnet50_v2": 483, "resnet101_v2": 1027, "resnet152_v2": 1507}


@pytest.mark.parametrize("name", PUBLISHED)
def test_receptive_fields_are_the_published_ones(name: str) -> None:
    *_, last, head = profile(name).stages
    assert (last.stride, last.receptive_field) == (32, PUBLISHED[name])
    assert (head.stride, head.receptive_field) == (None, None)


SEEN: dict[str, dict[str, Any]] = {
    "pre-activation": {"activation_order": "pre"},
    "stride in the first 1x1": {"block": "bottleneck", "stride_in_3x3": False},
    "blur": {"anti_aliasing": "blur", "stem": "deep"},
    "Keras's padding": {"padding": "same", "projection": "avg_pool"},
}


@pytest.mark.parametrize("case", SEEN)
def test_a_receptive_field_is_what_changes_a_pixel(case: str) -> None:
    """All kernels are positive: a bright column changes the pixels that see it, and no other."""
    columns = 128
    config = PRESETS["resnet18"].replace(
        **SMALL | {"input_shape": (24, columns, 1), "filters": 4} | SEEN[case]
    )
    model = ResnetBuilder.from_config(config, features=("stage1", "stage2"), classes=None)
    for weight in model.weights:
        if weight.name == "kernel":
            weight.assign(np.full(weight.shape, 1 / np.prod(weight.shape[:-1])))
    images = np.ones((columns + 1, 24, columns, 1), "float32")
    images[np.arange(columns), :, np.arange(columns)] = 1e5
    seen = {row.name: row for row in profile(config).stages}
    for name, maps in model.predict(images, verbose=0).items():
        middle = maps[:, 1, maps.shape[2] // 2]
        changed = np.abs(middle[:-1] - middle[-1]).max(axis=-1) > 0.01
        assert changed.sum() == seen[name].receptive_field
        assert feature_info(config)[name].stride == seen[name].stride == columns // maps.shape[2]


# Memory -------------------------------------------------------------------------------------------

# Of torchvision 0.28's networks at 224x224, bytes for each of two images: the storages that
# `torch.autograd.graph.saved_tensors_hooks` sees, without weights and the indices of the pool; and
# the most that a `TorchDispatchMode` sees alive without gradients, with identities for batch norms.
TRAINING_IN_TORCH = {"resnet18": 20_593_408, "resnet50": 84_410_112, "resnext50_32x4d": 110_732_544}
INFERENCE_IN_TORCH = {"resnet50": 8_028_160}


@pytest.mark.parametrize("name", TRAINING_IN_TORCH)
def test_memory_in_training_is_measured_in_pytorch(name: str) -> None:
    layers = make_plan(PRESETS[name]).layers
    elements = {layer.name: known_product(*layer.output_shape) or 0 for layer in layers}
    kinds = ((ZeroPad, 1), (MaxPool, 1), (Subsample, 0))
    # Here, pads are layers, a max pool is followed by subsampling, and a softmax ends the network.
    here = sum(
        factor * elements[of.name] for of in layers for kind, factor in kinds if type(of) is kind
    )
    here += PRESETS[name].classes
    # There, the first convolution keeps the image, and batch norms the statistics of the batch.
    norms = sum(layer.channels for layer in layers if "moving_mean" in layer.weights)
    there = 224 * 224 * 3 + norms
    found = profile(name).training_memory
    assert found is not None
    assert found - 4 * here + 4 * there == TRAINING_IN_TORCH[name]


def test_memory_in_inference_is_measured_in_pytorch() -> None:
    # There, the caller of the first stage keeps its input.
    assert profile("resnet50").inference_memory == INFERENCE_IN_TORCH["resnet50"] - 4 * 56 * 56 * 64


def test_memory_of_a_small_network() -> None:
    """By hand: a block of two convolutions on 8x8x4, and 4 to 5 numbers."""
    config = ResnetConfig(
        block="basic_block",
        repetitions=(1,),
        filters=4,
        stem="cifar",
        input_shape=(8, 8, 3),
        classes=5,
    )
    image, feature_map = 8 * 8 * 3, 8 * 8 * 4
    counts = profile(config)
    # The image, three convolutions, three activations, the means, and the softmax.
    assert counts.training_memory == 4 * (image + 6 * feature_map + 4 + 5)
    # The stem's activation, and the input and the output of the second convolution.
    assert counts.inference_memory == 4 * 3 * feature_map
    wide = profile(config, (16, 8, 3))
    assert wide.inference_memory == 2 * counts.inference_memory


def test_an_activation_keeps_its_input_where_its_gradient_needs_it() -> None:
    # PyTorch's tools/autograd/derivatives.yaml: `result` in the formula of the one, `self` in that
    # of the other. ELU and SELU, leaky and capped ReLU have formulas of the result too.
    def memory(activation: Any) -> int:
        return profile(PRESETS["resnet18"].replace(activation=activation)).training_memory or 0

    of_output = ("relu", "relu6", "leaky_relu", "elu", "selu", "sigmoid", "tanh")
    assert {memory(name) for name in of_output} == {memory("relu")}
    assert {memory(name) > memory("relu") for name in ("silu", "gelu", "mish")} == {True}


def test_what_is_unknown() -> None:
    unknown = profile("resnet18", (None, None, 3))
    assert (unknown.inference_memory, unknown.training_memory) == (None, None)
    assert unknown.stages[0].stride == 4
    assert "memory of activations: unknown for images of unknown size" in str(unknown.details())
    of_model = profile(small())
    assert of_model.training_memory is None
    assert "memory of activations: unknown for Keras models" in str(of_model.details())
    with pytest.raises(ValueError, match="batch_size must be 1 or more"):
        unknown.details(0)


# Files --------------------------------------------------------------------------------------------


def test_the_size_of_a_file(tmp_path: Path) -> None:
    model = small(filters=32)
    write_weights(model, tmp_path / "net.safetensors")
    model.save_weights(tmp_path / "net.weights.h5")
    size = profile(model).file_size
    names = len(model.weights)
    for file, bytes_of_a_name in {"net.safetensors": 200, "net.weights.h5": 3000}.items():
        beside = (tmp_path / file).stat().st_size - size
        assert 0 < beside < bytes_of_a_name * names


def test_a_drop_path_is_no_tensor_of_its_own() -> None:
    """There is one in the first stage, and the most is held in the second."""
    network = ResnetConfig(
        block="basic_block", repetitions=(2, 1), filters=(8, 256), stem="cifar", classes=4
    )
    plain, dropping = (network.replace(drop_path_rate=rate) for rate in (0.0, 0.2))
    assert profile(dropping).inference_memory == profile(plain).inference_memory


def test_a_model_of_the_stem_has_no_row_of_its_pool() -> None:
    maps = ResnetBuilder.from_preset("resnet18", (64, 64, 3), features=("stem",))
    assert "7x7, 64, stride 2" in str(profile(maps))
    assert "pool" not in str(profile(maps))
