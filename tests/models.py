"""Models that contain networks of this package, or that are like none."""

from typing import Any

import keras
from keras import layers
from keras.src.applications import resnet

from resnet_builder import ResnetBuilder


def two_branches() -> keras.Model:
    """Two inputs, a shared layer, an operation without a layer, two outputs."""
    left, right = keras.Input((8,), name="left"), keras.Input((4,), name="right")
    shared = keras.layers.Dense(3, name="shared")
    widened = keras.layers.Dense(8, name="<b>&amp;", activation="relu")(right)
    joined = keras.layers.Concatenate(name="join")([shared(left), shared(widened)])
    return keras.Model([left, right], [joined, keras.ops.relu(joined)], name="two")


SMALL_NETWORK: dict[str, Any] = {"input_shape": (64, 64, 3), "repetitions": (1, 2), "filters": 8}


def unet() -> keras.Model:
    """A decoder upon the feature maps of a network: 32x32 and 16x16 again, and the image's size."""
    features = ("stem", "stage1", "stage2")
    network = ResnetBuilder.from_preset("resnet18", features=features, **SMALL_NETWORK)
    x = network.output["stage2"]
    for feature in ("stage1", "stem"):
        x = layers.Concatenate()([layers.UpSampling2D()(x), network.output[feature]])
        for _ in range(2):
            x = layers.Conv2D(8, 3, padding="same", use_bias=False)(x)
            x = layers.ReLU()(layers.BatchNormalization()(x))
    x = layers.Conv2D(3, 1, activation="softmax")(layers.UpSampling2D()(x))
    return keras.Model(network.input, x, name="unet")


def feature_pyramid() -> keras.Model:
    """Two levels of a pyramid of feature maps, as in Lin et al. 2016 (arXiv:1612.03144)."""
    network = ResnetBuilder.from_preset("resnet18", features=("stage1", "stage2"), **SMALL_NETWORK)
    fine, coarse = (layers.Conv2D(4, 1)(network.output[name]) for name in ("stage1", "stage2"))
    fine = layers.Add()([layers.UpSampling2D()(coarse), fine])
    outputs = [layers.Conv2D(4, 3, padding="same")(level) for level in (fine, coarse)]
    return keras.Model(network.input, outputs, name="pyramid")


def two_towers() -> keras.Model:
    """Two networks, joined by a classifier."""
    left, right = (
        ResnetBuilder.from_preset(
            "resnet18", include_top=False, pooling="avg", layer_prefix=prefix, **SMALL_NETWORK
        )
        for prefix in ("left_", "right_")
    )
    joined = layers.Concatenate()([left.output, right.output])
    return keras.Model([left.input, right.input], layers.Dense(5)(joined), name="towers")


def siamese() -> keras.Model:
    """One network called twice."""
    network = ResnetBuilder.from_preset(
        "resnet18", include_top=False, pooling="avg", **SMALL_NETWORK
    )
    pair = [keras.Input((64, 64, 3), name=name) for name in ("left", "right")]
    return keras.Model(pair, layers.Dense(1)(layers.Subtract()(list(map(network, pair)))))


def with_separable_blocks() -> keras.Model:
    """The network of the README's section on blocks of one's own."""

    def separable_block(filters: int, init_strides: Any = (1, 1), **_: Any) -> Any:
        def apply(x: Any) -> Any:
            y = layers.SeparableConv2D(filters, 3, strides=init_strides, padding="same")(x)
            y = layers.BatchNormalization()(y)
            shortcut = layers.Conv2D(filters, 1, strides=init_strides)(x)
            return layers.Add()([shortcut, y])

        return apply

    return ResnetBuilder.build((3, 64, 64), 10, separable_block, [2, 2, 2])


# Models that contain networks of this package.
BUILT_UPON = {
    "unet": unet,
    "feature_pyramid": feature_pyramid,
    "two_towers": two_towers,
    "siamese": siamese,
    "with_separable_blocks": with_separable_blocks,
}


# What the first two stages of keras.applications' ResNet50 and ResNet50V2 are here.
OF_KERAS: dict[str, Any] = {"repetitions": (2, 2), "input_shape": (32, 32, 3)}


def of_keras_applications(version: int, **options: Any) -> keras.Model:
    """Two stages of two blocks by the functions of keras.applications, with the names it gives.

    They are not public: the public ones build 16 blocks and more.
    """
    stack = {1: resnet.stack_residual_blocks_v1, 2: resnet.stack_residual_blocks_v2}[version]
    strides = {1: (1, 2), 2: (2, 1)}[version]  # of the stages, as in ResNet50 and ResNet50V2

    def stages(x: Any) -> Any:
        for number, (filters, stride) in enumerate(zip((64, 128), strides, strict=True), 2):
            x = stack(x, filters, 2, stride1=stride, name=f"conv{number}")
        return x

    built: keras.Model = resnet.ResNet(
        stages, version == 2, True, weights=None, input_shape=(32, 32, 3), **options
    )
    return built


def with_a_table() -> keras.Model:
    """A network's vector beside that of a table."""
    network = ResnetBuilder.from_preset(
        "resnet18", include_top=False, pooling="avg", **SMALL_NETWORK
    )
    table = keras.Input((7,), name="table")
    joined = layers.Concatenate()([network.output, layers.Dense(8, activation="relu")(table)])
    return keras.Model([network.input, table], layers.Dense(3)(joined), name="with_a_table")


def gated_by_a_table() -> keras.Model:
    """A feature map times a vector that is computed from a table."""
    network = ResnetBuilder.from_preset("resnet18", include_top=False, **SMALL_NETWORK)
    table = keras.Input((7,), name="table")
    gate = layers.Reshape((1, 1, 4))(layers.Dense(4, activation="sigmoid")(table))
    gated = layers.Multiply()([layers.Conv2D(4, 3, padding="same")(network.output), gate])
    return keras.Model([network.input, table], layers.GlobalAveragePooling2D()(gated))


def several_tasks() -> keras.Model:
    """Outputs from the middle of the stem, of a stage, and of the head; one with a second input."""
    features = ("stem", "stage1", "stage2")
    network = ResnetBuilder.from_preset("resnet18", features=features, **SMALL_NETWORK)
    stem, *maps = network.output.values()
    age = keras.Input((5,), name="age")
    one, two = map(layers.GlobalAveragePooling2D(), maps)
    outputs = {
        "map": layers.Conv2D(3, 1)(stem),
        "two": layers.Dense(2)(one),
        "one": layers.Dense(1)(layers.Concatenate()([two, age])),
    }
    return keras.Model([network.input, age], outputs, name="several_tasks")


def nested() -> keras.Model:
    """A network that is a layer."""
    base = ResnetBuilder.from_preset("resnet18", include_top=False, **SMALL_NETWORK)
    head = [layers.GlobalAveragePooling2D(), layers.Dense(4)]
    return keras.Sequential([keras.Input((64, 64, 3)), base, *head], name="nested")


def in_the_middle() -> keras.Model:
    """Inputs that join, and an output that leaves, in the middle of a section."""
    image, other, number = keras.Input((16, 16, 3)), keras.Input((16, 16, 4)), keras.Input((5,))
    x = layers.Conv2D(4, 3, padding="same")(layers.Conv2D(4, 3, padding="same")(image))
    x = layers.Conv2D(4, 3, padding="same")(layers.Add()([x, other]))
    x = layers.Multiply()([x, layers.Reshape((1, 1, 4))(layers.Dense(4)(number))])
    maps = layers.Conv2D(8, 3, strides=2)(layers.Conv2D(4, 3)(x))
    values = layers.Dense(2)(layers.GlobalAveragePooling2D()(x))
    return keras.Model([image, other, number], [maps, values], name="in_the_middle")


def over_sections() -> keras.Model:
    """A skip over sections, that passes a section of its own."""
    features = ("stem", "stage2")
    network = ResnetBuilder.from_preset("resnet18", features=features, **SMALL_NETWORK)
    fine = layers.AveragePooling2D(4)(layers.Conv2D(16, 1)(network.output["stem"]))
    return keras.Model(network.input, layers.Add()([fine, network.output["stage2"]]), name="over")


def up_sampled() -> keras.Model:
    """A map that is up-sampled in the end, to the size of the image."""
    network = ResnetBuilder.from_preset("resnet18", include_top=False, **SMALL_NETWORK)
    maps = layers.Conv2D(3, 1)(layers.UpSampling2D()(network.output))
    return keras.Model(network.input, layers.UpSampling2D(4)(maps), name="up_sampled")


def sharing_layers() -> keras.Model:
    """Two layers called twice each, in a row."""
    first, second = layers.Conv2D(4, 3), layers.Conv2D(4, 3)
    pair = [keras.Input((16, 16, 3)), keras.Input((16, 16, 3))]
    joined = layers.Add()([second(first(image)) for image in pair])
    return keras.Model(pair, layers.Conv2D(2, 1)(joined), name="sharing")


# Models whose lines part and join in all ways.
JOINED = {
    **BUILT_UPON,
    "two_branches": two_branches,
    "with_a_table": with_a_table,
    "gated_by_a_table": gated_by_a_table,
    "several_tasks": several_tasks,
    "nested": nested,
    "in_the_middle": in_the_middle,
    "over_sections": over_sections,
    "up_sampled": up_sampled,
    "sharing_layers": sharing_layers,
}
