"""From the name of a network, of a checkpoint or of a repository to a config."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any

from ..common.shapes import image_shape
from ..common.words import argument
from ..config import ResnetConfig
from .networks import find_preset
from .published_weights import PublishedWeights
from .repositories import find_published


@dataclass(frozen=True)
class Named:
    """A config, the name for its model, table or picture, and the checkpoint that it is of.

    `options` are those of `ResnetBuilder.from_preset` that the checkpoint's network needs.
    """

    name: str
    config: ResnetConfig
    checkpoint: PublishedWeights | None = None
    options: Mapping[str, Any] = field(default_factory=dict)

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
    data_format: str = "channels_last",
    corrected_call: Callable[[tuple[int | None, ...]], str] | None = _corrected,
    **changes: Any,
) -> Named:
    """Return the config of a name, or a given config, with some fields changed.

    Args:
        source: a preset's name; a checkpoint's name, repository or folder (its network, with its
            input size and number of classes); a config; or what this function has returned.
        input_shape: input shape in the order of `data_format`. Default: the config's own.
        classes: number of classes. Default: the config's own.
        corrected_call: function that writes the corrected call for a shape that looks as if in
            the other order, for the message; None accepts such a shape.
        **changes: fields of `ResnetConfig`.

    Raises:
        TypeError: a source of another type, or an unknown field.
        ValueError: an unknown preset or checkpoint; the message suggests similar names.
        OSError, ImportError: the `config.json` of an unknown repository cannot be read.
    """
    named = _find(source)
    if input_shape is not None:
        changes["input_shape"] = image_shape(input_shape, data_format, corrected_call)
    if classes is not None:
        changes["classes"] = classes
    return replace(named, config=named.config.replace(**changes)) if changes else named


def _find(source: str | ResnetConfig | Named) -> Named:
    if isinstance(source, Named):
        return source
    if isinstance(source, ResnetConfig):
        return Named("resnet", source)
    if not isinstance(source, str):
        raise TypeError(f"source must be a preset's name or a ResnetConfig, got {source!r}")
    checkpoint = find_published(source)
    if checkpoint is None:
        return Named(source, find_preset(source))
    known = {of.name for of in fields(ResnetConfig)}
    changes: dict[str, Any] = {k: v for k, v in checkpoint.changes.items() if k in known}
    changes["input_shape"] = checkpoint.input_shape
    if checkpoint.classes:
        changes["classes"] = checkpoint.classes
    config = find_preset(checkpoint.preset).replace(**changes)
    options = {name: value for name, value in checkpoint.changes.items() if name not in known}
    return Named(checkpoint.name, config, checkpoint, options)
