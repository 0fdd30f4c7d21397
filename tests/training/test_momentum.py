"""The fused update against Keras's own."""

import keras
import numpy as np
import pytest

from resnet_builder.training.momentum import fuse_updates


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
