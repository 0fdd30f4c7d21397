"""find_config: the network of a family that is nearest below a budget. Counts plans; no Keras."""

from bisect import bisect_left
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache
from itertools import islice
from math import log
from typing import TYPE_CHECKING, NamedTuple

from ..common.checks import positive_number
from ..config import ResnetConfig, obeyed
from ..plan.network import make_plan
from ..presets.resolve import resolve
from .profile import Cost, cost_of_layers

if TYPE_CHECKING:
    from ..options import Changes

# Depth and width grow as their powers (EfficientNet, arXiv:1905.11946, section 3.3: alpha, beta).
DEPTH, WIDTH = 1.2, 1.1

# The step of the filters of the first stage; those of the others are multiples of it.
UNIT = 8


def find_config(
    *,
    parameters: float | None = None,
    macs: float | None = None,
    input_shape: Sequence[int | None] | None = None,
    classes: int | None = None,
    like: str | ResnetConfig = "resnet18",
) -> ResnetConfig:
    """Find the network of a family that is nearest below a number of parameters or multiply-adds.

    The network is `like` made deeper and wider, or shallower and narrower, with the same kind of
    blocks, stem and head, at the same input size. Depth and width change together as in
    EfficientNet (arXiv:1905.11946): the number of blocks as 1.2^x, the filters as 1.1^x. To the
    largest network of this row within the bounds, blocks are added while they fit, then filters:
    one step deeper or wider exceeds a bound. If `like` is at a bound, it is what is found.

    * A step in depth adds one block, to the stage that is farthest below its share of the blocks in
      `like`; or one block to every stage, if all stages of `like` have equally many (as those of
      the CIFAR networks).
    * A step in width adds 8 filters to the first stage, or as many as the groups of convolutions
      and norms need, and to the other stages in proportion. Groups keep their width where `like`
      states `group_width` (RegNet, arXiv:2003.13678), and their number where it states `groups`
      (ResNeXt). If `like` states the filters of the stem or of a convolution in the head, they
      stay, but a stem of twice the filters of the first stage or more is scaled. So is every
      convolution of a pruned network.

    The search is deterministic, and plans some tens of networks: it takes a fraction of a second,
    and up to two for networks of a thousand layers.

    Args:
        parameters: maximum number of trained weights, such as `5e6`. Default: no bound.
        macs: maximum number of multiply-adds for one image. Default: no bound.
        input_shape: (rows, columns, channels). Default: that of `like`.
        classes: number of classes. Default: that of `like`.
        like: a name of `list_presets()` or `list_weights()`, or a `ResnetConfig`.

    Returns:
        The config, with the input shape and the number of classes, for
        `ResnetBuilder.from_config`, `profile` and `plot`.

    Raises:
        TypeError: a bound that is no number, or `like` of another type.
        ValueError: no bound; a bound below the smallest network of the family, whose numbers are in
            the message; `macs` for an unknown input size; an unknown name; custom blocks.

    Example:
        >>> from resnet_builder import find_config, profile
        >>> config = find_config(parameters=5e6, input_shape=(64, 64, 3), classes=10)
        >>> config.repetitions, config.filters
        ((1, 1, 1, 1), 64)
        >>> profile(config).parameters
        4910922
    """
    named = resolve(like, input_shape, classes)
    bounds = {"parameters": parameters, "macs": macs}
    given = {name: positive_number(of, name) for name, of in bounds.items() if of is not None}
    _check(named.config, given)
    family = _Family(named.config)
    make_plan(family.shallow)  # refuses what cannot be planned at any width

    def fits(size: _Size) -> bool:
        cost = family.cost(size)
        return all(getattr(cost, name) <= bound for name, bound in given.items())

    size = _largest(family, fits)
    if not fits(size):
        allowed = ", ".join(f"{name}={bound:,.0f}" for name, bound in given.items())
        needed = ", ".join(f"{name}={getattr(family.cost(size), name):,}" for name in given)
        raise ValueError(
            f"no network like {named.name} is within {allowed}: the smallest, at this input size "
            f"and number of classes, has {needed}"
        )
    return family.config(size)


def _check(config: ResnetConfig, bounds: Mapping[str, float]) -> None:
    if not bounds:
        raise ValueError("give a bound: parameters=5e6, macs=1e9, or both")
    if config.has_custom_block:
        raise ValueError(f"the costs of a custom block are unknown: {config.block!r}")
    if "macs" in bounds and None in config.input_shape:
        shape = config.input_shape
        raise ValueError(f"macs needs an input_shape with known rows and columns, got {shape}")


class _Size(NamedTuple):
    """The size of a network: its number of blocks, and the filters of its first stage."""

    blocks: int
    filters: int


def _largest(family: "_Family", fits: Callable[[_Size], bool]) -> _Size:
    """The largest size in the family's row that fits, grown while it fits; else the smallest."""
    if fits(family.own):
        larger = family.row(family.deeper, family.wider)
        row = [next(larger)]
        while fits(row[-1]):
            row += islice(larger, len(row))
    else:
        row = [*family.row(family.shallower, family.narrower)][::-1]
    size = row[max(bisect_left(row, True, key=lambda size: not fits(size)) - 1, 0)]
    before = None
    while size != before:
        before = size
        for grown in (family.deeper, family.wider):
            while fits(larger_size := grown(size)):
                size = larger_size
    return size


class _Family:
    """The networks like a config, of all depths and widths.

    Attributes:
        like: the config.
        own: its size.
        cost: function from a size to the cost of the network.
    """

    def __init__(self, like: ResnetConfig) -> None:
        self.like = like
        self.own = _Size(sum(like.repetitions), like.stage_filters[0])
        self.cost = cache(self._cost)
        self._plannable = cache(self._shallow_of)
        is_even = len({*like.repetitions}) == 1
        self._blocks_at_once = len(like.repetitions) if is_even else 1

    @property
    def shallow(self) -> ResnetConfig:
        """The network with one block in every stage, as wide as the config."""
        return self.config(_Size(len(self.like.repetitions), self.own.filters))

    def config(self, size: _Size) -> ResnetConfig:
        """The config of a size."""
        changes = self._of_width(size.filters)
        changes["repetitions"] = repetitions = _spread(size.blocks, self.like.repetitions)
        if widths := changes.get("widths"):
            changes["widths"] = tuple(
                tuple(stage[min(block, len(stage) - 1)] for block in range(blocks))
                for stage, blocks in zip(widths, repetitions, strict=True)
            )
        return obeyed(self.like.replace(**changes))

    def _cost(self, size: _Size) -> Cost:
        return cost_of_layers(make_plan(self.config(size)).layers)

    # Steps --------------------------------------------------------------------------------------

    def deeper(self, size: _Size) -> _Size:
        """One step deeper."""
        return size._replace(blocks=size.blocks + self._blocks_at_once)

    def wider(self, size: _Size) -> _Size:
        """One step wider: nine times the filters, at the latest, suit all groups."""
        return self._next_width(size, UNIT) or size

    def shallower(self, size: _Size) -> _Size | None:
        """One step shallower; None if every stage has one block."""
        blocks = size.blocks - self._blocks_at_once
        return size._replace(blocks=blocks) if blocks >= len(self.like.repetitions) else None

    def narrower(self, size: _Size) -> _Size | None:
        """One step narrower; None if there is no narrower network."""
        return self._next_width(size, -UNIT)

    def row(self, *steps: Callable[[_Size], _Size | None]) -> Iterator[_Size]:
        """The sizes from the config's own on, each a step after the one before it."""
        size: _Size | None = self.own
        while size:
            yield size
            nearest = [found for step in steps if (found := step(size))]
            size = min(nearest, key=self._distance, default=None)

    def _distance(self, size: _Size) -> float:
        """The larger of the exponents x of depth and width."""
        depth = log(size.blocks / self.own.blocks, DEPTH)
        return max(abs(depth), abs(log(size.filters / self.own.filters, WIDTH)))

    # Widths -------------------------------------------------------------------------------------

    def _next_width(self, size: _Size, step: int) -> _Size | None:
        """The next filters of the first stage that make another network; None if there are none."""
        now = self._plannable(size.filters)
        filters = size.filters + step
        while filters > 0:
            if self._plannable(filters) not in (None, now):
                return size._replace(filters=filters)
            filters += step
        return None

    def _shallow_of(self, filters: int) -> ResnetConfig | None:
        """The shallowest network of a width; None if groups do not divide its channels."""
        config = self.config(_Size(len(self.like.repetitions), filters))
        try:
            make_plan(config)
        except ValueError:
            return None
        return config

    def _of_width(self, filters: int) -> "Changes":
        """The fields of the config with other filters in the first stage."""
        like, scale = self.like, filters / self.own.filters
        if filters == self.own.filters:
            return {"widths": like.widths}
        changes: Changes = {"filters": filters, "widths": like.widths}
        if like.stem_filters and like.stem_filters >= 2 * self.own.filters:
            changes["stem_filters"] = _rounded(like.stem_filters * scale)
        if like.widths:
            changes["widths"] = tuple(
                tuple(tuple(max(1, round(conv * scale)) for conv in block) for block in stage)
                for stage in like.widths
            )
        if isinstance(like.filters, tuple):
            stages = [_rounded(of * scale) for of in like.filters]
            groups = [
                min(width or 1, of)
                for width, of in zip(like.stage_group_widths, stages, strict=True)
            ]
            changes["filters"] = tuple(
                width * max(1, round(of / width)) for width, of in zip(groups, stages, strict=True)
            )
            if tuple(groups) != like.stage_group_widths and like.group_width:
                changes["group_width"] = tuple(groups)
        return changes


def _rounded(filters: float) -> int:
    return max(UNIT, UNIT * round(filters / UNIT))


def _spread(blocks: int, shares: tuple[int, ...]) -> tuple[int, ...]:
    """Spread blocks over stages, at least one in each, in proportion to shares.

    The method of Webster: with one more block, no stage has fewer.
    """
    spread = [1] * len(shares)
    for _ in range(blocks - len(shares)):
        stage = max(range(len(shares)), key=lambda stage: shares[stage] / (spread[stage] + 0.5))
        spread[stage] += 1
    return tuple(spread)
