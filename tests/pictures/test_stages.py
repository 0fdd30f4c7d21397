"""Cards for slides."""

import re
from collections import Counter

import keras
import pytest

from resnet_builder.common.words import Description
from resnet_builder.pictures.sketch.folding import folded
from resnet_builder.pictures.sketch.of_model import sketch_model
from resnet_builder.pictures.sketch.panels import PanelMaker
from resnet_builder.pictures.sketch.sketch import ENTRY, Cell, Section, Sketch
from resnet_builder.pictures.stages import draw_stages

pytestmark = pytest.mark.once


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
    section = Section("stage1", (8, 8, 4), 0, 0, (maker.panel("block1"),))
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
