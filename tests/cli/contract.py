"""The fields of `--json` that the documentation promises, as a check of what a command prints."""

import json
import re
from pathlib import Path
from typing import Any

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "command-line.md"
ROW = re.compile(r"^\| (?P<command>\w+) \| `(?P<field>[^`]+)` \| (?P<type>[\w ]+) \|", re.MULTILINE)
TYPES: dict[str, type | tuple[type, ...]] = {
    "string": str,
    "integer": int,
    "number": (int, float),
    "boolean": bool,
    "object": dict,
}

# Command -> field -> type.
FIELDS: dict[str, dict[str, str]] = {}
for _row in ROW.finditer(PAGE.read_text(encoding="utf-8")):
    FIELDS.setdefault(_row["command"], {})[_row["field"]] = _row["type"]


def assert_as_documented(command: str, printed: str) -> Any:
    """Check that what `--json` printed is JSON with the fields of the page, and return it."""

    def refuse(constant: str) -> None:
        raise AssertionError(f"{constant} is no JSON")

    data = json.loads(printed, parse_constant=refuse)
    _check(data, "", FIELDS[command], command)
    return data


def _check(value: Any, path: str, fields: dict[str, str], command: str) -> None:
    """Descend to the fields; an object has all of its fields, and no others."""
    if written := fields.get(path):
        _check_type(value, written, f"{command} {path}")
    elif isinstance(value, list):
        for item in value:
            _check(item, f"{path}[]", fields, command)
    else:
        assert isinstance(value, dict), (command, path)
        begin = f"{path}." if path else ""
        below = {of.removeprefix(begin) for of in fields if of.startswith(begin)}
        assert value.keys() == {re.split(r"[.\[]", of)[0] for of in below}, (command, path)
        for key, item in value.items():
            _check(item, begin + key, fields, command)


def _check_type(value: Any, written: str, where: str) -> None:
    if written == "any" or (value is None and written.endswith(" or null")):
        return
    written = written.removesuffix(" or null")
    if written.startswith("as "):
        command = written.removeprefix("as ")
        _check(value, "", FIELDS[command], command)
    elif written.startswith("array of "):
        assert isinstance(value, list), where
        for item in value:
            _check_type(item, written.removeprefix("array of ") + " or null", where)
    else:
        assert isinstance(value, TYPES[written]), (where, value)
        assert isinstance(value, bool) == (written == "boolean"), (where, value)
