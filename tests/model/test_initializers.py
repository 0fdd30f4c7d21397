"""The kernels that a network begins with."""

from concurrent.futures import ThreadPoolExecutor
from functools import partial
from threading import Event, Timer
from threading import enumerate as enumerate_threads
from typing import Any

import keras
import numpy as np
import pytest

from resnet_builder import PRESETS, ResnetBuilder
from resnet_builder.common.keras_names import INITIALIZERS
from resnet_builder.model import initializers
from resnet_builder.plan.layers import Conv
from resnet_builder.plan.network import make_plan

SMALL: dict[str, Any] = {
    "repetitions": (1, 1),
    "filters": 32,
    "input_shape": (16, 16, 3),
    "classes": 40,
}


def kernels(name: str) -> dict[str, Any]:
    model = ResnetBuilder.from_preset(
        "resnet50", kernel_initializer=name, classifier_initializer=name, **SMALL
    )
    return {
        layer.name: keras.ops.convert_to_numpy(layer.kernel)
        for layer in model.layers
        if hasattr(layer, "kernel")
    }


@pytest.mark.parametrize("name", INITIALIZERS)
def test_kernels_are_distributed_as_keras_draws_them(name: str) -> None:
    record = INITIALIZERS[name]
    for layer, kernel in kernels(name).items():
        of_keras = getattr(keras.initializers, record.class_name)(**dict(record.config))
        expected = keras.ops.convert_to_numpy(of_keras(kernel.shape))
        # Both deviations are estimates from as many numbers: their relative error is at most
        # 1 / sqrt(2n) each, and five times that of their difference is not reached by chance.
        bound = 5 * expected.std() / np.sqrt(kernel.size)
        assert kernel.std() == pytest.approx(expected.std(), abs=bound), layer
        assert kernel.mean() == pytest.approx(expected.mean(), abs=2 * bound), layer
        # The largest of n numbers of a normal distribution grows with n; the others are bounded.
        if "untruncated" not in str(record) and "RandomNormal" not in str(record):
            assert np.abs(kernel).max() <= np.abs(expected).max() * 1.3, layer


def test_kernels_differ_and_come_from_keras_s_seed() -> None:
    drawn = []
    for _ in range(2):
        keras.utils.set_random_seed(3)
        drawn.append(kernels("he_normal"))
    first, second = drawn
    assert all(np.array_equal(first[name], second[name]) for name in first)
    alike = {kernel.tobytes() for kernel in first.values()}
    assert len(alike) == len(first)
    assert not np.array_equal(first["stem_conv"], kernels("he_normal")["stem_conv"])


@pytest.mark.parametrize(
    "dtype",
    [
        pytest.param("float64", marks=pytest.mark.tensorflow),  # JAX has none by default
        "bfloat16",
        "mixed_bfloat16",
    ],
)
def test_kernels_have_the_dtype_of_the_policy(dtype: str) -> None:
    model = ResnetBuilder.from_preset("resnet50", dtype=dtype, **SMALL)
    kernel = model.get_layer("stem_conv").kernel
    assert kernel.dtype == {"mixed_bfloat16": "float32"}.get(dtype, dtype)
    values = keras.ops.convert_to_numpy(kernel).astype("float64")
    assert values.std() == pytest.approx(np.sqrt(2 / (7 * 7 * 32)), rel=0.1)
    # Numbers drawn in float32 are a coarser set.
    assert (dtype == "float64") == np.any(values != values.astype("float32"))


def test_the_layers_keep_their_own_initialisers() -> None:
    model = ResnetBuilder.from_preset("resnet50", **SMALL)
    described = model.get_layer("stem_conv").get_config()["kernel_initializer"]
    assert described["class_name"] == "VarianceScaling"
    assert described["config"]["distribution"] == "untruncated_normal"


def test_the_drawing_threads_end_and_a_failed_build_draws_no_further(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(initializers, "ThreadPoolExecutor", partial(ThreadPoolExecutor, 1))
    release, drawn = Event(), list[Any]()

    def slow(chosen: Any, shape: Any, dtype: Any) -> Any:
        drawn.append(shape)
        release.wait(10)

    monkeypatch.setattr(initializers, "_scaled", slow)
    layers = [layer for layer in make_plan(PRESETS["resnet18"]).layers if isinstance(layer, Conv)]
    before = set(enumerate_threads())

    def build() -> None:
        with initializers.quick_kernels(layers, "float32") as kernels:
            kernels(layers[0])
            Timer(0.2, release.set).start()
            raise KeyError

    with pytest.raises(KeyError):
        build()
    assert len(drawn) == 1
    alive = set(enumerate_threads()) - before
    assert not [thread for thread in alive if not isinstance(thread, Timer)]
