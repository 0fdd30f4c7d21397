"""Keras names of activations and initialisers."""

import re
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from sys import float_info
from typing import NamedTuple, TypeGuard


@dataclass(frozen=True)
class Initializer:
    """A Keras initialiser as data.

    Attributes:
        class_name: name of the class in `keras.initializers`.
        config: arguments by name, sorted.

    Raises:
        ValueError: a class that cannot initialise a convolution's kernel, or an argument that the
            class does not take.
    """

    class_name: str
    config: tuple[tuple[str, object], ...] = ()

    def __post_init__(self) -> None:
        if self.class_name not in INITIALIZER_CLASSES:
            raise ValueError(
                f"keras.initializers.{self.class_name} cannot draw the kernel of a convolution; "
                f"the classes that can: {', '.join(INITIALIZER_CLASSES)}"
            )
        names = INITIALIZER_CLASSES[self.class_name]
        for name, value in self.config:
            if name not in names:
                raise ValueError(
                    f"keras.initializers.{self.class_name} has no argument {name!r} here; it has "
                    f"{', '.join(names) or 'none'}"
                )
            if not ARGUMENTS[name].allows(value):
                raise ValueError(
                    f"{name} of keras.initializers.{self.class_name} must be "
                    f"{ARGUMENTS[name].in_words}, got {value!r}"
                )

    def __str__(self) -> str:
        arguments = (f"{name}={value!r}" for name, value in self.config if value is not None)
        return f"{self.class_name}({', '.join(arguments)})"

    @classmethod
    def of(cls, value: object, what: str) -> "str | Initializer":
        """Return the name or the record of an initialiser given in any form.

        Args:
            value: a name, an `Initializer`, an object of `keras.initializers`, or a mapping with
                `class_name` and `config`.
            what: name of the field, for the message.

        Raises:
            TypeError: a value of another type.
        """
        if isinstance(value, str | Initializer):
            return value
        if type(value).__module__.startswith("keras.") and hasattr(value, "get_config"):
            value = {"class_name": type(value).__name__, "config": value.get_config()}
        class_name, arguments = None, dict[str, object]()
        if isinstance(value, Mapping) and value.keys() == {"class_name", "config"}:
            with suppress(TypeError, ValueError):  # not a mapping, nor pairs as JSON has them
                class_name, arguments = value["class_name"], dict(value["config"])
        if not isinstance(class_name, str) or not all(isinstance(name, str) for name in arguments):
            raise TypeError(
                f"{what} must be one of the names {', '.join(map(repr, INITIALIZERS))}, or an "
                f"object of keras.initializers; got {value!r}"
            )
        # Keras 3.15 has arguments that older versions do not know, and None is their default.
        given = {n: v for n, v in arguments.items() if not (n in AXES and v is None)}
        try:
            return cls(class_name, tuple(sorted(given.items())))
        except ValueError as error:
            raise ValueError(f"{what}: {error}") from None


AXES = ("input_axes", "output_axes")


class Argument(NamedTuple):
    """An argument of an initialiser: whether it allows a value, and what it allows in words."""

    allows: Callable[[object], bool]
    in_words: str


def _is_number(value: object) -> TypeGuard[float]:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return abs(value) <= float_info.max


def _is_seed(value: object) -> bool:
    return value is None or (isinstance(value, int) and not isinstance(value, bool))


def _one_of(*choices: str) -> Argument:
    return Argument(choices.__contains__, f"one of {', '.join(map(repr, choices))}")


_NUMBER = Argument(_is_number, "a finite number")
ARGUMENTS = {
    **dict.fromkeys(("value", "mean", "minval", "maxval", "gain"), _NUMBER),
    "stddev": Argument(lambda value: _is_number(value) and value >= 0, "a number of at least 0"),
    "scale": Argument(lambda value: _is_number(value) and value > 0, "a number greater than 0"),
    "mode": _one_of("fan_in", "fan_out", "fan_avg"),
    "distribution": _one_of("normal", "truncated_normal", "untruncated_normal", "uniform"),
    "seed": Argument(_is_seed, "an integer or None"),
}

SCALED = [f"{of}{kind}" for of in ("Glorot", "He", "Lecun") for kind in ("Normal", "Uniform")]
# The classes that can initialise a kernel of any shape, and their arguments.
INITIALIZER_CLASSES: dict[str, tuple[str, ...]] = {
    "Constant": ("value",),
    **dict.fromkeys(SCALED, ("seed",)),
    "Ones": (),
    "Orthogonal": ("gain", "seed"),
    "RandomNormal": ("mean", "stddev", "seed"),
    "RandomUniform": ("minval", "maxval", "seed"),
    "TruncatedNormal": ("mean", "stddev", "seed"),
    "VarianceScaling": ("scale", "mode", "distribution", "seed"),
    "Zeros": (),
}


def _variance_scaling(scale: float, mode: str, distribution: str) -> Initializer:
    config = {"scale": scale, "mode": mode, "distribution": distribution}
    return Initializer("VarianceScaling", tuple(config.items()))


# Every class but `Constant`, which has no default, under its name in Keras; and two more.
INITIALIZERS = {
    re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).lower(): Initializer(name)
    for name in INITIALIZER_CLASSES
    if name != "Constant"
}
# torch.nn.init.kaiming_normal_(mode="fan_out"), which torchvision's ResNets start from.
INITIALIZERS["he_normal_fan_out"] = _variance_scaling(2.0, "fan_out", "untruncated_normal")
# The initialiser of torch.nn.Linear: uniform within 1 / sqrt(inputs).
INITIALIZERS["torch_linear"] = _variance_scaling(1 / 3, "fan_in", "uniform")
INITIALIZERS = dict(sorted(INITIALIZERS.items()))
