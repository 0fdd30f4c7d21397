"""From the name of a network, of a checkpoint or of a repository to its config and checkpoint."""

import os
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

from ..common.checks import unknown
from ..common.hub import download, is_repository
from ..common.shapes import image_shape
from ..common.words import INTERFACE, argument
from ..config import FIELDS, UNSEEN, ResnetConfig
from .checkpoints import PURPOSES, PublishedWeights, in_table, published, recommended
from .networks import PRESETS, find_preset
from .repositories import CONFIG, CONFIGS, read_repository


@dataclass(frozen=True)
class Named:
    """A network: its config, its name, and its checkpoint.

    Attributes:
        name: name for its model, table or picture.
        config: its config, with the input shape and the number of classes.
        checkpoint: the published checkpoint that it is of, or that a word for `weights` stands for.
        options: options of `ResnetBuilder.from_preset` that the checkpoint's network needs.
        source: the given name; None for a config.
        classes: the given number of classes.
        weights: the given weights, or the published checkpoint that they name.
        purpose: `"imagenet"` or `"features"` if `weights` was that, and chose the checkpoint.
    """

    name: str
    config: ResnetConfig
    checkpoint: PublishedWeights | None = None
    options: Mapping[str, Any] = field(default_factory=dict)
    source: str | None = None
    classes: int | None = None
    weights: object = None
    purpose: str = ""

    @property
    def output_stride(self) -> int | None:
        """The output stride of the checkpoint's network, if it is not the preset's."""
        return self.options.get("output_stride")


def _corrected(shape: tuple[int | None, ...]) -> str:
    return argument("input_shape", shape)


def resolve(
    source: str | ResnetConfig | Named,
    input_shape: Any = None,
    classes: int | None = None,
    *,
    weights: object = None,
    data_format: str = "channels_last",
    corrected_call: Callable[[tuple[int | None, ...]], str] | None = _corrected,
    **changes: Any,
) -> Named:
    """Return the network of a name or of a config, with some fields changed.

    Args:
        source: a preset's name; a checkpoint's name, repository or folder (its network, with its
            input size and number of classes); a config; or what this function has returned.
        input_shape: input shape in the order of `data_format`. Default: the checkpoint's if there
            is one, else the config's.
        classes: number of classes. Default: likewise.
        weights: as in `ResnetBuilder.from_preset`.
        corrected_call: function that writes the corrected call for a shape that looks as if in
            the other order, for the message; None accepts such a shape.
        **changes: fields of `ResnetConfig`.

    Raises:
        TypeError: a source of another type, or an unknown field.
        ValueError: an unknown preset or checkpoint, with similar names in the message; or
            `weights="imagenet"` or `"features"` for a network without such weights.
        OSError, ImportError: the `config.json` of an unknown repository cannot be read.
    """
    best, purpose = None, weights if isinstance(weights, str) and weights in PURPOSES else ""
    if purpose:
        best = recommended(source.source if isinstance(source, Named) else source, purpose)
    named = _find(source)
    if input_shape is not None:
        changes["input_shape"] = image_shape(input_shape, data_format, corrected_call)
    elif best:
        changes["input_shape"] = best.input_shape
    if classes is not None:
        changes["classes"] = classes
    if isinstance(weights, str):
        weights = best or in_table(weights) or weights
    return replace(
        named,
        config=named.config.replace(**changes) if changes else named.config,
        checkpoint=best or named.checkpoint,
        classes=named.classes if classes is None else classes,
        weights=named.checkpoint if weights is None else weights,
        purpose=purpose,
    )


def _find(source: str | ResnetConfig | Named) -> Named:
    if isinstance(source, Named):
        return source
    if isinstance(source, ResnetConfig):
        return Named("resnet", source)
    if not isinstance(source, str):
        raise TypeError(f"source must be a preset's name or a ResnetConfig, got {source!r}")
    checkpoint = find_published(source)
    if checkpoint is None:
        return Named(source, find_preset(source), source=source)
    changes: dict[str, Any] = {k: v for k, v in checkpoint.changes.items() if k in FIELDS}
    changes["input_shape"] = checkpoint.input_shape
    if checkpoint.classes:
        changes["classes"] = checkpoint.classes
    config = find_preset(checkpoint.preset).replace(**changes)
    options = {name: value for name, value in checkpoint.changes.items() if name not in FIELDS}
    return Named(checkpoint.name, config, checkpoint, options, source)


def check_published(network: Named) -> None:
    """Refuse a published checkpoint of another preset, which its shapes may not show."""
    row = network.weights
    if not isinstance(row, PublishedWeights) or row is network.checkpoint:
        return
    if network.source in (None, row.preset):
        return
    of_row = _find(row.name).config
    if any(getattr(network.config, field) != getattr(of_row, field) for field in UNSEEN):
        raise ValueError(
            f"{row.name!r} is a checkpoint of {row.preset!r}, not of {network.source!r}: "
            f"give {row.preset!r} as the preset"
        )


def find_published(source: str) -> PublishedWeights | None:
    """Return the checkpoint of a name or a repository; None if `source` is neither.

    Args:
        source: preset and tag, such as `"resnet50.a1_in1k"`; a repository of the Hugging Face Hub,
            optionally with `@` and a revision; or a local folder with its files. The `config.json`
            of a repository that is not in the table is read from the cache or downloaded.

    Raises:
        ValueError: an unknown tag, a repository that names no network of timm or transformers, or
            a path that is not of a folder with its files.
        OSError, ImportError: the repository cannot be read.
    """
    if found := in_table(source):
        return found
    if source in PRESETS:
        return None
    repository, revision, _ = source.partition("@")
    if revision and (found := in_table(repository)):
        return replace(found, source=source)
    if any((Path(source) / name).is_file() for name in CONFIGS):
        return read_repository(source, partial(_in_folder, Path(source)))
    if is_repository(source):
        return _repository(source)
    _check_no_path(source)
    preset, dot, _ = source.partition(".")
    if dot and (known := [row.name for row in published() if row.preset == preset]):
        where = f"{INTERFACE.get().weights_of(preset)} lists them all"
        raise ValueError(unknown("checkpoint", source, known, where))
    return None


def _check_no_path(source: str) -> None:
    """Refuse a path, which is no name of a network, unless a preset has that name, too."""
    with suppress(ValueError):
        find_preset(source)
        return
    if os.path.exists(source):  # noqa: PTH110 - unlike Path.exists, False for any text
        is_folder = Path(source).is_dir()
        what = f"a folder without {' or '.join(CONFIGS)}" if is_folder else "a file"
        raise ValueError(
            f"unknown preset {source!r}: it is {what}, which does not say its network nor how "
            "images are prepared. Give a preset's name, and it as weights; preprocessing takes "
            "size=, mean= and std="
        )
    if "/" in source or os.sep in source:
        raise ValueError(f"unknown preset {source!r}: there is no such file or folder")


def _in_folder(folder: Path, name: str) -> Path | None:
    path = folder / name
    return path if path.exists() else None


def _repository(name: str) -> PublishedWeights:
    def file(needed: str) -> Path | None:
        try:
            return download(name, [needed])
        except OSError:
            if needed == CONFIG:
                raise
            return None

    try:
        return read_repository(name, file)
    except ConnectionError as error:
        raise ConnectionError(
            f"{name!r} is not in {INTERFACE.get().weights}, and its {CONFIG}, which names its "
            "network, is not in the cache and cannot be downloaded: give a preset's name, and a "
            "file as weights"
        ) from error
