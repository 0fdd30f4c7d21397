"""The encoder of a network for a task: the feature maps that a decoder starts from."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, get_args

import keras
from keras import layers

from ..builder import ResnetBuilder
from ..common.checks import choice, positive_int, unknown
from ..config import FIELDS, ActivationName, ResnetConfig
from ..features import feature_info
from ..files.opening import opened
from ..model.keras_layers import INSIDE, Style, Tensor
from ..model.keras_limits import room_for
from ..plan.names import CLASSIFIERS, DECODER, HEAD, IMAGE, OUT, SEGMENTATION, At
from ..plan.network import Dilation
from ..weights.load import load_weights
from .steps import bilinear, norm_relu

if TYPE_CHECKING:
    from ..options import EncoderOptions

# Options of `from_preset` for networks that end in a classifier or in maps.
_OF_OTHER_ENDS = ("include_top", "pooling", "classifier_activation", "dropout_rate", "features")
# Ends of names that only files of whole networks have: segmentation_models.pytorch's and our own.
_OF_PIXELS = ("segmentation_head.0.weight", f"{CLASSIFIERS[-1]}/kernel")


class FeatureMap(NamedTuple):
    """A map inside a model; the image's rows and columns are divided by its stride."""

    tensor: Tensor
    stride: int


@dataclass(frozen=True)
class Encoder:
    """A network of this package, for a decoder on its maps.

    Attributes:
        model: the network.
        name: name of the model with the decoder.
        style: settings of all layers.
        image: the input.
        maps: the maps of the stem and of each stage, which are activated.
    """

    model: keras.Model
    name: str
    style: Style
    image: FeatureMap
    maps: tuple[FeatureMap, ...]

    def model_to(self, outputs: Tensor | dict[str, Tensor]) -> keras.Model:
        """The model from the image to outputs."""
        with room_for(2 * len(self.model.layers)):
            model = keras.Model(self.model.input, outputs, name=self.name)
        model.dtype_policy = self.model.dtype_policy  # for compile, as in `assemble`
        return model


def encoder(
    preset: str | ResnetConfig,
    input_shape: Sequence[int | None] | None,
    task: str,
    options: "EncoderOptions",
    *,
    weights: object,
    dilation: Dilation,
) -> Encoder:
    """Build an encoder; arguments and errors as in `ResnetBuilder.from_preset`.

    Args:
        task: what is added to the network's name.
    """
    if unfit := [option for option in _OF_OTHER_ENDS if option in options]:
        raise TypeError(f"{task} has no option {unfit[0]}: its networks end in a decoder")
    own = {*(ResnetBuilder.from_preset.__kwdefaults__ or ()), *FIELDS}
    own -= {*_OF_OTHER_ENDS, "dilate_first"}
    for option in options:  # from_preset would propose its own, and says what load_weights takes
        if option not in own and option not in (load_weights.__kwdefaults__ or ()):
            raise TypeError(unknown("option", option, sorted(own)))
    _check_is_encoder(weights, task)
    model = ResnetBuilder.from_preset(
        preset,
        input_shape,
        include_top=False,
        weights=weights,
        output_stride=dilation.output_stride,
        dilate_first=dilation.dilate_first,
        **options,
    )
    data_format = options.get("data_format") or keras.config.image_data_format()
    style = Style(data_format, options.get("dtype"), options.get("layer_prefix", ""))
    permuted = _layer(model, f"{IMAGE}_permute", style)
    return Encoder(
        model,
        options.get("name") or f"{model.name}_{task}",
        style,
        FeatureMap(permuted.output if permuted else model.input, 1),
        tuple(_maps(model, style)),
    )


def _check_is_encoder(weights: object, task: str) -> None:
    """Refuse a file of a whole network, of which only the encoder would be loaded."""
    is_path = isinstance(weights, str | Path) and Path(weights).exists()
    if not (is_path or isinstance(weights, Mapping)):
        return
    with opened(weights) as checkpoint:
        if any(name.endswith(_OF_PIXELS) for name in checkpoint.shapes):
            raise ValueError(
                f"weights= takes a checkpoint of the encoder, and {checkpoint.name} has a decoder "
                f"as well: load it whole, with load_weights({task}(...), ...)"
            )


def _maps(model: keras.Model, style: Style) -> Iterator[FeatureMap]:
    levels = feature_info(model)
    for part, level in levels.items():
        layer = model.get_layer(level.layer)
        if not isinstance(layer, layers.Activation) and part == list(levels)[-1]:
            # A network that activates before its convolutions does so at its end as well.
            layer = _layer(model, At(HEAD)("act"), style) or layer
        x = layer.output
        if not isinstance(layer, layers.Activation):
            x = norm_relu(x, At(DECODER).inside(part), style)
        yield FeatureMap(x, level.stride)


def _layer(model: keras.Model, name: str, style: Style) -> keras.Layer | None:
    return {layer.name: layer for layer in model.layers}.get(style.common(name)["name"])


def check_classes(classes: int, activation: str | None) -> None:
    """Refuse classes of pixels that cannot be, and an activation that says nothing of them."""
    positive_int(classes, "classes")
    if activation is not None:
        choice(activation, get_args(ActivationName), "activation")
    if classes == 1 and activation == "softmax":
        raise ValueError(
            "the softmax of one class is always 1: give activation='sigmoid' for one class, or "
            "classes=2 for it and the background"
        )


def segmented(
    x: FeatureMap, encoder: Encoder, classes: int, kernel: int, activation: str | None
) -> keras.Model:
    """The model that ends in the classes of the image's pixels, in full precision."""
    style = replace(encoder.style, dtype=encoder.style.full_precision)
    at, end = At(SEGMENTATION), x.tensor
    end = layers.Conv2D(classes, kernel, padding="same", **INSIDE, **style.common(at("conv")))(end)
    if x.stride > 1:
        end = bilinear(end, encoder.image.tensor, at("bilinear"), style)
    if activation is not None:
        end = layers.Activation(activation, **style.common(at(OUT)))(end)
    return encoder.model_to(style.leave(end, at("permute")))
