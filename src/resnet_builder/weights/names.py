"""The names of a network's weights. Does not import Keras."""

from collections.abc import Iterator
from functools import cache
from itertools import product

from ..config import ResnetConfig
from ..plan.attention import ATTENTIONS
from ..plan.blocks import BLOCKS
from ..plan.names import LayerName
from ..plan.network import Plan, make_plan
from ..plan.orders import ORDERS
from ..plan.stems import STEMS

WeightName = tuple[str, str]  # layer and variable

HEAD = "predictions"
FIRST_CONVS = ("stem_conv", "stem_conv1")  # the first convolution, by stem


def is_known(weight: WeightName) -> bool:
    """Return whether a weight is of a layer of this package, not of a user's block function."""
    in_a_block, others = known_weights()
    name = LayerName.parse(weight[0])
    if name and name.place.block:
        return (name.role, weight[1]) in in_a_block
    return weight in others


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
    """Networks of one block that together have every kind of layer with weights."""
    attentions = [{}, *({field: kind.example} for field, kind in ATTENTIONS.items())]
    for block, stem, order, attention in product(BLOCKS, STEMS, ORDERS, attentions):
        kinds = {"block": block, "stem": stem, "activation_order": order} | attention
        # Other filters than the stem's, so that the block has a projection.
        config = ResnetConfig(repetitions=(1,), stem_filters=32, use_bias=True, **kinds)
        yield make_plan(config)
