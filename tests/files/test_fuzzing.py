"""Files of every format with random faults: each is read, or refused by a documented error.

Nothing in them runs, no other file is read, memory has a bound, and the model of a refused file is
as it was. The number of a case is its seed.
"""

import faulthandler
import json
import os
import pickle
import shutil
import sys
import traceback
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import h5py
import keras
import numpy as np
import pytest
from safetensors.numpy import save_file

from resnet_builder import (
    EpochBackup,
    ResnetBuilder,
    ResnetConfig,
    load_weights,
    preprocessing,
    profile,
    restore_backup,
    save_pretrained,
    write_weights,
)
from resnet_builder.cli.source import source_of
from resnet_builder.files.keras_files import UNCHECKED_BYTES

from ..helpers import tiny, without_layer_names
from ..weights.checkpoint_recipe import unpacked
from .faults import chosen, spoil
from .tensor_recipe import FILES, arrays

pytestmark = [
    pytest.mark.filterwarnings("ignore::RuntimeWarning"),  # numbers that are not finite
    pytest.mark.filterwarnings("ignore::UserWarning"),
    pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="a pipe shows whether it was read"),
]

# Files of all forms together, of each in the default suite, and the longest that one may take.
CASES, FEW, SECONDS = 10**4, 8, 300
# Reading takes so many times the size of the files at most, and so much: small files of Keras may
# be compressed to any size.
TIMES, MORE_MEMORY = 3, 3 * UNCHECKED_BYTES + 32 * 2**20

# What Python tells its audit hooks of, if it is called.
EVENTS = {"os.system", "os.mkdir", "os.remove", "subprocess.Popen", "pickle.find_class"}
EVENTS |= {"socket.connect", "os.exec", "shutil.rmtree"}


# The forms ----------------------------------------------------------------------------------------


@cache
def network() -> keras.Model:
    return tiny()


@cache
def trained() -> keras.Model:
    model = tiny(classifier_activation=None)
    model.compile("adam", "mse")
    model.optimizer.build(model.trainable_variables)
    return model


@cache
def of_keras_hub() -> keras.Model:
    return ResnetBuilder.from_preset(
        "resnet18", (32, 48, 3), 5, repetitions=(1, 1), classifier_activation=None
    )


class Form(NamedTuple):
    """One kind of files.

    Attributes:
        write: writes whole files into a folder, and returns the name of what is read.
        read: reads it.
        model: makes the model that it is loaded into, if it has weights.
        errors: what may be raised.
    """

    write: Callable[[Path], str]
    read: Callable[[Path], object]
    model: Callable[[], keras.Model] | None = None
    errors: tuple[type[Exception], ...] = (ValueError, OSError, TypeError)


def load(source: Path) -> None:
    assert not load_weights(network(), source).left_random


def save_index(folder: Path) -> None:
    names, parts = list(arrays()), ("a.safetensors", "b.safetensors")
    for number, part in enumerate(parts):
        save_file({name: arrays()[name] for name in names[number::2]}, folder / part)
    places = {name: parts[number % 2] for number, name in enumerate(names)}
    (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": places}))


def save_npz(path: Path) -> None:
    named: Any = arrays()
    np.savez(path, **named)


def save_before_3_6(path: Path) -> None:
    """A .keras of Keras before 3.6: its config has the names of the layers."""
    folder = path.with_name("unpacked")
    network().save(folder, zipped=False)
    with h5py.File(folder / "model.weights.h5", "r+") as file:
        without_layer_names(file)
    shutil.make_archive(str(path), "zip", folder)
    path.with_suffix(".zip").rename(path)
    shutil.rmtree(folder)


def save_backup(folder: Path) -> str:
    backup = EpochBackup(folder / "run.weights.h5")
    backup.set_model(trained())
    backup.on_epoch_end(3)
    return backup.path.name


def configs(*files: dict[str, Any]) -> Callable[[Path], str]:
    def save(folder: Path) -> str:
        for config in files:
            for name, content in config.items():
                (folder / name).write_text(json.dumps(content))
        return ""

    return save


def describe(folder: Path) -> None:
    """Everything that is read of a folder before a network is built."""
    profile(str(folder))
    preprocessing(str(folder))


PREPARING = {"mean": [0.485, 0.456, 0.406], "std": [0.229, 0.224, 0.225]}
TIMM = {
    "architecture": "resnet18",
    "num_classes": 3,
    "model_args": {"act_layer": "silu", "block_args": {"attn_layer": "se"}},
    "label_names": ["a", "b", "c"],
    "pretrained_cfg": {"input_size": [3, 64, 64], "crop_pct": 0.9, "interpolation": "bicubic"}
    | PREPARING,
}
TRANSFORMERS = {
    "architectures": ["ResNetForImageClassification"],
    "depths": [1, 1],
    "embedding_size": 16,
    "hidden_act": "relu",
    "hidden_sizes": [32, 64],
    "id2label": {"0": "cat", "1": "dog"},
    "layer_type": "bottleneck",
    "model_type": "resnet",
    "num_channels": 3,
}
PROCESSOR = {
    "crop_pct": 0.875,
    "do_normalize": True,
    "do_resize": True,
    "do_center_crop": True,
    "crop_size": {"height": 64, "width": 64},
    "image_mean": PREPARING["mean"],
    "image_std": PREPARING["std"],
    "resample": 3,
    "size": {"shortest_edge": 72},
}
OPEN_CLIP = {
    "model_cfg": {"embed_dim": 24, "vision_cfg": {"image_size": 64, "layers": [1, 1], "width": 16}},
    "preprocess_cfg": PREPARING,
}


def read_config(path: Path) -> None:
    profile(source_of(str(path)).config)
    ResnetConfig.from_json(path.read_text(encoding="utf-8"))


def describe_and_load(folder: Path) -> None:
    describe(folder)
    load(folder)


def write_own(folder: Path) -> str:
    settings = {"size": 8, "mean": 0.5, "std": 0.25}
    save_pretrained(network(), folder, labels=list("abcde"), preprocessing=settings)
    (folder / "architecture.png").unlink()
    (folder / "README.md").unlink()
    return ""


def write_config(folder: Path) -> str:
    config = ResnetConfig(block="bottleneck", repetitions=(1, 2), filters=(8, 16), se_ratio=0.25)
    (folder / "net.json").write_text(config.to_json())
    return "net.json"


def weights(write: Callable[[Path], object], name: str) -> Form:
    """A form that `load_weights` reads, in a file or folder of a name."""

    def save(folder: Path) -> str:
        write(folder / name)
        return name

    return Form(save, load, network, (ValueError, OSError))


def copy_of(file: str) -> Callable[[Path], object]:
    return lambda path: shutil.copy(FILES / file, path)


FORMS: dict[str, Form] = {
    "safetensors": weights(lambda path: save_file(arrays(), path), "net"),
    "safetensors in several files": weights(save_index, ""),
    "HDF5 of Keras 3": weights(lambda path: network().save_weights(path), "net.weights.h5"),
    "HDF5 of Keras before 3.6": weights(save_before_3_6, "net"),
    "HDF5 of a whole model": weights(lambda path: network().save(path), "net.h5"),
    "HDF5 of Keras 2": weights(lambda path: write_weights(network(), path), "net.h5"),
    ".keras": weights(lambda path: network().save(path), "net.keras"),
    ".keras as a folder": weights(lambda path: network().save(path, zipped=False), "net"),
    ".pth": weights(copy_of("training.pth.tar"), "net"),
    ".pth of TorchScript": weights(copy_of("script.pt"), "net"),
    ".pth before 1.6": weights(copy_of("training_legacy.pth"), "net"),
    ".npz": weights(save_npz, "net.npz"),
    ".pkl": weights(lambda path: path.write_bytes(pickle.dumps(arrays(), 2)), "net"),
    ".pkl of protocol 4": weights(lambda path: path.write_bytes(pickle.dumps(arrays(), 4)), "net"),
    "keras-hub": Form(
        lambda folder: unpacked("resnet18", folder).name,
        lambda folder: load_weights(of_keras_hub(), folder),
        of_keras_hub,
        (ValueError, OSError),
    ),
    "backup": Form(save_backup, lambda folder: restore_backup(trained(), folder), trained),
    "config.json of timm": Form(configs({"config.json": TIMM}), describe),
    "config.json of transformers": Form(
        configs({"config.json": TRANSFORMERS, "preprocessor_config.json": PROCESSOR}), describe
    ),
    "config.json of open_clip": Form(configs({"open_clip_config.json": OPEN_CLIP}), describe),
    "save_pretrained": Form(write_own, describe_and_load),
    "JSON of a config": Form(write_config, read_config),
}


# The cases ----------------------------------------------------------------------------------------

EVENTS_HEARD: list[str] = []
CASES_RUN: list[str] = []  # the one that is being read


@cache
def listen() -> None:
    """Hear what Python tells its audit hooks of; a hook cannot be removed."""

    def hook(event: str, _: object) -> None:
        if CASES_RUN and event in EVENTS:
            EVENTS_HEARD.append(event)

    sys.addaudithook(hook)


def status(field: str) -> int:
    """Bytes of memory, as Linux counts them; 0 elsewhere."""
    file = Path("/proc/self/status")
    lines = file.read_text().splitlines() if file.exists() else []
    return sum(int(line.split()[1]) * 1024 for line in lines if line.startswith(field))


def most_memory(read: Callable[[], object]) -> int:
    """Bytes that the process had at most, more than at the beginning."""
    clear = Path("/proc/self/clear_refs")
    if clear.exists():
        clear.write_text("5")  # the most is now
    before = status("VmRSS")
    read()
    return status("VmHWM") - before


def size(folder: Path) -> int:
    return sum(of.stat().st_size for of in folder.rglob("*") if of.is_file())


@pytest.fixture
def pipe(tmp_path: Path) -> Iterator[int]:
    """A pipe that stands beside the folder, with something in it."""
    os.mkfifo(tmp_path / "secret")
    opened = os.open(tmp_path / "secret", os.O_RDWR | os.O_NONBLOCK)
    yield opened
    os.close(opened)


def problems_of(form: Form, source: Path, folder: Path, pipe: int) -> Iterator[str]:
    """Read a file that is spoilt, and say what is not as it should be."""
    raised: list[BaseException] = []

    def read() -> None:
        try:
            form.read(source)
        except BaseException as error:
            raised.append(error)

    before = form.model().get_weights() if form.model else []
    listed, stated = sorted(folder.rglob("*")), size(folder)
    os.write(pipe, b"secret")
    taken = most_memory(read)
    if raised and not isinstance(raised[0], form.errors):
        where = traceback.extract_tb(raised[0].__traceback__)[-1]
        yield f"{raised[0]!r:.300} in {where.filename}:{where.lineno}"
    elif raised and form.model and str(folder) not in str(raised[0]):
        yield f"the error does not name the file: {raised[0]!r:.300}"
    if taken > TIMES * stated + MORE_MEMORY:
        yield f"{taken / 2**20:.0f} MiB for {stated} bytes"
    if EVENTS_HEARD:
        yield f"it did {EVENTS_HEARD}"
    if readable(pipe) != b"secret":
        yield "it read another file"
    if sorted(folder.rglob("*")) != listed:
        yield "it changed files"
    after = form.model().get_weights() if form.model else []
    if raised and any(map(np.any, map(np.not_equal, before, after))):
        yield f"the model changed: {raised[0]!r:.300}"
    if form.model is network and not all(np.isfinite(of).all() for of in after):
        yield "values that are not finite"
    if form.model and not raised:
        form.model().set_weights(before)


def readable(pipe: int) -> bytes:
    with suppress(BlockingIOError):
        return os.read(pipe, 100)
    return b""


@pytest.mark.parametrize(
    "count",
    [
        pytest.param(FEW, id="few"),
        pytest.param(CASES // len(FORMS), id="many", marks=pytest.mark.slow),
    ],
)
@pytest.mark.parametrize("name", FORMS)
def test_faults(name: str, count: int, tmp_path: Path, pipe: int) -> None:
    form, whole = FORMS[name], tmp_path / "whole"
    whole.mkdir()
    source = form.write(whole)
    form.read(whole / source)
    listen()
    found: list[str] = []
    for number in range(count):
        folder = tmp_path / "cases" / str(number)
        shutil.copytree(whole, folder)
        rng = np.random.Generator(np.random.PCG64([number, list(FORMS).index(name)]))
        spoil(chosen(rng, sorted(of for of in folder.rglob("*") if of.is_file())), rng)
        CASES_RUN.append(f"{name} {number}")
        (tmp_path / "case").write_text(CASES_RUN[-1])  # to be read if Python ends
        faulthandler.dump_traceback_later(SECONDS, exit=True)
        found += [f"{number}: {of}" for of in problems_of(form, folder / source, folder, pipe)]
        faulthandler.cancel_dump_traceback_later()
        CASES_RUN.clear()
        EVENTS_HEARD.clear()
        shutil.rmtree(folder)
    assert not found, "\n".join(found)
