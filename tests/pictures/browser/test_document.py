"""The page for the browser, without a browser: its size, its data and its HTML."""

import json
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from html.parser import HTMLParser
from importlib import resources
from itertools import chain
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from resnet_builder import PRESETS, ResnetBuilder, compare, plot, profile, unet, write_weights
from resnet_builder.costs.activations import views
from resnet_builder.pictures.browser import (
    CLOSED,
    FOLDED,
    SCRIPTS,
    WHOLE,
    continued,
    document,
    runs,
    tenths,
)
from resnet_builder.pictures.plot import Detail
from resnet_builder.pictures.sketch.boxes import SETTINGS
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


def spread(of_runs: list[Any]) -> list[Any]:
    """The rows of runs."""
    return [
        row
        for count, *groups in of_runs
        for number in range(count)
        for row in continued(groups[0], groups[-1], number)
    ]


def boxes(found: Any, network: int = 0) -> Iterator[tuple[list[Any], list[Any]]]:
    """The beginnings of a panel's names, and its boxes, for every panel of the whole network."""
    for section in found["networks"][network]["sections"]:
        for number, *beginnings in spread(section["layers"]):
            yield beginnings, found["layers"][number]


def layers(found: Any, network: int = 0) -> Iterator[tuple[str, list[Any]]]:
    """The layers in the data of a page: name and facts, as `SharedData` has them."""
    for (beginning, *_), of_panel in boxes(found, network):
        for of_box, _ in of_panel:
            yield from ((beginning + rest, found["facts"][fact]) for rest, fact, *_ in of_box)


def tensors(found: Any, network: int = 0) -> dict[str, dict[str, list[str]]]:
    """The names of the weights of every layer in each library."""
    libraries = found["networks"][network]["libraries"]
    return {
        beginning + rest: {
            library: [prefix + end for end in ends]
            for library, prefix, ends in zip(
                libraries, prefixes, found["tensors"][number], strict=True
            )
        }
        for (beginning, _, *prefixes), of_panel in boxes(found, network)
        for of_box, _ in of_panel
        for rest, _, _, number in of_box
        if number is not None
    }


def planned(name: str) -> list[Layer]:
    return list(make_plan(resolve(name).config).layers)


@pytest.mark.parametrize("name", cases())
def test_every_preset_is_a_small_page_with_all_layers(name: str) -> None:
    page = html(name)
    assert len(page.encode()) < (80_000 if name == "resnet50" else 150_000)
    found = list(layers(data(page)))
    assert sorted(layer for layer, _ in found) == sorted(layer.name for layer in planned(name))


def test_a_layer_has_its_shape_weights_and_costs() -> None:
    # 3·3·64·64 weights at 56·56 positions.
    macs = 3 * 3 * 64 * 64 * 56 * 56
    page = data(html("resnet18"))
    facts = dict(layers(page))
    output, kernel, parameters, counted, size, settings, stride, kept = facts["stage1_block2_conv1"]
    assert (output, size) == ("56×56×64", "56×56×64")
    assert (kernel, parameters, counted) == ({"kernel": [3, 3, 64, 64]}, 36864, macs)
    assert (stride, kept) == (4, 4 * 56 * 56 * 64)
    assert page["settings"][settings] == {
        "window": "3",
        "stride": "1",
        "padding": "same",
        "dilation": "1",
        "groups": "1",
    }
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
    assert sum(fact[7] for fact in facts) == profile(name).training_memory


RUNS = [
    [],
    [[1, "a"]],
    [[n, f"stage1_block{n}_", 3 + 8 * n] for n in range(9, 13)],
    # A page of two panels a row, and one more.
    [[n % 2, 100 * (n % 2), 41.3 + 20.1 * (n // 2), f"block{n}"] for n in range(9)],
    [[True, [0, 1.5]], [False, [1, 2.5]], ["x01", 2], ["x02", 3], ["x03", 4], [None, 1]],
]


@pytest.mark.parametrize("rows", RUNS)
def test_runs_hold_all_rows(rows: list[Any]) -> None:
    rows = tenths(rows)
    assert spread(runs(rows)) == rows


def test_blocks_alike_are_runs() -> None:
    names = [[n, f"stage1_block{n}_"] for n in range(100)]
    assert runs(names) == [[100, names[:1], names[1:2]]]


def test_a_layer_has_the_names_of_its_weights_in_other_libraries(tmp_path: Path) -> None:
    found = tensors(data(html("resnet18")))
    torch = ["layer2.0.downsample.0.weight"]
    assert found["stage2_block1_shortcut_conv"]["timm, torchvision"] == torch
    hub = ["resnet.encoder.stages.1.layers.0.shortcut.convolution.weight"]
    assert found["stage2_block1_shortcut_conv"]["transformers"] == hub
    # All that `write_weights` writes, but the counters of batches.
    model = ResnetBuilder.from_preset("resnet18", (32, 32, 3), 10)
    write_weights(model, tmp_path / "weights.npz", names="transformers")
    written = set(np.load(tmp_path / "weights.npz"))
    names = {name for layer in found.values() for name in layer["transformers"]}
    assert names == {name for name in written if not name.endswith("num_batches_tracked")}
    # Of the model, too.
    assert tensors(data(html(model))) == found


def test_a_model_is_told_of_as_its_plan() -> None:
    changes: dict[str, Any] = {"se_ratio": 1 / 16, "filters": 16, "input_shape": (64, 64, 3)}
    config = replace(PRESETS["resnet18"], classes=7, **changes)
    planned, page = data(html(config)), data(html(ResnetBuilder.from_config(config)))

    def told(found: Any) -> dict[str, Any]:
        return {name: [*fact[:4], *fact[6:]] for name, fact in layers(found) if fact[1] or fact[3]}

    assert told(page) == told(planned)
    fields = [[base for (_, base, *_), _ in boxes(found)] for found in (page, planned)]
    assert fields[0] == fields[1]


class WithTensor(keras.layers.Layer):
    """A layer of a user, with an attribute of the same name."""

    def __init__(self) -> None:
        super().__init__(name="own")
        self.rate = np.ones((2, 2))

    def call(self, inputs: Any) -> Any:
        return inputs


def test_the_settings_of_any_layer_are_told() -> None:
    image = keras.Input((8, 8, 2))
    x = keras.layers.UpSampling2D((2, 3), name="up")(image)
    x = keras.layers.BatchNormalization(momentum=0.0, name="bn")(x)
    x = WithTensor()(x)
    x = keras.layers.Conv2D(4, (3, 1), activation=keras.layers.ReLU(6), name="conv")(x)
    found = data(html(keras.Model(image, x)))
    told = {name: found["settings"][fact[5]] for name, fact in layers(found)}
    assert told["up"] == {"size": "2×3"}
    assert told["bn"] == {"epsilon": "0.001", "momentum": "0.0"}
    assert told["own"] == {"rate": "ndarray"}
    expected = {"window": "3×1", "stride": "1", "padding": "valid", "activation": "ReLU"}
    assert expected.items() <= told["conv"].items()


def test_a_task_has_names_in_its_library() -> None:
    page = data(html(unet("resnet18", (64, 64, 3), 2)))
    assert page["networks"][0]["libraries"] == ["smp"]
    found = tensors(page)
    assert found["decoder_block1_conv1"]["smp"] == ["decoder.blocks.0.conv1.0.weight"]
    assert found["stage1_block1_conv1"]["smp"] == ["encoder.layer1.0.conv1.weight"]


def test_a_network_that_no_library_has_names_of_none() -> None:
    page = data(html("plain18"))
    assert page["networks"][0]["libraries"] == []


@pytest.mark.parametrize("name", ["resnet50", "resnetv2_50", "skresnet18"])
def test_a_layer_has_its_receptive_field(name: str) -> None:
    expected = {of: view.receptive_field for of, view in views(make_plan(PRESETS[name])).items()}
    found = {
        beginning + rest: None if seen is None else base + seen
        for (beginning, base, *_), of_panel in boxes(data(html(name)))
        for of_box, _ in of_panel
        for rest, _, seen, _ in of_box
    }
    assert found == expected


INSIDES = {
    "seresnet18": ["global avg pool", "1×1 conv, 8, ReLU", "1×1 conv, 64, sigmoid", "×"],
    "ecaresnet50d": ["global avg pool", "conv along channels, 5, sigmoid", "×"],
    "skresnet18": ["channels 1–32", "channels 33–64", "3×3 conv, 64, dilation 2, BN, ReLU", "+"],
    "resnest50d": [
        "3×3 conv, 128, 2 groups, BN, ReLU",
        "1×1 conv, 128, softmax",
        "channels 65–128",
    ],
    "res2net50_26w_4s": ["channels 79–104", "3×3 conv, 26, BN, ReLU", "concatenate"],
    "resnet50_clip": ["attention, 32 heads"],
    "gcresnet50t": ["1×1 conv, 1, softmax", "weighted sum of pixels", "+"],
}


@pytest.mark.parametrize("name", INSIDES)
def test_a_box_of_several_paths_opens(name: str) -> None:
    found = data(html(name))
    opened = [
        (of_box, found["insides"][inside])
        for _, of_panel in boxes(found)
        for of_box, inside in of_panel
        if inside is not None
    ]
    words = [
        [", ".join(found["cells"][cell][2] for cell in cells) for _, _, cells in drawing[2]]
        for _, (drawing, _) in opened
    ]
    # Every layer is fed: by one box, a sum and a product by two, a concatenation by all parts,
    # an attention by query, key and value.
    for drawing, _ in (inside for _, inside in opened):
        fed = Counter(target for *_, target in drawing[4])
        cells = [found["cells"][box[2][0]][2] for box in drawing[2]]
        parts = sum(cell.startswith("channels") for cell in cells)
        inputs = {
            **dict.fromkeys(("+", "×", "weighted sum of pixels"), 2),
            "attention, 32 heads": 3,
            "concatenate": parts,
        }
        assert [fed[box] for box in range(1, len(cells))] == [inputs.get(c, 1) for c in cells[1:]]
    assert words[0][0].startswith("input ")
    assert set(INSIDES[name]) <= set(words[0])
    # Every layer that has weights is in one of the boxes, and no box but the input is empty.
    for of_box, (_, inner) in opened:
        assert not inner[0]
        assert all(inner[1:])
        weighted = [n for n, layer in enumerate(of_box) if found["facts"][layer[1]][1]]
        assert set(weighted) <= set(chain.from_iterable(inner))


def test_the_box_of_a_models_squeeze_and_excitation_opens() -> None:
    model = ResnetBuilder.from_preset("seresnet18", (32, 32, 3), 10, repetitions=(1,), filters=8)
    found = data(html(model))
    [inside] = [n for _, of_panel in boxes(found) for _, n in of_panel if n is not None]
    drawing, _ = found["insides"][inside]
    words = [[found["cells"][cell][2] for cell in cells] for _, _, cells in drawing[2]]
    assert words[0] == ["input 8×8×8"]
    assert words[-1] == ["×"]


@pytest.mark.parametrize("name", ["resnet50", "resnet56_cifar", "ecaresnet50d_pruned"])
def test_folded_panels_stand_for_all_boxes(name: str) -> None:
    found = data(html(name))
    for section in found["networks"][0]["sections"]:
        boxes = sum(len(found["layers"][number]) for number, *_ in spread(section["layers"]))
        closed, *opened = (spread(view["panels"]) for view in section["views"])
        assert len(closed) == len(opened[0])
        for panels in opened:
            assert sum(len(found["drawings"][number][2]) * n for number, *_, n in panels) == boxes


def test_shortcuts_are_in_all_views() -> None:
    found = data(html("resnet50"))
    for section in found["networks"][0]["sections"][1:-1]:
        for view in section["views"]:
            drawings = [found["drawings"][panel[0]] for panel in spread(view["panels"])]
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
    marked = {words for _, _, words, is_marked in found["cells"] if is_marked}
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
    assert facts[conv.name][:4] == ["4×4×16", {"kernel": shape}, conv.count_params(), macs]


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


# Chinese ------------------------------------------------------------------------------------------

PICTURES = resources.files("resnet_builder.pictures")
SAID = re.compile(r"""say\((?:[^"()]*\? )?"([^"]+)"(?: : "([^"]+)")?""")
TERMS = re.compile(r"""\["([a-z- {}]+)", """)  # in lists of terms and values


class Words(HTMLParser):
    """Collects the words of a page: texts, attributes that are read, and whole paragraphs."""

    def __init__(self) -> None:
        super().__init__()
        self.found: set[str] = set()
        self.tag = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tag = tag
        named = (value for name, value in attrs if name in ("title", "aria-label", "placeholder"))
        self.found |= set(filter(None, named))

    def handle_data(self, data: str) -> None:
        if self.tag in ("button", "option"):
            self.found.add(data.strip())


def test_all_words_are_in_chinese() -> None:
    page = PICTURES.joinpath("browser.html").read_text(encoding="utf-8")
    header = page[page.index("</h1>") : page.index("</header>")]
    words = Words()
    words.feed(header)
    paragraphs = set(re.findall(r"<p[^>]*>(.*?)</p>", page))
    scripts = "".join(PICTURES.joinpath(name).read_text(encoding="utf-8") for name in SCRIPTS)
    details = PICTURES.joinpath("browser_details.js").read_text(encoding="utf-8")
    terms = set(TERMS.findall(details)) | SETTINGS.keys()
    said = {words for found in SAID.findall(scripts) for words in found if words}
    assert len(paragraphs) > 5
    assert {"copy", "no such layer", "receptive field"} <= said | terms
    used = words.found | paragraphs | said | terms
    chinese = json.loads(PICTURES.joinpath("browser.zh.json").read_text(encoding="utf-8"))
    same = {"SVG", "PNG", "100%", "−", "+", "‹", "›", "◐", "?", "中文 / English", "", "epsilon"}
    assert used - chinese.keys() - same == set()
    # In an order of its own, and as many.
    for english, translated in chinese.items():
        assert sorted(re.findall("<kbd>.*?</kbd>", english)) == sorted(
            re.findall("<kbd>.*?</kbd>", translated)
        )
        assert english.count("{}") == translated.count("{}")


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
        for number, x, y, *_ in spread(view["panels"]):
            _, _, drawn, _, drawn_lines = found["drawings"][number]
            for left, middle, cells in drawn:
                wide = sum(found["cells"][cell][1] for cell in cells)
                boxes.append(box_area(x + left, down + y + middle, wide))
            for _, arrow, points, *_ in drawn_lines:
                lines.append(DrawnLine(tuple(moved(points, x, down + y)), arrow))
        for _, arrow, points in spread(view["lines"]):
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
