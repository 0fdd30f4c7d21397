"""What a model trains: freeze, unfreeze, and weight decay as an L2 penalty of every variable."""

from collections.abc import Iterator

import keras

from ..common.checks import look_up
from ..model.keras_layers import Tensor
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


# Variable -> the attribute with its regularizer, where Keras does not name it after the variable.
OTHER_NAMES = {
    "kernel": "depthwise",  # DepthwiseConv2D
    "depthwise_kernel": "depthwise",
    "pointwise_kernel": "pointwise",
    "recurrent_kernel": "recurrent",
}


def decay(model: keras.Model, factor: float, names: tuple[str, ...]) -> None:
    """Replace the regularizers of a model by L2 penalties with the gradient factor * w.

    A penalty belongs to its variable: it counts in every model that trains the variable, and while
    the variable is trainable. A saved model keeps those that its layers have an argument for, such
    as `kernel_regularizer`. Keras's layers have one, but for the `scale` of RMS normalisation and
    of attention.

    Args:
        model: any Keras model.
        factor: 0 for no penalty.
        names: names of the variables that decay, such as `"kernel"`; empty for all.
    """
    # Keras's L2 is factor * w^2, with the gradient 2 * factor * w.
    saved, penalty = (keras.regularizers.L2(factor / 2), _Decay(factor)) if factor else (None, None)
    for layer in model._flatten_layers():
        for variable in _own_or_inner(layer):
            decays = not names or variable.name in names
            variable.regularizer = penalty if decays else None
            for name in (variable.name, OTHER_NAMES.get(variable.name)):
                for attribute in (f"{name}_regularizer", f"_{name}_regularizer"):
                    # Not properties, which read the attribute of a layer inside.
                    if attribute in vars(layer):
                        setattr(layer, attribute, saved if decays else None)


def _own_or_inner(layer: keras.Layer) -> Iterator[keras.Variable]:
    """The variables that a layer trains unless it is frozen.

    Variables of inner layers are among them: attention saves the regularizers of its projections.
    """
    for inner in [layer] if isinstance(layer, keras.Model) else layer._flatten_layers():
        yield from inner._trainable_variables


class _Decay(keras.regularizers.Regularizer):  # type: ignore[misc]
    """Half the factor times the sum of the squares.

    Of Keras's own L2 it differs in two ways. For TensorFlow it is one operation and one for its
    gradient: the first training step of ResNet-50 takes 0.77 of the CPU time (64x64 images).
    And it has the dtype of Keras's losses, to which TensorFlow adds no other, and is no less
    precise than that: networks of pure float64 and bfloat16 train.
    """

    def __init__(self, factor: float) -> None:
        self.factor = factor

    def __call__(self, value: Tensor) -> Tensor:
        value = keras.ops.convert_to_tensor(value)
        if keras.backend.standardize_dtype(value.dtype) in ("float16", "bfloat16"):
            value = keras.ops.cast(value, "float32")
        if keras.backend.backend() == "tensorflow":
            import tensorflow as tf

            half_square = tf.nn.l2_loss(value)
        else:
            half_square = keras.ops.sum(keras.ops.square(value)) / 2
        return keras.ops.cast(self.factor * half_square, keras.config.floatx())
