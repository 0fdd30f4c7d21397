"""unet: a U-Net for semantic segmentation on any network."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Unpack

import keras
from keras import layers

from ..common.checks import positive_int
from ..config import ActivationName, ResnetConfig
from ..plan.names import DECODER, At, Place
from ..plan.network import Dilation
from .encoder import FeatureMap, check_classes, encoder, segmented
from .steps import conv_norm_relu, upsampled

if TYPE_CHECKING:
    from ..options import EncoderOptions

LAST_FILTERS = 16


def unet(
    preset: str | ResnetConfig,
    input_shape: Sequence[int | None],
    classes: int,
    *,
    weights: object = None,
    decoder_filters: Sequence[int] | None = None,
    activation: ActivationName | None = "softmax",
    output_stride: int | None = None,
    **options: Unpack["EncoderOptions"],
) -> keras.Model:
    """Build a U-Net: a class for every pixel, from any network as the encoder.

    Each block of the decoder repeats the pixels of the map before it to the size of the next finer
    map of the encoder, joins the two, and has two 3x3 convolutions with batch norm and ReLU; the
    last block, at the size of the image, has no map to join. It is the U-Net of
    segmentation_models.pytorch, whose state dicts `load_weights` loads. The layers are core layers
    of Keras, named `decoder_block1_conv1`, ..., `segmentation_conv`, `segmentation_out`.

    A map of a pre-activated network first gets a batch norm and a ReLU; its last one has the
    network's own.

    Args:
        preset: the encoder, as in `ResnetBuilder.from_preset`.
        input_shape: as in `ResnetBuilder.from_preset`. Any size works, and None for any at run
            time: what an upsampled map has more than the encoder's is cropped.
        classes: classes of the pixels.
        weights: a checkpoint of the encoder, as in `ResnetBuilder.from_preset`, such as
            `"imagenet"`; the decoder's weights are random. `load_weights` loads a whole network.
        decoder_filters: filters of each block, from the coarsest. Default: 16 in the last, and
            twice as many in each before it: 256, 128, 64, 32, 16 for five blocks.
        activation: name of a Keras activation; None gives logits. `"sigmoid"` for classes that
            may overlap, or for one.
        output_stride: as in `ResnetBuilder.from_preset`.
        **options: `adapt_weights`, `data_format`, `dtype`, `name`, `layer_prefix` of
            `ResnetBuilder.from_preset`, and fields of `ResnetConfig` to change.

    Returns:
        A functional model from (batch, *input_shape) to (batch, rows, columns, classes), or
        (batch, classes, rows, columns) with `data_format="channels_first"`.

    Raises:
        TypeError, ValueError, OSError, ImportError: as in `ResnetBuilder.from_preset`; a number of
            `decoder_filters` other than of blocks.

    Example:
        >>> from resnet_builder import unet
        >>> unet("resnet34", (None, None, 3), classes=4).output_shape
        (None, None, None, 4)
        >>> mask = unet("resnet18", (100, 75, 1), classes=1, activation="sigmoid")
        >>> mask.output_shape
        (None, 100, 75, 1)

    Ronneberger, Fischer and Brox 2015 (arXiv:1505.04597); segmentation_models_pytorch 0.6,
    decoders/unet/decoder.py.
    """
    check_classes(classes, activation)
    dilation = Dilation(output_stride)
    body = encoder(preset, input_shape, "unet", options, weights=weights, dilation=dilation)
    *skips, x = body.maps
    if skips[0].stride > 1:
        skips.insert(0, body.image)
    filters = _filters(decoder_filters, len(skips))
    for number, (skip, count) in enumerate(zip(reversed(skips), filters, strict=True), start=1):
        at = At(Place(DECODER.kind, block=number))
        end = upsampled(x.tensor, x.stride // skip.stride, skip.tensor, at, body.style)
        if skip is not body.image:
            end = layers.Concatenate(**body.style.common(at("concat")))([end, skip.tensor])
        for conv in (1, 2):
            end = conv_norm_relu(end, count, at.numbered(conv), body.style)
        x = FeatureMap(end, skip.stride)
    return segmented(x, body, classes, 3, activation)


def _filters(given: Sequence[int] | None, blocks: int) -> list[int]:
    """The filters of each block of the decoder."""
    if given is None:
        return [LAST_FILTERS << number for number in reversed(range(blocks))]
    if not isinstance(given, Sequence):
        raise TypeError(f"decoder_filters are the filters of each block, got {given!r}")
    filters = [positive_int(count, "each of decoder_filters") for count in given]
    if len(filters) != blocks:
        raise ValueError(
            f"the decoder has {blocks} blocks on this network, one for each map to upsample to, "
            f"and decoder_filters has {len(filters)}: {filters}"
        )
    return filters
