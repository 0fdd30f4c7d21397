"""Weight decay as one L2 penalty of many variables."""

from collections.abc import Iterable
from typing import Any

import keras

from .freezing import all_layers


def decay(model: keras.Model, factor: float, names: tuple[str, ...]) -> None:
    """Replace the regularizers of a model by an L2 penalty with the gradient factor * w.

    Args:
        model: any Keras model.
        factor: 0 for no penalty.
        names: names of the variables that decay, such as `"kernel"`; empty for all.
    """
    # Keras's L2 is factor * w^2, with the gradient 2 * factor * w.
    penalty = keras.regularizers.L2(factor / 2) if factor else None
    decaying = []
    for layer in all_layers(model):
        for variable in layer.trainable_variables:
            decays = penalty is not None and (not names or variable.name in names)
            variable.regularizer = None
            if decays:
                decaying.append(variable)
            attribute = f"{variable.name}_regularizer"  # the attribute that a saved model keeps
            if hasattr(layer, attribute):
                setattr(layer, attribute, penalty if decays else None)
    unique = {id(variable): variable for variable in decaying}.values()
    for variable in unique:
        variable.regularizer = _Share(variable, unique, factor / 2)


class _Share:
    """A variable's share of a joint penalty: all of it for the first that is trained, else 0.

    Keras asks every variable for its penalty. For the 161 of ResNet-50, one term in place of as
    many takes a quarter off the time until the first training step ends (two cores, CPU time).
    """

    def __init__(self, variable: Any, variables: Iterable[Any], factor: float) -> None:
        self.variable = variable
        self.variables = variables
        self.factor = factor

    def __call__(self, value: Any) -> Any:
        trained = [variable for variable in self.variables if variable.trainable]
        if self.variable is not trained[0]:
            return keras.ops.zeros((), value.dtype)
        halves = [_half_square(variable.value) for variable in trained]
        return 2 * self.factor * keras.ops.sum(keras.ops.stack(halves))


def _half_square(value: Any) -> Any:
    """Half of the sum of the squares: one operation of TensorFlow, and one for its gradient."""
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        return tf.nn.l2_loss(value)
    return keras.ops.sum(keras.ops.square(value)) / 2
