"""freeze and unfreeze: fine-tuning that leaves the first stages as they are."""

import re
from collections.abc import Iterator

import keras

from ..common.checks import look_up

# The part that a layer is of, behind the prefix of the network.
PART = re.compile(r"(?:.*_)?(stem|stage\d+)_.+")


def freeze(model: keras.Model, until: str = "stage3") -> None:
    """Keep the stem and the stages up to one as they are in training, statistics included.

    A frozen batch norm normalises by its moving statistics and does not change them: this is what
    `trainable = False` means for it in Keras. What was frozen before stays so.

    A model that was compiled has to be compiled again, as its optimizer and its training step know
    the old variables; until then `fit` refuses to run.

    Args:
        model: a model of `ResnetBuilder`, or one that goes on behind it.
        until: `"stem"`, `"stage1"`, `"stage2"`, ...: the last part that does not move.

    Raises:
        TypeError: not a Keras model.
        ValueError: the model has no such part; the message lists those that it has.

    Example:
        >>> from resnet_builder import ResnetBuilder, freeze
        >>> model = ResnetBuilder.from_preset("resnet18", (64, 64, 3), classes=10)
        >>> freeze(model, until="stage4")
        >>> [variable.path for variable in model.trainable_variables]
        ['predictions/kernel', 'predictions/bias']
    """
    parts = _parts(model)
    last = look_up(
        {name: number for number, name in enumerate(parts)}, until, "part of the network"
    )
    for name in list(parts)[: last + 1]:
        for layer in parts[name]:
            layer.trainable = False
    model.compiled = False


def unfreeze(model: keras.Model) -> None:
    """Let all layers move in training again; a compiled model has to be compiled again.

    Raises:
        TypeError: not a Keras model.

    Example:
        >>> from resnet_builder import ResnetBuilder, freeze, unfreeze
        >>> model = ResnetBuilder.from_preset("resnet20_cifar")
        >>> freeze(model)
        >>> unfreeze(model)
        >>> all(layer.trainable for layer in model.layers)
        True
    """
    if not isinstance(model, keras.Model):
        raise TypeError(f"unfreeze takes a Keras model, not {model!r}")
    for layer in all_layers(model):
        layer.trainable = True
    model.compiled = False


def all_layers(model: keras.Model) -> Iterator[keras.layers.Layer]:
    """The layers of a model, and those of models inside."""
    for layer in model.layers:
        yield layer
        if isinstance(layer, keras.Model):
            yield from all_layers(layer)


def _parts(model: keras.Model) -> dict[str, list[keras.layers.Layer]]:
    """The layers of the stem and of each stage, in the network's order."""
    if not isinstance(model, keras.Model):
        raise TypeError(f"freeze takes a Keras model, not {model!r}")
    parts: dict[str, list[keras.layers.Layer]] = {}
    for layer in model.layers:
        if found := PART.fullmatch(layer.name):
            parts.setdefault(found[1], []).append(layer)
    if not parts:
        raise ValueError(
            f"{model.name!r} has no layers that were named here, such as stem_conv; where the "
            "network is inside of another model, give model.get_layer(NAME)"
        )
    return parts
