"""The moving average of a network's weights, with the statistics of its batch norms."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

import keras

from ..common import checks
from ..files.checkpoint import Array
from ..model.keras_layers import Tensor
from .recipes import RECIPES, Recipe, recipe_of


class MovingAverage(keras.callbacks.Callback):  # type: ignore[misc]
    """Exponential moving average of all weights, for evaluation.

    All weights are averaged, among them the moving means and variances of batch norm, as in
    torchvision and timm. `use_ema` of Keras's optimizers averages only what is trained: networks
    with those weights normalise by the statistics of others, and may predict much worse.

    Until `start`, the average is a copy of the weights. `EpochBackup` saves it, if it is given it.

    Args:
        decay: share of the average that remains after a step; from 0 to less than 1.
        start: step from which weights are averaged.
        every: steps from one update to the next, each of which decays by `decay` to the power of
            the steps. More cost less (an update of ResNet-50 takes a CPU about 0.1 seconds), and
            change little where they are fewer than 1 / (1 - decay); torchvision's are 32.

    Raises:
        TypeError: numbers of another type.
        ValueError: numbers out of their range.

    Example:
        >>> import keras, numpy as np
        >>> from resnet_builder import MovingAverage
        >>> model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
        >>> model.compile("sgd", "mse")
        >>> average = MovingAverage(0.9)
        >>> x = np.ones((8, 1))
        >>> history = model.fit(x, x, callbacks=[average], verbose=0)
        >>> with average.applied():
        ...     loss = model.evaluate(x, x, verbose=0)
    """

    def __init__(self, decay: float, *, start: int = 0, every: int = 1) -> None:
        super().__init__()
        self.decay = checks.fraction(decay, "decay")
        self.start = int(checks.fraction(start, "start", limit=2**31))
        self.every = checks.positive_int(every, "every")
        self.values: list[Tensor] | None = None
        self.step = self.averaged = self.before = 0

    @classmethod
    def by_recipe(
        cls, recipe: str | Recipe, *, epochs: int, steps_per_epoch: int, every: int = 1
    ) -> "MovingAverage":
        """The average of a recipe, scaled to a training; it starts after the warm-up.

        Args:
            recipe: a name in `RECIPES`, or a `Recipe` of your own.
            epochs: epochs of the whole training.
            steps_per_epoch: batches per epoch.
            every: as above.

        Returns:
            The callback.

        Raises:
            ValueError: an unknown recipe, one without an average, or numbers that are not positive.

        Example:
            >>> from resnet_builder import MovingAverage
            >>> average = MovingAverage.by_recipe(
            ...     "torchvision_v2", epochs=600, steps_per_epoch=1251
            ... )
            >>> print(f"{average.decay:.6f} from step {average.start}")
            0.999966 from step 6255
        """
        found = recipe_of(recipe)
        if not found.average:
            names = ", ".join(repr(name) for name, row in RECIPES.items() if row.average)
            raise ValueError(
                f"the recipe has no moving average, as {names} have: give MovingAverage a decay"
            )
        steps = checks.positive_int(epochs, "epochs")
        steps *= checks.positive_int(steps_per_epoch, "steps_per_epoch")
        decay = max(0.0, 1 - 1 / (found.average * steps))
        return cls(decay, start=round(found.warm_up * steps), every=every)

    def on_train_begin(self, logs: Mapping[str, float] | None = None) -> None:
        """Begin with a copy of the weights, or go on with what is averaged or restored."""
        self.step = self.averaged = int(self.model.optimizer.iterations)
        if self.values is None:
            self.values = [keras.ops.copy(value) for value in self._weights()]

    def on_epoch_begin(self, epoch: int, logs: Mapping[str, float] | None = None) -> None:
        """Count the epoch's batches from 0."""
        self.before = self.step

    def on_train_batch_end(self, batch: int, logs: Mapping[str, float] | None = None) -> None:
        """Update the average, if it is time to."""
        self.step = self.before + batch + 1
        if self.step - self.averaged >= self.every:
            self._update()

    def on_epoch_end(self, epoch: int, logs: Mapping[str, float] | None = None) -> None:
        """Update the average, so that it is of whole epochs."""
        if self.step > self.averaged:
            self._update()

    def _update(self) -> None:
        # JAX has the weights elsewhere while it trains.
        getattr(self.model, "jax_state_sync", lambda: None)()
        is_copy = self.step <= self.start
        new = 1.0 if is_copy else 1 - self.decay ** (self.step - self.averaged)
        pairs = zip(self.values or [], self._weights(), strict=True)
        self.values = [value + new * (weight - value) for value, weight in pairs]
        self.averaged = self.step

    def _weights(self) -> list[Tensor]:
        stopped = (keras.ops.stop_gradient(weight.value) for weight in self.model.weights)
        return [keras.ops.cast(value, "float32") for value in stopped]

    def get_weights(self) -> list[Array]:
        """The averages, in the order of `model.get_weights()` and for `model.set_weights`.

        Raises:
            ValueError: nothing has been trained.
        """
        if self.values is None:
            raise ValueError("nothing is averaged yet: give the callback to fit")
        return [keras.ops.convert_to_numpy(value) for value in self.values]

    def set_weights(self, values: Sequence[Array]) -> None:
        """Go on from these averages, which `get_weights` returned."""
        self.values = [keras.ops.convert_to_tensor(value, "float32") for value in values]

    @contextmanager
    def applied(self) -> Iterator[keras.Model]:
        """Within a `with` block, the model has the averages as its weights.

        Raises:
            ValueError: nothing has been trained.
        """
        trained = self.model.get_weights() if self.values is not None else []
        averages = self.get_weights()
        try:
            self.model.set_weights(averages)
            yield self.model
        finally:
            self.model.set_weights(trained)
