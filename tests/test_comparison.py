"""Differences between networks, and their costs."""

import pytest

from resnet_builder import PRESETS, compare

pytestmark = pytest.mark.once


def test_differences_add_up() -> None:
    comparison = compare("keras_resnet50", "resnet50")
    changed = {difference.field: difference for difference in comparison.differences}
    # Both networks have published multiply-adds: 3.858 G (v1) and 4.089 G (v1.5).
    assert changed["stride_in_3x3"].macs == 4_089_184_256 - 3_857_973_248
    assert changed["use_bias"].parameters == -26_560  # one for each of torchvision's BN channels
    for quantity in ("parameters", "macs"):
        steps = sum(getattr(difference, quantity) for difference in comparison.differences)
        first, second = (getattr(end, quantity) for end in (comparison.first, comparison.second))
        assert first + steps == second


def test_differences_are_described_in_words() -> None:
    text = str(compare("keras_resnet50", "resnet50"))
    assert "- convolutions without biases instead of" in text
    assert "- batch_norm_epsilon 1e-05 instead of 0.001" in text
    assert "no shortcuts instead of shortcuts" in str(compare("resnet18", "plain18"))
    assert "the same" in str(compare("resnet50", "resnet50"))


def test_a_difference_has_no_cost_if_the_network_in_between_is_invalid() -> None:
    # The network in between has basic blocks with groups.
    costs = {d.field: d.macs for d in compare("resnext50_32x4d", "resnet18").differences}
    assert costs["block"] is None


@pytest.mark.parametrize("name", [name for name in PRESETS if name != "resnet50"])
def test_every_preset_compares_with_resnet50_both_ways(name: str) -> None:
    for pair in (("resnet50", name), (name, "resnet50")):
        text = str(compare(*pair))
        assert text.splitlines()[2].startswith(pair[0])
        assert f"\n{pair[1]} " in text
        assert max(map(len, text.splitlines())) <= 100


def test_names_are_those_that_are_given() -> None:
    mine = PRESETS["resnet18"].replace(eca=True)
    comparison = compare("resnet18", mine, names=("theirs", "mine"))
    first, *_, last = (row[0] for row in comparison.table().rows)
    assert (first, last) == ("theirs", "mine")
    assert "theirs" in comparison.plot().dot
    for names in ("ab", ("a",), ("a", 1)):
        with pytest.raises(ValueError, match="names must be two texts"):
            compare("resnet18", mine, names=names)  # type: ignore[arg-type]
