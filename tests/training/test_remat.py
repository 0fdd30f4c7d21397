"""Gradient checkpointing."""

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from resnet_builder import ResnetBuilder, freeze, rematerialize

from ..helpers import assert_same_weights, image_batch, tiny
from ..processes import printed_by

LABELS = np.arange(6) % 3
RANDOM = {"drop_path_rate": 0.3, "dropout_rate": 0.3, "repetitions": (2, 1)}


values = keras.ops.convert_to_numpy


def network(**options: Any) -> keras.Model:
    keras.utils.set_random_seed(1)
    return tiny(**{"classes": 3} | options)


def trained(model: keras.Model) -> keras.Model:
    """After two steps: the second depends on the gradients of the first."""
    keras.utils.set_random_seed(2)
    model.compile(keras.optimizers.SGD(0.1), "sparse_categorical_crossentropy", jit_compile=False)
    model.fit(image_batch(6, 8, 8, 3), LABELS, batch_size=3, shuffle=False, verbose=0)
    return model


@pytest.mark.parametrize(
    "options",
    [RANDOM, RANDOM | {"dtype": "mixed_bfloat16"}, {"activation_order": "pre", "se_ratio": 0.5}],
)
def test_the_weights_after_training_are_the_same(options: dict[str, Any]) -> None:
    expected = trained(network(**options))
    model = trained(network(**options, remat=True))
    for weight, other in zip(model.weights, expected.weights, strict=True):
        np.testing.assert_allclose(weight.numpy(), other.numpy(), atol=2e-5)
    moved = [weight for weight in model.weights if weight.name == "moving_mean"]
    assert all(np.any(weight.numpy()) for weight in moved)


def runs_in_a_step(model: keras.Model, layer: str) -> int:
    found = []
    of = model.get_layer(layer)
    call = of.call
    model.compile("sgd", "sparse_categorical_crossentropy", run_eagerly=True)
    model.train_on_batch(image_batch(3, 8, 8, 3), LABELS[:3])  # the first step builds the metrics

    def counted(*args: Any, **kwargs: Any) -> Any:
        found.append(layer)
        return call(*args, **kwargs)

    of.call = counted
    model.train_on_batch(image_batch(3, 8, 8, 3), LABELS[:3])
    of.call = call
    return len(found)


@pytest.mark.skipif(keras.backend.backend() == "jax", reason="JAX traces a step as it likes")
def test_what_is_computed_twice() -> None:
    model = network(repetitions=(2, 1), remat=("stage1",))
    runs = {
        layer: runs_in_a_step(model, layer)
        for layer in ("stem_conv", "stage1_block2_conv1", "stage2_block1_bn2", "predictions")
    }
    assert runs == {
        "stem_conv": 1,
        "stage1_block2_conv1": 2,
        "stage2_block1_bn2": 1,
        "predictions": 1,
    }


def test_the_rest_of_the_model_is_the_same(tmp_path: Path) -> None:
    images = image_batch(2, 8, 8, 3)
    model = network(remat=True)
    expected = network()
    np.testing.assert_array_equal(*map(values, (model(images), expected(images))))
    assert model.get_config() == expected.get_config()
    assert ResnetBuilder.to_json(model) == ResnetBuilder.to_json(expected)
    model.save(tmp_path / "net.keras")
    loaded = keras.models.load_model(tmp_path / "net.keras")
    np.testing.assert_array_equal(*map(values, (model(images), loaded(images))))
    assert_same_weights(trained(rematerialize(loaded)), trained(expected))


def test_inside_another_model_and_frozen() -> None:
    def around(net: keras.Model) -> keras.Model:
        freeze(net, until="stage1")
        images = keras.Input((8, 8, 3))
        return keras.Model(images, net(2 * images))

    expected = trained(around(network()))
    model = trained(rematerialize(around(network())))
    assert_same_weights(model, expected)


@pytest.mark.parametrize("features", [("stage1", "predictions"), ("stem", "stage1")])
def test_maps_of_several_stages(features: tuple[str, ...]) -> None:
    nets = (network(features=features, remat=remat, classes=None) for remat in (True, False))
    found, expected = (net(image_batch(2, 8, 8, 3), training=True) for net in nets)
    assert set(found) == set(features)
    for name in features:
        np.testing.assert_allclose(values(found[name]), values(expected[name]), rtol=1e-5)


def test_an_unknown_part() -> None:
    with pytest.raises(ValueError, match=r"unknown part .stage3.: .*choose from 'stem', 'stage1'"):
        network(remat=("stage3",))
    with pytest.raises(ValueError, match="no layers that are named as in this package"):
        rematerialize(keras.Sequential([keras.Input((4,)), keras.layers.Dense(3)]))


PEAK = """
import resource
import numpy as np
from resnet_builder import ResnetBuilder
model = ResnetBuilder.from_preset("resnet152", (224, 224, 3), 10, remat={remat})
model.compile("sgd", "sparse_categorical_crossentropy")
model.train_on_batch(np.zeros((16, 224, 224, 3), "float32"), np.zeros(16))
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


@pytest.mark.slow
@pytest.mark.skipif(keras.backend.backend() == "jax", reason="XLA merges the two computations")
def test_the_peak_memory_of_a_step(tmp_path: Path) -> None:
    peaks = [int(printed_by(PEAK.format(remat=remat), tmp_path)) for remat in (True, False)]
    assert peaks[0] <= 0.6 * peaks[1], peaks
