"""Variations of residual networks as Keras models: saved, in other dtypes and orders of axes."""

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from resnet_builder import load_weights
from resnet_builder.weights.origins import ORIGINS

from ..helpers import image_batch, randomised, small
from ..weights.checkpoint_recipe import tensor

IMAGES = image_batch(2, 33, 40, 3)

# One network for each kind of layer that is a function of keras.ops, and for each kind of block.
NETWORKS: dict[str, dict[str, Any]] = {
    "resnetblur18": {},
    "resnetv2_50d_evos": {"norm_groups": 4},
    "resnet50_gn": {"norm_groups": 4},
    "res2net50_26w_4s": {},
    "skresnet18": {},
    "resnest50d_4s2x40d": {"width_per_group": 64, "stem_filters": 8},
    "resnet50_v2": {},
    "legacy_seresnet18": {},
}


def network(name: str, shape: tuple[int | None, ...] = (33, 40, 3), **options: Any) -> keras.Model:
    return small(name, input_shape=shape, **NETWORKS[name] | options)


@pytest.fixture(scope="module", params=NETWORKS)
def computed(request: pytest.FixtureRequest) -> tuple[str, keras.Model, Any]:
    """The name of a network, the network, and its answer to `IMAGES`."""
    model = randomised(network(request.param))
    return request.param, model, keras.ops.convert_to_numpy(model(IMAGES))


@pytest.mark.convolutions
def test_a_saved_model_computes_the_same(
    computed: tuple[str, keras.Model, Any], tmp_path: Path
) -> None:
    _, model, answer = computed
    model.save(tmp_path / "model.keras")
    saved = keras.saving.load_model(tmp_path / "model.keras")
    assert [layer.name for layer in saved.layers] == [layer.name for layer in model.layers]
    np.testing.assert_allclose(saved(IMAGES), answer, rtol=1e-5, atol=1e-6)


@pytest.mark.convolutions
def test_any_size_and_either_order_of_axes(computed: tuple[str, keras.Model, Any]) -> None:
    name, model, answer = computed
    anywhere = network(name, (3, None, None), data_format="channels_first")
    anywhere.set_weights(model.get_weights())
    first = anywhere(IMAGES.transpose(0, 3, 1, 2))
    np.testing.assert_allclose(first, answer, rtol=1e-5, atol=1e-6)


@pytest.mark.convolutions
def test_every_convolution_is_trained(computed: tuple[str, keras.Model, Any]) -> None:
    _, model, _ = computed
    kernels = [weight for weight in model.trainable_weights if "conv" in weight.path]
    assert len(kernels) == len([weight for weight in model.weights if "conv" in weight.path])
    before = model.get_weights()
    model.compile(keras.optimizers.SGD(1e3), "sparse_categorical_crossentropy", run_eagerly=True)
    untrained = [kernel.numpy() for kernel in kernels]
    model.train_on_batch(IMAGES, np.arange(2))
    for kernel, old in zip(kernels, untrained, strict=True):
        assert np.any(kernel.numpy() != old), kernel.path
    model.set_weights(before)


@pytest.mark.convolutions
@pytest.mark.parametrize("name", ["resnetv2_50d_evos", "resnetblur18", "skresnet18"])
def test_mixed_precision(name: str) -> None:
    model = randomised(network(name))
    mixed = network(name, dtype="mixed_bfloat16")
    mixed.set_weights(model.get_weights())
    computed = {layer.compute_dtype for layer in mixed.layers if "conv" in layer.name}
    assert computed == {"bfloat16"}
    # bfloat16 has 8 bits of precision.
    np.testing.assert_allclose(mixed(IMAGES), model(IMAGES), atol=0.1)


@pytest.mark.parametrize("name", NETWORKS)
def test_two_networks_in_one_model(name: str) -> None:
    image = keras.Input((33, 40, 3))
    towers = [
        network(name, layer_prefix=prefix, repetitions=(1,))(image)
        for prefix in ("left_", "right_")
    ]
    assert keras.Model(image, keras.layers.Average()(towers)).output_shape == (None, 5)


def test_kernels_are_standardised_when_they_are_loaded_and_then_kept() -> None:
    # Each filter has mean 0 and variance 1: arXiv:1903.10520, equation 5.
    [timm] = (origin for origin in ORIGINS if origin.name == "timm's ResNetV2")
    blank = small("resnetv2_50x1_bit", norm_groups=4)
    weights = {(layer.name, of.name): of for layer in blank.layers for of in layer.weights}
    arrays = {
        (name := timm.tensor(weight)): tensor(name, timm.array(weight, of.numpy()).shape)
        for weight, of in weights.items()
    }
    loaded = small("resnetv2_50x1_bit", norm_groups=4, weights=arrays)
    kernels = [weight.numpy() for weight in loaded.weights if "stdconv" in weight.path]
    assert len(kernels) == 9
    for kernel in kernels:
        filters = kernel.reshape(-1, kernel.shape[-1]).astype("float64")
        np.testing.assert_allclose(filters.mean(axis=0), 0, atol=1e-6)
        np.testing.assert_allclose(filters.var(axis=0), 1, rtol=1e-4)
    arrays = {weight.path: 2 * weight.numpy() for weight in loaded.weights}
    load_weights(loaded, arrays)
    for weight in loaded.weights:
        np.testing.assert_array_equal(weight.numpy(), arrays[weight.path])
