"""Write the notebooks of the how-tos and of the tour, in both languages: notebooks/.

    python -m tools.notebooks

A notebook has the texts and the code of its page, and what the page says that the code prints.
Before them, it installs the library where that is missing. A test compares the files with these.
"""

import json
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from posixpath import dirname, join, normpath
from typing import Any

from website.notebooks import notebook

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
TOUR = ROOT / "examples" / "tour.ipynb"
SOURCE = "https://github.com/resnet-builder/resnet-builder"

FENCE = re.compile(r"^```(\w+)\n(.*?)^```\n?", re.MULTILINE | re.DOTALL)
COMMENT = re.compile(r"<!--.*?-->\n*", re.DOTALL)
ATTRIBUTES = re.compile(r"\n?\{ [^}\n]+ \}")
REFERENCE = re.compile(r"\[([^\]]+)\]\[[\w.]+\]")
BESIDE = re.compile(r"(!?)\[([^\]]*)\]\((?!\w+:|#)([^)\s]+)\)")
# A line with a picture, by its path in docs/ or from the page.
PICTURE = re.compile(r'^(?:<.*"asset:([^"]+)".*|!\[.*\]\((?!\w+:)(.*)\))\n*', re.MULTILINE)

INSTALL = f"""\
import importlib.util

if importlib.util.find_spec("resnet_builder") is None:  # as in Colab
    %pip install -q "resnet-builder[examples,onnx,weights] @ git+{SOURCE}"
"""

WEIGHTS = """\
from resnet_builder import ResnetBuilder, write_weights

resnet18 = ResnetBuilder.from_preset("resnet18")
write_weights(resnet18, "resnet18.safetensors", names="torchvision")
"""
PHOTOS = """\
from pathlib import Path

import keras
from sklearn.datasets import load_sample_images

Path("photos").mkdir(exist_ok=True)
for name, photo in zip(("cat.jpg", "sofa.jpg"), load_sample_images().images):
    keras.utils.save_img(name, photo)
    keras.utils.save_img(f"photos/{name}", photo)
"""
CLASSES = """\
from pathlib import Path

import keras
from sklearn.datasets import load_sample_images

for name, photo in zip(("cats", "dogs", "foxes"), 2 * load_sample_images().images):
    Path("photos", name).mkdir(parents=True, exist_ok=True)
    for number in range(4):
        keras.utils.save_img(f"photos/{name}/{number}.jpg", photo[50 * number :][:240])
"""
# Page -> code that writes the files which it takes as given.
FILES = {
    "howto/classify": PHOTOS,
    "howto/embeddings": PHOTOS,
    "howto/photos": CLASSES,
    "howto/fine_tuning": WEIGHTS,
    "howto/checkpoints": f"""\
{PHOTOS}
from huggingface_hub import snapshot_download
{WEIGHTS}
small = {{"input_shape": (32, 32, 3), "repetitions": (1, 1), "classes": 5}}
resnet18 = ResnetBuilder.from_preset("resnet18", **small)
write_weights(resnet18, "timm_resnet18.safetensors", names="timm")

snapshot_download("keras/resnet_18_imagenet", local_dir="keras_hub_resnet18")
""",
}
GIVEN = {
    "": "The files that the page takes as given: here, random weights and photos of other things. "
    "Skip the cell if you have files of your own.",
    ".zh": "本页要用到的文件：这里用随机权重和任意的照片代替。如果你已有自己的文件，请跳过这一格。",
}


def notebooks() -> dict[str, str]:
    """Path in the repository -> content."""
    pages = sorted(str(page.relative_to(DOCS)) for page in DOCS.glob("howto/*.md"))
    files = {path: _file(_cells(page)) for page in pages if (path := notebook(page))}
    return files | {str(notebook("tour.md")): _file(_tour())}


def _file(cells: Iterable[dict[str, Any]]) -> str:
    numbered = [cell | {"id": f"cell-{number:02}"} for number, cell in enumerate(cells, start=1)]
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    content = {
        "cells": numbered,
        "metadata": {"kernelspec": kernel, "language_info": {"name": "python"}},
        "nbformat": 4,
        "nbformat_minor": 5,
    }
    return json.dumps(content, ensure_ascii=False, indent=1) + "\n"


def _tour() -> Iterator[dict[str, Any]]:
    """The cells of the tour as before it ran: its pictures would be there twice."""
    yield _code_cell(INSTALL)
    for cell in json.loads(TOUR.read_text(encoding="utf-8"))["cells"]:
        text = "".join(cell["source"])
        yield from [_code_cell(text)] if cell["cell_type"] == "code" else _texts(text, "examples")


# Pages ------------------------------------------------------------------------------------------


def _cells(page: str) -> list[dict[str, Any]]:
    """The cells of a page of docs/."""
    text, *parts = FENCE.split((DOCS / page).read_text(encoding="utf-8"))
    heading, _, text = text.partition("\n")
    folder = f"docs/{dirname(page)}"
    name = page.removesuffix(".md").removesuffix(".zh")
    cells = [*_texts(heading, folder), _code_cell(INSTALL)]
    if name in FILES:
        cells += _texts(GIVEN[".zh" if page.endswith(".zh.md") else ""], folder)
        cells.append(_code_cell(FILES[name]))
    cells += _texts(text, folder)
    for language, content, after in zip(parts[::3], parts[1::3], parts[2::3], strict=True):
        if language == "python":
            cells.append(_code_cell(content))
        elif language == "console":
            command, _, printed = content.partition("\n")
            cells.append(_code_cell(command.replace("$ ", "!", 1), printed))
        elif language == "text" and cells[-1]["cell_type"] == "code":
            cells[-1] = _code_cell("".join(cells[-1]["source"]), content)
        else:
            after = f"```{language}\n{content}```\n{after}"
        cells += _texts(after, folder)
    return cells


def _code_cell(code: str, printed: str = "") -> dict[str, Any]:
    cell: dict[str, Any] = {"cell_type": "code", "execution_count": None, "metadata": {}}
    output = {"name": "stdout", "output_type": "stream", "text": _split(printed)}
    return cell | {"source": _split(code.strip("\n")), "outputs": [output] if printed else []}


def _split(text: str) -> list[str]:
    return text.splitlines(keepends=True)


def _texts(markdown: str, folder: str) -> Iterator[dict[str, Any]]:
    """A cell of text of a file in a folder, without what is for the site; none if it is empty."""

    def absolute(match: re.Match[str]) -> str:
        path = normpath(join(folder, match[3]))
        return f"{match[1]}[{match[2]}]({SOURCE}/{'raw' if match[1] else 'blob'}/main/{path})"

    def picture(match: re.Match[str]) -> str:
        """A picture by its address; nothing of one that is drawn for the site only."""
        path = normpath(f"docs/{match[1]}" if match[1] else join(folder, match[2]))
        line = match[0].replace(f"asset:{match[1]}", f"{SOURCE}/raw/main/{path}")
        return line if (ROOT / path).exists() else ""

    markdown = PICTURE.sub(picture, markdown)
    for pattern, shown in ((COMMENT, ""), (ATTRIBUTES, ""), (REFERENCE, r"\1")):
        markdown = pattern.sub(shown, markdown)
    markdown = BESIDE.sub(absolute, markdown).strip()
    if markdown:
        yield {"cell_type": "markdown", "metadata": {}, "source": _split(markdown)}


def main() -> None:
    """Write the files, and remove those of pages that are no more."""
    written = notebooks()
    (ROOT / "notebooks").mkdir(exist_ok=True)
    for path, content in written.items():
        (ROOT / path).write_text(content, encoding="utf-8")
    for file in (ROOT / "notebooks").glob("*.ipynb"):
        if str(file.relative_to(ROOT)) not in written:
            file.unlink()


if __name__ == "__main__":
    main()
