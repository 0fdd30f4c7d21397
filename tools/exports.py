"""Export a network of twelve families in four formats, and write what came of it.

    python -m tools.exports           # some minutes; writes website/exports.csv
    python -m tools.exports resnet18  # only these

The networks have random weights and no softmax, whose outputs differ less.
Each is a process of its own, as the program of PyTorch needs Keras on PyTorch (`pip install torch`)
and the others Keras on TensorFlow.
"""

import csv
import os
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

TABLE = Path(__file__).parents[1] / "website" / "exports.csv"
# The smallest of their families.
PRESETS = (
    *("resnet18", "resnetv2_18", "resnet18d", "resnext50_32x4d", "seresnet18", "ecaresnet26t"),
    *("resnest14d", "res2net50_26w_4s", "skresnet18", "regnety_002", "resnetv2_50x1_bit"),
    "resnet50_clip",
)
INPUT_SHAPE = (128, 128, 3)
FORMATS = {"ONNX": "x.onnx", "LiteRT": "x.tflite", "SavedModel": "x", "PyTorch": "x.pt2"}
COLUMNS = ("preset", "format", "difference", "bytes", "seconds", "keras_seconds", "reason")


def rows_of(preset: str, formats: list[str]) -> list[tuple[str | int, ...]]:
    """Export a network with the Keras backend of this process."""
    import keras

    from resnet_builder import ResnetBuilder, export

    keras.utils.set_random_seed(0)
    model = ResnetBuilder.from_preset(preset, INPUT_SHAPE, classifier_activation=None)
    rows: list[tuple[str | int, ...]] = []
    for name in formats:
        with TemporaryDirectory() as folder:
            try:
                report = export(model, Path(folder) / FORMATS[name])
            except (ValueError, RuntimeError) as error:
                reason = str(error).splitlines()[0].replace(f"{folder}/", "")
                rows.append((preset, name, "", "", "", "", reason))
                continue
        times = (f"{seconds:.4f}" for seconds in (report.seconds, report.keras_seconds))
        rows.append((preset, name, f"{report.difference:.1e}", report.bytes, *times, ""))
    return rows


def measured(preset: str) -> list[list[str]]:
    """The rows of a network, each format with the backend that it needs."""
    rows: list[list[str]] = []
    for backend, formats in (
        ("tensorflow", ["ONNX", "LiteRT", "SavedModel"]),
        ("torch", ["PyTorch"]),
    ):
        command = [sys.executable, "-m", "tools.exports", "--rows", preset, *formats]
        environment = os.environ | {"KERAS_BACKEND": backend}
        done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, check=True)
        rows += csv.reader(done.stdout.decode().splitlines())
    return rows


def _unmeasured(preset: str, name: str) -> list[str]:
    return [preset, name, "", "", "", "", "not measured yet"]


def main(arguments: list[str]) -> None:
    if arguments[:1] == ["--rows"]:
        csv.writer(sys.stdout).writerows(rows_of(arguments[1], arguments[2:]))
        return
    known: dict[str, list[list[str]]] = {}
    if TABLE.exists():
        with TABLE.open(encoding="utf-8", newline="") as file:
            for row in list(csv.reader(file))[1:]:
                known.setdefault(row[0], []).append(row)
    for preset in arguments or PRESETS:
        known[preset] = measured(preset)
        with TABLE.open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(COLUMNS)
            for each in PRESETS:
                writer.writerows(known.get(each) or [_unmeasured(each, name) for name in FORMATS])
        print(preset, flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
