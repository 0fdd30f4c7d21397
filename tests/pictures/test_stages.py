"""Cards for slides."""

import re

import pytest

from resnet_builder.common.words import Description
from resnet_builder.pictures.sketch.sketch import ENTRY, Cell, Section, Sketch
from resnet_builder.pictures.sketch.units import UnitMaker
from resnet_builder.pictures.stages import draw_stages

pytestmark = pytest.mark.once


@pytest.mark.parametrize(
    "roles", [("identity", "projection"), ("projection", "identity"), ("identity",) * 2]
)
def test_shortcuts_are_listed_in_the_order_of_the_blocks(roles: tuple[str, str]) -> None:
    # A unit of two blocks, as folding makes them.
    maker = UnitMaker()
    end = ENTRY
    for role in roles:
        start = end
        end = maker.box([Cell(Description("conv", "conv"))], [start])
        maker.connect(start, end, role)
    section = Section("stage1", (8, 8, 4), 0, 0, (maker.unit("block1"),))
    text = draw_stages(Sketch("net", ((8, 8, 3),), 0, 0, (section,)), "LR").to_string()
    assert re.findall("1 (identity|projection)", text) == list(dict.fromkeys(roles))
