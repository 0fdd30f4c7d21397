"""The state of a training run in one file, from which an interrupted run continues."""

import hashlib
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import h5py
import keras
import numpy as np

from ..common.files import whole_file
from ..model.locate import check_model
from ..weights.load import restored_on_failure
from .distributed import is_chief, values_of_chief

FINISHED, SEEDS = "finished_epochs", "seed_states"
NETWORK, OPTIMIZER = "network_sha256", "optimizer_sha256"


class EpochBackup(keras.callbacks.Callback):  # type: ignore[misc]
    """Saves the state of a training run after every epoch, in one file.

    The file has the weights, the optimiser's state and the seeds of dropout and stochastic depth;
    it is a Keras weights file, which `model.load_weights` reads too. If the process is killed, at
    any moment, the file is from the last epoch or from the one before. If the order of the data
    depends only on the epoch, a restored run ends like one that was not interrupted.

    `keras.callbacks.BackupAndRestore` does not guarantee that: it writes the weights and the number
    of the epoch to two files, one after the other and in place, and leaves the seeds out.

    Args:
        path: path of the file, which ends in `.weights.h5`.

    Raises:
        ValueError: a path with another ending.

    Example:
        >>> from resnet_builder import EpochBackup
        >>> backup = EpochBackup("run.weights.h5")
    """

    def __init__(self, path: str | Path) -> None:
        super().__init__()
        self.path = Path(path)
        if not self.path.name.endswith(".weights.h5"):
            raise ValueError(f"the path of a backup must end in .weights.h5, got {path}")

    def on_epoch_end(self, epoch: int, logs: Mapping[str, float] | None = None) -> None:
        """Replace the saved state by the state after `epoch` + 1 epochs."""
        with whole_file(self.path) as unfinished:
            self.model.save_weights(unfinished)
            with h5py.File(unfinished, "a") as file:
                file.attrs[FINISHED] = epoch + 1
                seeds = [keras.ops.convert_to_numpy(seed) for seed in _seeds(self.model)]
                file.attrs[SEEDS] = np.array(seeds, "int64").reshape(-1, 2)
                file.attrs[NETWORK] = _digest(self.model.weights)
                file.attrs[OPTIMIZER] = _digest(self.model.optimizer.variables)


def restore_backup(model: keras.Model, path: str | Path) -> int:
    """Restore a compiled model to the state that `EpochBackup` saved.

    If it raises, or is interrupted, the model and its optimiser are as they were. Callbacks that
    remember earlier epochs, such as `EarlyStopping`, start over.

    Under a strategy of several workers every process calls it. Only the chief needs the file; it
    sends the state to the others.

    Args:
        model: the same network, compiled with the same optimiser.
        path: path of the backup.

    Returns:
        The number of finished epochs: `initial_epoch` of `fit`. 0 if there is no such file.

    Raises:
        TypeError: not a Keras model.
        ValueError: the model is not compiled, or the file is not of `EpochBackup`, or of a model
            with other layers, shapes, layers with a seed, or another optimiser.
        OSError: a file that cannot be read, is no HDF5 file, or is damaged.

    Example:
        >>> from resnet_builder import ResnetBuilder, compile_recipe, restore_backup
        >>> model = ResnetBuilder.from_preset("resnet20_cifar")
        >>> model = compile_recipe(model, "he2015_cifar", epochs=164, steps_per_epoch=391)
        >>> restore_backup(model, "a_new_run.weights.h5")
        0
    """
    check_model(model)
    if not model.compiled:
        raise ValueError(
            f"compile {model.name!r} before restore_backup: a backup has the optimiser's state"
        )
    # A model has a strategy under TensorFlow only, and a strategy of one worker has no task.
    strategy = getattr(model, "distribute_strategy", None)
    if not getattr(getattr(strategy, "cluster_resolver", None), "task_type", None):
        return _restored(model, path)
    finished = _restored(model, path) if is_chief(strategy) else 0
    _build_optimizer(model)
    state = [*model.variables, *model.optimizer.variables]
    *values, finished = values_of_chief(strategy, [*(of.value for of in state), finished])
    for variable, value in zip(state, values, strict=True):
        variable.assign(value)
    return int(finished)


def _restored(model: keras.Model, path: str | Path) -> int:
    """Restore a model of this process; the number of finished epochs."""
    if not Path(path).exists():
        return 0
    saved = _attributes(path)
    _build_optimizer(model)
    _check_fit(model, path, saved)
    with restored_on_failure([*model.variables, *model.optimizer.variables]):
        try:
            model.load_weights(path)
        except ValueError as error:
            raise ValueError(f"{path} is the backup of another network or optimiser") from error
        for variable, state in zip(_seeds(model), saved[SEEDS], strict=True):
            variable.assign(state)
    return int(saved[FINISHED])


def _build_optimizer(model: keras.Model) -> None:
    """Create the optimiser's variables: Keras would not load the state of any that do not exist."""
    if not model.optimizer.built:
        model.optimizer.build(model.trainable_variables)


def _attributes(path: str | Path) -> dict[str, Any]:
    try:
        with h5py.File(path) as file:
            saved = dict(file.attrs)
    except OSError as error:
        raise type(error)(f"cannot read the backup {path}: {error}") from error
    if not (
        isinstance(saved.get(FINISHED), np.integer) and np.shape(saved.get(SEEDS, 0))[1:] == (2,)
    ):
        raise ValueError(f"{path} is not a backup of a training run, as EpochBackup writes it")
    return saved


def _check_fit(model: keras.Model, path: str | Path, saved: dict[str, Any]) -> None:
    """Raise a ValueError if the backup is of another model: Keras loads by class and number."""
    expected = {
        NETWORK: (_digest(model.weights), "network: the layers' names or shapes differ"),
        OPTIMIZER: (_digest(model.optimizer.variables), "optimiser: its variables differ"),
    }
    wrong = [text for key, (own, text) in expected.items() if saved.get(key, own) != own]
    found, count = len(saved[SEEDS]), len(_seeds(model))
    if found != count:
        wrong.append(f"network: it has {found} layers with a seed, such as dropout, not {count}")
    if wrong:
        raise ValueError(
            f"{path} is the backup of another {wrong[0]}; build and compile {model.name!r} as for "
            "the interrupted run, or give another path for a new run"
        )


def _digest(variables: Iterable[keras.Variable]) -> str:
    """SHA-256 of the paths and shapes of variables.

    The numbers that Keras adds to a name depend on what else was built in the process.
    """
    lines = [f"{re.sub(r'_[0-9]+(?=[_/]|$)', '', v.path)} {tuple(v.shape)}" for v in variables]
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def _seeds(model: keras.Model) -> list[keras.Variable]:
    """The seed variables of dropout and stochastic depth."""
    weights = {id(weight) for weight in model.weights}
    return [variable for variable in model.variables if id(variable) not in weights]
