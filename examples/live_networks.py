"""Two small networks that run in a page: trained on the digits, folded, rounded, written as text.

A residual and a plain network of 32 layers learn handwritten digits. Their batch norms are folded
into the convolutions, and the weights of every output channel rounded to 93 steps, so that each is
one printable character. Written to --out: a script for each network and one for the test digits,
and the gradient along a path of each length through the residual network. Printed: how much each
network errs without some of its blocks.

Run it with: python examples/live_networks.py (some minutes on two cores)
"""

import argparse
import json
import os
from pathlib import Path
from typing import TypedDict

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # TensorFlow says less; errors are raised

import keras
import numpy as np
import tensorflow as tf
from lesion_study import (
    BLOCKS,
    INNER,
    NETWORKS,
    RESIDUAL,
    error,
    gradients,
    quartiles,
    train,
    without_each,
)
from numpy.typing import NDArray
from training_data import Data, load_data

from resnet_builder import RECIPES, ResnetBuilder, fold_batch_norm, without_blocks

OUT = Path(__file__).parents[1] / "docs" / "assets" / "live"
# All that a JavaScript string holds as it stands.
LETTERS = [chr(code) for code in range(ord(" "), ord("~") + 1) if chr(code) not in '"\\']
MOST = len(LETTERS) // 2
BRIGHTEST = 240  # of the pixels in training_data.py


class Layer(TypedDict):
    """A convolution, or at the end the dense layer.

    A weight is its output channel's scale times its letter's place among `LETTERS`, counted from
    -46 to 46. The order is Keras's.
    """

    strides: int
    scale: list[float]
    bias: list[float]
    weights: str


def written(layer: keras.Layer) -> Layer:
    """A layer with its weights rounded."""
    kernel, bias = (np.asarray(weight, "float64") for weight in layer.get_weights())
    columns = kernel.reshape(-1, len(bias))
    scale = shortened(np.abs(columns).max(axis=0) / MOST)
    steps = np.rint(columns / scale).clip(-MOST, MOST).astype(int)
    return {
        "strides": getattr(layer, "strides", (1,))[0],
        "scale": scale.tolist(),
        "bias": shortened(bias).tolist(),
        "weights": "".join(LETTERS[step + MOST] for step in steps.ravel()),
    }


def shortened(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """To five digits."""
    return np.array([float(f"{value:.5g}") for value in values])


def weighted_layers(model: keras.Model) -> list[keras.Layer]:
    """The layers with weights, in the order in which they are applied."""
    return [layer for layer in model.layers if layer.weights]


def read(file: Path) -> keras.Model:
    """The network in a file, as a Keras model without batch norms."""
    model = fold_batch_norm(ResnetBuilder.from_preset(file.stem, (8, 8, 1), 10))
    layers: list[Layer] = json.loads(file.read_text("utf-8").partition("= ")[2].rstrip(";\n"))
    for layer, found in zip(weighted_layers(model), layers, strict=True):
        steps = np.array([LETTERS.index(letter) - MOST for letter in found["weights"]])
        columns = steps.reshape(-1, len(found["scale"])) * np.array(found["scale"])
        kernel, _ = layer.weights
        layer.set_weights([columns.reshape(kernel.shape), np.array(found["bias"])])
    return model


def write(file: Path, content: object) -> None:
    """A script that adds something to `live`, by the file's name."""
    text = json.dumps(content, separators=(",", ":"))
    file.write_text(f'live["{file.stem}"] = {text};\n', encoding="utf-8")


def write_digits(data: Data, file: Path) -> None:
    """The test digits, a letter for each pixel from 0 (a) to 16 (q), and how to show them."""
    examples, trained_on = data.validation, data.train.images / BRIGHTEST * 16
    write(
        file,
        {
            "mean": float(trained_on.mean()),
            "deviation": float(trained_on.std()),
            "images": [
                "".join(chr(97 + round(16 * pixel / BRIGHTEST)) for pixel in image.ravel().tolist())
                for image in examples.images
            ],
            "labels": "".join(map(str, examples.labels)),
        },
    )


def write_paths(model: keras.Model, data: Data, file: Path) -> None:
    """The gradient's norm along a path of each length, over all training digits."""
    norms = gradients(model, data, len(data.train), np.random.Generator(np.random.PCG64(0)))
    rows = ["length,norm", *(f"{length},{norm:.3g}" for length, norm in norms.items())]
    file.write_text("\n".join(rows) + "\n", encoding="utf-8")


def print_lesions(model: keras.Model, data: Data, draws: int) -> None:
    """Print the error without each block, and without four drawn at random."""
    for block, wrong in without_each(model, data).items():
        print(f"  without {block}: {wrong:.1f}% wrong")
    for kept in (0, 2):
        rng = np.random.Generator(np.random.PCG64(0))
        blocks = [block for block in INNER if block not in BLOCKS[:kept]]
        wrongs = [
            error(without_blocks(model, rng.choice(blocks, 4, replace=False)), data)
            for _ in range(draws)
        ]
        print(
            f"  without four of {len(blocks)} blocks, {draws} draws: {quartiles(wrongs)}, "
            f"from {min(wrongs):.1f}% to {max(wrongs):.1f}%"
        )


def main() -> None:
    """Read the command line, train, write, and say what rounding changed."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--epochs", type=int, default=30)
    parser.add_argument("--draws", type=int, default=100, help="of blocks that are removed")
    parser.add_argument("--out", type=Path, default=OUT, help="a folder")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    # The same result on every run on this machine.
    tf.config.experimental.enable_op_determinism()

    data = load_data("digits", (8, 8, 1), RECIPES["he2015_cifar"])
    write_digits(data, options.out / "digits.js")
    for name in NETWORKS:
        model = train(name, data, options.epochs)
        file = options.out / f"{name}.js"
        write(file, [written(layer) for layer in weighted_layers(fold_batch_norm(model))])
        rounded = read(file)
        before, after = (
            np.argmax(one(data.show(data.validation.images)), axis=1) for one in (model, rounded)
        )
        print(
            f"{name}: {error(model, data):.2f}% wrong, rounded {error(rounded, data):.2f}%; "
            f"{np.sum(before != after)} of {len(before)} answers differ; "
            f"{file.stat().st_size / 1000:.0f} kB"
        )
        print_lesions(rounded, data, options.draws)
        if name == RESIDUAL:
            write_paths(rounded, data, options.out / "paths.csv")


if __name__ == "__main__":
    main()
