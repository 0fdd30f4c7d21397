"""Fine-tune a network from a checkpoint: the first stages frozen, the rest on few images.

With no arguments it makes its own checkpoint: a small network learns the digits 0 to 6, and what it
has learnt helps it to learn 7 to 9 from five images each. Half a minute on two cores.

Run it with: python examples/fine_tune.py
or, on photographs in a folder for each class, from a file or a repository of the Hugging Face Hub:
    python examples/fine_tune.py --preset resnet50 --weights timm/resnet50.tv_in1k --data FOLDER
"""

import argparse
import os
from dataclasses import replace
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # TensorFlow says less; errors are raised

import keras
import numpy as np
import tensorflow as tf
from training_data import Data, Examples, load_data, steps_per_epoch, training_batches

from resnet_builder import RECIPES, ResnetBuilder, compile_recipe, freeze, load_weights

CHECKPOINT = Path("digits_0_to_6.keras")


def digits(classes: range, images_per_class: int | None = None) -> Data:
    """Some of the ten digits; optionally only the first images for training."""
    data = load_data("digits", (8, 8, 1), RECIPES["he2015_cifar"])

    def some(examples: Examples, most: int | None) -> Examples:
        chosen = [np.flatnonzero(examples.labels == label)[:most] for label in classes]
        index = np.concatenate(chosen)
        return Examples(examples.images[index], examples.labels[index] - classes.start)

    return replace(
        data,
        train=some(data.train, images_per_class),
        validation=some(data.validation, None),
        classes=len(classes),
    )


def train(model: keras.Model, data: Data, recipe: str, epochs: int, learning_rate: float) -> float:
    """The accuracy on the images that it is not trained on."""
    batch_size = min(32, len(data.train))
    steps = steps_per_epoch(data, batch_size)
    compile_recipe(model, recipe, epochs=epochs, steps_per_epoch=steps, learning_rate=learning_rate)
    batches = training_batches(data, batch_size, 0, range(epochs))(tf.distribute.InputContext())
    model.fit(batches, epochs=epochs, steps_per_epoch=steps, shuffle=False, verbose=0)
    validation = data.validation
    shown = tf.data.Dataset.from_tensor_slices((validation.images, validation.labels))
    shown = shown.map(lambda image, label: (data.show(image), label)).batch(64)
    return float(model.evaluate(shown, verbose=0)[1])


def pretrain(preset: str) -> None:
    """A checkpoint to begin with, where none is given."""
    data = digits(range(7))
    model = ResnetBuilder.from_preset(preset, data.shape, data.classes)
    accuracy = train(model, data, "he2015_cifar", epochs=15, learning_rate=0.02)
    model.save(CHECKPOINT)
    print(f"Learnt the digits 0 to 6: {accuracy:.1%} accuracy; saved to {CHECKPOINT}")


def main() -> None:
    """Read the command line, and compare with a network that begins from nothing."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--preset", default="resnet20_cifar")
    parser.add_argument("--weights", help="a checkpoint; default: one of the digits 0 to 6")
    parser.add_argument("--data", help="a folder of class folders; default: the digits 7 to 9")
    parser.add_argument("--until", default="stage2", help="the last stage that is frozen")
    parser.add_argument("--epochs", type=int, default=30)
    parser.add_argument("--learning-rate", type=float, default=0.05)
    options = parser.parse_args()
    keras.utils.set_random_seed(0)
    if options.weights is None:
        pretrain(options.preset)
    if options.data:
        data = load_data(options.data, (224, 224, 3), RECIPES["he2015"])
    else:
        data = digits(range(7, 10), 5)
    print(f"{len(data.train)} images of {data.classes} classes to fine-tune on")

    model = ResnetBuilder.from_preset(options.preset, data.shape, data.classes)
    print(load_weights(model, options.weights or CHECKPOINT, adapt=True))
    freeze(model, until=options.until)
    accuracy = train(model, data, "fine_tune", options.epochs, options.learning_rate)
    print(f"From the checkpoint, frozen until {options.until}: {accuracy:.1%} accuracy")

    model = ResnetBuilder.from_preset(options.preset, data.shape, data.classes)
    accuracy = train(model, data, "fine_tune", options.epochs, options.learning_rate)
    print(f"From random weights: {accuracy:.1%} accuracy")


if __name__ == "__main__":
    main()
