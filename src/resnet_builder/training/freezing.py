"""freeze and unfreeze: fine-tuning with fixed first stages."""

import keras

from ..common.checks import look_up
from ..model.locate import check_model, holder_of, networks_of
from ..plan.names import HEAD


def freeze(model: keras.Model, until: str = "stage3") -> None:
    """Freeze the stem and the stages up to `until`, including their moving statistics.

    A frozen batch norm normalises by its moving statistics and does not update them, as Keras
    defines `trainable = False` for it. Layers that are already frozen stay frozen.

    A compiled model must be compiled again, because its optimizer and its training step hold the
    old variables; until then `fit` raises an error.

    Args:
        model: a model of `ResnetBuilder`; or a functional model that has layers before or after
            it, or joins several: all of them are frozen; or one that has the network as a layer, as
            `Sequential([base, ...])` does.
        until: last part to freeze: `"stem"`, `"stage1"`, `"stage2"`, ...; with a network's
            `layer_prefix` before it, only that network is frozen.

    Raises:
        TypeError: not a Keras model.
        ValueError: the model has no layers named as in this package, or several models inside it
            have, or there is no such part; the message lists the models or the parts.

    Example:
        >>> from resnet_builder import ResnetBuilder, freeze
        >>> model = ResnetBuilder.from_preset("resnet18", (64, 64, 3), classes=10)
        >>> freeze(model, until="stage4")
        >>> [variable.path for variable in model.trainable_variables]
        ['predictions/kernel', 'predictions/bias']
    """
    bodies = [
        (network.prefix, place, list(layers.values()))
        for network in networks_of(holder_of(model))
        for place, layers in network.places.items()
        if place != HEAD
    ]
    parts = sorted((place.stage, place.part) for _, place, _ in bodies)
    names = {part: (None, stage) for stage, part in parts} | {
        prefix + place.part: (prefix, place.stage) for prefix, place, _ in bodies if prefix
    }
    only, last = look_up(names, until, "part of the network")
    for prefix, place, layers in bodies:
        if only in (None, prefix) and place.stage <= last:
            for layer in layers:
                layer.trainable = False
    model.compiled = False


def unfreeze(model: keras.Model) -> None:
    """Make the model and all its layers trainable again; a compiled model must be compiled again.

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
    for layer in model._flatten_layers():
        layer.trainable = True
    model.compiled = False
