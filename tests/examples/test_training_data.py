"""The data of examples/train.py: what a network is shown, in which order, and by which process."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from training_data import (
    Data,
    cifar,
    class_folders,
    digits,
    load_data,
    one_hot,
    steps_per_epoch,
    training_batches,
    validation_batches,
)

BATCH = 64


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
    data = digits()
    make = training_batches(data, BATCH, seed=0, epochs=range(1))
    alone = shown(make(tf.distribute.InputContext()))
    # 1,797 digits, of which a fifth validates: 1,437, or 22 batches of 64 and a rest.
    assert len(alone) == steps_per_epoch(data, BATCH) == 22
    assert_equal(together(make, workers, replicas), alone)


def test_an_epoch_depends_on_its_number_and_the_seed_alone() -> None:
    data, context = digits(), tf.distribute.InputContext()
    run = shown(training_batches(data, BATCH, seed=0, epochs=range(3))(context))
    resumed = shown(training_batches(data, BATCH, seed=0, epochs=range(2, 3))(context))
    assert_equal(resumed, run[44:])
    other = shown(training_batches(data, BATCH, seed=1, epochs=range(2, 3))(context))
    for different in (run[:22], run[22:44], other):
        assert (different[0][1] != resumed[0][1]).any()


def test_no_image_is_augmented_twice_alike() -> None:
    data = replace(digits(), augment=lambda image, seed: tf.stack(seed))
    batches = training_batches(data, BATCH, seed=5, epochs=range(2))(tf.distribute.InputContext())
    seeds = np.concatenate([seeds for seeds, _ in shown(batches)])
    assert len(np.unique(seeds, axis=0)) == len(seeds) == 2 * 22 * BATCH


@pytest.mark.parametrize(("workers", "replicas"), [(1, 1), (2, 2), (2, 4)])
def test_validation_is_of_every_image_once(workers: int, replicas: int) -> None:
    data = digits()
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
    data = digits()
    hot = one_hot(data)
    assert hot.train.labels.shape == (1437, 10)
    np.testing.assert_array_equal(hot.train.labels.argmax(axis=1), data.train.labels)
    np.testing.assert_array_equal(hot.validation.labels.sum(axis=1), 1)


def test_few_images_for_many_replicas() -> None:
    data = digits()
    with pytest.raises(ValueError, match="360 images are too few to validate with on 400 devices"):
        validation_batches(data, 512)(of_worker(0, 1, 400))
    with pytest.raises(ValueError, match="a batch of 2000 is more than the 1437 images"):
        steps_per_epoch(data, 2000)


def variants(data: Data, image: Any, seeds: int) -> set[bytes]:
    return {data.augment(image, [0, seed]).numpy().tobytes() for seed in range(seeds)}


def test_digits_are_shifted_and_not_mirrored() -> None:
    data = digits()
    image = data.train.images[0]
    shifts = set()
    padded = np.pad(data.show(image), [[1, 1], [1, 1], [0, 0]])
    for row in range(3):
        for column in range(3):
            shifts.add(padded[row : row + 8, column : column + 8].tobytes())
    assert variants(data, image, 100) == shifts


def test_cifar_is_shifted_by_four_and_mirrored(monkeypatch: pytest.MonkeyPatch) -> None:
    random = np.random.Generator(np.random.PCG64(0))
    pixels = random.integers(0, 256, (4, 32, 32, 3), "uint8")
    labels = np.array([[0], [1], [2], [3]])
    loaded = ((pixels, labels), (pixels, labels))
    monkeypatch.setattr(keras.datasets.cifar100, "load_data", lambda: loaded)
    data = cifar("cifar100")
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
    data = load_data(str(tmp_path), (32, 24, 1))
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
    data = class_folders(tmp_path, (28, 28, 3))
    file = data.train.images[0]
    # 64 pixels become 32, and the middle 28 of them are from 4 to 60.
    middle = data.show(file)[:, 0, 0] * 0.229 + 0.485
    np.testing.assert_allclose(middle, (4 + 2 * np.arange(28) + 0.5) * 4 / 255, atol=0.01)
    assert len(variants(data, file, 8)) == 8


def test_folders_of_train_and_val(tmp_path: Path) -> None:
    for part, count in (("train", 3), ("val", 2)):
        for name in ("a", "b"):
            write_images(tmp_path / part / name, count, grey=0, sides=(8, 8))
    data = class_folders(tmp_path, (8, 8, 3))
    assert (len(data.train), len(data.validation), data.classes) == (6, 4, 2)


def test_folders_that_will_not_do(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no folder nowhere; --data is digits, cifar10"):
        load_data("nowhere", (32, 32, 3))
    with pytest.raises(ValueError, match=r"a folder of images for each class.*it has none"):
        class_folders(tmp_path, (32, 32, 3))
    write_images(tmp_path / "cats", 3, grey=0, sides=(8, 8))
    (tmp_path / "dogs").mkdir()
    with pytest.raises(ValueError, match="dogs has no images"):
        class_folders(tmp_path, (32, 32, 3))
    write_images(tmp_path / "dogs" / "more", 3, grey=0, sides=(8, 8))
    with pytest.raises(ValueError, match="too few images"):
        class_folders(tmp_path, (32, 32, 3))
