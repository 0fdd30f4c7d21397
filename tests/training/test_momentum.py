"""The fused update against Keras's own."""

from contextlib import nullcontext
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from resnet_builder.training.sgd import fuse_updates


@pytest.mark.parametrize("nesterov", [False, True])
@pytest.mark.parametrize("dtype", ["float32", "float16"])
def test_a_fused_update_is_that_of_keras(nesterov: bool, dtype: str) -> None:
    rng = np.random.Generator(np.random.PCG64(0))
    start, *gradients = rng.standard_normal((4, 3, 5)).astype(dtype)
    results = []
    for fuse in (False, True):
        optimizer = keras.optimizers.SGD(0.1, momentum=0.9, nesterov=nesterov)
        updates = optimizer.update_step
        if fuse:
            fuse_updates(optimizer)
            assert (optimizer.update_step == updates) == (keras.backend.backend() != "tensorflow")
        variable = keras.Variable(start, dtype=dtype)
        for gradient in gradients:
            optimizer.apply([keras.ops.convert_to_tensor(gradient)], [variable])
        results.append([np.asarray(one) for one in (variable, *optimizer.momentums)])
    tolerance = 8 * float(np.finfo(dtype).eps)  # of three steps, each with four roundings
    for expected, found in zip(*results, strict=True):
        np.testing.assert_allclose(found, expected, rtol=tolerance, atol=tolerance)


CASES: dict[str, tuple[str, dict[str, Any]]] = {
    "clipnorm": ("graph", {"clipnorm": 0.01}),
    "average": ("graph", {"use_ema": True, "ema_momentum": 0.5, "ema_overwrite_frequency": 2}),
    "accumulation": ("graph", {"gradient_accumulation_steps": 2}),
    "no momentum": ("graph", {"momentum": 0.0}),
    "XLA": ("jit", {"use_ema": True, "gradient_accumulation_steps": 2, "clipnorm": 0.01}),
    # Keras's SGD does not accumulate under a strategy.
    "strategy": ("strategy", {"nesterov": True, "use_ema": True, "global_clipnorm": 0.1}),
}


@pytest.mark.convolutions
@pytest.mark.parametrize(("way", "options"), CASES.values(), ids=CASES)
def test_training_is_that_of_keras_with_every_option(way: str, options: dict[str, Any]) -> None:
    strategy = tf.distribute.MirroredStrategy(["CPU:0"])
    rng = np.random.Generator(np.random.PCG64(0))
    words, labels = rng.integers(0, 9, (12, 5)), rng.integers(0, 3, 12)
    results = []
    for fuse in (False, True):
        with strategy.scope() if way == "strategy" else nullcontext():
            keras.utils.set_random_seed(0)
            # The gradient of an embedding is one of slices.
            layers = [keras.layers.Embedding(9, 4), keras.layers.Flatten(), keras.layers.Dense(3)]
            model = keras.Sequential([keras.Input((5,)), *layers])
            optimizer = keras.optimizers.SGD(0.5, **{"momentum": 0.9} | options)
            if fuse:
                fuse_updates(optimizer)
            loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
            model.compile(optimizer, loss, jit_compile=way == "jit")
        model.fit(words, labels, batch_size=2, shuffle=False, verbose=0)
        results.append([np.asarray(one) for one in (*model.weights, *optimizer.variables)])
    for expected, found in zip(*results, strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)
