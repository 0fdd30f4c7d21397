"""Random configs are planned or refused at the door, and built as they are planned."""

import random
from typing import Any

import pytest

from resnet_builder import ResnetBuilder, ResnetConfig, profile
from resnet_builder.common.keras_names import INITIALIZERS
from resnet_builder.config import obeyed
from resnet_builder.plan.blocks import BLOCKS
from resnet_builder.plan.network import make_plan
from resnet_builder.plan.norms import NORMS
from resnet_builder.plan.shortcuts import PROJECTIONS
from resnet_builder.plan.stems import STEM_POOLS, STEMS
from resnet_builder.plan.units import ANTI_ALIASING, ORDERS

from ..helpers import assert_built_as_planned

BOOLS = (False, True)
VALUES: dict[str, tuple[Any, ...]] = {
    "groups": (1, 2, 3),
    "group_width": (None, 1, 4),
    "width_per_group": (4, 26, 64, 128),
    "reduce_first": (1, 2, 9),
    "splits": (1, 2, 3, 4),
    "split_input": BOOLS,
    "pool_first": BOOLS,
    "stem": tuple(STEMS),
    "stem_filters": (None, 1, 7, 8, 32),
    "stem_pool": tuple(STEM_POOLS),
    "activation_order": tuple(ORDERS),
    "activation": ("relu", "silu", "softmax"),
    "activate_residual": BOOLS,
    "norm": tuple(NORMS),
    "norm_groups": (1, 2, 4),
    "weight_standardization": BOOLS,
    "anti_aliasing": (None, *ANTI_ALIASING),
    "shortcuts": BOOLS,
    "projection": tuple(PROJECTIONS),
    "projection_kernel": (1, 2, 3, 4),
    "project_first": BOOLS,
    "stride_in_last_block": BOOLS,
    "stride_in_3x3": BOOLS,
    "se_ratio": (0.0, 0.1, 0.25, 1.9),
    "se_divisor": (1, 8, 5),
    "eca": BOOLS,
    "gc_ratio": (0.0, 0.3),
    "head_filters": (None, 1, 8),
    "drop_path_rate": (0.0, 0.3),
    "zero_init_last": BOOLS,
    "padding": ("symmetric", "same"),
    "use_bias": (False, True, "unless_normalized"),
    "batch_norm_epsilon": (1e-5, 0.0),
    "batch_norm_momentum": (0.9, 0.0),
    "kernel_initializer": tuple(INITIALIZERS),
    "classifier_initializer": tuple(INITIALIZERS),
    "weight_decay": (0.0, 1e-4),
    "classes": (1, 3),
    "input_shape": ((1, 1, 1), (2, 3, 3), (16, 9, 4), (None, 7, 3), (None, None, 2)),
}


def random_config(rng: random.Random, changes: int) -> ResnetConfig:
    """A network with some of its fields at random values."""
    repetitions = tuple(rng.choice((1, 1, 2)) for _ in range(rng.choice((1, 2, 3))))
    kinds = [rng.choice(list(BLOCKS)) for _ in repetitions]
    fields: dict[str, Any] = {
        "repetitions": repetitions,
        "block": rng.choice((kinds[0], kinds)),
        "filters": rng.choice((4, 7, 8, 12, [rng.choice((4, 6, 8)) for _ in repetitions])),
    }
    if rng.random() < 0.15:
        width = rng.choice((4, 8, 9))
        fields["widths"] = [
            [[rng.choice((width, 8))] * rng.choice((2, 3)) for _ in range(blocks)]
            for blocks in repetitions
        ]
    if any(BLOCKS[kind].own_attention or BLOCKS[kind].attends_early for kind in kinds):
        fields["se_ratio"] = 0.25
    chosen = rng.sample(sorted(VALUES), changes)
    return ResnetConfig(**fields | {name: rng.choice(VALUES[name]) for name in chosen})


def planned(seed: int) -> ResnetConfig | None:
    """A random config that can be planned, or None: then it was refused with a reason."""
    rng = random.Random(seed)
    config = random_config(rng, changes=rng.choice((1, 3, 8)))
    try:
        make_plan(config)
    except ValueError as error:
        if "has no effect" not in str(error):
            return None
        config = obeyed(config)
    try:
        plan = make_plan(config)
    except ValueError:
        return None
    names = [layer.name for layer in plan.layers]
    assert len(names) == len(set(names))
    assert all(
        name in names[:number] for number, of in enumerate(plan.layers) for name in of.inputs
    )
    assert ResnetConfig.from_json(config.to_json()) == config
    assert profile(config).parameters == sum(layer.parameters for layer in plan.layers)
    return config


def test_planned_or_refused() -> None:
    found = [planned(seed) for seed in range(60)]
    assert 20 < len([config for config in found if config]) < 60


@pytest.mark.parametrize("seed", [1, 2, 3, 5, 7, 11])
def test_built_as_planned(seed: int) -> None:
    config = next(filter(None, map(planned, range(1000 * seed, 1000 * seed + 100))))
    assert_built_as_planned(make_plan(config), ResnetBuilder.from_config(config))
