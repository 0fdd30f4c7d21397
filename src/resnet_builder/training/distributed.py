"""Training on several devices or machines with TensorFlow's tf.distribute.

Keras 3's `fit` does not run under `MultiWorkerMirroredStrategy` (keras-team/keras#20585). Keras's
training step does: it divides the loss and the penalties by the number of replicas, and its
optimiser sums the gradients. This module is the loop around that step.

TensorFlow is imported inside the functions, because importing their names must not import it.
"""

from collections.abc import Callable, Iterable, Iterator
from itertools import chain, islice
from typing import Any

import keras

from ..model.locate import check_model
from .recipes import prepare

Strategy = Any  # a tf.distribute.Strategy: TensorFlow publishes no types

# From a tf.distribute.InputContext to the tf.data.Dataset of one worker, in batches for one replica
# each.
Batches = Callable[[Any], Any]


def is_chief(strategy: Strategy) -> bool:
    """Return whether this process is the one that writes files: the first, or the only one.

    Args:
        strategy: a `tf.distribute.Strategy`.

    Returns:
        True for the chief, for the first worker of a cluster without a chief, and without a
        cluster.

    Example:
        >>> import tensorflow as tf
        >>> from resnet_builder import is_chief
        >>> is_chief(tf.distribute.get_strategy())  # no cluster: a single process
        True
    """
    resolver = strategy.cluster_resolver
    if resolver is None or resolver.task_type in (None, "", "chief"):
        return True
    has_chief = "chief" in resolver.cluster_spec().as_dict()
    return resolver.task_type == "worker" and resolver.task_id == 0 and not has_chief


def synchronize_batch_norm(model: keras.Model) -> None:
    """Make batch norm compute mean and variance over all replicas instead of per replica.

    Call this before the first training step. A saved model keeps the setting, which has no effect
    outside of tf.distribute. With JAX the model is left as it is: under
    `keras.distribution.DataParallel` a batch norm computes over all devices anyway, and Keras
    refuses the setting. Keras on JAX or PyTorch does not load a model with it: set
    `layer.synchronized = False` before you save it for them.

    Args:
        model: any Keras model; models inside it are included.

    Raises:
        TypeError: not a Keras model.
        ValueError: the backend of Keras is PyTorch.

    Example:
        >>> from resnet_builder import ResnetBuilder, synchronize_batch_norm
        >>> model = ResnetBuilder.from_preset("resnet20_cifar")
        >>> synchronize_batch_norm(model)
        >>> model.get_layer("stem_bn").synchronized
        True
    """
    if keras.backend.backend() == "jax":
        check_model(model)
        return
    _check(model, "synchronize_batch_norm")
    for layer in model._flatten_layers():
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.synchronized = True


def fit_distributed(
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
        model: compiled model. Its loss is a mean over the batch.
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

    Raises:
        TypeError: not a Keras model.
        ValueError: the backend of Keras is not TensorFlow, or the model is not compiled.

    Example:
        >>> import numpy as np, tensorflow as tf
        >>> from resnet_builder import ResnetBuilder, compile_recipe, fit_distributed
        >>> with tf.distribute.get_strategy().scope():  # such as MirroredStrategy()
        ...     model = ResnetBuilder.from_preset("resnet8_cifar", (8, 8, 1), classes=10)
        ...     model = compile_recipe(model, epochs=1, steps_per_epoch=2, batch_size=16)
        >>> images, labels = np.zeros((32, 8, 8, 1), "float32"), np.zeros(32, "int32")
        >>> def batches(context):
        ...     dataset = tf.data.Dataset.from_tensor_slices((images, labels))
        ...     dataset = dataset.shard(context.num_input_pipelines, context.input_pipeline_id)
        ...     return dataset.repeat().batch(context.get_per_replica_batch_size(16))
        >>> history = fit_distributed(model, batches, epochs=1, steps_per_epoch=2, verbose=0)
        >>> sorted(history.history)
        ['accuracy', 'loss']
    """
    _check(model, "fit_distributed")
    distributed = model.distribute_strategy.distribute_datasets_from_function
    validation = validation_batches and distributed(validation_batches)
    endless = _prepared(model, iter(distributed(batches)))
    train_step, test_step = (_on_replicas(model, of) for of in (model.train_step, model.test_step))
    calls = keras.callbacks.CallbackList(
        list(callbacks),
        add_history=True,
        add_progbar=verbose != 0 and is_chief(model.distribute_strategy),
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
        logs = _metrics_after(model, train_step, islice(endless, steps_per_epoch), calls)
        if validation:
            found = _metrics_after(model, test_step, validation, keras.callbacks.CallbackList())
            logs |= {f"val_{name}": value for name, value in found.items()}
        calls.on_epoch_end(epoch, logs)
        if model.stop_training:
            break
    calls.on_train_end(logs)
    return model.history


# Backend without tf.distribute -> how its users train on several devices.
INSTEAD = {
    "jax": "model.fit trains on all devices, and its batch norm is over all of them, after "
    "keras.distribution.set_distribution(keras.distribution.DataParallel())",
    "torch": "wrap the model in torch.nn.parallel.DistributedDataParallel, in a loop of your own",
}


def _check(model: keras.Model, name: str) -> None:
    check_model(model)
    backend = keras.backend.backend()
    if backend != "tensorflow":
        raise ValueError(
            f"{name} is for tf.distribute, which needs the backend tensorflow of Keras, not "
            f"{backend}: {INSTEAD.get(backend, 'set KERAS_BACKEND=tensorflow')}"
        )


def _prepared(model: keras.Model, batches: Iterator[Any]) -> Iterator[Any]:
    """Create the metrics' variables, which the first step's tf.function could not create."""
    strategy = model.distribute_strategy
    first = next(batches)
    with strategy.scope():
        prepare(model, labels=strategy.experimental_local_results(first[1])[0])
    return chain([first], batches)


def _on_replicas(model: keras.Model, step: Callable[[Any], Any]) -> Callable[[Any], dict[str, Any]]:
    """A step on all replicas, which returns its logs for the first replica of this process."""
    import tensorflow as tf

    strategy = model.distribute_strategy
    run = tf.function(lambda batch: strategy.run(step, args=(batch,)), reduce_retracing=True)

    def logs_of(batch: Any) -> dict[str, Any]:
        # Of one replica, because a sum over all of them costs a message.
        local = strategy.experimental_local_results
        return {name: local(value)[0] for name, value in run(batch).items()}

    return logs_of


def _metrics_after(
    model: keras.Model,
    step: Callable[[Any], dict[str, Any]],
    batches: Iterable[Any],
    calls: keras.callbacks.CallbackList,
) -> dict[str, float]:
    """Run a step for every batch, and return the metrics over all batches and replicas."""
    model.reset_metrics()
    for number, batch in enumerate(batches):
        calls.on_train_batch_begin(number)
        calls.on_train_batch_end(number, step(batch))
    return {name: float(value) for name, value in model.get_metrics_result().items()}


def values_of_chief(strategy: Strategy, values: list[Any]) -> list[Any]:
    """Broadcast the first replica's values: a sum to which the other replicas add zeros."""
    import tensorflow as tf

    def add_zeros(value: Any) -> Any:
        context = tf.distribute.get_replica_context()
        is_first = context.replica_id_in_sync_group == 0
        own = tf.convert_to_tensor(value)
        own = tf.where(is_first, own, tf.zeros_like(own))
        return context.all_reduce(tf.distribute.ReduceOp.SUM, own)

    # Named, because AutoGraph cannot tell lambdas on one line apart and warns.
    def on_replica() -> list[Any]:
        return [add_zeros(value) for value in values]

    broadcast = tf.function(lambda: strategy.run(on_replica))
    return [strategy.experimental_local_results(value)[0] for value in broadcast()]
