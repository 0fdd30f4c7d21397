"""What mkdocstrings shows otherwise than a docstring has it."""

import dataclasses
import re
from typing import Any

import griffe

from resnet_builder import ResnetConfig

HEADING = re.compile(r"^(\s*)Example:$", re.MULTILINE)
# A field of a docstring's `Attributes:`, up to the next one.
FIELD = re.compile(r"^ {4}(\w+): (?:.+\n(?: {5,}.+\n)*)", re.MULTILINE)


class Shown(griffe.Extension):
    """Change docstrings before they are parsed."""

    def on_object(self, *, obj: griffe.Object, **kwargs: Any) -> None:
        """Called for every module, class, function and attribute."""
        if not obj.docstring:
            return
        # A section of examples, which is shown as code.
        text = HEADING.sub(r"\1Examples:", obj.docstring.value)
        if obj.path == f"{ResnetConfig.__module__}.{ResnetConfig.__name__}":
            text = with_defaults(text)
        obj.docstring.value = text


def with_defaults(text: str) -> str:
    """The docstring of `ResnetConfig` with the default of every field."""
    defaults = {field.name: field.default for field in dataclasses.fields(ResnetConfig)}

    def completed(match: re.Match[str]) -> str:
        item = match[0].rstrip()
        default = defaults.get(match[1], dataclasses.MISSING)
        if default is dataclasses.MISSING or "Default:" in item:
            return match[0]
        value = repr(default).replace("'", '"')  # this code's quotes
        return f"{item} Default: `{value}`.\n"

    return FIELD.sub(completed, text)
