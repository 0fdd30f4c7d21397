"""Differences between networks, and their costs."""

import pytest

from resnet_builder import PRESETS, compare

from .helpers import cases


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


def test_a_preactivated_network_in_words() -> None:
    [difference] = compare("resnet50", "resnetv2_50").differences
    assert difference.in_words == (
        "batch norm and activation before each convolution instead of "
        "batch norm and activation after each convolution"
    )


def test_stages_of_different_number_and_kind() -> None:
    comparison = compare("test_resnet", "resnet20_cifar")
    changed = {difference.field: difference for difference in comparison.differences}
    assert changed["block"].first == ("basic_block", "basic_block", "bottleneck", "basic_block")
    # No network has the repetitions of the one and the blocks of the other.
    assert changed["repetitions"].parameters is changed["block"].macs is None
    assert changed["classes"].parameters == -990 * (64 + 1)
    assert "?" in str(comparison)


def test_what_has_no_effect_is_no_difference() -> None:
    """A network without batch norms has no momentum."""
    pair = "keras_resnet50", "resnet50_gn"
    for first, second, is_one in ((*pair, False), (*pair[::-1], True)):
        changed = [difference.field for difference in compare(first, second).differences]
        assert ("batch_norm_momentum" in changed) == is_one


def test_a_stride_of_bottlenecks_is_no_difference_of_basic_blocks() -> None:
    # The article's options have stride_in_3x3=False, which no block of ResNet-34 obeys.
    text = str(compare("keras_resnet34", "resnet34"))
    assert "bottleneck" not in text
    assert "more padding at the bottom right" in text


@pytest.mark.parametrize("name", cases(name for name in PRESETS if name != "resnet50"))
def test_the_costs_of_differences_add_up_both_ways(name: str) -> None:
    for found in (compare("resnet50", name), compare(name, "resnet50")):
        costs = [difference.parameters for difference in found.differences]
        known = sum(cost for cost in costs if cost is not None)
        assert None in costs or known == found.second.parameters - found.first.parameters


@pytest.mark.parametrize("name", cases(name for name in PRESETS if name != "resnet50"))
def test_a_comparison_fits_100_columns(name: str) -> None:
    assert max(map(len, str(compare("resnet50", name)).splitlines())) <= 100


def test_names_are_those_that_are_given() -> None:
    mine = PRESETS["resnet18"].replace(eca=True)
    comparison = compare("resnet18", mine, names=("theirs", "mine"))
    first, *_, last = (row[0] for row in comparison.table().rows)
    assert (first, last) == ("theirs", "mine")
    assert "theirs" in comparison.plot().dot
    for names in ("ab", ("a",), ("a", 1)):
        with pytest.raises(ValueError, match="names must be two texts"):
            compare("resnet18", mine, names=names)  # type: ignore[arg-type]
