"""A residual network is many parallel paths: the lesion study of Veit et al. 2016.

A residual and a plain network of 32 layers learn handwritten digits (arXiv:1605.06431, 4). Then
each block is removed in turn, several at random, and blocks of one size change places; and the
share of the gradient that the residual network's paths of each length carry is measured.

Run it with: python examples/lesion_study.py (some minutes on two cores; --quick takes one)
"""

import argparse
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # TensorFlow says less; errors are raised

import keras
import numpy as np
import tensorflow as tf
from lesion_figures import draw_lesions, draw_paths, draw_removed, draw_shuffled
from scipy.stats import kendalltau
from tabulate import tabulate
from training_data import Data, load_data, steps_per_epoch, training_batches

from resnet_builder import (
    Recipe,
    ResnetBuilder,
    along_paths,
    path_lengths,
    reordered,
    without_blocks,
)

NETWORKS = ("resnet32_cifar", "plain32_cifar")
RESIDUAL, PLAIN = NETWORKS
BLOCKS = [f"stage{stage}_block{block}" for stage in (1, 2, 3) for block in range(1, 6)]
# What opens a stage changes the size: in a plain network nothing else does, so it cannot go, and in
# none does another block fit in its place.
OPENING = ("stage2_block1", "stage3_block1")
INNER = [block for block in BLOCKS if block not in OPENING]
STAGES = [[block for block in INNER if block.startswith(f"stage{n}")] for n in (1, 2, 3)]


@dataclass(frozen=True)
class Size:
    """How much is measured."""

    epochs: int
    draws: int  # of removals and of shuffles, for each number
    paths: int  # of each length


SIZES = {"default": Size(epochs=15, draws=10, paths=360), "quick": Size(8, draws=1, paths=40)}


def train(preset: str, data: Data, epochs: int) -> keras.Model:
    """Train a network; the same for both."""
    keras.utils.set_random_seed(0)
    batch_size = 64
    steps = steps_per_epoch(data, batch_size)
    model = ResnetBuilder.from_preset(preset, data.shape, data.classes)
    warm_up = epochs * steps // 10
    rate = keras.optimizers.schedules.CosineDecay(
        0.0, epochs * steps - warm_up, warmup_target=0.05, warmup_steps=warm_up
    )
    model.compile(
        keras.optimizers.SGD(rate, momentum=0.9, nesterov=True),
        "sparse_categorical_crossentropy",
        metrics=["accuracy"],
        jit_compile=False,
    )
    batches = training_batches(data, batch_size, 0, range(epochs))(tf.distribute.InputContext())
    model.fit(batches, epochs=epochs, steps_per_epoch=steps, shuffle=False, verbose=0)
    return model


def error(model: keras.Model, data: Data) -> float:
    """The share of the images not trained on that are taken for another digit, in percent."""
    answers = model(data.show(data.validation.images), training=False)
    return 100 * float(np.mean(np.argmax(answers, axis=1) != data.validation.labels))


def without_each(model: keras.Model, data: Data) -> dict[str, float]:
    """The error without each of the blocks that can be removed."""
    plain = model.name == PLAIN
    return {
        block: error(without_blocks(model, [block]), data) for block in (INNER if plain else BLOCKS)
    }


def without_several(
    model: keras.Model, data: Data, draws: int, rng: np.random.Generator
) -> dict[int, list[float]]:
    """The errors without some blocks drawn at random, by their number."""
    return {
        number: [
            error(without_blocks(model, rng.choice(INNER, number, replace=False)), data)
            for _ in range(draws)
        ]
        for number in range(1, len(INNER), 2)
    }


def shuffled(
    model: keras.Model, data: Data, draws: int, rng: np.random.Generator
) -> Iterator[tuple[float, float]]:
    """Kendall's tau of an order of the blocks with the learnt one, and the error in that order."""
    for swaps in (1, 2, 4, 8, 16):
        for _ in range(draws):
            stages = [list(stage) for stage in STAGES]
            for _ in range(swaps):
                stage = stages[rng.integers(len(stages))]
                one, other = rng.choice(len(stage), 2, replace=False)
                stage[one], stage[other] = stage[other], stage[one]
            changed = model
            for stage in stages:
                changed = reordered(changed, stage)
            order = [BLOCKS.index(block) for stage in stages for block in stage]
            yield float(kendalltau(order, sorted(order)).statistic), error(changed, data)


def gradients(
    model: keras.Model, data: Data, paths: int, rng: np.random.Generator
) -> dict[int, float]:
    """The gradient's mean norm at the image, along a path, by the path's length."""
    gated = along_paths(model)
    images = data.show(data.train.images[:paths])
    labels = data.train.labels[:paths]
    norms = {}
    for length in range(len(BLOCKS) + 1):
        chosen = np.arange(len(BLOCKS)) < length
        some = tf.constant(rng.permuted(np.tile(chosen, (paths, 1)), axis=1), "float32")
        with tf.GradientTape() as tape:
            tape.watch(images)
            answers = gated([images, some], training=False)
            loss = tf.reduce_sum(keras.losses.sparse_categorical_crossentropy(labels, answers))
        slope = tape.gradient(loss, images)
        norms[length] = float(tf.reduce_mean(tf.norm(tf.reshape(slope, (paths, -1)), axis=1)))
    return norms


def shares(norms: dict[int, float], counts: dict[int, int]) -> dict[int, float]:
    """What the paths of each length carry of the gradient, in percent."""
    carried = {length: norms[length] * counts[length] for length in counts}
    total = sum(carried.values())
    return {length: 100 * value / total for length, value in carried.items()}


def main_part(values: dict[int, float], part: float = 95) -> tuple[int, int]:
    """The least range of lengths that carries so many percent."""
    lengths = list(values)
    ranges = [
        (first, last)
        for first in lengths
        for last in lengths[first:]
        if sum(values[length] for length in range(first, last + 1)) >= part
    ]
    return min(ranges, key=lambda ends: (ends[1] - ends[0], ends))


def quartiles(values: Sequence[float]) -> str:
    """The median, and in brackets the quartiles."""
    low, median, high = np.percentile(values, [25, 50, 75])
    return f"{median:.1f}% ({low:.1f} to {high:.1f})"


def report(
    whole: dict[str, float],
    each: dict[str, dict[str, float]],
    several: dict[str, dict[int, list[float]]],
    orders: list[tuple[float, float]],
) -> None:
    """Print the errors."""
    rows = []
    for name in NETWORKS:
        parts = [INNER, *STAGES]
        means = [np.mean([each[name][block] for block in part]) for part in parts]
        rows.append((name, *(f"{value:.1f}%" for value in (whole[name], *means))))
    header = ("network", "whole", "without one block", "of stage1", "of stage2", "of stage3")
    print("\nMean test error (chance is 90%), without one of the blocks that do not open a stage:")
    print(tabulate(rows, header, tablefmt="github"))
    columns = ("blocks removed", *NETWORKS)
    rows_by_number = [
        (number, *(quartiles(several[name][number]) for name in NETWORKS))
        for number in several[RESIDUAL]
    ]
    print("\nMedian (quartiles) of the test error:")
    print(tabulate(rows_by_number, columns, tablefmt="github"))
    correlation = float(np.corrcoef(np.array(orders).T)[0, 1])
    print(
        f"\n{RESIDUAL} with its blocks in other orders: error {min(e for _, e in orders):.1f}% to "
        f"{max(e for _, e in orders):.1f}%; its correlation with Kendall's tau is {correlation:.2f}"
    )


def main() -> None:
    """Read the command line, train, measure, print and draw."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--quick", action="store_true", help="less training, fewer draws")
    parser.add_argument("--out", type=Path, default=Path("lesions"), help="a folder")
    options = parser.parse_args()
    size = SIZES["quick" if options.quick else "default"]
    options.out.mkdir(parents=True, exist_ok=True)
    # The same result on every run on this machine.
    tf.config.experimental.enable_op_determinism()
    rng = np.random.Generator(np.random.PCG64(0))
    data = load_data("digits", (8, 8, 1), Recipe())  # without augmentation

    models = {name: train(name, data, size.epochs) for name in NETWORKS}
    whole = {name: error(model, data) for name, model in models.items()}
    print("Trained: " + ", ".join(f"{name} {value:.1f}% wrong" for name, value in whole.items()))
    each = {name: without_each(model, data) for name, model in models.items()}
    several = {
        name: without_several(model, data, size.draws, rng) for name, model in models.items()
    }
    orders = list(shuffled(models[RESIDUAL], data, size.draws, rng))
    report(whole, each, several, orders)

    counts = path_lengths(RESIDUAL)
    norms = gradients(models[RESIDUAL], data, size.paths, rng)
    carried = shares(norms, counts)
    total = sum(counts.values())
    existing = {length: 100 * count / total for length, count in counts.items()}
    for what, values in (("paths", existing), ("gradient", carried)):
        first, last = main_part(values)
        print(f"At least 95% of the {what}: lengths {first} to {last} of {len(BLOCKS)} blocks")

    draw_lesions(BLOCKS, each, whole, options.out / "one_block_removed.png")
    draw_removed(several, whole, options.out / "blocks_removed.png")
    draw_shuffled(orders, whole[RESIDUAL], options.out / "blocks_shuffled.png")
    draw_paths(counts, norms, carried, options.out / "paths.png")
    print(f"Drawn in {options.out}")


if __name__ == "__main__":
    main()
