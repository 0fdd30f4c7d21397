"""profile: parameters, multiply-adds and Table 1 of a network. Imports Keras only for models."""

from collections import Counter
from collections.abc import Iterable
from itertools import chain
from typing import TYPE_CHECKING, Any, NamedTuple

from ..common.shapes import Shape, known_product
from ..config import ResnetConfig
from ..plan.draft import Unit
from ..plan.layers import Layer
from ..plan.network import Plan, Stage, make_plan
from ..plan.words import describe
from ..presets import resolve
from .report import Profile, StageProfile, known_sum

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
    are counted; layers that are not counted are listed in `uncounted`.

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
    if not isinstance(source, str | ResnetConfig):
        from .models import profile_model

        return profile_model(source, input_shape, classes)
    named = resolve(source, input_shape, classes)
    plan = make_plan(named.config)
    if not plan.is_known:
        from ..model.assemble import model_of
        from .models import profile_model

        return profile_model(model_of(plan, named.name))
    return profile_plan(plan, named.name)


def profile_plan(plan: Plan, name: str) -> Profile:
    """The profile of a plan, under a name."""
    costs = {
        "stem": _cost(chain.from_iterable(plan.stem)),
        **{stage.name: _stage_cost(stage) for stage in plan.stages},
        "head": _cost(chain.from_iterable(plan.head)),
    }
    rows = [_row("stem", costs["stem"], plan.stem)]
    for stage in plan.stages:
        units = stage.blocks[-1].residual
        rows.append(_row(stage.name, costs[stage.name], units, len(stage.blocks)))
    rows.append(_row("head", costs["head"], plan.head))
    parameters = sum(row.parameters for row in rows)
    return Profile(
        name=name,
        input_shape=plan.config.input_shape,
        parameters=parameters,
        total_parameters=parameters + sum(cost.statistics for cost in costs.values()),
        macs=known_sum(row.macs for row in rows),
        stages=tuple(rows),
    )


class Counts(NamedTuple):
    """The cost of some layers."""

    parameters: int
    statistics: int
    macs: int | None


def _cost(layers: Iterable[Layer]) -> Counts:
    layers = list(layers)
    return Counts(
        sum(layer.parameters for layer in layers),
        sum(layer.statistics for layer in layers),
        known_sum(layer.macs for layer in layers),
    )


def _stage_cost(stage: Stage) -> Counts:
    """The cost of a stage; blocks of one kind are counted once, as a stage may have hundreds."""
    counts = Counter(block.kind for block in stage.blocks)
    firsts = {block.kind: block for block in reversed(stage.blocks)}
    costs = [(_cost(block.layers), counts[kind]) for kind, block in firsts.items()]
    return Counts(
        sum(cost.parameters * count for cost, count in costs),
        sum(cost.statistics * count for cost, count in costs),
        known_sum(known_product(cost.macs, count) for cost, count in costs),
    )


def _row(name: str, cost: Counts, units: tuple[Unit, ...], repeats: int = 1) -> StageProfile:
    lines = (described.row for unit in units for described in describe(unit) if described.in_table)
    return StageProfile(
        name=name,
        output_size=_size(units[-1][-1].output_shape) if units else (None, None),
        block=tuple(lines),
        repeats=repeats,
        parameters=cost.parameters,
        macs=cost.macs,
    )


def _size(shape: Shape) -> tuple[int | None, int | None]:
    return (shape[0], shape[1]) if len(shape) == 3 else (1, 1)
