"""Augmentation: the distributions of what is drawn, and Pillow's results of the operations."""

from dataclasses import replace
from typing import Any

import keras
import numpy as np
import pytest
from PIL import Image, ImageEnhance, ImageOps
from scipy import stats

from resnet_builder import RECIPES, Augment, Recipe, augmentation
from resnet_builder.training import image_operations as operations
from resnet_builder.training.augmentation import (
    CROP_AREAS,
    CROP_SIDES,
    ERASED_AREAS,
    ERASED_SIDES,
    _Draws,
    _rectangle,
)

pytestmark = pytest.mark.tensorflow
tf = pytest.importorskip("tensorflow", reason="draws are counted in graphs of TensorFlow")
Array = Any

# A right distribution fails a test in one of 1,000 choices of seeds; the seeds are fixed.
LEAST_P = 1e-3


def drawn(function: Any, count: int) -> Array:
    """Results of a function of a seed, for as many seeds."""
    seeds = tf.data.Dataset.range(count).map(lambda number: function(tf.stack([7, number])))
    batches = seeds.batch(count).as_numpy_iterator()
    return next(batches)


def photo(height: int = 40, width: int = 60, channels: int = 3) -> Array:
    """Smooth colours with some noise."""
    rng = np.random.Generator(np.random.PCG64(0))
    rows, columns = np.mgrid[:height, :width] / 60
    waves = [np.sin(9 * rows * (c + 1)) + np.cos(7 * columns + c) for c in range(channels)]
    noise = rng.normal(0, 5, (height, width, channels))
    return np.clip(128 + 50 * np.stack(waves, -1) + noise, 0, 255).astype("uint8")


def only(**settings: Any) -> Recipe:
    return Recipe(augment=Augment(**settings))


# Rectangles -------------------------------------------------------------------------------------


def reference_rectangles(
    sides: tuple[int, int], areas: tuple[float, float], ratios: tuple[float, float], count: int
) -> Array:
    """As torchvision's RandomResizedCrop.get_params and RandomErasing.get_params describe them."""
    rng = np.random.Generator(np.random.PCG64(1))
    found: list[tuple[int, ...]] = []
    while len(found) < count:
        area = sides[0] * sides[1] * rng.uniform(*areas)
        ratio = np.exp(rng.uniform(*np.log(ratios)))
        height, width = round(np.sqrt(area / ratio)), round(np.sqrt(area * ratio))
        if 0 < height <= sides[0] and 0 < width <= sides[1]:
            top, left = rng.integers(sides[0] - height + 1), rng.integers(sides[1] - width + 1)
            found.append((top, left, height, width))
    return np.array(found)


@pytest.mark.parametrize(
    ("areas", "ratios"),
    [(CROP_AREAS, CROP_SIDES), (ERASED_AREAS, ERASED_SIDES)],
    ids=["crop", "erased"],
)
def test_areas_sides_and_places_of_rectangles(areas: Any, ratios: Any) -> None:
    sides, image = (300, 400), tf.zeros((300, 400, 1))
    found = drawn(lambda seed: tf.stack(_rectangle(_Draws(seed), image, areas, ratios)[:4]), 3000)
    expected = reference_rectangles(sides, areas, ratios, 3000)
    for quantity in (
        lambda r: r[:, 2] * r[:, 3],
        lambda r: r[:, 3] / r[:, 2],
        lambda r: (r[:, 0] + 0.5) / (sides[0] - r[:, 2] + 1),
        lambda r: (r[:, 1] + 0.5) / (sides[1] - r[:, 3] + 1),
    ):
        assert stats.ks_2samp(quantity(found), quantity(expected)).pvalue > LEAST_P
    assert (found[:, 0] + found[:, 2]).max() <= sides[0]
    assert (found[:, 1] + found[:, 3]).max() <= sides[1]
    assert found[:, :2].min() == 0


def test_crops_of_a_panorama_are_no_panoramas() -> None:
    image = tf.zeros((20, 200, 1))

    def draw(seed: Any) -> Any:
        return tf.stack(_rectangle(_Draws(seed), image, (0.9, 1.0), CROP_SIDES)[:4])

    # Nothing fits: 4:3 in the middle, as torchvision does.
    np.testing.assert_array_equal(drawn(draw, 5), [[0, 86, 20, 27]] * 5)


def test_a_resized_crop_is_of_one_rectangle() -> None:
    rows, columns = np.mgrid[:64, :96]
    ramp = np.stack([rows * 2, columns * 2, 0 * rows], -1).astype("uint8")
    make = augmentation(only(crop="resized"), (16, 16, 3))
    for seed in range(5):
        crop = np.asarray(make.image(ramp, seed))
        assert crop.shape == (16, 16, 3)
        # Values rise evenly: by the height or the width of the crop in all.
        steps = np.diff(crop[2:-2, 8, 0]), np.diff(crop[8, 2:-2, 1])
        for step in steps:
            assert 0 < step.mean() <= 2 * 96 / 16
            assert np.abs(step - step.mean()).max() <= 1.5


def test_a_padded_crop_is_shifted_by_an_eighth() -> None:
    image = photo(16, 16)
    make = augmentation(only(crop="padded"), (16, 16, 3), fill=0)
    padded = np.pad(image, [(2, 2), (2, 2), (0, 0)])
    allowed = {padded[i : i + 16, j : j + 16].tobytes(): (i, j) for i in range(5) for j in range(5)}
    crops = drawn(lambda seed: make.image(image, seed), 500).astype("uint8")
    counts = np.zeros((5, 5))
    for crop in crops:
        counts[allowed[crop.tobytes()]] += 1
    assert stats.chisquare(counts.ravel()).pvalue > LEAST_P


def test_half_of_the_images_are_mirrored() -> None:
    image = photo(8, 8)
    make = augmentation(only(flip=True), (8, 8, 3))
    images = drawn(lambda seed: make.image(image, seed), 1000)
    is_mirrored = (images == image[:, ::-1]).all(axis=(1, 2, 3))
    assert (is_mirrored | (images == image).all(axis=(1, 2, 3))).all()
    assert stats.binomtest(int(is_mirrored.sum()), 1000).pvalue > LEAST_P


def test_as_many_images_have_an_erased_rectangle_as_the_recipe_says() -> None:
    image = np.zeros((60, 80, 1), "uint8")
    make = augmentation(only(erase=0.1), (60, 80, 1), fill=200)
    images = drawn(lambda seed: make.image(image, seed), 2000)
    assert set(np.unique(images)) == {0, 200}
    areas = (images == 200).mean(axis=(1, 2, 3))
    erased = areas[areas > 0]
    assert stats.binomtest(len(erased), 2000, 0.1).pvalue > LEAST_P
    assert stats.kstest((erased - 0.02) / 0.31, "uniform").pvalue > LEAST_P


# Operations -------------------------------------------------------------------------------------

PILLOW: dict[str, tuple[float, Any]] = {
    "brightness": (0.6, lambda x: ImageEnhance.Brightness(x).enhance(1.6)),
    "colour": (-0.7, lambda x: ImageEnhance.Color(x).enhance(0.3)),
    "contrast": (0.5, lambda x: ImageEnhance.Contrast(x).enhance(1.5)),
    "sharpness": (0.9, lambda x: ImageEnhance.Sharpness(x).enhance(1.9)),
    "posterize": (5.7, lambda x: ImageOps.posterize(x, 3)),
    "solarize": (90.0, lambda x: ImageOps.solarize(x, 90)),
    "invert": (0.0, ImageOps.invert),
    "auto_contrast": (0.0, ImageOps.autocontrast),
    "equalize": (0.0, ImageOps.equalize),
    "identity": (0.0, lambda x: x),
    "shear_x": (0.3, lambda x: affine(x, 1, 0.3, 0, 0, 1, 0)),
    "shear_y": (-0.2, lambda x: affine(x, 1, 0, 0, -0.2, 1, 0)),
    "translate_x": (0.2, lambda x: affine(x, 1, 0, 12, 0, 1, 0)),
    "translate_y": (-0.1, lambda x: affine(x, 1, 0, 0, 0, 1, -4)),
    "rotate": (25.0, lambda x: x.rotate(25, Image.Resampling.BILINEAR, fillcolor=(9, 9, 9))),
}


def affine(image: Any, *numbers: float) -> Any:
    return image.transform(
        image.size, Image.Transform.AFFINE, numbers, Image.Resampling.BILINEAR, fillcolor=(9, 9, 9)
    )


@pytest.mark.parametrize("name", PILLOW)
def test_operations_are_those_of_pillow(name: str) -> None:
    argument, of_pillow = PILLOW[name]
    image = photo()
    expected = np.asarray(of_pillow(Image.fromarray(image)), "float32")
    fill = tf.constant([9.0, 9.0, 9.0])
    found = getattr(operations, name)(tf.constant(image, "float32"), tf.constant(argument), fill)
    difference = np.abs(np.asarray(found) - expected)
    # Pillow rounds down, and the grey before; moved images blur with what is beside them.
    at_edges = (expected == 9).all(-1) | (np.abs(np.asarray(found) - 9) < 1e-3).all(-1)
    edges = np.pad(at_edges, 1, mode="constant", constant_values=name not in STILL)
    shifts = [edges[i : i + 40, j : j + 60] for i in range(3) for j in range(3)]
    near = np.any(shifts, axis=0)
    inside = difference[~near] if name not in STILL else difference
    assert inside.size > difference.size / 3
    assert inside.max() < 2
    assert np.mean(inside > 1.01) < 0.01
    assert np.abs(expected - image).max() > 0 or name == "identity"


STILL = set(PILLOW) - {"shear_x", "shear_y", "translate_x", "translate_y", "rotate"}


def test_black_is_darker_than_nearly_black_after_equalize() -> None:
    image = np.repeat([0, 1, 1, 255], 30).reshape(10, 12, 1).repeat(3, -1).astype("uint8")
    expected = np.asarray(ImageOps.equalize(Image.fromarray(image)), "float32")
    found = operations.equalize(tf.constant(image, "float32"), tf.constant(0.0), tf.zeros(3))
    np.testing.assert_array_equal(found, expected)
    assert len(np.unique(expected)) == 3


# The arguments at the least and at the largest strength, and whether half of them are negative:
# timm/data/auto_augment.py, *_increasing_level_to_arg, bits removed in place of those kept; and
# torchvision's TrivialAugmentWide._augmentation_space.
RANGES: dict[str, dict[str, tuple[float, float, bool]]] = {
    "rand_augment": {
        "rotate": (0, 30, True),
        "posterize": (4, 8, False),
        "solarize": (256, 0, False),
        "solarize_add": (0, 110, False),
        **dict.fromkeys(["colour", "contrast", "brightness", "sharpness"], (0, 0.9, True)),
        **dict.fromkeys(["shear_x", "shear_y"], (0, 0.3, True)),
        **dict.fromkeys(["translate_x", "translate_y"], (0, 0.45, True)),
    },
    "trivial_augment": {
        "rotate": (0, 135, True),
        "posterize": (0.5, 6.5, False),
        "solarize": (255, 0, False),
        **dict.fromkeys(["colour", "contrast", "brightness", "sharpness"], (0, 0.99, True)),
        **dict.fromkeys(["shear_x", "shear_y"], (0, 0.99, True)),
        **dict.fromkeys(["translate_x", "translate_y"], (0, 32 / 224, True)),
    },
}


@pytest.mark.parametrize("policy", RANGES)
def test_ranges_of_arguments(policy: str) -> None:
    rows = getattr(operations, policy.upper())
    found = {of.change.__name__: (of.weakest, of.strongest, of.signed) for of in rows}
    assert {name: row for name, row in found.items() if row != (0, 0, False)} == RANGES[policy]


def test_what_is_added_to_dark_values() -> None:
    image = tf.constant([[[0.0], [120.0], [127.0], [128.0]]])
    found = operations.solarize_add(image, tf.constant(60.0), image)
    np.testing.assert_array_equal(np.ravel(found), [60, 180, 187, 128])


def arguments(policy: str, row: operations.Row) -> Array:
    """Arguments that a policy gives to one operation."""
    recipe = only(policy=policy, magnitude=6.0, magnitude_std=0.5)
    seen: list[Any] = []

    def record(image: Any, argument: Any, fill: Any) -> Any:
        return image * 0 + argument

    name = policy.upper()
    with pytest.MonkeyPatch.context() as patch:
        rows = tuple(replace(row, change=record) for _ in getattr(operations, name))
        patch.setattr(f"resnet_builder.training.augmentation.{name}", rows)
        make = augmentation(recipe, (1, 1, 1))
        seen = drawn(lambda seed: make.image(np.full((1, 1, 1), 99), seed), 2000)
    return np.ravel(seen)


def test_strengths_of_rand_augment() -> None:
    found = arguments("rand_augment", operations.Row(operations.identity, 0, 10, signed=True))
    # Two operations, each with a probability of a half: the last that happened is seen.
    happened = found[found != 99]
    assert stats.binomtest(len(happened), 2000, 0.75).pvalue > LEAST_P
    assert stats.binomtest(int((happened > 0).sum()), len(happened)).pvalue > LEAST_P
    assert stats.kstest(np.abs(happened), stats.norm(6, 0.5).cdf).pvalue > LEAST_P


def test_strengths_of_trivial_augment() -> None:
    found = arguments("trivial_augment", operations.Row(operations.identity, 0, 30))
    values, counts = np.unique(np.round(found), return_counts=True)
    np.testing.assert_array_equal(values, np.arange(31))
    assert stats.chisquare(counts).pvalue > LEAST_P
    assert stats.binomtest(int(counts[-1]), 2000, 1 / 31).pvalue > LEAST_P  # none is cut to it


@pytest.mark.parametrize("policy", ["rand_augment", "trivial_augment"])
def test_operations_are_equally_frequent(policy: str, monkeypatch: pytest.MonkeyPatch) -> None:
    name = policy.upper()
    count = len(getattr(operations, name))
    assert count == {"rand_augment": 15, "trivial_augment": 14}[policy]

    def number_of(number: int) -> operations.Row:
        return operations.Row(lambda image, argument, fill: image * 0 + float(number))

    rows = tuple(map(number_of, range(count)))
    monkeypatch.setattr(f"resnet_builder.training.augmentation.{name}", rows)
    make = augmentation(only(policy=policy), (1, 1, 1))
    found = drawn(lambda seed: make.image(np.full((1, 1, 1), 99), seed), 2000).ravel()
    counts = np.bincount(found[found < 99].astype(int), minlength=count)
    assert stats.chisquare(counts).pvalue > LEAST_P


def test_the_orders_of_jitter_are_equally_frequent(monkeypatch: pytest.MonkeyPatch) -> None:
    def change(number: int) -> Any:
        return lambda image, *_: image * 10 + number

    for number, name in enumerate(("brightness", "contrast", "colour"), start=1):
        monkeypatch.setattr(f"resnet_builder.training.augmentation.{name}", change(number))
    make = augmentation(only(jitter=0.4), (1, 1, 1))
    found = drawn(lambda seed: make.image(np.zeros((1, 1, 1)), seed), 1000).ravel() % 100
    values, counts = np.unique(found, return_counts=True)
    assert values.tolist() == [12, 13, 21, 23, 31, 32]  # the last two of the three
    assert stats.chisquare(counts).pvalue > LEAST_P


def test_colours_are_jittered_by_as_much_as_the_recipe_says() -> None:
    make = augmentation(only(jitter=0.4), (1, 1, 1))
    # Of one grey pixel, contrast and saturation change nothing but by rounding.
    found = drawn(lambda seed: make.image(np.full((1, 1, 1), 100), seed), 1000).ravel() / 100
    assert stats.kstest((found - 0.6) / 0.8, "uniform").statistic < 0.06


# Batches ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("alpha", [0.1, 0.2, 1.0])
def test_weights_have_the_beta_distribution(alpha: float) -> None:
    found = drawn(lambda seed: _Draws(seed).beta(alpha), 3000)
    assert ((found >= 0) & (found <= 1)).all()
    # Compared where float32 tells the numbers from 0 and 1.
    expected = stats.beta(alpha, alpha)
    for at in (1e-3, 0.1, 0.3, 0.5, 0.7, 0.9, 0.999):
        share = int((found <= at).sum())
        assert stats.binomtest(share, 3000, expected.cdf(at)).pvalue > LEAST_P


def levels(count: int, side: int = 8) -> tuple[Array, Array]:
    """Images of one value each, 0 and 1 in turn, and one-hot labels."""
    numbers = np.arange(count) % 2
    return np.broadcast_to(numbers[:, None, None, None], (count, side, side, 1)), np.eye(2)[numbers]


@pytest.mark.parametrize(
    "settings",
    [{"mixup": 0.2}, {"cutmix": 1.0}, {"mixup": 0.2, "cutmix": 1.0}],
    ids=["mixup", "cutmix", "both"],
)
def test_labels_are_the_shares_of_the_images(settings: dict[str, float]) -> None:
    images, labels = levels(4)
    make = augmentation(only(**settings), (8, 8, 1))

    def both(seed: Any) -> Any:
        mixed, shares = make.batch(images, labels, seed)
        return tf.reduce_mean(mixed, (1, 2, 3)), shares, tf.reduce_any(mixed % 1 > 0)

    found, shares, are_blended = drawn(both, 400)
    np.testing.assert_allclose(found, shares[..., 1], atol=1e-6)
    np.testing.assert_allclose(shares.sum(-1), 1, atol=1e-6)
    assert len(np.unique(np.round(shares, 3))) > 20
    blended = int(are_blended.sum())
    if "cutmix" not in settings:
        assert blended > 200
    elif "mixup" not in settings:
        assert blended == 0
    else:
        # Some weights of mixup are 0 or 1 in float32.
        assert 140 < blended < 230


def test_cutmix_boxes_are_those_of_the_paper() -> None:
    """Centres uniform in the image, sides of sqrt(1 - weight), cut at the border."""
    images, labels = levels(2, side=32)
    make = augmentation(only(cutmix=1.0), (32, 32, 1))
    found = drawn(lambda seed: make.batch(images, labels, seed)[1][0, 0], 2000)
    rng = np.random.Generator(np.random.PCG64(1))
    expected = []
    for _ in range(2000):
        side = int(32 * np.sqrt(1 - rng.beta(1, 1)))
        ends = [
            np.clip([c - side // 2, c - side // 2 + side], 0, 32) for c in rng.integers(32, size=2)
        ]
        expected.append(1 - np.prod([end - begin for begin, end in ends]) / 32**2)
    assert stats.ks_2samp(found, expected).pvalue > LEAST_P


def test_a_batch_without_mixing_is_as_it_was() -> None:
    images, labels = levels(4)
    mixed = augmentation("he2015", (8, 8, 1)).batch(images, labels, 0)
    np.testing.assert_array_equal(mixed[0], images)
    np.testing.assert_array_equal(mixed[1], labels)


def test_labels_of_a_binary_crossentropy() -> None:
    """timm: Mixup(label_smoothing=), and BinaryCrossEntropy(target_threshold=)."""
    images, labels = levels(4)
    one_hot = np.concatenate([labels, np.zeros((4, 2))], 1)
    smoothing = replace(RECIPES["rsb_a1"], augment=Augment())
    smoothed = augmentation(smoothing, (8, 8, 1)).batch(images, one_hot, 0)[1]
    np.testing.assert_allclose(smoothed, one_hot * 0.9 + 0.1 / 4, rtol=1e-6)
    # Of another loss it is the loss that smooths.
    by_loss = replace(RECIPES["torchvision_v2"], augment=Augment())
    assert by_loss.label_smoothing
    same = augmentation(by_loss, (8, 8, 1)).batch(images, one_hot, 0)[1]
    np.testing.assert_array_equal(same, one_hot)

    recipe = only(mixup=1.0)
    seeds = range(40)
    shares = [augmentation(recipe, (8, 8, 1)).batch(images, one_hot, seed)[1] for seed in seeds]
    above = replace(recipe, loss="binary_crossentropy", target_threshold=0.2)
    found = [augmentation(above, (8, 8, 1)).batch(images, one_hot, seed)[1] for seed in seeds]
    np.testing.assert_array_equal(found, np.array(shares) > 0.2)
    assert {int(count) for count in np.sum(found, -1).ravel()} == {1, 2}


# Recipes ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("recipe", ["he2015", "he2015_cifar", "rsb_a2", "torchvision_v2"])
def test_a_seed_makes_the_same_in_a_dataset_and_from_arrays(recipe: str) -> None:
    image, make = photo(20, 30), augmentation(recipe, (16, 12, 3))
    mapped = drawn(lambda seed: make.image(image, seed), 12)
    assert mapped.dtype == np.float32
    assert mapped.min() >= 0
    assert mapped.max() <= 255
    for number in range(3):
        # A graph may fuse a multiplication and an addition.
        found = make.image(image, [7, number])
        assert np.quantile(np.abs(found - mapped[number]), 0.98) <= 1
    assert len({one.tobytes() for one in mapped}) > 1
    labels = np.eye(12)
    first, second = (make.batch(mapped, labels, 5) for _ in range(2))
    for one, other in zip(first, second, strict=True):
        np.testing.assert_array_equal(one, other)


def test_files_of_an_unknown_size_are_taken_in_a_dataset() -> None:
    make = augmentation("rsb_a3", (16, 16, 3))
    png = tf.io.encode_png(photo())
    dataset = tf.data.Dataset.from_tensors(png).map(
        lambda file: make.image(tf.io.decode_image(file, expand_animations=False), 1)
    )
    assert dataset.element_spec.shape == (16, 16, 3)
    assert next(iter(dataset)).shape == (16, 16, 3)


@pytest.mark.parametrize("channels", [1, 4])
def test_other_numbers_of_channels(channels: int) -> None:
    image = photo(16, 16, channels)
    for recipe in ("rsb_a1", "torchvision_v2", "bag_of_tricks"):
        assert augmentation(recipe, (8, 8, channels)).image(image, 0).shape == (8, 8, channels)


def test_what_cannot_be_is_rejected() -> None:
    with pytest.raises(ValueError, match="unknown recipe 'rsb_a4': did you mean 'rsb_a3'"):
        augmentation("rsb_a4", (8, 8, 3))
    with pytest.raises(ValueError, match=r"must be \(rows, columns, channels\), got \(8, 8\)"):
        augmentation("rsb_a3", (8, 8))
    with pytest.raises(TypeError, match="a size of input_shape must be an integer, got None"):
        augmentation("rsb_a3", (None, 8, 3))  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"one-hot, \(batch, classes\), got the shape \(4,\)"):
        augmentation("rsb_a3", (8, 8, 1)).batch(levels(4)[0], np.arange(4), 0)
    with pytest.raises(ValueError, match=r"magnitude must be from 0 to 10, got 11"):
        Augment(magnitude=11)
    with pytest.raises(ValueError, match="unknown policy 'auto'"):
        Augment(policy="auto")  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="augment must be an Augment, got 'resized'"):
        Recipe(augment="resized")  # type: ignore[arg-type]


def test_one_image_needs_no_graph() -> None:
    found = augmentation("rsb_a2", (8, 8, 3)).image(photo(), 3)
    assert keras.ops.is_tensor(found)
