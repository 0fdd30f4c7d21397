"""Pages: boxes do not overlap, and lines cross only the boxes that they connect."""

import random
from collections.abc import Callable
from functools import cache, partial
from itertools import accumulate, combinations, pairwise
from typing import Any

import keras
import pytest

from resnet_builder import PRESETS, ResnetBuilder, deeplab
from resnet_builder.common.words import Description
from resnet_builder.pictures.page.page import Frame, Page
from resnet_builder.pictures.sketch.panels import sketch_plan
from resnet_builder.pictures.sketch.sketch import ENTRY, Cell, Port, Section, Sketch
from resnet_builder.pictures.sketch.transforms import folded, mark_differences
from resnet_builder.pictures.style import GAP
from resnet_builder.plan.network import make_plan
from resnet_builder.presets.resolve import resolve

from ...helpers import DIFFERENT, cases
from ...models import JOINED
from ..edges import (
    Area,
    checked_drawing,
    checked_fold,
    checked_page,
    checked_sketch,
    page_boxes,
)
from ..panel_maker import PanelMaker


def planned(name: str) -> Sketch:
    return sketch_plan(make_plan(resolve(name).config), name)


def of_preset(name: str) -> Page:
    return checked_page([folded(planned(name))])


@cache
def sketch_of(name: str) -> Sketch:
    return checked_sketch(JOINED[name]())


def of_model(name: str, direction: str = "TB") -> Page:
    return checked_page([checked_fold(sketch_of(name))], direction)


def unfolded(name: str, direction: str) -> Page:
    return checked_page([sketch_of(name)], direction, in_one_column=True)


def lanes_of(page: Page) -> list[Frame]:
    return [frame for frame in page.frames if frame.kind == "lane"]


FEATURES = ("stage1", "stage3")


def tangled() -> keras.Model:
    """Branches of branches, as in the last blocks of Inception v3."""
    image = keras.Input((8, 8, 4))
    conv = keras.layers.Conv2D
    left, right = conv(8, 1)(image), conv(8, 3, padding="same")(conv(4, 1)(image))
    splits = [conv(4, size, padding="same")(side) for side in (left, right) for size in (1, 3, 5)]
    joined = keras.layers.Concatenate()(splits[:3])
    return keras.Model(image, keras.layers.Concatenate()([joined, *splits[3:], image]))


def split_attention() -> keras.Model:
    """A line past the attention inside a block, within the projection past the block."""
    small: dict[str, Any] = {"repetitions": (1, 1), "filters": 8, "include_top": False}
    return ResnetBuilder.from_preset("resnest50d", (64, 64, 3), **small)


def atrous() -> keras.Model:
    """Five branches side by side, wider than two blocks of a stage."""
    return deeplab("resnet18", (64, 64, 3), 3, repetitions=(1, 2, 1, 1), filters=8)


PAGES: dict[str, Callable[[], Page]] = {
    "wide": lambda: checked_page([checked_fold(checked_sketch(atrous()))]),
    **{name: partial(of_preset, name) for name in PRESETS},
    "left to right": lambda: checked_page([folded(planned("resnet50d"))], "LR"),
    "unfolded": lambda: checked_page([planned("resnet34")], in_one_column=True),
    "pre-activated, unfolded": lambda: checked_page([planned("resnetv2_50")], in_one_column=True),
    "splits": lambda: checked_page([checked_fold(checked_sketch(split_attention()))]),
    "tangled": lambda: checked_page([folded(checked_sketch(tangled()))]),
    "features": lambda: checked_page(
        [checked_fold(checked_sketch(ResnetBuilder.from_preset("resnet18", features=FEATURES)))]
    ),
    **{name: partial(of_model, name) for name in JOINED},
    **{f"{name}, left to right": partial(of_model, name, "LR") for name in JOINED},
    **{f"{name}, unfolded": partial(unfolded, name, "TB") for name in JOINED},
    **{f"{name}, unfolded to the right": partial(unfolded, name, "LR") for name in JOINED},
    "side by side": lambda: checked_page(
        mark_differences([folded(planned("resnet20_cifar")), folded(planned("resnetv2_50"))]),
        note="note",
    ),
}


on_every_page = pytest.mark.parametrize(
    "name", [*cases(), *(name for name in PAGES if name not in PRESETS)]
)


@cache
def page_of(name: str) -> Page:
    """A page, whose lines are held against the graph."""
    return PAGES[name]()


@on_every_page
def test_boxes_do_not_overlap(name: str) -> None:
    pairs = combinations(page_boxes(page_of(name)), 2)
    assert [(one, other) for one, other in pairs if one.meets(other, 0.5)] == []


@on_every_page
def test_every_box_is_inside_a_lane(name: str) -> None:
    page = page_of(name)
    lanes = [Area(lane.x, lane.y, lane.right, lane.bottom) for lane in lanes_of(page)]
    outside = [
        box
        for box in page_boxes(page)
        if not any(lane.holds(box[:2], 0) and lane.holds(box[2:], 0) for lane in lanes)
    ]
    assert outside == []


@on_every_page
def test_lines_stay_on_the_page(name: str) -> None:
    page = page_of(name)
    whole = Area(0, 0, page.width, page.height)
    assert [line for line in page.lines if not all(whole.holds(p, 0) for p in line.points)] == []


@pytest.mark.slow
@pytest.mark.parametrize("name", DIFFERENT)
def test_the_lines_of_a_model_are_those_of_its_graph(name: str) -> None:
    fewer: dict[str, Any] = {} if PRESETS[name].widths else {"repetitions": (1, 2)}
    sketch = checked_sketch(ResnetBuilder.from_preset(name, (64, 64, 3), 5, **fewer))
    for direction in ("TB", "LR"):
        checked_drawing(checked_page([checked_fold(sketch)], direction))
        checked_page([sketch], direction, in_one_column=True)


MAIN = [ENTRY, 0, 1, 2, 3, 4, 7]  # the boxes of the main path; 5 and 6 are on branches


def branching(*branches: tuple[int, int]) -> Sketch:
    """A sketch of an input, and of a block with a main path and edges of branches."""
    cell = Cell(Description("conv", "3×3 conv, 64"))
    image, block = PanelMaker(), PanelMaker()
    image.box([cell], [])
    for _ in range(MAIN[-1] + 1):
        block.box([cell], [])
    for source, target in (*pairwise(MAIN), *branches):
        block.connect(source, target)
    shape = ((4, 4, 4),)
    panels = image.panel(), block.panel("block")
    return Sketch("branching", shape, 0, 0, (Section("stage1", shape, 0, 0, panels),))


PAST_THE_BLOCK = (ENTRY, 5), (5, 6), (6, 7)
INSIDE = {*combinations(MAIN, 2)} - {*pairwise(MAIN), (ENTRY, 7)}
OVERLAPPING = (ENTRY, 5), (5, 3), (1, 6), (6, 7)


@pytest.mark.parametrize("branches", [*((*PAST_THE_BLOCK, e) for e in sorted(INSIDE)), OVERLAPPING])
def test_lines_pass_through_no_box_of_another_branch(branches: list[tuple[int, int]]) -> None:
    checked_page([branching(*branches)])


def at_random(seed: int) -> Sketch:
    """A sketch with lines of all kinds: skips over sections, branches, and ends in the middle."""
    rng = random.Random(seed)
    cells = [Cell(Description(*of)) for of in (("conv", "3×3 conv, 64"), ("merge", "+"))]
    sections: list[list[int]] = [
        [rng.randint(1, 6) for _ in range(rng.randint(1, 3))] for _ in range(rng.randint(1, 4))
    ]
    panels = [(n, count) for n, section in enumerate(sections) for count in section]
    firsts = [*accumulate((count for _, count in panels), initial=0)]
    panel_of = [number for number, (_, count) in enumerate(panels) for _ in range(count)]
    makers = [PanelMaker() for _ in panels]
    for box, number in enumerate(panel_of):
        maker, first, section = makers[number], firsts[number], panels[number][0]
        position = maker.box([rng.choice(cells)], [])
        chosen = {rng.randrange(box) for _ in range(rng.choice([1, 1, 1, 2]))} if box else set()
        for source in sorted(chosen | ({box - 1} if box and rng.random() < 0.7 else set())):
            if source >= first - 1:
                maker.connect(max(source - first, ENTRY), position)
            elif panels[panel_of[source]][0] != section:
                start = makers[panel_of[source]]
                port = Port(source - firsts[panel_of[source]], source)
                start.outlets += [port] * (port not in start.outlets)
                maker.inlets.append(Port(position, source))
    made = iter([maker.panel(rng.choice(["", "block"])) for maker in makers])
    shape = ((4, 4, 4),)
    return Sketch(
        name="random",
        input_shapes=shape,
        parameters=0,
        macs=0,
        sections=tuple(
            Section(f"stage{n}", shape, 0, 0, tuple(next(made) for _ in section))
            for n, section in enumerate(sections)
        ),
    )


# In 24, skips end and begin between two rows of a section; in 28, branches overlap; in 446, many
# skips leave one section.
@pytest.mark.parametrize("seed", [*range(6), 24, 28, 446])
def test_lines_at_random_lead_from_where_to_where_they_say(seed: int) -> None:
    sketch = at_random(seed)
    for direction in ("TB", "LR"):
        for in_one_column in (False, True):
            checked_drawing(checked_page([sketch], direction, in_one_column=in_one_column))


@pytest.mark.parametrize("name", cases())
def test_every_preset_fits_on_a_page(name: str) -> None:
    page = page_of(name)
    # At most 1600 x 2400 pixels of 3/4 point, with a border of 0.15 inches. The blocks of a pruned
    # network all differ, so that none are folded.
    most = 3600 if name.endswith("_pruned") else 2400
    assert page.width * 4 / 3 + 2 * 0.15 * 96 <= 1600
    assert page.height * 4 / 3 + 2 * 0.15 * 96 <= most


def test_sections_side_by_side_have_equal_heights() -> None:
    lanes = lanes_of(page_of("side by side"))
    tops = [sorted(lane.y for lane in lanes if (lane.x == 0) is first) for first in (True, False)]
    assert tops[0] == tops[1][: len(tops[0])]
    assert len(tops[1]) == 6


def test_a_wide_panel_does_not_widen_the_others() -> None:
    page = page_of("wide")
    assert len({lane.width for lane in lanes_of(page)}) == 1
    *blocks, widest = [frame for frame in page.frames if frame.kind == "panel"]
    assert {frame.y for frame in blocks[1:3]} == {blocks[1].y}  # stage2 is one row
    assert max(frame.right for frame in blocks) < widest.right
    assert max(frame.width for frame in blocks) < widest.width / 2


def crossings(page: Page) -> int:
    """How often skips cross each other."""
    skips = [line for line in page.lines if line.role == "skip"]
    found = 0
    for one, other in combinations(skips, 2):
        for (x, y), (next_x, next_y) in pairwise(one.points):
            for (a, b), (next_a, next_b) in pairwise(other.points):
                if (x == next_x) is not (a == next_a):
                    across = min(x, next_x) < max(a, next_a) and min(a, next_a) < max(x, next_x)
                    along = min(y, next_y) < max(b, next_b) and min(b, next_b) < max(y, next_y)
                    found += across and along
    return found


def test_skips_within_others_do_not_cross() -> None:
    page = page_of("unet")
    sides = [max(x for x, _ in line.points) for line in page.lines if line.role == "skip"]
    assert len(sides) == 2
    # The one from the stem ends last, and is the outer one.
    assert sides[0] < sides[1] < page.width
    assert crossings(page) == crossings(page_of("feature_pyramid")) == 0


def test_rows_side_by_side_have_equal_heights() -> None:
    """Blocks of a pre-activated network are higher than those of the other."""
    sketches = [folded(planned(name)) for name in ("resnet50", "resnetv2_50")]
    pages = [checked_page([sketch]) for sketch in sketches]
    joined = checked_page(sketches)
    panels = [frame for frame in joined.frames if frame.kind == "panel"]
    left = [panel.y for panel in panels if panel.x < joined.width / 2]
    assert left == [panel.y for panel in panels if panel.x > joined.width / 2]
    assert pages[0].height < pages[1].height


def test_blocks_in_one_column_have_names_and_are_side_by_side() -> None:
    sketches = [planned(name) for name in ("plain34", "resnet34")]
    joined = checked_page(sketches, in_one_column=True)
    assert {frame.kind for frame in joined.frames} == {"lane"}
    names = [text for text in joined.texts if text.lines[0][0].words.startswith("block")]
    plain, residual = names[: len(names) // 2], names[len(names) // 2 :]
    assert len(plain) == len(residual) == 3 + 4 + 6 + 3
    for one, other in zip(plain, residual, strict=True):
        assert one.lines == other.lines
        assert abs(one.y - other.y) <= GAP  # a block begins with a fork if it has a shortcut
