"""The commands, each with its function; `COMMANDS` is their table.

A function takes the parsed arguments and returns the answer. It imports only the modules that it
needs, for a fast start. Keras is imported by `convert`, `explain`, `evaluate` and `export`, and by
what shows a JSON file with options that no config has.
"""

import argparse
import sys
from collections.abc import Callable
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any, NamedTuple

from ..common.tables import Table, Tabular
from ..common.words import by
from .arguments import (
    CONVERSION,
    DETAILS,
    EVALUATION,
    EXPLANATION,
    EXPORT,
    KIND,
    NETWORK,
    PATTERN,
    PICTURE,
    PREPARATION,
    STRIDING,
    TWO_NETWORKS,
    Arguments,
)
from .output import Answer

if TYPE_CHECKING:
    import keras

    from ..costs.profile import Profile
    from ..presets.resolve import Named


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

    found = list_weights(options.pattern, kind=options.kind, sort=options.sort)
    data = [
        {"name": row.name, **asdict(row), "recommended_for": row.recommended_for}
        for row in found.rows
    ]
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
    shown: Tabular = counts
    if options.details or options.batch_size is not None:
        shown = counts.details(1 if options.batch_size is None else options.batch_size)
    return Answer(shown.table(), _counts(counts), rows=[asdict(stage) for stage in counts.stages])


def _counts(counts: "Profile") -> dict[str, object]:
    return asdict(counts) | {"file_size": counts.file_size}


def _plot(options: argparse.Namespace) -> Answer:
    from pathlib import Path

    from ..pictures.diagram import check_path
    from ..pictures.plot import plot

    check_path(Path(options.file))  # before a model is built, of a JSON file with options
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

    if options.second is None and not options.set:
        raise ValueError("give a second network, or --set for the first with changes")
    other = options.first if options.second is None else options.second
    size = options.input_shape, options.classes
    comparison = compare(
        whole_network(source_of(options.first, (), *size)),
        whole_network(source_of(other, options.set, *size), options.set),
    )
    if options.plot:
        comparison.plot(options.plot)
    differences = [asdict(difference) for difference in comparison.differences]
    data = {
        "first": _counts(comparison.first),
        "second": _counts(comparison.second),
        "differences": differences,
    }
    return Answer(comparison.table(), data, rows=differences)


def _verify(options: argparse.Namespace) -> Answer:
    from ..costs.published import verify

    report = verify(options.pattern)
    status = int(bool(report.unexplained) or not report.rows)
    return Answer(report.table(), [asdict(row) for row in report.rows], status)


def _convert(options: argparse.Namespace) -> Answer:
    from rich.console import Console
    from rich.progress import Progress

    from ..weights.recognise import Choice
    from .convert import PHASES, convert
    from .source import source_of

    network = source_of(options.name, options.set)
    with Progress(console=Console(stderr=True), disable=not sys.stderr.isatty()) as progress:
        task = progress.add_task("", total=len(PHASES))

        def begins(phase: str) -> None:
            progress.update(task, description=phase, completed=PHASES.index(phase))

        given = (options.checkpoint, network, options.file, options.fold, options.names)
        chosen = Choice(
            skip=options.skip,
            rename=dict(options.rename) or None,
            ema=options.ema,
            stride_in_3x3=STRIDING.get(options.stride_in_3x3),
        )
        report = convert(*given, chosen, begins)
        progress.update(task, completed=len(PHASES))
    data = {"file": options.file, **asdict(report)}
    return Answer(Table(title=f"{report}\nwrote {options.file}"), data)


def _export(options: argparse.Namespace) -> Answer:
    from .exporting import export_network
    from .source import source_of

    report = export_network(
        source_of(options.name, options.set, options.input_shape, options.classes),
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


def _preparation(options: argparse.Namespace) -> dict[str, Any]:
    names = (name.removeprefix("--") for name in PREPARATION)
    return {name: getattr(options, name) for name in names}


def _explain(options: argparse.Namespace) -> Answer:
    from .trained import explained, trained

    network = trained(options.name, options.weights, **_preparation(options))
    how = (options.of_class, options.stage, options.method)
    seen = explained(options.image, network, options.file, *how)
    lost = seen.trust[0]._asdict()
    data = {
        "file": options.file,
        "method": seen.method,
        "stage": seen.stage,
        "class": seen.classes[0],
        "name": seen.names[0],
        "probability": seen.probabilities[0],
        "stands_out": lost.pop("stands_out"),
        "lost": lost,
    }
    return Answer(replace(seen.table(), note=f"wrote {options.file}"), data)


def _evaluate(options: argparse.Namespace) -> Answer:
    from .trained import evaluated, trained

    network = trained(options.name, options.weights, **_preparation(options))
    measured = evaluated(network, options.data, options.limit, options.batch_size)
    data = asdict(replace(measured, published=None)) | {"published": measured.published_top1}
    return Answer(measured.table(), data, int(bool(measured.unreadable)))


# The table -------------------------------------------------------------------------------------


class Command(NamedTuple):
    """A command.

    Attributes:
        run: function from the parsed arguments to its result.
        help: what it does.
        arguments: its arguments beside --json and --csv.
        example: a call of it, without the program's name, that runs.
        csv: whether its answer has rows, for --csv.
    """

    run: Callable[[argparse.Namespace], Answer]
    help: str
    arguments: Arguments
    example: str
    csv: bool = False


COMMANDS = {
    "list": Command(_list, "list the presets", PATTERN, "list 'seresnet*'", csv=True),
    "weights": Command(
        _weights,
        "list the published checkpoints",
        {**PATTERN, **KIND},
        "weights 'resnet50*' --kind robust",
        csv=True,
    ),
    "coverage": Command(
        _coverage, "compare the presets with all published networks", {}, "coverage", csv=True
    ),
    "show": Command(
        _show,
        "show a network as Table 1 of the paper does",
        {**NETWORK, **DETAILS},
        "show resnet18 --classes 10 --set stem=cifar se_ratio=0.25",
        csv=True,
    ),
    "plot": Command(
        _plot, "draw a network on one page", {**NETWORK, **PICTURE}, "plot resnet50 resnet50.svg"
    ),
    "compare": Command(
        _compare,
        "compare two networks, with the cost of each difference",
        TWO_NETWORKS,
        "compare resnet18 --set stem=cifar se_ratio=0.25",
        csv=True,
    ),
    "verify": Command(
        _verify, "compare the presets with published numbers", PATTERN, "verify resnet50", csv=True
    ),
    "convert": Command(
        _convert,
        "convert a checkpoint to a file of Keras or of another library",
        CONVERSION,
        "convert model.safetensors resnet20_cifar resnet20.keras --fold",
    ),
    "export": Command(
        _export,
        "write a network for another runtime, and compare what that computes",
        {**NETWORK, **EXPORT},
        "export resnet8_cifar network.onnx --fold --limit 1e-5",
    ),
    "explain": Command(
        _explain,
        "draw where a network sees a class in an image",
        EXPLANATION,
        "explain dog.jpg resnet50.a1_in1k seen.png",
    ),
    "evaluate": Command(
        _evaluate,
        "measure a checkpoint's accuracy, beside the published one",
        EVALUATION,
        "evaluate resnet50.a1_in1k --data imagenet/val --limit 2000",
    ),
}
