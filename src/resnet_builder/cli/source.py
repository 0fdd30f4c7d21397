"""The NAME and the options of a command as a network."""

import json
import re
from ast import literal_eval
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..common.checks import unknown
from ..common.files import parsed_json
from ..config import FIELDS, ResnetConfig, config_of_fields
from ..model.record import arguments_in
from ..plan.network import Head
from ..presets.resolve import Named, resolve

if TYPE_CHECKING:
    import keras

# Fields and their values, as `--set` gives them.
Changes = Sequence[tuple[str, str]]

# The options of `from_preset` that change what is shown, with their defaults.
SHOWN: Mapping[str, Any] = {
    **{field.name: field.default for field in fields(Head)},
    "features": None,
    "output_stride": None,
    "dilate_first": False,
}
# A fraction, as papers write a ratio: 1/16.
FRACTION = re.compile(r"(\d+) ?/ ?(\d*[1-9]\d*)", re.ASCII)
# Endings of files of whole models.
MODELS = (".keras", ".h5")
# Those that do not change it.
UNSEEN = ("weights", "adapt_weights", "data_format", "dtype", "layer_prefix", "remat")


def source_of(
    name: str,
    changes: Changes = (),
    input_shape: Sequence[int] | None = None,
    classes: int | None = None,
) -> Named:
    """Find the network of a NAME, with the changes of `--set` and of other options.

    The options of `from_preset` in a JSON file that change what is shown are among its `options`.

    Args:
        name: a preset, a checkpoint, a repository, a folder with its files, or a JSON file of
            `ResnetConfig.to_json` or `ResnetBuilder.to_json`.
        changes: fields of the config, and their values as JSON, Python or text.

    Raises:
        TypeError, ValueError, OSError, ImportError: as in `resolve`; a file that is no such JSON.
    """
    _check_no_model(name)
    source, given = _read(Path(name)) if name.lower().endswith(".json") else (name, {})
    known = [*SHOWN, *UNSEEN, *FIELDS]
    for option in given:
        if option not in known:
            raise ValueError(unknown("option", option, known))
    named = resolve(
        source,
        given.pop("input_shape", None),
        given.pop("classes", None),
        data_format=given.get("data_format") or "channels_last",
        **{field: value for field, value in given.items() if field in FIELDS},
    )
    own = {"input_shape": input_shape, "classes": classes}
    changed: dict[str, Any] = {field: value for field, value in own.items() if value is not None}
    for field, text in changes:
        _check_field(field)
        if field in changed:
            raise ValueError(f"{field} is given twice: give it once")
        changed[field] = _value(text)
    named = resolve(named, **changed)
    options = {
        option: given[option]
        for option, default in SHOWN.items()
        if given.get(option, default) != default
    }
    return replace(named, options={**named.options, **options})


def _check_no_model(name: str) -> None:
    if name.lower().endswith(MODELS) and Path(name).is_file():
        raise ValueError(
            f"{name} does not name a network: give that as NAME, and the file to convert as "
            "CHECKPOINT or to another command with --weights. In Python, plot and profile take "
            f"keras.models.load_model({name!r})"
        )


def _check_field(field: str) -> None:
    if field in SHOWN:
        raise ValueError(
            f"{field} is an option of ResnetBuilder.from_preset, and no field of the config: "
            "give NAME as a JSON file of ResnetBuilder.to_json, which has the options"
        )
    if field not in FIELDS:
        raise ValueError(unknown("field", field, FIELDS))


def _read(file: Path) -> tuple[Any, dict[str, Any]]:
    """The preset or config of a JSON file, and the other arguments of `from_preset` in it."""
    if not file.is_file():
        raise FileNotFoundError(f"there is no file {str(file)!r}")
    try:
        text = file.read_text(encoding="utf-8-sig")  # some editors write a byte order mark
        content = parsed_json(text)
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
    if written := FRACTION.fullmatch(text):
        return int(written[1]) / int(written[2])
    for read in (json.loads, literal_eval):
        with suppress(ValueError, SyntaxError, RecursionError, MemoryError):
            return read(text)
    return text


# The network of a command -----------------------------------------------------------------------


def shown_network(named: Named, changes: Changes = ()) -> "Named | keras.Model":
    """What `profile` and `plot` take: a config, or a model if the network has options."""
    named = _titled(named, changes)
    if not named.options:
        return named
    from ..builder import ResnetBuilder

    return ResnetBuilder.from_config(named.config, name=named.name, **named.options)


def whole_network(named: Named, changes: Changes = ()) -> Any:
    """The config for `compare`; ValueError if the network has options."""
    if named.options:
        options = ", ".join(f"{name}={value!r}" for name, value in named.options.items())
        raise ValueError(f"whole networks are compared, and {named.name} has {options}")
    return _titled(named, changes)


def _titled(named: Named, changes: Changes) -> Named:
    """The network under a name with the changes: resnet18 (stem=cifar)."""
    text = ", ".join(map("=".join, changes))
    return replace(named, name=f"{named.name} ({text})") if text else named
