"""Conversion of another library's checkpoint to a Keras file."""

import tempfile
from collections.abc import Callable
from pathlib import Path

import keras
import numpy as np

from ..builder import ResnetBuilder
from ..common.recursion import room_for
from ..plan.network import make_plan
from ..presets import resolve
from ..weights.expected import expected_weights
from ..weights.hub import download, is_repository
from ..weights.layouts import TensorShape
from ..weights.loading import load_weights
from ..weights.names import FIRST_CONVS, HEAD
from ..weights.recognising import Recognised, recognise
from ..weights.report import WeightsReport
from ..weights.sources import open_checkpoint

ENDINGS = (".keras", ".weights.h5")
PHASES = ("building", "loading", "writing", "reading back")


def convert(
    checkpoint: str, preset: str, file: str, *, begins: Callable[[str], None] = lambda step: None
) -> WeightsReport:
    """Load a checkpoint into a preset with its classes and channels, save it, and check the file.

    Args:
        checkpoint: a file or a repository, as in `load_weights`.
        preset: name of the checkpoint's network.
        file: file to write, which ends in .keras or .weights.h5; replaced if it exists.
        begins: function that is called at the start of each of `PHASES`.

    Returns:
        The report of `load_weights`.

    Raises:
        ValueError: an unsupported ending, or a checkpoint that does not fit.
        OSError: a file that cannot be read or written.
        ImportError: as in `load_weights`.
        RuntimeError: the written file has other weights when it is read back.
    """
    path = Path(file)
    if not path.name.endswith(ENDINGS):
        raise ValueError(f"cannot write {file!r}: its ending must be one of {', '.join(ENDINGS)}")
    if not path.parent.is_dir():
        raise FileNotFoundError(f"cannot write {path}: there is no folder {path.parent}")
    if path.is_dir():
        raise IsADirectoryError(f"cannot write {path}: it is a folder")
    begins("building")
    source = download(checkpoint) if is_repository(checkpoint) else Path(checkpoint)
    model = _network_for(source, preset)
    begins("loading")
    report = load_weights(model, source)
    begins("writing")
    with tempfile.TemporaryDirectory(dir=path.parent) as folder:
        whole = Path(folder) / path.name
        (model.save if path.suffix == ".keras" else model.save_weights)(whole)
        begins("reading back")
        _check(model, whole)
        whole.replace(path)
    return report


def _network_for(source: Path, preset: str) -> keras.Model:
    """Build the preset with the checkpoint's numbers of input channels and classes."""
    config = resolve(preset).config
    with open_checkpoint(source) as checkpoint:
        kernels = _kernels(recognise(checkpoint, expected_weights(make_plan(config))))
    rows, columns, channels = config.input_shape
    channels = next((kernels[stem][2] for stem in FIRST_CONVS if stem in kernels), channels)
    classes = kernels[HEAD][-1] if HEAD in kernels else None
    return ResnetBuilder.from_preset(
        preset, (rows, columns, channels), classes, data_format="channels_last"
    )


def _kernels(found: Recognised) -> dict[str, TensorShape]:
    """The shapes of the checkpoint's first convolution and classifier."""
    shapes, origin = found.checkpoint.shapes, found.origin
    kernels = {layer: (layer, "kernel") for layer in (*FIRST_CONVS, HEAD)}
    return {
        layer: origin.layout.keras_shape(kernel, shapes[origin.tensor(kernel)])
        for layer, kernel in kernels.items()
        if origin.tensor(kernel) in shapes
    }


def _check(model: keras.Model, file: Path) -> None:
    with room_for(len(model.layers)):
        if file.suffix == ".keras":
            written = keras.models.load_model(file)
        else:
            written = keras.models.clone_model(model)
            written.load_weights(file)
    for weight, read_back in zip(model.weights, written.weights, strict=True):
        if not np.array_equal(weight.numpy(), read_back.numpy()):
            raise RuntimeError(f"{weight.path} is not what was written: the disk may be faulty")
