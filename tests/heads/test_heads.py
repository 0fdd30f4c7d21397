"""unet, fpn and deeplab: what segmentation_models.pytorch answers, on any network and size."""

import gzip
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from resnet_builder import (
    PRESETS,
    ResnetBuilder,
    config_of,
    deeplab,
    feature_info,
    fold_batch_norm,
    fpn,
    freeze,
    load_weights,
    plot,
    profile,
    unet,
    write_weights,
)
from resnet_builder.heads.steps import bilinear, nearest
from resnet_builder.model.keras_layers import Style
from resnet_builder.pictures.sketch.of_model import sketch_model

from ..helpers import (
    Array,
    assert_same_weights,
    image_batch,
    png_size,
    randomised,
    relative_error,
    trainable_parameters,
)
from ..weights.checkpoint_recipe import tensor

pytestmark = pytest.mark.convolutions

DATA = Path(__file__).parents[1] / "data" / "heads"
HEADS: dict[str, Callable[..., keras.Model]] = {
    "Unet": unet,
    "FPN": fpn,
    "DeepLabV3Plus": deeplab,
}
TOLERANCE = 1e-5  # float32 alone gives 1e-6 to 1e-5

SMALL: dict[str, Any] = {"filters": 8, "repetitions": (1, 1, 1, 1)}
FEW_FILTERS: dict[str, dict[str, Any]] = {
    "Unet": {"decoder_filters": (16, 8, 8, 8, 4)},
    "FPN": {"decoder_filters": 8, "segmentation_filters": 32},
    "DeepLabV3Plus": {"decoder_filters": 8},
}


def small(head: str, input_shape: tuple[int | None, ...] = (None, None, 3), **options: Any) -> Any:
    """A narrow network of four stages of a block each."""
    settings = {"preset": "resnet18", "classes": 3} | FEW_FILTERS[head] | SMALL | options
    return HEADS[head](input_shape=input_shape, **settings)


def answer(model: keras.Model, images: Any) -> Any:
    outputs = model(images, training=False)
    return keras.tree.map_structure(keras.ops.convert_to_numpy, outputs)


# segmentation_models.pytorch --------------------------------------------------------------------


def described(head: str) -> Any:
    return json.loads(gzip.decompress((DATA / f"smp_{head}_resnet18.json.gz").read_bytes()))


def state_dict(head: str) -> dict[str, Array]:
    shapes = described(head)["state_dict"].items()
    return {name: tensor(name, tuple(shape)) for name, shape in shapes}


@pytest.mark.parametrize("head", HEADS)
def test_segmentation_models_pytorch_answers_the_same(head: str, tmp_path: Path) -> None:
    model = HEADS[head]("resnet18", (None, None, 3), 3, activation=None)
    weights = state_dict(head)
    report = load_weights(model, weights)
    assert (report.unused, report.adapted, report.left_random) == ((), (), ())
    assert trainable_parameters(model) == described(head)["parameters"]
    sizes = {"logits": described(head)["input_shape_nhwc"], "97x65": (1, 97, 65, 3)}
    for name, shape in sizes.items():
        file = DATA / f"smp_{head}_resnet18.{name}.npy"
        if file.exists():
            found = answer(model, image_batch(*shape)).transpose(0, 3, 1, 2)
            assert relative_error(found, np.load(file)) <= TOLERANCE
    write_weights(model, tmp_path / "written.npz", names="smp")
    with np.load(tmp_path / "written.npz") as written:
        assert set(written) == set(weights)
        for name, array in weights.items():
            np.testing.assert_array_equal(written[name], array)


def smp_of(model: keras.Model, folder: Path) -> dict[str, Array]:
    write_weights(model, folder / "smp.npz", names="smp")
    with np.load(folder / "smp.npz") as written:
        return dict(written)


def test_what_of_a_state_dict_is_refused(tmp_path: Path) -> None:
    model = randomised(small("Unet"))
    weights = smp_of(model, tmp_path)
    attention = {"decoder.blocks.0.attention1.attention.sSE.0.weight": np.zeros((1, 16, 1, 1))}
    with pytest.raises(
        ValueError, match=r"unexpected: decoder\.blocks\.0\.attention1(.|\n)*without attention"
    ):
        load_weights(model, weights | attention)
    of_images = {"classification_head.3.weight": np.zeros((5, 64))}
    with pytest.raises(ValueError, match="unexpected: classification_head"):
        load_weights(model, weights | of_images)
    assert load_weights(model, weights | of_images, skip="classification_head.*").unused
    with pytest.raises(ValueError, match=r"missing: decoder\.p5\.weight(.|\n)*decoder is another"):
        load_weights(small("FPN"), weights)


@pytest.mark.parametrize(
    ("head", "unseen"),
    {
        "Unet": "decoder_interpolation='nearest'",
        "FPN": "decoder_interpolation='nearest'",
        "DeepLabV3Plus": "output_stride",
    }.items(),
)
def test_a_report_says_that_the_decoder_was_loaded(head: str, unseen: str, tmp_path: Path) -> None:
    model = small(head)
    weights = smp_of(model, tmp_path)
    report = load_weights(model, weights)
    assert report.origin == f"segmentation_models.pytorch's {head}"
    [note] = report.notes
    assert "encoder and decoder" in note
    assert unseen in note
    own = load_weights(model, {weight.path: weight for weight in model.weights})
    assert own.origin == "resnet_builder"


def test_a_network_with_a_decoder_has_no_config() -> None:
    with pytest.raises(ValueError, match=r"a decoder, which no config describes: model\.save"):
        config_of(small("Unet"))


def test_other_classes_are_left_with_adapt(tmp_path: Path) -> None:
    weights = smp_of(randomised(small("FPN")), tmp_path)
    model = small("FPN", classes=5)
    kernel = model.get_layer("segmentation_conv").get_weights()
    with pytest.raises(ValueError, match="With adapt=True it fits: the classifier is left"):
        load_weights(model, weights)
    report = load_weights(model, weights, adapt=True)
    assert set(report.unused) == {"segmentation_head.0.weight", "segmentation_head.0.bias"}
    assert_same_weights(model.get_layer("segmentation_conv"), kernel)
    np.testing.assert_array_equal(model.get_layer("p5_lateral").bias, weights["decoder.p5.bias"])


def test_its_encoders_of_timm_load_under_their_prefix(tmp_path: Path) -> None:
    model = randomised(small("Unet"))
    weights = smp_of(model, tmp_path)
    inside = {name.replace("encoder.", "encoder.model."): of for name, of in weights.items()}
    other = small("Unet", layer_prefix="left_")
    assert load_weights(other, inside).prefix == "encoder.model."
    assert_same_weights(other, model)


@pytest.mark.parametrize("head", HEADS)
def test_a_network_around_an_encoder_is_written_and_read(head: str, tmp_path: Path) -> None:
    model = randomised(small(head))
    with pytest.raises(
        ValueError, match=r"names of timm: it has no layer for (\w+, ){4}\w+ and \d+ more$"
    ):
        write_weights(model, tmp_path / "net.npz", names="timm")
    write_weights(model, tmp_path / "net.npz")
    prefixed = small(head, layer_prefix="left_")
    assert not load_weights(prefixed, tmp_path / "net.npz").unused
    assert_same_weights(prefixed, model)


def test_a_checkpoint_of_the_encoder(tmp_path: Path) -> None:
    weights = smp_of(randomised(small("Unet")), tmp_path)
    encoder = {
        name.removeprefix("encoder."): of
        for name, of in weights.items()
        if name.startswith("encoder.")
    }
    model = small("DeepLabV3Plus", weights=encoder)
    np.testing.assert_array_equal(model.get_layer("stem_bn").gamma, weights["encoder.bn1.weight"])
    with pytest.raises(ValueError, match=r"has a decoder as well: .* load_weights\(unet\("):
        small("Unet", weights=weights)
    with pytest.raises(ValueError, match="missing: layer4"):
        small("Unet", weights={n: of for n, of in encoder.items() if "layer4" not in n})
    with pytest.raises(ValueError, match="missing: decoder_block1_conv1"):
        load_weights(small("Unet"), encoder)


# Sizes ------------------------------------------------------------------------------------------

# Presets whose stems, strides or activations differ, with the blocks of their decoder.
NETWORKS: dict[str, tuple[dict[str, Any], int]] = {
    "resnet18": ({}, 5),
    "resnetv2_50": ({}, 5),
    "keras_resnet18": ({}, 5),
    "legacy_seresnet18": ({}, 5),  # its pool has no incomplete windows
    "regnetx_002": ({"filters": (8, 16, 16, 16), "group_width": 8}, 5),
    "resnet20_cifar": ({"repetitions": (1, 1, 1)}, 3),
    "resnet34": ({"output_stride": 8}, 5),
}


# The other decoders, on what differs for them.
CASES = [
    *(("Unet", preset) for preset in NETWORKS),
    *(("FPN", preset) for preset in ("keras_resnet18", "resnet20_cifar")),
    *(("DeepLabV3Plus", preset) for preset in ("legacy_seresnet18", "resnet20_cifar")),
]


@pytest.mark.parametrize(("head", "preset"), CASES)
def test_any_network_and_size(head: str, preset: str) -> None:
    changes, blocks = NETWORKS[preset]
    options = FEW_FILTERS[head] | changes
    if head == "DeepLabV3Plus":
        options.setdefault("output_stride", None)
    elif head == "Unet":
        options["decoder_filters"] = (8,) * blocks
    known, model = (small(head, (n, 33, 1), preset=preset, **options) for n in (67, None))
    assert (known.output_shape, model.output_shape) == ((None, 67, 33, 3), (None, None, 33, 3))
    assert answer(model, image_batch(1, 35, 33, 1)).shape == (1, 35, 33, 3)


@pytest.mark.parametrize(
    ("head", "preset"),
    [("Unet", "resnetv2_50"), ("Unet", "regnetx_002"), ("FPN", "keras_resnet18")],
)
def test_the_encoder_is_the_network(head: str, preset: str) -> None:
    model = randomised(small(head, preset=preset, **FEW_FILTERS[head] | NETWORKS[preset][0]))
    levels = feature_info(model)
    options: dict[str, Any] = SMALL | NETWORKS[preset][0] | {"input_shape": (None, None, 3)}
    network = ResnetBuilder.from_preset(preset, features=tuple(levels), **options)
    for layer in network.layers:
        layer.set_weights(model.get_layer(layer.name).get_weights())
    inside = {name: model.get_layer(level.layer).output for name, level in levels.items()}
    images = image_batch(2, 37, 33, 3)
    maps = answer(keras.Model(model.input, inside), images)
    for name, expected in answer(network, images).items():
        np.testing.assert_allclose(maps[name], expected, rtol=1e-5, atol=1e-5)


def test_a_pixel() -> None:
    for head in HEADS:
        assert answer(small(head), image_batch(1, 1, 1, 3)).shape == (1, 1, 1, 3)


SIZES = [
    ((4, 7), (8, 13)),
    ((5, 3), (5, 9)),
    ((1, 1), (3, 2)),
    ((17, 2), (35, 1)),
    ((3, 4), (1, 7)),
]


@pytest.mark.parametrize("is_known", [True, False])
@pytest.mark.parametrize(("given", "wanted"), SIZES)
def test_resizing(given: tuple[int, int], wanted: tuple[int, int], is_known: bool) -> None:
    shapes = [(*(size if is_known else (None, None)), 2) for size in (given, wanted)]
    x, like = (keras.Input(shape) for shape in shapes)
    style = Style("channels_last")
    ends = [bilinear(x, like, "bilinear", style), nearest(x, like, "nearest", style)]
    model = keras.Model([x, like], ends)
    values = image_batch(2, *given, 2)
    smooth, repeated = answer(model, [values, np.zeros((2, *wanted, 2))])
    rows, columns = (np.arange(m) * n // m for n, m in zip(given, wanted, strict=True))
    np.testing.assert_array_equal(repeated, values[:, rows][:, :, columns])
    for axis, (n, m) in enumerate(zip(given, wanted, strict=True), start=1):
        places = np.linspace(0, n - 1, m)
        matrix = np.maximum(0, 1 - np.abs(places[:, np.newaxis] - np.arange(n)))
        values = np.moveaxis(np.tensordot(matrix, values, (1, axis)), 0, axis)
    np.testing.assert_allclose(smooth, values, rtol=0, atol=1e-6)


# Settings ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("head", HEADS)
def test_the_order_of_the_axes(head: str) -> None:
    model = randomised(small(head, (40, 33, 3)))
    other = small(head, (3, 40, 33), data_format="channels_first")
    other.set_weights(model.get_weights())
    images = image_batch(1, 40, 33, 3)
    found = answer(other, images.transpose(0, 3, 1, 2))
    np.testing.assert_array_equal(found.transpose(0, 2, 3, 1), answer(model, images))


def test_maps_of_pre_activated_networks_are_activated() -> None:
    model = small("Unet", preset="resnetv2_50")
    names = [layer.name for layer in model.layers]
    assert {name for name in names if name.startswith("decoder_st")} == {
        f"decoder_{part}_{kind}"
        for part in ("stem", "stage1", "stage2", "stage3")
        for kind in ("bn", "act")
    }
    assert model.get_layer("decoder_block1_up").input is model.get_layer("head_act").output
    assert "decoder_stem_bn" not in [layer.name for layer in small("Unet").layers]


def test_types_names_and_activations() -> None:
    model = small("FPN", dtype="mixed_bfloat16", layer_prefix="left_", name="mine")
    assert (model.name, model.dtype_policy.name) == ("mine", "mixed_bfloat16")
    assert all(layer.name.startswith("left_") for layer in model.layers)
    assert model.get_layer("left_p5_lateral").compute_dtype == "bfloat16"
    assert model.output.dtype == "float32"
    assert small("FPN").name == "resnet18_fpn"
    mask = small("Unet", classes=1, activation="sigmoid")
    assert mask.layers[-1].activation is keras.activations.sigmoid
    logits = small("Unet", activation=None)
    assert logits.layers[-1].name == "segmentation_conv"
    silu = small("Unet", preset=PRESETS["resnet18"].replace(activation="silu"))
    assert silu.get_layer("stem_act").activation is keras.activations.silu


@pytest.mark.parametrize(("head", "layer"), [("FPN", "segmentation"), ("DeepLabV3Plus", "aspp")])
def test_dropout_is_for_training(head: str, layer: str) -> None:
    model = small(head, (32, 32, 3))
    dropped = keras.Model(model.input, model.get_layer(f"{layer}_dropout").output)
    kept = keras.Model(model.input, model.get_layer(f"{layer}_dropout").input)
    images = image_batch(1, 32, 32, 3)
    np.testing.assert_array_equal(answer(dropped, images), answer(kept, images))
    in_training = keras.ops.convert_to_numpy(dropped(images, training=True))
    assert not np.array_equal(in_training, answer(kept, images))


MISTAKES: dict[str, tuple[str, dict[str, Any], type[Exception], str]] = {
    "a misspelt option": (
        "Unet",
        {"dropout": 0.1},
        TypeError,
        "unknown option 'dropout': choose from 'a",
    ),
    "other ends": ("Unet", {"features": ("stem",)}, TypeError, "unet has no option features"),
    "no class": ("FPN", {"classes": 0}, ValueError, "classes must be 1 or more"),
    "softmax": ("Unet", {"classes": 1}, ValueError, "always 1: give activation='sigmoid'"),
    "activation": ("Unet", {"activation": "sofmax"}, ValueError, "did you mean 'softmax'"),
    "blocks": ("Unet", {"decoder_filters": (8, 8)}, ValueError, "has 5 blocks .* has 2: "),
    "filters": ("Unet", {"decoder_filters": 8}, TypeError, "filters of each block, got 8"),
    "groups": ("FPN", {"segmentation_filters": 40}, ValueError, "a multiple of 32"),
    "rates": ("DeepLabV3Plus", {"aspp_rates": (0, 1, 2)}, ValueError, "each of aspp_rates"),
    "stride": ("DeepLabV3Plus", {"output_stride": 3}, ValueError, "must be one of 4, 8, 16, 32"),
    "unknown": ("FPN", {"fitlers": 8}, TypeError, "unknown option 'fitlers'"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_mistakes(mistake: str) -> None:
    head, options, error, message = MISTAKES[mistake]
    with pytest.raises(error, match=message):
        small(head, **options)


# What other functions make of it ----------------------------------------------------------------


def test_the_levels_of_a_pyramid() -> None:
    """Their strides are known, at a size that the strides do not divide too."""
    model = fpn("resnet18", (None, None, 3), decoder_filters=8, **SMALL)
    levels = feature_info(model)
    pyramid = {name: level for name, level in levels.items() if name.startswith("P")}
    assert list(levels) == ["stem", "stage1", "stage2", "stage3", "stage4", *model.output]
    strides = {name: level.stride for name, level in pyramid.items()}
    assert strides == {"P2": 4, "P3": 8, "P4": 16, "P5": 32, "P6": 64, "P7": 128}
    maps = answer(model, image_batch(1, 100, 75, 3))
    for name, level in pyramid.items():
        assert maps[name].shape == (1, -(-100 // level.stride), -(-75 // level.stride), 8)
        assert model.output[name] is model.get_layer(level.layer).output


# Rows and sections of networks at 97x131, after the stages. The upsampled maps are cropped.
OF_UNET = {
    "decoder_block1": (7, 9),
    "decoder_block2": (13, 17),
    "decoder_block3": (25, 33),
    "decoder_block4": (49, 66),
    "decoder_block5": (97, 131),
    "segmentation": (97, 131),
}
PARTS: dict[str, tuple[str, dict[str, Any], dict[str, tuple[int, int]]]] = {
    "unet": ("Unet", {}, OF_UNET),
    "pre-activated": ("Unet", {"preset": "resnetv2_50"}, OF_UNET),
    "pyramid": (
        "FPN",
        {"classes": None, "layer_prefix": "left_"},
        {"P5": (4, 5), "P4": (7, 9), "P3": (13, 17), "P2": (25, 33), "P6": (2, 3), "P7": (1, 2)},
    ),
    "fpn": (
        "FPN",
        {},
        {"P5": (4, 5), "P4": (7, 9), "P3": (13, 17), "P2": (25, 33), "segmentation": (97, 131)},
    ),
    "deeplab": (
        "DeepLabV3Plus",
        {},
        {"aspp": (7, 9), "decoder": (25, 33), "segmentation": (97, 131)},
    ),
}


@pytest.mark.parametrize("case", PARTS)
def test_rows_and_sections_are_the_parts_of_the_task(case: str) -> None:
    head, options, parts = PARTS[case]
    for known in (True, False):
        model = small(head, (97, 131, 3) if known else (None, None, 3), **options)
        rows = {row.name: row.output_size for row in profile(model).stages}
        assert [name for name in rows if name in parts] == list(parts)
        assert all(name in parts or name[:4] in ("stem", "stag", "head") for name in rows)
        sections = {section.name: section.output_shapes for section in sketch_model(model).sections}
        assert list(sections) == list(rows)
        if known:
            assert {name: rows[name] for name in parts} == parts
            shapes = {name: shape for name, [shape] in sections.items() if name in parts}
            assert {name: (shape or ())[:2] for name, shape in shapes.items()} == parts


@pytest.mark.parametrize("head", HEADS)
def test_it_is_folded_frozen_counted_and_drawn(head: str, tmp_path: Path) -> None:
    model = randomised(small(head, (40, 33, 3)))
    folded = fold_batch_norm(model)
    assert not any(isinstance(of, keras.layers.BatchNormalization) for of in folded.layers)
    images = image_batch(1, 40, 33, 3)
    assert relative_error(answer(folded, images), answer(model, images)) <= TOLERANCE
    counted = profile(model)
    assert counted.parameters == trainable_parameters(model)
    assert counted.macs
    freeze(model, until="stage4")
    places = {variable.path.partition("_")[0] for variable in model.trainable_variables}
    assert not places & {"stem", "stage1", "stage2", "stage3", "stage4"}
    assert "segmentation" in places
    plot(model, tmp_path / "net.png")
    assert min(png_size((tmp_path / "net.png").read_bytes())) > 300


def test_it_learns() -> None:
    """Gradients reach the first layer through every resizing."""
    for head in HEADS:
        model = small(head, (33, 40, 3), classes=2)
        stem = model.get_layer("stem_conv").get_weights()
        # Keras on PyTorch has no gradients of sparse labels for maps.
        loss = "categorical_crossentropy"
        model.compile(keras.optimizers.SGD(0.1), loss, run_eagerly=True)
        labels = np.eye(2)[np.zeros((1, 33, 40), "int32")]
        model.train_on_batch(image_batch(1, 33, 40, 3), labels)
        assert not np.array_equal(stem[0], model.get_layer("stem_conv").get_weights()[0])
