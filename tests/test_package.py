"""The package as a whole: what importing costs, what is documented, what a saved model needs."""

import dataclasses
import inspect
import re
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import nbclient
import nbformat
import numpy as np
import pytest

import resnet_builder
from resnet_builder import ResnetBuilder, ResnetConfig, deeplab, fpn, unet

from .helpers import image_batch, png_size
from .processes import printed_by

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
README_PYTHON = re.findall(r"```python\n(.*?)```", README, re.DOTALL)


def test_names_configs_and_plans_need_no_keras(tmp_path: Path) -> None:
    code = """
import sys
import resnet_builder
from resnet_builder.plan.network import make_plan
plans = [make_plan(resnet_builder.PRESETS[name]) for name in resnet_builder.list_presets()]
str(resnet_builder.list_weights())
resnet_builder.profile("timm/resnet18.a1_in1k")
resnet_builder.feature_info("resnet50")
print(len(plans), sorted({"keras", "tensorflow", "numpy", "pydot"} & sys.modules.keys()))
"""
    assert printed_by(code, tmp_path) == f"{len(resnet_builder.PRESETS)} []\n"


def test_the_public_names() -> None:
    assert sorted(resnet_builder.__all__) == [
        "Augment",
        "Augmentation",
        "Comparison",
        "Details",
        "Diagram",
        "EpochBackup",
        "Evaluation",
        "Explanation",
        "ExportReport",
        "FeatureLevel",
        "FeatureLevels",
        "FoldingReport",
        "Guess",
        "MovingAverage",
        "PRESETS",
        "Profile",
        "PublishedWeights",
        "RECIPES",
        "Recipe",
        "Report",
        "ResnetBuilder",
        "ResnetConfig",
        "StageProfile",
        "Trust",
        "WeightsList",
        "WeightsReport",
        "WrittenWeights",
        "along_paths",
        "augmentation",
        "basic_block",
        "bottleneck",
        "compare",
        "compile_recipe",
        "config_of",
        "decode",
        "deeplab",
        "evaluate",
        "explain",
        "export",
        "feature_info",
        "find_config",
        "fit_distributed",
        "fold_batch_norm",
        "folding_report",
        "fpn",
        "freeze",
        "is_chief",
        "layer_rates",
        "list_presets",
        "list_weights",
        "load_weights",
        "path_lengths",
        "plot",
        "prepare",
        "preprocessing",
        "profile",
        "rematerialize",
        "reordered",
        "restore_backup",
        "save_pretrained",
        "synchronize_batch_norm",
        "unet",
        "unfreeze",
        "verify",
        "without_blocks",
        "write_weights",
    ]


def public_objects() -> list[Any]:
    methods = [
        method
        for owner in (ResnetBuilder, ResnetConfig)
        for name, method in inspect.getmembers(owner, inspect.isroutine)
        if not name.startswith("_")
    ]
    names = [getattr(resnet_builder, name) for name in resnet_builder.__all__]
    return [*methods, *(found for found in names if callable(found))]


@pytest.mark.parametrize("public", public_objects(), ids=lambda found: found.__qualname__)
def test_every_public_name_has_a_docstring_with_an_example(public: Any) -> None:
    assert ">>> " in (public.__doc__ or "")


def documented(public: Any, section: str) -> list[str]:
    """The names that a section of a docstring explains."""
    text = inspect.getdoc(public) or ""
    return re.findall(
        r"^    \*{0,2}(\w+): ",
        re.split(r"^\w+:$", text.partition(f"{section}:")[2], flags=re.M)[0],
        re.M,
    )


def test_every_option_is_documented() -> None:
    options = [*inspect.signature(ResnetBuilder.from_preset).parameters]
    assert documented(ResnetBuilder.from_preset, "Args") == options
    fields = [field.name for field in dataclasses.fields(ResnetConfig)]
    assert documented(ResnetConfig, "Attributes") == fields


def versions(file: str, pattern: str) -> list[str]:
    return re.findall(pattern, (ROOT / file).read_text(encoding="utf-8"), re.M)


def test_every_file_names_the_same_version() -> None:
    assert versions("CHANGELOG.md", r"^## (\S+)")[0] == resnet_builder.__version__
    assert versions("CITATION.cff", r"^version: (.+)") == [resnet_builder.__version__]


def test_the_packages_without_tensorflow_are_those_that_the_package_asks_for() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    needed = {re.split(r"[\[>=]", one)[0] for one in project["dependencies"]} - {"tensorflow"}
    for page in ("installation.md", "installation.zh.md"):
        [packages] = versions(f"docs/{page}", r"pip install jax (.+)")
        assert set(packages.split()) == needed


def test_a_commit_is_checked_by_the_ruff_of_the_environment() -> None:
    [pinned] = versions("pyproject.toml", r'"ruff==(.+)"')
    assert versions(".pre-commit-config.yaml", r"^ +rev: v(\S+)") == [pinned]


SAVED: dict[str, tuple[str, dict[str, Any]]] = {
    "article": ("keras_resnet50", {}),
    "v1.5": ("resnet18", {"output_stride": 8, "activation": "gelu", "dropout_rate": 0.5}),
    "grouped": ("resnet50", {"groups": 4, "include_top": False, "pooling": "max"}),
    "features": ("resnet18", {"stem": "cifar", "features": ["stage1", "predictions"]}),
    "first": ("resnet18", {"data_format": "channels_first", "input_shape": (3, None, None)}),
    "option A": ("resnet20_cifar", {"drop_path_rate": 0.2, "activation_order": "pre"}),
    "first option A": (
        "resnet18",
        {"data_format": "channels_first", "projection": "pad", "input_shape": (3, 32, 32)},
    ),
    "everything": ("resnetv2_50d", {"se_ratio": 0.25, "drop_path_rate": 0.1, "groups": 4}),
    "plain": ("plain18", {"stem": "deep"}),
    "mixed": ("keras_resnet18", {"dtype": "mixed_bfloat16"}),
}
HEADS: dict[str, Callable[..., keras.Model]] = {"unet": unet, "fpn": fpn, "deeplab": deeplab}


def test_saved_models_need_no_resnet_builder(tmp_path: Path) -> None:
    images = image_batch(2, 32, 32, 3)
    np.save(tmp_path / "images.npy", images)
    small: dict[str, Any] = {"repetitions": (1, 1), "filters": 8}
    models = {
        name: ResnetBuilder.from_preset(preset, **small | {"input_shape": (32, 32, 3)} | options)
        for name, (preset, options) in SAVED.items()
    }
    for name, head in HEADS.items():
        models[name] = head("resnet18", (None, None, 3), 2, output_stride=8, **small)
    for name, model in models.items():
        model.save(tmp_path / f"{name}.keras")
        batch = images.transpose(0, 3, 1, 2) if "first" in name else images
        answers = keras.tree.flatten(model(batch))
        np.savez(tmp_path / f"{name}.npz", *map(keras.ops.convert_to_numpy, answers))
    code = f"""
import sys
sys.modules["resnet_builder"] = None  # importing it raises ImportError
import keras, numpy as np
images = np.load("images.npy")
for name in {list(models)}:
    model = keras.models.load_model(f"{{name}}.keras")
    batch = images.transpose(0, 3, 1, 2) if "first" in name else images
    answers = map(keras.ops.convert_to_numpy, keras.tree.flatten(model(batch)))
    expected = np.load(f"{{name}}.npz")
    for answer, saved in zip(answers, expected.values(), strict=True):
        np.testing.assert_array_equal(answer, saved)
    print(name)
"""
    assert printed_by(code, tmp_path).splitlines() == list(models)


def test_the_readme_runs_in_a_notebook_and_the_article_in_five_lines(tmp_path: Path) -> None:
    article, *_ = README_PYTHON
    assert len([line for line in article.splitlines() if line and "import" not in line]) == 5
    cell, *others = map(nbformat.v4.new_code_cell, README_PYTHON)
    notebook = nbformat.v4.new_notebook(cells=[cell, *others])
    resources = {"metadata": {"path": str(tmp_path)}}
    nbclient.NotebookClient(notebook, timeout=300, resources=resources).execute()
    shown = str(cell.outputs)
    assert "keras_resnet34" in shown
    # 21,819,624 with 1000 classes (original_presets.json), less 900 classes of 512 + 1 weights.
    assert f"{21_819_624 - 900 * 513:,}" in shown
    assert "Model Compiled" in shown
    assert 600 < png_size((tmp_path / "ResNet.png").read_bytes())[1] <= 2400


LINK = r'(?:\]\(|href="|src=")([^)"]+)'


def test_the_readmes_links_work_on_a_package_index_too() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    text = README
    for row in project["tool"]["hatch"]["metadata"]["hooks"]["fancy-pypi-readme"]["substitutions"]:
        text = re.sub(row["pattern"], row["replacement"], text)
    links = re.findall(LINK, README)
    for link, absolute in zip(links, re.findall(LINK, text), strict=True):
        if link.startswith(("https:", "#")):
            assert absolute == link
        else:
            assert (ROOT / link).exists()
            assert absolute.startswith("https://")
            assert absolute.endswith(f"/main/{link}")
    pictures = re.findall(r'src="([^"]+)', text)
    assert {picture.split("/")[2] for picture in pictures} == {"raw.githubusercontent.com"}


CHINESE = (ROOT / "README.zh.md").read_text(encoding="utf-8")


def test_the_readmes_have_the_same_code() -> None:
    fenced = re.compile(r"```.*?```", re.DOTALL)
    assert fenced.findall(CHINESE) == fenced.findall(README)


def test_the_readmes_links_into_the_repository_lead_somewhere() -> None:
    local = [link for link in re.findall(LINK, README + CHINESE) if not link.startswith("https:")]
    assert len(local) > 10
    assert [link for link in local if not (ROOT / link.partition("#")[0]).exists()] == []
