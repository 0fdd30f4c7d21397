"""The end of a network: the scores and probabilities of its classes."""

from collections.abc import Iterable

import keras
import numpy as np
from keras import ops

from ..features import feature_info
from ..files.checkpoint import Array
from ..model.keras_layers import Tensor
from ..model.keras_limits import without_tensorflow
from .gradients import no_gradients
from .replay import Replay, Step, Values

# Layers that only move numbers outside of training.
PASSIVE = ("Reshape", "Flatten", "Permute", "Transpose", "Cropping2D", "Dropout", "Identity")
SHARES = ("softmax", "sigmoid")


class ScoredModel:
    """A network, read from its output back: the scores are what its last activation takes.

    Attributes:
        replay: its calls, without the last activation.
        order: order of axes of the images.
        activation: `"softmax"` or `"sigmoid"`; softmax if the network gives scores of several
            classes.
        classes: number of classes.
        is_map: whether it gives scores for every pixel, as for segmentation.
        pooled: number of the map whose means a dense layer or 1x1 convolution turns to scores;
            None if it is not so.
        kernel: of that layer, (channels, classes).

    Raises:
        ValueError: several inputs or outputs, no graph of layers, or an unknown number of classes.
    """

    def __init__(self, model: keras.Model) -> None:
        self.name = model.name
        self.replay = Replay(model)
        self.order = self.replay.order_of(self.replay.input)
        last = self.replay.maker(self.replay.output)
        shape = last.shape if last else ()
        self._axis = len(shape) - 1
        if len(shape) == 4 and self.replay.order_of(self.replay.output) == "channels_first":
            self._axis = 1
        if len(shape) < 2 or not shape[self._axis]:
            raise ValueError(f"{model.name!r} does not give scores of classes, but {shape}")
        self.classes = shape[self._axis] or 0
        sizes = [size for axis, size in enumerate(shape) if axis not in (0, self._axis)]
        self.is_map = any(size != 1 for size in sizes)
        end = self._maker_before(self.replay.output)
        own = _activation(end.layer) if end else ""
        if end and own in SHARES:
            self.replay.exchange(end, _without_activation(end))
            end = self._maker_before(self.replay.output)
        self.activation = own if own in SHARES else SHARES[self.classes == 1]
        self.pooled: int | None = None
        self.kernel: Array = np.zeros(0)
        if end and not self.is_map and (kernel := _kernel(end.layer)) is not None:
            pool = self._maker_before(end.source)
            if pool and isinstance(pool.layer, keras.layers.GlobalAveragePooling2D):
                self.pooled = pool.source
                self.kernel = kernel.reshape(-1, self.classes).astype("float32")

    def _maker_before(self, number: int) -> Step | None:
        """The call that computes a tensor, before layers that only move numbers."""
        while call := self.replay.maker(number):
            kind = type(call.layer).__name__
            if kind not in PASSIVE and (kind, _activation(call.layer)) != ("Activation", "linear"):
                break
            number = call.source
        return call

    def map_of(self, stage: str | None, model: keras.Model) -> int:
        """The number of a stage's map, or of the last map before the scores.

        Of a network with scores for every pixel, the last one is its encoder's.

        Raises:
            ValueError: an unknown stage, or a model without maps.
        """
        if stage is None and not self.is_map:
            number = self.replay.output
            while call := self.replay.maker(number):
                if len(call.shape) == 4 and call.shape[1:3] != (1, 1) != call.shape[2:]:
                    return number
                number = call.source
        named = {call.name: call.outputs[0] for call in self.replay.calls if len(call.shape) == 4}
        if stage in named:
            return named[str(stage)]
        try:
            levels = {name: level.layer for name, level in feature_info(model).items()}
        except ValueError as error:
            raise ValueError(f"give stage, the name of a layer with a map: {error}") from None
        layer = levels.get(stage or list(levels)[-1])
        if layer not in named:
            raise ValueError(
                f"unknown stage {stage!r}: choose from {', '.join(map(repr, levels))}, or the name "
                "of a layer with a map"
            )
        return named[layer]

    def layer_of(self, number: int) -> str:
        """The name of the layer that computes a map; empty for the images."""
        call = self.replay.maker(number)
        return call.name if call else ""

    def needed_after(self, number: int) -> set[int]:
        """The map, and the other tensors that the output is computed from after it.

        Raises:
            ValueError: the output does not depend on the map.
        """
        calls = self.replay.after(number)
        made = {output for call in calls for output in call.outputs}
        if self.replay.output not in made:
            raise ValueError("no layer with scores comes after this stage: give an earlier one")
        return {number, *(source for call in calls for source in call.sources.values())} - made

    # Running it ---------------------------------------------------------------------------------

    def forward(self, images: Array, keep: Iterable[int] = ()) -> Values:
        """Run the network on images of channels last."""
        with no_gradients():
            return self.replay.run(
                self.replay.calls, {self.replay.input: self.tensor(images)}, keep
            )

    def tensor(self, images: Array) -> Tensor:
        """Images of channels last as the network takes them."""
        given = np.moveaxis(images, -1, 1) if self.order == "channels_first" else images
        return ops.convert_to_tensor(given)

    def scores(self, values: Values) -> Tensor:
        """The scores after a run, (batch, pixels, classes), in float32."""
        scores = ops.cast(values[self.replay.output], "float32")
        scores = ops.moveaxis(scores, self._axis, -1)
        return ops.reshape(scores, (scores.shape[0], -1, self.classes))

    def probabilities(self, values: Values) -> Array:
        """The probabilities after a run, likewise."""
        activation = ops.softmax if self.activation == "softmax" else ops.sigmoid
        found: Array = ops.convert_to_numpy(activation(self.scores(values)))
        return found

    def channels_last(self, value: Tensor, number: int) -> Array:
        """A map, or its gradient, as (batch, rows, columns, channels)."""
        array: Array = ops.convert_to_numpy(ops.cast(value, "float32"))
        is_first = self.replay.order_of(number) == "channels_first"
        return np.moveaxis(array, 1, -1) if is_first else array


class ChosenClass:
    """The score and the probability of one class in each image, `classes`.

    For segmentation, they are those of the pixels where the class is predicted: the sum of the
    scores, and the mean of the probabilities. If it is nowhere, all pixels count.
    """

    def __init__(self, scored: ScoredModel, classes: list[int], probabilities: Array) -> None:
        self.classes, self._scored = classes, scored
        self._is_class = np.eye(scored.classes, dtype="float32")[classes][:, np.newaxis]
        own = (probabilities * self._is_class).sum(axis=2)
        pixels = np.ones_like(own)
        if scored.is_map:
            is_best = own == probabilities.max(axis=2)
            is_answer = is_best if scored.activation == "softmax" else own > 0.5
            pixels = np.where(is_answer.any(axis=1, keepdims=True), is_answer, pixels)
        self._pixels = pixels.astype("float32")[..., np.newaxis]

    def score(self, values: Values) -> Tensor:
        """The sum over all images, which depend on each other's pixels nowhere."""
        counted = self._pixels * self._is_class
        return ops.sum(ops.multiply(self._scored.scores(values), counted))

    def scores(self, values: Values) -> Array:
        """The score of every image."""
        scores: Array = ops.convert_to_numpy(self._scored.scores(values))
        return self._sums(scores)

    def probabilities(self, probabilities: Array) -> Array:
        """The probability of every image's class."""
        shares: Array = self._sums(probabilities) / self._pixels.sum(axis=(1, 2))
        return shares

    def log_odds(self, values: Values) -> Array:
        """The logarithm of the odds of every image's class; the mean of those of its pixels.

        Of sigmoids it is the score, and of a softmax the score less what the others add up to. It
        is exact where a probability of nearly 1 is rounded to 1.
        """
        scores: Array = ops.convert_to_numpy(self._scored.scores(values))
        if self._scored.activation == "softmax" and self._scored.classes > 1:
            others = np.where(self._is_class > 0, -np.inf, scores)
            scores = scores - np.logaddexp.reduce(others, axis=2, keepdims=True)
        odds: Array = self._sums(scores) / self._pixels.sum(axis=(1, 2))
        return odds

    def _sums(self, values: Array) -> Array:
        """The sums of what is the class's at its pixels."""
        sums: Array = (values * self._pixels * self._is_class).sum(axis=(1, 2))
        return sums


def _activation(layer: keras.Layer) -> str:
    """The name of a layer's activation; of a layer or operation that is one, its own."""
    kind = type(layer).__name__.lower()
    activation = getattr(layer, "activation", None)
    of_layer = getattr(activation, "__name__", type(activation).__name__)
    return kind if kind in SHARES else str(of_layer).lower()


@without_tensorflow()
def _without_activation(call: Step) -> keras.Layer:
    """A copy of a layer without its activation."""
    if not getattr(call.layer, "weights", ()):
        return keras.layers.Identity()
    layer: keras.Layer = call.layer
    copy = type(layer).from_config({**layer.get_config(), "activation": "linear"})
    [shape] = (tuple(tensor.shape) for tensor in call.arguments.keras_tensors)
    copy.build(shape)
    copy.set_weights(layer.get_weights())
    return copy


def _kernel(layer: keras.Layer) -> Array | None:
    """The kernel of a dense layer, or of a convolution that is one at every pixel.

    None for classes derived from these, and after quantisation: they may compute with another one.
    """
    is_conv = type(layer) is keras.layers.Conv2D and layer.kernel_size == (1, 1)
    is_dense = type(layer) is keras.layers.Dense or (is_conv and layer.groups == 1)
    if not is_dense or getattr(layer, "quantization_mode", None):
        return None
    kernel: Array = ops.convert_to_numpy(layer.kernel)
    return kernel
