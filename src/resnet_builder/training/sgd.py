"""Weight decay as an L2 penalty of every variable."""

from collections.abc import Iterator
from typing import Any

import keras

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


def _own_or_inner(layer: Any) -> Iterator[Any]:
    """The variables that a layer trains unless it is frozen.

    Those of its inner layers are among them: attention saves the regularizers of its projections.
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

    def __call__(self, value: Any) -> Any:
        value = keras.ops.convert_to_tensor(value)
        if keras.backend.standardize_dtype(value.dtype) in ("float16", "bfloat16"):
            value = keras.ops.cast(value, "float32")
        return keras.ops.cast(self.factor * _half_square(value), keras.config.floatx())


def _half_square(value: Any) -> Any:
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        return tf.nn.l2_loss(value)
    return keras.ops.sum(keras.ops.square(value)) / 2


def fuse_updates(optimizer: keras.optimizers.SGD) -> None:
    """Make TensorFlow update a variable and its momentum by one operation.

    Keras writes an update as six, about a thousand for ResNet-50. With one, the first training step
    takes 0.89 of the time and later ones 0.93 (two cores, medians of interleaved runs). In saved
    models, the optimizer stays Keras's `SGD`. What Keras does before and after an update, such as
    clipping, accumulation and averages, is not touched. With other backends, which compile the step
    as a whole, or without momentum, nothing changes.
    """
    if keras.backend.backend() != "tensorflow" or not optimizer.momentum:
        return
    import tensorflow as tf

    def update_step(gradient: Any, variable: Any, learning_rate: Any) -> None:
        momentum = optimizer.momentums[optimizer._get_variable_index(variable)]
        tf.raw_ops.ResourceApplyKerasMomentum(
            var=variable.handle,
            accum=momentum.value.handle,
            lr=tf.cast(learning_rate, variable.dtype),
            grad=tf.cast(tf.convert_to_tensor(gradient), variable.dtype),  # or slices
            momentum=tf.cast(optimizer.momentum, variable.dtype),
            use_nesterov=optimizer.nesterov,
        )

    optimizer.update_step = update_step
