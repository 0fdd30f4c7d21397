"""The words for Keras layers."""

import keras
import pytest

from resnet_builder.pictures.sketch.of_model import describe_layer, kind

layers = keras.layers


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda: layers.Conv2D(8, 3, strides=2, groups=2), "3×3 conv, 8, 2 groups, stride 2"),
        (lambda: layers.Conv2D(8, (1, 7), strides=(2, 1)), "1×7 conv, 8, stride 2×1"),
        (lambda: layers.Conv2D(8, 3, dilation_rate=2), "3×3 conv, 8, dilation 2"),
        (lambda: layers.Conv2D(8, 1, activation="gelu"), "1×1 conv, 8 | GELU"),
        (lambda: layers.DepthwiseConv2D(3), "3×3 depthwise conv, 4"),
        (lambda: layers.SeparableConv2D(8, 3), "3×3 separable conv, 8"),
        (lambda: layers.Conv2DTranspose(8, 2, 2), "2×2 transposed conv, 8, stride 2"),
        (lambda: layers.BatchNormalization(), "BN"),
        (lambda: layers.Activation("relu"), "ReLU"),
        (lambda: layers.ReLU(), "ReLU"),
        (lambda: layers.ReLU(max_value=6), "ReLU6"),
        (lambda: layers.ReLU(max_value=0.0), "ReLU0"),
        (lambda: layers.ReLU(negative_slope=0.1), "leaky ReLU"),
        (lambda: layers.ReLU(6, negative_slope=0.1), "leaky ReLU6"),
        (lambda: layers.ReLU(threshold=0.5), "ReLU, threshold 0.5"),
        (lambda: layers.Activation(layers.ReLU(6.0)), "ReLU6"),
        (lambda: layers.Activation(layers.Activation("silu")), "SiLU"),
        (lambda: layers.LeakyReLU(), "leaky ReLU"),
        (lambda: layers.PReLU(), "PReLU"),
        (lambda: layers.Softmax(), "softmax"),
        (lambda: layers.Activation(lambda x: x * 2), "<lambda>"),
        (lambda: layers.MaxPooling2D(), "2×2 max pool, stride 2"),
        (lambda: layers.GlobalAveragePooling2D(), "global avg pool"),
        (lambda: layers.Dropout(0.25), "dropout, 0.25"),
        (lambda: layers.Dropout(0.25, noise_shape=(None, 1, 1, 1)), "drop path"),
        (lambda: layers.Dense(3, activation="softmax"), "dense, 3 | softmax"),
        (lambda: layers.Dense(3, activation=layers.LeakyReLU()), "dense, 3 | leaky ReLU"),
        (lambda: layers.Flatten(), "flatten"),
        (lambda: layers.Rescaling(2.0), "rescaling"),
    ],
)
def test_the_words_of_a_layer(make: type[keras.Layer], text: str) -> None:
    layer = make()
    image = keras.Input((8, 8, 4))
    shape = tuple(layer(image).shape)
    assert " | ".join(words.words for words in describe_layer(layer, shape)) == text


def test_operations_have_the_kinds_of_layers_of_the_same_name() -> None:
    left, right = keras.Input((4,)), keras.Input((4,))
    model = keras.Model([left, right], keras.ops.relu(left + right))
    kinds = {type(operation).__name__: kind(operation) for operation in model.operations}
    assert kinds == {"InputLayer": "other", "Add": "merge", "Relu": "activation"}
