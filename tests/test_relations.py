"""Random networks as models: built as planned, and equal to themselves made in another way."""

from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import keras
import numpy as np
import onnxruntime
import pytest

from resnet_builder import (
    ResnetBuilder,
    ResnetConfig,
    config_of,
    feature_info,
    fold_batch_norm,
    load_weights,
    save_pretrained,
    write_weights,
)
from resnet_builder.common.shapes import in_order
from resnet_builder.inference.onnx_file import write_onnx
from resnet_builder.model.record import build_record_of
from resnet_builder.weights.origins import LIBRARIES

from .helpers import (
    KINDS_OF_BLOCK,
    Array,
    assert_named,
    assert_same_weights,
    image_batch,
    randomised,
    small,
)
from .strategies import OF_PLANS, VALUES, configs, one_of, some, tried

pytestmark = [
    pytest.mark.convolutions,
    pytest.mark.filterwarnings("ignore:.*You are using a softmax over axis"),  # of one class
]


def images_for(model: keras.Model) -> Array:
    """A batch of images; of a size that is known at the call only, a small one."""
    return image_batch(3, *(size or 9 + axis for axis, size in enumerate(model.input_shape[1:])))


def outputs(model: keras.Model, images: Array) -> list[Array]:
    found = keras.tree.flatten(model(images, training=False))
    return [keras.ops.convert_to_numpy(of).astype("float64") for of in found]


def assert_close(found: list[Array], expected: list[Array]) -> None:
    """Judged by the largest number of each output, single precision being all that is needed."""
    for ours, theirs in zip(found, expected, strict=True):
        assert ours.shape == theirs.shape
        assert np.abs(ours - theirs).max() <= 1e-4 * max(np.abs(theirs).max(), 1e-3)


def again(model: keras.Model, **changes: Any) -> keras.Model:
    """The same network with the same weights, built with other options."""
    other = ResnetBuilder.from_json(ResnetBuilder.to_json(model), **changes)
    other.set_weights(model.get_weights())
    return other


# Relations ----------------------------------------------------------------------------------------


def in_another_batch(model: keras.Model, folder: Path) -> None:
    images, order = images_for(model), [2, 0, 1]
    assert_close(outputs(model, images[order]), [of[order] for of in outputs(model, images)])


def in_the_other_order(model: keras.Model, folder: Path) -> None:
    images, is_first = images_for(model), order_of(model) == "channels_first"
    other, axes = ("channels_last", (0, 2, 3, 1)) if is_first else ("channels_first", (0, 3, 1, 2))
    turned = again(
        model, input_shape=in_order(config_of(model).input_shape, other), data_format=other
    )
    expected = [of.transpose(axes) if of.ndim == 4 else of for of in outputs(model, images)]
    assert_close(outputs(turned, images.transpose(axes)), expected)


def order_of(model: keras.Model) -> str:
    return str(build_record_of(model).options["data_format"])


def of_any_size(model: keras.Model, folder: Path) -> None:
    channels, order = config_of(model).input_shape[2], order_of(model)
    try:
        other = again(model, input_shape=in_order((None, None, channels), order))
    except ValueError as error:  # an attention pool has a position for every pixel
        assert_named(error, ["input_shape"])
        return
    images = images_for(model)
    assert_close(outputs(other, images), outputs(model, images))


def at_its_own_stride(model: keras.Model, folder: Path) -> None:
    record = build_record_of(model)
    if not record.options["output_stride"]:
        stride = list(feature_info(record.config).values())[-1].stride
        assert again(model, output_stride=stride).get_config() == model.get_config()


def folded(model: keras.Model, folder: Path) -> None:
    images = images_for(model)
    assert_close(outputs(fold_batch_norm(model), images), outputs(model, images))


def in_onnx(model: keras.Model, folder: Path) -> None:
    images, path = images_for(model), folder / "net.onnx"
    try:
        write_onnx(model, path)
    except ValueError as error:
        assert_named(error, ["activation", "float64"])
        return
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    [name] = [of.name for of in session.get_inputs()]
    found = [of.astype("float64") for of in session.run(None, {name: images})]
    assert_close(found, outputs(model, images))


def in_a_keras_file(model: keras.Model, folder: Path) -> None:
    model.save(folder / "net.keras")
    loaded, images = keras.saving.load_model(folder / "net.keras"), images_for(model)
    for ours, theirs in zip(outputs(loaded, images), outputs(model, images), strict=True):
        np.testing.assert_array_equal(ours, theirs)
    blank = blank_like(model)
    load_weights(blank, folder / "net.keras")
    assert_same_weights(blank, model)


def blank_like(model: keras.Model) -> keras.Model:
    return ResnetBuilder.from_json(ResnetBuilder.to_json(model))


def in_a_file_of_weights(model: keras.Model, folder: Path) -> None:
    model.save_weights(folder / "net.weights.h5")
    for load in (keras.Model.load_weights, load_weights):
        blank = blank_like(model)
        load(blank, folder / "net.weights.h5")
        assert_same_weights(blank, model)


def under_any_names(model: keras.Model, folder: Path) -> None:
    write_weights(model, folder / "keras.npz")  # which is never refused
    for names in LIBRARIES:
        for ending in (".npz", ".safetensors", ".h5"):
            path = folder / f"net{ending}"
            try:
                write_weights(model, path, names=names)
            except ValueError as error:
                assert_named(error, ["names"])
                continue
            blank = blank_like(model)
            load_weights(blank, path)
            for ours, theirs in zip(blank.weights, model.weights, strict=True):
                # A variance is written with another epsilon.
                np.testing.assert_allclose(ours.numpy(), theirs.numpy(), rtol=1e-5, atol=1e-6)


def in_a_folder(model: keras.Model, folder: Path) -> None:
    save_pretrained(model, folder)
    record = build_record_of(model)
    options = {name: of for name, of in record.options.items() if name != "name"}
    assert_same_weights(ResnetBuilder.from_preset(str(folder), **options), model)


def trained(model: keras.Model, folder: Path) -> None:
    images = images_for(model)
    model.compile("sgd", "mse", run_eagerly=True)
    zeros = keras.tree.map_structure(lambda of: np.zeros(tuple(of.shape)), model(images))
    loss = model.train_on_batch(images, zeros)
    assert np.isfinite(np.asarray(loss)).all()


RELATIONS: list[Callable[[keras.Model, Path], None]] = [
    *(in_another_batch, in_the_other_order, of_any_size, at_its_own_stride, folded, in_onnx),
    *(in_a_keras_file, in_a_file_of_weights, under_any_names, in_a_folder, trained),
]


# Every relation of every kind of network; of each relation, one kind that is not slow.
CASES = [
    pytest.param(
        preset,
        relation,
        id=f"{preset}-{relation.__name__}",
        marks=[] if number % len(KINDS_OF_BLOCK) == kind else pytest.mark.slow,
    )
    for kind, preset in enumerate(KINDS_OF_BLOCK)
    for number, relation in enumerate(RELATIONS)
]


@pytest.mark.parametrize(("preset", "relation"), CASES)
def test_equal_in_another_way(
    preset: str, relation: Callable[[keras.Model, Path], None], tmp_path: Path
) -> None:
    relation(randomised(small(preset)), tmp_path)


# Random networks ----------------------------------------------------------------------------------

# Few filters and pixels; what overflows or divides by 0 is left out.
SMALL: dict[str, tuple[Any, ...]] = VALUES | {
    "activation": ("silu", "softmax", "gelu", "tanh", "leaky_relu", "hard_silu"),
    "batch_norm_epsilon": (1e-3,),
    "input_shape": ((16, 9, 4), (1, 1, 1), (2, 3, 3), (None, 7, 3), (None, None, 2), (9, 20, 1)),
    "width_per_group": (128, 32),
    "stem_filters": (8, 12, 32),
}
OPTIONS: dict[str, tuple[Any, ...]] = OF_PLANS | {
    "data_format": ("channels_first",),
    "dtype": ("float64",),
    "layer_prefix": ("left_", "a.b-", "stage1_block1_"),
    "features": (("stem",), ("stage1", "predictions")),
    "remat": (True, ("stem",)),
}


def build(config: ResnetConfig, options: dict[str, Any]) -> keras.Model | None:
    """The model; None if the options are refused by name."""
    keras.utils.clear_session(free_memory=False)
    try:
        return randomised(ResnetBuilder.from_config(config, **options))
    except ValueError as error:
        assert_named(error, options)
        return None


def assert_planned(model: keras.Model) -> None:
    """Names and shapes of all layers and weights."""
    record = build_record_of(model)
    prefix, features = record.options["layer_prefix"], record.options["features"]
    planned = {
        f"{prefix}{layer.name}": (layer.output_shape, list(layer.weights.items()))
        for layer in record.plan().layers
    }
    built = {
        layer.name: (
            tuple(layer.output.shape[1:]),
            [(weight.name, tuple(weight.shape)) for weight in layer.weights],
        )
        for layer in model.layers
        if not layer.name.endswith("_permute")
    }
    image = f"{prefix}input"
    built[image] = planned[image] if order_of(model) == "channels_first" else built[image]
    assert built == planned if features is None else built.items() <= planned.items()


@tried(
    4,
    configs(values=SMALL, filters=(8, 12, 16), input_shape=(12, 17, 3), classes=5),
    some(OPTIONS),
    one_of(RELATIONS),
)
def test_built_as_planned_and_equal_in_another_way(
    config: ResnetConfig, options: dict[str, Any], relation: Callable[[keras.Model, Path], None]
) -> None:
    if model := build(config, options):
        assert_planned(model)
        assert all(np.isfinite(of).all() for of in outputs(model, images_for(model)))
        with TemporaryDirectory() as folder:
            relation(model, Path(folder))
