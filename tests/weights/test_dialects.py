"""Networks under the names of CLIP, of tf.keras and of Google's BiT."""

import re
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from resnet_builder import ResnetBuilder, load_weights, write_weights
from resnet_builder.weights.origins import ORIGINS

from ..helpers import assert_same_weights, image_batch, relative_error
from .checkpoint_recipe import DIALECTS, Array, checkpoint, images, logits

# float32 alone gives 1e-6 to 1e-5.
TOLERANCE = 1e-5

NETWORKS: dict[str, tuple[str, dict[str, Any]]] = {
    "open_clip_RN50": ("resnet50_clip", {}),
    "timm_resnet50_clip_gap": ("resnet50_clip_gap", {}),
    "timm_resnet50_clip": ("resnet50_clip", {"include_top": False, "pooling": "attention"}),
    "tfkeras_ResNetRS50": ("resnetrs50", {}),
    "tfkeras_ResNet50": ("resnet50_v1", {}),
}
SMALL: dict[str, Any] = {"repetitions": (1, 1), "filters": 8, "input_shape": (32, 32, 3)}


def network_of(network: str, **options: Any) -> keras.Model:
    preset, own = NETWORKS[network]
    options = {"classifier_activation": None, "weights": checkpoint(network)} | own | options
    return ResnetBuilder.from_preset(preset, **options)


def under(origin: str, model: keras.Model) -> dict[str, Array]:
    """The weights of a model under the names of an origin."""
    [found] = (of for of in ORIGINS if origin in of.name)
    return {
        found.tensor(weight := (layer.name, of.name)): found.array(weight, of.numpy())
        for layer in model.layers
        for of in layer.weights
    }


def answer(model: keras.Model, x: Any) -> Any:
    """Without a graph, whose tracing takes longer than all the layers."""
    return keras.ops.convert_to_numpy(model(x, training=False))


@pytest.mark.convolutions
@pytest.mark.parametrize(
    "network",
    [
        # At 224x224, as the positions ask; below, they are interpolated for a smaller image.
        pytest.param(name, marks=[pytest.mark.slow] * name.endswith(("_clip", "open_clip_RN50")))
        for name in NETWORKS
    ],
)
def test_the_other_library_answers_the_same(network: str) -> None:
    x = images(network)
    model = network_of(network, input_shape=x.shape[1:])
    assert relative_error(answer(model, x), logits(network)) <= TOLERANCE


# CLIP --------------------------------------------------------------------------------------------


@pytest.mark.convolutions
def test_positions_are_interpolated_as_in_timm() -> None:
    arrays = checkpoint("timm_resnet50_clip")
    model = ResnetBuilder.from_preset("resnet50_clip", (64, 96, 3), weights=arrays)
    expected = np.load(DIALECTS / "timm_resnet50_clip.64x96.npy")
    assert relative_error(answer(model, image_batch(1, 64, 96, 3)), expected) <= TOLERANCE
    assert load_weights(model, arrays).adapted == ("50 positions to 7",)


def small_clip(side: int | None = 64, **options: Any) -> keras.Model:
    shape = {"input_shape": (side, side, 3), "repetitions": (1, 1)}
    return ResnetBuilder.from_preset("resnet50_clip", **SMALL | shape | options)


def test_the_attention_pool_under_timms_names(tmp_path: Path) -> None:
    """timm models/byobnet.py; layers/attention_pool2d.py, AttentionPool2d."""
    model = small_clip(classes=3)
    # openai/CLIP clip/model.py: positions have a deviation of 64 ** -0.5, that of 64 channels.
    assert 0.12 < model.get_layer("head_attention_positions").embeddings.numpy().std() < 0.13
    write_weights(model, tmp_path / "net.npz", names="timm")
    with np.load(tmp_path / "net.npz") as written:
        names = {name.removeprefix("head.") for name in written if name.startswith("head.")}
    parts = {f"{part}.{end}" for part in "qkv" for end in ("weight", "bias")}
    assert names == {"pos_embed", "proj.weight", "proj.bias", *parts}


def test_positions_that_do_not_fit() -> None:
    model = small_clip()
    arrays = {weight.path: weight.numpy() for weight in model.weights}
    name = "head_attention_positions/embeddings"
    assert arrays[name].shape == (1 + 8 * 8, 64)
    for shape in ((64, 64), (1, 64), (0, 64), (50, 63)):  # of no square, or of other channels
        with pytest.raises(ValueError, match=rf"shape: {name} \({shape[0]}, {shape[1]}\)"):
            load_weights(model, arrays | {name: np.zeros(shape)})
    # What does not vary with the place stays so, and the mean's is another matter.
    level = np.concatenate([np.full((1, 64), 2.0), np.ones((9, 64))])
    load_weights(model, arrays | {name: level})
    np.testing.assert_allclose(model.get_layer(name.split("/")[0]).embeddings[1:], 1, rtol=1e-6)
    np.testing.assert_array_equal(model.get_layer(name.split("/")[0]).embeddings[0], 2)


def test_the_network_of_the_text_is_left() -> None:
    model, other = small_clip(), small_clip()
    image = {f"visual.{name}": array for name, array in under("open_clip", model).items()}
    text = ("positional_embedding", "transformer.resblocks.0.ln_1.weight", "vocab_size")
    report = load_weights(other, image | {name: np.zeros(3) for name in text})
    assert (report.prefix, set(report.unused)) == ("visual.", set(text))
    assert_same_weights(other, model)
    with pytest.raises(ValueError, match=r"unexpected: decoder\.weight"):
        load_weights(other, image | {"decoder.weight": np.zeros(3)})


def test_an_embedding_has_no_activation_and_a_classifier_has() -> None:
    assert small_clip().layers[-1].activation is keras.activations.linear
    classifier = small_clip(classes=3)
    assert classifier.layers[-1].activation is keras.activations.softmax
    arrays = {weight.path: weight.numpy() for weight in classifier.weights}
    loaded = small_clip(weights=arrays)
    assert loaded.output_shape == (None, 3)
    assert loaded.layers[-1].activation is keras.activations.softmax
    assert small_clip(embedding=True, classes=3).layers[-1].activation is keras.activations.linear


def test_an_attention_pool_needs_a_size() -> None:
    maps = small_clip(None, features=("stage2",))
    assert maps.output["stage2"].shape == (None, None, None, 64)
    needs = r"pooling or head_pool.* a side of input_shape is unknown"
    with pytest.raises(ValueError, match=needs):
        small_clip(None)


# Keras 2 -----------------------------------------------------------------------------------------


def test_stems_are_counted_in_a_process() -> None:
    model, other = (ResnetBuilder.from_preset("resnetrs50", **SMALL) for _ in range(2))
    arrays = under("ResNet-RS", model)
    counted = {re.sub("^stem_", "stem_12_stem_", name): of for name, of in arrays.items()}
    assert "stem_12_stem_conv_1/kernel" in counted
    load_weights(other, counted)
    assert_same_weights(other, model)
    in_model = {f"resnet-rs-50/{name}": array for name, array in counted.items()}
    assert load_weights(other, in_model).prefix == "resnet-rs-50/"
    del counted["stem_12_stem_conv_1/kernel"]
    with pytest.raises(ValueError, match="missing: stem_conv_1/kernel"):
        load_weights(other, counted)


# BiT ---------------------------------------------------------------------------------------------


def bit(weights: dict[str, Array], **options: Any) -> keras.Model:
    return ResnetBuilder.from_preset(
        "resnetv2_50x1_bit", (64, 64, 3), classifier_activation=None, weights=weights, **options
    )


@pytest.mark.tensorflow
@pytest.mark.convolutions
def test_bit_of_google() -> None:
    # In float64: the sums of standardised kernels are large, so that both networks' float32 is
    # 1e-5 from it. Keras on other backends computes a part of it in float32.
    arrays = checkpoint("google_BiT-R50x1")
    model = bit(arrays, dtype="float64")
    found = answer(model, image_batch(1, 64, 64, 3))
    expected = np.load(DIALECTS / "google_BiT-R50x1.float64.npy")
    assert relative_error(found, expected) <= 1e-12
    weights = model.get_weights()
    head = {"kernel": arrays.pop("resnet/head/conv2d/kernel")[0, 0]}
    head["bias"] = arrays.pop("resnet/head/conv2d/bias")
    of_tensorflow = {name.removeprefix("resnet/"): array for name, array in arrays.items()}
    of_tensorflow |= {f"head/dense/{name}": array for name, array in head.items()}
    report = load_weights(model, of_tensorflow)
    assert report.origin == "Google's BiT for TensorFlow 2"
    assert_same_weights(model, weights)
