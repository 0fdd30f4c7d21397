"""What type checkers accept and refuse: mypy checks this file, and tells of an unused "ignore"."""

import inspect
import pydoc
from typing import TYPE_CHECKING, Any, assert_type, get_type_hints

import pytest

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
    decode,
    feature_info,
    plot,
    profile,
)
from tools.option_types import STUB, build_options, fields, option_types


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
        ResnetBuilder.from_config(config, activation="mish2", include_top=True)


def test_the_types_of_options_are_those_of_the_fields_and_of_from_preset() -> None:
    assert STUB.read_text(encoding="utf-8") == option_types(), "run python -m tools.option_types"
    parameters = inspect.signature(ResnetBuilder.from_preset).parameters.values()
    options = {of.name for of in parameters if of.kind is inspect.Parameter.KEYWORD_ONLY}
    assert build_options().keys() == options
    assert fields().keys() == get_type_hints(ResnetConfig).keys()


@pytest.mark.parametrize(("table", "name"), [(PRESETS, "Presets"), (RECIPES, "Recipes")])
def test_help_on_tables_explains_them(table: Any, name: str) -> None:
    text = pydoc.plain(pydoc.render_doc(table))
    assert text.startswith(f"Python Library Documentation: {name} in module")
    assert "read-only mapping" in text
    assert ">>> " in text
    assert repr(table).startswith(f"<{name}: ")
