"""Write the types of options for editors and type checkers: src/resnet_builder/options.pyi.

    python -m tools.option_types

They are the fields of `ResnetConfig` and the options of `ResnetBuilder.from_preset`, as dicts for
`**options`. A test compares the file with these.
"""

import ast
from collections.abc import Mapping
from pathlib import Path

PACKAGE = Path(__file__).parents[1] / "src" / "resnet_builder"
STUB = PACKAGE / "options.pyi"

# What a field takes, where it is more than what it keeps.
TAKEN = {
    "repetitions": "Sequence[int]",
    "block": "BlockName | BlockFunction | list[BlockName] | tuple[BlockName, ...]",
    "filters": "int | list[int] | tuple[int, ...]",
    "widths": "Sequence[Sequence[Sequence[int]]] | None",
    "kernel_initializer": "Any",
    "classifier_initializer": "Any",
    "input_shape": "Sequence[int | None]",
}
BLOCKS = ("repetitions", "block")
SIZES = ("input_shape", "classes")  # given to `from_preset` as arguments of their own

HEAD = '''"""Types of options for type checkers and editors, written by `tools/option_types.py`."""

from collections.abc import Sequence
from typing import Any, NotRequired, TypedDict

from .config import (
{names}
)
from .plan.network import Pooling
'''


def option_types() -> str:
    """The text of the stub."""
    taken = fields() | TAKEN
    blocks = {name: taken[name] for name in BLOCKS}
    sizes = {name: taken[name] for name in SIZES}
    variations = {name: kind for name, kind in taken.items() if name not in blocks | sizes}
    optional = {name: f"NotRequired[{kind}]" for name, kind in sizes.items()}
    classes = [
        _class("Variations", "TypedDict, total=False", variations),
        _class("ConfigChanges", "Variations, total=False", blocks),
        _class("Changes", "ConfigChanges, total=False", sizes),
        _class("ConfigFields", "Variations", blocks | optional),
        _class("BuildOptions", "Variations, total=False", build_options()),
        _class("PresetOptions", "BuildOptions, ConfigChanges, total=False", {}),
    ]
    text = "\n".join(classes)
    names = {
        node.id
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.Name) and node.id in _defined(_tree("config"))
    }
    return HEAD.format(names="\n".join(f"    {name}," for name in sorted(names))) + "\n" + text


def fields() -> dict[str, str]:
    """The fields of `ResnetConfig` with their types."""
    return {
        node.target.id: ast.unparse(node.annotation)
        for node in _find(_tree("config"), "ResnetConfig").body
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name)
    }


def build_options() -> dict[str, str]:
    """The options of `ResnetBuilder.from_preset` but for the fields, with their types."""
    function = _find(_find(_tree("builder"), "ResnetBuilder"), "from_preset")
    assert isinstance(function, ast.FunctionDef)
    options = function.args.kwonlyargs
    return {option.arg: ast.unparse(option.annotation or ast.Constant(...)) for option in options}


def _tree(module: str) -> ast.Module:
    return ast.parse((PACKAGE / f"{module}.py").read_text(encoding="utf-8"))


def _find(
    tree: ast.Module | ast.ClassDef | ast.FunctionDef, name: str
) -> ast.ClassDef | ast.FunctionDef:
    nodes = (node for node in tree.body if isinstance(node, ast.ClassDef | ast.FunctionDef))
    return next(node for node in nodes if node.name == name)


def _defined(tree: ast.Module) -> set[str]:
    targets = (node.targets[0] for node in tree.body if isinstance(node, ast.Assign))
    return {target.id for target in targets if isinstance(target, ast.Name)}


def _class(name: str, bases: str, options: Mapping[str, str]) -> str:
    lines = [f"    {option}: {kind}" for option, kind in options.items()]
    return (
        "\n".join([f"class {name}({bases}):", *lines, ""])
        if lines
        else f"class {name}({bases}): ...\n"
    )


if __name__ == "__main__":
    STUB.write_text(option_types(), encoding="utf-8")
