"""Names of activations and initialisers: those of Keras that are allowed, and no others."""

from collections.abc import Callable
from typing import Any, get_args

import keras
import numpy as np
import pytest

from resnet_builder import ResnetBuilder, ResnetConfig, plot, profile
from resnet_builder.common.keras_names import (
    INITIALIZER_CLASSES,
    INITIALIZERS,
    Initializer,
)
from resnet_builder.config import ActivationName
from resnet_builder.plan.network import Head, make_plan

SMALL: dict[str, Any] = {
    "block": "basic_block",
    "repetitions": (1,),
    "filters": 4,
    "input_shape": (8, 8, 3),
    "classes": 2,
}
READERS: dict[str, Callable[[ResnetConfig], Any]] = {
    "make_plan": make_plan,
    "profile": profile,
    "plot": plot,
    "from_config": ResnetBuilder.from_config,
}


@pytest.mark.parametrize("name", get_args(ActivationName))
def test_every_activation_keeps_the_shape(name: str) -> None:
    numbers = np.linspace(-2, 2, 24, dtype="float32").reshape(1, 2, 3, 4)
    assert keras.layers.Activation(name)(numbers).shape == numbers.shape


def test_every_activation_of_keras_is_listed() -> None:
    functions = {name for name in dir(keras.activations) if name.islower() and name[0] != "_"}
    own = {"get", "serialize", "deserialize"}
    assert functions - own - set(get_args(ActivationName)) == {"glu", "threshold"}


@pytest.mark.parametrize("name", INITIALIZERS)
def test_every_initialiser_draws_a_kernel(name: str) -> None:
    model = ResnetBuilder.from_config(
        ResnetConfig(**SMALL, kernel_initializer=name, classifier_initializer=name)
    )
    for kernel in (weight for weight in model.weights if weight.name == "kernel"):
        assert np.isfinite(kernel.numpy()).all()


def test_every_initialiser_of_keras_is_listed() -> None:
    classes = {
        value.__name__
        for value in vars(keras.initializers).values()
        if isinstance(value, type) and value is not keras.initializers.Initializer
    }
    # These draw square matrices and Fourier kernels.
    assert classes - set(INITIALIZER_CLASSES) == {"Identity", "STFT"}


OBJECTS = [
    keras.initializers.RandomNormal(stddev=0.01),
    keras.initializers.VarianceScaling(2.0, "fan_avg", "uniform"),
    keras.initializers.Constant(0.5),
    keras.initializers.Orthogonal(gain=2.0, seed=7),
]


@pytest.mark.parametrize("given", OBJECTS, ids=lambda given: type(given).__name__)
def test_initialiser_objects_are_stored_as_data(given: Any) -> None:
    config = ResnetConfig(**SMALL, kernel_initializer=given)
    assert ResnetConfig.from_json(config.to_json()) == config
    assert hash(config) == hash(config.replace())
    model = ResnetBuilder.from_config(config)
    for layer in model.layers:
        if isinstance(layer, keras.layers.Conv2D):
            assert type(layer.kernel_initializer) is type(given)
            assert layer.kernel_initializer.get_config() == given.get_config()
            assert layer.kernel_initializer is not given


def test_kernels_of_equal_shape_have_different_values() -> None:
    model = ResnetBuilder.from_config(
        ResnetConfig(**SMALL | {"repetitions": (2,)}, kernel_initializer=OBJECTS[0])
    )
    first, second = (
        model.get_layer(f"stage1_block{number}_conv1").kernel.numpy() for number in (1, 2)
    )
    assert not np.array_equal(first, second)


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"activation": "<lambda>"}, "unknown activation '<lambda>'"),
        ({"activation": "glu"}, "unknown activation 'glu'"),
        ({"activation": "rellu"}, "did you mean 'relu'"),
        ({"kernel_initializer": "identity"}, "unknown kernel_initializer 'identity'"),
        ({"kernel_initializer": "constant"}, "unknown kernel_initializer 'constant'"),
        ({"kernel_initializer": "stft"}, "unknown kernel_initializer 'stft'"),
        ({"classifier_initializer": "Initializer"}, "choose from .*'torch_linear'"),
    ],
)
def test_every_reader_rejects_unknown_names(
    reader: str, changes: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        READERS[reader](ResnetConfig(**SMALL, **changes))


def scaling(**config: Any) -> dict[str, Any]:
    return {"class_name": "VarianceScaling", "config": config}


@pytest.mark.parametrize(
    ("value", "error", "message"),
    [
        (keras.initializers.Identity(), ValueError, "Identity cannot draw the kernel"),
        (keras.initializers.Constant([1.0, 2.0]), ValueError, "kernel_initializer: value of .* a "),
        (keras.initializers.HeNormal(seed=keras.random.SeedGenerator(1)), ValueError, "seed of"),
        (
            {"class_name": "HeNormal", "config": {"foo": 1}},
            ValueError,
            "kernel_initializer: .*'foo'",
        ),
        ({"class_name": "HeNormal", "config": {"input_axes": 2}}, ValueError, "has no argument"),
        (scaling(scale=-1), ValueError, "kernel_initializer: scale of .* greater than 0, got -1"),
        (scaling(mode="fan"), ValueError, "mode of .* must be one of 'fan_in', 'fan_out'"),
        (scaling(distribution=[]), ValueError, "distribution of .* must be one of"),
        (
            {"class_name": "Constant", "config": {"value": float("nan")}},
            ValueError,
            "a finite numb",
        ),
        ({"class_name": "Constant", "config": {"value": True}}, ValueError, "a finite number"),
        ({"class_name": "Constant", "config": {"value": 10**400}}, ValueError, "a finite number"),
        (
            {"module": "a", "class_name": "Ones", "config": {}},
            TypeError,
            "must be one of the names",
        ),
        ({"class_name": "HeNormal", "config": None}, TypeError, "kernel_initializer must be one"),
        ({"class_name": "HeNormal", "config": {1: 2, "seed": 1}}, TypeError, "must be one of"),
        ({"class_name": ["HeNormal"], "config": {}}, TypeError, "must be one of the names"),
        (lambda shape, dtype: 0, TypeError, "or an object of keras.initializers"),
        ({"class_name": "HeNormal"}, TypeError, "or an object of keras.initializers"),
        (5, TypeError, "one of the names 'glorot_normal'"),
    ],
)
def test_invalid_initialisers_are_rejected(
    value: Any, error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        ResnetConfig(**SMALL, kernel_initializer=value)


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"classifier_activation": 5}, TypeError, "classifier_activation must be one of the names"),
        ({"classifier_activation": "sofmax"}, ValueError, "did you mean 'softmax'"),
        ({"include_top": np.ones(2)}, TypeError, "include_top must be True or False"),
        ({"pooling": "mean"}, ValueError, "choose from 'avg', 'max'"),
    ],
)
def test_invalid_options_of_the_head_are_rejected(
    options: dict[str, Any], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        make_plan(ResnetConfig(**SMALL), Head(**options))


def test_an_initialiser_prints_as_a_call() -> None:
    given = Initializer.of(OBJECTS[0], "kernel_initializer")
    assert str(given) == "RandomNormal(mean=0.0, stddev=0.01)"
