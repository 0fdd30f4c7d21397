"""A plan as a sketch for a picture. No Keras."""

from collections.abc import Iterable

from ...common import words
from ...common.words import Description
from ...costs.profile import profile_plan
from ...plan.blocks import Block
from ...plan.describe import describe
from ...plan.draft import Unit
from ...plan.network import Plan
from .panels import PanelMaker, join, shortcut_role
from .sketch import ENTRY, Cell, Panel, Section, Sketch


def sketch_plan(plan: Plan, name: str) -> Sketch:
    """Sketch a plan, with a panel for every block."""
    counts = profile_plan(plan, name)
    panels = [
        (_stem_panel(plan),),
        *(tuple(map(_block_panel, stage.blocks)) for stage in plan.stages),
        (_chain_panel(plan.head),) if plan.head else (),
    ]
    lasts = [plan.stem[-1][-1], *(stage.blocks[-1].output for stage in plan.stages)]
    lasts += [unit[-1] for unit in plan.head[-1:]]
    sections = [
        Section(row.name, (last.output_shape,), row.parameters, row.macs, of_section)
        for row, last, of_section in zip(counts.stages, lasts, panels, strict=False)
    ]
    return Sketch(name, (plan.image.output_shape,), counts.parameters, counts.macs, tuple(sections))


def _unit_cells(unit: Unit) -> list[Cell]:
    return list(map(Cell, describe(unit)))


def _add_unit(maker: PanelMaker, unit: Unit, source: int, role: str = "") -> int:
    return maker.box(_unit_cells(unit), [source], role, layers=unit)


def _stem_panel(plan: Plan) -> Panel:
    image = PanelMaker()
    size = words.by(plan.image.output_shape)
    image.box([Cell(Description("other", f"input {size}"))], [], layers=[plan.image])
    return join([image.panel(), _chain_panel(plan.stem)])


def _chain_panel(units: Iterable[Unit]) -> Panel:
    maker = PanelMaker()
    end = ENTRY
    for unit in units:
        end = _add_unit(maker, unit, end)
    return maker.panel()


def _block_panel(block: Block) -> Panel:
    maker = PanelMaker()
    start = _add_unit(maker, block.shared, ENTRY) if block.shared else ENTRY
    end = shortcut = start
    *before, last = block.residual
    for unit in before:
        end = _add_unit(maker, unit, end)
    name = block.spec.place.in_stage
    if block.shortcut is None:
        cells = [*_unit_cells(last), *_unit_cells(block.end)]
        maker.box(cells, [end], layers=[*last, *block.end])
        return maker.panel(name)
    end = _add_unit(maker, last, end)
    role = shortcut_role(tuple(_unit_cells(unit)) for unit in block.shortcut)
    for unit in block.shortcut:
        shortcut = _add_unit(maker, unit, shortcut, role)
    total = _add_unit(maker, block.end, end)
    maker.connect(shortcut, total, role)
    return maker.panel(name)
