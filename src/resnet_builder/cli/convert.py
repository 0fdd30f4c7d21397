"""Conversion of another library's checkpoint to a Keras file.

Keras is loaded when everything else has been checked: it takes seconds.
"""

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from ..common.files import check_place, whole_file
from ..files.opening import opened
from ..model.keras_limits import room_for
from ..plan.network import make_plan
from ..presets.resolve import Named
from ..weights.expected import expected_weights
from ..weights.recognise import recognise
from ..weights.report import WeightsReport

if TYPE_CHECKING:
    import keras

WRITTEN_ENDINGS = (".keras", ".weights.h5")
PHASES = ("building", "loading", "writing", "reading back")


def convert(
    checkpoint: str,
    network: Named,
    file: str,
    fold: bool = False,
    begins: Callable[[str], None] = lambda step: None,
) -> WeightsReport:
    """Load a checkpoint into a preset with its classes and channels, save it, and check the file.

    Args:
        checkpoint: a file or a repository, as in `load_weights`.
        network: the checkpoint's network, with its options.
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
    _check_path(path)
    with opened(checkpoint) as source:
        plan = make_plan(network.config)
        found = recognise(source, expected_weights(plan))
        begins("building")
        from ..builder import ResnetBuilder
        from ..inference.folding import fold_batch_norm
        from ..inference.folds import folding_report
        from ..weights.load import load_weights

        rows, columns, channels = plan.config.input_shape
        model = ResnetBuilder.from_config(
            plan.config,
            (rows, columns, found.channels or channels),
            found.classes,
            name=network.name,
            data_format="channels_last",
            **network.options,
        )
        begins("loading")
        report = load_weights(model, source)
    if fold:
        report = replace(report, adapted=(*report.adapted, folding_report(model).summary))
        model = fold_batch_norm(model)
    begins("writing")
    with whole_file(path) as unfinished:
        (model.save if path.suffix == ".keras" else model.save_weights)(unfinished)
        begins("reading back")
        _check_file(model, unfinished)
    return report


def _check_path(path: Path) -> None:
    if not path.name.endswith(WRITTEN_ENDINGS):
        raise ValueError(
            f"cannot write {str(path)!r}: its ending must be one of {', '.join(WRITTEN_ENDINGS)}"
        )
    check_place(path)
    if not os.access(path.parent, os.W_OK):
        raise PermissionError(f"cannot write {path}: the folder {path.parent} is not writable")


def _check_file(model: "keras.Model", file: Path) -> None:
    import keras
    import numpy as np

    with room_for(len(model.layers)):
        if file.suffix == ".keras":
            written = keras.models.load_model(file)
        else:
            written = keras.models.clone_model(model)
            written.load_weights(file)
    for weight, read_back in zip(model.weights, written.weights, strict=True):
        if not np.array_equal(weight.numpy(), read_back.numpy()):
            raise RuntimeError(f"{weight.path} is not what was written: the disk may be faulty")
