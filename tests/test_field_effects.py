"""Every field of a config is obeyed or refused, in every kind of network."""

import dataclasses
import re
from dataclasses import fields
from itertools import chain, product
from typing import Any

import pytest
from hypothesis import strategies as st

from resnet_builder import PRESETS, ResnetConfig
from resnet_builder.config import FIELDS, obeyed
from resnet_builder.plan import network
from resnet_builder.plan.blocks import BLOCKS
from resnet_builder.plan.layers import Layer
from resnet_builder.plan.network import make_plan
from resnet_builder.plan.rules import check_config
from resnet_builder.plan.shortcuts import PROJECTIONS
from resnet_builder.plan.stems import STEM_POOLS, STEMS
from resnet_builder.plan.units import ORDERS

from .strategies import configs, tried

NORMS: list[dict[str, Any]] = [
    {"norm": "group", "norm_groups": 4},
    {"norm": "evonorm_s0", "norm_groups": 4, "activation_order": "pre"},
]


def own_block(**_: Any) -> Any:
    """A custom block, which a plan does not call."""


# Other values of every field, such that no rounding hides them in the networks below.
OTHERS: dict[str, list[Any]] = {
    "repetitions": [(3,), (2, 1)],
    "block": [*BLOCKS, own_block],
    "filters": [64],
    "widths": [],  # depend on the network
    "groups": [2],
    "group_width": [4],
    "width_per_group": [128],
    "reduce_first": [2],
    "splits": [2],
    "split_input": [False],
    "pool_first": [True],
    "stem": list(STEMS),
    "stem_filters": [48],
    "stem_pool": list(STEM_POOLS),
    "activation_order": list(ORDERS),
    "activation": ["silu"],
    "activate_residual": [True],
    "norm": ["batch", *(changes["norm"] for changes in NORMS)],
    "norm_groups": [8],
    "weight_standardization": [True],
    "anti_aliasing": [None, "avg", "blur"],
    "shortcuts": [True, False],
    "projection": list(PROJECTIONS),
    "projection_kernel": [3],
    "project_first": [True, False],
    "stride_in_last_block": [True, False],
    "stride_in_3x3": [True, False],
    "se_ratio": [0.0, 1.5],
    "se_divisor": [64],
    "eca": [True, False],
    "gc_ratio": [0.0, 0.5],
    "head_filters": [24],
    "head_pool": ["avg", "attention"],
    "embedding": [True],
    "drop_path_rate": [0.1],
    "zero_init_last": [True],
    "padding": ["same", "symmetric"],
    "use_bias": [True, False, "unless_normalized"],
    "batch_norm_epsilon": [1e-3],
    "batch_norm_momentum": [0.99],
    "kernel_initializer": ["he_normal"],
    "classifier_initializer": ["he_normal"],
    "weight_decay": [1e-4],
    "input_shape": [(16, 32, 3)],
    "classes": [7],
}

DEFAULTS: dict[str, Any] = {field.name: field.default for field in fields(ResnetConfig)}

BLOCK_KINDS: list[Any] = [*BLOCKS, ("bottleneck", "basic_block"), own_block]
SHAPES: list[dict[str, Any]] = [
    {"repetitions": repetitions, "stem": stem}
    for repetitions in ((1,), (2,), (1, 1), (2, 1))
    for stem in ("imagenet", "cifar")
] + [{"repetitions": (2,), "stem": "regnet"}, {"repetitions": (1, 1), "stem": "quad"}]
VARIATIONS: list[dict[str, Any]] = [
    {},
    *({"activation_order": order} for order in ORDERS if order != "post"),
    *NORMS,
    {"anti_aliasing": "avg"},
    {"anti_aliasing": "blur"},
    {"stem_pool": "conv"},
    {"shortcuts": False},
    {"projection": "pad"},
    {"projection": "avg_pool"},
    {"projection_kernel": 3},
    {"projection_kernel": 3, "anti_aliasing": "avg"},
    {"stem_filters": 128},  # the first bottleneck keeps them
    {"stem_filters": 128, "project_first": True},
    {"stride_in_last_block": True},
    {"stride_in_last_block": True, "projection": "avg_pool", "project_first": True},
    {"stride_in_3x3": False},
    {"stride_in_3x3": False, "projection_kernel": 3},
    {"eca": True},
    {"group_width": 8},
    {"se_ratio": 0.25},
    {"padding": "same"},
    {"widths": True},
    {"widths": True, "stem_filters": 16},
]


def base(block: Any, shape: dict[str, Any], variation: dict[str, Any]) -> ResnetConfig | None:
    """A network of that kind; None if its options contradict each other."""
    if isinstance(block, tuple) and len(shape["repetitions"]) != len(block):
        return None
    kind = BLOCKS.get(block) if isinstance(block, str) else None
    own = {"se_ratio": 0.25} if kind and (kind.own_attention or kind.attends_early) else {}
    options = {"block": block, "filters": 32, "input_shape": (32, 32, 3)} | own | shape | variation
    if options.get("widths"):
        kinds = block if isinstance(block, tuple) else (block,) * len(shape["repetitions"])
        count = {kind: 2 if "basic" in str(kind) else 3 for kind in kinds}
        options["widths"] = [
            [[16] * count[kind]] * blocks
            for kind, blocks in zip(kinds, shape["repetitions"], strict=True)
        ]
    try:
        config = obeyed(ResnetConfig(**options))
        make_plan(config)
    except ValueError:
        return None
    return config


def layers_of(config: ResnetConfig) -> list[Layer]:
    return list(make_plan(config).layers)


BASES = [
    (block, shape, variation)
    for block, shape, variation in product(BLOCK_KINDS, SHAPES, VARIATIONS)
]


RESULTS = {"obeyed", "without effect", "takes an effect away"}


def check_field(
    config: ResnetConfig, field: str, value: Any, monkeypatch: pytest.MonkeyPatch
) -> str:
    """Assert that a change is obeyed, or refused for a reason that holds.

    Returns:
        One of `RESULTS`, or the message about fields that contradict each other.
    """
    before = layers_of(config)
    try:
        changed = config.replace(**{field: value})
        after = layers_of(changed)
    except ValueError as error:
        message = str(error)
        if f"{field}={value!r} has no effect" in message:
            default = dataclasses.replace(changed, **{field: DEFAULTS[field]})
            with monkeypatch.context() as unchecked:
                unchecked.setattr(network, "check_config", lambda config: None)
                assert layers_of(changed) == layers_of(default), f"{field} is refused for nothing"
            return "without effect"
        return "takes an effect away" if "has no effect" in message else message
    # Widths are all that some kinds of bottleneck differ in.
    is_width = field == "block" and config.widths
    assert after != before or is_width, f"{field}={value!r} changes nothing"
    return "obeyed"


# Every 22nd: all kinds, shapes and variations, and some of their combinations.
@pytest.mark.parametrize("number", range(7))
def test_every_field_is_obeyed_or_refused(number: int, monkeypatch: pytest.MonkeyPatch) -> None:
    assert list(OTHERS) == [field.name for field in fields(ResnetConfig)]
    found = set()
    for config in filter(None, (base(*of) for of in BASES[number * 22 :: 154])):
        for field, value in chain.from_iterable(product([f], v) for f, v in OTHERS.items()):
            if value != getattr(config, field):
                result = check_field(config, field, value, monkeypatch)
                assert result in RESULTS or field in result, (field, value, result)
                found.add(result)
    assert found >= RESULTS


CHANGES = [(field, value) for field, values in OTHERS.items() for value in values]


@tried(60, configs(filters=(32, 8, 48)), st.sampled_from(CHANGES))
def test_any_change_of_any_network(config: ResnetConfig, change: tuple[str, Any]) -> None:
    field, value = change
    if value not in (vars(config)[field], *(config.stage_blocks if field == "block" else ())):
        with pytest.MonkeyPatch.context() as monkeypatch:
            result = check_field(config, field, value, monkeypatch)
        assert result in RESULTS or set(re.findall(r"\w+", result)) & FIELDS.keys(), result


def refusal(config: ResnetConfig, field: str, value: Any) -> str:
    try:
        check_config(config.replace(**{field: value}))
    except ValueError as error:
        return str(error)
    return ""


@pytest.mark.parametrize("preset", list(PRESETS)[::3])
def test_a_preset_takes_any_change_that_has_a_meaning(preset: str) -> None:
    """What the change leaves without effect and is refused is no mere way of doing things."""
    for field, value in chain.from_iterable(product([f], v) for f, v in OTHERS.items()):
        message = refusal(PRESETS[preset], field, value)
        refused = message.split("=")[0]
        if "has no effect" in message and refused != field:
            assert not FIELDS[refused].metadata["follows"], message


WIDTHS = ((8, 8, 32), (8, 8, 32)), ((16, 16, 64), (16, 16, 64))
# Fields of a network of two stages of two bottlenecks, and a change that takes the effect of the
# last of them away.
FOLLOWERS: list[tuple[dict[str, Any], dict[str, Any]]] = [
    ({"stem_filters": 32, "filters": 48}, {"widths": WIDTHS}),
    ({"reduce_first": 2}, {"widths": WIDTHS}),
    ({"block": "res2net_bottleneck", "splits": 8}, {"block": "bottleneck"}),
    ({"block": "sk_bottleneck", "split_input": False}, {"block": "bottleneck"}),
    ({"block": "resnest_bottleneck", "pool_first": True}, {"block": "bottleneck"}),
    ({"stem_pool": "conv"}, {"stem": "cifar"}),
    ({"activation": "silu"}, {"norm": "evonorm_s0", "activation_order": "pre"}),
    ({"norm": "group", "norm_groups": 8}, {"norm": "batch"}),
    ({"anti_aliasing": "blur"}, {"repetitions": (2,), "stem": "cifar"}),
    ({"projection": "avg_pool"}, {"shortcuts": False}),
    ({"projection_kernel": 3}, {"projection": "avg_pool"}),
    ({"block": "basic_block", "project_first": True}, {"shortcuts": False}),
    ({"stride_in_last_block": True}, {"repetitions": (2,)}),
    ({"stride_in_3x3": False}, {"block": "basic_block"}),
    ({"se_ratio": 0.25, "se_divisor": 4}, {"se_ratio": 0.0}),
    ({"padding": "same"}, {"repetitions": (2,), "stem": "cifar"}),
    ({"activation_order": "pre", "use_bias": "unless_normalized"}, {"activation_order": "post"}),
    ({"batch_norm_momentum": 0.99}, {"norm": "group"}),
]
REFUSED: list[tuple[dict[str, Any], dict[str, Any]]] = [
    ({"groups": 2}, {"block": "basic_block"}),
    ({"group_width": 4}, {"block": "basic_block"}),
    ({"width_per_group": 128}, {"block": "basic_block"}),
    ({"widths": WIDTHS}, {"block": own_block}),
    ({"activate_residual": True}, {"activation_order": "pre"}),
    ({"shortcuts": False}, {"block": own_block}),
    ({"se_ratio": 0.25}, {"block": own_block}),
    ({"eca": True}, {"block": own_block}),
    ({"gc_ratio": 0.25}, {"block": own_block}),
    ({"drop_path_rate": 0.1}, {"repetitions": (1,)}),
    ({"zero_init_last": True}, {"block": own_block}),
]


def of_two_stages(**options: Any) -> ResnetConfig:
    return ResnetConfig(**{"repetitions": (2, 2), "block": "bottleneck"} | options)


@pytest.mark.parametrize(("options", "change"), FOLLOWERS, ids="-".join)
def test_how_something_is_done_follows_what_is_done(
    options: dict[str, Any], change: dict[str, Any]
) -> None:
    *others, field = options
    kept = {name: options[name] for name in others} | change
    assert of_two_stages(**options).replace(**change) == of_two_stages(**kept)
    message = refusal(of_two_stages(**kept), field, options[field])  # named, it is refused
    assert message.startswith(f"{field}=")
    assert "has no effect" in message


@pytest.mark.parametrize(("options", "change"), REFUSED, ids="-".join)
def test_what_a_network_has_is_not_taken_away_by_another_change(
    options: dict[str, Any], change: dict[str, Any]
) -> None:
    (field,) = options
    config = of_two_stages(**options).replace(**change)
    assert getattr(config, field) == options[field]
    with pytest.raises(ValueError, match=f"{field}=.* has no effect"):
        make_plan(config)


def test_every_field_without_effect_is_named() -> None:
    lines = refusal(of_two_stages(block="basic_block", groups=2), "splits", 8).split("\n")
    assert [line.split("=")[0] for line in lines] == ["groups", "splits"]


def test_each_field_with_a_condition_is_in_one_of_the_two_tables() -> None:
    listed = [list(options)[-1] for options, _ in (*FOLLOWERS, *REFUSED)]
    assert sorted(listed) == sorted(n for n, f in FIELDS.items() if f.metadata.get("effect"))


def test_what_a_change_leaves_without_effect_follows_it() -> None:
    changed = PRESETS["keras_resnet50"].replace(norm="group")
    assert changed == PRESETS["keras_resnet50"].replace(norm="group", batch_norm_momentum=0.9)
    plain = PRESETS["resnet20_cifar"].replace(shortcuts=False)
    assert plain == PRESETS["plain20_cifar"]
    # Named, or without an effect before, it is refused.
    config = ResnetConfig(block="basic_block", repetitions=(1, 1), splits=8)
    for kept in (config.replace(filters=8), PRESETS["resnet18"].replace(splits=8)):
        with pytest.raises(ValueError, match="splits=8 has no effect: it needs a res2net"):
            make_plan(kept)
