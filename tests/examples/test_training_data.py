"""The data of examples/train.py: what a network is shown, in which order, and by which process."""

import pickle
from dataclasses import replace
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
import training_data
from training_data import (
    Data,
    Waiting,
    cifar,
    class_folders,
    digits,
    load_data,
    of_one_size,
    one_hot,
    steps_per_epoch,
    training_batches,
    validation_batches,
)

from resnet_builder import RECIPES, Augmentation, Recipe

BATCH = 64
RECIPE = RECIPES["he2015_cifar"]


def shown(batches: Any) -> list[tuple[Any, Any]]:
    return [(image.numpy(), label.numpy()) for image, label in batches]


def of_worker(worker: int, workers: int, replicas: int) -> Any:
    return tf.distribute.InputContext(workers, worker, replicas)


def together(make: Any, workers: int, replicas: int) -> list[tuple[Any, Any]]:
    """Batches of a step, put together from what all replicas of all workers get."""
    each = replicas // workers
    shares = [shown(make(of_worker(worker, workers, replicas))) for worker in range(workers)]
    steps = len(shares[0]) // each
    batches = [
        [batch for share in shares for batch in share[step * each : (step + 1) * each]]
        for step in range(steps)
    ]
    return [
        (np.concatenate([x for x, _ in batch]), np.concatenate([y for _, y in batch]))
        for batch in batches
    ]


def assert_equal(ours: list[Any], theirs: list[Any]) -> None:
    assert len(ours) == len(theirs)
    for our, their in zip(ours, theirs, strict=True):
        for x, y in zip(our, their, strict=True):
            np.testing.assert_array_equal(x, y)


@pytest.mark.parametrize(("workers", "replicas"), [(1, 2), (2, 2), (2, 4)])
def test_replicas_share_the_batches_of_one_process(workers: int, replicas: int) -> None:
    data = digits(RECIPE)
    make = training_batches(data, BATCH, seed=0, epochs=range(1))
    alone = shown(make(tf.distribute.InputContext()))
    # 1,797 digits, of which a fifth validates: 1,437, or 22 batches of 64 and a rest.
    assert len(alone) == steps_per_epoch(data, BATCH) == 22
    assert_equal(together(make, workers, replicas), alone)


def test_an_epoch_depends_on_its_number_and_the_seed_alone() -> None:
    data, context = digits(RECIPE), tf.distribute.InputContext()
    run = shown(training_batches(data, BATCH, seed=0, epochs=range(3))(context))
    resumed = shown(training_batches(data, BATCH, seed=0, epochs=range(2, 3))(context))
    assert_equal(resumed, run[44:])
    other = shown(training_batches(data, BATCH, seed=1, epochs=range(2, 3))(context))
    for different in (run[:22], run[22:44], other):
        assert (different[0][1] != resumed[0][1]).any()


def test_no_image_is_augmented_twice_alike(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Augmentation, "image", lambda self, image, seed: tf.stack(seed))
    data = replace(digits(RECIPE), normal=tf.identity)
    batches = training_batches(data, BATCH, seed=5, epochs=range(2))(tf.distribute.InputContext())
    seeds = np.concatenate([seeds for seeds, _ in shown(batches)])
    assert len(np.unique(seeds, axis=0)) == len(seeds) == 2 * 22 * BATCH


@pytest.mark.parametrize(("workers", "replicas"), [(1, 1), (2, 2), (2, 4)])
def test_validation_is_of_every_image_once(workers: int, replicas: int) -> None:
    data = digits(RECIPE)
    make = validation_batches(data, 128)
    counts = [len(shown(make(of_worker(worker, workers, replicas)))) for worker in range(workers)]
    assert counts == [3 * replicas // workers] * workers  # 360 images: 120 in each of three steps
    batches = together(make, workers, replicas)
    assert [len(labels) for _, labels in batches] == [120] * 3
    np.testing.assert_array_equal(
        np.concatenate([images for images, _ in batches]), data.show(data.validation.images)
    )
    labels = np.concatenate([labels for _, labels in batches])
    np.testing.assert_array_equal(labels, data.validation.labels)


def test_one_hot_labels() -> None:
    data = digits(RECIPE)
    hot = one_hot(data)
    assert hot.train.labels.shape == (1437, 10)
    np.testing.assert_array_equal(hot.train.labels.argmax(axis=1), data.train.labels)
    np.testing.assert_array_equal(hot.validation.labels.sum(axis=1), 1)


def test_mixed_batches_of_repeated_images() -> None:
    data = one_hot(digits(RECIPES["torchvision_v2"]))
    context = tf.distribute.InputContext()
    run = shown(training_batches(data, BATCH, seed=0, epochs=range(2))(context))
    resumed = shown(training_batches(data, BATCH, seed=0, epochs=range(1, 2))(context))
    assert_equal(resumed, run[22:])
    labels = np.concatenate([labels for _, labels in run[:22]])
    np.testing.assert_allclose(labels.sum(1), 1, atol=1e-5)
    assert (labels.max(1) < 1).mean() > 0.3
    # Four variants of an image stand side by side, and the others are its partners' variants.
    np.testing.assert_allclose(labels[0:64:4], labels[3:64:4], atol=1e-5)
    assert len(np.unique(run[0][0].round(3), axis=0)) == BATCH


@pytest.mark.parametrize("recipe", ["he2015_cifar", "rsb_a2"])
def test_another_process_makes_the_same_batches(recipe: str) -> None:
    make = training_batches(one_hot(digits(RECIPES[recipe])), BATCH, seed=0, epochs=range(1))
    context = tf.distribute.InputContext()
    sent = pickle.loads(pickle.dumps(make))(context)
    assert_equal(shown(sent.take(2)), shown(make(context).take(2)))


def test_images_that_fill_up_a_batch_do_not_count() -> None:
    data = digits(RECIPE)
    model = keras.Sequential(
        [keras.Input((8, 8, 1)), keras.layers.Flatten(), keras.layers.Dense(10, "softmax")]
    )
    model.compile(loss="sparse_categorical_crossentropy", weighted_metrics=["accuracy"])
    batches = validation_batches(data, 100)(tf.distribute.InputContext())
    filled = list(of_one_size(iter(batches.as_numpy_iterator()), 100, len(data.validation)))
    # 360 images: 90 of each batch are of them.
    assert [len(labels) for _, labels, _ in filled] == [100] * 4
    found = model.evaluate((batch for batch in filled), steps=4, verbose=0)
    np.testing.assert_allclose(found, model.evaluate(batches, verbose=0), rtol=1e-5)


def report_of(waiting: Waiting, fetching: float, monkeypatch: pytest.MonkeyPatch) -> str:
    """The report of ten steps that take a second each, by a clock that is set."""
    clock = [0.0]
    monkeypatch.setattr(training_data, "perf_counter", lambda: clock[0])

    def fetched() -> Any:
        for number in range(10):
            clock[0] += fetching
            yield number

    is_in_step = waiting.is_timed
    waiting.on_epoch_begin(0)
    batches = waiting.timed(fetched()) if is_in_step else fetched()
    for number in range(10):
        if not is_in_step:
            next(batches)
        waiting.on_train_batch_begin(number)
        if is_in_step:
            next(batches)
        clock[0] += 1
        waiting.on_train_batch_end(number)
    clock[0] += 100  # validation
    logs: dict[str, float] = {}
    waiting.on_epoch_end(0, logs)
    np.testing.assert_allclose(logs["waiting"], fetching / (1 + fetching))
    return waiting.report()


@pytest.mark.parametrize("is_in_step", [False, True])
def test_what_a_run_waits_for(is_in_step: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    waiting = Waiting(batch_size=60)
    waiting.is_timed = is_in_step
    assert report_of(waiting, 0.25, monkeypatch) == (
        "It trained on 48 images a second, and waited for images in 20% of the time: the images "
        "set the pace. Without waiting it would be 60 a second."
    )
    assert "in 5% of the time: the network set the" in report_of(waiting, 0.05, monkeypatch)


def test_few_images_for_many_replicas() -> None:
    data = digits(RECIPE)
    with pytest.raises(ValueError, match="360 images are too few to validate with on 400 devices"):
        validation_batches(data, 512)(of_worker(0, 1, 400))
    with pytest.raises(ValueError, match="a batch of 2000 is more than the 1437 images"):
        steps_per_epoch(data, 2000)


def variants(data: Data, image: Any, seeds: int) -> set[bytes]:
    return {data.augment(image, [0, seed]).numpy().tobytes() for seed in range(seeds)}


def test_digits_are_shifted_and_not_mirrored() -> None:
    data = digits(RECIPE)
    image = data.train.images[0]
    shifts = set()
    padded = np.pad(data.show(image), [[1, 1], [1, 1], [0, 0]])
    for row in range(3):
        for column in range(3):
            shifts.add(padded[row : row + 8, column : column + 8].tobytes())
    assert variants(data, image, 100) == shifts


def test_a_recipe_without_augmentation_shows_images_as_they_are() -> None:
    data = digits(Recipe())
    image = data.train.images[0]
    assert variants(data, image, 5) == {data.show(image).numpy().tobytes()}


def test_cifar_is_shifted_by_four_and_mirrored(monkeypatch: pytest.MonkeyPatch) -> None:
    random = np.random.Generator(np.random.PCG64(0))
    pixels = random.integers(0, 256, (4, 32, 32, 3), "uint8")
    labels = np.array([[0], [1], [2], [3]])
    loaded = ((pixels, labels), (pixels, labels))
    monkeypatch.setattr(keras.datasets.cifar100, "load_data", lambda: loaded)
    data = cifar("cifar100", RECIPE)
    assert (data.shape, data.classes, data.train.labels.tolist()) == (
        (32, 32, 3),
        100,
        [0, 1, 2, 3],
    )
    padded = np.pad(data.show(pixels[0]), [[4, 4], [4, 4], [0, 0]])
    crops = [padded[i : i + 32, j : j + 32] for i in range(9) for j in range(9)]
    allowed = {crop.tobytes() for crop in crops}
    mirrored = {crop[:, ::-1].tobytes() for crop in crops}
    found = variants(data, pixels[0], 60)
    assert found <= allowed | mirrored
    assert found & allowed
    assert found & mirrored
    # Channels of mean 0 and deviation 1.
    np.testing.assert_allclose(np.mean(data.show(pixels), axis=(0, 1, 2)), 0, atol=1e-5)
    np.testing.assert_allclose(np.std(data.show(pixels), axis=(0, 1, 2)), 1, atol=1e-5)


def write_images(folder: Path, count: int, *, grey: int, sides: tuple[int, int]) -> None:
    folder.mkdir(parents=True)
    image = np.full((*sides, 3), grey, "uint8")
    for number in range(count):
        (folder / f"{number}.png").write_bytes(tf.io.encode_png(image).numpy())


def test_a_folder_of_class_folders(tmp_path: Path) -> None:
    write_images(tmp_path / "black", 10, grey=0, sides=(20, 50))
    write_images(tmp_path / "white", 10, grey=255, sides=(60, 40))
    data = load_data(str(tmp_path), (32, 24, 1), RECIPE)
    assert (data.shape, data.classes) == ((32, 24, 3), 2)
    assert (len(data.train), len(data.validation)) == (18, 2)
    context = tf.distribute.InputContext()
    for batches in (training_batches(data, 6, 0, range(2)), validation_batches(data, 6)):
        for images, labels in shown(batches(context)):
            assert images.shape[1:] == (32, 24, 3)
            # White is (1 - 0.485) / 0.229 in red, and black is -0.485 / 0.229.
            red = np.where(labels == 1, 2.2489, -2.1179)
            np.testing.assert_allclose(images[:, 5, 5, 0], red, atol=1e-3)


def test_crops_of_a_picture(tmp_path: Path) -> None:
    ramp = np.broadcast_to(np.arange(64, dtype="uint8")[:, None, None] * 4, (64, 64, 3))
    for name in "ab":
        (tmp_path / name).mkdir()
        for number in range(5):
            path = tmp_path / name / f"{number}.png"
            path.write_bytes(tf.io.encode_png(ramp).numpy())
    data = class_folders(tmp_path, (28, 28, 3), RECIPES["he2015"])
    file = data.train.images[0]
    # 64 pixels become 32, and the middle 28 of them are from 4 to 60.
    middle = data.show(file)[:, 0, 0] * 0.229 + 0.485
    np.testing.assert_allclose(middle, (4 + 2 * np.arange(28) + 0.5) * 4 / 255, atol=0.01)
    assert len(variants(data, file, 8)) == 8


def test_folders_of_train_and_val(tmp_path: Path) -> None:
    for part, count in (("train", 3), ("val", 2)):
        for name in ("a", "b"):
            write_images(tmp_path / part / name, count, grey=0, sides=(8, 8))
    data = class_folders(tmp_path, (8, 8, 3), RECIPE)
    assert (len(data.train), len(data.validation), data.classes) == (6, 4, 2)


def test_folders_that_will_not_do(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no folder nowhere; --data is digits, cifar10"):
        load_data("nowhere", (32, 32, 3), RECIPE)
    with pytest.raises(ValueError, match=r"a folder of images for each class.*it has none"):
        class_folders(tmp_path, (32, 32, 3), RECIPE)
    write_images(tmp_path / "cats", 3, grey=0, sides=(8, 8))
    (tmp_path / "dogs").mkdir()
    with pytest.raises(ValueError, match="dogs has no images"):
        class_folders(tmp_path, (32, 32, 3), RECIPE)
    write_images(tmp_path / "dogs" / "more", 3, grey=0, sides=(8, 8))
    with pytest.raises(ValueError, match="too few images"):
        class_folders(tmp_path, (32, 32, 3), RECIPE)
