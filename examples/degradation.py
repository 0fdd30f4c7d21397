"""Deeper plain networks train worse, and shortcuts cure it, as in Figure 6 of He et al. 2015.

Plain and residual networks of growing depth are trained alike on handwritten digits (or CIFAR-10),
from several seeds. Written to --out: degradation.png, and every run's figures in degradation.csv.

Run it with: python examples/degradation.py (12 minutes on two cores; --quick takes one)
"""

import argparse
import csv
import os
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from statistics import mean

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # TensorFlow says less; errors are raised

import keras
import matplotlib.pyplot as plt
import tensorflow as tf
from tabulate import tabulate
from training_data import Data, load_data, steps_per_epoch, training_batches

from resnet_builder import RECIPES, Recipe, ResnetBuilder, compile_recipe

KINDS = {"plain": "plain networks", "resnet": "residual networks"}
# Okabe and Ito's colours, which colour-blind readers can tell apart.
COLOURS = ("#0072B2", "#E69F00", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#000000")


@dataclass(frozen=True)
class Experiment:
    """What is trained, and for how long."""

    data: str
    depths: Sequence[int]
    epochs: int
    seeds: int
    batch_size: int


EXPERIMENTS = {
    "digits": Experiment("digits", (20, 56, 110), epochs=20, seeds=3, batch_size=64),
    "quick": Experiment("digits", (20, 56), epochs=12, seeds=1, batch_size=64),
    # 64,000 iterations, as in section 4.2 of the paper.
    "cifar10": Experiment("cifar10", (20, 32, 44, 56, 110), epochs=164, seeds=1, batch_size=128),
}


@dataclass(frozen=True)
class Run:
    """One network, trained from one seed; errors in percent.

    `training_errors` holds the error of every epoch over its batches, and `iterations` the number
    of batches until its end. `gradients_before` and `gradients_after` training are those of
    `gradients`.
    """

    kind: str
    depth: int
    seed: int
    iterations: list[int]
    training_errors: list[float]
    training_loss: float
    test_error: float
    seconds: float
    gradients_before: list[float] = field(default_factory=list)
    gradients_after: list[float] = field(default_factory=list)


def compile_model(model: keras.Model, experiment: Experiment, steps: int) -> None:
    """The same for every network."""
    if experiment.data == "cifar10":
        compile_recipe(model, "he2015_cifar", epochs=experiment.epochs, steps_per_epoch=steps)
        return
    # So short a training has to be gentle: at the paper's rate of 0.1 the loss of resnet110_cifar
    # leaps up when the warm-up ends, and at 0.01 to 0.1 the plain networks are behind all the same.
    warm_up = 3 * experiment.epochs * steps // 20
    rate = keras.optimizers.schedules.CosineDecay(
        0.0, experiment.epochs * steps - warm_up, warmup_target=0.02, warmup_steps=warm_up
    )
    model.compile(
        keras.optimizers.SGD(rate, momentum=0.9),
        "sparse_categorical_crossentropy",
        metrics=["accuracy"],
        jit_compile=False,  # compiling a hundred layers takes longer than it saves here
    )


def gradients(model: keras.Model, data: Data, batch_size: int) -> list[float]:
    """The norm of the loss's gradient at the output of each block, from the first to the last.

    Of one batch, as in training: batch norm takes its statistics from the batch.
    """
    outputs = [layer.output for layer in model.layers if layer.name.endswith("_out")]
    probe = keras.Model(model.input, [outputs, model.output])
    with tf.GradientTape() as tape:
        blocks, answers = probe(data.show(data.train.images[:batch_size]), training=True)
        labels = data.train.labels[:batch_size]
        loss = tf.reduce_mean(keras.losses.sparse_categorical_crossentropy(labels, answers))
    return [float(tf.norm(slope)) for slope in tape.gradient(loss, blocks)]


def train(kind: str, depth: int, seed: int, data: Data, experiment: Experiment) -> Run:
    """Train one network."""
    start = time.perf_counter()
    keras.utils.clear_session()
    keras.utils.set_random_seed(seed)
    model = ResnetBuilder.from_preset(f"{kind}{depth}_cifar", data.shape, data.classes)
    steps = steps_per_epoch(data, experiment.batch_size)
    compile_model(model, experiment, steps)
    before = gradients(model, data, experiment.batch_size)
    batches = training_batches(data, experiment.batch_size, seed, range(experiment.epochs))
    history = model.fit(
        batches(tf.distribute.InputContext()),
        epochs=experiment.epochs,
        steps_per_epoch=steps,
        shuffle=False,
        verbose=0,
    ).history
    shown = data.show(data.validation.images)
    _, accuracy = model.evaluate(shown, data.validation.labels, verbose=0)
    return Run(
        kind,
        depth,
        seed,
        iterations=[steps * (epoch + 1) for epoch in range(experiment.epochs)],
        training_errors=[100 * (1 - accuracy) for accuracy in history["accuracy"]],
        training_loss=history["loss"][-1],
        test_error=100 * (1 - accuracy),
        seconds=time.perf_counter() - start,
        gradients_before=before,
        gradients_after=gradients(model, data, experiment.batch_size),
    )


def run(experiment: Experiment) -> Iterator[Run]:
    """Train every network from every seed."""
    # The digits are few enough to be learnt by heart, as far as a network can learn at all: they
    # are not augmented.
    recipe = Recipe() if experiment.data == "digits" else RECIPES["he2015_cifar"]
    data = load_data(experiment.data, (32, 32, 3), recipe)
    for seed in range(experiment.seeds):
        for kind in KINDS:
            for depth in experiment.depths:
                done = train(kind, depth, seed, data, experiment)
                print(
                    f"{kind}{depth}_cifar, seed {seed}: training error "
                    f"{done.training_errors[-1]:.2f}%, {done.seconds:.0f} s",
                    flush=True,
                )
                yield done


def of(runs: list[Run], kind: str, depth: int) -> list[Run]:
    """The runs of one network."""
    return [run for run in runs if (run.kind, run.depth) == (kind, depth)]


def spread(values: list[float], digits: int = 2) -> str:
    """The mean, and in brackets the smallest and the largest."""
    least, most = min(values), max(values)
    return f"{mean(values):.{digits}f} ({least:.{digits}f} to {most:.{digits}f})"


def table(runs: list[Run], experiment: Experiment) -> str:
    """What came of it, over the seeds."""
    rows = []
    for kind in KINDS:
        for depth in experiment.depths:
            found = of(runs, kind, depth)
            final = [run.training_errors[-1] for run in found]
            losses = [run.training_loss for run in found]
            tests = [run.test_error for run in found]
            rows.append((f"{kind}{depth}_cifar", spread(final), spread(losses, 3), spread(tests)))
    header = ("network", "training error, %", "training loss", "test error, %")
    return tabulate(rows, header, tablefmt="github")


def conclusion(runs: list[Run], experiment: Experiment) -> str:
    """Whether that is what the paper says, for each kind."""
    sentences = []
    shallow, *_, deep = experiment.depths
    for kind, agrees in (("plain", "degradation"), ("resnet", "no degradation")):
        first, last = (
            mean(run.training_errors[-1] for run in of(runs, kind, depth))
            for depth in (shallow, deep)
        )
        # Less than a hundredth of the images is what seeds differ by.
        found = "degradation" if last > first + 1 else "no degradation"
        verdict = "as" if found == agrees else "unlike"
        sentences.append(
            f"{KINDS[kind].capitalize()}: training error {first:.2f}% with {shallow} layers and "
            f"{last:.2f}% with {deep}: {found}, {verdict} in the paper."
        )
    return "\n".join(sentences)


def draw(runs: list[Run], experiment: Experiment, file: Path) -> None:
    """Training error over iterations, plain left and residual right."""
    figure, both = plt.subplots(1, 2, figsize=(9, 3.8), sharey=True, layout="constrained")
    for axes, (kind, title) in zip(both, KINDS.items(), strict=True):
        for depth, colour in zip(experiment.depths, COLOURS, strict=False):
            found = of(runs, kind, depth)
            for run in found:
                axes.plot(run.iterations, run.training_errors, color=colour, alpha=0.3, linewidth=1)
            curves = zip(*(run.training_errors for run in found), strict=True)
            means = [mean(errors) for errors in curves]
            axes.plot(
                found[0].iterations, means, color=colour, linewidth=2, label=f"{depth} layers"
            )
        axes.set(title=title, xlabel="iteration", xlim=(0, None), ylim=(-2, 100))
        axes.grid(alpha=0.3)
        axes.spines[["top", "right"]].set_visible(False)
    both[1].legend(frameon=False)
    both[0].set_ylabel("training error, %")
    figure.savefig(file, dpi=150)
    plt.close(figure)


def write_csv(runs: list[Run], file: Path) -> None:
    """A row for every run."""
    rows = [
        asdict(run)
        | {
            "iterations": " ".join(map(str, run.iterations)),
            "training_errors": " ".join(f"{error:.2f}" for error in run.training_errors),
            "gradients_before": " ".join(f"{norm:.3g}" for norm in run.gradients_before),
            "gradients_after": " ".join(f"{norm:.3g}" for norm in run.gradients_after),
        }
        for run in runs
    ]
    with file.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.DictWriter(stream, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


def main() -> None:
    """Read the command line, train, print and draw."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", choices=("digits", "cifar10"), default="digits")
    parser.add_argument("--quick", action="store_true", help="two depths, one seed, 12 epochs")
    parser.add_argument("--depths", type=int, nargs="+", help="6n + 2 each, such as 20 56 110")
    parser.add_argument("--epochs", type=int)
    parser.add_argument("--seeds", type=int)
    parser.add_argument("--out", type=Path, default=Path("degradation"), help="a folder")
    options = parser.parse_args()
    changes = {
        name: value
        for name in ("depths", "epochs", "seeds")
        if (value := getattr(options, name)) is not None
    }
    experiment = replace(EXPERIMENTS["quick" if options.quick else options.data], **changes)
    options.out.mkdir(parents=True, exist_ok=True)
    # The same result on every run on this machine.
    tf.config.experimental.enable_op_determinism()

    runs = list(run(experiment))
    write_csv(runs, options.out / "degradation.csv")
    draw(runs, experiment, options.out / "degradation.png")
    print(f"\nMean (least to most) of {experiment.seeds} seeds, {experiment.epochs} epochs:")
    print(table(runs, experiment))
    print(conclusion(runs, experiment))
    print(f"Drawn in {options.out / 'degradation.png'}")


if __name__ == "__main__":
    main()
