"""The command line."""

import csv
import json
import os
import re
import shlex
import subprocess
import sys
from io import StringIO
from pathlib import Path

import pytest

from resnet_builder import PRESETS, ResnetBuilder, profile
from resnet_builder.cli.commands import COMMANDS
from resnet_builder.cli.main import command_parser, main
from resnet_builder.cli.output import Answer
from resnet_builder.common.tables import Table

from .contract import FIELDS, assert_as_documented


def test_list(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["list", "wide*"]) == 0
    assert capsys.readouterr().out.splitlines()[2:] == [
        "wide_resnet50_2 *   wide ResNet  224x224x3    68,883,240   11,398,021,120",
        "wide_resnet101_2 *  wide ResNet  224x224x3   126,886,696   22,753,050,624",
        "* has ImageNet weights",
    ]
    assert main(["list", "wrn28_10", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == [
        {
            "name": "wrn28_10",
            "family": "pre-activation wide ResNet",
            "input_shape": [32, 32, 3],
            "imagenet_weights": False,
            "parameters": 36_479_194,
            "macs": 5_243_328_768,
        }
    ]
    assert main(["list", "vgg*"]) == 1
    assert "no preset matches 'vgg*'" in capsys.readouterr().out


def test_weights(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["weights", "resnet26.bt*"]) == 0
    assert capsys.readouterr().out.splitlines()[2:] == [
        "resnet26.bt_in1k *  75.298 at 224, 76.384 at 288  apache-2.0  ImageNet-1k      timm",
        '* the one for weights="imagenet"',
        "top-1 by timm: results/results-imagenet.csv, commit aa4b5850",
    ]
    assert main(["weights", "resnet26.bt*", "--json"]) == 0
    [row] = json.loads(capsys.readouterr().out)
    assert (row["name"], row["source"]) == ("resnet26.bt_in1k", "timm/resnet26.bt_in1k")
    assert main(["weights", "resnet50*", "--kind", "robust", "--json"]) == 0
    robust = json.loads(capsys.readouterr().out)
    assert {row["kind"] for row in robust} == {"robust"}
    assert len(robust) == 9 + 5
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


def test_one_network_with_changes(capsys: pytest.CaptureFixture[str]) -> None:
    small = ["--input-shape", "32", "32", "3", "--classes", "10"]
    assert main(["compare", "resnet18", *small, "--set", "stem=cifar", "eca=false"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[2].startswith("resnet18 ")
    assert f"{profile('resnet18', (32, 32, 3), 10).macs:,}" in lines[2]
    assert lines[-1].startswith("resnet18 (stem=cifar, eca=false)")
    assert main(["compare", "resnet18"]) == 2
    assert "give a second network, or --set" in capsys.readouterr().err


def test_details(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["show", "resnet18", "--details"]) == 0
    assert capsys.readouterr().out == f"{profile('resnet18').details()}\n"
    assert main(["show", "resnet18", "--batch-size", "32"]) == 0
    assert capsys.readouterr().out == f"{profile('resnet18').details(32)}\n"
    assert main(["show", "resnet18", "--batch-size", "0"]) == 2
    assert "--batch-size must be 1 or more" in capsys.readouterr().err


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


# Networks and changes ---------------------------------------------------------------------------

TINY = ["filters=8", "repetitions=[1, 1]", "input_shape=[16, 16, 3]", "classes=4"]
CONFIG = PRESETS["resnet18"].replace(
    filters=8, repetitions=[1, 1], input_shape=[16, 16, 3], classes=4
)


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """One network as JSON of both kinds, and a folder with the files of a repository."""
    monkeypatch.chdir(tmp_path)
    Path("config.json").write_text(CONFIG.to_json(), encoding="utf-8")
    model = ResnetBuilder.from_config(CONFIG)
    Path("model.JSON").write_text(ResnetBuilder.to_json(model), encoding="utf-8")
    body = ResnetBuilder.from_config(CONFIG, include_top=False, name="body", output_stride=4)
    Path("body.json").write_text(ResnetBuilder.to_json(body), encoding="utf-8")
    hand = {"preset": "resnet18", "stem": "cifar", "classes": 3, "weights": "none"}
    Path("hand.json").write_text(json.dumps(hand), encoding="utf-8-sig")
    Path("folder").mkdir()
    settings = {"architecture": "resnet18", "num_classes": 4, "input_size": [3, 64, 48]}
    settings |= {"mean": [0.5] * 3, "std": [0.5] * 3}
    Path("folder", "config.json").write_text(json.dumps(settings), encoding="utf-8")
    return tmp_path


@pytest.mark.parametrize(
    ("name", "title"),
    [("config.json", "config"), ("./model.JSON", "resnet"), ("resnet18", "resnet18")],
)
def test_the_network_of_a_name(
    files: Path, name: str, title: str, capsys: pytest.CaptureFixture[str]
) -> None:
    changes = ["--set", *TINY] if name == "resnet18" else []
    assert main(["show", name, *changes]) == 0
    shown, *lines = capsys.readouterr().out.splitlines()
    assert shown.startswith(title)
    assert shown.endswith("16x16x3")
    assert lines == str(profile(CONFIG)).splitlines()[1:]
    assert main(["show", name, *changes, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["parameters"] == profile(CONFIG).parameters
    assert main(["plot", name, "a.dot", *changes]) == 0
    assert "dense, 4" in Path("a.dot").read_text(encoding="utf-8")
    capsys.readouterr()
    assert main(["compare", name, "config.json", *([] if changes else ["--set", "eca=true"])]) == 0
    assert ("eca True" in capsys.readouterr().out) is not bool(changes)


def test_the_options_of_a_json_file_and_a_folder(
    files: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["show", "body.json"]) == 0
    body = ResnetBuilder.from_config(CONFIG, include_top=False, name="body", output_stride=4)
    assert capsys.readouterr().out == f"{profile(body)}\n"
    assert main(["compare", "resnet18", "body.json"]) == 2
    assert "body has include_top=False, output_stride=4" in capsys.readouterr().err
    assert main(["show", "hand.json", "--input-shape", "32", "32", "3"]) == 0
    whole = profile(PRESETS["resnet18"].replace(stem="cifar"), (32, 32, 3), 3)
    assert f"{whole.macs:,}" in capsys.readouterr().out
    assert main(["show", str(files / "folder")]) == 0
    assert capsys.readouterr().out.startswith("resnet18, 64x48x3")


def test_changes(capsys: pytest.CaptureFixture[str]) -> None:
    changes = ["--set", "stem=cifar", "se_ratio=0.25", "--set", "stem_filters=null", "eca=false"]
    assert main(["show", "resnet18", *changes]) == 0
    changed = PRESETS["resnet18"].replace(stem="cifar", se_ratio=0.25)
    title, *lines = capsys.readouterr().out.splitlines()
    assert title.startswith("resnet18 (stem=cifar, se_ratio=0.25, stem_filters=null, eca=false)")
    assert lines == str(profile(changed)).splitlines()[1:]
    assert main(["show", "resnet18", "--set", "stem=cifar", "se_ratio=1 / 4"]) == 0
    assert capsys.readouterr().out.splitlines()[1:] == lines
    for change, message in {
        "stm=cifar": "unknown field 'stm': did you mean 'stem'?",
        "data_format=1": "unknown field 'data_format': choose from 'repetitions'",
        "output_stride=8": "output_stride is an option of ResnetBuilder.from_preset, and no field",
        "se_ratio=1/0": "se_ratio must be a number, got '1/0'",
        "stem=cfar": "unknown stem 'cfar': did you mean 'cifar'?",
        "se_ratio=much": "se_ratio must be a number, got 'much'",
        "filters=": "filters must be an integer, got ''",
        "block=null": "block must be a name or a function, got None",
        "filters=(8, 16)": "filters must have one value for each of 4 stages",
        "shortcuts=None": "shortcuts must be bool, got None",
        f"filters={'[' * 5000}": "filters must be an integer, got '[[[",
        "classes=2": "classes is given twice",
    }.items():
        assert main(["show", "resnet18", "--classes", "5", "--set", change]) == 2
        assert message in capsys.readouterr().err
    with pytest.raises(SystemExit):
        main(["plot", "resnet18", "--set", "stem=cifar", "net.svg"])
    assert "'net.svg' is not FIELD=VALUE; write --set last" in capsys.readouterr().err


def test_a_file_of_a_model_names_no_network(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "net.keras"
    file.touch()
    for command in (["show", str(file)], ["plot", str(file), "net.svg"]):
        assert main(command) == 2
        assert "net.keras does not name a network: give that" in capsys.readouterr().err


def test_json_that_is_no_network(files: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for text, message in {
        "{": "bad.json is not the JSON of a network: Expecting",
        "[]": "bad.json is not the JSON of a network",
        "[" * 100_000: "bad.json is not the JSON of a network",
        "\udcff": "bad.json is not the JSON of a network: 'utf-8' codec",
        '{"repetition": [1]}': "did you mean 'repetitions'",
        '{"preset": "resnet18", "clases": 3}': "unknown option 'clases': did you mean 'classes'",
        '{"preset": "resnet81"}': "unknown preset 'resnet81'",
    }.items():
        Path("bad.json").write_text(text, encoding="utf-8", errors="surrogateescape")
        assert main(["show", "bad.json"]) == 2
        assert message in capsys.readouterr().err
    assert main(["show", "none.json"]) == 2
    assert "there is no file 'none.json'" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("command", "message"),
    [
        ("show resnet5O", "`resnet-builder list` names them all"),
        ("verify resnet5O", "`resnet-builder list` names them all"),
        ("show resnet50.no", "`resnet-builder weights resnet50` lists them all"),
        ("show resnet18 --input-shape 3 64 48", "write --input-shape 64 48 3"),
        (
            "show senet154 --set stem_pool=max_ceil --input-shape 1 1 3",
            "--input-shape 1 1 3 is too",
        ),
        ("plot resnet18 x.png --size 0 4", "write --size 1200 630"),
    ],
)
def test_messages_are_in_the_words_of_the_command_line(
    command: str, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(command.split()) == 2
    error = capsys.readouterr().err
    assert message in error
    assert not re.search(r"list_\w+\(|\w=[(\"']", error)
    # Python's words are still those of the library.
    with pytest.raises(ValueError, match=r"list_presets\(\) names them all"):
        profile("resnet5O")


# Output -----------------------------------------------------------------------------------------

# Calls whose JSON has every documented field, also with unknown sizes.
ANSWERED = (
    "list",
    "weights",
    "coverage",
    "show resnet18",
    "show resnet18 --set input_shape=[null,null,3]",
    "plot resnet20_cifar net.dot",
    "compare resnet18 wrn28_10",
    "compare resnet50d ecaresnet50d_pruned",
    "compare resnet18 --set kernel_initializer={'class_name':'HeNormal','config':{}}",
    "verify",
)
OF_KERAS = {"convert", "explain", "evaluate", "export"}  # tested where the others of Keras are


def answered(command: str, output: str, capsys: pytest.CaptureFixture[str]) -> str:
    """What a command prints with `--json` or `--csv`."""
    name, *arguments = command.split()
    assert main([name, f"--{output}", *arguments]) == 0
    return capsys.readouterr().out


@pytest.mark.parametrize("command", ANSWERED)
def test_json_has_the_documented_fields(
    command: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    assert_as_documented(command.split()[0], answered(command, "json", capsys))


def test_every_command_is_documented() -> None:
    assert FIELDS.keys() == COMMANDS.keys()
    assert {command.split()[0] for command in ANSWERED} == COMMANDS.keys() - OF_KERAS


@pytest.mark.parametrize("command", [of for of in ANSWERED if COMMANDS[of.split()[0]].csv])
def test_csv_has_the_rows_of_the_json(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    data = json.loads(answered(command, "json", capsys))
    rows = data if isinstance(data, list) else data.get("stages") or data["differences"]
    read = csv.DictReader(StringIO(answered(command, "csv", capsys), newline=""))
    written = [
        {
            name: "" if cell is None else cell if isinstance(cell, str) else json.dumps(cell)
            for name, cell in row.items()
        }
        for row in rows
    ]
    assert [*read] == written


def test_odd_values_in_json_and_csv(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    odd = {
        "nan": float("nan"),
        "inf": [float("-inf"), 1],
        "path": Path("a"),
        "text": 'é,"\n',
        "no": None,
    }
    plain = {"nan": None, "inf": [None, 1], "path": "a", "text": 'é,"\n', "no": None}
    row = COMMANDS["coverage"]._replace(run=lambda _: Answer(Table(), [odd]))
    monkeypatch.setitem(COMMANDS, "coverage", row)
    assert json.loads(answered("coverage", "json", capsys)) == [plain]
    printed = answered("coverage", "csv", capsys)
    assert [*csv.reader(StringIO(printed, newline=""))] == [
        ["nan", "inf", "path", "text", "no"],
        ["", "[null, 1]", "a", 'é,"\n', ""],
    ]
    with pytest.raises(SystemExit):
        main(["plot", "resnet18", "net.svg", "--csv"])
    with pytest.raises(SystemExit):
        main(["list", "--csv", "--json"])


@pytest.mark.parametrize("name", COMMANDS)
def test_the_example_of_a_command_can_be_parsed(name: str) -> None:
    command, *arguments = shlex.split(COMMANDS[name].example)
    assert command == name
    assert command_parser().parse_args([command, *arguments]).run is COMMANDS[name].run


@pytest.mark.parametrize("name", sorted(COMMANDS.keys() - OF_KERAS))
def test_the_example_of_a_command_runs(
    name: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit):
        main([name, "--help"])
    _, _, example = capsys.readouterr().out.partition("example:\n  resnet-builder ")
    assert example.strip() == COMMANDS[name].example
    assert main(shlex.split(example)) == 0
    assert capsys.readouterr().out


WIDTHS = (20, 40, 60, 80, 200)
SHOWN = (
    "list resnet*50*",
    "weights resnet34*",
    "coverage",
    "show resnet50",
    "show seresnext26d_32x4d --set stem=cifar",
    "compare resnet50 wrn28_10",
    "verify resnet50*",
)


@pytest.mark.parametrize("command", SHOWN)
def test_a_narrow_terminal_has_every_word_and_number(
    command: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert main(command.split()) == 0
    piped = capsys.readouterr().out.splitlines()
    header = next(number for number, line in enumerate(piped) if line.startswith("---")) - 1
    words = {word for line in (*piped[:header], *piped[header + 2 :]) for word in line.split()}
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("NO_COLOR", "1")
    for width in WIDTHS:
        monkeypatch.setenv("COLUMNS", str(width))
        assert main(command.split()) == 0
        shown = re.sub(r"\x1b\[[0-9;]*m", "", capsys.readouterr().out)
        assert not words - set(shown.split()), width
        if "show" not in command:  # stacks of layers are not broken
            longest = max(map(len, words))
            assert max(map(len, shown.splitlines())) <= max(width, longest + len("    "))


def test_a_full_disk_a_closed_output_and_a_reader_that_has_seen_enough() -> None:
    command = f"{sys.executable} -m resnet_builder.cli.main"
    for redirected, status, message in (
        ("show resnet18 > /dev/full", 1, "cannot write the output: No space left on device"),
        ("show resnet18 >&-", 1, "cannot write the output: it is closed"),
        ("show resnet18 --json > /dev/full", 1, "cannot write the output: No space"),
        ("list | true", 141, ""),
    ):
        script = f"set -o pipefail; {command} {redirected}"
        done = subprocess.run(["bash", "-c", script], capture_output=True, text=True, check=False)
        assert done.returncode == status
        assert done.stderr.count("\n") == bool(message)
        assert message in done.stderr


def test_an_interrupt(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("resnet_builder.costs.profile.profile", interrupted)
    assert main(["show", "resnet18"]) == 130
    assert capsys.readouterr().err == "resnet-builder: interrupted\n"


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


def test_an_output_without_unicode() -> None:
    command = [sys.executable, "-m", "resnet_builder.cli.main", "show", "resnet18"]
    environment = os.environ | {"PYTHONIOENCODING": "ascii"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    assert "11,689,512" in done.stdout


# What is wrong is known before Keras is loaded.
WRONG = (
    "plot headless.json net.xyz",
    "plot resnet5O net.svg",
    "show resnet18 --set stm=cifar",
    "compare resnet18 --set stem=cfar",
    "convert none.pth resnet18 net.keras",
    "convert none.pth resnet5O net.keras",
    "convert none.pth resnet18 net.xyz",
    "export resnet18 net.xyz",
    "export resnet18 net.tflite --dtype int8",
    "export resnet18 net.onnx --prepare",
    "export resnet5O net.onnx",
)
# In this order, so that what one command loads is not held against the next: the modules that no
# command has loaded until then.
NOT_LOADED = {
    "--version": {"presets", "costs"},
    "list wide*": {"costs.published", "comparison", "pictures", "pydot", "rich"},
    "weights resnet50": {"costs.published", "comparison", "pictures", "pydot", "rich", "numpy"},
    "show resnet50.a1_in1k": {"costs.published", "comparison", "pictures", "pydot", "rich"},
    "verify resnet50": {"comparison", "pictures", "pydot", "rich"},
    "compare resnet18 resnet34": {"pictures", "pydot", "rich"},
    "plot resnet18 net.dot": {"keras", "tensorflow", "numpy", "rich"},
    "show resnet18 --set stem=cifar": {"keras", "numpy", "rich"},
    **{wrong: {"keras", "tensorflow"} for wrong in WRONG},
}


def test_each_command_loads_what_it_needs(tmp_path: Path) -> None:
    headless = '{"preset": "resnet18", "include_top": false}'
    (tmp_path / "headless.json").write_text(headless, encoding="utf-8")
    code = f"""
import sys
from resnet_builder.cli.main import command_parser, main
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
