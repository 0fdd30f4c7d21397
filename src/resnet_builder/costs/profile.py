"""profile and path_lengths: what is counted in a plan. Keras is imported for models only."""

import csv
from collections import Counter
from collections.abc import Container, Iterable, Iterator
from dataclasses import dataclass, replace
from functools import cache
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from ..common.checks import positive_int
from ..common.shapes import known_sum
from ..common.tables import Stack, Table, TableCell, Tabular
from ..common.words import INTERFACE, by, short
from ..config import ResnetConfig
from ..plan.describe import describe
from ..plan.draft import Unit
from ..plan.layers import Layer
from ..plan.network import Plan, make_plan
from ..presets.resolve import Named, resolve
from .activations import FLOAT32, NO_VIEW, View, activation_memory, views

if TYPE_CHECKING:
    import keras

# The costs of the presets, which `tools/counts.py` writes.
LISTED = Path(__file__).with_name("counts.csv")


@dataclass(frozen=True)
class StageProfile:
    """One row of Table 1.

    Attributes:
        name: name of the stage, such as `"stage2"`.
        output_size: (rows, columns) after it; None if unknown or not an image.
        block: its layers, a line each.
        repeats: number of repetitions of the block.
        parameters: trained weights.
        macs: multiply-adds for one image.
        total_parameters: all weights, including those that are not trained.
        stride: pixels of the image between neighbours of its output; None for a vector, or if
            unknown.
        receptive_field: rows, and columns, of the image that a pixel of its output sees through
            convolutions and pools (Araujo, Norris and Sim 2019,
            https://distill.pub/2019/computing-receptive-fields/), which may be more than there are.
            The means of channel attention and of group norm, over the whole map, are left out. None
            for a vector, or if unknown. Within a model, both are relative to the input of the
            network of this package.

    Example:
        >>> from resnet_builder import profile
        >>> row = profile("resnet34").stages[1]
        >>> row.name, row.output_size, row.block, row.repeats
        ('stage1', (56, 56), ('3x3, 64', '3x3, 64'), 3)
        >>> row.stride, row.receptive_field
        (4, 59)
    """

    name: str
    output_size: tuple[int | None, int | None] | None
    block: tuple[str, ...]
    repeats: int
    parameters: int
    macs: int | None
    total_parameters: int
    stride: int | None = None
    receptive_field: int | None = None


@dataclass(frozen=True)
class Profile(Tabular):
    """Parameter and multiply-add counts, in total and per stage; prints as the paper's Table 1.

    Attributes:
        name: name of the preset or model.
        input_shape: (rows, columns, channels), or a model's own input shape.
        parameters: trained weights, as PyTorch counts them.
        total_parameters: all weights, including batch norm's moving statistics and others that are
            not trained: `model.count_params()`.
        macs: multiply-adds of convolutions and dense layers for one image, called FLOPs in papers.
            None if the size of the image is unknown.
        stages: the rows of the table; of a Keras model that contains networks of this package,
            their stages, the parts of a task's decoder, and sections by size for the other layers.
        uncounted: layers of a Keras model that hold matrices, but are not counted because their
            multiply-adds are unknown.
        inference_memory: bytes of the activations of one image in float32 that are held at once, at
            most: each from the layer that makes it to the last that reads it. Norms, activations,
            sums and products write over an input that nothing else reads, as in compiled code.
            Memory that a convolution needs to compute is not included. None for a Keras model, or
            if the size of the image is unknown.
        training_memory: bytes of the activations of one image in float32 that the backward pass
            needs: inputs of convolutions, dense layers, norms and products, and outputs of
            activations and max pools, each tensor once. Weights, gradients and the optimiser's
            state are not included. None likewise.

    Example:
        >>> from resnet_builder import profile
        >>> counts = profile("resnet34")
        >>> [(row.name, row.repeats) for row in counts.stages[1:-1]]
        [('stage1', 3), ('stage2', 4), ('stage3', 6), ('stage4', 3)]
        >>> counts.file_size, counts.training_memory, counts.inference_memory
        (87258784, 35441488, 6422528)
    """

    name: str
    input_shape: tuple[int | None, ...]
    parameters: int
    total_parameters: int
    macs: int | None
    stages: tuple[StageProfile, ...]
    uncounted: tuple[str, ...] = ()
    inference_memory: int | None = None
    training_memory: int | None = None

    @property
    def file_size(self) -> int:
        """Bytes of all weights in float32.

        A file has the names as well: some 100 bytes for each weight in .safetensors, and 2 kB in
        .weights.h5.
        """
        return FLOAT32 * self.total_parameters

    def details(self, batch_size: int = 1) -> "Details":
        """Strides and receptive fields, the file's size, and the memory of activations.

        Args:
            batch_size: number of images.

        Returns:
            What prints as a table.
        """
        return Details(self, positive_int(batch_size, INTERFACE.get().name("batch_size")))

    def table(self) -> Table:
        """The rows of Table 1 and the total."""
        rows: list[tuple[TableCell, ...]] = []
        for row in self.stages:
            size, block = by(row.output_size or (), "x"), Stack(row.block, row.repeats)
            rows.append((row.name, size, block, row.parameters, row.macs))
        total = ("total", "", "", self.parameters, self.macs)
        notes = []
        if self.total_parameters != self.parameters:
            fixed = self.total_parameters - self.parameters
            notes.append(f"{self.total_parameters:,} parameters in all; {fixed:,} are not trained")
        if self.uncounted:
            notes.append(f"multiply-adds not counted: {', '.join(self.uncounted)}")
        return Table(
            title=f"{self.name}, {by(self.input_shape, 'x')}",
            header=("stage", "output", "layers", "parameters", "multiply-adds"),
            rows=(*rows, total),
            note="\n".join(notes),
            kinds=(*[""] * len(rows), "total"),
        )


@dataclass(frozen=True)
class Details(Tabular):
    """What Table 1 does not show of a `Profile`, for some images; prints as a table.

    Attributes:
        profile: the counts.
        batch_size: number of images.

    Example:
        >>> from resnet_builder import profile
        >>> print(profile("resnet34").details(batch_size=32))
        resnet34, 224x224x3, in float32
        stage    output      stride    receptive field
        -------  --------  --------  -----------------
        stem     56x56            4                 11
        stage1   56x56            4                 59
        stage2   28x28            8                179
        stage3   14x14           16                547
        stage4   7x7             32                899
        head     1x1
        87.3 MB of weights in a file
        activations of 32 images: 206 MB at once in inference, 1.13 GB kept for a backward pass
    """

    profile: Profile
    batch_size: int

    def table(self) -> Table:
        """A row for every stage, and the sizes of the file and of activations below."""
        of, images = self.profile, self.batch_size
        rows = tuple(
            (row.name, by(row.output_size or (), "x"), row.stride or "", row.receptive_field or "")
            for row in of.stages
        )
        notes = [f"{short(of.file_size)}B of weights in a file"]
        if of.inference_memory is not None and of.training_memory is not None:
            inference, training = (
                f"{short(size * images)}B" for size in (of.inference_memory, of.training_memory)
            )
            noun = "image" if images == 1 else "images"
            notes.append(
                f"activations of {images:,} {noun}: {inference} at once in inference, {training} "
                "kept for a backward pass"
            )
        else:
            sources = "images of unknown size" if None in of.input_shape else "Keras models"
            notes.append(f"memory of activations: unknown for {sources}")
        return Table(
            title=f"{of.name}, {by(of.input_shape, 'x')}, in float32",
            header=("stage", "output", "stride", "receptive field"),
            rows=rows,
            note="\n".join(notes),
        )


def profile(
    source: "str | ResnetConfig | keras.Model",
    input_shape: Any = None,
    classes: int | None = None,
) -> Profile:
    """Count a network's parameters and multiply-adds, stage by stage.

    Presets and configs are counted from their plan, without Keras. In a functional or sequential
    Keras model, convolutions of every kind, dense and einsum-dense layers and multi-head attention
    are counted; layers that are not counted are listed in `uncounted`. In a model that contains
    networks of this package, the layers of a network are in its stages, the decoders of `unet`,
    `fpn` and `deeplab` in rows by the names of their layers, such as `decoder_block1`, and the
    others in rows by the size of their output. That also holds for the only network that is a layer
    of the model, as in `Sequential([base, ...])`. The stages of a network that was built in this
    process have the rows of its config.

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
    if isinstance(source, str | ResnetConfig | Named):
        named = resolve(source, input_shape, classes)
        plan = make_plan(named.config, output_stride=named.output_stride)
        if plan.is_known:
            return profile_plan(plan, named.name)
        from ..model.assemble import model_of

        source, input_shape, classes = model_of(plan, named.name), None, None
    from .models import profile_model

    return profile_model(source, input_shape, classes)


def profile_plan(plan: Plan, name: str) -> Profile:
    """The profile of a plan, under a name."""
    rows = [(row, cost_of_layers(row.layers)) for row in planned_rows(plan)]
    stages = tuple(
        StageProfile(row.name, row.output_size, row.lines, row.repeats, *cost[:3], *row.view)
        for row, cost in rows
    )
    total = total_cost(cost for _, cost in rows)
    memory = activation_memory(plan)
    return Profile(
        name,
        plan.config.input_shape,
        stages=stages,
        **total._asdict(),
        inference_memory=memory.inference,
        training_memory=memory.training,
    )


# Costs ------------------------------------------------------------------------------------------


class Cost(NamedTuple):
    """The cost of a layer, or of several, in the words of `Profile`."""

    parameters: int = 0
    macs: int | None = 0
    total_parameters: int = 0
    uncounted: tuple[str, ...] = ()


def total_cost(costs: Iterable[Cost]) -> Cost:
    """The sum of costs."""
    costs = list(costs)
    return Cost(
        sum(cost.parameters for cost in costs),
        known_sum(cost.macs for cost in costs),
        sum(cost.total_parameters for cost in costs),
        tuple(dict.fromkeys(chain.from_iterable(cost.uncounted for cost in costs))),
    )


@cache
def cost_of(config: ResnetConfig) -> Cost:
    """The cost of a whole network, without the words of its table."""
    return cost_of_layers(make_plan(config).layers)


def cost_of_layers(layers: Iterable[Layer]) -> Cost:
    """The cost of layers of a plan."""
    counts = ((*layer.counts, layer.macs) for layer in layers)
    return total_cost(Cost(trained, macs, trained + fixed) for trained, fixed, macs in counts)


@cache
def listed_costs() -> dict[str, Cost]:
    """The costs of the presets, from `LISTED`: planning all of them takes a second."""
    with LISTED.open(encoding="utf-8", newline="") as file:
        _, *rows = csv.reader(file)
    counts = {name: map(int, cells) for name, *cells in rows}
    return {name: Cost(own, macs, every) for name, (own, macs, every) in counts.items()}


# Rows -------------------------------------------------------------------------------------------


class PlannedRow(NamedTuple):
    """A row of Table 1.

    Attributes:
        lines: its lines.
        repeats: how often they are repeated.
        layers: the layers it is about.
        view: what the last of them sees.
    """

    name: str
    lines: tuple[str, ...]
    repeats: int
    layers: tuple[Layer, ...]
    view: View

    @property
    def output_size(self) -> tuple[int | None, int | None]:
        """Rows and columns after the last layer; (1, 1) for a vector."""
        if not self.layers:
            return None, None
        shape = self.layers[-1].output_shape
        return (shape[0], shape[1]) if len(shape) == 3 else (1, 1)


def planned_rows(plan: Plan, names: Container[str] | None = None) -> Iterator[PlannedRow]:
    """The rows of the stem, the stages and the head of a plan.

    Args:
        plan: plan of the network.
        names: names of the layers that a model has, which may be a part of the network: whole
            blocks, and units of stem and head. Default: all.
    """

    seen = views(plan)

    def has(layer: Layer) -> bool:
        return names is None or layer.name in names

    def row(name: str, lines: tuple[str, ...], repeats: int, of: Iterable[Layer]) -> PlannedRow:
        layers = tuple(of)
        view = seen[layers[-1].name] if layers else NO_VIEW
        return PlannedRow(name, lines, repeats, layers, view)

    stem, head = (
        [unit for unit in units if any(map(has, unit))] for units in (plan.stem, plan.head)
    )
    yield row("stem", _lines([stem]), 1, chain.from_iterable(stem))
    for stage in plan.stages:
        if blocks := [block for block in stage.blocks if has(block.output)]:
            # One that does not stride, if there is one, with the filters of all.
            lines = _lines(block.residual for block in [*blocks, blocks[len(blocks) // 2]])
            layers = chain.from_iterable(block.layers for block in blocks)
            yield row(stage.name, lines, len(blocks), layers)
    yield row("head", _lines([head]), 1, chain.from_iterable(head))


def _lines(blocks: Iterable[Iterable[Unit]]) -> tuple[str, ...]:
    """The lines of the last of some blocks, with the range of filters of those like it."""
    in_table = [
        [line for unit in units for line in describe(unit) if line.in_table] for units in blocks
    ]
    alike = [lines for lines in in_table if len(lines) == len(in_table[-1])]
    return tuple(
        replace(line, count=_range_of({line.count, *(other.count for other in others)})).row
        for *others, line in zip(*alike, strict=True)
    )


def _range_of(counts: set[str]) -> str:
    """The counts of one layer in several blocks: one number, or the least and the largest."""
    if len(counts) == 1:
        return counts.pop()
    return f"{min(counts, key=int)}-{max(counts, key=int)}"


def path_lengths(source: str | ResnetConfig) -> dict[int, int]:
    """Count the paths of each length from the input to the output of a network.

    At every block with a shortcut, also a projection, a path takes either the residual branch or
    the shortcut: n such blocks make 2^n paths, of which n over k take k branches (Veit, Wilber and
    Belongie 2016, arXiv:1605.06431, section 3). A block without a shortcut is on every path: a
    plain network is a single path, with the number of its blocks as length.

    Args:
        source: a preset's name or a `ResnetConfig`.

    Returns:
        The number of paths, as an exact int, by length: the number of residual branches on the
        path; shortest first.

    Raises:
        TypeError: neither a name nor a config.
        ValueError: an unknown name, or a network of custom blocks, with unknown layers.

    Example:
        >>> path_lengths("resnet18")
        {0: 1, 1: 8, 2: 28, 3: 56, 4: 70, 5: 56, 6: 28, 7: 8, 8: 1}
        >>> path_lengths("plain18")
        {8: 1}
    """
    plan = make_plan(resolve(source).config)
    if not plan.is_known:
        raise ValueError(f"the paths inside a custom block are unknown: {plan.config.block!r}")
    counts = Counter({0: 1})
    for stage in plan.stages:
        for block in stage.blocks:
            longer = Counter({length + 1: count for length, count in counts.items()})
            counts = longer if block.shortcut is None else counts + longer
    return dict(sorted(counts.items()))
