"""Properties of random networks: planned, or refused by the name of a field."""

from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from resnet_builder import PRESETS, ResnetConfig, compare, feature_info, plot, profile
from resnet_builder.config import FIELDS, obeyed
from resnet_builder.plan.network import make_plan

from .helpers import assert_named
from .strategies import OF_PLANS, VALUES, bases, configs, one_of, plan_of, some, tried


def is_planned(given: Mapping[str, Any], options: Mapping[str, Any]) -> bool:
    """Whether a network is planned; else it is refused by a name."""
    try:
        plan_of(ResnetConfig(**given), options)
    except (TypeError, ValueError) as error:
        assert_named(error, [*given, *options])
        return False
    return True


@tried(150, bases(), some(VALUES), some(OF_PLANS))
def test_planned_or_refused_by_name(
    base: dict[str, Any], changes: dict[str, Any], options: dict[str, Any]
) -> None:
    given = base | changes
    if is_planned(given, options):
        return
    with suppress(TypeError, ValueError):  # without what contradicts the rest or has no effect
        is_planned(vars(obeyed(ResnetConfig(**given))), options)


# What is no value of a field, or a strange one.
STRANGE: tuple[Any, ...] = (
    *(None, True, False, -1, 0, 1, 7, 10**20, 0.0, -0.5, 1.5, float("nan"), float("inf")),
    *("", "x", "Relu", b"x", (), [], {}, (1,), [None], ((1,),), (((1,),),), object(), len),
    *((1, 2, 3), (None, None, None), {"class_name": "HeNormal"}, {"class_name": 1, "config": 2}),
)


@tried(150, one_of(list(FIELDS)), one_of(STRANGE))
def test_strange_values_are_taken_or_refused_by_name(field: str, value: Any) -> None:
    for of in ({"block": "basic_block"}, {"block": "bottleneck", "stem": "cifar", "groups": 2}):
        given: dict[str, Any] = {"repetitions": (1,), "filters": 8, **of, field: value}
        try:
            config = ResnetConfig(**given)
            make_plan(config)
        except (TypeError, ValueError) as error:
            assert_named(error, given)
        else:
            assert hash(config) == hash(config.replace())


# Plans --------------------------------------------------------------------------------------------


@tried(40, configs())
def test_all_that_is_said_of_a_network_is_said_of_its_layers(config: ResnetConfig) -> None:
    plan = make_plan(config)
    before: set[str] = set()
    for layer in plan.layers:
        assert layer.name not in before
        assert before.issuperset(layer.inputs)
        before.add(layer.name)
    costs = profile(config)
    assert costs.parameters == sum(layer.parameters for layer in plan.layers)
    assert costs.total_parameters == sum(sum(layer.counts) for layer in plan.layers)
    assert costs.parameters == sum(stage.parameters for stage in costs.stages)
    levels = feature_info(config)
    assert list(levels) == list(plan.features)
    for level, layer in zip(levels.values(), plan.features.values(), strict=True):
        assert (level.layer, level.channels) == (layer.name, layer.output_channels)
        if config.stem_pool != "max_ceil" and config.anti_aliasing != "avg":
            size = [of and -(-of // level.stride) for of in config.input_shape[:2]]
            assert list(layer.output_shape[:2]) == size
    for text in (str(costs), plot(config).dot, plot(config, detail="stage").dot):
        assert text


@tried(40, configs())
def test_a_config_is_read_as_it_was_written(config: ResnetConfig) -> None:
    same = ResnetConfig.from_json(config.to_json())
    assert same == config
    assert hash(same) == hash(config)
    assert eval(repr(config)) == config
    assert config.replace() == obeyed(config) == config


@tried(10, configs() | one_of(list(PRESETS.values())), configs())
def test_costs_of_differences_add_up(first: ResnetConfig, second: ResnetConfig) -> None:
    for found in (compare(first, second), compare(second, first)):
        assert max(map(len, str(found).splitlines())) <= 100
        for cost in ("parameters", "macs"):
            costs = [getattr(difference, cost) for difference in found.differences]
            before, after = getattr(found.first, cost), getattr(found.second, cost)
            if None not in (before, *costs):
                assert before + sum(costs) == after
    assert not compare(first, first).differences
