"""Cards for slides."""

import re
import xml.etree.ElementTree as ET
from collections import Counter
from collections.abc import Callable

import keras
import pytest

from resnet_builder import ResnetBuilder, plot
from resnet_builder.common.words import Description
from resnet_builder.pictures.cards import draw_stages
from resnet_builder.pictures.sketch.of_model import sketch_model
from resnet_builder.pictures.sketch.sketch import ENTRY, Cell, Section, Sketch
from resnet_builder.pictures.sketch.transforms import folded

from ..models import SMALL_NETWORK, feature_pyramid, several_tasks, two_towers, unet, up_sampled
from .panel_maker import PanelMaker


@pytest.mark.parametrize(
    "roles", [("identity", "projection"), ("projection", "identity"), ("identity",) * 2]
)
def test_shortcuts_are_counted_in_the_order_of_the_blocks(roles: tuple[str, str]) -> None:
    # Two blocks in one panel, as after folding.
    maker = PanelMaker()
    end = ENTRY
    for role in roles:
        start = end
        end = maker.box([Cell(Description("conv", "conv"))], [start])
        maker.connect(start, end, role)
    section = Section("stage1", ((8, 8, 4),), 0, 0, (maker.panel("block1"),))
    text = draw_stages(Sketch("net", ((8, 8, 3),), 0, 0, (section,)), "LR").to_string()
    listed = re.findall(r"(\d) (identity|projection)", text)
    assert listed == [(str(number), role) for role, number in Counter(roles).items()]


def test_every_shortcut_of_a_repeated_pair_of_blocks_is_counted() -> None:
    x = image = keras.Input((8, 8, 4))
    for size in (3, 5) * 3:
        x = keras.layers.Add()([x, keras.layers.Conv2D(4, size, padding="same")(x)])
    text = draw_stages(folded(sketch_model(keras.Model(image, x))), "LR").to_string()
    assert "<B>× 3</B>" in text
    assert ">6 identity<" in text


def test_the_stride_of_a_first_block_unlike_the_others_is_shown() -> None:
    # ResNeSt pools in the first blocks of stages 2 to 4 (arXiv:2004.08955, avd).
    assert plot("resnest50d", detail="stage").dot.count("3×3 avg pool, stride 2") == 3
    assert plot("resnet10t", detail="stage").dot.count("3×3 conv, 512, stride 2") == 1
    # All four blocks are alike but for the strides.
    text = plot("resnet50", detail="stage").dot
    assert "3×3 conv, 128, stride 2" not in text
    assert text.count("stride 2 in the first") == 3


def test_a_skip_to_the_next_card_is_not_drawn_beside_the_line_to_it() -> None:
    network = ResnetBuilder.from_preset("resnet18", features=("stage2",), **SMALL_NETWORK)
    middle, end = network.get_layer("stage2_block1_out").output, network.output["stage2"]
    head = keras.layers.Conv2D(4, 3, strides=2)(keras.layers.Concatenate()([middle, end]))
    text = plot(keras.Model(network.input, head), detail="stage").dot
    assert text.count("->") == text.count("label=<<TABLE") - 1


def test_cards_are_equally_high() -> None:
    """Each has the same number of lines, of the same height, in Graphviz's markup."""
    labels = re.findall(
        r"label=<<TABLE.*?</TABLE>>", plot("resnet50", detail="stage").dot, re.DOTALL
    )
    assert len(labels) == 6
    assert len({label.count('<TD HEIGHT="') for label in labels}) == 1
    [least] = {label.count("<TR>") for label in labels}
    assert least > 8


def cards(model: keras.Model) -> tuple[dict[str, str], set[tuple[str, str]]]:
    """The titles of cards by name, and the skips between them."""
    text = plot(model, detail="stage").dot
    titles = dict(re.findall(r"(s\d+) \[.*?<B>(.*?)</B>", text, re.DOTALL))
    skips = re.findall(r"(s\d+) -> (s\d+) *\[color=\"#009988\"", text)
    return titles, {(titles[source], titles[target]) for source, target in skips}


def test_skips_lead_from_the_stages_to_the_decoder() -> None:
    titles, skips = cards(unet())
    assert list(titles.values())[-3:] == ["16×16×8", "32×32×8", "64×64×3"]
    assert skips == {("stage1", "16×16×8"), ("stem", "32×32×8")}
    titles, skips = cards(two_towers())
    assert skips == {("left_head", "head")}


def heights(model: keras.Model) -> dict[str, float]:
    """The height of every text of a picture in cards; a title's is that of its card."""
    root = ET.fromstring(plot(model, detail="stage").render("svg"))
    texts = ((part.text, part.get("y")) for part in root.iter() if part.tag.endswith("text"))
    return {str(words): float(height) for words, height in texts if height}


@pytest.mark.parametrize(
    ("make", "levels"),
    [
        (unet, ["stem", "stage1", "stage2"]),
        (unet, ["32×32×8", "16×16×8", "stage2"]),
        (feature_pyramid, ["stem", "stage1", "stage2"]),
    ],
)
def test_the_finest_level_is_on_top(make: Callable[[], keras.Model], levels: list[str]) -> None:
    at = heights(make())
    assert [at[level] for level in levels] == sorted(at[level] for level in levels)
    assert at[levels[0]] < at[levels[-1]]


def test_an_up_sampling_alone_has_no_card() -> None:
    titles, _ = cards(up_sampled())
    assert list(titles.values()) == ["stem", "stage1", "stage2", "64×64×3"]


def test_an_input_alone_has_no_card() -> None:
    titles, _ = cards(several_tasks())
    assert list(titles.values()) == ["stem", "stage1", "stage2", "head", "32×32×3"]


def test_cards_below_each_other_are_as_high_as_their_words() -> None:
    pictures = {way: plot("resnet50", detail="stage", direction=way).dot for way in ("TB", "LR")}
    # The stem and the head have fewer lines than the stages.
    empty = {way: dot.count('"> </TD>') for way, dot in pictures.items()}
    assert empty["TB"] == 2 * 6  # below the size, and above the costs
    assert empty["LR"] > empty["TB"]
    assert "<B>resnet50</B><BR/>" in pictures["TB"]
