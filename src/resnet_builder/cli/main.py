"""The command `resnet-builder`.

Each command imports only the modules that it needs, for a fast start. Only `convert` and `export`
import Keras, and what shows a JSON file with options that no config has.
"""

import argparse
import errno
import json
import os
import sys
import warnings
from collections.abc import Callable, Mapping, Sequence
from contextvars import copy_context
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, NamedTuple

from .. import __version__
from ..common.tables import Table, wrapped
from ..common.words import INTERFACE, Interface, by

if TYPE_CHECKING:
    import keras

    from ..presets.resolve import Named

PROGRAM = "resnet-builder"
COMMAND_LINE = Interface(
    presets=f"`{PROGRAM} list`",
    weights=f"`{PROGRAM} weights`",
    weights_of=f"`{PROGRAM} weights {{}}`".format,
    name=lambda argument: f"--{argument.replace('_', '-')}",
    value=lambda value: " ".join(map(str, value)) if isinstance(value, tuple) else str(value),
    between=" ",
)
NAME = "a name of `list` or `weights`, a repository, its folder, or a JSON file of `to_json`"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command.

    Exit status: 2 for an error, 1 for no match, for an unexplained difference or if the output
    cannot be written, 130 after Ctrl-C, and 141 if the output's reader closed it, as in `| head`.
    """
    try:
        try:
            return _answered(arguments)
        finally:  # what argparse prints before it exits, too
            if sys.stdout:
                sys.stdout.flush()
    except KeyboardInterrupt:
        return _failed("interrupted", 130)
    except BrokenPipeError:
        _discard_output()
        return 141
    except OSError as error:
        _discard_output()
        return _failed(f"cannot write the output: {error.strerror}", 1)


def _answered(arguments: Sequence[str] | None) -> int:
    """Print the answer to a command; OSError if it cannot be printed."""
    options = command_parser().parse_args(arguments)
    try:
        with warnings.catch_warnings():
            warnings.showwarning = lambda message, *_: _say(str(message))
            words = copy_context()
            words.run(INTERFACE.set, COMMAND_LINE)
            answer: Answer = words.run(options.run, options)
    except (TypeError, ValueError, OSError, RuntimeError, ImportError) as error:
        return _failed(str(error), 2)
    if sys.stdout is None:
        raise OSError(errno.EBADF, "it is closed")
    if options.json:
        print(json.dumps(answer.data, indent=2))
    else:
        _print(answer.table)
    return answer.status


def _failed(message: str, status: int) -> int:
    _say(message)
    return status


def _say(message: str) -> None:
    if sys.stderr:
        print(f"{PROGRAM}: {message}", file=sys.stderr)


def _discard_output() -> None:
    """Keep Python from writing the rest of the output when it exits."""
    if sys.stdout:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


class Answer(NamedTuple):
    """The result of a command: a table, data for JSON output, and the exit status."""

    table: Table
    data: Any
    status: int = 0


def _list(options: argparse.Namespace) -> Answer:
    from ..costs.profile import listed_costs
    from ..presets.checkpoints import find_recommended
    from ..presets.networks import PRESETS, family_of, list_presets

    data: list[dict[str, Any]] = [
        {
            "name": name,
            "family": family_of(PRESETS[name]),
            "input_shape": PRESETS[name].input_shape,
            "imagenet_weights": bool(find_recommended(name)),
            "parameters": listed_costs()[name].parameters,
            "macs": listed_costs()[name].macs,
        }
        for name in list_presets(options.pattern)
    ]
    rows = tuple(
        (f"{name} *" if is_marked else name, family, by(shape, "x"), parameters, macs)
        for name, family, shape, is_marked, parameters, macs in map(dict.values, data)
    )
    header = ("preset", "family", "input", "parameters", "multiply-adds")
    note = "* has ImageNet weights" if any(row["imagenet_weights"] for row in data) else ""
    if not data:
        note = f"no preset matches {options.pattern!r}"
    return Answer(Table(header=header, rows=rows, note=note), data, int(not data))


def _weights(options: argparse.Namespace) -> Answer:
    from ..presets.checkpoints import list_weights

    found = list_weights(options.pattern, kind=options.kind)
    data = [{"name": row.name, **asdict(row)} for row in found.rows]
    return Answer(found.table(), data, int(not found.rows))


def _coverage(options: argparse.Namespace) -> Answer:
    from ..costs.published import coverage

    found = coverage()
    return Answer(found.table(), [asdict(row) for row in found.rows])


def _network(options: argparse.Namespace) -> "Named | keras.Model":
    from .source import shown_network, source_of

    named = source_of(options.name, options.set, options.input_shape, options.classes)
    return shown_network(named, options.set)


def _show(options: argparse.Namespace) -> Answer:
    from ..costs.profile import profile

    counts = profile(_network(options))
    return Answer(counts.table(), asdict(counts))


def _plot(options: argparse.Namespace) -> Answer:
    from ..pictures.plot import plot

    plot(
        _network(options),
        options.file,
        detail=options.detail,
        direction=options.direction,
        fold=options.fold,
        size=options.size and tuple(options.size),
    )
    return Answer(Table(title=f"wrote {options.file}"), {"file": options.file})


def _compare(options: argparse.Namespace) -> Answer:
    from ..comparison import compare
    from .source import source_of, whole_network

    second = whole_network(source_of(options.second, options.set), options.set)
    comparison = compare(whole_network(source_of(options.first)), second)
    if options.plot:
        comparison.plot(options.plot)
    data = asdict(comparison)
    del data["configs"]
    return Answer(comparison.table(), data)


def _verify(options: argparse.Namespace) -> Answer:
    from ..costs.published import verify

    report = verify(options.pattern)
    status = int(bool(report.unexplained) or not report.rows)
    return Answer(report.table(), [asdict(row) for row in report.rows], status)


def _convert(options: argparse.Namespace) -> Answer:
    from rich.console import Console
    from rich.progress import Progress

    from .convert import PHASES, convert
    from .source import source_of

    network = source_of(options.name, options.set)
    with Progress(console=Console(stderr=True), disable=not sys.stderr.isatty()) as progress:
        task = progress.add_task("", total=len(PHASES))

        def begins(phase: str) -> None:
            progress.update(task, description=phase, completed=PHASES.index(phase))

        given = (options.checkpoint, network, options.file, options.fold, options.names)
        report = convert(*given, begins)
        progress.update(task, completed=len(PHASES))
    data = {"file": options.file, **asdict(report)}
    return Answer(Table(title=f"{report}\nwrote {options.file}"), data)


def _export(options: argparse.Namespace) -> Answer:
    from .exporting import export_network
    from .source import source_of

    network = source_of(options.name, options.set, options.input_shape, options.classes)
    report = export_network(
        network,
        options.file,
        weights=options.weights,
        images=options.images,
        prepare=options.prepare,
        dtype=options.dtype,
        limit=options.limit,
        agreement=options.agreement,
        fold=options.fold,
    )
    return Answer(report.table(), asdict(report))


# Commands ---------------------------------------------------------------------------------------


# Argument -> its options in argparse.
Arguments = Mapping[str, dict[str, Any]]


class Command(NamedTuple):
    """A command: what it runs, its help, and its arguments beside --json."""

    run: Callable[[argparse.Namespace], Answer]
    help: str
    arguments: Arguments


def _changes_of(network: str) -> Arguments:
    return {
        "--set": {
            "nargs": "+",
            "action": "extend",
            "default": [],
            "type": _field_and_value,
            "metavar": "FIELD=VALUE",
            "help": f"change fields of {network}: --set stem=cifar se_ratio=0.25",
        }
    }


def _field_and_value(text: str) -> tuple[str, str]:
    field, equals, value = text.partition("=")
    if not equals:
        raise argparse.ArgumentTypeError(f"{text!r} is not FIELD=VALUE; write --set last")
    return field, value


PATTERN: Arguments = {
    "pattern": {"nargs": "?", "default": "*", "metavar": "PATTERN", "help": "such as '*50*'"}
}
KIND: Arguments = {"--kind": {"help": "supervised, self-supervised, robust or CLIP"}}
SIDES, SIZE = ("ROWS", "COLUMNS", "CHANNELS"), ("WIDTH", "HEIGHT")
NETWORK: Arguments = {
    "name": {"metavar": "NAME", "help": NAME},
    "--input-shape": {"nargs": 3, "type": int, "metavar": SIDES, "help": "default: its own"},
    "--classes": {"type": int, "help": "default: its own"},
    **_changes_of("the network"),
}
PICTURE: Arguments = {
    "file": {"metavar": "FILE", "help": "ends in .png, .svg, .pdf, .dot, .gv or .html"},
    "--detail": {"default": "block", "help": "stage, block (default) or layer"},
    "--direction": {"help": "TB, top to bottom, or LR, left to right"},
    "--no-fold": {"dest": "fold", "action": "store_false", "help": "draw every block on its own"},
    "--size": {"nargs": 2, "type": int, "metavar": SIZE, "help": "of a PNG in pixels"},
}
TWO_NETWORKS: Arguments = {
    "first": {"metavar": "A", "help": NAME},
    "second": {"metavar": "B", "help": "the other one"},
    **_changes_of("B"),
    "--plot": {"metavar": "FILE", "help": "draw them side by side"},
}
CONVERSION: Arguments = {
    "checkpoint": {"metavar": "CHECKPOINT", "help": "file, folder, name or repository"},
    "name": {"metavar": "NAME", "help": f"its network: {NAME}"},
    "file": {
        "metavar": "FILE",
        "help": "ends in .keras, .weights.h5, .safetensors or .npz; or a folder to share",
    },
    **_changes_of("the network"),
    "--fold": {"action": "store_true", "help": "fold batch norms, for inference"},
    "--names": {"default": "keras", "metavar": "LIBRARY", "help": "of a .safetensors or .npz"},
}
EXPORT: Arguments = {
    "file": {"metavar": "FILE", "help": "ends in .onnx, .tflite or .pt2; or a SavedModel's folder"},
    "--weights": {"help": "a file, a repository, a name of `weights`, or imagenet"},
    "--fold": {"action": "store_true", "help": "fold batch norms first"},
    "--prepare": {"action": "store_true", "help": "put the preparation of photographs inside"},
    "--dtype": {"default": "float32", "help": "for .tflite: float32 (default), float16 or int8"},
    "--images": {"metavar": "FOLDER", "help": "photographs that set the ranges of int8"},
    "--limit": {"type": float, "metavar": "X", "help": "largest accepted relative difference"},
    "--agreement": {"type": float, "metavar": "X", "help": "smallest accepted share of classes"},
}
COMMANDS = {
    "list": Command(_list, "list the presets", PATTERN),
    "weights": Command(_weights, "list the published checkpoints", {**PATTERN, **KIND}),
    "coverage": Command(_coverage, "compare the presets with all published networks", {}),
    "show": Command(_show, "show a network as Table 1 of the paper does", NETWORK),
    "plot": Command(_plot, "draw a network on one page", {**NETWORK, **PICTURE}),
    "compare": Command(
        _compare, "compare two networks, with the cost of each difference", TWO_NETWORKS
    ),
    "verify": Command(_verify, "compare the presets with published numbers", PATTERN),
    "convert": Command(
        _convert, "convert a checkpoint to a file of Keras or of another library", CONVERSION
    ),
    "export": Command(
        _export,
        "write a network for another runtime, and compare what that computes",
        {**NETWORK, **EXPORT},
    ),
}


def command_parser() -> argparse.ArgumentParser:
    """The parser of the command's arguments; the documentation reads it too."""
    parser = argparse.ArgumentParser(prog=PROGRAM, description="Residual networks.")
    parser.add_argument("--version", action="version", version=__version__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for name, command in COMMANDS.items():
        added = commands.add_parser(name, help=command.help, description=command.help)
        added.add_argument("--json", action="store_true", help="print JSON instead of a table")
        added.set_defaults(run=command.run)
        for argument, options in command.arguments.items():
            added.add_argument(argument, **options)
    return parser


# Output -----------------------------------------------------------------------------------------


def _print(table: Table) -> None:
    """Print the table; on a terminal within its width and in colour."""
    if not sys.stdout.isatty():
        encoding = sys.stdout.encoding or "utf-8"
        print(table.to_text().encode(encoding, errors="replace").decode(encoding))
        return
    from rich.console import Console

    console = Console(highlight=False, markup=False, soft_wrap=True)
    blocks = table.blocks(console.width)
    title = wrapped(table.title, console.width) if blocks else table.title  # which may be a path
    for text, kind in [(title, ""), *blocks, (wrapped(table.note, console.width), "note")]:
        if text:
            console.print(text, style=STYLES.get(kind, ""))


STYLES = {
    "header": "bold",
    "note": "dim",
    "total": "bold",
    "best": "bold",
    "equal": "green",
    "differs": "yellow",
}


if __name__ == "__main__":
    sys.exit(main())
