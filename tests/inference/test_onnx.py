"""ONNX graphs of Keras models, computed by onnxruntime."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import onnx
import onnxruntime
import pytest
from keras import layers, ops

from resnet_builder import ResnetBuilder, deeplab, fpn, list_presets, preprocessing, unet
from resnet_builder.inference import onnx_file
from resnet_builder.inference.onnx_file import write_onnx
from resnet_builder.inference.resizing import CROP_MODES, resized

from ..helpers import Array, image_batch, randomised, relative_error, small

pytestmark = pytest.mark.convolutions


def onnx_outputs(model: keras.Model, path: Path, *inputs: Array) -> list[Array]:
    """What onnxruntime computes of the file that is written."""
    write_onnx(model, path)
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    names = [of.name for of in session.get_inputs()]
    return list(session.run(None, dict(zip(names, inputs, strict=True))))


def assert_same_outputs(model: keras.Model, path: Path, *inputs: Array) -> None:
    given = keras.tree.pack_sequence_as(model.input, list(inputs))
    expected = [ops.convert_to_numpy(x) for x in keras.tree.flatten(model(given, training=False))]
    found = onnx_outputs(model, path, *inputs)
    assert [of.shape for of in found] == [of.shape for of in expected]
    assert [of.dtype for of in found] == [of.dtype for of in expected]
    for ours, theirs in zip(found, expected, strict=True):
        assert relative_error(ours.astype("float64"), theirs.astype("float64")) <= 1e-5


# Networks -----------------------------------------------------------------------------------------

# Of every kind of layer, one.
NETWORKS: dict[str, dict[str, Any]] = {
    "resnext50_32x4d": {"groups": 4, "width_per_group": 32},
    "resnetv2_50": {},
    "resnet18d": {},
    "seresnet50": {},
    "ecaresnet50d": {},
    "gcresnext50ts": {"filters": 32},
    "resnest50d": {"filters": 32},
    "skresnet18": {"filters": 32},
    "res2net50_26w_4s": {"filters": 32},
    "resnetblur18": {},
    "resnet50_gn": {"norm_groups": 4},
    "resnetv2_50d_evos": {"norm_groups": 4},
    "resnetv2_50x1_bit": {"norm_groups": 4},
    "resnet50_clip": {},
    "resnet20_cifar": {},
}


@pytest.mark.parametrize("preset", NETWORKS)
def test_networks(preset: str, tmp_path: Path) -> None:
    model = randomised(small(preset, classifier_activation=None, **NETWORKS[preset]))
    assert_same_outputs(model, tmp_path / "x.onnx", image_batch(3, 16, 16, 3))


@pytest.mark.parametrize("preset", ["resnet18", "resnetblur18", "resnest50d", "resnet20_cifar"])
def test_any_size(preset: str, tmp_path: Path) -> None:
    options = NETWORKS.get(preset, {}) | {"input_shape": (None, None, 3)}
    model = randomised(small(preset, classifier_activation=None, **options))
    for rows, columns in ((17, 22), (16, 31)):
        assert_same_outputs(model, tmp_path / "x.onnx", image_batch(2, rows, columns, 3))


@pytest.mark.slow
@pytest.mark.parametrize("preset", list_presets())
def test_every_preset(preset: str, tmp_path: Path) -> None:
    model = ResnetBuilder.from_preset(preset, (64, 64, 3), classifier_activation=None)
    assert_same_outputs(randomised(model), tmp_path / "x.onnx", image_batch(2, 64, 64, 3))
    keras.backend.clear_session()


@pytest.mark.parametrize(
    ("head", "options"),
    [
        (unet, {"decoder_filters": (16, 8, 8, 8, 4)}),
        (fpn, {"decoder_filters": 8}),
        (deeplab, {"decoder_filters": 8}),
    ],
)
def test_heads(head: Callable[..., keras.Model], options: dict[str, Any], tmp_path: Path) -> None:
    settings = {"filters": 8, "repetitions": (1, 1, 1, 1)} | options
    model = randomised(head("resnet18", (None, None, 3), classes=3, activation=None, **settings))
    assert_same_outputs(model, tmp_path / "x.onnx", image_batch(1, 35, 46, 3))


@pytest.mark.parametrize("shape", [(21, 30), (40, 17)])
@pytest.mark.parametrize("crop_mode", CROP_MODES)
def test_preprocessing(crop_mode: str, shape: tuple[int, int], tmp_path: Path) -> None:
    kernels = dict(zip(CROP_MODES, ("bicubic", "bilinear", "bicubic", "bilinear"), strict=True))
    images = keras.Input((3, None, None))
    end = resized(images, (16, 16), 0.875, kernels[crop_mode], crop_mode, border=[124, 116, 104])
    pixels = np.random.default_rng(0).integers(0, 256, (1, 3, *shape)).astype("float32")
    model = keras.Model(images, end)
    [found] = onnx_outputs(model, tmp_path / "x.onnx", pixels)
    differences = np.abs(found - ops.convert_to_numpy(model(pixels)))
    # The half of a grey level, which 1% to 2% of the pixels have after one of the two directions,
    # may be rounded up by one and down by the other.
    assert differences.max() <= 1
    often = {"tensorflow": 0.01, "torch": 0.02, "jax": 0.05}
    assert np.mean(differences > 1e-3) <= often[keras.backend.backend()]


def test_features_with_channels_first_are_not_transposed(tmp_path: Path) -> None:
    features = ("stage1", "stage2", "predictions")
    options = {"input_shape": (3, 16, 16), "data_format": "channels_first"}
    model = randomised(small("resnet18", features=features, **options))
    assert_same_outputs(model, tmp_path / "x.onnx", image_batch(2, 3, 16, 16))
    graph = onnx.load(tmp_path / "x.onnx").graph
    assert "Transpose" not in {node.op_type for node in graph.node}
    assert [of.name for of in graph.output] == sorted(features)


def test_layers_and_weights_keep_their_names(tmp_path: Path) -> None:
    model = small("resnet18")
    write_onnx(model, tmp_path / "x.onnx")
    file = onnx.load(tmp_path / "x.onnx")
    onnx.checker.check_model(file, full_check=True)
    # ONNX's table of versions (docs/Versioning.md): what onnxruntime 1.14 and later read.
    assert (file.ir_version, file.opset_import[0].version) == (8, 18)
    graph = file.graph
    nodes = {node.name for node in graph.node}
    assert {of.name for of in model.layers} - {"input"} <= nodes
    assert {weight.path for weight in model.weights} <= {of.name for of in graph.initializer}
    assert [of.name for of in graph.input] == ["input"]
    assert [of.name for of in graph.output] == ["predictions"]
    transposed = [node for node in graph.node if node.op_type == "Transpose"]
    assert len(transposed) == 1
    sizes = graph.input[0].type.tensor_type.shape.dim
    assert [of.dim_param or of.dim_value for of in sizes] == ["batch", 16, 16, 3]


def test_a_network_inside_a_model(tmp_path: Path) -> None:
    network = randomised(small("resnetv2_50d_evos", norm_groups=4, input_shape=(None, None, 3)))
    prepare = preprocessing(size=16, mean=0.5, std=0.25, data_format="channels_last")
    image = keras.Input((None, None, 3), dtype="uint8")
    model = keras.Model(image, network(prepare(ops.cast(image, "float32"))))
    photograph = np.random.default_rng(0).integers(0, 256, (2, 21, 30, 3)).astype("uint8")
    assert_same_outputs(model, tmp_path / "x.onnx", photograph)
    nodes = {node.name for node in onnx.load(tmp_path / "x.onnx").graph.node}
    assert {"stage1_block1_conv1", "predictions"} <= nodes


def test_weights_of_more_than_two_gib_are_in_a_second_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(onnx_file, "LARGEST", 1000)
    model = randomised(small("resnet18"))
    assert_same_outputs(model, tmp_path / "x.onnx", image_batch(1, 16, 16, 3))
    sizes = {path.name: path.stat().st_size for path in tmp_path.iterdir()}
    weights = sum(weight.numpy().nbytes for weight in model.weights)
    assert sizes["x.onnx"] < weights / 2
    assert sizes["x.onnx.data"] == weights


# Layers -------------------------------------------------------------------------------------------

LAYERS: dict[str, tuple[Callable[[], keras.Layer], tuple[int | None, ...]]] = {
    "conv": (lambda: layers.Conv2D(4, (3, 2), strides=2, padding="same"), (7, 8, 3)),
    "conv, unknown size": (lambda: layers.Conv2D(4, 3, 2, "same"), (None, None, 3)),
    "dilated": (lambda: layers.Conv2D(4, 3, dilation_rate=2, padding="same"), (None, 8, 3)),
    "depthwise": (
        lambda: layers.DepthwiseConv2D(3, depth_multiplier=2, padding="same", activation="gelu"),
        (6, 5, 3),
    ),
    "separable": (lambda: layers.SeparableConv2D(4, 3, 2, "same", activation="silu"), (7, 7, 2)),
    **{
        f"transposed, {kernel}, {padding}": (
            lambda kernel=kernel, padding=padding: layers.Conv2DTranspose(  # type: ignore[misc]
                4, kernel, 2, padding
            ),
            (5, 6, 3),
        )
        for kernel in (1, 2, 3, 4)
        for padding in ("same", "valid")
    },
    "nearest": (lambda: layers.UpSampling2D((2, 3)), (None, 4, 3)),
    "bilinear": (lambda: layers.UpSampling2D(2, interpolation="bilinear"), (5, None, 3)),
    "padded": (lambda: layers.ZeroPadding2D(((1, 0), (2, 3))), (4, 5, 2)),
    "cropped": (lambda: layers.Cropping2D(((1, 0), (0, 2))), (4, 5, 2)),
    "max pool": (lambda: layers.MaxPooling2D(3, 2, "same"), (None, 7, 2)),
    "average pool": (lambda: layers.AveragePooling2D(3, 2, "same"), (7, 8, 2)),
    "global maximum": (lambda: layers.GlobalMaxPooling2D(keepdims=True), (7, 8, 2)),
    "layer norm": (lambda: layers.LayerNormalization(), (4, 4, 8)),
    "group norm": (lambda: layers.GroupNormalization(4), (None, None, 8)),
    "batch norm of a vector": (lambda: layers.BatchNormalization(), (8,)),
    "batch norm of channels first": (lambda: layers.BatchNormalization(axis=1), (8, 3, 3)),
    "normalization": (lambda: layers.Normalization(mean=[1, 2], variance=[4, 5]), (3, 3, 2)),
    "rescaling": (lambda: layers.Rescaling([2.0, 3.0], [1.0, 0.5]), (3, 3, 2)),
    "dense of a map": (lambda: layers.Dense(3, activation="softmax"), (3, 3, 2)),
    "softmax of two axes": (lambda: layers.Softmax((1, 2)), (3, 3, 2)),
    "relu": (lambda: layers.ReLU(max_value=0.5), (8,)),
    "leaky relu": (lambda: layers.LeakyReLU(0.1), (8,)),
    "unit": (lambda: layers.UnitNormalization(), (3, 3, 2)),
    "flat": (lambda: layers.Flatten(), (3, 3, 2)),
    "permuted": (lambda: layers.Permute((3, 1, 2)), (3, 4, 2)),
    "dropout": (lambda: layers.SpatialDropout2D(0.5), (3, 4, 2)),
}


@pytest.mark.parametrize("name", LAYERS)
def test_layers(name: str, tmp_path: Path) -> None:
    """After a convolution, so that onnxruntime has the channels second."""
    if name == "average pool" and keras.backend.backend() == "torch":
        pytest.skip("Keras on PyTorch repeats the border where it pads by unequal numbers")
    make, shape = LAYERS[name]
    image = keras.Input(shape)
    x = layers.Conv2D(shape[-1], 1)(image) if len(shape) == 3 and shape[0] != 8 else image
    model = randomised(keras.Model(image, make()(x)))
    sizes = [6 + axis if size is None else size for axis, size in enumerate(shape)]
    assert_same_outputs(model, tmp_path / "x.onnx", image_batch(2, *sizes))


@pytest.mark.parametrize(
    "name",
    [
        *("elu", "exponential", "gelu", "hard_sigmoid", "hard_silu", "leaky_relu", "log_softmax"),
        *("mish", "relu6", "selu", "silu", "softmax", "softplus", "softsign", "tanh"),
    ],
)
def test_activations(name: str, tmp_path: Path) -> None:
    image = keras.Input((3, 4, 2))
    model = keras.Model(image, layers.Activation(name)(layers.Conv2D(2, 1)(image)))
    assert_same_outputs(randomised(model), tmp_path / "x.onnx", 3 * image_batch(2, 3, 4, 2))


CONSTANT = np.arange(1, 3, dtype="float32")
OPERATIONS: dict[str, Callable[[Any], Any]] = {
    "arithmetic": lambda x: (2 - x) * CONSTANT / ops.maximum(ops.abs(x), 0.5) + x**2,
    "comparison": lambda x: ops.where(ops.logical_and(x > 0, x <= 1), x, 0.5),
    "masked": lambda x: ops.where(x[:, :1, :1, :1] > 0, x, 0 - x),
    "no nan": lambda x: ops.divide_no_nan(x, ops.floor(x)),
    "rounded": lambda x: ops.round(3 * x) + ops.ceil(x) + ops.floor(x),
    "integers": lambda x: ops.cast(ops.cast(10 * x, "int32") // 3, "float32"),
    "sizes": lambda x: ops.cumsum(ops.ones_like(x), axis=1) - ops.cumsum(x, axis=2),
    "sum": lambda x: ops.sum(x, axis=(1, 3)) + ops.max(x[:, :1], axis=(1, 3)),
    "means": lambda x: ops.mean(x, axis=-1, keepdims=True) * ops.mean(x, axis=1, keepdims=True),
    "item": lambda x: ops.concatenate([x[:, ::-1, 1:], x[:, 1:2, :-1], x[:, -1:, 1:]], axis=1),
    "axes": lambda x: ops.expand_dims(ops.transpose(x, (0, 3, 1, 2)), 1),
    "an axis less": lambda x: x[:, 0, 1:, -1],
    "einsum": lambda x: ops.einsum("bhwc,bhwk->bck", x, x),
    "matmul": lambda x: ops.matmul(x, ops.transpose(x[0, 0, :2])),
    "attention": lambda x: ops.nn.dot_product_attention(x, 2 * x, x + 1),
    "repeat": lambda x: ops.repeat(x, 2, axis=-1),
    "take": lambda x: ops.take(x, ops.cast(ops.abs(x[0, :, 0, 0]), "int32") % 3, axis=2),
    "reflected": lambda x: ops.pad(x, ((0, 0), (1, 2), (0, 1), (0, 0)), mode="reflect"),
    "flip": lambda x: ops.flip(x, axis=-1),
}


@pytest.mark.parametrize("name", OPERATIONS)
def test_operations(name: str, tmp_path: Path) -> None:
    if name == "item" and keras.backend.backend() == "torch":
        pytest.skip("PyTorch has no slices with negative steps")
    image = keras.Input((3, 4, 2))
    model = keras.Model(image, OPERATIONS[name](layers.Conv2D(2, 1)(image)))
    assert_same_outputs(randomised(model), tmp_path / "x.onnx", image_batch(2, 3, 4, 2))


def test_two_inputs_a_shared_layer_and_an_output_that_is_used(tmp_path: Path) -> None:
    left, right = keras.Input((4, 4, 2), name="left"), keras.Input((4, 4, 2), name="right")
    shared = layers.Conv2D(3, 3, name="shared")
    both = layers.Add(name="both")([shared(left), shared(right)])
    model = randomised(keras.Model([left, right], {"b": both, "a": layers.ReLU()(both)}))
    images = image_batch(4, 4, 4, 2)
    assert_same_outputs(model, tmp_path / "x.onnx", images[:2], images[2:])
    graph = onnx.load(tmp_path / "x.onnx").graph
    assert [of.name for of in graph.input] == ["left", "right"]
    assert [of.name for of in graph.output] == ["a", "b"]
    assert len([of for of in graph.initializer if of.name == "shared/kernel"]) == 1


def test_a_network_for_two_images(tmp_path: Path) -> None:
    """As in docs/howto/two_networks.md."""
    embed = keras.Sequential([small("resnet18", pooling="avg", classes=None), layers.Dense(3)])
    left, right = keras.Input((16, 16, 3)), keras.Input((16, 16, 3))
    unit = layers.UnitNormalization()
    model = keras.Model([left, right], layers.Dot(1)([unit(embed(left)), unit(embed(right))]))
    images = image_batch(4, 16, 16, 3)
    assert_same_outputs(randomised(model), tmp_path / "x.onnx", images[:2], images[2:])


# Refusals -----------------------------------------------------------------------------------------


def _refused(make: Callable[[Any], Any], shape: tuple[int | None, ...] = (8, 8, 2)) -> str:
    image = keras.Input(shape)
    with pytest.raises(ValueError) as error:  # noqa: PT011 - the caller asserts the message
        write_onnx(keras.Model(image, make(image), name="mine"), Path("never.onnx"))
    return str(error.value)


def test_layers_without_a_counterpart_are_named_with_the_way() -> None:
    message = _refused(
        lambda x: layers.Resizing(4, 4, name="resized")(
            layers.RandomFlip(name="flipped")(layers.Dense(2, name="dense")(x))
        )
    )
    refused, way = message.split(". ", maxsplit=1)
    assert refused == (
        "'mine' cannot be written as ONNX: the layer 'flipped' (RandomFlip) has no counterpart "
        "here; the layer 'resized' (Resizing) has no counterpart here"
    )
    assert way.startswith("Build these parts of Activation, Add, AveragePooling2D, ")
    assert "or load the model with Keras on PyTorch (KERAS_BACKEND=torch)" in way


def test_a_layer_of_ones_own_is_not_taken_for_its_base() -> None:
    class Doubled(layers.Dense):
        def call(self, inputs: Any) -> Any:
            return 2 * super().call(inputs)

    assert "'mine_too' (Doubled)" in _refused(lambda x: Doubled(2, name="mine_too")(x))


SETTINGS: dict[str, Callable[[Any], Any]] = {
    "its interpolation is bicubic, and not nearest or bilinear": lambda x: layers.UpSampling2D(
        interpolation="bicubic"
    )(x),
    "its activation celu is none of Keras's that": lambda x: layers.Dense(2, activation="celu")(x),
    "it has a threshold": lambda x: layers.ReLU(threshold=1.0)(x),
    "padding='causal'": lambda x: layers.Conv1D(2, 3, padding="causal")(x[:, 0]),
    "its tensors are 2 in number, and not 1": lambda x: layers.Softmax()(x, mask=x > 0),
    "its inputs have different numbers of axes": lambda x: layers.Add()([x, x[:, 0, 0]]),
    "its axis 2 is neither the second nor the last": lambda x: layers.BatchNormalization(axis=2)(x),
    "its index is not of numbers and slices": lambda x: x[..., 0],
    "it has a mask, a bias or a scale": lambda x: ops.nn.dot_product_attention(x, x, x, scale=2.0),
    "its tensors are 1 in number, and not 2": lambda x: ops.take(x, [1, 0], axis=1),
    "it has an output_padding": lambda x: layers.Conv2DTranspose(2, 3, 2, output_padding=1)(x),
    "its axis [1] is not the last": lambda x: layers.LayerNormalization(axis=1)(x),
    "it has several axes, [1, 2]": lambda x: layers.UnitNormalization(axis=[1, 2])(x),
    "it normalizes, or its inputs": lambda x: layers.Dot(1, normalize=True)([x[:, 0, 0]] * 2),
    "invert=True": lambda x: layers.Normalization(mean=0.0, variance=1.0, invert=True)(x),
    "it is of other numbers than integers": lambda x: ops.mod(x, 2.0),
    "it rounds to decimals": lambda x: ops.round(x, 2),
    "it has no axis": lambda x: ops.cumsum(x),
    "its equation is '...i->...'": lambda x: ops.einsum("...i->...", x),
    "it is causal": lambda x: ops.nn.dot_product_attention(x, x, x, is_causal=True),
    "mode='symmetric', or a constant": lambda x: ops.pad(x, [(0, 0), (1, 1)] * 2, mode="symmetric"),
    "it repeats an axis of unknown size": lambda x: ops.repeat(x, 2, axis=0),
    "it has no axis, or its numbers": lambda x: ops.take(x, ops.cast(x[:, 0], "int32"), axis=1),
}


@pytest.mark.parametrize("reason", SETTINGS)
def test_settings_without_a_counterpart_are_named(reason: str) -> None:
    message = _refused(SETTINGS[reason])
    assert message.startswith("the layer ")
    assert f" cannot be written as ONNX: {reason}" in message


def test_half_precision_is_refused_with_the_way() -> None:
    message = _refused(lambda x: layers.Conv2D(2, 1, dtype="mixed_float16", name="half")(x))
    assert "'half' (Conv2D) computes in float16: build the network with dtype='float32'" in message


def test_a_call_in_training_mode_is_refused() -> None:
    message = _refused(lambda x: layers.BatchNormalization(name="norm")(x, training=True))
    assert "the layer 'norm' (BatchNormalization) is called with training=True" in message
