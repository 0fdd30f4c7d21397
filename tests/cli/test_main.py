"""The command line."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from resnet_builder.cli.main import main

pytestmark = pytest.mark.once


def test_list(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["list", "wide*"]) == 0
    assert capsys.readouterr().out.splitlines()[2:] == [
        "wide_resnet50_2     68,883,240   11,398,021,120",
        "wide_resnet101_2   126,886,696   22,753,050,624",
    ]
    assert main(["list", "vgg*"]) == 1
    assert "no preset matches 'vgg*'" in capsys.readouterr().out


def test_weights(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["weights", "resnet26.*"]) == 0
    assert capsys.readouterr().out.splitlines()[2:] == [
        "resnet26.bt_in1k *  75.298 at 224, 76.384 at 288  apache-2.0  ImageNet-1k      timm",
        '* the one for weights="imagenet"',
        "top-1 by timm: results/results-imagenet.csv, commit aa4b5850",
    ]
    assert main(["weights", "resnet26", "--json"]) == 0
    [row] = json.loads(capsys.readouterr().out)
    assert (row["name"], row["source"]) == ("resnet26.bt_in1k", "timm/resnet26.bt_in1k")
    assert main(["weights", "vgg*"]) == 1
    assert "no checkpoint matches" in capsys.readouterr().out


def test_show(capsys: pytest.CaptureFixture[str]) -> None:
    assert (
        main(["show", "keras_resnet18", "--input-shape", "32", "32", "3", "--classes", "10"]) == 0
    )
    assert "11,184,650" in capsys.readouterr().out
    assert main(["show", "timm/resnet18.a3_in1k"]) == 0
    assert capsys.readouterr().out.startswith("resnet18.a3_in1k, 160x160x3")
    assert main(["show", "resnet50", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["macs"] == 4_089_184_256


def test_compare(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["compare", "plain34", "resnet34"]) == 0
    assert "- shortcuts instead of no shortcuts" in capsys.readouterr().out
    assert main(["compare", "plain34", "resnet34", "--json"]) == 0
    [difference] = json.loads(capsys.readouterr().out)["differences"]
    assert difference["field"] == "shortcuts"


def test_plot(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    picture, slide, both = (str(tmp_path / name) for name in ("net.dot", "net.svg", "both.png"))
    assert main(["plot", "resnet34", picture, "--classes", "7", "--no-fold"]) == 0
    assert capsys.readouterr().out == f"wrote {picture}\n"
    assert "dense, 7" in Path(picture).read_text(encoding="utf-8")
    size = ["--size", "1200", "630"]
    assert main(["plot", "resnet34", slide, "--detail", "stage", *size, "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"file": slide}
    assert main(["compare", "plain34", "resnet34", "--plot", both]) == 0
    assert Path(both).read_bytes()[:4] == b"\x89PNG"
    assert main(["plot", "resnet34", str(tmp_path / "nowhere" / "net.png")]) == 2
    assert "there is no folder" in capsys.readouterr().err


def test_verify(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["verify"]) == 0
    assert "differs [1]" in capsys.readouterr().out
    assert main(["verify", "resnet18", "--json"]) == 0
    assert all(row["equal"] for row in json.loads(capsys.readouterr().out))


def test_errors_are_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["show", "resnet5O"]) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.startswith("resnet-builder: unknown preset 'resnet5O': did you mean")
    assert printed.err.count("\n") == 1


def test_in_colour_on_a_terminal(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "100")
    assert main(["weights", "resnet18.*"]) == 0
    printed = capsys.readouterr().out
    assert "resnet18.fb_swsl_ig1b_ft_in1k" in printed  # not cut
    assert "\x1b[1m" in printed  # the best: bold
    assert main(["verify", "resnet50"]) == 0
    printed = capsys.readouterr().out
    assert "\x1b[32m" in printed  # equal: green
    assert "\x1b[33m" in printed  # differs: yellow
    assert "4,089,184,256" in printed
    assert main(["list", "vgg*"]) == 1


def test_a_reader_that_has_seen_enough() -> None:
    command = f"{sys.executable} -m resnet_builder.cli.main list | head -3"
    done = subprocess.run(command, shell=True, capture_output=True, text=True, check=True)
    assert len(done.stdout.splitlines()) == 3
    assert done.stderr == ""


def test_an_output_without_unicode() -> None:
    command = [sys.executable, "-m", "resnet_builder.cli.main", "show", "resnet18"]
    environment = os.environ | {"PYTHONIOENCODING": "ascii"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    assert "11,689,512" in done.stdout


# In this order, so that what one command loads is not held against the next: the modules that no
# command has loaded until then.
NOT_LOADED = {
    "--version": {"presets", "costs", "tabulate"},
    "list wide*": {"costs.published", "comparison", "pictures", "pydot", "rich"},
    "weights resnet50": {"costs.published", "comparison", "pictures", "pydot", "rich", "numpy"},
    "show resnet50.a1_in1k": {"costs.published", "comparison", "pictures", "pydot", "rich"},
    "verify resnet50": {"comparison", "pictures", "pydot", "rich"},
    "compare resnet18 resnet34": {"pictures", "pydot", "rich"},
    "plot resnet18 net.dot": {"keras", "tensorflow", "numpy", "rich"},
}


def test_each_command_loads_what_it_needs(tmp_path: Path) -> None:
    code = f"""
import sys
from resnet_builder.cli.main import main
for command, not_loaded in {NOT_LOADED}.items():
    try:
        main(command.split())
    except SystemExit:
        pass
    loaded = {{name.removeprefix("resnet_builder.") for name in sys.modules}}
    assert not loaded & not_loaded, (command, loaded & not_loaded)
"""
    command = [sys.executable, "-c", code]
    environment = os.environ | {"PYTHONIOENCODING": "utf-8"}
    done = subprocess.run(
        command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
