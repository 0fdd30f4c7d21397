"""The cost of layers: weights and multiply-adds."""

from collections.abc import Iterable
from dataclasses import dataclass

from ..common.shapes import known_sum


@dataclass(frozen=True)
class Cost:
    """The cost of a layer, or of several.

    Attributes:
        parameters: trained weights.
        statistics: weights that are not trained.
        macs: multiply-adds for one image; None if unknown.
        uncounted: names of the layers with unknown multiply-adds, which are not in `macs`.
    """

    parameters: int = 0
    statistics: int = 0
    macs: int | None = 0
    uncounted: tuple[str, ...] = ()

    @property
    def total_parameters(self) -> int:
        """All weights."""
        return self.parameters + self.statistics


def total_cost(costs: Iterable[Cost]) -> Cost:
    """The sum of costs."""
    costs = list(costs)
    return Cost(
        sum(cost.parameters for cost in costs),
        sum(cost.statistics for cost in costs),
        known_sum(cost.macs for cost in costs),
        tuple(dict.fromkeys(name for cost in costs for name in cost.uncounted)),
    )
