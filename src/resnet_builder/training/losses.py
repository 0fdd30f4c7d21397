"""The loss and the accuracy that fit a model's output."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Literal, get_args

import keras
from keras.activations import linear, sigmoid, softmax

from ..common.checks import choice
from ..model.graph import Node, model_graph
from ..model.locate import model_inside

if TYPE_CHECKING:
    from .recipes import Recipe

Labels = Literal["integer", "one_hot"]
Loss = Literal["crossentropy", "binary_crossentropy"]

Activation = Callable[..., Any]

OUTPUT_ACTIVATIONS = (softmax, sigmoid, linear)

# Layers of maps that keep probabilities as probabilities and logits as logits.
OF_MAPS = (
    keras.layers.UpSampling2D,
    keras.layers.Resizing,
    keras.layers.Cropping2D,
    keras.layers.Identity,
)


def fitting_losses(
    loss: Any, model: keras.Model, recipe: "Recipe", labels: str | None
) -> tuple[Any, Any]:
    """The loss that is trained, and the one that the accuracy is of.

    Both are the given one. For None they are the recipe's, for the model's output and the kind of
    labels; classes of a binary crossentropy are scored as ones that exclude one another.
    """
    if loss is None or str(loss).lower() in ("crossentropy", "ce"):
        if recipe.loss == "binary_crossentropy":
            return _binary(model, labels), "categorical_crossentropy"
        loss = _crossentropy(model, recipe, labels)
    elif labels is not None:
        raise ValueError("labels is for the recipe's own loss, and a loss is given")
    return loss, loss


def _binary(model: keras.Model, labels: str | None) -> keras.Loss:
    activation = _output_activation(model)
    if activation is softmax:
        raise ValueError(
            "the recipe trains the probability of each class by itself, and a softmax ties them: "
            'build the network with classifier_activation=None, or "sigmoid"'
        )
    if labels == "integer":
        raise ValueError(
            'the recipe needs labels as shares of classes: give labels="one_hot" and '
            "keras.utils.to_categorical(labels)"
        )
    choice(labels or "one_hot", get_args(Labels), "kind of labels")
    return keras.losses.BinaryCrossentropy(from_logits=activation is linear)


def _crossentropy(model: keras.Model, recipe: "Recipe", labels: str | None) -> keras.Loss:
    smoothing = recipe.label_smoothing
    activation = _output_activation(model)
    from_logits = activation is linear
    classes = model.outputs[0].shape[-1]
    if activation is sigmoid or (from_logits and classes == 1):
        if labels is not None:
            raise ValueError(
                f"labels={labels!r} is for a softmax; labels of sigmoids and of one logit have the "
                "shape of the output"
            )
        return keras.losses.BinaryCrossentropy(from_logits, label_smoothing=smoothing)
    if classes == 1:
        raise ValueError(
            "a softmax over one class is always 1: for two classes, give classes=2, or classes=1 "
            'and classifier_activation="sigmoid"'
        )
    labels = labels or ("one_hot" if smoothing or recipe.augment.mixes else "integer")
    choice(labels, get_args(Labels), "kind of labels")
    if labels == "one_hot":
        return keras.losses.CategoricalCrossentropy(from_logits, label_smoothing=smoothing)
    if smoothing:
        raise ValueError(
            'the recipe smooths labels, and Keras smooths only one-hot ones: give labels="one_hot" '
            "and keras.utils.to_categorical(labels)"
        )
    return keras.losses.SparseCategoricalCrossentropy(from_logits)


def _output_activation(model: keras.Model) -> Activation:
    graph = model_graph(model)
    if len(model.outputs) > 1:
        names = ", ".join(map(repr, model.output_names))
        raise ValueError(
            f"{model.name!r} has {len(model.outputs)} outputs, {names}, and a recipe's loss is for "
            "one: give a loss for each"
        )
    [node] = [node for node in graph if node.is_output]
    while isinstance(node.layer, OF_MAPS):
        node = graph[node.inputs[0]]
    if inside := model_inside(node.layer):
        return _output_activation(inside)
    activation: Activation | None = getattr(node.layer, "activation", None)
    if isinstance(node.layer, keras.layers.Softmax) and node.layer.axis == -1:
        activation = softmax
    if activation is None or activation not in OUTPUT_ACTIVATIONS:
        raise ValueError(
            "a recipe's loss is for an output of a layer with the activation softmax, sigmoid or "
            f"none; {model.name!r} ends in {node.layer.name!r}: give a loss for another one"
        )
    if activation is not sigmoid and _is_channels_first(graph, node):
        raise ValueError(
            f"{node.layer.name!r} gives maps with the order channels_first, and a crossentropy "
            "takes the classes from the last axis: end in keras.layers.Permute((2, 3, 1)) and "
            'keras.layers.Activation("softmax")'
        )
    return activation


def _is_channels_first(graph: list[Node], node: Node) -> bool:
    while isinstance(node.layer, keras.layers.Activation | keras.layers.Softmax):
        node = graph[node.inputs[0]]
    order = getattr(node.layer, "data_format", None)
    return order == "channels_first" and len(node.output_shape) > 2


# Function of a loss -> the accuracy of the predictions that it takes.
ACCURACIES = {
    keras.losses.binary_crossentropy: keras.metrics.BinaryAccuracy,
    keras.losses.binary_focal_crossentropy: keras.metrics.BinaryAccuracy,
    keras.losses.categorical_crossentropy: keras.metrics.CategoricalAccuracy,
    keras.losses.categorical_focal_crossentropy: keras.metrics.CategoricalAccuracy,
    keras.losses.sparse_categorical_crossentropy: keras.metrics.SparseCategoricalAccuracy,
}


def _function(loss: Any) -> Any:
    """The function of a loss that Keras knows by its class, its function or a name of it."""
    loss = keras.losses.get(loss)
    return getattr(loss, "fn", loss)


def with_accuracies(metrics: Any, loss: Any) -> Any:
    """Replace `"accuracy"` in lists and dicts of metrics by the accuracy that fits the loss.

    Keras chooses it by the shapes of labels and predictions: for one logit and for several
    sigmoids, that is not what the loss trains.
    """
    if isinstance(metrics, dict):
        of_output = loss.get if isinstance(loss, dict) else lambda name: loss
        return {name: with_accuracies(value, of_output(name)) for name, value in metrics.items()}
    if isinstance(metrics, list | tuple):
        is_one_each = isinstance(loss, list | tuple) and len(loss) == len(metrics)
        losses = loss if is_one_each else [loss] * len(metrics)
        return [with_accuracies(*pair) for pair in zip(metrics, losses, strict=True)]
    is_accuracy = isinstance(metrics, str) and metrics.lower() in ("accuracy", "acc")
    if not is_accuracy or isinstance(loss, dict | list | tuple):
        return metrics
    kind = ACCURACIES.get(_function(loss))
    if kind is keras.metrics.BinaryAccuracy:
        return kind(metrics, threshold=0.0 if getattr(loss, "from_logits", False) else 0.5)
    return kind(metrics) if kind else metrics


def label_shape(model: keras.Model, loss: Any) -> tuple[int, ...] | None:
    """The shape of the labels of one image, with 1 for sizes that vary; None if it is unknown."""
    if isinstance(loss, dict | list | tuple) or len(getattr(model, "outputs", ())) != 1:
        return None
    function = _function(loss)
    if function not in ACCURACIES:
        return None
    shape = tuple(size or 1 for size in model.outputs[0].shape)
    return shape[:-1] if function is keras.losses.sparse_categorical_crossentropy else shape
