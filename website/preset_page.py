"""The page of a preset, in Markdown."""

from collections.abc import Iterable, Iterator
from dataclasses import fields, replace
from functools import cache
from textwrap import indent
from typing import Any

from resnet_builder import (
    PRESETS,
    PublishedWeights,
    ResnetConfig,
    compare,
    feature_info,
    list_weights,
    profile,
    verify,
)
from resnet_builder.costs.published import Coverage, coverage
from resnet_builder.presets.checkpoints import find_recommended

from .accuracy import accuracy
from .citation import bibtex
from .families import FAMILY_OF
from .ideas import family_path
from .relatives import Relative, relatives

COVERAGE = coverage()
MOST_RELATIVES = 12
COMPARED = "resnet50"
LONGEST_VALUE = 70
# Sections that name other presets or are alike in all pages would hide the page that is meant.
NOT_SEARCHED = "{ data-search-exclude }"


@cache
def preset_page(name: str) -> str:
    """All that is known of a preset."""
    return "\n\n".join(
        [
            *_place_in_search(name),
            f"# {name}",
            *_what_it_is(name),
            *_snippet(name),
            *_uses(name),
            *_architecture(name),
            *_layers(name),
            *_checkpoints(name),
            *_relatives(name),
            *_config(name),
            *_checks(name),
        ]
    )


def _place_in_search(name: str) -> Iterator[str]:
    """resnet50 is found before resnet50_gn, which is the rarer word and so would be first."""
    if longer := sum(other != name and other.startswith(name) for other in PRESETS):
        yield f"---\nsearch: {{ boost: {8 * longer} }}\n---"


def _what_it_is(name: str) -> Iterator[str]:
    family = FAMILY_OF[name]
    yield f"**[{family.title}](../{family_path(family.title)}).** {family.in_short}"
    if family.sources:
        yield f"Source: {family.sources}."
    counts = profile(name)
    facts = [
        ("parameters", f"{counts.parameters:,}"),
        (f"multiply-adds at {_size(counts.input_shape[:2])}", f"{counts.macs:,}"),
    ]
    if found := accuracy(name):
        words = f"top-1 at {found.rows}x{found.rows}, `{found.checkpoint}`"
        facts.append((words, f"{found.top1}%"))
    items = "\n".join(f"-   **{value}**\n\n    {words}\n" for words, value in facts)
    yield f'<div class="facts" markdown>\n\n{items}\n</div>'


def calls(name: str) -> Iterator[tuple[tuple[Any, ...], dict[str, Any]]]:
    """The arguments of `from_preset` for the preset itself, and for images of one's own."""
    weights = {"weights": "imagenet"} if find_recommended(name) else {}
    yield (name,), weights
    adapt = {"adapt_weights": True} if weights else {}
    yield (name, (160, 128, 1)), {"classes": 7} | weights | adapt


def _snippet(name: str) -> Iterator[str]:
    plain, own = (
        ", ".join([*map(_literal, arguments), *map(_assignment, options.items())])
        for arguments, options in calls(name)
    )
    yield (
        "```python\nfrom resnet_builder import ResnetBuilder\n\n"
        f"model = ResnetBuilder.from_preset({plain})\n```"
    )
    yield "For your own images, of any size, with any number of channels and classes:"
    yield f"```python\nmodel = ResnetBuilder.from_preset(\n    {own}\n)\n```"


# What is done with published weights, by the title of its tab.
USES = {
    "Classify": """
import keras
import numpy as np
from resnet_builder import ResnetBuilder, decode, preprocessing

model = ResnetBuilder.from_preset("{name}", weights="imagenet")
photo = np.array(keras.utils.load_img("photo.jpg"))[np.newaxis]
print(decode(model.predict(preprocessing(model)(photo)), top=3))
""",
    "Features": """
import keras
import numpy as np
from resnet_builder import ResnetBuilder, preprocessing

model = ResnetBuilder.from_preset(
    "{name}", weights="{features}", include_top=False, pooling="avg"
)
photo = np.array(keras.utils.load_img("photo.jpg"))[np.newaxis]
vector = model.predict(preprocessing(model)(photo))[0]  # {channels} numbers
""",
    "Fine-tune": """
from resnet_builder import ResnetBuilder, compile_recipe, freeze

model = ResnetBuilder.from_preset("{name}", classes=7, weights="imagenet", adapt_weights=True)
freeze(model, until="{stage}")
compile_recipe(model, "fine_tune", epochs=5, steps_per_epoch=100, learning_rate=0.01)
# model.fit(images, labels, ...); then unfreeze(model), and again with a tenth of the rate
""",
}


def uses(name: str) -> dict[str, str]:
    """Code to copy for a preset with weights of ImageNet, by what it does."""
    stages = [stage for stage in profile(name).stages if stage.name.startswith("stage")]
    known = {
        "name": name,
        "features": "features" if find_recommended(name, "features") else "imagenet",
        "channels": f"{feature_info(name)[stages[-1].name].channels:,}",
        "stage": stages[-1].name,
    }
    return {title: code.strip().format(**known) for title, code in USES.items()}


def _uses(name: str) -> Iterator[str]:
    yield f"## Use it {NOT_SEARCHED}"
    tabs = {}
    if find_recommended(name):
        tabs = {title: f"```python\n{code}\n```" for title, code in uses(name).items()}
    if papers := FAMILY_OF[name].papers:
        tabs["Cite"] = bibtex(papers)
    for title, block in tabs.items():
        yield f'=== "{title}"\n\n{indent(block, "    ")}'
    yield (
        "More: [classify a photo](../howto/classify.md), [embeddings](../howto/embeddings.md), "
        "[fine-tune on photos](../howto/photos.md), [export](../howto/export.md)."
    )


def _architecture(name: str) -> Iterator[str]:
    yield f"## Architecture {NOT_SEARCHED}"
    yield (
        f'<iframe class="architecture" src="asset:gallery/architecture/{name}.html" '
        f'loading="lazy" title="{name}, block by block" '
        'allow="fullscreen; clipboard-write"></iframe>'
    )
    yield (
        "A click on a stage's name or on a pile of blocks unfolds it, and a click on the name of "
        "an unfolded stage folds it; a box tells the settings, costs and receptive field of its "
        "layers, and the names of their weights in other libraries; `/` searches for a layer. "
        f"[The page on its own](architecture/{name}.html), "
        f"[the picture](architecture/{name}.svg), "
        f'<a href="compare.html#{_beside(name)},{name}">beside another network</a>.'
    )


def _beside(name: str) -> str:
    """The network to compare one with: ResNet-50, and the nearest one of that itself."""
    return relatives(name)[0].name if name == COMPARED else COMPARED


def _layers(name: str) -> Iterator[str]:
    yield f"## Layers {NOT_SEARCHED}"
    yield "As in Table 1 of the paper:"
    yield replace(profile(name).table(), title="").to_markdown()


def _checkpoints(name: str) -> Iterator[str]:
    yield "## Checkpoints"
    rows = [row for row in list_weights(name).rows if row.preset == name]
    if not rows:
        yield "No library publishes weights of this network: it starts from random ones."
        return
    best, for_features = find_recommended(name), find_recommended(name, "features")
    table = _table(
        ("checkpoint", "top-1, %", "training data", "licence", "source"),
        (_checkpoint(row, row.name == (best and best.name)) for row in rows),
    )
    yield f'<div class="checkpoints" markdown>\n\n{table}\n\n</div>'
    if best:
        yield f'**Bold**: the one for `weights="imagenet"`, at {_size(best.input_size)}.'
    if for_features:
        yield f'For frozen features, `weights="features"`: `{for_features.name}`.'
    if any(row.licence and not row.is_free for row in rows):
        yield "!: not for commercial use."
    sources = dict.fromkeys(row.top1_source for row in rows if row.top1_source)
    if sources:
        yield f"Top-1 on ImageNet's validation images, by {'; '.join(sources)}."
    yield f'One of them by its name: `ResnetBuilder.from_preset("{rows[0].name}")`.'


def _checkpoint(row: PublishedWeights, is_best: bool) -> Iterator[str]:
    yield f"**`{row.name}`**" if is_best else f"`{row.name}`"
    measured = [(row.top1, row.input_size), (row.test_top1, row.test_input_size)]
    yield "<br>".join(f"{top1} at {size[0]}" for top1, size in measured if top1 and size) or "?"
    yield row.training
    yield (row.licence or "?") + (" !" if row.licence and not row.is_free else "")
    is_url = "://" in row.source
    yield f"[{row.library}]({row.source if is_url else f'https://huggingface.co/{row.source}'})"


def _relatives(name: str) -> Iterator[str]:
    nearest, *others = relatives(name)
    yield f"## Relatives {NOT_SEARCHED}"
    yield f"The nearest is [{nearest.name}]({nearest.name}.md). From there to here:"
    yield compare(nearest.name, name).to_markdown()
    near = [other for other in others if len(other.differences) == 1]
    if near:
        yield "Others differ in one field of the config as well:"
        yield "\n".join(map(_relative, near[:MOST_RELATIVES]))


def _relative(other: Relative) -> str:
    [field] = other.differences
    return f"* [{other.name}]({other.name}.md): `{field}`"


def changed_fields(name: str) -> dict[str, Any]:
    """The fields of a preset's config that are not at their defaults."""
    values = {field: getattr(PRESETS[name], field.name) for field in fields(ResnetConfig)}
    return {field.name: value for field, value in values.items() if value != field.default}


def _config(name: str) -> Iterator[str]:
    yield f"## Config {NOT_SEARCHED}"
    changed = changed_fields(name)
    long = [field for field, value in changed.items() if len(_literal(value)) > LONGEST_VALUE]
    lines = [f"    {_assignment(item)}," for item in changed.items() if item[0] not in long]
    yield f'`PRESETS["{name}"]`, without the fields that are at their defaults:'
    yield "```py\n" + "\n".join(["ResnetConfig(", *lines, ")"]) + "\n```"
    if long:
        yield f"{', '.join(f'`{field}`' for field in long)}: too long to be shown here."


def _size(sizes: Iterable[int | None]) -> str:
    return "x".join(map(str, sizes))


def _literal(value: object) -> str:
    """The value in Python, with this code's quotes."""
    return repr(value).replace("'", '"')


def _assignment(item: tuple[str, object]) -> str:
    name, value = item
    return f"{name}={_literal(value)}"


def _checks(name: str) -> Iterator[str]:
    published = verify(name)
    if published.rows:
        yield f"## Published numbers {NOT_SEARCHED}"
        yield published.to_markdown()
    of_name = (row for row in COVERAGE.rows if row.architecture == name)
    known = (row for row in of_name if (row.parameters, row.relative_error) != (None, None))
    covered = Coverage(tuple(known))
    if covered.rows:
        yield f"## Parity {NOT_SEARCHED}"
        yield (
            "The number of parameters, and the largest difference of a logit from the library's "
            "own network with the same random weights, as a fraction of the largest logit: see "
            "[parity](../parity.md)."
        )
        table = covered.table()
        cells = [(row[0], row[4], row[5]) for row in table.rows]
        header = ("library", "parameters", "logits")
        yield replace(table, header=header, rows=tuple(cells), note="").to_markdown()


def _table(header: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    lines = [list(header), *map(list, rows)]
    lines.insert(1, ["---"] * len(lines[0]))
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)
