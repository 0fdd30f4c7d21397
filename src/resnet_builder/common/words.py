"""The words of tables and pictures for layers, sizes and counts."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

# By their names in Keras, of functions and of classes, without case and underscores.
ACTIVATIONS = {
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
    """What a layer is, as data; `words` writes it.

    Attributes:
        kind: `"conv"`, `"norm"`, `"activation"`, `"pool"`, `"merge"`, `"scale"`, `"dense"`,
            `"output"` or `"other"`: the colour in a picture.
        noun: what it is called in a picture.
        window: kernel or pool size; empty if it has none.
        count: filters, units or a rate; empty if it has none.
        strides: likewise for `groups` and `dilation`: what is 1 is not said.
        in_table: what it is called in Table 1; empty if it is not shown there.
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
        """As in a picture: 3×3 conv, 64, stride 2."""
        return self.text_with(strides=True)

    def text_with(self, *, strides: bool) -> str:
        """`words`, with or without the strides."""
        noun = " ".join(filter(None, [by(self.window), self.noun]))
        described = self if strides else replace(self, strides=(1,))
        return ", ".join([noun, *described.settings])

    @property
    def row(self) -> str:
        """As in Table 1 of He et al. 2015: 3x3, 64, stride 2."""
        noun = self.in_table.format(by(self.window, "x"), self.count)
        return ", ".join(filter(None, [noun, *replace(self, count="").settings]))

    @property
    def settings(self) -> list[str]:
        """What tells it from others of its kind: 64, 32 groups, stride 2."""
        words = [self.count] if self.count else []
        words += [f"{self.groups} groups"] if self.groups > 1 else []
        for word, numbers in (("dilation", self.dilation), ("stride", self.strides)):
            if set(numbers) - {1}:
                words.append(f"{word} {by(numbers[:1] if len(set(numbers)) == 1 else numbers)}")
        return words


def activation(name: str) -> str:
    """An activation as papers write it: ReLU."""
    return ACTIVATIONS.get(name.replace("_", "").lower(), name.replace("_", " ").lower())


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
