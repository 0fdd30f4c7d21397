"""prepare: the variables that Keras would create in the first training step."""

from typing import Any

import keras

from ..model.locate import check_model


def prepare(model: keras.Model, labels: Any) -> keras.Model:
    """Create the optimizer's and the metrics' variables of a compiled model.

    Keras creates them in the first training step, which TensorFlow therefore traces twice, and for
    a network of many layers a trace takes seconds. After `prepare`, it is traced once. With JAX
    and PyTorch there is nothing to save, and the model is returned as it is. `compile_recipe` does
    this itself.

    Args:
        model: any compiled Keras model.
        labels: labels of one image or more, as for `fit`; only their structure, shapes and dtypes
            matter. For several outputs, as many as `fit` takes.

    Returns:
        The model, with the same weights, and with metrics that have seen nothing.

    Raises:
        TypeError: not a Keras model.
        ValueError: a model that is not compiled, or labels that its loss cannot take.

    Example:
        >>> import keras, numpy as np
        >>> from resnet_builder import ResnetBuilder, prepare
        >>> model = ResnetBuilder.from_preset("resnet20_cifar")
        >>> model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
        >>> prepare(model, labels=np.zeros(1)) is model
        True
    """
    check_model(model)
    if not model.compiled:
        raise ValueError(f"{model.name!r} is not compiled: call model.compile before prepare")
    if keras.backend.backend() != "tensorflow":
        return model  # JAX would compile an operation for every shape: seconds
    labels = keras.tree.map_structure(keras.ops.convert_to_tensor, labels)
    count = keras.tree.flatten(labels)[0].shape[0]
    predictions = keras.tree.map_shape_structure(
        lambda shape: keras.ops.zeros((count, *[size or 1 for size in shape[1:]])),
        model.output_shape,
    )
    model.optimizer.build(model.trainable_variables)
    model.compute_loss(None, labels, predictions)
    model.compute_metrics(None, labels, predictions)
    model.reset_metrics()
    return model
