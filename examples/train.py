"""Train a preset on images: digits, CIFAR, or a folder of your own; on one machine or several.

python examples/train.py                                  the digits, in one to two minutes
python examples/train.py --data cifar10                   as in He et al. 2015, section 4.2
python examples/train.py --data photos --preset resnet50  a folder with a folder for each class

Every epoch ends in a line of OUT/log.csv, in OUT/curves.png, and in a backup from which --resume
goes on; the trained network is OUT/model.keras.
"""

import argparse
import json
import os
import sys
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # TensorFlow says less; errors are raised

import keras
import tensorflow as tf
from run_folder import RunFolder
from training_data import (
    Data,
    load_data,
    one_hot,
    steps_per_epoch,
    training_batches,
    validation_batches,
)

from resnet_builder import (
    RECIPES,
    EpochBackup,
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
        help="one device, the GPUs of this machine, or those of all machines of TF_CONFIG",
    )
    add("--tensorboard", action="store_true", help="also write OUT/tensorboard")
    return parser


def positive(text: str) -> int:
    """A number of at least 1, for argparse."""
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"must be 1 or more, got {number}")
    return number


def check(options: argparse.Namespace) -> None:
    """Refuse what can be known to fail before TensorFlow has begun."""
    profile(options.preset)  # an unknown preset is an error
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


def prepare(options: argparse.Namespace) -> tuple[Data, keras.Model, RunFolder]:
    """The images, the network compiled by the recipe, and the folder of the run."""
    # TensorFlow wants to know of the cluster before anything else is done.
    strategy = STRATEGIES[options.strategy]()
    make_repeatable(options)
    data = load_data(options.data, profile(options.preset).input_shape)
    if RECIPES[options.recipe].label_smoothing:
        data = one_hot(data)
    steps = steps_per_epoch(data, options.batch_size)
    with strategy.scope():
        model = build(options, data, steps)
    folder = RunFolder(options.out)
    if is_chief(strategy):
        folder.open(settings(options), resume=options.resume)
    return data, model, folder


def train(options: argparse.Namespace, data: Data, model: keras.Model, folder: RunFolder) -> None:
    """Go on from where the run is, to its end."""
    writes = is_chief(model.distribute_strategy)
    finished = restore_backup(model, folder.state)
    if writes:
        print(f"{folder.path}: {finished} of {options.epochs} epochs are done")
        folder.trim_log(finished)
    fit = fit_on_one_device if options.strategy == "none" else fit_distributed
    epochs = range(finished, options.epochs)
    fit(
        model,
        training_batches(data, options.batch_size, options.seed, epochs),
        epochs=options.epochs,
        steps_per_epoch=steps_per_epoch(data, options.batch_size),
        initial_epoch=finished,
        validation_batches=validation_batches(data, options.batch_size),
        callbacks=recorders(folder, options) if writes else [],
    )
    if writes:
        model.save(folder.model)
        print(f"The trained network is {folder.model}, its curves are {folder.curves}")


STRATEGIES: dict[str, Callable[[], Any]] = {
    "none": tf.distribute.get_strategy,
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
    model = ResnetBuilder.from_preset(options.preset, data.shape, data.classes)
    if options.strategy != "none":
        synchronize_batch_norm(model)
    compile_recipe(
        model,
        options.recipe,
        epochs=options.epochs,
        steps_per_epoch=steps,
        batch_size=options.batch_size,
    )
    return model


def settings(options: argparse.Namespace) -> dict[str, Any]:
    """What a run cannot change on its way."""
    names = ["preset", "data", "recipe", "epochs", "batch_size", "mixed_precision", "seed"]
    return {name: getattr(options, name) for name in names}


def recorders(folder: RunFolder, options: argparse.Namespace) -> list[keras.callbacks.Callback]:
    """What is written after every epoch. The backup is last: a finished epoch has been logged."""
    callbacks = [
        keras.callbacks.CSVLogger(folder.log, append=True),
        keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: folder.draw_curves()),
    ]
    if options.tensorboard:
        callbacks.append(keras.callbacks.TensorBoard(folder.tensorboard))
    return [*callbacks, EpochBackup(folder.state)]


def fit_on_one_device(
    model: keras.Model, batches: Any, *, validation_batches: Any, **settings: Any
) -> None:
    """`fit_distributed` by Keras's own `fit`."""
    context = tf.distribute.InputContext()
    validation = validation_batches(context)
    model.fit(batches(context), validation_data=validation, shuffle=False, **settings)


if __name__ == "__main__":
    main()
