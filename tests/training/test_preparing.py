"""A compiled model that is traced once."""

from typing import Any

import keras
import numpy as np
import pytest

from resnet_builder import ResnetBuilder, prepare


@pytest.mark.convolutions
@pytest.mark.tensorflow
def test_the_first_step_is_traced_once() -> None:
    traced = []

    class Counted(keras.layers.Layer):
        def call(self, x: Any) -> Any:
            traced.append(x)
            return x

    body = ResnetBuilder.from_preset(
        "resnet18", (8, 8, 3), stem="cifar", repetitions=(1,), filters=4, include_top=False
    )
    pooled = keras.layers.GlobalAveragePooling2D()(Counted()(body.output))
    kind, age = keras.layers.Dense(3, name="kind"), keras.layers.Dense(1, name="age")
    heads = {"kind": kind(pooled), "age": age(pooled)}
    model = keras.Model(body.input, heads)
    model.compile(
        "adam",
        {"kind": keras.losses.SparseCategoricalCrossentropy(from_logits=True), "age": "mse"},
        metrics={"kind": "accuracy"},
    )
    before = [variable.numpy() for variable in model.variables]
    labels = {"kind": np.zeros(4, "int32"), "age": np.zeros((4, 1), "float32")}
    assert prepare(model, labels) is model
    for variable, value in zip(model.variables, before, strict=False):
        np.testing.assert_array_equal(variable.numpy(), value)
    traced.clear()
    model.fit(np.zeros((4, 8, 8, 3), "float32"), labels, batch_size=2, verbose=0)
    assert len(traced) == 1


def test_a_model_that_is_not_compiled() -> None:
    model = ResnetBuilder.from_preset("resnet20_cifar")
    with pytest.raises(ValueError, match="before prepare"):
        prepare(model, np.zeros(1))
    with pytest.raises(TypeError, match="Keras model"):
        prepare("resnet18", np.zeros(1))


def test_with_jax_only_the_optimizer_is_built(monkeypatch: pytest.MonkeyPatch) -> None:
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(3)])
    model.compile("adam", "mse")
    monkeypatch.setattr(keras.backend, "backend", lambda: "jax")
    monkeypatch.setattr(model, "compute_loss", None)
    assert prepare(model, np.zeros((1, 3))) is model
    assert model.optimizer.built
