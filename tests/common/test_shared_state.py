"""What belongs to the whole process is as it was, whoever ends last."""

import sys
from itertools import permutations

import pytest

from resnet_builder.model.keras_limits import room_for


@pytest.mark.parametrize("order", list(permutations(range(3))))
def test_interleaved(order: tuple[int, ...]) -> None:
    before = sys.getrecursionlimit()
    contexts = [room_for(layers=2000 * number) for number in (1, 3, 2)]
    for context in contexts:
        context.__enter__()
    for number in order:
        contexts[number].__exit__(None, None, None)
    assert sys.getrecursionlimit() == before


def test_the_limit_is_that_of_the_deepest_of_those_in_progress() -> None:
    small, deep = room_for(layers=2000), room_for(layers=5000)
    small.__enter__()
    deep.__enter__()
    small.__exit__(None, None, None)
    assert sys.getrecursionlimit() == 21_000
    deep.__exit__(None, None, None)
