"""fold_batch_norm: the same function with fewer layers, for inference."""

from collections.abc import Iterable
from tempfile import TemporaryDirectory
from typing import Any

import keras
import numpy as np

from ..model.graph import functional
from ..model.keras_layers import Tensor
from ..model.keras_limits import room_for, without_tensorflow
from ..model.locate import check_model
from .folds import LINEAR, Affine, Float64, Fold, affine, find_folds, has_graph


@without_tensorflow()
def fold_batch_norm(model: keras.Model) -> keras.Model:
    """Copy a model with its batch norms folded into convolutions and dense layers, for inference.

    Outside of training a batch norm scales and shifts each channel by numbers that are known
    (arXiv:1502.03167, algorithm 2). A linear layer next to it can do both with its kernel and bias:

    * The layer before it, if it has no activation and nothing else uses its output: a convolution,
      also a grouped, depthwise, separable or transposed one, or a dense layer.
    * The layer after it, if nothing else uses the batch norm: the same layers but separable and
      transposed ones, and only if they pad with zeros nothing that is shifted.

    All other layers are copied, and so are batch norms that cannot be folded, such as those between
    an addition and an activation in pre-activation networks, those that are called in training mode
    or several times, and those inside a layer that calls them itself. `folding_report` lists them,
    with the reason. Functional models inside the model are folded as well.

    Args:
        model: any functional or sequential Keras model.

    Returns:
        A functional model with the same inputs, outputs and names of layers, not compiled. The
        outputs outside of training are the model's, to about 1e-6 of the largest in float32; a
        convolution and its batch norm have the convolution's name. It is saved and loaded like any
        model. It takes checkpoints of folded models only: load others first, then fold. Trained
        further, it is a network without these batch norms, and without the regularisers of the
        layers that took them in.

    Raises:
        TypeError: not a Keras model.
        ValueError: a model without a graph of layers: a subclass of `keras.Model` with its own
            `call`, or a sequential model that is not built.

    Example:
        >>> from resnet_builder import ResnetBuilder, fold_batch_norm
        >>> model = ResnetBuilder.from_preset("resnet50")
        >>> len(model.weights), len(fold_batch_norm(model).weights)
        (267, 108)
    """
    check_model(model)
    copies = _Copies(find_folds(model))
    copy = copies.of_model(model)
    copies.fill()
    return copy


class _Copies:
    """Copies of layers, each made once, so that what is shared stays shared."""

    def __init__(self, folds: Iterable[Fold]):
        self.absorbed: set[int] = set()
        self.affines: dict[int, dict[str, Affine]] = {}
        for fold in folds:
            if fold.into:
                self.absorbed.add(id(fold.norm))
                side = "before" if fold.comes_first else "after"
                self.affines.setdefault(id(fold.into), {})[side] = affine(fold.norm)
        self.made: dict[int, tuple[keras.Layer, keras.Layer]] = {}

    def of_model(self, model: keras.Model) -> keras.Model:
        """Copy a model without its weights; `fill` copies the weights of all layers."""
        function = functional(model)
        with room_for(layers=3 * len(model.layers)):
            # A plain functional model: clone_model would compile the copy of a compiled one.
            plain = keras.Model(function.input, function.output, name=model.name)
            return keras.models.clone_model(
                plain, _new_inputs(function), self.of_layer, call_function=self.call
            )

    def of_layer(self, layer: keras.Layer) -> keras.Layer:
        """The copy of a layer; an absorbed batch norm is left to `call`."""
        if id(layer) in self.absorbed:
            return layer
        if id(layer) not in self.made:
            new = self.of_model if has_graph(layer) else _new
            copy = _with_bias(layer) if id(layer) in self.affines else new(layer)
            self.made[id(layer)] = layer, copy
        return self.made[id(layer)][1]

    def call(self, layer: keras.Layer, *inputs: Tensor, **options: Tensor) -> Tensor:
        if id(layer) in self.absorbed:
            return inputs[0] if inputs else options["inputs"]
        return layer(*inputs, **options)

    def fill(self) -> None:
        for layer, copy in self.made.values():
            if affines := self.affines.get(id(layer)):
                copy.set_weights(_folded_weights(layer, **affines))
            elif not has_graph(layer):
                _copy_state(layer, copy)


def _new(layer: keras.Layer) -> keras.Layer:
    """A new layer with the same settings."""
    return type(layer).from_config(layer.get_config())


def _copy_state(layer: keras.Layer, copy: keras.Layer) -> None:
    """Give a copy the weights of a layer, and what the layer has learned from data by `adapt`."""
    if getattr(layer, "weights", ()):
        copy.set_weights(layer.get_weights())
    if hasattr(layer, "adapt"):
        # Numbers and vocabularies beside the weights, as Keras saves and loads them.
        store: dict[str, Any] = {}
        layer.save_own_variables(store)
        copy.load_own_variables(store)
        if hasattr(layer, "save_assets"):
            with TemporaryDirectory() as folder:
                layer.save_assets(folder)
                copy.load_assets(folder)


def _new_inputs(function: keras.Model) -> Tensor:
    """New inputs like a model's; Keras itself would give them other default names."""
    of_tensor = {
        id(layer.output): layer
        for layer in function.layers
        if isinstance(layer, keras.layers.InputLayer)
    }
    return keras.tree.map_structure(lambda x: _new(of_tensor[id(x)]).output, function.input)


def _with_bias(layer: keras.Layer) -> keras.Layer:
    """A new layer with the same settings and a bias.

    It has no regularisers and constraints, as they are about the weights before folding.
    """
    config = layer.get_config()
    dropped = [key for key in config if key.endswith(("_regularizer", "_constraint"))]
    return type(layer).from_config(config | dict.fromkeys(dropped) | {"use_bias": True})


def _folded_weights(
    layer: keras.Layer, before: Affine | None = None, after: Affine | None = None
) -> list[Float64]:
    """The weights of a layer, with a bias, that has taken in what is before and after it."""
    kind = LINEAR[type(layer)]
    weights = [np.asarray(array, "float64") for array in layer.get_weights()]
    bias = weights.pop() if layer.use_bias else np.zeros(1)
    # The last kernel: a separable convolution has two.
    *others, kernel = weights
    if before:
        rest = tuple(axis for axis in range(-kernel.ndim, 0) if axis not in kind.outputs)
        shifted = kernel * _over_inputs(layer, before.shift, kernel)
        bias = bias + shifted.sum(axis=rest).ravel()
        kernel = kernel * _over_inputs(layer, before.scale, kernel)
    if after:
        kernel = kernel * _along(kind.outputs, after.scale, kernel)
        bias = bias * after.scale + after.shift
    return [*others, kernel, bias]


def _along(axes: tuple[int, ...], values: Float64, kernel: Float64) -> Float64:
    """Values for each channel, with all axes of the kernel."""
    sizes = enumerate(kernel.shape, start=-kernel.ndim)
    return values.reshape([size if axis in axes else 1 for axis, size in sizes])


def _over_inputs(layer: keras.Layer, values: Float64, kernel: Float64) -> Float64:
    """Values for each input channel, with all axes of the kernel."""
    groups = getattr(layer, "groups", 1)
    if groups == 1:
        return _along(LINEAR[type(layer)].inputs, values, kernel)
    # A filter sees the channels of its own group.
    return np.repeat(values.reshape(groups, -1), layer.filters // groups, axis=0).T
