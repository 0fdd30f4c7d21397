"""What belongs to the whole process is as it was, whoever ends last."""

import gc
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager
from itertools import permutations
from typing import Any

import pytest

from resnet_builder.common.garbage import without_collection
from resnet_builder.model.deep import room_for


@pytest.mark.parametrize("order", list(permutations(range(3))))
@pytest.mark.parametrize(
    ("state", "enter"),
    [
        (sys.getrecursionlimit, lambda number: room_for(layers=2000 * number)),
        (gc.isenabled, lambda number: without_collection()),
    ],
)
def test_interleaved(
    state: Callable[[], Any],
    enter: Callable[[int], AbstractContextManager[None]],
    order: tuple[int, ...],
) -> None:
    before = state()
    contexts = [enter(number) for number in (1, 3, 2)]
    for context in contexts:
        context.__enter__()
    for number in order:
        contexts[number].__exit__(None, None, None)
    assert state() == before


def test_the_limit_is_that_of_the_deepest_of_those_in_progress() -> None:
    small, deep = room_for(layers=2000), room_for(layers=5000)
    small.__enter__()
    deep.__enter__()
    small.__exit__(None, None, None)
    assert sys.getrecursionlimit() == 21_000
    deep.__exit__(None, None, None)
