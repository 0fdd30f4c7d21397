"""The NAME and the options of a command as a network."""

import json
from ast import literal_eval
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..common.checks import unknown
from ..config import ResnetConfig, config_of_fields
from ..model.record import arguments_in
from ..plan.network import Head
from ..presets.resolve import Named, resolve

if TYPE_CHECKING:
    import keras

# The options of `from_preset` that change what is shown, with their defaults.
SHOWN: Mapping[str, Any] = {
    **{field.name: field.default for field in fields(Head)},
    "features": None,
    "output_stride": None,
}
# Those that do not change it.
UNSEEN = {"weights", "adapt_weights", "data_format", "dtype", "layer_prefix"}
FIELDS = [field.name for field in fields(ResnetConfig)]


@dataclass(frozen=True)
class Source:
    """A network of the command line.

    Attributes:
        named: its config.
        options: options of `SHOWN` to which a JSON file gives another value than the default.
        changes: the changes of `--set`, as they were written.
    """

    named: Named
    options: Mapping[str, Any]
    changes: Sequence[tuple[str, str]] = ()

    @property
    def titled(self) -> Named:
        """The config under a name with the changes: resnet18 (stem=cifar)."""
        changes = ", ".join(map("=".join, self.changes))
        return replace(self.named, name=f"{self.named.name} ({changes})") if changes else self.named

    @property
    def network(self) -> "Named | keras.Model":
        """What `profile` and `plot` take: a config, or a model if it has options."""
        if not self.options:
            return self.titled
        from ..builder import ResnetBuilder

        config, name = self.named.config, self.titled.name
        return ResnetBuilder.from_config(config, name=name, **self.options)

    @property
    def whole(self) -> Any:
        """The config for `compare`; ValueError if the network has other options."""
        if self.options:
            options = ", ".join(f"{name}={value!r}" for name, value in self.options.items())
            raise ValueError(f"whole networks are compared, and {self.named.name} has {options}")
        return self.titled


def source_of(
    name: str,
    changes: Sequence[tuple[str, str]] = (),
    input_shape: Sequence[int] | None = None,
    classes: int | None = None,
) -> Source:
    """Find the network of a NAME, with the changes of `--set` and of other options.

    Args:
        name: a preset, a checkpoint, a repository, a folder with its files, or a JSON file of
            `ResnetConfig.to_json` or `ResnetBuilder.to_json`.
        changes: fields of the config, and their values as JSON, Python or text.

    Raises:
        TypeError, ValueError, OSError, ImportError: as in `resolve`; a file that is no such JSON.
    """
    source, given = _read(Path(name)) if name.lower().endswith(".json") else (name, {})
    options = {option: given.pop(option, default) for option, default in SHOWN.items()}
    for option in given.keys() - UNSEEN - set(FIELDS):
        raise ValueError(unknown("option", option, [*SHOWN, *UNSEEN, *FIELDS]))
    named = resolve(
        source,
        given.pop("input_shape", None),
        given.pop("classes", None),
        data_format=given.get("data_format") or "channels_last",
        **{field: given[field] for field in FIELDS if field in given},
    )
    own = {"input_shape": input_shape, "classes": classes}
    changed: dict[str, Any] = {field: value for field, value in own.items() if value is not None}
    for field, text in changes:
        if field not in FIELDS:
            raise ValueError(unknown("field", field, FIELDS))
        if field in changed:
            raise ValueError(f"{field} is given twice: give it once")
        changed[field] = _value(text)
    named = resolve(named, **changed)
    others = {option: value for option, value in options.items() if value != SHOWN[option]}
    return Source(named, {**named.options, **others}, changes)


def _read(file: Path) -> tuple[Any, dict[str, Any]]:
    """The preset or config of a JSON file, and the other arguments of `from_preset` in it."""
    if not file.is_file():
        raise FileNotFoundError(f"there is no file {str(file)!r}")
    try:
        text = file.read_text(encoding="utf-8-sig")  # some editors write a byte order mark
        content = json.loads(text)
        if isinstance(content, dict) and "preset" not in content:
            return Named(file.stem, config_of_fields(content)), {}
        arguments = arguments_in(text)
    except (TypeError, ValueError, RecursionError) as error:
        raise ValueError(f"{file} is not the JSON of a network: {error}") from error
    preset, name = arguments.pop("preset"), arguments.pop("name", None)
    if isinstance(preset, ResnetConfig):
        preset = Named(name or file.stem, preset)
    return preset, arguments


def _value(text: str) -> Any:
    for read in (json.loads, literal_eval):
        with suppress(ValueError, SyntaxError, RecursionError, MemoryError):
            return read(text)
    return text
