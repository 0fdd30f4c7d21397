"""The page that compares two presets: two menus, over frames of the interactive page.

docs/assets/compare.js puts the data of two networks into one page, and marks what differs. Data and
page are scripts, as pages of a folder may load nothing else.
"""

import json
import re
from html import escape

from resnet_builder.pictures.browser import continued

from .families import FAMILIES

FOLDER = "gallery/architecture"
DATA = re.compile(r'(<script type="application/json" id="data">)(.*?)(</script>)', re.DOTALL)

FIRST = ("resnet50", "resnext50_32x4d")
WORDS = {
    "": (
        "Compare two networks",
        "Stages unfold in step. Thick frames and underlined numbers: not so in the other network.",
        "Left",
        "Right",
    ),
    ".zh": (
        "比较两个网络",
        "两边的阶段同步展开。粗框和带下划线的数字：与另一个网络不同。",
        "左",
        "右",
    ),
}


def compare_pages(pages: dict[str, str]) -> dict[str, str]:
    """The pages in both languages, and their scripts, from the presets' interactive pages."""
    files = {f"gallery/compare{ending}.md": _page(*words) for ending, words in WORDS.items()}
    name, page = next(iter(pages.items()))
    empty = DATA.sub(r"\1\3", page).replace(name, "NETWORKS")
    files[f"{FOLDER}/frame.js"] = f"compare.frame({json.dumps(empty)});\n"
    for name, page in pages.items():
        files[f"{FOLDER}/{name}.js"] = f"compare.network({json.dumps(name)}, {_data(page)});\n"
    return files


def _data(page: str) -> str:
    """The data of a page, with every panel of a view in a run of its own."""
    found = DATA.search(page)
    assert found
    data = json.loads(found[2])
    for section in data["networks"][0]["sections"]:
        for view in section["views"]:
            rows = (
                continued(groups[0], groups[-1], number)
                for count, *groups in view["panels"]
                for number in range(count)
            )
            view["panels"] = [[1, group] for group in rows]
    return json.dumps(data, ensure_ascii=False, separators=(",", ":"))


def _page(title: str, text: str, left: str, right: str) -> str:
    menus = " ".join(
        f'<label>{words} <select data-first="{first}">{_options()}</select></label>'
        for words, first in zip((left, right), FIRST, strict=True)
    )
    return "\n\n".join(
        [
            "---\nhide: [navigation, toc]\nsearch: { exclude: true }\n---",
            f"# {title}",
            text,
            f'<div class="compare" data-frame="asset:{FOLDER}/frame.js">{menus}</div>',
            f'<iframe class="architecture" id="compared" title="{title}" '
            'allow="fullscreen; clipboard-write"></iframe>',
        ]
    )


def _options() -> str:
    return "".join(
        f'<optgroup label="{escape(family.title)}">'
        + "".join(f"<option>{name}</option>" for name in family.presets)
        + "</optgroup>"
        for family in FAMILIES
    )
