"""The page of a family, in Markdown, in both languages: its idea, its block, its cost."""

from dataclasses import replace

from resnet_builder import compare, profile
from resnet_builder.common.tables import Table

from .accuracy import accuracy
from .block_drawing import block_drawing
from .chinese import in_chinese
from .families import FAMILIES, Family
from .ideas import Idea, ideas

# What all pages have would hide the page that is meant.
NOT_SEARCHED = "{ data-search-exclude }"
UNKNOWN = "?"  # a cost in the table of `compare`
# The words of a page by language.
WORDS: dict[str, dict[str, str]] = {
    "en": {
        "block": "The inside of a block",
        "drawing": "The layers of {preset}: {block} of stage {stage}",
        "drawn": "{block} of stage {stage} of {preset}, layer by layer. A blue line is a shortcut "
        "without weights, dashed if it changes the size; a dashed red one is a projection.",
        "number": "Block {}",
        "last": "The last block",
        "cost": "Its cost",
        "compared": "From {against} to {preset}:",
        "presets": "The presets",
        "name": "preset",
        "parameters": "parameters",
        "macs": "multiply-adds",
        "source": "Source: ",
        "use": "Use one",
        "see": "See also: [which network?](../howto/which_network.md), "
        "[glossary](../glossary.md), [the gallery](../gallery/index.md).",
    },
    "zh": {
        "block": "残差块的内部",
        "drawing": "{preset} 第 {stage} 阶段的{block}",
        "drawn": "{preset} 第 {stage} 阶段的{block}，逐层画出。"
        "蓝线是没有权重的捷径，改变尺寸时为虚线；红色虚线是投影捷径。",
        "number": "第 {} 个块",
        "last": "最后一个块",
        "cost": "代价",
        "compared": "从 {against} 到 {preset}：",
        "presets": "预设",
        "name": "预设",
        "parameters": "参数量",
        "macs": "乘加次数",
        "source": "来源：",
        "use": "使用",
        "see": "另见：[选哪个网络？](../howto/which_network.md)、[术语表](../glossary.md)、"
        "[模型库](../gallery/index.md)。",
    },
}


def family_pages() -> dict[str, str]:
    """Path in docs/ -> content."""
    files = {}
    for family in FAMILIES:
        idea = ideas()[family.title]
        english, chinese = f"families/{idea.slug}.md", f"families/{idea.slug}.zh.md"
        files[english] = _page(family, family.title, idea, idea.en, "en")
        files[chinese] = _page(family, idea.chinese or family.title, idea, idea.zh, "zh")
    return files


def family_drawings(title: str) -> dict[str, str]:
    """The SVG of a family's block, large and small, by their paths."""
    idea = ideas()[title]
    return {
        f"families/{idea.slug}.svg": block_drawing(idea.preset, *idea.block),
        f"families/{idea.slug}.small.svg": block_drawing(idea.preset, *idea.block, has_words=False),
    }


def _page(family: Family, title: str, idea: Idea, text: str, language: str) -> str:
    words = WORDS[language]
    links = {"preset": _link(idea.preset), "against": _link(idea.against)}
    stage, number = idea.block
    block = words["number"].format(number) if number else words["last"]
    shown = words["drawing"].format(block=block, stage=stage, preset=idea.preset)
    parts = [
        f"# {title}",
        text.strip(),
        f"{words['source']}{family.sources}" if family.sources else "",
        f"## {words['block']} {NOT_SEARCHED}",
        f'<div class="drawing"><img src="asset:families/{idea.slug}.svg" alt="{shown}"></div>',
        words["drawn"].format(block=block, stage=stage, **links),
        f"## {words['cost']} {NOT_SEARCHED}",
        words["compared"].format(**links),
        in_chinese(_cost(idea)) if language == "zh" else _cost(idea),
        f"## {words['presets']} {NOT_SEARCHED}",
        Table(
            header=(words["name"], words["parameters"], words["macs"], "top-1, %"),
            rows=tuple(map(_row, family.presets)),
        ).to_markdown(),
        f"## {words['use']} {NOT_SEARCHED}",
        "```python\nfrom resnet_builder import ResnetBuilder\n\n"
        f'model = ResnetBuilder.from_preset("{idea.preset}")\n```',
        words["see"],
    ]
    return "\n\n".join(filter(None, parts))


def _cost(idea: Idea) -> str:
    """What `compare` says; of differences whose costs depend on each other, without a cost each."""
    table = compare(idea.against, idea.preset).table()
    first, *steps, last = table.rows
    unknown = [str(step[0]) for step in steps if step[1] == UNKNOWN]
    if not unknown:
        return table.to_markdown()
    totals = replace(table, rows=(first, last), note="").to_markdown()
    return "\n\n".join(filter(None, [totals, "\n".join(unknown), table.note]))


def _link(preset: str) -> str:
    return f"[{preset}](../gallery/{preset}.md)"


def _row(preset: str) -> tuple[str, str, str, str]:
    cost, found = profile(preset), accuracy(preset)
    return (
        _link(preset),
        f"{cost.parameters / 1e6:,.2f} M",
        f"{(cost.macs or 0) / 1e9:,.2f} G",
        f"{found.top1:.1f}" + ("" if found.is_free else " !") if found else "",
    )
