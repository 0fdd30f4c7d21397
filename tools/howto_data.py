"""Train small networks on the handwritten digits, and write what the how-tos show of them.

    python -m tools.howto_data  # some minutes on two cores

Written are website/resumed.csv, website/embeddings.csv and docs/howto/grad_cam.png.
"""

import csv
from collections.abc import Iterable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray
from PIL import Image
from sklearn.datasets import load_digits
from sklearn.manifold import TSNE
from sklearn.model_selection import train_test_split

from resnet_builder import EpochBackup, ResnetBuilder, compile_recipe, explain, restore_backup
from resnet_builder.pictures.heat_maps import overlaid

ROOT = Path(__file__).parents[1]
BATCH_SIZE = 32
EPOCHS, KILLED_AFTER = 16, 9
KNOWN = 7  # the embedding is learnt from the digits below this one
SHOWN = 160
CANVAS, LARGE, CLUTTER = 48, 16, 10  # pixels, and pieces of other digits

Numbers = NDArray[np.float32]
Labels = NDArray[np.int64]
Split = tuple[Numbers, Numbers, Labels, Labels]


def digits() -> Split:
    """Images to train on and others, with a mean of 0 and a deviation of 1, and their labels."""
    images, labels = load_digits(return_X_y=True)
    images = images.reshape(-1, 8, 8, 1).astype("float32")
    images = (images - images.mean()) / images.std()
    split: Split = tuple(train_test_split(images, labels, random_state=0, stratify=labels))
    return split


def write(path: Path, header: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """A table."""
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows([header, *rows])


# A run that was interrupted ---------------------------------------------------------------------


def network(images: Numbers, epochs: int) -> keras.Model:
    """The same on every call."""
    keras.utils.set_random_seed(0)
    model = ResnetBuilder.from_preset("resnet8_cifar", images.shape[1:], classes=10)
    steps = -(-len(images) // BATCH_SIZE)
    compile_recipe(
        model, "he2015_cifar", epochs=epochs, steps_per_epoch=steps, batch_size=BATCH_SIZE
    )
    return model


def losses(model: keras.Model, split: Split, epochs: range, *callbacks: object) -> list[float]:
    """The cross-entropy on the images that are trained on, after each epoch."""
    images, _, labels, _ = split
    found = []
    for epoch in epochs:
        order = np.random.default_rng(epoch).permutation(len(images))
        model.fit(
            images[order],
            labels[order],
            BATCH_SIZE,
            epoch + 1,
            initial_epoch=epoch,
            shuffle=False,
            callbacks=list(callbacks),
            verbose=0,
        )
        probabilities = model.predict(images, verbose=0)[np.arange(len(labels)), labels]
        found.append(float(-np.log(probabilities).mean()))
    return found


def resumed(split: Split) -> list[tuple[object, ...]]:
    """The loss after each epoch: of the whole run, resumed, and resumed with the weights alone."""
    before, after = range(KILLED_AFTER), range(KILLED_AFTER, EPOCHS)
    with TemporaryDirectory() as folder:
        path = Path(folder) / "run.weights.h5"
        whole = losses(network(split[0], EPOCHS), split, range(EPOCHS))
        losses(network(split[0], EPOCHS), split, before, EpochBackup(path))
        one, other = network(split[0], EPOCHS), network(split[0], EPOCHS)
        assert restore_backup(one, path) == KILLED_AFTER
        other.set_weights(one.get_weights())  # those of the network, not of the optimiser
        ends = [losses(model, split, after) for model in (one, other)]
    columns = [whole, *([None] * KILLED_AFTER + end for end in ends)]
    return [
        (epoch, *("" if loss is None else f"{loss:.4f}" for loss in row))
        for epoch, row in enumerate(zip(*columns, strict=True), 1)
    ]


# Embeddings -------------------------------------------------------------------------------------


def embeddings(split: Split) -> list[tuple[int, str, str]]:
    """Images not trained on as points; alike vectors are near each other.

    The network has learnt the digits from 0 to 6, and has never seen a 7, an 8 or a 9.
    """
    images, others, labels, other_labels = split
    known = labels < KNOWN
    model = network(images[known], EPOCHS)
    losses(model, (images[known], others, labels[known], other_labels), range(EPOCHS))
    features = keras.Model(model.input, model.get_layer("head_pool").output)
    vectors = features.predict(others, verbose=0)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    likeness = vectors @ vectors.T - 2 * np.eye(len(vectors))
    nearest = other_labels[likeness.argmax(axis=1)]
    for name, which in (("learnt", other_labels < KNOWN), ("new", other_labels >= KNOWN)):
        share = np.mean(nearest[which] == other_labels[which])
        print(f"{name}: the nearest other image is the same digit for {share:.1%} of {which.sum()}")
    points = TSNE(metric="cosine", init="pca", random_state=0).fit_transform(vectors)
    points = (points - points.min(axis=0)) / np.ptp(points, axis=0)
    return [
        (int(label), f"{x:.3f}", f"{y:.3f}")
        for label, (x, y) in list(zip(other_labels, points, strict=True))[:SHOWN]
    ]


# Heat maps --------------------------------------------------------------------------------------


def scenes(images: Numbers, seed: int) -> tuple[Numbers, NDArray[np.int64]]:
    """Each digit somewhere in a larger image, among pieces of others; and where: row, column."""
    rng = np.random.default_rng(seed)
    room = CANVAS - LARGE
    places = rng.integers(0, room + 1, (len(images), 2))
    found = np.zeros((len(images), CANVAS, CANVAS, 1), "float32")
    for scene, image, (row, column) in zip(found, images, places, strict=True):
        for _ in range(CLUTTER):
            piece = images[rng.integers(len(images)), :3, :3].repeat(2, 0).repeat(2, 1)
            y, x = rng.integers(0, CANVAS - len(piece), 2)
            scene[y : y + len(piece), x : x + len(piece)] = piece
        scene[row : row + LARGE, column : column + LARGE] = image.repeat(2, 0).repeat(2, 1)
    return found, places


def heat_maps(split: Split, epochs: int = EPOCHS) -> Image.Image:
    """Four scenes, and where the network saw the digit in them."""
    images, others, labels, other_labels = split
    lowest = images.min()
    images, others = images - lowest, others - lowest
    first, _ = scenes(images, 0)
    model = network(first, epochs)
    for epoch in range(epochs):
        model.fit(
            scenes(images, epoch)[0], labels, BATCH_SIZE, epoch + 1, initial_epoch=epoch, verbose=0
        )
    shown, places = scenes(others, epochs)
    print("accuracy", model.evaluate(shown, other_labels, verbose=0)[1])
    seen = explain(model, shown, other_labels.tolist())
    inside = [
        (row <= y < row + LARGE) and (column <= x < column + LARGE)
        for heat, (row, column) in zip(seen.maps, places, strict=True)
        for y, x in [np.unravel_index(heat.argmax(), heat.shape)]
    ]
    print(f"the highest value is in the digit for {np.mean(inside):.1%} of {len(inside)}")
    rows = []
    pixels = (shown / shown.max() * 255).astype("uint8").repeat(3, axis=-1)
    chosen = [int(np.flatnonzero(other_labels == digit)[0]) for digit in (2, 4, 5, 9)]
    for draw in (lambda image, heat: image, overlaid):
        tiles = [
            np.pad(draw(pixels[n], seen.maps[n]), ((2, 2), (2, 2), (0, 0)), constant_values=128)
            for n in chosen
        ]
        rows.append(np.concatenate(tiles, axis=1))
    sheet = np.concatenate(rows).repeat(3, axis=0).repeat(3, axis=1)
    return Image.fromarray(sheet)


def main() -> None:
    """Train and write."""
    tf.config.experimental.enable_op_determinism()
    split = digits()
    header = ("epoch", "whole", "resumed", "weights")
    write(ROOT / "website" / "resumed.csv", header, resumed(split))
    write(ROOT / "website" / "embeddings.csv", ("digit", "x", "y"), embeddings(split))
    heat_maps(split).save(ROOT / "docs" / "howto" / "grad_cam.png", optimize=True)


if __name__ == "__main__":
    main()
