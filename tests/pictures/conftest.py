"""Every picture that a test of this folder draws is held against the graph."""

from importlib import import_module

import pytest

from resnet_builder.pictures.sketch import of_model

from . import edges


@pytest.fixture(autouse=True)
def _lines_are_those_of_the_graph(monkeypatch: pytest.MonkeyPatch) -> None:
    plot = import_module("resnet_builder.pictures.plot")  # the package's `plot` is the function
    monkeypatch.setattr(of_model, "sketch_model", edges.checked_sketch)
    monkeypatch.setattr(plot, "folded", edges.checked_fold)
    monkeypatch.setattr(plot, "lay_out_page", edges.checked_page)
    monkeypatch.setattr(plot, "draw_page", edges.checked_drawing)
    monkeypatch.setattr(plot, "draw_stages", edges.checked_stages)
    monkeypatch.setattr(plot, "draw_layers", edges.checked_layers)
