"""What type checkers accept and refuse: mypy checks this file, and tells of an unused "ignore"."""

import inspect
import json
import os
import pydoc
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, assert_type, get_type_hints

import keras
import pytest

import resnet_builder
from resnet_builder import (
    PRESETS,
    RECIPES,
    Diagram,
    FeatureLevel,
    Guess,
    Recipe,
    ResnetBuilder,
    ResnetConfig,
    StageProfile,
    compile_recipe,
    decode,
    feature_info,
    plot,
    profile,
)
from resnet_builder.training.optimizers import OF_THE_RECIPE, OPTIMIZERS
from tools.option_types import OF_KERAS, STUB, build_options, fields, option_types


def test_lists_are_accepted_and_kept_as_tuples() -> None:
    config = ResnetConfig(block="basic_block", repetitions=[2, 2, 2, 2])
    other = config.replace(
        repetitions=[1, 2],
        block=["basic_block", "bottleneck"],
        filters=[8, 16],
        input_shape=[32, 32, 1],
    )
    repetitions: tuple[int, ...] = other.repetitions
    assert repetitions == (1, 2)
    assert (other.block, other.filters) == (("basic_block", "bottleneck"), (8, 16))
    assert hash(other) == hash(other.replace(repetitions=(1, 2)))


if TYPE_CHECKING:  # mypy checks that every result has a public type; there is nothing to run
    assert_type(profile("resnet50").stages[1], StageProfile)
    assert_type(plot("resnet18"), Diagram)
    assert_type(RECIPES["he2015"], Recipe)
    assert_type(PRESETS["resnet18"], ResnetConfig)
    assert_type(feature_info("resnet18")["stage1"], FeatureLevel)
    assert_type(decode([[0.25, 0.75]], class_names=["cat", "dog"]), list[list[Guess]])


def test_wrong_names_and_values_are_refused_by_type_checkers_too() -> None:
    with pytest.raises(TypeError):
        ResnetConfig(repetitions=[2])  # type: ignore[call-arg]
    with pytest.raises(TypeError):
        ResnetConfig(block="basic_block", repetitions=[2], filter=8)  # type: ignore[call-arg]
    with pytest.raises(TypeError):
        ResnetBuilder.from_preset("resnet18", groups="2")  # type: ignore[arg-type]
    shape, config = (3, 32, 32), PRESETS["resnet18"]
    with pytest.raises(ValueError, match="cifer"):
        ResnetBuilder.build(shape, 10, "basic_block", [1], stem="cifer")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="sum"):
        ResnetBuilder.build_resnet_18(shape, 10, pooling="sum")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="mish2"):
        ResnetBuilder.from_config(config, activation="mish2")  # type: ignore[arg-type]


def test_the_types_of_options_are_those_of_the_fields_and_of_from_preset() -> None:
    assert STUB.read_text(encoding="utf-8") == option_types(), "run python -m tools.option_types"
    parameters = inspect.signature(ResnetBuilder.from_preset).parameters.values()
    options = {of.name for of in parameters if of.kind is inspect.Parameter.KEYWORD_ONLY}
    assert build_options().keys() == options
    assert fields().keys() == get_type_hints(ResnetConfig).keys()


def test_the_further_options_of_compile_recipe_are_those_of_keras_but_for_its_own() -> None:
    of_keras = {*inspect.signature(keras.Model.compile).parameters}
    for kind in OPTIMIZERS.values():
        of_keras |= {*inspect.signature(kind.of_keras).parameters}
    own = {*inspect.signature(compile_recipe).parameters, *OF_THE_RECIPE, "self", "kwargs"}
    assert OF_KERAS.keys() <= of_keras - own


@pytest.mark.parametrize(("table", "name"), [(PRESETS, "Presets"), (RECIPES, "Recipes")])
def test_help_on_tables_explains_them(table: Any, name: str) -> None:
    text = pydoc.plain(pydoc.render_doc(table))
    assert text.startswith(f"Python Library Documentation: {name} in module")
    assert "read-only mapping" in text
    assert ">>> " in text
    assert repr(table).startswith(f"<{name}: ")


# Statements in programs of users: right ones, and wrong ones with the checkers that do not see it.
RIGHT, WRONG = (
    (Path(__file__).parent / "data" / "types" / f"{name}.txt").read_text(encoding="utf-8")
    for name in ("right", "wrong")
)
BEGIN = f"""import numpy as np
from pathlib import Path
from resnet_builder import {", ".join(resnet_builder.__all__)}
images = np.zeros((1, 224, 224, 3))
config = ResnetConfig(block="basic_block", repetitions=[2, 2, 2, 2])
model = ResnetBuilder.from_preset(config)
text = ResnetBuilder.to_json(model)
"""
PACKAGE = Path(resnet_builder.__file__).parents[1]


def refused_by_mypy(program: Path) -> set[int]:
    path = {} if PACKAGE.name.endswith("-packages") else {"MYPYPATH": str(PACKAGE)}
    strict = ("--strict", "--follow-imports=silent", "--cache-dir=cache")
    told = checked("mypy", *strict, str(program), folder=program.parent, environment=path)
    return {int(line.split(":")[1]) for line in told.splitlines() if ": error: " in line}


def refused_by_pyright(program: Path) -> set[int]:
    settings = program.with_name("pyrightconfig.json")
    settings.write_text(json.dumps({"extraPaths": [str(PACKAGE)]}), encoding="utf-8")
    options = ("--outputjson", "--pythonpath", sys.executable, str(program))
    told = json.loads(checked("pyright", *options, folder=program.parent, environment={}))
    errors = [one for one in told["generalDiagnostics"] if one["severity"] == "error"]
    return {one["range"]["start"]["line"] + 1 for one in errors}


def checked(module: str, *options: str, folder: Path, environment: dict[str, str]) -> str:
    """What a type checker prints; it skips without it."""
    pytest.importorskip(module)
    command = [sys.executable, "-m", module, *options]
    done = subprocess.run(
        command, cwd=folder, env=os.environ | environment, capture_output=True, text=True
    )
    assert done.returncode in (0, 1), done.stdout + done.stderr
    return done.stdout


def mistakes() -> dict[int, str]:
    """The wrong statements, by the number of their line in a program."""
    first = len((BEGIN + RIGHT).splitlines()) + 1
    lines = enumerate(WRONG.splitlines(), first)
    return {number: line for number, line in lines if line and not line.startswith("#")}


def test_most_mistakes_are_seen_by_both_type_checkers() -> None:
    assert len(mistakes()) == 40
    assert sum("# not by" in line for line in mistakes().values()) <= 5


@pytest.mark.slow
@pytest.mark.parametrize("checker", [refused_by_mypy, refused_by_pyright])
def test_programs_of_users(checker: Callable[[Path], set[int]], tmp_path: Path) -> None:
    program = tmp_path / "program.py"
    program.write_text(BEGIN + RIGHT + WRONG, encoding="utf-8")
    name = checker.__name__.removeprefix("refused_by_")
    seen = {number for number, line in mistakes().items() if name not in line.partition("#")[2]}
    refused = checker(program)
    lines = program.read_text(encoding="utf-8").splitlines()
    assert [lines[number - 1] for number in sorted(seen ^ refused)] == []
