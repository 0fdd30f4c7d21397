"""A plan as a sketch for a picture. No Keras here."""

from collections.abc import Iterable

from ..common import words
from ..costs.profile import profile_plan
from ..plan.layers import (
    Block,
    BnRelu,
    ChannelPad,
    Classifier,
    Conv,
    Dropout,
    DropPath,
    GlobalPool,
    Part,
    Plan,
    Pool,
    SqueezeExcite,
)
from .sketch import ENTRY, Cell, Section, Sketch, Unit, UnitMaker, join, shortcut_role

BN = Cell("norm", "BN")


def sketch_plan(plan: Plan, name: str) -> Sketch:
    """What a picture of a plan shows; a unit for every block."""
    activation = Cell("activation", words.activation(plan.config.activation))
    counts = profile_plan(plan, name)
    units = [
        (_stem(plan, activation),),
        *(tuple(_block(block, activation) for block in stage.blocks) for stage in plan.stages),
        (_row(plan.head, activation),) if plan.head else (),
    ]
    sizes = [words.by(stage.blocks[-1].output_shape) for stage in plan.stages]
    sizes = [words.by(plan.stem[-1].output_shape), *sizes, *map(_head_size, plan.head[-1:])]
    sections = [
        Section(row.name, size, row.parameters, row.macs, of_section)
        for row, size, of_section in zip(counts.stages, sizes, units, strict=False)
    ]
    size = words.by(plan.config.input_shape)
    return Sketch(name, size, counts.parameters, counts.macs, tuple(sections))


def _head_size(last: Part) -> str:
    rows, columns, channels = last.output_shape
    return f"{channels} values" if (rows, columns) == (1, 1) else words.by(last.output_shape)


def _stem(plan: Plan, activation: Cell) -> Unit:
    image = UnitMaker()
    image.box([Cell("other", f"input {words.by(plan.config.input_shape)}")], [])
    return join([image.unit(), _row(plan.stem, activation)])


def _row(parts: Iterable[Part], activation: Cell) -> Unit:
    maker = UnitMaker()
    end = ENTRY
    for part in parts:
        end = maker.box(_cells(part, activation), [end])
    return maker.unit()


def _block(block: Block, activation: Cell) -> Unit:
    maker = UnitMaker()
    start = ENTRY
    if block.shared:
        start = maker.box(_cells(block.shared, activation), [start])
    end = shortcut = start
    *before, last = block.residual
    for part in before:
        end = maker.box(_cells(part, activation), [end])
    at_the_end = [activation] if block.ends_in_activation else []
    name = block.name.rpartition("_")[2]
    if block.shortcut is None:
        maker.box([*_cells(last, activation), *at_the_end], [end])
        return maker.unit(name)
    end = maker.box(_cells(last, activation), [end])
    beside = [tuple(_cells(part, activation)) for part in block.shortcut]
    role = shortcut_role(beside)
    for cells in beside:
        shortcut = maker.box(cells, [shortcut], role)
    total = maker.box([Cell("merge", "+"), *at_the_end], [end])
    maker.connect(shortcut, total, role)
    return maker.unit(name)


def _cells(part: Part, activation: Cell) -> list[Cell]:
    match part:
        case Conv():
            conv = Cell("conv", conv_words(part))
            return [{"conv": conv, "bn": BN, "relu": activation}[w] for w in part.unit.split("_")]
        case BnRelu():
            return [BN, activation]
        case Pool():
            noun = f"{words.by((part.pool_size,) * 2)} {part.kind} pool"
            return [Cell("pool", _with_strides(noun, part.strides))]
        case ChannelPad():
            return [Cell("pool", _with_strides(f"zeros up to {part.filters}", part.strides))]
        case SqueezeExcite():
            return [Cell("scale", f"squeeze-excite, {part.reduced}")]
        case DropPath():
            return [Cell("other", "drop path")]
        case GlobalPool():
            return [Cell("pool", f"global {part.kind} pool")]
        case Dropout():
            return [Cell("other", f"dropout, {part.rate}")]
        case Classifier():
            return _classifier(part)
    raise TypeError(f"no words for {part!r}")


def _with_strides(noun: str, strides: tuple[int, int]) -> str:
    return ", ".join([noun, *words.settings(strides=strides)])


def _classifier(part: Classifier) -> list[Cell]:
    dense = Cell("dense", f"dense, {part.classes}")
    if not part.activation:
        return [dense]
    return [dense, Cell("activation", words.activation(part.activation))]


def conv_words(conv: Conv) -> str:
    """Such as 3×3 conv, 64, stride 2."""
    settings = words.settings(groups=conv.groups, dilation=(conv.dilation,), strides=conv.strides)
    size = words.by((conv.kernel_size,) * 2)
    return ", ".join([f"{size} conv", str(conv.filters), *settings])
