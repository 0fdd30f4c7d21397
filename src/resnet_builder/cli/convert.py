"""Conversion of another library's checkpoint to a Keras file."""

import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import keras
import numpy as np

from ..builder import ResnetBuilder
from ..common.recursion import room_for
from ..inference.folding import fold_batch_norm, folding_report
from ..plan.network import make_plan
from ..presets.resolving import resolve
from ..weights.checkpoints import Checkpoint
from ..weights.contents import contents
from ..weights.fetching import opened
from ..weights.loading import load_checkpoint
from ..weights.report import WeightsReport

WRITTEN_ENDINGS = (".keras", ".weights.h5")
PHASES = ("building", "loading", "writing", "reading back")


def convert(
    checkpoint: str,
    preset: str,
    file: str,
    *,
    fold: bool = False,
    begins: Callable[[str], None] = lambda step: None,
) -> WeightsReport:
    """Load a checkpoint into a preset with its classes and channels, save it, and check the file.

    Args:
        checkpoint: a file or a repository, as in `load_weights`.
        preset: name of the checkpoint's network.
        file: file to write, which ends in .keras or .weights.h5; replaced if it exists.
        fold: whether to fold batch norms into convolutions, as `fold_batch_norm` does.
        begins: function that is called at the start of each of `PHASES`.

    Returns:
        The report of `load_weights`; the folding is one of the adaptations.

    Raises:
        ValueError: an unsupported ending, or a checkpoint that does not fit.
        OSError: a file that cannot be read or written.
        ImportError: as in `load_weights`.
        RuntimeError: the written file has other weights when it is read back.
    """
    path = Path(file)
    if not path.name.endswith(WRITTEN_ENDINGS):
        raise ValueError(
            f"cannot write {file!r}: its ending must be one of {', '.join(WRITTEN_ENDINGS)}"
        )
    if not path.parent.is_dir():
        raise FileNotFoundError(f"cannot write {path}: there is no folder {path.parent}")
    if path.is_dir():
        raise IsADirectoryError(f"cannot write {path}: it is a folder")
    begins("building")
    with opened(checkpoint) as source:
        model = _network_for(source, preset)
        begins("loading")
        report, _ = load_checkpoint(model, source, adapt=False)
    if fold:
        report = replace(report, adapted=(*report.adapted, folding_report(model).summary))
        model = fold_batch_norm(model)
    begins("writing")
    with tempfile.TemporaryDirectory(dir=path.parent) as folder:
        whole = Path(folder) / path.name
        (model.save if path.suffix == ".keras" else model.save_weights)(whole)
        begins("reading back")
        _check_file(model, whole)
        whole.replace(path)
    return report


def _network_for(checkpoint: Checkpoint, preset: str) -> keras.Model:
    """Build the preset with the checkpoint's numbers of input channels and classes."""
    named = resolve(preset)
    rows, columns, channels = named.config.input_shape
    found = contents(checkpoint, make_plan(named.config))
    return ResnetBuilder.from_config(
        named.config,
        (rows, columns, found.channels or channels),
        found.classes,
        name=named.name,
        data_format="channels_last",
        output_stride=named.output_stride,
    )


def _check_file(model: keras.Model, file: Path) -> None:
    with room_for(len(model.layers)):
        if file.suffix == ".keras":
            written = keras.models.load_model(file)
        else:
            written = keras.models.clone_model(model)
            written.load_weights(file)
    for weight, read_back in zip(model.weights, written.weights, strict=True):
        if not np.array_equal(weight.numpy(), read_back.numpy()):
            raise RuntimeError(f"{weight.path} is not what was written: the disk may be faulty")
