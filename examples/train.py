"""Train a preset on images: digits, CIFAR, or a folder of your own; on one machine or several.

python examples/train.py                                  the digits, in one to two minutes
python examples/train.py --data cifar10                   as in He et al. 2015, section 4.2
python examples/train.py --data photos --preset resnet50  a folder with a folder for each class
KERAS_BACKEND=jax python examples/train.py --strategy data_parallel  on all devices that JAX has

Every epoch ends in a line of OUT/log.csv, in OUT/curves.png, and in a backup from which --resume
goes on; the trained network is OUT/model.keras. The recipe says how images are varied and mixed. If
it averages the weights, the network with the averages is OUT/average.keras. The network runs on
Keras's backend; the images are read by TensorFlow, which must be installed on every backend.
"""

import argparse
import json
import os
import sys
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from time import perf_counter, process_time
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # TensorFlow says less; errors are raised

import keras
import tensorflow as tf
from run_folder import RunFolder
from training_data import (
    Data,
    Waiting,
    from_process,
    load_data,
    of_one_size,
    one_hot,
    steps_per_epoch,
    training_batches,
    validation_batches,
)

from resnet_builder import (
    RECIPES,
    EpochBackup,
    MovingAverage,
    ResnetBuilder,
    compile_recipe,
    fit_distributed,
    is_chief,
    profile,
    restore_backup,
    synchronize_batch_norm,
)

# What is trained, and how, where the command does not say.
CIFAR = {"preset": "resnet20_cifar", "recipe": "he2015_cifar", "epochs": 164, "batch_size": 128}
DEFAULTS = {
    "digits": CIFAR | {"epochs": 30, "batch_size": 64},
    "cifar10": CIFAR,  # 164 epochs are the 64k steps of He et al. 2015, section 4.2
    "cifar100": CIFAR,
}
FOLDER_DEFAULTS = {"preset": "resnet50", "recipe": "he2015", "epochs": 90, "batch_size": 256}

SECONDS = 20  # of each measurement


def main() -> None:
    """Train as the command line says."""
    parser = argument_parser()
    options = parser.parse_args()
    for name, value in DEFAULTS.get(options.data, FOLDER_DEFAULTS).items():
        if getattr(options, name) is None:
            setattr(options, name, value)
    try:
        check(options)
        data, model, folder = prepare(options)
    except (ValueError, OSError) as error:
        parser.error(str(error))
    if options.measure:
        measure(options, data, model)
        return
    try:
        train(options, data, model, folder)
    except tf.errors.OpError as error:
        if options.strategy != "multiworker":
            raise
        sys.exit(
            f"{error.message.splitlines()[0]}\n\n"
            "Another process of the cluster is gone, so this one ends as well. "
            "Start all of them again with --resume."
        )


def argument_parser() -> argparse.ArgumentParser:
    """The command line."""
    summary, _, details = (__doc__ or "").partition("\n\n")
    parser = argparse.ArgumentParser(
        description=summary, epilog=details, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("--preset", help="network: one of `resnet-builder list`")
    add("--data", default="digits", help="digits, cifar10, cifar100 or a folder (%(default)s)")
    add("--recipe", choices=list(RECIPES))
    add("--epochs", type=positive)
    add("--batch-size", type=positive, help="images per step, on all devices together")
    add(
        "--mixed-precision",
        nargs="?",
        const="bfloat16",
        choices=["bfloat16", "float16"],
        help="compute in 16 bits (bfloat16), with weights in float32",
    )
    add("--seed", type=int, default=0)
    add(
        "--out", type=Path, default=Path("run"), help="folder for all that is written (%(default)s)"
    )
    add("--resume", action="store_true", help="go on from the last finished epoch, if there is one")
    add(
        "--strategy",
        choices=STRATEGIES,
        default="none",
        help="one device; with TensorFlow, the GPUs of this machine (mirrored), or those of all "
        "machines of TF_CONFIG (multiworker); with JAX, its devices (data_parallel)",
    )
    add("--tensorboard", action="store_true", help="also write OUT/tensorboard")
    add(
        "--measure",
        action="store_true",
        help="say how many images a second the input takes by itself, and the network; no training",
    )
    return parser


def positive(text: str) -> int:
    """A number of at least 1, for argparse."""
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"must be 1 or more, got {number}")
    return number


def check(options: argparse.Namespace) -> None:
    """Refuse what can be known to fail before anything has begun."""
    profile(options.preset)  # an unknown preset is an error
    needed = {"none": None, "data_parallel": "jax"}.get(options.strategy, "tensorflow")
    if needed not in (None, keras.backend.backend()):
        raise ValueError(
            f"--strategy {options.strategy} is of {needed}: install it, and set the environment "
            f"variable KERAS_BACKEND={needed}"
        )
    if options.tensorboard and not find_spec("tensorboard"):
        raise ValueError("--tensorboard needs: pip install tensorboard")
    if options.strategy == "multiworker" and "cluster" not in json.loads(
        os.environ.get("TF_CONFIG", "{}")
    ):
        raise ValueError(
            "--strategy multiworker needs the addresses of all machines in TF_CONFIG, as in "
            """TF_CONFIG='{"cluster": {"worker": ["10.0.0.1:2222", "10.0.0.2:2222"]}, """
            """"task": {"type": "worker", "index": 0}}'"""
        )
    if options.measure and needed == "tensorflow":
        raise ValueError(f"--measure is of one process: leave out --strategy {options.strategy}")
    if options.strategy == "data_parallel":
        devices = len(keras.distribution.list_devices())
        if options.batch_size % devices:
            raise ValueError(
                f"--batch-size {options.batch_size} cannot be shared out evenly over the {devices} "
                "devices that JAX has"
            )


def prepare(options: argparse.Namespace) -> tuple[Data, keras.Model, RunFolder]:
    """The images, the network compiled by the recipe, and the folder of the run."""
    # TensorFlow wants to know of the cluster before anything else is done.
    strategy = STRATEGIES[options.strategy]()
    make_repeatable(options)
    recipe = RECIPES[options.recipe]
    data = load_data(options.data, profile(options.preset).input_shape, recipe)
    if recipe.label_smoothing or recipe.augment.mixes:
        data = one_hot(data)
    steps = steps_per_epoch(data, options.batch_size)
    with strategy.scope():
        model = build(options, data, steps)
    folder = RunFolder(options.out)
    if is_chief(strategy) and not options.measure:
        folder.open(settings(options), resume=options.resume)
    return data, model, folder


def train(options: argparse.Namespace, data: Data, model: keras.Model, folder: RunFolder) -> None:
    """Go on from where the run is, to its end."""
    writes = not is_tensorflow() or is_chief(model.distribute_strategy)
    average = moving_average(options, data)
    finished = restore_backup(model, folder.state, average)
    if writes:
        print(f"{folder.path}: {finished} of {options.epochs} epochs are done")
        folder.trim_log(finished)
    if finished < options.epochs:
        waiting = Waiting(options.batch_size)
        fit(
            options,
            data,
            model,
            finished,
            waiting,
            callbacks=recorders(folder, options, average, waiting) if writes else [],
        )
        if writes:
            print(waiting.report())
    if writes:
        # With what is only for training, it would not load without this package (LAMB).
        model.compiled = False
        model.save(folder.model)
        print(f"The trained network is {folder.model}, its curves are {folder.curves}")
        if average:
            report_average(options, data, folder, average)


def is_tensorflow() -> bool:
    """Whether the network runs on TensorFlow, too."""
    return bool(keras.backend.backend() == "tensorflow")


def fit(
    options: argparse.Namespace,
    data: Data,
    model: keras.Model,
    finished: int,
    waiting: Waiting,
    **settings: Any,
) -> None:
    """Train for the epochs that are left."""
    epochs = range(finished, options.epochs)
    batches = training_batches(data, options.batch_size, options.seed, epochs)
    settings |= {
        "epochs": options.epochs,
        "steps_per_epoch": steps_per_epoch(data, options.batch_size),
        "initial_epoch": finished,
    }
    if is_tensorflow():
        shown = validation_batches(data, options.batch_size)
        fit_distributed(model, batches, validation_batches=shown, **settings)
    else:
        shown, steps = validation(options, data)
        timed = waiting.timed(from_process(batches))
        settings |= {"validation_data": shown, "validation_steps": steps, "shuffle": False}
        model.fit(timed, **settings)


def validation(options: argparse.Namespace, data: Data) -> tuple[Any, int | None]:
    """What one process validates with, and in how many steps if it is endless."""
    batches = validation_batches(data, options.batch_size)
    if is_tensorflow():
        return batches(tf.distribute.InputContext()), None
    count = len(data.validation)
    endless = from_process(batches, is_endless=True)
    return of_one_size(endless, options.batch_size, count), -(-count // options.batch_size)


def measure(options: argparse.Namespace, data: Data, model: keras.Model) -> None:
    """Print how fast the input is by itself, and the network by itself on one batch."""
    batches = training_batches(data, options.batch_size, options.seed, range(2**20))
    if is_tensorflow():
        endless = iter(batches(tf.distribute.InputContext()))
    else:
        endless = from_process(batches)
    batch = next(endless)
    parts: dict[str, Callable[[], Any]] = {
        "input": lambda: next(endless),
        "network": lambda: model.train_on_batch(*batch),
    }
    for name, step in parts.items():
        step()
        began, cpu_began, steps = perf_counter(), process_time(), 0
        while steps < 3 or perf_counter() - began < SECONDS:
            step()
            steps += 1
        images = steps * options.batch_size
        seconds, cpu = perf_counter() - began, process_time() - cpu_began
        print(
            f"{name}: {images / seconds:,.1f} images a second, "
            f"{1000 * cpu / images:,.1f} ms of this process's processor time for each"
        )


def moving_average(options: argparse.Namespace, data: Data) -> MovingAverage | None:
    """The average of the weights, if the recipe has one."""
    if not RECIPES[options.recipe].average:
        return None
    steps = steps_per_epoch(data, options.batch_size)
    return MovingAverage.by_recipe(options.recipe, epochs=options.epochs, steps_per_epoch=steps)


def report_average(
    options: argparse.Namespace, data: Data, folder: RunFolder, average: MovingAverage
) -> None:
    """Save the network with the averages, and print the accuracy of both."""
    model = keras.models.load_model(folder.model)
    model.compile(weighted_metrics=["categorical_accuracy"])
    batches, steps = validation(options, data)
    trained = model.evaluate(batches, steps=steps, verbose=0, return_dict=True)
    model.set_weights(average.get_weights())
    averaged = model.evaluate(batches, steps=steps, verbose=0, return_dict=True)
    model.compiled = False
    model.save(folder.average)
    print(
        f"Accuracy in validation: {trained['categorical_accuracy']:.4f}, and with the moving "
        f"average of the weights, {folder.average}: {averaged['categorical_accuracy']:.4f}"
    )


def data_parallel() -> Any:
    """Keras shares each batch out over all devices of JAX; the strategy of TensorFlow is none."""
    keras.distribution.set_distribution(keras.distribution.DataParallel())
    return tf.distribute.get_strategy()


STRATEGIES: dict[str, Callable[[], Any]] = {
    "none": tf.distribute.get_strategy,
    "data_parallel": data_parallel,
    "mirrored": lambda: tf.distribute.MirroredStrategy(),
    "multiworker": lambda: tf.distribute.MultiWorkerMirroredStrategy(),
}


def make_repeatable(options: argparse.Namespace) -> None:
    """The same numbers in every run of the same command on the same machine."""
    keras.utils.set_random_seed(options.seed)
    tf.config.experimental.enable_op_determinism()
    if options.mixed_precision:
        keras.config.set_dtype_policy(f"mixed_{options.mixed_precision}")


def build(options: argparse.Namespace, data: Data, steps: int) -> keras.Model:
    """The preset for these images, compiled by the recipe."""
    recipe = RECIPES[options.recipe]
    changes: dict[str, Any] = {}
    if recipe.drop_path_rate:
        changes["drop_path_rate"] = recipe.drop_path_rate
    is_one_size = data.augmentation.input_shape == data.shape
    model = ResnetBuilder.from_preset(
        options.preset,
        data.shape if is_one_size else (None, None, data.shape[-1]),
        data.classes,
        classifier_activation=None if recipe.loss == "binary_crossentropy" else "softmax",
        dropout_rate=recipe.dropout_rate,
        **changes,
    )
    if options.strategy != "none":
        synchronize_batch_norm(model)
    compile_recipe(
        model,
        options.recipe,
        epochs=options.epochs,
        steps_per_epoch=steps,
        batch_size=options.batch_size,
        metrics=None,
        weighted_metrics=["accuracy"],  # images that only fill up a batch have no weight
    )
    return model


def settings(options: argparse.Namespace) -> dict[str, Any]:
    """What a run cannot change on its way."""
    names = ["preset", "data", "recipe", "epochs", "batch_size", "mixed_precision", "seed"]
    return {name: getattr(options, name) for name in names}


def recorders(
    folder: RunFolder,
    options: argparse.Namespace,
    average: MovingAverage | None,
    waiting: Waiting,
) -> list[keras.callbacks.Callback]:
    """What is written after every epoch. The backup is last: a finished epoch has been logged."""
    callbacks = [
        *([average] if average else []),
        waiting,
        keras.callbacks.CSVLogger(folder.log, append=True),
        keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: folder.draw_curves()),
    ]
    if options.tensorboard:
        callbacks.append(keras.callbacks.TensorBoard(folder.tensorboard))
    return [*callbacks, EpochBackup(folder.state, average)]


if __name__ == "__main__":
    main()
