"""Pools that stride in place of convolutions. Does not import Keras.

To add a kind, write a function that adds its layers, and add a row to `ANTI_ALIASING`.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from .layers import AvgPool, Blur, HalfBlur, Layer, Pair, ReflectPad

if TYPE_CHECKING:
    from .draft import Draft


def average(draft: "Draft", x: Layer, name: str, strides: Pair) -> Layer:
    """An average pool of the size of its strides (timm models/resnet.py, aa_layer=AvgPool2d)."""
    if strides == (1, 1):
        return x
    return draft.add(AvgPool, name, x, pool_size=2, strides=strides)


def blur(draft: "Draft", x: Layer, name: str, strides: Pair) -> Layer:
    """[1, 2, 1] / 4 along both axes (arXiv:1904.11486; timm layers/blur_pool.py)."""
    x = draft.add(ReflectPad, f"{name}_pad", x)
    x = draft.add(HalfBlur, f"{name}_half", x, pool_size=2, padding="valid")
    return draft.add(Blur, name, x, pool_size=2, strides=strides, padding="valid")


@dataclass(frozen=True)
class AntiAliasing:
    """A kind of anti-aliasing.

    Attributes:
        plan: function that adds its layers.
        replaces_stem_pool: whether it takes the place of the stem's max pool; if not, it follows
            the pool, which then does not stride.
        in_words: description for `compare`.
    """

    plan: "Callable[[Draft, Layer, str, Pair], Layer]"
    replaces_stem_pool: bool
    in_words: str


ANTI_ALIASING = {
    "avg": AntiAliasing(average, True, "average pools that stride"),
    "blur": AntiAliasing(blur, False, "blurs that stride"),
}
