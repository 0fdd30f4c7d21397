"""The command convert."""

import re
import shlex
import sys
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from resnet_builder import PRESETS, ResnetBuilder, ResnetConfig, fold_batch_norm
from resnet_builder.cli.commands import COMMANDS
from resnet_builder.cli.convert import PHASES, convert
from resnet_builder.cli.main import main
from resnet_builder.cli.source import source_of

from ..helpers import SMALL, assert_same_weights
from ..weights.checkpoint_recipe import as_torchvision, checkpoint
from .contract import assert_as_documented


@pytest.fixture
def safetensors(tmp_path: Path) -> str:
    path = tmp_path / "model.safetensors"
    save_file(checkpoint("torchvision_resnet18"), path)
    return str(path)


@pytest.fixture
def narrow(tmp_path: Path) -> tuple[str, ResnetConfig, str]:
    """A checkpoint of a narrow network, its config, and that in a file."""
    config = PRESETS["resnet18"].replace(**SMALL)
    (tmp_path / "narrow.json").write_text(config.to_json(), encoding="utf-8")
    arrays = as_torchvision(config)
    save_file(arrays, tmp_path / "narrow.safetensors")
    return str(tmp_path / "narrow.safetensors"), config, str(tmp_path / "narrow.json")


def test_convert(
    narrow: tuple[str, ResnetConfig, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    given, config, network = narrow
    file = str(tmp_path / "net.keras")
    assert main(["convert", given, network, file]) == 0
    assert capsys.readouterr().out.splitlines() == [
        f"32 tensors from {given}, named as in torchvision's or timm's ResNet",
        f"wrote {file}",
    ]
    weights = str(tmp_path / "net.weights.h5")
    assert main(["convert", file, network, weights, "--json"]) == 0
    printed = assert_as_documented("convert", capsys.readouterr().out)
    assert printed["origin"] == "resnet_builder"
    expected = ResnetBuilder.from_config(config, weights=given)
    assert_same_weights(keras.models.load_model(file), expected)
    assert_same_weights(ResnetBuilder.from_config(config, weights=weights), expected)


def test_the_example_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    command, checkpoint, name, *others = shlex.split(COMMANDS["convert"].example)
    config = PRESETS[name].replace(repetitions=(1, 1, 1))
    narrow = ["--set", "repetitions=[1,1,1]"]  # a smaller one is enough
    save_file(as_torchvision(config), checkpoint)
    assert main([command, checkpoint, name, *others, *narrow]) == 0


def test_under_the_names_of_another_library(
    narrow: tuple[str, ResnetConfig, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    given, _, network = narrow
    own, back = str(tmp_path / "own.npz"), str(tmp_path / "back.safetensors")
    assert main(["convert", given, network, own]) == 0
    assert main(["convert", own, network, back, "--names", "torchvision"]) == 0
    written, expected = load_file(back), load_file(given)
    assert written.keys() == expected.keys()
    for name, array in expected.items():
        np.testing.assert_allclose(written[name], array, rtol=1e-6)
    for file, options, message in (
        ("net.keras", ["--names", "timm"], "names=timm needs a file with .safetensors or .npz"),
        ("net.npz", ["--names", "torch"], "unknown names 'torch': did you mean 'torchvision'"),
        ("net.npz", ["--fold"], "a folded network is written to a file with .keras or .weights.h5"),
        ("net.npz", ["--names", "keras.applications"], "it has no such network"),
    ):
        assert main(["convert", given, network, str(tmp_path / file), *options]) == 2
        assert re.search(message, capsys.readouterr().err)
        assert not (tmp_path / file).exists()


def test_what_of_a_checkpoint_is_converted(
    narrow: tuple[str, ResnetConfig, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    given, _, network = narrow
    arrays = load_file(given)
    head = {f"head{name[2:]}": arrays.pop(name) for name in ("fc.weight", "fc.bias")}
    both = {f"net.{name}": array for name, array in (arrays | head).items()}
    both |= {f"ema.{name}": np.asarray(array + 1) for name, array in (arrays | head).items()}
    save_file(both | {"odd.weight": np.zeros((2, 2), np.float32)}, tmp_path / "both.safetensors")
    call = ["convert", str(tmp_path / "both.safetensors"), network, str(tmp_path / "net.npz")]
    options = ["--ema", "--rename", "ema.head=ema.fc", "net.head=net.fc"]
    assert main([*call, *options]) == 2
    assert "Without these tensors it fits: leave them out with --skip.\n" in capsys.readouterr().err
    assert main([*call, *options, "--skip", "odd.*"]) == 0
    with np.load(tmp_path / "net.npz") as written:
        np.testing.assert_array_equal(written["predictions/bias"], head["head.bias"] + 1)


def test_the_strides_of_a_checkpoint_to_convert(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = PRESETS["resnet50_v1"].replace(**SMALL)
    (tmp_path / "net.json").write_text(config.to_json(), encoding="utf-8")
    save_file(as_torchvision(config), tmp_path / "net.safetensors")
    call = ["convert", *(str(tmp_path / name) for name in ("net.safetensors", "net.json", "x.npz"))]
    assert main(call) == 2
    assert "load it with --stride-in-3x3 false.\n" in capsys.readouterr().err
    assert main([*call, "--stride-in-3x3", "false"]) == 0


def test_a_folder_to_share(narrow: tuple[str, ResnetConfig, str], tmp_path: Path) -> None:
    given, config, network = narrow
    assert main(["convert", given, network, str(tmp_path / "shared")]) == 0
    again = ResnetBuilder.from_preset(str(tmp_path / "shared"))
    assert_same_weights(again, ResnetBuilder.from_config(config, weights=given))


def test_fold(
    narrow: tuple[str, ResnetConfig, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    given, config, network = narrow
    file = tmp_path / "net.keras"
    assert main(["convert", given, network, str(file), "--fold"]) == 0
    assert capsys.readouterr().out.splitlines()[1:] == [
        "- 6 of 6 batch norms folded",
        f"wrote {file}",
    ]
    model = ResnetBuilder.from_config(config, weights=given)
    assert_same_weights(keras.models.load_model(file), fold_batch_norm(model))


def test_the_network_of_a_json_file_with_changes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    small: dict[str, Any] = {
        "filters": 8,
        "repetitions": (1, 1),
        "input_shape": (16, 16, 3),
        "classes": 4,
    }
    body = ResnetBuilder.from_preset("resnet18", include_top=False, se_ratio=0.5, **small)
    body.save_weights("in.weights.h5")
    plain = ResnetBuilder.from_preset("resnet18", include_top=False, **small)
    Path("net.json").write_text(ResnetBuilder.to_json(plain), encoding="utf-8")
    changed = ["--set", "se_ratio=0.5"]
    assert main(["convert", "in.weights.h5", "net.json", "out.keras", *changed]) == 0
    assert_same_weights(keras.models.load_model("out.keras"), body)


def test_other_classes_and_channels(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    grey = ResnetBuilder.from_preset("resnet20_cifar", (28, 28, 1), classes=7)
    grey.save("grey.keras")
    begun: list[str] = []
    convert("grey.keras", source_of("resnet20_cifar"), "out.weights.h5", begins=begun.append)
    assert begun == list(PHASES)
    again = ResnetBuilder.from_preset(
        "resnet20_cifar", (28, 28, 1), classes=7, weights="out.weights.h5"
    )
    assert_same_weights(again, grey)


def test_a_terminal_sees_the_progress(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    small = str(tmp_path / "small.keras")
    ResnetBuilder.from_preset("resnet20_cifar").save(small)
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    assert main(["convert", small, "resnet20_cifar", str(tmp_path / "out.weights.h5")]) == 0
    shown = capsys.readouterr().err
    assert "reading back" in shown
    assert "100%" in shown


def test_errors(safetensors: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "folder.keras").mkdir()
    before = sorted(tmp_path.iterdir())
    for arguments, message in (
        ((safetensors, "resnet34", tmp_path / "net.keras"), "It fits resnet18 or resnetblur18."),
        ((safetensors, "resnet18", tmp_path / "net.onnx"), "its ending must be one of .keras"),
        ((safetensors, "resnet18", tmp_path / "no" / "net.keras"), "there is no folder"),
        ((safetensors, "resnet18", tmp_path / "folder.keras"), "it is a folder"),
        (("none.keras", "resnet18", tmp_path / "net.keras"), "there is no such file"),
    ):
        assert main(["convert", *map(str, arguments)]) == 2
        assert message in capsys.readouterr().err
    assert sorted(tmp_path.iterdir()) == before
