"""profile: parameters, multiply-adds and Table 1 of a network. Imports Keras only for models."""

from collections.abc import Iterable, Sequence
from itertools import chain
from typing import TYPE_CHECKING, Any, NamedTuple

from ..config import ResnetConfig
from ..plan.draft import Unit
from ..plan.layers import Layer
from ..plan.network import Plan, Stage, make_plan
from ..plan.words import describe
from ..presets import resolve
from .cost import Cost, total_cost
from .report import Profile, StageProfile

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
        source: a preset's name, a `ResnetConfig`, or a Keras model.
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
    # The further blocks of a stage are like its second.
    short = [min(blocks, 2) for blocks in named.config.repetitions]
    plan = make_plan(named.config.replace(repetitions=short))
    if plan.is_known:
        return profile_plan(plan, named.name, named.config.repetitions)
    from ..model.assemble import model_of
    from .models import profile_model

    return profile_model(model_of(make_plan(named.config), named.name))


def profile_plan(plan: Plan, name: str, repetitions: Sequence[int] | None = None) -> Profile:
    """The profile of a plan, under a name.

    Args:
        plan: the plan, with at least the first two blocks of every stage.
        name: the name.
        repetitions: blocks per stage. Default: the plan's.
    """
    stages = zip(plan.stages, repetitions or plan.config.repetitions, strict=True)
    parts = [
        _Part("stem", _cost(chain.from_iterable(plan.stem)), plan.stem),
        *(_stage(stage, repeats) for stage, repeats in stages),
        _Part("head", _cost(chain.from_iterable(plan.head)), plan.head),
    ]
    total = total_cost(part.cost for part in parts)
    return Profile(
        name=name,
        input_shape=plan.config.input_shape,
        parameters=total.parameters,
        total_parameters=total.parameters + total.statistics,
        macs=total.macs,
        stages=tuple(part.row for part in parts),
    )


class _Part(NamedTuple):
    """The stem, a stage or the head; `units` are the layers to list, which are repeated."""

    name: str
    cost: Cost
    units: tuple[Unit, ...]
    repeats: int = 1

    @property
    def row(self) -> StageProfile:
        described = (line for unit in self.units for line in describe(unit))
        return StageProfile(
            name=self.name,
            output_size=_output_size(self.units),
            block=tuple(line.row for line in described if line.in_table),
            repeats=self.repeats,
            parameters=self.cost.parameters,
            macs=self.cost.macs,
        )


def _stage(stage: Stage, repeats: int) -> _Part:
    first, last = stage.blocks[0], stage.blocks[-1]
    cost = total_cost([_cost(first.layers), *[_cost(last.layers)] * (repeats - 1)])
    return _Part(stage.name, cost, last.residual, repeats)


def _cost(layers: Iterable[Layer]) -> Cost:
    return total_cost(Cost(layer.parameters, layer.statistics, layer.macs) for layer in layers)


def _output_size(units: tuple[Unit, ...]) -> tuple[int | None, int | None]:
    """The size after the last unit; the output of the residual branch has that of the block."""
    if not units:
        return None, None
    shape = units[-1][-1].output_shape
    return (shape[0], shape[1]) if len(shape) == 3 else (1, 1)
