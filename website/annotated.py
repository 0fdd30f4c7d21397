"""The page on the article's code: lines of the source and of Table 1 in place of its comments.

| comment | what stands in its place |
|---|---|
| `<!-- code: plan/blocks.py basic_block -->` | a function or table without its docstring |
| `<!-- code: plan/units.py add_unit: for ... elif -->` | its lines from one text to another |
| `<!-- row: keras_resnet34 stage2 -->` | rows of the network's Table 1; all if none is named |
| `<!-- depths: keras_resnet18 keras_resnet34 -->` | what the numbers in their names count |

A comment whose lines have moved out of the function, or are there twice, stops the build.
"""

import ast
import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import cache
from textwrap import dedent

from resnet_builder import PRESETS, profile
from resnet_builder.common.tables import Table, TableCell
from resnet_builder.pictures.diagram import drawn
from resnet_builder.pictures.page.dot import draw_page
from resnet_builder.pictures.page.page_layout import lay_out_page
from resnet_builder.pictures.sketch.panels import sketch_plan
from resnet_builder.plan.network import make_plan

from .excerpts import ROOT, SOURCE

PACKAGE = "src/resnet_builder/"
PAGE = ROOT / "docs" / "annotated.md"

CODE = re.compile(r"<!-- code: (\S+) ([\w.]+)(?:: (.+) \.\.\. (.+))? -->")
ROWS = re.compile(r"<!-- row: (\w+)((?: \w+)*) -->")
DEPTHS = re.compile(r"<!-- depths: ([\w ]+) -->")
# A picture of a block of the network, as the page links it: its section and number.
DRAWING = re.compile(r"\((annotated/(\w+)\.(stem|head|stage\d)(?:\.(\d+))?\.svg)\)")


def with_source(markdown: str, in_language: Callable[[str], str] = str) -> str:
    """A page with lines of the source and of Table 1 in place of the comments.

    Args:
        in_language: translates the tables.

    Raises:
        LookupError: the source has no such lines.
    """
    markdown = CODE.sub(lambda match: "\n\n".join(_code(*match.groups())), markdown)
    markdown = ROWS.sub(lambda match: in_language(_rows(match[1], match[2].split())), markdown)
    return DEPTHS.sub(lambda match: in_language(_depths(match[1].split())), markdown)


def drawings_of_blocks() -> dict[str, str]:
    """Path in docs/ -> the SVG of a block, for each picture of the page."""
    found = DRAWING.finditer(PAGE.read_text(encoding="utf-8"))
    return {match[1]: _drawing(match[2], match[3], int(match[4] or 1)) for match in found}


# Source -----------------------------------------------------------------------------------------


def _code(path: str, name: str, first: str | None, last: str | None) -> Iterator[str]:
    """A link to the lines, and the lines."""
    file = path if (ROOT / path).exists() else PACKAGE + path
    numbered = dict(_lines(file, name))
    if first and last:
        start = _only(numbered, first, f"{path}, {name}")
        rest = {number: line for number, line in numbered.items() if number >= start}
        end = next((number for number, line in rest.items() if last in line), None)
        if end is None:
            raise LookupError(f"{path}, {name}: no line from {first!r} on has {last!r}")
        numbered = {number: line for number, line in rest.items() if number <= end}
    begin, end = min(numbered), max(numbered)
    place = f"L{begin}" if begin == end else f"L{begin}-L{end}"
    yield f"[`{path}`, `{name}`]({SOURCE}{file}#{place})\n{{ .source }}"
    yield f"```python\n{dedent(chr(10).join(numbered.values()))}\n```"


def _only(numbered: dict[int, str], text: str, where: str) -> int:
    found = [number for number, line in numbered.items() if text in line]
    if len(found) != 1:
        raise LookupError(f"{where}: {text!r} is in {len(found)} lines of it, and docs/ shows one")
    return found[0]


@cache
def _lines(file: str, name: str) -> tuple[tuple[int, str], ...]:
    """The numbered lines of a function, a method or a table, without a docstring."""
    source = (ROOT / file).read_text(encoding="utf-8")
    body: list[ast.stmt] = ast.parse(source).body
    for part in name.split("."):
        found = [each for each in body if part in _named(each)]
        if len(found) != 1:
            raise LookupError(f"{file} has no {name}, or several")
        [node] = found
        body = getattr(node, "body", [])
    hidden: set[int] = set()
    if body and isinstance(node, ast.FunctionDef) and ast.get_docstring(node):
        hidden = set(range(body[0].lineno, (body[0].end_lineno or 0) + 1))
    numbers = (n for n in range(node.lineno, (node.end_lineno or 0) + 1) if n not in hidden)
    lines = source.splitlines()
    return tuple((number, lines[number - 1]) for number in numbers)


def _named(node: ast.stmt) -> list[str]:
    """The names that a statement gives."""
    if isinstance(node, ast.FunctionDef | ast.ClassDef):
        return [node.name]
    targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
    return [target.id for target in targets if isinstance(target, ast.Name)]


# Table 1 ----------------------------------------------------------------------------------------


def _rows(network: str, stages: list[str]) -> str:
    table = profile(network).table()
    rows = tuple(row for row in table.rows if not stages or row[0] in stages)
    if stages and len(rows) != len(stages):
        raise LookupError(f"Table 1 of {network} has not all of {', '.join(stages)}")
    return replace(table, rows=rows, title="", note="").to_markdown()


def _depths(networks: list[str]) -> str:
    def row(name: str) -> tuple[TableCell, ...]:
        config, cost = PRESETS[name], profile(name)
        convs = {"basic_block": 2, "bottleneck": 3}[str(config.block)]
        blocks = " + ".join(map(str, config.repetitions))
        depth = 2 + convs * sum(config.repetitions)
        sum_of = f"1 + {convs} × ({blocks}) + 1 = {depth}"
        link = f"[`{name}`](gallery/{name}.md)"
        return link, f"`{config.block}`", sum_of, cost.parameters, cost.macs

    header = ("network", "block", "layers", "parameters", "multiply-adds")
    return Table(header=header, rows=tuple(map(row, networks))).to_markdown()


# Pictures ---------------------------------------------------------------------------------------


def _drawing(network: str, section: str, number: int) -> str:
    """A block in the network's picture."""
    sketch = sketch_plan(make_plan(PRESETS[network]), network)
    [whole] = [each for each in sketch.sections if each.name == section]
    shown = replace(whole, panels=(whole.panels[number - 1],))
    page = lay_out_page([replace(sketch, sections=(shown,))])
    return drawn(draw_page(page).to_string(), "svg").decode()
