"""fpn: a feature pyramid on any network, for detection or for semantic segmentation."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Unpack

import keras
from keras import layers

from ..common.checks import fraction, positive_int
from ..config import ActivationName, ResnetConfig
from ..model.keras_layers import INSIDE, Style, Tensor
from ..plan.names import ADD, OUT, PYRAMID, SEGMENTATION, At, Place
from ..plan.network import Dilation
from .encoder import Encoder, FeatureMap, check_classes, encoder, segmented
from .steps import bilinear, conv_norm_relu, upsampled

if TYPE_CHECKING:
    from ..options import EncoderOptions

# Levels beyond the last stage (arXiv:1708.02002, section 4).
FURTHER_LEVELS = 2


def fpn(
    preset: str | ResnetConfig,
    input_shape: Sequence[int | None],
    classes: int | None = None,
    *,
    weights: object = None,
    decoder_filters: int = 256,
    segmentation_filters: int = 128,
    dropout_rate: float = 0.2,
    activation: ActivationName | None = "softmax",
    output_stride: int | None = None,
    **options: Unpack["EncoderOptions"],
) -> keras.Model:
    """Build a feature pyramid on any network: maps for a detector, or a class for every pixel.

    A 1x1 convolution of each stage's map is added to the pixels of the coarser sum, repeated.
    Level P2 is of `stage1`, the paper's conv2_x, with the stride 4 in a network for ImageNet.

    Without `classes`, a 3x3 convolution of each sum is a level, and two more levels, P6 and P7,
    halve the size again. `feature_info` gives their strides.

    With `classes`, each sum goes through 3x3 convolutions with group norm and ReLU, one for each
    bilinear doubling to the size of P2, and at least one; the sum of these maps, a dropout and a
    1x1 convolution give the classes. It is the FPN of segmentation_models.pytorch, whose state
    dicts `load_weights` loads.

    Args:
        preset: the encoder, as in `ResnetBuilder.from_preset`.
        input_shape: as in `ResnetBuilder.from_preset`. Any size works, and None for any at run
            time.
        classes: classes of the pixels. Default: none, but the levels of the pyramid.
        weights: a checkpoint of the encoder, as in `ResnetBuilder.from_preset`, such as
            `"imagenet"`; the other weights are random. `load_weights` loads a whole network.
        decoder_filters: channels of the levels.
        segmentation_filters: channels of the maps that are summed, in groups of 32.
        dropout_rate: fraction of the channels of their sum that is dropped during training.
        activation: name of a Keras activation for the classes; None gives logits.
        output_stride: as in `ResnetBuilder.from_preset`.
        **options: `adapt_weights`, `data_format`, `dtype`, `name`, `layer_prefix` of
            `ResnetBuilder.from_preset`, and fields of `ResnetConfig` to change.

    Returns:
        A functional model from (batch, *input_shape) to a dict of the levels by name, each of
        (batch, rows, columns, decoder_filters); with `classes`, to (batch, rows, columns, classes).
        With `data_format="channels_first"` the channels come second.

    Raises:
        TypeError, ValueError, OSError, ImportError: as in `ResnetBuilder.from_preset`.

    Example:
        >>> from resnet_builder import feature_info, fpn
        >>> pyramid = fpn("resnet18", (None, None, 3))
        >>> list(pyramid.output)
        ['P2', 'P3', 'P4', 'P5', 'P6', 'P7']
        >>> feature_info(pyramid)["P3"]
        FeatureLevel(layer='p3_out', stride=8, channels=256)
        >>> fpn("resnet18", (128, 192, 3), classes=4).output_shape
        (None, 128, 192, 4)

    Lin et al. 2017 (arXiv:1612.03144); for segmentation, Kirillov et al. 2019 (arXiv:1901.02446)
    and segmentation_models_pytorch 0.6, decoders/fpn/decoder.py.
    """
    positive_int(decoder_filters, "decoder_filters")
    if classes is not None:
        check_classes(classes, activation)
        _check_groups(segmentation_filters)
        fraction(dropout_rate, "dropout_rate")
    dilation = Dilation(output_stride)
    body = encoder(preset, input_shape, "fpn", options, weights=weights, dilation=dilation)
    levels = _levels(body, decoder_filters)
    if classes is None:
        return body.model_to(_outputs(levels, decoder_filters, body.style))
    x = _segmentation_map(levels, segmentation_filters, dropout_rate, body.style)
    return segmented(FeatureMap(x, levels[0].stride), body, classes, 1, activation)


def _check_groups(segmentation_filters: int) -> None:
    if positive_int(segmentation_filters, "segmentation_filters") % 32:
        raise ValueError(
            "segmentation_filters must be a multiple of 32, the groups of the group norms, got "
            f"{segmentation_filters!r}"
        )


def _at(level: int) -> At:
    """The place of a level by its position: 0 for P2."""
    return At(Place(PYRAMID, level + 2))


def _levels(body: Encoder, filters: int) -> list[FeatureMap]:
    """The sums of the top-down path, from the finest."""
    _, *maps = body.maps
    levels: list[FeatureMap] = []
    for number, of_stage in reversed(list(enumerate(maps))):
        at = _at(number)
        x = layers.Conv2D(filters, 1, **INSIDE, **body.style.common(at("lateral")))(of_stage.tensor)
        if levels:
            coarser = levels[0]
            factor = coarser.stride // of_stage.stride
            up = upsampled(coarser.tensor, factor, x, at, body.style)
            x = layers.Add(**body.style.common(at(ADD)))([x, up])
        levels.insert(0, FeatureMap(x, of_stage.stride))
    return levels


def _outputs(levels: Sequence[FeatureMap], filters: int, style: Style) -> dict[str, Tensor]:
    """The levels of a pyramid for detection, and those beyond."""
    outputs: list[Tensor] = []
    for number in range(len(levels) + FURTHER_LEVELS):
        at, further = _at(number), number - len(levels)
        x = levels[number].tensor if further < 0 else outputs[-1]
        if further > 0:
            x = layers.Activation("relu", **style.common(at("act")))(x)
        if further >= 0:
            x = layers.ZeroPadding2D(1, **INSIDE, **style.common(at("pad")))(x)
        strides, padding = (1, "same") if further < 0 else (2, "valid")
        conv = layers.Conv2D(
            filters, 3, strides, padding=padding, **INSIDE, **style.common(at(OUT))
        )
        outputs.append(conv(x))
    names = (f"{_at(number).place}".upper() for number in range(len(outputs)))
    return {
        name: style.leave(x, f"{name.lower()}_permute")
        for name, x in zip(names, outputs, strict=True)
    }


def _segmentation_map(
    levels: Sequence[FeatureMap], filters: int, dropout_rate: float, style: Style
) -> Tensor:
    """The sum of the levels at the size of the finest, after convolutions."""
    ends = []
    for number, level in reversed(list(enumerate(levels))):
        x, stride, at = *level, _at(number)
        for step, finer in enumerate(reversed(levels[:number] or [level]), start=1):
            x = conv_norm_relu(x, filters, at.numbered(step), style, norm="gn")
            if finer.stride < stride:
                x = bilinear(x, finer.tensor, at.numbered(step)("bilinear"), style)
            stride = finer.stride
        ends.append(x)
    at = At(SEGMENTATION)
    x = layers.Add(**style.common(at(ADD)))(ends)
    return layers.SpatialDropout2D(dropout_rate, **INSIDE, **style.common(at("dropout")))(x)
