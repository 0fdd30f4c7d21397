"""What the gallery's pages are made of; the built pages are tested in test_site."""

import re
from pathlib import Path

import pytest

from resnet_builder import PRESETS, ResnetConfig, profile
from resnet_builder.presets.checkpoints import find_recommended
from website.accuracy import accuracy
from website.chart import Point, chart
from website.command_line import commands
from website.families import FAMILIES, PAGE, presets_page
from website.measured import MEASURED, measured_table
from website.preset_page import calls, changed_fields, preset_page
from website.relatives import relatives

from ..helpers import cases


def test_every_preset_is_in_one_family() -> None:
    assert sorted(name for family in FAMILIES for name in family.presets) == sorted(PRESETS)


def test_the_page_of_presets_has_the_families() -> None:
    text = PAGE.read_text(encoding="utf-8")
    assert text == presets_page(), "run python -m website.families"


@pytest.mark.parametrize(
    ("name", "nearest", "differences"),
    [
        # Equally many weights, and the stride elsewhere.
        ("resnet50", "resnet50_v1", ("stride_in_3x3",)),
        ("seresnet50", "resnet50", ("se_ratio",)),
        ("plain34", "resnet34", ("shortcuts",)),
    ],
)
def test_the_nearest_relative(name: str, nearest: str, differences: tuple[str, ...]) -> None:
    found = relatives(name)[0]
    assert (found.name, found.differences) == (nearest, differences)


def test_relatives_are_all_other_presets_by_distance() -> None:
    found = relatives("resnet101")
    assert sorted(relative.name for relative in found) == sorted({*PRESETS} - {"resnet101"})
    distances = [len(relative.differences) for relative in found]
    assert distances == sorted(distances)


def test_measured_accuracies_beside_the_published(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    header = MEASURED.read_text(encoding="utf-8").splitlines()[0]
    file = tmp_path / "measured.csv"
    file.write_text(f"{header}\n", encoding="utf-8")
    monkeypatch.setattr("website.measured.MEASURED", file)
    assert measured_table() == "*Nobody has sent a measurement yet.*"
    cells = dict.fromkeys(header.split(","), "") | {
        "checkpoint": "resnet50.a1_in1k",
        "top1": "80.4",
    }
    file.write_text(f"{header}\n{','.join(cells.values())}\n", encoding="utf-8")
    # timm: results/results-imagenet.csv
    assert [cell.strip() for cell in measured_table().splitlines()[-1].split("|")][1:4] == [
        "80.382",
        "resnet50.a1_in1k",
        "",
    ]


def test_an_accuracy_is_at_the_size_that_it_costs() -> None:
    # timm's results-imagenet.csv: trained at 176x176, tested at 224x224 as well, the preset's size.
    found = accuracy("resnet10t")
    assert found is not None
    assert (found.top1, found.rows, found.checkpoint) == (68.354, 224, "resnet10t.c3_in1k")
    assert found.macs == profile("resnet10t", (224, 224, 3)).macs
    assert accuracy("resnet20_cifar") is None


def test_not_free_checkpoints_are_told() -> None:
    found = accuracy("resnext101_32x32d")
    assert found is not None
    assert not found.is_free


@pytest.mark.parametrize("name", cases())
def test_the_config_of_a_page_is_that_of_the_preset(name: str) -> None:
    changed = changed_fields(name)
    assert ResnetConfig(**changed) == PRESETS[name]
    lines = preset_page(name).replace('"', "'").splitlines()
    hidden = [field for field, value in changed.items() if f"    {field}={value!r}," not in lines]
    assert hidden == (["widths"] if "pruned" in name else [])  # too long for a page


@pytest.mark.parametrize("name", cases())
def test_the_calls_of_a_page_describe_a_network(name: str) -> None:
    (plain, weights), (own, options) = calls(name)
    has_weights = find_recommended(name) is not None
    assert (plain, weights) == ((name,), {"weights": "imagenet"} if has_weights else {})
    assert options.pop("weights", None) == ("imagenet" if has_weights else None)
    assert options.pop("adapt_weights", False) is has_weights
    assert profile(*own, **options).input_shape == (160, 128, 1)


def test_the_calls_of_a_page_are_python() -> None:
    text = preset_page("resnet50")
    assert '\nmodel = ResnetBuilder.from_preset("resnet50", weights="imagenet")\n' in text
    own = '"resnet50", (160, 128, 1), classes=7, weights="imagenet", adapt_weights=True'
    assert f"\nmodel = ResnetBuilder.from_preset(\n    {own}\n)\n" in text


def test_the_chart_links_every_point() -> None:
    points = [Point("small", 10**9, 70.0, "a"), Point("large", 10**10, 80.0, "b")]
    drawn = chart(points)
    assert re.findall(r'<a href="(\w+)\.html"', drawn) == ["small", "large"]
    circles = re.findall(r'class="group(\d)" cx="([\d.]+)" cy="([\d.]+)" ', drawn)
    (small, small_x, small_y), (large, large_x, large_y) = circles[:2]
    assert (small, large) == ("0", "1")
    assert float(small_x) < float(large_x)
    assert float(small_y) > float(large_y)


def test_the_commands_are_those_of_the_parser() -> None:
    text = commands()
    assert re.findall(r"^## (\w+)$", text, re.MULTILINE)[:2] == ["list", "weights"]
    assert "* `--input-shape ROWS COLUMNS CHANNELS`: " in text
    assert "* `--no-fold`: draw every block on its own" in text
