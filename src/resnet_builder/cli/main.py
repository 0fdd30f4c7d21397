"""The command `resnet-builder`.

Each command imports only the modules that it needs, for a fast start. Only `convert` imports Keras.
"""

import argparse
import json
import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict
from itertools import zip_longest
from typing import Any, NamedTuple

from .. import __version__
from ..common.tables import Table, cell_text


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command. Exit status: 2 for an error, 1 for no match or an unexplained difference."""
    options = command_parser().parse_args(arguments)
    try:
        answer: Answer = options.run(options)
    except (TypeError, ValueError, OSError, RuntimeError, ImportError) as error:
        print(f"resnet-builder: {error}", file=sys.stderr)
        return 2
    try:
        if options.json:
            print(json.dumps(answer.data, indent=2))
        else:
            _print(answer.table)
        sys.stdout.flush()
    except BrokenPipeError:
        # The reader has closed the pipe, as in `resnet-builder list | head`.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return answer.status


class Answer(NamedTuple):
    """The result of a command: a table, data for JSON output, and the exit status."""

    table: Table
    data: Any
    status: int = 0


def _list(options: argparse.Namespace) -> Answer:
    from ..costs.profile import cost_of
    from ..presets.networks import PRESETS, list_presets

    names = list_presets(options.pattern)
    costs = [cost_of(PRESETS[name]) for name in names]
    rows = [(name, c.parameters, c.macs) for name, c in zip(names, costs, strict=True)]
    data = [{"name": name, "parameters": p, "macs": macs} for name, p, macs in rows]
    header = ("preset", "parameters", "multiply-adds")
    note = "" if names else f"no preset matches {options.pattern!r}"
    return Answer(Table(header=header, rows=tuple(rows), note=note), data, int(not names))


def _weights(options: argparse.Namespace) -> Answer:
    from ..weights.listing import list_weights

    found = list_weights(options.pattern)
    data = [{"name": row.name, **asdict(row)} for row in found.rows]
    return Answer(found.table(), data, int(not found.rows))


def _coverage(options: argparse.Namespace) -> Answer:
    from ..weights.coverage import coverage

    found = coverage()
    return Answer(found.table(), [asdict(row) for row in found.rows])


def _show(options: argparse.Namespace) -> Answer:
    from ..costs.profile import profile

    counts = profile(options.name, options.input_shape, options.classes)
    return Answer(counts.table(), asdict(counts))


def _plot(options: argparse.Namespace) -> Answer:
    from ..pictures.plot import plot

    plot(
        options.name,
        options.file,
        detail=options.detail,
        input_shape=options.input_shape,
        classes=options.classes,
        direction=options.direction,
        fold=options.fold,
        size=options.size and tuple(options.size),
    )
    return Answer(Table(title=f"wrote {options.file}"), {"file": options.file})


def _compare(options: argparse.Namespace) -> Answer:
    from ..comparison import compare

    comparison = compare(options.first, options.second)
    if options.plot:
        comparison.plot(options.plot)
    data = {
        "first": asdict(comparison.first),
        "second": asdict(comparison.second),
        "differences": [asdict(difference) for difference in comparison.differences],
    }
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

    with Progress(console=Console(stderr=True), disable=not sys.stderr.isatty()) as progress:
        task = progress.add_task("", total=len(PHASES))
        report = convert(
            options.checkpoint,
            options.name,
            options.file,
            fold=options.fold,
            begins=lambda step: progress.update(
                task, description=step, completed=PHASES.index(step)
            ),
        )
        progress.update(task, completed=len(PHASES))
    data = {"file": options.file, **asdict(report)}
    return Answer(Table(title=f"{report}\nwrote {options.file}"), data)


def command_parser() -> argparse.ArgumentParser:
    """The parser of the command's arguments; the documentation reads it too."""
    parser = argparse.ArgumentParser(prog="resnet-builder", description="Residual networks.")
    parser.add_argument("--version", action="version", version=__version__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    def command(
        name: str, run: Callable[[argparse.Namespace], Answer], help: str
    ) -> argparse.ArgumentParser:
        added = commands.add_parser(name, help=help, description=help)
        added.add_argument("--json", action="store_true", help="print JSON instead of a table")
        added.set_defaults(run=run)
        return added

    def takes_pattern(parser: argparse.ArgumentParser) -> None:
        parser.add_argument(
            "pattern", nargs="?", default="*", metavar="PATTERN", help="such as '*50*'"
        )

    def takes_network(parser: argparse.ArgumentParser) -> None:
        sides = ("ROWS", "COLUMNS", "CHANNELS")
        parser.add_argument("name", metavar="NAME", help="a name of `list` or `weights`")
        parser.add_argument(
            "--input-shape", nargs=3, type=int, metavar=sides, help="default: its own"
        )
        parser.add_argument("--classes", type=int, help="default: its own")

    takes_pattern(command("list", _list, "list the presets"))
    takes_pattern(command("weights", _weights, "list the published checkpoints"))
    command("coverage", _coverage, "compare the presets with all published networks")
    takes_network(command("show", _show, "show a network as Table 1 of the paper does"))
    picture = command("plot", _plot, "draw a network on one page")
    takes_network(picture)
    picture.add_argument(
        "file", metavar="FILE", help="ends in .png, .svg, .pdf, .dot, .gv or .html"
    )
    picture.add_argument("--detail", default="block", help="stage, block (default) or layer")
    picture.add_argument("--direction", help="TB, top to bottom, or LR, left to right")
    picture.add_argument(
        "--no-fold", dest="fold", action="store_false", help="draw every block on its own"
    )
    sides = ("WIDTH", "HEIGHT")
    picture.add_argument("--size", nargs=2, type=int, metavar=sides, help="of a PNG in pixels")
    difference = command(
        "compare", _compare, "compare two networks, with the cost of each difference"
    )
    difference.add_argument("first", metavar="A", help="a name of `list` or `weights`")
    difference.add_argument("second", metavar="B", help="the other name")
    difference.add_argument("--plot", metavar="FILE", help="draw them side by side")
    takes_pattern(command("verify", _verify, "compare the presets with published numbers"))
    converted = command("convert", _convert, "convert a checkpoint to a Keras file")
    converted.add_argument(
        "checkpoint", metavar="CHECKPOINT", help="file, folder, name or repository"
    )
    converted.add_argument("name", metavar="NAME", help="preset of the checkpoint")
    converted.add_argument("file", metavar="FILE", help="ends in .keras or .weights.h5")
    converted.add_argument("--fold", action="store_true", help="fold batch norms, for inference")
    return parser


def _print(table: Table) -> None:
    """Print the table, in colour if the output is a terminal."""
    if not sys.stdout.isatty():
        encoding = sys.stdout.encoding or "utf-8"
        print(table.to_text().encode(encoding, errors="replace").decode(encoding))
        return
    from rich import box
    from rich.console import Console
    from rich.table import Table as RichTable

    shown = RichTable(title=table.title, title_justify="left", box=box.SIMPLE_HEAD)
    for number, (name, numeric) in enumerate(zip(table.header, table.numeric, strict=True)):
        no_wrap = numeric or (number == 0 and not table.wrap)
        justify: Any = "right" if numeric else "left"
        shown.add_column(name, justify=justify, no_wrap=no_wrap, overflow="fold")
    for row, kind in zip_longest(table.rows, table.kinds):
        shown.add_row(*map(cell_text, row), style=ROW_STYLES.get(kind, ""))
    console = Console(highlight=False, markup=False)
    console.print(shown)
    if table.note:
        console.print(table.note, style="dim")


ROW_STYLES = {"total": "bold", "best": "bold", "equal": "green", "differs": "yellow"}


if __name__ == "__main__":
    sys.exit(main())
