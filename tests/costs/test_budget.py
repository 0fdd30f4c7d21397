"""The network that is nearest below a budget."""

import random
from typing import Any

import pytest

from resnet_builder import PRESETS, ResnetConfig, find_config, profile
from resnet_builder.costs import budget
from resnet_builder.costs.profile import cost_of
from resnet_builder.plan.network import make_plan

from ..helpers import KINDS


def one_block_deeper(found: ResnetConfig, like: ResnetConfig) -> ResnetConfig:
    repetitions, shares = list(found.repetitions), like.repetitions
    if len({*shares}) == 1:
        return found.replace(repetitions=[blocks + 1 for blocks in repetitions])
    lacking = [share / (of + 0.5) for of, share in zip(repetitions, shares, strict=True)]
    repetitions[lacking.index(max(lacking))] += 1
    return found.replace(repetitions=repetitions)


def one_step_wider(found: ResnetConfig) -> ResnetConfig:
    assert isinstance(found.filters, int)
    for filters in range(found.filters + 8, 3 * found.filters + 8, 8):
        wider = found.replace(filters=filters)
        if found.stem_filters == 2 * found.filters:
            wider = wider.replace(stem_filters=2 * filters)
        try:
            make_plan(wider)
        except ValueError:  # groups
            continue
        return wider
    pytest.fail(f"no width above {found.filters}")


def assert_within_and_near(like: ResnetConfig, factors: tuple[float, float]) -> None:
    own = cost_of(like)
    bounds = [own.parameters * factors[0], (own.macs or 0) * factors[1]]

    def fits(config: ResnetConfig) -> bool:
        cost = cost_of(config)
        return cost.parameters <= bounds[0] and (cost.macs or 0) <= bounds[1]

    found = find_config(parameters=bounds[0], macs=bounds[1], like=like)
    assert fits(found)
    assert (found.input_shape, found.classes) == (like.input_shape, like.classes)
    if not like.widths:
        assert not fits(one_block_deeper(found, like))
    if isinstance(like.filters, int) and not like.widths:
        assert not fits(one_step_wider(found))


# Narrow networks, which a fifth of their own numbers may be too little for.
BOUNDS = random.Random(0)
WITHIN = {
    name: (config, (BOUNDS.uniform(0.8, 4), BOUNDS.uniform(0.8, 4)))
    for config, name in KINDS.items()
}


@pytest.mark.parametrize("name", WITHIN)
def test_within_the_bounds_and_one_step_more_is_not(name: str) -> None:
    assert_within_and_near(*WITHIN[name])


@pytest.mark.slow
@pytest.mark.parametrize("name", PRESETS)
def test_every_preset_is_scaled(name: str) -> None:
    rng = random.Random(name)
    assert_within_and_near(PRESETS[name], (rng.uniform(0.5, 2), rng.uniform(0.5, 2)))


@pytest.mark.parametrize(
    "name", ["resnet20_cifar", "resnet50s", "regnety_640", "ecaresnet50d_pruned", "test_resnet"]
)
@pytest.mark.parametrize("quantity", ["parameters", "macs"])
def test_a_network_is_nearest_to_its_own_numbers(name: str, quantity: str) -> None:
    bound: dict[str, Any] = {quantity: getattr(profile(name), quantity)}
    assert find_config(like=name, **bound) == PRESETS[name]


def test_rules_of_families() -> None:
    """Expected by hand, from the words of the documentation."""
    cifar = find_config(parameters=5e6, like="resnet20_cifar")
    assert len({*cifar.repetitions}) == 1
    resnext = find_config(parameters=10e6, like="resnext50_32x4d")
    assert (resnext.groups, resnext.width_per_group) == (32, 4)
    regnet = find_config(parameters=5e6, like="regnety_032")
    assert isinstance(regnet.filters, tuple)
    widths = zip(regnet.filters, regnet.stage_group_widths, strict=True)
    assert all(filters % (group or 0) == 0 for filters, group in widths)
    assert regnet.stem_filters == 32
    resnest = find_config(parameters=12e6, like="resnest101e")
    assert isinstance(resnest.filters, int)
    assert resnest.stem_filters == 2 * resnest.filters < 128
    pruned = find_config(parameters=50e6, like="ecaresnet50d_pruned")
    assert pruned.widths is not None
    assert tuple(map(len, pruned.widths)) == pruned.repetitions
    assert pruned.widths[0][0][0] > 47


def test_input_shape_and_classes_are_part_of_the_bound() -> None:
    """The numbers of ResNet-18, scaled by hand: with 10 classes one step more fits."""
    bound = profile("resnet18", (64, 64, 3), 10).parameters
    assert find_config(parameters=bound).filters == 56
    found = find_config(parameters=bound, input_shape=(64, 64, 3), classes=10)
    assert found == PRESETS["resnet18"].replace(input_shape=(64, 64, 3), classes=10)


def test_few_networks_are_planned(monkeypatch: pytest.MonkeyPatch) -> None:
    planned = []

    def counted(config: ResnetConfig) -> Any:
        planned.append(config)
        return make_plan(config)

    monkeypatch.setattr(budget, "make_plan", counted)
    find_config(parameters=1e9, like="resnet18")
    find_config(parameters=1e6, like="resnet50")
    assert len(planned) < 120


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({}, "give a bound: parameters=5e6"),
        ({"parameters": 0}, "parameters must be more than 0"),
        ({"parameters": 1000}, "within parameters=1,000: the smallest.* has parameters=143,312"),
        ({"macs": 1e9, "input_shape": (None, None, 3)}, r"macs needs an input_shape.*\(None, None"),
        ({"macs": 1e9, "like": "resnet5O"}, "unknown preset 'resnet5O'"),
        ({"macs": 1e9, "like": ResnetConfig(block=print, repetitions=(1,))}, "a custom block are"),
    ],
)
def test_what_cannot_be_found(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        find_config(**arguments)
