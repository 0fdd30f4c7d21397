"""Initial weights: the initialisers of a plan's layers, and of models before a checkpoint."""

from collections.abc import Iterable
from typing import Any

import keras

from ..common.keras_names import INITIALIZERS, Initializer
from ..plan.layers import Layer


def initializer(chosen: str | Initializer) -> Any:
    """Create a new initialiser: a shared one would give equal values to equal shapes."""
    record = INITIALIZERS[chosen] if isinstance(chosen, str) else chosen
    return getattr(keras.initializers, record.class_name)(**dict(record.config))


def restore_initializers(
    model: keras.Model, layers: Iterable[Layer], prefix: str, random: Iterable[str]
) -> None:
    """Give the layers of a blank model their initialisers, and random kernels to some of them.

    Args:
        model: model that was built with `Style(blank=True)`.
        layers: layers of its plan.
        prefix: prefix of its layers' names.
        random: names, without the prefix, of the layers that were not loaded from a checkpoint.
    """
    random = set(random)
    built = {layer.name: layer for layer in model.layers}
    for layer in layers:
        chosen = getattr(layer, "initializer", None)
        of_keras = built.get(prefix + layer.name)
        if chosen is None or of_keras is None:
            continue
        of_keras.kernel_initializer = initializer(chosen)
        if layer.name in random:
            kernel = of_keras.kernel
            kernel.assign(of_keras.kernel_initializer(kernel.shape, kernel.dtype))
