"""Pictures: what is drawn, and that the file is a whole one of its kind."""

import shutil
import xml.etree.ElementTree as ET
from collections.abc import Callable
from pathlib import Path

import keras
import pytest
import tensorflow as tf

from resnet_builder import ResnetBuilder, plot
from resnet_builder.graph import model_graph
from resnet_builder.pictures import diagram as diagrams


@pytest.fixture
def small() -> keras.Model:
    return ResnetBuilder.from_preset("resnet18", (32, 32, 3), 10, repetitions=(1, 1), filters=8)


@pytest.fixture(params=["dot", "graphviz-pure"])
def graphviz(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Each of the two programs in turn as the one that is found."""
    dot = shutil.which("dot")
    if request.param == "dot" and not dot:
        pytest.skip("Graphviz's dot is not installed")
    monkeypatch.setattr(shutil, "which", {"dot": dot}.get)
    if request.param == "graphviz-pure":
        monkeypatch.setattr(shutil, "which", lambda _: None)
    assert Path(diagrams.graphviz_program()).stem == request.param
    return str(request.param)


def two_branches() -> keras.Model:
    """Two inputs, a shared layer, an operation without a layer, two outputs."""
    left, right = keras.Input((8,), name="left"), keras.Input((4,), name="right")
    shared = keras.layers.Dense(3, name="shared")
    widened = keras.layers.Dense(8, name="<b>&amp;", activation="relu")(right)
    joined = keras.layers.Concatenate(name="join")([shared(left), shared(widened)])
    return keras.Model([left, right], [joined, keras.ops.relu(joined)], name="two")


def test_the_graph_of_a_model() -> None:
    graph = model_graph(two_branches())
    edges = [(graph[n].layer.name, node.layer.name) for node in graph for n in node.inputs]
    assert sorted(edges) == [
        ("<b>&amp;", "shared"),
        ("join", "relu"),
        ("left", "shared"),
        ("right", "<b>&amp;"),
        ("shared", "join"),
        ("shared", "join"),
    ]
    assert all(source < n for n, node in enumerate(graph) for source in node.inputs)
    assert [node.output_shape for node in graph if node.layer.name == "join"] == [(None, 6)]


def test_the_graph_of_a_sequential_model() -> None:
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(2), keras.layers.ReLU()])
    assert [node.inputs for node in model_graph(model)] == [(), (0,), (1,)]


def test_a_model_without_a_graph_is_refused() -> None:
    class Subclassed(keras.Model):
        pass

    with pytest.raises(ValueError, match="has no graph of layers"):
        plot(Subclassed())
    with pytest.raises(ValueError, match=r"begins with keras\.Input"):
        plot(keras.Sequential([keras.layers.Dense(2)]))


@pytest.mark.parametrize("make", [two_branches, lambda: ResnetBuilder.from_preset("resnet18")])
def test_dot_text(make: Callable[[], keras.Model], golden: Callable[[str, str], None]) -> None:
    model = make()
    golden(f"plot_{model.name}.dot", plot(model, direction="LR").dot)


def test_the_same_network_gives_the_same_text() -> None:
    assert plot("resnet18").dot == plot(ResnetBuilder.from_preset("resnet18")).dot


@pytest.mark.usefixtures("graphviz")
def test_png(small: keras.Model, tmp_path: Path) -> None:
    path = tmp_path / "ResNet.png"
    diagram = plot(small, path, detail="layer")
    height, width, _ = tf.io.decode_png(path.read_bytes()).shape
    assert height > 20 * len(small.layers)
    assert 200 < width < 800
    assert diagram._repr_png_() == path.read_bytes()
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.usefixtures("graphviz")
def test_a_deep_network(tmp_path: Path) -> None:
    path = tmp_path / "deep.png"
    model = ResnetBuilder.from_preset("resnet152", (32, 32, 3))
    plot(model, path)
    assert tf.io.decode_png(path.read_bytes()).shape[0] > 20_000


@pytest.mark.usefixtures("graphviz")
def test_svg(tmp_path: Path) -> None:
    path = tmp_path / "two.SVG"
    plot(two_branches(), str(path))
    words = "".join(ET.parse(path).getroot().itertext())
    for word in ("shared", "<b>&amp;", "Dense, 8, relu"):
        assert word in words


def test_dot_file(tmp_path: Path) -> None:
    path = tmp_path / "two.gv"
    diagram = plot(two_branches(), path)
    assert path.read_text(encoding="utf-8") == diagram.dot


def test_never_the_splines_that_crash_graphviz() -> None:
    # https://github.com/keras-team/keras/issues/21815
    assert "ortho" not in plot("resnet18").dot


@pytest.mark.parametrize(
    ("name", "error", "message"),
    [
        ("net.bmp", ValueError, r"one of \.png, \.svg, \.dot, \.gv"),
        ("net", ValueError, r"one of \.png"),
        ("nowhere/net.png", FileNotFoundError, "there is no folder"),
    ],
)
def test_files_that_cannot_be(
    name: str, error: type[Exception], message: str, tmp_path: Path
) -> None:
    with pytest.raises(error, match=message):
        plot(two_branches(), tmp_path / name)
    assert not list(tmp_path.iterdir())


def test_a_failed_drawing_leaves_the_old_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "net.png"
    path.write_bytes(b"old")
    monkeypatch.setattr(diagrams, "graphviz_program", lambda: "/nowhere/dot")
    with pytest.raises(RuntimeError, match="could not draw"):
        plot(two_branches(), path)
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_without_any_graphviz(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda _: None)
    monkeypatch.setattr(diagrams, "files", lambda _: None)
    with pytest.raises(RuntimeError, match="pip install graphviz-pure"):
        plot(two_branches()).render()


def test_settings_in_their_own_order() -> None:
    image = keras.Input((32, 32, 3))
    x = keras.layers.Conv2D(8, 3, strides=(2, 1), activation=keras.layers.LeakyReLU())(image)
    text = plot(keras.Model(image, keras.layers.Dropout(0.25)(x))).dot
    assert "Conv2D, 3×3, 8, stride 2×1, LeakyReLU" in text
    assert "Dropout, 0.25" in text


def test_refused() -> None:
    with pytest.raises(TypeError, match="a model has its own"):
        plot(two_branches(), classes=10)
    with pytest.raises(ValueError, match="unknown format 'jpg'"):
        plot(two_branches()).render("jpg")
    with pytest.raises(ValueError, match="unknown detail 'layers': did you mean 'layer'"):
        plot("resnet18", detail="layers")
    with pytest.raises(ValueError, match="unknown direction 'RL'"):
        plot("resnet18", direction="RL")
    with pytest.raises(TypeError, match="not 18"):
        plot(18)
