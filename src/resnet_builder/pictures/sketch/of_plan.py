"""A plan as a sketch for a picture. No Keras."""

from collections.abc import Iterable

from ...common import words
from ...common.words import Description
from ...costs.profile import profile_plan
from ...plan.blocks import Block
from ...plan.draft import Unit as LayerUnit
from ...plan.network import Plan
from ...plan.words import describe
from .sketch import ENTRY, Cell, Section, Sketch, Unit
from .units import UnitMaker, join, shortcut_role


def sketch_plan(plan: Plan, name: str) -> Sketch:
    """Sketch a plan, with a unit for every block."""
    counts = profile_plan(plan, name)
    units = [
        (_stem(plan),),
        *(tuple(map(_block, stage.blocks)) for stage in plan.stages),
        (_row(plan.head),) if plan.head else (),
    ]
    lasts = [plan.stem[-1][-1], *(stage.blocks[-1].output for stage in plan.stages)]
    lasts += [unit[-1] for unit in plan.head[-1:]]
    sections = [
        Section(row.name, last.output_shape, row.parameters, row.macs, of_section)
        for row, last, of_section in zip(counts.stages, lasts, units, strict=False)
    ]
    return Sketch(name, (plan.image.output_shape,), counts.parameters, counts.macs, tuple(sections))


def _cells(unit: LayerUnit) -> list[Cell]:
    return list(map(Cell, describe(unit)))


def _stem(plan: Plan) -> Unit:
    image = UnitMaker()
    size = words.by(plan.image.output_shape)
    image.box([Cell(Description("other", f"input {size}"))], [])
    return join([image.unit(), _row(plan.stem)])


def _row(units: Iterable[LayerUnit]) -> Unit:
    maker = UnitMaker()
    end = ENTRY
    for unit in units:
        end = maker.box(_cells(unit), [end])
    return maker.unit()


def _block(block: Block) -> Unit:
    maker = UnitMaker()
    start = maker.box(_cells(block.shared), [ENTRY]) if block.shared else ENTRY
    end = shortcut = start
    *before, last = block.residual
    for unit in before:
        end = maker.box(_cells(unit), [end])
    name = block.spec.place.in_stage
    if block.shortcut is None:
        maker.box([*_cells(last), *_cells(block.end)], [end])
        return maker.unit(name)
    end = maker.box(_cells(last), [end])
    beside = [tuple(_cells(unit)) for unit in block.shortcut]
    role = shortcut_role(beside)
    for cells in beside:
        shortcut = maker.box(cells, [shortcut], role)
    total = maker.box(_cells(block.end), [end])
    maker.connect(shortcut, total, role)
    return maker.unit(name)
