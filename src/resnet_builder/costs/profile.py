"""profile: parameters, multiply-adds and Table 1 of a network. Imports Keras only for models."""

from collections.abc import Container, Iterable, Sequence
from dataclasses import replace
from functools import lru_cache
from itertools import chain
from typing import TYPE_CHECKING, Any, NamedTuple

from ..common.shapes import known_sum
from ..common.words import Description
from ..config import ResnetConfig
from ..plan.describe import describe
from ..plan.draft import Unit
from ..plan.layers import Layer
from ..plan.network import Plan, Stage, make_plan
from ..presets.resolve import Named, resolve
from .counts import Cost, Profile, StageProfile, total_cost

if TYPE_CHECKING:
    import keras


def profile(
    source: "str | ResnetConfig | keras.Model",
    input_shape: Any = None,
    classes: int | None = None,
) -> Profile:
    """Count a network's parameters and multiply-adds, stage by stage.

    Presets and configs are counted from their plan, without Keras. In a functional or sequential
    Keras model, convolutions of every kind, dense and einsum-dense layers and multi-head attention
    are counted; layers that are not counted are listed in `uncounted`. In a model that contains
    networks of this package, such as a U-Net upon feature maps, the layers of a network are in its
    stages, and the others in rows by the size of their output. That also holds for the only network
    that is a layer of the model, as in `Sequential([base, ...])`. The stages of a network that was
    built in this process have the rows of its config.

    Args:
        source: a name of `list_presets()` or `list_weights()`, a `ResnetConfig`, or a Keras model.
        input_shape: (rows, columns, channels), or for a model its own order of axes. Default: the
            source's own.
        classes: number of classes of a preset or config. Default: its own.

    Returns:
        The counts, which print as a table.

    Raises:
        TypeError: a source of another type; `classes` with a model.
        ValueError: an unknown name; a model without a graph.

    Example:
        >>> counts = profile("resnet50")
        >>> counts.parameters, counts.macs
        (25557032, 4089184256)
        >>> print(profile("resnet20_cifar"))
        resnet20_cifar, 32x32x3
        stage    output    layers              parameters    multiply-adds
        -------  --------  ----------------  ------------  ---------------
        stem     32x32     3x3, 16                    464          442,368
        stage1   32x32     ⎡3x3, 16⎤ x 3           14,016       14,155,776
                           ⎣3x3, 16⎦
        stage2   16x16     ⎡3x3, 32⎤ x 3           51,072       12,976,128
                           ⎣3x3, 32⎦
        stage3   8x8       ⎡3x3, 64⎤ x 3          203,520       12,976,128
                           ⎣3x3, 64⎦
        head     1x1       average pool               650              640
                           10-d fc, softmax
        total                                     269,722       40,551,040
        271,098 parameters in all; 1,376 are not trained
    """
    if not isinstance(source, str | ResnetConfig | Named):
        from .models import profile_model

        return profile_model(source, input_shape, classes)
    named = resolve(source, input_shape, classes)
    name, config = named.name, named.config
    if config.has_custom_block:
        from ..model.assemble import model_of
        from .models import profile_model

        return profile_model(model_of(make_plan(config), name))
    if named.output_stride:
        return profile_plan(make_plan(config, output_stride=named.output_stride), name)
    return _profile(_parts_of(_shortened(config)), config, name)


def cost_of(config: ResnetConfig) -> Cost:
    """The cost of a whole network, without the words of its table."""
    return total_cost(_costs_of_parts(_parts_of(_shortened(config)), config))


def profile_plan(plan: Plan, name: str) -> Profile:
    """The profile of a plan, under a name."""
    return _profile(_parts(plan), plan.config, name)


class PlannedRow(NamedTuple):
    """The lines and the repeats of a row, and the names of the layers that it is about."""

    lines: tuple[str, ...]
    repeats: int
    layers: frozenset[str]


def planned_rows(plan: Plan, names: Container[str]) -> dict[str, PlannedRow]:
    """The rows of the parts of a plan that a model has: whole blocks, and units of stem and head.

    Args:
        plan: plan of the network.
        names: names of the layers that the model has.
    """
    rows = {}
    for name, units in (("stem", plan.stem), ("head", plan.head)):
        present = tuple(unit for unit in units if any(layer.name in names for layer in unit))
        rows[name] = _planned_row(_Part(name, present, Cost()), chain.from_iterable(present))
    for stage in plan.stages:
        blocks = tuple(block for block in stage.blocks if block.output.name in names)
        if blocks:
            whole = replace(stage, blocks=blocks)
            part = _stage_part(whole, bool(plan.config.widths))
            rows[stage.name] = _planned_row(part, whole.layers, len(blocks))
    return rows


def _planned_row(part: "_Part", layers: Iterable[Layer], repeats: int = 1) -> PlannedRow:
    return PlannedRow(part.lines, repeats, frozenset(layer.name for layer in layers))


def _shortened(config: ResnetConfig) -> ResnetConfig:
    """The config without the blocks of a stage that are like another of its blocks."""
    if config.widths:  # every block has its own
        return config
    different = 3 if config.stride_in_last_block else 2
    return config.replace(repetitions=[min(blocks, different) for blocks in config.repetitions])


class _Part(NamedTuple):
    """The stem, a stage or the head: the units of its row of Table 1, and its cost.

    `cost` is that of the planned blocks, `further` that of each block beyond their number.
    `described` are the units that the row describes: those of a block that does not stride where
    a stage has one, or those of all blocks where their filters differ.
    """

    name: str
    units: tuple[Unit, ...]
    cost: Cost
    planned: int = 1
    further: Cost = Cost()
    described: tuple[tuple[Unit, ...], ...] = ()

    def cost_of(self, blocks: int) -> Cost:
        return total_cost([self.cost, *[self.further] * (blocks - self.planned)])

    @property
    def lines(self) -> tuple[str, ...]:
        *others, rows = map(_lines_in_table, self.described or [self.units])
        alike = [rows, *(other for other in others if len(other) == len(rows))]
        return tuple(
            replace(line, count=_range_of(other[number].count for other in alike)).row
            for number, line in enumerate(rows)
        )

    @property
    def output_size(self) -> tuple[int | None, int | None]:
        """The size after the last unit; the output of a residual branch has that of its block."""
        if not self.units:
            return None, None
        shape = self.units[-1][-1].output_shape
        return (shape[0], shape[1]) if len(shape) == 3 else (1, 1)


def _lines_in_table(units: Iterable[Unit]) -> list[Description]:
    return [line for unit in units for line in describe(unit) if line.in_table]


def _range_of(counts: Iterable[str]) -> str:
    """The counts of one layer in all blocks: one number, or the least and the largest."""
    different = set(counts)
    if len(different) == 1:
        return different.pop()
    return f"{min(different, key=int)}-{max(different, key=int)}"


def _repeats_of_parts(config: ResnetConfig) -> tuple[int, ...]:
    return (1, *config.repetitions, 1)


def _costs_of_parts(parts: Sequence[_Part], config: ResnetConfig) -> list[Cost]:
    return [part.cost_of(n) for part, n in zip(parts, _repeats_of_parts(config), strict=True)]


def _profile(parts: Sequence[_Part], config: ResnetConfig, name: str) -> Profile:
    costs = _costs_of_parts(parts, config)
    total = total_cost(costs)
    rows = (
        StageProfile(
            part.name,
            part.output_size,
            part.lines,
            blocks,
            cost.parameters,
            cost.macs,
            cost.total_parameters,
        )
        for part, blocks, cost in zip(parts, _repeats_of_parts(config), costs, strict=True)
    )
    return Profile(
        name=name,
        input_shape=config.input_shape,
        parameters=total.parameters,
        total_parameters=total.total_parameters,
        macs=total.macs,
        stages=tuple(rows),
    )


@lru_cache(maxsize=128)
def _parts_of(config: ResnetConfig) -> tuple[_Part, ...]:
    """The parts of a network, cached for networks that differ in depth only."""
    return _parts(make_plan(config))


def _parts(plan: Plan) -> tuple[_Part, ...]:
    return (
        _Part("stem", plan.stem, _cost(chain.from_iterable(plan.stem))),
        *(_stage_part(stage, bool(plan.config.widths)) for stage in plan.stages),
        _Part("head", plan.head, _cost(chain.from_iterable(plan.head))),
    )


def _stage_part(stage: Stage, blocks_differ: bool) -> _Part:
    blocks = stage.blocks
    middle = blocks[len(blocks) // 2]
    described = tuple(block.residual for block in (blocks if blocks_differ else [middle]))
    further = _cost(middle.layers)
    return _Part(
        stage.name, blocks[-1].residual, _cost(stage.layers), len(blocks), further, described
    )


def _cost(layers: Iterable[Layer]) -> Cost:
    layers = list(layers)
    counts = [layer.counts for layer in layers]
    macs = known_sum(layer.macs for layer in layers)
    return Cost(sum(trained for trained, _ in counts), sum(fixed for _, fixed in counts), macs)
