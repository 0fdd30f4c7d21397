"""Measure the code: its size, its names, and the road from a preset's name to a model.

    python -m tools.house             # the table
    python -m tools.house --detail    # also the places, and the lines of each folder
    python -m tools.house --check     # also fail where a row is above its limit

Code lines are lines without blanks, comments and docstrings. What is counted at run time is counted
by `sys.setprofile`: how often a function of the package is entered, or how many different ones.
"""

import argparse
import ast
import io
import re
import sys
import tokenize
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "src" / "resnet_builder"
FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
DEFINITIONS = (ast.Module, ast.ClassDef, *FUNCTIONS)


@dataclass(frozen=True)
class Row:
    """A number of the table.

    Attributes:
        goal: the largest number that is wanted.
        limit: the largest number that `--check` accepts while the goal is not reached.
    """

    what: str
    number: int
    goal: int
    limit: int | None = None

    @property
    def most(self) -> int:
        """The largest number that `--check` accepts."""
        return self.goal if self.limit is None else self.limit

    def __str__(self) -> str:
        return f"| {self.what} | {self.number:,} | {self.goal:,} | {self.most:,} |"


@dataclass(frozen=True)
class Module:
    """A module's source text and syntax tree."""

    path: Path
    text: str
    tree: ast.Module

    @property
    def name(self) -> str:
        return self.path.relative_to(PACKAGE).with_suffix("").as_posix()


def modules(folder: Path = PACKAGE) -> list[Module]:
    paths = sorted(folder.rglob("*.py"))
    texts = [path.read_text(encoding="utf-8") for path in paths]
    return [Module(path, text, ast.parse(text)) for path, text in zip(paths, texts, strict=True)]


# Lines -------------------------------------------------------------------------------------------

LAYOUT = {
    *(tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE),
    *(tokenize.INDENT, tokenize.DEDENT, tokenize.ENDMARKER),
}


def code_lines(module: Module) -> set[int]:
    """The numbers of the lines that are neither blank, comment nor docstring."""
    lines: set[int] = set()
    for token in tokenize.generate_tokens(io.StringIO(module.text).readline):
        if token.type not in LAYOUT:
            lines.update(range(token.start[0], token.end[0] + 1))
    for node in ast.walk(module.tree):
        if isinstance(node, DEFINITIONS) and (doc := docstring(node)):
            lines.difference_update(range(doc.lineno, (doc.end_lineno or doc.lineno) + 1))
    return lines


def docstring(node: ast.AST) -> ast.Expr | None:
    first = node.body[0] if getattr(node, "body", None) else None  # type: ignore[attr-defined]
    if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant):
        return first if isinstance(first.value.value, str) else None
    return None


def body_lines(module: Module, function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """The code lines of a function, with its signature."""
    inside = range(function.lineno, (function.end_lineno or 0) + 1)
    return len(code_lines(module).intersection(inside))


def long_functions(of: list[Module], longest: int = 40) -> list[str]:
    return [
        f"{module.name}.{node.name}"
        for module in of
        for node in ast.walk(module.tree)
        if isinstance(node, FUNCTIONS) and body_lines(module, node) > longest
    ]


# Names -------------------------------------------------------------------------------------------


def base_names_used_twice(of: list[Module]) -> list[str]:
    counts = Counter(module.path.stem for module in of if module.path.stem != "__init__")
    return [name for name, count in counts.items() if count > 1]


def public_names_defined_twice(of: list[Module]) -> list[str]:
    counts = Counter(
        node.name
        for module in of
        for node in module.tree.body
        if isinstance(node, (ast.ClassDef, *FUNCTIONS)) and not node.name.startswith("_")
    )
    return [name for name, count in counts.items() if count > 1]


def uses_of_any(of: list[Module]) -> int:
    return sum(
        isinstance(node, ast.Name) and node.id == "Any"
        for module in of
        for node in ast.walk(module.tree)
    )


def names_written(of: list[Module]) -> list[str]:
    """Places in plan/, but for plan/names.py, where a name is put together as text."""
    found = []
    for module in of:
        if not module.name.startswith("plan/") or module.name == "plan/names":
            continue
        for node in ast.walk(module.tree):
            if isinstance(node, ast.JoinedStr) and _is_name(node):
                found.append(f"{module.name}:{node.lineno}")
            if isinstance(node, ast.Attribute) and node.attr == "format":
                found.append(f"{module.name}:{node.lineno}")
    return found


def _is_name(text: ast.JoinedStr) -> bool:
    """Whether an f-string has an underscore and no spaces, as a layer's name has."""
    constants = "".join(str(v.value) for v in text.values if isinstance(v, ast.Constant))
    return "_" in constants and " " not in constants


CUT = re.compile(r"\bname\.(?:endswith|startswith|r?partition|r?split|removeprefix|removesuffix)\(")


def names_read(of: list[Module]) -> list[str]:
    """Places where a layer's name is cut, but for plan/names.py."""
    return [
        f"{module.name}:{number}"
        for module in of
        if module.name != "plan/names" and not module.name.startswith(("files/", "common/", "cli/"))
        for number, line in enumerate(module.text.split("\n"), 1)
        if re.search(r"layer\.name\.|\.role\b.*\bin\b|LayerName\(", line) and CUT.search(line)
    ]


def files_that_say(of: list[Module], word: str) -> list[str]:
    """The modules in whose code a word stands as a name or a text.

    Those of presets/ are left out: they only use what exists.
    """
    return [
        module.name
        for module in of
        if not module.name.startswith("presets/")
        and any(
            (isinstance(node, ast.Constant) and node.value == word)
            or (isinstance(node, ast.Attribute) and node.attr == word)
            or (isinstance(node, (ast.arg, ast.keyword)) and node.arg == word)
            or (isinstance(node, ast.Name) and node.id == word)
            for node in ast.walk(module.tree)
        )
    ]


# The road ----------------------------------------------------------------------------------------


class Reached(Exception):  # noqa: N818  # it is no error
    """The end of a traced walk."""


def entered(walk: Callable[[], object], until: str = "") -> Counter[str]:
    """How often each function of the package is entered, until another is called."""
    counts: Counter[str] = Counter()

    def trace(frame, event, argument):  # type: ignore[no-untyped-def]
        if event != "call":
            return
        code = frame.f_code
        if until and code.co_qualname == until:
            raise Reached
        if code.co_filename.startswith(str(PACKAGE)):
            module = Path(code.co_filename).relative_to(PACKAGE).with_suffix("").as_posix()
            counts[f"{module}.{code.co_qualname}"] += 1

    sys.setprofile(trace)
    try:
        walk()
    except Reached:
        pass
    finally:
        sys.setprofile(None)
    return counts


def times(counts: Counter[str], function: str) -> int:
    return sum(count for name, count in counts.items() if name.endswith(f".{function}"))


def road() -> Iterator[Row]:
    """What happens between a preset's name and its model, and a checkpoint in it."""
    import numpy as np

    from resnet_builder import ResnetBuilder, load_weights

    def build(**options):  # type: ignore[no-untyped-def]
        return ResnetBuilder.from_preset("resnet50", (32, 32, 3), **options)

    trained = build()  # also loads what is imported on first use
    walk = entered(build, until="Conv2D.__init__")
    yield Row("functions entered before the first Conv2D", len(walk), 60, limit=105)

    arrays = {weight.path: np.asarray(weight) for weight in trained.weights}
    loaded = entered(lambda: build(weights=arrays))
    yield Row("with weights=: the checkpoint is recognised, times", times(loaded, "recognise"), 1)
    yield Row("with weights=: the network is planned, times", times(loaded, "make_plan"), 1)
    named = entered(lambda: ResnetBuilder.from_preset("resnet50.a1_in1k"), until="from_hub")
    yield Row("a checkpoint's name is looked up, times", times(named, "in_table"), 1)

    arrays.pop("stage3_block2_conv1/kernel")

    def refused() -> None:
        try:
            load_weights(trained, arrays)
        except ValueError:
            return
        raise AssertionError("a checkpoint that lacks a tensor was loaded")

    refusal = entered(refused)
    yield Row("a refusal: networks planned", times(refusal, "make_plan"), 60)


# The table ---------------------------------------------------------------------------------------


def table() -> list[Row]:
    everything = modules()
    lines = {module.name: len(code_lines(module)) for module in everything}

    def total(folder: str) -> int:
        return sum(count for name, count in lines.items() if name.startswith(folder))

    builder = next(module for module in everything if module.name == "builder")
    from_preset = next(
        node
        for node in ast.walk(builder.tree)
        if isinstance(node, ast.FunctionDef) and node.name == "from_preset"
    )
    signature = range(from_preset.lineno, from_preset.body[0].lineno)
    body = body_lines(builder, from_preset) - len(code_lines(builder).intersection(signature))
    rooms = [m for m in everything if m.name.startswith("weights/") and m.path.stem != "__init__"]
    return [
        Row("from_preset: code lines of the body", body, 20),
        *road(),
        Row("layer names put together outside plan/names.py", len(names_written(everything)), 0),
        Row("layer names cut outside plan/names.py", len(names_read(everything)), 0),
        Row("weights/: modules", len(rooms), 10),
        Row("pictures/: code lines of Python", total("pictures/"), 1_900, limit=2_270),
        Row("code lines", sum(lines.values()), 8_500, limit=17_600),
        Row("modules", len(everything), 100, limit=140),
        Row("functions over 40 code lines", len(long_functions(everything)), 0),
        Row("uses of Any", uses_of_any(everything), 200),
        Row("base names of modules used twice", len(base_names_used_twice(everything)), 0),
        Row("public names defined twice", len(public_names_defined_twice(everything)), 2),
        Row(
            "files for a new attention (those that say eca)",
            len(files_that_say(everything, "eca")),
            5,
        ),
        Row("files for a new norm (evonorm_s0)", len(files_that_say(everything, "evonorm_s0")), 4),
        Row(
            "files for a new stem (deep_tiered)", len(files_that_say(everything, "deep_tiered")), 2
        ),
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else None)
    parser.add_argument("--check", action="store_true", help="fail where a row is above its limit")
    parser.add_argument("--detail", action="store_true", help="also the places and the folders")
    options = parser.parse_args()
    rows = table()
    print("| what | now | goal | limit |", "|---|---|---|---|", *rows, sep="\n")
    if options.detail:
        everything = modules()
        folders: Counter[str] = Counter()
        for module in everything:
            folders[module.name.rpartition("/")[0] or "(top)"] += len(code_lines(module))
        print("\ncode lines:", *(f"{name} {count}" for name, count in sorted(folders.items())))
        for find in (long_functions, base_names_used_twice, public_names_defined_twice):
            print(f"\n{find.__name__}:", *find(everything))
        for search in (names_written, names_read):
            print(f"\n{search.__name__}:", *search(everything))
        for word in ("eca", "evonorm_s0", "deep_tiered"):
            print(f"\n{word}:", *files_that_say(everything, word))
    if options.check and (above := [row for row in rows if row.number > row.most]):
        sys.exit("above the limit: " + "; ".join(f"{row.what}: {row.number}" for row in above))


if __name__ == "__main__":
    main()
