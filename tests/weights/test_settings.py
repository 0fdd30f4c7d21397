"""Files of networks whose weights have equal shapes and whose layers compute something else."""

import dataclasses
import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import keras
import numpy as np
import pytest
from keras import layers

from resnet_builder import ResnetBuilder, ResnetConfig, load_weights
from resnet_builder.files.described_graph import DescribedGraph, of_model
from resnet_builder.plan.network import make_plan
from resnet_builder.weights.expected import expected_weights

from ..helpers import assert_same_weights, image_batch, randomised, small
from ..models import OF_KERAS, of_keras_applications

pytestmark = [
    pytest.mark.filterwarnings("ignore:You are saving your model as an HDF5 file"),
]


def nested(body: keras.Model) -> keras.Model:
    image = keras.Input(body.input_shape[1:])
    return keras.Model(image, body(layers.RandomFlip()(image)))


def saved(model: keras.Model, form: str, folder: Path) -> Any:
    """A model in one of `FORMS`, as a source of weights."""
    model = nested(nested(model)) if "nested" in form else model
    path = folder / f"saved.{'h5' if 'h5' in form else 'keras'}"
    if "folder" in form:
        model.save(folder / "saved", zipped=False)
        return folder / "saved"
    if "memory" in form:
        return model
    model.save(path)
    return path


FORMS = ("keras", "h5", "folder", "memory", "nested keras", "nested h5", "nested memory")


@pytest.mark.parametrize(
    ("given", "loaded", "difference"),
    [
        (("resnet50", {}), ("resnet50_v1", {}), "conv1 has strides=[1, 1] there and [2, 2] here"),
        (("resnet50_v1", {}), ("resnet50", {}), "conv1 has strides=[2, 2] there and [1, 1] here"),
        (("plain20_cifar", {}), ("resnet20_cifar", {}), "stage1_block1_add is not in the file"),
        (("resnet20_cifar", {}), ("plain20_cifar", {}), "stage1_block1_add is only in the file"),
        (
            ("resnet18", {"activation": "silu"}),
            ("resnet18", {}),
            "stem_act has activation=silu there and relu here",
        ),
        (("resnet18", {}), ("resnetblur18", {}), "stage2_block1_pool1 is not in the file"),
        (
            ("resnet18", {"layer_prefix": "left_", "padding": "same"}),
            ("resnet18", {"layer_prefix": "right_"}),
            "stem_conv has padding=same there and valid here",
        ),
    ],
)
def test_the_file_of_another_network_is_refused(
    given: tuple[str, dict[str, Any]],
    loaded: tuple[str, dict[str, Any]],
    difference: str,
    tmp_path: Path,
) -> None:
    path = tmp_path / "model.keras"
    small(given[0], **given[1]).save(path)
    model = small(loaded[0], **loaded[1])
    before = keras.models.clone_model(model)
    before.set_weights(model.get_weights())
    with pytest.raises(ValueError, match="A dict of only the arrays") as raised:
        load_weights(model, path)
    assert difference in str(raised.value)
    assert_same_weights(model, before)


def test_other_weights_are_told_without_their_settings(tmp_path: Path) -> None:
    path = tmp_path / "model.keras"
    small("resnet18").save(path)
    other = small("seresnet18", input_shape=(16, 16, 1))
    with pytest.raises(ValueError, match="missing: stage1_block1_se_reduce/kernel") as raised:
        load_weights(other, path)
    assert "setting:" not in str(raised.value)
    same = small("resnet18", input_shape=(16, 16, 1))
    with pytest.raises(ValueError, match=r"\nWith adapt=True it fits: 3 input channels") as raised:
        load_weights(same, path)
    assert "It fits" not in str(raised.value)
    both = small("resnet18", input_shape=(16, 16, 1), classes=7)
    with pytest.raises(ValueError, match="cannot load") as raised:
        load_weights(both, path)
    [fits] = [line for line in str(raised.value).splitlines() if line.startswith("With adapt=")]
    assert re.fullmatch(
        r"With adapt=True it fits: the classifier is left as it was: [^,]+, 3 input channels .*",
        fits,
    )


@pytest.mark.parametrize(
    ("given", "loaded"),
    [
        ({}, {"output_stride": 4}),
        ({"repetitions": (2, 2)}, {"repetitions": (2, 2), "output_stride": 4}),
        ({"drop_path_rate": 0.2}, {}),
        ({}, {"drop_path_rate": 0.2, "layer_prefix": "left_"}),
        ({}, {"include_top": False}),
        ({}, {"features": ("stem", "stage1")}),
        ({}, {"data_format": "channels_first", "input_shape": (3, 32, 32)}),
        ({"data_format": "channels_first", "input_shape": (3, 32, 32)}, {"features": ("stem",)}),
    ],
)
@pytest.mark.parametrize("preset", ["resnet50", pytest.param("resnet50d", marks=pytest.mark.slow)])
def test_the_same_network_in_another_form_loads(
    preset: str, given: dict[str, Any], loaded: dict[str, Any], tmp_path: Path
) -> None:
    path = tmp_path / "model.keras"
    model = randomised(small(preset, **given))
    model.save(path)
    target = small(preset, **loaded)
    load_weights(target, path)
    values = {weight.path: weight.numpy() for weight in model.weights}
    for weight in target.weights:
        assert (weight.numpy() == values[weight.path.removeprefix("left_")]).all()


def test_pools_of_one_pixel_load_with_any_padding(tmp_path: Path) -> None:
    """They were saved with "same" before, which gives the same numbers."""
    path, older = tmp_path / "model.keras", tmp_path / "older.keras"
    model = randomised(small("resnet18"))
    model.save(path)
    with ZipFile(path) as files, ZipFile(older, "w") as written:
        for name in files.namelist():
            content = files.read(name)
            if name == "config.json":
                description = json.loads(content)
                pools = [
                    layer["config"]
                    for layer in description["config"]["layers"]
                    if layer["config"].get("pool_size") == [1, 1]
                ]
                assert {pool["padding"] for pool in pools} == {"valid"}
                for pool in pools:
                    pool["padding"] = "same"
                content = json.dumps(description).encode()
            written.writestr(name, content)
    target = small("resnet18")
    load_weights(target, older)
    assert_same_weights(target, model)
    images = image_batch(1, 16, 16, 3)
    np.testing.assert_array_equal(keras.models.load_model(older)(images), model(images))


# Every field of a config ------------------------------------------------------------------------

# Other values of every field.
OTHER: dict[str, list[Any]] = {
    "repetitions": [(1, 1)],
    "block": ["basic_block"],
    "filters": [16],
    "widths": [None],
    "groups": [2],
    "group_width": [4],
    "width_per_group": [32],
    "reduce_first": [2],
    "splits": [2],
    "split_input": [False],
    "pool_first": [True],
    "stem": ["deep", "cifar", "quad", "regnet"],
    "stem_filters": [16],
    "stem_pool": ["max_zeros", "max_ceil", "conv"],
    "activation_order": ["pre", "pre_raw", "pre_shared"],
    "activation": ["silu", "leaky_relu"],
    "activate_residual": [True],
    "norm": ["group", "evonorm_s0"],
    "norm_groups": [4],
    "weight_standardization": [True],
    "anti_aliasing": ["avg", "blur"],
    "shortcuts": [False],
    "projection": ["avg_pool", "pad"],
    "projection_kernel": [3],
    "project_first": [True],
    "stride_in_last_block": [True],
    "stride_in_3x3": [False],
    "se_ratio": [0.25],
    "se_divisor": [4],
    "eca": [True],
    "gc_ratio": [0.5],
    "head_filters": [8],
    "head_pool": ["attention"],
    "padding": ["same"],
    "use_bias": [True, "unless_normalized"],
    "batch_norm_epsilon": [1e-2],
}
IN_TRAINING = {
    *("drop_path_rate", "zero_init_last", "batch_norm_momentum", "kernel_initializer"),
    *("classifier_initializer", "weight_decay", "input_shape", "classes"),
    "embedding",  # an activation of the classifier, of which there is a note
}
# Networks that together have the layers whose settings no shape shows.
BASES: dict[str, dict[str, Any]] = {
    "bottleneck": {},
    "group norm": {"norm": "group", "norm_groups": 2},
    "evonorm": {"norm": "evonorm_s0", "norm_groups": 2, "activation_order": "pre"},
    "zeros for channels": {"block": "basic_block", "projection": "pad", "stem": "cifar"},
    "resnest": {"block": "resnest_bottleneck", "se_ratio": 0.25, "filters": 16},
}
# The fields that are tried with each; None for all.
TRIED: dict[str, set[str] | None] = {
    "bottleneck": None,
    "group norm": {"norm_groups", "batch_norm_epsilon"},
    "evonorm": {"norm_groups", "batch_norm_epsilon", "stem_pool"},
    "zeros for channels": {"stride_in_last_block", "anti_aliasing"},
    "resnest": {"pool_first"},
}


def config(**fields: Any) -> ResnetConfig:
    common: dict[str, Any] = {"block": "bottleneck", "repetitions": (2, 2), "filters": 8}
    return ResnetConfig(**common | {"input_shape": (32, 32, 3), "classes": 3} | fields)


def changes_of_equal_shapes(base: str) -> Iterator[dict[str, Any]]:
    """Changes of one field that change the plan, and the name and shape of no weight."""
    first = config(**BASES[base])
    for field, others in OTHER.items():
        for other in others if field in (TRIED[base] or OTHER) else ():
            try:
                plans = [make_plan(of) for of in (first, first.replace(**{field: other}))]
            except ValueError:
                continue
            one, two = (list(plan.layers) for plan in plans)
            same = expected_weights(plans[0]).shapes == expected_weights(plans[1]).shapes
            if same and one != two:
                yield {field: other}


def test_every_field_is_tried() -> None:
    assert OTHER.keys() | IN_TRAINING == {of.name for of in dataclasses.fields(ResnetConfig)}
    tried = {
        field for base in BASES for change in changes_of_equal_shapes(base) for field in change
    }
    assert {
        *("stem_pool", "activation", "activate_residual", "anti_aliasing", "projection", "padding"),
        *("stride_in_last_block", "stride_in_3x3", "batch_norm_epsilon", "norm_groups"),
        "pool_first",
    } <= tried


@pytest.mark.parametrize("base", BASES)
def test_what_loads_computes_the_same(base: str) -> None:
    """Every difference is corrected or refused: zeros around a map without negatives are none."""
    target, images = ResnetBuilder.from_config(config(**BASES[base])), image_batch(2, 32, 32, 3)
    loaded: set[Any] = set()
    for change in changes_of_equal_shapes(base):
        other = randomised(ResnetBuilder.from_config(config(**BASES[base] | change)))
        try:
            load_weights(target, other)
        except ValueError:
            continue
        loaded.update(change.items())
        np.testing.assert_allclose(target(images), other(images), atol=1e-6)
    equal = {("stem_pool", "max_zeros"), ("batch_norm_epsilon", 1e-2)}
    assert loaded == (equal if base == "bottleneck" else set())


@pytest.mark.parametrize("form", FORMS)
def test_settings_are_compared_in_every_form_of_file(form: str, tmp_path: Path) -> None:
    target = small("resnet18", include_top=False)
    for name, other, words in (
        ("activation", {"activation": "silu"}, "stem_act has activation=silu there and relu here"),
        ("pool", {"stem_pool": "max_ceil"}, "stem_pool has padding=valid there and same here"),
        ("padding", {"padding": "same"}, "stem_conv has padding=same there and valid here"),
    ):
        (tmp_path / name).mkdir()
        source = saved(small("resnet18", include_top=False, **other), form, tmp_path / name)
        with pytest.raises(ValueError, match=words):
            load_weights(target, source)


@pytest.mark.parametrize("form", FORMS)
def test_an_epsilon_is_corrected(form: str, tmp_path: Path) -> None:
    images = image_batch(2, 16, 16, 3)
    trained = randomised(small("resnet18", batch_norm_epsilon=1e-2, include_top=False))
    target = small("resnet18", include_top=False)
    source = saved(trained, form, tmp_path)
    report = load_weights(target, source)
    assert report.adapted == ("epsilon 0.01 of 6 batch norms to 1e-05",)
    np.testing.assert_allclose(target(images), trained(images), rtol=1e-4, atol=1e-5)
    assert not report.notes
    # A given epsilon is taken instead of the file's.
    assert not load_weights(target, source, epsilon=1e-5).adapted
    assert_same_weights(target, trained)


def test_the_heads_pooling_is_compared_and_its_activation_is_noted() -> None:
    target = small("resnet18", classes=3)
    with pytest.raises(ValueError, match=r"head_pool \(GlobalMaxPooling2D\) is there where"):
        load_weights(target, small("resnet18", classes=3, pooling="max"))
    report = load_weights(target, small("resnet18", classes=3, classifier_activation="sigmoid"))
    assert report.notes == ("the file's classifier has activation=sigmoid, the model's softmax",)
    load_weights(small("resnet18", include_top=False, pooling="max"), target)


def test_another_pool_of_a_model_without_a_classifier_is_noted() -> None:
    """It is an option of the model, and has no weights after it that were trained with it."""
    body: dict[str, Any] = {"include_top": False}
    trained = small("resnet18", pooling="max", **body)
    around = keras.Sequential([keras.Input((16, 16, 3)), trained, layers.Dense(3)])
    for file, lines in (
        (trained, 1),
        (around, 1),
        (small("resnet18"), 0),
        (small("resnet18", **body), 0),
    ):
        report = load_weights(small("resnet18", pooling="avg", **body), file)
        noted = [note for note in report.notes if "ends in GlobalMaxPooling2D" in note]
        assert len(noted) == len(report.notes) == lines


def test_a_dilated_network_refuses_other_layers() -> None:
    dilated = small("resnet18", output_stride=4)
    load_weights(dilated, small("resnet18"))
    for other in ({"activation": "silu"}, {"stem_pool": "max_ceil"}):
        with pytest.raises(ValueError, match="setting: stem_"):
            load_weights(dilated, small("resnet18", **other))


def test_what_gives_the_network_its_input_is_noted() -> None:
    body = small("resnet18", include_top=False)
    scaled = keras.Sequential([keras.Input((16, 16, 3)), layers.Rescaling(1 / 255), body])
    [note] = load_weights(small("resnet18", include_top=False), scaled).notes
    assert note.startswith("the file's network is given the output of rescaling")


@pytest.mark.parametrize("form", ["h5", "keras", "memory"])
def test_a_normalization_of_the_images_is_left(form: str, tmp_path: Path) -> None:
    normalization = layers.Normalization()
    normalization.adapt(image_batch(4, 16, 16, 3))
    body = randomised(small("resnet18"))
    whole = keras.Sequential([keras.Input((16, 16, 3)), normalization, body])
    ours = small("resnet18")
    report = load_weights(ours, saved(whole, form, tmp_path))
    assert_same_weights(ours, body)
    names = {f"{normalization.name}/{name}" for name in ("mean", "variance", "count")}
    assert set(report.unused) == names
    assert report.notes == (f"the file's network is given the output of {normalization.name}",)


def test_a_file_without_settings_says_so(tmp_path: Path) -> None:
    model = small("resnet18")
    model.save_weights(tmp_path / "net.weights.h5")
    arrays = {weight.path: weight.numpy() for weight in model.weights}
    for source in (tmp_path / "net.weights.h5", arrays):
        [note] = load_weights(small("resnet18"), source).notes
        assert note.startswith("it does not say what its layers compute")


@pytest.mark.parametrize("version", [1, 2])
def test_settings_of_keras_applications(version: int) -> None:
    theirs, preset = of_keras_applications(version), f"resnet50_v{version}"
    assert not load_weights(ResnetBuilder.from_preset(preset, **OF_KERAS), theirs).notes
    other = ResnetBuilder.from_preset(preset, **OF_KERAS, activation="silu")
    with pytest.raises(ValueError, match="setting: stage1_block1_act2 has activation=relu there"):
        load_weights(other, theirs)


# Layers with the names that Keras gives ----------------------------------------------------------


def by_hand(shortcut_first: bool, **other: Any) -> keras.Model:
    """One bottleneck, whose last convolution and projection have equal shapes."""
    training = other.get("training")

    def unit(x: Any, filters: int, size: int, activation: Any = None) -> Any:
        x = layers.Conv2D(filters, size, padding="same", use_bias=other.get("bias", False))(x)
        x = layers.BatchNormalization()(x, training=training)
        return activation()(x) if activation else x

    relu: Callable[..., Any] = other.get("activation", layers.ReLU)
    image = keras.Input((16, 16, 3))
    x = unit(image, 8, 3, relu)
    projected = unit(x, 32, 1) if shortcut_first else None
    y = unit(unit(unit(x, 8, 1, relu), 8, 3, relu), 32, 1)
    y = layers.Add()([y, unit(x, 32, 1) if projected is None else projected])
    y = layers.Activation("relu")(y)
    if shortcut_first:  # as in much code from before there were global pools
        y = layers.Flatten()(layers.AveragePooling2D(16)(y))
    else:
        y = layers.GlobalAveragePooling2D()(y)
    return randomised(keras.Model(image, layers.Dense(4)(y)))


ONE_BLOCK: dict[str, Any] = {
    "input_shape": (16, 16, 3),
    "repetitions": (1,),
    "filters": 8,
    "stem": "cifar",
    "classes": 4,
    "classifier_activation": None,
}


@pytest.mark.parametrize("form", ["h5", "keras", "memory"])
@pytest.mark.parametrize("shortcut_first", [True, False])
def test_layers_without_names_are_told_by_their_connections(
    form: str, shortcut_first: bool, tmp_path: Path
) -> None:
    images, theirs = image_batch(2, 16, 16, 3), by_hand(shortcut_first)
    ours = ResnetBuilder.from_preset("resnet50", **ONE_BLOCK)
    report = load_weights(ours, saved(theirs, form, tmp_path))
    assert "raghakot" not in report.origin
    assert report.adapted == ("epsilon 0.001 of 5 batch norms to 1e-05",)
    np.testing.assert_allclose(ours(images), theirs(images), rtol=1e-4, atol=1e-5)
    body = ResnetBuilder.from_preset("resnet50", **ONE_BLOCK | {"include_top": False})
    assert len(load_weights(body, theirs).unused) == 2
    built = ResnetBuilder.from_preset("resnet50", **ONE_BLOCK | {"classes": None}, weights=theirs)
    assert built.output_shape == (None, 4)


def test_layers_without_names_that_compute_something_else(tmp_path: Path) -> None:
    other = by_hand(True, activation=lambda: layers.LeakyReLU(0.1))
    for options in ({}, {"filters": 16}):
        ours = ResnetBuilder.from_preset("resnet50", **ONE_BLOCK | options)
        with pytest.raises(ValueError, match="By their connections, too, its layers differ from"):
            load_weights(ours, other)
    other.save_weights(tmp_path / "net.weights.h5")
    with pytest.raises(ValueError, match="its names are not of a known origin"):
        load_weights(ours, tmp_path / "net.weights.h5")


def test_norms_that_always_take_the_statistics_of_the_batch(tmp_path: Path) -> None:
    ours = ResnetBuilder.from_preset("resnet50", **ONE_BLOCK)
    load_weights(ours, saved(by_hand(True, training=False), "keras", tmp_path))
    with pytest.raises(ValueError, match=r"has arguments=\[\['training', True\]\] there"):
        load_weights(ours, saved(by_hand(True, training=True), "keras", tmp_path))
    image = keras.Input((16, 16, 3))
    around = keras.Model(image, small("resnet18")(image, training=True))
    with pytest.raises(ValueError, match=r"stem_bn has arguments=\[\['training', True\]\] there"):
        load_weights(small("resnet18"), saved(around, "keras", tmp_path))


def test_biases_of_layers_without_names_are_folded() -> None:
    images, theirs = image_batch(2, 16, 16, 3), by_hand(True, bias=True)
    ours = ResnetBuilder.from_preset("resnet50", **ONE_BLOCK)
    assert "5 biases of convolutions into batch norm" in load_weights(ours, theirs).adapted
    np.testing.assert_allclose(ours(images), theirs(images), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("form", ["h5", "keras", "memory"])
def test_several_networks_without_names(form: str, tmp_path: Path) -> None:
    first, second = by_hand(True), by_hand(False)
    image = keras.Input((16, 16, 3))
    source = saved(keras.Model(image, layers.Add()([first(image), second(image)])), form, tmp_path)
    body = ResnetBuilder.from_preset("resnet50", **ONE_BLOCK | {"include_top": False})
    with pytest.raises(ValueError, match=f"several networks .* {first.name}/.* {second.name}/"):
        load_weights(body, source)
    whole = ResnetBuilder.from_preset("resnet50", **ONE_BLOCK)
    load_weights(whole, source, skip=f"{second.name}/*")
    images = image_batch(2, 16, 16, 3)
    np.testing.assert_allclose(whole(images), first(images), rtol=1e-4, atol=1e-5)


def test_another_network_beside_the_one_without_names() -> None:
    student, teacher = by_hand(True), by_hand(True, bias=True, activation=layers.ELU)
    image = keras.Input((16, 16, 3))
    both = keras.Model(image, layers.Add()([teacher(image), student(image)]))
    ours = ResnetBuilder.from_preset("resnet50", **ONE_BLOCK)
    with pytest.raises(ValueError, match=r"Without these tensors it fits: leave them out .*skip="):
        load_weights(ours, both)
    load_weights(ours, both, skip=f"{teacher.name}/*")
    np.testing.assert_array_equal(ours.get_layer("predictions").bias, student.layers[-1].bias)


@keras.saving.register_keras_serializable("tests")
class Around(layers.Layer):
    """A layer around a network."""

    def __init__(self, network: keras.Model, **options: Any) -> None:
        super().__init__(**options)
        self.network = network

    def call(self, images: Any) -> Any:
        return self.network(images)

    def get_config(self) -> dict[str, Any]:
        network = keras.saving.serialize_keras_object(self.network)
        return dict(super().get_config(), network=network)


@pytest.mark.parametrize("form", ["h5", "keras", "memory"])
def test_a_network_inside_a_layer(form: str, tmp_path: Path) -> None:
    body = randomised(small("resnet18", activation="elu"))
    image = keras.Input((16, 16, 3))
    source = saved(keras.Model(image, Around(body)(image)), form, tmp_path)
    same = small("resnet18", activation="elu")
    load_weights(same, source)
    assert_same_weights(same, body)
    with pytest.raises(ValueError, match="stem_act has activation=elu there"):
        load_weights(small("resnet18"), source)


@keras.saving.register_keras_serializable("tests")
class Pair(keras.Model):
    """Two networks, of which the config has the first alone."""

    def __init__(self, first: keras.Model, second: Any = None, **options: Any) -> None:
        super().__init__(**options)
        self.first, self.second = first, second

    def call(self, images: Any) -> Any:
        return self.first(images) + self.second(images)

    def get_config(self) -> dict[str, Any]:
        return {"first": keras.saving.serialize_keras_object(self.first)}


def test_a_network_that_the_config_leaves_out(tmp_path: Path) -> None:
    first, second = (randomised(small("resnet18", name=name)) for name in ("first", "second"))
    pair = Pair(first, second)
    pair(image_batch(1, 16, 16, 3))
    ours = small("resnet18")
    [note] = load_weights(ours, saved(pair, "keras", tmp_path), skip="first/*").notes
    assert note.startswith("it does not say what its layers compute")
    assert_same_weights(ours, second)
    assert not load_weights(ours, tmp_path / "saved.keras", skip="second/*").notes


def test_networks_of_one_name_in_memory() -> None:
    pair = Pair(small("resnet18"), small("resnet18"))
    pair(image_batch(1, 16, 16, 3))
    with pytest.raises(ValueError, match=r"two of its tensors are named .* \.weights\.h5"):
        load_weights(small("resnet18"), pair)


@pytest.mark.parametrize(
    "harm",
    [
        {"inbound_nodes": [{"args": [5], "kwargs": {}}]},
        {"inbound_nodes": [[["stem_bn", 0, 0, {}]]], "class_name": "Dropout"},
        {"inbound_nodes": [[["nothing", 0, 0, {}]]]},
        {"config": {"name": "stem_bn"}, "class_name": 3},
        *(
            {"config": {"name": "stem_bn", "epsilon": epsilon}}
            for epsilon in (-5, float("inf"), 10**400, "small", None, [1e-5])
        ),
        {"class_name": "Conv2D", "config": {"name": "stem_bn", "strides": float("inf")}},
        {
            "class_name": "Functional",
            "config": {
                "name": "stem_bn",
                "layers": [{"class_name": "ReLU", "config": {"name": "inner"}}],
                "output_layers": [[]],
            },
        },
    ],
)
def test_a_broken_description_of_layers(harm: dict[str, Any]) -> None:
    model = small("resnet18")
    source = of_model(model)
    layers_of = dict(source.settings)
    layers_of["stem_bn"] = layers_of["stem_bn"] | harm
    broken = dataclasses.replace(source, settings=layers_of)
    with pytest.raises(ValueError, match="cannot load the model 'resnet18'"):
        load_weights(small("resnet18"), broken)


def test_functions_of_tensorflow_in_files_of_keras_2() -> None:
    # As tf_keras 2.21 writes the squeeze-and-excitation of its RegNetY.
    gate = {
        "class_name": "TFOpLambda",
        "config": {"name": "tf.math.multiply", "function": "math.multiply"},
        "inbound_nodes": [["squeeze", 0, 0, {"y": ["image", 0, 0], "name": None}]],
    }
    squeeze = {"class_name": "Conv2D", "config": {}, "inbound_nodes": [[["image", 0, 0, {}]]]}
    image = {"class_name": "InputLayer", "config": {}, "inbound_nodes": []}
    graph = DescribedGraph({"image": image, "squeeze": squeeze, "tf.math.multiply": gate}, "")
    call = graph.calls["tf.math.multiply", 0]
    assert (call.kind, call.settings) == ("Multiply", {})
    assert call.inputs == (("squeeze", 0), ("image", 0))
