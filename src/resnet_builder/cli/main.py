"""The command `resnet-builder`: its arguments, its exit status, and what it prints.

The commands are in the table `COMMANDS` of commands.py.
"""

import argparse
import errno
import os
import shlex
import sys
import warnings
from collections.abc import Sequence
from contextvars import copy_context

from .. import __version__
from ..common.words import INTERFACE, Interface
from .commands import COMMANDS
from .output import OUTPUTS, Answer

PROGRAM = "resnet-builder"
COMMAND_LINE = Interface(
    presets=f"`{PROGRAM} list`",
    weights=f"`{PROGRAM} weights`",
    weights_of=f"`{PROGRAM} weights {{}}`".format,
    name=lambda argument: f"--{argument.replace('_', '-')}",
    value=lambda value: " ".join(map(str, value)) if isinstance(value, tuple) else str(value),
    between=" ",
    loading=lambda option, value: " ".join(
        [f"--{option.replace('_', '-')}", *map(shlex.quote, _values_of(value))]
    ),
)


def _values_of(value: object) -> list[str]:
    """The values after an option: those of a list, or one, as it is written."""
    if value is None:
        return []
    return value if isinstance(value, list) else [str(value).lower()]


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
    OUTPUTS[options.output](answer)
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


# Arguments --------------------------------------------------------------------------------------


def command_parser() -> argparse.ArgumentParser:
    """The parser of the command's arguments; the documentation reads it too."""
    parser = argparse.ArgumentParser(prog=PROGRAM, description="Residual networks.")
    parser.add_argument("--version", action="version", version=__version__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for name, command in COMMANDS.items():
        added = commands.add_parser(
            name,
            help=command.help,
            description=command.help,
            epilog=f"example:\n  {PROGRAM} {command.example}",
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        added.set_defaults(run=command.run, output="table")
        outputs = added.add_mutually_exclusive_group()
        for output, text in {"json": "JSON", "csv": "the rows as CSV"}.items():
            if output != "csv" or command.csv:
                outputs.add_argument(
                    f"--{output}",
                    dest="output",
                    action="store_const",
                    const=output,
                    help=f"print {text} instead of a table",
                )
        for argument, options in command.arguments.items():
            added.add_argument(argument, **options)
    return parser


if __name__ == "__main__":
    sys.exit(main())
