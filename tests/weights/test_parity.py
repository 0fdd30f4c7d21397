"""A network with another library's weights answers what that library answered."""

import json
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from sklearn.datasets import load_sample_images

from resnet_builder import ResnetBuilder, preprocessing
from tools.side_by_side import keras_applications_error

from ..helpers import image_batch, relative_error
from ..models import OF_KERAS, of_keras_applications
from .checkpoint_recipe import (
    KERAS_HUB,
    NETWORKS,
    PARITY,
    checkpoint,
    description,
    images,
    logits,
    preset_of,
    tensor,
)

pytestmark = pytest.mark.convolutions

# float32 alone gives 1e-6 to 1e-5.
TOLERANCE = 1e-5
HUB_NETWORKS = sorted(path.stem for path in KERAS_HUB.glob("*.json"))


BIT = "timm_resnetv2_50x1_bit"


def network_of(network: str, **options: Any) -> keras.Model:
    """The preset with the weights of a network of PyTorch, for images of any size."""
    return ResnetBuilder.from_preset(
        preset_of(network),
        (None, None, 3),
        classifier_activation=None,
        weights=checkpoint(network),
        **description(network).get("changes", {}),
        **({"padding": "same"} if network.startswith("tfkeras_") else {}) | options,
    )


def answer(model: keras.Model, x: Any) -> Any:
    """Without a graph, whose tracing takes longer than all the layers."""
    return keras.ops.convert_to_numpy(model(x, training=False))


def error_of(network: str) -> float:
    """The relative error of a network of torchvision or timm."""
    return relative_error(answer(network_of(network), images(network)), logits(network))


# Two that are large, and those that differ from others here by depth alone, by two differences that
# are tried one by one, or by the names of another library.
SLOW = {
    *("timm_senet154", "torchvision_wide_resnet50_2"),
    *("torchvision_resnet34", "timm_resnet26", "timm_resnet50d", "timm_resnext50d_32x4d"),
    *("timm_regnety_004", "torchvision_regnet_x_400mf", "tfkeras_RegNetX002"),
}


def test_a_photograph_has_the_logits_of_timm() -> None:
    """From its pixels on: tools/photos.py had them prepared by timm and Pillow."""
    network = "timm_resnet18d"
    photograph = load_sample_images().images[0][np.newaxis]
    found = answer(network_of(network), preprocessing(size=224)(photograph))
    expected = np.load(PARITY / f"{network}.photograph.npy")
    assert np.abs(expected).max() > 3
    assert np.abs(found - expected).max() < 1e-4  # as the README says


@pytest.mark.parametrize(
    "network",
    [
        pytest.param(network, marks=[pytest.mark.slow] * (network in SLOW))
        for network in NETWORKS
        if network != BIT
    ],
)
def test_other_libraries(network: str) -> None:
    model = network_of(network)
    assert relative_error(answer(model, images(network)), logits(network)) <= TOLERANCE
    odd = PARITY / f"{network}.97x65.npy"
    if odd.exists():
        found = answer(model, image_batch(1, 97, 65, 3))
        assert relative_error(found, np.load(odd)) <= TOLERANCE


def test_a_network_of_tf_keras_needs_its_padding() -> None:
    with pytest.raises(ValueError, match="pads as Keras does: build the network with padding='sa"):
        network_of("tfkeras_RegNetX002", padding="symmetric")


def test_bit() -> None:
    # timm's own logits in float32 are 1.2e-5 to 2.3e-5 from its logits in float64, because the
    # standardised kernels have variance 1 whatever their size, and the sums are large.
    assert error_of(BIT) <= 3e-5


@pytest.mark.tensorflow  # Keras on other backends computes a part of it in float32
def test_bit_in_float64() -> None:
    # The logits of timm in float64.
    expected = np.load(PARITY / f"{BIT}.float64.npy")
    found = answer(network_of(BIT, dtype="float64"), images(BIT))
    assert relative_error(found, expected) <= 1e-12


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [
        pytest.param("ResNet50", "resnet50_v1", marks=pytest.mark.slow),
        pytest.param("ResNet50V2", "resnet50_v2", marks=pytest.mark.slow),
        pytest.param("ResNet101", "resnet101_v1", marks=pytest.mark.slow),
        pytest.param("ResNet152", "resnet152_v1", marks=pytest.mark.slow),
        pytest.param("ResNet101V2", "resnet101_v2", marks=pytest.mark.slow),
        pytest.param("ResNet152V2", "resnet152_v2", marks=pytest.mark.slow),
    ],
)
def test_keras_applications(theirs: str, ours: str) -> None:
    original = getattr(keras.applications, theirs)(
        weights=None, input_shape=(64, 64, 3), classifier_activation=None
    )
    model = ResnetBuilder.from_preset(ours, (64, 64, 3), classifier_activation=None)
    assert keras_applications_error(original, model) <= TOLERANCE


@pytest.mark.parametrize("version", [1, 2])
def test_two_stages_of_keras_applications(version: int) -> None:
    original = of_keras_applications(version, classifier_activation=None)
    model = ResnetBuilder.from_preset(
        f"resnet50_v{version}", **OF_KERAS, classifier_activation=None
    )
    assert keras_applications_error(original, model) <= TOLERANCE


def keras_hub_error(preset: str) -> float:
    """Of a network of keras-hub with two stages."""
    shapes = json.loads((KERAS_HUB / f"{preset}.json").read_text(encoding="utf-8"))
    model = ResnetBuilder.from_preset(
        preset,
        (32, 48, 3),
        classes=5,
        repetitions=(2, 2),
        classifier_activation=None,
        weights={name: tensor(name, tuple(shape)) for name, shape in shapes.items()},
    )
    found = answer(model, image_batch(2, 32, 48, 3))
    return relative_error(found, np.load(KERAS_HUB / f"{preset}.logits.npy"))


@pytest.mark.parametrize("preset", HUB_NETWORKS)
def test_keras_hub(preset: str) -> None:
    assert keras_hub_error(preset) <= TOLERANCE


def test_the_epsilon_of_keras_applications(tmp_path: Path) -> None:
    # 1.001e-5 there and 1e-5 here, which shows where a variance is small.
    original = of_keras_applications(1)
    original.get_layer("conv1_bn").moving_variance.assign(np.full(64, 1e-6))
    original.save_weights(tmp_path / "theirs.weights.h5")
    model = ResnetBuilder.from_preset(
        "resnet50_v1", **OF_KERAS, weights=tmp_path / "theirs.weights.h5"
    )
    batch_norm = model.get_layer("stem_bn")
    total = batch_norm.moving_variance.numpy() + batch_norm.epsilon
    np.testing.assert_allclose(total, 1e-6 + 1.001e-5, rtol=1e-5)
    assert batch_norm.epsilon == 1e-5


def test_without_its_head_and_in_another_order() -> None:
    network = "torchvision_resnet18"
    x = images(network)
    whole = ResnetBuilder.from_preset("resnet18", x.shape[1:], weights=checkpoint(network))
    maps = ResnetBuilder.from_preset(
        "resnet18", x.shape[1:], features=("stage2",), weights=checkpoint(network)
    )
    expected = keras.Model(whole.input, whole.get_layer("stage2_block2_out").output)
    np.testing.assert_array_equal(maps(x)["stage2"], expected(x))
    first = ResnetBuilder.from_preset(
        "resnet18",
        (3, *x.shape[1:3]),
        data_format="channels_first",
        classifier_activation=None,
        layer_prefix="left_",
        weights=checkpoint(network),
    )
    found = first.predict(x.transpose(0, 3, 1, 2), verbose=0)
    assert relative_error(found, logits(network)) <= TOLERANCE
