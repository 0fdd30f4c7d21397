"""Names of layers are read as they are written, after any prefix."""

import pytest

from resnet_builder import PRESETS
from resnet_builder.plan.names import HEAD, STEM, At, LayerName, Place, read_names
from resnet_builder.plan.network import make_plan

from ..helpers import PREFIXES

NETWORK = (
    "input",
    "stem_conv",
    "stem_pool_strides",
    "stage1_block1_conv1_pad",
    "stage1_block1_out",
    "stage10_block12_shortcut_bn",
    "head_pool",
    "predictions",
)


@pytest.mark.parametrize(
    ("name", "place", "role"),
    [
        ("input", STEM, "input"),
        ("stem_conv1", STEM, "conv1"),
        ("stage10_block12_shortcut_bn", Place("stage", 10, 12), "shortcut_bn"),
        ("head_bn", HEAD, "bn"),
        ("predictions", HEAD, "predictions"),
    ],
)
@pytest.mark.parametrize("prefix", ["", *PREFIXES])
def test_a_name(name: str, place: Place, role: str, prefix: str) -> None:
    own = LayerName(place, role, prefix)
    assert LayerName.parse(prefix + name, prefix) == own
    assert (str(own), str(own.without_prefix)) == (prefix + name, name)


@pytest.mark.parametrize(
    "name",
    ["", "stem_", "conv1", "input_1", "stem_input", "stage0_block1_out", "stage1_block01_out"],
)
def test_no_name(name: str) -> None:
    assert LayerName.parse(name) is None


def test_another_prefix() -> None:
    assert LayerName.parse("stem_conv", "left") is None
    assert LayerName.parse("left_stem_conv", "left") is None


@pytest.mark.parametrize("preset", ["resnet18", "resnetv2_50d", "seresnet50", "resnet20_cifar"])
def test_the_names_of_a_plan(preset: str) -> None:
    for layer in make_plan(PRESETS[preset]).layers:
        assert str(LayerName.parse(layer.name)) == layer.name


def test_names_of_groups_numbers_and_parts() -> None:
    at = At(Place("stage", 1, 1))
    assert at("out") == "stage1_block1_out"
    assert at.numbered(2)("conv", "pad") == "stage1_block1_conv2_pad"
    assert at.numbered(2).numbered(1)("conv") == "stage1_block1_conv2_1"
    assert at.numbered(2).inside("sk").inside("reduce")("bn") == "stage1_block1_sk_reduce_bn2"
    assert at.inside("sk").numbered(2)("scale", 1) == "stage1_block1_sk_scale2_1"


@pytest.mark.parametrize("prefix", ["", *PREFIXES])
def test_the_prefix_of_a_network(prefix: str) -> None:
    """Layers of another's around it, whatever their names, are not of the network."""
    others = ["dense", "my_stem_conv", "tap_stage1_block1_out", "x_stage3_block1_conv1"]
    names = [prefix + name for name in NETWORK]
    read = read_names([*others, *names])
    assert {name: str(own.without_prefix) for name, own in read.items()} == dict(
        zip(names, NETWORK, strict=True)
    )
    assert {own.prefix for own in read.values()} == {prefix}


@pytest.mark.parametrize("prefix", ["", *PREFIXES])
def test_a_part_of_a_network(prefix: str) -> None:
    stem = [prefix + name for name in ("input", "stem_conv1", "stem_bn1")]
    end = [prefix + name for name in ("stage4_block2_bn2", "stage4_block2_out", "head_pool")]
    for names in (stem, end):
        assert {own.prefix for own in read_names(names).values()} == {prefix}
        assert list(read_names(names)) == names


@pytest.mark.parametrize("second", PREFIXES)
@pytest.mark.parametrize("first", ["", "stem_", "stage1_"])
def test_joined_networks(first: str, second: str) -> None:
    """One prefix may begin with another."""
    prefixes = (first, first + second)
    read = read_names(prefix + name for name in NETWORK for prefix in prefixes)
    for prefix in prefixes:
        found = [str(own.without_prefix) for own in read.values() if own.prefix == prefix]
        assert sorted(found) == sorted(NETWORK)


def test_names_of_others() -> None:
    assert read_names(["conv2_block1_1_conv", "stack0_block0_out", "block1a_out", "dense"]) == {}
