"""What layers are called in tables and pictures."""

from collections.abc import Sequence

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


def activation(name: str) -> str:
    """An activation as papers write it: ReLU."""
    return ACTIVATIONS.get(name.replace("_", "").lower(), name.replace("_", " ").lower())


def settings(
    *, groups: int = 1, dilation: Sequence[int] = (1,), strides: Sequence[int] = (1,)
) -> list[str]:
    """What is not usual in a convolution or pool: 32 groups, dilation 2, stride 2."""
    words = [f"{groups} groups"] if groups > 1 else []
    for word, numbers in (("dilation", dilation), ("stride", strides)):
        if set(numbers) - {1}:
            words.append(f"{word} {by(numbers[:1] if len(set(numbers)) == 1 else numbers)}")
    return words


def by(sizes: Sequence[int | None]) -> str:
    """Sizes with a cross between them: 56×56×64."""
    return "×".join("?" if size is None else str(size) for size in sizes)


def short(number: int | None) -> str:
    """A count in three digits: 25.6 M."""
    if number is None:
        return "?"
    for unit, size in (("G", 10**9), ("M", 10**6), ("k", 10**3)):
        if number >= size * 0.9995:
            value = float(f"{number / size:.3g}")
            return f"{value:.{3 - len(str(int(value)))}f} {unit}"
    return str(number)
