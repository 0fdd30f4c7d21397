"""The graph of a Keras model."""

import keras
import pytest

from resnet_builder.model.graph import model_graph

from ..models import two_branches


def test_every_call_of_a_layer_is_a_node_after_its_inputs() -> None:
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


def test_a_sequential_model_is_a_chain() -> None:
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(2), keras.layers.ReLU()])
    assert [node.inputs for node in model_graph(model)] == [(), (0,), (1,)]


def test_a_model_without_a_graph_is_rejected() -> None:
    class Subclassed(keras.Model):
        pass

    with pytest.raises(ValueError, match=r"'\w+' \(Subclassed\) has no graph of layers"):
        model_graph(Subclassed())
    with pytest.raises(ValueError, match=r"begins with keras\.Input"):
        model_graph(keras.Sequential([keras.layers.Dense(2)]))
