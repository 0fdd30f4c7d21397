"""What a page takes from an example, so that it cannot go stale: `<!-- cell 3 of tour.ipynb -->`.

| comment | what stands in its place |
|---|---|
| `<!-- whole of tour.ipynb -->` | the texts, code and outputs of a notebook, without its heading |
| `<!-- cell 3 of tour.ipynb -->` | the code and the outputs of a cell, counted from 0 |
| `<!-- train of quickstart.py -->` | the body of a function |
| `<!-- machine of RESULTS.md -->` | what the results of benchmarks/ are of |
| `<!-- In short of RESULTS.md -->` | the section with that heading |
"""

import ast
import base64
import json
import re
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path
from textwrap import dedent
from typing import Any

ROOT = Path(__file__).parents[1]
COMMENT = re.compile(r"<!-- ([\w ]+) of ([\w.]+\.(?:ipynb|py|md)) -->")
# Of a link or a picture to a file beside it.
BESIDE = re.compile(r"(?<=\]\()(?![a-z]+:|#)")
SOURCE = "https://github.com/resnet-builder/resnet-builder/blob/main/"


def with_excerpts(markdown: str) -> str:
    """A page with the excerpts in place of their comments."""
    return COMMENT.sub(lambda match: _excerpt(match[1], match[2]), markdown)


def _excerpt(part: str, name: str) -> str:
    if name.endswith(".py"):
        return _code(_body(ROOT / "examples" / name, part))
    if name.endswith(".md"):
        return _section((ROOT / "benchmarks" / name).read_text(encoding="utf-8"), part)
    numbers = range(len(cells(name))) if part == "whole" else [int(part.removeprefix("cell "))]
    return "\n\n".join(text for number in numbers for text in _cell(name, number))


def _section(markdown: str, heading: str) -> str:
    """The text below a heading; of `machine`, the list before the first one."""
    sections = re.split(r"^## (.*)\n", markdown, flags=re.MULTILINE)
    if heading == "machine":
        return "\n".join(line for line in sections[0].splitlines() if line.startswith("* "))
    found = dict(zip(sections[1::2], sections[2::2], strict=True))[heading]
    return BESIDE.sub(f"{SOURCE}benchmarks/", found.strip())


def _code(text: str, language: str = "python") -> str:
    return f"```{language}\n{text.strip()}\n```"


# Scripts ------------------------------------------------------------------------------------------


def _body(script: Path, function: str) -> str:
    """The statements of a function; of `imports`, those of the script."""
    source = script.read_text(encoding="utf-8")
    lines = source.splitlines()
    statements = ast.parse(source).body
    if function == "imports":
        found: Sequence[ast.stmt] = [
            each for each in statements if isinstance(each, ast.Import | ast.ImportFrom)
        ][1:]  # without os
    else:
        [found] = [
            each.body[1:]  # without the docstring
            for each in statements
            if isinstance(each, ast.FunctionDef) and each.name == function
        ]
    return dedent("\n".join(lines[found[0].lineno - 1 : found[-1].end_lineno]))


# Notebooks ----------------------------------------------------------------------------------------


@cache
def cells(name: str) -> list[dict[str, Any]]:
    """The cells of a notebook of examples/."""
    notebook = json.loads((ROOT / "examples" / name).read_text(encoding="utf-8"))
    return list(notebook["cells"])


def notebook_pictures(name: str) -> dict[str, bytes]:
    """Path in docs/ -> the PNG that a cell shows."""
    return {
        path: base64.b64decode(data["image/png"])
        for number, cell in enumerate(cells(name))
        for path, data in _pictures(name, number, cell)
    }


def _pictures(name: str, number: int, cell: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for place, output in enumerate(cell.get("outputs", [])):
        if "image/png" in (data := output.get("data", {})):
            yield f"assets/{Path(name).stem}_{number}_{place}.png", data


def _cell(name: str, number: int) -> Iterator[str]:
    cell = cells(name)[number]
    text = "".join(cell["source"])
    if cell["cell_type"] == "markdown":
        text = text.removeprefix(text.partition("\n")[0]) if text.startswith("# ") else text
        yield BESIDE.sub(f"{SOURCE}examples/", text)
        return
    yield _code(text)
    pictures = {data["image/png"]: path for path, data in _pictures(name, number, cell)}
    for output in cell["outputs"]:
        data = output.get("data", {})
        if "image/png" in data:
            yield f"![What the code shows]({pictures[data['image/png']]})"
        elif "text/html" in data:
            yield "".join(data["text/html"])
        else:
            yield _code("".join(output.get("text", "")), "text")
