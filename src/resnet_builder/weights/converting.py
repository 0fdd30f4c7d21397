"""A checkpoint of somebody else as a file of Keras."""

import tempfile
from pathlib import Path

import keras
import numpy as np

from ..builder import ResnetBuilder
from .checkpoints import opened
from .hub import download, is_repository
from .loading import WeightsReport, load_weights
from .matching import HEAD
from .origins import find_origin

ENDINGS = (".keras", ".weights.h5")


def convert(checkpoint: str, preset: str, file: str) -> WeightsReport:
    """Load a checkpoint into a preset, with as many classes as it has, and save it; checked.

    Raises:
        ValueError: another ending; a checkpoint that does not fit.
        OSError: a file that cannot be read or written.
        RuntimeError: what was written does not give the same weights when it is read back.
    """
    path = Path(file)
    if not path.name.endswith(ENDINGS):
        raise ValueError(f"cannot write {file!r}: its ending must be one of {', '.join(ENDINGS)}")
    if not path.parent.is_dir():
        raise FileNotFoundError(f"cannot write {path}: there is no folder {path.parent}")
    model = ResnetBuilder.from_preset(preset, classes=_classes(checkpoint))
    report = load_weights(model, checkpoint)
    with tempfile.TemporaryDirectory(dir=path.parent) as folder:
        whole = Path(folder) / path.name
        if path.suffix == ".keras":
            model.save(whole)
            written = keras.models.load_model(whole)
        else:
            model.save_weights(whole)
            written = keras.models.clone_model(model)
            written.load_weights(whole)
        for ours, theirs in zip(model.weights, written.weights, strict=True):
            if not np.array_equal(ours.numpy(), theirs.numpy()):
                raise RuntimeError(f"{ours.path} is not what was written: the disk may be at fault")
        whole.replace(path)
    return report


def _classes(checkpoint: str) -> int | None:
    """How many classes a checkpoint knows; None where it cannot be told."""
    source = download(checkpoint) if is_repository(checkpoint) else checkpoint
    with opened(source) as found:
        origin = find_origin(found.shapes)
        shape = found.shapes.get(origin.tensor((HEAD, "bias"))) if origin else None
    return shape[0] if shape else None
