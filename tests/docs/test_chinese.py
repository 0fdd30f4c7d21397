"""The generated pages in Chinese: nothing of them is left in English but names."""

import re
from collections.abc import Callable

import pytest

from resnet_builder import PRESETS
from website.chinese import in_chinese, translated
from website.exports import exports_table
from website.families import FAMILIES, families_table
from website.family_page import family_pages
from website.howto_drawings import DRAWINGS, drawing
from website.ideas import ideas
from website.overview import overview_page
from website.preset_page import preset_page
from website.speed import networks

NOT_WORDS = re.compile(r"```.*?```|`[^`]*`|\]\([^)]*\)|<[^>]*>|\{[^}]*\}", re.DOTALL)
LIBRARIES = {re.escape(library) for family in FAMILIES for library in family.libraries}
# Files and authors that numbers are from, modules of timm, and libraries.
NAMES = re.compile(
    r"timm \w+|He et al\.|: [\w./-]+|, commit \w+|, [\w./]*[._]\w+|" + "|".join(LIBRARIES)
)
ENGLISH = re.compile(r"(?<![\w.-])[A-Z]?[a-z]{3,}(?![\w-])")
# Terms that stay, values of fields, licences, data, authors, methods and networks.
KEPT = {
    *("logit", "logits", "stem", "head", "softmax", "splits", "bottleneck", "relu", "silu"),
    *(
        "True",
        "False",
        "None",
        "mit",
        "bsd",
        "openrail",
        "Landsat",
        "Instagram",
        "Linf",
        "Keras",
        "applications",
    ),
    *("Bamboo", "barlowtwins", "dino", "moco", "swav", "vicreg", "Zagoruyko"),
    *(
        "Caffe",
        "Transfer",
        "Wide",
        "ecaresnetlight",
        "resnet",
        "akamaster",
        "imgclsmob",
        "torchgeo",
    ),
}


def assert_is_chinese(page: str) -> None:
    shown = re.sub(r"\A---.*?---", "", in_chinese(page), flags=re.DOTALL)
    words = NAMES.sub("", NOT_WORDS.sub(" ", shown))
    assert set(ENGLISH.findall(words)) - KEPT == set()


NAMES_IN_DRAWINGS = {
    *("timm", "torchvision", "transformers", "keras", "onnxruntime", "safetensors"),
    *("Hugging", "Face", "Serving"),
}

# The first preset of a family has all kinds of its phrases.
FIRST = {family.presets[0] for family in FAMILIES}
NAMES_OF_PAGES = [
    pytest.param(name, marks=[] if name in FIRST else pytest.mark.slow) for name in PRESETS
]


@pytest.mark.parametrize("name", NAMES_OF_PAGES)
def test_a_page_of_a_preset_is_in_chinese(name: str) -> None:
    page = preset_page(name)
    assert_is_chinese(page)
    code = re.compile(r"```.*?```", re.DOTALL)
    assert code.findall(in_chinese(page)) == code.findall(page)


def test_the_overview_is_in_chinese() -> None:
    assert_is_chinese(overview_page())
    shown = in_chinese(overview_page())
    assert "<td>文章中的网络</td>" in shown
    assert 'placeholder="50d、ResNeXt、CIFAR……"' in shown
    assert all(f"<td>{translated(family.title)}</td>" in shown for family in FAMILIES)


@pytest.mark.parametrize("page", DRAWINGS)
def test_the_words_of_a_drawing_are_in_chinese(page: str) -> None:
    chinese = re.sub('<tspan class="code">.*?</tspan>', "", in_chinese(drawing(page)))
    [label] = re.findall(r'aria-label="([^"]+)"', chinese)
    assert re.search("[\u4e00-\u9fff]", label)
    words = re.sub("<[^>]*>", " ", chinese)
    assert set(ENGLISH.findall(words)) - KEPT - NAMES_IN_DRAWINGS == set()


def test_every_family_has_an_idea_in_both_languages() -> None:
    assert {*ideas()} == {family.title for family in FAMILIES}
    pages = family_pages()
    assert len(pages) == 2 * len(FAMILIES)
    for path, page in pages.items():
        if path.endswith(".zh.md"):
            assert_is_chinese(page)
    for idea in ideas().values():
        assert idea.preset in pages[f"families/{idea.slug}.md"]
        assert idea.en.count(".") >= 4
        assert idea.zh.count("。") >= 3


@pytest.mark.parametrize("write", [exports_table, families_table, networks])
def test_a_table_is_in_chinese(write: Callable[[], str]) -> None:
    assert_is_chinese(write())


@pytest.mark.parametrize(
    ("english", "chinese"),
    [
        (
            "## Published numbers { data-search-exclude }",
            "## 已发表的数字 { #published-numbers data-search-exclude }",
        ),
        ("| - shortcuts instead of no shortcuts | +1 |", "| - 无捷径改为有捷径 | +1 |"),
        ("- groups 32 instead of 1<br>", "- `groups` 由 1 改为 32<br>"),
        ("- block a instead of b", "- `block` 由 b 改为 a"),
        ("- batch norm instead of group<br>\n  norm", "- 组归一化改为批归一化"),
        ("Source: [x](x.md), timm.", "来源：[x](x.md)、timm。"),
        ("| 7x7, 64, stride 2<br>3x3 max pool |", "| 7x7, 64, 步幅 2<br>3x3 最大池化 |"),
        ("resnet50, which no phrase fits", "resnet50, which no phrase fits"),
    ],
)
def test_phrases(english: str, chinese: str) -> None:
    assert in_chinese(english) == chinese
