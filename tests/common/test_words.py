"""The words for counts."""

import pytest

from resnet_builder.common.words import short


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (None, "?"),
        (0, "0"),
        (999, "999"),
        (1000, "1.00 k"),
        (9_536, "9.54 k"),
        (99_960, "100 k"),
        (999_499, "999 k"),
        (999_500, "1.00 M"),
        (25_557_032, "25.6 M"),
        (4_089_184_256, "4.09 G"),
    ],
)
def test_a_count_has_three_digits(number: int | None, text: str) -> None:
    assert short(number) == text
