"""freeze and unfreeze: fine-tuning that leaves the first stages as they are."""

from collections.abc import Iterator

import keras

from ..common.checks import look_up
from ..model.network import check_model, networks_of
from ..plan.names import HEAD


def freeze(model: keras.Model, until: str = "stage3") -> None:
    """Keep the stem and the stages up to one as they are in training, statistics included.

    A frozen batch norm normalises by its moving statistics and does not change them: this is what
    `trainable = False` means for it in Keras. What was frozen before stays so.

    A model that was compiled has to be compiled again, as its optimizer and its training step know
    the old variables; until then `fit` refuses to run.

    Args:
        model: a model of `ResnetBuilder`, or one that begins before it, goes on after it, or joins
            several: all of them are frozen.
        until: `"stem"`, `"stage1"`, `"stage2"`, ...: the last part that does not move.

    Raises:
        TypeError: not a Keras model.
        ValueError: the model has no layers named as in this package, or no such part; the message
            lists those that it has.

    Example:
        >>> from resnet_builder import ResnetBuilder, freeze
        >>> model = ResnetBuilder.from_preset("resnet18", (64, 64, 3), classes=10)
        >>> freeze(model, until="stage4")
        >>> [variable.path for variable in model.trainable_variables]
        ['predictions/kernel', 'predictions/bias']
    """
    places = [
        (place, list(layers.values()))
        for network in networks_of(model)
        for place, layers in network.places.items()
        if place != HEAD
    ]
    parts = sorted((place.stage, place.part) for place, _ in places)
    last = look_up({part: stage for stage, part in parts}, until, "part of the network")
    for place, layers in places:
        if place.stage <= last:
            for layer in layers:
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
    check_model(model)
    for layer in all_layers(model):
        layer.trainable = True
    model.compiled = False


def all_layers(model: keras.Model) -> Iterator[keras.layers.Layer]:
    """The layers of a model, and those of models inside."""
    for layer in model.layers:
        yield layer
        if isinstance(layer, keras.Model):
            yield from all_layers(layer)
