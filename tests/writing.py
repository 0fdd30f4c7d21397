"""What writes files and changes models, for the tests that stop it at any moment.

Usage: python writing.py FOLDER WRITER ... writes with each of the writers in turn, without end.
"""

import os
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import h5py
import keras
import numpy as np

from resnet_builder import (
    EpochBackup,
    ResnetBuilder,
    compile_recipe,
    export,
    load_weights,
    restore_backup,
    save_pretrained,
    write_weights,
)
from resnet_builder.cli.convert import convert
from resnet_builder.cli.source import source_of

NETWORK: dict[str, Any] = {
    "input_shape": (8, 8, 3),
    "classes": 5,
    "stem": "cifar",
    "repetitions": (1,),
    "filters": 8,
}


def network() -> keras.Model:
    return ResnetBuilder.from_preset("resnet18", **NETWORK)


@cache
def filled(number: int) -> keras.Model:
    """A network in which every weight is one number."""
    model = network()
    fill(model, number)
    return model


def fill(model: keras.Model, number: float) -> None:
    model.set_weights([np.full_like(of, number) for of in model.get_weights()])


def number_in(model: keras.Model) -> float:
    """The number that all weights are; a ValueError if they are several."""
    [number] = {float(value) for of in model.get_weights() for value in np.unique(of)}
    return number


# Writers: functions of a folder and of the number that all weights are, and what reads it again. --


def write_safetensors(folder: Path, number: int) -> None:
    write_weights(filled(number), folder / "net.safetensors", names="keras")


def write_npz(folder: Path, number: int) -> None:
    write_weights(filled(number), folder / "net.npz")


def convert_to_keras(folder: Path, number: int) -> None:
    given, config = folder.parent / "given_{}.npz", folder.parent / "net.json"
    if not config.exists():
        for each in (1, 2):
            write_weights(filled(each), str(given).format(each))
        config.write_text(ResnetBuilder.to_json(filled(number)))
    convert(str(given).format(number), source_of(str(config)), str(folder / "net.keras"))


def export_onnx(folder: Path, number: int) -> None:
    export(filled(number), folder / "net.onnx")


def share(folder: Path, number: int) -> None:
    save_pretrained(filled(number), folder / "shared")


@cache
def training() -> keras.Model:
    model = network()
    return compile_recipe(model, "wrn2016", epochs=10**6, steps_per_epoch=1, batch_size=2)


def train(folder: Path, number: int) -> None:
    """One epoch, of which the number is in a file before it begins."""
    backup = folder / "run.weights.h5"
    finished = restore_backup(training(), backup)
    begun = folder / "begun"
    begun.write_text(f"{finished:09}") if not begun.exists() else None
    with begun.open("r+") as file:
        os.pwrite(file.fileno(), b"%09d" % finished, 0)
    images = np.random.default_rng(finished).standard_normal((2, 8, 8, 3), "float32")
    training().fit(
        images,
        np.array([0, 1]),
        batch_size=2,
        epochs=finished + 1,
        initial_epoch=finished,
        callbacks=[EpochBackup(backup)],
        verbose=0,
    )


def loaded(file: str) -> Callable[[Path], object]:
    def check(folder: Path) -> None:
        model = network()
        load_weights(model, folder / file)
        assert number_in(model) in (1, 2)

    return check


def check_onnx(folder: Path) -> None:
    import onnx

    model = onnx.load(folder / "net.onnx")
    onnx.checker.check_model(model)
    kernels = [onnx.numpy_helper.to_array(of) for of in model.graph.initializer]
    assert {value for of in kernels if of.ndim == 4 for value in np.unique(of)} in ({1}, {2})


def check_backup(folder: Path) -> None:
    """At most the epoch that was being trained is lost."""
    begun = int((folder / "begun").read_text())
    with h5py.File(folder / "run.weights.h5") as file:
        finished = int(file.attrs["finished_epochs"])
    assert begun <= finished <= begun + 1
    model = compile_recipe(network(), "wrn2016", epochs=10**6, steps_per_epoch=1, batch_size=2)
    assert restore_backup(model, folder / "run.weights.h5") == finished


WRITERS: dict[str, tuple[Callable[[Path, int], None], Callable[[Path], object]]] = {
    "safetensors": (write_safetensors, loaded("net.safetensors")),
    "npz": (write_npz, loaded("net.npz")),
    "convert": (convert_to_keras, loaded("net.keras")),
    "export": (export_onnx, check_onnx),
    "save_pretrained": (share, loaded("shared/model.safetensors")),
    "train": (train, check_backup),
}


if __name__ == "__main__":
    place = Path(sys.argv[1])
    for name in sys.argv[2:]:
        WRITERS[name][0](place, 1)
    print("ready", flush=True)
    number = 1
    while True:
        number = 3 - number
        for name in sys.argv[2:]:
            WRITERS[name][0](place, number)
