"""The Keras model of a plan."""

from collections.abc import Iterable, Sequence
from dataclasses import replace

import keras

from ..plan.layers import GroupDeviation, GroupNorm, Input, Layer
from ..plan.network import Plan
from ..plan.norms import check_groups
from .initializers import quick_kernels, restore_initializers
from .keras_layers import KERAS_LAYERS, Style, Tensor
from .keras_limits import room_for


def assemble(
    plan: Plan,
    style: Style,
    name: str,
    features: Sequence[str] | None = None,
    *,
    blank: bool = False,
) -> keras.Model:
    """Build the model of a plan.

    Args:
        features: names in `plan.outputs`; the output is then a dict of them, and layers that none
            of them needs are not created.
        blank: whether the kernels are zeros, for a checkpoint to replace.
    """
    with quick_kernels(plan.layers, style.full_precision, blank=blank) as kernels:
        model = _functional(plan, replace(style, kernels=kernels), name, features)
    restore_initializers(model, plan.layers, style.prefix or "")
    if style.dtype is not None:
        # For compile, which scales the loss if the model itself is of mixed_float16.
        model.dtype_policy = style.dtype
    return model


def _functional(plan: Plan, style: Style, name: str, features: Sequence[str] | None) -> keras.Model:
    layers = list(plan.layers)
    wanted = {feature: plan.outputs[feature].name for feature in features or ()}
    if wanted:
        names = [layer.name for layer in layers]
        layers = layers[: 1 + max(map(names.index, wanted.values()))]
    tensors: dict[str, Tensor] = {}
    apply_layers(layers[:1], tensors, style)
    image = tensors[plan.image.name]
    tensors[plan.image.name] = style.enter(image, f"{plan.image.name}_permute")
    apply_layers(layers[1:], tensors, style)
    outputs = {
        feature: style.leave(tensors[layer], f"{feature}_permute")
        for feature, layer in wanted.items()
    } or style.leave(tensors[layers[-1].name], "head_permute")
    with room_for(layers=len(layers)):
        return keras.Model(image, outputs, name=name)


def model_of(plan: Plan, name: str) -> keras.Model:
    """The model of a plan with Keras's global settings."""
    return assemble(plan, Style(keras.config.image_data_format()), name)


def apply_layers(layers: Iterable[Layer], tensors: dict[str, Tensor], style: Style) -> None:
    """Create the Keras layers of a plan's layers, and add their outputs to `tensors` by name.

    Raises:
        ValueError: a custom block has channels that groups of a norm do not divide.
        RuntimeError: an output does not have the planned shape: a bug of this package.
    """
    for layer in layers:
        inputs = [tensors[name] for name in layer.inputs]
        if isinstance(layer, GroupNorm | GroupDeviation):  # perhaps after a custom block
            check_groups(layer.groups, inputs[0].shape[-1], layer.inputs[0])
        make = KERAS_LAYERS[type(layer)]
        output = make(layer, style)(inputs[0] if len(inputs) == 1 else inputs)
        if not _fits(output.shape[1:], layer):
            raise RuntimeError(
                f"{layer.name} was planned with the shape {layer.output_shape}, and Keras gives "
                f"{output.shape[1:]}: please report this"
            )
        tensors[layer.name] = output


def _fits(shape: Sequence[int | None], layer: Layer) -> bool:
    """Whether a shape is the planned one, in which sizes after a custom block are unknown."""
    if isinstance(layer, Input):  # in any order of axes
        return True
    planned = layer.output_shape
    return len(shape) == len(planned) and all(
        not size or given == size for given, size in zip(shape, planned, strict=True)
    )
