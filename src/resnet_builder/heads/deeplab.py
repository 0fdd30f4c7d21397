"""deeplab: DeepLabV3+ for semantic segmentation on any network."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Unpack

import keras
from keras import layers

from ..common.checks import fraction, positive_int
from ..config import ActivationName, ResnetConfig
from ..model.keras_layers import INSIDE, Style, Tensor
from ..plan.names import ASPP, DECODER, At
from ..plan.network import Dilation
from .encoder import FeatureMap, check_classes, encoder, segmented
from .steps import bilinear, conv_norm_relu, nearest

if TYPE_CHECKING:
    from ..options import EncoderOptions

SKIP_FILTERS = 48  # arXiv:1802.02611, section 4.1


def deeplab(
    preset: str | ResnetConfig,
    input_shape: Sequence[int | None],
    classes: int,
    *,
    weights: object = None,
    decoder_filters: int = 256,
    aspp_rates: Sequence[int] = (12, 24, 36),
    dropout_rate: float = 0.5,
    activation: ActivationName | None = "softmax",
    output_stride: int | None = 16,
    **options: Unpack["EncoderOptions"],
) -> keras.Model:
    """Build a DeepLabV3+: a class for every pixel, from any network as the encoder.

    The last map, of a stride of 16 or 8 by dilation, goes through atrous spatial pyramid pooling
    (ASPP): a 1x1 convolution, three dilated separable ones, and the mean of the map. The result is
    resized to the map of `stage1`, and joined with 48 channels of it. It is the DeepLabV3Plus of
    segmentation_models.pytorch, whose state dicts `load_weights` loads.

    Args:
        preset: the encoder, as in `ResnetBuilder.from_preset`.
        input_shape: as in `ResnetBuilder.from_preset`. Any size works, and None for any at run
            time.
        classes: classes of the pixels.
        weights: a checkpoint of the encoder, as in `ResnetBuilder.from_preset`, such as
            `"imagenet"`; the decoder's weights are random. `load_weights` loads a whole network.
        decoder_filters: filters of every convolution of ASPP and of the decoder.
        aspp_rates: dilations of the three separable convolutions of ASPP, in pixels of its map.
        dropout_rate: fraction of ASPP's output that is dropped during training.
        activation: name of a Keras activation; None gives logits. `"sigmoid"` for classes that
            may overlap, or for one.
        output_stride: stride of the last map: 16, or 8 for a finer map, which takes more
            time and memory; no checkpoint tells it. None for the network's own, which networks for
            images of 32x32 need.
        **options: `adapt_weights`, `data_format`, `dtype`, `name`, `layer_prefix` of
            `ResnetBuilder.from_preset`, and fields of `ResnetConfig` to change.

    Returns:
        A functional model from (batch, *input_shape) to (batch, rows, columns, classes), or
        (batch, classes, rows, columns) with `data_format="channels_first"`.

    Raises:
        TypeError, ValueError, OSError, ImportError: as in `ResnetBuilder.from_preset`; also for an
            output stride that the network does not reach.

    Example:
        >>> from resnet_builder import deeplab
        >>> deeplab("resnet50", (128, 192, 3), classes=21).output_shape
        (None, 128, 192, 21)

    Chen et al. 2018 (arXiv:1802.02611); segmentation_models_pytorch 0.6,
    decoders/deeplabv3/decoder.py.
    """
    check_classes(classes, activation)
    positive_int(decoder_filters, "decoder_filters")
    fraction(dropout_rate, "dropout_rate")
    rates = [positive_int(rate, "each of aspp_rates") for rate in aspp_rates]
    # dilate_first as in segmentation_models_pytorch 0.6, encoders/_utils.py.
    dilation = Dilation(output_stride, dilate_first=output_stride is not None)
    body = encoder(preset, input_shape, "deeplab", options, weights=weights, dilation=dilation)
    style, at = body.style, At(DECODER)
    skip, last = body.maps[1], body.maps[-1]
    x = layers.Concatenate(**style.common(At(ASPP)("concat")))(
        [*_branches(last.tensor, decoder_filters, rates, style)]
    )
    x = conv_norm_relu(x, decoder_filters, At(ASPP).inside("project"), style, kernel=1)
    x = layers.Dropout(dropout_rate, **style.common(At(ASPP)("dropout")))(x)
    x = conv_norm_relu(x, decoder_filters, At(ASPP).inside("out"), style, separable=True)
    if last.stride > skip.stride:
        x = bilinear(x, skip.tensor, at("bilinear"), style)
    finer = conv_norm_relu(skip.tensor, SKIP_FILTERS, at.inside("skip"), style, kernel=1)
    x = layers.Concatenate(**style.common(at("concat")))([x, finer])
    x = conv_norm_relu(x, decoder_filters, at, style, separable=True)
    return segmented(FeatureMap(x, skip.stride), body, classes, 1, activation)


def _branches(x: Tensor, filters: int, rates: Sequence[int], style: Style) -> Iterator[Tensor]:
    """Atrous spatial pyramid pooling: views of different width of every pixel."""
    at = At(ASPP)
    yield conv_norm_relu(x, filters, at.numbered(1), style, kernel=1)
    for number, rate in enumerate(rates, start=2):
        yield conv_norm_relu(x, filters, at.numbered(number), style, dilation=rate, separable=True)
    pooled = layers.GlobalAveragePooling2D(keepdims=True, **INSIDE, **style.common(at("pool")))(x)
    pooled = conv_norm_relu(pooled, filters, at.inside("pool"), style, kernel=1)
    yield nearest(pooled, x, at.inside("pool")("repeat"), style)
