"""Pictures: what is drawn, and the files that are written."""

import errno
import html
import re
import shutil
import sys
import xml.etree.ElementTree as ET
from collections.abc import Callable
from functools import partial
from importlib import metadata
from itertools import product
from pathlib import Path
from typing import Any, get_args

import keras
import pytest

from resnet_builder import PRESETS, ResnetBuilder, ResnetConfig, compare, plot, profile
from resnet_builder.pictures import diagram as diagrams
from resnet_builder.pictures.diagram import MOST_PIXELS, Diagram
from resnet_builder.pictures.plot import Detail, Direction
from resnet_builder.plan.network import make_plan

from ..helpers import png_size, small
from ..models import JOINED, two_branches

DOT = shutil.which("dot")


@pytest.fixture(autouse=True)
def _graphviz_pure(monkeypatch: pytest.MonkeyPatch) -> None:
    """Draw with graphviz-pure, even if Graphviz is installed."""
    monkeypatch.setattr(shutil, "which", lambda _: None)
    assert Path(diagrams.graphviz_program()).stem == "graphviz-pure"


def small_pre_activation() -> keras.Model:
    return ResnetBuilder.from_preset(
        "resnetv2_50d", (32, 32, 3), 10, repetitions=(1, 3), filters=8, name="small"
    )


DETAILS: tuple[Detail, ...] = get_args(Detail)

SOURCES: dict[str, Callable[[], Any]] = {
    "resnet50": lambda: "resnet50",
    "two": two_branches,
    "small": small_pre_activation,
}


def test_the_dot_text_is_the_golden_one(golden: Callable[[str, str], None]) -> None:
    """One, of all that a picture of blocks has; what any picture must show is tested below."""
    golden("plot_small_block.dot", plot(small_pre_activation()).dot)


def layers_of(source: Any) -> Any:
    return make_plan(PRESETS[source]).layers if isinstance(source, str) else source.layers


@pytest.mark.parametrize(("name", "detail"), list(product(SOURCES, DETAILS)))
def test_a_picture_shows_the_parts_and_the_size_of_its_source(name: str, detail: Detail) -> None:
    """The fixture in conftest.py holds the lines against the graph."""
    source = SOURCES[name]()
    counts = profile(source)
    text = html.unescape(plot(source, detail=detail).dot)
    if detail == "layer":
        names = [layer.name for layer in layers_of(source)]
    elif name == "two":
        names = ["dense, 3", f"{counts.parameters} parameters"]
    else:
        size = {"resnet50": "25.6 M", "small": f"{counts.parameters / 1000:.1f} k"}[name]
        names = [*(row.name for row in counts.stages), f"{size} parameters"]
    assert [name for name in names if name not in text] == []


def marked(first: str, second: str) -> list[str]:
    """The words in thick frames and the underlined words, without repeats."""
    text = compare(first, second).plot().dot
    found = re.findall(r'BORDER="3"[^>]*>([^<]*)<|<U>(.*?)</U>', text)
    return list(dict.fromkeys("".join(words) for words in found))


def test_a_comparison_marks_only_differences() -> None:
    assert marked("resnet18", "resnet18") == []
    excitations = {f"squeeze-excite, {n}" for n in (16, 32, 64, 128)}
    assert {words for words in marked("resnet50", "seresnet50") if "," in words} == excitations
    # Stage 3 has 6 and 23 blocks (He et al. 2015, Table 1); the first is drawn separately.
    assert {"<B>× 5</B>", "<B>× 22</B>"} <= set(marked("resnet50", "resnet101"))
    assert "<B>× 2</B>" not in marked("resnet50", "resnet101")


def test_a_comparison_underlines_the_totals_that_differ() -> None:
    totals = [words for words in marked("resnet50", "resnetv2_50") if "M param" in words]
    assert totals[:2] == ["25.6 M parameters", "25.5 M parameters"]
    # Both have an input of 224x224x3 and 4.09 G multiply-adds.
    both = compare("resnet50", "resnetv2_50").plot().dot
    assert both.count("4.09 G multiply-adds") == 2
    assert not re.search("<U>(224|4.09)", both)
    sizes = compare(PRESETS["resnet18"], PRESETS["resnet18"].replace(input_shape=(64, 64, 3)))
    assert "<U>224×224×3</U>" in sizes.plot().dot


def test_the_same_network_has_the_same_picture() -> None:
    assert plot("resnet18").dot == plot("resnet18").dot
    assert plot("resnet18").render() == plot("resnet18").render()
    layers = plot("resnet18", detail="layer").dot
    assert layers == plot(ResnetBuilder.from_preset("resnet18"), detail="layer").dot


def test_input_shape_and_classes_are_shown() -> None:
    text = plot("resnet18", input_shape=(64, 32, 1), classes=7).dot
    assert "input 64×32×1" in text
    assert "dense, 7" in text


def test_the_direction_is_that_of_the_flow() -> None:
    assert "rankdir=LR" in plot("resnet18", detail="stage").dot
    assert "rankdir=TB" in plot("resnet18", detail="stage", direction="TB").dot
    assert "rankdir=LR" in plot(two_branches(), detail="layer", direction="LR").dot
    (width, height), (tall, high) = (
        png_size(plot("resnet50", direction=direction).render()) for direction in ("LR", "TB")
    )
    assert width > 2 * height
    assert high > tall


FOLDED = r"<B>× \d+</B>"


def test_without_folding_every_block_is_drawn() -> None:
    # ResNet-34 has 3 + 4 + 6 + 3 blocks; the first of stages 2 to 4 has a projection.
    text = plot("resnet34", fold=False).dot
    assert text.count(">identity<") == 13
    assert text.count(">projection<") == 3
    assert not re.search(FOLDED, text)
    assert len(re.findall(FOLDED, plot("resnet34").dot)) == 4


def test_a_custom_block_is_drawn() -> None:
    def block(filters: int, init_strides: Any, is_first_block_of_first_layer: bool) -> Any:
        return keras.layers.Conv2D(filters, 3, strides=init_strides, padding="same")

    config = ResnetConfig(block=block, repetitions=(3, 2), input_shape=(32, 32, 3))
    assert "3×3 conv, 128, stride 2" in plot(config).dot


ON_ONE_PAGE = [
    "keras_resnet34",
    "seresnext101_32x4d",
    "resnet200d",
    "resnetv2_1001_cifar",
    "plain34",
]
ON_A_SLIDE = ["resnet152", "resnet1202_cifar"]


@pytest.mark.parametrize("name", ON_ONE_PAGE)
def test_the_picture_of_any_depth_fits_a_page(name: str) -> None:
    width, height = png_size(plot(name).render())
    assert 600 < width <= 1600
    assert 600 < height <= 2400


@pytest.mark.parametrize("name", ON_A_SLIDE)
def test_the_picture_of_stages_fits_a_slide(name: str) -> None:
    width, height = png_size(plot(name, detail="stage").render())
    assert 600 < width <= 1600
    assert 200 < height <= 900


def test_a_png_file_has_every_layer(tmp_path: Path) -> None:
    path, model = tmp_path / "ResNet.png", small()
    diagram = plot(model, path, detail="layer")
    width, height = png_size(path.read_bytes())
    assert height > 20 * len(model.layers)
    assert 200 < width < 800
    assert diagram._repr_png_()[0] == path.read_bytes()
    assert list(tmp_path.iterdir()) == [path]


def test_a_picture_that_few_viewers_would_open_is_scaled_down(tmp_path: Path) -> None:
    model = keras.Sequential([keras.Input((4,)), *(keras.layers.ReLU() for _ in range(400))])
    path = tmp_path / "layers.png"
    diagram = plot(model, detail="layer")
    plot_layers = partial(plot, model, path, detail="layer")
    for draw in (plot_layers, partial(diagram.save, path), diagram.render):
        with pytest.warns(UserWarning, match="scaled down to .*, and a .svg can") as warned:
            draw()
        assert [warning.filename for warning in warned] == [__file__]
    # The drawing, 400 boxes below each other, is higher; Graphviz rounds down.
    assert png_size(path.read_bytes())[1] == pytest.approx(MOST_PIXELS, abs=1)


def test_an_svg_file_has_the_names_of_layers(tmp_path: Path) -> None:
    path = tmp_path / "two.SVG"
    plot(two_branches(), str(path), detail="layer")
    words = "".join(ET.parse(path).getroot().itertext())
    for word in ("shared", "<b>&amp;", "Dense, 8, ReLU"):
        assert word in words


def returning_states() -> keras.Model:
    """A model with a layer of three outputs."""
    words = keras.Input((5, 3))
    return keras.Model(words, keras.layers.LSTM(4, return_state=True)(words), name="states")


def splitting() -> keras.Model:
    image = keras.Input((4, 4, 6))
    left, right = keras.ops.split(image, 2, axis=-1)
    return keras.Model(image, left + right)


def doubling() -> keras.Model:
    number = keras.Input(())
    return keras.Model(number, number * 2.0)


WITHOUT_A_SIZE = [returning_states, splitting, doubling]


@pytest.mark.parametrize("detail", DETAILS)
@pytest.mark.parametrize("make", WITHOUT_A_SIZE)
def test_models_without_image_sizes_are_drawn(
    make: Callable[[], keras.Model], detail: Detail
) -> None:
    model = make()
    text = plot(model, detail=detail).dot
    if detail != "layer":
        assert f"{model.count_params()} parameters" in text or not model.weights
    else:
        words = " ".join(ET.fromstring(plot(model, detail=detail).render("svg")).itertext())
        assert [layer.name for layer in model.layers if layer.name not in words] == []


def test_parameters_are_not_in_the_style_of_a_heading() -> None:
    # LSTM: 4 gates of 4 units, each with 3 inputs, 4 states and a bias.
    parameters = f"{4 * 4 * (3 + 4 + 1)} parameters"
    text = plot(returning_states()).dot
    heading = re.search(rf"<FONT [^>]*>(<B>)?{parameters}", text)
    assert heading
    assert heading[1] is None


def with_control_characters() -> keras.Model:
    image = keras.Input((4,))
    hidden = keras.layers.Dense(3, name="a\x01_1_a")(image)
    return keras.Model(image, keras.layers.Dense(3, name="a\x01_1_b")(hidden), name="m\x0bz")


def test_names_are_drawn_without_their_control_characters() -> None:
    """XML has none."""
    model = with_control_characters()
    for detail in DETAILS:
        assert not re.search(r"[\x00-\x08\x0b\x0c\x0e-\x1f]", plot(model, detail=detail).dot)
    root = ET.fromstring(plot(model, detail="layer").render("svg"))
    words = " ".join(root.itertext())
    assert "_1_a" in words
    assert "_1_b" in words


@pytest.mark.skipif(DOT is None, reason="Graphviz's dot is not installed")
def test_graphviz_draws_the_same_words_at_the_same_size(monkeypatch: pytest.MonkeyPatch) -> None:
    """The size is only about the same, because the fonts differ."""
    models = [make() for make in (two_branches, with_control_characters, *WITHOUT_A_SIZE)]
    drawn = [
        *map(plot, ON_ONE_PAGE),
        *(plot(name, detail="stage") for name in ON_A_SLIDE),
        *(plot(model, detail=detail) for model in models for detail in DETAILS),
        plot(small(), detail="layer"),
    ]
    expected = [svg_contents(diagram) for diagram in drawn]
    expected_size = png_size(drawn[0].render())
    monkeypatch.setattr(shutil, "which", {"dot": DOT}.get)
    for diagram, (words, *sides) in zip(drawn, expected, strict=True):
        words_of_dot, *sides_of_dot = svg_contents(diagram)
        assert words_of_dot == words
        assert sides_of_dot == pytest.approx(sides, rel=0.1)
    assert png_size(drawn[0].render()) == pytest.approx(expected_size, rel=0.1)


def svg_contents(diagram: Diagram) -> tuple[list[str], float, float]:
    """The words of a picture, sorted, and its width and height in points."""
    root = ET.fromstring(diagram.render("svg"))
    width, height = (float(root.attrib[side].removesuffix("pt")) for side in ("width", "height"))
    return sorted(" ".join(root.itertext()).split()), width, height


def test_a_dot_file_has_the_dot_text(tmp_path: Path) -> None:
    path = tmp_path / "two.gv"
    diagram = plot(two_branches(), path)
    assert path.read_text(encoding="utf-8") == diagram.dot


@pytest.mark.parametrize("detail", DETAILS)
@pytest.mark.parametrize("program", [None, DOT])
def test_a_picture_of_a_given_size(
    program: str | None, detail: Detail, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "which", lambda _: program)
    diagram = plot("resnet50", detail=detail, size=(1200, 630))
    assert png_size(diagram.render()) == (1200, 630)
    assert png_size(plot("resnet50", detail=detail, size=(60, 90)).render()) == (60, 90)


@pytest.mark.parametrize(
    ("size", "error"),
    [
        ((0, 5), ValueError),
        ((-1, 5), ValueError),
        ((99_999, 99_999), ValueError),
        ((16_385, 1), ValueError),
        ((16_384, 8_193), ValueError),
        (1200, TypeError),
        ((1.5, 2), TypeError),
        ((float("nan"), 2), TypeError),
        ((True, 2), TypeError),
    ],
)
def test_an_invalid_size_is_rejected(size: Any, error: type[Exception]) -> None:
    with pytest.raises(error, match=r"size must be .*, got"):
        plot("resnet18", size=size)


def test_arguments_of_plot_model_have_their_meaning() -> None:
    model = two_branches()
    whole = plot(model, show_shapes=True, show_layer_names=True, expand_nested=True).dot
    assert whole == plot(model, detail="layer").dot
    bare = plot(model, detail="layer", show_shapes=False, show_layer_names=False).dot
    assert "Dense, 3" in bare
    assert "shared" in whole
    assert "shared" not in bare
    assert plot(model, rankdir="LR", splines="ortho").dot == plot(model, direction="LR").dot
    width, height = png_size(plot(model).render())
    # 96 pixels per inch without dpi.
    twice = plot(model, show_shapes=True, dpi=192).render()
    assert png_size(twice) == pytest.approx((2 * width, 2 * height), abs=2)


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"show_layer_names": True, "detail": "block"}, ValueError, 'is of detail="layer"'),
        ({"show_shapes": "yes"}, TypeError, "show_shapes must be True or False, got 'yes'"),
        ({"show_dtype": True}, ValueError, "no show_dtype=True: .* read model.dtype_policy"),
        ({"show_trainable": True}, ValueError, r"use model.summary\(show_trainable=True\)"),
        ({"splines": "curved"}, ValueError, "no splines='curved': .* leave it out"),
        ({"expand_nested": False}, ValueError, "is always opened"),
        ({"layer_range": ["a", "b"]}, ValueError, "draw a model of these layers"),
        ({"subgraph": True}, ValueError, "Diagram's .dot"),
        ({"rankdir": "RL"}, ValueError, "unknown direction 'RL'"),
        ({"rankdir": "TB", "direction": "LR"}, ValueError, "give one"),
        (
            {"detial": "stage"},
            TypeError,
            "unknown argument of plot 'detial': did you mean 'detail'",
        ),
        ({"dpi": 0}, ValueError, "dpi must be from 1 to 1,200 pixels per inch, got 0"),
        ({"dpi": float("nan")}, ValueError, "dpi must be from 1 to 1,200"),
        ({"dpi": True}, TypeError, "dpi must be a number, got True"),
        ({"dpi": 99, "size": (9, 9)}, TypeError, "both set the number of pixels"),
    ],
)
def test_what_plot_model_has_and_plot_has_not_is_refused_with_a_remedy(
    options: dict[str, Any], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        plot("resnet18", **options)


@pytest.mark.skipif(DOT is None, reason="Graphviz's dot is not installed")
def test_a_pdf_file_is_drawn_by_graphviz(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", {"dot": DOT}.get)
    for detail in DETAILS:
        plot("resnet18", tmp_path / "net.PDF", detail=detail)
        assert (tmp_path / "net.PDF").read_bytes().startswith(b"%PDF-")


def test_a_pdf_without_graphviz_names_what_to_install(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match=r"apt install graphviz.* or save the picture as \.svg"):
        plot("resnet18", tmp_path / "net.pdf")
    assert not list(tmp_path.iterdir())


def test_lines_are_not_ortho_splines() -> None:
    # https://github.com/keras-team/keras/issues/21815
    assert "ortho" not in plot("resnet18", detail="layer").dot


@pytest.mark.parametrize(
    ("name", "error", "message"),
    [
        ("net.bmp", ValueError, r"one of \.png, \.svg, \.pdf, \.dot, \.gv"),
        ("net", ValueError, r"one of \.png"),
        ("nowhere/net.png", FileNotFoundError, "there is no folder"),
        ("folder.png", IsADirectoryError, "it is a folder"),
    ],
)
def test_an_unwritable_path_is_rejected_before_drawing(
    name: str, error: type[Exception], message: str, tmp_path: Path
) -> None:
    (tmp_path / "folder.png").mkdir()
    for draw in (partial(plot, "resnet18"), compare("resnet18", "resnet34").plot):
        with pytest.raises(error, match=message):
            draw(tmp_path / name)
    assert [path.name for path in tmp_path.iterdir()] == ["folder.png"]


def test_a_full_disk_leaves_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(OSError, match=r"cannot write .*net\.png: No space left") as refusal:
        plot("resnet18", tmp_path / "net.png")
    assert refusal.value.errno == errno.ENOSPC
    assert not list(tmp_path.iterdir())


def test_a_failed_drawing_leaves_the_old_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "net.png"
    path.write_bytes(b"old")
    monkeypatch.setattr(diagrams, "graphviz_program", lambda _: "/nowhere/dot")
    with pytest.raises(RuntimeError, match="could not draw"):
        plot(two_branches(), path)
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_the_error_has_the_message_of_graphviz(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    # Python does not accept Graphviz's options.
    monkeypatch.setattr(diagrams, "graphviz_program", lambda _: sys.executable)
    with pytest.raises(RuntimeError, match=r"could not draw the diagram: [Uu]nknown option"):
        plot("resnet18").render()
    assert capfd.readouterr() == ("", "")


def test_the_error_without_graphviz_names_a_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(metadata, "files", lambda _: None)
    with pytest.raises(RuntimeError, match="pip install graphviz-pure"):
        plot(two_branches()).render()


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"detail": "layers"}, ValueError, "unknown detail 'layers': did you mean 'layer'"),
        ({"direction": "RL"}, ValueError, "unknown direction 'RL'"),
        ({"direction": ""}, ValueError, "unknown direction ''"),
        ({"direction": 0}, TypeError, "direction must be one of the names"),
        ({"source": 18}, TypeError, "got 18"),
        ({"source": two_branches(), "classes": 10}, TypeError, "a model has its own"),
        ({"source": keras.Sequential()}, ValueError, "has no graph of layers"),
    ],
)
def test_invalid_options_are_rejected(
    options: dict[str, Any], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        plot(**{"source": "resnet18"} | options)


def test_an_unknown_format_is_rejected() -> None:
    with pytest.raises(ValueError, match="unknown format 'jpg'"):
        plot("resnet18").render("jpg")


@pytest.mark.parametrize("draw", [partial(plot, "resnet18"), compare("plain18", "resnet18").plot])
def test_fold_must_be_a_bool(draw: Callable[..., Any]) -> None:
    with pytest.raises(TypeError, match="fold must be True or False, got 'no'"):
        draw(fold="no")


def test_the_repr_lists_the_methods() -> None:
    assert repr(plot("resnet18")).startswith("<Diagram: .save(path), .render(), .interactive(), ")


def test_pictures_have_an_alternative_text() -> None:
    diagram = plot("resnet18", input_shape=(64, 64, 3), classes=7)
    # Table 1 of He et al. 2015 at 64x64: 16x16 after the stem, then halved three times.
    assert diagram.alt.startswith("The network resnet18: 64×64×3, 11.2 M parameters, ")
    assert "Sections: stem, 16×16×64; stage1, 16×16×64; stage2, 8×8×128; " in diagram.alt
    assert diagram.alt.endswith("stage4, 2×2×512; head, 7 values.")
    root = ET.fromstring(diagram.render("svg"))
    assert (root.attrib["role"], root.attrib["aria-label"]) == ("img", diagram.alt)
    assert diagram._repr_png_()[1] == {"alt": diagram.alt}
    both = compare("resnet18", "resnet34").plot().alt
    assert "network resnet18:" in both
    assert "network resnet34:" in both


def test_an_alternative_text_is_escaped() -> None:
    image = keras.Input((4,))
    diagram = plot(keras.Model(image, keras.layers.Dense(3)(image), name='<"&'))
    assert ET.fromstring(diagram.render("svg")).attrib["aria-label"] == diagram.alt
    assert diagram.alt.startswith('The network <"&: 4, 15 parameters')


def test_the_page_is_shown_inside_a_notebook() -> None:
    diagram = plot("resnet18")
    root = ET.fromstring(diagram.interactive(height=321)._repr_html_())
    assert (root.tag, root.attrib["title"]) == ("iframe", diagram.alt)
    assert root.attrib["srcdoc"].encode().split() == diagram.render("html").split()
    assert "height: 321px" in root.attrib["style"]
    with pytest.raises(ValueError, match="height must be 1 or more, got 0"):
        diagram.interactive(0)


DIRECTIONS: tuple[Direction, ...] = get_args(Direction)


@pytest.mark.parametrize("name", JOINED)
def test_models_with_several_ways_are_drawn_with_the_lines_of_their_graph(name: str) -> None:
    """The fixture in conftest.py holds the lines against the graph, and the DOT text as well."""
    model = JOINED[name]()
    for detail, direction in product(DETAILS, DIRECTIONS):
        assert plot(model, detail=detail, direction=direction).dot.startswith("digraph")
