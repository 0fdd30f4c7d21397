"""Heat maps of classes: where they come from, and what they are worth."""

import io
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from PIL import Image

from resnet_builder import (
    Explanation,
    ResnetBuilder,
    explain,
    fold_batch_norm,
    save_pretrained,
)

from ..helpers import image_batch, png_size, randomised, small, tiny
from ..processes import printed_by

IMAGES = image_batch(2, 48, 32, 3)
SHAPE = (48, 32, 3)


@pytest.fixture(scope="module")
def network() -> keras.Model:
    return randomised(small(input_shape=SHAPE))


def nested() -> keras.Model:
    """A network inside another model, as in Keras's guide to transfer learning."""
    parts = [
        keras.Input(SHAPE),
        keras.layers.RandomFlip(),
        small(input_shape=SHAPE, include_top=False),
        keras.layers.GlobalAveragePooling2D(),
        keras.layers.Dropout(0.5),
        keras.layers.Dense(4, activation="sigmoid"),
    ]
    return randomised(keras.Sequential(parts))


def reloaded(folder: Path) -> keras.Model:
    randomised(small(input_shape=SHAPE)).save(folder / "model.keras")
    return keras.models.load_model(folder / "model.keras")


NETWORKS: dict[str, Any] = {
    "softmax": lambda _: randomised(small(input_shape=SHAPE)),
    "folded": lambda _: fold_batch_norm(randomised(small(input_shape=SHAPE))),
    "reloaded": reloaded,
    "nested": lambda _: nested(),
    "pre-activated": lambda _: randomised(small("resnetv2_50", input_shape=SHAPE)),
    # A padding with zeros as channels names the other order of axes.
    "zeros as channels": lambda _: randomised(small("resnet8_cifar", input_shape=SHAPE)),
    "with maps": lambda _: randomised(
        small(input_shape=SHAPE, features=("stage1", "predictions"), classifier_activation=None)
    ),
}


# Equal to Grad-CAM: the mean gradient of a score at the last map is the class's weight divided by
# the number of pixels (arXiv:1610.02391, section 3.1).
@pytest.mark.convolutions
@pytest.mark.parametrize("kind", NETWORKS)
def test_cam_is_grad_cam_at_the_last_map(kind: str, tmp_path: Path) -> None:
    model = NETWORKS[kind](tmp_path)
    cam, grad_cam = explain(model, IMAGES), explain(model, IMAGES, method="grad_cam")
    assert (cam.method, cam.classes) == ("cam", grad_cam.classes)
    assert cam.maps.max() == 1
    np.testing.assert_allclose(cam.maps, grad_cam.maps, atol=1e-5)
    pixels = cam.raw[0].size
    np.testing.assert_allclose(cam.raw, pixels * grad_cam.raw, atol=1e-5 * np.abs(cam.raw).max())
    answers = model(IMAGES, training=False)
    answers = answers["predictions"] if isinstance(answers, dict) else answers
    if kind != "with maps":
        best = keras.ops.convert_to_numpy(answers).max(axis=1)
        np.testing.assert_allclose(cam.probabilities, best, atol=1e-6)


def test_the_mean_of_a_raw_cam_is_the_score(network: keras.Model) -> None:
    scores = randomised(small(input_shape=SHAPE, classifier_activation=None))
    raw = explain(network, IMAGES, [2, 3]).raw.mean(axis=(1, 2))
    expected = (
        keras.ops.convert_to_numpy(scores(IMAGES))[[0, 1], [2, 3]]
        - keras.ops.convert_to_numpy(scores.layers[-1].bias)[2:4]
    )
    np.testing.assert_allclose(raw, expected, atol=1e-5)


def test_channels_first(network: keras.Model) -> None:
    model = randomised(small(input_shape=(3, 48, 32), data_format="channels_first"))
    ours = explain(network, IMAGES, stage="stage1")
    other = explain(model, IMAGES.transpose(0, 3, 1, 2), stage="stage1")
    np.testing.assert_allclose(ours.maps, other.maps, atol=1e-5)
    np.testing.assert_array_equal(ours.images, other.images)


@pytest.mark.tensorflow
@pytest.mark.parametrize("data_format", ["channels_last", "channels_first"])
@pytest.mark.parametrize("dtype", ["float32", "mixed_bfloat16"])
def test_grouped_convolutions_are_not_compiled_at_every_call(
    data_format: str, dtype: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    options: dict[str, Any] = {"data_format": data_format, "dtype": dtype}
    images = keras.Input((8, 12, 6) if data_format == "channels_last" else (6, 8, 12))
    conv = keras.layers.Conv2D(9, 3, 2, "same", groups=3, activation="relu", **options)
    pooled = keras.layers.GlobalAveragePooling2D(**options)(conv(inputs=images))
    classes = keras.layers.Dense(4, activation="softmax", dtype=dtype)(pooled)
    model = randomised(keras.Model(images, classes))
    batch = image_batch(2, *model.input_shape[1:])
    expected = model.predict(batch, verbose=0).max(axis=1)

    def compiled(*_: object, **__: object) -> None:
        raise AssertionError("Keras compiles")

    monkeypatch.setattr("tensorflow.function", lambda **_: lambda _: compiled)
    for method in ("cam", "grad_cam", "integrated_gradients"):
        found = explain(model, batch, method=method)
        tolerance = 1e-6 if dtype == "float32" else 0.01
        np.testing.assert_allclose(found.probabilities, expected, atol=tolerance)


def test_half_precision(network: keras.Model) -> None:
    half = randomised(small(input_shape=SHAPE, dtype="mixed_float16"))
    ours, halved = (explain(model, IMAGES, 1, method="grad_cam") for model in (network, half))
    np.testing.assert_allclose(ours.maps, halved.maps, atol=0.02)


def test_stages_and_layers_by_name(network: keras.Model) -> None:
    by_stage = explain(network, IMAGES, stage="stage1")
    by_layer = explain(network, IMAGES, stage="stage1_block1_out")
    assert by_stage.method == "grad_cam"
    assert by_stage.raw.shape == (2, 12, 8)
    assert by_stage.maps.shape == (2, 48, 32)
    np.testing.assert_array_equal(by_stage.maps, by_layer.maps)


def test_integrated_gradients_add_up_to_the_score(network: keras.Model) -> None:
    found = explain(network, IMAGES, method="integrated_gradients")
    assert found.raw.shape == (2, 48, 32)
    # 32 steps through a network of ReLUs
    assert max(found.completeness) < 0.02
    scores = randomised(small(input_shape=SHAPE, classifier_activation=None))
    gained = keras.ops.convert_to_numpy(scores(IMAGES) - scores(np.zeros_like(IMAGES)))
    expected = gained[np.arange(2), list(found.classes)]
    np.testing.assert_allclose(found.raw.sum(axis=(1, 2)), expected, rtol=0.03)


def bright(size: int = 20) -> keras.Model:
    """A network whose answer is 1 if pixels are brighter than a half."""
    image = keras.Input((size, size, 1))
    x = keras.layers.Conv2D(1, 1, activation="relu", name="bright")(image)
    x = keras.layers.GlobalAveragePooling2D()(x)
    model = keras.Model(image, keras.layers.Dense(2, activation="softmax")(x))
    weights = np.ones((1, 1, 1, 1)), np.full(1, -0.5), np.array([[0.0, 400.0]]), np.array([0.0, -5])
    model.set_weights(weights)
    return model


def test_trust_is_what_the_answer_depends_on() -> None:
    image = np.zeros((1, 20, 20, 1), "float32")
    image[:, :5, :6] = 1  # the corner: 30 pixels of 400
    found = explain(bright(), image)
    # A mean of 30 / 400 / 2 gives a score of 15 - 5; without the corner it is -5.
    assert found.classes == (1,)
    np.testing.assert_array_equal(found.maps[0], image[0, ..., 0])
    [trust] = found.trust
    assert trust.important == pytest.approx(1, abs=0.01)
    assert trust.random < 0.5
    assert trust.difference == trust.important - trust.random
    assert trust.important_log_odds == pytest.approx(15, abs=1e-4)
    assert trust.stands_out
    assert "more than each" in trust.reading
    assert explain(bright(), image).trust == (trust,)  # the random places are the same


def test_trust_in_a_network_that_is_sure() -> None:
    image = np.zeros((1, 20, 20, 1), "float32")
    image[:, :5, :6] = 1
    model = bright()
    model.layers[-1].bias.assign([0, 95])
    [trust] = explain(model, image).trust
    assert trust.important == 0
    assert trust.important_log_odds == pytest.approx(15, abs=1e-4)
    assert trust.stands_out
    model.layers[-1].kernel.assign(np.zeros((1, 2)))  # an answer that looks at nothing
    [trust] = explain(model, image, classes=1, stage="bright").trust
    assert (trust.important_log_odds, trust.random_log_odds) == (0, 0)
    assert "no more than" in trust.reading


@pytest.mark.parametrize("activation", ["softmax", "sigmoid"])
def test_log_odds_are_those_of_the_probability(activation: str) -> None:
    model = randomised(small(input_shape=SHAPE, classifier_activation=activation))
    found = explain(model, IMAGES, classes=1)
    before = np.array(found.probabilities)
    after = before - [trust.important for trust in found.trust]
    expected = np.log(before / (1 - before)) - np.log(after / (1 - after))
    ours = [trust.important_log_odds for trust in found.trust]
    np.testing.assert_allclose(ours, expected, atol=1e-4)


def unet() -> keras.Model:
    """Two levels; a class for every pixel."""
    encoder = small(input_shape=SHAPE, features=("stem", "stage1", "stage2"))
    stem, _, x = encoder.output.values()
    x = keras.layers.UpSampling2D(4)(x)
    x = keras.layers.Concatenate()([x, stem])
    x = keras.layers.UpSampling2D(2)(x)
    x = keras.layers.Conv2D(3, 3, padding="same", activation="softmax", name="classes")(x)
    return randomised(keras.Model(encoder.input, x))


def test_segmentation_adds_the_pixels_of_the_class() -> None:
    model = unet()
    found = explain(model, IMAGES, classes=2)
    answers = keras.ops.convert_to_numpy(model(IMAGES))
    is_class = answers.argmax(axis=-1) == 2
    means = [answers[n, ..., 2][is_class[n]].mean() for n in range(2)]
    np.testing.assert_allclose(found.probabilities, means, atol=1e-5)
    assert (found.method, found.raw.shape) == ("grad_cam", (2, 6, 4))
    assert explain(model, IMAGES).classes == tuple(answers.mean(axis=(1, 2)).argmax(axis=1))


def test_the_names_of_the_classes_are_those_of_the_folder(tmp_path: Path) -> None:
    save_pretrained(tiny(), tmp_path / "net", labels=list("abcde"))
    loaded = ResnetBuilder.from_preset(str(tmp_path / "net"))
    found = explain(loaded, image_batch(1, *loaded.input_shape[1:]), 3)
    assert found.names == ("d",)


def test_names_and_picture(network: keras.Model, tmp_path: Path) -> None:
    found = explain(network, IMAGES[0], 1, class_names=["ant", "b<e>", "cat", "dog", "eel"])
    assert found.names == ("b<e>",)
    assert "b<e>" in str(found)
    found.save(tmp_path / "seen.png")
    png, words = found._repr_png_()
    assert (tmp_path / "seen.png").read_bytes() == png
    assert "b<e>" in words["alt"]
    width, height = png_size(png)
    assert height == 8 + 5 * 48 + 8
    assert width > 4 * 8 + 2 * 5 * 32 + 50
    with Image.open(io.BytesIO(png)) as image:
        pixels = np.asarray(image)
    large = found.images[0].repeat(5, axis=0).repeat(5, axis=1)
    np.testing.assert_array_equal(pixels[8:248, 8:168], large)
    yellow = pixels[8:248, 184:344][found.maps[0].repeat(5, axis=0).repeat(5, axis=1) > 0.99]
    # Under matplotlib's last colour of viridis, (253, 231, 37), is a grey.
    assert np.all(yellow - np.array([0.55 * 253, 0.55 * 231, 0.55 * 37]) > -1)
    assert np.ptp((yellow - 0.55 * np.array([253, 231, 37])).mean(axis=1)) < 0.45 * 255
    assert (pixels[:, 352:] < 128).any()  # the caption
    assert list(tmp_path.iterdir()) == [tmp_path / "seen.png"]


def test_images_are_drawn_as_they_were_before_the_normalisation(network: keras.Model) -> None:
    [picture] = explain(network, 2 * IMAGES[:1] + 1).images
    least, most = IMAGES[0].min(), IMAGES[0].max()
    expected = 255 * (IMAGES[0] - least) / (most - least)
    np.testing.assert_allclose(picture, expected, atol=0.51)


WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "stage": ({"stage": "stage9"}, "unknown stage 'stage9': choose from 'stem', 'stage1'"),
    "stage of CAM": ({"stage": "stage1", "method": "cam"}, 'stage is for method="grad_cam"'),
    "after the maps": ({"classes": 5}, "classes must be from 0 to 4, got 5"),
    "classes": ({"classes": [0, 1, 2]}, "one number or 2, one for each image"),
    "method": ({"method": "gradcam"}, "did you mean 'grad_cam'"),
    "names": ({"class_names": ["cat"]}, "the network has 5 classes, and class_names 1"),
    "images": ({"images": IMAGES[:, :40]}, r"must be \(batch, 48, 32, 3\).*got \(2, 40, 32, 3\)"),
    "NaN": ({"images": IMAGES * np.nan}, "images must be finite"),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_cannot_be_explained_is_refused(case: str, network: keras.Model) -> None:
    arguments, message = WRONG[case]
    with pytest.raises(ValueError, match=message):
        explain(network, **({"images": IMAGES} | arguments))


def test_words_are_no_images(network: keras.Model) -> None:
    with pytest.raises(TypeError, match=r"must be an array of numbers, got 'cat\.png'"):
        explain(network, "cat.png")


def test_networks_that_cannot_be_explained_are_refused(tmp_path: Path) -> None:
    image = keras.Input((8, 8, 1))
    x = keras.layers.Dense(2)(keras.layers.Flatten()(keras.layers.Conv2D(2, 3)(image)))
    flat = keras.Model(image, x, name="flat")
    images = image_batch(1, 8, 8, 1)
    with pytest.raises(ValueError, match=r"'flat' does not end in average pooling"):
        explain(flat, images, method="cam")
    assert explain(flat, images).raw.shape == (1, 6, 6)
    with pytest.raises(ValueError, match="has several outputs, 2: give the model of one"):
        explain(keras.Model(image, [x, x + 1]), images)
    vectors = keras.Sequential([keras.Input((4,)), keras.layers.Dense(2)], name="vectors")
    with pytest.raises(ValueError, match=r"'vectors' takes \(None, 4\), and not a batch"):
        explain(vectors, np.zeros((1, 4)))
    with pytest.raises(TypeError, match="model must be a Keras model"):
        explain(np.zeros(3), images)
    with pytest.raises(ValueError, match=r"its ending must be \.png"):
        explain(flat, images).save(tmp_path / "seen.jpg")


OTHER_BACKENDS = """
import os
os.environ["KERAS_BACKEND"] = "{backend}"
import numpy as np
from resnet_builder import ResnetBuilder, explain

model = ResnetBuilder.from_preset(
    "resnet18", (16, 16, 3), 5, repetitions=(1, 1), filters=8, classifier_activation=None
)
images = np.random.default_rng(0).standard_normal((2, 16, 16, 3)).astype("float32")
cam, grad_cam = explain(model, images), explain(model, images, method="grad_cam")
print(np.abs(cam.maps - grad_cam.maps).max() < 1e-5, cam.maps.max() == 1)
shares = explain(model, images, method="integrated_gradients")
print(max(shares.completeness) < 0.02)
"""


@pytest.mark.slow
@pytest.mark.parametrize("backend", ["jax", "torch"])
def test_other_backends(backend: str, tmp_path: Path) -> None:
    pytest.importorskip(backend)
    assert printed_by(OTHER_BACKENDS.format(backend=backend), tmp_path).split() == ["True"] * 3


@pytest.mark.slow
@pytest.mark.convolutions
@pytest.mark.parametrize("stage", [1, 4])
def test_as_pytorch_grad_cam(stage: int) -> None:
    """Needs grad-cam and torchvision; measured with 1.5.7 and 0.28: 1 - 1e-8 or more."""
    torch: Any = pytest.importorskip("torch")
    grad_cam: Any = pytest.importorskip("pytorch_grad_cam")
    torchvision: Any = pytest.importorskip("torchvision")
    from resnet_builder import ResnetBuilder, load_weights

    theirs = torchvision.models.resnet18(num_classes=10).eval()
    ours = ResnetBuilder.from_preset("resnet18", (96, 128, 3), 10)
    load_weights(ours, theirs.state_dict())
    images = image_batch(2, 96, 128, 3)
    with grad_cam.GradCAM(theirs, [getattr(theirs, f"layer{stage}")]) as cam:
        expected = cam(torch.tensor(images.transpose(0, 3, 1, 2).copy()), targets=None)
    for our_map, their_map in zip(
        explain(ours, images, stage=f"stage{stage}").maps, expected, strict=True
    ):
        assert np.corrcoef(our_map.ravel(), their_map.ravel())[0, 1] > 0.9999


def test_it_is_a_table(network: keras.Model) -> None:
    found = explain(network, IMAGES, 1)
    assert isinstance(found, Explanation)
    assert found.to_markdown().count("class 1") == 2
    assert "cam, stage2_block1_out" in str(found)
    for words, trust in zip(found._captions(), found.trust, strict=True):
        for number in (f"{trust.important:.4f}".rstrip("0"), f"{trust.random:.4f}".rstrip("0")):
            assert number in str(found)
            assert number in "\n".join(words)
        assert words[-1] == f"{found.method}, {found.stage}"
