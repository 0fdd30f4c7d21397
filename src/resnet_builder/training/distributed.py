"""Training on several devices or machines with TensorFlow's tf.distribute.

Keras 3's `fit` does not run under `MultiWorkerMirroredStrategy` (keras-team/keras#20585). Keras's
training step does: it divides the loss and the penalties by the number of replicas, and its
optimiser sums the gradients. This module is the loop around that step.
"""

from collections.abc import Callable, Iterable
from itertools import chain, islice
from pathlib import Path
from typing import Any

import keras
import tensorflow as tf

from . import backup

# The dataset of one worker, in batches for one replica each.
Batches = Callable[[tf.distribute.InputContext], tf.data.Dataset]


def is_chief(strategy: tf.distribute.Strategy) -> bool:
    """Return whether this process is the one that writes files: the first, or the only one."""
    resolver = strategy.cluster_resolver
    if resolver is None or not resolver.task_type:
        return True
    if resolver.task_type == "chief":
        return True
    has_chief = "chief" in resolver.cluster_spec().as_dict()
    return resolver.task_type == "worker" and resolver.task_id == 0 and not has_chief


def synchronize_batch_norm(model: keras.Model) -> None:
    """Make batch norm compute mean and variance over all replicas instead of per replica.

    Call this before the first training step. A saved model keeps the setting, which has no effect
    outside of tf.distribute.
    """
    for layer in model._flatten_layers():
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.synchronized = True


def fit(
    model: keras.Model,
    batches: Batches,
    *,
    epochs: int,
    steps_per_epoch: int,
    initial_epoch: int = 0,
    validation_batches: Batches | None = None,
    callbacks: Iterable[keras.callbacks.Callback] = (),
    verbose: int | str = "auto",
) -> keras.callbacks.History:
    """Run `model.fit` for a model that was built and compiled under a strategy's scope.

    Every process of the cluster calls it with the same arguments; the callbacks run in every
    process, so give those that write files to the chief only (`is_chief`).

    Args:
        model: compiled model with a built optimiser. Its loss is a mean over the batch.
        batches: function from a `tf.distribute.InputContext` to this worker's
            `tf.data.Dataset`, endless or of all epochs. Each batch goes to one replica; all have
            the same size, `context.get_per_replica_batch_size(global_batch_size)`.
        epochs: number of the last epoch, not of further epochs if `initial_epoch` is given.
        steps_per_epoch: number of global batches in an epoch.
        initial_epoch: number of epochs already finished.
        validation_batches: like `batches`, for one pass. Every replica must get the same number
            of batches, none of them empty; they may differ in size.
        callbacks: Keras callbacks.
        verbose: as in `model.fit`; only the chief has a progress bar.

    Returns:
        The history, as from `model.fit`. Metrics are over all replicas.
    """
    strategy = model.distribute_strategy
    loop = _Loop(model, batches, validation_batches)
    calls = keras.callbacks.CallbackList(
        list(callbacks),
        add_history=True,
        add_progbar=verbose != 0 and is_chief(strategy),
        model=model,
        epochs=epochs,
        steps=steps_per_epoch,
        verbose=verbose,
    )
    model.stop_training = False
    calls.on_train_begin()
    logs: dict[str, float] = {}
    for epoch in range(initial_epoch, epochs):
        calls.on_epoch_begin(epoch)
        logs = loop.train(steps_per_epoch, calls) | loop.validate()
        calls.on_epoch_end(epoch, logs)
        if model.stop_training:
            break
    calls.on_train_end(logs)
    return model.history


class _Loop:
    """Training and validation steps on all replicas."""

    def __init__(self, model: keras.Model, batches: Batches, validation: Batches | None) -> None:
        self.model = model
        self.validation = validation and self._distributed(validation)
        self._train_step = self._on_replicas(model.train_step)
        self._test_step = self._on_replicas(model.test_step)
        endless = iter(self._distributed(batches))
        first = next(endless)
        self._build_metrics(labels=first[1])
        self._batches = chain([first], endless)

    def train(self, steps: int, calls: keras.callbacks.CallbackList) -> dict[str, float]:
        """Train for one epoch and return its metrics over all replicas."""
        strategy = self.model.distribute_strategy
        self.model.reset_metrics()
        for step, batch in enumerate(islice(self._batches, steps)):
            calls.on_train_batch_begin(step)
            logs = self._train_step(batch)
            # The values of this process's first replica: a sum over all replicas costs a message.
            calls.on_train_batch_end(
                step, {name: strategy.experimental_local_results(v)[0] for name, v in logs.items()}
            )
        return self._metrics()

    def validate(self) -> dict[str, float]:
        """Evaluate the validation data and return their metrics over all replicas."""
        if not self.validation:
            return {}
        self.model.reset_metrics()
        for batch in self.validation:
            self._test_step(batch)
        return {f"val_{name}": value for name, value in self._metrics().items()}

    def _build_metrics(self, labels: tf.Tensor) -> None:
        """Create the metrics' variables, which the first step's tf.function could not create."""
        strategy = self.model.distribute_strategy
        labels = strategy.experimental_local_results(labels)[0]
        predictions = tf.zeros([len(labels), *self.model.output_shape[1:]])
        with strategy.scope(), keras.StatelessScope():
            self.model.compute_metrics(None, labels, predictions)

    def _metrics(self) -> dict[str, float]:
        return {name: float(value) for name, value in self.model.get_metrics_result().items()}

    def _distributed(self, batches: Batches) -> tf.distribute.DistributedDataset:
        return self.model.distribute_strategy.distribute_datasets_from_function(batches)

    def _on_replicas(self, step: Callable[[Any], Any]) -> Any:
        strategy = self.model.distribute_strategy
        return tf.function(lambda batch: strategy.run(step, args=(batch,)), reduce_retracing=True)


def restore_cluster(model: keras.Model, path: str | Path) -> int:
    """Run `backup.restore` in a cluster: only the chief needs the file and sends it to the others.

    Args:
        model: model that was built and compiled under a strategy's scope.
        path: path of the backup on the chief's machine.

    Returns:
        The number of finished epochs, in every process.
    """
    strategy = model.distribute_strategy
    finished = backup.restore(model, path) if is_chief(strategy) else 0
    if not model.optimizer.built:
        model.optimizer.build(model.trainable_variables)
    state = [*model.weights, *model.optimizer.variables, *backup.seed_states(model)]
    values = [variable.value for variable in state]
    *values, finished = _of_the_chief(strategy, [*values, tf.constant(finished)])
    for variable, value in zip(state, values, strict=True):
        variable.assign(value)
    return int(finished)


def _of_the_chief(strategy: tf.distribute.Strategy, values: list[tf.Tensor]) -> list[tf.Tensor]:
    """Broadcast the first replica's values: a sum to which the other replicas add zeros."""

    def add_zeros(value: tf.Tensor) -> tf.Tensor:
        context = tf.distribute.get_replica_context()
        is_first = context.replica_id_in_sync_group == 0
        own = tf.convert_to_tensor(value)
        own = tf.where(is_first, own, tf.zeros_like(own))
        return context.all_reduce(tf.distribute.ReduceOp.SUM, own)

    # Named, because AutoGraph cannot tell lambdas on one line apart and warns.
    def on_replica() -> list[tf.Tensor]:
        return [add_zeros(value) for value in values]

    broadcast = tf.function(lambda: strategy.run(on_replica))
    return [strategy.experimental_local_results(value)[0] for value in broadcast()]
