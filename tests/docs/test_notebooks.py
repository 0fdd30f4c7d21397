"""The notebooks are those of the pages, and run."""

import json
import re
from pathlib import Path
from typing import Any

import huggingface_hub
import matplotlib as mpl
import nbformat
import pytest
from IPython.core.interactiveshell import InteractiveShell

from resnet_builder.cli.main import main
from tools.notebooks import DOCS, FILES, INSTALL, ROOT, TOUR, notebooks
from website.notebooks import COLAB, notebook, with_button

from .files import keras_hub_folder, replace_network, write_files

FOLDER = ROOT / "notebooks"
# English and Chinese ones have the same code.
PAGES = sorted(
    path.stem for path in DOCS.glob("howto/*.md") if notebook(f"howto/{path.name}") is not None
)


def cells(path: Path) -> list[Any]:
    return list(nbformat.read(path, 4).cells)


def code_of(path: Path) -> list[str]:
    return [cell.source for cell in cells(path) if cell.cell_type == "code"]


def test_the_files_are_those_of_the_pages() -> None:
    written = {str(path.relative_to(ROOT)): path for path in FOLDER.glob("*.ipynb")}
    expected = notebooks()
    assert sorted(written) == sorted(expected), "run python -m tools.notebooks"
    for name, path in written.items():
        assert path.read_text(encoding="utf-8") == expected[name], "run python -m tools.notebooks"
        nbformat.validate(nbformat.read(path, 4))


@pytest.mark.parametrize("page", PAGES)
def test_a_notebook_has_the_code_of_its_page_after_the_installation(page: str) -> None:
    text = (DOCS / "howto" / f"{page}.md").read_text(encoding="utf-8")
    first, *others = code_of(FOLDER / f"{page}.ipynb")
    assert first == INSTALL.strip()
    others = others[f"howto/{page.removesuffix('.zh')}" in FILES :]
    blocks = re.findall(r"^```(?:python|console)\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    assert [code.removeprefix("!").splitlines()[0] for code in others] == [
        block.removeprefix("$ ").splitlines()[0] for block in blocks
    ]


def test_text_and_output_of_a_notebook() -> None:
    heading, _, text, code, *_ = cells(FOLDER / "channels.ipynb")
    page = (DOCS / "howto" / "channels.md").read_text(encoding="utf-8")
    assert page.startswith(f"{heading.source}\n\n{text.source[:40]}")
    [output] = code.outputs
    assert f"```text\n{output.text}```" in page
    texts = "\n".join(
        cell.source
        for path in FOLDER.glob("*.ipynb")
        for cell in cells(path)
        if cell.cell_type == "markdown"
    )
    assert re.findall(r"<!--|\{ [.#]|\]\((?!https?:|#)|asset:", texts) == []
    pictures = re.findall(r'/raw/main/([^)"]+)', texts)
    assert "docs/photo.jpg" in pictures
    assert sorted(path for path in pictures if not (ROOT / path).exists()) == []


def test_the_tour_has_no_pictures_before_it_runs() -> None:
    first, *others = cells(FOLDER / "tour.ipynb")
    assert first.source == INSTALL.strip()
    tour = cells(TOUR)
    assert [cell.cell_type for cell in others] == [cell.cell_type for cell in tour]
    assert code_of(FOLDER / "tour.ipynb")[1:] == code_of(TOUR)
    assert (FOLDER / "tour.ipynb").stat().st_size < 20_000


@pytest.mark.parametrize(
    ("page", "path"),
    [
        ("howto/unet.md", "notebooks/unet.ipynb"),
        ("howto/unet.zh.md", "notebooks/unet.zh.ipynb"),
        ("tour.zh.md", "notebooks/tour.ipynb"),
        ("howto/index.md", None),
        ("gallery/resnet50.md", None),
    ],
)
def test_buttons(page: str, path: str | None) -> None:
    shown = with_button("# Title\n\nText", page)
    assert (f"({COLAB}{path}){{ .colab }}\n\nText" in shown) is (path is not None)
    assert path is None or (ROOT / path).exists()
    assert (shown == "# Title\n\nText") is (path is None)


def test_buttons_of_the_readmes_lead_to_notebooks() -> None:
    for name in ("README.md", "README.zh.md"):
        found = re.findall(re.escape(COLAB) + r"([\w./]+)\)", (ROOT / name).read_text("utf-8"))
        assert found == ["notebooks/tour.ipynb"]


def run(notebook: Path, page: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Run the code cells in this process, the commands of a shell too."""
    monkeypatch.chdir(folder)
    mpl.use("Agg")
    write_files(page, folder)
    replace_network(folder, monkeypatch)
    monkeypatch.setattr(huggingface_hub, "snapshot_download", lambda *_, **__: None)
    shell = InteractiveShell()

    def system(command: str) -> None:
        name, *arguments = command.split()
        assert name == "resnet-builder"
        main(arguments)

    monkeypatch.setattr(shell, "system", system)
    for code in code_of(notebook):
        shell.run_cell(code).raise_error()


@pytest.mark.slow
@pytest.mark.parametrize("page", [page for page in PAGES if not page.endswith(".zh")])
def test_a_notebook_runs(page: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run(FOLDER / f"{page}.ipynb", f"howto/{page}", tmp_path, monkeypatch)


@pytest.mark.parametrize("page", FILES)
def test_the_files_of_a_notebook_are_those_that_its_page_takes(
    page: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    expected = tmp_path / "expected"
    expected.mkdir()
    write_files(page, expected)

    def download(name: str, local_dir: str) -> None:
        assert (name, local_dir) == ("keras/resnet_18_imagenet", "keras_hub_resnet18")
        keras_hub_folder(tmp_path)

    monkeypatch.setattr(huggingface_hub, "snapshot_download", download)
    exec(compile(FILES[page], page, "exec"), {})
    made = {path.name for path in tmp_path.iterdir()} - {"expected"}
    assert made == {path.name for path in expected.iterdir()} - {"resnet18_places365.pth.tar"}


def test_a_notebook_is_small() -> None:
    sizes = {path.name: len(json.dumps(cells(path))) for path in FOLDER.glob("*.ipynb")}
    assert max(sizes.values()) < 60_000
