"""The fields of a recipe: how one is checked, and the settings of the augmentation."""

from collections.abc import Callable
from dataclasses import dataclass, field, fields
from functools import partial
from math import inf
from typing import TYPE_CHECKING, Any, Literal, get_args

from ..common import checks

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

Crop = Literal["none", "padded", "resized"]
Policy = Literal["none", "rand_augment", "trivial_augment"]

Check = Callable[[object, str], object]

not_negative = partial(checks.fraction, limit=inf)


def one_of(literal: object) -> Check:
    """A check that a value is one of the names of a `Literal`."""
    return lambda value, what: checks.choice(value, get_args(literal), what)


def share(value: object, what: str, most: float = 1) -> float:
    """Return `value` as a number from 0 to `most`."""
    number = checks.real_number(value, what)
    if not 0 <= number <= most:
        raise ValueError(f"{what} must be from 0 to {most}, got {value!r}")
    return number


def setting(default: object, check: Check) -> Any:
    """A field of a recipe; `check` takes its value and name, and returns the value to keep."""
    return field(default=default, metadata={"check": check})


def check_fields(row: "DataclassInstance") -> None:
    """Replace the fields of a frozen dataclass by what their checks return."""
    for of in fields(row):
        if check := of.metadata.get("check"):
            object.__setattr__(row, of.name, check(getattr(row, of.name), of.name))


@dataclass(frozen=True, kw_only=True)
class Augment:
    """How a recipe varies images and mixes batches; `augmentation` does what it says.

    Attributes:
        crop: `"padded"`: the image with a border of an eighth of its side, cropped to its size at
            a random place (arXiv:1512.03385, 4.2); `"resized"`: 8% to all of the area, with sides
            of 3:4 to 4:3, resized (arXiv:1409.4842, 6); `"none"`: the whole image, resized.
        flip: whether half of the images are mirrored, left to right.
        jitter: largest change of brightness, contrast and saturation: their factors are between
            1 - `jitter` and 1 + `jitter`, in random order.
        policy: `"rand_augment"`: two random operations, each with a probability of 0.5, as timm's
            `inc1` (arXiv:1909.13719); `"trivial_augment"`: one operation of random strength, as
            torchvision's `ta_wide` (arXiv:2103.10158).
        magnitude: mean strength of `"rand_augment"`, from 0 to 10.
        magnitude_std: its standard deviation; strengths beyond 0 and 10 are clipped.
        erase: probability that a rectangle of an image is erased: 2% to 33% of the area, with sides
            of 3:10 to 10:3 (arXiv:1708.04896).
        mixup: alpha of mixup, whose weights have a Beta(alpha, alpha) distribution; 0 for none
            (arXiv:1710.09412).
        cutmix: alpha of CutMix; 0 for none (arXiv:1905.04899). With both, each mixes every second
            batch on average.
        repeats: variants of an image in a batch: an epoch shows the same number of images as
            without, but only one in `repeats` of the data set (arXiv:1902.05509).

    Raises:
        TypeError: a field of another type.
        ValueError: an unknown name, or a number out of its range.

    Example:
        >>> from dataclasses import replace
        >>> from resnet_builder import RECIPES
        >>> augment = RECIPES["rsb_a2"].augment
        >>> augment.policy, augment.magnitude, augment.mixup, augment.cutmix
        ('rand_augment', 7.0, 0.1, 1.0)
        >>> replace(augment, flip=False).flip
        False
    """

    crop: Crop = setting("none", one_of(Crop))
    flip: bool = setting(False, checks.boolean)
    jitter: float = setting(0.0, checks.fraction)
    policy: Policy = setting("none", one_of(Policy))
    magnitude: float = setting(0.0, partial(share, most=10))
    magnitude_std: float = setting(0.0, not_negative)
    erase: float = setting(0.0, share)
    mixup: float = setting(0.0, not_negative)
    cutmix: float = setting(0.0, not_negative)
    repeats: int = setting(1, checks.positive_int)

    def __post_init__(self) -> None:
        check_fields(self)

    @property
    def mixes(self) -> bool:
        """Whether batches are mixed, so that labels are shares of classes."""
        return bool(self.mixup or self.cutmix)


def augment(value: object, what: str) -> Augment:
    """Return `value`, or the settings that a table of a TOML file has."""
    if isinstance(value, dict):
        return Augment(**value)
    if not isinstance(value, Augment):
        raise TypeError(f"{what} must be an Augment, got {value!r}")
    return value
