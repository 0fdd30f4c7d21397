"""Keras names of activations and initialisers. Does not import Keras."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

# Every name of keras.activations (3.12 and newer) except `glu`, which halves the channels, and
# `threshold`, which needs arguments.
# fmt: off
ACTIVATIONS = (
    "celu", "elu", "exponential", "gelu", "hard_shrink", "hard_sigmoid", "hard_silu",
    "hard_swish", "hard_tanh", "leaky_relu", "linear", "log_sigmoid", "log_softmax", "mish",
    "relu", "relu6", "selu", "sigmoid", "silu", "soft_shrink", "softmax", "softplus",
    "softsign", "sparse_plus", "sparse_sigmoid", "sparsemax", "squareplus", "swish", "tanh",
    "tanh_shrink",
)
# fmt: on


@dataclass(frozen=True)
class Initializer:
    """A Keras initialiser as data.

    Attributes:
        class_name: name of the class in `keras.initializers`.
        config: arguments by name, sorted.

    Raises:
        ValueError: a class that cannot initialise a convolution's kernel, or an argument that is
            not a number, text or None, such as a seed generator.
    """

    class_name: str
    config: tuple[tuple[str, Any], ...] = ()

    def __post_init__(self) -> None:
        if self.class_name not in INITIALIZER_CLASSES:
            raise ValueError(
                f"keras.initializers.{self.class_name} cannot draw the kernel of a convolution; "
                f"the classes that can: {', '.join(INITIALIZER_CLASSES)}"
            )
        for name, value in self.config:
            if not isinstance(value, float | int | str | None):
                raise ValueError(
                    f"the initialiser {self.class_name} cannot be kept with {name}={value!r}: give "
                    "a number, a text or None"
                )

    def __str__(self) -> str:
        arguments = (f"{name}={value!r}" for name, value in self.config if value is not None)
        return f"{self.class_name}({', '.join(arguments)})"

    @classmethod
    def of(cls, value: Any, what: str) -> "str | Initializer":
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
        if isinstance(value, Mapping) and value.keys() == {"class_name", "config"}:
            return cls(value["class_name"], tuple(sorted(dict(value["config"]).items())))
        if type(value).__module__.startswith("keras.") and hasattr(value, "get_config"):
            return cls(type(value).__name__, tuple(sorted(value.get_config().items())))
        raise TypeError(
            f"{what} must be one of the names {', '.join(map(repr, INITIALIZERS))}, or an object "
            f"of keras.initializers; got {value!r}"
        )


# The classes that can initialise a kernel of any shape.
# fmt: off
INITIALIZER_CLASSES = (
    "Constant", "GlorotNormal", "GlorotUniform", "HeNormal", "HeUniform", "LecunNormal",
    "LecunUniform", "Ones", "Orthogonal", "RandomNormal", "RandomUniform", "TruncatedNormal",
    "VarianceScaling", "Zeros",
)
# fmt: on


def _variance_scaling(scale: float, mode: str, distribution: str) -> Initializer:
    config = {"scale": scale, "mode": mode, "distribution": distribution}
    return Initializer("VarianceScaling", tuple(config.items()))


INITIALIZERS = {
    "glorot_normal": Initializer("GlorotNormal"),
    "glorot_uniform": Initializer("GlorotUniform"),
    "he_normal": Initializer("HeNormal"),
    # torch.nn.init.kaiming_normal_(mode="fan_out"), which torchvision's ResNets start from.
    "he_normal_fan_out": _variance_scaling(2.0, "fan_out", "untruncated_normal"),
    "he_uniform": Initializer("HeUniform"),
    "lecun_normal": Initializer("LecunNormal"),
    "lecun_uniform": Initializer("LecunUniform"),
    "ones": Initializer("Ones"),
    "orthogonal": Initializer("Orthogonal"),
    "random_normal": Initializer("RandomNormal"),
    "random_uniform": Initializer("RandomUniform"),
    # The initialiser of torch.nn.Linear: uniform within 1 / sqrt(inputs).
    "torch_linear": _variance_scaling(1 / 3, "fan_in", "uniform"),
    "truncated_normal": Initializer("TruncatedNormal"),
    "variance_scaling": Initializer("VarianceScaling"),
    "zeros": Initializer("Zeros"),
}
