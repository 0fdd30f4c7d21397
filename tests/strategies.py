"""Random networks for property tests: fields of configs, input sizes, options of `from_preset`.

Every value is chosen from a list, which shrinks a counterexample to the first values of its lists,
and makes the examples of the suite the same everywhere: what is drawn from ranges depends on the
modules that happen to be loaded.
"""

import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any, get_args

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from resnet_builder import ResnetConfig
from resnet_builder.common.keras_names import INITIALIZERS
from resnet_builder.config import ActivationName
from resnet_builder.plan.blocks import BLOCKS
from resnet_builder.plan.network import Head, Plan, make_plan
from resnet_builder.plan.norms import NORMS
from resnet_builder.plan.shortcuts import PROJECTIONS
from resnet_builder.plan.stems import STEM_POOLS, STEMS
from resnet_builder.plan.units import ANTI_ALIASING, ORDERS

# Examples of every property under `-m slow`, where they differ from run to run; the seed of
# `--hypothesis-seed` repeats them.
MANY = int(os.environ.get("EXAMPLES", "500"))


def tried(few: int, *examples: st.SearchStrategy[Any]) -> Callable[[Callable[..., None]], Any]:
    """Test a property with a few examples, the same every time; and with `MANY` if slow."""

    def decorated(holds: Callable[..., None]) -> Callable[[int], None]:
        slow = pytest.param(MANY, id="many", marks=pytest.mark.slow)

        @pytest.mark.parametrize("count", [pytest.param(few, id="few"), slow])
        def test(count: int) -> None:
            budget = settings(
                max_examples=count,
                derandomize=count == few,
                database=None,
                deadline=None,
                suppress_health_check=list(HealthCheck),
            )
            budget(given(*examples)(holds))()

        test.__doc__ = holds.__doc__
        return test

    return decorated


# Values -------------------------------------------------------------------------------------------

BOOLS = (False, True)

# Field of a config -> values that differ from the default, of which some contradict others.
VALUES: dict[str, tuple[Any, ...]] = {
    "groups": (2, 3),
    "group_width": (4, 1),
    "width_per_group": (128, 26, 4),
    "reduce_first": (2, 9),
    "splits": (2, 1, 3),
    "split_input": (False,),
    "pool_first": (True,),
    "stem": tuple(of for of in STEMS if of != "imagenet"),
    "stem_filters": (8, 1, 7, 32),
    "stem_pool": tuple(of for of in STEM_POOLS if of != "max"),
    "activation_order": tuple(of for of in ORDERS if of != "post"),
    "activation": tuple(of for of in get_args(ActivationName) if of != "relu"),
    "activate_residual": (True,),
    "norm": tuple(of for of in NORMS if of != "batch"),
    "norm_groups": (4, 1, 2),
    "weight_standardization": (True,),
    "anti_aliasing": tuple(ANTI_ALIASING),
    "shortcuts": (False,),
    "projection": tuple(of for of in PROJECTIONS if of != "conv"),
    "projection_kernel": (3, 2, 4),
    "project_first": (True,),
    "stride_in_last_block": (True,),
    "stride_in_3x3": (False,),
    "se_ratio": (0.25, 0.1, 1.9),
    "se_divisor": (1, 5),
    "eca": (True,),
    "gc_ratio": (0.3,),
    "head_filters": (8, 1),
    "head_pool": ("attention",),
    "embedding": (True,),
    "drop_path_rate": (0.3,),
    "zero_init_last": (True,),
    "padding": ("same",),
    "use_bias": (True, "unless_normalized"),
    "batch_norm_epsilon": (1e-3, 0.0),
    "batch_norm_momentum": (0.99, 0.0),
    "kernel_initializer": (
        *(of for of in INITIALIZERS if of != "he_normal_fan_out"),
        {"class_name": "TruncatedNormal", "config": {"stddev": 0.1, "seed": 3}},
    ),
    "classifier_initializer": tuple(of for of in INITIALIZERS if of != "torch_linear"),
    "weight_decay": (1e-4,),
    "classes": (3, 1),
    "input_shape": ((16, 9, 4), (1, 1, 1), (2, 3, 3), (None, 7, 3), (None, None, 2), (33, 40, 3)),
}

# Option of `from_preset` for the head or for dilation -> values.
OF_PLANS: dict[str, tuple[Any, ...]] = {
    "include_top": (True, False),
    "pooling": (None, "avg", "max", "attention"),
    "classifier_activation": ("softmax", None, "sigmoid"),
    "dropout_rate": (0.0, 0.3),
    "output_stride": (None, 1, 2, 4, 8, 16),
    "dilate_first": BOOLS,
}


# Strategies ---------------------------------------------------------------------------------------

one_of = st.sampled_from


@st.composite
def some(
    draw: st.DrawFn, values: Mapping[str, tuple[Any, ...]], counts: Sequence[int] = (1, 0, 2, 3)
) -> dict[str, Any]:
    """One of these numbers of keys, each with one of its values."""
    count = draw(one_of(counts))
    chosen = draw(st.lists(one_of(list(values)), unique=True, min_size=count, max_size=count))
    return {name: draw(one_of(values[name])) for name in chosen}


@st.composite
def bases(draw: st.DrawFn, filters: Sequence[int] = (8, 4, 7, 12)) -> dict[str, Any]:
    """The fields without which there is no network; it may be refused."""
    repetitions = draw(st.lists(one_of((1, 2)), min_size=1, max_size=3))
    each: Any = {"min_size": len(repetitions), "max_size": len(repetitions)}
    kinds = draw(st.lists(one_of(list(BLOCKS)), **each))
    found: dict[str, Any] = {
        "repetitions": repetitions,
        "block": draw(one_of((kinds[0], kinds))),
        "filters": draw(one_of(filters) | st.lists(one_of(filters), **each)),
    }
    if draw(one_of((False,) * 6 + (True,))):
        width = one_of((*filters, 16))
        found["widths"] = [
            draw(st.lists(st.lists(width, min_size=2, max_size=3), min_size=n, max_size=n))
            for n in repetitions
        ]
    if any(BLOCKS[kind].own_attention or BLOCKS[kind].attends_early for kind in kinds):
        found["se_ratio"] = 0.25
    return found


@st.composite
def configs(
    draw: st.DrawFn,
    /,
    values: Mapping[str, tuple[Any, ...]] = VALUES,
    filters: Sequence[int] = (8, 4, 7, 12),
    **fixed: Any,
) -> ResnetConfig:
    """Configs that can be planned: with those changes that are possible after one another."""
    config = ResnetConfig(**fixed | draw(bases(filters)))
    assume(is_possible(config))
    for name, value in draw(some(values, (0, 1, 2, 4, 8, 16, 24, 32))).items():
        changed = config.replace(**{name: value})
        config = changed if is_possible(changed) else config
    return config


def is_possible(config: ResnetConfig) -> bool:
    """Whether a config can be planned, and its weights counted: an attention pool needs a size."""
    try:
        for layer in make_plan(config).layers:
            assert min(layer.counts) >= 0
    except ValueError:
        return False
    return True


def plan_of(config: ResnetConfig, options: Mapping[str, Any]) -> Plan:
    """The plan of a config and of the options of `OF_PLANS`."""
    dilation = {
        name: options[name] for name in ("output_stride", "dilate_first") if name in options
    }
    return make_plan(
        config,
        Head(**{name: of for name, of in options.items() if name not in dilation}),
        **dilation,
    )
