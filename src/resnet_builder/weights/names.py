"""The names of a network's weights. Does not import Keras."""

from collections.abc import Iterator
from functools import cache
from itertools import product
from typing import Any

from ..config import ResnetConfig, obeyed
from ..plan.attention import ATTENTIONS
from ..plan.blocks import BLOCKS
from ..plan.names import LayerName
from ..plan.network import Plan, make_plan
from ..plan.norms import NORMS
from ..plan.orders import ORDERS
from ..plan.stems import STEM_POOLS, STEMS

WeightName = tuple[str, str]  # layer and variable

CLASSIFIER = "predictions"

# The first convolution, by stem; the second pair is of networks with standardised kernels.
FIRST_CONVS = ("stem_conv", "stem_conv1", "stem_stdconv", "stem_stdconv1")


def is_known(weight: WeightName) -> bool:
    """Return whether a weight is of a layer of this package, not of a user's block function."""
    in_a_block, others = known_weights()
    name = LayerName.parse(weight[0])
    if name and name.place.block:
        return (name.role, weight[1]) in in_a_block
    return weight in others


def is_standardized(layer: str) -> bool:
    """Return whether a layer is a convolution with weight standardisation."""
    name = LayerName.parse(layer)
    return name is not None and "stdconv" in name.role


@cache
def known_weights() -> tuple[frozenset[WeightName], frozenset[WeightName]]:
    """All possible weights of networks: those in a block, by role of their layers, and others."""
    in_a_block, others = set(), set()
    for plan in _kinds_of_network():
        for layer in plan.layers:
            name = LayerName.parse(layer.name)
            in_block = name is not None and name.place.block > 0
            for variable in layer.weights:
                if name and in_block:
                    in_a_block.add((name.role, variable))
                else:
                    others.add((layer.name, variable))
    return frozenset(in_a_block), frozenset(others)


def _kinds_of_network() -> Iterator[Plan]:
    """Small networks that together have every name of a layer with weights."""
    kinds: list[dict[str, Any]] = [
        *({"block": block} for block in BLOCKS),
        *({"stem": stem} for stem in STEMS),
        *({"stem_pool": pool} for pool in STEM_POOLS),
        *({field: kind.example} for field, kind in ATTENTIONS.items()),
    ]
    for kind, order, norm, standardized in product(kinds, ORDERS, NORMS, (False, True)):
        if order == "pre" or not NORMS[norm].activates:
            yield _small(
                **kind, activation_order=order, norm=norm, weight_standardization=standardized
            )


def _small(**fields: Any) -> Plan:
    """A network of one block, which has a projection, with the longest lists of splits."""
    if "block" in fields and BLOCKS[fields["block"]].own_attention:
        fields["se_ratio"] = 0.25
    common: dict[str, Any] = {"block": "basic_block", "use_bias": True, "norm_groups": 1}
    common |= {"repetitions": (1,), "stem_filters": 32, "splits": MOST_SPLITS}
    return make_plan(obeyed(ResnetConfig(**common | fields)))


# The largest number of parts of a Res2Net block that has a name in another library.
MOST_SPLITS = 8
