"""Conversion of a checkpoint to a file of Keras or of another library, or to a folder to share.

Keras is loaded when everything else has been checked: it takes seconds.
"""

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from ..common.checks import choice
from ..common.files import check_place, whole_file
from ..files.opening import opened
from ..model.keras_limits import room_for
from ..plan.network import make_plan
from ..presets.resolve import Named
from ..weights.expected import expected_weights
from ..weights.origins import LIBRARIES
from ..weights.recognise import Choice
from ..weights.report import WeightsReport

if TYPE_CHECKING:
    import keras

OF_KERAS = (".keras", ".weights.h5")
OF_WEIGHTS = (".safetensors", ".npz")
ALL = Choice()  # all tensors, under their own names
PHASES = ("building", "loading", "writing", "reading back")


def convert(
    checkpoint: str,
    network: Named,
    file: str,
    fold: bool = False,
    names: str = "keras",
    chosen: Choice = ALL,
    begins: Callable[[str], None] = lambda step: None,
) -> WeightsReport:
    """Load a checkpoint into a preset with its classes and channels, save it, and check the file.

    Args:
        checkpoint: a file or a repository, as in `load_weights`.
        network: the checkpoint's network, with its options.
        file: file to write, which ends in .keras, .weights.h5, .safetensors or .npz, and is
            replaced if it exists; or, without an ending, a folder as of `save_pretrained`.
        fold: whether to fold batch norms into convolutions, as `fold_batch_norm` does; for the
            first two endings.
        names: the library of the names in a .safetensors or .npz, as in `write_weights`.
        chosen: which of the checkpoint's tensors are loaded, and under which names.
        begins: function that is called at the start of each of `PHASES`.

    Returns:
        The report of `load_weights`; the folding is one of the adaptations.

    Raises:
        ValueError: an unsupported ending, a checkpoint that does not fit, or a network that the
            library of `names` does not have.
        OSError: a file that cannot be read or written.
        ImportError: as in `load_weights`.
        RuntimeError: the written file has other weights when it is read back.
    """
    path = Path(file)
    _check_path(path, fold=fold, names=names)
    model, report = _loaded(checkpoint, network, chosen, begins)
    if fold:
        from ..inference.folding import fold_batch_norm
        from ..inference.folds import folding_report

        report = replace(report, adapted=(*report.adapted, folding_report(model).summary))
        model = fold_batch_norm(model)
    begins("writing")
    if not path.suffix:
        _save_folder(model, network, path)
        return report
    with whole_file(path) as unfinished:
        _write(model, unfinished, names)
        begins("reading back")
        _check_file(model, unfinished)
    return report


def _check_path(path: Path, *, fold: bool, names: str) -> None:
    if path.suffix and not path.name.endswith((*OF_KERAS, *OF_WEIGHTS)):
        raise ValueError(
            f"cannot write {str(path)!r}: its ending must be one of "
            f"{', '.join((*OF_KERAS, *OF_WEIGHTS))}, or none for a folder"
        )
    if fold and not path.name.endswith(OF_KERAS):
        raise ValueError(f"a folded network is written to a file with {' or '.join(OF_KERAS)}")
    choice(names, LIBRARIES, "names")
    if names != "keras" and path.suffix not in OF_WEIGHTS:
        raise ValueError(f"names={names} needs a file with {' or '.join(OF_WEIGHTS)}")
    if path.suffix:
        check_place(path)
    if not os.access(path.parent, os.W_OK):
        raise PermissionError(f"cannot write {path}: the folder {path.parent} is not writable")


def _loaded(
    checkpoint: str, network: Named, chosen: Choice, begins: Callable[[str], None]
) -> tuple["keras.Model", WeightsReport]:
    """The network with the checkpoint's classes and channels, and what was loaded."""
    with opened(checkpoint) as source:
        plan = make_plan(network.config)
        found = chosen.of(source, expected_weights(plan))
        begins("building")
        from ..builder import ResnetBuilder
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
        return model, load_weights(model, source, **vars(chosen))


def _save_folder(model: "keras.Model", network: Named, path: Path) -> None:
    from ..pretrained import save_pretrained

    row = network.checkpoint
    labels, licence = (row.labels, row.licence) if row else ((), "")
    has_settings = row is not None and bool(row.std)
    save_pretrained(
        model,
        path,
        labels=labels if len(labels) == model.output_shape[-1] else None,
        preprocessing=network.source if has_settings else None,
        license=licence or None,
    )


def _write(model: "keras.Model", file: Path, names: str) -> None:
    from ..weights.write import write_weights

    if file.suffix in OF_WEIGHTS:
        write_weights(model, file, names=names)
    else:
        (model.save if file.suffix == ".keras" else model.save_weights)(file)


def _check_file(model: "keras.Model", file: Path) -> None:
    import keras
    import numpy as np

    from ..weights.load import load_weights

    is_of_keras = file.name.endswith(OF_KERAS)
    # Another library's epsilon is in the variances, which are rounded with it.
    tolerance = 0 if is_of_keras else 1e-6
    with room_for(len(model.layers)):
        if file.suffix == ".keras":
            written = keras.models.load_model(file)
        else:
            written = keras.models.clone_model(model)
            written.load_weights(file) if is_of_keras else load_weights(written, file)
    for weight, read_back in zip(model.weights, written.weights, strict=True):
        if not np.allclose(weight.numpy(), read_back.numpy(), rtol=tolerance, atol=tolerance):
            raise RuntimeError(f"{weight.path} is not what was written: the disk may be faulty")
