"""The page for the browser, without a browser: its size, its data and its HTML."""

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from html.parser import HTMLParser
from itertools import chain
from pathlib import Path
from typing import Any

import keras
import pytest

from resnet_builder import ResnetBuilder, compare, plot
from resnet_builder.pictures.browser import CLOSED, FOLDED, WHOLE, document
from resnet_builder.pictures.plot import Detail
from resnet_builder.pictures.sketch.sketch import ENTRY, Sketch
from resnet_builder.pictures.sketch.transforms import folded
from resnet_builder.plan.layers import Layer
from resnet_builder.plan.network import make_plan
from resnet_builder.presets.resolve import resolve

from ...helpers import cases
from ...models import JOINED, two_branches
from ..edges import Area, DrawnLine, Edge, Point, box_area, drawn_edges, sketch_edges, sketched

DATA = re.compile(r'<script type="application/json" id="data">(.*?)</script>', re.DOTALL)


def html(source: Any, **options: Any) -> str:
    return plot(source, **options).render("html").decode()


def data(page: str) -> Any:
    [text] = DATA.findall(page)
    assert "<" not in text  # `<!--<script>` would swallow the end of the page
    return json.loads(text)


def layers(found: Any, network: int = 0) -> Iterator[tuple[str, list[Any]]]:
    """The layers in the data of a page: name, and shape, weights, parameters and multiply-adds."""
    for section in found["networks"][network]["sections"]:
        for number, beginning in section["layers"]:
            for rest, fact in chain.from_iterable(found["layers"][number]):
                yield beginning + rest, found["facts"][fact]


def planned(name: str) -> list[Layer]:
    return list(make_plan(resolve(name).config).layers)


@pytest.mark.parametrize("name", cases())
def test_every_preset_is_a_small_page_with_all_layers(name: str) -> None:
    page = html(name)
    assert len(page.encode()) < 150_000
    found = list(layers(data(page)))
    assert sorted(layer for layer, _ in found) == sorted(layer.name for layer in planned(name))


def test_a_layer_has_its_shape_weights_and_costs() -> None:
    # 3·3·64·64 weights at 56·56 positions.
    macs = 3 * 3 * 64 * 64 * 56 * 56
    facts = dict(layers(data(html("resnet18"))))
    assert facts["stage1_block2_conv1"] == ["56×56×64", {"kernel": [3, 3, 64, 64]}, 36864, macs]
    assert list(facts["stage1_block2_bn1"][1]) == [
        "gamma",
        "beta",
        "moving_mean",
        "moving_variance",
    ]
    assert facts["stage1_block2_bn1"][2] == 128


@pytest.mark.parametrize("name", ["resnet50", "resnest50d", "resnet20_cifar"])
def test_the_numbers_of_the_layers_are_those_of_the_network(name: str) -> None:
    facts = [fact for _, fact in layers(data(html(name)))]
    assert sum(fact[2] for fact in facts) == sum(layer.parameters for layer in planned(name))
    assert sum(fact[3] for fact in facts) == sum(layer.macs or 0 for layer in planned(name))


@pytest.mark.parametrize("name", ["resnet50", "resnet56_cifar", "ecaresnet50d_pruned"])
def test_folded_panels_stand_for_all_boxes(name: str) -> None:
    found = data(html(name))
    for section in found["networks"][0]["sections"]:
        boxes = sum(len(found["layers"][number]) for number, _ in section["layers"])
        closed, *opened = section["views"]
        assert len(closed["panels"]) == len(opened[0]["panels"])
        for view in opened:
            drawn = (len(found["drawings"][number][2]) * n for number, *_, n in view["panels"])
            assert sum(drawn) == boxes


def test_shortcuts_are_in_all_views() -> None:
    found = data(html("resnet50"))
    for section in found["networks"][0]["sections"][1:-1]:
        for view in section["views"]:
            drawings = [found["drawings"][panel[0]] for panel in view["panels"]]
            roles = [{line[0] for line in drawing[-1]} - {""} for drawing in drawings]
            assert roles[0] == {"projection"}
            assert set(map(frozenset, roles[1:])) == {frozenset({"identity"})}


@pytest.mark.parametrize(
    ("options", "state"),
    [
        ({}, 1),
        ({"detail": "stage"}, 0),
        ({"detail": "layer"}, 2),
        ({"fold": False}, 2),
    ],
)
def test_the_detail_is_the_first_state(options: dict[str, Any], state: int) -> None:
    assert data(html("resnet18", **options))["state"] == state


def test_two_networks_are_side_by_side() -> None:
    page = compare("resnet50", "seresnet50").plot().render("html").decode()
    found = data(page)
    for number, name in enumerate(["resnet50", "seresnet50"]):
        names = {layer for layer, _ in layers(found, number)}
        assert names == {layer.name for layer in planned(name)}
    marked = {
        cell[2] for drawing in found["drawings"] for box in drawing[2] for cell in box[2] if cell[3]
    }
    assert marked == {f"squeeze-excite, {n}" for n in (16, 32, 64, 128)}
    assert "Thick frames" in found["note"]
    assert len(page.encode()) < 150_000


def test_a_keras_model_has_a_page() -> None:
    model = ResnetBuilder.from_preset("resnet18", (32, 32, 3), 10, repetitions=(1, 3), filters=8)
    facts = dict(layers(data(html(model))))
    drawn = {layer.name for layer in model.layers if layer.weights}
    assert drawn <= set(facts)
    conv = model.get_layer("stage2_block2_conv1")
    shape = list(conv.kernel.shape)
    # 4·4 positions: the stem divides 32 by 4, stage 2 by 2.
    macs = conv.count_params() * 4 * 4
    assert facts[conv.name] == ["4×4×16", {"kernel": shape}, conv.count_params(), macs]


@pytest.mark.parametrize("detail", ["stage", "block", "layer"])
def test_a_model_of_another_kind_has_a_page(detail: Detail) -> None:
    page = html(two_branches(), detail=detail)
    assert "shared" in dict(layers(data(page)))


class Checker(HTMLParser):
    """Collects tags that are not closed in their order, and attributes that load something."""

    VOID = frozenset({"meta", "input"})

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.wrong: list[str] = []
        self.loading: list[tuple[str, str]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.loading += [(tag, name) for name, _ in attrs if name in ("src", "href", "srcset")]
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if not self.open or self.open.pop() != tag:
            self.wrong.append(tag)


def with_a_hostile_name() -> keras.Model:
    image = keras.Input((4,))
    dense = keras.layers.Dense(3, name="<!--<script>$x")(image)
    return keras.Model(image, dense, name="<!--<b>&amp;")


def test_the_html_is_well_formed_and_loads_nothing() -> None:
    for page in (html("resnet50"), html(with_a_hostile_name())):
        checker = Checker()
        checker.feed(page)
        checker.close()
        assert (checker.open, checker.wrong, checker.loading) == ([], [], [])
        assert "http" not in page
        assert "url(" not in page
        assert "@import" not in page


def test_names_stay_as_they_are() -> None:
    page = html(with_a_hostile_name())
    assert "<title>&lt;!--&lt;b&gt;&amp;amp;</title>" in page
    found = data(page)
    assert found["networks"][0]["name"] == "<!--<b>&amp;"
    assert "<!--<script>$x" in dict(layers(found))


def test_the_file_is_written_without_keras(tmp_path: Path) -> None:
    script = (
        "import sys; from resnet_builder import compare, plot;"
        "plot('resnet50', 'a.html'); compare('resnet18', 'resnet34').plot('b.html');"
        "plot('resnet50', 'c.html', detail='layer');"
        "sys.exit('keras' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", script], cwd=tmp_path).returncode == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.html", "b.html", "c.html"]
    assert (tmp_path / "a.html").read_text(encoding="utf-8") == html("resnet50")


def test_a_failure_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "net.html"
    path.write_text("old")

    def full(self: Path, content: bytes) -> None:
        with self.open("wb") as file:
            file.write(content[:10])
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(OSError, match="No space left"):
        plot("resnet18", path)
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


# Lines -------------------------------------------------------------------------------------------


def shown_edges(sketch: Sketch, states: list[int]) -> set[Edge]:
    """The edges of a sketch between the boxes that its sections show in some states."""
    shown: list[int] = []  # for every box of the whole network
    again: set[Edge] = set()  # from the end of a repeated panel to its beginning
    number = 0
    for section, state in zip(folded(sketch).sections, states, strict=True):
        for panel in section.panels:
            count = len(panel.boxes)
            boxes = {
                CLOSED: [0] * count * panel.repeats,
                FOLDED: [*range(count)] * panel.repeats,
                WHOLE: [*range(count * panel.repeats)],
            }[state]
            if state == FOLDED and panel.repeats > 1:
                end = number + boxes[-1]
                again |= {(end, number + e.target) for e in panel.edges if e.source == ENTRY}
            shown += [number + box for box in boxes]
            number += max(boxes) + 1
    edges = {(shown[source], shown[target]) for source, target in sketch_edges(sketch)} - again
    return {(source, target) for source, target in edges if source != target}


def laid_out(found: Any, states: list[int]) -> tuple[list[Area], list[DrawnLine]]:
    """The boxes and lines of the first network of a page, put together as browser.js does."""
    network, sizes = found["networks"][0], found["sizes"]
    of_sections = [section["views"] for section in network["sections"]]
    views = [of[min(n, len(of) - 1)] for of, n in zip(of_sections, states, strict=True)]
    width = max(view["frame"][2] for view in views)
    boxes: list[Area] = []
    lines: list[DrawnLine] = []
    starts: dict[int, list[Point]] = {}
    top = sizes["TITLE_HEIGHT"]

    def moved(points: list[Point], x: float, y: float) -> list[Point]:
        return [(x + (a if a >= 0 else width - a), y + b) for a, b in points]

    for view in views:
        _, y_of_view, _, height = view["frame"]
        down = top - y_of_view
        for number, x, y, *_ in view["panels"]:
            _, _, drawn, _, drawn_lines = found["drawings"][number]
            for left, middle, cells in drawn:
                wide = sum(cell[1] for cell in cells)
                boxes.append(box_area(x + left, down + y + middle, wide))
            for _, arrow, points in drawn_lines:
                lines.append(DrawnLine(tuple(moved(points, x, down + y)), arrow))
        for _, arrow, points in view["lines"]:
            lines.append(DrawnLine(tuple(moved(points, 0, down)), arrow))
        for number, arrow, points in view["inlets"]:
            start, end = starts[number], moved(points, 0, down)
            way = *start, (start[-1][0], end[0][1]), *end
            lines.append(DrawnLine(way, arrow))
        for number, _, points in view["outlets"]:
            starts[number] = moved(points, 0, down)
        top += height + sizes["LANE_GAP"]
    return boxes, lines


@pytest.mark.parametrize("name", JOINED)
def test_the_lines_of_the_page_are_those_of_the_graph(name: str) -> None:
    sketch, _ = sketched(JOINED[name]())
    found = data(document([sketch], state=CLOSED))
    count = len(sketch.sections)
    mixed = [n % 3 for n in range(count)], [2 - n % 3 for n in range(count)]
    for states in ([CLOSED] * count, [FOLDED] * count, [WHOLE] * count, *mixed):
        assert drawn_edges(*laid_out(found, states)) == shown_edges(sketch, states), states
