"""The words of tables and pictures for layers, sizes and counts, and of messages for calls."""

from collections.abc import Callable, Sequence
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

# Keras name of the function or class, in lower case and without underscores -> words.
ACTIVATION_WORDS = {
    "relu": "ReLU",
    "relu6": "ReLU6",
    "leakyrelu": "leaky ReLU",
    "prelu": "PReLU",
    "elu": "ELU",
    "selu": "SELU",
    "gelu": "GELU",
    "silu": "SiLU",
    "swish": "SiLU",
    "hardsilu": "hard SiLU",
    "hardswish": "hard SiLU",
}


@dataclass(frozen=True)
class Description:
    """The description of a layer, as data; `words` is its text.

    Attributes:
        kind: `"conv"`, `"norm"`, `"activation"`, `"pool"`, `"merge"`, `"scale"`, `"dense"`,
            `"output"` or `"other"`: the colour in a picture.
        noun: name in a picture.
        window: kernel or pool size; empty for none.
        count: filters, units or a rate; empty for none.
        groups, dilation, strides: settings, left out of the text if they are 1.
        in_table: name in Table 1; empty if it is not shown there.
    """

    kind: str
    noun: str
    window: tuple[int, ...] = ()
    count: str = ""
    groups: int = 1
    dilation: tuple[int, ...] = (1,)
    strides: tuple[int, ...] = (1,)
    in_table: str = ""

    @property
    def words(self) -> str:
        """The text in a picture: 3×3 conv, 64, stride 2."""
        return self.text_with(strides=True)

    def text_with(self, *, strides: bool) -> str:
        """`words`, with or without the strides."""
        noun = " ".join(filter(None, [by(self.window), self.noun]))
        return ", ".join([noun, *self.settings(strides=strides)])

    @property
    def row(self) -> str:
        """The text in Table 1 of He et al. 2015: 3x3, 64, stride 2."""
        noun = self.in_table.format(by(self.window, "x"), self.count)
        return ", ".join(filter(None, [noun, *self.settings(count=False)]))

    def settings(self, *, count: bool = True, strides: bool = True) -> list[str]:
        """The settings in words: 64, 32 groups, stride 2."""
        words = [self.count] if count and self.count else []
        words += [f"{self.groups} groups"] if self.groups > 1 else []
        for word, numbers in (("dilation", self.dilation), ("stride", self.strides)):
            if set(numbers) - {1} and (strides or word != "stride"):
                words.append(f"{word} {by(numbers[:1] if len(set(numbers)) == 1 else numbers)}")
        return words


def activation(name: str) -> str:
    """The name of an activation as in papers: ReLU."""
    return ACTIVATION_WORDS.get(name.replace("_", "").lower(), name.replace("_", " ").lower())


def by(sizes: Sequence[int | None], cross: str = "×") -> str:
    """Sizes with a cross between them: 56×56×64."""
    return cross.join("?" if size is None else str(size) for size in sizes)


def short(number: int | None) -> str:
    """A count in three digits: 25.6 M."""
    if number is None:
        return "?"
    for unit, size in (("G", 10**9), ("M", 10**6), ("k", 10**3)):
        if number >= size * 0.9995:
            value = float(f"{number / size:.3g}")
            return f"{value:.{3 - len(str(int(value)))}f} {unit}"
    return str(number)


@dataclass(frozen=True)
class Interface:
    """How messages write calls and arguments: as in Python, unless the command line is used.

    Attributes:
        presets, weights: the call that lists them; `weights_of` lists the weights of one preset.
        name, value: the name and the value of an argument, with `between` between them.
        loading: an option of `load_weights` with a value, or without one if that is None.
    """

    presets: str = "list_presets()"
    weights: str = "list_weights()"
    weights_of: Callable[[str], str] = 'list_weights("{}")'.format
    name: Callable[[str], str] = str
    value: Callable[[Any], str] = lambda value: (
        f'"{value}"' if isinstance(value, str) else str(value)
    )
    between: str = "="
    loading: Callable[[str, object], str] = lambda name, value: (
        f"load_weights(..., {name}={'' if value is None else repr(value)})"
    )


# The command line sets its own.
INTERFACE = ContextVar("INTERFACE", default=Interface())  # noqa: B039 - it is frozen


def argument(name: str, value: Any) -> str:
    """An argument with its value, as the caller writes it."""
    interface = INTERFACE.get()
    return f"{interface.name(name)}{interface.between}{interface.value(value)}"


def loading(option: str, value: object = None) -> str:
    """An option of `load_weights`, as the caller gives it."""
    return INTERFACE.get().loading(option, value)
