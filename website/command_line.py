"""The page of the command line, from what `resnet-builder --help` reads too."""

import argparse
from collections.abc import Iterator

from resnet_builder.cli.main import command_parser


def commands() -> str:
    """A section for every command: what it does, how it is called, its arguments."""
    parser = command_parser()
    [choices] = [a for a in parser._actions if isinstance(a, argparse._SubParsersAction)]
    return "\n\n".join(part for name, sub in choices.choices.items() for part in _of(name, sub))


def _of(name: str, parser: argparse.ArgumentParser) -> Iterator[str]:
    # Not the name alone: a type `list` in a signature would become a link to this section.
    yield f"## {name} {{ #resnet-builder-{name} }}"
    what = parser.description or ""
    yield f"{what[:1].upper()}{what[1:]}."
    usage = parser.format_usage().removeprefix("usage: ")
    yield f"```text\n{usage}```"
    yield f"```console\n$ {str(parser.epilog).partition('  ')[2]}\n```"
    shown = [action for action in parser._actions if action.help and action.dest != "help"]
    yield "\n".join(f"* `{_written(action)}`: {_escaped(str(action.help))}" for action in shown)


def _written(action: argparse.Action) -> str:
    """An argument as it is written on the command line."""
    named = action.metavar or action.dest.upper()
    values = named if isinstance(named, tuple) else (named,)
    if not action.option_strings:
        return " ".join(values)
    return " ".join([*action.option_strings, *(() if action.nargs == 0 else values)])


def _escaped(text: str) -> str:
    return text.replace("*", r"\*")
