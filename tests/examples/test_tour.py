"""The notebook runs as it is, and has its pictures in the file."""

from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient

TOUR = Path(__file__).parents[2] / "examples" / "tour.ipynb"


def pictures(cells: list[Any]) -> list[int]:
    """The numbers of the cells that show a picture."""
    return [
        number
        for number, cell in enumerate(cells, start=1)
        if any("image/png" in output.get("data", {}) for output in cell.get("outputs", []))
    ]


def without_noise(cells: list[Any]) -> None:
    """Leave out what TensorFlow says of the machine."""
    for cell in cells:
        if cell.cell_type == "code":
            cell.outputs = [output for output in cell.outputs if output.get("name") != "stderr"]


@pytest.mark.slow
def test_tour(tmp_path: Path, request: pytest.FixtureRequest) -> None:
    notebook = nbformat.read(TOUR, 4)
    stored = pictures(notebook.cells)
    assert len(notebook.cells) == 15
    client = NotebookClient(
        notebook, timeout=300, record_timing=False, resources={"metadata": {"path": str(tmp_path)}}
    )
    client.execute()
    if request.config.getoption("--update-golden"):
        without_noise(notebook.cells)
        nbformat.write(notebook, TOUR)
        stored = pictures(notebook.cells)
    # Three of networks, one of training, one of broken networks, one of paths.
    assert len(stored) == 6
    assert pictures(notebook.cells) == stored
    assert not list(tmp_path.iterdir())
