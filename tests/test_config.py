import dataclasses
from typing import Any

import pytest

from resnet_builder import PRESETS, ResnetConfig, bottleneck
from resnet_builder.config import FIELDS, checked

from .helpers import cases

CONFIG = ResnetConfig(block="basic_block", repetitions=(2, 2))


def test_lists_become_tuples_and_the_config_is_hashable() -> None:
    listed = ResnetConfig(block="basic_block", repetitions=[2, 2])
    assert listed == CONFIG
    assert {CONFIG: 1}[listed] == 1


def test_frozen() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        CONFIG.filters = 16  # type: ignore[misc]


def test_json_round_trip() -> None:
    changed = CONFIG.replace(filters=16, input_shape=(None, 32, 3), weight_decay=1e-4)
    assert ResnetConfig.from_json(changed.to_json()) == changed


def test_a_block_function_has_no_json() -> None:
    with pytest.raises(TypeError, match="no JSON form"):
        CONFIG.replace(block=lambda **_: None).to_json()


def test_the_packages_own_blocks_are_known_by_name() -> None:
    assert CONFIG.replace(block=bottleneck).block == "bottleneck"


NO_WIDTHS: list[Any] = [0, False, {}, "ab", [3], [[3]]]
EMPTY_WIDTHS: list[Any] = [(), [], [[]], [[[]]]]
INTEGERS = [name for name, field in FIELDS.items() if field.type is int]


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"repetitions": ()}, ValueError, "at least one stage"),
        ({"repetitions": 3}, TypeError, "number of blocks of each stage"),
        ({"repetitions": (2, 0)}, ValueError, "1 or more, got 0"),
        ({"repetitions": (2, 1.5)}, TypeError, "must be an integer, got 1.5"),
        ({"repetitions": (10**9,)}, ValueError, "10,000 blocks in all, got 1 of 1,000,000,000"),
        ({"se_ratio": 10**400}, ValueError, "se_ratio is too large a number: 1000"),
        ({"repetitions": (1,) * 33}, ValueError, "at most 32 stages of 10,000 blocks in all, got"),
        ({"filters": -1}, ValueError, "filters must be 1 or more, got -1"),
        *(({name: None}, TypeError, f"{name} must be an integer, got None") for name in INTEGERS),
        *(({"widths": given}, TypeError, "widths must be") for given in NO_WIDTHS),
        *(({"widths": given}, ValueError, "widths must be") for given in EMPTY_WIDTHS),
        ({"classes": True}, TypeError, "classes must be an integer, got True"),
        ({"repetitions": {2}}, TypeError, "number of blocks of each stage"),
        ({"shortcuts": 1}, TypeError, "shortcuts must be bool, got 1"),
        ({"weight_decay": -1.0}, ValueError, "weight_decay must be at least 0"),
        ({"weight_decay": float("nan")}, ValueError, "weight_decay must be at least 0"),
        ({"batch_norm_momentum": 99}, ValueError, "less than 1, got 99"),
        ({"drop_path_rate": 1.0}, ValueError, "less than 1, got 1.0"),
        ({"batch_norm_epsilon": "small"}, TypeError, "batch_norm_epsilon must be a number"),
        ({"input_shape": (224, 224)}, ValueError, "without the batch"),
        ({"block": 3}, TypeError, "block must be"),
        ({"filtres": 16}, TypeError, "did you mean 'filters'"),
    ],
)
def test_refused(changes: dict[str, Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        CONFIG.replace(**changes)


def test_the_defaults_are_valid() -> None:
    """A config checks the other values only."""
    for field in FIELDS.values():
        if field.default not in (None, dataclasses.MISSING):
            assert checked(field.default, field) == field.default


def test_unknown_fields_in_json() -> None:
    with pytest.raises(TypeError, match="did you mean 'filters'"):
        ResnetConfig.from_json('{"filtres": 3}')


def test_json_that_is_no_object() -> None:
    with pytest.raises(TypeError, match=r"is an object of its fields, got \[1, 2\]"):
        ResnetConfig.from_json("[1, 2]")


@pytest.mark.parametrize("name", cases())
def test_the_repr_of_a_preset_makes_an_equal_config(name: str) -> None:
    assert eval(repr(PRESETS[name])) == PRESETS[name]


def test_the_repr_has_what_differs_from_the_defaults() -> None:
    assert repr(CONFIG) == "ResnetConfig(repetitions=(2, 2), block='basic_block')"
    assert repr(CONFIG.replace(block="bottleneck", se_ratio=0.25, input_shape=(None, 32, 3))) == (
        "ResnetConfig(repetitions=(2, 2), block='bottleneck', se_ratio=0.25, "
        "input_shape=(None, 32, 3))"
    )
    initializer = {"class_name": "HeNormal", "config": {"seed": 3}}
    drawn = CONFIG.replace(kernel_initializer=initializer, classifier_initializer="zeros")
    assert eval(repr(drawn)) == drawn
