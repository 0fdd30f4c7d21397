"""Export of a network for another runtime.

Keras is loaded when everything else has been checked: it takes seconds.
"""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from ..inference.formats import check_limits, check_target
from ..inference.photographs import photographs_in
from ..plan.network import make_plan
from ..presets.checkpoints import PublishedWeights
from ..presets.resolve import Named, resolve

if TYPE_CHECKING:
    import keras

    from ..inference.export import ExportReport
    from ..inference.formats import Array

RANDOM = "the weights are random: --weights loads a checkpoint"


def export_network(
    network: Named,
    file: str,
    *,
    weights: str | None = None,
    images: str | None = None,
    prepare: bool = False,
    dtype: str = "float32",
    limit: float | None = None,
    agreement: float | None = None,
    **options: bool,
) -> "ExportReport":
    """Build a network, load its weights, and export it.

    Args:
        network: the network, with its options.
        file: the file or folder, as in `export`.
        weights: as in `ResnetBuilder.from_preset`. Default: those that the network's name names.
        images: for int8, a folder of photographs, which are prepared as the checkpoint's.
        prepare: whether the preparation of photographs is put into the file.
        dtype, limit, agreement, **options: as in `export`.

    Raises:
        TypeError, ValueError, OSError, ImportError, RuntimeError: as in `ResnetBuilder.from_preset`
            and `export`.
    """
    check_target(Path(file), dtype)
    check_limits(dtype, limit, agreement)
    photographs = _photographs(images, dtype)
    named = resolve(network, weights=weights)
    _check_network(named, takes_photographs=prepare or bool(photographs))

    import keras

    from ..builder import ResnetBuilder
    from ..inference.export import export
    from ..inference.images import preprocessing

    build: Callable[..., keras.Model] = ResnetBuilder.from_preset
    model = build(
        network, weights=weights, name=network.name, data_format="channels_last", **network.options
    )
    report = export(
        model,
        file,
        preprocessing=preprocessing(model, data_format="channels_last") if prepare else None,
        dtype=dtype,
        images=_prepared(photographs, model) if photographs else None,
        limit=limit,
        agreement=agreement,
        **options,
    )
    return report if named.weights else replace(report, notes=(*report.notes, RANDOM))


def _photographs(folder: str | None, dtype: str) -> list[Path]:
    """The photographs that set the ranges of int8."""
    if (dtype == "int8") != (folder is not None):
        raise ValueError("--dtype int8 needs --images FOLDER, and no other takes it")
    if folder is None:
        return []
    if not Path(folder).is_dir():
        raise NotADirectoryError(f"--images takes a folder, and there is none at {folder!r}")
    found = list(photographs_in(Path(folder)))
    if len(found) < 2:
        raise ValueError(f"--images {folder} has {len(found)} images: int8 needs at least 2")
    return found


def _check_network(named: Named, *, takes_photographs: bool) -> None:
    if takes_photographs and not isinstance(named.weights, PublishedWeights):
        raise ValueError(
            "photographs are prepared as a published checkpoint needs: give its name as NAME or "
            "with --weights, such as resnet50.a1_in1k or imagenet"
        )
    make_plan(named.config)


def _prepared(photographs: list[Path], model: "keras.Model") -> "Array":
    """Photographs of any size as one batch for a model."""
    import numpy as np

    from ..inference.images import preprocessing
    from ..inference.photographs import photograph

    prepare = preprocessing(model, data_format="channels_last")
    batch = [np.asarray(prepare(photograph(path)[np.newaxis])) for path in photographs]
    return np.concatenate(batch)
