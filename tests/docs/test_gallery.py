"""What the gallery's pages are made of; the built pages are tested in test_site."""

import re
from pathlib import Path
from typing import Any

import pytest

import resnet_builder
from resnet_builder import PRESETS, ResnetConfig, profile
from resnet_builder.presets.checkpoints import find_recommended
from website.accuracy import accuracy
from website.block_drawing import block_drawing
from website.chart import Point, chart
from website.chinese import in_chinese
from website.citation import bibtex, citation
from website.command_line import commands
from website.excerpts import cells, with_excerpts
from website.families import FAMILIES, FOR_TESTS, families_table
from website.howto_pictures import PICTURES
from website.ideas import ideas
from website.measured import MEASURED, measured_table
from website.name_links import with_links
from website.overview import overview_page
from website.preset_page import calls, changed_fields, preset_page, uses
from website.relatives import relatives
from website.speed import networks, speeds

from ..helpers import cases
from .files import photos, replace_network

DOCS = Path(__file__).parents[2] / "docs"


def test_every_preset_is_in_one_family() -> None:
    assert sorted(name for family in FAMILIES for name in family.presets) == sorted(PRESETS)


def test_every_group_of_the_chart_has_a_colour_in_light_and_dark() -> None:
    css = (Path(__file__).parents[2] / "docs" / "assets" / "site.css").read_text(encoding="utf-8")
    groups = len({family.group for family in FAMILIES if family is not FOR_TESTS})
    drawn = set(re.findall(r'class="(group\d+)"', overview_page()))
    assert 0 < len(drawn) <= groups
    for group in drawn:
        assert css.count(f"--{group}: light-dark(") == 1, group
        assert f".{group} {{ fill: var(--{group}); }}" in css


def test_every_preset_of_the_table_is_a_link_to_its_page() -> None:
    links = re.findall(r"\[`(\w+)`\]\(gallery/(\w+)\.md\)", families_table())
    assert [name for name, _ in links] == [page for _, page in links]
    assert sorted(name for name, _ in links) == sorted(PRESETS)


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
    points = [Point("small", 1, 70.0, "a"), Point("large", 10, 80.0, "b")]
    drawn = chart(points, "G", "multiply-adds")
    assert re.findall(r'<a href="(\w+)\.html"', drawn) == ["small", "large"]
    circles = re.findall(r'class="group(\d)" cx="([\d.]+)" cy="([\d.]+)" ', drawn)
    (small, small_x, small_y), (large, large_x, large_y) = circles[:2]
    assert (small, large) == ("0", "1")
    assert float(small_x) < float(large_x)
    assert float(small_y) > float(large_y)


def test_the_commands_are_those_of_the_parser() -> None:
    text = commands()
    assert re.findall(r"^## (\w+) ", text, re.MULTILINE)[:2] == ["list", "weights"]
    assert "* `--input-shape ROWS COLUMNS CHANNELS`: " in text
    assert "* `--no-fold`: draw every block on its own" in text


def test_the_tabs_of_a_page_are_code_that_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    replace_network(tmp_path, monkeypatch)
    photos(tmp_path)
    (tmp_path / "cat.jpg").rename("photo.jpg")
    for title, code in uses("resnet18").items():
        found: dict[str, Any] = {}
        exec(compile(code, title, "exec"), found)
        if "vector" in found:
            assert f"# {found['vector'].size} numbers" in code


@pytest.mark.parametrize("name", cases())
def test_the_tabs_of_a_page_are_python(name: str) -> None:
    for title, code in uses(name).items():
        compile(code, title, "exec")


def test_the_drawing_of_a_block_has_all_its_layers() -> None:
    drawn = block_drawing("seresnet50")
    words = ("1×1 conv, 64, BN, ReLU", "3×3 conv, 64", "global avg pool", "sigmoid", "×", "+, ReLU")
    assert [word for word in words if word not in drawn] == []
    # The identity is blue, a projection red.
    assert "#0077bb" in drawn.lower()
    assert "#cc3311" in block_drawing("resnet50", 2, 1).lower()


def test_a_small_drawing_has_the_boxes_and_lines_without_words() -> None:
    drawings = (block_drawing("seresnet50"), block_drawing("seresnet50", has_words=False))
    shapes = [re.findall(r'class="(node|edge)"', drawn) for drawn in drawings]
    assert shapes[0] == shapes[1]
    assert ["<text" in drawn for drawn in drawings] == [True, False]


def test_every_family_has_its_picture_in_the_overview() -> None:
    linked = re.findall(
        r'<li><a href="\.\./families/(\w+)\.html"><img src="asset:families/(\w+)\.small\.svg"',
        overview_page(),
    )
    assert linked == [(idea.slug, idea.slug) for idea in (ideas()[f.title] for f in FAMILIES)]


def test_the_theme_is_known_in_one_place() -> None:
    """So that another one needs no search for what it breaks."""
    known = {DOCS / "assets" / "theme.css", DOCS.parent / "website" / "theme.py"}
    written = (
        file for folder in ("docs", "website") for file in (DOCS.parent / folder).rglob("*.*")
    )
    texts = [file for file in written if file.suffix in {".css", ".js", ".md", ".py", ".toml"}]
    names = re.compile(r"\bmd-[a-z]|\bslate\b")
    assert known < set(texts)
    assert [
        file for file in texts if names.search(file.read_text("utf-8")) and file not in known
    ] == []


def test_papers_are_cited() -> None:
    for family in FAMILIES:
        assert bibtex(family.papers).count("@misc{") == len(family.papers)
    assert "version = {" + resnet_builder.__version__ + "}" in citation()


def test_networks_are_timed_beside_resnet50() -> None:
    rows = speeds()
    assert len(rows) >= 25
    assert rows["resnet50"].ratio == pytest.approx(1, abs=0.1)
    assert {*re.findall(r'gallery/(\w+)\.html"', networks())} == {*rows}
    assert ">耗时<" in in_chinese(networks())


def test_names_link_to_the_reference_once_in_a_section() -> None:
    page = (
        "`freeze(model)`, `freeze`, `other`.\n\n```python\n`freeze`\n```\n\n## `freeze`\n\n`freeze`"
    )
    linked = with_links(page, ["freeze"])
    assert linked.count("[resnet_builder.freeze]") == 2
    assert linked.startswith("[`freeze(model)`][resnet_builder.freeze], `freeze`, `other`.")
    assert with_links("```python\nfreeze = 1\n```\n\n`freeze`", ["freeze"]).count("][") == 0
    assert with_links("[`freeze`](x.md) <a title='`freeze`'>", ["freeze"]).count("][") == 0


def test_excerpts_are_of_the_examples() -> None:
    text = with_excerpts("<!-- train_on_digits of quickstart.py -->")
    assert text.startswith("```python\nimages, labels = load_digits(")
    chinese = (DOCS / "tour.zh.md").read_text(encoding="utf-8")
    code = [n for n, cell in enumerate(cells("tour.ipynb")) if cell["cell_type"] == "code"]
    assert [int(n) for n in re.findall(r"<!-- cell (\d+) of tour.ipynb -->", chinese)] == code
    with pytest.raises(KeyError):
        with_excerpts("<!-- no such heading of RESULTS.md -->")


def test_pictures_of_howtos_are_on_their_pages() -> None:
    for path, draw in PICTURES.items():
        assert draw().startswith("<?xml")
        for language in ("", ".zh"):
            page = (DOCS / path).with_suffix(f"{language}.md").read_text(encoding="utf-8")
            assert Path(path).name in page
