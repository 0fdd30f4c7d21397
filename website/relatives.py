"""The nearest relatives of a preset: the presets that differ in the fewest fields."""

from collections.abc import Iterator
from dataclasses import dataclass, fields
from functools import cache
from math import log

from resnet_builder import PRESETS, ResnetConfig, profile

FIELDS = tuple(field.name for field in fields(ResnetConfig))


@dataclass(frozen=True)
class Relative:
    """Another preset and the fields in which it differs."""

    name: str
    differences: tuple[str, ...]


def relatives(name: str) -> list[Relative]:
    """The other presets, nearest first; of equally near ones, those of the same blocks and size."""
    others = [Relative(other, tuple(_differences(name, other))) for other in PRESETS]

    def distance(other: Relative) -> tuple[int, bool, float]:
        return len(other.differences), "block" in other.differences, _ratio(name, other)

    return sorted((other for other in others if other.name != name), key=distance)


def _differences(first: str, second: str) -> Iterator[str]:
    for field, one, other in zip(FIELDS, _values(first), _values(second), strict=True):
        if one != other:
            yield field


@cache
def _values(name: str) -> tuple[object, ...]:
    return tuple(getattr(PRESETS[name], field) for field in FIELDS)


def _ratio(name: str, other: Relative) -> float:
    """How far the numbers of parameters are from each other."""
    return abs(log(parameters(name) / parameters(other.name)))


@cache
def parameters(name: str) -> int:
    """The number of trained weights of a preset."""
    return profile(name).parameters
