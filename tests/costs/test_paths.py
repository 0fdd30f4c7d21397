"""Numbers and lengths of paths."""

from math import comb

import pytest

from resnet_builder import PRESETS, path_lengths


@pytest.mark.parametrize(
    ("preset", "blocks"),
    # 3 + 4 + 6 + 3, 3 + 8 + 36 + 3, and 3 * (110 - 2) / 6.
    [("resnet34", 16), ("resnet50", 16), ("resnetv2_152", 50), ("resnet110_cifar", 54)],
)
def test_path_lengths_are_binomial_coefficients(preset: str, blocks: int) -> None:
    expected = {length: comb(blocks, length) for length in range(blocks + 1)}
    assert path_lengths(preset) == expected
    assert list(path_lengths(preset)) == sorted(expected)


def test_counts_are_exact_integers() -> None:
    assert sum(path_lengths("resnet1202_cifar").values()) == 2**600


def test_plain_networks_have_one_path() -> None:
    assert path_lengths("plain34") == {16: 1}


def test_custom_blocks_are_rejected() -> None:
    own = PRESETS["resnet18"].replace(block=lambda **_: lambda x: x)
    with pytest.raises(ValueError, match="the paths inside a custom block are unknown"):
        path_lengths(own)
